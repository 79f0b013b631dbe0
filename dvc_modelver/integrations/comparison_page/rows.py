"""The tables of params, data, code, pipeline, environment and artifact.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from dvc_modelver.core.comparison import Change, Comparison, DataRow, FactRow, SourceRow
from dvc_modelver.core.metrics import label
from dvc_modelver.core.points import Bytes
from dvc_modelver.core.sizes import size
from dvc_modelver.integrations.comparison_page.markup import (
    NONE,
    Cell,
    as_float,
    clipped,
    digest,
    hover,
    plain,
    values,
)
from dvc_modelver.integrations.comparison_page.metricrows import changed_word, head
from dvc_modelver.integrations.comparison_page.tables import Column, Row, Table

_MAX_COMMAND = 300


def _columns(found: Comparison, first: str, *last: str, number: bool = False) -> tuple[Column, ...]:
    points = (Column(html=head(found, at), number=number) for at in range(len(found.points)))
    return (Column(html=first), *points, *(Column(html=name) for name in last))


def _word(words: str) -> Cell:
    return Cell(html=f'<span class="change {words}">{words}</span>' if words else "")


def _last(cells: Sequence[object], changed: bool) -> Cell:
    """What became of a row from the first point to the last; `changed` too when only one between differs."""
    return _word(changed_word(cells[0], cells[-1], changed) or ("changed" if changed else ""))


def param_table(found: Comparison) -> Table:
    """A row for each param."""
    several = len({row.file for row in found.params}) > 1
    rows = (
        Row(
            cells=(
                Cell(html=clipped(label(row.key, row.file if several or not row.key else ""))),
                *values(row.key, row.values, row.changed),
                _last(row.values, row.changed),
            ),
            same=not row.changed,
        )
        for row in found.params
    )
    return Table(id="t-params", caption="Params", columns=_columns(found, "Param", "Change"), rows=tuple(rows))


def fact_table(found: Comparison, id: str, caption: str, facts: Iterable[FactRow]) -> Table:
    """A row for each fact of the environment or the artifact."""
    rows = (
        Row(
            cells=(Cell(html=clipped(label(row.key))), *_fact_cells(row), _last(row.values, row.changed)),
            same=not row.changed,
        )
        for row in facts
    )
    return Table(id=id, caption=caption, columns=_columns(found, "What", "Change"), rows=tuple(rows))


def _fact_cells(row: FactRow) -> Iterator[Cell]:
    whole = [value if isinstance(value, int) and not isinstance(value, bool) else None for value in row.values]
    if row.key == "size" and all(value is not None or row.values[at] is None for at, value in enumerate(whole)):
        yield from (_size(value) for value in whole)
    elif row.key == "digest" or row.key.endswith("sha256"):
        yield from (Cell(html=NONE if value is None else digest(str(value))) for value in row.values)
    else:
        yield from values(row.key.rpartition(".")[2], row.values, row.changed)


def _size(count: int | None) -> Cell:
    if count is None:
        return Cell(html=NONE)
    return Cell(html=hover(size(count), f"{count:,} bytes"), sort=as_float(count))


def data_table(found: Comparison) -> Table:
    """A row for each file or directory of data, with what changed inside tables."""
    rows = (
        Row(
            cells=(
                Cell(html=clipped(row.path)),
                *map(_bytes, row.values),
                Cell(html=_word(_change_word(row.change)).html + _inside(row)),
            ),
            same=row.change is Change.UNCHANGED,
        )
        for row in found.data
    )
    return Table(id="t-data", caption="Data", columns=_columns(found, "Path", "Change"), rows=tuple(rows))


def _bytes(cell: Bytes | None) -> Cell:
    if cell is None:
        return Cell(html=NONE)
    parts = [digest(cell.digest) if cell.digest else NONE]
    parts += [f"<small>{_size(cell.size).html}</small>"] if cell.size is not None else []
    parts += [f"<small>{cell.files:,} files</small>"] if cell.files is not None else []
    return Cell(html=" ".join(parts))


def _change_word(change: Change) -> str:
    return {Change.ADDED: "new", Change.REMOVED: "gone", Change.CHANGED: "changed"}.get(change, "")


def _inside(row: DataRow) -> str:
    """What changed inside a table or directory, from the first point to the last."""
    changes = row.changes[-1] if row.changes else ()
    lines = "".join(f"<li><b>{clipped(one.what)}</b> {clipped(one.detail)}</li>" for one in changes)
    return f'<ul class="inside">{lines}</ul>' if lines else ""


def code_table(found: Comparison) -> Table:
    """A row for each source of the pipeline: digests, and lines that came and went."""
    rows = (
        Row(
            cells=(
                Cell(html=clipped(row.path)),
                *(Cell(html=NONE if value is None else digest(value)) for value in row.values),
                _lines(row),
                _word(_change_word(row.change)),
            ),
            same=row.change is Change.UNCHANGED,
        )
        for row in found.code
    )
    return Table(id="t-code", caption="Code", columns=_columns(found, "File", "Lines", "Change"), rows=tuple(rows))


def _lines(row: SourceRow) -> Cell:
    known = [lines for lines in row.lines if lines is not None]
    words = [
        f'<span class="plus">+{one.added:,}</span> <span class="minus">\N{MINUS SIGN}{one.removed:,}</span>'
        for one in known
    ]
    total = float(sum(one.added + one.removed for one in known))
    return Cell(html="; ".join(words), sort=total if known else None)


def pipeline_table(found: Comparison) -> Table:
    """A row for each pipeline stage, with its commands."""
    rows = (
        Row(
            cells=(Cell(html=clipped(row.path)), *_commands(row), _word(_change_word(row.change))),
            same=row.change is Change.UNCHANGED,
        )
        for row in found.pipeline
    )
    return Table(id="t-pipeline", caption="Pipeline", columns=_columns(found, "Stage", "Change"), rows=tuple(rows))


def _commands(row: SourceRow) -> Iterator[Cell]:
    before: str | None = None
    for at, value in enumerate(row.values):
        if value is None:
            yield Cell(html=NONE)
        elif at and value == before:
            yield Cell(html='<span class="none">the same</span>')
        else:
            yield Cell(html=f"<code>{hover(plain(value, _MAX_COMMAND), plain(value, 2000))}</code>")
        before = value


def others(found: Comparison) -> str:
    """How many files differ that stand in no row; empty where there are none or nobody counted."""
    count = found.other_files[-1] if found.other_files else None
    if not count:
        return ""
    return f'<p class="more">{count:,} other {"file" if count == 1 else "files"} of the repository changed.</p>\n'
