"""The marks around generated blocks, and what is wrong with them.  Pure.

<!-- modelver:begin metrics sha256=0f3c... version=v1.2.0 -->

generated text

<!-- modelver:end metrics -->
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dvc_modelver.cards.lines import Kind, Line
from dvc_modelver.core.text import one_line
from dvc_modelver.errors import BadInput

DIGEST_DIGITS = 16
"""Enough to notice an edit; a digest that only tells ours from edited need not resist a forger."""
_id = r"[a-z][a-z0-9_-]*"
_containers = r"(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*"
_open = re.compile(rf"([ \t]*{_containers}[ \t]*)(<!--[ \t]*modelver:(begin|end)\b(?:(?!-->).)*-->)[ \t]*\Z")
_begin = re.compile(rf"<!--[ \t]*modelver:begin[ \t]+({_id})((?:[ \t]+[a-z][a-z0-9_-]*=[^\s<>\"']+)*)[ \t]*-->")
_end = re.compile(rf"<!--[ \t]*modelver:end[ \t]+({_id})[ \t]*-->")
_anywhere = re.compile(r"<!--[ \t]*modelver:(?:begin|end)\b")
_code_span = re.compile(r"\\`|(?:(?<!`)|(?<=\\`))(`+)(?!`).*?(?<!`)\1(?!`)")
"""Or an escaped backtick, which opens none."""
_MAX_SPANS = 4000
"""Characters of a line in which code spans are looked for: the search is quadratic in the worst case."""
_value = re.compile(r"[^\s<>\"']+")
_digest = re.compile(rf"[0-9a-f]{{{DIGEST_DIGITS},64}}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why a card cannot be rewritten, or what should be looked at; `line` counts from 1."""

    line: int
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A generated block as it stands in a card."""

    id: str
    attributes: tuple[tuple[str, str], ...]
    """What the marker says besides the digest, in its order: `version`, `base`."""
    digest: str | None
    """Of the text when it was generated; None in a template."""
    text: str
    """What stands inside: without the markers' indentation and blank lines at both ends, line endings as LF."""
    line: int
    marker: tuple[int, int]
    """Offsets of the opening comment."""
    inside: tuple[int, int]
    """Offsets of the lines between the two markers."""
    indent: str
    """What the lines inside begin with, so that they stay in their list item."""

    @property
    def is_ours(self) -> bool:
        """Whether the text is as it was generated (or nobody has put anything there yet)."""
        return self.text == "" if self.digest is None else digest_of(self.text).startswith(self.digest)


@dataclass(frozen=True, slots=True)
class _Mark:
    """A line that holds a marker; `id` is None when it cannot be read."""

    at: Line
    prefix: str
    comment: str
    opens: bool
    id: str | None
    attributes: tuple[tuple[str, str], ...] = ()


def digest_of(text: str) -> str:
    """The sha256 of a block's text, in hex."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def opening_marker(block: Block, text: str, attributes: Mapping[str, str | None]) -> str:
    """The comment that opens `block` with `text` inside; `attributes` come on top of the block's own (None: away).

    Raises:
        BadInput: an attribute's value would not survive in a comment.
    """
    both = dict(block.attributes) | dict(attributes)
    merged = {key: value for key, value in both.items() if value is not None}
    for key, value in merged.items():
        if not _value.fullmatch(value):
            raise BadInput(f"{key}={one_line(value, 60)!a} cannot stand in the marker of a card's block")
    words = (f"sha256={digest_of(text)[:DIGEST_DIGITS]}", *(f"{key}={value}" for key, value in merged.items()))
    return f"<!-- modelver:begin {block.id} {' '.join(words)} -->"


def parse_blocks(text: str, lines: Sequence[Line]) -> tuple[tuple[Block, ...], tuple[Problem, ...]]:
    """The blocks of a card, and what is wrong with its markers."""
    blocks: list[Block] = []
    problems: list[Problem] = []
    lines_of: dict[str, int] = {}
    begun: _Mark | None = None
    for mark in _marks(text, lines, problems):
        wrong = _misplaced(mark, begun, lines_of)
        if wrong:
            problems.append(Problem(line=mark.at.number, message=wrong))
        if mark.opens:
            begun = mark
        elif begun is not None:
            if begun.id == mark.id:
                blocks.append(_block(text, begun, mark))
                lines_of.setdefault(blocks[-1].id, blocks[-1].line)
            begun = None
    if begun is not None:
        problems.append(Problem(line=begun.at.number, message=f"block {begun.id} has no end"))
    return tuple(blocks), tuple(problems)


def _misplaced(mark: _Mark, begun: _Mark | None, lines_of: Mapping[str, int]) -> str:
    if mark.opens and begun is not None:
        return f"block {mark.id} begins inside block {begun.id} (line {begun.at.number})"
    if mark.opens:
        twin = lines_of.get(str(mark.id))
        return f"block {mark.id} was there before (line {twin})" if twin is not None else ""
    if begun is None:
        return f"block {mark.id} ends without a beginning"
    return "" if begun.id == mark.id else f"block {mark.id} ends inside block {begun.id} (line {begun.at.number})"


def _marks(text: str, lines: Sequence[Line], problems: list[Problem]) -> Iterator[_Mark]:
    for line in lines:
        raw = text[line.start : line.end]
        if (
            "modelver:" not in raw
            or line.kind is Kind.CODE
            or (line.kind is Kind.COMMENT and line.block != line.number)
        ):
            continue
        mark = _mark(raw, line)
        if mark is not None and mark.id is not None:
            yield mark
        elif mark is not None or _anywhere.search(_code_span.sub("", raw) if len(raw) < _MAX_SPANS else raw):
            problems.append(Problem(line=line.number, message=f"this marker cannot be read: {one_line(raw, 80)}"))


def _mark(raw: str, line: Line) -> _Mark | None:
    found = _open.match(raw)
    if found is None or line.kind not in (Kind.COMMENT, Kind.HTML) or line.quoted:
        return None
    prefix, comment, word = found[1], found[2], found[3]
    if word == "end":
        end = _end.fullmatch(comment)
        return _Mark(line, prefix, comment, False, end[1] if end else None)
    begin = _begin.fullmatch(comment)
    pairs = tuple((key, value) for key, _, value in (word.partition("=") for word in begin[2].split())) if begin else ()
    readable = begin is not None and len(dict(pairs)) == len(pairs) and _digest_is_one(dict(pairs).get("sha256"))
    return _Mark(line, prefix, comment, True, begin[1] if begin and readable else None, pairs)


def _digest_is_one(value: str | None) -> bool:
    return value is None or _digest.fullmatch(value) is not None


def _block(text: str, begin: _Mark, end: _Mark) -> Block:
    start = begin.at.start + len(begin.prefix)
    inside = (begin.at.stop, end.at.start)
    indent = re.sub(r"[^ \t]", " ", begin.prefix)
    return Block(
        id=str(begin.id),
        attributes=tuple(pair for pair in begin.attributes if pair[0] != "sha256"),
        digest=dict(begin.attributes).get("sha256"),
        text=normal(text[slice(*inside)], indent),
        line=begin.at.number,
        marker=(start, start + len(begin.comment)),
        inside=inside,
        indent=indent,
    )


def normal(text: str, indent: str = "") -> str:
    """A block's text as its digest sees it (see `Block.text`)."""
    lines = [line.removeprefix(indent) for line in re.split(r"\r\n|\n|\r", text)]
    lines = ["" if not line.strip(" \t") else line for line in lines]
    return "\n".join(lines).strip("\n")
