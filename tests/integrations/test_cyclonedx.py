"""The bill of materials, judged by the strict schema that CycloneDX' own library ships."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hypothesis import given

from dvc_modelver.core.lineage import Lineage, NodeKind
from dvc_modelver.core.tagobjects import Identity
from dvc_modelver.integrations.cyclonedx import render
from dvc_modelver.integrations.documents import clean
from tests.integrations.graphs import (
    ALONE,
    DIAMOND,
    GRAPHS,
    IMPORTED,
    INCOMPLETE,
    NASTY,
    ROOT,
    SECRETS,
    full_of,
    graph,
    lineages,
    origin,
)

VALIDATOR = JsonStrictValidator(SchemaVersion.V1_6)


def bom(lineage: Lineage) -> dict[str, Any]:
    text = render(lineage)
    assert VALIDATOR.validate_str(text) is None
    found: dict[str, Any] = json.loads(text)
    return found


def by_ref(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {here["bom-ref"]: here for here in (*found["components"], found["metadata"]["component"], *tasks(found))}


def tasks(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [task for formula in found.get("formulation", []) for flow in formula["workflows"] for task in flow["tasks"]]


def refs(task: dict[str, Any], side: str) -> set[str]:
    return {here["resource"]["ref"] for here in task.get(side, [])}


def check(lineage: Lineage) -> None:
    """Valid; components and tasks are the nodes; tasks' resources and dependencies hold the edges; no link dangles."""
    lineage = clean(lineage)
    found = bom(lineage)
    nodes = {here.id: here.kind for here in lineage.nodes}
    stages = {id for id, kind in nodes.items() if kind is NodeKind.PIPELINE_STAGE} - {lineage.root}
    assert set(by_ref(found)) == set(nodes)
    assert {task["bom-ref"] for task in tasks(found)} - {lineage.root} == stages
    by_task = {(ref, task["bom-ref"]) for task in tasks(found) for ref in refs(task, "inputs")}
    by_task |= {(task["bom-ref"], ref) for task in tasks(found) for ref in refs(task, "outputs")}
    depends = {(on, here["ref"]) for here in found["dependencies"] for on in here.get("dependsOn", [])}
    edges = {(edge.source, edge.target) for edge in lineage.edges}
    assert by_task | depends >= edges
    assert by_task <= edges
    through = {(a, d) for a, b in edges for c, d in edges if b == c and nodes[b] is NodeKind.PIPELINE_STAGE}
    assert depends <= edges | through


@pytest.mark.parametrize("lineage", GRAPHS.values(), ids=GRAPHS)
def test_schema_is_kept_and_the_graph_is_told(lineage: Lineage) -> None:
    """Strictly: no property too many, every format kept; no node or edge is lost."""
    check(lineage)


@pytest.mark.parametrize("text", [*NASTY, *SECRETS])
def test_hostile_texts_keep_the_schema(text: str) -> None:
    """Names, addresses and URLs that are none do not make the document invalid."""
    check(full_of(text))


@given(lineages())
def test_any_graph_keeps_the_schema(lineage: Lineage) -> None:
    """The same for graphs and texts that nobody thought of."""
    check(lineage)


def test_version_is_the_subject() -> None:
    """It is a machine learning model with name, version, its artifact's hashes and the data that it learned from."""
    subject = bom(DIAMOND)["metadata"]["component"]
    named = {key: subject[key] for key in ("type", "name", "version", "bom-ref")}
    assert named == {"type": "machine-learning-model", "name": "churn", "version": "v1.2.0", "bom-ref": ROOT}
    assert subject["hashes"] == [{"alg": "MD5", "content": "f" * 32}, {"alg": "SHA-256", "content": "9" * 64}]
    datasets = {here["ref"] for here in subject["modelCard"]["modelParameters"]["datasets"]}
    assert datasets == {here.id for here in DIAMOND.nodes if here.kind is NodeKind.DATA}


def test_only_digests_of_bytes_are_hashes() -> None:
    """A directory's listing, a Git blob's id and a digest of values are properties instead."""
    found = by_ref(bom(DIAMOND))
    hashed = {ref for ref, here in found.items() if "hashes" in here}
    assert hashed == {ROOT, *(here.id for here in DIAMOND.nodes if here.path in {"data/raw.csv", "models/churn.pkl"})}
    for here in (here for here in DIAMOND.nodes if here.digest):
        assert {"name": "modelver:digest", "value": here.digest} in found[here.id]["properties"]


def test_data_depends_on_what_its_pipeline_stage_read() -> None:
    """Who looks at dependencies alone comes from the model to the raw data."""
    depends = {here["ref"]: here.get("dependsOn", []) for here in bom(DIAMOND)["dependencies"]}
    clean_data, raw = (next(id for id in depends if f":{path}@" in id) for path in ("data/clean", "data/raw.csv"))
    assert depends[clean_data] == [raw]
    model = next(id for id in depends[ROOT] if id.startswith("artifact:"))
    assert {clean_data, raw} <= set(depends[model])


def test_pedigree_names_commits_and_authors() -> None:
    """The first commit with its author and time, then those at which the bytes came back."""
    raw = next(here for ref, here in by_ref(bom(DIAMOND)).items() if ":data/raw.csv@" in ref)
    author = {"name": "Ann", "email": "ann@example.com", "timestamp": "2026-01-02T00:00:00Z"}
    assert raw["pedigree"]["commits"] == [{"uid": "1" * 40, "author": author}, {"uid": "8" * 40}]


def test_address_that_is_none_is_left_out() -> None:
    """An author without a mail address does not make the document invalid."""
    stranger = [replace(here, origin=origin("1", Identity("", "nobody"))) for here in DIAMOND.nodes]
    raw = next(here for ref, here in by_ref(bom(graph(stranger, []))).items() if ":data/raw.csv@" in ref)
    assert "email" not in raw["pedigree"]["commits"][0]["author"]


def test_import_names_its_repository() -> None:
    """As a reference to a version control system."""
    found = next(here for ref, here in by_ref(bom(IMPORTED)).items() if ref.startswith("import:"))
    assert found["externalReferences"] == [{"type": "vcs", "url": "https://host/data.git"}]


def test_serial_number_follows_from_the_contents() -> None:
    """Equal for equal lineages, another for another."""
    serials = [bom(lineage)["serialNumber"] for lineage in (DIAMOND, DIAMOND, IMPORTED, ALONE)]
    assert (serials[0], len(set(serials))) == (serials[1], 3)


def test_incomplete_is_declared() -> None:
    """In the words of the format, and in ours."""
    aggregates = [bom(lineage)["compositions"][0]["aggregate"] for lineage in (DIAMOND, INCOMPLETE)]
    assert aggregates == ["complete", "incomplete"]
    notes = [here["value"] for here in bom(INCOMPLETE)["metadata"]["properties"]]
    assert notes == list(INCOMPLETE.notes)


def test_long_versions_and_odd_urls_keep_the_schema() -> None:
    """A version is cut to what the schema allows, and a URL's other characters are encoded."""
    long = [replace(here, label=f"churn@v{'1' * 2000}") if here.id == ROOT else here for here in IMPORTED.nodes]
    odd = [
        replace(here, details={"url": "https://host/a b<c>"}) if here.kind is NodeKind.IMPORT else here for here in long
    ]
    found = bom(graph(odd, []))
    assert len(found["metadata"]["component"]["version"]) == 1024
    links = [here["externalReferences"] for here in found["components"] if "externalReferences" in here]
    assert links == [[{"type": "distribution", "url": "https://host/a%20b%3Cc%3E"}]]
