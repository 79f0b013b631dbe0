"""OpenLineage events, built again with the classes of OpenLineage's own client, which know the specification."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
import uuid
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import attr
import openlineage.client.generated as generated
import pytest
from hypothesis import given
from openlineage.client.event_v2 import DatasetEvent, InputDataset, Job, OutputDataset, Run, RunEvent, StaticDataset
from openlineage.client.serde import Serde

from dvc_modelver.core.lineage import Lineage, NodeKind
from dvc_modelver.integrations.documents import PRODUCER, clean
from dvc_modelver.integrations.openlineage import FACETS, render
from tests.integrations.graphs import (
    ALONE,
    DIAMOND,
    FOREIGN,
    GRAPHS,
    IMPORTED,
    NASTY,
    SECRETS,
    TRAIN,
    VERSION,
    full_of,
    lineages,
    node,
)

REPOSITORY = "https://user:hunter2@host/team/churn.git"

FACET_VERSION = re.compile(r"(?<=^https://openlineage\.io/spec)/facets/(\d+)-(\d+)-(\d+)/")


@cache
def facet_classes() -> Mapping[str, type]:
    """Name -> the client's class, for every facet that the client knows."""
    modules = [
        importlib.import_module(f"{generated.__name__}.{found.name}")
        for found in pkgutil.iter_modules(generated.__path__)
    ]
    classes = [found for module in modules for found in vars(module).values() if attr.has(found)]
    return {found.__name__: found for found in classes if hasattr(found, "_get_schema")}


def built(values: Mapping[str, Any]) -> dict[str, Any]:
    """Facets as the client's objects: an unknown schema, or a field too many or too few, raises."""
    found = {}
    for name, facet in values.items():
        kind = facet_classes()[facet["_schemaURL"].rpartition("/")[2]]
        fields = {key: value for key, value in facet.items() if not key.startswith("_")}
        if "tags" in fields:
            fields["tags"] = [facet_classes()[f"{kind.__name__}Fields"](**tag) for tag in fields["tags"]]
        found[name] = kind(producer=facet["_producer"], **fields)
    return found


def dataset(kind: Any, values: Mapping[str, Any]) -> Any:
    return kind(**{**values, "facets": built(values["facets"])})


def event(values: Mapping[str, Any]) -> DatasetEvent | RunEvent:
    """One event as the client's object."""
    given = {key: value for key, value in values.items() if key != "schemaURL"}
    if "dataset" in given:
        return DatasetEvent(**{**given, "dataset": dataset(StaticDataset, given["dataset"])})
    run, job = given["run"], given["job"]
    return RunEvent(
        **{
            **given,
            "eventType": generated.base.EventType(given["eventType"]),
            "run": Run(runId=run["runId"], facets=built(run["facets"])),
            "job": Job(namespace=job["namespace"], name=job["name"], facets=built(job["facets"])),
            "inputs": [dataset(InputDataset, found) for found in given["inputs"]],
            "outputs": [dataset(OutputDataset, found) for found in given["outputs"]],
        }
    )


def events(text: str) -> list[dict[str, Any]]:
    """The events, each found equal to what the client writes of the same facts."""
    found = [json.loads(line) for line in text.splitlines()]
    for values in found:
        assert comparable(json.loads(Serde.to_json(event(values)))) == comparable(values)
    return found


def comparable(value: Any) -> Any:
    """Without what is empty and the facets' versions, of which the client may know younger ones."""
    if isinstance(value, dict):
        return {key: comparable(found) for key, found in value.items() if found not in ({}, [])}
    if isinstance(value, list):
        return [comparable(found) for found in value]
    return FACET_VERSION.sub("/facets/", value) if isinstance(value, str) else value


def tags(facets: Mapping[str, Any]) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in reversed(facets["tags"]["tags"])}


def check(lineage: Lineage, repository: str | None = None) -> None:
    """The events' jobs and datasets are the lineage's nodes, and what they read and wrote its edges."""
    lineage = clean(lineage)
    nodes, edges = set(), set()
    for found in events(render(lineage, repository)):
        if "dataset" in found:
            nodes.add(tags(found["dataset"]["facets"])["id"])
            continue
        job = tags(found["job"]["facets"])
        reads, writes = ([tags(read["facets"])["id"] for read in found[side]] for side in ("inputs", "outputs"))
        edges |= {(read, job["id"]) for read in reads}
        edges |= {(job["id"], wrote) for wrote in writes if wrote != job["id"]}
        nodes |= {job["id"], *reads, *writes}
    assert nodes == {found.id for found in lineage.nodes}
    assert edges == {(edge.source, edge.target) for edge in lineage.edges}


@pytest.mark.parametrize("repository", [None, REPOSITORY, "git@host:team/churn.git"])
@pytest.mark.parametrize("lineage", GRAPHS.values(), ids=GRAPHS)
def test_client_builds_the_same_events(lineage: Lineage, repository: str | None) -> None:
    """Every event, dataset and facet has the fields and the schema of the specification; no node or edge is lost."""
    check(lineage, repository)


@pytest.mark.parametrize("text", [*NASTY, *SECRETS])
def test_hostile_texts_change_no_shape(text: str) -> None:
    """Whatever stands in a repository, the events stay one a line and valid."""
    check(full_of(text), text)


@given(lineages())
def test_any_graph_is_told(lineage: Lineage) -> None:
    """The same for graphs and texts that nobody thought of."""
    check(lineage)


@pytest.mark.parametrize(("name", "version"), FACETS.items())
def test_facets_follow_schemas_that_exist(name: str, version: str) -> None:
    """Of the client's major version, and none that it does not know yet."""
    known = FACET_VERSION.search(facet_classes()[name]._get_schema())  # type: ignore[attr-defined]
    assert known
    ours = tuple(map(int, version.split("-")))
    theirs = tuple(map(int, known.groups()))
    assert (ours[0], ours <= theirs) == (theirs[0], True)


def test_pipeline_stage_is_one_completed_run() -> None:
    """It has the commit's time, the command, and the digests of what it read and wrote as versions."""
    runs = [found for found in events(render(DIAMOND)) if found["job"]["name"] == "train"]
    assert [(found["eventType"], found["eventTime"]) for found in runs] == [("COMPLETE", "2026-01-04T00:00:00Z")]
    facets = runs[0]["job"]["facets"]
    assert facets["sourceCode"]["sourceCode"] == TRAIN.details["cmd"]
    assert tags(runs[0]["run"]["facets"])["commit"] == "3" * 40
    version = {found["name"]: found["facets"]["version"]["datasetVersion"] for found in runs[0]["inputs"]}
    assert version["data/raw.csv"] == f"md5:{'a' * 32}"
    assert [found["name"] for found in runs[0]["outputs"]] == ["models/churn.pkl"]
    assert {found["producer"] for found in runs} == {PRODUCER}


def test_run_has_the_same_id_everywhere() -> None:
    """The same commit and pipeline stage give one run in the lineages of two versions; another commit gives another."""
    ids = [
        {found["job"]["name"]: found["run"]["runId"] for found in events(render(lineage))}
        for lineage in (DIAMOND, IMPORTED)
    ]
    assert ids[0]["train"] == ids[1]["train"]
    assert len({*ids[0].values()}) == len(ids[0])
    assert {uuid.UUID(found).version for found in ids[0].values()} == {5}


def test_repository_is_the_namespace() -> None:
    """Its URL, without user-info, names jobs and files and locates the source code; data elsewhere keeps its place."""
    bucket = node(NodeKind.DATA, "s3://bucket/key.csv")
    lineage = Lineage(root=DIAMOND.root, nodes=(*DIAMOND.nodes, bucket), edges=DIAMOND.edges)  # type: ignore[arg-type]
    found = events(render(lineage, REPOSITORY))
    train = next(event for event in found if event.get("job", {}).get("name") == "train")
    location = train["job"]["facets"]["sourceCodeLocation"]
    assert (location["url"], location["version"]) == ("https://host/team/churn.git", "3" * 40)
    assert {read["namespace"] for read in train["inputs"]} == {train["job"]["namespace"], location["url"]}
    data = [event["dataset"] for event in found if "dataset" in event]
    assert [(here["namespace"], here["name"]) for here in data] == [("s3://bucket", "key.csv")]


def test_repository_that_the_lineage_knows() -> None:
    """The version's own address is the namespace when no other is given."""
    known = replace(VERSION, details={**VERSION.details, "repository": "https://host/own.git"})
    lineage = replace(DIAMOND, nodes=tuple(known if here.id == VERSION.id else here for here in DIAMOND.nodes))
    spaces = [{here["job"]["namespace"] for here in events(render(lineage, other))} for other in (None, REPOSITORY)]
    assert spaces == [{"https://host/own.git"}, {"https://host/team/churn.git"}]
    check(lineage)


def test_event_without_any_date_is_of_the_epoch() -> None:
    """A time is required; where history tells none it is 1970, which nobody takes for one."""
    assert [found["eventTime"] for found in events(render(ALONE))] == ["1970-01-01T00:00:00Z"]


def test_event_without_a_commit_takes_the_youngest_around_it() -> None:
    """A pipeline stage that history does not date is as old as the youngest of what it read and wrote."""
    nodes = tuple(replace(here, origin=None) if here.id == TRAIN.id else here for here in DIAMOND.nodes)
    found = events(render(replace(DIAMOND, nodes=nodes)))
    assert [here["eventTime"] for here in found if here["job"]["name"] == "train"] == ["2026-01-04T00:00:00Z"]


def test_data_of_another_repository_is_in_its_namespace() -> None:
    """The same path in two repositories is two datasets."""
    copied = next(here for here in events(render(FOREIGN)) if here.get("job", {}).get("name") == "data:data/raw.csv")
    places = {(here["namespace"], here["name"]) for here in (*copied["inputs"], *copied["outputs"])}
    assert places == {("https://host/data.git", "data/raw.csv"), ("dvc", "data/raw.csv")}
