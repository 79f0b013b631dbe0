"""What every format promises: the whole graph, the same bytes, nothing secret, nothing that a terminal obeys."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from hypothesis import given

from dvc_modelver.core.lineage import Lineage, NodeKind
from dvc_modelver.core.secrets import HIDDEN
from dvc_modelver.core.text import safe
from dvc_modelver.integrations.documents import INCOMPLETE, clean
from tests.integrations.graphs import (
    ALONE,
    DIAMOND,
    GRAPHS,
    IMPORTED,
    JSON,
    NASTY,
    PARAMS,
    RENDERERS,
    SECRETS,
    full_of,
    graph,
    lineages,
    node,
)
from tests.integrations.graphs import (
    INCOMPLETE as SHALLOW,
)

ALL = {**GRAPHS, **{f"full of {text!r}": full_of(text) for text in (*NASTY, *SECRETS)}}


def is_plain(text: str) -> bool:
    return safe(text) == text and "\t" not in text and text.endswith("\n")


@pytest.mark.parametrize("name", RENDERERS)
@pytest.mark.parametrize("lineage", ALL.values(), ids=ALL)
def test_same_bytes_twice_and_none_that_a_terminal_obeys(name: str, lineage: Lineage) -> None:
    """A document depends on the lineage alone and holds no control, bidirectional or invisible character."""
    text = RENDERERS[name](lineage)
    assert text == RENDERERS[name](replace(lineage))
    assert is_plain(text)


@given(lineages())
def test_any_texts_stay_plain(lineage: Lineage) -> None:
    """The same for texts that nobody thought of."""
    for name, render in RENDERERS.items():
        text = render(lineage)
        assert is_plain(text)
        assert name not in JSON or text.isascii()


@pytest.mark.parametrize("name", JSON)
@pytest.mark.parametrize("lineage", ALL.values(), ids=ALL)
def test_json_is_ascii_with_sorted_keys(name: str, lineage: Lineage) -> None:
    """Reading and writing a document with Python's sorted keys gives the same text."""
    text = RENDERERS[name](lineage)
    documents = text.splitlines() if name == "openlineage" else [text.rstrip("\n")]
    for document in documents:
        indent = None if name == "openlineage" else 2
        assert json.dumps(json.loads(document), sort_keys=True, indent=indent) == document
    assert text.isascii()


@pytest.mark.parametrize("name", RENDERERS)
@pytest.mark.parametrize("secret", SECRETS)
def test_secrets_stay_out(name: str, secret: str) -> None:
    """No password, token or user-info that stands anywhere in a repository reaches a document."""
    assert "hunter2" not in RENDERERS[name](full_of(secret))


@pytest.mark.parametrize("name", RENDERERS)
def test_secret_parameter_is_hidden(name: str) -> None:
    """A parameter's value is hidden when its name says that it is a secret, and shown when it does not."""
    secret = node(NodeKind.PARAMS, "params.yaml:db.password", label="it", details={"value": "correct-horse"})
    assert "correct-horse" not in RENDERERS[name](graph([*DIAMOND.nodes, secret], []))  # type: ignore[list-item]
    cleaned = clean(graph([*DIAMOND.nodes, secret], []))  # type: ignore[list-item]
    values = {found.path: found.details["value"] for found in cleaned.nodes if found.kind is NodeKind.PARAMS}
    assert values == {PARAMS.path: "42", secret.path: HIDDEN}


def test_number_that_is_no_secret_is_shown() -> None:
    """`max_tokens: 512` is a setting, and so is a number that is named `token`."""
    nodes = [
        node(NodeKind.PARAMS, f"params.yaml:{name}", details={"value": "512"}) for name in ("max_tokens", "llm.token")
    ]
    cleaned = clean(graph([*DIAMOND.nodes, *nodes], []))  # type: ignore[list-item]
    assert HIDDEN not in {found.details.get("value") for found in cleaned.nodes}


@pytest.mark.parametrize("name", RENDERERS)
def test_what_is_missing_is_said(name: str) -> None:
    """A document of an incomplete lineage says so, in the words of the lineage or in ours; a complete one does not."""
    decoded = {shape: RENDERERS[name](lineage) for shape, lineage in GRAPHS.items()}
    if name == "mermaid":
        decoded = {k: re.sub(r"#(\d+);", lambda code: chr(int(code[1])), text) for k, text in decoded.items()}
    assert SHALLOW.notes[0] in decoded["incomplete"]
    assert INCOMPLETE in decoded["alone"]
    assert INCOMPLETE not in decoded["linear"]


def test_nodes_that_differ_in_a_secret_alone_stay_two() -> None:
    """Hiding what tells two ids apart joins no nodes."""
    ids = [f"data:https://user:{word}@host/x" for word in ("one", "two", "three")]
    nodes = [node(NodeKind.DATA, id, id=id) for id in (*ids, "data:https://***@host/x~2")]
    cleaned = clean(graph([*ALONE.nodes, *nodes], []))  # type: ignore[list-item]
    assert len({found.id for found in cleaned.nodes}) == 5


def test_clean_graph_stays_as_it_is() -> None:
    """A lineage without anything to hide has the same ids and texts in every document as in the graph itself."""
    assert clean(DIAMOND) == DIAMOND
    assert clean(clean(IMPORTED)) == clean(IMPORTED)
