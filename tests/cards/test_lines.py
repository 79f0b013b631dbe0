"""What each line of a Markdown text is, by the word of a parser that nobody here wrote."""

from __future__ import annotations

import re

from hypothesis import assume, example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from dvc_modelver.cards.lines import Kind, scan

FRAGMENTS = (
    "", "text", "more text", "# Title", "## Sub ##", "#no", "---", "===", "***",
    "```", "````", "~~~", "~~~ x",
    "``` py", "``` `", "- item", "-", "- - -", "* ```", "1. one", "2) two", "> quoted", "> ```", ">",
    "<!-- c -->", "<!--",
    "-->", "<div>", "</div>", "<pre>", "</pre>", "<b>", "<?x", "?>", "\tx", "\\", "| a |", "- \tx",
    "<!-- modelver:begin a -->", "<!-- modelver:end a -->",
)  # fmt: skip
INDENTS = ("", "", "", " ", "  ", "   ", "    ", "      ", "\t", "> ", "- ", "  - ", "   > ")
LINES = st.builds(lambda indent, text: indent + text, st.sampled_from(INDENTS), st.sampled_from(FRAGMENTS))


def oracle(text: str) -> dict[int, str]:
    """Line (from 0) -> `code`, `html` or `hN`, as markdown-it sees it."""
    found: dict[int, str] = {}
    lines = text.split("\n")
    for token in MarkdownIt("commonmark").parse(text):
        kind = {"fence": "code", "code_block": "code", "html_block": "html", "heading_open": token.tag}.get(token.type)
        if kind and token.map:
            found.update({n: kind for n in range(*token.map) if lines[n].strip("> \t")})
    return found


def ours(text: str) -> dict[int, str]:
    found: dict[int, str] = {}
    lines = scan(text)
    for line in lines:
        if line.kind in (Kind.CODE, Kind.COMMENT, Kind.HTML):
            first = lines[line.block - 1]
            tag = first.content.lstrip(" ").startswith("<pre") and not first.content.startswith("    ")
            html = tag or line.kind is not Kind.CODE
            found[line.number - 1] = "html" if html else "code"
        elif line.kind is Kind.HEADING:
            found[line.number - 1] = f"h{line.level}"
        elif line.kind is Kind.UNDERLINE:
            found.update({at.number - 1: f"h{line.level}" for at in lines if at.block == line.block})
    return {n: kind for n, kind in found.items() if text.split("\n")[n].strip("> \t")}


@given(st.lists(LINES, max_size=12).map("\n".join))
@example("- a\n\n  ```\n  x\n  ```\n\n```\ny\n```")
@example("> ```\nout")
@example("1. a\n\n    - b\n\n      ```\n      x\n      ```\n    c")
@example("1. a\n   ````\n   ```\n   ````\n   after")
def test_lines_are_what_a_parser_says(text: str) -> None:
    """Fences, indented code, HTML and headings are found where CommonMark has them, inside and between lists."""
    # Where a paragraph goes on in a deeply indented line, the parser differs from the specification (4.4, 5.1).
    assume(not re.search(r"\S[^\n]*\n[> ]*(?: {4}|\t)", text))
    assert ours(text) == oracle(text)


@given(st.text(alphabet="ab \t\r\n#-`>", max_size=60))
def test_offsets_cover_the_text(text: str) -> None:
    """The lines, put together, are the text; numbers go up by one."""
    lines = scan(text)
    assert "".join(text[line.start : line.stop] for line in lines) == text
    assert [line.number for line in lines] == list(range(1, len(lines) + 1))


def test_deep_nesting_takes_linear_time() -> None:
    """A line of a hundred thousand quote marks, or of list marks, is read at once."""
    for mark in (">", "- ", "1) "):
        assert len(scan(mark * 100_000 + "\n" + mark * 100_000)) == 2
