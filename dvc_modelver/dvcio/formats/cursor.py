"""Reading forward through a source, or through what it decompresses to, within caps."""

from __future__ import annotations

import bz2
import lzma
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from dvc_modelver.dvcio.formats.source import Capped, Malformed, Source

_MEGA = 1024 * 1024
_FIRST, _LARGEST = 4096, 64 * 1024
_LZMA_MEMORY = 80 * _MEGA
"""What the decoder may take for its dictionary: the highest preset needs 65 MB, a header can ask for 4 GB."""


class Cursor(ABC):
    """A position that moves forward only; raises `Malformed` at the end, `Capped` above a cap."""

    __slots__ = ("_at", "_data")

    def __init__(self) -> None:
        self._data = b""
        self._at = 0

    def take(self, length: int) -> bytes:
        """The next `length` bytes; the caller bounds `length`."""
        end = self._at + length
        if end > len(self._data):
            rest = self._data[self._at :]
            self._data = rest + self._more(length - len(rest))
            self._at, end = 0, length
            if end > len(self._data):
                raise Malformed("the file ends early")
        piece = self._data[self._at : end]
        self._at = end
        return piece

    def byte(self) -> int:
        """The next byte."""
        at = self._at
        if at < len(self._data):
            self._at = at + 1
            return self._data[at]
        return self.take(1)[0]

    def peek(self) -> int | None:
        """The next byte without going on, None at the end."""
        try:
            found = self.byte()
        except Malformed:
            return None
        self._at -= 1
        return found

    def line(self, limit: int) -> bytes:
        """The bytes up to the next newline, which is passed.  Raises `Malformed` when it is further than `limit`."""
        line = bytearray()
        while True:
            end = self._data.find(b"\n", self._at)
            if end >= 0:
                line += self._data[self._at : end]
                self._at = end + 1
                return bytes(line)
            line += self._data[self._at :]
            self._at = len(self._data)
            if len(line) > limit:
                raise Malformed("a line is too long")
            self.take(1)
            self._at -= 1

    def skip(self, length: int) -> None:
        """Pass `length` bytes."""
        have = len(self._data) - self._at
        if length <= have:
            self._at += length
            return
        self._data, self._at = b"", 0
        self._jump(length - have)

    @abstractmethod
    def _more(self, need: int) -> bytes:
        """The next bytes of the source, `need` of them or more."""

    @abstractmethod
    def _jump(self, length: int) -> None:
        """Pass bytes that were not read yet."""


class FileCursor(Cursor):
    """Over a part of a source; passing bytes costs nothing."""

    __slots__ = ("_chunk", "_end", "_next", "_source")

    def __init__(self, source: Source, start: int = 0, end: int | None = None) -> None:
        super().__init__()
        self._source = source
        self._next = start
        self._end = source.size if end is None else min(end, source.size)
        self._chunk = _FIRST

    @property
    def position(self) -> int:
        """The offset in the source of the next byte."""
        return self._next - (len(self._data) - self._at)

    @property
    def left(self) -> int:
        """Bytes up to the end."""
        return self._end - self.position

    def _more(self, need: int) -> bytes:
        length = min(max(need, self._chunk), self._end - self._next)
        self._chunk = min(self._chunk * 2, _LARGEST)
        found = self._source.at(self._next, length)
        self._next += len(found)
        return found

    def _jump(self, length: int) -> None:
        if length > self._end - self._next:
            raise Malformed("the file ends early")
        self._next += length
        self._chunk = _FIRST


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Zlib:
    """zlib's object in the shape that bz2 and lzma share."""

    def __init__(self, wbits: int) -> None:
        self._object = zlib.decompressobj(wbits)
        self._tail = b""

    @property
    def eof(self) -> bool:
        return self._object.eof

    @property
    def needs_input(self) -> bool:
        return not self._tail

    def decompress(self, data: bytes, max_length: int) -> bytes:
        found = self._object.decompress(self._tail + data, max_length)
        self._tail = self._object.unconsumed_tail
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Compression:
    """How bytes are compressed, and how many of what they hold may be looked at: about half a second each."""

    name: str
    start: Callable[[], _Decompressor]
    budget: int


COMPRESSIONS: tuple[tuple[tuple[bytes, ...], Compression], ...] = (
    ((b"\x1f\x8b",), Compression(name="gzip", start=lambda: _Zlib(31), budget=48 * _MEGA)),
    (
        (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda"),
        Compression(name="zlib", start=lambda: _Zlib(15), budget=48 * _MEGA),
    ),
    ((b"BZh",), Compression(name="bz2", start=lambda: bz2.BZ2Decompressor(), budget=12 * _MEGA)),
    (
        (b"\xfd7zXZ\x00", b"\x5d\x00\x00"),
        Compression(name="lzma", start=lambda: lzma.LZMADecompressor(memlimit=_LZMA_MEMORY), budget=24 * _MEGA),
    ),
)
"""Magic bytes, and what they mean."""
DEFLATE = Compression(name="deflate", start=lambda: _Zlib(-15), budget=48 * _MEGA)
"""Inside a zip."""


class InflatedCursor(Cursor):
    """Over what a compressed part of a source holds; a bomb ends at the compression's budget."""

    __slots__ = ("_decompressor", "_input", "_left", "_name")

    def __init__(self, source: Source, compression: Compression, start: int = 0, end: int | None = None) -> None:
        super().__init__()
        self._input = FileCursor(source, start, end)
        self._decompressor = compression.start()
        self._left = compression.budget
        self._name = compression.name

    def _piece(self, wanted: int) -> bytes:
        """Some more bytes, none at the end."""
        while not self._decompressor.eof:
            hungry = self._decompressor.needs_input
            fresh = self._input.take(min(16 * 1024, self._input.left)) if hungry else b""
            found = self._inflate(fresh, min(wanted, _LARGEST))
            if found:
                self._left -= len(found)
                if self._left < 0:
                    raise Capped("more would have to be decompressed than a description may")
                return found
            if hungry and not fresh:
                break
        return b""

    def _inflate(self, data: bytes, wanted: int) -> bytes:
        try:
            return self._decompressor.decompress(data, wanted)
        except (OSError, zlib.error, lzma.LZMAError, EOFError, ValueError, MemoryError):
            raise Malformed(f"not what {self._name} can decompress") from None

    def _more(self, need: int) -> bytes:
        found = bytearray()
        while len(found) < need:
            piece = self._piece(max(need - len(found), _FIRST))
            if not piece:
                break
            found += piece
        return bytes(found)

    def _jump(self, length: int) -> None:
        while length > 0:
            piece = self._piece(length)
            if not piece:
                raise Malformed("the file ends early")
            length -= len(piece)
