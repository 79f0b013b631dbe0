"""A lineage as RO-Crate 1.1 metadata, the text of `ro-crate-metadata.json`.  Pure.

Source: the RO-Crate 1.1 specification.  A file is a data entity named by its path in the repository, which is the
crate's directory; a second state of the same path, and what is no file, is a contextual entity.  Pipeline stages are
`CreateAction`s; every other edge is `isBasedOn`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dvc_modelver.core.lineage import Lineage, Node, NodeKind
from dvc_modelver.core.tagobjects import EPOCH, Identity
from dvc_modelver.integrations.documents import by_id, clean, dumps, encoded, is_url, stamp, touches, uri

SPEC = "https://w3id.org/ro/crate/1.1"
LICENSE = "Not stated by the history that this describes; see the repository."
_FILES = {NodeKind.DATA, NodeKind.CODE, NodeKind.ARTIFACT, NodeKind.ENVIRONMENT}
_CONTEXTUAL = {NodeKind.PARAMS: "PropertyValue", NodeKind.PIPELINE_STAGE: "CreateAction"}
Entity = dict[str, object]


def render(lineage: Lineage) -> str:
    """One JSON-LD document; the entities sorted by id."""
    lineage = clean(lineage)
    ids = _ids(lineage)
    entities = {ids[node.id]: _entity(node, ids) for node in lineage.nodes}
    _join(lineage, ids, entities)
    people = {_person_id(node.origin.author): node.origin.author for node in lineage.nodes if node.origin}
    graph = [_descriptor(), _root(lineage, ids), *entities.values(), *(_person(people[id]) for id in people)]
    graph.sort(key=lambda entity: str(entity["@id"]))
    return dumps({"@context": f"{SPEC}/context", "@graph": graph}) + "\n"


def _ids(lineage: Lineage) -> Mapping[str, str]:
    """Node's id -> entity's `@id`: a path may name one entity only."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for node in lineage.nodes:
        place = _place(node)
        # A reader may take a file and a directory of one name for the same.
        if place is None or place.rstrip("/") in taken:
            place = f"#{encoded(node.id)}"
        found[node.id] = place
        taken.add(place.rstrip("/"))
    return found


def _place(node: Node) -> str | None:
    """Where the bytes are: below the crate's directory, or a URL; None for what is no file, or another repository's."""
    if node.kind not in _FILES or not node.path or "repository" in node.details:
        return None
    if is_url(node.path):
        return uri(node.path)
    parts = node.path.split("/")
    inside = not {"", ".", "..", ".git"} & set(parts)
    slash = "/" if _is_directory(node) else ""
    return f"{encoded(node.path)}{slash}" if inside and parts != ["ro-crate-metadata.json"] else None


def _is_directory(node: Node) -> bool:
    return (node.digest or "").endswith(".dir")


def _entity(node: Node, ids: Mapping[str, str]) -> Entity:
    entity: Entity = {"@id": ids[node.id], "@type": _type(node, ids), "name": node.label, "identifier": node.id}
    entity["description"] = _description(node)
    if node.size is not None:
        entity["contentSize"] = str(node.size)
    if node.digest and node.kind is not NodeKind.PIPELINE_STAGE:
        entity["version"] = node.digest
    if node.kind is NodeKind.PARAMS:
        entity["value"] = node.details.get("value", node.digest or "")
    if url := next((text for text in (node.details.get("url"),) if text and is_url(text)), None):
        entity["url"] = uri(url)
    if node.origin:
        made = ("agent", "endTime") if node.kind is NodeKind.PIPELINE_STAGE else ("author", "dateCreated")
        entity |= {made[0]: {"@id": _person_id(node.origin.author)}, made[1]: stamp(node.origin.at)}
    return entity


def _type(node: Node, ids: Mapping[str, str]) -> str | list[str]:
    data = not ids[node.id].startswith("#")
    file = "Dataset" if _is_directory(node) else "File"
    if node.kind is NodeKind.CODE:
        return [file, "SoftwareSourceCode"] if data else "SoftwareSourceCode"
    return file if data else _CONTEXTUAL.get(node.kind, "CreativeWork")


def _description(node: Node) -> str:
    said = [node.kind.value]
    if node.origin:
        said.append(f"first produced by commit {node.origin.commit} as {node.origin.path}")
    said += [f"came back in commit {commit}" for commit in node.returned]
    said += [f"{key}: {value}" for key, value in node.details.items()]
    return "; ".join(said)


def _join(lineage: Lineage, ids: Mapping[str, str], entities: Mapping[str, Entity]) -> None:
    nodes = by_id(lineage)
    for edge in lineage.edges:
        from_stage, to_stage = touches(edge, nodes)
        at, key, other = (edge.target, "isBasedOn", edge.source)
        if to_stage:
            key = "object"
        elif from_stage:
            at, key, other = edge.source, "result", edge.target
        found = entities[ids[at]].setdefault(key, [])
        if isinstance(found, list):
            found.append({"@id": ids[other]})


def _descriptor() -> Entity:
    about = {"about": {"@id": "./"}, "conformsTo": {"@id": SPEC}}
    return {"@id": "ro-crate-metadata.json", "@type": "CreativeWork", **about}


def _root(lineage: Lineage, ids: Mapping[str, str]) -> Entity:
    version = by_id(lineage)[lineage.root]
    times = [node.origin.at for node in lineage.nodes if node.origin]
    published = version.origin.at if version.origin else max(times, default=EPOCH)
    known = " ".join(["Where a model version comes from, as commit history tells it.", *lineage.notes])
    places = [ids[node.id] for node in lineage.nodes]
    return {
        "@id": "./",
        "@type": "Dataset",
        "name": version.label,
        "description": known,
        "datePublished": stamp(published),
        "license": LICENSE,
        "mainEntity": {"@id": ids[lineage.root]},
        "hasPart": _references(id for id in places if not id.startswith("#")),
        "mentions": _references(id for id in places if id.startswith("#")),
    }


def _references(ids: Iterable[str]) -> list[dict[str, str]]:
    return [{"@id": id} for id in sorted(set(ids))]


def _person_id(author: Identity) -> str:
    return f"#person-{encoded(f'{author.name} <{author.email}>')}"


def _person(author: Identity) -> Entity:
    return {"@id": _person_id(author), "@type": "Person", "name": author.name or author.email, "email": author.email}
