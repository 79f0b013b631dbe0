"""How the bytes of each format begin: enough to know who describes a file, without the describers."""

from __future__ import annotations

PROTO = 0x80
"""The first byte of a pickle of protocol 2 or later."""
PICKLE_STARTS = b"(]})cNIKJMGFLSVX\x8c\x88\x89U"
"""What a pickle of protocol 0 or 1 begins with."""
ZIP = (b"PK\x03\x04", b"PK\x05\x06")
MAGICS = (
    (b"\x89HDF\r\n\x1a\n", "hdf5", "keras.describe_hdf5"),
    (b"GGUF", "gguf", "gguf.describe"),
    (b"CBM1", "catboost", "catboost.describe"),
    (b"binf", "xgboost-binary", "xgboost.describe_binary"),
    (b"\x93NUMPY", "numpy", "plain.describe_npy"),
)
"""The first bytes, the format's name, and who of this package describes it."""
SAVED_MODEL = "saved_model.pb"
"""The name of the file that makes a directory one."""
MAX_SAFETENSORS_HEADER = 100_000_000


def is_safetensors(head: bytes, name: str) -> bool:
    """Whether the first bytes, or the name, say so."""
    return name.endswith(".safetensors") or (head[8:9] == b"{" and 2 <= header_length(head) <= MAX_SAFETENSORS_HEADER)


def header_length(head: bytes) -> int:
    """Of a safetensors file, in bytes."""
    return int.from_bytes(head[:8], "little")


def is_lightgbm(head: bytes) -> bool:
    """Whether it begins as LightGBM's models do."""
    return head.startswith((b"tree\nversion=", b"tree\r\nversion="))


def is_onnx(head: bytes, name: str) -> bool:
    """Whether it may be a ModelProto: it begins with its `ir_version`, a small number."""
    return name.endswith(".onnx") or (head[:1] == b"\x08" and 1 <= head[1:2][0] < 64 and len(head) > 8)


def is_ubjson(head: bytes) -> bool:
    """Whether an object with a key of stated length begins here."""
    return len(head) > 2 and head[:1] == b"{" and head[1:2] in (b"i", b"U", b"I", b"l", b"L", b"#", b"$")
