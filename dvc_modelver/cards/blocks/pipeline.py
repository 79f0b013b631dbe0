"""The block `pipeline`: how the model was made and measured, as a Mermaid flowchart and a table of commands.  Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from dvc_modelver.cards.escape import code_cell
from dvc_modelver.cards.facts import CardFacts
from dvc_modelver.cards.tables import MAX_CELL, clip, table
from dvc_modelver.core.facts import Source
from dvc_modelver.core.markdown import fenced
from dvc_modelver.core.mermaid import escape_label
from dvc_modelver.core.recipe import Kind, Step

MAX_NODES = 60
MAX_EDGES = 300
"""What GitHub draws ends at 500 edges, and a reader's patience before that."""
Node = tuple[str, str]
"""(`stage`, `data`, `model` or `metrics`; name or path)"""
_SHAPES = {"stage": '["{}"]', "data": '[("{}")]', "model": '(["{}"])', "metrics": '[/"{}"/]'}
_WITHOUT_PIPELINE = {
    Source.DVC: "No pipeline stage writes this model: its file was added with `dvc add`.",
    Source.GIT: "No pipeline stage writes this model: its file is kept in Git.",
    Source.URL: "No pipeline stage writes this model: it is kept at a URL.",
    Source.STAGE: "The commit does not say how the pipeline stage that writes this model ran.",
    Source.MISSING: "The commit does not say what writes this model.",
}


@dataclass(slots=True)
class _Graph:
    """Nodes and edges in the order in which they were met."""

    nodes: dict[Node, str] = field(default_factory=dict)
    """Node -> its id."""
    edges: dict[tuple[str, str], None] = field(default_factory=dict)

    def node(self, node: Node) -> str:
        return self.nodes.setdefault(node, f"n{len(self.nodes) + 1}")

    def edge(self, start: Node, end: Node) -> None:
        self.edges[self.node(start), self.node(end)] = None


def render(facts: CardFacts) -> str:
    """The picture and the commands; a sentence where no pipeline stage wrote the model."""
    recipe = facts.recipe
    steps = (*recipe.steps, *recipe.evaluation)
    parts = [] if recipe.steps else [_without_pipeline(facts)]
    if steps:
        parts += [_picture(_graph(facts, steps), len(steps)), _commands(steps)]
    return "\n\n".join(parts)


def _without_pipeline(facts: CardFacts) -> str:
    if facts.recipe.origin is not None:
        return "No pipeline stage writes this model: it was imported with DVC."
    return _WITHOUT_PIPELINE[facts.artifact.source]


def _graph(facts: CardFacts, steps: tuple[Step, ...]) -> _Graph:
    graph = _Graph()
    names = {step.name for step in steps}
    for step in steps:
        stage = ("stage", step.name)
        for item in (item for item in step.inputs if item.kind is not Kind.CODE):
            read = _file(facts, item.output.path)
            if item.kind is Kind.STAGE and item.by in names:
                graph.edge(("stage", item.by), read)
            graph.edge(read, stage)
        graph.node(stage)
        for wrote in (_file(facts, out.path) for out in step.outs):
            if wrote[0] != "data":  # what no stage reads would only fill the picture
                graph.edge(stage, wrote)
    return graph


def _file(facts: CardFacts, path: str) -> Node:
    if facts.is_model(path):
        return "model", facts.artifact.path or path
    measured = path in facts.metrics or path in facts.metric_digests
    return "metrics" if measured else "data", path


def _picture(graph: _Graph, stages: int) -> str:
    if len(graph.nodes) > MAX_NODES or len(graph.edges) > MAX_EDGES:
        many = f"{stages} pipeline stage{'' if stages == 1 else 's'}"
        return f"The pipeline is too large for a picture: {many}, {len(graph.edges)} edges. The stages are:"
    lines = [f"{node}{_SHAPES[kind].format(escape_label(text))}" for (kind, text), node in graph.nodes.items()]
    lines += [f"{start} --> {end}" for start, end in graph.edges]
    lines += [f"style {node} stroke-width:4px" for (kind, _), node in graph.nodes.items() if kind == "model"]
    # Not `cards.escape.fence`: what that hides behind `-token ` may end in a label's closing quote.
    return fenced("\n    ".join(["flowchart LR", *lines]), "mermaid")


def _commands(steps: tuple[Step, ...]) -> str:
    return table(["Pipeline stage", "Command"], [[code_cell(clip(step.name)), _command(step.cmd)] for step in steps])


def _command(cmd: str | None) -> str:
    lines = (cmd or "").replace("\\\n", " ").split("\n")
    return code_cell(clip(" && ".join(line.strip() for line in lines if line.strip()), MAX_CELL)) or "-"
