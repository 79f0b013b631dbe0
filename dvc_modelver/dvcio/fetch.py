"""Bring what the cache lacks from the DVC remote, through a private directory, hashed before it gets a name."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dvc_modelver.core.facts import Output
from dvc_modelver.core.progress import Progress, no_progress
from dvc_modelver.dvcio.cache import Cache, checked_listing, output_id
from dvc_modelver.dvcio.config import DvcConfig, Remote, read_dvc_config
from dvc_modelver.dvcio.content import select, some_of
from dvc_modelver.dvcio.listing import ListedFile, ObjectId
from dvc_modelver.dvcio.paths import shown
from dvc_modelver.dvcio.scratch import disk_problem, scratch_dir
from dvc_modelver.dvcio.transfer import Wanted, adopt, copy_objects, group_by_remote, hash_objects, refuse_bad
from dvc_modelver.errors import DataError, EnvironmentProblem

_LABEL = "fetch"
_DEAD_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Fetched:
    """What `ensure_in_cache` brought."""

    objects: int
    """New objects in the cache, listings included."""
    size: int
    """Bytes of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Door:
    """One remote, the cache it fills, and a private directory on the cache's file system."""

    remote: Remote
    cache: Cache
    scratch: Path
    shared: bool
    progress: Progress


def ensure_in_cache(
    root: Path,
    outputs: Iterable[Output],
    *,
    inside: str | None = None,
    cache: Cache | None = None,
    foreign: bool = False,
    env: Mapping[str, str] | None = None,
    progress: Progress = no_progress,
) -> Fetched:
    """Fetch every object of `outputs` that the cache lacks; objects that are there are not looked into.

    Killed at any moment, or run twice at once, it leaves whole and verified objects in the cache, or none.

    Args:
        root: the Git root; each output names the directory of its DVC repository below it.
        inside: only this file or folder of the outputs, which are directories.
        cache: fill this one instead of the configured one (a foreign repository is not written to).
        foreign: the repository is not trusted, see `read_dvc_config`.
        progress: told bytes, once per remote and step.

    Raises:
        DataError: missing in the cache and in the remote, or the remote's bytes are not what DVC's digest says.
        BadInput: a digest that is none, a hostile directory listing.
        EnvironmentProblem: the remote cannot be reached or read, no `dvc` for it, disk full.
    """
    fetched = Fetched(0, 0)
    for (where, name), rows in group_by_remote(outputs).items():
        config = read_dvc_config(root / where / ".dvc", foreign=foreign, env=env)
        tops = [Wanted(output_id(output), output.path) for output in rows]
        try:
            more = _ensure(config, name, tops, inside, cache or Cache(config.cache_dir), progress)
        except DataError as error:
            kept = next((output.path for output in rows if not output.pushed), None)
            if kept is not None:
                error.hint = f"{shown(kept)} is marked push: false, so only the clone that made it has its bytes"
            raise
        fetched = Fetched(fetched.objects + more.objects, fetched.size + more.size)
    return fetched


def _ensure(
    config: DvcConfig, name: str | None, tops: Sequence[Wanted], inside: str | None, cache: Cache, progress: Progress
) -> Fetched:
    if not _lacking(tops, cache) and not _lacking(_files(tops, cache, inside), cache):
        _sweep(_scratch_parent(config, cache))
        return Fetched(0, 0)
    remote = _remote(config, name, tops)
    try:
        with scratch_dir(_scratch_parent(config, cache), _LABEL) as scratch:
            door = _Door(remote=remote, cache=cache, scratch=scratch, shared=config.shared, progress=progress)
            return _fetch(door, tops, inside)
    except OSError as error:
        raise disk_problem(error, cache.directory) from None


def _sweep(parent: Path) -> None:
    """Remove what a kill left that came after the last object had its place: no later fetch may ever be needed."""
    with suppress(OSError):
        old = time.time() - _DEAD_SECONDS  # a younger one may have an owner that has not locked it yet
        if any(name.startswith(f".{_LABEL}.") and (parent / name).stat().st_mtime < old for name in os.listdir(parent)):
            with scratch_dir(parent, _LABEL):  # it does so at its start
                pass


def _remote(config: DvcConfig, name: str | None, tops: Sequence[Wanted]) -> Remote:
    try:
        return config.remote(name)
    except EnvironmentProblem as problem:
        paths = some_of([row.path for row in tops])
        raise DataError(f"missing from the DVC cache: {paths}, and {problem.message}", hint=problem.hint) from None


def _scratch_parent(config: DvcConfig, cache: Cache) -> Path:
    """`.dvc/tmp`, which DVC keeps out of Git, when a rename leads from there into the cache; else in the cache."""
    ours = config.dvc_dir / "tmp"
    inside = cache.directory.is_relative_to(config.dvc_dir)
    return ours if inside and _device(ours) == _device(cache.directory) else cache.directory


def _device(place: Path) -> int:
    while not place.exists():
        place = place.parent
    return os.stat(place).st_dev


def _lacking(wanted: Iterable[Wanted], cache: Cache) -> list[Wanted]:
    """Those that the cache lacks, each object once."""
    return list({row.oid: row for row in wanted if not cache.exists(row.oid)}.values())


def _files(tops: Iterable[Wanted], cache: Cache, inside: str | None) -> list[Wanted]:
    """The files of every directory whose listing the cache has."""
    directories = [row for row in tops if row.oid.directory and cache.exists(row.oid)]
    return [file for row in directories for file in _below(row, cache.read_listing(row.oid), inside)]


def _below(top: Wanted, listing: Sequence[ListedFile], inside: str | None) -> list[Wanted]:
    _, files = select(listing, inside)
    base = f"{top.path}/{inside}" if inside else top.path
    return [Wanted(file.oid, f"{base}/{file.relpath}") for file in files]


def _fetch(door: _Door, tops: Sequence[Wanted], inside: str | None) -> Fetched:
    """Listings first (they say which files), but they get their place last: then all that they name is there."""
    lists = _lacking((row for row in tops if row.oid.directory), door.cache)
    _bring(door, lists)
    files = _files(tops, door.cache, inside)
    for row in lists:
        files += _below(row, checked_listing(door.scratch / row.oid.file_name, row.oid), inside)
    plain = _lacking([*files, *(row for row in tops if not row.oid.directory)], door.cache)
    size = _bring(door, plain, keep=True) + sum((door.scratch / row.oid.file_name).stat().st_size for row in lists)
    adopt([row.oid for row in lists], door.scratch, door.cache, shared=door.shared)
    return Fetched(len(lists) + len(plain), size)


def _bring(door: _Door, wanted: Sequence[Wanted], *, keep: bool = False) -> int:
    """Get objects into the private directory and check them all; with `keep` the good ones go on into the cache."""
    digests = _download(door, wanted)
    good = [row.oid for row in wanted if digests.get(row.oid) == row.oid.hex]
    size = sum((door.scratch / oid.file_name).stat().st_size for oid in good)
    if keep:
        adopt(good, door.scratch, door.cache, shared=door.shared)
    where = f"the DVC remote {door.remote.name!r} ({door.remote.shown})"
    refuse_bad(wanted, digests, where, hint="dvc push from a clone that has them (remove altered ones there first)")
    return size


def _download(door: _Door, wanted: Sequence[Wanted]) -> dict[ObjectId, str]:
    if not wanted:
        return {}
    if door.remote.directory is not None:
        return copy_objects(wanted, Cache(door.remote.directory), door.scratch, door.progress)
    from dvc_modelver.dvcio import act

    act.fetch(door.remote, wanted, door.scratch, progress=door.progress)
    return hash_objects(wanted, door.scratch)
