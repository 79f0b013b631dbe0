"""How far a long job is.  Pure."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Told how far a long job is: bytes done, bytes in all (0 when not known), and the file at hand."""

    def __call__(self, done: int, total: int, what: str) -> None: ...


def no_progress(done: int, total: int, what: str) -> None:
    """Show nothing."""
