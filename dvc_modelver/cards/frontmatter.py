"""A card's front matter: our keys between two comment lines, all the rest people's own.  Pure, and no YAML parser.

---
license: mit
# modelver:begin
model-index: ...
# modelver:end
---
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dvc_modelver.cards.lines import count_line_ends
from dvc_modelver.cards.markers import Problem
from dvc_modelver.cards.yamltext import Value, yaml_lines
from dvc_modelver.core.text import one_line

BEGIN, END = "# modelver:begin", "# modelver:end"
_opening = re.compile(r"\ufeff?[ \t\r\n]*---[ \t]*(\r\n|\n|\r)")
_closing = re.compile(r"^---[ \t]*$")
_line = re.compile(r"[^\r\n]*(?:\r\n|\n|\r|\Z)")
_mark = re.compile(r"#[ \t]*modelver:(begin|end)[ \t]*")
_key = re.compile(
    r"""("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s"'#&*!|>%@`,\[\]{}?:-][^:#]*|[?:-][^\s:#][^:#]*)\s*:(?=\s|$)"""
)
_continues = re.compile(r"(?:-(?:\s|$)|[\]}]|#|\s|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontMatter:
    """Where the front matter stands; all offsets are into the card's text."""

    found: bool
    start: int
    """Behind the line that opens it; where one would be put when there is none."""
    end: int
    """Before the line that closes it."""
    body: int
    """Where the Markdown begins."""
    ours: tuple[int, int] | None = None
    """Between our two comment lines."""
    keys: frozenset[str] = frozenset()
    """People's own."""
    problems: tuple[Problem, ...] = ()


def parse_front_matter(text: str) -> FrontMatter:
    """The front matter of a card, if it has one."""
    nowhere = 1 if text.startswith("\ufeff") else 0
    opening = _opening.match(text)
    if opening is None:
        return FrontMatter(found=False, start=nowhere, end=nowhere, body=nowhere)
    lines: list[tuple[int, int, int, str]] = []
    first = 1 + count_line_ends(opening[0])
    for number, (start, stop) in enumerate(_spans(text, opening.end()), first):
        line = text[start:stop].rstrip("\r\n")
        if _closing.match(line):
            return _inside(lines, opening.end(), start, stop)
        lines.append((number, start, stop, line))
    return FrontMatter(found=False, start=nowhere, end=nowhere, body=nowhere)


def _spans(text: str, start: int) -> Iterator[tuple[int, int]]:
    while start < len(text):
        stop = start + len(_line.match(text, start)[0])  # type: ignore[index]  # it matches any line
        yield start, stop
        start = stop


def _inside(lines: list[tuple[int, int, int, str]], start: int, end: int, body: int) -> FrontMatter:
    marks = [(number, begin, stop, found[1]) for number, begin, stop, line in lines if (found := _mark.fullmatch(line))]
    problems = []
    ours = None
    if [word for *_, word in marks] == ["begin", "end"]:
        ours = (marks[0][2], marks[1][1])
    elif marks:
        message = f"{BEGIN} and {END} must stand in the front matter once each, in this order"
        problems.append(Problem(line=marks[0][0], message=message))
    keys = set()
    for number, begin, _, line in lines:
        if ours and ours[0] <= begin < ours[1]:
            continue
        found = _key.match(line)
        if found:
            keys.add(_name(found[1]))
        elif not _continues.match(line):
            message = f"the front matter is no list of keys and values here: {one_line(line, 60)}"
            problems.append(Problem(line=number, message=message))
    return FrontMatter(
        found=True, start=start, end=end, body=body, ours=ours, keys=frozenset(keys), problems=tuple(problems)
    )


def _name(key: str) -> str:
    if key.startswith("'"):
        return key[1:-1].replace("''", "'")
    if key.startswith('"'):
        try:
            return str(json.loads(key))
        except ValueError:  # an escape that JSON does not have: no key of ours needs one
            return key
    return key.strip()


def with_values(text: str, front: FrontMatter, values: Mapping[str, Value], newline: str) -> str:
    """`text` with `values` as our keys; a key that people have written themselves is left out of ours."""
    lines = yaml_lines({key: value for key, value in values.items() if key not in front.keys})
    ours = "".join(f"{line}{newline}" for line in lines)
    if front.ours:
        return text[: front.ours[0]] + ours + text[front.ours[1] :]
    if not lines:
        return text
    region = f"{BEGIN}{newline}{ours}{END}{newline}"
    if not front.found:
        region = f"---{newline}{region}---{newline}"
        if text[front.start :].strip():
            region += newline
    return text[: front.end] + region + text[front.end :]
