"""GGUF: counts, metadata by key, then the tensors' names and shapes (github.com/ggml-org/ggml, docs/gguf.md)."""

from __future__ import annotations

import math
import struct
from collections import Counter

from dvc_modelver.dvcio.formats.cursor import FileCursor
from dvc_modelver.dvcio.formats.description import ModelDescription, Scalar, Status, clip, listed, scalar
from dvc_modelver.dvcio.formats.source import Capped, Malformed, Source

MAX_ELEMENTS = 800_000
"""Strings and keys that are passed one by one; a vocabulary of 128,000 words and its merges has half of them."""
_MAX_TENSORS = 100_000
_STRING, _ARRAY = 8, 9
_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_TYPES = {0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0", 9: "Q8_1", 10: "Q2_K", 11: "Q3_K"}
_TYPES |= {12: "Q4_K", 13: "Q5_K", 14: "Q6_K", 15: "Q8_K", 24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64"}
_TYPES |= {30: "BF16"}
_FIRST = ("general.architecture", "general.name", "general.size_label", "general.license", "general.quantized_by")
_SUFFIXES = (".context_length", ".embedding_length", ".block_count", ".attention.head_count", ".expert_count")


def describe(source: Source) -> ModelDescription:
    """What the metadata and the list of tensors say.  Raises `Malformed` for a broken file."""
    reader = _Reader(source)
    version, tensors, pairs = reader.header()
    metadata: dict[str, object] = {}
    problem: Malformed | None = None
    types: Counter[str] = Counter()
    parameters = 0
    try:
        for _ in range(pairs):
            key = reader.text()
            metadata[key] = reader.value(reader.number("I"))
        types, parameters = reader.tensors(tensors)
    except Capped as cap:
        problem = cap
    details: dict[str, Scalar] = {"gguf version": version, "tensors": tensors}
    if types:
        details["parameters"] = parameters
        details["dtypes"] = listed(f"{name} ({count})" for name, count in sorted(types.items()))
    chosen = [key for key in metadata if key in _FIRST or key.endswith(_SUFFIXES)]
    for key in sorted(chosen, key=lambda key: (key not in _FIRST, key))[:20]:
        found = scalar(metadata[key])
        if found is not None:
            details[clip(key, 60)] = found
    if isinstance(metadata.get("tokenizer.chat_template"), str):
        details["chat template"] = True
    return ModelDescription(
        format="gguf",
        status=Status.NO_CODE_FORMAT,
        library="gguf",
        details=details,
        complete=problem is None,
        problem=None if problem is None else str(problem),
    )


class _Reader:
    def __init__(self, source: Source) -> None:
        self.cursor = FileCursor(source)
        self.left = MAX_ELEMENTS
        self.order = "<"

    def number(self, code: str) -> int:
        return int(self.any_number(code))

    def any_number(self, code: str) -> int | float | bool:
        form = f"{self.order}{code}"
        value: int | float | bool = struct.unpack(form, self.cursor.take(struct.calcsize(form)))[0]
        return value

    def header(self) -> tuple[int, int, int]:
        """(version, tensors, metadata pairs)."""
        self.cursor.skip(4)
        version = self.number("I")
        if version & 0xFFFF == 0:  # a big-endian file, version 3 and later
            self.order, version = ">", int.from_bytes(version.to_bytes(4, "little"), "big")
        if version not in (2, 3):
            raise Malformed(f"GGUF version {version}")
        tensors, pairs = self.number("Q"), self.number("Q")
        # A tensor's entry takes at least 24 bytes, a pair's 13.
        if tensors * 24 + pairs * 13 > self.cursor.left:
            raise Malformed("more tensors and metadata than the file can hold")
        return version, tensors, pairs

    def spend(self, count: int = 1) -> None:
        self.left -= count
        if self.left < 0:
            raise Capped("more metadata than a description may look at")

    def text(self, keep: int = 1024) -> str:
        self.spend()
        length = self.number("Q")
        if length > self.cursor.left:
            raise Malformed("a text reaches beyond the file")
        kept = self.cursor.take(min(length, keep))
        self.cursor.skip(length - len(kept))
        return kept.decode("utf-8", "replace")

    def value(self, kind: int) -> object:
        """A value; of an array nothing but that it is passed."""
        self.spend()
        if kind == _STRING:
            return self.text()
        if kind != _ARRAY:
            return self.any_number(_code(kind))
        inner, count = self.number("I"), self.number("Q")
        if inner == _ARRAY:
            raise Malformed("arrays inside arrays")
        if inner != _STRING:
            self.cursor.skip(count * struct.calcsize(f"<{_code(inner)}"))
            return None
        self.spend(count)
        take, skip, form = self.cursor.take, self.cursor.skip, f"{self.order}Q"
        for _ in range(count):
            skip(struct.unpack(form, take(8))[0])
        return None

    def tensors(self, count: int) -> tuple[Counter[str], int]:
        """(tensors by type, all their elements)."""
        if count > _MAX_TENSORS:
            raise Capped("more tensors than a description may look at")
        types: Counter[str] = Counter()
        parameters = 0
        for _ in range(count):
            self.text()
            dimensions = self.number("I")
            if dimensions > 8:
                raise Malformed("a tensor of more than eight dimensions")
            parameters += min(math.prod(self.number("Q") for _ in range(dimensions)), 2**62)
            kind = self.number("I")
            types[_TYPES.get(kind, f"type {kind}")] += 1
            self.cursor.skip(8)
        return types, parameters


def _code(kind: int) -> str:
    code = _NUMBERS.get(kind)
    if code is None:
        raise Malformed(f"type {kind} of a value")
    return code
