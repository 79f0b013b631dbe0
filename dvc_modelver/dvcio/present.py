"""What lies in the work tree at some paths; nothing is followed, nothing is read."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from dvc_modelver.dvcio.paths import is_url, join, parents, path_problem, shown
from dvc_modelver.errors import Refused

_OTHERS = frozenset({".git", ".hg", ".dvc"})
"""Directories that DVC never looks into."""
_TEMPORARY = re.compile(r"\.[0-9a-f]{24}\.modelver-put")


@dataclass(slots=True)
class Present:
    """Paths from the root, with their `lstat`."""

    files: dict[str, os.stat_result] = field(default_factory=dict)
    """All that is no directory; and directories of other tools, which nobody looks into."""
    folders: set[str] = field(default_factory=set)


def check_path(root: Path, path: str, outputs: Collection[str] = ()) -> None:
    """Refuse a path that may not be written to: outside the root, in `.git` or `.dvc`, or through a symbolic link.

    Args:
        outputs: paths that `look` is asked for too: a link there is seen by it.

    Raises:
        Refused: names it.
    """
    problem = path_problem(path) or ("the path is a URL" if is_url(path) else None)
    if problem is None and join("", path) != path:
        problem = "the path leads out of the repository"
    if problem is not None:
        raise Refused(f"{shown(path)} cannot be restored: {problem}")
    for parent in parents(path):
        if parent not in outputs and os.path.islink(root / parent):
            message = f"{shown(path)} cannot be restored: {shown(parent)} is a symbolic link"
            raise Refused(message, hint="move it away, and put a directory there")


def look(root: Path, paths: Iterable[str]) -> Present:
    """Every file and folder at or below `paths`, and the files that lie where a parent of them should be."""
    present = Present()
    for path in sorted(set(paths)):
        for place in (*reversed(parents(path)), path):
            state = _lstat(root / place)
            if state is not None and not stat.S_ISDIR(state.st_mode):
                present.files[place] = state
                break
        else:
            if state is not None and path not in present.folders:
                _walk(root / path, path, present)
    return present


def _lstat(place: Path) -> os.stat_result | None:
    try:
        return os.lstat(place)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _walk(place: Path, path: str, present: Present) -> None:
    present.folders.add(path)
    with os.scandir(place) as entries:
        for entry in entries:
            below = f"{path}/{entry.name}"
            if entry.is_dir(follow_symlinks=False) and entry.name not in _OTHERS:
                _walk(place / entry.name, below, present)
            elif not is_temporary(entry.name):
                present.files[below] = os.lstat(entry.path)


def temporary_name(path: str) -> str:
    """The name under which the file of `path` is prepared: always the same, so a second run uses it again."""
    return f".{hashlib.sha256(path.encode('utf-8', 'surrogateescape')).hexdigest()[:24]}.modelver-put"


def is_temporary(name: str) -> bool:
    """Whether a file was being prepared by `Restore`."""
    return _TEMPORARY.fullmatch(name) is not None


def leftovers(root: Path) -> Iterator[Path]:
    """The prepared files that a killed run has left in the work tree; only while nobody restores."""
    for folder, below, names in os.walk(root):
        below[:] = sorted(name for name in below if name not in _OTHERS)
        yield from (Path(folder, name) for name in sorted(names) if is_temporary(name))


def clean(root: Path) -> int:
    """Remove `leftovers`; how many there were.  Their bytes are in the cache."""
    count = 0
    for place in leftovers(root):
        with suppress(FileNotFoundError):
            place.unlink()
            count += 1
    return count
