"""PROV-JSON, read by the `prov` package."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from prov.model import (
    ProvActivity,
    ProvAgent,
    ProvAssociation,
    ProvAttribution,
    ProvCommunication,
    ProvDerivation,
    ProvDocument,
    ProvEntity,
    ProvGeneration,
    ProvUsage,
)

from dvc_modelver.core.lineage import Lineage, NodeKind
from dvc_modelver.integrations.documents import clean, encoded
from dvc_modelver.integrations.prov import NAMESPACE, render
from tests.integrations.graphs import DIAMOND, GRAPHS, NASTY, SECRETS, full_of, lineages

RELATIONS = {
    # type of the record -> the names of cause and effect among its attributes
    ProvUsage: ("prov:entity", "prov:activity"),
    ProvGeneration: ("prov:activity", "prov:entity"),
    ProvDerivation: ("prov:usedEntity", "prov:generatedEntity"),
    ProvCommunication: ("prov:informant", "prov:informed"),
}


def read(lineage: Lineage) -> ProvDocument:
    return ProvDocument.deserialize(content=render(lineage), format="json")


def check(lineage: Lineage) -> None:
    """Entities and activities are the nodes, relations the edges with their kinds, agents the authors."""
    lineage = clean(lineage)
    document = read(lineage)
    stages = {found.id for found in lineage.nodes if found.kind is NodeKind.PIPELINE_STAGE}
    names = {uri(found.id): found.id for found in lineage.nodes}
    assert {names[record.identifier.uri] for record in document.get_records(ProvActivity)} == stages
    entities = {names[record.identifier.uri] for record in document.get_records(ProvEntity)}
    assert entities == {found.id for found in lineage.nodes} - stages
    assert edges(document, names) == Counter((edge.source, edge.target, edge.kind.value) for edge in lineage.edges)
    known = [found for found in lineage.nodes if found.origin]
    assert len(list(document.get_records(ProvAgent))) == len({found.origin and found.origin.author for found in known})
    assert len(list(document.get_records(ProvAttribution))) == len({found.id for found in known} - stages)
    assert len(list(document.get_records(ProvAssociation))) == len({found.id for found in known} & stages)


def uri(id: str) -> str:
    return f"{NAMESPACE}{encoded(id)}"


def edges(document: ProvDocument, names: dict[str, str]) -> Counter[tuple[str, str, str]]:
    found: Counter[tuple[str, str, str]] = Counter()
    for kind, ends in RELATIONS.items():
        for record in document.get_records(kind):
            values = {str(name): value for name, value in record.attributes}
            cause, effect = (names[values[end].uri] for end in ends)
            found[cause, effect, values["prov:type"].localpart] += 1
    return found


@pytest.mark.parametrize("lineage", GRAPHS.values(), ids=GRAPHS)
def test_every_node_and_edge_is_read(lineage: Lineage) -> None:
    """A reader that nobody here wrote finds the graph and its authors, no more and no less."""
    check(lineage)


@pytest.mark.parametrize("text", [*NASTY, *SECRETS])
def test_hostile_texts_change_no_shape(text: str) -> None:
    """Whatever stands in a repository makes no other record and no other attribute."""
    check(full_of(text))


@given(lineages())
def test_any_graph_is_told(lineage: Lineage) -> None:
    """The same for graphs and texts that nobody thought of."""
    check(lineage)


def test_reading_and_writing_keeps_the_document() -> None:
    """What the package writes of what it read is the same document."""
    document = read(DIAMOND)
    assert ProvDocument.deserialize(content=document.serialize(format="json"), format="json") == document


def test_entity_tells_its_digest_size_and_commit() -> None:
    """Each in an attribute of its own, the time as a time."""
    record = next(found for found in read(DIAMOND).get_records(ProvEntity) if "data/raw.csv" in found.identifier.uri)
    values = {name.localpart: value for name, value in record.attributes}
    assert (values["digest"], values["size"].value, values["commit"]) == (f"md5:{'a' * 32}", "1000", "1" * 40)
    assert values["committed"].isoformat() == "2026-01-02T00:00:00+00:00"
