"""Which commit first had something: held against a definition that walks all ancestors of every commit."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dvc_modelver.core.origins import First, Logged, trace

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
