"""A Markdown text's lines, and what each is to a CommonMark parser, as far as cards need it.  Pure.

Follows the block structure of https://spec.commonmark.org/0.31.2/ (containers, then leaves); link reference
definitions are read as paragraphs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

_newline = re.compile(r"\r\n|\n|\r")
_quote = re.compile(r" {0,3}> ?")
_item = re.compile(r" {0,3}(?:[-*+]|(\d{1,9})[.)])(?=( +)|$)")
_fence = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})")
_atx = re.compile(r" {0,3}(#{1,6})(?: +(.*))?$")
_underline = re.compile(r" {0,3}(=+|-+) *$")
_attribute = r"""(?: +[a-zA-Z_:][\w.:-]*(?: *= *(?:[^ "'=<>`]+|'[^']*'|"[^"]*"))?)"""
_lone_tag = re.compile(rf" {{0,3}}<(?:[a-zA-Z][a-zA-Z0-9-]*{_attribute}* */?|/[a-zA-Z][a-zA-Z0-9-]* *)> *$")
_QUOTE = 0
_MAX_DEPTH = 100
"""Quotes and list items in each other; deeper marks are text, so that time stays linear in the input."""


class Kind(Enum):
    """What a line belongs to."""

    BLANK = "blank"
    TEXT = "text"
    HEADING = "heading"
    UNDERLINE = "underline"
    """Below the text of a heading."""
    RULE = "rule"
    CODE = "code"
    """Fenced or indented code with its fences, `<pre>`, scripts."""
    COMMENT = "comment"
    HTML = "html"


_html: tuple[tuple[Kind, re.Pattern[str], re.Pattern[str] | None], ...] = (
    # What opens an HTML block, and what ends it; None: a blank line.
    (Kind.COMMENT, re.compile(r" {0,3}<!--"), re.compile("-->")),
    (
        Kind.CODE,
        re.compile(r" {0,3}<(?:pre|script|style|textarea)(?:[ >]|$)", re.IGNORECASE),
        re.compile("</(?:pre|script|style|textarea)>", re.IGNORECASE),
    ),
    (Kind.COMMENT, re.compile(r" {0,3}<\?"), re.compile(r"\?>")),
    (Kind.COMMENT, re.compile(r" {0,3}<!\[CDATA\["), re.compile("]]>")),
    (Kind.COMMENT, re.compile(r" {0,3}<![A-Za-z]"), re.compile(">")),
    (
        Kind.HTML,
        re.compile(
            r" {0,3}</?(?:address|article|aside|base|basefont|blockquote|body|caption|center|col|colgroup|dd|details"
            r"|dialog|dir|div|dl|dt|fieldset|figcaption|figure|footer|form|frame|frameset|h[1-6]|head|header|hr|html|iframe"
            r"|legend|li|link|main|menu|menuitem|nav|noframes|ol|optgroup|option|p|param|search|section|summary|table|tbody"
            r"|td|tfoot|th|thead|title|tr|track|ul)(?: |/?>|$)",
            re.IGNORECASE,
        ),
        None,
    ),
)


class Line(NamedTuple):
    """One line of the text; `start` and `end` are offsets without its line ending, `stop` is where the next begins."""

    # A tuple: a frozen dataclass takes four times as long to make, and a card has hundreds of lines.

    number: int
    start: int
    end: int
    stop: int
    kind: Kind
    block: int
    """Number of the first line of the paragraph, code or comment that it belongs to."""
    depth: int
    """How many quotes and list items it stands in."""
    quoted: bool
    level: int = 0
    """Of a heading, also on the line below a heading's text."""
    content: str = ""
    """The line without the marks of its containers, tabs as spaces; of a heading its text."""


def scan(text: str, start: int = 0, number: int = 1) -> tuple[Line, ...]:
    """The lines of `text` from offset `start`, which is line `number`."""
    scanner = _Scanner()
    return tuple(scanner.line(text, *span, n) for n, span in enumerate(_spans(text, start), number))


def count_line_ends(text: str) -> int:
    """How many line endings `text` has: LF, CR LF or CR."""
    return sum(1 for _ in _newline.finditer(text))


def _spans(text: str, start: int) -> Iterator[tuple[int, int, int]]:
    for match in _newline.finditer(text, start):
        yield start, match.start(), match.end()
        start = match.end()
    if start < len(text):
        yield start, len(text), len(text)


class _Scanner:
    """The open containers and the open leaf between two lines."""

    def __init__(self) -> None:
        self.stack: list[int] = []  # 0: a quote; else the width of a list item's indentation
        self.item_is_empty = False
        self.paragraph = False
        self.inside: Kind | None = None  # a fence or HTML, open until a line that `until` finds (None: a blank line)
        self.until: re.Pattern[str] | None = None
        self.block = 0

    def line(self, text: str, start: int, end: int, stop: int, number: int) -> Line:
        kind, level, content = self._classify(text[start:end].expandtabs(4), number)
        quoted = _QUOTE in self.stack
        return Line(number, start, end, stop, kind, self.block, len(self.stack), quoted, level, content)

    def _classify(self, text: str, number: int) -> tuple[Kind, int, str]:
        rest, matched = self._continue(text)
        whole = matched == len(self.stack)
        if self.inside is not None and whole and (self.until is not None or _filled(rest)):
            kind = self.inside
            if self.until is not None and self.until.search(rest):
                self.inside = None
            return kind, 0, rest
        self.inside = None
        rest, opened = self._open(rest, matched, self.paragraph and whole)
        if not opened and not whole:
            if self.paragraph and _filled(rest) and _is_text(rest, True):
                return Kind.TEXT, 0, rest  # the paragraph goes on without its containers' marks
            del self.stack[matched:]
        self.item_is_empty = opened and not _filled(rest)
        paragraph, self.paragraph = self.paragraph and whole and not opened, False
        return self._leaf(rest, paragraph, number)

    def _continue(self, text: str) -> tuple[str, int]:
        """What is left of the line behind the marks of the open containers, and how many of them go on."""
        if self.item_is_empty and not _filled(text):
            self.stack.pop()
        self.item_is_empty = False
        for n, width in enumerate(self.stack):
            if width == _QUOTE:
                mark = _quote.match(text)
                if mark is None:
                    return text, n
                text = text[mark.end() :]
            elif text.startswith(" " * width):
                text = text[width:]
            elif _filled(text):
                return text, n
            else:
                text = ""
        return text, len(self.stack)

    def _open(self, rest: str, matched: int, paragraph: bool) -> tuple[str, bool]:
        """Open the containers that begin on this line; the rest behind their marks, and whether there were any."""
        opened = False
        while _filled(rest) and not rest.startswith("    ") and len(self.stack) < _MAX_DEPTH:
            found = _container(rest, paragraph)
            if found is None:
                break
            width, end = found
            if not opened:
                del self.stack[matched:]
            self.stack.append(width)
            opened, paragraph, rest = True, False, rest[end:]
        return rest, opened

    def _leaf(self, rest: str, paragraph: bool, number: int) -> tuple[Kind, int, str]:
        if not _filled(rest):
            self.block = number
            return Kind.BLANK, 0, ""
        underline = _underline.match(rest) if paragraph else None
        if underline:
            return Kind.UNDERLINE, 1 if underline[1][0] == "=" else 2, rest
        if not paragraph:
            self.block = number
        if _is_text(rest, paragraph):
            self.paragraph = True
            return Kind.TEXT, 0, rest
        self.block = number  # such a line ends the paragraph above it
        return self._heading_or_code(rest)

    def _heading_or_code(self, rest: str) -> tuple[Kind, int, str]:
        if rest.startswith("    "):
            return Kind.CODE, 0, rest
        if _is_rule(rest):
            return Kind.RULE, 0, rest
        heading = _atx.match(rest)
        if heading:
            return Kind.HEADING, len(heading[1]), _without_closing_marks(heading[2] or "")
        fence = _fence.match(rest)
        if fence:
            self.inside, self.until = Kind.CODE, re.compile(rf"^ {{0,3}}{fence[1][0]}{{{len(fence[1])},}} *$")
            return Kind.CODE, 0, rest
        kind, self.until = next(((kind, until) for kind, begin, until in _html if begin.match(rest)), (Kind.HTML, None))
        self.inside = None if self.until is not None and self.until.search(rest) else kind
        return kind, 0, rest


def _filled(text: str) -> bool:
    return bool(text.strip(" "))


def _is_rule(rest: str) -> bool:
    # No pattern: they are slow on a long line of marks, and this is asked for each list item that opens.
    marks = rest.replace(" ", "")
    return len(marks) >= 3 and marks[0] in "*-_" and marks.count(marks[0]) == len(marks)


def _without_closing_marks(heading: str) -> str:
    text = heading.strip(" ")
    bare = text.rstrip("#")
    return bare.rstrip(" ") if not bare or bare.endswith(" ") else text


def _container(rest: str, paragraph: bool) -> tuple[int, int] | None:
    """The quote or list item that begins here: its width, and where its mark ends."""
    quote = _quote.match(rest)
    if quote:
        return _QUOTE, quote.end()
    mark = None if _is_rule(rest) else _item.match(rest)
    if mark is None:
        return None
    filled = _filled(rest[mark.end() :])
    if paragraph and not (filled and mark[1] in (None, "1")):
        return None  # no such item may end a paragraph
    spaces = len(mark[2] or "")
    width = mark.end() + (spaces if filled and spaces <= 4 else 1)
    return width, width


def _is_text(rest: str, paragraph: bool) -> bool:
    if rest.startswith("    "):
        return paragraph
    if _fence.match(rest) or _atx.match(rest) or _is_rule(rest):
        return False
    return not any(begin.match(rest) for _, begin, _ in _html) and (paragraph or not _lone_tag.match(rest))
