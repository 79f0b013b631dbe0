"""ONNX: a ModelProto of protocol buffers, read by field numbers (github.com/onnx/onnx, onnx.proto)."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

from dvc_modelver.dvcio.formats.description import (
    MAX_FEATURES,
    Feature,
    ModelDescription,
    Scalar,
    Status,
    clip,
    listed,
    signature,
)
from dvc_modelver.dvcio.formats.protobuf import BYTES, VARINT, Field, Reader, fields, packed, signed
from dvc_modelver.dvcio.formats.source import Malformed, Source

_TYPES = [
    "undefined",
    "float",
    "uint8",
    "int8",
    "uint16",
    "int16",
    "int32",
    "int64",
    "string",
    "bool",
    "float16",
    "double",
    "uint32",
    "uint64",
    "complex64",
    "complex128",
    "bfloat16",
    "float8e4m3fn",
    "float8e4m3fnuz",
    "float8e5m2",
    "float8e5m2fnuz",
    "uint4",
    "int4",
    "float4e2m1",
]
_MAX_DEPTH = 5


@dataclass(slots=True)
class _Graph:
    name: str = ""
    nodes: int = 0
    inputs: list[Feature] = field(default_factory=list)
    outputs: list[Feature] = field(default_factory=list)
    initializers: set[str] = field(default_factory=set)
    parameters: int = 0
    types: Counter[str] = field(default_factory=Counter)
    external: bool = False


def describe(source: Source) -> ModelDescription:
    """What the model says of itself.  Raises `Malformed` when it is no ModelProto."""
    said: dict[int, str] = {}
    opsets: list[str] = []
    metadata: dict[str, str] = {}
    graph: _Graph | None = None
    ir_version = 0
    for item in fields(Reader(source)):
        if item.number == 1 and item.wire == VARINT:
            ir_version = item.value
        elif item.number in (2, 3, 4) and item.wire == BYTES:
            said[item.number] = clip(item.text())
        elif item.number == 7:
            graph = _graph(item)
        elif item.number == 8:
            opsets.append(_opset(item))
        elif item.number == 14 and len(metadata) < 10:
            metadata.update(_pair(item))
        elif item.number > 50:
            raise Malformed("not a model of ONNX")
    if graph is None or not opsets:
        raise Malformed("no graph or no opset: not a model of ONNX")
    details = _details(graph, said, opsets, ir_version)
    details.update({f"metadata {key}": value for key, value in sorted(metadata.items())})
    return ModelDescription(
        format="onnx",
        status=Status.NO_CODE_FORMAT,
        library="onnx",
        details=details,
        signature=signature(
            inputs=tuple(f for f in graph.inputs if f.name not in graph.initializers), outputs=tuple(graph.outputs)
        ),
    )


def _details(graph: _Graph, said: dict[int, str], opsets: list[str], ir_version: int) -> dict[str, Scalar]:
    details: dict[str, Scalar] = {"ir version": ir_version, "opsets": listed(opsets)}
    if said.get(2):
        details["producer"] = f"{said[2]} {said.get(3, '')}".strip()
    details["graph"] = graph.name
    details |= {"nodes": graph.nodes, "tensors": len(graph.initializers), "parameters": graph.parameters}
    if graph.types:
        details["dtypes"] = listed(f"{name} ({count})" for name, count in sorted(graph.types.items()))
    if graph.external:
        details["external data"] = True
    return details


def _graph(item: Field) -> _Graph:
    graph = _Graph()
    for part in item.fields():
        if part.number == 1:
            graph.nodes += 1
        elif part.number == 2:
            graph.name = clip(part.text())
        elif part.number == 5:
            _initializer(part, graph)
        elif part.number == 11 and len(graph.inputs) < MAX_FEATURES:
            graph.inputs.append(_feature(part))
        elif part.number == 12 and len(graph.outputs) < MAX_FEATURES:
            graph.outputs.append(_feature(part))
    return graph


def _initializer(item: Field, graph: _Graph) -> None:
    dims: list[int] = []
    dtype, name = 0, ""
    for part in item.fields():
        if part.number == 1:
            dims += packed(part)
        elif part.number == 2:
            dtype = part.value
        elif part.number == 8:
            name = clip(part.text())
        elif part.number == 14:
            graph.external |= part.value == 1
    if len(dims) > 64 or any(size < 0 for size in dims):
        raise Malformed("a tensor without a shape")
    graph.initializers.add(name)
    graph.parameters += min(math.prod(dims), 2**62)
    graph.types[_type(dtype)] += 1


def _opset(item: Field) -> str:
    domain, version = "", 0
    for part in item.fields():
        if part.number == 1:
            domain = clip(part.text(), 60)
        elif part.number == 2:
            version = signed(part.value)
    return f"{domain or 'ai.onnx'} {version}"


def _pair(item: Field) -> dict[str, str]:
    found = {part.number: clip(part.text()) for part in item.fields() if part.number in (1, 2)}
    return {found.get(1, "")[:40]: found.get(2, "")}


def _feature(item: Field) -> Feature:
    """A ValueInfoProto."""
    name, kind, shape = "", None, None
    for part in item.fields():
        if part.number == 1:
            name = clip(part.text())
        elif part.number == 2:
            kind, shape = _value_type(part, 0)
    return Feature(name=name, type=kind, shape=shape)


def _value_type(item: Field, depth: int) -> tuple[str | None, tuple[int | str, ...] | None]:
    """A TypeProto: `tensor(float)`, `seq(map(int64, tensor(float)))`, and a tensor's shape."""
    if depth > _MAX_DEPTH:
        raise Malformed("types inside types")
    for part in item.fields():
        if part.number in (1, 8):
            element, shape = _tensor(part)
            return f"{'tensor' if part.number == 1 else 'sparse_tensor'}({element})", shape
        if part.number in (4, 9):
            inner = next((_value_type(f, depth + 1)[0] for f in part.fields() if f.number == 1), None)
            return f"{'seq' if part.number == 4 else 'optional'}({inner})", None
        if part.number == 5:
            return f"map({_map(part, depth)})", None
    return None, None


def _map(item: Field, depth: int) -> str:
    key, value = "undefined", None
    for part in item.fields():
        if part.number == 1:
            key = _type(part.value)
        elif part.number == 2:
            value = _value_type(part, depth + 1)[0]
    return f"{key}, {value}"


def _tensor(item: Field) -> tuple[str, tuple[int | str, ...] | None]:
    element, shape = "undefined", None
    for part in item.fields():
        if part.number == 1:
            element = _type(part.value)
        elif part.number == 2:
            shape = tuple(_dimension(f) for f, _ in zip(part.fields(), range(64), strict=False))
    return element, shape


def _dimension(item: Field) -> int | str:
    for part in item.fields():
        if part.number == 1:
            return signed(part.value)
        if part.number == 2:
            return clip(part.text(), 40) or "?"
    return "?"


def _type(number: int) -> str:
    return _TYPES[number] if number < len(_TYPES) else f"type {number}"
