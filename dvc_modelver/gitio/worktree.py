"""The work tree: what differs from HEAD, and its files seen as a tree."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from dvc_modelver.core.trees import Entry, name_filter
from dvc_modelver.gitio.process import GitProcess, failure


@dataclass(frozen=True, slots=True)
class Change:
    """One path that differs from HEAD."""

    path: str
    state: str
    """Git's two letters (`M.`, `.M`, `A.`, ...), `??` for an untracked file, `UU` and the like for a conflict."""

    @property
    def untracked(self) -> bool:
        return self.state == "??"

    def is_in(self, path: str) -> bool:
        """Whether this is `path`, a file below it, or an untracked directory above it."""
        return self.path == path or self.path.startswith(f"{path}/") or path.startswith(f"{self.path.rstrip('/')}/")


def read_changes(git: GitProcess) -> tuple[Change, ...]:
    """Everything staged, changed, deleted, conflicting or untracked, without ignored files."""
    raw = git.run("status", "--porcelain=v2", "-z", "--untracked-files=normal", "--no-renames")
    return tuple(parse_status(raw))


def parse_status(raw: bytes) -> Iterator[Change]:
    """`git status --porcelain=v2 -z --no-renames`."""
    for item in raw.decode("utf-8", "surrogateescape").split("\0"):
        kind = item[:2]
        if kind == "? ":
            yield Change(item[2:], "??")
        elif kind == "1 ":
            fields = item.split(" ", 8)
            yield Change(fields[8], fields[1])
        elif kind == "u ":
            fields = item.split(" ", 10)
            yield Change(fields[10], fields[1])


def read_known(git: GitProcess) -> tuple[str, ...]:
    """The files that Git tracks or would add: none that is ignored, none of another repository below this one."""
    raw = git.run("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    return tuple(dict.fromkeys(path for path in raw.decode("utf-8", "surrogateescape").split("\0") if path))


def read_ignored(git: GitProcess, paths: Sequence[str]) -> frozenset[str]:
    """Those of `paths` (from the root) that a rule of `.gitignore` names, whether Git tracks them or not."""
    if not paths:
        return frozenset()
    asked = "".join(f"{path}\0" for path in paths).encode("utf-8", "surrogateescape")
    done = git.complete("check-ignore", "--no-index", "-z", "--stdin", stdin=asked, literal=False)
    if done.status not in (0, 1):
        raise failure(done, "check-ignore")
    return frozenset(done.stdout.decode("utf-8", "surrogateescape").split("\0")) - {""}


def read_unwatched(git: GitProcess) -> Mapping[str, str]:
    """Files whose changes `read_changes` does not see, as their entries in the index say -> the mark that they bear."""
    rows = (row.partition(" ") for row in git.text("ls-files", "-v", "-z").split("\0") if row)
    return {
        path: "skip-worktree" if mark in "Ss" else "assume-unchanged"
        for mark, _, path in rows
        if mark == "S" or mark.islower()
    }


def changes_in(changes: Sequence[Change], paths: Sequence[str]) -> tuple[Change, ...]:
    """Those of `changes` that touch any of `paths`."""
    return tuple(change for change in changes if any(change.is_in(path) for path in paths))


class WorkTree:
    """The files on disk below a root; fills the role of `core.trees.Tree`.  Symbolic links are not followed.

    `known` are the only paths that `files` is to find, for example those of `read_known`.
    """

    def __init__(self, root: Path, known: Sequence[str] | None = None) -> None:
        self._root = root
        self._known = known

    def entry(self, path: str) -> Entry | None:
        at = self._root
        for part in path.split("/")[:-1]:
            at = at / part
            if at.is_symlink():
                return None
        try:
            mode = os.lstat(self._root / path).st_mode
        except (OSError, ValueError):
            return None
        if stat.S_ISLNK(mode):
            return Entry("120000", "")
        if stat.S_ISDIR(mode):
            return Entry("40000", "")
        return Entry("100755" if mode & 0o100 else "100644", "")

    def read(self, path: str) -> bytes | None:
        entry = self.entry(path)
        if entry is None or not entry.mode.startswith("100"):
            return None
        try:
            return (self._root / path).read_bytes()
        except OSError:
            return None

    def files(self, *names: str) -> Iterator[str]:
        if self._known is not None:
            wanted = name_filter(names)
            return iter(sorted(path for path in self._known if wanted(path.rpartition("/")[2])))
        return iter(sorted(self._walk(names)))

    def _walk(self, names: tuple[str, ...]) -> Iterator[str]:
        wanted = name_filter(names)
        for folder, folders, files in os.walk(self._root):
            folders[:] = [name for name in folders if name not in (".git", ".venv", "node_modules", "__pycache__")]
            where = Path(folder).relative_to(self._root).as_posix()
            for name in files:
                if wanted(name):
                    yield name if where == "." else f"{where}/{name}"


class Uncommitted(WorkTree):
    """The work tree as a commit of all of it would be: files that Git tracks or would add, and no others.

    What a sparse checkout leaves out is such a file too: the commit would hold it as the index does.
    """

    def __init__(self, root: Path, git: GitProcess, without: Collection[str] = ()) -> None:
        known = [path for path in read_known(git) if path not in without]
        super().__init__(root, known)
        self._git = git
        self._files = frozenset(known)
        parts = (path.split("/") for path in known)
        self._folders = frozenset("/".join(names[:n]) for names in parts for n in range(1, len(names)))

    @cached_property
    def _left_out(self) -> Mapping[str, Entry]:
        found = dict(read_left_out(self._git))
        folders = {path.rpartition("/")[0] for path in found}
        return {path: Entry("40000", "") for folder in folders for path in (folder, *_above(folder)) if path} | found

    def entry(self, path: str) -> Entry | None:
        if path not in self._files and path not in self._folders:
            return None
        found = super().entry(path)
        return found if found is not None else self._left_out.get(path)

    def read(self, path: str) -> bytes | None:
        found = super().read(path)
        if found is not None or path not in self._files or (self._root / path).exists():
            return found
        left = self._left_out.get(path)
        return self._git.run("cat-file", "blob", left.oid) if left is not None and _is_regular(left) else None

    def files(self, *names: str) -> Iterator[str]:
        # What Git tracks may have been deleted, or be a link.
        found = ((path, self.entry(path)) for path in super().files(*names))
        return (path for path, entry in found if entry is not None and _is_regular(entry))


def read_left_out(git: GitProcess) -> Iterator[tuple[str, Entry]]:
    """The files that Git is told not to have in the work tree (`git sparse-checkout`), as the index has them."""
    for row in git.run("ls-files", "-z", "-t", "--stage").decode("utf-8", "surrogateescape").split("\0"):
        head, _, path = row.partition("\t")
        if head.startswith("S "):
            _, mode, oid, _ = head.split(" ")
            yield path, Entry(mode, oid)


def _above(path: str) -> Iterator[str]:
    while path := path.rpartition("/")[0]:
        yield path


def _is_regular(entry: Entry) -> bool:
    return entry.mode.startswith("100")
