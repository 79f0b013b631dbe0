"""What a YAML scalar means to DVC, which reads with ruamel's YAML 1.2 rules.  Pure: text to value."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta, timezone
from functools import lru_cache

# ruamel's reading of 1.2: underscores anywhere in a number, `010` is ten, `.5e3` is text but `.5e+3` a number.
_INT = re.compile(r"[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|[0-9_]+)\Z")
_FLOAT = re.compile(
    r"(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+"
    r"|[-+]?\.[0-9_]+(?:[eE][-+][0-9]+)?)\Z"
)
_STAMP = re.compile(
    r"(\d{4})-(\d\d?)-(\d\d?)"
    r"(?:(?:[Tt]|[ \t]+)(\d\d?):(\d\d):(\d\d)(?:\.(\d*))?(?:[ \t]*(Z|([-+])(\d\d?)(?::(\d\d))?))?)?\Z",
    re.ASCII,
)
_DATE = re.compile(r"\d{4}-\d\d-\d\d\Z", re.ASCII)

_WORDS: Mapping[str, object] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **dict.fromkeys((sign + word for sign in ("", "+") for word in (".inf", ".Inf", ".INF")), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
}
_BOOLS = {"yes": True, "true": True, "on": True, "y": True, "no": False, "false": False, "off": False, "n": False}


def plain(text: str) -> object:
    """The value of an unquoted scalar.

    Raises:
        ValueError: it looks like a date or a number and is none (`2020-13-45`), or is `=` or `<<`.
    """
    if text and text[0] not in "-+.0123456789~nNtTfF=<":
        return text
    return _plain(text)


@lru_cache(maxsize=4096)
def _plain(text: str) -> object:
    if text in _WORDS:
        return _WORDS[text]
    if text in ("=", "<<"):
        raise ValueError(f"{text!r} has to be quoted")
    if _FLOAT.match(text):
        return to_float(text)
    if _INT.match(text) and text[0] != "_":
        return to_int(text)
    return to_stamp(text) if _is_stamp(text) else text


def to_int(text: str) -> int:
    """An integer as YAML writes it: signs, `0b`, `0o`, `0x`, underscores; leading zeros mean nothing."""
    digits = text.replace("_", "")
    sign = -1 if digits.startswith("-") else 1
    digits = digits.lstrip("+-")
    base = {"0b": 2, "0o": 8, "0x": 16}.get(digits[:2])
    return sign * (int(digits, 10) if base is None else int(digits[2:], base))


def to_float(text: str) -> float:
    """A float as YAML writes it."""
    lowered = text.replace("_", "").lower()
    word = _WORDS.get(lowered)
    return word if isinstance(word, float) else float(lowered)


def _is_stamp(text: str) -> bool:
    found = _STAMP.match(text)
    return found is not None and (found[4] is not None or _DATE.match(text) is not None)


def to_stamp(text: str) -> date:
    """A date, or a datetime where the text has a time."""
    found = _STAMP.match(text)
    if found is None:
        raise ValueError(f"not a timestamp: {text[:40]!r}")
    day = date(int(found[1]), int(found[2]), int(found[3]))
    if found[4] is None:
        return day
    micros = int((found[7] or "0")[:6].ljust(6, "0"))
    return datetime(day.year, day.month, day.day, int(found[4]), int(found[5]), int(found[6]), micros, _zone(found))


def _zone(found: re.Match[str]) -> timezone | None:
    if found[8] is None:
        return None
    if found[8] == "Z":
        return timezone.utc
    offset = timedelta(hours=int(found[10]), minutes=int(found[11] or 0))
    return timezone(-offset if found[9] == "-" else offset)


def _to_bool(text: str) -> bool:
    if text.lower() not in _BOOLS:
        raise ValueError(f"not a boolean: {text[:40]!r}")
    return _BOOLS[text.lower()]


TAGGED: Mapping[str, Callable[[str], object]] = {
    "str": str,
    "int": to_int,
    "float": to_float,
    "bool": _to_bool,
    "null": lambda _: None,
    "timestamp": to_stamp,
}
"""Values of scalars that carry a tag, by the tag without `tag:yaml.org,2002:`; other tags are refused."""
