"""Verdicts of gates, validations and guards, and experiments, with pandas frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dvc_modelver.api.frames import frame
from dvc_modelver.commands.experiments import Experiments, all_points
from dvc_modelver.commands.gating.gate import Gated
from dvc_modelver.commands.guarding.guard import Guarded
from dvc_modelver.commands.pipelines.validate import Validated
from dvc_modelver.core.facts import Values
from dvc_modelver.core.gate import Verdict

if TYPE_CHECKING:
    import pandas as pd

_RULING = ("file", "metric", "slice", "rule", "limit", "value", "reference", "delta", "low", "high", "ok", "reason")


def _rulings(verdict: Verdict) -> pd.DataFrame:
    rows = (
        (r.file, r.metric, r.slice, r.rule, r.limit, r.value, r.reference, r.delta)
        + ((r.interval.low, r.interval.high) if r.interval is not None else (None, None))
        + (r.ok, r.reason)
        for r in verdict.rulings
    )
    return frame(_RULING, rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class FramedGate(Gated):
    """What a gate said."""

    def to_frame(self) -> pd.DataFrame:
        """One row for each rule on each metric; `low` and `high` are the 95 % interval of `delta`, where known."""
        return _rulings(self.verdict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FramedValidation(Validated):
    """What a table came to."""

    def to_frame(self) -> pd.DataFrame:
        """One row for each deviation: `level` is `refuse` or `note`, `count` the number of cells or rows."""
        rows = ((f.column, f.rule, f.level, f.expected, f.seen, f.count) for f in self.findings)
        return frame(("column", "rule", "level", "expected", "seen", "count"), rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class FramedGuard(Guarded):
    """What a guard found, and did."""

    def to_frame(self) -> pd.DataFrame:
        """One row for each rule on each metric of the last report; `reference` is what the version recorded."""
        return _rulings(self.gated.verdict)


def _keys(found: Iterable[Values]) -> list[tuple[str, str]]:
    """(FILE, KEY) of everything that any of them has."""
    return sorted({(file, key) for values in found for file, keys in values.items() for key in keys})


@dataclass(frozen=True, slots=True, kw_only=True)
class FramedExperiments(Experiments):
    """Experiments beside the latest and the production version."""

    def to_frame(self) -> pd.DataFrame:
        """One row for each point: production's version, the latest, then the experiments by name.

        Columns: `model`, `ref`, `version` (None: an experiment), `commit`, `parent`, `gate` (whether it would pass;
        None where that was not judged); then `metrics.FILE:KEY` and `params.FILE:KEY`.
        """
        points = [(one.name, point) for one in self.models for point in all_points(one)]
        keys = {section: _keys(getattr(p, section) for _, p in points) for section in ("metrics", "params")}
        head = ("model", "ref", "version", "commit", "parent", "gate")
        columns = [f"{section}.{file}:{key}" for section, pairs in keys.items() for file, key in pairs]

        def rows() -> Iterator[Sequence[object]]:
            for name, p in points:
                known = (name, p.ref, p.version and str(p.version), p.commit, p.parent, p.gate and p.gate.ok)
                yield (
                    *known,
                    *(getattr(p, section).get(file, {}).get(key) for section in keys for file, key in keys[section]),
                )

        return frame((*head, *columns), rows())
