"""The page of a lineage: read by Python's HTML parser, and in a real browser where there is one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given

from dvc_modelver.core.lineage import EdgeKind, Lineage, NodeKind
from dvc_modelver.core.text import safe
from dvc_modelver.integrations.documents import INCOMPLETE, clean
from dvc_modelver.integrations.html import POLICY, render
from tests.integrations.graphs import (
    ALONE,
    DIAMOND,
    GRAPHS,
    NASTY,
    SECRETS,
    VERSION,
    full_of,
    graph,
    lineages,
    node,
)
from tests.integrations.graphs import INCOMPLETE as SHALLOW
from tests.integrations.test_lineage_svg import LABELS, many
from tests.support.browser import Browser, Page, needs_browser

PAGES = {
    **GRAPHS,
    **{f"full of {name}": full_of(words) for name, words in LABELS.items()},
    "large": many(600),
}
VOID = {"meta", "path", "rect"}
KNOWN = {
    *("html", "head", "meta", "title", "style", "body", "main", "footer", "h1", "h2", "p", "a", "b", "span", "code"),
    *("div", "dl", "dt", "dd", "ul", "li", "strong", "time", "details", "summary", "table", "thead", "tbody", "tr"),
    *("th", "td", "svg", "defs", "marker", "path", "g", "text", "rect"),
}


class Reader(HTMLParser):
    """Elements, attributes and text of a page, and whether every element is closed where it should be."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def read(lineage: Lineage) -> Reader:
    """The page, after looking for anything in it that could act or load."""
    page = render(lineage)
    assert page == render(lineage)
    assert safe(page) == page
    assert "\t" not in page
    found = Reader(page)
    for tag, attributes in found.elements:
        assert tag in KNOWN
        assert not {"src", "srcset", "action", "style", "ping"} & set(attributes)
        assert not any(name.startswith("on") for name in attributes)
        href = attributes.get("href")
        assert href is None or re.match(r"#[ng]\d+$|https?://", href)
    ids = [one["id"] for _, one in found.elements if "id" in one]
    assert len(set(ids)) == len(ids)
    assert {one["href"][1:] for _, one in found.elements if (one.get("href") or "").startswith("#")} <= set(ids)  # type: ignore[index]
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as found:
        yield found


def shown(browser: Browser, lineage: Lineage, folder: Path, width: int = 1280, *, dark: bool = False) -> Page:
    path = folder / "lineage.html"
    path.write_text(render(lineage), "utf-8")
    return browser.open(path, width, 800, dark=dark)


# The file --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lineage", PAGES.values(), ids=PAGES)
def test_each_node_has_a_row_and_a_place_in_the_drawing(lineage: Lineage) -> None:
    """Rows `n0` to the last; every link leads to something; the elements are those of a page without scripts."""
    found = read(lineage)
    rows = [one.get("id") for tag, one in found.elements if tag == "tr" and "id" in one]
    assert sorted(rows, key=lambda id: int(str(id)[1:])) == [f"n{number}" for number in range(len(lineage.nodes))]
    policies = [one["content"] for tag, one in found.elements if one.get("http-equiv") == "Content-Security-Policy"]
    assert policies == [POLICY]
    assert "default-src 'none'" in POLICY


@given(lineages())
def test_any_graph_is_a_page(lineage: Lineage) -> None:
    """The same for graphs and texts that nobody thought of."""
    read(lineage)


@pytest.mark.parametrize("words", [words for words in NASTY if words.strip()])
def test_hostile_texts_are_text(words: str) -> None:
    """What a repository holds is shown as it is, and makes no element."""
    plain, hostile = read(full_of("plain")), read(full_of(words))
    assert [tag for tag, _ in hostile.elements if tag not in {"details", "summary", "span", "a"}] == [
        tag for tag, _ in plain.elements if tag not in {"details", "summary", "span", "a"}
    ]


@pytest.mark.parametrize("secret", SECRETS)
def test_secrets_stay_out(secret: str) -> None:
    """No password, token or user-info reaches the page."""
    assert "hunter2" not in render(full_of(secret))


def test_every_fact_is_there() -> None:
    """Digest, first commit, author, date, size, details and what came back, of each node."""
    words = " ".join(" ".join(read(DIAMOND).words).split())
    for one in clean(DIAMOND).nodes:
        assert one.label in words
        assert one.digest is None or one.digest in words
        assert one.origin is None or {one.origin.commit[:12], one.origin.author.name} <= set(words.split())
        assert all(" ".join(value.split()) in words for value in one.details.values())
    assert "came back in 888888888888" in words
    assert "1.0 kB" in words
    assert "2026-01-03" in words


def test_what_is_missing_stands_at_the_top() -> None:
    """In the words of the lineage, or in ours; a complete one has no such box; a folded drawing says so."""
    for lineage, note in ((SHALLOW, SHALLOW.notes[0]), (ALONE, INCOMPLETE)):
        page = render(lineage)
        assert page.index("Incomplete.") < page.index(note) < page.index("<svg")
    assert 'role="note"' not in render(DIAMOND)
    large = render(many(600))
    assert large.index("The drawing has 6 nodes for 604") < large.index("<svg")
    assert "Incomplete." not in large


def test_addresses_are_links_without_user_info() -> None:
    """A web address can be followed; other schemes are text."""
    urls = {"repository": "https://user:pw@host/a.git", "other": "javascript:alert(1)//https://x", "s3": "s3://b/k"}
    version = node(NodeKind.VERSION, "churn@v1.2.0", details=urls)
    links = [one["href"] for _, one in read(graph([version], [])).elements if "href" in one]
    assert {link for link in links if not str(link).startswith("#")} == {"https://host/a.git"}


# In a browser ----------------------------------------------------------------------------------------------------


@needs_browser
def test_the_browser_tells_what_went_wrong(browser: Browser, tmp_path: Path) -> None:
    """Were there a script error, a message or a request, the tests below would see it."""
    path = tmp_path / "bad.html"
    path.write_text("<script>console.log('hello'); setTimeout(() => { throw Error('boom') })</script><img src=x.png>")
    page = browser.open(path)
    console = "\n".join(page.console)
    assert "log: hello" in console
    assert "boom" in console
    assert page.requests == [(tmp_path / "x.png").as_uri()]
    page.close()


@needs_browser
@pytest.mark.parametrize("name", ["diamond", "incomplete", "alone", "large", *(f"full of {one}" for one in LABELS)])
def test_quiet_and_narrow(browser: Browser, tmp_path: Path, name: str) -> None:
    """No console message, no request; at phone width the page does not scroll sideways, whatever the texts are."""
    page = shown(browser, PAGES[name], tmp_path, dark=True)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(13, 17, 23)"
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    page.size(360, 740, mobile=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.evaluate("innerWidth") == 360
    page.colours(dark=False)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(246, 248, 250)"
    assert page.evaluate("document.querySelectorAll('script, img, iframe, link, form').length") == 0
    assert (page.console, page.requests) == ([], [])
    page.close()


@needs_browser
def test_the_policy_stops_scripts(browser: Browser, tmp_path: Path) -> None:
    """Even if a script got into the page it would not run."""
    path = tmp_path / "lineage.html"
    path.write_text(render(DIAMOND).replace("<main>", "<main><script>document.title = 'run'</script>"), "utf-8")
    page = browser.open(path)
    assert page.evaluate("document.title") == "Lineage of churn@v1.2.0"
    assert "Content Security Policy" in "\n".join(page.console)
    page.close()


@needs_browser
def test_by_keyboard_from_the_drawing_to_the_row_and_back(browser: Browser, tmp_path: Path) -> None:
    """Tab reaches the nodes, Enter leads to the row, whose name leads back; the focus can be seen."""
    page = shown(browser, DIAMOND, tmp_path)
    stroke = "getComputedStyle(document.querySelector('#g0 .lineage-box')).strokeWidth"
    before = page.evaluate(stroke)
    for _ in range(10):
        page.press("Tab")
        if page.evaluate("document.activeElement.closest('#g0') !== null"):
            break
    assert page.evaluate(stroke) != before
    page.press("Enter")
    assert page.evaluate("location.hash") == "#n0"
    row = "document.querySelector('#n0').getBoundingClientRect()"
    assert page.evaluate(f"{row}.top >= 0 && {row}.bottom <= innerHeight")
    assert page.evaluate("getComputedStyle(document.querySelector('#n0 td')).backgroundColor") == "rgb(221, 240, 255)"
    page.press("Tab")
    assert page.evaluate("document.activeElement.closest('#n0') !== null")
    page.press("Enter")
    assert page.evaluate("location.hash") == "#g0"
    place = "document.querySelector('#g0').getBoundingClientRect()"
    assert page.evaluate(f"{place}.top >= 0 && {place}.bottom <= innerHeight && {place}.left >= 0")
    assert page.console == []
    page.close()


@needs_browser
def test_the_drawing_scrolls_in_its_own_box(browser: Browser, tmp_path: Path) -> None:
    """A wide graph is reached by scrolling its box, also by keyboard; a link brings the version into view."""
    page = shown(browser, DIAMOND, tmp_path, 360)
    box = "document.querySelector('.graph')"
    assert page.evaluate(f"{box}.scrollWidth > {box}.clientWidth")
    page.evaluate(f"{box}.focus()")
    page.press("ArrowRight")
    page.evaluate("new Promise(done => setTimeout(done, 300))")
    assert page.evaluate(f"{box}.scrollLeft") > 0
    page.click(".jump a")
    number = [one.id for one in clean(DIAMOND).nodes].index(VERSION.id)
    place = f"document.querySelector('#g{number}').getBoundingClientRect()"
    assert page.evaluate(f"{place}.left < innerWidth && {place}.right > 0 && {place}.top < innerHeight")
    page.close()


@needs_browser
def test_nodes_do_not_overlap(browser: Browser, tmp_path: Path) -> None:
    """Two hundred nodes: each has its place, and text stays inside of its box."""
    files = [node(NodeKind.DATA, f"data/some/folder/{number}/file.parquet") for number in range(120)]
    steps = [node(NodeKind.PIPELINE_STAGE, f"step-{number}") for number in range(78)]
    edges = [(one, steps[at % 78], EdgeKind.USED) for at, one in enumerate(files)]
    edges += [(steps[at // 2], steps[at], EdgeKind.PRODUCED) for at in range(1, 78)]
    page = shown(browser, graph([*files, *steps, VERSION], [*edges, (steps[-1], VERSION, EdgeKind.RELEASED)]), tmp_path)
    boxes = page.evaluate(
        "[...document.querySelectorAll('.lineage-box')].map(one => { const b = one.getBoundingClientRect();"
        " return [b.left, b.top, b.right, b.bottom]; })"
    )
    assert len(boxes) == 199
    overlapping = [
        (a, b)
        for at, a in enumerate(boxes)
        for b in boxes[:at]
        if a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
    ]
    assert overlapping == []
    page.close()
