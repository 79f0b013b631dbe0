"""The index as a private work tree, so that a command that reads files sees what is staged."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from dvc_modelver.dvcio.config import read_dvc_config
from dvc_modelver.errors import EnvironmentProblem
from dvc_modelver.gitio.process import GitProcess, scrubbed
from dvc_modelver.hooks.staged import Staged

# Git LFS would fetch what it keeps; a card says of such files only that they are there.
_NO_FETCH = {"GIT_LFS_SKIP_SMUDGE": "1"}


@contextmanager
def checked_out(staged: Staged) -> Iterator[Path]:
    """A directory with every staged file and nothing else, which git takes for a worktree of this repository.

    It is one that no list names: a Git directory of its own that shares the common one.  DVC's cache is the real one.
    """
    with TemporaryDirectory(prefix="modelver-") as folder:
        root = Path(folder) / "tree"
        root.mkdir()
        _make_git_dir(staged, root / ".git")
        files = sorted(staged.tree.files("*"))
        names = b"".join(path.encode("utf-8", "surrogateescape") + b"\0" for path in files)
        git = GitProcess(root, {**scrubbed(staged.env), **_NO_FETCH})
        git.run("checkout-index", "--quiet", "--force", "-z", "--stdin", stdin=names)
        _share_cache(staged, root, files)
        yield root


def _make_git_dir(staged: Staged, place: Path) -> None:
    words = staged.git.text("rev-parse", "--path-format=absolute", "--absolute-git-dir", "--git-common-dir").split("\n")
    git_dir, common = Path(words[0]), words[1]
    index = staged.git.directory / (staged.git.env.get("GIT_INDEX_FILE") or git_dir / "index")
    place.mkdir()
    (place / "commondir").write_bytes(os.fsencode(common) + b"\n")
    try:
        shutil.copyfile(git_dir / "HEAD", place / "HEAD")
        for file in (index, *git_dir.glob("sharedindex.*")):
            shutil.copyfile(file, place / (file.name if file != index else "index"))
    except OSError as error:
        raise EnvironmentProblem(f"the index cannot be read: {error.strerror}", hint="git status") from error


def _share_cache(staged: Staged, root: Path, files: list[str]) -> None:
    for path in files:
        if path == ".dvc/config" or path.endswith("/.dvc/config"):
            cache = str(read_dvc_config((staged.root / path).parent, env=staged.env).cache_dir)
            # DVC's format has no escapes: such a path stays unknown, and the card's check says what it lacks.
            if not set(cache) & set("\"'\n\r"):
                with suppress(OSError):
                    local = root / path.replace(".dvc/config", ".dvc/config.local")
                    local.write_text(f'[cache]\n    dir = "{cache}"\n', encoding="utf-8", errors="surrogateescape")
