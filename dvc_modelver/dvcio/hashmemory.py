"""Remember the digests of files that have not changed since they were hashed."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

_HEADER = b"modelver-hashes-1 "
_SEAL = 64
_RACY_NS = 2_000_000_000
_TICK_NS = 20_000_000
"""Longer than a tick of any clock that stamps files finer than 10 ms (4 ms on Linux, 15.6 on Windows)."""
_MAX_ENTRIES = 200_000
_MAX_BYTES = 128 << 20
_DIGESTS = re.compile(r"[a-z0-9-]+=[0-9a-f]+(,[a-z0-9-]+=[0-9a-f]+)*")
_UNTIDY = re.compile(r"^[^/]|/\.{0,2}(/|$)|\\")
"""What `abspath` would change: it costs as much as asking for the file's state."""
_STALE_SECONDS = 3600


class HashMemory:
    """What was hashed before, one entry a file; a file that is damaged or missing is as good as an empty memory.

    A digest is believed while size, mtime, ctime, inode and device are as they were.  Links are followed.  Threads
    may share one memory; of two processes that save at once, one may lose what it has learnt, nothing else.

    Args:
        file: where it is kept; may be deleted at any time.
        clock: nanoseconds since the epoch.
    """

    def __init__(self, file: Path, *, clock: Callable[[], int] = time.time_ns) -> None:
        self._file = file
        self._clock = clock
        self._old: dict[bytes, bytes] | None = None
        self._new: dict[bytes, bytes] = {}

    def known(self, place: Path | str, *, state: os.stat_result | None = None) -> Mapping[str, str] | None:
        """Algorithm -> hexadecimal digest of the file at `place`; None when it was never hashed or has changed.

        Args:
            state: `os.stat(place)`, when the caller has it already.
        """
        key = _key(place)
        entry = self._new.get(key) or self._entries().get(key)
        if entry is None:
            return None
        with suppress(OSError):
            return _digests(entry, _print(state or os.stat(place)))
        return None

    def keep(self, place: Path | str, before: os.stat_result, digests: Mapping[str, str]) -> bool:
        """Remember what `place` hashed to; whether it was remembered.

        Not when it is not as it was `before` hashing, and not when it was changed in the last two seconds: another
        change within the same tick of the clock would leave no trace.
        """
        with suppress(OSError):
            after = os.stat(place)
            if _print(after) == _print(before) and self._is_settled(after.st_mtime_ns, after.st_ctime_ns):
                self._put(place, after, digests)
                return True
        return False

    def relinked(self, place: Path | str, before: os.stat_result) -> bool:
        """Carry an entry over the change of ctime that making or removing a hard link causes.

        Args:
            before: the state for which the entry held, taken right before the link was made or removed.
        """
        digests = self.known(place, state=before)
        with suppress(OSError):
            after = os.stat(place)
            if digests and _content(after) == _content(before) and self._is_settled(after.st_mtime_ns):
                self._put(place, after, digests)
                return True
        return False

    def keep_written(self, written: Sequence[tuple[Path, os.stat_result, Mapping[str, str]]]) -> None:
        """Remember files that the caller has just written; waits one tick of their clock, at most 20 ms.

        Where the file system's clock is coarser than that, young files are not remembered, as `keep` says.

        Args:
            written: each with its state right after writing; it may have been renamed since.
        """
        rows = [(place, now, digests) for place, then, digests in written if (now := _now(place, then)) is not None]
        fine = [now for _, now, _ in rows if _is_fine(now)]
        newest = max((max(now.st_mtime_ns, now.st_ctime_ns) for now in fine), default=0)
        wait = newest + _TICK_NS - self._clock()
        if 0 < wait <= _TICK_NS:
            time.sleep(wait / 1e9)
        settled = newest + _TICK_NS <= self._clock()
        for place, now, digests in rows:
            if not (_is_fine(now) and settled):
                self.keep(place, now, digests)
            elif (after := _now(place, now)) is not None and _print(after) == _print(now):
                self._put(place, after, digests)

    def save(self) -> None:
        """Write what was learnt, and what others have written meanwhile; nothing happens where that is not possible."""
        if not self._new:
            return
        self._old = {path: entry for path, entry in _read(self._file).items() if path not in self._new} | self._new
        self._new = {}
        for path in list(self._old)[:-_MAX_ENTRIES]:
            del self._old[path]
        _write(self._file, self._old)

    def _is_settled(self, *times: int) -> bool:
        return max(times) < self._clock() - _RACY_NS

    def _put(self, place: Path | str, state: os.stat_result, digests: Mapping[str, str]) -> None:
        key, now = _key(place), _print(state)
        entry = self._new.get(key) or self._entries().get(key)
        merged = {**((_digests(entry, now) if entry else None) or {}), **digests}
        words = ",".join(f"{name}={value}" for name, value in sorted(merged.items()))
        if _DIGESTS.fullmatch(words):
            self._new[key] = now + b" " + words.encode()

    def _entries(self) -> dict[bytes, bytes]:
        if self._old is None:
            self._old = _read(self._file)
        return self._old


def _key(place: Path | str) -> bytes:
    path = os.fspath(place)
    return os.fsencode(os.path.abspath(path) if _UNTIDY.search(path) else path)


def _print(state: os.stat_result) -> bytes:
    """What a change of the file would change."""
    times = f"{state.st_mtime_ns} {state.st_ctime_ns}"
    return f"{state.st_size} {times} {state.st_ino} {state.st_dev}".encode()


def _is_fine(state: os.stat_result) -> bool:
    """Whether the file's clock seems to tell more than hundredths of a second."""
    return bool(state.st_mtime_ns % 10**7 and state.st_ctime_ns % 10**7)


def _now(place: Path, then: os.stat_result) -> os.stat_result | None:
    """The state of `place`, when nobody has written to it since `then`."""
    try:
        now = os.stat(place)
    except OSError:
        return None
    return now if _content(now) == _content(then) else None


def _content(state: os.stat_result) -> tuple[int, int, int, int]:
    return state.st_size, state.st_mtime_ns, state.st_ino, state.st_dev


def _digests(entry: bytes, state: bytes) -> dict[str, str] | None:
    seen, _, words = entry.rpartition(b" ")
    if seen != state or not _DIGESTS.fullmatch(text := words.decode("ascii", "replace")):
        return None
    pairs = (word.partition("=") for word in text.split(","))
    return {name: value for name, _, value in pairs}


def _read(file: Path) -> dict[bytes, bytes]:
    """Path -> entry.  Format: the header, the sha256 of the rest, then `ENTRY TAB PATH`, each ended by NUL."""
    try:
        with open(file, "rb") as stream:
            data = stream.read(_MAX_BYTES + 1)
    except OSError:
        return {}
    start = len(_HEADER) + _SEAL
    if len(data) > _MAX_BYTES or not data.startswith(_HEADER):
        return {}
    body = data[start:]
    if data[len(_HEADER) : start] != hashlib.sha256(body).hexdigest().encode():
        return {}
    rows = (row.partition(b"\t") for row in body.split(b"\0"))
    return {path: entry for entry, _, path in rows if path}


def _write(file: Path, entries: Mapping[bytes, bytes]) -> None:
    body = b"".join(entry + b"\t" + path + b"\0" for path, entry in entries.items())
    temporary = file.with_name(f"{file.name}.{os.getpid()}.tmp")
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        _sweep(file)
        try:
            temporary.write_bytes(_HEADER + hashlib.sha256(body).hexdigest().encode() + body)
            os.replace(temporary, file)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def _sweep(file: Path) -> None:
    """Remove what writers that were killed have left."""
    for left in file.parent.glob(f"{file.name}.*.tmp"):
        with suppress(OSError):
            if left.stat().st_mtime < time.time() - _STALE_SECONDS:
                left.unlink()
