"""The rows of the hooks for pre-commit: each on a commit that touches what it guards, and on one that does not.

`row_hook(bench)` yields what `run.py` measures, as the rows in it do.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.benchmarks.run import Bench, Comparison

HOOKS = ("dvc-sync", "model-format", "card", "card-update", "commit-msg")


def row_hook(bench: Bench) -> Iterator[Comparison]:
    """Each hook: at most four times `import yaml` where it has to look, twice where it has not."""
    from tests.benchmarks.run import Command, Comparison, Side

    yaml = Side([Command([sys.executable, "-c", "import yaml"], bench.folder)])
    for repo, words, budget in ((_touched(bench), "touched", 4.0), (_untouched(bench), "not touched", 2.0)):
        for name in HOOKS:
            args = ["git-hook", name, *(["message.txt"] if name == "commit-msg" else [])]
            if name == "commit-msg" and budget == 2.0:  # there is no commit without a message
                continue
            yield Comparison(
                row="hook",
                work=f"{name}, {words}",
                against="python -c 'import yaml'",
                ours=Side([bench.modelver(repo, *args)], ok=(0, 1)),
                theirs=yaml,
                budget=budget,
            )


def _touched(bench: Bench) -> Path:
    """A new model is staged, as `dvc add` leaves it."""
    path = bench.folder / "hook-touched"
    if not path.exists():
        shutil.copytree(bench.releasable, path, symlinks=True)
        bench._new_bytes(path, b"three")
        bench._git(path, "reset", "-q", "--soft", "HEAD~1")
        (path / "message.txt").write_text("Train bench\n\nOn better data.\n")
    return path


def _untouched(bench: Bench) -> Path:
    """A page that no model is made from is staged."""
    path = bench.folder / "hook-untouched"
    if not path.exists():
        shutil.copytree(bench.releasable, path, symlinks=True)
        (path / "meeting-of-monday.rst").write_text("Nobody came.\n")
        bench._git(path, "add", "meeting-of-monday.rst")
    return path
