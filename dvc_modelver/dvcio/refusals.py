"""Name the files of a work tree whose bytes a restore would lose, and say how to save them."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from dvc_modelver.dvcio.content import some_of
from dvc_modelver.dvcio.paths import parents, shown
from dvc_modelver.dvcio.workspace import ignored_names
from dvc_modelver.errors import Refused

UNTRACKED, UNSAVED, BAD_COPY = "untracked", "unsaved", "bad copy"

_REASONS = {
    "link": ("in the way: {}, which DVC has not made", "move the symbolic link away"),
    "special": ("in the way: {}, not a regular file", "move it away"),
    UNTRACKED: ("files that no commit names: {}", "move them away, or: dvc commit {}"),
    UNSAVED: ("bytes that DVC has not saved: {}", "dvc commit {}, and commit that; or move them away"),
    BAD_COPY: (
        "the DVC cache has no good copy of {}",
        "move them away, or remove the bad objects from the cache, then: dvc commit {}",
    ),
}
"""Reason -> message about the files, hint about their outputs; the first reason that applies is told."""


def refuse_lost(lost: Mapping[str, str], files: Mapping[str, os.stat_result], tops: Iterable[str]) -> None:
    """Raise `Refused` when there is any (path -> reason).

    Args:
        files: `lstat` of what lies there.
        tops: paths of the outputs, for the hint.
    """
    reasons = {path: _seen(reason, files[path]) for path, reason in lost.items()}
    for reason, (message, hint) in _REASONS.items():
        paths = sorted(path for path, why in reasons.items() if why == reason)
        if paths:
            outputs = sorted(top for top in tops if any(top in (path, *parents(path)) for path in paths))
            named = " ".join(shlex.quote(shown(top)) for top in outputs[:3])
            raise Refused(message.format(some_of([shown(path) for path in paths])), hint=hint.format(named))


def _seen(reason: str, state: os.stat_result) -> str:
    if stat.S_ISLNK(state.st_mode):
        return "link"
    return reason if stat.S_ISREG(state.st_mode) else "special"


def harmless(
    root: Path,
    paths: Collection[str],
    files: Mapping[str, os.stat_result],
    wanted: Collection[str],
    folders: Iterable[str],
) -> set[str]:
    """Those of the untracked `paths` that may stay where they are: DVC does not see them, and nothing is put there."""
    ways = {parent for path in wanted for parent in parents(path)}
    free = [path for path in paths if path not in ways and not any(up in wanted for up in parents(path))]
    found = {path for path in free if stat.S_ISDIR(files[path].st_mode)}
    for folder in folders:
        below = {path.removeprefix(f"{folder}/") for path in free if path.startswith(f"{folder}/")}
        found.update(f"{folder}/{name}" for name in ignored_names(root, root / folder, below))
    return found
