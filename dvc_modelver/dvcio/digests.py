"""Hash many files by threads, each only when nobody remembers its digest."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dvc_modelver.core.progress import Progress, no_progress
from dvc_modelver.dvcio.hashing import CHUNK, hash_source, new_hasher, open_regular
from dvc_modelver.dvcio.hashmemory import HashMemory
from dvc_modelver.dvcio.progress import Meter

_BATCH = 128
"""Small files that one thread hashes in a row: handing over each alone costs more than hashing it."""


@dataclass(frozen=True, slots=True)
class ToHash:
    """A regular file, the algorithm (as `new_hasher` has them) and the file's state before it is read."""

    place: Path
    name: str
    state: os.stat_result
    shown: str = ""
    """What people call it."""


def hash_all(
    jobs: Iterable[ToHash], memory: HashMemory, *, progress: Progress = no_progress
) -> dict[tuple[Path, str], str]:
    """(place, algorithm) -> hexadecimal digest; a file that is gone has none.

    Raises:
        DataError: something is no regular file any more.
        OSError: a file cannot be read.
    """
    found: dict[tuple[Path, str], str] = {}
    todo: dict[tuple[Path, str], ToHash] = {}
    for job in jobs:
        known = memory.known(job.place, state=job.state) or {}
        if job.name in known:
            found[job.place, job.name] = known[job.name]
        else:
            todo[job.place, job.name] = job
    meter = Meter(sum(job.state.st_size for job in todo.values()), progress)

    def work(batch: Sequence[ToHash]) -> list[tuple[tuple[Path, str], str]]:
        return [((job.place, job.name), digest) for job in batch if (digest := _hash(job, memory, meter))]

    for rows in meter.map(work, _batches(todo.values())):
        found.update(rows)
    return found


def _batches(jobs: Iterable[ToHash]) -> Iterator[Sequence[ToHash]]:
    """The large files first, each alone."""
    rows = sorted(jobs, key=lambda job: -job.state.st_size)
    small = [job for job in rows if job.state.st_size < CHUNK]
    yield from ([job] for job in rows if job.state.st_size >= CHUNK)
    yield from (small[start : start + _BATCH] for start in range(0, len(small), _BATCH))


def _hash(job: ToHash, memory: HashMemory, meter: Meter) -> str | None:
    told = meter.told(job.shown)
    try:
        if job.state.st_size < CHUNK:
            digest = _hash_small(job)
            told(job.state.st_size)
        else:
            digest = hash_source(job.place, (job.name,), told)[0][job.name]
    except FileNotFoundError:
        return None
    memory.keep(job.place, job.state, {job.name: digest})
    return digest


def _hash_small(job: ToHash) -> str:
    hasher = new_hasher(job.name)
    with open_regular(job.place) as stream:
        data = memoryview(stream.readall())
    for start in range(0, max(1, len(data)), CHUNK):
        hasher.update(data[start : start + CHUNK])
    return hasher.hexdigest()
