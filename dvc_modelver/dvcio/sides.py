"""What the two sides of a restore name, file by file: HEAD, and what is wanted."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from dvc_modelver.core.facts import Output
from dvc_modelver.dvcio.cache import Cache, output_id
from dvc_modelver.dvcio.content import some_of
from dvc_modelver.dvcio.listing import ObjectId
from dvc_modelver.dvcio.paths import parents, shown
from dvc_modelver.errors import BadInput, DataError


@dataclass(frozen=True, slots=True)
class Side:
    """Files and tracked directories, by path from the root."""

    files: dict[str, ObjectId] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)

    def add(self, output: Output, cache: Cache) -> None:
        """Add an output with all its files.  Raises `DataError`: no md5, or its listing is missing or altered."""
        oid = output_id(output)
        if oid.directory:
            listing = cache.read_listing(oid)
            self.folders.add(output.path)
            self.files.update((f"{output.path}/{file.relpath}", file.oid) for file in listing)
        else:
            self.files[output.path] = oid


def wanted_side(outputs: Iterable[Output], cache: Cache) -> Side:
    """Every file that is wanted.

    Raises:
        DataError: as `Side.add`.
        BadInput: a file is wanted below another file.
    """
    side = Side()
    for output in outputs:
        side.add(output, cache)
    for path in side.files:
        for parent in parents(path):
            if parent in side.files:
                raise BadInput(f"{shown(path)} lies below {shown(parent)}, which is a file")
    return side


def saved_side(outputs: Iterable[Output], cache: Cache) -> Side:
    """Every file that HEAD names and that can be had again: not what DVC does not keep, or can no longer list."""
    side = Side()
    for output in outputs:
        try:
            side.add(output, cache)
        except DataError:
            continue
    return side


@dataclass(frozen=True, slots=True)
class Objects:
    """Where objects lie in the cache, and their state there."""

    found: Mapping[ObjectId, tuple[str, os.stat_result]]

    def key(self, oid: ObjectId) -> tuple[str, str]:
        """The key of its digest in the answer of `hash_all`."""
        return self.found[oid][0], oid.hash_name


def find_objects(oids: Iterable[ObjectId], cache: Cache) -> Objects:
    """Look each object up once; missing ones are left out."""
    folder = os.path.dirname(os.path.dirname(cache.path(ObjectId("0" * 32))))
    rows = ((oid, _find(oid, cache, folder)) for oid in oids)
    return Objects({oid: found for oid, found in rows if found is not None})


def _find(oid: ObjectId, cache: Cache, folder: str) -> tuple[str, os.stat_result] | None:
    # Built as text: ten thousand `Path`s cost more than asking for their files' states.
    place = str(cache.path(oid)) if oid.legacy else os.path.join(folder, oid.hex[:2], oid.value[2:])
    try:
        state = os.stat(place)
        if stat.S_ISREG(state.st_mode):
            return place, state
    except OSError:
        pass
    elsewhere = cache.find(oid) if cache.also else None
    return None if elsewhere is None else (str(elsewhere), os.stat(elsewhere))


def refuse_missing(side: Side, objects: Objects) -> None:
    """Raise `DataError`, which names the first files, when the cache lacks any."""
    missing = [path for path, oid in sorted(side.files.items()) if oid not in objects.found]
    if missing:
        raise DataError(f"missing from the DVC cache: {some_of([shown(path) for path in missing])}", hint="dvc fetch")
