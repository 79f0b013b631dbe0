"""Git's objects, each held against its id: a disk that forgets, or a hand that alters, is not believed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dvc_modelver.commands.project import Project
from dvc_modelver.core.tagobjects import TagObject
from dvc_modelver.core.trees import Entry
from dvc_modelver.core.verification import Fault, altered, object_id
from dvc_modelver.errors import EnvironmentProblem, ModelverError
from dvc_modelver.gitio.bulk import BulkObjects, commits_among
from dvc_modelver.gitio.objects import parse_tree


@dataclass(frozen=True, slots=True)
class Stored:
    """One object as Git gave it."""

    kind: str
    data: bytes
    intact: bool
    """Whether its bytes are those that its id stands for."""


_MOST = 2000
"""Objects kept: neighbours share most of their trees and files, 10,000 versions do not."""
_SMALL = 16 * 1024
"""Bytes; cards and DVC files of which the text is kept for a while."""
_AHEAD = 16 * 1024 * 1024
"""Bytes of objects of one kind that are read ahead; the others are read when they are asked for."""


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
        self._texts: dict[str, bytes] = {}
        self._bulk = BulkObjects(project.repository.git)

    def close(self) -> None:
        """End the process of `ahead`."""
        self._bulk.close()

    def ahead(self, tags: Sequence[str], commits: Sequence[str], paths: Callable[[str, bytes], Iterable[str]]) -> None:
        """Read and check what comes next, many objects at a time: waiting for git at each was most of the time.

        Nothing is found that `object` and `blob_at` would not find, and what cannot be read is left to them.

        Args:
            tags: each with its commit in `commits`, in parallel.
            paths: of a commit, from the bytes of its tag: what `blob_at` will be asked for.
        """
        for kept in (self._kept, self._trees, self._texts):
            kept.clear()
        self._keep({*tags, *commits} - {""})
        pending: list[tuple[str, list[str]]] = []
        for tag, commit in zip(tags, commits, strict=True):
            stored, found = self._kept.get(tag), self._kept.get(commit)
            if found is not None and found.kind == "commit":
                wanted = paths(commit, stored.data if stored is not None else b"")
                pending += [(_root(found), path.split("/")) for path in dict.fromkeys(wanted)]
        while pending:
            self._keep_trees({oid for oid, _ in pending} - self._trees.keys())
            pending = [step for oid, names in pending if (step := self._below(oid, names)) is not None]
            self._keep_blobs({oid for oid, names in pending if not names})
            pending = [(oid, names) for oid, names in pending if names]

    def _below(self, oid: str, names: list[str]) -> tuple[str, list[str]] | None:
        """One step down: the entry of the first name, and the names that are left."""
        tree = self._trees.get(oid)
        entry = tree.get(names[0]) if tree is not None and not isinstance(tree, Fault) else None
        kinds = "4" if names[1:] else "100"  # a directory as git writes it (40000), a file
        return (entry.oid, names[1:]) if entry is not None and entry.mode.startswith(kinds) else None

    def _keep(self, oids: Collection[str]) -> None:
        for oid, kind, data in self._bulk.many(oids, _AHEAD):
            self._kept[oid] = Stored(kind, data, intact=object_id(kind, data, like=oid) == oid)

    def _keep_trees(self, oids: Collection[str]) -> None:
        for oid, kind, data in self._bulk.many(oids, _AHEAD):
            if kind == "tree" and object_id(kind, data, like=oid) == oid:
                self._trees[oid] = _parsed(oid, data)

    def _keep_blobs(self, oids: Collection[str]) -> None:
        for oid, kind, data in self._bulk.many(oids, _AHEAD):
            if object_id(kind, data, like=oid) == oid:
                self._blobs[oid] = None
                if kind == "blob" and len(data) <= _SMALL:
                    self._texts[oid] = data

    def text_at(self, commit: str, path: str) -> bytes | None:
        """The bytes of the file at `path`; None where there is none."""
        oid, broken = self.blob_at(commit, path)
        known = self._texts.get(oid) if oid is not None and broken is None else None
        return known if known is not None else self._project.tree(commit).read(path)

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
        git = self._project.repository.git
        here = commits_among(git, self._commits)
        if not here:
            return frozenset()
        words = "".join(f"{commit}\n" for commit in here)
        try:
            # git before 2.42 takes no options from stdin.
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
        entry = Entry("40000", _root(stored) if stored is not None else "")
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
                self._trees[oid] = _parsed(oid, found.data)
        return self._trees[oid]

    def _blob(self, oid: str) -> Fault | None:
        if oid not in self._blobs:
            found = self._read(oid)
            if found is None:
                self._blobs[oid] = _missing("file", oid)
            else:
                self._blobs[oid] = None if found.intact else altered("the file", oid)
        return self._blobs[oid]


def _root(commit: Stored) -> str:
    """The id of a commit's tree; empty when it names none."""
    line = commit.data.partition(b"\n")[0]
    return line[5:].decode("ascii", "replace") if line.startswith(b"tree ") and line[5:].isalnum() else ""


def _parsed(oid: str, data: bytes) -> Mapping[str, Entry] | Fault:
    try:
        return parse_tree(data, len(oid) // 2)
    except ValueError:
        return Fault(f"the tree {oid[:12]} cannot be read: it is not as git makes them", "git fsck --full")


def _make_room(kept: dict[str, Any]) -> None:
    if len(kept) >= _MOST:
        kept.clear()


def _missing(what: str, oid: str) -> Fault:
    return Fault(f"the {what} {oid[:12]} is missing from Git's object database", "git fetch; git fsck --full")
