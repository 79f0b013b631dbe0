"""What processes of ours that were killed have left under temporary names, and when it may go."""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_OURS = re.compile(r"modelver-(?:[a-z]+-([1-9][0-9]{0,9})|paths|index)-[a-z0-9_]{8}")
_REMEMBERED = re.compile(r"rollback\.json\.([1-9][0-9]{0,9})")
OLD_SECONDS = 3600.0
"""A process in another container is not seen from here: what it has made lately stays."""


@contextmanager
def scratch(kind: str) -> Iterator[Path]:
    """A directory in the system's place for temporary files, that goes at the end; its name says whose it is."""
    with tempfile.TemporaryDirectory(prefix=f"modelver-{kind}-{os.getpid()}-") as folder:
        yield Path(folder)


def sweep(state_dir: Path, now: float | None = None) -> tuple[Path, ...]:
    """Remove what killed processes have left; what was removed, sorted.  The caller holds the clone's lock.

    Args:
        state_dir: where we remember things of this clone.
        now: seconds since the epoch.
    """
    before = (time.time() if now is None else now) - OLD_SECONDS
    gone = [place for place in _temporary() if _is_old(place, before)]
    for place in gone:
        shutil.rmtree(place, ignore_errors=True)
    mine = list(_remembered(state_dir))
    for place in mine:
        with suppress(OSError):
            place.unlink()
    return tuple(sorted(place for place in (*gone, *mine) if not os.path.lexists(place)))


def _temporary() -> Iterator[Path]:
    with suppress(OSError), os.scandir(tempfile.gettempdir()) as entries:
        for entry in entries:
            found = _OURS.fullmatch(entry.name)
            if found is not None and not (found[1] and is_running(int(found[1]))):
                yield Path(entry.path)


def _remembered(state_dir: Path) -> Iterator[Path]:
    with suppress(OSError), os.scandir(state_dir) as entries:
        for entry in entries:
            found = _REMEMBERED.fullmatch(entry.name)
            if found is not None and not is_running(int(found[1])):
                yield Path(entry.path)


def _is_old(place: Path, before: float) -> bool:
    """Whether it is a directory of this user's that nobody has touched since."""
    try:
        state = os.lstat(place)
    except OSError:
        return False
    mine = not hasattr(os, "getuid") or state.st_uid == os.getuid()
    return mine and stat.S_ISDIR(state.st_mode) and state.st_mtime < before


def is_running(process: int) -> bool:
    """Whether there is such a process, ours or not; where that cannot be asked, there is."""
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
