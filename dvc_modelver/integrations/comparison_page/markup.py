"""Texts, numbers and values as safe HTML: escaped, on one line, without secrets, exact on hover.  Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

from dvc_modelver.cards.tables import exact, number
from dvc_modelver.core.facts import Scalar
from dvc_modelver.core.metrics import is_number
from dvc_modelver.core.secrets import HIDDEN, redact_text, redact_value
from dvc_modelver.core.text import one_line, safe_json

MAX_TEXT = 120
"""Characters of a text in a cell; more of it stands in its title."""
_MAX_TITLE = 2000
NONE = '<span class="none">\N{EN DASH}</span>'
"""Where there is no value."""
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_COLOURS = 6
_json_escapes = {ord(mark): f"\\u{ord(mark):04x}" for mark in "<>&\u2028\u2029"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell of a table."""

    html: str
    sort: float | None = None
    """What it is sorted by; None for its text."""
    number: bool = False
    """Whether it stands to the right."""


def plain(text: str, limit: int = 0) -> str:
    """Any text on one line without secrets and control characters; not escaped.  Cut last: half a token is no shape."""
    return one_line(redact_text(text), limit)


def text(value: str, limit: int = 0) -> str:
    """Any text for an element or a quoted attribute."""
    return escape(plain(value, limit))


def clipped(value: str, limit: int = MAX_TEXT) -> str:
    """Any text, cut, and the whole of it on hover where it was."""
    return hover(plain(value, limit), plain(value, _MAX_TITLE))


def hover(shown: str, whole: str) -> str:
    """A clean text, and a longer one on hover where it says more."""
    return escape(shown) if shown == whole else f'<span title="{escape(whole)}">{escape(shown)}</span>'


def digest(value: str) -> str:
    """The first digits of a digest, all of it on hover."""
    from dvc_modelver.cards.tables import short_digest

    return f'<code class="hex">{hover(short_digest(value), plain(value, _MAX_TITLE))}</code>'


def commit(value: str | None) -> str:
    """The first digits of a commit, all of it on hover."""
    return f'<code class="hex">{hover(plain(value)[:9], plain(value))}</code>' if value else NONE


def shown(key: str, value: Scalar, digits: int = 6) -> str:
    """The value of `key` as clean text: numbers rounded for people, words for what is no finite number."""
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() >= 14_000:
        return HIDDEN if is_secret(key) else exact(value)  # Python refuses to write it in decimal
    hidden = redact_value(key, value)
    if value is None:
        return "null"
    if isinstance(value, str) or hidden == HIDDEN:
        return one_line(hidden)
    return number(value, digits) if isinstance(value, float) else exact(value)


def is_secret(key: str) -> bool:
    """Whether even a number of this name is hidden."""
    return redact_value(key, 1) == HIDDEN


def as_float(value: object) -> float | None:
    """A number as a float; None for everything else, and for what no float can hold."""
    if not is_number(value):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def values(key: str, cells: Iterable[Scalar], changed: bool, *, right: bool = False) -> list[Cell]:
    """The cells of one row: rounded, unless that makes different values look the same.

    Args:
        right: whether they stand to the right, as numbers below each other do.
    """
    found = list(cells)
    short = [shown(key, value) for value in found]
    digits = 17 if changed and len(set(short)) == 1 else 6
    return [_value(key, value, digits, right) for value in found]


def _value(key: str, value: Scalar, digits: int, right: bool) -> Cell:
    if value is None:
        return Cell(html=NONE, number=right)
    whole = shown(key, value, 17)
    short = shown(key, value, digits)
    is_num = is_number(value) and short != HIDDEN
    cut = short if len(short) <= MAX_TEXT else f"{short[: MAX_TEXT - 1]}…"
    return Cell(html=hover(cut, whole[:_MAX_TITLE]), sort=as_float(value) if is_num else None, number=right)


def signed(value: float) -> str:
    """A difference, rounded, with its sign."""
    words = exact(value) if isinstance(value, int) else number(value, 4)
    return words if words.startswith("-") or words == "NaN" or not value else f"+{words}"


def percent(share: float) -> str:
    """A relative change, with its sign."""
    if not share:
        return "0%"
    if abs(share) < 0.0005:
        return f"{share * 100:+.2g}%"
    return f"{share:+.1%}" if abs(share) < 100 else f"{share:+.3g} times"


def letter(at: int) -> str:
    """What stands for a point in charts: A, B, C... then P27, P28..."""
    return _LETTERS[at] if at < len(_LETTERS) else f"P{at + 1}"


def mark(at: int) -> str:
    """A point's letter as a small badge."""
    return f'<b class="mark p{at % _COLOURS}">{letter(at)}</b>'


def colour(at: int) -> str:
    """The class that gives a point's colour."""
    return f"p{at % _COLOURS}"


def px(value: float) -> str:
    """A coordinate, to a tenth."""
    words = f"{value:.1f}".removesuffix(".0")
    return "0" if words == "-0" else words


def data_block(document: object) -> str:
    """JSON that cannot end the script element it stands in, nor mean anything to an HTML parser."""
    words = json.dumps(document, allow_nan=False, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return safe_json(words).translate(_json_escapes)
