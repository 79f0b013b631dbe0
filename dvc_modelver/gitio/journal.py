"""The journal: what a command was about to make true, so that a kill leaves something to finish or undo.

Written before the first change that others could see, removed after the last one.  One file under the Git
common directory, guarded by the lock.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from dvc_modelver.core.text import redact
from dvc_modelver.errors import ModelverError
from dvc_modelver.gitio.commits import undo_commit
from dvc_modelver.gitio.process import GitProcess
from dvc_modelver.gitio.refs import RefUpdate, read_ref, update_refs
from dvc_modelver.gitio.remotes import read_remote_tags
from dvc_modelver.gitio.repository import Repository


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """What is under way."""

    action: str
    refs: tuple[tuple[str, str], ...] = ()
    """(full ref name, object id) of the tags to come into being here."""
    remote: str | None = None
    """Set when they were pushed there first: what the remote has decides whether to finish."""
    head: str | None = None
    """The commit that HEAD named before a card was committed."""
    files: tuple[str, ...] = ()


def write_journal(state_dir: Path, journal: Journal) -> None:
    """Make `journal` the one that a kill would leave."""
    state_dir.mkdir(parents=True, exist_ok=True)
    temporary = state_dir / "journal.new"
    temporary.write_text(json.dumps(asdict(journal)))
    os.replace(temporary, state_dir / "journal")


def clear_journal(state_dir: Path) -> None:
    (state_dir / "journal").unlink(missing_ok=True)


def read_journal(state_dir: Path) -> Journal | None:
    """What an interrupted command left; None when nothing."""
    try:
        raw = json.loads((state_dir / "journal").read_text())
        return Journal(
            action=str(raw["action"]),
            refs=tuple((str(ref), str(oid)) for ref, oid in raw["refs"]),
            remote=raw["remote"],
            head=raw["head"],
            files=tuple(raw["files"]),
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def recover(repository: Repository) -> str | None:
    """Finish or undo what a killed command left; what was done, in words, or None when nothing was left.

    The caller holds the lock.  Raises `EnvironmentProblem` when the remote must be asked and cannot be.
    """
    journal = read_journal(repository.state_dir)
    if journal is None:
        return None
    said = _settle(repository, journal)
    clear_journal(repository.state_dir)
    return said


def _settle(repository: Repository, journal: Journal) -> str:
    git = repository.git
    missing = [(ref, oid) for ref, oid in journal.refs if read_ref(git, ref) != oid]
    names = ", ".join(ref.removeprefix("refs/tags/") for ref, _ in journal.refs)
    if journal.refs and not missing:
        return f"{names}: an interrupted {journal.action} had been finished"
    if missing and journal.remote is not None and _published(git, journal.remote, missing):
        update_refs(git, [RefUpdate(ref, oid) for ref, oid in missing], f"{journal.action}: finished")
        return f"{names}: finished an interrupted {journal.action} (it was on {redact(journal.remote)} already)"
    if journal.head is not None:
        undo_commit(repository, journal.head, journal.files)
    return f"an interrupted {journal.action} was undone"


def _published(git: GitProcess, remote: str, refs: Sequence[tuple[str, str]]) -> bool:
    try:
        there = {f"refs/tags/{ref.name}": ref.oid for ref in read_remote_tags(git, remote)}
    except ModelverError as error:
        error.hint = f"an interrupted command waits for {redact(remote)} to answer"
        raise
    return all(there.get(ref) == oid for ref, oid in refs)
