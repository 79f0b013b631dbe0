"""Model files built by hand, byte by byte, for the tests of what they are described as."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any


class Trap:
    """Unpickling this writes the canary file."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch '{self.canary}'",)


def trap(canary: Path, protocol: int = 4) -> bytes:
    """A pickle that runs a shell command when it is loaded."""
    return pickle.dumps({"model": Trap(canary)}, protocol)


def safetensors(tensors: dict[str, tuple[str, list[int]]], metadata: dict[str, str] | None = None) -> bytes:
    """A safetensors file of zeros; sizes for four-byte elements."""
    header: dict[str, Any] = {} if metadata is None else {"__metadata__": metadata}
    end = 0
    for name, (dtype, shape) in tensors.items():
        size = 4
        for dimension in shape:
            size *= dimension
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(end)


def varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def field(number: int, value: int | bytes | str) -> bytes:
    """One field of a protocol buffer."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def onnx_value(name: str, dtype: int, shape: list[int | str]) -> bytes:
    dims = b"".join(field(1, field(1, d) if isinstance(d, int) else field(2, d)) for d in shape)
    return field(1, name) + field(2, field(1, field(1, dtype) + field(2, dims)))


def onnx() -> bytes:
    """A model of one MatMul with its weight as an initializer."""
    weight = field(1, 4) + field(1, 2) + field(2, 1) + field(8, "w") + field(9, bytes(32))
    graph = field(1, field(1, "x") + field(1, "w") + field(2, "y") + field(4, "MatMul")) + field(2, "churn")
    graph += field(5, weight) + field(11, onnx_value("x", 1, ["N", 4])) + field(11, onnx_value("w", 1, [4, 2]))
    graph += field(12, onnx_value("y", 1, ["N", 2]))
    return field(1, 8) + field(2, "skl2onnx") + field(3, "1.16") + field(7, graph) + field(8, field(2, 17))


def saved_model() -> bytes:
    """A SavedModel with one signature."""

    def tensor(name: str, dtype: int) -> bytes:
        shape = field(2, field(1, 2**64 - 1)) + field(2, field(1, 4))
        return field(1, name) + field(2, field(1, f"{name}:0") + field(2, dtype) + field(3, shape))

    sides = field(1, tensor("x", 1)) + field(2, tensor("y", 1))
    graph = field(1, field(4, "serve") + field(5, "2.15.0")) + field(5, field(1, "serving_default") + field(2, sides))
    return field(1, 1) + field(2, graph)


def gguf(pairs: list[tuple[str, str]] | None = None, tensors: int | None = None) -> bytes:
    """A GGUF file with text metadata and one tensor."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value.encode())) + value.encode()

    chosen = pairs if pairs is not None else [("general.architecture", "llama"), ("general.name", "tiny")]
    head = b"GGUF" + struct.pack("<IQQ", 3, 1 if tensors is None else tensors, len(chosen))
    body = b"".join(text(key) + struct.pack("<I", 8) + text(value) for key, value in chosen)
    return head + body + text("a.weight") + struct.pack("<IQQIQ", 2, 8, 4, 0, 0) + bytes(128)


def archive(files: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    """A zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as opened:
        for name, data in files.items():
            opened.writestr(name, data)
    return buffer.getvalue()


def torch_pickle() -> bytes:
    """A state dict of two tensors, in the opcodes that `torch.save` writes."""

    def tensor(key: str, shape: bytes) -> bytes:
        storage = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\n" + _text(key) + _text("cpu") + b"K\x08tQ"
        return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"K\x00" + shape + b"(K\x01t\x89NtR"

    items = _text("fc.weight") + tensor("0", b"(K\x04K\x02t") + _text("fc.bias") + tensor("1", b"(K\x04t")
    return b"\x80\x02ccollections\nOrderedDict\n)R(" + items + b"u."


def _text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def keras_config(*layers: dict[str, Any]) -> bytes:
    """The `config.json` of a `.keras` file."""
    first = {"module": "keras.layers", "class_name": "InputLayer"}
    first |= {"config": {"name": "age", "batch_shape": [None, 4], "dtype": "float32"}}  # type: ignore[dict-item]
    return json.dumps(
        {
            "module": "keras",
            "class_name": "Sequential",
            "config": {"name": "churn", "layers": [first, *layers]},
            "compile_config": {"optimizer": "adam", "loss": "mse"},
        }
    ).encode()
