"""Report how far a long job is, from many threads, and stop them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from typing import TypeVar

from dvc_modelver.core.progress import Progress, no_progress

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Meter:
    """Adds up the progress of many threads; once stopped, each thread ends at its next block."""

    def __init__(self, total: int, progress: Progress = no_progress) -> None:
        self._total = total
        self._progress = progress
        self._done = 0
        self._lock = threading.Lock()
        self._stopped = False

    def stop(self) -> None:
        """Make every thread that reports to this meter give up."""
        self._stopped = True

    def told(self, what: str) -> Callable[[int], None]:
        """A callback for `pump` that reads one file."""
        before = 0

        def tell(now: int) -> None:
            nonlocal before
            if self._stopped:
                from concurrent.futures import CancelledError

                raise CancelledError
            with self._lock:
                self._done += now - before
                before = now
                self._progress(self._done, self._total, what)

        return tell

    def map(self, work: Callable[[Item], Answer], items: Iterable[Item], jobs: int | None = None) -> list[Answer]:
        """Do `work` on every item by threads; answers in the order of the items; the first failure stops the rest."""
        rows = list(items)
        if len(rows) < 2:
            return [work(row) for row in rows]
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(jobs or min(16, os.cpu_count() or 1)) as pool:
            running = [pool.submit(work, row) for row in rows]
            try:
                return [job.result() for job in running]
            except BaseException:  # an interrupt too: without this it would wait for gigabytes
                self.stop()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
