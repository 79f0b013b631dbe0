"""Cards: what people wrote comes back byte for byte, what we wrote is replaced, and nothing else happens."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvc_modelver.cards.document import (
    MAX_BYTES,
    Card,
    State,
    parse_card,
    render,
    replace_blocks,
    replace_front_matter,
    state_of,
)
from dvc_modelver.errors import BadInput, ModelverError, Refused

TABLE = "| metric | value |\n| --- | ---: |\n| auc | 0.9 |"
CARD = """\
# churn

- before
  <!-- modelver:begin metrics version=v1.0.0 base=v0.9.0 -->
  <!-- modelver:end metrics -->
- after

<!-- modelver:begin data -->
<!-- modelver:end data -->

The end"""


def blocks(text: str) -> dict[str, str]:
    return {block.id: block.text for block in parse_card(text).blocks}


def problems(text: str) -> list[tuple[int, str]]:
    return [(problem.line, problem.message) for problem in parse_card(text).problems]


def replaced(text: str, **texts: str) -> str:
    return render(replace_blocks(parse_card(text), texts).card)


PEOPLE = st.text(
    st.one_of(st.sampled_from(" \t\r\n-*#>`~|:.!\ufeff\u2028\x0b\x0c\x1f"), st.characters(exclude_categories=["Cs"])),
    max_size=120,
)


@given(PEOPLE)
def test_any_text_comes_back(text: str) -> None:
    """Parsed and rendered, a card is the same, whatever its line endings and blanks are, as text and as bytes."""
    assert render(parse_card(text)) == text
    assert render(parse_card(text.encode())).encode() == text.encode()


@pytest.mark.parametrize(
    "text",
    [
        "a\r\nb\r\n",
        "no newline",
        "\ufeffwith BOM\n",
        "tab\there \t \n",
        "\r\r\n\n",
        "---\nlicense: mit\n---\n",
        "---\n",
        "",
    ],
)
def test_bytes_come_back(text: str) -> None:
    """CRLF, a missing final newline, a BOM, tabs and trailing blanks are people's."""
    assert render(parse_card(text.encode())).encode() == text.encode()


# Pieces that end where a new line begins and leave no fence, quote or comment open.
PIECES = (
    "Some *prose* with trailing blanks  \n\n",
    "- a list\n\n  with a paragraph\n\n",
    "1. one\n2. two\n   - nested\n\n",
    "```text\n<!-- modelver:begin metrics -->\n```\n\n",
    "- item\n  ~~~~\n  <!-- modelver:end data -->\n  ~~~\n  ~~~~\n\n",
    "Code:\n\n    indented <!-- modelver:begin x -->\n\n",
    "| a | b |\n|---|---|\n| 1 | 2 |\n\n",
    "<details>\n<summary>More</summary>\n\n</details>\n\n",
    "<!-- a comment\n<!-- modelver:begin metrics -->\n\n",
    "Title\n=====\n\n## `<!-- modelver:begin y -->` in code\n\n",
    "> quoted\nlazy\n\n",
    "\tcode by tab \t\n\n",
    "\u00fc\u4e2d\U0001f600 \u2028 \x0b\n\n",
    "\n\n\n",
)
INSIDE_LIST = ("", "- item\n", "- item\n\n  more\n", "1.  wide\n", "- - deep\n", "* a\n  * b\n")
GENERATED = (
    "",
    "text",
    TABLE,
    "- a\n- b\n\n  c",
    "```mermaid\ngraph LR\n\n  a --> b\n```",
    "<b>x</b>\n\n\ny",
    "# no",
    "---",
)
INDENT = {
    "": "",
    "- item\n": "  ",
    "- item\n\n  more\n": "  ",
    "1.  wide\n": "    ",
    "- - deep\n": "    ",
    "* a\n  * b\n": "    ",
}


def _block(name: str, where: str) -> str:
    indent = INDENT[where]
    return f"{indent}<!-- modelver:begin {name} -->\n{indent}<!-- modelver:end {name} -->\n"


@st.composite
def people_and_blocks(draw: st.DrawFn) -> list[str]:
    """People's pieces, with a block's empty markers between any two of them."""
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    parts = []
    for name in ("metrics", "data", "usage"):
        where = draw(st.sampled_from(INSIDE_LIST))
        people = "".join(draw(st.lists(st.sampled_from(PIECES), max_size=3))) + where
        parts += [people.replace("\n", newline), _block(name, where).replace("\n", newline)]
    last = "".join(draw(st.lists(st.sampled_from(PIECES), max_size=3)))
    return [*parts, (last + draw(st.sampled_from(["", "end", "end \t"]))).replace("\n", newline)]


def _people(card: Card) -> list[str]:
    """What stands around the blocks."""
    out, start = [], 0
    for block in card.blocks:
        out += [card.text[start : block.marker[0]], card.text[block.marker[1] : block.inside[0]]]
        start = block.inside[1]
    return [*out, card.text[start:]]


@given(people_and_blocks(), st.lists(st.tuples(*[st.sampled_from(GENERATED)] * 3), min_size=1, max_size=12))
def test_people_survive_updates(parts: list[str], updates: list[tuple[str, str, str]]) -> None:
    """Around, between and inside lists every byte that is not ours is there after each update."""
    card = parse_card("".join(parts))
    assert not card.problems
    assert [block.id for block in card.blocks] == ["metrics", "data", "usage"]
    before = _people(card)
    for texts in updates:
        wanted = dict(zip(("metrics", "data", "usage"), texts, strict=True))
        card = parse_card(render(replace_blocks(card, wanted).card).encode())
        assert _people(card) == before
        assert {block.id: block.text for block in card.blocks} == wanted
        assert all(state_of(block, wanted[block.id]) is State.FRESH for block in card.blocks)


def test_people_survive_a_thousand_updates() -> None:
    """One card with everything in it, updated a thousand times at random, keeps people's bytes."""
    draw = random.Random(7)
    pieces = "".join(PIECES)
    inside, between = _block("metrics", "- item\n"), _block("data", "")
    text = f"{pieces}- item\n{inside}{pieces}{between}{pieces}end  "
    card = parse_card(text)
    before = _people(card)
    for _ in range(1000):
        texts = {name: draw.choice(GENERATED) for name in draw.sample(["metrics", "data"], draw.randint(1, 2))}
        marks = {"metrics": {"version": f"v{draw.randint(0, 9)}.0.0"}}
        card = replace_blocks(card, texts, attributes=marks).card
        assert _people(card) == before
    assert {len(block.attributes) for block in card.blocks} == {0, 1}


def test_the_same_update_twice_changes_nothing() -> None:
    """The second time every block is fresh, and the card is the very same object."""
    once = replace_blocks(parse_card(CARD), {"metrics": TABLE, "data": ""}).card
    again = replace_blocks(once, {"metrics": TABLE, "data": ""})
    assert again.card is once
    assert again.edits == ()


def test_a_block_in_a_list_stays_in_it() -> None:
    """The text is indented as its marker is, and read back without."""
    text = replaced(CARD, metrics=TABLE)
    assert "\n  | metric | value |\n  | --- | ---: |\n" in text
    assert blocks(text)["metrics"] == TABLE


def test_a_marker_may_open_a_list_item() -> None:
    """`- <!-- modelver:begin x -->` is a marker, and its text belongs to the item."""
    text = replaced("- <!-- modelver:begin x -->\n  <!-- modelver:end x -->\n- b\n", x="a\n\nb")
    assert "\n\n  a\n\n  b\n\n  <!-- modelver:end x -->\n- b\n" in text


def test_line_endings_are_the_cards() -> None:
    """In a card with CRLF our lines end so too; converted by Git, a block is still as it was generated."""
    text = replaced(CARD.replace("\n", "\r\n"), metrics=TABLE)
    assert text.count("\n") == text.count("\r\n")
    assert text.replace("\r\n", "\n") == replaced(CARD, metrics=TABLE)
    (block, _) = parse_card(text.replace("\r\n", "\n")).blocks
    assert state_of(block, TABLE) is State.FRESH


def test_attributes_are_kept_and_set() -> None:
    """What a marker says stays, unless the caller says otherwise."""
    text = render(
        replace_blocks(parse_card(CARD), {"metrics": "x"}, attributes={"metrics": {"version": "v2.0.0"}}).card
    )
    (block, _) = parse_card(text).blocks
    assert block.attributes == (("version", "v2.0.0"), ("base", "v0.9.0"))


@pytest.mark.parametrize("value", ["", "a b", "x-->", '"', "a\nb"])
def test_attributes_that_would_break_the_comment_are_refused(value: str) -> None:
    """A value that could not be read back is an error before anything changes."""
    with pytest.raises(BadInput):
        replace_blocks(parse_card(CARD), {"metrics": "x"}, attributes={"metrics": {"version": value}})


def test_states() -> None:
    """Empty in a template, fresh when it is what would be generated, stale when not any more, edited by hand."""
    (empty, _) = parse_card(CARD).blocks
    text = replaced(CARD, metrics="one")
    (made, _) = parse_card(text).blocks
    (edited, _) = parse_card(text.replace("  one", "  won")).blocks
    (unmarked, _) = parse_card(CARD.replace("base=v0.9.0 -->", "-->\n  by hand")).blocks
    assert [state_of(empty, "one"), state_of(empty, "")] == [State.EMPTY, State.FRESH]
    assert [state_of(made, "one"), state_of(made, "two")] == [State.FRESH, State.STALE]
    assert state_of(made, "one", {"version": "v1.0.0"}) is State.FRESH
    assert state_of(made, "one", {"version": "v1.1.0"}) is State.STALE
    assert [state_of(edited, "one"), state_of(edited, "won"), state_of(unmarked, "x")] == [
        State.EDITED,
        State.STALE,
        State.EDITED,
    ]


def test_edits_are_refused_or_handed_back() -> None:
    """An edited block is not replaced; told to discard, what was there comes back to be kept aside."""
    edited = parse_card(replaced(CARD, metrics="one", data="d").replace("  one", "  my words"))
    with pytest.raises(Refused, match=r"metrics \(line 4\)"):
        replace_blocks(edited, {"metrics": "two"})
    assert replace_blocks(edited, {"data": "e"}).edits == ()
    done = replace_blocks(edited, {"metrics": "two", "data": "e"}, discard_edits=True)
    assert [(edit.id, edit.line, edit.text) for edit in done.edits] == [("metrics", 4, "my words")]
    assert blocks(render(done.card)) == {"metrics": "two", "data": "e"}


def test_blocks_can_be_moved_left_out_and_unknown() -> None:
    """A block without a text, and a text without a block, change nothing."""
    assert replaced(CARD, plots="x") == CARD


BEGIN, END = "<!-- modelver:begin a -->\n", "<!-- modelver:end a -->\n"


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        (BEGIN, 1, "has no end"),
        (f"x\n\n{END}", 3, "without a beginning"),
        (f"{BEGIN}{BEGIN}{END}", 2, "begins inside"),
        (f"{BEGIN}<!-- modelver:end b -->\n", 2, "ends inside"),
        (f"{BEGIN}{END}\n{BEGIN}{END}", 4, "was there before"),
        (f"<!-- modelver:begin -->\n{END}", 1, "cannot be read"),
        (f"<!-- modelver:begin a sha256=zz -->\n{END}", 1, "cannot be read"),
        (f"<!-- modelver:begin a b=1 b=2 -->\n{END}", 1, "cannot be read"),
        (f"<!-- modelver:begin a b -->\n{END}", 1, "cannot be read"),
        ("<!-- modelver:begin a\n-->\n", 1, "cannot be read"),
        (f"text {BEGIN}", 1, "cannot be read"),
        (f"> {BEGIN}> {END}", 1, "cannot be read"),
        (f"{BEGIN[:-1]} text\n{END}", 1, "cannot be read"),
        (f"{BEGIN}```\n{END}", 1, "has no end"),
    ],
)
def test_unsound_markers_are_reported(text: str, line: int, says: str) -> None:
    """Unpaired, nested, duplicate and malformed markers have their line, and such a card is never rewritten."""
    found = problems(text)
    assert found[0][0] == line
    assert says in found[0][1]
    with pytest.raises(BadInput, match=rf"line {line}: "):
        replace_blocks(parse_card(text), {"a": "x"})
    with pytest.raises(BadInput):
        replace_front_matter(parse_card(text), {"license": "mit"})
    assert render(parse_card(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        f"```\n{BEGIN}```\n",
        f"~~~~\n{BEGIN}~~~\n{END}\n~~~~\n",
        f"   ```\n{BEGIN}  ```\n",
        f"- a\n\n  ```\n  {BEGIN}  ```\n",
        f"    {BEGIN}",
        f"`{BEGIN[:-1]}`\n",
        f"``{BEGIN[:-1]} ` x``\n",
        f"<pre>\n{BEGIN}</pre>\n",
        f"<!--\n{BEGIN}",
        "---\na: '<!-- modelver:begin a -->'\n---\n",
        "<!-- modelver:beginning -->\n<!-- modelver:required A -->\n",
    ],
)
def test_markers_in_code_are_text(text: str) -> None:
    """In fences of any kind, indented code, code spans and comments a marker is an example."""
    assert (blocks(text), problems(text)) == ({}, [])


def test_a_text_that_would_break_the_card_is_our_bug() -> None:
    """A generated text that holds a marker or leaves a fence open is noticed, and nothing is returned."""
    for bad in (END, BEGIN, "```\nopen", "<!-- open"):
        with pytest.raises(ModelverError, match="would have broken"):
            replace_blocks(parse_card(CARD), {"metrics": bad})


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"ok\n\xff\xfe", "line 2"),
        (b"x" * (MAX_BYTES + 1), "limit"),
        ("\ud800".encode("utf-16-le", "surrogatepass"), "UTF-8"),
    ],
)
def test_what_is_no_card_is_refused(data: bytes, says: str) -> None:
    """Bytes that are not UTF-8, and a file of megabytes, are bad input."""
    with pytest.raises(BadInput, match=says):
        parse_card(data)


def test_a_large_card_is_read_in_linear_time() -> None:
    """A long text of marks, backticks or blanks do not hold a command up."""
    for line in ("> - ", "`` ` ", " ", "<!-- modelver:begin ", "\n", "# ", "| - ", "- [ ]\n"):
        started = time.process_time()
        parse_card(line * (300_000 // len(line)))
        assert time.process_time() - started < 10
