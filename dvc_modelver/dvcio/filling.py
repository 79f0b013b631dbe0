"""Make files out of the cache's objects, verified, under temporary names beside their places."""

from __future__ import annotations

import os
import shlex
import shutil
import stat
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path

from dvc_modelver.core.progress import Progress
from dvc_modelver.core.sizes import size
from dvc_modelver.dvcio.cache import Cache
from dvc_modelver.dvcio.content import some_of
from dvc_modelver.dvcio.digests import ToHash, hash_all
from dvc_modelver.dvcio.hashing import CHUNK, hash_source, new_hasher, open_regular
from dvc_modelver.dvcio.hashmemory import HashMemory
from dvc_modelver.dvcio.links import Linker, copy_file
from dvc_modelver.dvcio.listing import ObjectId
from dvc_modelver.dvcio.paths import parents, shown
from dvc_modelver.dvcio.present import temporary_name
from dvc_modelver.dvcio.progress import Meter
from dvc_modelver.dvcio.transfer import write_all
from dvc_modelver.errors import DataError, EnvironmentProblem

Unverified = frozenset[ObjectId]


class Prepared:
    """Files that wait under temporary names, each in the nearest directory that exists."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._places: dict[str, Path] = {}
        self._folders: dict[str, Path] = {}

    def reserve(self, path: str) -> Path:
        """A free name for the file of `path`."""
        above = path.rpartition("/")[0]
        if above not in self._folders:
            folder = next((place for place in parents(path) if _is_folder(self._root / place)), "")
            self._folders[above] = self._root / folder
        place = self._folders[above] / temporary_name(path)
        place.unlink(missing_ok=True)
        self._places[path] = place
        return place

    def at(self, path: str) -> Path:
        """Where the file of `path` waits."""
        return self._places[path]

    def __enter__(self) -> Prepared:
        return self

    def __exit__(self, *exc: object) -> None:
        self.drop()

    def drop(self) -> None:
        """Remove those that were not renamed."""
        for place in self._places.values():
            with suppress(OSError):
                place.unlink(missing_ok=True)
        self._places.clear()


def _is_folder(place: Path) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(place).st_mode)
    except OSError:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Filler:
    """Makes files of one cache's objects, by its link types."""

    root: Path
    cache: Cache
    memory: HashMemory
    linker: Linker
    places: dict[ObjectId, str] = field(default_factory=dict)
    """Where objects lie, as far as somebody has looked."""

    def prepare(self, wanted: Sequence[tuple[str, ObjectId]], unverified: Unverified, progress: Progress) -> Prepared:
        """Make the file of every (path, object); those of `unverified` are hashed, while they are copied if they are.

        Raises:
            DataError: an object is missing or corrupt.
            EnvironmentProblem: the disk has not the space for the copies, or no link type works.
            OSError: any other failure.  Nothing is left behind in any case.
        """
        prepared = Prepared(self.root)
        try:
            copies = [row for row in wanted if not self._link(row, prepared)]
            linked = unverified.difference(oid for _, oid in copies)
            self.verify([(path, oid) for path, oid in wanted if oid in linked], progress)
            places = [(path, oid, self.find(path, oid)) for path, oid in copies]
            _check_space((prepared.at(path).parent, place) for path, _, place in places)
            self._copy_all(places, prepared, unverified, progress)
        except BaseException:
            prepared.drop()
            raise
        return prepared

    def verify(self, wanted: Iterable[tuple[str, ObjectId]], progress: Progress) -> None:
        """Hash objects in the cache.  Raises `DataError`: names those that are missing or corrupt."""
        rows = {oid: (path, self.find(path, oid)) for path, oid in wanted}
        jobs = [ToHash(str(place), oid.hash_name, os.stat(place), path) for oid, (path, place) in rows.items()]
        digests = hash_all(jobs, self.memory, progress=progress)
        refuse_corrupt(row for oid, row in rows.items() if digests.get((str(row[1]), oid.hash_name)) != oid.hex)

    def find(self, path: str, oid: ObjectId) -> Path:
        """Where an object lies.  Raises `DataError`: names `path`."""
        place = self.places.get(oid) or self.cache.find(oid)
        if place is None or not os.path.exists(place):
            raise DataError(f"missing from the DVC cache: {shown(path)}", hint="dvc fetch")
        return Path(place)

    def _link(self, row: tuple[str, ObjectId], prepared: Prepared) -> bool:
        source, target = self.find(*row), prepared.reserve(row[0])
        with carried(self.memory, source):
            return self.linker.link(source, target)

    def _copy_all(
        self,
        places: Sequence[tuple[str, ObjectId, Path]],
        prepared: Prepared,
        unverified: Unverified,
        progress: Progress,
    ) -> None:
        meter = Meter(sum(place.stat().st_size for _, _, place in places), progress)

        def copy_one(row: tuple[str, ObjectId, Path]) -> bool:
            path, oid, source = row
            told = meter.told(path)
            if oid in unverified:
                right = self._copy_hashed(source, prepared.at(path), oid, told)
            else:
                copy_file(source, prepared.at(path))
                right = True
            told(source.stat().st_size)
            return right

        answers = meter.map(copy_one, places)
        refuse_corrupt((path, place) for (path, _, place), right in zip(places, answers, strict=True) if not right)

    def _copy_hashed(self, source: Path, target: Path, oid: ObjectId, told: Callable[[int], object]) -> bool:
        """Copy and hash; whether the object is right, and did not change meanwhile."""
        before = os.stat(source)
        digest = _copy_small(source, target, oid) if before.st_size < CHUNK else _copy_large(source, target, oid, told)
        self.memory.keep(source, before, {oid.hash_name: digest})
        after = os.stat(source)
        same = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
        return same and digest == oid.hex and os.stat(target).st_size == after.st_size


def _copy_small(source: Path, target: Path, oid: ObjectId) -> str:
    hasher = new_hasher(oid.hash_name)
    with open_regular(source) as stream, FileIO(target, "xb") as sink:
        block = memoryview(stream.read(CHUNK) or b"")
        hasher.update(block)
        write_all(sink, block)
    return hasher.hexdigest()


def _copy_large(source: Path, target: Path, oid: ObjectId, told: Callable[[int], object]) -> str:
    """The kernel copies while we hash: 1 GB in 1.6 s, as hashing alone; block by block through one buffer it is 2.1."""
    with ThreadPoolExecutor(1) as pool:
        copying = pool.submit(copy_file, source, target)
        digests, _ = hash_source(source, (oid.hash_name,), told)
        copying.result()
    return digests[oid.hash_name]


def _check_space(copies: Iterable[tuple[Path, Path]]) -> None:
    """Refuse, before a byte is written, when (folder, source) rows do not fit into the folders' file systems."""
    needed: dict[int, int] = defaultdict(int)
    folders: dict[int, Path] = {}
    for folder, source in copies:
        device = os.stat(folder).st_dev
        needed[device] += source.stat().st_size
        folders[device] = folder
    for device, folder in folders.items():
        free = shutil.disk_usage(folder).free
        if needed[device] > free:
            message = f"no space left in {folder}: {size(needed[device])} are needed, {size(free)} are free"
            raise EnvironmentProblem(message, hint="free some space, then run the same command again")


def refuse_corrupt(rows: Iterable[tuple[str, Path | str]]) -> None:
    """Raise `DataError` when there are any (path, object); they are named."""
    bad = sorted((path, str(place)) for path, place in rows)
    if bad:
        places = " ".join(shlex.quote(place) for _, place in bad[:3])
        names = some_of([shown(path) for path, _ in bad])
        raise DataError(f"corrupt in the DVC cache: {names}", hint=f"rm -f {places} && dvc fetch")


@contextmanager
def carried(memory: HashMemory, place: Path | str) -> Iterator[None]:
    """Around something that makes, moves or removes a hard link of the object at `place`: what is known stays known."""
    try:
        before = os.stat(place)
    except OSError:
        yield
        return
    yield
    memory.relinked(place, before)
