"""Decide where a metric went wrong, from what is recorded of versions and commits.  Pure.

Nothing is taken to be monotone: what is recorded costs nothing to look at, so everything is looked at, and the answer
is the last step down after which nothing good came.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from dvc_modelver.core.facts import Scalar
from dvc_modelver.core.metrics import as_number


class State(str, Enum):
    """What a value is taken for."""

    GOOD = "good"
    BAD = "bad"
    UNKNOWN = "unknown"
    """There is no number, or it is not of this state of the files."""


def is_better(one: float, other: float, better: str) -> bool:
    """Whether `one` is better than `other`; any number is better than NaN.

    Args:
        better: `up` or `down`.
    """
    if one != one or other != other:
        return one == one
    return one > other if better == "up" else one < other


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """What tells good values from bad ones."""

    better: str
    """`up` or `down`."""
    good: float
    bad: float
    limit: float | None = None
    """What is worse than this is bad; None: what is nearer to `bad` than to `good`."""

    def state(self, value: Scalar) -> State:
        """NaN is bad: whatever was measured, it went wrong."""
        number = as_number(value)
        if number is None:
            return State.UNKNOWN
        return State.BAD if self._is_bad(number) else State.GOOD

    def _is_bad(self, number: float) -> bool:
        if number != number:
            return True
        if self.limit is not None:
            return is_better(self.limit, number, self.better)
        if not is_better(number, self.bad, self.better):
            return True
        if not is_better(self.good, number, self.better) or self.bad != self.bad:
            return False
        # Halves: the distance of two large numbers may be more than a float can hold.
        return abs(number / 2 - self.bad / 2) < abs(self.good / 2 - number / 2)


# A row of versions ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """A step from good to bad in a row, as indices into it."""

    good: int
    """The last that is good."""
    bad: int
    """The first behind it that is bad; those between them are unknown."""


def drops(states: Sequence[State]) -> tuple[Drop, ...]:
    """Every step from good to bad, the first one first; that which lasts to the end is the last."""
    found: list[Drop] = []
    good: int | None = None
    for at, state in enumerate(states):
        if state is State.GOOD:
            good = at
        elif state is State.BAD and good is not None:
            found.append(Drop(good=good, bad=at))
            good = None
    return tuple(found)


# A history of commits -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A commit between the good version and the bad one."""

    commit: str
    parents: tuple[str, ...]
    state: State
    same: bool = False
    """Whether it has all that matters from a parent: then it turned nothing."""
    takes: frozenset[str] = frozenset()
    """Of a merge: the parents whose value it has; empty where it has a value of its own."""

    @property
    def sources(self) -> tuple[str, ...]:
        """The parents that its value may have come from."""
        return tuple(parent for parent in self.parents if not self.takes or parent in self.takes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Where a history turned bad for good."""

    commit: str
    """The first commit that is known to be bad."""
    unknown: tuple[str, ...]
    """Commits before it of which nothing is known: it may have been one of them.  Parents first."""
    before: str | None
    """The commit before all of these, not known to be bad; None where the history begins with them."""


def turns(nodes: Sequence[Node], tip: str, older: Mapping[str, State]) -> tuple[Turn, ...]:
    """Where the bad of `tip` began: one commit, or one for each side of a merge that turned by itself.

    A side that was bad already where it parted turned nothing; then it was the merge that brought it back.

    Args:
        nodes: parents first.
        tip: the bad version's commit.
        older: the parents of nodes that are none themselves: what they were.
    """
    return _History(nodes, tip, older).turns()


class _History:
    """The commits from which the bad of the tip may have come."""

    def __init__(self, nodes: Sequence[Node], tip: str, older: Mapping[str, State]) -> None:
        self._older = older
        self._known = {node.commit: node for node in nodes}
        reached = self._reached(tip)
        self._live: dict[str, Node] = {}
        """Reached, and not bad since before the first of `nodes`."""
        for node in nodes:
            if node.commit in reached and self._turned_here(node, reached):
                self._live[node.commit] = node

    def _reached(self, tip: str) -> set[str]:
        """The tip and what it leads back to through commits that are not known to be good."""
        found: set[str] = set()
        pending = [tip]
        while pending:
            node = self._known.get(pending.pop())
            if node is not None and node.commit not in found and node.state is not State.GOOD:
                found.add(node.commit)
                pending += node.sources
        return found

    def _turned_here(self, node: Node, reached: Collection[str]) -> bool:
        """Whether it turned, or has it from one that did; False when it was so from before the first of the nodes."""
        followed = [parent for parent in node.sources if parent in reached]
        if any(parent in self._live for parent in followed):
            return True
        inherited = followed or any(self._older.get(parent) is State.BAD for parent in node.sources)
        return not inherited or any(self._is_good(parent) for parent in node.parents)

    def _is_good(self, commit: str) -> bool:
        node = self._known.get(commit)
        return (node.state if node is not None else self._older.get(commit)) is State.GOOD

    def _parents(self, node: Node) -> list[Node]:
        return [self._live[parent] for parent in node.sources if parent in self._live]

    def turns(self) -> tuple[Turn, ...]:
        """The bad commits that have no bad one before them, each with the unknown ones before it."""
        after_bad: set[str] = set()
        found: list[Turn] = []
        for node in self._live.values():
            parents = self._parents(node)
            if any(parent.state is State.BAD or parent.commit in after_bad for parent in parents):
                after_bad.add(node.commit)
            elif node.state is State.BAD:
                found.append(self._turn(node))
        return tuple(found)

    def _turn(self, node: Node) -> Turn:
        around = set(self._unknown_before(node))
        chain = [one for one in self._live.values() if one.commit in around or one is node]
        outside = (parent for one in chain for parent in self._outside(one))
        return Turn(
            commit=node.commit,
            unknown=tuple(one.commit for one in chain if one is not node and not one.same),
            before=next(outside, None),
        )

    def _unknown_before(self, node: Node) -> Iterator[str]:
        pending, seen = [node], {node.commit}
        while pending:
            for parent in self._parents(pending.pop()):
                if parent.commit not in seen:
                    seen.add(parent.commit)
                    pending.append(parent)
                    yield parent.commit

    def _outside(self, node: Node) -> list[str]:
        """The parents that are not in the chain, those known to be good first."""
        others = [parent for parent in node.parents if parent not in self._live]
        return sorted(others, key=lambda parent: not self._is_good(parent))
