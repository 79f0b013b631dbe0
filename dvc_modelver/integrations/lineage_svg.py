"""A lineage as one drawing in SVG, for a page of its own or within another.  Pure.

A page may set `--lineage-ink`, `-muted`, `-paper`, `-line`, `-focus` and one `--lineage-KIND` for each kind of node;
without them the colours follow `prefers-color-scheme`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from html import escape

from dvc_modelver.core.layering import Layout, lay_out
from dvc_modelver.core.lineage import EdgeKind, Lineage, Node, NodeKind
from dvc_modelver.integrations.documents import by_id, clean, stamp

MAX_NODES = 400
"""Above this, what has the same kind, causes and effects is drawn as one node."""
LETTERS = {
    NodeKind.DATA: "D",
    NodeKind.CODE: "C",
    NodeKind.PARAMS: "P",
    NodeKind.ENVIRONMENT: "E",
    NodeKind.PIPELINE_STAGE: "S",
    NodeKind.ARTIFACT: "A",
    NodeKind.VERSION: "V",
    NodeKind.STAGE: "H",
    NodeKind.IMPORT: "I",
    NodeKind.EXPERIMENT: "X",
}
"""What tells kinds apart without colour, besides the shape; a stage is what it *holds*."""
COLOURS = {
    NodeKind.DATA: ("#0a5fb4", "#6cb2ff"),
    NodeKind.CODE: ("#6a3fb5", "#c0a2ff"),
    NodeKind.PARAMS: ("#8a5300", "#f0b34d"),
    NodeKind.ENVIRONMENT: ("#4d5b66", "#a9b8c4"),
    NodeKind.PIPELINE_STAGE: ("#00707a", "#4fc9d3"),
    NodeKind.ARTIFACT: ("#22713a", "#6fce8a"),
    NodeKind.VERSION: ("#b3261e", "#ff8f85"),
    NodeKind.STAGE: ("#9a2a78", "#f08fce"),
    NodeKind.IMPORT: ("#0a5fb4", "#6cb2ff"),
    NodeKind.EXPERIMENT: ("#6b6100", "#d9cc52"),
}
"""On light and on dark paper: at least 4.5:1 against it."""
_BASE = {
    "ink": ("#1b1f24", "#e8ecf1"),
    "muted": ("#57606a", "#a3adb8"),
    "paper": ("#ffffff", "#161b22"),
    "line": ("#7d8792", "#7f8a96"),
    "focus": ("#0550ae", "#8ec5ff"),
}
_WIDTH, _HEIGHT = 216, 50
_COLUMN, _ROW = _WIDTH + 48, _HEIGHT + 12
_MARGIN = 16
_INSET = 36
"""Where the text begins: right of the letter."""
_FONT = 12
_CHARACTER = 0.62 * _FONT
"""Width of a character of a monospaced font; most have 0.6."""
_FIT = int((_WIDTH - _INSET - 14) / _CHARACTER)
_FOLDED = {NodeKind.DATA: "files", NodeKind.CODE: "code files", NodeKind.PARAMS: "params", NodeKind.IMPORT: "imports"}
_not_xml = re.compile("[\ufffe\uffff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A node of the picture: a node of the graph, or several alike."""

    node: Node
    number: int
    """Of the (first) node in the lineage, from 0."""
    members: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What is drawn of a lineage."""

    nodes: tuple[Drawn, ...]
    edges: tuple[tuple[str, str, EdgeKind], ...]
    """Ids of cause and effect, among `nodes`."""
    stands_for: Mapping[str, int]
    """Id of each node of the lineage -> number of the drawn node that it is, or is part of."""


def text(value: str) -> str:
    """A clean text as it stands in HTML and XML, also in a quoted attribute."""
    return escape(_not_xml.sub("\ufffd", value.replace("\t", "    ")), quote=True)


def draw(lineage: Lineage, *, id_prefix: str = "", links: bool = False) -> str:
    """One `<svg>` element, for HTML or a file of its own.

    Args:
        id_prefix: begins all ids, so that several drawings have room in one page: ASCII letters, digits, `-`, `_`.
        links: make each node a link to the element `{id_prefix}nN`, N its place in `lineage.nodes` from 0; the node
            itself is `{id_prefix}gN`.  Without, the drawing is one image to whoever cannot see it.

    Raises `ValueError` for another prefix.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]*", id_prefix):
        raise ValueError(f"no prefix of ids: {id_prefix!r}")
    lineage = clean(lineage)
    picture = fold(lineage)
    drawn, edges = picture.nodes, picture.edges
    layout = lay_out((one.node.id for one in drawn), ((a, b) for a, b, _ in edges))
    width = 2 * _MARGIN + max(layout.layers, 1) * _COLUMN - (_COLUMN - _WIDTH)
    height = round(2 * _MARGIN + max(layout.rows, 1.0) * _ROW - (_ROW - _HEIGHT))
    root = by_id(lineage)[lineage.root]
    told = f"Lineage of {root.label}: {len(lineage.nodes)} nodes, {len(lineage.edges)} edges, causes left of effects"
    if len(drawn) < len(lineage.nodes):
        told += f"; drawn as {len(drawn)} nodes"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="lineage" role="{"group" if links else "img"}" '
        f'aria-label="{text(told)}" width="{width}" height="{height}" viewBox="0 0 {width} {height}">',
        f"<style>{style()}</style>",
        f'<defs><marker id="{id_prefix}arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
        'markerUnits="userSpaceOnUse" orient="auto"><path class="lineage-tip" d="M0 0L8 4L0 8z"/></marker></defs>',
        '<g aria-hidden="true">',
        *(_edge(a, b, kind, layout, id_prefix) for a, b, kind in edges),
        "</g>",
        *(_node(one, layout, lineage.root, id_prefix, links) for one in drawn),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


# What is drawn ---------------------------------------------------------------------------------------------------


def fold(lineage: Lineage) -> Picture:
    """The nodes and edges of the picture: those of a clean lineage, or fewer where there are more than `MAX_NODES`."""
    numbers = {node.id: number for number, node in enumerate(lineage.nodes)}
    groups = {node.id: [node.id] for node in lineage.nodes}
    if len(lineage.nodes) > MAX_NODES:
        groups = _alike(lineage)
    leader = {member: first for first, members in groups.items() for member in members}
    nodes = by_id(lineage)
    edges = dict.fromkeys((leader[edge.source], leader[edge.target], edge.kind) for edge in lineage.edges)
    return Picture(
        nodes=tuple(
            Drawn(node=_named(nodes[first], len(members)), number=numbers[first], members=len(members))
            for first, members in groups.items()
        ),
        edges=tuple(edges),
        stands_for={node.id: numbers[leader[node.id]] for node in lineage.nodes},
    )


def _alike(lineage: Lineage) -> dict[str, list[str]]:
    causes: dict[str, list[tuple[str, EdgeKind]]] = {}
    effects: dict[str, list[tuple[str, EdgeKind]]] = {}
    for edge in lineage.edges:
        causes.setdefault(edge.target, []).append((edge.source, edge.kind))
        effects.setdefault(edge.source, []).append((edge.target, edge.kind))
    found: dict[object, list[str]] = {}
    for node in lineage.nodes:
        alone = node.kind not in _FOLDED or node.id == lineage.root
        around = (tuple(causes.get(node.id, ())), tuple(effects.get(node.id, ())))
        found.setdefault(node.id if alone else (node.kind, around), []).append(node.id)
    return {members[0]: members for members in found.values()}


def _named(node: Node, count: int) -> Node:
    if count == 1:
        return node
    return replace(node, label=f"{count} {_FOLDED[node.kind]}", digest=None, origin=None, details={}, returned=())


# Shapes ----------------------------------------------------------------------------------------------------------


def _node(one: Drawn, layout: Layout, root: str, prefix: str, links: bool) -> str:
    node = one.node
    layer, row = layout.places[node.id]
    x, y = _MARGIN + layer * _COLUMN, _middle(row) - _HEIGHT / 2
    kind = f"lineage-{node.kind.value}" + (" lineage-root" if node.id == root else "")
    below = f"{node.origin.commit[:8]} {stamp(node.origin.at)[:10]}" if node.origin else node.kind.value
    inner = _WIDTH - _INSET - 8
    body = (
        f"<title>{text(_tooltip(one))}</title>"
        f'<path class="lineage-box" d="{_shape(node.kind)}"/>{_extra(node.kind, node.id == root)}'
        f'<text class="lineage-letter" x="{_INSET / 2 + 3:g}" y="31" aria-hidden="true">{LETTERS[node.kind]}</text>'
        f'<svg x="{_INSET}" y="0" width="{inner}" height="{_HEIGHT}">'
        f'<text class="lineage-name" x="0" y="24">{text(shortened(node.label, _FIT))}</text>'
        f'<text class="lineage-more" x="0" y="40">{text(shortened(below, _FIT))}</text></svg>'
    )
    if links:
        body = f'<a href="#{prefix}n{one.number}">{body}</a>'
    return f'<g id="{prefix}g{one.number}" class="lineage-node {kind}" transform="translate({x} {y:.1f})">{body}</g>'


def _tooltip(one: Drawn) -> str:
    node = one.node
    lines = [node.label, node.kind.value]
    if node.digest:
        lines.append(node.digest)
    if node.origin:
        lines.append(f"{node.origin.commit[:12]} {node.origin.author.name} {stamp(node.origin.at)[:10]}")
    return "\n".join(lines)


def _shape(kind: NodeKind) -> str:
    """The outline, in a box of its own."""
    w, h = _WIDTH, _HEIGHT
    if kind in (NodeKind.DATA, NodeKind.IMPORT):
        return f"M0 4C0 -1.3 {w} -1.3 {w} 4V{h - 4}C{w} {h + 1.3:g} 0 {h + 1.3:g} 0 {h - 4}z"
    if kind in (NodeKind.CODE, NodeKind.PARAMS, NodeKind.ENVIRONMENT):
        return f"M0 0H{w - 12}L{w} 12V{h}H0z"
    if kind is NodeKind.EXPERIMENT:
        return f"M10 0H{w - 10}L{w} {h / 2:g}L{w - 10} {h}H10L0 {h / 2:g}z"
    if kind is NodeKind.STAGE:
        return f"M0 0H{w - 14}L{w} {h / 2:g}L{w - 14} {h}H0z"
    radius = {NodeKind.ARTIFACT: h / 2, NodeKind.VERSION: 6}.get(kind, 0)
    return (
        f"M{radius:g} 0H{w - radius:g}A{radius:g} {radius:g} 0 0 1 {w} {radius:g}V{h - radius:g}"
        f"A{radius:g} {radius:g} 0 0 1 {w - radius:g} {h}H{radius:g}A{radius:g} {radius:g} 0 0 1 0 {h - radius:g}"
        f"V{radius:g}A{radius:g} {radius:g} 0 0 1 {radius:g} 0z"
    )


def _extra(kind: NodeKind, root: bool) -> str:
    """Lines inside the outline."""
    w, h = _WIDTH, _HEIGHT
    if kind in (NodeKind.DATA, NodeKind.IMPORT):
        return f'<path class="lineage-fine" d="M0 4C0 9.3 {w} 9.3 {w} 4"/>'
    if kind in (NodeKind.CODE, NodeKind.PARAMS, NodeKind.ENVIRONMENT):
        return f'<path class="lineage-fine" d="M{w - 12} 0V12H{w}"/>'
    if kind is NodeKind.PIPELINE_STAGE:
        return f'<path class="lineage-bar" d="M0 0H6V{h}H0z"/>'
    if kind is NodeKind.VERSION and root:
        return f'<rect class="lineage-fine" x="4" y="4" width="{w - 8}" height="{h - 8}" rx="3"/>'
    return ""


def _edge(a: str, b: str, kind: EdgeKind, layout: Layout, prefix: str) -> str:
    """A curve from the right side of the cause to the left side of the effect, through its bends."""
    (from_layer, from_row), (to_layer, to_row) = layout.places[a], layout.places[b]
    bends = layout.bends.get((a, b), ())
    x, y = _MARGIN + from_layer * _COLUMN + _WIDTH, _middle(from_row)
    path = [f"M{x} {y:.1f}"]
    for layer, row in bends:
        left, level = _MARGIN + layer * _COLUMN, _middle(row)
        path.append(f"{_curve(x, y, left, level)}H{left + _WIDTH}")
        x, y = left + _WIDTH, level
    path.append(_curve(x, y, _MARGIN + to_layer * _COLUMN, _middle(to_row)))
    return f'<path class="lineage-edge lineage-{kind.value}" d="{"".join(path)}" marker-end="url(#{prefix}arrow)"/>'


def _curve(x: int, y: float, to_x: int, to_y: float) -> str:
    half = (x + to_x) / 2
    return f"C{half:g} {y:.1f} {half:g} {to_y:.1f} {to_x} {to_y:.1f}"


def _middle(row: float) -> float:
    return _MARGIN + row * _ROW - (_ROW - _HEIGHT) / 2


# Text and colour -------------------------------------------------------------------------------------------------


def shortened(words: str, fit: int) -> str:
    """At most as wide as `fit` Latin letters in a monospaced font: the middle gives way to an ellipsis."""
    if len(words) <= fit and words.isascii():
        return words
    widths = [_cells(character) for character in words[: 4 * fit]]
    if len(words) <= 4 * fit and sum(widths) <= fit:
        return words
    head = _taken(words, (fit - 1) // 3)
    tail = _taken(words[::-1], fit - 1 - (fit - 1) // 3)[::-1]
    return f"{head}…{tail}"


def _taken(words: str, fit: float) -> str:
    used = 0.0
    for at, character in enumerate(words[: int(4 * fit)]):
        used += _cells(character)
        if used > fit:
            return words[:at]
    return words[: int(4 * fit)]


def _cells(character: str) -> float:
    """Widths of a letter that it takes, rather too many: fonts for other scripts are not monospaced."""
    # Marks take none of their own, but many in a row get room from some fonts.
    if character.isascii() or unicodedata.combining(character):
        return 1.0
    return 2.0 if unicodedata.east_asian_width(character) in ("W", "F") else 1.6


def style() -> str:
    """The drawing's rules, which touch nothing else on a page."""
    return "".join(
        (f".lineage{{{_colours(0)}}}@media(prefers-color-scheme:dark){{.lineage{{{_colours(1)}}}}}", *_rules())
    )


def _colours(side: int) -> str:
    known: Mapping[str, tuple[str, str]] = {**_BASE, **{kind.value: both for kind, both in COLOURS.items()}}
    return ";".join(f"--l-{name}:var(--lineage-{name},{both[side]})" for name, both in known.items())


def _rules() -> Iterator[str]:
    yield (
        f".lineage text{{font:{_FONT}px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:var(--l-ink)}}"
        ".lineage-node .lineage-more{fill:var(--l-muted)}"
        ".lineage-node .lineage-name{font-weight:600}"
        ".lineage-node .lineage-letter{font-weight:700;font-size:15px;text-anchor:middle;fill:var(--l-kind)}"
        ".lineage-box{fill:var(--l-paper);stroke:var(--l-kind);stroke-width:1.5}"
        ".lineage-fine{fill:none;stroke:var(--l-kind)}"
        ".lineage-bar{fill:var(--l-kind)}"
        ".lineage-root .lineage-box{stroke-width:3}"
        ".lineage-edge{fill:none;stroke:var(--l-line);stroke-width:1.25}"
        ".lineage-edge.lineage-previous{stroke-dasharray:6 4}"
        ".lineage-tip{fill:var(--l-line)}"
        ".lineage-import .lineage-box{stroke-dasharray:5 3}"
        ".lineage-environment .lineage-box{stroke-dasharray:2 3}"
        ".lineage a{outline:none;cursor:pointer}"
        ".lineage a:hover .lineage-box,.lineage a:focus .lineage-box,.lineage-node:target .lineage-box"
        "{stroke:var(--l-focus);stroke-width:3.5}"
        ".lineage a:focus .lineage-name,.lineage a:hover .lineage-name{text-decoration:underline}"
    )
    for kind in NodeKind:
        yield f".lineage-{kind.value}{{--l-kind:var(--l-{kind.value})}}"
