"""Notes that travel: ours and the remote's `refs/notes/modelver` brought together, no line of either side lost.

`git notes merge` is not asked: it takes a note away that one side removed, and cuts a text at its first NUL byte.
Only objects are written until both are together; then the ref here moves from where it was read, then the remote's,
as a plain refspec, which a server takes only when it holds all that is there.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from dvc_modelver.core.notes import NOTES_REF, lines_of, merge_lines
from dvc_modelver.core.text import redact
from dvc_modelver.errors import Conflict, DataError, ModelverError
from dvc_modelver.gitio.leftovers import scratch
from dvc_modelver.gitio.notes import is_busy, throw_away
from dvc_modelver.gitio.objects import MAX_BLOB, Objects
from dvc_modelver.gitio.process import GitFailed
from dvc_modelver.gitio.refs import RefUpdate, is_ancestor, read_ref, update_refs
from dvc_modelver.gitio.remotes import PushRef, fetch_objects, push, push_url, read_remote_ref
from dvc_modelver.gitio.repository import Repository
from dvc_modelver.gitio.tagging import committer

_TRIES = 30
_PAUSE = 0.1
"""Seconds between two tries when others push."""
_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """What bringing two sides together takes; each an id of a commit, None where there are no notes."""

    here: str | None
    there: str | None
    both: str | None
    """Holds every line of either side."""

    @property
    def comes(self) -> bool:
        """Whether the remote has what this clone lacks."""
        return self.both != self.here

    @property
    def goes(self) -> bool:
        """Whether this clone has what the remote lacks."""
        return self.both != self.there


@dataclass(frozen=True, slots=True)
class _Side:
    """The notes in one commit."""

    commit: str
    paths: Mapping[str, tuple[str, ...]]
    """Object -> where its notes lie; a hand-made tree may have several."""
    blobs: Mapping[str, tuple[str, int]] = field(repr=False)
    """Path -> blob and its size in bytes."""


def meet(repository: Repository, remote: str, there: str | None) -> Meeting:
    """What is to be done so that both have all notes; objects are fetched and written, no ref moves.

    Args:
        there: what the remote's ref names.

    Raises:
        DataError: the ref of one side names no notes, or notes that are too large to be put together.
    """
    git = repository.git
    here = read_ref(git, NOTES_REF)
    if here is not None and not _is_commit(repository, here):
        raise DataError(f"{NOTES_REF} of this clone names no notes", hint=f"git update-ref -d {NOTES_REF}")
    if here is None or there is None or here == there:
        if there is not None and here is None:
            _bring(repository, remote, there)
        return Meeting(here=here, there=there, both=here or there)
    _bring(repository, remote, there)
    ours, theirs = _side(repository, here), _side(repository, there)
    with Objects(git) as objects:
        more_here = _merged(objects, ours, theirs)
        more_there = _merged(objects, theirs, ours)
    if not more_here:
        both = there
    elif not more_there and is_ancestor(git, there, here):
        both = here
    else:
        both = _commit(repository, ours, theirs, more_here)
    return Meeting(here=here, there=there, both=both)


def exchange(repository: Repository, remote: str, there: str | None) -> Meeting:
    """Give both sides all notes, whoever else pushes meanwhile; what the first look found to be done.

    Raises:
        DataError: as `meet`.
        EnvironmentProblem: the remote refuses or cannot be reached, or git cannot write here.
        Conflict: others moved the notes all the time.
    """
    git, first = repository.git, None
    for left in reversed(range(_TRIES)):
        meeting = meet(repository, remote, there)
        first = first or meeting
        try:
            if meeting.comes and meeting.both is not None:
                update_refs(git, [RefUpdate(NOTES_REF, meeting.both, meeting.here or "")], "notes")
            if meeting.goes and meeting.both is not None:
                push(git, remote, [PushRef(meeting.both, NOTES_REF, new=False)])
            return first
        except (Conflict, GitFailed) as error:
            if left == 0 or not is_busy(error):
                raise
            time.sleep(_PAUSE)
            there = read_remote_ref(git, push_url(git, remote), NOTES_REF)
    raise AssertionError("unreachable")


def _bring(repository: Repository, remote: str, there: str) -> None:
    """The remote's notes as objects.  Raises `DataError` when they are none."""
    git = repository.git
    for place in (remote, push_url(git, remote)):
        if git.complete("cat-file", "-e", there).status != 0:
            fetch_objects(git, place, [NOTES_REF])
    if not _is_commit(repository, there):
        raise DataError(f"{NOTES_REF} of {redact(remote)} names no notes", hint=f"git ls-remote -- {redact(remote)}")


def _is_commit(repository: Repository, oid: str) -> bool:
    return repository.git.complete("cat-file", "-e", f"{oid}^{{commit}}").status == 0


def _side(repository: Repository, commit: str) -> _Side:
    try:
        raw = repository.git.text("ls-tree", "-r", "-l", "-z", "--full-tree", "--end-of-options", commit)
    except ModelverError as error:
        raise DataError(f"{NOTES_REF} cannot be read: {error.message}", hint="git fsck") from None
    blobs: dict[str, tuple[str, int]] = {}
    paths: dict[str, tuple[str, ...]] = {}
    for row in raw.split("\0"):
        head, tab, path = row.partition("\t")
        oid = path.replace("/", "")
        if tab and len(oid) == len(commit) and set(oid) <= _HEX and head.split()[1] == "blob":
            _, _, blob, size = head.split()
            blobs[path] = (blob, int(size))
            paths[oid] = (*paths.get(oid, ()), path)
    return _Side(commit, paths, blobs)


def _merged(objects: Objects, side: _Side, other: _Side) -> dict[str, bytes | None]:
    """Object -> the lines of both, of those where `other` lacks lines of `side`; None: as `side` has it."""
    found: dict[str, bytes | None] = {}
    for oid in side.paths:
        if oid not in other.paths:
            found[oid] = None
            continue
        mine, others = ([s.blobs[path] for path in s.paths[oid]] for s in (side, other))
        if {blob for blob, _ in mine} <= {blob for blob, _ in others}:
            continue
        if sum(size for _, size in {*mine, *others}) > MAX_BLOB:
            raise DataError(f"the notes on {oid[:12]} are too large to be put together", hint="git notes remove them")
        texts = [objects.blob(blob) for blob, _ in mine]
        there = [objects.blob(blob) for blob, _ in others]
        if not {*lines_of(*texts)} <= {*lines_of(*there)}:
            found[oid] = merge_lines(*texts, *there)
    return found


def _commit(repository: Repository, ours: _Side, theirs: _Side, more: Mapping[str, bytes | None]) -> str:
    """Their notes and what only we have, as one commit behind both; `git fast-import` makes it in one process."""
    git = repository.git
    who = committer(git).encode("utf-8", "surrogateescape")
    start = f"commit {NOTES_REF}\n".encode() + b"committer " + who + b"\ndata 11\nMerge notes\n"
    stream = [start, f"from {theirs.commit}\nmerge {ours.commit}\n".encode()]
    for oid, text in sorted(more.items()):
        if text is None:
            stream += [f"M 100644 {ours.blobs[path][0]} {path}\n".encode() for path in ours.paths[oid]]
        else:
            stream += [f"M 100644 inline {theirs.paths[oid][0]}\ndata {len(text)}\n".encode(), text, b"\n"]
    with scratch("note") as folder:
        shared = throw_away(git, folder, repository.common_dir / "objects")
        git.run("fast-import", "--quiet", "--date-format=raw", stdin=b"".join(stream), env=shared)
        return git.run("rev-parse", "--verify", NOTES_REF, env=shared).decode("ascii").strip()
