"""A lineage as OpenLineage events, one JSON object a line.  Pure.

Source: OpenLineage's specification 2-0-2.  A pipeline stage is a run of a job; so is what made a version, put it into a
stage, or imported data.  What took no part in any is told by a `DatasetEvent`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from dvc_modelver.core.lineage import Lineage, Node, NodeKind
from dvc_modelver.core.tagobjects import EPOCH
from dvc_modelver.integrations.documents import (
    PRODUCER,
    TOOL,
    by_id,
    clean,
    dumps,
    is_url,
    line,
    stable_uuid,
    stamp,
    touches,
    uri,
)

SPEC = "https://openlineage.io/spec"
_EVENT = f"{SPEC}/2-0-2/OpenLineage.json#/$defs/"
FACETS = {
    "DatasetTypeDatasetFacet": "1-0-1",
    "DatasetVersionDatasetFacet": "1-0-1",
    "JobTypeJobFacet": "2-0-4",
    "SourceCodeJobFacet": "1-0-1",
    "SourceCodeLocationJobFacet": "1-1-0",
    "TagsDatasetFacet": "1-0-0",
    "TagsJobFacet": "1-0-0",
    "TagsRunFacet": "1-0-0",
}
"""Each facet's own version of its schema."""
_JOB_TYPES = {NodeKind.PIPELINE_STAGE: "TASK", NodeKind.VERSION: "RELEASE", NodeKind.STAGE: "PROMOTION"}
_FILES = {NodeKind.DATA, NodeKind.CODE, NodeKind.ARTIFACT, NodeKind.PARAMS, NodeKind.ENVIRONMENT}
Facet = dict[str, object]


@dataclass(slots=True)
class _Run:
    """What one job read and wrote: ids of nodes."""

    inputs: dict[str, None] = field(default_factory=dict)
    outputs: dict[str, None] = field(default_factory=dict)


def render(lineage: Lineage, repository: str | None = None) -> str:
    """The events in the order of the nodes' ids; the same run always has the same id.

    Args:
        repository: the repository's URL, else the one that the lineage knows: the namespace of its jobs and files,
            which else is `dvc`.  Two repositories must not share one where their events meet.
    """
    lineage = clean(lineage)
    nodes, runs = by_id(lineage), _runs(lineage)
    repository = line(repository) if repository else nodes[lineage.root].details.get("repository")
    namespace = _address(repository) if repository else "dvc"
    met = {id for run in runs.values() for id in (*run.inputs, *run.outputs)} | set(runs)
    events = [
        _run_event(node, runs[node.id], nodes, namespace, lineage)
        if node.id in runs
        else _dataset_event(node, namespace, lineage)
        for node in lineage.nodes
        if node.id in runs or node.id not in met
    ]
    return "".join(f"{dumps(event, indent=None)}\n" for event in events)


def _runs(lineage: Lineage) -> Mapping[str, _Run]:
    nodes = by_id(lineage)
    runs = {node.id: _Run() for node in lineage.nodes if node.kind is NodeKind.PIPELINE_STAGE}
    for edge in lineage.edges:
        from_run, to_run = touches(edge, nodes)
        if from_run and not to_run:
            runs[edge.source].outputs[edge.target] = None
            continue
        run = runs.setdefault(edge.target, _Run())
        run.inputs[edge.source] = None
        if not to_run:
            run.outputs[edge.target] = None
    return runs


def _run_event(node: Node, run: _Run, nodes: Mapping[str, Node], namespace: str, lineage: Lineage) -> dict[str, object]:
    commit = node.origin.commit if node.origin else ""
    facts = [*_origin(node), *_notes(node, lineage)]
    return {
        "eventType": "COMPLETE",
        "eventTime": stamp(_when(node, [nodes[id] for id in (*run.outputs, *run.inputs)])),
        "producer": PRODUCER,
        "schemaURL": f"{_EVENT}RunEvent",
        "run": {
            "runId": stable_uuid("run", commit, node.id),
            "facets": {"tags": _facet("TagsRunFacet", tags=_tags(facts))} if facts else {},
        },
        "job": {"namespace": namespace, "name": _job_name(node), "facets": _job_facets(node, namespace)},
        "inputs": [_dataset(nodes[id], namespace) for id in run.inputs],
        "outputs": [_dataset(nodes[id], namespace) for id in run.outputs],
    }


def _dataset_event(node: Node, namespace: str, lineage: Lineage) -> dict[str, object]:
    return {
        "eventTime": stamp(_when(node, ())),
        "producer": PRODUCER,
        "schemaURL": f"{_EVENT}DatasetEvent",
        "dataset": _dataset(node, namespace, _notes(node, lineage)),
    }


def _when(node: Node, others: Iterable[Node]) -> datetime:
    """Every event needs a time: when its own commit, else the youngest commit around it, was written."""
    if node.origin:
        return node.origin.at
    return max((other.origin.at for other in others if other.origin), default=EPOCH)


def _job_name(node: Node) -> str:
    return node.label if node.kind is NodeKind.PIPELINE_STAGE else f"{node.kind.value}:{node.label}"


def _job_facets(node: Node, namespace: str) -> dict[str, Facet]:
    kind = _JOB_TYPES.get(node.kind, "IMPORT")
    facts = [("id", node.id), ("kind", node.kind.value)]
    facts += [(key, value) for key, value in node.details.items() if key != "cmd"]
    facets = {
        "jobType": _facet("JobTypeJobFacet", processingType="BATCH", integration="DVC", jobType=kind),
        "tags": _facet("TagsJobFacet", tags=_tags(facts)),
    }
    if cmd := node.details.get("cmd"):
        facets["sourceCode"] = _facet("SourceCodeJobFacet", language="sh", sourceCode=cmd)
    if node.origin and is_url(namespace):
        known = {"repoUrl": namespace, "version": node.origin.commit, "path": node.origin.path}
        facets["sourceCodeLocation"] = _facet("SourceCodeLocationJobFacet", type="git", url=namespace, **known)
    return facets


def _dataset(node: Node, namespace: str, more: list[tuple[str, str]] | None = None) -> dict[str, object]:
    facts = [("id", node.id), ("kind", node.kind.value), *_origin(node), *node.details.items(), *(more or [])]
    if node.size is not None:
        facts.append(("size", str(node.size)))
    facets = {
        "datasetType": _facet("DatasetTypeDatasetFacet", datasetType=_dataset_type(node), subType=node.kind.value),
        "tags": _facet("TagsDatasetFacet", tags=_tags(facts)),
    }
    if node.digest:
        facets["version"] = _facet("DatasetVersionDatasetFacet", datasetVersion=node.digest)
    where, name = _place(node, namespace)
    return {"namespace": where, "name": name, "facets": facets}


def _dataset_type(node: Node) -> str:
    return "MODEL" if node.kind in {NodeKind.ARTIFACT, NodeKind.VERSION} else "FILE"


def _place(node: Node, namespace: str) -> tuple[str, str]:
    """OpenLineage's names: `s3://bucket` and the key; else the repository, which may be another, and the path in it."""
    if node.path and node.kind in _FILES:
        if is_url(node.path):
            scheme, _, rest = uri(node.path).partition("://")
            host, _, key = rest.partition("/")
            return f"{scheme}://{host}", key or "/"
        other = node.details.get("repository")
        here = namespace if other is None else _address(other)
        return ("file" if node.path.startswith("/") else here), node.path
    return namespace, f"{node.kind.value}:{node.label}"


def _address(repository: str) -> str:
    return uri(repository) if is_url(repository) else repository


def _origin(node: Node) -> list[tuple[str, str]]:
    if node.origin is None:
        return []
    author = f"{node.origin.author.name} <{node.origin.author.email}>"
    found = {"commit": node.origin.commit, "author": author, "at": stamp(node.origin.at), "path": node.origin.path}
    return [*found.items(), *(("returned", commit) for commit in node.returned)]


def _notes(node: Node, lineage: Lineage) -> list[tuple[str, str]]:
    return [("note", note) for note in lineage.notes] if node.id == lineage.root else []


def _tags(facts: list[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"key": key, "value": value, "source": TOOL} for key, value in facts]


def _facet(name: str, **fields: object) -> Facet:
    return {"_producer": PRODUCER, "_schemaURL": f"{SPEC}/facets/{FACETS[name]}/{name}.json#/$defs/{name}", **fields}
