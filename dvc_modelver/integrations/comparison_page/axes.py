"""The axes of parallel coordinates: which params and metrics vary over the versions, and how each is scaled.  Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from dvc_modelver.core.facts import Scalar
from dvc_modelver.core.metrics import is_number
from dvc_modelver.core.report import Report
from dvc_modelver.integrations.comparison_page.charts import compared_at, label_of, metric_names, share
from dvc_modelver.integrations.comparison_page.markup import as_float, is_secret, letter, plain, shown

MAX_AXES = 60
SHOWN_OF_A_KIND = 4
"""So many params and so many metrics have an axis at first."""
_FEW_NAMES = 12
_MAX_NAME = 60
_LOG_SPAN = 1000
"""Positive numbers that span more than this factor lie on a logarithmic axis."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One param or metric over all lines."""

    name: str
    """Clean, not escaped."""
    param: bool
    values: tuple[float | None, ...]
    """A number, or the place among `names`; None where there is none."""
    names: tuple[str, ...] = ()
    """Of an axis of names, from bottom to top; empty for numbers."""
    log: bool = False
    on: bool = False
    """Whether it is shown at first."""
    low: float = 0.0
    high: float = 0.0
    """Of numbers: the smallest and the largest."""

    def place(self, value: float) -> float:
        """Where a value stands, 0 at the bottom and 1 on top."""
        if self.names:
            return value / (len(self.names) - 1) if len(self.names) > 1 else 0.5
        low, high = self.low, self.high
        if self.log:
            low, high, value = math.log10(low), math.log10(high), math.log10(value)
        return share(value, low, high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One version, or one point that is none."""

    name: str
    """Clean, not escaped."""
    point: int | None = None
    """Its place among the points that are compared."""
    withdrawn: bool = False


_Column = Sequence[Scalar]


def lines_of(report: Report) -> tuple[Line, ...]:
    """All versions, then the points that are none of them."""
    compared = compared_at(report)
    versions = (
        Line(name=str(one.version), point=compared.get(at), withdrawn=one.withdrawn)
        for at, one in enumerate(report.versions)
    )
    extra = (
        Line(name=plain(f"{letter(at)}: {report.comparison.points[at].ref}", _MAX_NAME), point=at)
        for at in _extra(report)
    )
    return (*versions, *extra)


def _extra(report: Report) -> list[int]:
    placed = set(compared_at(report).values())
    seen = {point.version for at, point in enumerate(report.comparison.points) if at in placed}
    points = enumerate(report.comparison.points)
    return [at for at, point in points if at not in placed and (point.version is None or point.version not in seen)]


def axes_of(report: Report) -> tuple[Axis, ...]:
    """What varies: params, then metrics; at most `MAX_AXES`, what is shown at first always among them."""
    params = _axes(report, param_names(report), param=True)
    metrics = _axes(report, metric_names(report), param=False)
    kept = [*params[: MAX_AXES // 2], *metrics[: MAX_AXES - min(len(params), MAX_AXES // 2)]]
    return tuple(kept)


def param_names(report: Report) -> list[str]:
    """The labels of all params: those that changed between the points first."""
    known = dict.fromkeys(name for one in report.versions for name in one.params)
    rows = [row for row in report.comparison.params if row.changed]
    first = [name for row in rows if (name := label_of(row.file, row.key, known)) is not None]
    return [*dict.fromkeys((*first, *known))]


def _axes(report: Report, names: Sequence[str], *, param: bool) -> list[Axis]:
    rest = _rest(report, param)
    found: list[Axis] = []
    shown_first = 0
    for name in names:
        column = [(one.params if param else one.metrics).get(name) for one in report.versions]
        axis = _axis(name, [*column, *rest(name)], param)
        if axis is None:
            continue
        on = shown_first < SHOWN_OF_A_KIND and len(axis.names) <= _FEW_NAMES
        shown_first += on
        found.append(replace(axis, on=on))
    return found


def _rest(report: Report, param: bool) -> Callable[[str], list[Scalar]]:
    """What the points that are no versions have under a label."""
    rows = report.comparison.params if param else report.comparison.metrics
    extra = _extra(report)
    known: Mapping[str, object] = {
        name: None for one in report.versions for name in (one.params if param else one.metrics)
    }
    labelled = {label_of(row.file, row.key, known): row for row in rows}

    def values(name: str) -> list[Scalar]:
        row = labelled.get(name)
        return [row.values[at] if row is not None else None for at in extra]

    return values


def _axis(name: str, column: _Column, param: bool) -> Axis | None:
    """None where nothing varies."""
    numbers = [as_float(value) for value in column]
    secret = is_secret(name)
    there = [value for value in column if value is not None]
    if there and not secret and all(is_number(value) for value in there):
        values = tuple(value if value is not None and math.isfinite(value) else None for value in numbers)
        known = {value for value in values if value is not None}
        if not known or len({*values}) < 2:
            return None
        low, high = min(known), max(known)
        log = low > 0 and high / low > _LOG_SPAN
        return Axis(name=plain(name, _MAX_NAME), param=param, values=values, log=log, low=low, high=high)
    spelled = {(type(value), value): plain(shown(name, value), _MAX_NAME) for value in column if value is not None}
    words = [None if value is None else spelled[type(value), value] for value in column]
    names = sorted({word for word in words if word is not None}, reverse=True)
    if len(set(words)) < 2 or not names:
        return None
    place = {word: float(at) for at, word in enumerate(names)}
    found = tuple(None if word is None else place[word] for word in words)
    return Axis(name=plain(name, _MAX_NAME), param=param, values=found, names=tuple(names))
