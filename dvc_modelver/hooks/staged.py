"""What a commit is about to hold, read from Git's index; the work tree's content is never asked."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from dvc_modelver.core.trees import Entry, name_filter
from dvc_modelver.errors import EnvironmentProblem, Refused
from dvc_modelver.gitio.process import GitProcess, scrubbed
from dvc_modelver.hooks.call import Call

if TYPE_CHECKING:
    from dvc_modelver.core.config import Config
    from dvc_modelver.gitio.objects import Objects

# What git exports to a hook and the index depends on: `git commit FILE` has an index of its own, and in a linked
# worktree there is a GIT_DIR.  `scrubbed` takes them away, since most questions are about some other repository.
_OURS = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_COMMON_DIR",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
)
_RAW = (
    *("--cached", "--raw", "-z", "--no-abbrev", "--no-renames", "--no-relative", "--no-ext-diff"),
    *("--ita-invisible-in-index", "--ignore-submodules=none"),
)
_EMPTY_TREE = {
    "sha1": "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    "sha256": "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
}
_KINDS = {40: "sha1", 64: "sha256"}
_MERGED = "GITHEAD_"
MAX_BLOB = 64 * 1024 * 1024
"""Bytes of a blob that is read into memory."""


@dataclass(frozen=True, slots=True)
class Change:
    """One path that differs between HEAD and the index."""

    path: str
    status: str
    """`A`, `M`, `T` (another type), `D`, `U` (in conflict)."""
    old: Entry
    new: Entry

    @property
    def name(self) -> str:
        """The last component of the path."""
        return self.path.rpartition("/")[2]

    @property
    def is_file(self) -> bool:
        """Whether a regular file is about to be committed."""
        return self.new.mode.startswith("100") and self.status != "D"


class Staged:
    """The index, and how it differs from HEAD.  A context manager: it may hold a git process.

    When nothing is staged and git commits nothing (`pre-commit run --all-files`, CI) every file of the index counts as
    a change.
    """

    def __init__(self, call: Call) -> None:
        """Raises `Refused` while a merge is in conflict, `EnvironmentProblem` outside a repository."""
        env = {**scrubbed(call.env), **{key: call.env[key] for key in _OURS if key in call.env}}
        self.git = GitProcess(call.directory, env)
        self.env = call.env
        changes = tuple(parse_raw(self.git.run("diff", *_RAW)))
        # Git names its index to the hooks of a commit: without a change that is another message, or an empty commit.
        self.everything = not changes and "GIT_INDEX_FILE" not in call.env
        self.changes: tuple[Change, ...] = self._all(()) if self.everything else changes
        for change in self.changes:
            if change.status == "U":
                raise Refused(f"{change.path} is in conflict", hint="resolve the merge and git add it")

    def __enter__(self) -> Staged:
        return self

    def __exit__(self, *_: object) -> None:
        if "tree" in self.__dict__:
            self.tree.close()

    def _all(self, known: Sequence[Change]) -> tuple[Change, ...]:
        """Every file of the index; the length of an id that is known says what git keeps objects as."""
        kind = _KINDS.get(len(known[0].new.oid)) if known else self.git.line("rev-parse", "--show-object-format")
        if kind not in _EMPTY_TREE:
            raise EnvironmentProblem(f"git keeps objects as {(kind or '?')[:40]}, which modelver does not know")
        return tuple(parse_raw(self.git.run("diff", *_RAW, _EMPTY_TREE[kind], "--")))

    @cached_property
    def tree(self) -> IndexTree:
        """The whole index."""
        return IndexTree(self.git, self.changes if self.everything else self._all(self.changes))

    @cached_property
    def merged(self) -> tuple[Mapping[str, Change], ...]:
        """How the index differs, by path, from each commit that is merged into HEAD; empty where none is."""
        place = self.git.directory / self.git.line("rev-parse", "--git-path", "MERGE_HEAD")
        heads = place.read_text(encoding="ascii").split() if place.is_file() else []
        # pre-merge-commit runs before that file is written: git tells it the commits in names of variables.
        heads += [key.removeprefix(_MERGED) for key in self.env if key.startswith(_MERGED)]
        asked = (self.git.complete("diff", *_RAW, head, "--") for head in dict.fromkeys(heads) if _is_oid(head))
        return tuple({one.path: one for one in parse_raw(done.stdout)} for done in asked if done.status == 0)

    @cached_property
    def root(self) -> Path:
        """Of the work tree: where DVC's configuration and cache are."""
        here = self.git.directory
        if os.path.lexists(here / ".git"):
            return here
        return Path(self.git.line("rev-parse", "--path-format=absolute", "--show-toplevel"))

    def config(self, key: str = "") -> Config:
        """The configuration as it is staged; arguments and errors as of `parse_config_files`."""
        from dvc_modelver.dvcio.settings import CONFIG_FILE, PYPROJECT, parse_config_files

        return parse_config_files(self.tree.read(CONFIG_FILE), self.tree.read(PYPROJECT), self.env, key=key)

    def changed(self, path: str) -> bool:
        """Whether the commit changes the file at `path`."""
        return any(change.path == path for change in self.changes)


def _is_oid(text: str) -> bool:
    return len(text) in _KINDS and not text.strip("0123456789abcdef")


def parse_raw(raw: bytes) -> Iterator[Change]:
    """`git diff --raw -z --no-renames`: `:MODE MODE OID OID STATUS NUL PATH NUL`, repeated."""
    fields = iter(raw.decode("utf-8", "surrogateescape").split("\0"))
    for head in fields:
        if head.startswith(":"):
            old_mode, mode, old, new, status = head[1:].split(" ")
            yield Change(next(fields), status[:1], Entry(old_mode, old), Entry(mode, new))


def parse_batch(raw: bytes) -> Iterator[tuple[str, bytes]]:
    """`git cat-file --batch`: `OID TYPE SIZE LF BYTES LF`, repeated; objects that are missing are left out."""
    at = 0
    while at < len(raw):
        end = raw.index(b"\n", at)
        fields = raw[at:end].decode("ascii").split(" ")
        at = end + 1
        if len(fields) == 3:
            size = int(fields[2])
            yield fields[0], raw[at : at + size]
            at += size + 1


class IndexTree:
    """The files that a commit of the index would hold; fills the role of `core.trees.Tree`."""

    def __init__(self, git: GitProcess, files: tuple[Change, ...]) -> None:
        self._git = git
        self._known: dict[str, bytes] = {}
        self.entries: Mapping[str, Entry] = {file.path: file.new for file in files}

    @cached_property
    def _objects(self) -> Objects:
        from dvc_modelver.gitio.objects import Objects

        return Objects(self._git)

    def close(self) -> None:
        """End the git process."""
        if "_objects" in self.__dict__:
            self._objects.close()

    @cached_property
    def _folders(self) -> frozenset[str]:
        found: set[str] = set()
        for path in self.entries:
            while (path := path.rpartition("/")[0]) and path not in found:
                found.add(path)
        return frozenset(found)

    def entry(self, path: str) -> Entry | None:
        found = self.entries.get(path)
        return Entry("40000", "") if found is None and path in self._folders else found

    def read(self, path: str) -> bytes | None:
        found = self.entries.get(path)
        return self.blob(found.oid) if found is not None and found.mode.startswith("100") else None

    def files(self, *names: str) -> Iterator[str]:
        wanted = name_filter(names)
        regular = (path for path, entry in self.entries.items() if entry.mode.startswith("100"))
        return iter(sorted(path for path in regular if wanted(path.rpartition("/")[2])))

    def blob(self, oid: str) -> bytes:
        """The bytes of a blob; of a path that HEAD did not have (an id of zeros), none."""
        if oid not in self._known:
            self._known[oid] = self._objects.blob(oid) if oid.strip("0") else b""
        return self._known[oid]

    def read_all(self, oids: Sequence[str]) -> None:
        """Bring blobs in one short process: where that is all, `gitio.objects` is not even imported (6 ms)."""
        wanted = [oid for oid in dict.fromkeys(oids) if oid.strip("0") and oid not in self._known]
        if wanted:
            raw = self._git.run("cat-file", "--batch", stdin="".join(f"{oid}\n" for oid in wanted).encode("ascii"))
            self._known.update(parse_batch(raw))
