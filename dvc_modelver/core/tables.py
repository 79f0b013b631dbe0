"""Tables of data in numbers: rows, columns, types and simple statistics.  Types and their comparison; pure."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dvc_modelver.core.text import one_line


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnProfile:
    """One column.  A statistic is None where it means nothing.

    No cell of text is kept, not even the smallest and the largest: what people wrote stays in the table.
    """

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
    """Of numbers: the sample's standard deviation.  Both None where a number is infinite."""
    categories: tuple[str, ...] | None = None
    """Of text and booleans with few different values: the `value_digest` of each, sorted.

    Enough to tell whether a value was there, and no value itself.
    """


BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
"""The spellings of booleans in text."""


def value_digest(text: str) -> str:
    """What names a value: the first 16 hexadecimal digits of its sha256; of a boolean that of `True` or `False`."""
    return hashlib.sha256(str(BOOLEANS.get(text, text)).encode("utf-8", "surrogatepass")).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableProfile:
    """One table."""

    rows: int
    """Without the header."""
    columns: tuple[ColumnProfile, ...]
    """In the order of the file."""
    ragged: int = 0
    """Rows that have more or fewer cells than the header; what is beyond it is left out, what is missing is null."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableChange:
    """One thing that differs between two states of a table."""

    what: str
    """`rows`, `files`, or the name of a column."""
    detail: str
    """`150 -> 200`, `new: number`, `gone`, `integer -> number`, `moved: 3 -> 1`, `mean 3.1 -> 3.4`, `2 new: a, b`."""


# Tables ---------------------------------------------------------------------------------------------------------

_NOISE = 1e-9
"""Of means and deviations: rows in another order give other last digits."""
_MAX_DIGITS = 17
"""As many as tell any two floats apart."""


def table_changes(before: TableProfile, after: TableProfile) -> tuple[TableChange, ...]:
    """What differs: rows, columns that are new, gone, of another type or elsewhere, then statistics.

    Columns of one name are told apart by their order.  Empty when nothing differs that a profile knows of.
    """
    old, new = _by_name(before.columns), _by_name(after.columns)
    both = [name for name in new if name in old]
    found = [
        *_counts("rows", "", before.rows, after.rows),
        *_counts("rows", "ragged ", before.ragged, after.ragged),
        *(TableChange(what=name, detail=f"new: {column.type}") for name, column in new.items() if name not in old),
        *(TableChange(what=name, detail="gone") for name in old if name not in new),
    ]
    for name in both:
        if old[name].type != new[name].type:
            found.append(TableChange(what=name, detail=f"{old[name].type} -> {new[name].type}"))
    found += _moved(list(old), list(new), both)
    for name in both:
        found += [TableChange(what=name, detail=detail) for detail in _statistics(old[name], new[name])]
    return tuple(found)


def _by_name(columns: Sequence[ColumnProfile]) -> dict[str, ColumnProfile]:
    seen: Counter[str] = Counter()
    named: dict[str, ColumnProfile] = {}
    for column in columns:
        seen[column.name] += 1
        label = column.name if seen[column.name] == 1 else f"{column.name} ({seen[column.name]})"
        named.setdefault(label, column)
    return named


def _counts(what: str, of: str, before: int, after: int) -> list[TableChange]:
    return [TableChange(what=what, detail=f"{of}{before} -> {after}")] if before != after else []


def _moved(old: Sequence[str], new: Sequence[str], both: Sequence[str]) -> Iterator[TableChange]:
    """The fewest columns that, taken elsewhere, give the new order; places count from 1."""
    was, is_ = ({name: at for at, name in enumerate(names, 1)} for names in (old, new))
    stayed = _longest_rising([was[name] for name in both])
    for name in both:
        if was[name] not in stayed:
            yield TableChange(what=name, detail=f"moved: {was[name]} -> {is_[name]}")


def _longest_rising(numbers: Sequence[int]) -> set[int]:
    """The longest subsequence of different numbers that rises; by patience sorting, in n log n steps."""
    tops: list[int] = []
    before: dict[int, int | None] = {}
    for number in numbers:
        at = bisect_left(tops, number)
        before[number] = tops[at - 1] if at else None
        tops[at : at + 1] = [number]
    chain: set[int] = set()
    last = tops[-1] if tops else None
    while last is not None:
        chain.add(last)
        last = before[last]
    return chain


def _statistics(old: ColumnProfile, new: ColumnProfile) -> Iterator[str]:
    if old.nulls != new.nulls:
        yield f"nulls {old.nulls} -> {new.nulls}"
    if old.distinct != new.distinct:
        yield "distinct {} -> {}".format(*("many" if one is None else one for one in (old.distinct, new.distinct)))
    for name, first, second in (("minimum", old.minimum, new.minimum), ("maximum", old.maximum, new.maximum)):
        if first is not None and second is not None and first != second:
            yield f"{name} {_pair(first, second)}"
    scale = max(abs(number) for number in (old.mean or 0.0, new.mean or 0.0, old.std or 0.0, new.std or 0.0))
    for name, one, other in (("mean", old.mean, new.mean), ("std", old.std, new.std)):
        if one is not None and other is not None and abs(other - one) > _NOISE * scale:
            yield f"{name} {_pair(one, other)}"


def _pair(old: float | str, new: float | str) -> str:
    """Both in as few digits as tell them apart, four at least."""
    if isinstance(old, str) or isinstance(new, str):
        return f"{_plain(old)} -> {_plain(new)}"
    for digits in range(4, _MAX_DIGITS + 1):
        texts = _short(old, digits), _short(new, digits)
        if texts[0] != texts[1]:
            return " -> ".join(texts)
    return f"{old} -> {new}"


def _plain(value: float | str) -> str:
    return value if isinstance(value, str) else _short(value, 4)


def _short(number: float, digits: int) -> str:
    """Whole numbers whole while a person can read them."""
    if isinstance(number, int) and abs(number) < 10**12:
        return str(number)
    return f"{float(number):.{digits}g}"


# Directories ----------------------------------------------------------------------------------------------------

_NAMED = 3
_MAX_NAME = 80


def listing_changes(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[TableChange, ...]:
    """How many files of a tracked directory are new, gone and changed, and the first names of each.

    Args:
        before, after: path below the directory -> digest.
    """
    groups = {
        "new": after.keys() - before.keys(),
        "gone": before.keys() - after.keys(),
        "changed": {path for path in before.keys() & after.keys() if before[path] != after[path]},
    }
    return tuple(
        TableChange(what="files", detail=f"{len(paths)} {kind}: {_some(sorted(paths))}")
        for kind, paths in groups.items()
        if paths
    )


def _some(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
    return ", ".join(one_line(path, _MAX_NAME) for path in paths[:_NAMED]) + more
