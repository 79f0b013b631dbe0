"""Where the nodes of a directed graph stand in a picture: layers from left to right, rows within them.  Pure.

The steps are those of Sugiyama, Tagawa and Toda (1981): break cycles, give each node a layer, order the layers so that
few edges cross, then give each node its row.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

_SWEEPS = 8
"""Passes over all layers for their order; more changed no picture that we looked at."""
_SETTLED, _VISITS = 30, 50_000
"""Passes over all layers for the rows, fewer in large graphs: they come to rest slowly, and are quick."""
_BEND = 0.3
"""Rows that an edge takes where it passes a layer; a node takes 1."""
_SPARE = 1000
_PER_ITEM = 4
"""The longest edges get no bends once there are so many per node and edge: memory stays linear."""

Arc = tuple[int, int]
Point = tuple[int, float]
"""Layer and row, from the top left; the middle of what stands there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where everything stands; `layers` by `rows` in all."""

    places: Mapping[str, Point]
    bends: Mapping[tuple[str, str], tuple[Point, ...]]
    """What an edge passes between its ends, from its source on; only for edges that pass a layer."""
    layers: int
    rows: float


def lay_out(nodes: Iterable[str], edges: Iterable[tuple[str, str]]) -> Layout:
    """The same for the same nodes and edges in the same order; causes stand left of effects.

    Edges to themselves or to what is no node are ignored; an edge that closes a cycle leads back to the left.
    """
    names = tuple(dict.fromkeys(nodes))
    index = {name: number for number, name in enumerate(names)}
    given = dict.fromkeys((index[a], index[b]) for a, b in edges if a in index and b in index and a != b)
    back = _closing(len(names), given)
    # Of two opposite edges one way is enough here.
    arcs = tuple(dict.fromkeys((b, a) if (a, b) in back else (a, b) for a, b in given))
    grid = _Grid(_layers(len(names), arcs), arcs)
    grid.order()
    rows = grid.rows()
    bends = {}
    for a, b in given:
        way = grid.ways.get((a, b)) or grid.ways.get((b, a), ())[::-1]
        if way:
            bends[names[a], names[b]] = tuple((grid.layer[item], rows[item]) for item in way)
    height = max((rows[item] + grid.size(item) / 2 for layer in grid.layers for item in layer), default=0.0)
    places = {name: (grid.layer[number], rows[number]) for name, number in index.items()}
    return Layout(places=places, bends=bends, layers=len(grid.layers), rows=height)


def _closing(count: int, arcs: Iterable[Arc]) -> set[Arc]:
    """The arcs that close a cycle in a walk in depth, from the nodes without causes on."""
    after = _neighbours(count, arcs)
    caused = {b for targets in after for b in targets}
    state, back = [0] * count, set[Arc]()
    for start in sorted(range(count), key=lambda node: node in caused):
        pending = [] if state[start] else [(start, iter(after[start]))]
        state[start] = state[start] or 1
        while pending:
            node, rest = pending[-1]
            target = next(rest, None)
            if target is None:
                state[node] = 2
                pending.pop()
            elif state[target] == 1:
                back.add((node, target))
            elif state[target] == 0:
                state[target] = 1
                pending.append((target, iter(after[target])))
    return back


def _layers(count: int, arcs: Sequence[Arc]) -> list[int]:
    """The length of the longest way to each node; then what shortens more edges than it lengthens moves right."""
    after, before = _neighbours(count, arcs), _neighbours(count, ((b, a) for a, b in arcs))
    layer, waiting = [0] * count, [len(causes) for causes in before]
    ready = [node for node in range(count) if not waiting[node]]
    for node in ready:
        for target in after[node]:
            layer[target] = max(layer[target], layer[node] + 1)
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    for node in reversed(ready):
        if after[node] and len(before[node]) <= len(after[node]):
            layer[node] = min(layer[target] for target in after[node]) - 1
    first = min(layer, default=0)
    return [one - first for one in layer]


def _neighbours(count: int, arcs: Iterable[Arc]) -> list[list[int]]:
    found: list[list[int]] = [[] for _ in range(count)]
    for a, b in arcs:
        found[a].append(b)
    return found


class _Grid:
    """Nodes, and the bends of long edges as nodes of their own: every link is between neighbouring layers."""

    def __init__(self, layer: list[int], arcs: Sequence[Arc]) -> None:
        self.count = len(layer)
        self.layer = list(layer)
        self.ways: dict[Arc, tuple[int, ...]] = {}
        links: list[Arc] = []
        spare = _SPARE + _PER_ITEM * (self.count + len(arcs))
        for a, b in sorted(arcs, key=lambda arc: layer[arc[1]] - layer[arc[0]]):
            passed = range(layer[a] + 1, layer[b])
            if len(passed) > spare:
                continue
            spare -= len(passed)
            way = tuple(range(len(self.layer), len(self.layer) + len(passed)))
            self.layer.extend(passed)
            self.ways[a, b] = way
            stops = (a, *way, b)
            links += pairwise(stops)
        self.after = _neighbours(len(self.layer), links)
        self.before = _neighbours(len(self.layer), ((b, a) for a, b in links))
        self.layers: list[list[int]] = [[] for _ in range(max(self.layer, default=-1) + 1)]
        for item, where in enumerate(self.layer):
            self.layers[where].append(item)
        self.place = {item: at for layer in self.layers for at, item in enumerate(layer)}

    def size(self, item: int) -> float:
        """Rows that it takes."""
        return 1.0 if item < self.count else _BEND

    def order(self) -> None:
        """Sort each layer by where its neighbours stand, to the right and back, and keep the best that was seen."""
        best, fewest = [list(layer) for layer in self.layers], self._crossings()
        for sweep in range(_SWEEPS):
            if not fewest:
                break
            rightwards = sweep % 2 == 0
            near = self.before if rightwards else self.after
            for layer in self.layers if rightwards else self.layers[::-1]:
                self._sort(layer, near)
            crossings = self._crossings()
            if crossings < fewest:
                best, fewest = [list(layer) for layer in self.layers], crossings
        self.layers = best

    def _sort(self, layer: list[int], near: Sequence[Sequence[int]]) -> None:
        means = {item: _mean([self.place[other] for other in near[item]], self.place[item]) for item in layer}
        layer.sort(key=means.__getitem__)
        for at, item in enumerate(layer):
            self.place[item] = at

    def _crossings(self) -> int:
        """Of two links between the same layers that begin in one order and end in the other."""
        crossings = 0
        for layer in self.layers:
            seen: list[int] = []
            for item in layer:
                ends = sorted(self.place[other] for other in self.after[item])
                crossings += sum(len(seen) - bisect_right(seen, end) for end in ends)
                for end in ends:
                    insort(seen, end)
        return crossings

    def rows(self) -> list[float]:
        """The middle of each item: as near to its neighbours as the order and its size allow, from 0 down."""
        rows = [0.0] * len(self.layer)
        for layer in self.layers:
            for item, row in zip(layer, self._spread(layer, [0.0] * len(layer)), strict=True):
                rows[item] = row
        both = min(_SETTLED, max(_SWEEPS // 2, _VISITS // (len(rows) + 1)))
        # Going back and forth all of it drifts along; to the right alone, what has no causes follows its effects.
        for rightwards in (*(True, False) * both, *(True,) * (_SWEEPS // 2)):
            near, far = (self.before, self.after) if rightwards else (self.after, self.before)
            for layer in self.layers if rightwards else self.layers[::-1]:
                wanted = [_mean([rows[other] for other in near[item] or far[item]], rows[item]) for item in layer]
                for item, row in zip(layer, self._spread(layer, wanted), strict=True):
                    rows[item] = row
        top = min((rows[item] - self.size(item) / 2 for item in range(len(rows))), default=0.0)
        return [row - top for row in rows]

    def _spread(self, layer: Sequence[int], wanted: Sequence[float]) -> list[float]:
        """The rows with the least squared distance to those wanted, in order and without overlap.

        With each item's own offset taken off this is isotonic regression, solved by pooling adjacent violators.
        """
        offsets = [0.0]
        for above, below in pairwise(layer):
            offsets.append(offsets[-1] + (self.size(above) + self.size(below)) / 2)
        pools: list[tuple[float, int]] = []
        for want, offset in zip(wanted, offsets, strict=True):
            total, count = want - offset, 1
            while pools and pools[-1][0] / pools[-1][1] >= total / count:
                more, items = pools.pop()
                total, count = total + more, count + items
            pools.append((total, count))
        level = [total / count for total, count in pools for _ in range(count)]
        return [base + offset for base, offset in zip(level, offsets, strict=False)]


def _mean(values: Sequence[float], default: float) -> float:
    return sum(values) / len(values) if values else float(default)
