"""What commits said of a model when they were compared: kept, since commits never change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dvc_modelver.commands.remembered import read_remembered, write_remembered
from dvc_modelver.core.facts import ArtifactFacts, Output, Source
from dvc_modelver.core.points import Bytes, Facts

if TYPE_CHECKING:
    from dvc_modelver.core.descriptions import Signature

_CACHE = "compare-2"
"""Bump it when the meaning of a field of `Facts` changes."""


class FactsMemory:
    """A file for each model and commit, below the repository's own state."""

    def __init__(self, state_dir: Path) -> None:
        self._directory = state_dir / "cache" / _CACHE

    def read(self, commit: str, name: str, circumstances: Sequence[object]) -> tuple[Facts, bool] | None:
        """The facts, and whether the model's bytes were looked at for them; None when nothing fits.

        Args:
            circumstances: on what the facts depend besides the commit.
        """
        row = read_remembered(self._file(commit, name))
        if row is None or row.get("for") != list(circumstances):
            return None
        facts = _from_row(row)
        return None if facts is None else (facts, bool(row.get("described")))

    def write(self, commit: str, name: str, circumstances: Sequence[object], facts: Facts, *, described: bool) -> None:
        """Keep `facts`."""
        row = {**asdict(facts), "for": list(circumstances), "described": described}
        write_remembered(self._file(commit, name), row)

    def _file(self, commit: str, name: str) -> Path:
        return self._directory / f"{commit}-{name.encode().hex()[-100:]}.json"


def _from_row(row: Mapping[str, Any]) -> Facts | None:
    """The inverse of `asdict`; None for what is none."""
    try:
        values = {name: row[name] for name in Facts.__slots__}
        values["data"] = {path: Bytes(**item) for path, item in row["data"].items()}
        values["artifact"] = _artifact(row["artifact"])
        if row["signature"] is not None:
            values["signature"] = _signature(row["signature"])
        return Facts(**values)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _artifact(row: Mapping[str, Any]) -> ArtifactFacts:
    output = Output(**row["output"]) if row["output"] is not None else None
    rest = {"source": Source(row["source"]), "files_read": tuple(row["files_read"]), "output": output}
    return ArtifactFacts(**{**row, **rest})


def _signature(row: Mapping[str, Any]) -> Signature:
    from dvc_modelver.core.descriptions import Feature, Signature

    sides = {
        side: tuple(Feature(**{**item, "shape": item["shape"] and tuple(item["shape"])}) for item in row[side])
        for side in ("inputs", "outputs")
    }
    return Signature(**{**row, **sides, "classes": tuple(row["classes"])})
