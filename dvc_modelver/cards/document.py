"""A card: people's Markdown with blocks that we generate.  Pure: text in, text out.

Law: `render(parse_card(text)) == text`, and `replace_blocks` changes nothing but the inside and the opening marker of
the blocks it is given; `replace_front_matter` nothing but what stands between our two comment lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from dvc_modelver.cards.frontmatter import FrontMatter, parse_front_matter, with_values
from dvc_modelver.cards.lines import Line, count_line_ends, scan
from dvc_modelver.cards.markers import Block, Problem, normal, opening_marker, parse_blocks
from dvc_modelver.cards.yamltext import Value
from dvc_modelver.errors import BadInput, ModelverError, Refused

__all__ = [
    "MAX_BYTES",
    "Block",
    "Card",
    "Edit",
    "Problem",
    "Replaced",
    "State",
    "parse_card",
    "render",
    "replace_blocks",
    "replace_front_matter",
    "state_of",
]

MAX_BYTES = 4 * 1024 * 1024
"""Of a card; a page that people read is a hundred times smaller."""


class State(Enum):
    """What a block is, compared with what would be generated now."""

    FRESH = "fresh"
    STALE = "stale"
    """As it was generated, but not as it would be now."""
    EDITED = "edited"
    """Changed by hand."""
    EMPTY = "empty"


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One Markdown file, and where in it everything stands."""

    text: str = field(repr=False)
    blocks: tuple[Block, ...]
    """In the order of the file."""
    problems: tuple[Problem, ...]
    """A card that has any is never rewritten."""
    front: FrontMatter
    lines: tuple[Line, ...] = field(repr=False, compare=False)
    """Of the Markdown behind the front matter."""

    def block(self, id: str) -> Block | None:
        """The block of that name."""
        return next((block for block in self.blocks if block.id == id), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What somebody had written into a generated block."""

    id: str
    line: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaced:
    """A card with new blocks, and what was lost of the old ones: for the caller to keep aside."""

    card: Card
    edits: tuple[Edit, ...] = ()


def parse_card(text: bytes | str) -> Card:
    """A card from its file.  Faults of its markers and front matter are in `problems`.

    Raises:
        BadInput: not UTF-8, or above `MAX_BYTES`.
    """
    if isinstance(text, str):
        text = _encoded(text)
    if len(text) > MAX_BYTES:
        raise BadInput(f"the card has {len(text)} bytes, the limit is {MAX_BYTES}")
    try:
        decoded = text.decode("utf-8")
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise BadInput(f"the card is not UTF-8: line {line}, byte {error.start}") from error
    front = parse_front_matter(decoded)
    lines = scan(decoded, front.body, 1 + count_line_ends(decoded[: front.body]))
    blocks, problems = parse_blocks(decoded, lines)
    return Card(text=decoded, blocks=blocks, problems=front.problems + problems, front=front, lines=lines)


def _encoded(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise BadInput(f"the card is not Unicode text: line {text.count(chr(10), 0, error.start) + 1}") from error


def render(card: Card) -> str:
    """The card's text; its file is this in UTF-8, line endings as they are."""
    return card.text


def state_of(block: Block, generated: str, attributes: Mapping[str, str | None] | None = None) -> State:
    """What `block` is when `generated` is what belongs into it, with `attributes` in its marker.

    Fresh means that `replace_blocks` leaves every byte as it is.
    """
    text = normal(generated)
    if block.text == text:
        marked = dict(block.attributes)
        changed = any(marked.get(key) != value for key, value in (attributes or {}).items())
        return State.FRESH if block.is_ours and not changed else State.STALE
    if not block.text:
        return State.EMPTY
    return State.STALE if block.is_ours else State.EDITED


def replace_blocks(
    card: Card,
    texts: Mapping[str, str],
    *,
    attributes: Mapping[str, Mapping[str, str | None]] | None = None,
    discard_edits: bool = False,
) -> Replaced:
    """`card` with `texts` in its blocks; a text without a block, and a block without a text, change nothing.

    Args:
        attributes: block -> what its marker shall say (`version`, `base`), None for what it shall not; else it is kept.
        discard_edits: replace blocks that were edited by hand as well; `Replaced.edits` has what was there.

    Raises:
        BadInput: the card has problems, or an attribute cannot stand in a marker.
        Refused: a block was edited by hand.
    """
    _check_sound(card)
    given = attributes or {}
    states = {
        block.id: state_of(block, texts[block.id], given.get(block.id)) for block in card.blocks if block.id in texts
    }
    edited = [block for block in card.blocks if states.get(block.id) is State.EDITED]
    if edited and not discard_edits:
        raise _edited(edited)
    changed = [block for block in card.blocks if states.get(block.id, State.FRESH) is not State.FRESH]
    text = card.text
    for block in reversed(changed):
        text = _with_block(text, block, normal(texts[block.id]), given.get(block.id, {}))
    new = parse_card(text) if changed else card
    _check_same(card, new, {block.id: normal(texts[block.id]) for block in changed})
    return Replaced(card=new, edits=tuple(Edit(id=block.id, line=block.line, text=block.text) for block in edited))


def replace_front_matter(card: Card, values: Mapping[str, Value]) -> Card:
    """`card` with `values` as our keys of the front matter; a key that people wrote themselves stays theirs.

    Raises:
        BadInput: the card has problems.
    """
    _check_sound(card)
    text = with_values(card.text, card.front, values, _newline(card.text))
    new = card if text == card.text else parse_card(text)
    _check_same(card, new, {})
    return new


def _check_sound(card: Card) -> None:
    if card.problems:
        first = card.problems[0]
        more = f" (and {len(card.problems) - 1} more)" if len(card.problems) > 1 else ""
        raise BadInput(
            f"the card cannot be rewritten: line {first.line}: {first.message}{more}", hint="mend it by hand"
        )


def _edited(blocks: Iterable[Block]) -> Refused:
    names = ", ".join(f"{block.id} (line {block.line})" for block in blocks)
    return Refused(
        f"edited by hand: {names}",
        hint="move your text out of the block; or --discard-edits, which keeps a copy of it aside",
    )


def _with_block(text: str, block: Block, inside: str, attributes: Mapping[str, str | None]) -> str:
    newline = _newline(text, block.marker[1])
    lines = [f"{block.indent}{line}" if line else "" for line in inside.split("\n")]
    # Blank lines inside keep tables and lists working in renderers that want one behind a comment.
    body = "".join(f"{line}{newline}" for line in ["", *lines, ""]) if inside else ""
    begin, end = block.marker
    marker = opening_marker(block, inside, attributes)
    return text[:begin] + marker + text[end : block.inside[0]] + body + text[block.inside[1] :]


def _newline(text: str, start: int = 0) -> str:
    """The line ending that comes first from `start` on."""
    ends = [at for at in (text.find("\n", start), text.find("\r", start)) if at >= 0]
    if not ends or text[min(ends)] == "\n":
        return "\n"
    return "\r\n" if text.startswith("\r\n", min(ends)) else "\r"


def _check_same(old: Card, new: Card, texts: Mapping[str, str]) -> None:
    """A text that would swallow a marker or open a fence is a bug of ours, found before it is written."""
    expected = [(block.id, texts.get(block.id, block.text)) for block in old.blocks]
    if new.problems or [(block.id, block.text) for block in new.blocks] != expected:
        raise ModelverError("a generated text would have broken the card; nothing was changed")
