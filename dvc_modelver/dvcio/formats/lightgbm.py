"""LightGBM's text models: a header of `key=value` lines, the trees, and the parameters at the end."""

from __future__ import annotations

import re

from dvc_modelver.dvcio.formats.description import ModelDescription, Scalar, Status, clip, features, signature
from dvc_modelver.dvcio.formats.source import Source

_HEAD = 2 * 1024 * 1024
_TAIL = 64 * 1024
_PARAMETER = re.compile(r"^\[(\w{1,60}): (.{0,200})\]$", re.MULTILINE)
_WANTED = (
    *("boosting", "objective", "metric", "num_iterations", "learning_rate", "num_leaves", "max_depth", "max_bin"),
    *("min_data_in_leaf", "feature_fraction", "bagging_fraction", "bagging_freq", "lambda_l1", "lambda_l2"),
    *("num_class", "seed", "deterministic"),
)


def describe(source: Source) -> ModelDescription:
    """What header and parameters say."""
    head = source.at(0, _HEAD).decode("utf-8", "replace")
    header = _header(head)
    tail = source.tail(_TAIL).decode("utf-8", "replace")
    _, _, parameters = tail.rpartition("\nparameters:")
    said = {key: value for key, value in _PARAMETER.findall(parameters) if key in _WANTED and value}
    details: dict[str, Scalar] = {}
    for key, label in (("objective", "objective"), ("version", "model version")):
        if header.get(key):
            details[label] = clip(header[key])
    count = header.get("max_feature_idx", "")
    if count.isdecimal() and len(count) < 10:
        details["features"] = int(count) + 1
    classes = header.get("num_class", "")
    if classes.isdecimal() and len(classes) < 10 and int(classes) > 1:
        details["classes"] = int(classes)
    if header.get("tree_sizes"):
        details["trees"] = len(header["tree_sizes"].split())
    names = header.get("feature_names", "").split(" ") if header.get("feature_names") else []
    infos = header.get("feature_infos", "").split(" ")
    return ModelDescription(
        format="lightgbm",
        status=Status.NO_CODE_FORMAT,
        library="lightgbm",
        details=details,
        hyperparameters={key: _number(said[key]) for key in _WANTED if key in said},
        signature=signature(inputs=features(names, (_kind(info) for info in infos))),
    )


def _header(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in text.split("\n")[1:]:
        key, equals, value = line.rstrip("\r").partition("=")
        if key == "Tree" or (not equals and key):
            break
        if equals and len(found) < 50:
            found[key] = value
    return found


def _kind(info: str) -> str:
    """`[min:max]` is a number, `1:2:3` categories, `none` not used."""
    if info == "none":
        return "unused"
    return "numeric" if info.startswith("[") else "categorical"


def _number(text: str) -> Scalar:
    try:
        return int(text) if len(text) < 19 else clip(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return clip(text)
