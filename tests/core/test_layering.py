"""Layers, order and rows of a graph, against NetworkX, scikit-learn and counting by hand."""

from __future__ import annotations

import time
from itertools import combinations, pairwise
from random import Random

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvc_modelver.core.layering import Layout, _Grid, lay_out

Edges = list[tuple[str, str]]
NAMES = [f"n{number}" for number in range(12)]
_edges = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), max_size=30)


def acyclic(edges: Edges) -> Edges:
    """The same edges from lower to higher name, without those from a node to itself."""
    return [(min(a, b), max(a, b)) for a, b in edges if a != b]


def crossings(layout: Layout, edges: Edges) -> int:
    """Pairs of links between neighbouring layers that cross, by looking at every pair."""
    links = []
    for a, b in set(edges):
        stops = [layout.places[a], *layout.bends.get((a, b), ()), layout.places[b]]
        links += pairwise(stops)
    return sum(
        (one[0][1] - other[0][1]) * (one[1][1] - other[1][1]) < 0
        for one, other in combinations(links, 2)
        if one[0][0] == other[0][0]
    )


@given(_edges)
def test_causes_stand_left_of_effects(edges: Edges) -> None:
    """Without a cycle every edge leads to the right, in as few layers as the longest way of NetworkX has nodes."""
    edges = acyclic(edges)
    layout = lay_out(NAMES, edges)
    assert all(layout.places[a][0] < layout.places[b][0] for a, b in edges)
    graph = nx.DiGraph(edges)
    graph.add_nodes_from(NAMES)
    assert layout.layers == nx.dag_longest_path_length(graph) + 1


@given(_edges)
def test_nothing_overlaps_and_long_edges_pass_every_layer(edges: Edges) -> None:
    """For any graph, cycles and all: nodes have a row of their own, an edge bends once in each layer between."""
    layout = lay_out(NAMES, edges)
    assert set(layout.places) == set(NAMES)
    for layer in range(layout.layers):
        rows = sorted(row for where, row in layout.places.values() if where == layer)
        assert all(below - above >= 1 - 1e-9 for above, below in pairwise(rows))
        assert all(0.5 - 1e-9 <= row <= layout.rows - 0.5 + 1e-9 for row in rows)
    for a, b in {(a, b) for a, b in edges if a != b}:
        here, there = layout.places[a][0], layout.places[b][0]
        step = 1 if here < there else -1
        assert [layer for layer, _ in layout.bends.get((a, b), ())] == list(range(here + step, there, step))
        assert here != there


@given(_edges)
def test_the_same_picture_every_time(edges: Edges) -> None:
    """Repeated edges, loops and edges to nowhere change nothing."""
    again = [*edges, *edges, ("n0", "n0"), ("n0", "nowhere"), ("nowhere", "n1")]
    assert lay_out(NAMES, edges) == lay_out(NAMES, again)


@given(_edges)
def test_sweeps_never_add_crossings(edges: Edges) -> None:
    """The order that is kept has as many crossings as we count by hand, and no more than the first."""
    edges = acyclic(edges)
    layout = lay_out(NAMES, edges)
    index = {name: number for number, name in enumerate(NAMES)}
    plain = _Grid(
        [layout.places[name][0] for name in NAMES], list(dict.fromkeys((index[a], index[b]) for a, b in edges))
    )
    assert crossings(layout, edges) <= plain._crossings()


def test_what_need_not_cross_does_not() -> None:
    """A ladder whose sides are named against each other is untangled."""
    edges = [(f"a{n}", f"b{9 - n}") for n in range(10)]
    layout = lay_out([f"{side}{n}" for side in "ab" for n in range(10)], edges)
    assert crossings(layout, edges) == 0


def test_an_input_stands_beside_what_reads_it() -> None:
    """What only the last pipeline stage reads is not put at the far left, nor is a chain that leads there."""
    chain = list(pairwise(["raw", "one", "mid", "two", "model"]))
    layout = lay_out(["raw", "code", "url", "copy"], [])
    assert {place[0] for place in layout.places.values()} == {0}
    names = ["raw", "one", "mid", "two", "model", "code", "url", "copy"]
    layout = lay_out(names, [*chain, ("code", "two"), ("url", "copy"), ("copy", "two")])
    assert {name: layout.places[name][0] for name in ("code", "copy", "url")} == {"code": 2, "copy": 2, "url": 1}
    assert layout.bends == {}


def test_a_chain_is_a_straight_line() -> None:
    """Rows follow the neighbours."""
    layout = lay_out("abcd", [("a", "b"), ("b", "c"), ("c", "d")])
    assert layout.places == {name: (at, 0.5) for at, name in enumerate("abcd")}
    assert (layout.layers, layout.rows) == (4, 1.0)


def test_a_cycle_leads_back() -> None:
    """One edge of a cycle is drawn against the direction, with its bends from its own source on."""
    layout = lay_out("abc", [("a", "b"), ("b", "c"), ("c", "a")])
    assert [layout.places[name][0] for name in "abc"] == [0, 1, 2]
    assert [layer for layer, _ in layout.bends["c", "a"]] == [1]


def test_nothing_at_all() -> None:
    """No nodes: no layers."""
    assert lay_out([], [("a", "b")]) == Layout(places={}, bends={}, layers=0, rows=0.0)


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=20))
def test_rows_are_as_near_as_scikit_learn_finds_them(wanted: list[float]) -> None:
    """The rows of a layer are the least squares solution for the distances that the nodes need."""
    from sklearn.isotonic import IsotonicRegression

    grid = _Grid([0] * len(wanted), [])
    found = grid._spread(grid.layers[0], wanted)
    offsets = list(range(len(wanted)))
    targets = [want - offset for want, offset in zip(wanted, offsets, strict=True)]
    best = IsotonicRegression().fit_transform(offsets, targets)
    assert found == pytest.approx([level + offset for level, offset in zip(best, offsets, strict=True)])


@pytest.mark.parametrize("shape", ["random", "near", "star"])
def test_large_graphs_take_little_time(shape: str) -> None:
    """2,000 nodes and 5,000 edges: below two seconds of one processor."""
    random = Random(7)
    names = [f"n{number}" for number in range(2000)]
    pairs = {
        "random": lambda: sorted(random.sample(range(2000), 2)),
        "near": lambda: ((at := random.randrange(1990)), at + random.randrange(1, 9)),
        "star": lambda: (random.randrange(1999), 1999),
    }
    edges = [(names[a], names[b]) for a, b in (pairs[shape]() for _ in range(5000))]
    began = time.process_time()
    lay_out(names, edges)
    assert time.process_time() - began < 2


def test_a_deep_graph_takes_little_memory() -> None:
    """Edges over thousands of layers get no bends once there would be too many of them."""
    names = [f"n{number}" for number in range(3000)]
    edges = [*pairwise(names), *(("n0", name) for name in names[2:])]
    layout = lay_out(names, edges)
    assert layout.layers == 3000
    assert sum(map(len, layout.bends.values())) < 50_000
