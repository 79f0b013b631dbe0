"""What is said of one guard of a repository."""

from __future__ import annotations

from dataclasses import dataclass

LIVE = "live"
ABSENT = "absent"
SHADOWED = "shadowed"
"""It is there, or could be, but git runs something else."""
BROKEN = "broken"
"""Git starts it and it cannot do its work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """A hook or driver of ours as git would meet it now."""

    name: str
    state: str
    """`live`, `absent`, `shadowed` or `broken`."""
    detail: str
    """One fact; empty when there is nothing to add."""
    remedy: str
    """The next step; empty for a guard that is live or was not asked for."""
