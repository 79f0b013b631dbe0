"""Private temporary places that a killed process does not leave behind for ever."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from dvc_modelver.errors import BadInput, EnvironmentProblem, ModelverError

_SUFFIX = ".modelver-tmp"


@contextlib.contextmanager
def scratch_dir(parent: Path, label: str = "") -> Iterator[Path]:
    """A new directory in `parent` (made when missing), removed at the end whatever happens.

    The directory is locked while its owner lives: what a kill left under the same `label` is removed by the next.
    """
    parent.mkdir(parents=True, exist_ok=True)
    _sweep(parent, label)
    place, lock = _made(parent, label)
    try:
        yield place
    finally:
        try:
            remove_tree(place)
        except BaseException:  # a second Ctrl-C
            remove_tree(place)
            raise
        finally:
            if lock is not None:
                os.close(lock)


def _made(parent: Path, label: str) -> tuple[Path, int | None]:
    """A locked directory; another process may sweep it away before it is locked, then it is made anew."""
    while True:
        place = Path(tempfile.mkdtemp(prefix=f".{label}.", suffix=_SUFFIX, dir=parent))
        lock = _lock(place)
        if place.is_dir():
            return place, lock
        if lock is not None:
            os.close(lock)


def disk_problem(error: OSError, place: Path) -> ModelverError:
    """What to tell a user whose disk or directory does not take a file."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return EnvironmentProblem(f"no space left for {place}", hint="free some space, or give another place")
    if error.errno in (errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG):
        return BadInput(f"{place} cannot be written: {error.strerror}", hint="give another place")
    return EnvironmentProblem(f"{error.filename or place}: {error.strerror or error}")


def remove_tree(place: Path) -> None:
    """Remove a directory with all below it; what is already gone does not matter."""
    shutil.rmtree(place, ignore_errors=True)


def _sweep(parent: Path, label: str) -> None:
    for name in os.listdir(parent):
        if name.startswith(f".{label}.") and name.endswith(_SUFFIX) and "." not in _middle(name, label):
            lock = _lock(parent / name)
            if lock is not None:
                remove_tree(parent / name)
                os.close(lock)


def _middle(name: str, label: str) -> str:
    return name[len(label) + 2 : -len(_SUFFIX)]


def _lock(place: Path) -> int | None:
    """Lock a directory for this process's life; None when another one holds it, or there are no such locks here."""
    try:
        import fcntl
    except ImportError:
        return None
    descriptor = None
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        if descriptor is not None:
            os.close(descriptor)
        return None
    return descriptor
