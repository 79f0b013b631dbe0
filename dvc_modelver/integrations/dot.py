"""A lineage in Graphviz' language.  Pure.

Source: Graphviz' documentation of DOT (in a quoted string a backslash escapes a quote alone) and of `escString`
(labels read backslashes and HTML entities).
"""

from __future__ import annotations

from dvc_modelver.core.lineage import Lineage, Node, NodeKind
from dvc_modelver.integrations.documents import caption, clean

_SHAPES = {
    NodeKind.DATA: "cylinder",
    NodeKind.IMPORT: "cylinder",
    NodeKind.CODE: "note",
    NodeKind.PARAMS: "note",
    NodeKind.ENVIRONMENT: "note",
    NodeKind.PIPELINE_STAGE: "box",
    NodeKind.EXPERIMENT: "hexagon",
    NodeKind.ARTIFACT: "component",
    NodeKind.VERSION: "box3d",
    NodeKind.STAGE: "house",
}


def render(lineage: Lineage) -> str:
    """The graph from left to right, nodes named by their ids; what is missing stands below it."""
    lineage = clean(lineage)
    lines = ["digraph lineage {", "  rankdir=LR;"]
    if lineage.notes:
        lines.append(f'  label="{_lines(*lineage.notes)}";')
    lines += [f"  {_quoted(node.id)} [{_attributes(node, lineage.root)}];" for node in lineage.nodes]
    for edge in lineage.edges:
        lines.append(f'  {_quoted(edge.source)} -> {_quoted(edge.target)} [label="{edge.kind.value}"];')
    return "\n".join([*lines, "}"]) + "\n"


def _attributes(node: Node, root: str) -> str:
    border = " penwidth=3" if node.id == root else ""
    return f'label="{_lines(node.label, caption(node))}" shape={_SHAPES[node.kind]}{border}'


def _lines(*texts: str) -> str:
    return r"\n".join(_escaped(text) for text in texts)


def _escaped(text: str) -> str:
    r"""For an `escString`: a backslash is `\\`, and what could be an entity is one."""
    return text.replace("\\", "\\\\").replace("&", "&amp;").replace('"', "&quot;")


def _quoted(id: str) -> str:
    """As a name: what follows a backslash inside the quotes is never the closing quote."""
    escaped = id.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
