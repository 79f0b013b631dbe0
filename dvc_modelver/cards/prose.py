"""People's sentences in a card, with what is no prose of theirs blanked out.  Pure.

Left out are generated blocks, code, tables, quotes (blockquotes and quotation marks), struck-out text, comments, HTML
and the addresses of links.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from dvc_modelver.cards.document import Card
from dvc_modelver.cards.lines import Kind, Line
from dvc_modelver.cards.sections import generated_lines

_code = re.compile(r"(?<!`)(`+)(?!`)(.*?)(?<!`)\1(?!`)", re.DOTALL)
_quoted = re.compile(
    # "", the curly and German forms of it, guillemets, corner brackets, and curly single quotes (not the apostrophe)
    r'"[^"]*"|\u201c[^\u201d]*\u201d|\u201e[^\u201c\u201d]*[\u201c\u201d]|\xab[^\xbb]*\xbb|\u2039[^\u203a]*\u203a'
    r"|\u300c[^\u300d]*\u300d|\u2018[^\u2019]*\u2019(?!\w)"
)
_other = re.compile(r"<!--.*?-->|</?[A-Za-z][^<>]*>|~~.*?~~|(?<=\])\([^()\s]*(?:\s[^()]*)?\)|\bhttps?://\S+", re.DOTALL)
_delimiter_row = re.compile(r" {0,3}\|? *:?-+:? *(?:\| *:?-+:? *)*\|? *")
_stop = re.compile(r"[.!?][)\]*_\u201d\u2019\xbb]*\s+")
_abbreviation = re.compile(
    r"(?:\b(?:e\.g|i\.e|vs|approx|ca|cf|resp|no|fig|incl|avg|z\.B|bzw)|\b[A-Z])\.$", re.IGNORECASE
)
_MAX_PARAGRAPH = 20_000
"""Characters; what is longer is no prose, and patterns on it would take long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """One sentence; `text` and `bare` have the same length."""

    text: str
    """With quotes and addresses as blanks."""
    bare: str
    """With code as blanks as well."""
    starts: tuple[int, ...]
    """Offsets in `text` at which a new line of the file begins."""
    line: int
    """Of the first character."""

    def line_at(self, offset: int) -> int:
        """The line of the file that a character stands on."""
        return self.line + bisect_right(self.starts, offset)


def sentences(card: Card) -> Iterator[Sentence]:
    """The sentences of paragraphs, list items and headings, in the order of the file."""
    generated = generated_lines(card)
    prose = [line for line in card.lines if line.kind in (Kind.TEXT, Kind.HEADING) and line.number not in generated]
    for _, group in groupby(prose, key=lambda line: line.block):
        lines = list(group)
        if not lines[0].quoted:
            yield from _split(_without_table(lines))


def _without_table(lines: list[Line]) -> list[Line]:
    rows = [n for n, line in enumerate(lines) if n and "|" in lines[n - 1].content and "-" in line.content]
    row = next((n for n in rows if _delimiter_row.fullmatch(lines[n].content)), None)
    return lines if row is None else lines[: row - 1]


def _split(lines: list[Line]) -> Iterator[Sentence]:
    if not lines or sum(len(line.content) + 1 for line in lines) > _MAX_PARAGRAPH:
        return
    text = "\n".join(line.content for line in lines)
    text = _without_quotes(_other.sub(_blank, text))
    bare = _code.sub(_blank, text)
    start = 0
    for end in [*_ends(bare), len(text)]:
        if text[start:end].strip():
            line = lines[0].number + text.count("\n", 0, start)
            starts = tuple(match.end() for match in re.finditer("\n", text[start:end]))
            yield Sentence(text=text[start:end], bare=bare[start:end], starts=starts, line=line)
        start = end


def _without_quotes(text: str) -> str:
    # Quotation marks inside code are code.
    masked = _code.sub(lambda match: "`" * len(match[0]), text)
    out, start = [], 0
    for match in _quoted.finditer(masked):
        out += [text[start : match.start()], re.sub(r"[^\n]", " ", text[slice(*match.span())])]
        start = match.end()
    return "".join([*out, text[start:]])


def _ends(text: str) -> Iterator[int]:
    for match in _stop.finditer(text):
        if not _abbreviation.search(text[max(0, match.start() - 8) : match.start() + 1]):
            yield match.end()


def _blank(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", match[0])
