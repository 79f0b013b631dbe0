"""A lineage as a Mermaid flowchart.  Pure."""

from __future__ import annotations

from dvc_modelver.core.lineage import Lineage, Node, NodeKind
from dvc_modelver.core.mermaid import escape_label
from dvc_modelver.integrations.documents import caption, clean

MAX_LINE = 120
"""Characters of a path in a label: cut only where nobody reads on."""
_SHAPES = {
    NodeKind.DATA: '[("{}")]',
    NodeKind.IMPORT: '[("{}")]',
    NodeKind.CODE: '[/"{}"/]',
    NodeKind.PARAMS: '[/"{}"/]',
    NodeKind.ENVIRONMENT: '[/"{}"/]',
    NodeKind.PIPELINE_STAGE: '["{}"]',
    NodeKind.EXPERIMENT: '{{{{"{}"}}}}',
    NodeKind.ARTIFACT: '(["{}"])',
    NodeKind.VERSION: '[["{}"]]',
    NodeKind.STAGE: '>"{}"]',
}


def render(lineage: Lineage) -> str:
    """The graph from left to right, the version itself with a thick border; what is missing in dashed boxes."""
    lineage = clean(lineage)
    names = {node.id: f"n{number}" for number, node in enumerate(lineage.nodes, 1)}
    lines = ["flowchart LR"]
    lines += [f"{names[node.id]}{_SHAPES[node.kind].format(_label(node))}" for node in lineage.nodes]
    lines += [f"{names[edge.source]} -->|{edge.kind.value}| {names[edge.target]}" for edge in lineage.edges]
    lines.append(f"style {names[lineage.root]} stroke-width:4px")
    for number, note in enumerate(lineage.notes, 1):
        lines += [f'note{number}["{escape_label(note, 2 * MAX_LINE)}"]', f"style note{number} stroke-dasharray:4"]
    return "\n    ".join(lines) + "\n"


def _label(node: Node) -> str:
    return f"{escape_label(node.label, MAX_LINE)}<br/>{escape_label(caption(node), MAX_LINE)}"
