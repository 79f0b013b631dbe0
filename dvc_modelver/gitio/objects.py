"""Reading objects: one `git cat-file --batch` for a whole command, however many objects it looks at."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from types import TracebackType
from typing import IO

from dvc_modelver.core.tagobjects import TagObject, parse_tag_object
from dvc_modelver.core.trees import Entry, name_filter
from dvc_modelver.errors import DataError
from dvc_modelver.gitio.process import GitFailed, GitProcess

# So many requests are written before their answers are read: 64 x 41 bytes fit any pipe, and git never waits
# for us while we wait for it.
_BATCH = 64
MAX_BLOB = 64 * 1024 * 1024
"""Larger text files are refused rather than read into memory."""

_Answer = tuple[str, str, bytes] | None


class Objects:
    """The object database.  A context manager; the git process starts at the first question."""

    def __init__(self, git: GitProcess) -> None:
        self._git = git
        self._process: subprocess.Popen[bytes] | None = None
        self._trees: dict[str, Mapping[str, Entry]] = {}
        self._tags: dict[str, TagObject | None] = {}
        self._commit_trees: dict[str, str] = {}
        self._ahead: dict[str, bytes] = {}

    def __enter__(self) -> Objects:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        if self._process is None:
            return
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):  # a Ctrl-C at the terminal has ended it too
                    pipe.close()
        self._process.wait()
        self._process = None

    # Answers ----------------------------------------------------------------------------------------------------

    def resolve(self, expression: str) -> tuple[str, str] | None:
        """(object id, type) of a revision expression such as `HEAD^{commit}`; None when it names nothing."""
        answer = self._ask([expression])[0]
        return None if answer is None else (answer[0], answer[1])

    def commit(self, revision: str) -> str | None:
        """The full id of the commit that `revision` names; None when there is none."""
        if not revision or revision.startswith("-") or any(c in revision for c in "\n\0 "):
            return None
        found = self.resolve(f"{revision}^{{commit}}")
        return found[0] if found is not None and found[1] == "commit" else None

    def blob(self, oid: str) -> bytes:
        """The bytes of a blob.  Raises `DataError` when the object is missing."""
        if oid in self._ahead:
            return self._ahead[oid]
        answer = self._ask([oid])[0]
        if answer is None or answer[1] != "blob":
            raise DataError(f"Git object {oid} is missing", hint="git fsck; git fetch")
        return answer[2]

    def raw(self, oid: str) -> tuple[str, bytes] | None:
        """(type, bytes) of an object; None when it is missing."""
        answer = self._ask([oid])[0]
        return None if answer is None else (answer[1], answer[2])

    def tags(self, oids: Sequence[str]) -> Mapping[str, TagObject]:
        """The parsed tag of each id; ids that are no readable tag are left out."""
        missing = [oid for oid in dict.fromkeys(oids) if oid not in self._tags]
        for start in range(0, len(missing), _BATCH):
            some = missing[start : start + _BATCH]
            for oid, answer in zip(some, self._ask(some), strict=True):
                is_tag = answer is not None and answer[1] == "tag"
                self._tags[oid] = parse_tag_object(oid, answer[2]) if answer is not None and is_tag else None
        return {oid: tag for oid in oids if (tag := self._tags[oid]) is not None}

    def tree_of(self, commit: str) -> str:
        """The root tree of a commit."""
        known = self._commit_trees.get(commit)
        if known is None:
            answer = self._ask([commit])[0]
            if answer is None or answer[1] != "commit":
                raise DataError(f"commit {commit} is missing", hint="git fetch --unshallow, or git fsck")
            known = _tree_in(commit, answer[2])
            self._commit_trees[commit] = known
        return known

    def tree(self, oid: str) -> Mapping[str, Entry]:
        """The entries of a tree by name."""
        known = self._trees.get(oid)
        if known is None:
            answer = self._ask([oid])[0]
            if answer is None or answer[1] != "tree":
                raise DataError(f"Git tree {oid} is missing", hint="git fsck; git fetch")
            known = self._trees[oid] = _tree(oid, answer[2])
        return known

    def read_ahead(self, commits: Sequence[str], paths: Sequence[str]) -> None:
        """Bring the files at `paths` of many commits in few round trips; only the last call's files are kept.

        One question at a time waits for git at each (0.1 ms): half of the time of 1,000 versions.
        """
        for commit, data in self._ask_all([c for c in commits if c not in self._commit_trees], "commit").items():
            self._commit_trees[commit] = _tree_in(commit, data)
        wanted: set[str] = set()
        for path in paths:
            *folders, name = path.split("/")
            trees = {self._commit_trees[commit] for commit in commits if commit in self._commit_trees}
            for folder in [*folders, None]:
                self._read_trees(trees)
                known = [self._trees[oid] for oid in trees if oid in self._trees]
                children = [tree.get(folder if folder is not None else name) for tree in known]
                trees = {child.oid for child in children if child is not None}
            wanted |= trees
        self._ahead = self._ask_all(sorted(wanted), "blob")

    def _read_trees(self, oids: Iterable[str]) -> None:
        missing = [oid for oid in oids if oid not in self._trees]
        for oid, data in self._ask_all(missing, "tree").items():
            self._trees[oid] = _tree(oid, data)

    def _ask_all(self, oids: Sequence[str], kind: str) -> dict[str, bytes]:
        """The objects of that kind among `oids`."""
        found: dict[str, bytes] = {}
        for start in range(0, len(oids), _BATCH):
            some = oids[start : start + _BATCH]
            for oid, answer in zip(some, self._ask(some), strict=True):
                if answer is not None and answer[1] == kind:
                    found[oid] = answer[2]
        return found

    # The process ------------------------------------------------------------------------------------------------

    def _ask(self, names: Sequence[str]) -> list[_Answer]:
        """The objects of at most `_BATCH` expressions, in order."""
        stdin, stdout = self._pipes()
        try:
            stdin.write("".join(f"{name}\n" for name in names).encode("utf-8", "surrogateescape"))
            stdin.flush()
            return [_read_answer(stdout) for _ in names]
        except (BrokenPipeError, ValueError) as error:
            self.close()
            raise GitFailed("git cat-file ended early", hint="git fsck") from error

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        if self._process is None:
            self._process = subprocess.Popen(
                self._git.argv(["cat-file", "--batch"]),
                cwd=self._git.directory,
                env=dict(self._git.env),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise ValueError("no pipes")
        return stdin, stdout


def _read_answer(stdout: IO[bytes]) -> _Answer:
    header = stdout.readline()
    if not header:
        raise ValueError("end of answers")
    fields = header.rstrip(b"\n").rsplit(b" ", 2)
    if len(fields) != 3 or not fields[2].isdigit():
        return None  # "NAME missing", "NAME ambiguous"
    data = stdout.read(int(fields[2]))
    stdout.read(1)
    return fields[0].decode("ascii"), fields[1].decode("ascii"), data


def _tree_in(commit: str, data: bytes) -> str:
    """The root tree that a raw commit names; `DataError` when somebody wrote it by hand."""
    head, _, oid = data.partition(b"\n")[0].partition(b" ")
    if head != b"tree" or not oid.isalnum() or not oid.isascii():
        raise DataError(f"Git commit {commit} cannot be read", hint="git fsck")
    return oid.decode("ascii")


def _tree(oid: str, data: bytes) -> dict[str, Entry]:
    try:
        return parse_tree(data, len(oid) // 2)
    except ValueError:
        raise DataError(f"Git tree {oid} cannot be read", hint="git fsck") from None


def parse_tree(raw: bytes, oid_bytes: int) -> dict[str, Entry]:
    """The entries of a raw tree object: `MODE NAME NUL OID`, repeated.  `ValueError` when it is none."""
    entries: dict[str, Entry] = {}
    at = 0
    while at < len(raw):
        space = raw.index(b" ", at)
        nul = raw.index(b"\0", space)
        end = nul + 1 + oid_bytes
        name = raw[space + 1 : nul].decode("utf-8", "surrogateescape")
        entries[name] = Entry(raw[at:space].decode("ascii"), raw[nul + 1 : end].hex())
        at = end
    return entries


class CommitTree:
    """The files of one commit; fills the role of `core.facts.Tree`."""

    def __init__(self, objects: Objects, commit: str, git: GitProcess) -> None:
        self._objects = objects
        self._git = git
        self.commit = commit
        self.oid = objects.tree_of(commit)

    def entry(self, path: str) -> Entry | None:
        oid = self.oid
        found: Entry | None = None
        for part in path.split("/"):
            if found is not None:
                if not found.is_directory:
                    return None
                oid = found.oid
            found = self._objects.tree(oid).get(part)
            if found is None:
                return None
        return found

    def read(self, path: str) -> bytes | None:
        found = self.entry(path)
        if found is None or not found.mode.startswith("100"):
            return None
        data = self._objects.blob(found.oid)
        if len(data) > MAX_BLOB:
            raise DataError(f"{path} is larger than {MAX_BLOB // 1024 // 1024} MiB", hint="is it meant to be in Git?")
        return data

    def files(self, *names: str) -> Iterator[str]:
        wanted = name_filter(names)
        return iter(sorted(path for path in self._paths if wanted(path.rpartition("/")[2])))

    @cached_property
    def _paths(self) -> tuple[str, ...]:
        return tuple(self._list())

    def _list(self) -> Iterator[str]:
        listing = self._git.run("ls-tree", "-r", "-z", "--full-tree", self.oid)
        for line in listing.split(b"\0"):
            head, tab, path = line.partition(b"\t")
            if tab and head.startswith(b"100"):
                yield path.decode("utf-8", "surrogateescape")
