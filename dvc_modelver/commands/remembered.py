"""Files that may be deleted at any time: one that is damaged or cannot be written is as good as none."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

_SEAL = 64


def read_remembered(path: Path) -> dict[str, Any] | None:
    """The object in a JSON file; None when there is none to be had."""
    return parse_remembered(read_bytes(path))


def parse_remembered(data: bytes | memoryview | None) -> dict[str, Any] | None:
    """The object in the bytes of a JSON file; None when they hold none."""
    try:
        loaded = json.loads(bytes(data)) if data is not None else None
    except (ValueError, RecursionError):
        return None
    return loaded if isinstance(loaded, dict) else None


def write_remembered(target: Path, value: object) -> None:
    """Replace a JSON file in one step; nothing happens where that is not possible."""
    with suppress(ValueError, TypeError):
        write_bytes(target, json.dumps(value, separators=(",", ":")).encode())


def read_bytes(path: Path) -> bytes | None:
    """The bytes of a file; None when they are not to be had."""
    try:
        return path.read_bytes()
    except OSError:
        return None


def write_bytes(target: Path, data: bytes) -> None:
    """Replace a file in one step; nothing happens where that is not possible."""
    temporary = target.with_name(f"{target.name}.{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(data)
        os.replace(temporary, target)
    except OSError:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


# Sealed: for answers that are believed without another look -----------------------------------------------------


def read_sealed(path: Path) -> tuple[str, memoryview] | None:
    """(sha256, bytes) of what `write_sealed` wrote; None when a byte of it is another."""
    data = read_bytes(path)
    if data is None or len(data) <= _SEAL:
        return None
    import hashlib

    content = memoryview(data)[_SEAL:]
    seal = hashlib.sha256(content).hexdigest()
    return (seal, content) if data[:_SEAL] == seal.encode() else None


def write_sealed(target: Path, content: bytes) -> str:
    """Write bytes with their sha256 before them; the sha256."""
    import hashlib

    seal = hashlib.sha256(content).hexdigest()
    write_bytes(target, seal.encode() + content)
    return seal


def forget_oldest(folder: Path, most: int) -> None:
    """Delete the files of a folder that were not used for longest, until it holds at most so many bytes."""
    with suppress(OSError):
        files = [(entry.stat(), entry.path) for entry in os.scandir(folder) if entry.is_file(follow_symlinks=False)]
        total = sum(stat.st_size for stat, _ in files)
        for stat, path in sorted(files, key=lambda file: file[0].st_mtime_ns):
            if total <= most:
                return
            os.unlink(path)
            total -= stat.st_size
