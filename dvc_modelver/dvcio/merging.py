"""Merge two `dvc.lock` or `.dvc` files that grew from one, pipeline stage by pipeline stage.  Pure: bytes to bytes.

DVC writes a stage's entry as a whole when the stage has run, so an entry is never mixed from two sides: it would
name a run that nobody made.  The result is read again, and stands only if it says what was decided entry by entry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from dvc_modelver.dvcio.blocktext import STAGES, TAIL, Block, Blocks, CannotCut, Key, cut, ending, with_header
from dvc_modelver.dvcio.lock import digest_of
from dvc_modelver.dvcio.stale import Stale, new_mismatches
from dvc_modelver.dvcio.yaml12 import conflict, load_yaml
from dvc_modelver.errors import BadInput

MAX_BYTES = 4 * 1024 * 1024
"""Of each side: six thousand pipeline stages, and some seconds."""
BASE, OURS, THEIRS, BOTH, CONFLICT = "base", "ours", "theirs", "both", "conflict"


@dataclass(frozen=True, slots=True, kw_only=True)
class Markers:
    """How a conflict is written."""

    length: int = 7
    with_base: bool = False
    """Whether what both started from is shown as well, as `merge.conflictStyle=diff3` asks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """The merged file, and what was decided; names are pipeline stages or keys of the file, in its order."""

    data: bytes
    ours: tuple[str, ...] = ()
    """Changed by our side alone."""
    theirs: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    """Changed by both in different ways; marked in `data`."""
    stale: tuple[Stale, ...] = ()
    """Pipeline stages that ran on other bytes than those which the merged file says were made for them."""


@dataclass(frozen=True, slots=True)
class _Choice:
    """What one entry becomes: the same for both sides unless in conflict; None where it goes."""

    key: Key
    ours: Block | None
    theirs: Block | None
    base: Block | None
    source: str


def merge(base: bytes, ours: bytes, theirs: bytes, *, name: str, markers: Markers | None = None) -> Merged | None:
    """The merge of a file called `name`; None when it has to be merged as plain lines.

    A side that changed nothing gives way as a whole.  Of a `.dvc` file no part is ever mixed; of a `dvc.lock` no
    part of a pipeline stage.
    """
    if ours == theirs or base in (ours, theirs):
        return _one_sided(base, ours, theirs, name)
    if max(map(len, (base, ours, theirs))) > MAX_BYTES or any(conflict(side, name) for side in (base, ours, theirs)):
        return None
    before, other = (_with_endings(side, like=ours) for side in (base, theirs))
    merge_one = _merge_whole if name.endswith(".dvc") else _merge_lock
    try:
        return merge_one(before, ours, other, name, markers or Markers())
    except (BadInput, CannotCut, RecursionError):
        return None


def _one_sided(base: bytes, ours: bytes, theirs: bytes, name: str) -> Merged:
    if ours == theirs:
        return Merged(data=ours)
    return Merged(data=theirs, theirs=(name,)) if ours == base else Merged(data=ours, ours=(name,))


def _with_endings(data: bytes, *, like: bytes) -> bytes:
    return data.replace(b"\r\n", b"\n").replace(b"\n", ending(like))


# A .dvc file ------------------------------------------------------------------------------------------------------


def _merge_whole(base: bytes, ours: bytes, theirs: bytes, name: str, markers: Markers) -> Merged:
    values = [load_yaml(side, name=name) for side in (ours, theirs, base)]
    if theirs == base or _equal(values[0], values[1]):
        return Merged(data=ours, ours=(name,))
    if ours == base:
        return Merged(data=theirs, theirs=(name,))
    mine, other, old = (Block(_ended(side, ours), None) for side in (ours, theirs, base))
    choice = _Choice((name,), mine, other, old, CONFLICT)
    return Merged(data=_marked(choice, markers, ending(ours)), conflicts=(name,))


def _ended(text: bytes, like: bytes) -> bytes:
    return text if not text or text.endswith(b"\n") else text + ending(like)


# A dvc.lock -------------------------------------------------------------------------------------------------------


def _merge_lock(base: bytes, ours: bytes, theirs: bytes, name: str, markers: Markers) -> Merged | None:
    sides = [cut(side, name) for side in (base, ours, theirs)]
    if len({_is_first_schema(blocks) for blocks in sides if blocks}) > 1:
        return None
    choices = [_choose(key, *(blocks.get(key) for blocks in sides)) for key in _keys(*sides)]
    if any(choice.key in (STAGES, TAIL) and choice.source == CONFLICT for choice in choices):
        return None
    conflicts = _names(choices, CONFLICT)
    if not _says(choices, lambda choice: choice.ours, name):
        return None
    if conflicts and not _says(choices, lambda choice: choice.theirs, name):
        return None
    end = ending(ours)
    settled = _join([choice for choice in choices if choice.source != CONFLICT], _own_text)
    return Merged(
        data=_join(choices, lambda choice: _text(choice, markers, end)),
        ours=_names(choices, OURS),
        theirs=_names(choices, THEIRS),
        conflicts=conflicts,
        stale=new_mismatches(settled, ours, theirs, name),
    )


def _is_first_schema(blocks: Blocks) -> bool:
    """DVC 1 wrote the stages at the top of the file."""
    return STAGES not in blocks and ("schema",) not in blocks


def _keys(base: Blocks, ours: Blocks, theirs: Blocks) -> list[Key]:
    """Every entry that any side has, where it stands: in our order, theirs behind what they stand behind there."""
    after: dict[Key | None, Key | None] = dict(pairwise([None, *ours, None]))
    known = {*base, *theirs}
    for blocks in (theirs, base):
        before: Key | None = None
        for key in blocks:
            if key not in after:
                _insert(after, before, key, known)
            before = key
    return list(_chained(after))


def _insert(after: dict[Key | None, Key | None], before: Key | None, key: Key, known: set[Key]) -> None:
    """Put `key`, which stands behind `before` on its side, into a chain of keys that begins and ends with None.

    A chain, since looking for places in a list took minutes for a hundred thousand keys.
    """
    at, behind = before, after[before]
    while behind is not None and len(behind) > len(key):
        at, behind = behind, after[behind]  # a key at the top stands behind all stages, whichever side has them
    # What is new on our side at the same place comes first, as git would put it.
    while behind is not None and before is not None and len(behind) == len(key) and behind not in known:
        at, behind = behind, after[behind]
    after[at], after[key] = key, behind


def _chained(after: Mapping[Key | None, Key | None]) -> Iterator[Key]:
    at = after[None]
    while at is not None:
        yield at
        at = after[at]


def _choose(key: Key, old: Block | None, mine: Block | None, other: Block | None) -> _Choice:
    """Three ways, on the entry's text; texts that say the same are no conflict."""
    texts = [_text_of(block) for block in (old, mine, other)]
    if key == STAGES and (mine is None or other is None):
        return _Choice(key, mine or other, mine or other, old, BOTH)
    if texts[1] == texts[2]:
        return _Choice(key, mine, mine, old, BOTH)
    if texts[2] == texts[0]:
        return _Choice(key, mine, mine, old, OURS)
    if texts[1] == texts[0]:
        return _Choice(key, other, other, old, THEIRS)
    if key != STAGES and mine is not None and other is not None and _equal(mine.value, other.value):
        return _Choice(key, mine, mine, old, BOTH)
    return _Choice(key, mine, other, old, CONFLICT)


def _names(choices: Iterable[_Choice], source: str) -> tuple[str, ...]:
    return tuple(choice.key[-1] for choice in choices if choice.source == source and choice.key not in (STAGES, TAIL))


def _says(choices: Sequence[_Choice], side: Callable[[_Choice], Block | None], name: str) -> bool:
    """Whether the text, conflicts settled for one side, holds exactly the entries that were chosen."""
    blocks = {choice.key: side(choice) for choice in choices}
    expected = {key: block.value for key, block in blocks.items() if block is not None}
    found = cut(_join(choices, lambda choice: _text_of(blocks[choice.key])), name)
    return list(found) == list(expected) and all(_equal(found[key].value, expected[key]) for key in expected)


def _equal(one: object, other: object) -> bool:
    return digest_of([one]) == digest_of([other])


# Text -------------------------------------------------------------------------------------------------------------


def _join(choices: Sequence[_Choice], text: Callable[[_Choice], bytes | None]) -> bytes:
    parts = [(choice.key, part) for choice in choices if (part := text(choice)) is not None]
    header = b"stages:" if any(len(key) > 1 for key, _ in parts) else b"stages: {}"
    return b"".join(with_header(part, header) if key == STAGES else part for key, part in parts)


def _text_of(block: Block | None) -> bytes | None:
    return block.text if block is not None else None


def _own_text(choice: _Choice) -> bytes | None:
    return _text_of(choice.ours)


def _text(choice: _Choice, markers: Markers, end: bytes) -> bytes | None:
    return _marked(choice, markers, end) if choice.source == CONFLICT else _own_text(choice)


def _marked(choice: _Choice, markers: Markers, end: bytes) -> bytes:
    """Both sides between markers as git writes them."""
    ours, theirs, base = (
        block.text if block is not None else b"" for block in (choice.ours, choice.theirs, choice.base)
    )
    lines = [b"<" * markers.length + b" ours" + end, ours]
    if markers.with_base:
        lines += [b"|" * markers.length + b" base" + end, base]
    return b"".join([*lines, b"=" * markers.length + end, theirs, b">" * markers.length + b" theirs" + end])
