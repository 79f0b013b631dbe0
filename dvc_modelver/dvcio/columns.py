"""The statistics of one column of a table, block by block, in bounded memory.  Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence, Set
from datetime import date
from decimal import Decimal
from operator import mul

from dvc_modelver.core.tables import BOOLEANS, ColumnProfile, value_digest
from dvc_modelver.dvcio.cells import NULLS, Moment, date_ends, fitting, moment_of, numbers_of, plain_numbers

MAX_DISTINCT = 10_000
MAX_CATEGORIES = 64
"""Up to so many different values are remembered, by digest."""
MAX_NAME = 200


class Column:
    """Takes the cells of one column in blocks of any size; the answer does not depend on how they were cut."""

    def __init__(self, name: str, *, nulls: int = 0, limit: int = MAX_DISTINCT) -> None:
        """`limit`: how many different values are counted; `nulls`: cells without a value so far."""
        self.name = name
        self.nulls = nulls
        self._limit = limit
        self._kinds: set[str] = set()
        self._texts: set[int] | None = set()
        self._values: set[float] | None = set()
        self._categories: set[str] | None = set()
        self._numbers = _Moments()
        self._dates: dict[Moment, str] = {}

    def add_cells(self, cells: Sequence[str]) -> None:
        """Take cells whose text alone says what they are."""
        filled = cells if NULLS.isdisjoint(cells) else [cell for cell in cells if cell not in NULLS]
        self.nulls += len(cells) - len(filled)
        if not filled:
            return
        self._count(filled)
        if self.type == "text":
            return
        numbers = plain_numbers(filled)
        different = set(filled) if numbers is None else set()
        if numbers is not None:
            self._add_numbers(numbers)
        elif different <= BOOLEANS.keys():
            self._add_booleans({BOOLEANS[cell] for cell in different})
        elif not self._add_dates(different):
            self._add_numbers(numbers_of(filled))

    def add_values(self, values: Sequence[object]) -> None:
        """Take values that have types of their own, as JSON and Parquet have them; a string is a date or text."""
        filled = [value for value in values if value is not None and value == value]
        self.nulls += len(values) - len(filled)
        texts = [_text(value) for value in filled]
        self._count(texts)
        kinds = {type(value) for value in filled}
        if self.type == "text" or not kinds:
            return
        if kinds == {bool}:
            self._add_booleans({bool(value) for value in filled})
        elif kinds <= {int, float, Decimal}:
            self._add_numbers(fitting(filled))
        elif not (all(issubclass(kind, str | date) for kind in kinds) and self._add_dates(set(texts))):
            self._become("text")

    @property
    def type(self) -> str:
        """What all values so far can be read as, see `ColumnProfile.type`."""
        if len(self._kinds) == 1:
            return next(iter(self._kinds))
        if not self._kinds:
            return "empty"
        return "number" if self._kinds == {"integer", "number"} else "text"

    def profile(self) -> ColumnProfile:
        """The column as it is so far."""
        kind, categories = self.type, self._categories
        counted = self._values if kind in ("integer", "number", "boolean") and self._values is not None else self._texts
        low, high = self._range(kind)
        numeric = kind in ("integer", "number")
        return ColumnProfile(
            name=self.name[:MAX_NAME],
            type=kind,
            nulls=self.nulls,
            distinct=len(counted) if counted is not None else None,
            minimum=low,
            maximum=high,
            mean=self._numbers.mean if numeric else None,
            std=self._numbers.std if numeric else None,
            categories=tuple(sorted(categories)) if categories is not None and kind in ("text", "boolean") else None,
        )

    def _range(self, kind: str) -> tuple[float | str | None, float | str | None]:
        if kind == "date":
            return self._dates[min(self._dates)], self._dates[max(self._dates)]
        low, high = self._numbers.minimum, self._numbers.maximum
        if kind == "number" and low is not None and high is not None:
            return float(low), float(high)
        return (low, high) if kind == "integer" else (None, None)

    def _become(self, kind: str) -> None:
        self._kinds.add(kind)
        if self.type == "text":
            self._kinds, self._values, self._dates = {"text"}, None, {}

    def _count(self, texts: Sequence[str]) -> None:
        if self._texts is None:
            return
        different = set(texts)
        # Their hashes: a cell may be long, and that two of so few collide is out of the question.
        self._texts.update(map(hash, different))
        self._texts = self._texts if len(self._texts) <= self._limit else None
        if self._categories is not None:
            few = len(different) <= MAX_CATEGORIES
            self._categories.update(map(value_digest, different) if few else ())
            self._categories = self._categories if few and len(self._categories) <= MAX_CATEGORIES else None

    def _count_values(self, values: Iterable[float]) -> None:
        if self._values is not None:
            self._values.update(values)
            self._values = self._values if len(self._values) <= self._limit else None

    def _add_numbers(self, numbers: Sequence[float] | None) -> None:
        if numbers is None:
            self._become("text")
            return
        self._become("integer" if set(map(type, numbers)) == {int} else "number")
        if self.type != "text":
            self._count_values(numbers)
            self._numbers.add(numbers)

    def _add_booleans(self, values: set[bool]) -> None:
        self._become("boolean")
        self._count_values(values)

    def _add_dates(self, different: Set[str]) -> bool:
        found: dict[Moment, str] = dict(self._dates)
        for text in date_ends(different):
            moment = moment_of(text)
            if moment is None:
                return False
            shown = text.replace(" ", "T")
            found[moment] = min(found.get(moment, shown), shown)
        self._become("date")
        ends = (min(found), max(found)) if self.type == "date" else ()
        self._dates = {moment: found[moment] for moment in ends}
        return True


class _Moments:
    """Count, mean and sum of squares of numbers, merged block by block so that nothing cancels out.

    T. F. Chan, G. H. Golub, R. J. LeVeque, "Updating formulae and a pairwise algorithm for computing sample
    variances", 1979.
    """

    __slots__ = ("_count", "_mean", "_squares", "maximum", "minimum")

    def __init__(self) -> None:
        self._count = 0
        self._mean = self._squares = 0.0
        self.minimum: float | None = None
        self.maximum: float | None = None

    def add(self, numbers: Sequence[float]) -> None:
        low, high = min(numbers), max(numbers)
        self.minimum = low if self.minimum is None else min(self.minimum, low)
        self.maximum = high if self.maximum is None else max(self.maximum, high)
        count = len(numbers)
        try:
            mean = math.fsum(numbers) / count
            apart = [number - mean for number in numbers]
            squares = math.fsum(map(mul, apart, apart))
        except (OverflowError, ValueError):  # too large to be summed, or infinities of both signs
            mean = squares = math.nan
        step, total = mean - self._mean, self._count + count
        self._mean += step * (count / total)
        self._squares += squares + step * step * (self._count * (count / total))
        self._count = total

    @property
    def mean(self) -> float | None:
        return self._mean if self._count and math.isfinite(self._mean) else None

    @property
    def std(self) -> float | None:
        if self._count < 2 or not math.isfinite(self._squares):
            return None
        return math.sqrt(max(self._squares, 0.0) / (self._count - 1))


def _text(value: object) -> str:
    """One text for one value, as it is counted."""
    if isinstance(value, str):
        return value
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, int | float | Decimal):
        return repr(value)
    return json.dumps(value, default=repr, sort_keys=True)
