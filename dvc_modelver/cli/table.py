"""Tables: rows of text as aligned columns, Markdown or CSV."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from dvc_modelver.core.markdown import escape_markdown
from dvc_modelver.core.text import one_line, redact


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Cells are plain text from anywhere; each form escapes them for its own place."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: frozenset[str] = frozenset()
    """Columns that are aligned to the right (numbers)."""


def width(text: str) -> int:
    """Terminal columns that `text` takes."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def render_text(table: Table, bold: bool = False) -> str:
    """Aligned columns under a header line; no trailing spaces."""
    rows = [tuple(one_line(redact(cell), 80) for cell in row) for row in table.rows]
    widths = [max(width(cell) for cell in column) for column in zip(table.columns, *rows, strict=True)]
    header = _line(table.columns, widths, table)
    lines = [f"\033[1m{header}\033[0m" if bold else header, *(_line(row, widths, table) for row in rows)]
    return "\n".join(lines)


def _line(cells: Sequence[str], widths: Sequence[int], table: Table) -> str:
    padded = []
    for name, cell, wide in zip(table.columns, cells, widths, strict=True):
        space = " " * (wide - width(cell))
        padded.append(space + cell if name in table.right else cell + space)
    return "  ".join(padded).rstrip()


def render_markdown(table: Table) -> str:
    """A GitHub-flavoured table whose cells read literally in any CommonMark renderer."""
    marks = ["---:" if name in table.right else "---" for name in table.columns]
    header, *rows = (tuple(escape_markdown(cell) for cell in row) for row in (table.columns, *table.rows))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, tuple(marks), *rows))


def render_csv(table: Table) -> str:
    """RFC 4180 with LF; cells that a spreadsheet would run as a formula get a leading apostrophe."""
    import csv
    import io

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows([_inert(one_line(redact(cell))) for cell in row] for row in table.rows)
    return out.getvalue().rstrip("\n")


def _inert(cell: str) -> str:
    dangerous = cell[:1] in ("=", "+", "@", "\t", "\r") or (cell[:1] == "-" and not _is_number(cell))
    return f"'{cell}" if dangerous else cell


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
