"""Put what the commit names into the DVC remote, verified, and make sure that it is there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dvc_modelver.core.facts import Output
from dvc_modelver.core.progress import Progress, no_progress
from dvc_modelver.dvcio import act
from dvc_modelver.dvcio.cache import Cache, output_id
from dvc_modelver.dvcio.config import DvcConfig, Remote, read_dvc_config
from dvc_modelver.dvcio.content import some_of
from dvc_modelver.dvcio.hashing import hash_source, source_size
from dvc_modelver.dvcio.listing import ObjectId
from dvc_modelver.dvcio.progress import Meter
from dvc_modelver.dvcio.scratch import disk_problem, scratch_dir
from dvc_modelver.dvcio.transfer import Wanted, adopt, copy_objects, group_by_remote, refuse_bad
from dvc_modelver.errors import DataError, EnvironmentProblem


@dataclass(frozen=True, slots=True)
class Pushed:
    """What `push` did."""

    objects: int
    """Objects that the remote lacked, and has now."""
    present: int
    """Objects that it had."""
    size: int
    """Bytes of those it lacked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Load:
    """All objects that belong into one remote."""

    remote: Remote
    cache: Cache
    wanted: tuple[Wanted, ...]


def push(
    root: Path,
    outputs: Iterable[Output],
    *,
    env: Mapping[str, str] | None = None,
    progress: Progress = no_progress,
) -> Pushed:
    """Put every object of `outputs` into its remote (its own, else the default one), and make sure that it is there.

    What the remote lacks is hashed on the way: a cache that is altered reaches nobody.  Listings go last.  Outputs
    that say `push: false` are left out, as `dvc push` does.

    Raises:
        DataError: bytes are missing from the cache, or altered there.
        EnvironmentProblem: no remote, no network, no permission, disk full; the remote's own words are shown.
    """
    done = [_push_load(load, progress) for load in _loads(root, outputs, env)]
    return Pushed(sum(row.objects for row in done), sum(row.present for row in done), sum(row.size for row in done))


def remote_lacks(root: Path, outputs: Iterable[Output], *, env: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """The paths whose objects their remote lacks, files of directories included; empty when it has all.

    Raises:
        DataError: a directory's listing is not in the cache (see `ensure_in_cache`).
        EnvironmentProblem: as `push`.
    """
    return tuple(row.path for load in _loads(root, outputs, env) for row in _lacking(load))


def remote_has(root: Path, outputs: Iterable[Output], *, env: Mapping[str, str] | None = None) -> bool:
    """True when the remotes have every object of `outputs`; errors as `remote_lacks`."""
    return not remote_lacks(root, outputs, env=env)


def _loads(root: Path, outputs: Iterable[Output], env: Mapping[str, str] | None) -> Iterator[_Load]:
    for (where, name), rows in group_by_remote(output for output in outputs if output.pushed).items():
        config = read_dvc_config(root / where / ".dvc", env=env)
        remote, cache = config.remote(name), _cache(config, name)
        wanted = {row.oid: row for output in rows for row in _objects(output, cache)}
        yield _Load(remote=remote, cache=cache, wanted=tuple(wanted.values()))


def _cache(config: DvcConfig, name: str | None) -> Cache:
    """The cache; a directory listing that it lacks may be read from a remote that is a directory."""
    directory = config.remote(name).directory
    return Cache(config.cache_dir, also=(directory,) if directory else ())


def _objects(output: Output, cache: Cache) -> Iterator[Wanted]:
    """The files first, then the listing that names them."""
    oid = output_id(output)
    if oid.directory:
        for file in cache.read_listing(oid):
            yield Wanted(file.oid, f"{output.path}/{file.relpath}")
    yield Wanted(oid, output.path)


def _push_load(load: _Load, progress: Progress) -> Pushed:
    lacking = _lacking(load)
    own = Cache(load.cache.directory)
    missing = [row.path for row in lacking if not own.exists(row.oid)]
    if missing:
        raise DataError(f"missing from the DVC cache: {some_of(missing)}", hint="dvc commit, or dvc fetch")
    size = sum(source_size(own.path(row.oid)) for row in lacking)
    if lacking and load.remote.directory is not None:
        _push_to_directory(load.remote.directory, lacking, own, progress)
    elif lacking:
        _push_with_dvc(load.remote, lacking, own, progress)
    still = _lacking(load) if lacking else []
    if still:
        names = some_of([row.path for row in still])
        raise EnvironmentProblem(f"the DVC remote {load.remote.name!r} did not keep {names}", hint="push again")
    return Pushed(len(lacking), len(load.wanted) - len(lacking), size)


def _lacking(load: _Load) -> list[Wanted]:
    if load.remote.directory is None:
        there = act.present(load.remote, [row.oid for row in load.wanted])
        return [row for row in load.wanted if row.oid not in there]
    remote, own = Cache(load.remote.directory), Cache(load.cache.directory)
    return [row for row in load.wanted if not _is_whole(row.oid, remote, own)]


def _is_whole(oid: ObjectId, remote: Cache, own: Cache) -> bool:
    """True when the remote has the object; one of another size than ours is half a copy, and is replaced."""
    there, here = remote.find(oid), own.find(oid)
    return there is not None and (here is None or source_size(there) == source_size(here))


def _push_to_directory(directory: Path, lacking: Sequence[Wanted], own: Cache, progress: Progress) -> None:
    # Not through dvc: its copy does not look at the bytes, and costs its import (0.3 s).
    try:
        with scratch_dir(directory, "push") as scratch:
            digests = copy_objects(lacking, own, scratch, progress)
            refuse_bad(lacking, digests, "the DVC cache", hint="dvc fetch, or rebuild it")
            adopt([row.oid for row in lacking], scratch, Cache(directory))
    except OSError as error:
        said = disk_problem(error, directory)
        raise EnvironmentProblem(said.message, hint=said.hint or "check the remote's directory") from None


def _push_with_dvc(remote: Remote, lacking: Sequence[Wanted], own: Cache, progress: Progress) -> None:
    meter = Meter(sum(source_size(own.path(row.oid)) for row in lacking))

    def hash_one(row: Wanted) -> tuple[ObjectId, str]:
        name = row.oid.hash_name
        return row.oid, hash_source(own.path(row.oid), (name,), meter.told(row.path))[0][name]

    refuse_bad(lacking, dict(meter.map(hash_one, lacking)), "the DVC cache", hint="dvc fetch, or rebuild it")
    act.send(remote, [row for row in lacking if not row.oid.directory], own, progress=progress)
    act.send(remote, [row for row in lacking if row.oid.directory], own, progress=progress)
