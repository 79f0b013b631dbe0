"""The Mermaid flowchart: every node and edge, and labels that nothing ends."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvc_modelver.core.lineage import Lineage
from dvc_modelver.core.mermaid import MAX_LABEL, escape_label
from dvc_modelver.core.text import one_line
from dvc_modelver.integrations.documents import caption, clean
from dvc_modelver.integrations.mermaid import MAX_LINE, render
from tests.integrations.graphs import DIAMOND, GRAPHS, NASTY, SECRETS, full_of, lineages

LABEL = r"(?:[A-Za-z0-9/ ._-]|#\d+;)+"
NODE = re.compile(rf'    (n\d+)[\[({{>/]+"({LABEL})<br/>({LABEL})"[\])}}/]+')
EDGE = re.compile(r"    (n\d+) -->\|([a-z]+)\| (n\d+)")
OTHER = re.compile(rf'    style (?:n\d+ stroke-width:4px|note\d+ stroke-dasharray:4)|    note\d+\["{LABEL}"\]')


def decode(label: str) -> str:
    return re.sub(r"#(\d+);", lambda code: chr(int(code[1])), label)


def check(lineage: Lineage) -> None:
    """Nothing but nodes, edges, styles and notes; the nodes and edges are those of the lineage."""
    lineage = clean(lineage)
    head, *lines = render(lineage).rstrip("\n").split("\n")
    nodes = [found for line in lines if (found := NODE.fullmatch(line))]
    edges = [found.groups() for line in lines if (found := EDGE.fullmatch(line))]
    rest = [line for line in lines if not NODE.fullmatch(line) and not EDGE.fullmatch(line)]
    names = {found.id: f"n{number}" for number, found in enumerate(lineage.nodes, 1)}
    assert head == "flowchart LR"
    assert [(found[1], decode(found[2]), decode(found[3])) for found in nodes] == [
        (names[found.id], one_line(found.label, MAX_LINE) or "?", caption(found)) for found in lineage.nodes
    ]
    assert edges == [(names[edge.source], edge.kind.value, names[edge.target]) for edge in lineage.edges]
    assert [line for line in rest if not OTHER.fullmatch(line)] == []


@pytest.mark.parametrize("lineage", GRAPHS.values(), ids=GRAPHS)
def test_every_node_and_edge_is_drawn(lineage: Lineage) -> None:
    """Each with its label, or its kind."""
    check(lineage)


@pytest.mark.parametrize("text", [*NASTY, *SECRETS])
def test_hostile_texts_change_no_shape(text: str) -> None:
    """No text ends a label, begins a line, or makes a node or an edge."""
    check(full_of(text))


@given(lineages())
def test_any_texts_change_no_shape(lineage: Lineage) -> None:
    """The same for texts that nobody thought of."""
    check(lineage)


def test_version_itself_stands_out() -> None:
    """The border of the version that was asked for is thick."""
    place = [found.id for found in DIAMOND.nodes].index(DIAMOND.root) + 1
    assert f"    style n{place} stroke-width:4px\n" in render(DIAMOND)


@given(st.text())
def test_label_means_its_text(text: str) -> None:
    """An escaped label has letters, digits and codes only, and reads as the text on one line, cut."""
    label = escape_label(text)
    assert re.fullmatch(LABEL, label)
    assert decode(label) == (one_line(text, MAX_LABEL) or "?")


def test_words_stay_readable_in_the_source() -> None:
    """A path keeps its dots; what Mermaid or GitHub would make a link does not."""
    assert escape_label("data/raw_v1.csv") == "data/raw_v1.csv"
    assert escape_label("www.host.org") == "www#46;host.org"
