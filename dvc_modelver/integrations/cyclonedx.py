"""A lineage as a machine learning bill of materials: CycloneDX 1.6, JSON.  Pure.

Source: the CycloneDX 1.6 JSON schema.  The version is the document's subject; files, data and other versions are
components; pipeline stages are the tasks of its formulation.  `dependencies` join components: what a pipeline stage
wrote depends on what it read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from dvc_modelver.core.lineage import EdgeKind, Lineage, Node, NodeKind
from dvc_modelver.core.tagobjects import Identity
from dvc_modelver.integrations.documents import PACKAGE, TOOL, by_id, clean, dumps, is_url, stable_uuid, stamp, uri

_TYPES = {
    NodeKind.DATA: "data",
    NodeKind.IMPORT: "data",
    NodeKind.PARAMS: "data",
    NodeKind.ENVIRONMENT: "data",
    NodeKind.EXPERIMENT: "data",
    NodeKind.CODE: "file",
    NodeKind.ARTIFACT: "file",
    NodeKind.VERSION: "machine-learning-model",
    NodeKind.STAGE: "platform",
}
_CONTENTS = {
    NodeKind.DATA: "dataset",
    NodeKind.IMPORT: "dataset",
    NodeKind.PARAMS: "configuration",
    NodeKind.ENVIRONMENT: "configuration",
    NodeKind.EXPERIMENT: "other",
}
_FILES = {NodeKind.DATA, NodeKind.CODE, NodeKind.ARTIFACT, NodeKind.IMPORT, NodeKind.VERSION}
"""Whose md5 and sha256 digests are those of bytes."""
MAX_VERSION = 1024
"""Characters that the schema allows."""
_HASHES = {"md5": ("MD5", 32), "sha256": ("SHA-256", 64)}
_is_email = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*").fullmatch
Json = dict[str, object]
Near = Mapping[str, Sequence[str]]


def render(lineage: Lineage) -> str:
    """One document; its serial number follows from its contents."""
    lineage = clean(lineage)
    body = _document(lineage)
    return dumps({**body, "serialNumber": f"urn:uuid:{stable_uuid('bom', dumps(body))}"}) + "\n"


def _document(lineage: Lineage) -> Json:
    nodes = by_id(lineage)
    others = [node for node in lineage.nodes if node.id != lineage.root and node.kind in _TYPES]
    causes, effects = _near(lineage)
    stages = [node for node in lineage.nodes if node.kind is NodeKind.PIPELINE_STAGE]
    tasks = [_task(node, causes.get(node.id, []), effects.get(node.id, [])) for node in stages]
    aggregate = "complete" if lineage.complete else "incomplete"
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": _metadata(nodes[lineage.root], lineage),
        "components": [_component(node) for node in others],
        "dependencies": _dependencies(lineage, causes),
        "compositions": [{"aggregate": aggregate, "dependencies": [lineage.root]}],
        **({"formulation": [{"workflows": [_workflow(lineage, tasks)]}]} if tasks else {}),
    }


def _metadata(root: Node, lineage: Lineage) -> Json:
    properties = {"properties": [_property("note", note) for note in lineage.notes]} if lineage.notes else {}
    time = {"timestamp": stamp(root.origin.at)} if root.origin else {}
    tool = {"type": "application", "name": TOOL, "purl": PACKAGE}
    return {"component": _subject(root, lineage), "tools": {"components": [tool]}, **properties, **time}


def _subject(root: Node, lineage: Lineage) -> Json:
    """The version: it has the bytes of the artifact that was released."""
    released = [edge.source for edge in lineage.edges if edge.kind is EdgeKind.RELEASED and edge.target == root.id]
    bytes_of = [node for node in lineage.nodes if node.id in released and node.kind is NodeKind.ARTIFACT]
    hashes = {alg: hash for node in (root, *bytes_of) for alg, hash in _hashes(node).items()}
    datasets = [{"ref": node.id} for node in lineage.nodes if node.kind in {NodeKind.DATA, NodeKind.IMPORT}]
    card = {"modelParameters": {"datasets": datasets}} if datasets else {}
    return {**_component(root, hashes), "type": "machine-learning-model", "modelCard": card}


def _component(node: Node, hashes: Mapping[str, Json] | None = None) -> Json:
    name, at, version = (
        node.label.rpartition("@") if node.kind is NodeKind.VERSION else (node.path or node.label, "", "")
    )
    component: Json = {
        "type": _TYPES.get(node.kind, "data"),
        "bom-ref": node.id,
        "name": name if at else name or version,
    }
    if at:
        component["version"] = version[:1024]
    if node.kind in _CONTENTS:
        component["data"] = [{"type": _CONTENTS[node.kind], "name": node.label}]
    if found := hashes or _hashes(node):
        component["hashes"] = [found[alg] for alg in sorted(found)]
    if node.origin:
        component["pedigree"] = {"commits": _commits(node)}
    if links := _links(node):
        component["externalReferences"] = links
    return {**component, "properties": _properties(node)}


def _name(node: Node) -> Json:
    name, at, version = node.label.rpartition("@")
    if node.kind is NodeKind.VERSION and at:
        return {"name": name, "version": version[:MAX_VERSION]}
    return {"name": node.label if node.kind is NodeKind.VERSION else node.path or node.label}


def _hashes(node: Node) -> Mapping[str, Json]:
    """Digests of files' bytes alone: a directory's `.dir` and a Git blob's id are of something else."""
    known = [node.digest or "", *(f"{key}:{node.details[key]}" for key in _HASHES if key in node.details)]
    pairs = [
        digest.partition(":") for digest in known if node.kind in _FILES and not (node.digest or "").endswith(".dir")
    ]
    return {
        _HASHES[name][0]: {"alg": _HASHES[name][0], "content": value}
        for name, _, value in pairs
        if name in _HASHES and re.fullmatch(f"[0-9a-f]{{{_HASHES[name][1]}}}", value)
    }


def _commits(node: Node) -> list[Json]:
    if node.origin is None:
        return []
    made: Json = {"timestamp": stamp(node.origin.at), **_person(node.origin.author)}
    returned: list[Json] = [{"uid": commit} for commit in node.returned]
    return [{"uid": node.origin.commit, "author": made}, *returned]


def _person(author: Identity) -> Json:
    return {"name": author.name, **({"email": author.email} if _is_email(author.email) else {})}


def _links(node: Node) -> list[Json]:
    url = next((text for text in (node.details.get("url"), node.path) if text and is_url(text)), None)
    kind = "vcs" if "rev" in node.details or "rev_lock" in node.details else "distribution"
    return [{"type": kind, "url": uri(url)}] if url else []


def _properties(node: Node) -> list[Json]:
    facts = [("kind", node.kind.value), ("label", node.label), ("path", node.path), ("digest", node.digest)]
    facts += [("size", None if node.size is None else str(node.size))]
    facts += [("first-path", node.origin.path if node.origin else None)]
    facts += [(f"detail:{key}", value) for key, value in node.details.items()]
    return [_property(key, value) for key, value in facts if value is not None]


def _property(key: str, value: str) -> Json:
    return {"name": f"{TOOL}:{key}", "value": value}


def _dependencies(lineage: Lineage, causes: Near) -> list[Json]:
    stages = {node.id for node in lineage.nodes if node.kind is NodeKind.PIPELINE_STAGE}
    found: list[Json] = []
    for node in (node for node in lineage.nodes if node.id not in stages):
        near = causes.get(node.id, [])
        behind = (cause for stage in near if stage in stages for cause in causes.get(stage, []))
        on = sorted({id for id in (*near, *behind) if id not in stages})
        found.append({"ref": node.id, **({"dependsOn": on} if on else {})})
    return found


def _near(lineage: Lineage) -> tuple[Near, Near]:
    """Node's id -> its causes, and -> its effects."""
    causes: dict[str, list[str]] = {}
    effects: dict[str, list[str]] = {}
    for edge in lineage.edges:
        causes.setdefault(edge.target, []).append(edge.source)
        effects.setdefault(edge.source, []).append(edge.target)
    return causes, effects


def _workflow(lineage: Lineage, tasks: list[Json]) -> Json:
    ref = f"workflow:{lineage.root}"
    return {"bom-ref": ref, "uid": stable_uuid(ref), "name": "dvc", "taskTypes": ["build"], "tasks": tasks}


def _task(node: Node, causes: Sequence[str], effects: Sequence[str]) -> Json:
    reads, writes = _resources(causes), _resources(effects)
    cmd = node.details.get("cmd")
    commit = [_property("commit", node.origin.commit)] if node.origin else []
    return {
        "bom-ref": node.id,
        "uid": stable_uuid("task", node.origin.commit if node.origin else "", node.id),
        "name": node.label,
        "taskTypes": ["build"],
        "properties": [*_properties(node), *commit],
        **({"steps": [{"commands": [{"executed": cmd}]}]} if cmd else {}),
        **({"inputs": reads} if reads else {}),
        **({"outputs": [{"type": "artifact", **found} for found in writes]} if writes else {}),
    }


def _resources(ids: Iterable[str]) -> list[Json]:
    return [{"resource": {"ref": id}} for id in dict.fromkeys(ids)]
