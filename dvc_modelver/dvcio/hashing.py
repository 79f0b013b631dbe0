"""Hash files ourselves, in one pass: md5 as DVC computes it, sha256 for the record."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO, FileIO, RawIOBase
from pathlib import Path
from typing import Protocol, cast

from dvc_modelver.core.progress import Progress, no_progress
from dvc_modelver.errors import DataError

CHUNK = 1 << 20
"""Bytes per read.  DVC's dos2unix heuristic looks at blocks of exactly this size, so it is part of a format."""

MD5 = "md5"
LEGACY_MD5 = "md5-dos2unix"
"""What DVC 2 called md5: of text files, with CRLF read as LF."""

_TEXT = bytes(range(32, 127)) + b"\n\r\t\f\b"
_SNIFF = 512


class Hasher(Protocol):
    """What we need of a `hashlib` object."""

    def update(self, data: bytes | memoryview, /) -> None: ...

    def hexdigest(self) -> str: ...


class Dos2UnixMd5:
    """The md5 of DVC 2: a block that looks like text is hashed with CRLF as LF."""

    __slots__ = ("_md5",)

    def __init__(self) -> None:
        self._md5 = hashlib.md5(usedforsecurity=False)

    def update(self, data: bytes | memoryview, /) -> None:
        """Take one block; blocks must arrive as DVC cuts them, `CHUNK` bytes each."""
        block = bytes(data)
        self._md5.update(block.replace(b"\r\n", b"\n") if _looks_like_text(block[:_SNIFF]) else block)

    def hexdigest(self) -> str:
        """The digest so far, hexadecimal."""
        return self._md5.hexdigest()


def _looks_like_text(block: bytes) -> bool:
    if b"\x00" in block:
        return False
    return len(block.translate(None, _TEXT)) <= 0.30 * len(block)


def new_hasher(name: str) -> Hasher:
    """A hasher for `md5`, `md5-dos2unix` or `sha256`."""
    if name == LEGACY_MD5:
        return Dos2UnixMd5()
    return hashlib.md5(usedforsecurity=False) if name == MD5 else hashlib.new(name)


@dataclass(frozen=True, slots=True)
class FileHash:
    """What a file's bytes are: hexadecimal digests and the size in bytes."""

    md5: str
    sha256: str
    size: int


def open_regular(path: Path) -> FileIO:
    """Open a regular file for unbuffered reading.

    Raises:
        DataError: it is a device, a pipe or a directory: reading one could hang for ever.
        OSError: as `open` does.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return FileIO(descriptor, "rb")
    os.close(descriptor)
    raise DataError(f"{path} is not a regular file")


def open_source(source: Path | bytes) -> RawIOBase:
    """Open bytes that lie in a file or in memory, for reading."""
    return cast(RawIOBase, BytesIO(source)) if isinstance(source, bytes) else open_regular(source)


def pump(
    source: RawIOBase, sinks: Sequence[Callable[[memoryview], object]], told: Callable[[int], object] | None = None
) -> int:
    """Read `source` once and give every block to every sink; the number of bytes read.

    Blocks are `CHUNK` bytes but for the last.  From the second block on, each sink has its own thread and the next
    block is read meanwhile: hashing and writing release the interpreter's lock, so 1 GB costs as much as its
    slowest sink (md5 and sha256 together: 1.6 s instead of 2.3).
    """
    block, spare = memoryview(bytearray(CHUNK)), memoryview(bytearray(CHUNK))
    size = _fill(source, block)
    if size < CHUNK:
        for sink in sinks:
            sink(block[:size])
        if told is not None:
            told(size)
        return size
    from concurrent.futures import ThreadPoolExecutor

    total = 0
    with ThreadPoolExecutor(max(1, len(sinks))) as pool:
        while size:
            total += size
            running = [pool.submit(sink, block[:size]) for sink in sinks]
            following = _fill(source, spare)
            for job in running:
                job.result()
            if told is not None:
                told(total)
            block, spare, size = spare, block, following
    return total


def _fill(source: RawIOBase, block: memoryview) -> int:
    """Read until the block is full or the file ends: a raw read may stop early."""
    filled = 0
    while filled < len(block) and (count := source.readinto(block[filled:])):
        filled += count
    return filled


def hash_source(
    source: Path | bytes, names: Sequence[str], told: Callable[[int], object] | None = None
) -> tuple[dict[str, str], int]:
    """The named digests of `source` and its size, in one pass."""
    hashers = {name: new_hasher(name) for name in names}
    with open_source(source) as stream:
        size = pump(stream, [hasher.update for hasher in hashers.values()], told)
    return {name: hasher.hexdigest() for name, hasher in hashers.items()}, size


def hash_file(path: Path, *, hash_name: str = MD5, progress: Progress = no_progress) -> FileHash:
    """DVC's md5 (by `hash_name`) and the sha256 of one file, in one pass.

    Raises:
        DataError: it is not a regular file.
        OSError: it cannot be read.
    """
    total = path.stat().st_size
    digests, size = hash_source(path, (hash_name, "sha256"), lambda done: progress(done, total, path.name))
    return FileHash(digests[hash_name], digests["sha256"], size)


def source_size(source: Path | bytes) -> int:
    """Bytes of a source, without reading it."""
    return len(source) if isinstance(source, bytes) else source.stat().st_size
