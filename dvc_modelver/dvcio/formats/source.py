"""A model's bytes at any offset, with a cap on what is read; files are never read whole."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ReadAt = Callable[[int, int], bytes]
"""(offset, length) -> those bytes, fewer at the end."""
MAX_READ = 64 * 1024 * 1024
"""Bytes read of one file, whatever its size."""


class Malformed(Exception):
    """The bytes are not what they should be; the words say what is wrong."""


class Capped(Malformed):
    """Going on would cost more than a description may."""


class Source:
    """Random access to `size` bytes; raises `Capped` when more than `budget` of them were asked for."""

    __slots__ = ("_left", "_read", "size")

    def __init__(self, read: ReadAt, size: int, *, budget: int = MAX_READ) -> None:
        self._read = read
        self._left = budget
        self.size = size

    def at(self, offset: int, length: int) -> bytes:
        """Bytes from `offset`: as many as there are, at most `length`."""
        length = min(length, self.size - offset)
        if offset < 0 or length <= 0:
            return b""
        self._left -= length
        if self._left < 0:
            raise Capped("more would have to be read than a description may")
        return self._read(offset, length)

    def exactly(self, offset: int, length: int) -> bytes:
        """Bytes from `offset`, `length` of them.  Raises `Malformed` when the file ends before."""
        found = self.at(offset, length)
        if len(found) != length:
            raise Malformed("the file ends early")
        return found

    def tail(self, length: int) -> bytes:
        """The last bytes."""
        return self.at(max(self.size - length, 0), length)


def of_bytes(data: bytes) -> Source:
    """The bytes at hand as a source."""
    return Source(lambda offset, length: data[offset : offset + length], len(data))


@contextmanager
def opened(path: Path) -> Iterator[Source]:
    """A regular file as a source.  Raises `OSError` as `open` does, `Malformed` for a pipe or device."""
    # Without O_NONBLOCK the opening of a named pipe would wait for a writer.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    with open(handle, "rb", buffering=0) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise Malformed("not a regular file")

        def read(offset: int, length: int) -> bytes:
            file.seek(offset)
            return _read_all(file.read, length)

        yield Source(read, status.st_size)


def _read_all(read: Callable[[int], bytes | None], length: int) -> bytes:
    pieces = []
    while length > 0:
        piece = read(length)
        if not piece:
            break
        pieces.append(piece)
        length -= len(piece)
    return b"".join(pieces)
