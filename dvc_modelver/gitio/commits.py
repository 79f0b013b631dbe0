"""Making commits that hold exactly the files they are meant to hold, and putting everything back when they do not."""

from __future__ import annotations

import os
import signal
import stat
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from dvc_modelver.core.overlay import Files, blob_id
from dvc_modelver.core.text import one_line, redact
from dvc_modelver.errors import EnvironmentProblem, Refused
from dvc_modelver.gitio.converting import as_checked_out, cleaned_blob
from dvc_modelver.gitio.leftovers import scratch
from dvc_modelver.gitio.placing import (
    LINK,
    Content,
    in_the_way,
    is_folder,
    is_inside,
    parents_of,
    put_back,
    put_file,
    read_content,
    remove_file,
    remove_folders,
    temporary_of,
    unlink,
    write_file,
)
from dvc_modelver.gitio.process import GitFailed, GitProcess, is_true
from dvc_modelver.gitio.refs import checked_out, current_branch
from dvc_modelver.gitio.repository import Repository
from dvc_modelver.gitio.worktree import read_changes, read_unwatched

__all__ = [
    "Before",
    "CardCommit",
    "as_committed",
    "bring_missing",
    "check_out",
    "child_commit",
    "commit_only",
    "is_movable",
    "look_before",
    "refuse_unwatched",
    "undo_commit",
    "uninterrupted",
    "write_file",
]

# Path checkouts run post-checkout hooks, and DVC's restores whatever its cache holds.
_NO_HOOKS = (f"core.hooksPath={os.devnull}",)
_FILE_MODES = ("100644", "100755")


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """What a commit of ours found: all that an undo needs to know, also in another process after a kill."""

    head: str
    """The commit that HEAD named."""
    branch: str | None
    """The full name of the checked-out branch."""
    files: tuple[tuple[str, str], ...]
    """(path, blob id of the bytes that we are about to put there; empty: the file goes)."""
    folders: tuple[str, ...] = ()
    """Directories that the files need and that were not there, outermost first."""


@dataclass(slots=True)
class CardCommit:
    """A commit of ours on the checked-out branch that can still be taken back to the last byte."""

    repository: Repository
    before: Before
    index: bytes | None
    """The index as it was; None: there was none."""
    contents: Mapping[str, Content | None]
    """Each file as it was; None: it was not there."""
    commit: str = ""
    left: bytes | None = field(default=None)
    """The index as the commit left it."""

    def undo(self) -> None:
        """Put branch, index and files back; what people changed meanwhile stays as they left it."""
        git = self.repository.git
        now = git.line("rev-parse", "--verify", "HEAD")
        if now == self.commit and now != self.before.head:
            git.run("update-ref", "-m", "modelver: put back", "HEAD", self.before.head, now)
        self._undo_index()
        root = _work_tree(self.repository)
        for path, old in self.contents.items():
            if old is None:
                unlink(root / path)
        remove_folders(root, reversed(self.before.folders))
        for path, old in self.contents.items():
            if old is not None and read_content(root / path) != old:
                put_back(root / path, old)

    def _undo_index(self) -> None:
        path = _index_path(self.repository)
        now = _read(path)
        if now == self.index:
            return
        if now != self.left or self.index is None:
            # Somebody staged something in the meantime: only our entries go back.
            self.repository.git.run("reset", "--quiet", "--", *(path for path, _ in self.before.files))
            return
        _replace_index(path, self.index)


def _replace_index(path: Path, data: bytes) -> None:
    """By git's own protocol: whoever makes index.lock may rename it over the index."""
    lock = path.with_name("index.lock")
    try:
        handle = os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except OSError as error:
        raise EnvironmentProblem(
            f"cannot put the index back: {lock}: {error.strerror}", hint="when no git runs, remove that file"
        ) from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(lock, path)
    except OSError as error:
        lock.unlink(missing_ok=True)
        raise EnvironmentProblem(
            f"cannot put the index back: {lock}: {error.strerror}", hint="free some disk space and run it again"
        ) from error


def look_before(repository: Repository, files: Files, gone: Collection[str] = ()) -> Before:
    """What a commit of `files` is going to change.

    Args:
        gone: files that Git does not keep, and that are away before ours are written.

    Raises `Refused` where that would write outside the work tree, or over a file that Git does not keep.
    """
    root, git = _work_tree(repository), repository.git
    head, branch = checked_out(git)
    kept = _entries(git, head, [path for path in files if os.path.lexists(root / path)])
    leaving = {path for path, data in files.items() if data is None and path in kept}.union(gone)
    folders: dict[str, None] = {}
    for path, data in files.items():
        if not is_inside(path):
            raise Refused(f"{path} leads out of the work tree, or into .git")
        _refuse_in_the_way(root, path, leaving, kept=path in kept, goes=data is None)
        if data is not None:
            folders |= {parent: None for parent in parents_of(path) if not is_folder(root / parent)}
    return Before(
        head=head,
        branch=branch,
        files=tuple((path, "" if data is None else blob_id(data, head)) for path, data in files.items()),
        folders=tuple(folders),
    )


def refuse_unwatched(git: GitProcess, files: Collection[str]) -> None:
    """Raises `Refused` when Git was told not to look at one of `files`: nobody knows what would be lost."""
    unwatched = read_unwatched(git) if files else {}
    found = next((path for path in files if path in unwatched), None)
    if found is None:
        return
    mark = unwatched[found]
    if mark == "skip-worktree" and is_true(git.config.get("core.sparsecheckout")):
        raise Refused(f"{found} is not in the sparse checkout", hint="git sparse-checkout disable")
    raise Refused(
        f"{found} is marked {mark}: git does not tell whether it was changed",
        hint=f"git update-index --no-{mark} -- {found}",
    )


def _refuse_in_the_way(root: Path, path: str, leaving: Collection[str], *, kept: bool, goes: bool) -> None:
    found = in_the_way(root, path, leaving)
    if found is None or (found == path and kept):
        return
    above = path.startswith(f"{found}/")
    if above and (root / found).is_symlink():
        raise Refused(f"{found} is a symbolic link: {path} would be written elsewhere")
    if not goes or found == path:
        raise Refused(f"{found} is there, and Git does not keep it", hint=f"move {found} away, or commit it")


def commit_only(
    repository: Repository, before: Before, files: Files, message: str, *, modes: Mapping[str, str] | None = None
) -> CardCommit:
    """Write `files` into the work tree and commit them, and nothing else, on the current branch.

    It is a real `git commit`: the user's hooks and signing apply.  The files must be clean before.  When a hook
    refuses, alters a file or lets anything else in, everything is put back and `Refused` is raised.
    """
    root = _work_tree(repository)
    git = repository.git
    done = CardCommit(repository, before, _read(_index_path(repository)), {p: read_content(root / p) for p in files})
    try:
        try:
            plain = {path: data for path, data in files.items() if (modes or {}).get(path) != LINK}
            _write(root, {**files, **as_checked_out(git, plain)}, modes or {})
            _commit_paths(git, files, message)
        finally:
            done.commit = git.line("rev-parse", "--verify", "HEAD")
            done.left = _read(_index_path(repository))
        _check_commit(git, before.head, done.commit, files)
    except BaseException as error:
        done.undo()
        refused = isinstance(error, Refused) or (isinstance(error, GitFailed) and error.status == 1)
        if not refused:
            raise
        said = _said(error.stderr)[-1:] if isinstance(error, GitFailed) else []
        words = redact(one_line(" ".join(said))) or getattr(error, "message", "")
        hint = getattr(error, "hint", "") or "settle it with the hook, then run it again"
        raise Refused(f"the commit of {_few(files)} did not go through: {words}", hint=hint) from error
    return done


def _said(stderr: str) -> list[str]:
    return [line for line in stderr.splitlines() if line.strip() and not line.startswith("hint:")]


def _few(paths: Iterable[str]) -> str:
    names = list(paths)
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _write(root: Path, files: Files, modes: Mapping[str, str]) -> None:
    """What goes first makes room: a file may become a directory, and the reverse."""
    for path, data in files.items():
        if data is None:
            remove_file(root, path)
    for path, data in files.items():
        if data is not None:
            put_file(root, path, data, modes.get(path))


def _commit_paths(git: GitProcess, files: Files, message: str) -> None:
    """Hooks would inherit literal pathspecs, and theirs (`git diff -- '*.py'`) would find nothing."""
    new = [path for path, data in files.items() if data is not None]
    # Git would take it for a submodule; it goes from the index when a file below it comes.
    replaced = {parent for path in new for parent in parents_of(path)}
    with scratch("paths") as folder:
        for name, paths in (("new", new), ("all", [path for path in files if path not in replaced])):
            named = "\0".join(f":(top,literal){path}" for path in paths)
            (folder / name).write_bytes(named.encode("utf-8", "surrogateescape"))
        if any(data is not None for data in files.values()):
            spec = f"--pathspec-from-file={folder}/new"
            git.run("add", "--sparse", "--force", "--intent-to-add", spec, "--pathspec-file-nul", literal=False)
        spec = f"--pathspec-from-file={folder}/all"
        words = ("commit", "--quiet", "--only", "--cleanup=whitespace", "-F", "-", spec, "--pathspec-file-nul")
        with uninterrupted():
            git.run(*words, stdin=message.encode("utf-8", "surrogateescape"), literal=False)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let an interrupt (SIGINT, SIGTERM) wait until the block ends.

    Python kills a program that it waits for, and a git that is killed leaves its locks; one that gets the interrupt
    itself, as at a terminal, ends by itself and removes them.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    numbers = [number for number in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(number) is not None]
    before = {number: signal.signal(number, lambda number, frame: came.append(number)) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


def undo_commit(repository: Repository, before: Before) -> bool:
    """After a kill: put branch, index and work tree back as far as they are still as we left them.

    False when people went on from our commit: then it belongs to their history, and nothing is touched.
    """
    git, root = repository.git, _work_tree(repository)
    paths = [path for path, _ in before.files]
    for path in paths:
        with suppress(OSError):
            temporary_of(root / path).unlink(missing_ok=True)
    if not is_movable(git, before):
        return False
    now = git.line("rev-parse", "--verify", "HEAD")
    if now != before.head:
        git.run("update-ref", "-m", "modelver: put back", "HEAD", before.head, now)
    staged, empty = _staged(git, paths), blob_id(b"", before.head)
    _each_few(git, ("reset", "--quiet", "--"), [p for p, ours in before.files if staged.get(p, "") in (ours, empty)])
    kept = _entries(git, before.head, paths)
    for path, ours in before.files:
        if path not in kept and _is_left(repository, before, path, ours, kept=False):
            unlink(root / path)
    remove_folders(root, reversed(before.folders))
    back = [path for path, ours in before.files if path in kept and _is_left(repository, before, path, ours, kept=True)]
    check_out(git, before.head, back)
    return True


def is_movable(git: GitProcess, before: Before) -> bool:
    """Whether HEAD is where it was, or at a commit of ours on the same branch."""
    now = git.line("rev-parse", "--verify", "HEAD")
    return now == before.head or (current_branch(git) == before.branch and _is_ours(git, before, now))


def _is_left(repository: Repository, before: Before, path: str, ours: str, *, kept: bool) -> bool:
    """Whether what lies at `path` is ours, or what a git that died while it put ours has left."""
    place = _work_tree(repository) / path
    if is_folder(place) or _is_below_a_file(_work_tree(repository), path):
        return False
    try:
        content = read_content(place)
    except OSError:
        return False
    if content is None:
        return kept or ours == ""
    blob = blob_id(content[0], before.head)
    if blob == ours or not ours:
        return blob == ours
    if stat.S_ISREG(content[1]) and cleaned_blob(repository.git, path, content[0]) == ours:
        return True
    done = repository.git.complete("cat-file", "blob", ours)
    return done.status == 0 and done.stdout.startswith(content[0])


def _is_below_a_file(root: Path, path: str) -> bool:
    """Git would remove it to make room."""
    return any(os.path.lexists(root / parent) and not is_folder(root / parent) for parent in parents_of(path))


def bring_missing(repository: Repository, paths: Sequence[str]) -> None:
    """Let the files at or below `paths` that HEAD has and the work tree lacks come back; nothing is overwritten."""
    git, root = repository.git, _work_tree(repository)
    found = _committed(git, paths)
    missing = [p for p in found if not os.path.lexists(root / p) and not _is_below_a_file(root, p)]
    check_out(git, "HEAD", missing)


def as_committed(repository: Repository, paths: Sequence[str]) -> tuple[str, ...]:
    """The files of HEAD at or below `paths` that lie in the work tree just so."""
    changed = {change.path for change in read_changes(repository.git)}
    return tuple(path for path in _committed(repository.git, paths) if path not in changed)


def _committed(git: GitProcess, paths: Sequence[str]) -> list[str]:
    found: list[str] = []
    for some in _few_of(paths):
        words = ("ls-tree", "-r", "-z", "--name-only", "--full-tree", "HEAD", "--", *some)
        found += [path for path in git.text(*words).split("\0") if path]
    return found


def check_out(git: GitProcess, commit: str, paths: Sequence[str]) -> None:
    """Let git put files of a commit, whatever lies there; without hooks."""
    _each_few(git, ("checkout", "--quiet", "--ignore-skip-worktree-bits", commit, "--"), paths)


def _each_few(git: GitProcess, words: Sequence[str], paths: Sequence[str]) -> None:
    """Run git on the paths, as many at a time as a command line can hold."""
    for some in _few_of(paths):
        git.run(*words, *some, config=_NO_HOOKS)


def _few_of(paths: Sequence[str], most: int = 200) -> Iterator[Sequence[str]]:
    for at in range(0, len(paths), most):
        yield paths[at : at + most]


def _is_ours(git: GitProcess, before: Before, commit: str) -> bool:
    """Whether `commit` is what we made on `before`: one step that puts our bytes, and nothing else."""
    parents, changed = _made(git, commit)
    ours = dict(before.files)
    return parents == [before.head] and all(ours.get(path) == blob for path, blob in changed.items())


def _staged(git: GitProcess, paths: Sequence[str]) -> Mapping[str, str]:
    """Path -> its blob in the index."""
    found = {}
    for some in _few_of(paths):
        for row in git.text("ls-files", "--stage", "-z", "--", *some).split("\0"):
            facts, _, path = row.partition("\t")
            if path:
                found[path] = facts.split(" ")[1]
    return found


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _index_path(repository: Repository) -> Path:
    return repository.git_dir / "index"


def _entries(git: GitProcess, commit: str, paths: Sequence[str]) -> Mapping[str, str]:
    """Those of `paths` that `commit` has, directories left out -> their modes."""
    found = {}
    for some in _few_of(paths):
        for row in git.text("ls-tree", "-z", "--full-tree", commit, "--", *some).split("\0"):
            facts, _, path = row.partition("\t")
            if path and " tree " not in facts:
                found[path] = facts.split(" ")[0]
    return found


def _made(git: GitProcess, commit: str) -> tuple[Sequence[str], Mapping[str, str]]:
    """The parents of a commit; and path -> its blob, empty where it is gone, of every file that differs from one."""
    words = ("-r", "-z", "--raw", "--no-abbrev", "--no-renames", "--always", "--pretty=format:%P", commit)
    parents, _, rest = git.text("diff-tree", *words).partition("\n")
    fields = rest.split("\0")
    heads = (head.split(" ") for head in fields[0:-1:2])
    changed = {path: "" if head[1] == "000000" else head[3] for head, path in zip(heads, fields[1::2], strict=True)}
    return parents.rstrip("\0").split(), changed


def _check_commit(git: GitProcess, old: str, new: str, files: Files) -> None:
    """`new` is one commit on `old` that differs in exactly `files`, with exactly these bytes."""
    parents, changed = _made(git, new)
    others = changed.keys() - files.keys()
    if parents != [old] or others:
        raise Refused(f"something else got into the commit: {', '.join(sorted(others)) or 'another parent'}")
    for path, data in files.items():
        if changed.get(path) != ("" if data is None else blob_id(data, old)):
            raise Refused(f"a hook altered {path}", hint="let the hook leave that file alone")


def child_commit(
    repository: Repository, parent: str, files: Files, message: str, *, modes: Mapping[str, str] | None = None
) -> str:
    """A commit on `parent` that differs in `files` alone; no branch, index or work tree is touched.

    A file has its mode of `modes`, else the one that `parent` has.
    """
    git = repository.git
    kept = {path: mode for path, mode in _entries(git, parent, list(files)).items() if mode in _FILE_MODES} | dict(
        modes or {}
    )
    sign = is_true(git.config.get("commit.gpgsign"))
    with scratch("index") as folder:
        env = {"GIT_INDEX_FILE": str(folder / "index")}
        git.run("read-tree", parent, env=env)
        for path, data in files.items():
            if data is None:
                git.run("update-index", "--force-remove", "--", path, env=env)
                continue
            blob = git.run("hash-object", "-w", "--stdin", stdin=data).decode().strip()
            entry = f"{kept.get(path, '100644')},{blob},{path}"
            git.run("update-index", "--add", "--replace", "--cacheinfo", entry, env=env)
        tree = git.run("write-tree", env=env).decode().strip()
    signing = ["-S"] if sign else []
    said = message.encode("utf-8", "surrogateescape")
    made = git.run("commit-tree", *signing, "-p", parent, "-F", "-", tree, stdin=said)
    return made.decode().strip()


def _work_tree(repository: Repository) -> Path:
    if repository.root is None:
        raise EnvironmentProblem("a bare repository has no work tree to commit in", hint="use a clone")
    return repository.root
