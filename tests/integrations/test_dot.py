"""The Graphviz graph, read by Graphviz itself."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess

import pytest
from hypothesis import given, settings

from dvc_modelver.core.lineage import Lineage
from dvc_modelver.integrations.documents import clean
from dvc_modelver.integrations.dot import render
from tests.integrations.graphs import DIAMOND, GRAPHS, NASTY, SECRETS, full_of, lineages

needs_graphviz = pytest.mark.skipif(not shutil.which("dot"), reason="Graphviz is not installed")


def graphviz(text: str, form: str) -> str:
    done = subprocess.run(["dot", f"-T{form}"], input=text, capture_output=True, text=True, encoding="utf-8")
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def check(lineage: Lineage) -> None:
    """Graphviz finds the nodes, labels and edges of the lineage, and no other."""
    lineage = clean(lineage)
    # Graphviz writes a backslash of a name as it stands in the source.
    read = json.loads(graphviz(render(lineage), "dot_json").replace("\t", " "), strict=False)
    names = {found["_gvid"]: found["name"].replace("\\\\", "\\") for found in read["objects"]}
    assert sorted(names.values()) == sorted(found.id for found in lineage.nodes)
    assert sorted(
        (names[edge["tail"]], names[edge["head"]], edge["label"]) for edge in read.get("edges", [])
    ) == sorted((edge.source, edge.target, edge.kind.value) for edge in lineage.edges)
    labels = {names[found["_gvid"]]: found["label"].partition("\\n")[0] for found in read["objects"]}
    for found in lineage.nodes:
        if "\\" not in found.label:
            assert html.unescape(labels[found.id]) == found.label


@needs_graphviz
@pytest.mark.parametrize("lineage", GRAPHS.values(), ids=GRAPHS)
def test_graphviz_reads_every_node_and_edge(lineage: Lineage) -> None:
    """Each with its id, label or kind."""
    check(lineage)


@needs_graphviz
@pytest.mark.parametrize("text", [*NASTY, *SECRETS])
def test_hostile_texts_change_no_shape(text: str) -> None:
    """No text ends a name or a label, or makes a node, an edge or an attribute."""
    check(full_of(text))


@needs_graphviz
@given(lineages())
@settings(max_examples=25)
def test_any_texts_change_no_shape(lineage: Lineage) -> None:
    """The same for texts that nobody thought of."""
    check(lineage)


@needs_graphviz
@pytest.mark.parametrize("text", ["a\\N\\G\\n", "&amp; &lt;b&gt;", '"quoted"', "\u00fc\u4e2d", "<b>x</b>"])
def test_picture_shows_the_text_as_it_is(text: str) -> None:
    """What Graphviz could expand, decode or break a line at stands in the picture literally."""
    drawn = [
        html.unescape(found) for found in re.findall(r"<text[^>]*>(.*?)</text>", graphviz(render(full_of(text)), "svg"))
    ]
    assert drawn.count(text) == len(full_of(text).nodes) + 1


def test_source_has_a_line_for_each_node_and_edge() -> None:
    """Also where no Graphviz is at hand, every id is found in quotes."""
    lines = render(DIAMOND).splitlines()
    assert [line for line in lines if " -> " in line] == [
        f'  "{edge.source}" -> "{edge.target}" [label="{edge.kind.value}"];' for edge in DIAMOND.edges
    ]
    assert [line.partition(" [")[0] for line in lines if "shape=" in line] == [
        f'  "{found.id}"' for found in DIAMOND.nodes
    ]
    assert [line.partition('"')[2].partition('"')[0] for line in lines if "penwidth" in line] == [DIAMOND.root]
