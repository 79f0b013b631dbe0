"""Where a metric went wrong, decided from states alone; brute force over small rows and histories is the oracle."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from dvc_modelver.core.bisection import Drop, Judge, Node, State, as_number, drops, is_better, turns

GOOD, BAD, UNKNOWN = State.GOOD, State.BAD, State.UNKNOWN
_LETTER = {"g": GOOD, "b": BAD, "u": UNKNOWN}
_numbers = st.floats(allow_nan=False, width=32)


# Values ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "state"),
    [(1.0, GOOD), (0.751, GOOD), (0.75, GOOD), (0.749, BAD), (0.5, BAD), (-9, BAD), (5, GOOD), (math.nan, BAD)],
)
def test_the_nearer_end_decides(value: float, state: State) -> None:
    """Between 1.0 and 0.5 the middle is still good, and beyond an end is as the end."""
    assert Judge(better="up", good=1.0, bad=0.5).state(value) is state


@pytest.mark.parametrize(("value", "state"), [(0.8, GOOD), (0.79, BAD), (1e300, GOOD), (math.nan, BAD)])
def test_a_limit_decides(value: float, state: State) -> None:
    """The limit itself is good."""
    assert Judge(better="up", good=0.9, bad=0.5, limit=0.8).state(value) is state


@pytest.mark.parametrize("value", [None, True, "0.9"])
def test_what_is_no_number_is_not_known(value: object) -> None:
    """Neither good nor bad."""
    assert Judge(better="up", good=1, bad=0).state(value) is UNKNOWN  # type: ignore[arg-type]


def test_numbers_of_any_size() -> None:
    """An integer past a float's range is infinite; NaN is worse than every number."""
    assert as_number(10**400) == math.inf
    assert as_number(-(10**400)) == -math.inf
    assert is_better(-math.inf, math.nan, "up")
    assert not is_better(math.nan, math.nan, "down")
    assert Judge(better="down", good=0.1, bad=math.nan).state(1e300) is GOOD


@given(_numbers, _numbers, st.sampled_from(["up", "down"]), _numbers, _numbers)
@example(-3.4e38, 3.4e38, "down", 1.0, 0.0)
@example(math.inf, -math.inf, "up", 1.0, 0.0)
def test_the_ends_are_what_they_were_said_to_be(good: float, bad: float, better: str, one: float, other: float) -> None:
    """The good end is good, the bad end bad, and what is better than something good is good too."""
    if not is_better(good, bad, better):
        good, bad = bad, good
    assume(good != bad)
    judge = Judge(better=better, good=good, bad=bad)
    assert (judge.state(good), judge.state(bad)) == (GOOD, BAD)
    if judge.state(one) is GOOD and is_better(other, one, better):
        assert judge.state(other) is GOOD


@given(_numbers, st.floats(0, 1e6), _numbers)
def test_up_and_down_are_mirrors(good: float, drop: float, value: float) -> None:
    """What is true of a metric is true of its negative the other way round."""
    up = Judge(better="up", good=good, bad=good - drop)
    down = Judge(better="down", good=-good, bad=-(good - drop))
    assert up.state(value) is down.state(-value)


# Rows -----------------------------------------------------------------------------------------------------------


def row(letters: str) -> list[State]:
    """States, a letter each."""
    return [_LETTER[letter] for letter in letters]


@pytest.mark.parametrize(
    ("letters", "expected"),
    [
        ("gb", [(0, 1)]),
        ("ggbb", [(1, 2)]),
        ("gbgb", [(0, 1), (2, 3)]),
        ("guub", [(0, 3)]),
        ("gbub", [(0, 1)]),
        ("gubugb", [(0, 2), (4, 5)]),
        ("bbg", []),
        ("uuu", []),
    ],
)
def test_steps_of_a_row(letters: str, expected: list[tuple[int, int]]) -> None:
    """Each step down, also those that recovered; what is not known between good and bad belongs to the step."""
    assert [(drop.good, drop.bad) for drop in drops(row(letters))] == expected


@given(st.lists(st.sampled_from(list(State)), min_size=1, max_size=12))
def test_steps_are_those_that_brute_force_finds(states: list[State]) -> None:
    """A step is a good one and a bad one with nothing but unknown between."""
    found = [
        Drop(good=i, bad=j)
        for i in range(len(states))
        for j in range(i + 1, len(states))
        if (states[i], states[j]) == (GOOD, BAD) and set(states[i + 1 : j]) <= {UNKNOWN}
    ]
    assert list(drops(states)) == found


# Histories ------------------------------------------------------------------------------------------------------


def history(text: str) -> list[Node]:
    """Nodes from words such as `c:b<a+b`: name, state, parents; `=a` at the end says whose value it takes."""
    nodes = []
    for word in text.split():
        head, _, rest = word.partition("<")
        name, letter = head.split(":")
        parents, _, takes = rest.partition("=")
        nodes.append(
            Node(
                commit=name,
                parents=tuple(filter(None, parents.split("+"))),
                state=_LETTER[letter[0]],
                same=letter.endswith("s"),
                takes=frozenset(filter(None, takes.split("+"))),
            )
        )
    return nodes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a:g<o b:b<a c:b<b", [("b", (), "a")]),
        ("a:b<o", [("a", (), "o")]),
        ("a:b<o b:g<a c:b<b", [("c", (), "b")]),
        ("a:u<o b:u<a c:b<b", [("c", ("a", "b"), "o")]),
        ("a:u<o b:us<a c:b<b", [("c", ("a",), "o")]),
        ("a:g<o b:u<a c:b<b d:u<c e:b<d", [("c", ("b",), "a")]),
        # A side branch brings it.
        ("m:g<o s:b<o t:b<s x:b<m+t", [("s", (), "o")]),
        ("m:b<o s:b<o x:b<m+s=m", [("m", (), "o")]),
        ("m:b<o s:b<o x:b<m+s", [("m", (), "o"), ("s", (), "o")]),
        # Two good sides that do not go together.
        ("m:g<o s:g<o x:b<m+s", [("x", (), "m")]),
        # A side that parted while it was bad: the merge brought it back.
        ("m:g<o s:b<p x:b<m+s y:b<x", [("x", (), "m")]),
        ("s:b<p y:b<s", []),
        ("a:b", [("a", (), None)]),
    ],
)
def test_where_a_history_turned(text: str, expected: list[tuple[str, tuple[str, ...], str | None]]) -> None:
    """The first bad commit, what nobody knows before it, and the last one before all of these."""
    nodes = history(text)
    found = turns(nodes, nodes[-1].commit, {"o": GOOD, "p": BAD})
    assert [(turn.commit, turn.unknown, turn.before) for turn in found] == expected


@st.composite
def histories(draw: st.DrawFn) -> list[Node]:
    """Histories of up to seven commits with merges, that end badly; `o` is the good commit before all."""
    nodes: list[Node] = []
    for at in range(draw(st.integers(1, 7))):
        names = ["o", *(node.commit for node in nodes)]
        parents = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))
        nodes.append(Node(commit=str(at), parents=tuple(parents), state=draw(st.sampled_from(list(State)))))
    last = nodes[-1]
    return [*nodes[:-1], Node(commit=last.commit, parents=last.parents, state=BAD)]


def ways(known: Mapping[str, Node], commit: str) -> Iterator[list[Node]]:
    """Every way back from a commit through those that are not known to be good, of any length."""
    node = known.get(commit)
    if node is not None and node.state is not GOOD:
        yield [node]
        for parent in node.parents:
            yield from ([node, *way] for way in ways(known, parent))


@given(histories())
def test_turns_are_those_that_brute_force_finds(nodes: list[Node]) -> None:
    """A bad commit that no bad one leads to, by any way; before it may stand what is unknown and leads to it."""
    known = {node.commit: node for node in nodes}
    tip = nodes[-1].commit
    reached = {way[-1].commit for way in ways(known, tip)}
    expected = {}
    for commit in reached:
        back = [way for way in ways(known, commit) if len(way) > 1]
        if known[commit].state is BAD and not any(node.state is BAD for way in back for node in way[1:]):
            expected[commit] = {node.commit for way in back for node in way[1:]}
    found = turns(nodes, tip, {"o": GOOD})
    assert {turn.commit: set(turn.unknown) for turn in found} == expected
    assert found
    for turn in found:
        assert turn.before == "o" or known[turn.before or ""].commit not in {turn.commit, *turn.unknown}
