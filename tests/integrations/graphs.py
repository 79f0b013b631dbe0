"""Lineages made by hand, named by their shape, and what reads them in every format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone

from hypothesis import strategies as st

from dvc_modelver.core.lineage import Edge, EdgeKind, Lineage, Node, NodeKind, Origin
from dvc_modelver.core.tagobjects import Identity
from dvc_modelver.integrations import cyclonedx, dot, html, mermaid, openlineage, prov, rocrate
from tests.cards.values import HOSTILE

RENDERERS: dict[str, Callable[[Lineage], str]] = {
    "mermaid": mermaid.render,
    "dot": dot.render,
    "html": html.render,
    "openlineage": openlineage.render,
    "prov": prov.render,
    "cyclonedx": cyclonedx.render,
    "rocrate": rocrate.render,
}
JSON = ("openlineage", "prov", "cyclonedx", "rocrate")
ANN, BOB = Identity("Ann", "ann@example.com"), Identity("Bob", "bob@example.com")
ROOT = "version:churn@v1.2.0"
SECRETS = (
    "https://user:hunter2@host/data.csv",
    "s3://bucket/x?X-Amz-Signature=hunter2",
    "ghp_" + "hunter2" * 6,
    "train --password hunter2",
    "DB_PASSWORD=hunter2",
)
NASTY = (
    *HOSTILE,
    '"',
    '"]',
    '"] --> evil',
    'x"; evil [label="',
    "a\\",
    '\\"',
    "\\N",
    "%%",
    "#quot;",
    "../../x",
    "/etc/x",
)


def origin(digit: str = "1", author: Identity = ANN, path: str = "data/raw.csv") -> Origin:
    return Origin(
        commit=digit * 40, author=author, at=datetime(2026, 1, int(digit) + 1, tzinfo=timezone.utc), path=path
    )


def node(kind: NodeKind, name: str, digest: str | None = None, **more: object) -> Node:
    id = f"{kind.value}:{name}" + (f"@{digest}" if digest else "")
    path = None if kind in {NodeKind.VERSION, NodeKind.STAGE, NodeKind.EXPERIMENT} else name
    return Node(**({"id": id, "kind": kind, "label": name, "path": path, "digest": digest} | more))  # type: ignore[arg-type]


def graph(nodes: list[Node], edges: list[tuple[Node, Node, EdgeKind]], **more: object) -> Lineage:
    made = {Edge(source=source.id, target=target.id, kind=kind) for source, target, kind in edges}
    return Lineage(
        root=ROOT,
        nodes=tuple(sorted(nodes, key=lambda found: found.id)),
        edges=tuple(sorted(made, key=lambda edge: (edge.source, edge.target, edge.kind.value))),
        **more,  # type: ignore[arg-type]
    )


def md5(digit: str) -> str:
    return f"md5:{digit * 32}"


RAW = node(NodeKind.DATA, "data/raw.csv", md5("a"), size=1000, origin=origin(), returned=("8" * 40,))
CLEAN = node(NodeKind.DATA, "data/clean", f"{md5('b')}.dir", size=900, origin=origin("2", BOB, "data/clean"),
             details={"sha256": "7" * 64})  # fmt: skip
CODE = node(NodeKind.CODE, "src/train.py", f"git:{'c' * 40}", origin=origin("2", ANN, "train.py"))
PARAMS = node(NodeKind.PARAMS, "params.yaml:train.seed", f"sha256:{'d' * 64}", details={"value": "42"})
ENVIRONMENT = node(NodeKind.ENVIRONMENT, "environment.json", f"sha256:{'e' * 64}")
PREPARE = node(NodeKind.PIPELINE_STAGE, "prepare", origin=origin("2", BOB, "dvc.lock"), details={"cmd": "python p.py"})
TRAIN = node(NodeKind.PIPELINE_STAGE, "train", origin=origin("3", ANN, "dvc.lock"), details={"cmd": "a\nb"})
MODEL = node(NodeKind.ARTIFACT, "models/churn.pkl", md5("f"), origin=origin("3", ANN, "models/churn.pkl"),
             details={"sha256": "9" * 64})  # fmt: skip
VERSION = node(NodeKind.VERSION, "churn@v1.2.0", origin=origin("4", BOB, "dvc.lock"), details={"tag": "churn@v1.2.0"})
BEFORE = node(NodeKind.VERSION, "churn@v1.1.0")
PROD = node(NodeKind.STAGE, "prod", details={"tag": "churn#prod#3"})
IMPORT = node(NodeKind.IMPORT, "https://host/data.git:sets/raw.csv", md5("a"),
              details={"url": "https://host/data.git", "rev": "main"})  # fmt: skip
EXPERIMENT = node(NodeKind.EXPERIMENT, "lossy-hoop")

LINEAR = graph(
    [RAW, TRAIN, MODEL, VERSION],
    [(RAW, TRAIN, EdgeKind.USED), (TRAIN, MODEL, EdgeKind.PRODUCED), (MODEL, VERSION, EdgeKind.RELEASED)],
)
DIAMOND = graph(
    [RAW, CLEAN, CODE, PARAMS, ENVIRONMENT, PREPARE, TRAIN, MODEL, BEFORE, VERSION, PROD],
    [(RAW, PREPARE, EdgeKind.USED), (RAW, TRAIN, EdgeKind.USED), (PREPARE, CLEAN, EdgeKind.PRODUCED),
     (CLEAN, TRAIN, EdgeKind.USED), (CODE, TRAIN, EdgeKind.USED), (PARAMS, TRAIN, EdgeKind.USED),
     (ENVIRONMENT, TRAIN, EdgeKind.USED), (TRAIN, MODEL, EdgeKind.PRODUCED), (MODEL, VERSION, EdgeKind.RELEASED),
     (BEFORE, VERSION, EdgeKind.PREVIOUS), (VERSION, PROD, EdgeKind.PROMOTED)],
)  # fmt: skip
IMPORTED = graph(
    [IMPORT, RAW, TRAIN, MODEL, EXPERIMENT, VERSION],
    [(IMPORT, RAW, EdgeKind.USED), (RAW, TRAIN, EdgeKind.USED), (TRAIN, MODEL, EdgeKind.PRODUCED),
     (MODEL, VERSION, EdgeKind.RELEASED), (EXPERIMENT, VERSION, EdgeKind.RELEASED)],
)  # fmt: skip
INCOMPLETE = graph([VERSION, RAW], [], complete=False, notes=("The history is shallow: it ends at 1234567.",))
ALONE = graph([node(NodeKind.VERSION, "churn@v1.2.0")], [], complete=False)
CHAINED = graph([PREPARE, TRAIN, VERSION], [(PREPARE, TRAIN, EdgeKind.PRODUCED), (TRAIN, VERSION, EdgeKind.RELEASED)])
ELSEWHERE = replace(
    RAW, id="data:https://host/data.git:data/raw.csv@-", details={"repository": "https://host/data.git"}
)
FOREIGN = graph([ELSEWHERE, RAW, VERSION], [(ELSEWHERE, RAW, EdgeKind.USED)], notes=("One import was not followed.",))
GRAPHS = {
    "chained": CHAINED,
    "foreign": FOREIGN,
    "linear": LINEAR,
    "diamond": DIAMOND,
    "imported": IMPORTED,
    "incomplete": INCOMPLETE,
    "alone": ALONE,
}


def full_of(text: str) -> Lineage:
    """The diamond and the import with `text` wherever a repository may write one."""
    both = {found.id: found for found in (*DIAMOND.nodes, *IMPORTED.nodes)}
    edges = {*DIAMOND.edges, *IMPORTED.edges}
    ids = {id: f"{found.kind.value}:{text}@{number}" for number, (id, found) in enumerate(sorted(both.items()))}
    person = Origin(commit="1" * 40, author=Identity(text, text), at=origin().at, path=text)
    nodes = [
        replace(found, id=ids[id], label=text, path=found.path and text, digest=found.digest and text, origin=person,
                details={"cmd": text, "url": text, "rev": text, "value": text, text: text}, returned=(text,))
        for id, found in both.items()
    ]  # fmt: skip
    changed = [replace(edge, source=ids[edge.source], target=ids[edge.target]) for edge in edges]
    return Lineage(
        root=ids[ROOT],
        nodes=tuple(sorted(nodes, key=lambda found: found.id)),
        edges=tuple(sorted(changed, key=lambda edge: (edge.source, edge.target, edge.kind.value))),
        complete=False,
        notes=(text,),
    )


@st.composite
def lineages(draw: st.DrawFn) -> Lineage:
    """Any graph over any texts: edges of any kind, from lower to higher node."""
    texts = draw(st.lists(st.text(max_size=20) | st.sampled_from(NASTY), min_size=1, max_size=8))
    nodes = [
        Node(id=f"{number}:{text}", kind=draw(st.sampled_from(NodeKind)), label=text,
             path=draw(st.none() | st.just(text)),
             digest=draw(st.sampled_from([None, md5("a"), f"{md5('b')}.dir", f"git:{'c' * 40}", text])),
             origin=draw(st.sampled_from([None, origin("1"), origin("2", BOB, "x")])), details={"cmd": text})
        for number, text in enumerate(texts)
    ]  # fmt: skip
    places = st.integers(0, len(nodes) - 1)
    pairs = draw(st.sets(st.tuples(places, places), max_size=12))
    edges = {
        Edge(source=nodes[low].id, target=nodes[high].id, kind=draw(st.sampled_from(EdgeKind)))
        for low, high in pairs
        if low < high
    }
    ordered = sorted(edges, key=lambda edge: (edge.source, edge.target, edge.kind.value))
    return Lineage(root=nodes[-1].id, nodes=tuple(nodes), edges=tuple(ordered))
