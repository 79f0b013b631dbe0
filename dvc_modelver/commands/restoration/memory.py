"""Where the last rollback of this clone started, for `rollback --undo`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from dvc_modelver.commands.remembered import read_remembered, write_remembered


@dataclass(frozen=True, slots=True, kw_only=True)
class Last:
    """The last rollback."""

    before: str
    """The commit that HEAD named before."""
    after: str
    """And after."""
    branch: str | None
    name: str
    """The model."""


def write_last(state_dir: Path, last: Last) -> None:
    """Keep it; where that is not possible, there is no undo."""
    write_remembered(state_dir / "rollback.json", asdict(last))


def read_last(state_dir: Path) -> Last | None:
    """The last rollback; None when there was none."""
    row = read_remembered(state_dir / "rollback.json")
    try:
        return Last(**row) if row is not None else None
    except TypeError:
        return None
