"""Rules of validation and profiles as files write them: data in, types out, every slip named.  Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import date
from typing import Any

from dvc_modelver.core.tables import ColumnProfile, TableProfile, value_digest
from dvc_modelver.core.validation import LEVELS, ColumnRule, Limit, Profile, Rules
from dvc_modelver.errors import BadInput

SCHEMA = 1
LIMITS: Mapping[str, str] = {
    "missing columns": "missing",
    "extra columns": "extra",
    "column order": "order",
    "types": "types",
    "nulls": "nulls",
    "ranges": "ranges",
    "new categories": "categories",
    "ragged rows": "ragged",
    "duplicate rows": "duplicates",
    "duplicate ids": "duplicate_ids",
    "leaked rows": "leaked",
    "leaked ids": "leaked_ids",
}
"""As people write a rule -> its field."""
_WORDS_ONLY = ("missing columns", "extra columns", "column order")
_OF_COLUMNS = ("types", "nulls", "ranges", "new categories")
KEYS = (*LIMITS, "rows", "id", "label", "columns")
COLUMN_KEYS = (*_OF_COLUMNS, "min", "max", "values")
_TYPES = ("integer", "number", "boolean", "date", "text", "empty")
_MAX_COLUMNS = 10_000
_PERCENT = re.compile(r"(\d{1,3}(?:\.\d{1,9})?) ?%")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d.*)?")
_HEX = re.compile(r"[0-9a-f]{16}")


def parse_rules(where: str, value: object, prefix: str = "", base: Rules | None = None) -> Rules:
    """The rules in `value`, over those of `base`.

    Args:
        where: the file, for errors.
        prefix: what stands before the keys in errors.

    Raises `BadInput` on an unknown key (with the nearest known one) or a value of the wrong kind.
    """
    section = _mapping(where, prefix.rstrip(".") or "the policy", value)
    for key in section:
        _known(where, prefix, key, KEYS)
    found: dict[str, Any] = {
        LIMITS[key]: _limit(where, f"{prefix}{key}", section[key], key in _WORDS_ONLY)
        for key in section
        if key in LIMITS
    }
    if "rows" in section:
        found["min_rows"], found["max_rows"] = _row_bounds(where, f"{prefix}rows", section["rows"])
    if "id" in section:
        found["id"] = _names(where, f"{prefix}id", section["id"])
    if "label" in section:
        found["label"] = _text(where, f"{prefix}label", section["label"])
    rules = base or Rules()
    if "columns" in section:
        columns = _mapping(where, f"{prefix}columns", section["columns"])
        own = {name: _column_rule(where, f"{prefix}columns.{name}", rule) for name, rule in columns.items()}
        found["columns"] = {**rules.columns, **own}
    return replace(rules, **found)


def parse_profile(where: str, value: object) -> tuple[Profile, Mapping[str, object]]:
    """The profile in a file that `profile_document` made, and its `rules:`, not yet parsed.

    Raises `BadInput` when it is none.
    """
    section = _mapping(where, "a profile", value)
    if section.get("schema") != SCHEMA or not isinstance(section.get("columns"), (list, tuple)):
        raise BadInput(f"{where} is no profile of a table", hint=f"modelver validate FILE --write-profile {where}")
    columns = section["columns"]
    assert isinstance(columns, (list, tuple))
    if len(columns) > _MAX_COLUMNS:
        raise BadInput(f"{where}: more than {_MAX_COLUMNS} columns")
    rows = _count(where, "rows", section.get("rows"))
    table = TableProfile(
        rows=rows,
        columns=tuple(_column(where, at, column) for at, column in enumerate(columns)),
        ragged=_count(where, "ragged", section.get("ragged", 0)),
    )
    counted = section.get("duplicates")
    duplicates = None if counted is None else _count(where, "duplicates", counted)
    rules = section.get("rules")
    return Profile(table=table, duplicates=duplicates), {} if rules is None else _mapping(where, "rules", rules)


def profile_document(profile: Profile, rules: Mapping[str, object] | None = None) -> dict[str, object]:
    """A profile as JSON has it; `parse_profile` is the inverse."""
    columns = [
        {
            key: _plain(value)
            for key, value in asdict(column).items()
            if key in ("name", "type", "nulls") or value is not None
        }
        for column in profile.table.columns
    ]
    document: dict[str, object] = {"schema": SCHEMA, "rows": profile.table.rows, "ragged": profile.table.ragged}
    if profile.duplicates is not None:
        document["duplicates"] = profile.duplicates
    document["columns"] = columns
    return {**document, "rules": dict(rules)} if rules else document


def _plain(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    return list(value) if isinstance(value, tuple) else value


def _column(where: str, at: int, value: object) -> ColumnProfile:
    row = _mapping(where, f"columns[{at}]", value)
    name, kind = row.get("name"), row.get("type")
    categories = row.get("categories")
    sound = isinstance(name, str) and kind in _TYPES
    if not sound or not (categories is None or _are_digests(categories)):
        raise BadInput(f"{where}: columns[{at}] is no column of a profile")
    assert isinstance(name, str)
    assert isinstance(kind, str)
    numeric = kind in ("integer", "number")
    ends = {key: _end(where, f"columns[{at}].{key}", row.get(key), numeric) for key in ("minimum", "maximum")}
    distinct = row.get("distinct")
    return ColumnProfile(
        name=name,
        type=kind,
        nulls=_count(where, f"columns[{at}].nulls", row.get("nulls", 0)),
        distinct=None if distinct is None else _count(where, f"columns[{at}].distinct", distinct),
        **ends,
        categories=tuple(map(str, categories)) if isinstance(categories, (list, tuple)) else None,
        mean=_number_or_none(row.get("mean")),
        std=_number_or_none(row.get("std")),
    )


def _are_digests(value: object) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(one, str) and _HEX.fullmatch(one) for one in value)


def _number_or_none(value: object) -> float | None:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _end(where: str, key: str, value: object, numeric: bool) -> float | str | None:
    """An end of a range: a number, `inf`, or a date."""
    if value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        return value
    if isinstance(value, str) and numeric and value in ("inf", "-inf"):
        return float(value)
    if isinstance(value, str) and not numeric and len(value) < 100:
        return value
    raise BadInput(f"{where}: {key} must be a number or a date")


def _count(where: str, key: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise BadInput(f"{where}: {key} must be a number that is not negative")
    return value


def _limit(where: str, key: str, value: object, words_only: bool = False) -> Limit:
    if value in LEVELS:
        return Limit(level=str(value), share=0.0 if value == "refuse" else None)
    percent = _PERCENT.fullmatch(value.strip()) if isinstance(value, str) else None
    share = float(percent[1]) / 100 if percent else value
    number = isinstance(share, (int, float)) and not isinstance(share, bool)
    if words_only or not number or not 0 <= float(share) <= 1:  # type: ignore[arg-type]
        kinds = f"{', '.join(LEVELS[:-1])} or {LEVELS[-1]}"
        raise BadInput(f"{where}: {key} must be {kinds}" + ("" if words_only else ", or a share from 0 to 1"))
    return Limit(share=float(share))  # type: ignore[arg-type]


def _column_rule(where: str, key: str, value: object) -> ColumnRule:
    section = _mapping(where, key, value)
    for name in section:
        _known(where, f"{key}.", name, COLUMN_KEYS)
    found: dict[str, Any] = {
        LIMITS[name]: _limit(where, f"{key}.{name}", section[name]) for name in section if name in _OF_COLUMNS
    }
    for name, own in (("min", "minimum"), ("max", "maximum")):
        if name in section:
            found[own] = _bound(where, f"{key}.{name}", section[name])
    if len({isinstance(found[own], str) for own in ("minimum", "maximum") if own in found}) > 1:
        raise BadInput(f"{where}: {key}: min and max are a number and a date")
    if "values" in section:
        found["values"] = tuple(map(value_digest, _names(where, f"{key}.values", section["values"])))
    return ColumnRule(**found)


def _bound(where: str, key: str, value: object) -> float | str:
    text = value.isoformat() if hasattr(value, "isoformat") else value
    number = isinstance(text, (int, float)) and not isinstance(text, bool) and math.isfinite(text)
    if not number and not (isinstance(text, str) and _is_date(text)):
        raise BadInput(f"{where}: {key} must be a number, or a date as text")
    return text  # type: ignore[return-value]


def _is_date(text: str) -> bool:
    try:
        return _DATE.fullmatch(text) is not None and bool(date.fromisoformat(text[:10]))
    except ValueError:
        return False


def _row_bounds(where: str, key: str, value: object) -> tuple[int | None, int | None]:
    section = _mapping(where, key, value)
    for name in section:
        _known(where, f"{key}.", name, ("min", "max"))
    low, high = (_count(where, f"{key}.{name}", section[name]) if name in section else None for name in ("min", "max"))
    return low, high


def _names(where: str, key: str, value: object) -> tuple[str, ...]:
    items = value if isinstance(value, (list, tuple)) else (value,)
    if not items or any(isinstance(item, bool) or not isinstance(item, (str, int)) for item in items):
        raise BadInput(f"{where}: {key} must be texts", hint="put words such as yes, no and true in quotes")
    return tuple(map(str, items))


def _text(where: str, key: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise BadInput(f"{where}: {key} must be the name of a column")
    return value


def _mapping(where: str, key: str, value: object) -> dict[str, object]:
    if not isinstance(value, Mapping):
        raise BadInput(f"{where}: {key} must be a mapping")
    return {str(name): item for name, item in value.items()}


def _known(where: str, prefix: str, key: str, allowed: tuple[str, ...]) -> None:
    if key in allowed:
        return
    from difflib import get_close_matches

    nearest = get_close_matches(key[:60], allowed, n=1, cutoff=0.4)
    hint = f"did you mean {prefix}{nearest[0]}?" if nearest else f"the keys are: {', '.join(allowed)}"
    raise BadInput(f"{where}: there is no key {prefix}{key[:60]}", hint=hint)
