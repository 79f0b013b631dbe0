"""Universal Binary JSON (ubjson.org), as XGBoost writes it: long arrays are passed and only counted."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from dvc_modelver.dvcio.formats.cursor import FileCursor
from dvc_modelver.dvcio.formats.source import Capped, Malformed, Source

MAX_VALUES = 400_000
MAX_DEPTH = 40
_KEPT = 2000
_NUMBERS = {"i": "b", "U": "B", "I": "h", "u": "H", "l": "i", "m": "I", "L": "q", "M": "Q", "d": "f", "D": "d"}
_CONSTANTS = {"Z": None, "T": True, "F": False}


@dataclass(frozen=True, slots=True)
class Passed:
    """An array that was not kept."""

    length: int


def load(source: Source) -> object:
    """The value at the beginning.  Raises `Malformed` or `Capped`."""
    reader = _Reader(source)
    return reader.value(reader.marker(), 0)


class _Reader:
    def __init__(self, source: Source) -> None:
        self.cursor = FileCursor(source)
        self.left = MAX_VALUES

    def marker(self) -> str:
        while True:
            found = chr(self.cursor.byte())
            if found != "N":
                return found

    def number(self, marker: str) -> int | float:
        code = _NUMBERS.get(marker)
        if code is None:
            raise Malformed(f"{marker!a} where a number should be")
        form = f">{code}"
        found: int | float = struct.unpack(form, self.cursor.take(struct.calcsize(form)))[0]
        return found

    def length(self) -> int:
        found = self.number(self.marker())
        if not isinstance(found, int) or found < 0:
            raise Malformed("a length below zero")
        return found

    def text(self) -> str:
        length = self.length()
        if length > self.cursor.left:
            raise Malformed("a text reaches beyond the file")
        kept = self.cursor.take(min(length, 4096))
        self.cursor.skip(length - len(kept))
        return kept.decode("utf-8", "replace")

    def value(self, marker: str, depth: int) -> object:
        self.left -= 1
        if self.left < 0 or depth > MAX_DEPTH:
            raise Capped("more values than a description may look at")
        if marker in _CONSTANTS:
            return _CONSTANTS[marker]
        if marker in ("S", "H"):
            return self.text()
        if marker == "C":
            return chr(self.cursor.byte())
        if marker == "[":
            return self.array(depth)
        return self.object(depth) if marker == "{" else self.number(marker)

    def container(self) -> tuple[str | None, int | None, str]:
        """(type of all values, their count, the first marker inside)."""
        kind: str | None = None
        marker = self.marker()
        if marker == "$":
            kind, marker = self.marker(), self.marker()
        if marker != "#":
            return kind, None, marker
        return kind, self.length(), ""

    def array(self, depth: int) -> object:
        kind, count, marker = self.container()
        if kind is not None and kind in _NUMBERS and count is not None:
            return self.numbers(kind, count)
        found: list[object] = []
        while (count is not None and count > 0) or (count is None and marker != "]"):
            value = self.value(kind or marker or self.marker(), depth + 1)
            if len(found) < _KEPT:
                found.append(value)
            count = None if count is None else count - 1
            marker = self.marker() if count is None else ""
        return found

    def numbers(self, kind: str, count: int) -> object:
        width = struct.calcsize(f">{_NUMBERS[kind]}")
        if count > 64:
            self.cursor.skip(count * width)
            return Passed(count)
        return list(struct.unpack(f">{count}{_NUMBERS[kind]}", self.cursor.take(count * width)))

    def object(self, depth: int) -> dict[str, object]:
        kind, count, marker = self.container()
        found: dict[str, object] = {}
        while (count is not None and count > 0) or (count is None and marker != "}"):
            length = self.number(marker) if marker else self.length()
            if not isinstance(length, int) or not 0 <= length <= 4096:
                raise Malformed("a key without a length")
            key = self.cursor.take(length).decode("utf-8", "replace")
            value = self.value(kind or self.marker(), depth + 1)
            if len(found) < _KEPT:
                found[key] = value
            count = None if count is None else count - 1
            marker = self.marker() if count is None else ""
        return found
