"""What a pickled scikit-learn estimator says of itself: its attributes, read from symbols.

An estimator's state is its `__dict__`: what `__init__` was given, then what `fit` found (`..._`), then private names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dvc_modelver.dvcio.formats import arrays
from dvc_modelver.dvcio.formats.description import (
    MAX_DETAILS,
    Scalar,
    Signature,
    clip,
    features,
    listed,
    names,
    scalar,
    signature,
)
from dvc_modelver.dvcio.formats.symbols import Global, Made

_MAX_DEPTH = 6
_VERSIONS = ("_sklearn_version", "__version__", "_version")
_INNER = ("best_estimator_", "estimator_", "estimator", "regressor_", "calibrated_classifiers_")
"""Where searches and wrappers keep the estimator that they work with."""
_DERIVED = ("estimator_params", "class_weight_", "missing_values_in_feature_mask")


def is_estimator(value: object) -> bool:
    """Whether something is made from a class with attributes, as estimators are."""
    return isinstance(value, Made) and bool(value.attributes)


def library_version(root: Made) -> str | None:
    """What the state says of the version that wrote it."""
    for name in _VERSIONS:
        found = root.attributes.get(name)
        if isinstance(found, str):
            return clip(found, 60)
    for _, inner in steps(root):
        if isinstance(inner, Made) and isinstance(inner.attributes.get("_sklearn_version"), str):
            return clip(inner.attributes["_sklearn_version"], 60)
    return None


def steps(made: Made) -> list[tuple[str, object]]:
    """The named parts of a pipeline, transformer or ensemble."""
    for key in ("steps", "transformers", "transformer_list", "estimators"):
        value = made.attributes.get(key)
        if isinstance(value, list) and value and all(isinstance(v, tuple) and len(v) >= 2 for v in value[:50]):
            return [(v[0], v[1]) for v in value[:50] if isinstance(v[0], str)]
    return []


def details(root: Made) -> dict[str, Scalar]:
    """Class, steps, number of features and parts."""
    found: dict[str, Scalar] = {"estimator": clip(root.name)}
    parts = steps(root)
    if parts:
        found["steps"] = clip(listed(f"{name}={short(part)}" for name, part in parts))
    inner = next((root.attributes[key] for key in _INNER if is_estimator(root.attributes.get(key))), None)
    if isinstance(inner, Made) and not parts:
        found["inner estimator"] = clip(inner.name)
    count = _first(root, "n_features_in_")
    if isinstance(count, int):
        found["features"] = count
    for key, label in (("estimators_", "estimators"), ("n_iter_", "iterations"), ("n_outputs_", "outputs")):
        value = arrays.value_of(root.attributes.get(key))
        size = value if isinstance(value, int) else arrays.length_of(value)
        if size is not None and (key != "n_iter_" or isinstance(value, int)):
            found[label] = size
    return found


def short(value: object) -> str:
    """An estimator in a line of others: its class, or the word that stands for one."""
    if isinstance(value, (Made, Global)):
        return value.name.rpartition(".")[2]
    return clip(value, 40) if isinstance(value, str) else type(value).__name__


def hyperparameters(root: Made) -> dict[str, Scalar]:
    """What the estimator was made with, nested ones as `step__name`, at most `MAX_DETAILS`."""
    found: dict[str, Scalar] = {}
    for name, value in _parameters(root, "", 0):
        if len(found) == MAX_DETAILS:
            break
        found[clip(name, 80)] = value
    return found


def _parameters(made: Made, prefix: str, depth: int) -> Iterator[tuple[str, Scalar]]:
    parts = steps(made)
    for key, value in made.attributes.items():
        if not isinstance(key, str) or key.startswith("_") or key.endswith("_") or key in _DERIVED:
            continue
        plain = arrays.value_of(value)
        if value is not None and parts and isinstance(value, list):
            continue
        yield f"{prefix}{key}", _shown(plain, 0)
        if isinstance(plain, Made) and is_estimator(plain) and depth < _MAX_DEPTH:
            yield from _parameters(plain, f"{prefix}{key}__", depth + 1)
    for name, part in parts:
        if isinstance(part, Made) and depth < _MAX_DEPTH:
            yield from _parameters(part, f"{prefix}{name}__", depth + 1)


def _shown(value: object, depth: int) -> Scalar:
    """A value as a detail: what is plain as it is, all else in Python's words, cut."""
    if value is None:
        return "None"
    plain = scalar(value)
    if plain is not None:
        return plain
    if isinstance(value, (Made, Global)):
        return f"{clip(short(value), 60)}(...)" if isinstance(value, Made) else clip(value.name, 80)
    if isinstance(value, (list, tuple)) and depth < 3:
        inner = listed(str(_shown(arrays.value_of(item), depth + 1)) for item in value[:20])
        return clip(f"[{inner}]" if isinstance(value, list) else f"({inner})")
    if isinstance(value, Mapping) and depth < 3:
        pairs = [f"{key}: {_shown(item, depth + 1)}" for key, item in list(value.items())[:20]]
        return clip(f"{{{listed(pairs)}}}")
    return f"({type(value).__name__})"


def read_signature(root: Made) -> Signature | None:
    """Features by name and classes, from the estimator or the first or last of its parts that says."""
    inputs = _first(root, "feature_names_in_")
    classes = arrays.values_of(_first(root, "classes_", last=True))
    return signature(
        inputs=features(arrays.values_of(inputs) or ()),
        classes=names(_class(c) for c in classes or ()),
    )


def _class(value: object) -> object:
    return str(value) if isinstance(value, bool) else value


def _first(made: Made, key: str, *, last: bool = False, depth: int = 0) -> object:
    """An attribute of the estimator, else of its first (or last) part or of the estimator inside it."""
    found = made.attributes.get(key)
    if found is not None:
        return arrays.value_of(found)
    if depth >= _MAX_DEPTH:
        return None
    parts = [part for _, part in steps(made)] if made.short == "Pipeline" else []
    inner = [made.attributes[name] for name in _INNER if name in made.attributes]
    for part in [*(reversed(parts) if last else parts), *inner]:
        if isinstance(part, Made):
            value = _first(part, key, last=last, depth=depth + 1)
            if value is not None:
                return value
    return None
