"""Finding the repository and its plain facts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dvc_modelver.errors import BadInput, EnvironmentProblem
from dvc_modelver.gitio.process import GitProcess, failure, scrubbed


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """Where a Git repository lies."""

    git: GitProcess
    root: Path | None
    """Of the work tree; None for a bare repository."""
    git_dir: Path
    common_dir: Path
    """The Git directory that all linked worktrees share."""
    prefix: str
    """The starting directory from `root`, POSIX, without a final slash; empty at the root."""
    bare: bool
    shallow: bool

    @property
    def state_dir(self) -> Path:
        """Where our cache, log and lock lie; shared by all worktrees."""
        return self.common_dir / "modelver"


def open_repository(start: Path, env: Mapping[str, str]) -> Repository:
    """The repository that `start` lies in.

    Raises `BadInput` when there is no such directory, `EnvironmentProblem` when it is in no repository.
    """
    if not start.is_dir():
        raise BadInput(f"there is no directory {start}")
    if "\n" in str(start.resolve()):
        raise EnvironmentProblem("the path of this repository has a line break", hint="move it to another place")
    git = GitProcess(start.resolve(), scrubbed(env))
    done = git.complete(
        "rev-parse",
        "--path-format=absolute",
        "--absolute-git-dir",
        "--git-common-dir",
        "--is-bare-repository",
        "--is-shallow-repository",
        "--show-prefix",
        "--show-toplevel",
    )
    lines = done.stdout.decode("utf-8", "surrogateescape").split("\n")
    if len(lines) < 5:
        raise _no_repository(start, done.stderr) or failure(done, "rev-parse")
    git_dir, common_dir, bare, shallow = lines[:4]
    # Without a work tree git stops before or after the (then empty) prefix; the lines before it stand.
    has_tree = done.status == 0 and len(lines) >= 7
    root = Path(lines[5]) if has_tree else None
    return Repository(
        git=GitProcess(root or Path(git_dir), git.env),
        root=root,
        git_dir=Path(git_dir),
        common_dir=Path(common_dir),
        prefix=lines[4].rstrip("/") if has_tree else "",
        bare=bare == "true" or root is None,
        shallow=shallow == "true",
    )


def _no_repository(start: Path, stderr: str) -> EnvironmentProblem | None:
    if "not a git repository" in stderr:
        return EnvironmentProblem(f"{start.resolve()} is in no Git repository", hint="git init, or -C PATH to name one")
    return None


def operation_under_way(repository: Repository) -> str | None:
    """`merge`, `rebase`, ... when one is unfinished in this worktree, else None."""
    marks = {
        "MERGE_HEAD": "merge",
        "rebase-merge": "rebase",
        "rebase-apply": "rebase",
        "CHERRY_PICK_HEAD": "cherry-pick",
        "REVERT_HEAD": "revert",
        "BISECT_LOG": "bisect",
    }
    return next((name for mark, name in marks.items() if os.path.lexists(repository.git_dir / mark)), None)
