"""The signature file that a training may write beside its model, and what MLflow's and others' words amount to.

The file is `signature.json`, `signature.yaml` or `signature.yml` beside the model (or in it, when it is a directory),
or `MODEL.signature.json` and so on for one of several models of a directory:

    {"inputs": [{"name": "age", "type": "float"}, {"name": "plan", "type": "string"}],
     "outputs": [{"name": "churn", "type": "int"}],
     "classes": ["no", "yes"]}

Each key may be absent.  A feature may be a bare name; `type` is any word, `shape` a list of numbers and names.
"""

from __future__ import annotations

import posixpath

from dvc_modelver.dvcio.formats import jsontext
from dvc_modelver.dvcio.formats.description import MAX_FEATURES, Feature, Signature, clip, names
from dvc_modelver.dvcio.formats.source import Malformed
from dvc_modelver.dvcio.yaml12 import load_yaml
from dvc_modelver.errors import BadInput

MAX_BYTES = 1024 * 1024
_SUFFIXES = (".json", ".yaml", ".yml")
_KEYS = ("inputs", "outputs", "classes")


def signature_paths(model: str) -> tuple[str, ...]:
    """Where the signature of the model at `model` (a POSIX path) may lie, the first that exists counts."""
    beside = posixpath.join(posixpath.dirname(model), "signature")
    return tuple(f"{stem}{suffix}" for stem in (f"{model}.signature", beside) for suffix in _SUFFIXES)


def is_signature_name(name: str) -> bool:
    """Whether a file of a model's directory is its signature."""
    return name in tuple(f"signature{suffix}" for suffix in _SUFFIXES)


def parse_signature(data: bytes, *, name: str) -> Signature:
    """The signature in a file; `name` is for messages, and becomes the signature's source.

    Raises:
        BadInput: not JSON or YAML, an unknown key, a feature without a name.
    """
    if len(data) > MAX_BYTES:
        raise BadInput(f"{name}: a signature of {len(data)} bytes; at most {MAX_BYTES} are read")
    try:
        value = jsontext.load(data) if name.endswith(".json") else load_yaml(data, name=name)
    except Malformed as problem:
        raise BadInput(f"{name}: {problem}") from None
    if not isinstance(value, dict):
        raise BadInput(f"{name}: a signature is a mapping with the keys {', '.join(_KEYS)}")
    unknown = next((key for key in value if key not in _KEYS), None)
    if unknown is not None:
        raise BadInput(
            f"{name}: unknown key {clip(unknown, 60)!r}", hint=f"a signature has the keys {', '.join(_KEYS)}"
        )
    classes = value.get("classes") or []
    if not isinstance(classes, list):
        raise BadInput(f"{name}: classes must be a list")
    return Signature(
        inputs=_features(value.get("inputs"), "inputs", name),
        outputs=_features(value.get("outputs"), "outputs", name),
        classes=names(str(label).lower() if isinstance(label, bool) else label for label in classes),
        source=clip(posixpath.basename(name)),
    )


def _features(value: object, key: str, file: str) -> tuple[Feature, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise BadInput(f"{file}: {key} must be a list")
    return tuple(_feature(item, f"{file}: {key}[{i}]") for i, item in enumerate(value[:MAX_FEATURES]))


def _feature(item: object, where: str) -> Feature:
    if isinstance(item, str):
        return Feature(name=names([item])[0])
    if not isinstance(item, dict) or not isinstance(item.get("name"), str):
        raise BadInput(f"{where}: a feature needs a name", hint='{"name": "age", "type": "float"}')
    kind = item.get("type")
    return Feature(
        name=names([item["name"]])[0], type=clip(kind, 80) if isinstance(kind, str) else None, shape=shape(item)
    )


def shape(item: dict[str, object]) -> tuple[int | str, ...] | None:
    """The dimensions, None when there are none."""
    sizes = item.get("shape")
    if not isinstance(sizes, list) or not sizes:
        return None
    known = (size if isinstance(size, int) and not isinstance(size, bool) else None for size in sizes[:16])
    return tuple("?" if size is None or size < 0 or size >= 2**63 else size for size in known)


def mlflow_signature(inputs: object, outputs: object) -> Signature | None:
    """What MLflow's `signature:` says: JSON text of columns and tensors; None when it says nothing readable."""
    sides = [tuple(_mlflow_feature(item, i) for i, item in enumerate(_listed(side))) for side in (inputs, outputs)]
    return Signature(inputs=sides[0], outputs=sides[1], source="MLmodel") if any(sides) else None


def _listed(value: object) -> list[object]:
    if isinstance(value, str):
        try:
            value = jsontext.load(value.encode("utf-8", "replace"))
        except Malformed:
            return []
    return jsontext.sequence(value)[:MAX_FEATURES]


def _mlflow_feature(item: object, index: int) -> Feature:
    entry = dict(jsontext.mapping(item))
    tensor = dict(jsontext.mapping(entry, "tensor-spec"))
    kind = tensor.get("dtype") if tensor else entry.get("type")
    name = entry.get("name")
    return Feature(
        name=names([name])[0] if isinstance(name, str) else str(index),
        type=clip(kind, 80) if isinstance(kind, str) else None,
        shape=shape(tensor),
    )
