"""Notes on tag objects in `refs/notes/modelver`: read through the open `cat-file`, written by `git notes`.

`git notes append` moves its ref whatever it holds by then: of two at once the first is lost.  So it works on a
ref of a throw-away repository that shares our objects, and the real ref moves only from where it was read.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dvc_modelver.core.notes import NOTES_REF
from dvc_modelver.errors import Conflict, ModelverError
from dvc_modelver.gitio.leftovers import scratch
from dvc_modelver.gitio.objects import Objects
from dvc_modelver.gitio.process import GitFailed, GitProcess
from dvc_modelver.gitio.refs import RefUpdate, read_ref, update_refs
from dvc_modelver.gitio.repository import Repository
from dvc_modelver.gitio.tagging import committer

_SHORT = "modelver"
_TRIES = 60
_PAUSE = 0.05
"""Seconds between two tries when somebody else writes."""


@dataclass(frozen=True, slots=True)
class RawNote:
    """What stands on one object."""

    data: bytes
    size: int
    """Bytes; `data` is empty when that is more than was asked for."""


def read_note(git: GitProcess, objects: Objects, oid: str, limit: int) -> RawNote | None:
    """The text that `refs/notes/modelver` keeps on the object `oid`; None when there is none, or it cannot be read.

    Without any notes this is one question to a process that runs already (0.1 ms).

    Args:
        limit: bytes; of more only the size is told.
    """
    top = objects.resolve(f"{NOTES_REF}^{{tree}}")
    blob = None if top is None or top[1] != "tree" else _find(objects, top[0], oid)
    if blob is None:
        return None
    told = git.complete("cat-file", "-s", blob).stdout.strip()
    size = int(told) if told.isdigit() else -1
    if size < 0:
        return None
    return RawNote(objects.blob(blob) if size <= limit else b"", size)


def _find(objects: Objects, tree: str, rest: str) -> str | None:
    """The blob of a note: `OID` at the top, or below directories of two digits each, as git spreads many notes."""
    while rest:
        raw = objects.raw(tree)
        if raw is None or raw[0] != "tree":
            return None
        entries = objects.tree(tree)
        found = entries.get(rest)
        if found is not None:
            return None if found.is_directory else found.oid
        below = entries.get(rest[:2])
        if below is None or not below.is_directory:
            return None
        tree, rest = below.oid, rest[2:]
    return None


def append_note(repository: Repository, oid: str, line: str) -> None:
    """Put one more line on the object `oid`: wholly or not at all, and nothing of anybody else is lost.

    Raises:
        EnvironmentProblem: git does not know who we are, cannot write, or others write all the time.
    """
    git = repository.git
    ident = committer(git)
    with scratch("note") as folder:
        shared = throw_away(git, folder, repository.common_dir / "objects")
        for left in reversed(range(_TRIES)):
            old = read_ref(git, NOTES_REF) or ""
            new = _appended(git, shared, old, oid, line, ident)
            try:
                update_refs(git, [RefUpdate(NOTES_REF, new, old)], "note")
                return
            except (Conflict, GitFailed) as error:
                if left == 0 or not is_busy(error):
                    raise
                time.sleep(_PAUSE)


def is_busy(error: ModelverError) -> bool:
    """Whether somebody else was at the ref in this moment: worth another try."""
    said = error.stderr if isinstance(error, GitFailed) else ""
    return isinstance(error, Conflict) or ".lock': File exists" in said


def throw_away(git: GitProcess, folder: Path, objects: Path) -> dict[str, str]:
    """Make a repository in `folder` that shares `objects`; the variables with which git works in it."""
    object_format = git.line("rev-parse", "--show-object-format")
    bare = GitProcess(folder, git.env)
    bare.run("init", "--quiet", "--bare", "--template=", f"--object-format={object_format}", ".")
    return {"GIT_DIR": str(folder), "GIT_OBJECT_DIRECTORY": str(objects)}


def _appended(git: GitProcess, shared: Mapping[str, str], old: str, oid: str, line: str, ident: str) -> str:
    """The commit behind `old` (empty: the first) in which the note has the line; only objects are written."""
    who = _identity(ident)
    if old:
        git.run("update-ref", NOTES_REF, old, env=shared)
    else:
        git.run("update-ref", "-d", NOTES_REF, env=shared)
    words = ("notes", f"--ref={_SHORT}", "append", "-F", "-", "--end-of-options", oid)
    git.run(*words, stdin=f"{line}\n".encode("ascii"), env=shared, config=who)
    return git.run("rev-parse", "--verify", NOTES_REF, env=shared).decode("ascii").strip()


def _identity(ident: str) -> tuple[str, ...]:
    """Settings of the throw-away repository: no hooks, and the user, whose name may depend on the real one's place."""
    name, _, rest = ident.partition(" <")
    return (f"user.name={name}", f"user.email={rest.partition('>')[0]}", f"core.hooksPath={os.devnull}")
