"""Which commit first had something: held against a definition that walks all ancestors of every commit."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dvc_modelver.core.origins import First, Logged, Start, gates, goes_on, trace

PATHS = ("a.lock", "b.lock", "c.dvc")


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[list[int], dict[str, int]]]:
    """Commits as (parents, path -> marks there), parents before children; files may be anything at each commit."""
    made: list[tuple[list[int], dict[str, int]]] = []
    for n in range(draw(st.integers(1, 9))):
        parents = draw(st.lists(st.integers(0, n - 1), unique=True, max_size=3)) if n else []
        files = draw(st.dictionaries(st.sampled_from(PATHS), st.integers(0, 3), max_size=3))
        made.append((parents, files))
    return made


def as_logged(history: list[tuple[list[int], dict[str, int]]]) -> list[Logged]:
    """The same as Git tells it: what differs from the first parent.  A blob's id is its marks."""
    logged = []
    for n, (parents, files) in enumerate(history):
        before = history[parents[0]][1] if parents else {}
        names = sorted({*before, *files})
        changes = [(p, str(files[p]) if p in files else None) for p in names if before.get(p) != files.get(p)]
        logged.append(Logged(str(n), tuple(map(str, parents)), changes))
    return logged


@given(histories())
def test_agrees_with_the_definition(history: list[tuple[list[int], dict[str, int]]]) -> None:
    """First: the commit has it, no parent has it, no ancestor ever had it.  Returned: the same but for the last."""
    ancestors: list[set[int]] = []
    for parents, _ in history:
        ancestors.append(set(parents).union(*(ancestors[p] for p in parents)) if parents else set())
    found = trace(as_logged(history), lambda path, blob: int(blob))
    for mark in (1, 2):
        having = {n for n, (_, files) in enumerate(history) if any(marks & mark for marks in files.values())}
        brought = [n for n in sorted(having) if not having & set(history[n][0])]
        first = [n for n in brought if not having & ancestors[n]]
        back = [str(n) for n in brought if having & ancestors[n]]
        assert (found.first[mark].commit if mark in found.first else None) == (str(first[0]) if first else None)
        assert found.returned.get(mark, []) == back
        if mark in found.first:
            at = history[int(found.first[mark].commit)][1]
            assert found.first[mark].path == min(p for p, marks in at.items() if marks & mark)


def test_where_the_history_ends() -> None:
    """What is there at the first commit of a shallow clone was brought by nobody that is known."""
    history = [Logged("old", (), [("a", "1")]), Logged("new", ("old",), [("b", "2")])]
    found = trace(history, lambda path, blob: int(blob), ends={"old"})
    assert (found.older, found.first[2]) == (1, First("new", "b", "2"))


def test_a_rename_brings_nothing() -> None:
    """The same blob at another path was there before."""
    history = [Logged("one", (), [("a", "1")]), Logged("two", ("one",), [("a", None), ("b", "1")])]
    found = trace(history, lambda path, blob: int(blob))
    assert (found.first, found.returned) == ({1: First("one", "a", "1")}, {})


# Going on from an earlier answer --------------------------------------------------------------------------------


def whole(history: list[tuple[list[int], dict[str, int]]]) -> list[tuple[list[int], dict[str, int]]]:
    """The same with one last commit that every other leads to, as in the history of one commit."""
    childless = set(range(len(history))) - {parent for parents, _ in history for parent in parents}
    return [*history, (sorted(childless), {})]


def lineages(history: list[tuple[list[int], dict[str, int]]]) -> list[set[int]]:
    """The ancestors of each commit, and itself."""
    found: list[set[int]] = []
    for n, (parents, _) in enumerate(history):
        found.append({n}.union(*(found[p] for p in parents)))
    return found


@given(histories())
def test_gates_divide_the_history(history: list[tuple[list[int], dict[str, int]]]) -> None:
    """All before a gate are its ancestors, all after it its descendants; each that no link goes around is one."""
    history = whole(history)
    above = lineages(history)
    lowest = [min(parents, default=-1) for parents, _ in history]
    found = gates(lowest)
    assert found[-1] == 1
    for n in range(len(history)):
        around = any(low < n for low in lowest[n + 1 :])
        assert found[n] == (not around)
        if found[n]:
            assert above[n] == set(range(n + 1))
            assert all(n in above[later] for later in range(n, len(history)))


@given(histories())
def test_going_on_from_a_gate_finds_what_the_whole_history_says(
    history: list[tuple[list[int], dict[str, int]]],
) -> None:
    """Cut at any gate, the two parts together say of each mark what the whole says."""
    history = whole(history)
    logged = as_logged(history)
    expected = trace(logged, lambda path, blob: int(blob))
    for n, is_gate in enumerate(gates([min(parents, default=-1) for parents, _ in history])):
        assert goes_on(logged[n + 1 :], str(n)) or not is_gate
        if is_gate:
            before = trace(logged[: n + 1], lambda path, blob: int(blob))
            files = [(path, str(marks)) for path, marks in history[n][1].items()]
            start = Start(str(n), files, sum(before.first))
            after = trace(logged[n + 1 :], lambda path, blob: int(blob), start=start)
            assert before.first | after.first == expected.first
            for mark in (1, 2):
                parts = before.returned.get(mark, []) + after.returned.get(mark, [])
                assert parts == expected.returned.get(mark, [])


def test_what_does_not_go_on() -> None:
    """A second root, or a parent from before the start, is no continuation."""
    one = Logged("b", ("a",), [])
    assert goes_on([one, Logged("c", ("b", "a"), [])], "a")
    assert not goes_on([one, Logged("c", (), [])], "a")
    assert not goes_on([one, Logged("c", ("b", "older"), [])], "a")
