"""What a command hands back to be printed, and the JSON words for the types that many commands share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import Enum

from dvc_modelver.cli.table import Table
from dvc_modelver.core.records import Record
from dvc_modelver.core.tagobjects import Identity
from dvc_modelver.core.text import one_line, redact
from dvc_modelver.core.versions import Version
from dvc_modelver.errors import ExitCode

Json = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer in every form that it can be asked for in."""

    data: Json
    table: Table | None = None
    lines: tuple[str, ...] = ()
    """For people, above the table (or instead of one)."""
    after: tuple[str, ...] = ()
    """For people, below the table."""
    notes: tuple[str, ...] = ()
    """For stderr."""
    code: ExitCode = field(default=ExitCode.OK)


def plain(value: object) -> object:
    """`value` as JSON can say it: times in UTC, versions with their `v`, numbers that are not finite as words."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str):
        return redact(value if value.isascii() else value.encode("utf-8", "replace").decode())
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        # Python writes no decimal number of more than 4,300 digits; YAML and TOML can say one in hexadecimal.
        return value if value.bit_length() < 14_000 else hex(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else _not_finite(value)
    if isinstance(value, datetime):
        return when(value)
    if isinstance(value, Mapping):
        return {str(plain(str(key))): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return str(value)


def _not_finite(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def when(moment: datetime) -> str:
    """ISO 8601 in UTC: `2026-11-21T21:30:05Z`."""
    return moment.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")


def day(moment: datetime) -> str:
    """For tables: `2026-11-21 21:30`, UTC."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M")


def number(version: Version | None) -> str:
    """A version in a table cell."""
    return "-" if version is None else str(version)


def author_json(author: Identity | None) -> Json | None:
    return None if author is None else {"name": author.name, "email": author.email}


def record_json(record: Record | None) -> Json | None:
    """The record's keys as they stand in it; absent ones are left out."""
    if record is None:
        return None
    names = [name for name in Record.__dataclass_fields__ if name not in ("files", "blobs", "card", "extra", "ends")]
    found: dict[str, object] = {n: v for n in names if (v := getattr(record, n)) is not None}
    found["files"] = [{"path": f.path, "size": f.size, "sha256": f.sha256} for f in record.files]
    found["blobs"] = [{"path": b.path, "oid": b.oid} for b in record.blobs]
    found["card"] = None if record.card is None else {"path": record.card.path, "oid": record.card.oid}
    found["ends"] = list(record.ends)
    found["extra"] = dict(record.extra)
    return found


def shown(value: object) -> str:
    """A param or metric in a line for people."""
    return one_line(str(plain(value)))
