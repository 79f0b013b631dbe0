"""Plan which files of a work tree a restore puts, replaces and removes; whatever would lose bytes is refused here."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from dvc_modelver.core.facts import Output
from dvc_modelver.core.progress import Progress, no_progress
from dvc_modelver.dvcio.cache import Cache
from dvc_modelver.dvcio.config import DvcConfig
from dvc_modelver.dvcio.digests import ToHash, are_equal, hash_all
from dvc_modelver.dvcio.filling import Filler, refuse_corrupt
from dvc_modelver.dvcio.hashing import CHUNK
from dvc_modelver.dvcio.hashmemory import HashMemory
from dvc_modelver.dvcio.links import Linker
from dvc_modelver.dvcio.listing import ObjectId
from dvc_modelver.dvcio.paths import parents
from dvc_modelver.dvcio.present import check_path, look
from dvc_modelver.dvcio.putting import Plan, Restore
from dvc_modelver.dvcio.refusals import BAD_COPY, UNSAVED, UNTRACKED, harmless, refuse_lost
from dvc_modelver.dvcio.scratch import disk_problem
from dvc_modelver.dvcio.sides import find_objects, refuse_missing, saved_side, wanted_side
from dvc_modelver.dvcio.steps import NOTHING_EXECUTABLE, Change, Executable

__all__ = ["Executable", "Restore", "Row", "check_objects", "plan_restore"]

Row = tuple[Output | None, Output | None]
"""What HEAD names at a path, and what is wanted there; None: nothing."""
Digests = Mapping[tuple[str, str], str]


def plan_restore(
    root: Path,
    cache: Cache,
    rows: Sequence[Row],
    memory: HashMemory,
    *,
    config: DvcConfig | None = None,
    progress: Progress = no_progress,
    leaving: Collection[str] = (),
    executable: Executable = NOTHING_EXECUTABLE,
) -> Restore:
    """Compare the work tree with what HEAD names and with what is wanted; nothing is changed.

    A file is put only where nothing lies, or where what lies there is exactly what HEAD names and its bytes are in
    the cache too, hashed.  Wanted objects are hashed now when the work tree will share them; those that will be
    copied are hashed by `Restore.stage`, in the same pass, or by `Restore.verify`.

    Args:
        root: the Git root; every output's path starts there.
        cache: of the DVC repository that all `rows` belong to.
        memory: of what was hashed before; saved at the end.
        config: names the link types; by default DVC's own default.
        progress: told bytes hashed.
        leaving: files that somebody else keeps, and takes away before `Restore.apply`.
        executable: outputs that can be run, as HEAD and as the target say.

    Raises:
        Refused: bytes would be lost (the first files are named), or a path leads out of the root, into `.git`, or
            through a symbolic link.
        DataError: an object that is wanted is missing or corrupt, or DVC keeps no md5 of an output.
        BadInput: a hostile directory listing, wanted outputs that overlap, an unknown link type.
        EnvironmentProblem: a file cannot be read.
    """
    linker = Linker(config.cache_types if config is not None else ())
    filler = Filler(root=root, cache=cache, memory=memory, linker=linker)
    try:
        return Restore(_Planner(filler, rows, frozenset(leaving), executable).plan(progress), filler)
    except OSError as error:
        raise disk_problem(error, root) from None
    finally:
        memory.save()


def check_objects(
    outputs: Iterable[Output], cache: Cache, memory: HashMemory, *, progress: Progress = no_progress
) -> None:
    """Hash every object of `outputs`, whatever lies in the work tree.

    Raises:
        DataError: one is missing or corrupt, or DVC keeps no md5 of an output.
        BadInput: a hostile directory listing, outputs that overlap.
        EnvironmentProblem: an object cannot be read.
    """
    side = wanted_side(outputs, cache)
    objects = find_objects(set(side.files.values()), cache)
    refuse_missing(side, objects)
    jobs = (ToHash(place, oid.hash_name, state) for oid, (place, state) in objects.found.items())
    try:
        digests = hash_all(jobs, memory, progress=progress)
    except OSError as error:
        raise disk_problem(error, cache.directory) from None
    finally:
        memory.save()
    wrong = {oid for oid in objects.found if digests.get(objects.key(oid)) != oid.hex}
    refuse_corrupt((path, objects.found[oid][0]) for path, oid in side.files.items() if oid in wrong)


class _Planner:
    """What is named, what lies there, and what follows."""

    def __init__(self, filler: Filler, rows: Sequence[Row], leaving: frozenset[str], executable: Executable) -> None:
        self._filler, root, cache = filler, filler.root, filler.cache
        self._executable = executable
        self._tops = sorted({output.path for row in rows for output in row if output is not None})
        for path in self._tops:
            check_path(root, path, leaving.union(self._tops) if leaving else self._tops)
        self._new = wanted_side((new for _, new in rows if new is not None), cache)
        self._old = saved_side((old for old, _ in rows if old is not None), cache)
        self._objects = find_objects({*self._new.files.values(), *self._old.files.values()}, cache)
        refuse_missing(self._new, self._objects)
        filler.places.update({oid: place for oid, (place, _) in self._objects.found.items()})
        self._present = look(root, self._tops)
        for path in leaving.intersection(self._present.files):
            del self._present.files[path]

    def plan(self, progress: Progress) -> Plan:
        """Decide every file, or refuse."""
        shared = dict(self._shared())
        shared.update(self._twins(shared))
        digests = hash_all(self._jobs(shared), self._filler.memory, progress=progress)
        now = {path: self._which(path, shared, digests) for path in self._present.files}
        wrong = {o for o in self._objects.found if digests.get(self._objects.key(o), o.hex) != o.hex}
        self._refuse(now, wrong)
        changes = tuple(self._changes(now))
        puts = [change.new for change in changes if change.new is not None]
        touched = {above for change in changes for above in (change.path, *parents(change.path))}
        return Plan(
            changes=changes,
            outputs=tuple(top for top in self._tops if top in touched),
            size=sum(self._objects.found[oid][1].st_size for oid in puts),
            folders=tuple(sorted(self._new.folders)),
            gone=tuple(sorted(path for path in self._present.folders if self._goes(path))),
            unverified=frozenset(oid for oid in puts if self._objects.key(oid) not in digests),
        )

    def _goes(self, folder: str) -> bool:
        """Whether a directory is in the way of a file, or (part of) an output that is not wanted any more."""
        places = (folder, *parents(folder))
        return any(p in self._new.files or (p in self._old.folders and p not in self._new.folders) for p in places)

    def _place(self, path: str) -> str:
        return f"{self._filler.root}{os.sep}{path}"

    def _candidates(self, path: str) -> list[ObjectId]:
        return [oid for side in (self._new, self._old) if (oid := side.files.get(path)) is not None]

    def _shared(self) -> Iterator[tuple[str, ObjectId]]:
        """Files that are the very object of the cache: hard links of it, and symbolic links to it."""
        for path, state in self._present.files.items():
            for oid in self._candidates(path):
                if oid in self._objects.found and self._is_object(path, state, oid):
                    yield path, oid
                    break

    def _twins(self, shared: Mapping[str, ObjectId]) -> Iterator[tuple[str, ObjectId]]:
        """Large files that go and equal the object that HEAD names: hashing that object, which is needed, is enough."""
        for path, state in self._present.files.items():
            old = self._old.files.get(path)
            if path in shared or old is None or old not in self._objects.found or old == self._new.files.get(path):
                continue
            place, of_object = self._objects.found[old]
            large = stat.S_ISREG(state.st_mode) and state.st_size == of_object.st_size >= CHUNK
            known = large and self._filler.memory.known(self._place(path), state=state)
            if large and not known and are_equal(self._place(path), place):
                yield path, old

    def _is_object(self, path: str, state: os.stat_result, oid: ObjectId) -> bool:
        if stat.S_ISLNK(state.st_mode):
            try:
                state = os.stat(self._place(path))
            except OSError:
                return False
        return os.path.samestat(state, self._objects.found[oid][1])

    def _jobs(self, shared: Mapping[str, ObjectId]) -> Iterator[ToHash]:
        """The work tree's own files, the objects that it shares or will share, and those that must be safe."""
        for path, state in self._present.files.items():
            if path not in shared and stat.S_ISREG(state.st_mode):
                for name in {oid.hash_name for oid in self._candidates(path)}:
                    yield ToHash(self._place(path), name, state, path)
        for oid, path in self._needed(shared).items():
            place, state = self._objects.found[oid]
            yield ToHash(place, oid.hash_name, state, path)

    def _needed(self, shared: Mapping[str, ObjectId]) -> dict[ObjectId, str]:
        """Objects to hash now, with a path that people know them by."""
        needed = {oid: path for path, oid in shared.items()}
        for path, oid in self._old.files.items():
            if path in self._present.files and self._new.files.get(path) != oid and oid in self._objects.found:
                needed[oid] = path
        slow = sum(not self._is_remembered(oid) for oid in needed)
        # One large file that goes would keep one core busy, and the one that comes another one later.
        idle = 0 < slow < (os.cpu_count() or 1)
        for path, oid in self._new.files.items():
            if oid not in needed and (idle or self._filler.linker.shares or self._is_remembered(oid)):
                needed[oid] = path
        return needed

    def _is_remembered(self, oid: ObjectId) -> bool:
        place, state = self._objects.found[oid]
        return oid.hash_name in (self._filler.memory.known(place, state=state) or {})

    def _which(self, path: str, shared: Mapping[str, ObjectId], digests: Digests) -> ObjectId | None:
        """The object whose bytes lie at `path`: the wanted one, the one that HEAD names, or None: neither."""
        if path in shared:
            return shared[path]
        place = self._place(path)
        return next((oid for oid in self._candidates(path) if digests.get((place, oid.hash_name)) == oid.hex), None)

    def _refuse(self, now: Mapping[str, ObjectId | None], wrong: set[ObjectId]) -> None:
        untracked = {path for path in now if not self._candidates(path)}
        root, files, folders = self._filler.root, self._present.files, self._new.folders | self._old.folders
        lost = dict.fromkeys(untracked - harmless(root, untracked, files, self._new.files.keys(), folders), UNTRACKED)
        for path, oid in now.items():
            if oid is None and path not in untracked:
                lost[path] = UNSAVED
            elif oid is not None and oid != self._new.files.get(path) and self._is_lost(oid, wrong):
                lost[path] = BAD_COPY
        refuse_lost(lost, files, self._tops)
        refuse_corrupt((path, self._objects.found[oid][0]) for path, oid in self._new.files.items() if oid in wrong)

    def _is_lost(self, oid: ObjectId, wrong: set[ObjectId]) -> bool:
        return oid in wrong or oid not in self._objects.found

    def _changes(self, now: Mapping[str, ObjectId | None]) -> Iterator[Change]:
        for path in sorted({*now, *self._new.files}):
            old, new, before = now.get(path), self._new.files.get(path), self._present.files.get(path)
            runs = self._executable.wanted(path, before)
            if old != new or (new is not None and runs and self._must_become_executable(before)):
                yield Change(path=path, before=before, old=old, new=new, executable=runs)

    def _must_become_executable(self, before: os.stat_result | None) -> bool:
        """A file that shares its bytes with the cache never does: it is the cache's mode that would change."""
        if before is None or self._filler.linker.shares or not stat.S_ISREG(before.st_mode):
            return False
        return not before.st_mode & stat.S_IXUSR
