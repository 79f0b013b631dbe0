"""A comparison as text, Markdown and CSV.

What only some of them need (`cards.tables`, `core.secrets`) is imported where it is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from dvc_modelver.cli.answer import number as version_number
from dvc_modelver.cli.table import Table, render_csv, render_markdown, render_text
from dvc_modelver.core.comparison import Comparison, DataRow, FactRow, Lines, MetricRow, SourceRow
from dvc_modelver.core.facts import Scalar
from dvc_modelver.core.markdown import escape_markdown
from dvc_modelver.core.metrics import is_number, label
from dvc_modelver.core.points import Point
from dvc_modelver.core.sizes import size
from dvc_modelver.core.text import one_line

_ACROSS = 6
"""Of more points each has a row of its own instead of a column."""
_MAX_SAME = 10
"""Of more equal rows of an environment their number is enough."""
_MAX_ROWS = 100
"""Of one Markdown table: a comment on a pull request has its limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Section:
    title: str
    table: Table


def _sections(found: Comparison) -> Iterator[_Section]:
    params = [(row.file, row.key, row.values, row.changed) for row in found.params]
    yield from _section(found, "Metrics", "METRIC", _metric_rows(found))
    yield from _several(found, "Significance", ("WHAT", "AT", "RESULT", "HOW"), _significance(found))
    yield from _section(found, "Params", "PARAM", _value_rows(found, params))
    yield from _section(found, "Data", "PATH", [(row.path, *_data_cells(found, row)) for row in found.data])
    yield from _several(found, "Inside the data", ("PATH", "AT", "WHAT", "CHANGE"), _tables(found))
    yield from _changes("Code", "FILE", found.code)
    yield from _changes("Pipeline", "STAGE", found.pipeline)
    yield from _section(found, "Environment", "WHAT", _environment_rows(found))
    yield from _section(found, "Artifact", "WHAT", _fact_rows(found, found.artifact))


def _section(found: Comparison, title: str, what: str, rows: Sequence[Sequence[str]]) -> Iterator[_Section]:
    """A column for each point, and for two what became of it; for many points a row for each."""
    if not rows:
        return
    heads = tuple(point.ref for point in found.points)
    change = ("CHANGE",) if len(rows[0]) > len(heads) + 1 else ()
    names = (what, *heads, *change)
    cells = [tuple(row) for row in rows]
    if len(heads) > _ACROSS:
        names, cells = ("AT", *(row[0] for row in rows)), [*zip(heads, *(row[1:] for row in rows), strict=True)]
    yield _Section(title=title, table=_table(names, cells))


def _several(found: Comparison, title: str, names: Sequence[str], rows: Iterator[Sequence[str]]) -> Iterator[_Section]:
    """Rows of which several may belong to one point; of two points the second alone has any, and is not named."""
    cells = list(rows)
    drop = len(found.points) == 2
    kept = [tuple(row[:1] + row[2:]) if drop else tuple(row) for row in map(tuple, cells)]
    if kept:
        yield _Section(title=title, table=_table((names[0], *names[2:]) if drop else names, kept))


def _significance(found: Comparison) -> Iterator[tuple[str, ...]]:
    """The intervals of the differences, then the tests."""
    several = len({row.file for row in found.metrics}) > 1
    for row in found.metrics:
        for point, delta, interval in zip(found.points, row.deltas, row.intervals, strict=False):
            if interval is not None and delta:
                span = f"{interval.low:+.3g} to {interval.high:+.3g} ({interval.level:.0%})"
                words = span if interval.excludes_zero else f"{span}, may be chance"
                yield _label(row.file, row.key, several), point.ref, words, interval.method
    for file in found.predictions:
        for point, judged in zip(found.points, file.values, strict=True):
            for test in judged.tests if judged is not None else ():
                yield file.path, point.ref, f"p = {test.p_value:.2g}", f"{test.name}: {test.detail}"


def _tables(found: Comparison) -> Iterator[tuple[str, ...]]:
    """What differs inside tables of data, from the first point."""
    for row in found.data:
        for point, changes in zip(found.points, row.changes, strict=False):
            yield from ((row.path, point.ref, change.what, change.detail) for change in changes)


def _changes(title: str, what: str, rows: Sequence[SourceRow]) -> Iterator[_Section]:
    if not rows:
        return
    counted = any(any(row.lines) for row in rows)
    cells = [(row.path, row.change.value, *([_lines(row)] if counted else [])) for row in rows]
    yield _Section(title=title, table=_table((what, "CHANGE", *(["LINES"] if counted else [])), cells))


def _lines(row: SourceRow) -> str:
    """`+3 -1` at each point that differs from the first."""
    return ", ".join(_counted(lines) for lines in row.lines if lines is not None)


def _counted(lines: Lines) -> str:
    return f"+{lines.added:,} -{lines.removed:,}"


def _table(names: Sequence[str], rows: Sequence[tuple[str, ...]]) -> Table:
    return Table(columns=tuple(clip(name, 80) for name in names), rows=tuple(rows))


def _metric_rows(found: Comparison) -> list[tuple[str, ...]]:
    several = len({row.file for row in found.metrics}) > 1
    return [tuple(_metric_cells(found, row, several)) for row in found.metrics]


def _metric_cells(found: Comparison, row: MetricRow, several: bool) -> Iterator[str]:
    yield _label(row.file, row.key, several)
    values = _values(row.key, row.values, row.changed)
    changes = [_change(row, at) for at in range(len(values))]
    if len(found.points) == 2:
        yield from (*values, changes[1])
    else:
        arrows = (change.partition(" ")[0] if change[:1] in ("↑", "↓") else "" for change in changes)
        marks = (f"({row.verdict(at)})" if row.verdict(at) else "" for at in range(len(values)))
        yield from (" ".join(filter(None, parts)) for parts in zip(values, arrows, marks, strict=True))


def _change(row: MetricRow, at: int) -> str:
    """`↑ +0.05 (+6.2%) (better)`."""
    from dvc_modelver.cards.tables import exact, number

    old, new, delta, share = row.values[0], row.values[at], row.deltas[at], row.relative(at)
    if not is_number(old) or not is_number(new) or delta is None or delta != delta:
        return _word(old, new)
    if not delta:
        return ""
    amount = exact(delta) if isinstance(delta, int) else number(delta)
    words = ["↑" if delta > 0 else "↓", f"{'+' if delta > 0 else ''}{amount}"]
    words += [f"({share:+.1%})"] if share is not None else []
    return " ".join([*words, *([f"({row.verdict(at)})"] if row.verdict(at) else [])])


def _word(old: object, new: object) -> str:
    if old == new or (old != old and new != new):
        return ""
    return "new" if old is None else "gone" if new is None else "changed"


def _value_rows(found: Comparison, rows: Sequence[tuple[str, str, tuple[Scalar, ...], bool]]) -> list[tuple[str, ...]]:
    several = len({row[0] for row in rows}) > 1
    return [
        (_label(file, key, several), *_values(key, values, changed), *_words(found, values))
        for file, key, values, changed in rows
    ]


def _fact_rows(found: Comparison, rows: Sequence[FactRow]) -> list[tuple[str, ...]]:
    return [(label(row.key), *_fact_cells(row), *_words(found, row.values)) for row in rows]


def _environment_rows(found: Comparison) -> list[tuple[str, ...]]:
    """Of hundreds of packages only those that differ are worth reading."""
    changed = [row for row in found.environment if row.changed]
    same = len(found.environment) - len(changed)
    shown = found.environment if same <= _MAX_SAME else changed
    rows = _fact_rows(found, shown)
    if len(shown) == len(found.environment):
        return rows
    return [*rows, (f"{same} more", *(["the same"] * len(found.points)), *_words(found, ["", ""]))]


def _fact_cells(row: FactRow) -> Sequence[str]:
    from dvc_modelver.cards.tables import short_digest

    if row.key == "size":
        return [size(value if isinstance(value, int) else None) for value in row.values]
    if row.key == "digest" or row.key.endswith("sha256"):
        return [short_digest(str(value)) if value is not None else "-" for value in row.values]
    return _values("", row.values, row.changed)


def _words(found: Comparison, values: Sequence[object]) -> tuple[str, ...]:
    return (_word(values[0], values[1]),) if len(found.points) == 2 else ()


def _data_cells(found: Comparison, row: DataRow) -> tuple[str, ...]:
    from dvc_modelver.cards.tables import short_digest

    cells = [f"{short_digest(v.digest or '-')} {size(v.size)}" if v is not None else "-" for v in row.values]
    return (*cells, *_words(found, [v and v.digest for v in row.values]))


def _values(key: str, values: Sequence[Scalar], changed: bool) -> list[str]:
    """Cells of one row: numbers rounded, unless that makes different ones look the same."""
    from dvc_modelver.cards.tables import number

    cells = [_cell(key, value, number) for value in values]
    return [_cell(key, value, repr) for value in values] if changed and len(set(cells)) == 1 else cells


def _cell(key: str, value: Scalar, show: Callable[[float], str]) -> str:
    from dvc_modelver.cards.tables import exact
    from dvc_modelver.core.secrets import HIDDEN, redact_value

    if value is None:
        return "-"
    if isinstance(value, float):
        return HIDDEN if redact_value(key, value) == HIDDEN else show(value)
    hidden = redact_value(key, value) if not isinstance(value, int) or value.bit_length() < 14_000 else ""
    return hidden if isinstance(value, str) or hidden == HIDDEN else exact(value)


def clip(text: str, limit: int = 0) -> str:
    """Secrets are hidden before the cut: half a token has no shape."""
    from dvc_modelver.core.secrets import redact_text

    return one_line(redact_text(text), limit)


def _label(file: str, key: str, several: bool) -> str:
    return label(key, file if several or not key else "")


# Forms ----------------------------------------------------------------------------------------------------------


def text_lines(found: Comparison) -> Iterator[str]:
    rows = [(p.ref, p.name, version_number(p.version), (p.commit or "-")[:9]) for p in found.points]
    yield from render_text(_table(("COMPARED", "MODEL", "VERSION", "COMMIT"), rows)).split("\n")
    for section in _sections(found):
        yield from ("", section.title, *render_text(section.table).split("\n"))
    yield from ("", *_others(found), f"Bump: {_level(found)}", *(f"  {clip(r)}" for r in found.bump.reasons))


def markdown_lines(found: Comparison) -> Iterator[str]:
    first, last = (escape_markdown(clip(_title(point), 80)) for point in (found.points[0], found.points[-1]))
    yield f"### {escape_markdown(found.base.name)}: {first} → {last}"
    reasons = (escape_markdown(clip(reason)) for reason in found.bump.reasons)
    yield from ("", f"**Bump: {_level(found)}**", "", *(f"- {reason}" for reason in reasons))
    for section in _sections(found):
        table = section.table
        cut = Table(columns=table.columns, rows=table.rows[:_MAX_ROWS])
        yield from ("", f"#### {section.title}", "", *render_markdown(cut).split("\n"))
        if len(table.rows) > _MAX_ROWS:
            yield from ("", f"*and {len(table.rows) - _MAX_ROWS:,} more*")
    yield from ("", others[0]) if (others := list(_others(found))) else ()


def _title(point: Point) -> str:
    return str(point.version) if point.version is not None else point.ref


def _level(found: Comparison) -> str:
    return found.bump.level.name.lower() if found.bump.level is not None else "-"


def _others(found: Comparison) -> Iterator[str]:
    count = found.other_files[-1] if found.other_files else None
    if count:
        lines = found.other_lines[-1] if found.other_lines else None
        words = f" ({_counted(lines)} lines)" if lines is not None else ""
        yield f"{count:,} other {'file' if count == 1 else 'files'} of the repository changed{words}."


def csv_lines(found: Comparison) -> Iterator[str]:
    rows: list[tuple[str, str, str, Sequence[object]]] = [
        *(("metrics", row.file, row.key, row.values) for row in found.metrics),
        *(("params", row.file, row.key, row.values) for row in found.params),
        *(("data", row.path, "", [cell and cell.digest for cell in row.values]) for row in found.data),
        *(("code", row.path, "", row.values) for row in found.code),
        *(("environment", "", row.key, row.values) for row in found.environment),
        *(("artifact", "", row.key, row.values) for row in found.artifact),
    ]
    columns = ("section", "file", "key", *(point.ref for point in found.points))
    cells = tuple((section, file, key, *map(_plain, values)) for section, file, key, values in rows)
    yield from render_csv(Table(columns=columns, rows=cells)).split("\n")


def _plain(value: object) -> str:
    from dvc_modelver.cards.tables import exact

    if value is None:
        return ""
    return exact(value) if isinstance(value, (str, bool, int, float)) else str(value)
