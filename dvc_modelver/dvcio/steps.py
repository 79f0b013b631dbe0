"""Single changes of a work tree, each written down before it is done, so that it can be undone."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from dvc_modelver.core.progress import no_progress
from dvc_modelver.dvcio.content import some_of
from dvc_modelver.dvcio.filling import Filler, Prepared, carried
from dvc_modelver.dvcio.listing import ObjectId
from dvc_modelver.dvcio.paths import parents, shown
from dvc_modelver.errors import Refused

_EXECUTABLE = 0o111


@dataclass(frozen=True, slots=True, kw_only=True)
class Executable:
    """Outputs that can be run: `isexec: true` in `dvc.lock` and `.dvc` files."""

    before: frozenset[str] = frozenset()
    """As HEAD says."""
    after: frozenset[str] = frozenset()
    """As is wanted."""

    def wanted(self, path: str, before: os.stat_result | None) -> bool:
        """Whether the file is to be such; one that a person has made so stays so."""
        if path in self.after or path in self.before or before is None or not stat.S_ISREG(before.st_mode):
            return path in self.after
        return bool(before.st_mode & _EXECUTABLE)


NOTHING_EXECUTABLE = Executable()


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One file that is put, replaced or removed."""

    path: str
    """From the root, POSIX."""
    before: os.stat_result | None
    """What lay there when it was planned; None: nothing."""
    old: ObjectId | None
    """The object with the bytes that lay there; None: nothing lay there."""
    new: ObjectId | None
    """The object that is put; None: the file is removed."""
    executable: bool = False
    """Whether the file that is put can be run."""


@dataclass(frozen=True, slots=True)
class _Step:
    """What was begun; whether it was done is seen from the work tree."""

    path: str
    change: Change | None = None
    """None: the directory `path` was made or removed."""
    after: os.stat_result | None = None
    """What lies there when it is done."""
    made: bool = False


class Steps:
    """Does steps and undoes them."""

    def __init__(self, filler: Filler) -> None:
        self._filler = filler
        self._done: list[_Step] = []
        self._folders: set[str] = set()
        """Directories that are known to be there."""

    def place(self, path: str) -> Path:
        """`path` in the file system."""
        return self._filler.root / path

    def refuse_changed(self, changes: Iterable[Change]) -> None:
        """Raise `Refused` when a file is not as it was planned."""
        changed = [change.path for change in changes if not is_as(self.place(change.path), change.before)]
        _refuse(changed, "changed meanwhile", hint="run the same command again")

    def put(self, change: Change, ready: Path) -> None:
        """Give the file at `ready` its name."""
        for parent in reversed(parents(change.path)):
            self.make_folder(parent)
        if change.executable:
            _make_executable(ready)
        self.refuse_changed([change])
        self._done.append(_Step(change.path, change, os.lstat(ready)))
        self._carried(change, lambda: os.replace(ready, self.place(change.path)))

    def remove(self, change: Change) -> None:
        """Remove the file, whose bytes are in the cache."""
        self._refuse_links(change.path)
        self.refuse_changed([change])
        self._done.append(_Step(change.path, change))
        self._carried(change, lambda: os.unlink(self.place(change.path)))

    def _refuse_links(self, path: str) -> None:
        """Somebody may have put a link in a directory's place since it was planned."""
        if any(self.place(above).is_symlink() for above in parents(path)):
            raise Refused(f"{shown(path)} lies behind a symbolic link", hint="put a directory there")

    def make_folder(self, path: str) -> None:
        """Make a directory, when it is not there."""
        if path not in self._folders and self.place(path).is_symlink():
            raise Refused(f"{shown(path)} is a symbolic link", hint="move it away, and put a directory there")
        if path not in self._folders and not self.place(path).is_dir():
            self._done.append(_Step(path, made=True))
            self.place(path).mkdir()
        self._folders.add(path)

    def remove_folder(self, path: str) -> None:
        """Remove a directory, when nothing is in it."""
        self._done.append(_Step(path))
        self._folders.discard(path)
        try:
            self.place(path).rmdir()
        except OSError:
            self._done.pop()

    def written(self) -> Iterator[tuple[Path, os.stat_result, ObjectId]]:
        """The files that were put, as they were when they were ready."""
        for step in self._done:
            if step.change is not None and step.change.new is not None and step.after is not None:
                yield self.place(step.path), step.after, step.change.new

    def undo(self) -> None:
        """Undo all steps, the last first.

        Raises:
            Refused: names files that somebody has changed since; they stay as they are, the others are put back.
            OSError: disk full, no permission.
        """
        self._folders.clear()
        steps, kept = self._done[::-1], []
        back = [(step.path, step.change.old) for step in steps if step.change is not None]
        wanted = [(path, oid) for path, oid in back if oid is not None]
        with self._filler.prepare(wanted, frozenset(), no_progress) as prepared:
            for step in steps:
                if step.change is None:
                    self._undo_folder(step)
                elif is_as(self.place(step.path), step.after):
                    self._undo_file(step.change, prepared)
                elif not is_as(self.place(step.path), step.change.before):
                    kept.append(step.path)
        self._done = []
        _refuse(kept, "changed meanwhile, and left as they are")

    def _undo_folder(self, step: _Step) -> None:
        place = self.place(step.path)
        with suppress(OSError):
            place.rmdir() if step.made else place.mkdir()

    def _undo_file(self, change: Change, prepared: Prepared) -> None:
        self._refuse_links(change.path)
        place = self.place(change.path)
        if change.old is None:
            place.unlink()
            return
        ready = prepared.at(change.path)
        if change.before is not None and stat.S_ISREG(change.before.st_mode) and change.before.st_mode & _EXECUTABLE:
            _make_executable(ready)
        self._carried(change, lambda: os.replace(ready, place))

    def _carried(self, change: Change, work: Callable[[], None]) -> None:
        """Do `work`; what is known of objects that are hard-linked stays known, though their ctime changes."""
        shared = self._filler.linker.shares or (change.before is not None and change.before.st_nlink > 1)
        places = (self._filler.places.get(oid) for oid in (change.old, change.new) if shared and oid is not None)
        with ExitStack() as kept:
            for place in places:
                if place is not None:
                    kept.enter_context(carried(self._filler.memory, place))
            work()


def is_as(place: Path, state: os.stat_result | None) -> bool:
    """Whether there is the same file as in `state` (links to it may have come or gone), or nothing as then."""
    try:
        now = os.lstat(place)
    except (FileNotFoundError, NotADirectoryError):
        return state is None
    return state is not None and _identity(now) == _identity(state)


def _identity(state: os.stat_result) -> tuple[int, ...]:
    return stat.S_IFMT(state.st_mode), state.st_size, state.st_mtime_ns, state.st_ino, state.st_dev


def _make_executable(ready: Path) -> None:
    """For all who may read it; the mode of a file that the cache shares is never touched."""
    now = os.lstat(ready)
    if stat.S_ISREG(now.st_mode) and now.st_nlink == 1:
        os.chmod(ready, stat.S_IMODE(now.st_mode) | (now.st_mode & 0o444) >> 2)


def _refuse(paths: Sequence[str], why: str, *, hint: str = "") -> None:
    if paths:
        raise Refused(f"{why}: {some_of([shown(path) for path in paths])}", hint=hint)
