"""The wire format of protocol buffers (protobuf.dev): fields by number, payloads passed unread."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dvc_modelver.dvcio.formats.cursor import FileCursor
from dvc_modelver.dvcio.formats.source import Capped, Malformed, Source

MAX_FIELDS = 250_000
"""About half a second, counted over a whole file."""
_MAX_TEXT = 64 * 1024
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


@dataclass(slots=True)
class Reader:
    """A source and how many fields of it may still be looked at."""

    source: Source
    left: int = MAX_FIELDS


@dataclass(frozen=True, slots=True)
class Field:
    """One field: a number, or a range of the file."""

    number: int
    wire: int
    value: int
    """Of a varint or fixed field."""
    start: int
    end: int
    reader: Reader

    def text(self, limit: int = 4096) -> str:
        """The payload as text, cut at `limit` bytes."""
        return self.bytes(limit).decode("utf-8", "replace")

    def bytes(self, limit: int) -> bytes:
        """The payload's first bytes."""
        return self.reader.source.at(self.start, min(self.end - self.start, limit))

    def fields(self) -> Iterator[Field]:
        """The payload as a message."""
        if self.wire != BYTES:
            raise Malformed("a number where a message should be")
        return fields(self.reader, self.start, self.end)


def fields(reader: Reader, start: int = 0, end: int | None = None) -> Iterator[Field]:
    """The fields of the message that lies from `start` to `end`."""
    cursor = FileCursor(reader.source, start, end)
    while cursor.left > 0:
        reader.left -= 1
        if reader.left < 0:
            raise Capped("more fields than a description may look at")
        tag = _varint(cursor)
        number, wire = tag >> 3, tag & 7
        if number == 0:
            raise Malformed("a field without a number")
        yield _field(reader, cursor, number, wire)


def _field(reader: Reader, cursor: FileCursor, number: int, wire: int) -> Field:
    if wire == VARINT:
        return Field(number, wire, _varint(cursor), 0, 0, reader)
    if wire in (FIXED32, FIXED64):
        size = 4 if wire == FIXED32 else 8
        return Field(number, wire, int.from_bytes(cursor.take(size), "little"), 0, 0, reader)
    if wire != BYTES:
        raise Malformed(f"wire type {wire}")
    length = _varint(cursor)
    start = cursor.position
    if length > cursor.left:
        raise Malformed("a field reaches beyond its message")
    cursor.skip(length)
    return Field(number, wire, 0, start, start + length, reader)


def _varint(cursor: FileCursor) -> int:
    value = shift = 0
    while shift < 70:
        byte = cursor.byte()
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF
        shift += 7
    raise Malformed("a number of more than ten bytes")


def signed(value: int) -> int:
    """A varint of type int32 or int64 as the number that it means."""
    return value - 2**64 if value >= 2**63 else value


def packed(field: Field, limit: int = 64) -> list[int]:
    """The numbers of a repeated field, written one by one or packed; at most `limit`."""
    if field.wire != BYTES:
        return [signed(field.value)]
    cursor = FileCursor(field.reader.source, field.start, field.end)
    found: list[int] = []
    while cursor.left > 0 and len(found) < limit:
        found.append(signed(_varint(cursor)))
    return found
