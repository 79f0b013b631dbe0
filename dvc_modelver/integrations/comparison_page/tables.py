"""Tables that read well without a script, and that the page's script can sort and filter.  Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dvc_modelver.integrations.comparison_page.markup import Cell

MAX_ROWS = 2000
"""Of one table; what is more is counted below it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column's head."""

    html: str
    number: bool = False
    """Whether its head stands to the right."""
    hint: str = ""
    """Said on hover; escaped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Cells, the first of which names the row."""

    cells: tuple[Cell, ...]
    same: bool = False
    """Whether nothing differs in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table of the page."""

    id: str
    caption: str
    """For those who hear it; escaped."""
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    plain: bool = False
    """Whether neither filter nor sorting are for it."""


def render(table: Table) -> str:
    """The table in a box that scrolls on its own; empty without rows."""
    if not table.rows:
        return ""
    rows = _first(table.rows)
    more = len(table.rows) - len(rows)
    below = f'<p class="more">and {more:,} more rows; <code>--csv</code> has all.</p>' if more else ""
    kind = "" if table.plain else ' class="sortable"'
    return (
        f'<div class="scroll" role="region" aria-label="{table.caption}" tabindex="0">'
        f'<table id="{table.id}"{kind}><caption class="sr">{table.caption}</caption>'
        f"<thead><tr>{''.join(map(_head, table.columns))}</tr></thead>"
        f"<tbody>\n{''.join(map(_row, rows))}</tbody></table></div>{below}\n"
    )


def _first(rows: Sequence[Row]) -> Sequence[Row]:
    """The rows that are shown: where there are too many, those that differ before the others."""
    if len(rows) <= MAX_ROWS:
        return rows
    return sorted(rows, key=lambda row: row.same)[:MAX_ROWS]


def _head(column: Column) -> str:
    kind = ' class="n"' if column.number else ""
    hint = f' title="{column.hint}"' if column.hint else ""
    return f'<th scope="col"{kind}{hint}>{column.html}</th>'


def _row(row: Row) -> str:
    first, *others = row.cells
    same = ' class="same"' if row.same else ""
    return f'<tr{same}><th scope="row">{first.html}</th>{"".join(map(_cell, others))}</tr>\n'


def _cell(cell: Cell) -> str:
    kind = ' class="n"' if cell.number else ""
    finite = cell.sort is not None and cell.sort - cell.sort == 0
    key = f' data-v="{cell.sort!r}"' if finite and cell.html != repr(cell.sort) else ""
    return f"<td{kind}{key}>{cell.html}</td>"
