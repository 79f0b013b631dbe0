"""What the text of a table's cell can be read as: nothing, a number, a boolean, a date.  Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence, Set
from datetime import datetime, timedelta
from decimal import Decimal

NULLS = frozenset(
    [
        *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A"),
        *("NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
    ]
)
"""Cells without a value: what `pandas.read_csv` takes for missing by default."""
_LONGEST = 300
"""Characters of the longest cell that may be a number: so many digits still fit into a float."""

_NUMERIC = b"0123456789+-.eE\n"
_INTEGRAL = b"0123456789+-\n"
_padded = re.compile(rb"\n[+-]?0[0-9]")
"""A number with leading zeros is a code, as `007`; the exponent of `1e-05` begins no line."""
_integer = re.compile(r"[+-]?(?:0|[1-9][0-9]*)")
_number = re.compile(
    r"[+-]?(?:(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[iI][nN][fF](?:[iI][nN][iI][tT][yY])?)"
)
_date = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,9}))?)?(?:Z|([+-])([0-9]{2})(?::?([0-9]{2}))?)?)?"
)

Moment = tuple[datetime, str]
"""A date or time as it is ordered: UTC (what names no offset is taken for UTC), and nanoseconds."""


def plain_numbers(cells: Sequence[str]) -> Sequence[float] | None:
    """All cells as numbers, when they are made of nothing but what numbers are: 50 ns a cell instead of 400."""
    joined = "\n" + "\n".join(cells)
    if not joined.isascii() or max(map(len, cells)) > _LONGEST:
        return None
    raw = joined.encode("ascii")
    if raw.translate(None, _NUMERIC) or raw.count(b"\n") != len(cells) or _padded.search(raw):
        return None
    try:
        return list(map(float if raw.translate(None, _INTEGRAL) else int, cells))
    except ValueError:
        return None


def numbers_of(cells: Sequence[str]) -> Sequence[float] | None:
    """All cells as numbers, also with blanks around them and infinite; None when one is none."""
    numbers: list[float] = []
    for cell in cells:
        text = cell.strip(" \t") if len(cell) <= _LONGEST else ""
        if not _number.fullmatch(text):
            return None
        numbers.append(int(text) if _integer.fullmatch(text) else float(text))
    return numbers


def fitting(values: Iterable[object]) -> Sequence[float] | None:
    """Numbers of any type; None when one is larger than a float can be."""
    numbers = [float(value) if isinstance(value, Decimal) else value for value in values]
    found = [number for number in numbers if isinstance(number, int | float)]
    try:
        for number in found:
            float(number)
    except OverflowError:
        return None
    return found


def date_ends(different: Set[str]) -> Iterable[str]:
    """All texts, or only the first and the last where all are dates of one notation: their order is then that of text.

    100 ns a cell instead of 1500.
    """
    joined = "\n".join(different)
    digits = (set(map(len, different)), joined.isascii() and joined.encode("ascii").translate(None, b"0123456789"))
    for length, marks in ((10, b"--"), (19, b"--T::"), (19, b"-- ::")):
        if digits == ({length}, b"\n".join([marks] * len(different))):
            try:
                for text in different:
                    datetime.fromisoformat(text)
            except ValueError:
                break
            return min(different), max(different)
    return different


def moment_of(text: str) -> Moment | None:
    """The moment that an ISO 8601 date or time names; None for any other text."""
    found = _date.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, sign, hours, minutes = found.groups("0")
    if int(hours) > 23 or int(minutes) > 59:
        return None
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    try:
        there = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second))
        return (there + offset if sign == "-" else there - offset), fraction.ljust(9, "0")
    except (ValueError, OverflowError):
        return None
