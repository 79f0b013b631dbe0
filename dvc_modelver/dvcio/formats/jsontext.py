"""JSON from a model file: parsed whole when it is small, else picked out of its head and tail."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from dvc_modelver.dvcio.formats.source import Malformed, Source

MAX_WHOLE = 8 * 1024 * 1024
"""A fifth of a second."""
_END = 256 * 1024
_BOMS = (b"\xef\xbb\xbf",)


def load(data: bytes) -> object:
    """The value.  Raises `Malformed` for anything that is not JSON, too deep, or holds a number of 4,300 digits."""
    try:
        return json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError, MemoryError):
        raise Malformed("not JSON") from None


def load_mapping(data: bytes) -> Mapping[str, object]:
    """The object.  Raises `Malformed` when it is none."""
    found = load(data)
    if not isinstance(found, dict):
        raise Malformed("not a JSON object")
    return found


def mapping(value: object, *keys: str) -> Mapping[str, object]:
    """The object below `keys`, empty when there is none."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def sequence(value: object) -> list[object]:
    """The list, empty when it is none."""
    return value if isinstance(value, list) else []


def text(value: object) -> str | None:
    """The text, None when it is none."""
    return value if isinstance(value, str) else None


def ends(source: Source) -> str:
    """The head and the tail of a large file, as text."""
    return f"{source.at(0, _END).decode('utf-8', 'replace')}\n{source.tail(_END).decode('utf-8', 'replace')}"


def picked(found: str, key: str) -> object:
    """The first value behind `"key":` in a piece of JSON, None when there is none that is whole."""
    match = re.search(rf'"{re.escape(key)}"\s*:\s*', found)
    if match is None:
        return None
    try:
        value: object = json.JSONDecoder().raw_decode(found, match.end())[0]
    except (ValueError, RecursionError):
        return None
    return value
