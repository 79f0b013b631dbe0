"""Carry out a restore: everything is prepared and verified first, then renamed, and undone on any failure."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from dvc_modelver.core.progress import Progress, no_progress
from dvc_modelver.dvcio.filling import Filler, Prepared, Unverified
from dvc_modelver.dvcio.listing import ObjectId
from dvc_modelver.dvcio.paths import parents
from dvc_modelver.dvcio.scratch import disk_problem
from dvc_modelver.dvcio.steps import Change, Steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a restore does; nothing else in the work tree is touched."""

    changes: tuple[Change, ...]
    """Sorted by path."""
    outputs: tuple[str, ...]
    """The outputs in which anything changes."""
    size: int
    """Bytes of the files that are put."""
    folders: tuple[str, ...] = ()
    """Tracked directories that must be there, also when they are empty."""
    gone: tuple[str, ...] = ()
    """Directories in the way or no longer tracked; they go when nothing is left in them."""
    unverified: Unverified = frozenset()
    """Objects that are hashed when they are put."""


class Restore:
    """A plan and the means to carry it out.  One process at a time; not for several threads.

    Killed anywhere, each file is as before, as wanted, or (only where a file becomes a directory, or the reverse)
    absent, and its bytes are in the cache; planning the same again finishes it, planning the reverse undoes it.
    """

    def __init__(self, plan: Plan, filler: Filler) -> None:
        self.plan = plan
        self._filler = filler
        self._steps = Steps(filler)
        self._prepared: Prepared | None = None
        self._applied = False

    @property
    def changed(self) -> tuple[str, ...]:
        """The outputs of which any file is put or removed."""
        return self.plan.outputs

    @property
    def puts(self) -> tuple[str, ...]:
        """Paths whose file is put or replaced, sorted."""
        return tuple(path for path, _ in self._wanted())

    @property
    def removals(self) -> tuple[str, ...]:
        """Paths whose file is removed, sorted."""
        return tuple(change.path for change in self.plan.changes if change.new is None)

    def verify(self, *, progress: Progress = no_progress) -> None:
        """Hash what would else be hashed while it is copied: for a plan that is only shown.

        Raises:
            DataError: names the objects that are missing or corrupt.
        """
        with self._saved():
            self._filler.verify([row for row in self._wanted() if row[1] in self.plan.unverified], progress)

    def stage(self, *, progress: Progress = no_progress) -> None:
        """Prepare every file under a temporary name, verified; all that remains for `apply` is renaming.

        Raises:
            DataError: an object is missing or corrupt.
            EnvironmentProblem: disk full, no permission, no link type works.
            Nothing has changed then, and nothing is left behind.
        """
        if self._prepared is None and not self._applied:
            with self._saved():
                self._prepared = self._filler.prepare(self._wanted(), self.plan.unverified, progress)

    def drop(self) -> None:
        """Remove what `stage` has prepared and `apply` has not used."""
        if self._prepared is not None:
            self._prepared.drop()
            self._prepared = None

    def apply(self, *, progress: Progress = no_progress) -> None:
        """Make the work tree as planned; the second time nothing happens.

        Raises:
            Refused: a file has changed since it was planned.
            DataError, EnvironmentProblem: as `stage`.
            On these, and on any interrupt, the work tree is as before.
        """
        if self._applied:
            return
        self.stage(progress=progress)
        try:
            with self._saved():
                gone = set(self.plan.gone)
                self._steps.refuse_changed(change for change in self.plan.changes if change.path not in gone)
                self._change()
                self._applied = True
                self._remember()
        except BaseException:
            self.undo()
            raise
        finally:
            self.drop()

    def undo(self) -> None:
        """Put back, from the cache, what `apply` has changed.

        Raises:
            Refused: names files that somebody has changed since; they stay as they are, the others are put back.
            EnvironmentProblem: disk full, no permission.
        """
        self.drop()
        with self._saved():
            self._steps.undo()
        self._applied = False

    def _wanted(self) -> list[tuple[str, ObjectId]]:
        return [(change.path, change.new) for change in self.plan.changes if change.new is not None]

    @contextmanager
    def _saved(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise disk_problem(error, self._filler.root) from None
        finally:
            self._filler.memory.save()

    def _change(self) -> None:
        """What is in the way of other files goes first, all else that goes last."""
        assert self._prepared is not None
        puts = set(self.puts)
        ways = {parent for path in (*puts, *self.plan.folders) for parent in parents(path)}.union(self.plan.folders)

        def blocks(path: str) -> bool:
            return path in ways or path in puts or not puts.isdisjoint(parents(path))

        removals = [change for change in self.plan.changes if change.new is None]
        for change in (change for change in removals if blocks(change.path)):
            self._steps.remove(change)
        for path in _deepest_first(path for path in self.plan.gone if path not in ways and blocks(path)):
            self._steps.remove_folder(path)
        for change in self.plan.changes:
            if change.new is not None:
                self._steps.put(change, self._prepared.at(change.path))
        for path in self.plan.folders:
            for folder in (*reversed(parents(path)), path):
                self._steps.make_folder(folder)
        self._finish([change for change in removals if not blocks(change.path)])

    def _finish(self, removals: list[Change]) -> None:
        for change in removals:
            self._steps.remove(change)
        emptied = {parent for path in self.removals for parent in parents(path)}.union(self.plan.gone)
        for path in _deepest_first(emptied.difference(self.plan.folders)):
            self._steps.remove_folder(path)

    def _remember(self) -> None:
        """The copies that were just made need not be hashed next time."""
        copies = [row for row in self._steps.written() if _is_copy(row[1])]
        self._filler.memory.keep_written([(place, state, {oid.hash_name: oid.hex}) for place, state, oid in copies])


def _is_copy(state: os.stat_result) -> bool:
    return stat.S_ISREG(state.st_mode) and state.st_nlink == 1


def _deepest_first(paths: Iterable[str]) -> list[str]:
    return sorted(paths, key=lambda path: (-path.count("/"), path))
