"""What an interrupted command has left, what is to become of it, and locks that may have been forgotten."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from dvc_modelver.commands.project import Project
from dvc_modelver.commands.publishing import at_place, refuse_inside_dvc, settle_left
from dvc_modelver.commands.restoration.bytes import parse_rest
from dvc_modelver.errors import EnvironmentProblem
from dvc_modelver.gitio.journal import Journal, Way, choose_way, read_journal
from dvc_modelver.gitio.lock import writing

OLD_LOCK = timedelta(minutes=1)
"""A younger lock may well be that of a git at work."""
_WILL = {
    Way.MADE: "all of it is made: our own notes are brought up to date",
    Way.FINISH: "finish it: the remote has it already",
    Way.UNDO: "undo it: branch, index, files and outputs become what they were",
    Way.GIVE_UP: "leave it: people have gone on from there",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What an interrupted command has left."""

    action: str
    """The command; empty when what it left cannot be read."""
    since: datetime
    """When it last wrote down where it was, UTC."""
    model: str | None = None
    version: str | None = None
    """Where a rollback was going."""
    refs: tuple[str, ...] = ()
    """Full names of those that come or go."""
    files: tuple[str, ...] = ()
    """Git's."""
    outputs: tuple[str, ...] = ()
    """DVC's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """What was found, and what was done about it."""

    left: Left | None
    """None: nothing to recover."""
    will: str | None = None
    """What is to be done; None when nothing was asked."""
    done: str | None = None
    """What was done; None when nothing was."""
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """A lock of git's."""

    path: str
    age: timedelta

    @property
    def old(self) -> bool:
        """Whether it is too old for a git that is at work."""
        return self.age >= OLD_LOCK


def read_left(project: Project, *, alone: bool = False) -> Left | None:
    """What an interrupted command has left; None when nothing, or while that command still runs.

    `alone`: the caller holds the clone's lock.
    """
    state_dir = project.repository.state_dir
    since = _changed(state_dir / "journal")
    if since is None or (not alone and is_held(state_dir)):
        return None
    journal = read_journal(state_dir)
    return Left(action="", since=since) if journal is None else _left(journal, since)


def _left(journal: Journal, since: datetime) -> Left:
    rest = parse_rest(journal.rest)
    goal = [journal.goal[0]] if journal.goal is not None and journal.goal[0] != "HEAD" else []
    branch = [journal.before.branch] if journal.before is not None and journal.before.branch is not None else []
    paths = {one.path for row in rest.rows for one in row if one is not None} if rest is not None else set()
    return Left(
        action=journal.action,
        since=since,
        model=rest.name if rest is not None else None,
        version=rest.version if rest is not None else None,
        refs=(*(ref for ref, _ in (*journal.refs, *journal.drops)), *branch, *goal),
        files=journal.files,
        outputs=tuple(sorted(paths)),
    )


def recover(project: Project, *, dry_run: bool) -> Recovery:
    """Finish or undo what an interrupted command has left, as the next command that writes would do.

    Raises:
        EnvironmentProblem: a command is at work, a lock of git's is in the way, or the remote must say and does not.
        Refused: this runs inside a pipeline stage.
    """
    if not dry_run:
        refuse_inside_dvc(project)
    if dry_run:
        left = read_left(project)
        return Recovery(left=left, will=_will(project) if left is not None else None, dry_run=True)
    with writing(project.repository.state_dir):
        left = read_left(project, alone=True)
        will = _will(project) if left is not None else None
        return Recovery(left=left, will=will, done=settle_left(project))


def _will(project: Project) -> str:
    journal = read_journal(project.repository.state_dir)
    if journal is None:
        return "drop it: it cannot be read"
    with at_place(project, journal) as there:
        if there is None:
            return "drop it: its work tree is gone"
        will = _WILL[choose_way(there.repository, journal)]
        return will if there is project else f"in {there.root}: {will}"


def read_locks(project: Project) -> tuple[Lock, ...]:
    """Git's locks in this repository, by their paths."""
    now = project.around.now()
    found = {}
    for place in sorted({*_locks(project.repository.git_dir), *_locks(project.repository.common_dir)}):
        since = _changed(place)
        if since is not None:
            found[str(place)] = Lock(path=str(place), age=max(now - since, timedelta()))
    return tuple(found.values())


def _locks(git_dir: Path) -> Iterator[Path]:
    yield from git_dir.glob("*.lock")
    for folder, _, names in os.walk(git_dir / "refs"):
        yield from (Path(folder, name) for name in names if name.endswith(".lock"))


def is_held(state_dir: Path) -> bool:
    """Whether a command that writes is at work in this clone; nothing is made."""
    if not os.access(state_dir / "lock", os.W_OK):
        return False
    try:
        with writing(state_dir, wait=0):
            return False
    except EnvironmentProblem:
        return True


def _changed(place: Path) -> datetime | None:
    try:
        return datetime.fromtimestamp(place.stat().st_mtime, timezone.utc)
    except OSError:
        return None
