"""Git's objects, each held against its id: a disk that forgets, or a hand that alters, is not believed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dvc_modelver.commands.project import Project
from dvc_modelver.core.tagobjects import TagObject
from dvc_modelver.core.trees import Entry
from dvc_modelver.core.verification import Fault, altered, object_id
from dvc_modelver.errors import EnvironmentProblem, ModelverError
from dvc_modelver.gitio.objects import parse_tree


@dataclass(frozen=True, slots=True)
class Stored:
    """One object as Git gave it."""

    kind: str
    data: bytes
    intact: bool
    """Whether its bytes are those that its id stands for."""


_MOST = 500
"""Objects kept: neighbours share most of their trees and files, 10,000 versions do not."""


def read_tags_apart(project: Project, oids: Sequence[str]) -> Mapping[str, TagObject]:
    """As `Objects.tags`, but one object that ends git's process costs only itself."""
    try:
        return project.objects.tags(oids)
    except EnvironmentProblem:
        found: dict[str, TagObject] = {}
        for oid in oids:
            try:
                found.update(project.objects.tags([oid]))
            except EnvironmentProblem:
                continue
        return found


class Chain:
    """Reads and checks objects; what many versions share is read once.

    Args:
        commits: those of all versions, to ask once which of them no branch leads to.
    """

    def __init__(self, project: Project, commits: Sequence[str]) -> None:
        self._project = project
        self._commits = commits
        self._kept: dict[str, Stored | None] = {}
        self._trees: dict[str, Mapping[str, Entry] | Fault] = {}
        self._blobs: dict[str, Fault | None] = {}

    def object(self, oid: str) -> Stored | None:
        """A tag or a commit; None when it is missing or git cannot read it."""
        if oid not in self._kept:
            _make_room(self._kept)
            self._kept[oid] = self._read(oid)
        return self._kept[oid]

    def _read(self, oid: str) -> Stored | None:
        try:
            found = self._project.objects.raw(oid)
        except EnvironmentProblem:
            return None
        return None if found is None else Stored(*found, intact=object_id(*found, like=oid) == oid)

    @cached_property
    def _alone(self) -> frozenset[str] | None:
        """The commits that no branch leads to, here or on a remote; None when git cannot tell."""
        here = [c for c in dict.fromkeys(self._commits) if (found := self._read(c)) and found.kind == "commit"]
        if not here:
            return frozenset()
        words = "".join(f"{commit}\n" for commit in here)
        try:
            # git before 2.42 takes no options from stdin.
            git = self._project.repository.git
            alone = git.text("rev-list", "--stdin", "--not", "--branches", "--remotes", stdin=words.encode())
        except ModelverError:
            return None
        return frozenset(alone.split())

    def is_alone(self, commit: str) -> bool | None:
        """Whether only a tag keeps the commit; None when that cannot be told."""
        return None if self._alone is None else commit in self._alone

    def blob_at(self, commit: str, path: str) -> tuple[str | None, Fault | None]:
        """The id of the file at `path`, and what is broken on the way there."""
        stored = self.object(commit)
        root = stored.data[5 : stored.data.index(b"\n")].decode("ascii") if stored is not None else ""
        entry = Entry("40000", root)
        for name in path.split("/"):
            tree = self._tree(entry.oid)
            if isinstance(tree, Fault):
                return None, tree
            found = tree.get(name)
            if found is None:
                return None, None
            entry = found
        return entry.oid, self._blob(entry.oid)

    def _tree(self, oid: str) -> Mapping[str, Entry] | Fault:
        if oid not in self._trees:
            _make_room(self._trees)
            found = self._read(oid)
            if found is None or found.kind != "tree":
                self._trees[oid] = _missing("tree", oid)
            elif not found.intact:
                self._trees[oid] = altered("the tree", oid)
            else:
                self._trees[oid] = parse_tree(found.data, len(oid) // 2)
        return self._trees[oid]

    def _blob(self, oid: str) -> Fault | None:
        if oid not in self._blobs:
            found = self._read(oid)
            if found is None:
                self._blobs[oid] = _missing("file", oid)
            else:
                self._blobs[oid] = None if found.intact else altered("the file", oid)
        return self._blobs[oid]


def _make_room(kept: dict[str, Any]) -> None:
    if len(kept) >= _MOST:
        kept.clear()


def _missing(what: str, oid: str) -> Fault:
    return Fault(f"the {what} {oid[:12]} is missing from Git's object database", "git fetch; git fsck --full")
