"""Every hostile value comes out of a CommonMark parser as literal text, with the table's shape intact."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it.token import Token

from dvc_modelver.cards.escape import cell, code, code_cell, fence, html, inline
from dvc_modelver.core.secrets import redact_text
from dvc_modelver.core.text import one_line, safe
from tests.cards.values import HOSTILE, literal, parse

ANY = st.sampled_from(HOSTILE) | st.text(max_size=40) | st.lists(st.sampled_from(HOSTILE), max_size=4).map(" ".join)


def shown(text: str) -> str:
    return one_line(redact_text(text))


def inlines(text: str, kind: str) -> list[Token]:
    tokens = parse(text)
    return [after for before, after in pairwise(tokens) if before.type == kind]


def code_in(token: Token) -> str:
    children = token.children or []
    assert [child.type for child in children] in ([], ["code_inline"])
    return children[0].content if children else ""


@given(st.lists(ANY, min_size=6, max_size=6))
def test_cells_read_literally(values: list[str]) -> None:
    """A table of any values has its rows and columns, and each cell shows its value and nothing else."""
    rows = "\n".join(f"| {cell(a)} | {cell(b)} |" for a, b in zip(values[::2], values[1::2], strict=True))
    tokens = parse(f"| x | y |\n| --- | --- |\n{rows}\n")
    assert {token.type for token in tokens if token.level == 0} == {"table_open", "table_close"}
    found = inlines(f"| x | y |\n| --- | --- |\n{rows}\n", "td_open")
    assert [literal(token) for token in found] == [shown(value) for value in values]


@given(st.lists(ANY, min_size=4, max_size=4))
def test_code_in_cells_reads_literally(values: list[str]) -> None:
    """Also as code, with backticks and bars inside, a value stays in its cell."""
    rows = "\n".join(f"| {code_cell(a)} | {code_cell(b)} |" for a, b in zip(values[::2], values[1::2], strict=True))
    found = inlines(f"| x | y |\n| --- | --- |\n{rows}\n", "td_open")
    assert [code_in(token) for token in found] == [shown(value) for value in values]


@given(ANY)
def test_code_reads_literally(value: str) -> None:
    """A code span shows its value, however many backticks that has, alone or in a sentence."""
    if shown(value):
        (token,) = inlines(f"{code(value)}\n", "paragraph_open")
        assert code_in(token) == shown(value)
    else:
        assert code(value) == ""


@pytest.mark.parametrize("before", ["", "- ", "1. ", "a\n", "> ", "Sentence: "])
@given(value=ANY)
def test_inline_text_reads_literally(before: str, value: str) -> None:
    """At the beginning of a line, an item or a quote no value makes a heading, a list, a rule or a table."""
    if not shown(value):
        return
    tokens = parse(f"{before}{inline(value)}\n")
    (token,) = [token for token in tokens if token.type == "inline"]
    kinds = {token.type for token in tokens if token.nesting == 1} - {"paragraph_open", "inline"}
    assert kinds == {"- ": {"bullet_list_open", "list_item_open"}, "1. ": {"ordered_list_open", "list_item_open"},
                     "> ": {"blockquote_open"}}.get(before, set())  # fmt: skip
    token.children = [child for child in token.children or [] if child.type != "softbreak"]
    lead = {"a\n": "a", "Sentence: ": "Sentence: "}.get(before, "")
    assert literal(token) == lead + shown(value)


@given(ANY)
def test_fences_hold_their_text(value: str) -> None:
    """Nothing inside closes the fence, and the lines stand as they are."""
    (token,) = parse(fence(value, "mermaid"))
    assert (token.type, token.info) == ("fence", "mermaid")
    assert token.content.rstrip("\n") == safe(redact_text(value).replace("\r\n", "\n")).rstrip("\n")


@given(ANY)
def test_html_holds_its_text(value: str) -> None:
    """An element's text and attributes stay what they are."""
    from html import unescape

    text = html(value)
    assert not set(text) & set("<>\"'\n")
    assert unescape(text) == shown(value)


@pytest.mark.parametrize("escape", [cell, code, code_cell, inline, html, fence])
def test_secrets_are_left_out(escape: object) -> None:
    """Whatever the place, a password in a URL and a token are not shown."""
    assert callable(escape)
    text = str(escape("https://user:hunter2@host/x hf_" + "abcdefghij" * 4))
    assert "hunter2" not in text
    assert "abcdefghij" not in text
