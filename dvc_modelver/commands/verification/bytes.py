"""The bytes of many versions, hashed: each file once, by threads, and not again while it is as it was."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dvc_modelver.core.progress import Progress, no_progress
from dvc_modelver.core.records import Record, manifest_digest
from dvc_modelver.core.verification import Look
from dvc_modelver.dvcio.content import FILE
from dvc_modelver.dvcio.hashing import hash_source
from dvc_modelver.dvcio.hashmemory import HashMemory
from dvc_modelver.dvcio.listing import ListedFile
from dvc_modelver.dvcio.progress import Meter
from dvc_modelver.errors import DataError

SHA256 = "sha256"
_SAVE_EVERY = 5.0
"""Seconds; what an interrupted run has hashed is not hashed again."""


@dataclass(frozen=True, slots=True)
class Job:
    """One file to hash with one algorithm."""

    place: Path
    algorithm: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The files of one version in one place, and what they must be."""

    kind: str
    path: str
    """The artifact's, from the root; for people."""
    files: tuple[tuple[ListedFile, Path | None], ...]
    """Each with where it lies; None where it is missing."""
    record: Record | None

    @property
    def sealed(self) -> bool:
        """Whether the record has a sha256: it stands for DVC's md5, with which it was recorded."""
        return self.record is not None and self.record.sha256 is not None

    def job(self, file: ListedFile, place: Path) -> Job:
        return Job(place, SHA256 if self.sealed else file.oid.hash_name)

    def jobs(self) -> Iterable[Job]:
        return (self.job(file, place) for file, place in self.files if place is not None)

    def shown(self, file: ListedFile) -> str:
        return self.path if self.kind == FILE else f"{self.path}/{file.relpath}"


class Hasher:
    """Digests of files, asked for in one go and then looked up.

    Args:
        memory: what was hashed before.
        force: hash every file again.
        threads: files at a time; by default one per core.
    """

    def __init__(
        self,
        memory: HashMemory,
        *,
        force: bool = False,
        threads: int | None = None,
        progress: Progress = no_progress,
    ) -> None:
        self._memory = memory
        self._force = force
        self._threads = threads
        self._progress = progress
        self._digests: dict[Job, str] = {}
        self._problems: dict[Job, str] = {}
        self._sizes: dict[Path, int] = {}
        self._lock = threading.Lock()
        self._saved = time.monotonic()
        self.hashed = 0
        """Files that were read."""

    def digest(self, job: Job) -> str | None:
        return self._digests.get(job)

    def problem(self, job: Job) -> str:
        """Why a file could not be read."""
        return self._problems.get(job, "it was not read")

    def size(self, place: Path) -> int:
        return self._sizes.get(place, 0)

    def run(self, jobs: Iterable[Job]) -> None:
        """Hash what is not known; what cannot be read has a problem instead of a digest."""
        todo = [(job, state) for job in dict.fromkeys(jobs) if (state := self._unknown(job)) is not None]
        # The largest first: otherwise one thread ends alone with it.
        todo.sort(key=lambda item: (-item[1].st_size, str(item[0].place)))
        meter = Meter(sum(state.st_size for _, state in todo), self._progress)

        def hash_one(item: tuple[Job, os.stat_result]) -> None:
            self._hash(item[0], item[1], meter)

        try:
            meter.map(hash_one, todo, self._threads)
        finally:
            self._memory.save()

    def _unknown(self, job: Job) -> os.stat_result | None:
        """The state of a file that has to be hashed."""
        if job in self._digests:
            return None
        try:
            state = os.stat(job.place)
        except OSError as error:
            self._problems[job] = error.strerror or str(error)
            return None
        self._sizes[job.place] = state.st_size
        known = None if self._force else self._memory.known(job.place, state=state)
        if known is not None and job.algorithm in known:
            self._digests[job] = known[job.algorithm]
            return None
        return state

    def _hash(self, job: Job, before: os.stat_result, meter: Meter) -> None:
        try:
            digests, size = hash_source(job.place, (job.algorithm,), meter.told(job.place.name))
        except (OSError, DataError) as error:
            self._problems[job] = getattr(error, "strerror", None) or str(error)
            return
        with self._lock:
            self._digests[job], self._sizes[job.place] = digests[job.algorithm], size
            self.hashed += 1
            self._memory.keep(job.place, before, digests)
            if time.monotonic() - self._saved > _SAVE_EVERY:
                self._memory.save()
                self._saved = time.monotonic()


def look_at(target: Target, hasher: Hasher) -> Look:
    """Hold the digests against what DVC and the record say, and name what differs."""
    missing = tuple(target.shown(file) for file, place in target.files if place is None)
    there = [(file, place) for file, place in target.files if place is not None]
    bad = _unreadable(target, there, hasher)
    if not bad:
        bad = (
            _bad_by_record(target, there, hasher, bool(missing))
            if target.sealed
            else _bad_by_md5(target, there, hasher)
        )
    return Look(
        files=len(target.files),
        size=sum(hasher.size(place) for _, place in there),
        missing=missing,
        bad=tuple(words for _, words in bad),
        places=tuple(str(place) for place, _ in bad if place is not None),
    )


_Bad = list[tuple[Path | None, str]]
_Rows = Sequence[tuple[ListedFile, Path]]


def _unreadable(target: Target, rows: _Rows, hasher: Hasher) -> _Bad:
    return [
        (place, f"{target.shown(file)} (unreadable: {hasher.problem(job)})")
        for file, place in rows
        if hasher.digest(job := target.job(file, place)) is None
    ]


def _bad_by_md5(target: Target, rows: _Rows, hasher: Hasher) -> _Bad:
    hasher.run(Job(place, file.oid.hash_name) for file, place in rows)
    expected = target.record.size if target.record is not None and target.kind == FILE else None
    return [
        (place, f"{target.shown(file)} ({_how(found, hasher.size(place), expected)})")
        for file, place in rows
        if (found := hasher.digest(Job(place, file.oid.hash_name))) != file.oid.hex
    ]


def _how(found: str | None, size: int, expected: int | None) -> str:
    if expected is not None and size < expected:
        return f"truncated, {size} of {expected} bytes"
    return "truncated to nothing" if size == 0 else f"altered, md5 {found}"


def _bad_by_record(target: Target, rows: _Rows, hasher: Hasher, incomplete: bool) -> _Bad:
    """Compare with the record's sha256; only when it differs are DVC's md5 asked which file it is."""
    record = target.record
    if record is None:
        return []
    found = [(file.relpath, hasher.size(place), hasher.digest(Job(place, SHA256)) or "") for file, place in rows]
    if target.kind == FILE:
        same = all(digest == record.sha256 for _, _, digest in found)
    elif incomplete:
        # Without all files there is no manifest; DVC's md5 says which of the others are sound.
        return _bad_by_md5(target, rows, hasher)
    else:
        same = manifest_digest(found) == record.sha256
    size = sum(size for _, size, _ in found)
    if same and not incomplete and record.size not in (None, size):
        return [(None, f"{target.path} ({size} bytes, not {record.size} as the record says)")]
    if same:
        return []
    return _bad_by_md5(target, rows, hasher) or [
        (None, f"{target.path} (as DVC's md5 says, but not as the record's sha256 says)")
    ]
