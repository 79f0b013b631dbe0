"""Values as YAML text that every reader understands alike: PyYAML (1.1) and ruamel (1.2).  Pure.

Block style; strings stand plain only when no reader could take them for anything else, else in double quotes with
escapes that both versions share.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from dvc_modelver.core.secrets import redact_text

Value: TypeAlias = "str | int | float | bool | Sequence[Value] | Mapping[str, Value] | None"

_plain = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*(?: [A-Za-z0-9_./][A-Za-z0-9_./-]*)*\Z")
_words = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"])
"""Taken for booleans or nothing by one reader or the other, whatever their case."""
_escaped = re.compile(
    '["\\\\\x00-\x1f\x7f-\xa0\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff\ud800-\udfff'
    "\U000e0000-\U000e007f]"
)
_short = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_LONGEST_KEY = 100


def yaml_lines(values: Mapping[str, Value]) -> tuple[str, ...]:
    """A mapping as lines without line endings; empty for an empty mapping."""
    return tuple(_mapping(values, ""))


def yaml_scalar(value: str | int | float | bool | None) -> str:
    """A scalar on one line; secrets are redacted, and characters that no file can hold become U+FFFD."""
    if isinstance(value, str):
        return _string(redact_text(value))
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return _number(value)


def _string(text: str) -> str:
    if len(text) <= 200 and _plain.match(text) and text.lower() not in _words:
        return text
    return '"' + _escaped.sub(_escape, text) + '"'


def _escape(match: re.Match[str]) -> str:
    char = match[0]
    code = ord(char)
    if char in _short:
        return _short[char]
    if 0xD800 <= code <= 0xDFFF:
        return "\\uFFFD"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _number(value: int | float) -> str:
    if isinstance(value, int):
        return str(value)
    if not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    # YAML 1.1 takes `1e-05` for a string: its floats have a dot, and a sign in the exponent.
    mantissa, exponent, power = repr(float(value)).partition("e")
    dotted = mantissa if "." in mantissa else f"{mantissa}.0"
    return f"{dotted}e{power if power[0] in '+-' else f'+{power}'}" if exponent else dotted


def _mapping(values: Mapping[str, Value], indent: str) -> Iterator[str]:
    for key, value in values.items():
        name = _string(key)
        # Longer than 1024 characters a key needs the explicit form.
        head = f"{indent}{name}:" if len(name) <= _LONGEST_KEY else f"{indent}? {name}"
        if len(name) > _LONGEST_KEY:
            yield head
            head = f"{indent}:"
        yield from _under(head, value, indent)


def _under(head: str, value: Value, indent: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield head if value else f"{head} {{}}"
        yield from _mapping(value, f"{indent}  ")
    elif isinstance(value, Sequence) and not isinstance(value, str):
        yield head if value else f"{head} []"
        yield from _sequence(value, f"{indent}  ")
    else:
        yield f"{head} {yaml_scalar(value)}"


def _sequence(values: Sequence[Value], indent: str) -> Iterator[str]:
    for value in values:
        if isinstance(value, Mapping) and value:
            first, *more = _mapping(value, f"{indent}  ")
            yield f"{indent}- {first.removeprefix(f'{indent}  ')}"
            yield from more
        else:
            yield from _under(f"{indent}-", value, indent)
