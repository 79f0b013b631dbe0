"""Decide which commit of a history first had something, and when it came back.  Pure.

Order is that of the graph, never of clocks: a commit brings something when its files have it and those of none of
its parents do.  So a merge that takes a side's bytes brings nothing, and one that makes new bytes does.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple


class Logged(NamedTuple):
    """One commit of a history."""

    commit: str
    parents: tuple[str, ...]
    changes: Sequence[tuple[str, str | None]]
    """(path, id of what is there now, None when nothing is), against the first parent; all files of one without."""


class First(NamedTuple):
    """Where something was first."""

    commit: str
    path: str
    """Of the file that had it; the first by name when several did."""
    blob: str


@dataclass(slots=True)
class Traced:
    """What a history says of the marks asked for.  A mark is a bit of an int."""

    first: dict[int, First] = field(default_factory=dict)
    returned: dict[int, list[str]] = field(default_factory=dict)
    """The commits that brought it back after it had gone, parents first."""
    older: int = 0
    """The marks that are there where the history ends: who brought them is not known."""


class Start(NamedTuple):
    """Where a history goes on from: a commit that every commit of it descends from."""

    commit: str
    files: Sequence[tuple[str, str]]
    """(path, id) of all of its files."""
    ever: int
    """The marks that it or an ancestor had."""


class _State(NamedTuple):
    """A commit's files that have marks, what they have together, and what it and its ancestors ever had."""

    files: Mapping[str, tuple[int, str]]
    has: int
    ever: int


_NOTHING = _State({}, 0, 0)


def trace(
    history: Iterable[Logged],
    marks: Callable[[str, str], int],
    ends: Collection[str] = (),
    start: Start | None = None,
) -> Traced:
    """Follow the marks through a history.

    Of several commits that brought a mark independently the first in `history` counts.  Linear in the history; what
    is kept of a commit without a change to marked files is one reference.

    Args:
        history: every commit once, parents before their children.
        marks: the marks of the blob (second) at a path (first).
        ends: the commits whose parents are not at hand.
        start: what came before the history; what was there already is not found as first.
    """
    found = Traced()
    states: dict[str, _State] = {} if start is None else {start.commit: _at_start(start, marks)}
    for entry in history:
        before = [states[parent] for parent in entry.parents if parent in states] or [_NOTHING]
        state = _after(before, entry, marks)
        states[entry.commit] = state
        if state is not before[0] or len(before) > 1:
            _note(found, entry.commit, before, state, entry.commit in ends)
    return found


def _at_start(start: Start, marks: Callable[[str, str], int]) -> _State:
    files = {path: (mask, blob) for path, blob in start.files if (mask := marks(path, blob))}
    return _State(files, _union(mask for mask, _ in files.values()), start.ever)


def _after(before: Sequence[_State], entry: Logged, marks: Callable[[str, str], int]) -> _State:
    known = before[0].files
    changed: dict[str, tuple[int, str]] = {}
    for path, blob in entry.changes:
        mask = 0 if blob is None else marks(path, blob)
        if mask != known.get(path, (0, ""))[0]:
            changed[path] = (mask, blob or "")
    ever = _union(state.ever for state in before)
    if not changed and ever == before[0].ever:
        return before[0]
    files = {path: found for path, found in {**known, **changed}.items() if found[0]} if changed else known
    has = _union(mask for mask, _ in files.values())
    return _State(files, has, ever | has)


def _note(found: Traced, commit: str, before: Sequence[_State], state: _State, ends: bool) -> None:
    brought = state.has & ~_union(parent.has for parent in before)
    if not brought:
        return
    ever = _union(parent.ever for parent in before)
    if ends:
        found.older |= brought
    for mark in _bits(brought & ever):
        found.returned.setdefault(mark, []).append(commit)
    for mark in _bits(brought & ~ever):
        if mark not in found.first:
            path = min(path for path, (mask, _) in state.files.items() if mask & mark)
            found.first[mark] = First(commit, path, state.files[path][1])


def _union(masks: Iterable[int]) -> int:
    total = 0
    for mask in masks:
        total |= mask
    return total


def _bits(mask: int) -> Iterator[int]:
    while mask:
        yield (lowest := mask & -mask)
        mask ^= lowest


# Going on from an earlier answer --------------------------------------------------------------------------------


def gates(lowest: Sequence[int]) -> bytearray:
    """Which commits of a history divide it: 1 for one that all before it lead to and all after it descend from.

    Args:
        lowest: of each commit, parents before children, the least position of its parents; -1 for one without.
    """
    found = bytearray(len(lowest))
    least = len(lowest)
    for position in range(len(lowest) - 1, -1, -1):
        # No later commit reaches past this one, and every commit leads to the last: nothing goes around it.
        found[position] = least >= position
        least = min(least, lowest[position])
    return found


def goes_on(history: Sequence[Logged], start: str) -> bool:
    """Whether every commit, parents before children, descends from `start` alone."""
    known = {start}
    for entry in history:
        if not entry.parents or not known.issuperset(entry.parents):
            return False
        known.add(entry.commit)
    return True
