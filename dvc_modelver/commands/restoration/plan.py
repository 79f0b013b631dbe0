"""What a rollback would change: files, bytes, and which other models it concerns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from dvc_modelver.core.rollback import (
    OutputChange,
    Shared,
)
from dvc_modelver.dvcio.steps import NOTHING_EXECUTABLE, Executable


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What applying will do to the work tree."""

    files: Mapping[str, bytes | None]
    """Git's files and their new bytes."""
    outputs: tuple[OutputChange, ...]
    """DVC's, in the order of their paths."""
    executable: Executable = NOTHING_EXECUTABLE
    """Which of DVC's can be run."""
    shared: tuple[Shared, ...] = ()
    """Restored although other models are made with it."""
    out_of_date: tuple[str, ...] = ()
    """Models that what is shared concerns."""
    stale: tuple[str, ...] = ()
    """Pipeline stages that `dvc status` will call changed."""
    notes: tuple[str, ...] = field(default=())


def with_card(plan: Plan, card: Mapping[str, bytes | None]) -> Plan:
    """The plan with the card's files."""
    return replace(plan, files={**plan.files, **card})
