"""`modelver compare`.

What only tables need (`cards.tables`, `core.secrets`) is imported where they are drawn: JSON does without (10 ms).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from dvc_modelver.cli.answer import Answer, Json
from dvc_modelver.cli.answer import number as version_number
from dvc_modelver.cli.arguments import complete_references
from dvc_modelver.cli.shell import command
from dvc_modelver.cli.table import Table, render_csv, render_markdown, render_text
from dvc_modelver.commands.compare import compare_points
from dvc_modelver.commands.project import Project, Surroundings
from dvc_modelver.core.comparison import Bytes, Comparison, DataRow, FactRow, Lines, MetricRow, Point, SourceRow
from dvc_modelver.core.facts import Scalar
from dvc_modelver.core.markdown import escape_markdown
from dvc_modelver.core.metrics import is_number, label
from dvc_modelver.core.sizes import size
from dvc_modelver.core.text import one_line
from dvc_modelver.errors import BadInput

_ACROSS = 6
"""Of more points each has a row of its own instead of a column."""
_MAX_ROWS = 100
"""Of one Markdown table: a comment on a pull request has its limit."""


@command
def run(
    around: Surroundings,
    context: typer.Context,
    references: Annotated[
        list[str],
        typer.Argument(
            metavar="A B...",
            help="Versions, stages, models (their latest), branches, tags, commits; . is the work tree.",
            autocompletion=complete_references,
            show_default=False,
        ),
    ],
    only_changed: Annotated[
        bool, typer.Option("--only-changed", help="Leave out what is the same everywhere.")
    ] = False,
    as_markdown: Annotated[bool, typer.Option("--md", help="Tables as Markdown, for a comment.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="One table as CSV.")] = False,
) -> Answer:
    """Compare metrics, params, data, code, environment and artifact, and say which version should come next.

    \b
    Examples:
      modelver compare churn@v1.0.0 churn@v1.1.0
      modelver compare churn#prod . --only-changed
      modelver compare main my-branch --md
      modelver compare churn@v1.0.0 churn@v1.1.0 churn@v1.2.0 --csv
    """
    if as_markdown and as_csv:
        raise BadInput("--md and --csv exclude each other", hint="choose one")
    with Project(around) as project:
        found = compare_points(project, references)
    shown = found.only_changed() if only_changed else found
    form = _markdown if as_markdown else _csv if as_csv else _text
    # 1,000 points take 0.4 s to draw.
    lines = () if context.params.get("as_json") else tuple(form(shown))
    notes = tuple(f"note: {_clip(note, 300)}" for note in found.notes)
    return Answer(data=comparison_json(shown), lines=lines, notes=notes)


# JSON -----------------------------------------------------------------------------------------------------------


def comparison_json(found: Comparison) -> Json:
    """The contract's object."""
    level = found.bump.level
    return {
        "base": found.base.ref,
        "versions": [{"ref": p.ref, "name": p.name, "version": p.version, "commit": p.commit} for p in found.points],
        "metrics": [
            {"file": row.file, "key": row.key, "values": row.values, "deltas": row.deltas, "better": row.better}
            for row in found.metrics
        ],
        "params": [{"file": row.file, "key": row.key, "values": row.values} for row in found.params],
        "data": [{"path": row.path, "values": [_bytes_json(cell) for cell in row.values]} for row in found.data],
        "code": [
            {"path": row.path, "change": row.change, "values": row.values, "lines": [_lines_json(n) for n in row.lines]}
            for row in found.code
        ],
        "pipeline": [{"stage": row.path, "change": row.change} for row in found.pipeline],
        "environment": [{"key": row.key, "values": row.values} for row in found.environment],
        "artifact": [{"key": row.key, "values": row.values} for row in found.artifact],
        "other_files": found.other_files,
        "other_lines": [_lines_json(lines) for lines in found.other_lines],
        "bump": {"level": level.name.lower() if level is not None else None, "reasons": found.bump.reasons},
    }


def _bytes_json(cell: Bytes | None) -> Json | None:
    return None if cell is None else {"digest": cell.digest, "size": cell.size, "files": cell.files}


def _lines_json(lines: Lines | None) -> Json | None:
    return None if lines is None else {"added": lines.added, "removed": lines.removed}


# Tables for people ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Section:
    title: str
    table: Table


def _sections(found: Comparison) -> Iterator[_Section]:
    params = [(row.file, row.key, row.values, row.changed) for row in found.params]
    yield from _section(found, "Metrics", "METRIC", _metric_rows(found))
    yield from _section(found, "Params", "PARAM", _value_rows(found, params))
    yield from _section(found, "Data", "PATH", [(row.path, *_data_cells(found, row)) for row in found.data])
    yield from _changes("Code", "FILE", found.code)
    yield from _changes("Pipeline", "STAGE", found.pipeline)
    yield from _section(found, "Environment", "WHAT", _fact_rows(found, found.environment))
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
    return Table(columns=tuple(_clip(name, 80) for name in names), rows=tuple(rows))


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


def _clip(text: str, limit: int = 0) -> str:
    """Secrets are hidden before the cut: half a token has no shape."""
    from dvc_modelver.core.secrets import redact_text

    return one_line(redact_text(text), limit)


def _label(file: str, key: str, several: bool) -> str:
    return label(key, file if several or not key else "")


# Forms ----------------------------------------------------------------------------------------------------------


def _text(found: Comparison) -> Iterator[str]:
    rows = [(p.ref, p.name, version_number(p.version), (p.commit or "-")[:9]) for p in found.points]
    yield from render_text(_table(("COMPARED", "MODEL", "VERSION", "COMMIT"), rows)).split("\n")
    for section in _sections(found):
        yield from ("", section.title, *render_text(section.table).split("\n"))
    yield from ("", *_others(found), f"Bump: {_level(found)}", *(f"  {_clip(r)}" for r in found.bump.reasons))


def _markdown(found: Comparison) -> Iterator[str]:
    first, last = (escape_markdown(_clip(_title(point), 80)) for point in (found.points[0], found.points[-1]))
    yield f"### {escape_markdown(found.base.name)}: {first} → {last}"
    reasons = (escape_markdown(_clip(reason)) for reason in found.bump.reasons)
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


def _csv(found: Comparison) -> Iterator[str]:
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
