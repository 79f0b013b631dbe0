"""The cells of a column as values that are equal where they mean the same, in whatever notation or format.  Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal

from dvc_modelver.core.tables import BOOLEANS
from dvc_modelver.dvcio.cells import NULLS, moment_of, numbers_of, plain_numbers
from dvc_modelver.dvcio.columns import Column
from dvc_modelver.dvcio.rowhashes import as_text
from dvc_modelver.dvcio.tablerows import Block

_NUMERIC = ("integer", "number")


def common_kind(name: str, *blocks: Block) -> str:
    """What the cells of a column are compared as: `number`, `boolean` or `date` where all blocks agree, else `text`.

    A text such as `1.10` or `12e4` is a number only in a column of numbers.
    """
    kinds = {_kind(block, name) for block in blocks} - {"empty"}
    return kinds.pop() if len(kinds) == 1 else "text"


def _kind(block: Block, name: str) -> str:
    column = Column(name, limit=1)
    cells = block.columns[block.names.index(name)]
    if block.typed:
        column.add_values(cells)
    else:
        column.add_cells(cells)  # type: ignore[arg-type]
    return "number" if column.type in _NUMERIC else column.type


def comparable(cells: Sequence[object], kind: str, *, typed: bool) -> Sequence[object]:
    """A value for each cell, None for one without a value; what is not of the kind stays as text.

    Args:
        typed: whether cells have types of their own; else all are text.
    """
    if kind == "number" and not typed and cells:
        numbers = plain_numbers(cells)  # type: ignore[arg-type]
        if numbers is not None:
            return numbers
    read = _READERS[kind]
    if typed:
        return [None if cell is None or cell != cell else read(cell) for cell in cells]
    known = {cell: None if cell in NULLS else read(cell) for cell in set(cells)}
    return [known[cell] for cell in cells]


def _number(cell: object) -> object:
    if isinstance(cell, Decimal):
        return float(cell)
    if isinstance(cell, (int, float)):
        return cell
    found = numbers_of([cell]) if isinstance(cell, str) else None
    return as_text(cell) if found is None else found[0]


def _boolean(cell: object) -> object:
    return BOOLEANS.get(cell, cell) if isinstance(cell, str) else cell if isinstance(cell, bool) else as_text(cell)


def _moment(cell: object) -> object:
    text = cell.isoformat() if isinstance(cell, date) else as_text(cell)
    return (moment_of(text) if text is not None else None) or text


_READERS: Mapping[str, Callable[[object], object]] = {
    "number": _number,
    "boolean": _boolean,
    "date": _moment,
    "text": as_text,
}
