"""Rows that are handed out: frozen dataclasses, and a pandas frame of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Generic, TypeVar

from dvc_modelver.core.versions import Version

if TYPE_CHECKING:
    import pandas as pd

Row = TypeVar("Row")


class Rows(tuple[Row, ...], Generic[Row]):
    """Frozen dataclasses, one a row."""

    __slots__ = ()

    def to_frame(self) -> pd.DataFrame:
        """One row each: versions and enums as text, times as UTC timestamps, nested fields as `outer.inner`."""
        import pandas as pd

        frame: pd.DataFrame = pd.DataFrame([flat(row) for row in self])
        return frame


def flat(value: object, prefix: str = "") -> dict[str, object]:
    """A dataclass as one flat mapping: nested dataclasses and mappings become `outer.inner` keys."""
    found: dict[str, object] = {}
    pairs: Iterable[tuple[str, object]]
    if is_dataclass(value):
        pairs = [(field.name, getattr(value, field.name)) for field in fields(value)]
    else:
        pairs = [(str(key), item) for key, item in value.items()] if isinstance(value, Mapping) else []
    for key, item in pairs:
        name = f"{prefix}{key}"
        if (is_dataclass(item) and not isinstance(item, Version)) or isinstance(item, Mapping):
            found |= flat(item, f"{name}.")
        else:
            found[name] = _cell(item)
    return found


def _cell(item: object) -> object:
    if isinstance(item, Enum):
        return item.value
    if isinstance(item, (Version, PurePosixPath, Path)):
        return str(item)
    return item
