"""The RO-Crate, loaded by the `rocrate` package as a crate's directory."""

from __future__ import annotations

import json
import tempfile
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from rocrate.rocrate import ROCrate

from dvc_modelver.core.lineage import Lineage, NodeKind
from dvc_modelver.integrations.documents import clean
from dvc_modelver.integrations.rocrate import render
from tests.integrations.graphs import (
    DIAMOND,
    ELSEWHERE,
    FOREIGN,
    GRAPHS,
    NASTY,
    RAW,
    SECRETS,
    full_of,
    graph,
    lineages,
    md5,
    node,
)


def load(lineage: Lineage) -> ROCrate:
    """The crate, without one complaint."""
    with tempfile.TemporaryDirectory() as place, warnings.catch_warnings():
        warnings.simplefilter("error")
        (Path(place) / "ro-crate-metadata.json").write_text(render(lineage), encoding="utf-8")
        return ROCrate(place)


def entities(crate: ROCrate) -> dict[str, Any]:
    """Node's id -> entity."""
    return {found["identifier"]: found for found in crate.get_entities() if found.get("identifier")}


def check(lineage: Lineage) -> None:
    """Entities are the nodes and are reached from the root; actions and `isBasedOn` hold the edges."""
    lineage = clean(lineage)
    crate = load(lineage)
    found = entities(crate)
    ids = {here.id: id for id, here in found.items()}
    assert set(found) == {here.id for here in lineage.nodes}
    assert crate.root_dataset["mainEntity"] == found[lineage.root]
    reached = {here.id for key in ("hasPart", "mentions") for here in crate.root_dataset.get(key, [])}
    assert reached == set(ids)
    edges = {(ids[read.id], id) for id, here in found.items() for read in here.get("object", [])}
    edges |= {(id, ids[wrote.id]) for id, here in found.items() for wrote in here.get("result", [])}
    edges |= {(ids[cause.id], id) for id, here in found.items() for cause in here.get("isBasedOn", [])}
    assert edges == {(edge.source, edge.target) for edge in lineage.edges}
    raw = json.loads(render(lineage))["@graph"]
    assert len({here["@id"] for here in raw}) == len(raw)
    places = [here["@id"] for here in raw if not here["@id"].startswith("#")]
    assert not [place for place in places if place.startswith("/") or ".." in place.split("/")]


@pytest.mark.parametrize("lineage", GRAPHS.values(), ids=GRAPHS)
def test_every_node_and_edge_is_loaded(lineage: Lineage) -> None:
    """A reader that nobody here wrote finds the graph, no more and no less, and warns of nothing."""
    check(lineage)


@pytest.mark.parametrize("text", [*NASTY, *SECRETS])
def test_hostile_texts_change_no_shape(text: str) -> None:
    """No path leaves the crate, and no text makes an entity of another name."""
    check(full_of(text))


@given(lineages())
def test_any_graph_is_told(lineage: Lineage) -> None:
    """The same for graphs and texts that nobody thought of."""
    check(lineage)


def test_files_are_named_by_their_paths() -> None:
    """A file is a `File`, a directory a `Dataset`, code also `SoftwareSourceCode`; what is no file has a local name."""
    crate = load(DIAMOND)
    types = {here.id: here.type for here in crate.data_entities}
    assert types == {
        "data/raw.csv": "File",
        "data/clean/": "Dataset",
        "environment.json": "File",
        "models/churn.pkl": "File",
        "src/train.py": ["File", "SoftwareSourceCode"],
    }
    values = [here["value"] for here in crate.contextual_entities if here.type == "PropertyValue"]
    assert values == ["42"]


def test_pipeline_stage_is_an_action_of_its_author() -> None:
    """With what it read, what it wrote, when and by whom."""
    action = next(here for here in load(DIAMOND).get_by_type("CreateAction") if here["name"] == "train")
    assert [here.id for here in action["result"]] == ["models/churn.pkl"]
    assert {here.id for here in action["object"]} >= {"data/raw.csv", "data/clean/", "src/train.py"}
    assert (action["agent"].type, action["agent"]["name"]) == ("Person", "Ann")
    assert action["endTime"] == "2026-01-04T00:00:00Z"


def test_second_state_of_a_path_is_another_entity() -> None:
    """One path names one data entity; the other digest of it is not lost."""
    nodes = [node(NodeKind.DATA, "data.csv", md5(digit)) for digit in "ab"]
    version = next(here for here in DIAMOND.nodes if here.id == DIAMOND.root)
    found = entities(load(graph([version, *nodes], [])))
    assert [found[here.id].id for here in nodes] == ["data.csv", f"#data%3Adata.csv@md5%3A{'b' * 32}"]


def test_path_with_other_characters_is_encoded() -> None:
    """Spaces and the like do not break the identifier."""
    version = next(here for here in DIAMOND.nodes if here.id == DIAMOND.root)
    crate = load(graph([version, node(NodeKind.DATA, "my data/100%.csv")], []))
    assert [here.id for here in crate.data_entities] == ["my%20data/100%25.csv"]


def test_file_of_another_repository_is_no_file_of_the_crate() -> None:
    """The same path here stays the data entity; so does no path that is the metadata's own."""
    found = entities(load(FOREIGN))
    assert found[RAW.id].id == "data/raw.csv"
    assert found[ELSEWHERE.id].id.startswith("#")
    version = next(here for here in DIAMOND.nodes if here.id == DIAMOND.root)
    check(graph([version, node(NodeKind.DATA, "ro-crate-metadata.json")], []))
