"""What people have to write: a card's sections, and those that are still missing.  Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from dvc_modelver.cards.document import Card
from dvc_modelver.cards.lines import Kind, Line

PLACEHOLDER = "[More Information Needed]"
"""Hugging Face's mark of a section that nobody has written yet."""
_placeholder = re.compile(r"\\?\[\s*more\s+information\s+needed\s*\\?\]", re.IGNORECASE)
_required = re.compile(
    r"[ \t]*<!--[ \t]*modelver:required(?:[ \t]+stage=([^\s;]+);?)?[ \t]+((?:(?!-->).)*?)[ \t]*-->[ \t]*"
)
_decoration = re.compile(r"[*_`~\\]|<[^<>]*>")
_numbering = re.compile(r"^(?:\d+(?:\.\d+)*[.)]?|\(?[a-z]\))\s+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A heading and what stands under it, up to the next heading of its level or above."""

    title: str
    level: int
    line: int
    body: tuple[int, int]
    """Offsets into the card's text."""
    lines: tuple[Line, ...]
    """Of the body."""


class Reason(Enum):
    """Why a section does not count as written."""

    ABSENT = "absent"
    EMPTY = "empty"
    PLACEHOLDER = "placeholder"


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A required section that nobody has written."""

    title: str
    reason: Reason
    line: int | None
    """Of its heading; None when there is none."""


def sections(card: Card) -> tuple[Section, ...]:
    """The sections that people made: headings outside code, lists, quotes and generated blocks."""
    heads = list(_headings(card))
    ends = _ends([level for _, level, _, _ in heads], [first for _, _, first, _ in heads], len(card.lines))
    found = []
    for (title, level, first, behind), end in zip(heads, ends, strict=True):
        lines = card.lines[behind:end]
        stop = card.lines[end].start if end < len(card.lines) else len(card.text)
        body = (lines[0].start if lines else stop, stop)
        found.append(Section(title=title, level=level, line=card.lines[first].number, body=body, lines=lines))
    return tuple(found)


def _ends(levels: Sequence[int], firsts: Sequence[int], last: int) -> list[int]:
    """Index of the line behind each section: where the next heading of its level or above begins."""
    ends = []
    next_at = dict.fromkeys(range(1, 7), last)
    for level, first in zip(reversed(levels), reversed(firsts), strict=True):
        ends.append(min(next_at[other] for other in range(1, level + 1)))
        next_at[level] = first
    return ends[::-1]


def _headings(card: Card) -> Iterator[tuple[str, int, int, int]]:
    """Title, level, index of the heading's first line, index of the line behind it."""
    generated = generated_lines(card)
    first = 0
    for n, line in enumerate(card.lines):
        if n and line.block != card.lines[n - 1].block:
            first = n
        if line.depth or line.number in generated:
            continue
        if line.kind is Kind.HEADING:
            yield line.content, line.level, n, n + 1
        elif line.kind is Kind.UNDERLINE:
            yield " ".join(above.content.strip() for above in card.lines[first:n]), line.level, first, n + 1


def generated_lines(card: Card) -> frozenset[int]:
    """The numbers of the lines that stand in blocks, their markers among them."""
    found: set[int] = set()
    blocks = iter(card.blocks)
    block = next(blocks, None)
    for line in card.lines:
        while block is not None and line.start > block.inside[1]:
            block = next(blocks, None)
        if block is not None and line.end >= block.marker[0]:
            found.add(line.number)
    return frozenset(found)


def required_sections(card: Card, stage: str | None = None) -> tuple[str, ...]:
    """What the card itself asks for: comment lines `<!-- modelver:required Intended use; Limitations -->`.

    With `stage`, only what lines with `stage=NAME` (or `stage=*`) before the titles ask for it; without, all others.
    """
    names: list[str] = []
    for line in card.lines:
        match = _required.fullmatch(card.text[line.start : line.end]) if line.kind is Kind.COMMENT else None
        if match and line.block == line.number and match[1] in ((stage, "*") if stage is not None else (None,)):
            names += [name.strip() for name in match[2].split(";") if name.strip()]
    return tuple(dict.fromkeys(names))


def missing_sections(card: Card, required: Sequence[str]) -> tuple[Missing, ...]:
    """Those of `required` that are absent, empty, or hold `[More Information Needed]`; in the order asked.

    Titles are compared without case, numbering and emphasis.  Generated blocks, comments and the headings of
    subsections are no content; a placeholder in a subsection counts for the whole.
    """
    generated = generated_lines(card)
    found: dict[str, list[Section]] = {}
    for section in sections(card):
        found.setdefault(_comparable(section.title), []).append(section)
    missing = []
    for title in required:
        twins = found.get(_comparable(title), [])
        reasons = [reason for section in twins if (reason := _reason(section, generated)) is not None]
        if not twins:
            missing.append(Missing(title=title, reason=Reason.ABSENT, line=None))
        elif len(reasons) == len(twins):
            missing.append(Missing(title=title, reason=reasons[0], line=twins[0].line))
    return tuple(missing)


def _comparable(title: str) -> str:
    plain = " ".join(_decoration.sub("", title).split()).casefold().rstrip(":. ")
    return _numbering.sub("", plain)


def _reason(section: Section, generated: frozenset[int]) -> Reason | None:
    written = [
        line
        for line in section.lines
        if line.kind not in (Kind.BLANK, Kind.COMMENT, Kind.HEADING, Kind.UNDERLINE, Kind.RULE)
        and line.number not in generated
    ]
    if any(line.kind is Kind.TEXT and _placeholder.search(line.content) for line in written):
        return Reason.PLACEHOLDER
    titles = {line.block for line in section.lines if line.kind is Kind.UNDERLINE}
    return None if any(line.block not in titles and line.content.strip() for line in written) else Reason.EMPTY
