"""All that a command may not change when it refuses: taken before and after, two equal dicts."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from tests.support.git import Git

_STATE_FILES = ("HEAD", "index", "config", "config.worktree", "packed-refs.lock", "shallow", "MERGE_HEAD", "ORIG_HEAD")


def snapshot(repo: Git) -> dict[str, str]:
    """Return refs, HEAD, the index's bytes, configuration, hooks and every file of the work tree.

    Untracked and ignored files count, and so does DVC's cache.  Left out are what reading commands may write:
    `.dvc/tmp` and `modelver/` in Git's directory; and Git's objects, which no ref names.
    """
    # Asked without optional locks: the look itself must not refresh the index.
    git_dir, common = (
        Path(repo.path, line)
        for line in repo("--no-optional-locks", "rev-parse", "--git-dir", "--git-common-dir").splitlines()
    )
    state = {f"ref {name}": oid for name, oid in repo.refs().items()}
    for where in {git_dir, common}:
        for name in _STATE_FILES:
            if (where / name).is_file():
                state[f"{where.name}/{name}"] = _digest(where / name)
        for lock in where.glob("*.lock"):
            state[f"{where.name}/{lock.name}"] = "lock"
    state["global config"] = _digest(Path(repo.env["GIT_CONFIG_GLOBAL"]))
    state |= {f"hook {name}": value for name, value in _tree(common / "hooks").items()}
    if repo("--no-optional-locks", "rev-parse", "--is-bare-repository") == "false":
        state |= {f"file {name}": value for name, value in _tree(repo.path).items()}
    return state


def _tree(top: Path) -> dict[str, str]:
    """Each file, link and empty folder below `top` with what it holds."""
    found: dict[str, str] = {}
    for folder, folders, files in os.walk(top):
        here = Path(folder)
        if here == top and ".git" in folders:
            folders.remove(".git")
        if here.name == ".dvc" and "tmp" in folders:
            folders.remove("tmp")
        for name in [*files, *(name for name in folders if (here / name).is_symlink())]:
            path = here / name
            found[str(path.relative_to(top))] = _describe(path)
        if not files and not folders and here != top:
            found[f"{here.relative_to(top)}/"] = "empty"
    return found


def _describe(path: Path) -> str:
    if path.is_symlink():
        return f"link {os.readlink(path)}"
    if not path.is_file():
        return "special"
    return f"{path.stat().st_mode & 0o777:o} {_digest(path)}"


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
