"""A lineage as W3C PROV-JSON.  Pure.

Source: W3C's submission "The PROV-JSON Serialization" (2013).  Pipeline stages are activities, authors agents, all else
entities.  History says when a thing was committed, not when it ran: times are attributes of ours.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from dvc_modelver.core.lineage import Edge, Lineage, Node, NodeKind, Origin
from dvc_modelver.core.tagobjects import Identity
from dvc_modelver.integrations.documents import by_id, clean, dumps, encoded, stamp, touches

PREFIX = "modelver"
NAMESPACE = "urn:modelver:"
Record = tuple[str, str, dict[str, object]]
"""(kind of record, its name, its attributes)"""


def render(lineage: Lineage) -> str:
    """The whole graph as one document; what is missing stands at the version's entity."""
    lineage = clean(lineage)
    document: dict[str, dict[str, object]] = defaultdict(dict)
    document["prefix"] = {PREFIX: NAMESPACE}
    for kind, name, attributes in (*_things(lineage), *_relations(lineage)):
        document[kind][name] = attributes
    return dumps(document) + "\n"


def _things(lineage: Lineage) -> Iterator[Record]:
    for node in lineage.nodes:
        yield _kind(node), _name(node.id), {**_attributes(node), **(_state(lineage) if node.id == lineage.root else {})}
        if node.origin:
            author = node.origin.author
            names = {"prov:label": author.name or author.email, _key("email"): author.email}
            yield "agent", _agent(author), {"prov:type": _qualified("prov:Person"), **names}


def _kind(node: Node) -> str:
    return "activity" if node.kind is NodeKind.PIPELINE_STAGE else "entity"


def _attributes(node: Node) -> dict[str, object]:
    found: dict[str, object] = {_key(f"detail-{encoded(key)}"): value for key, value in node.details.items()}
    found |= {"prov:label": node.label, "prov:type": _qualified(_key(node.kind.value))}
    found |= {_key(key): value for key, value in (("path", node.path), ("digest", node.digest)) if value is not None}
    if node.size is not None:
        found[_key("size")] = {"$": str(node.size), "type": "xsd:long"}
    if node.returned:
        found[_key("returned")] = list(node.returned)
    return found | (_origin(node.origin) if node.origin else {})


def _origin(origin: Origin) -> dict[str, object]:
    at = {"$": stamp(origin.at), "type": "xsd:dateTime"}
    return {_key("commit"): origin.commit, _key("committed"): at, _key("first-path"): origin.path}


def _state(lineage: Lineage) -> dict[str, object]:
    complete: dict[str, object] = {_key("complete"): lineage.complete}
    return {**complete, _key("note"): list(lineage.notes)} if lineage.notes else complete


def _relations(lineage: Lineage) -> Iterator[Record]:
    nodes = by_id(lineage)
    for number, edge in enumerate(lineage.edges, 1):
        kind, attributes = _relation(edge, nodes)
        yield kind, f"_:edge{number}", attributes
    for number, node in enumerate((node for node in lineage.nodes if node.origin), 1):
        thing = _kind(node)
        relation = "wasAssociatedWith" if thing == "activity" else "wasAttributedTo"
        agent = _agent(node.origin.author) if node.origin else ""
        yield relation, f"_:by{number}", {f"prov:{thing}": _name(node.id), "prov:agent": agent}


def _relation(edge: Edge, nodes: Mapping[str, Node]) -> tuple[str, dict[str, object]]:
    cause, effect = _name(edge.source), _name(edge.target)
    kind = {"prov:type": _qualified(_key(edge.kind.value))}
    match touches(edge, nodes):
        case True, True:
            return "wasInformedBy", {"prov:informant": cause, "prov:informed": effect, **kind}
        case True, False:
            return "wasGeneratedBy", {"prov:activity": cause, "prov:entity": effect, **kind}
        case False, True:
            return "used", {"prov:activity": effect, "prov:entity": cause, **kind}
    return "wasDerivedFrom", {"prov:generatedEntity": effect, "prov:usedEntity": cause, **kind}


def _agent(author: Identity) -> str:
    return _name(f"agent:{author.name} <{author.email}>")


def _name(id: str) -> str:
    return _key(encoded(id))


def _key(name: str) -> str:
    return f"{PREFIX}:{name}"


def _qualified(name: str) -> dict[str, str]:
    return {"$": name, "type": "prov:QUALIFIED_NAME"}
