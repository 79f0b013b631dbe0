"""Each metric over all versions, as small charts drawn here: nothing is computed by the page.  Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dvc_modelver.core.comparison import MetricRow
from dvc_modelver.core.facts import Scalar
from dvc_modelver.core.metrics import label
from dvc_modelver.core.report import Report, ReportVersion
from dvc_modelver.integrations.comparison_page.markup import (
    as_float,
    clipped,
    colour,
    is_secret,
    letter,
    px,
    shown,
    text,
)
from dvc_modelver.integrations.comparison_page.metricrows import WAYS

MAX_CHARTS = 40
MAX_DOTS = 60
"""Of one chart; the line goes through all versions."""
_WIDTH, _HEIGHT = 320, 150
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 306, 16, 122


@dataclass(frozen=True, slots=True, kw_only=True)
class _Dot:
    """One measured version."""

    at: int
    """Place among all versions."""
    value: float
    raw: Scalar


def history(report: Report) -> str:
    """One chart for each metric with two or more values; a sentence where there is nothing to draw."""
    names = [name for name in metric_names(report) if not is_secret(name)]
    drawn = [(name, dots) for name in names if len(dots := _dots(report.versions, name)) > 1]
    if not drawn:
        return '<p class="quiet">A history needs two versions with the same metric.</p>\n'
    compared = compared_at(report)
    charts = "".join(_figure(report, name, dots, compared) for name, dots in drawn[:MAX_CHARTS])
    more = f'<p class="more">and {len(drawn) - MAX_CHARTS:,} more metrics.</p>' if len(drawn) > MAX_CHARTS else ""
    return f'<div class="charts">{charts}</div>{more}\n'


def metric_names(report: Report) -> list[str]:
    """The labels of all metrics: those that are compared first, what moved before what did not."""
    known = dict.fromkeys(name for one in report.versions for name in one.metrics)
    rows = sorted(report.comparison.metrics, key=lambda row: not row.changed)
    first = [name for row in rows if (name := label_of(row.file, row.key, known)) is not None]
    return [*dict.fromkeys((*first, *known))]


def label_of(file: str, key: str, known: Mapping[str, object]) -> str | None:
    """How the history calls a row; None where it has no such thing."""
    return next((name for name in (label(key, file), label(key), key) if name in known), None)


def compared_at(report: Report) -> dict[int, int]:
    """Place among the versions -> place among the points that are compared."""
    places = {one.version: at for at, one in enumerate(report.versions)}
    base = report.comparison.base.name
    found: dict[int, int] = {}
    for at, point in enumerate(report.comparison.points):
        place = places.get(point.version) if point.version is not None and point.name == base else None
        if place is not None:
            found.setdefault(place, at)
    return found


def _dots(versions: Sequence[ReportVersion], name: str) -> list[_Dot]:
    found = []
    for at, one in enumerate(versions):
        value = as_float(one.metrics.get(name))
        if value is not None and math.isfinite(value):
            found.append(_Dot(at=at, value=value, raw=one.metrics[name]))
    return found


def _figure(report: Report, name: str, dots: Sequence[_Dot], compared: Mapping[int, int]) -> str:
    better = report.better.get(name) or _row_better(report, name)
    last = dots[-1]
    way = f"{'↗' if better == 'up' else '↘'} {WAYS[better]}" if better else WAYS[None]
    heard = f"{text(name, 80)} over {len(dots)} versions; newest {text(shown(name, last.raw))}"
    return (
        f'<figure class="chart"><figcaption><h3>{clipped(name, 60)}</h3><span class="quiet">{way}</span></figcaption>'
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="group" aria-label="{heard}">'
        f"{''.join(_drawing(report.versions, name, dots, compared))}</svg></figure>\n"
    )


def _row_better(report: Report, name: str) -> str | None:
    rows: Iterator[MetricRow] = (r for r in report.comparison.metrics if name in (label(r.key), label(r.key, r.file)))
    return next((row.better for row in rows), None)


def _drawing(
    versions: Sequence[ReportVersion], name: str, dots: Sequence[_Dot], compared: Mapping[int, int]
) -> Iterator[str]:
    low, high = min(dot.value for dot in dots), max(dot.value for dot in dots)
    places = [_place(dot, low, high, len(versions)) for dot in dots]
    digits = 4 if shown(name, low, 4) != shown(name, high, 4) else 6
    for value, y in ((high, _TOP), (low, _BOTTOM)) if high > low else ((low, (_TOP + _BOTTOM) / 2),):
        yield f'<path class="grid" d="M{_LEFT} {px(y)}H{_RIGHT}"/>'
        words = text(shown(name, value, digits), 9)
        yield f'<text class="tick" x="{_LEFT - 6}" y="{px(y + 4)}" text-anchor="end">{words}</text>'
    ends = ((_LEFT, "start", versions[0]), (_RIGHT, "end", versions[-1]))
    for x, anchor, one in ends:
        words = text(str(one.version), 20)
        yield f'<text class="tick" x="{x}" y="{_HEIGHT - 8}" text-anchor="{anchor}">{words}</text>'
    yield f'<path class="line" d="{_path(dots, places)}"/>'
    kept = _kept(dots, compared)
    small = len(kept) < len(dots)
    for at in kept:
        yield _dot(versions[dots[at].at], name, dots[at], places[at], compared.get(dots[at].at), small)
    yield from _tags({compared[dots[at].at]: places[at] for at in kept if dots[at].at in compared})


def _place(dot: _Dot, low: float, high: float, count: int) -> tuple[float, float]:
    x = _LEFT + (_RIGHT - _LEFT) * (dot.at / (count - 1) if count > 1 else 0.5)
    return x, _BOTTOM - share(dot.value, low, high) * (_BOTTOM - _TOP)


def share(value: float, low: float, high: float) -> float:
    """How far `value` lies from `low` to `high`, 0 to 1; halved first, as the span of two floats may be infinite."""
    span = high / 2 - low / 2
    return (value / 2 - low / 2) / span if span > 0 else 0.5


def _path(dots: Sequence[_Dot], places: Sequence[tuple[float, float]]) -> str:
    """One line, broken where a version between has no value."""
    parts, before = [], None
    for dot, (x, y) in zip(dots, places, strict=True):
        parts.append(f"{'L' if before == dot.at - 1 else 'M'}{px(x)} {px(y)}")
        before = dot.at
    return "".join(parts)


def _kept(dots: Sequence[_Dot], compared: Mapping[int, int]) -> list[int]:
    """The dots that are drawn: all, or evenly chosen ones with those that are compared; these last, on top."""
    step = max(1, math.ceil(len(dots) / MAX_DOTS))
    chosen = [at for at, dot in enumerate(dots) if not at % step or at == len(dots) - 1 or dot.at in compared]
    return sorted(chosen)


def _dot(one: ReportVersion, name: str, dot: _Dot, place: tuple[float, float], point: int | None, small: bool) -> str:
    x, y = place
    gone = ", withdrawn" if one.withdrawn else ""
    stages = f", in {', '.join(one.stages)}" if one.stages else ""
    which = f", {letter(point)} of the comparison" if point is not None else ""
    words = text(f"{one.version}, {one.at:%Y-%m-%d}: {shown(name, dot.raw, 17)}{stages}{gone}{which}")
    kind = " ".join([*([colour(point), "on"] if point is not None else []), *(["off"] if one.withdrawn else [])])
    kinds = f' class="{kind}"' if kind else ""
    radius = "5" if point is not None else "1.8" if small else "2.8"
    return f'<circle{kinds} cx="{px(x)}" cy="{px(y)}" r="{radius}"><title>{words}</title></circle>'


def _tags(places: Mapping[int, tuple[float, float]]) -> Iterator[str]:
    """The letters of the points that are compared, beside their dots and not one on the other."""
    taken: list[tuple[float, float]] = []
    for point, (x, y) in places.items():
        spots = [(x + aside, y + below) for aside in (0, -14, 14) for below in (-9, 17)]
        free = (spot for spot in spots if spot[1] > _TOP - 6 and all(_apart(spot, other) for other in taken))
        spot = next(free, spots[1])
        taken.append(spot)
        where = f'x="{px(spot[0])}" y="{px(spot[1])}" text-anchor="middle"'
        yield f'<text class="tag {colour(point)}" {where}>{letter(point)}</text>'


def _apart(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return abs(one[0] - other[0]) >= 12 or abs(one[1] - other[1]) >= 12
