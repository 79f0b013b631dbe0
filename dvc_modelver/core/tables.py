"""Tables of data in numbers: rows, columns, types and simple statistics.  Types and their comparison; pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnProfile:
    """One column.  A statistic is None where it means nothing."""

    name: str
    type: str
    """`integer`, `number`, `boolean`, `date`, `text` or `empty`: what all values that are there can be read as."""
    nulls: int
    """Cells without a value."""
    distinct: int | None = None
    """Different values; None when there are more than are counted."""
    minimum: float | str | None = None
    maximum: float | str | None = None
    """Of numbers; of dates and times as ISO 8601 text."""
    mean: float | None = None
    std: float | None = None
    """Of numbers: the sample's standard deviation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableProfile:
    """One table."""

    rows: int
    """Without the header."""
    columns: tuple[ColumnProfile, ...]
    """In the order of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableChange:
    """One thing that differs between two states of a table."""

    what: str
    """`rows`, `columns`, or the name of a column."""
    detail: str
    """`150 -> 200`, `new: number`, `gone`, `integer -> number`, `mean 3.1 -> 3.4`."""
