"""Compare a version with what its own pipeline makes today: bytes by pipeline stage, metrics by tolerance.  Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from dvc_modelver.core.facts import Scalar, Values
from dvc_modelver.core.metrics import is_number, same
from dvc_modelver.errors import BadInput


class Verdict(str, Enum):
    """What a rebuild says of a version."""

    IDENTICAL = "identical"
    """The model's bytes are the same, and so is every metric."""
    EQUIVALENT = "equivalent"
    """Other bytes; every metric is the same within the tolerance, and there is one."""
    DIFFERENT = "different"
    FAILED = "failed"
    """A pipeline stage's command failed, or did not write what it should."""


class State(str, Enum):
    """What became of a pipeline stage."""

    IDENTICAL = "identical"
    DIFFERENT = "different"
    FAILED = "failed"
    NOT_RUN = "not run"
    """One before it failed."""
    FROZEN = "frozen"
    """Its definition says that it is not to be run: its recorded outputs were used."""


class Match(str, Enum):
    """How a rebuilt metric stands to the recorded one."""

    EQUAL = "equal"
    WITHIN = "within"
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputRow:
    """One output: which bytes it had, and which it has now."""

    path: str
    recorded: str | None
    rebuilt: str | None
    """Digests as DVC has them; None where there is no such output."""

    @property
    def same(self) -> bool:
        return self.recorded is not None and self.recorded == self.rebuilt


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRow:
    """One pipeline stage."""

    name: str
    state: State
    outputs: tuple[OutputRow, ...]
    """By path; empty unless it ran to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRow:
    """One metric, then and now; None where there is none."""

    file: str
    key: str
    recorded: Scalar
    rebuilt: Scalar
    match: Match


Digests = Mapping[str, str | None]
"""Path of an output -> its digest."""


def parse_tolerance(text: str) -> float:
    """`1e-3`, `0.001` or `0.1%` as a share of the recorded value.  Raises `BadInput`."""
    number, percent = (text[:-1], 100.0) if text.endswith("%") else (text, 1.0)
    try:
        found = float(number) / percent
    except ValueError:
        found = math.nan
    if not 0 <= found < math.inf:
        raise BadInput(f"--tolerance {text[:40]!a} is no share of a value", hint="for example 1e-3, or 1%")
    return found


def compare_stage(name: str, recorded: Digests, rebuilt: Digests) -> StageRow:
    """A stage that ran to its end."""
    rows = tuple(
        OutputRow(path=path, recorded=recorded.get(path), rebuilt=rebuilt.get(path))
        for path in sorted({*recorded, *rebuilt})
    )
    state = State.IDENTICAL if all(row.same for row in rows) else State.DIFFERENT
    return StageRow(name=name, state=state, outputs=rows)


def compare_metrics(recorded: Values, rebuilt: Values, tolerance: float = 0.0) -> tuple[MetricRow, ...]:
    """Every metric of either side, by file and key.

    Args:
        tolerance: how far a number may be from the recorded one, as a share of that one's size.
    """
    rows = sorted({(file, key) for values in (recorded, rebuilt) for file in values for key in values[file]})
    return tuple(_metric(file, key, recorded, rebuilt, tolerance) for file, key in rows)


def _metric(file: str, key: str, recorded: Values, rebuilt: Values, tolerance: float) -> MetricRow:
    before, after = recorded.get(file, {}), rebuilt.get(file, {})
    match = matched(before[key], after[key], tolerance) if key in before and key in after else Match.DIFFERENT
    return MetricRow(file=file, key=key, recorded=before.get(key), rebuilt=after.get(key), match=match)


def matched(recorded: Scalar, rebuilt: Scalar, tolerance: float) -> Match:
    """How two values stand to each other; only finite numbers can be near each other."""
    if same(recorded, rebuilt):
        return Match.EQUAL
    if not is_number(recorded) or not is_number(rebuilt):
        return Match.DIFFERENT
    try:
        one, other = float(recorded), float(rebuilt)
    except OverflowError:
        return Match.DIFFERENT
    near = math.isfinite(one) and math.isfinite(other) and abs(other - one) <= tolerance * abs(one)
    return Match.WITHIN if near else Match.DIFFERENT


def judge(model_same: bool, stages: Iterable[StageRow], metrics: Iterable[MetricRow]) -> Verdict:
    """The verdict over all.

    Args:
        model_same: whether the model itself has the bytes that the version names.
    """
    if any(stage.state in (State.FAILED, State.NOT_RUN) for stage in stages):
        return Verdict.FAILED
    matches = [row.match for row in metrics]
    if model_same and all(match is Match.EQUAL for match in matches):
        return Verdict.IDENTICAL
    if matches and all(match is not Match.DIFFERENT for match in matches):
        return Verdict.EQUIVALENT
    return Verdict.DIFFERENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One fact of the environment that is not as it was recorded; None where it is absent."""

    key: str
    recorded: Scalar
    present: Scalar


def environment_differences(recorded: Mapping[str, Scalar], present: Mapping[str, Scalar]) -> tuple[Difference, ...]:
    """What differs of two flat environments, Python and packages first; what pins packages is the commit's own."""
    keys = sorted((key for key in {*recorded, *present} if "." in key and not key.startswith("lock.")), key=_rank)
    rows = (Difference(key=key, recorded=recorded.get(key), present=present.get(key)) for key in keys)
    return tuple(row for row in rows if not same(row.recorded, row.present))


_PARTS = ("python", "packages", "os", "variables", "gpus", "cpu")


def _rank(key: str) -> tuple[int, str]:
    part = key.partition(".")[0]
    return _PARTS.index(part) if part in _PARTS else len(_PARTS), key
