"""Making commits that hold exactly the files they are meant to hold."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from dvc_modelver.core.text import one_line, redact
from dvc_modelver.errors import EnvironmentProblem, Refused
from dvc_modelver.gitio.process import GitFailed, GitProcess
from dvc_modelver.gitio.remotes import read_config
from dvc_modelver.gitio.repository import Repository

Files = Mapping[str, bytes]
"""Path from the root -> its new bytes."""


def write_file(path: Path, data: bytes) -> None:
    """Replace `path` in one step; the directory is made.  Raises `EnvironmentProblem` when that cannot be done."""
    temporary = path.with_name(f".{path.name}.modelver-tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(data)
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise EnvironmentProblem(f"cannot write {path}: {error.strerror}") from error


def commit_only(repository: Repository, files: Files, message: str) -> str:
    """Write `files` into the work tree and commit them, and nothing else, on the current branch.

    It is a real `git commit`: the user's hooks and signing apply.  The files must be clean before.  When a hook
    refuses, alters a file or lets anything else in, everything is put back and `Refused` is raised.
    """
    root = _work_tree(repository)
    git = repository.git
    old = git.line("rev-parse", "--verify", "HEAD")
    for path, data in files.items():
        write_file(root / path, data)
    try:
        git.run("add", "--intent-to-add", "--", *files)
        git.run("commit", "--quiet", "--only", "-F", "-", "--", *files, stdin=message.encode())
        new = git.line("rev-parse", "--verify", "HEAD")
        _check_commit(git, old, new, files)
    except (GitFailed, Refused) as error:
        undo_commit(repository, old, files)
        said = error.stderr.strip().splitlines()[-1:] if isinstance(error, GitFailed) else []
        words = redact(one_line(" ".join(said))) or error.message
        raise Refused(f"the commit of {', '.join(files)} did not go through: {words}", hint=error.hint) from error
    except BaseException:
        undo_commit(repository, old, files)
        raise
    return new


def undo_commit(repository: Repository, old: str, files: Files | tuple[str, ...]) -> None:
    """Put branch, index and work tree back to `old` as far as `files` are concerned."""
    git = repository.git
    now = git.line("rev-parse", "--verify", "HEAD")
    if now != old:
        git.run("update-ref", "-m", "modelver: put back", "HEAD", old, now)
    git.run("reset", "--quiet", "--", *files)
    for path in files:
        if _has_path(git, old, path):
            git.run("checkout", "--quiet", old, "--", path)
        else:
            (_work_tree(repository) / path).unlink(missing_ok=True)


def _has_path(git: GitProcess, commit: str, path: str) -> bool:
    return bool(git.run("ls-tree", "-z", "--full-tree", commit, "--", path))


def _check_commit(git: GitProcess, old: str, new: str, files: Files) -> None:
    """`new` is one commit on `old` that differs in exactly `files`, with exactly these bytes."""
    parents = git.line("rev-list", "--parents", "-n", "1", new).split()[1:]
    changed = git.text("diff-tree", "-r", "-z", "--name-only", "--no-renames", old, new)
    names = {path for path in changed.split("\0") if path}
    others = names - set(files)
    if parents != [old] or others:
        raise Refused(f"something else got into the commit: {', '.join(sorted(others)) or 'another parent'}")
    for path, data in files.items():
        if path in names and git.run("cat-file", "blob", f"{new}:{path}") != data:
            raise Refused(f"a hook altered {path}", hint="let the hook leave that file alone")


def child_commit(repository: Repository, parent: str, files: Files, message: str) -> str:
    """A commit on `parent` that only adds `files`; no branch, index or work tree is touched."""
    git = repository.git
    sign = read_config(git).get("commit.gpgsign", "").lower() in ("true", "yes", "on", "1")
    with tempfile.TemporaryDirectory(prefix="modelver-index-") as folder:
        env = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        git.run("read-tree", parent, env=env)
        for path, data in files.items():
            blob = git.run("hash-object", "-w", "--stdin", stdin=data).decode().strip()
            git.run("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}", env=env)
        tree = git.run("write-tree", env=env).decode().strip()
    signing = ["-S"] if sign else []
    made = git.run("commit-tree", *signing, "-p", parent, "-F", "-", tree, stdin=message.encode())
    return made.decode().strip()


def _work_tree(repository: Repository) -> Path:
    if repository.root is None:
        raise EnvironmentProblem("a bare repository has no work tree to commit in", hint="use a clone")
    return repository.root
