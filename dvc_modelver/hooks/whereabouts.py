"""Which repository a hook was started for: where it is started, unless git was told of another by GIT_DIR."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from dvc_modelver.errors import EnvironmentProblem
from dvc_modelver.gitio.process import GitProcess, scrubbed
from dvc_modelver.gitio.repository import Repository, open_repository
from dvc_modelver.hooks.call import Call


def repository_of(call: Call) -> Repository:
    """The repository whose hook runs.

    Git exports GIT_DIR in linked worktrees and submodules, where it is what the directory says too; under
    `git --git-dir=PLACE` it is not, and another repository, or none, may lie around the working directory.
    Raises `EnvironmentProblem` when there is no repository.
    """
    exported = call.env.get("GIT_DIR")
    if not exported:
        return open_repository(call.directory, call.env)
    git_dir = (call.directory / exported).resolve()
    for start in (call.directory, *([git_dir.parent] if "GIT_WORK_TREE" not in call.env else [])):
        with suppress(EnvironmentProblem):
            found = open_repository(start, call.env)
            if found.git_dir.resolve() == git_dir:
                return found
    return _told(call, git_dir)


def _told(call: Call, git_dir: Path) -> Repository:
    """A Git directory that does not lie in its work tree."""
    bare = GitProcess(git_dir, scrubbed(call.env) | {"GIT_DIR": str(git_dir)})
    common = Path(bare.line("rev-parse", "--path-format=absolute", "--git-common-dir"))
    root: Path | None = (call.directory / call.env.get("GIT_WORK_TREE", ".")).resolve()
    if bare.line("rev-parse", "--is-bare-repository") == "true":
        root = None
    return Repository(
        git=GitProcess(root, {**bare.env, "GIT_WORK_TREE": str(root)}) if root is not None else bare,
        root=root,
        git_dir=git_dir,
        common_dir=common,
        prefix="",
        bare=root is None,
        shallow=bare.line("rev-parse", "--is-shallow-repository") == "true",
    )
