"""TensorFlow's SavedModel: `saved_model.pb`, a SavedModel of protocol buffers (tensorflow/core/protobuf)."""

from __future__ import annotations

from dvc_modelver.dvcio.formats.description import (
    Feature,
    ModelDescription,
    Scalar,
    Status,
    clip,
    listed,
    signature,
)
from dvc_modelver.dvcio.formats.protobuf import BYTES, Field, Reader, fields, signed
from dvc_modelver.dvcio.formats.source import Malformed, Source

_TYPES = [
    "?",
    "float",
    "double",
    "int32",
    "uint8",
    "int16",
    "int8",
    "string",
    "complex64",
    "int64",
    "bool",
    "qint8",
    "quint8",
    "qint32",
    "bfloat16",
]
_TYPES += ["qint16", "quint16", "uint16", "complex128", "half", "resource", "variant", "uint32", "uint64"]
_MAX_FEATURES = 500
Sides = tuple[tuple[Feature, ...], tuple[Feature, ...]]


def describe(source: Source) -> ModelDescription:
    """What the first graph says.  Raises `Malformed` when it is no SavedModel.

    Its graphs can read and write files: TensorFlow's own advice is to treat models as code.
    """
    graph = next((f for f in fields(Reader(source)) if f.number == 2 and f.wire == BYTES), None)
    if graph is None:
        raise Malformed("no graph: not a SavedModel")
    tags: list[str] = []
    version: str | None = None
    found: dict[str, Sides] = {}
    for part in graph.fields():
        if part.number == 1:
            version = _info(part, tags)
        elif part.number == 5 and len(found) < 20:
            name, sides = _signature(part)
            found[name] = sides
    chosen = found.get("serving_default") or next((sides for sides in found.values() if any(sides)), None)
    details: dict[str, Scalar] = {}
    if tags:
        details["tags"] = listed(tags)
    if found:
        details["signatures"] = listed(sorted(found))
    return ModelDescription(
        format="saved-model",
        status=Status.CODE_CAPABLE,
        library="tensorflow",
        library_version=version,
        details=details,
        signature=None if chosen is None else signature(inputs=chosen[0], outputs=chosen[1]),
    )


def _info(item: Field, tags: list[str]) -> str | None:
    version = None
    for part in item.fields():
        if part.number == 4 and len(tags) < 20:
            tags.append(clip(part.text(), 40))
        elif part.number == 5:
            version = clip(part.text(), 40)
    return version


def _signature(item: Field) -> tuple[str, Sides]:
    """An entry of `map<string, SignatureDef>`."""
    name = ""
    inputs: list[Feature] = []
    outputs: list[Feature] = []
    for part in item.fields():
        if part.number == 1:
            name = clip(part.text(), 80)
        elif part.number == 2:
            for side in part.fields():
                target = {1: inputs, 2: outputs}.get(side.number)
                if target is not None and len(target) < _MAX_FEATURES:
                    target.append(_feature(side))
    return name, (tuple(sorted(inputs, key=_name)), tuple(sorted(outputs, key=_name)))


def _name(feature: Feature) -> str:
    return feature.name


def _feature(item: Field) -> Feature:
    """An entry of `map<string, TensorInfo>`."""
    name, kind, shape = "", None, None
    for part in item.fields():
        if part.number == 1:
            name = clip(part.text())
        elif part.number == 2:
            kind, shape = _tensor(part)
    return Feature(name=name, type=kind, shape=shape)


def _tensor(item: Field) -> tuple[str | None, tuple[int | str, ...] | None]:
    kind, shape = None, None
    for part in item.fields():
        if part.number == 2:
            kind = _TYPES[part.value] if part.value < len(_TYPES) else f"type {part.value}"
        elif part.number == 3:
            dims = [f for f in part.fields() if f.number == 2][:64]
            sizes = [next((signed(f.value) for f in dim.fields() if f.number == 1), 0) for dim in dims]
            shape = tuple("?" if size < 0 else size for size in sizes)
    return kind, shape
