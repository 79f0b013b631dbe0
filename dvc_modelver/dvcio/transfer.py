"""Copy objects between two directories of objects; only bytes that were hashed get a name there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from dvc_modelver.core.facts import Output
from dvc_modelver.core.progress import Progress, no_progress
from dvc_modelver.dvcio.cache import Cache
from dvc_modelver.dvcio.content import some_of
from dvc_modelver.dvcio.hashing import hash_source, new_hasher, open_regular, pump, source_size
from dvc_modelver.dvcio.listing import ObjectId
from dvc_modelver.dvcio.progress import Meter
from dvc_modelver.errors import DataError

CACHE_MODE = 0o444
"""DVC takes an object of this mode for verified, so it is set last, on verified bytes."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """An object, and the path that people know it by."""

    oid: ObjectId
    path: str


def group_by_remote(outputs: Iterable[Output]) -> dict[tuple[str, str | None], list[Output]]:
    """Outputs by the DVC repository that holds them and the remote they name (None: the default one)."""
    groups: dict[tuple[str, str | None], list[Output]] = {}
    for output in outputs:
        groups.setdefault((output.root, output.remote), []).append(output)
    return groups


def copy_objects(
    wanted: Sequence[Wanted], source: Cache, scratch: Path, progress: Progress = no_progress
) -> dict[ObjectId, str]:
    """Copy objects of `source` into `scratch`, hashing what is copied; their real digests, without the missing ones."""
    places = {row: source.find(row.oid) for row in wanted}
    found = [(row, place) for row, place in places.items() if place is not None]
    meter = Meter(sum(source_size(place) for _, place in found), progress)

    def copy_one(item: tuple[Wanted, Path]) -> tuple[ObjectId, str]:
        row, place = item
        return row.oid, _copy(place, scratch / row.oid.file_name, row.oid.hash_name, meter, row.path)

    return dict(meter.map(copy_one, found))


def _copy(place: Path, target: Path, hash_name: str, meter: Meter, path: str) -> str:
    hasher = new_hasher(hash_name)
    with open_regular(place) as source, FileIO(target, "xb") as sink:
        pump(source, (hasher.update, lambda block: write_all(sink, block)), meter.told(path))
    return hasher.hexdigest()


def write_all(sink: FileIO, block: memoryview) -> None:
    """Write all of a block: a raw write may stop early."""
    written = 0
    while written < len(block):
        written += sink.write(block[written:])


def hash_objects(wanted: Sequence[Wanted], scratch: Path, progress: Progress = no_progress) -> dict[ObjectId, str]:
    """The real digests of objects that something else has put into `scratch`, without the missing ones."""
    there = [row for row in wanted if (scratch / row.oid.file_name).is_file()]
    meter = Meter(sum(source_size(scratch / row.oid.file_name) for row in there), progress)

    def hash_one(row: Wanted) -> tuple[ObjectId, str]:
        name = row.oid.hash_name
        return row.oid, hash_source(scratch / row.oid.file_name, (name,), meter.told(row.path))[0][name]

    return dict(meter.map(hash_one, there))


def adopt(oids: Iterable[ObjectId], scratch: Path, target: Cache, *, shared: bool = False) -> None:
    """Give verified objects of `scratch` their place in `target`; each appears whole or not at all."""
    for oid in oids:
        place = target.path(oid)
        _make_directory(place.parent, shared)
        os.chmod(scratch / oid.file_name, CACHE_MODE)
        os.replace(scratch / oid.file_name, place)


def _make_directory(directory: Path, shared: bool) -> None:
    if directory.is_dir():
        return
    directory.mkdir(parents=True, exist_ok=True)
    if shared:
        directory.chmod(0o2775)


def refuse_bad(wanted: Sequence[Wanted], digests: Mapping[ObjectId, str], where: str, *, hint: str = "") -> None:
    """Raise when objects are missing or not what their digest says.

    Raises:
        DataError: names the first missing and the first altered paths, and `where` they should have been.
    """
    missing = [row.path for row in wanted if row.oid not in digests]
    bad = [row.path for row in wanted if digests.get(row.oid, row.oid.hex) != row.oid.hex]
    if bad:
        raise DataError(f"altered or truncated in {where}: {some_of(bad)}", hint=hint)
    if missing:
        raise DataError(f"missing from {where}: {some_of(missing)}", hint=hint)
