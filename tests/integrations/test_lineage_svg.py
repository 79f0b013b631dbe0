"""The drawing of a lineage, read by Python's XML parser and measured in a browser."""

from __future__ import annotations

import re
import time
import xml.etree.ElementTree as xml
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvc_modelver.core.lineage import Edge, EdgeKind, Lineage, Node, NodeKind
from dvc_modelver.integrations.documents import clean
from dvc_modelver.integrations.lineage_svg import COLOURS, LETTERS, MAX_NODES, draw, fold, shortened, text
from tests.integrations.graphs import (
    ALONE,
    DIAMOND,
    GRAPHS,
    MODEL,
    NASTY,
    RAW,
    SECRETS,
    TRAIN,
    VERSION,
    full_of,
    graph,
    lineages,
    node,
)
from tests.support.browser import Browser, needs_browser

SVG = "{http://www.w3.org/2000/svg}"
LABELS = {
    "script": "</script><script>alert(1)</script>",
    "image": '"><img src=x onerror="alert(1)">',
    "comment": "--><!-- <![CDATA[ ]]>",
    "entity": "&lt;b&gt; &amp; &#0;",
    "bidi": "a\u202egpj.exe",
    "newlines": "one\ntwo\r\nthree\ttab",
    "long": "W" * 10_000,
    "wide": "\u7248\u672c\u7ba1\u7406" * 50,
    "emoji": "\U0001f9ea" * 80,
    "stacked": "z" + "\u0337\u0338\u0301" * 300,
    "not XML": "a\ufffeb\uffffc\x00d\ud800",
    "arabic": "\ufdfd" * 40,
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as found:
        yield found


def parsed(lineage: Lineage, prefix: str = "", links: bool = False) -> xml.Element:
    """The drawing as XML, after looking for anything that could act or load."""
    root = xml.fromstring(draw(lineage, id_prefix=prefix, links=links))
    known = {"svg", "style", "defs", "marker", "path", "g", "a", "title", "text", "rect"}
    ids = []
    for element in root.iter():
        assert element.tag.removeprefix(SVG) in known
        for name, value in element.attrib.items():
            assert not name.lower().startswith("on")
            assert name not in {"src", "style", "{http://www.w3.org/1999/xlink}href"}
            assert name != "href" or re.fullmatch(rf"#{prefix}n\d+", value)
            assert "url(" not in value or value == f"url(#{prefix}arrow)"
        ids += [element.attrib["id"]] if "id" in element.attrib else []
    assert len(set(ids)) == len(ids)
    assert all(one.startswith(prefix) for one in ids)
    style = next(root.iter(f"{SVG}style")).text or ""
    assert not re.search(r"url\(|@import|expression|https?:", style)
    return root


def nodes_of(root: xml.Element) -> list[xml.Element]:
    return [element for element in root.iter(f"{SVG}g") if "lineage-node" in element.get("class", "").split()]


def many(count: int) -> Lineage:
    """One pipeline stage that reads `count` files, and a second one that reads three of them too."""
    second = node(NodeKind.PIPELINE_STAGE, "check")
    files = [node(NodeKind.DATA, f"data/{number}.csv") for number in range(count)]
    return graph(
        [*files, TRAIN, second, MODEL, VERSION],
        [*((one, TRAIN, EdgeKind.USED) for one in files), *((one, second, EdgeKind.USED) for one in files[:3]),
         (TRAIN, MODEL, EdgeKind.PRODUCED), (MODEL, VERSION, EdgeKind.RELEASED)],
    )  # fmt: skip


@pytest.mark.parametrize("links", [False, True])
@pytest.mark.parametrize("lineage", GRAPHS.values(), ids=GRAPHS)
def test_every_node_and_edge_is_drawn(lineage: Lineage, links: bool) -> None:
    """Each node once, with its whole label, kind and digest in the title; each edge once; the version marked."""
    root = parsed(lineage, links=links)
    drawn = nodes_of(root)
    titles = [next(element.iter(f"{SVG}title")).text or "" for element in drawn]
    assert [title.split("\n")[:2] for title in titles] == [[one.label, one.kind.value] for one in lineage.nodes]
    assert all(not one.digest or one.digest in title for one, title in zip(lineage.nodes, titles, strict=True))
    assert [one.get("id") for one in drawn] == [f"g{number}" for number in range(len(lineage.nodes))]
    edges = [element for element in root.iter(f"{SVG}path") if "lineage-edge" in element.get("class", "")]
    assert len(edges) == len(lineage.edges)
    marked = [one.id for one, element in zip(lineage.nodes, drawn, strict=True) if "root" in element.get("class", "")]
    assert marked == [lineage.root]
    assert [one.get("href") for one in root.iter(f"{SVG}a")] == [f"#n{n}" for n in range(len(drawn)) if links]


def test_what_cannot_be_seen_is_said() -> None:
    """The drawing has a name; as one image, or, when its nodes are links, as a group of them."""
    assert parsed(DIAMOND).get("role") == "img"
    assert parsed(DIAMOND, links=True).get("role") == "group"
    label = parsed(DIAMOND).get("aria-label")
    assert label == "Lineage of churn@v1.2.0: 11 nodes, 11 edges, causes left of effects"


def test_kinds_differ_without_colour() -> None:
    """No two kinds share a letter, and every kind has one."""
    assert set(LETTERS) == set(COLOURS) == set(NodeKind)
    assert len(set(LETTERS.values())) == len(LETTERS)


def luminance(colour: str) -> float:
    """Relative luminance, as WCAG 2.1 defines it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("kind", NodeKind)
def test_colours_can_be_read(kind: NodeKind) -> None:
    """Contrast with the paper is at least 4.5 to 1, on light and on dark."""
    for colour, paper in zip(COLOURS[kind], ("#ffffff", "#161b22"), strict=True):
        low, high = sorted((luminance(colour), luminance(paper)))
        assert (high + 0.05) / (low + 0.05) >= 4.5


@pytest.mark.parametrize("words", [*NASTY, *LABELS.values()])
def test_hostile_texts_change_no_shape(words: str) -> None:
    """Whatever stands in a repository, the drawing is well-formed, with as many elements, and nothing acts or loads."""
    count = len(list(parsed(full_of("plain"), links=True).iter()))
    assert len(list(parsed(full_of(words), links=True).iter())) == count


@pytest.mark.parametrize("secret", SECRETS)
def test_secrets_stay_out(secret: str) -> None:
    """No password, token or user-info reaches the drawing."""
    assert "hunter2" not in draw(full_of(secret))


@given(lineages())
def test_any_graph_is_drawn_the_same_twice(lineage: Lineage) -> None:
    """The same bytes for the same lineage, well-formed for texts that nobody thought of."""
    assert len(nodes_of(parsed(lineage))) == len(lineage.nodes)
    assert draw(lineage) == draw(lineage)


def test_several_drawings_in_one_page() -> None:
    """A prefix goes before every id and every reference; one that could break out is refused."""
    found = draw(DIAMOND, id_prefix="left-", links=True)
    parsed(DIAMOND, "left-", links=True)
    assert 'href="#left-n0"' in found
    assert 'marker-end="url(#left-arrow)"' in found
    with pytest.raises(ValueError, match="prefix"):
        draw(DIAMOND, id_prefix='"><script>')


def test_large_graph_is_drawn_with_fewer_nodes() -> None:
    """Files that differ in nothing that an edge says become one node with their number; the others stay."""
    small = many(MAX_NODES - 4)
    assert len(small.nodes) == MAX_NODES
    assert len(fold(small).nodes) == MAX_NODES
    large = many(1996)
    picture = fold(large)
    assert sorted(one.members for one in picture.nodes) == [1, 1, 1, 1, 3, 1993]
    labels = {one.node.label for one in picture.nodes}
    assert {"3 files", "1993 files", "train", "check"} <= labels
    assert set(picture.stands_for) == {one.id for one in large.nodes}
    assert set(picture.stands_for.values()) == {one.number for one in picture.nodes}
    assert len(picture.edges) == 5
    assert "2000 nodes" in (parsed(large).get("aria-label") or "")
    assert "drawn as 6 nodes" in (parsed(large).get("aria-label") or "")


def test_large_graph_takes_little_time() -> None:
    """2,000 nodes and 5,000 edges, none of them alike: below two seconds of one processor."""
    nodes = [Node(id=f"n{n:04}", kind=NodeKind.PIPELINE_STAGE, label=f"step {n}") for n in range(2000)]
    pairs = sorted({(n, n + 1 + n * k % 7) for n in range(1990) for k in range(1, 4)})[:5000]
    edges = tuple(Edge(source=nodes[a].id, target=nodes[b].id, kind=EdgeKind.PRODUCED) for a, b in pairs)
    lineage = Lineage(root="n1999", nodes=tuple(nodes), edges=edges)
    began = time.process_time()
    draw(lineage)
    assert time.process_time() - began < 2


@given(st.text(max_size=80), st.integers(4, 40))
def test_shortened_keeps_both_ends(words: str, fit: int) -> None:
    """Never more letters than fit, the whole when it fits, else an ellipsis between a beginning and an end."""
    short = shortened(words, fit)
    head, ellipsis, tail = short.partition("…")
    assert words == short or (ellipsis and words.startswith(head) and words.endswith(tail))
    if words.isascii():
        assert len(short) == min(len(words), fit)


def test_text_is_escaped_once() -> None:
    """As HTML and XML read it back."""
    words = "<&>\"'"
    read = xml.fromstring(f'<a b="{text(words)}">{text(words)}</a>')
    assert (read.get("b"), read.text) == (words, words)


@needs_browser
def test_text_fits_into_its_box(browser: Browser, tmp_path: Path) -> None:
    """Measured with real fonts, no label is wider than the room for it, and what may be taller is cut off."""
    nodes = [node(NodeKind.DATA, words, id=f"data:{name}") for name, words in LABELS.items()]
    lineage = graph([*nodes, RAW, *ALONE.nodes], [(one, ALONE.nodes[0], EdgeKind.USED) for one in nodes])
    path = tmp_path / "page.html"
    path.write_text(f"<!DOCTYPE html><meta charset=utf-8>{draw(lineage)}{draw(lineage, id_prefix='b')}", "utf-8")
    page = browser.open(path)
    rooms = page.evaluate(
        "[...document.querySelectorAll('.lineage-name, .lineage-more')].map(t => [t.textContent,"
        " t.getComputedTextLength(), t.ownerSVGElement.width.baseVal.value,"
        " getComputedStyle(t.ownerSVGElement).overflow])"
    )
    assert len(rooms) == 4 * len(lineage.nodes)
    # Of this one ligature no font says how wide it is, so it is cut off at the edge.
    assert [words for words, needed, room, _ in rooms if needed > room and "\ufdfd" not in words] == []
    assert {overflow for *_, overflow in rooms} <= {"hidden", "clip"}
    assert (page.console, page.requests) == ([], [])
    page.close()


@needs_browser
def test_colours_follow_the_page(browser: Browser, tmp_path: Path) -> None:
    """Dark where the system is dark; a page's own custom properties come before both."""
    path, own = tmp_path / "page.html", tmp_path / "own.html"
    path.write_text(draw(clean(DIAMOND)), "utf-8")
    own.write_text(f"<style>:root{{--lineage-paper:rgb(1, 2, 3)}}</style>{draw(DIAMOND)}", "utf-8")
    fill = "getComputedStyle(document.querySelector('.lineage-box')).fill"
    page = browser.open(path)
    assert page.evaluate(fill) == "rgb(255, 255, 255)"
    page.colours(dark=True)
    assert page.evaluate(fill) == "rgb(22, 27, 34)"
    page.close()
    page = browser.open(own, dark=True)
    assert page.evaluate(fill) == "rgb(1, 2, 3)"
    page.close()
