"""The table of metrics: values, deltas, bars, intervals and verdicts, and the tests below it.  Pure."""

from __future__ import annotations

from collections.abc import Iterator

from dvc_modelver.cards.tables import exact
from dvc_modelver.core.comparison import Comparison, MetricRow
from dvc_modelver.core.metrics import is_number, label
from dvc_modelver.core.points import Point
from dvc_modelver.core.significance import Interval
from dvc_modelver.integrations.comparison_page.markup import (
    Cell,
    as_float,
    clipped,
    hover,
    is_secret,
    mark,
    percent,
    signed,
    text,
    values,
)
from dvc_modelver.integrations.comparison_page.tables import Column, Row, Table

WAYS = {"up": "higher is better", "down": "lower is better", None: "direction not known"}


def metric_table(found: Comparison) -> Table:
    """A row for each metric; for each point but the first also what changed."""
    several = len({row.file for row in found.metrics}) > 1
    scale = _scale(found)
    judged = any(row.intervals for row in found.metrics)
    rows = (_row(row, several, scale, judged) for row in found.metrics)
    return Table(id="t-metrics", caption="Metrics", columns=tuple(_columns(found, scale, judged)), rows=tuple(rows))


def metric_label(row: MetricRow, several: bool) -> str:
    """A metric's name; behind its file where several files have metrics."""
    return label(row.key, row.file if several or not row.key else "")


def _columns(found: Comparison, scale: float, judged: bool) -> Iterator[Column]:
    yield Column(html="Metric")
    yield Column(html=head(found, 0), number=True)
    for at in range(1, len(found.points)):
        yield Column(html=head(found, at), number=True)
        yield Column(html=f"Change {mark(at)}" if len(found.points) > 2 else "Change", number=True)
        yield Column(html="Relative", hint=f"Share of the first value; a full bar is {percent(scale)}")
        if judged:
            yield Column(html="Interval", hint="Confidence interval of the change, from per-sample predictions")
        if len(found.points) == 2:
            yield Column(html="Verdict")


def name_of(point: Point) -> str:
    """A point as people call it: its version, else what was asked for; not escaped."""
    if point.version is not None:
        return str(point.version)
    return "work tree" if point.commit is None and point.ref == "." else point.ref


def head(found: Comparison, at: int) -> str:
    """A point as the head of a column."""
    point = found.points[at]
    return f"{mark(at)} {clipped(name_of(point), 40)}"


def _scale(found: Comparison) -> float:
    """What a full bar stands for: the largest relative change, at most the whole value."""
    shares = [abs(row.relative(at) or 0.0) for row in found.metrics for at in range(1, len(row.values))]
    return min(max(shares, default=0.0), 1.0) or 1.0


def _row(row: MetricRow, several: bool, scale: float, judged: bool) -> Row:
    arrow = {"up": "↗", "down": "↘", None: ""}[row.better]
    way = f' <span class="way" title="{WAYS[row.better]}">{arrow}</span>' if arrow else ""
    cells = values(row.key, row.values, row.changed, right=True)
    found = [Cell(html=f"{clipped(metric_label(row, several))}{way}"), cells[0]]
    for at in range(1, len(cells)):
        found += [cells[at], *_change(row, at, scale, judged)]
    return Row(cells=tuple(found), same=not row.changed)


def _change(row: MetricRow, at: int, scale: float, judged: bool) -> Iterator[Cell]:
    hidden = is_secret(row.key)
    delta, share = (None, None) if hidden else (row.deltas[at], row.relative(at))
    kind = row.verdict(at) or "neutral"
    alone = len(row.values) == 2
    if delta is None or delta != delta:
        yield Cell(html=changed_word(row.values[0], row.values[at], row.changed), number=True)
    else:
        arrow = "↑ " if delta > 0 else "↓ " if delta < 0 else ""
        words = f'<span class="{kind}">{arrow}{_delta(delta)}</span>'
        below = "" if alone else f"<br><small>{_verdict(row, at)}</small>"
        yield Cell(html=words + below, sort=as_float(delta), number=True)
    yield Cell(html=_bar(share, kind, scale), sort=share)
    if judged:
        yield interval_cell(row.intervals[at] if row.intervals and not hidden else None)
    if alone:
        yield Cell(html=_verdict(row, at))


def _delta(delta: float) -> str:
    return hover(signed(delta), exact(delta)) if isinstance(delta, float) else signed(delta)


def _bar(share: float | None, kind: str, scale: float) -> str:
    if share is None:
        return ""
    wide = min(abs(share) / scale, 1.0) * 50
    left = 50 - wide if share < 0 else 50
    bar = f'<rect x="{left:.4g}" y="2" width="{wide:.4g}" height="8" rx="1"/>' if wide else ""
    picture = (
        f'<svg class="bar {kind}" viewBox="0 0 100 12" aria-hidden="true" preserveAspectRatio="none">'
        f'<path d="M50 0V12"/>{bar}</svg>'
    )
    return f'<span class="relative">{picture}<span>{percent(share)}</span></span>'


def interval_cell(found: Interval | None) -> Cell:
    """Where a difference lies, and whether chance may be the reason of it."""
    if found is None:
        return Cell(html="")
    words = f"{signed(found.low)} to {signed(found.high)}"
    chance = "beyond chance" if found.excludes_zero else "may be chance"
    hint = f"{level(found)} confidence, {found.method}"
    return Cell(
        html=f'<span class="interval" title="{text(hint)}">{words}</span> <small>{chance}</small>', sort=found.low
    )


def level(found: Interval) -> str:
    """An interval's confidence: `95%`."""
    return f"{found.level * 100:.4g}%"


def _verdict(row: MetricRow, at: int) -> str:
    verdict = row.verdict(at)
    if verdict is not None:
        return f'<span class="{verdict}">{verdict}</span>'
    delta = row.deltas[at]
    moved = bool(delta) if delta is not None and delta == delta else row.values[at] != row.values[0]
    return "" if moved or not is_number(row.values[0]) else '<span class="neutral">unchanged</span>'


def changed_word(old: object, new: object, changed: bool = True) -> str:
    """What became of a value."""
    if not changed or old == new or (old != old and new != new):
        return ""
    return "new" if old is None else "gone" if new is None else "changed"


def test_table(found: Comparison) -> Table:
    """What per-sample predictions say: a row for each test, or for what is said in its place."""
    columns = ("Predictions", "Compared", "Samples", "Test", "p", "What was counted")
    rows = tuple(_test_rows(found))
    heads = tuple(Column(html=name, number=name in ("Samples", "p")) for name in columns)
    return Table(id="t-tests", caption="Tests on per-sample predictions", columns=heads, rows=rows)


def _test_rows(found: Comparison) -> Iterator[Row]:
    for row in found.predictions:
        for at, judged in enumerate(row.values):
            if judged is None:
                continue
            names = Cell(html=clipped(row.path)), Cell(html=f"{mark(0)} → {mark(at)}")
            count = Cell(html=f"{judged.samples:,}", sort=float(judged.samples), number=True)
            for test in judged.tests:
                value = Cell(html=hover(f"{test.p_value:.3g}", repr(test.p_value)), sort=test.p_value, number=True)
                yield Row(cells=(*names, count, Cell(html=text(test.name)), value, Cell(html=text(test.detail))))
            if judged.note or not judged.tests:
                how = "the same samples" if judged.paired else "not the same samples"
                words = Cell(html=text(judged.note or how))
                yield Row(cells=(*names, count, Cell(html="none"), Cell(html=""), words))
