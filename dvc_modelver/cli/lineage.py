"""`modelver lineage`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Annotated

import typer

from dvc_modelver.cli.answer import Answer, Json, author_json, shown
from dvc_modelver.cli.arguments import REFERENCE, REPO, opened
from dvc_modelver.cli.shell import command
from dvc_modelver.commands.project import Surroundings
from dvc_modelver.core.lineage import Edge, EdgeKind, Lineage, Node, NodeKind, Origin
from dvc_modelver.core.text import one_line
from dvc_modelver.errors import BadInput

_TREE = "tree"
_JSON = "json"
_MODULES = ("mermaid", "dot", "html", "openlineage", "prov", "cyclonedx", "rocrate")
"""Formats that are made by the module of that name in `integrations`, which has `render(lineage)`."""
_ORDER = tuple(NodeKind)


@command
def run(
    around: Surroundings,
    reference: REFERENCE,
    form: Annotated[
        str,
        typer.Option(
            "--format", metavar="NAME", help="tree, json, mermaid, dot, html, and others.", show_default="tree"
        ),
    ] = _TREE,
    repo: REPO = None,
) -> Answer:
    """Show where a version comes from: pipeline stages, data, code, params, and who first made each of them.

    A digest's origin is the first commit that has it, in the history of the version's commit.

    \b
    Examples:
      modelver lineage churn@v1.2.0
      modelver lineage churn#prod --format mermaid
      modelver lineage churn#prod --format html > lineage.html
      modelver lineage churn --json
    """
    from dvc_modelver.commands.provenance.lineage import lineage

    render = _renderer(form)
    with opened(around, repo, reference) as project:
        return lineage_answer(lineage(project, project.resolve(reference)), render)


def _renderer(form: str) -> Callable[[Lineage], str] | None:
    """What makes the format; None for the tree.  Raises `BadInput` for one that nobody makes."""
    if form == _TREE:
        return None
    if form == _JSON:
        return _json_text
    package = "dvc_modelver.integrations"
    known = [name for name in _MODULES if find_spec(f"{package}.{name}") is not None]
    if form not in known:
        raise BadInput(f"there is no format {form}", hint=f"one of {', '.join((_TREE, _JSON, *known))}")
    render: Callable[[Lineage], str] = import_module(f"{package}.{form}").render
    return render


def _json_text(lineage: Lineage) -> str:
    import json

    from dvc_modelver.cli.answer import plain
    from dvc_modelver.cli.shell import SCHEMA

    return json.dumps({"schema": SCHEMA, **{key: plain(v) for key, v in lineage_json(lineage).items()}}, indent=2)


def lineage_answer(lineage: Lineage, render: Callable[[Lineage], str] | None = None) -> Answer:
    """The graph in every form; `render` makes what stands on stdout, the text tree when there is none."""
    lines = tuple(_lines(lineage)) if render is None else tuple(render(lineage).rstrip("\n").split("\n"))
    word = "note" if lineage.complete else "incomplete"
    return Answer(data=lineage_json(lineage), lines=lines, notes=tuple(f"{word}: {one_line(n)}" for n in lineage.notes))


def lineage_json(lineage: Lineage) -> Json:
    """The graph with the contract's keys."""
    return {
        "root": lineage.root,
        "nodes": [_node_json(node) for node in lineage.nodes],
        "edges": [{"from": edge.source, "to": edge.target, "kind": edge.kind} for edge in lineage.edges],
        "complete": lineage.complete,
        "notes": list(lineage.notes),
    }


def _node_json(node: Node) -> Json:
    return {
        "id": node.id,
        "kind": node.kind,
        "label": node.label,
        "path": node.path,
        "digest": node.digest,
        "size": node.size,
        "origin": None if node.origin is None else _origin_json(node.origin),
        "returned": list(node.returned),
        "details": dict(node.details),
    }


def _origin_json(origin: Origin) -> Json:
    return {
        "commit": origin.commit,
        "author": author_json(origin.author),
        "at": origin.at,
        "path": origin.path,
    }


# For people -----------------------------------------------------------------------------------------------------


def _lines(lineage: Lineage) -> Iterator[str]:
    """The version with its causes below it, then the stages that hold it, then what was measured of the artifact."""
    nodes = {node.id: node for node in lineage.nodes}
    causes: dict[str, list[Edge]] = {}
    for edge in lineage.edges:
        causes.setdefault(edge.target, []).append(edge)
    told: set[str] = set()
    yield from _tree(lineage.root, nodes, causes, told)
    after = [edge for edge in lineage.edges if edge.kind is EdgeKind.PROMOTED and edge.source == lineage.root]
    if after:
        yield from ("", "held by", *(f"  {_words(nodes[edge.target])}" for edge in after))
    rest = [node for node in lineage.nodes if node.id not in told and node.kind is not NodeKind.STAGE]
    inner = {edge.source for edge in lineage.edges}
    if rest:
        yield from ("", "measured by")
    for node in rest:
        if node.id not in inner:
            yield from _tree(node.id, nodes, causes, told)


def _tree(root: str, nodes: Mapping[str, Node], causes: Mapping[str, list[Edge]], told: set[str]) -> Iterator[str]:
    """Depth first without recursion; what was told before is named again without its causes."""
    pending: list[tuple[str, str, str]] = [(root, "", "")]
    while pending:
        node, branch, below = pending.pop()
        again = node in told
        found = sorted(
            (edge.source for edge in causes.get(node, ())), key=lambda id: (_ORDER.index(nodes[id].kind), id)
        )
        yield f"{branch}{_words(nodes[node])}{' (above)' if again and found else ''}"
        told.add(node)
        if not again:
            last = len(found) - 1
            pending += [
                (cause, f"{below}{'└── ' if n == last else '├── '}", f"{below}{'    ' if n == last else '│   '}")
                for n, cause in reversed(list(enumerate(found)))
            ]


def _words(node: Node) -> str:
    parts = [f"{node.kind.value} {one_line(node.label)}", _short(node.digest), _first(node)]
    if node.returned:
        parts.append(f"came back in {', '.join(commit[:7] for commit in node.returned[:3])}")
        parts[-1] += f" and {len(node.returned) - 3} more" if len(node.returned) > 3 else ""
    return "  ".join(part for part in parts if part)


def _short(digest: str | None) -> str:
    if digest is None:
        return ""
    kind, colon, text = digest.partition(":")
    suffix = ".dir" if text.endswith(".dir") else ""
    return f"{kind}{colon}{text[:10]}{suffix}"


def _first(node: Node) -> str:
    origin = node.origin
    if origin is None:
        return ""
    verb = {NodeKind.VERSION: "released", NodeKind.STAGE: "promoted"}.get(node.kind, "first in")
    where = f"{verb} {origin.commit[:7]} by {shown(origin.author.name or '?')} on {origin.at:%Y-%m-%d}"
    moved = node.path is not None and node.kind is not NodeKind.PIPELINE_STAGE and origin.path != node.path
    return f"{where}, as {one_line(origin.path)}" if moved else where
