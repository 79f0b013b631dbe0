"""Caches of what commits say, keyed by commit: commits never change, so neither do the answers.

JSON files under the Git common directory: one per model with where each version's bytes are, one per version with
all its facts.  They may be deleted at any time; a file that is damaged or cannot be written is as good as none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dvc_modelver.commands.remembered import read_remembered, write_remembered
from dvc_modelver.core.declarations import Declared, FileProblem
from dvc_modelver.core.facts import ArtifactFacts, Output, Source, Values

# Bump it when the meaning of a field changes; old files are then left alone.
_FORMAT = "facts-3"
_FACTS, _OUTPUT = ArtifactFacts.__slots__, Output.__slots__


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitFacts:
    """All that one commit says of one artifact."""

    declared: Declared | None = None
    params: Values
    metrics: Values
    data: tuple[Output, ...] = ()
    environment: Mapping[str, object] | None = None
    """Of the training: `file`, its `sha256`, whether it was `recorded`, and then what the document says."""
    problems: tuple[FileProblem, ...] = ()


class FactsCache:
    """`get` and `put`; `save` writes what is new of the artifacts, everything else is written at once."""

    def __init__(self, state_dir: Path) -> None:
        self._folder = state_dir / "cache" / _FORMAT
        self._models: dict[str, dict[str, Any]] = {}
        self._dirty: set[str] = set()

    def get(self, name: str, commit: str) -> ArtifactFacts | None:
        row = self._rows(name).get(commit)
        try:
            return _artifact(row) if row is not None else None
        except (TypeError, ValueError, KeyError):
            return None

    def put(self, name: str, commit: str, facts: ArtifactFacts) -> None:
        row = {key: value for key in _FACTS if (value := getattr(facts, key)) not in (None, ())}
        if facts.output is not None:
            row["output"] = {key: getattr(facts.output, key) for key in _OUTPUT}
        self._rows(name)[commit] = row
        self._dirty.add(name)

    def save(self) -> None:
        """Write what is new; silently nothing where that is not possible."""
        for name in self._dirty:
            write_remembered(self._folder / f"{_safe(name)}.json", self._models[name])
        self._dirty.clear()

    def get_all(self, name: str, commit: str) -> CommitFacts | None:
        """Everything that `commit` says of `name`; None when it is not remembered."""
        raw = read_remembered(self._folder / _safe(name) / f"{commit}.json")
        if raw is None:
            return None
        try:
            declared = raw["declared"]
            return CommitFacts(
                declared=Declared(**{**declared, "labels": tuple(declared["labels"])}) if declared else None,
                params=raw["params"],
                metrics=raw["metrics"],
                data=tuple(Output(**row) for row in raw["data"]),
                environment=raw["environment"],
            )
        except (TypeError, ValueError, KeyError):
            return None

    def put_all(self, name: str, commit: str, facts: CommitFacts) -> None:
        """Remember facts without problems (what is missing today may be there tomorrow)."""
        if not facts.problems:
            write_remembered(self._folder / _safe(name) / f"{commit}.json", asdict(facts))

    def _rows(self, name: str) -> dict[str, Any]:
        if name not in self._models:
            self._models[name] = read_remembered(self._folder / f"{_safe(name)}.json") or {}
        return self._models[name]


def _artifact(row: dict[str, Any]) -> ArtifactFacts:
    values = dict(row)
    if values.get("output") is not None:
        values["output"] = Output(**values["output"])
    values["source"] = Source(values["source"])
    values["files_read"] = tuple(values.get("files_read", ()))
    return ArtifactFacts(**values)


def _safe(name: str) -> str:
    """A file name: both separators must go, and case may not decide (names are ASCII letters, digits and `-_./:`)."""
    return "".join(f"={ord(c):02x}" if c in "/:=" or c.isupper() else c for c in name)
