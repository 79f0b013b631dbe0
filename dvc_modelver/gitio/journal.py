"""The journal: what a command was about to make true, so that a kill leaves something to finish or undo.

Written before the first change that others could see, removed after the last one.  One file under the Git
common directory, guarded by the lock.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path

from dvc_modelver.core.tagobjects import TagRef
from dvc_modelver.core.tags import PREFIX
from dvc_modelver.core.text import redact
from dvc_modelver.errors import EnvironmentProblem
from dvc_modelver.gitio.commits import Before, is_movable, undo_commit
from dvc_modelver.gitio.leftovers import sweep
from dvc_modelver.gitio.process import GitProcess
from dvc_modelver.gitio.refs import RefUpdate, drop_and_update_refs, read_ref
from dvc_modelver.gitio.remotes import push_url, read_remote_tags
from dvc_modelver.gitio.repository import Repository
from dvc_modelver.gitio.seenlog import Published, SeenLog, append_seen

Ref = tuple[str, str]
"""(full ref name, object id)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """What is under way."""

    action: str
    refs: tuple[Ref, ...] = ()
    """The tags to come into being here."""
    drops: tuple[Ref, ...] = ()
    """The tags that go when those come."""
    remote: str | None = None
    """Set when they are pushed there first: what the remote has decides whether to finish."""
    before: Before | None = None
    """What our commit found."""
    place: str | None = None
    """The work tree that `before`, `rest` and a goal of `HEAD` are about; None: of no one in particular."""
    rest: str = ""
    """What else is under way, for the command that settles it."""
    goal: Ref | None = None
    """(ref or `HEAD`, object id): from when it names that, all is made, and nothing is undone any more."""

    @property
    def files(self) -> tuple[str, ...]:
        return tuple(path for path, _ in self.before.files) if self.before is not None else ()


def write_journal(state_dir: Path, journal: Journal) -> None:
    """Make `journal` the one that a kill would leave."""
    state_dir.mkdir(parents=True, exist_ok=True)
    temporary = state_dir / "journal.new"
    try:
        temporary.write_text(json.dumps(asdict(journal)))
        os.replace(temporary, state_dir / "journal")
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise EnvironmentProblem(
            f"cannot write {state_dir / 'journal'}: {error.strerror}", hint="check the disk and who may write there"
        ) from error


def clear_journal(state_dir: Path) -> None:
    (state_dir / "journal").unlink(missing_ok=True)


def read_journal(state_dir: Path) -> Journal | None:
    """What an interrupted command left; None when nothing."""
    try:
        raw = json.loads((state_dir / "journal").read_text())
        return Journal(
            action=str(raw["action"]),
            refs=_pairs(raw["refs"]),
            drops=_pairs(raw["drops"]),
            remote=raw["remote"],
            before=_before(raw["before"]) if raw["before"] is not None else None,
            place=str(raw["place"]) if raw.get("place") is not None else None,
            rest=str(raw.get("rest", "")),
            goal=_pairs([raw["goal"]])[0] if raw.get("goal") is not None else None,
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _before(raw: Mapping[str, object]) -> Before:
    branch, folders = raw["branch"], raw["folders"]
    if not isinstance(folders, list):
        raise TypeError(folders)
    return Before(
        head=str(raw["head"]),
        branch=str(branch) if branch is not None else None,
        files=_pairs(raw["files"]),
        folders=tuple(map(str, folders)),
    )


def _pairs(raw: object) -> tuple[Ref, ...]:
    if not isinstance(raw, list):
        raise TypeError(raw)
    return tuple((str(name), str(oid)) for name, oid in raw)


def recover(repository: Repository, rest: Callable[[str], None] | None = None) -> str | None:
    """Finish or undo what a killed command left; what was done, in words, or None when nothing was left.

    The caller holds the lock; `rest` settles what the journal says of more than Git, once Git's part is settled.
    Raises `EnvironmentProblem` when the remote must be asked and cannot be.
    """
    (repository.state_dir / "journal.new").unlink(missing_ok=True)
    sweep(repository.state_dir)
    if not (repository.state_dir / "journal").exists():
        return None
    journal = read_journal(repository.state_dir)
    # Written in one step, an unreadable one is damage from outside: it cannot be followed, nor block for ever.
    said = _settle(repository, journal) if journal is not None else "a journal that cannot be read was dropped"
    if journal is not None and journal.rest and rest is not None:
        rest(journal.rest)
    clear_journal(repository.state_dir)
    return said


class Way(Enum):
    """What becomes of what was interrupted."""

    MADE = "made"
    """All is there already; only our own notes are brought up to date."""
    FINISH = "finish"
    """The remote has it already, so it is made here too."""
    UNDO = "undo"
    GIVE_UP = "give up"
    """People went on from there: nothing is touched."""


def choose_way(repository: Repository, journal: Journal) -> Way:
    """What `recover` does with `journal`.  Raises `EnvironmentProblem` when the remote must say and does not."""
    git = repository.git
    if journal.goal is not None and read_ref(git, journal.goal[0]) == journal.goal[1]:
        return Way.MADE
    missing = [ref for ref, oid in journal.refs if read_ref(git, ref) != oid]
    if journal.refs and not missing:
        return Way.MADE
    if missing and journal.remote is not None and remote_state(git, journal.remote, journal.refs) is True:
        return Way.FINISH
    return Way.UNDO if journal.before is None or is_movable(git, journal.before) else Way.GIVE_UP


def _settle(repository: Repository, journal: Journal) -> str:
    way = choose_way(repository, journal)
    names = ", ".join(ref.removeprefix(PREFIX) for ref, _ in journal.refs)
    start = f"{names}: " if names else ""
    if way in (Way.MADE, Way.FINISH):
        here = {ref: read_ref(repository.git, ref) for ref, _ in journal.refs}
        foreign = [ref.removeprefix(PREFIX) for ref, oid in journal.refs if here[ref] not in (None, oid)]
        finish(repository, journal)
        if foreign:
            return f"{', '.join(foreign)}: not the object that the remote has: git fetch --tags --force takes its own"
        if way is Way.MADE:
            return f"{start}an interrupted {journal.action} had been finished"
        return f"{start}finished an interrupted {journal.action} (it was on {redact(journal.remote or '')} already)"
    if way is Way.GIVE_UP or (journal.before is not None and not undo_commit(repository, journal.before)):
        return f"an interrupted {journal.action} was given up; its commit is part of the history by now"
    return f"an interrupted {journal.action} was undone"


def finish(repository: Repository, journal: Journal, *, fresh: bool = False) -> None:
    """Create the tags that are not here yet, drop those that go, in one step; and note whose they are.

    With `fresh` none of the tags may be here: one that is there all the same is a `Conflict`.
    """
    if not journal.refs:
        return
    git = repository.git
    new = [RefUpdate(ref, oid) for ref, oid in journal.refs if fresh or read_ref(git, ref) is None]
    gone = [(ref, oid) for ref, oid in journal.drops if read_ref(git, ref) == oid]
    drop_and_update_refs(git, gone, new, journal.action)
    tags = [TagRef(ref.removeprefix(PREFIX), oid, None) for ref, oid in journal.refs]
    Published(repository.state_dir).note(tags, published=journal.remote is not None)
    if journal.drops:
        SeenLog(repository.state_dir).forget(ref.removeprefix(PREFIX) for ref, _ in journal.drops)
    append_seen(repository.state_dir, tags)


def remote_state(git: GitProcess, remote: str, refs: Sequence[Ref]) -> bool | None:
    """True when the remote has all these objects, False when it has another under one of the names, else None.

    Raises `EnvironmentProblem` when it does not answer.
    """
    try:
        tags = read_remote_tags(git, push_url(git, remote), [ref for ref, _ in refs])
    except EnvironmentProblem as error:
        error.hint = (
            f"an interrupted command waits for {redact(remote)} to say whether it was published; if it never will, "
            "look at .git/modelver/journal and delete it"
        )
        raise
    there = {PREFIX + tag.name: tag.oid for tag in tags}
    if any(there.get(ref, oid) != oid for ref, oid in refs):
        return False
    return True if all(ref in there for ref, _ in refs) else None
