"""Is a table like the one that a model was made with: profile, rules, verdict.  Pure.

The counting is done where tables are read; here is what it is counted against, and what the counts amount to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from dvc_modelver.core.tables import ColumnProfile, TableProfile

REFUSE, NOTE, IGNORE = "refuse", "note", "ignore"
LEVELS = (REFUSE, NOTE, IGNORE)
DEFAULT_SLACK = 0.01
"""By which a share may lie above the profile's where nobody says anything else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What is done about one kind of deviation."""

    level: str = REFUSE
    share: float | None = None
    """Of rows or cells, 0 to 1: up to so many are noted and not refused.  None: the rule's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnRule:
    """What differs for one column; None: as for all."""

    types: Limit | None = None
    nulls: Limit | None = None
    ranges: Limit | None = None
    categories: Limit | None = None
    minimum: float | str | None = None
    maximum: float | str | None = None
    """Instead of the profile's."""
    values: tuple[str, ...] | None = None
    """The only values, as digests; instead of the profile's categories."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How far a table may differ from its profile."""

    missing: Limit = Limit()
    extra: Limit = Limit(level=NOTE)
    order: Limit = Limit(level=NOTE)
    types: Limit = Limit(share=0.0)
    nulls: Limit = Limit()
    """The share is by how much that of empty cells may exceed the profile's."""
    ranges: Limit = Limit(share=DEFAULT_SLACK)
    categories: Limit = Limit(share=0.0)
    ragged: Limit = Limit(share=0.0)
    """By how much the profile's share may be exceeded."""
    duplicates: Limit | None = None
    """By how much the profile's share may be exceeded; None: only noted where the profile does not tell."""
    duplicate_ids: Limit = Limit(share=0.0)
    leaked: Limit = Limit(share=0.0)
    leaked_ids: Limit = Limit(share=0.0)
    min_rows: int | None = None
    max_rows: int | None = None
    id: tuple[str, ...] = ()
    """The columns that together name a row."""
    label: str | None = None
    """The column that is left out when rows are compared with those of the training."""
    columns: Mapping[str, ColumnRule] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a table should look like."""

    table: TableProfile
    duplicates: int | None = None
    """Rows that were there before; None when nobody counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the cells of one column are counted against; None and `text` let everything pass."""

    type: str | None = None
    minimum: float | str | None = None
    maximum: float | str | None = None
    categories: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How often, and in which row first (from 1, without the header)."""

    count: int = 0
    first: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenColumn:
    """What one column has."""

    name: str
    nulls: int = 0
    types: tuple[str, ...] = ()
    """Of cells that are of the wrong type."""
    wrong: Count = Count()
    outside: Count = Count()
    unknown: Count = Count()
    minimum: float | str | None = None
    maximum: float | str | None = None
    """Of all cells whose type has an order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a table has."""

    rows: int
    columns: tuple[SeenColumn, ...]
    ragged: int = 0
    duplicates: Count = Count()
    duplicate_ids: Count | None = None
    """None: no id is named."""
    leaked: Count | None = None
    """None: there is no training table."""
    leaked_ids: Count | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One deviation.  No cell of text is quoted: the row tells where to look."""

    column: str | None
    rule: str
    level: str
    """`refuse` or `note`."""
    expected: str
    seen: str
    count: int


def labels(names: Sequence[str]) -> tuple[str, ...]:
    """Names that tell columns of one name apart by their order: `a`, `a (2)`."""
    seen: dict[str, int] = {}
    found = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return tuple(found)


def named_columns(table: TableProfile) -> dict[str, ColumnProfile]:
    """The columns of a profile by their labels."""
    return dict(zip(labels([column.name for column in table.columns]), table.columns, strict=True))


def expectations(profile: Profile | None, rules: Rules) -> dict[str, Expected]:
    """What each column's cells are counted against."""
    known = named_columns(profile.table) if profile is not None else {}
    names = {**known, **rules.columns}
    return {name: _expected(known.get(name), rules.columns.get(name), name in rules.id) for name in names}


def _expected(column: ColumnProfile | None, rule: ColumnRule | None, is_id: bool) -> Expected:
    own = rule or ColumnRule()
    if column is not None and is_id:
        # New rows have new ids.
        column = replace(column, minimum=None, maximum=None, categories=None)
    low = own.minimum if own.minimum is not None else column.minimum if column is not None else None
    high = own.maximum if own.maximum is not None else column.maximum if column is not None else None
    known = own.values if own.values is not None else column.categories if column is not None else None
    return Expected(
        type=_kind(column.type if column is not None else None, own),
        minimum=low,
        maximum=high,
        categories=frozenset(known) if known is not None else None,
    )


_ORDERED = {"integer": "number", "number": "number", "date": "date"}


def _kind(known: str | None, rule: ColumnRule) -> str | None:
    """The type of the profile, unless no cell of such could be compared with the rule's own bounds."""
    bounds = [end for end in (rule.minimum, rule.maximum) if end is not None]
    if not bounds:
        return known
    kind = "date" if isinstance(bounds[0], str) else "number"
    return known if known is not None and _ORDERED.get(known) == kind else kind


def judge(profile: Profile | None, rules: Rules, seen: Seen) -> tuple[Finding, ...]:
    """The deviations, in a fixed order: the table's, then those of each column as the table has them."""
    found = [*_table(profile, rules, seen)]
    known = named_columns(profile.table) if profile is not None else {}
    rows = profile.table.rows if profile is not None else 0
    expected = expectations(profile, rules)
    for column in seen.columns:
        if column.name in expected:
            found += _column(known.get(column.name), rows, rules, expected[column.name], column, seen.rows)
    return tuple(found)


def passed(findings: Sequence[Finding]) -> bool:
    """Whether nothing is refused."""
    return all(finding.level != REFUSE for finding in findings)


def _table(profile: Profile | None, rules: Rules, seen: Seen) -> Iterator[Finding]:
    yield from _rows(profile, rules, seen.rows)
    if profile is not None or rules.columns or rules.id:
        yield from _names(profile, rules, seen)
    base = profile.table.ragged / profile.table.rows if profile is not None and profile.table.rows else 0.0
    yield from _above(None, "ragged rows", rules.ragged, base, Count(count=seen.ragged), seen.rows)
    yield from _duplicates(profile, rules, seen)
    if seen.duplicate_ids is not None:
        yield from _counted(None, "duplicate ids", rules.duplicate_ids, "each once", "", seen.duplicate_ids, seen.rows)
    for rule, limit, count in (
        ("leaked rows", rules.leaked, seen.leaked),
        ("leaked ids", rules.leaked_ids, seen.leaked_ids),
    ):
        if count is not None:
            yield from _counted(None, rule, limit, "none of the training", "also in the training", count, seen.rows)


def _rows(profile: Profile | None, rules: Rules, rows: int) -> Iterator[Finding]:
    low, high = rules.min_rows, rules.max_rows
    if low is None and profile is not None and profile.table.rows:
        low = 1  # an empty table breaks no other rule
    if (low is not None and rows < low) or (high is not None and rows > high):
        bounds = " and ".join(
            [*([f"at least {low}"] if low is not None else []), *([f"at most {high}"] if high is not None else [])]
        )
        yield Finding(column=None, rule="rows", level=REFUSE, expected=bounds, seen=str(rows), count=rows)


def _names(profile: Profile | None, rules: Rules, seen: Seen) -> Iterator[Finding]:
    known = named_columns(profile.table) if profile is not None else {}
    there = [column.name for column in seen.columns]
    for name in dict.fromkeys((*known, *rules.columns, *rules.id)):
        if name not in there and rules.missing.level != IGNORE:
            kind = known[name].type if name in known else "a column"
            yield Finding(
                column=name, rule="missing columns", level=rules.missing.level, expected=kind, seen="missing", count=1
            )
    if profile is None:
        return
    for name in there:
        if name not in known and name not in rules.columns and rules.extra.level != IGNORE:
            yield Finding(
                column=name, rule="extra columns", level=rules.extra.level, expected="no such column", seen="", count=1
            )
    was, is_ = [name for name in known if name in there], [name for name in there if name in known]
    moved = [name for name, other in zip(is_, was, strict=True) if name != other]
    if moved and rules.order.level != IGNORE:
        first = was[is_.index(moved[0])]
        yield Finding(
            column=moved[0],
            rule="column order",
            level=rules.order.level,
            expected=f"{first} at that place",
            seen="another order",
            count=len(moved),
        )


def _duplicates(profile: Profile | None, rules: Rules, seen: Seen) -> Iterator[Finding]:
    counted = profile.duplicates if profile is not None else None
    limit = rules.duplicates
    if limit is None:
        limit = Limit(share=DEFAULT_SLACK) if counted is not None else Limit(level=NOTE, share=0.0)
    base = counted / profile.table.rows if counted is not None and profile is not None and profile.table.rows else 0.0
    yield from _above(None, "duplicate rows", limit, base, seen.duplicates, seen.rows)


def _column(
    column: ColumnProfile | None, rows: int, rules: Rules, expected: Expected, seen: SeenColumn, total: int
) -> Iterator[Finding]:
    own = rules.columns.get(seen.name, ColumnRule())
    filled = total - seen.nulls
    yield from _counted(
        seen.name,
        "types",
        own.types or rules.types,
        expected.type or "",
        f"{' and '.join(seen.types)}",
        seen.wrong,
        filled,
    )
    if column is not None or own.nulls is not None:
        base = column.nulls / rows if column is not None and rows else 0.0
        yield from _above(seen.name, "nulls", own.nulls or rules.nulls, base, Count(count=seen.nulls), total)
    stated = own.minimum is not None or own.maximum is not None
    ranges = own.ranges or (Limit(share=0.0) if stated else rules.ranges)
    yield from _counted(seen.name, "ranges", ranges, _span(expected), _span(seen), seen.outside, filled)
    categories = own.categories or (Limit(share=0.0) if own.values is not None else rules.categories)
    known = f"{len(expected.categories or ())} known values"
    yield from _counted(seen.name, "new categories", categories, known, "others", seen.unknown, filled)


def _span(bounds: Expected | SeenColumn) -> str:
    low, high = (("any" if end is None else str(end)) for end in (bounds.minimum, bounds.maximum))
    return f"{low} to {high}"


def _counted(
    column: str | None, rule: str, limit: Limit, expected: str, seen: str, count: Count, total: int
) -> Iterator[Finding]:
    """For what should not be there at all: noted up to the share, refused above it."""
    if not count.count or limit.level == IGNORE:
        return
    many = _exceeds(count.count, limit.share or 0.0, total)
    row = f"first in row {count.first}" if count.first is not None else ""
    yield Finding(
        column=column,
        rule=rule,
        level=REFUSE if limit.level == REFUSE and many else NOTE,
        expected=expected + (f", at most {limit.share:.4g} others" if limit.share and limit.level == REFUSE else ""),
        seen=", ".join(filter(None, (seen, row))),
        count=count.count,
    )


def _above(column: str | None, rule: str, limit: Limit, base: float, count: Count, total: int) -> Iterator[Finding]:
    """For what the profile has too: only a larger share is a deviation."""
    slack = limit.share if limit.share is not None else (DEFAULT_SLACK if base else 0.0)
    if not total or limit.level == IGNORE or not _exceeds(count.count, base + slack, total):
        return
    row = f", first in row {count.first}" if count.first is not None else ""
    expected = f"at most {min(base + slack, 1.0):.4g} of all" if base + slack else "none"
    yield Finding(
        column=column,
        rule=rule,
        level=limit.level,
        expected=expected,
        seen=f"{count.count / total:.4g} of all{row}",
        count=count.count,
    )


def _exceeds(count: int, share: float, total: int) -> bool:
    # A share such as 0.1 of 30 rows is 3, and not a little more.
    return count > share * total + 1e-9 * max(total, 1)
