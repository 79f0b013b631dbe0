"""One writing command at a time in a clone.  The lock is the kernel's: a killed process cannot leave it behind."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dvc_modelver.errors import EnvironmentProblem

WAIT_SECONDS = 10.0


@contextmanager
def writing(state_dir: Path, wait: float = WAIT_SECONDS) -> Iterator[None]:
    """Hold the clone's lock.  Raises `EnvironmentProblem` when another command keeps it longer than `wait` s."""
    path = state_dir / "lock"
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise EnvironmentProblem(f"cannot write {path}: {error.strerror}", hint="check who may write there") from error
    try:
        _acquire(handle, path, wait)
        yield
    finally:
        os.close(handle)


def _acquire(handle: int, path: Path, wait: float) -> None:
    deadline = time.monotonic() + wait
    while not _try(handle):
        if time.monotonic() >= deadline:
            raise EnvironmentProblem(
                f"another modelver is at work in this repository ({path})", hint="wait until it has finished"
            )
        time.sleep(0.02)


if sys.platform == "win32":
    import msvcrt

    def _try(handle: int) -> bool:
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def _try(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
