"""Count what is not as expected in the cells of a table, block by block, in bounded memory.  Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dvc_modelver.core.tables import ColumnProfile, value_digest
from dvc_modelver.core.validation import Count, Expected, SeenColumn
from dvc_modelver.dvcio.cells import NULLS, moment_of, numbers_of
from dvc_modelver.dvcio.columns import Column
from dvc_modelver.dvcio.tablerows import Block
from dvc_modelver.errors import BadInput

MAX_COLUMNS = 10_000
_NUMERIC = ("integer", "number")
_MEMORY = 10_000
"""Different cells of a block whose judgement is remembered."""


class TableCheck:
    """Takes the blocks of one table."""

    def __init__(self, expected: Mapping[str, Expected]) -> None:
        self._expected = expected
        self._columns: dict[str, _ColumnCheck] = {}
        self.rows = self.ragged = 0

    def add(self, block: Block) -> None:
        """Raises `BadInput` when the blocks have too many different columns together."""
        there = dict(zip(block.names, block.columns, strict=True))
        for name in there:
            if name not in self._columns:
                self._columns[name] = _ColumnCheck(self._expected.get(name) or Expected(), nulls=self.rows)
        if len(self._columns) > MAX_COLUMNS:
            raise BadInput(f"more than {MAX_COLUMNS} different columns")
        for name, column in self._columns.items():
            if name in there:
                column.add(there[name], block.typed, self.rows)
            else:
                column.nulls += block.rows
        self.rows += block.rows
        self.ragged += block.ragged

    def columns(self) -> tuple[SeenColumn, ...]:
        """What was counted, in the order in which the columns came."""
        return tuple(column.seen(name) for name, column in self._columns.items())


@dataclass(slots=True)
class _Tally:
    count: int = 0
    first: int | None = None

    def add(self, row: int) -> None:
        self.count += 1
        self.first = row + 1 if self.first is None else self.first

    def frozen(self) -> Count:
        return Count(count=self.count, first=self.first)


@dataclass(slots=True)
class _ColumnCheck:
    expected: Expected
    nulls: int
    types: set[str] = field(default_factory=set)
    wrong: _Tally = field(default_factory=_Tally)
    outside: _Tally = field(default_factory=_Tally)
    unknown: _Tally = field(default_factory=_Tally)
    minimum: float | str | None = None
    maximum: float | str | None = None

    def add(self, cells: Sequence[object], typed: bool, start: int) -> None:
        profile = _profile(cells, typed)
        self.nulls += profile.nulls
        self._widen(profile)
        if fits(profile.type, self.expected.type) and self._knows(profile):
            if self._holds(profile):
                return
            if profile.type in _NUMERIC and self._count_numbers(cells, typed, start):
                return
        self._one_by_one(cells, typed, start)

    def seen(self, name: str) -> SeenColumn:
        return SeenColumn(
            name=name,
            nulls=self.nulls,
            types=tuple(sorted(self.types)),
            wrong=self.wrong.frozen(),
            outside=self.outside.frozen(),
            unknown=self.unknown.frozen(),
            minimum=self.minimum,
            maximum=self.maximum,
        )

    def _widen(self, profile: ColumnProfile) -> None:
        if profile.minimum is None or profile.maximum is None:
            return
        # A column whose blocks are of several types: numbers and dates have no common order.
        if self.minimum is None or (_below(profile.minimum, self.minimum) and not self._other(profile.minimum)):
            self.minimum = profile.minimum
        if self.maximum is None or (_below(self.maximum, profile.maximum) and not self._other(profile.maximum)):
            self.maximum = profile.maximum

    def _other(self, end: float | str) -> bool:
        return isinstance(end, str) != isinstance(self.minimum, str)

    def _holds(self, profile: ColumnProfile) -> bool:
        """Whether all of a block, or a cell, lies in the expected range."""
        low, high = self.expected.minimum, self.expected.maximum
        least, most = profile.minimum, profile.maximum
        if least is None or most is None:
            return True
        return not (low is not None and _below(least, low)) and not (high is not None and _below(high, most))

    def _knows(self, profile: ColumnProfile) -> bool:
        known = self.expected.categories
        if known is None or profile.type == "empty":
            return True
        if profile.categories is None:
            # Of what is not text the profile keeps no values, unless they were named one by one.
            return False
        return known.issuperset(profile.categories)

    def _count_numbers(self, cells: Sequence[object], typed: bool, start: int) -> bool:
        """Count numbers that lie outside; False when cells cannot be read as such together."""
        numbers: Sequence[object] | None = cells
        filled = range(len(cells))
        if not typed:
            filled_rows = [row for row, cell in enumerate(cells) if cell not in NULLS]
            numbers = numbers_of([str(cells[row]) for row in filled_rows])
            if numbers is None:
                return False
            rows: Sequence[int] = filled_rows
        else:
            rows = filled
        low, high = self.expected.minimum, self.expected.maximum
        for row, number in zip(rows, numbers or (), strict=True):
            if number is None or number != number or not isinstance(number, (int, float)):
                continue
            if (low is not None and _below(number, low)) or (high is not None and _below(high, number)):
                self.outside.add(start + row)
        return True

    def _one_by_one(self, cells: Sequence[object], typed: bool, start: int) -> None:
        known: dict[object, tuple[str, bool, bool]] = {}
        for row, cell in enumerate(cells):
            key = (type(cell), cell) if isinstance(cell, (str, int, float)) else None
            found = known.get(key) if key is not None else None
            if found is None:
                found = self._judge(cell, typed)
                if key is not None and len(known) < _MEMORY:
                    known[key] = found
            kind, inside, familiar = found
            if not fits(kind, self.expected.type):
                self.wrong.add(start + row)
                self.types.add(kind)
            else:
                if not inside:
                    self.outside.add(start + row)
                if not familiar:
                    self.unknown.add(start + row)

    def _judge(self, cell: object, typed: bool) -> tuple[str, bool, bool]:
        """(type, whether in range, whether known) of one cell."""
        profile = _profile([cell], typed)
        if fits(profile.type, self.expected.type):
            self._widen(profile)  # that of a block of several types says no ends
        return profile.type, self._holds(profile), self._known_cell(profile, cell, typed)

    def _known_cell(self, profile: ColumnProfile, cell: object, typed: bool) -> bool:
        known = self.expected.categories
        if known is None or profile.type == "empty":
            return True
        if profile.categories is not None:
            return known.issuperset(profile.categories)
        from dvc_modelver.dvcio.rowhashes import as_text

        return value_digest(str(as_text(cell) if typed else cell)) in known


def _profile(cells: Sequence[object], typed: bool) -> ColumnProfile:
    column = Column("", limit=1)
    if typed:
        column.add_values(cells)
    else:
        column.add_cells(cells)  # type: ignore[arg-type]
    return column.profile()


def fits(found: str, expected: str | None) -> bool:
    """Whether cells of one type may stand in a column of another: all may among text, integers among numbers."""
    if expected in (None, "text", "empty") or found in ("empty", expected):
        return True
    return expected == "number" and found == "integer"


def _below(one: float | str, other: float | str) -> bool:
    """Whether a number or date is less than another; never across the two kinds."""
    if isinstance(one, str) and isinstance(other, str):
        first, second = moment_of(one), moment_of(other)
        return first is not None and second is not None and first < second
    if isinstance(one, str) or isinstance(other, str):
        return False
    return one < other
