"""NumPy's arrays and scalars as pickles and joblib hold them: type, shape, and the values of small ones.

The type strings are those of NumPy's array interface (`i8`, `U10`, `V64`); the calls those of `ndarray.__reduce__`.
"""

from __future__ import annotations

import math
import re
import struct
from dataclasses import dataclass

from dvc_modelver.dvcio.formats.source import Malformed
from dvc_modelver.dvcio.formats.symbols import Global, Made

MAX_VALUES = 2000
_TYPE = re.compile(r"([<>=|]?)([a-zA-Z?])(\d{0,9})\Z")
_SIZES = {
    "?": 1,
    "b": 1,
    "B": 1,
    "h": 2,
    "H": 2,
    "i": 4,
    "I": 4,
    "l": 8,
    "L": 8,
    "q": 8,
    "Q": 8,
    "e": 2,
    "f": 4,
    "d": 8,
}
_STRUCT = {("i", 1): "b", ("i", 2): "h", ("i", 4): "i", ("i", 8): "q", ("u", 1): "B", ("u", 2): "H", ("u", 4): "I"}
_STRUCT |= {("u", 8): "Q", ("f", 2): "e", ("f", 4): "f", ("f", 8): "d", ("b", 1): "?"}
_MAX_ITEM = 2**40


@dataclass(frozen=True, slots=True)
class DType:
    """An element's kind (NumPy's letter), size in bytes and byte order."""

    kind: str
    size: int
    order: str = "<"


@dataclass(frozen=True, slots=True)
class Array:
    """An array; `data` is None when it was too large to keep."""

    dtype: DType
    shape: tuple[int, ...]
    data: bytes | None


@dataclass(frozen=True, slots=True)
class Layout:
    """How joblib wrote an array behind its wrapper."""

    dtype: DType
    shape: tuple[int, ...]
    aligned: bool

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.size


def parse_dtype(text: str) -> DType | None:
    """A type string; None for one that is none."""
    match = _TYPE.match(text)
    if match is None:
        return None
    order, kind, digits = match[1] or "<", match[2], match[3]
    if not digits:
        size = _SIZES.get(kind, 8)
        kind = {"?": "b", "b": "i", "h": "i", "l": "i", "q": "i", "e": "f", "d": "f"}.get(kind, kind)
        kind = "u" if kind in "BHILQ" else kind
    else:
        size = int(digits) * (4 if kind == "U" else 1)
    return DType(kind, size, "<" if order in "=|" else order)


def dtype_of(value: object) -> DType | None:
    """What `numpy.dtype(...)`, or a scalar type's name, makes."""
    if isinstance(value, Global):
        return parse_dtype(_SCALAR_TYPES.get(value.name.rpartition(".")[2], ""))
    if not (isinstance(value, Made) and value.short == "dtype" and isinstance(value.args, tuple) and value.args):
        return None
    found = parse_dtype(value.args[0]) if isinstance(value.args[0], str) else None
    state = value.state
    if found is None or not isinstance(state, tuple) or len(state) < 2 or state[1] not in ("<", ">"):
        return found
    return DType(found.kind, found.size, state[1])


_SCALAR_TYPES = {"float64": "f8", "float32": "f4", "int64": "i8", "int32": "i4", "bool_": "b1", "uint8": "u1"}


def joblib_layout(wrapper: Made) -> Layout:
    """The layout that a `NumpyArrayWrapper` tells.  Raises `Malformed` when it tells none."""
    told = wrapper.attributes
    dtype, shape = dtype_of(told.get("dtype")), _shape(told.get("shape"))
    if dtype is None or shape is None or math.prod(shape) * dtype.size > _MAX_ITEM:
        raise Malformed("an array of joblib without type or shape")
    return Layout(dtype, shape, told.get("numpy_array_alignment_bytes") is not None)


def _shape(value: object) -> tuple[int, ...] | None:
    if not isinstance(value, tuple) or len(value) > 32:
        return None
    found = [_integer(size) for size in value]
    return tuple(size for size in found if size is not None) if None not in found else None


def _integer(value: object) -> int | None:
    number = value_of(value)
    return number if isinstance(number, int) and 0 <= number < 2**63 else None


def array_of(value: object) -> Array | list[object] | None:
    """The array that a call makes; of objects the list of them; None when it is no array."""
    if isinstance(value, Array):
        return value
    if not isinstance(value, Made):
        return None
    if value.short == "_frombuffer" and isinstance(value.args, tuple) and len(value.args) >= 3:
        return _array(value.args[1], value.args[2], value.args[0])
    state = value.state
    if value.short == "_reconstruct" and isinstance(state, tuple) and len(state) == 5:
        return state[4] if isinstance(state[4], list) else _array(state[2], state[1], state[4])
    return None


def _array(dtype: object, shape: object, data: object) -> Array | None:
    found, size = dtype_of(dtype), _shape(shape)
    return None if found is None or size is None else Array(found, size, _bytes(data))


def _bytes(value: object) -> bytes | None:
    """Bytes, also as protocols 0 to 2 write them: text in Latin-1 that is encoded."""
    if isinstance(value, Made) and value.name == "_codecs.encode" and isinstance(value.args, tuple) and value.args:
        value = value.args[0]
    if isinstance(value, Made) and value.short in ("bytearray", "bytes") and isinstance(value.args, tuple):
        value = value.args[0] if value.args else b""
    if isinstance(value, str):
        return value.encode("latin-1", "replace")
    return value if isinstance(value, bytes) else None


def values_of(value: object) -> list[object] | None:
    """The first values of a flat array, list or tuple of plain values; None when it is none or they are not kept."""
    if isinstance(value, (list, tuple)):
        return [value_of(item) for item in value[:MAX_VALUES]]
    array = array_of(value)
    if isinstance(array, list):
        return [value_of(item) for item in array[:MAX_VALUES]]
    if array is None or array.data is None or len(array.shape) > 1:
        return None
    return _decoded(array.dtype, array.data)


def length_of(value: object) -> int | None:
    """How many values `values_of` would give without its cap."""
    array = value if isinstance(value, (list, tuple)) else array_of(value)
    if array is None:
        return None
    return math.prod(array.shape) if isinstance(array, Array) else len(array)


def _decoded(dtype: DType, data: bytes) -> list[object] | None:
    if dtype.size == 0:
        return None
    count = min(len(data) // dtype.size, MAX_VALUES)
    code = _STRUCT.get((dtype.kind, dtype.size))
    if code is not None:
        return list(struct.unpack_from(f"{dtype.order}{count}{code}", data))
    pieces = [data[i * dtype.size : (i + 1) * dtype.size] for i in range(count)]
    if dtype.kind == "U":
        encoding = "utf-32-le" if dtype.order == "<" else "utf-32-be"
        return [piece.decode(encoding, "replace").rstrip("\0") for piece in pieces]
    if dtype.kind == "S":
        return [piece.rstrip(b"\0").decode("latin-1") for piece in pieces]
    return None


def value_of(value: object) -> object:
    """A plain value: of a NumPy scalar its number; anything else comes back as it is."""
    if not (isinstance(value, Made) and value.short == "scalar" and "numpy" in value.name):
        return value
    args = value.args
    if not isinstance(args, tuple) or len(args) < 2:
        return value
    dtype, data = dtype_of(args[0]), _bytes(args[1])
    found = _decoded(dtype, data) if dtype is not None and data is not None else None
    return found[0] if found else value
