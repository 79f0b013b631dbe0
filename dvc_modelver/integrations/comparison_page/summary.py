"""The beginning of the page: what is compared, whether it is better, which version number follows.  Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dvc_modelver.core.comparison import Comparison, MetricRow
from dvc_modelver.core.metrics import is_number
from dvc_modelver.core.points import Point
from dvc_modelver.core.report import Report, ReportVersion
from dvc_modelver.integrations.comparison_page.markup import (
    NONE,
    Cell,
    clipped,
    commit,
    is_secret,
    mark,
    percent,
    plain,
    signed,
    text,
)
from dvc_modelver.integrations.comparison_page.metricrows import level, metric_label, name_of
from dvc_modelver.integrations.comparison_page.tables import Column, Row, Table, render

_LARGEST = 3
"""So many changes are named."""
_NAMED = 3
"""So many points stand in the title beside the first."""
MAX_ANSWERS = 12
"""So many points get an answer of their own."""


def title(found: Comparison) -> str:
    """`churn: v1.0.0 → v1.1.0, v1.2.0`; not escaped."""
    first, *others = (plain(name_of(point), 60) for point in found.points)
    more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
    return f"{plain(found.base.name, 100)}: {first}" + (f" → {', '.join(others[:_NAMED])}{more}" if others else "")


def points(report: Report) -> str:
    """The points as a table."""
    heads = ("", "Asked for", "Model", "Version", "Commit", "Released", "State")
    rows = tuple(_point(report, at) for at in range(len(report.comparison.points)))
    columns = tuple(Column(html=name or '<span class="sr">Letter</span>') for name in heads)
    return render(Table(id="t-points", caption="What is compared", columns=columns, rows=rows, plain=True))


def _point(report: Report, at: int) -> Row:
    point = report.comparison.points[at]
    known = version_of(report, point)
    words = [*(known.stages if known else ()), *(["withdrawn"] if known and known.withdrawn else [])]
    state = [*(["base"] if not at else []), *words, *(["work tree"] if point.commit is None else [])]
    date = f'<time datetime="{known.at:%Y-%m-%dT%H:%M:%SZ}">{known.at:%Y-%m-%d}</time>' if known else ""
    cells = (
        mark(at),
        clipped(point.ref),
        clipped(point.name),
        text(str(point.version)) if point.version is not None else NONE,
        commit(point.commit),
        date,
        " ".join(f'<span class="chip">{text(word)}</span>' for word in state),
    )
    return Row(cells=tuple(Cell(html=cell) for cell in cells))


def version_of(report: Report, point: Point) -> ReportVersion | None:
    """What the history says of a point; None for what is no version of the first point's model."""
    if point.version is None or point.name != report.comparison.base.name:
        return None
    return next((one for one in report.versions if one.version == point.version), None)


# Is it better? --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tally:
    better: list[MetricRow]
    worse: list[MetricRow]
    unchanged: int
    unknown: int
    """Moved, and nobody can say whether that is good; new and gone ones too."""


def _tally(found: Comparison, at: int) -> _Tally:
    sides: dict[str | None, list[MetricRow]] = {"better": [], "worse": [], None: []}
    for row in found.metrics:
        sides[row.verdict(at)].append(row)
    still = sum(1 for row in sides[None] if row.deltas[at] == 0 and is_number(row.values[0]))
    return _Tally(better=sides["better"], worse=sides["worse"], unchanged=still, unknown=len(sides[None]) - still)


def answers(report: Report) -> str:
    """For each point but the first: is it better, by how much, beyond chance?"""
    found = report.comparison
    if len(found.points) < 2 or not found.metrics:
        return '<p class="answer">There are no metrics to compare.</p>\n'
    more = len(found.points) - 1 - MAX_ANSWERS
    said = "".join(_answer(found, at) for at in range(1, min(len(found.points), MAX_ANSWERS + 1)))
    rest = f"<p>and {more:,} more points: see the table of metrics.</p>\n" if more > 0 else ""
    return f'<div class="answers">{said}</div>\n{rest}'


def _answer(found: Comparison, at: int) -> str:
    tally = _tally(found, at)
    word, kind, why = _judgement(tally, at)
    counts = (("better", len(tally.better)), ("worse", len(tally.worse)), ("unchanged", tally.unchanged))
    chips = "".join(f'<li class="{name if n else "neutral"}"><b>{n:,}</b> {name}</li>' for name, n in counts)
    chips += f'<li class="neutral"><b>{tally.unknown:,}</b> not judged</li>' if tally.unknown else ""
    against = (
        f"{mark(at)} {clipped(name_of(found.points[at]), 40)} against {mark(0)} {clipped(name_of(found.base), 40)}"
    )
    return (
        f'<div class="answer {kind}"><div><p class="against">{against}</p><p class="word">{word}</p>'
        f'<p class="why">{why}</p><ul class="counts">{chips}</ul></div>{_largest(found, at)}</div>\n'
    )


def _judgement(tally: _Tally, at: int) -> tuple[str, str, str]:
    """(headline, class, what stands below it)."""
    moved = [*tally.better, *tally.worse]
    known = [interval for row in moved if row.intervals and (interval := row.intervals[at]) is not None]
    sure = sum(1 for interval in known if interval.excludes_zero)
    chance = ""
    if known:
        chance = (
            f"{sure} of {len(known)} changes with a confidence interval {'is' if sure == 1 else 'are'} beyond chance."
        )
    if tally.better and tally.worse:
        return "Better in some, worse in others", "mixed", chance
    if not moved:
        return ("Nothing that can be judged", "neutral", "") if tally.unknown else ("No difference", "neutral", "")
    word, kind = ("Better", "better") if tally.better else ("Worse", "worse")
    doubt = ", but that may be chance" if known and not sure and len(known) == len(moved) else ""
    return f"{word}{doubt}", kind if not doubt else "mixed", chance


def _largest(found: Comparison, at: int) -> str:
    """The metrics that moved most, as shares of their first values."""
    several = len({row.file for row in found.metrics}) > 1
    judged = [row for row in found.metrics if row.verdict(at) and not is_secret(row.key)]
    moved = [(row, share) for row in judged if (share := row.relative(at)) is not None]
    ranked = sorted(moved, key=lambda pair: -abs(pair[1]))[:_LARGEST]
    lines = "".join(f"<li>{_moved(row, at, share, several)}</li>" for row, share in ranked)
    return f'<div><p class="small">Largest changes</p><ul class="largest">{lines}</ul></div>' if lines else ""


def _moved(row: MetricRow, at: int, share: float, several: bool) -> str:
    delta, verdict = row.deltas[at], row.verdict(at)
    assert delta is not None
    arrow = "↑" if delta > 0 else "↓"
    interval = row.intervals[at] if row.intervals else None
    chance = ""
    if interval is not None:
        where = f"{level(interval)} interval {signed(interval.low)} to {signed(interval.high)}"
        chance = f" <small>{where}: {'beyond chance' if interval.excludes_zero else 'may be chance'}</small>"
    amount = f'<span class="{verdict}">{arrow} {signed(delta)} ({percent(share)}), {verdict}</span>'
    return f"<b>{clipped(metric_label(row, several))}</b> {amount}{chance}"


def bump(found: Comparison) -> str:
    """The version number that follows, with its reasons."""
    word = found.bump.level.name.lower() if found.bump.level is not None else "none"
    reasons = "".join(f"<li>{clipped(reason, 300)}</li>" for reason in found.bump.reasons)
    return f'<div class="bump"><p>Suggested bump <strong>{word}</strong></p><ul>{reasons}</ul></div>\n'


def notes(report: Report) -> Iterator[str]:
    """What was left out or could not be read, each once."""
    for note in dict.fromkeys((*report.comparison.notes, *report.notes)):
        yield f"<li>{clipped(note, 500)}</li>\n"
