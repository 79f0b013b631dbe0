"""The page of a comparison in a real browser: keyboard, filter, sorting, themes, phones, no script, hostile texts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dvc_modelver.core.report import Report
from dvc_modelver.integrations.comparison_page import render
from tests.integrations import reports
from tests.support.browser import Browser, Page, needs_browser

pytestmark = needs_browser

ATTACKS = (
    "</script><script>window.hit=1</script>",
    '"><img src=x onerror="window.hit=1">',
    "javascript:window.hit=1",
    "</style><svg onload=window.hit=1>",
    "{{script}}",
)
VISIBLE = "[...document.querySelectorAll('#%s tbody tr')].filter(r => r.offsetParent).map(r => r.cells[0].innerText)"
CONTRAST = """
(() => {
  const channel = c => { c /= 255; return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const parse = text => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const [r, g, b, a] = parse(getComputedStyle(at).backgroundColor);
      if (a === undefined || a === 1) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const low = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const words = walker.currentNode.textContent.trim();
    if (!words || !element.checkVisibility() || element.closest('script, style, .sr, .skip, .drawn, .matrix')) continue;
    const style = getComputedStyle(element);
    const drawn = element.namespaceURI.endsWith('svg');
    const [a, b] = [light(parse(drawn ? style.fill : style.color)), light(behind(element))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) low.push(`${words.slice(0, 30)} ${ratio.toFixed(2)}`);
  }
  return low;
})()
"""
UNREACHED = """
[...document.querySelectorAll('main svg text, td, th, p, li, h2, h3')].filter(e => e.checkVisibility()
  && !e.closest('.scroll, .plot figure, .sr') && e.getBoundingClientRect().right > innerWidth + 1).length
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as found:
        yield found


def opened(
    browser: Browser, folder: Path, report: Report, fragment: str = "", *, dark: bool = False, script: bool = True
) -> Page:
    """The page of a report, as a person opens it; without its script as one who allows none."""
    file = folder / "page.html"
    words = render(report)
    # With scripts switched off in the browser the page could not be asked anything either.
    file.write_text(words if script else words[: words.rindex("<script>")], encoding="utf-8", newline="")
    page = browser.open(file, dark=dark)
    if fragment:
        page.evaluate(f"location.hash = {fragment!r}")
        page.evaluate("new Promise(done => setTimeout(done, 50))")
    return page


@pytest.fixture
def page(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    found = opened(browser, tmp_path, reports.USUAL)
    yield found
    assert (found.console, found.requests) == ([], [])
    found.close()


def tab_to(page: Page, selector: str, most: int = 80) -> None:
    """Press Tab until an element has the focus."""
    for _ in range(most):
        page.press("Tab")
        if page.evaluate(f"document.activeElement.matches({selector!r})"):
            return
    raise AssertionError(f"{selector} is not reached by Tab")


def test_first_tab_offers_to_skip(page: Page) -> None:
    """Who uses the keyboard need not walk through the links."""
    page.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.evaluate("document.activeElement.getBoundingClientRect().top >= 0")
    page.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_typing_filters_rows(page: Page) -> None:
    """Rows of all tables that hold the words stay; how many is said; Escape brings all back."""
    tab_to(page, "#filter")
    page.type("LR train")
    assert page.evaluate(VISIBLE % "t-params") == ["train.lr"]
    assert page.evaluate(VISIBLE % "t-code") == []
    assert "rows are hidden by the filter" in page.evaluate("document.querySelector('#code .nothing').textContent")
    count = page.evaluate("document.getElementById('count').textContent")
    total = page.evaluate("document.querySelectorAll('table.sortable tbody tr').length")
    assert count.endswith(f" of {total} rows shown")
    assert page.evaluate("document.getElementById('count').getAttribute('aria-live')") == "polite"
    assert "q=LR+train" in page.evaluate("location.hash")
    page.press("Escape")
    assert len(page.evaluate(VISIBLE % "t-params")) == 5
    assert page.evaluate("document.getElementById('count').textContent") == ""


def test_enter_on_a_head_sorts(page: Page) -> None:
    """Up, down, and back to the order of the file; what is absent stands last."""
    tab_to(page, "#t-metrics th:nth-child(2) button")
    before = page.evaluate(VISIBLE % "t-metrics")
    page.press("Enter")
    assert (
        page.evaluate("document.querySelector('#t-metrics th:nth-child(2)').getAttribute('aria-sort')") == "ascending"
    )
    up = [name.split()[0] for name in page.evaluate(VISIBLE % "t-metrics")]
    assert up == ["log_loss", "recall.macro", "f1", "precision", "accuracy", "auc", "train.seconds", "ece"]
    page.press(" ")
    down = [name.split()[0] for name in page.evaluate(VISIBLE % "t-metrics")]
    assert down == [*reversed(up[:-1]), "ece"]
    assert "t-metrics=1d" in page.evaluate("location.hash")
    page.press("Enter")
    assert page.evaluate(VISIBLE % "t-metrics") == before
    assert page.evaluate("document.querySelector('#t-metrics [aria-sort]')") is None


def test_space_shows_differences_only(page: Page) -> None:
    """Equal rows go and come back."""
    tab_to(page, "#differences")
    page.press(" ")
    assert page.evaluate(VISIBLE % "t-params") == ["train.lr", "train.kind", "train.columns"]
    assert page.evaluate("document.querySelectorAll('tr.same:not([hidden])').length") == 0
    assert page.evaluate("location.hash") == "#diff=1"
    page.press(" ")
    assert len(page.evaluate(VISIBLE % "t-params")) == 5


def test_button_changes_the_theme(page: Page) -> None:
    """Dark by the keyboard, though the system says light."""
    paper = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(paper)
    tab_to(page, "#theme")
    page.press(" ")
    assert page.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true"
    assert page.evaluate(paper) != light
    page.press("Enter")
    assert page.evaluate(paper) == light


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_texts_stand_out(browser: Browser, tmp_path: Path, dark: bool) -> None:
    """Every text has a contrast of 4.5 or more, also where all boxes are open, whichever the theme."""
    page = opened(browser, tmp_path, reports.USUAL, dark=dark)
    page.evaluate("document.querySelectorAll('details').forEach(box => { box.open = true; })")
    page.settle()
    assert page.evaluate(CONTRAST) == []
    page.close()


def test_system_decides_the_theme(browser: Browser, tmp_path: Path) -> None:
    """Nothing is pressed, and the page is as dark as the system."""
    page = opened(browser, tmp_path, reports.USUAL, dark=True)
    assert page.evaluate("document.getElementById('theme').getAttribute('aria-pressed')") == "true"
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"
    page.colours(dark=False)
    page.settle()
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "light"
    assert page.evaluate("document.getElementById('theme').getAttribute('aria-pressed')") == "false"
    page.close()


@pytest.mark.parametrize(
    "report", [reports.USUAL, reports.several(), reports.large(versions=60)], ids=["usual", "several", "large"]
)
def test_phones_need_no_sideways_scrolling(browser: Browser, tmp_path: Path, report: Report) -> None:
    """At 360 pixels the page is as wide as the view; wide tables scroll in their boxes."""
    page = opened(browser, tmp_path, report)
    page.size(360, 740, mobile=True)
    page.load()
    page.evaluate("document.querySelectorAll('details').forEach(box => { box.open = true; })")
    page.settle()
    assert page.evaluate("[document.documentElement.scrollWidth, innerWidth]") == [360, 360]
    assert page.evaluate(UNREACHED) == 0
    assert page.evaluate("document.querySelector('#metrics .scroll').tabIndex") == 0
    page.close()


def test_address_keeps_what_was_asked(browser: Browser, tmp_path: Path) -> None:
    """A link shows the same to whoever opens it."""
    page = opened(browser, tmp_path, reports.USUAL, "#params&q=train&diff=1&theme=dark&t-params=0d")
    assert page.evaluate(VISIBLE % "t-params") == ["train.lr", "train.kind", "train.columns"][:3]
    assert page.evaluate("document.getElementById('filter').value") == "train"
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate("document.querySelector('#t-params [aria-sort]').getAttribute('aria-sort')") == "descending"
    assert page.evaluate("Math.abs(document.getElementById('params').getBoundingClientRect().top) < 500")
    page.click("nav a[href='#metrics']")
    page.evaluate("new Promise(done => setTimeout(done, 50))")
    assert page.evaluate("location.hash").startswith("#metrics&")
    assert page.evaluate("document.getElementById('filter').value") == "train"
    page.close()


@pytest.mark.parametrize(
    "fragment", ["#q=%E0%A4%A&t-params=99a&axes=7-x&theme=pink&diff=maybe", "#%%%", "#=&&=", "#t-metrics=1z"]
)
def test_odd_addresses_do_no_harm(browser: Browser, tmp_path: Path, fragment: str) -> None:
    """What is no state is left alone."""
    page = opened(browser, tmp_path, reports.USUAL, fragment)
    assert page.console == []
    assert page.evaluate("document.querySelectorAll('#t-params tbody tr').length") == 5
    page.close()


def test_dots_are_walked_with_arrows(page: Page) -> None:
    """One stop for each chart, then the arrows; the dot says its version and number."""
    tab_to(page, "#history circle")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith("v0.10.0, 2025-05-21: 0.8")
    page.press("ArrowRight")
    assert page.evaluate("document.getElementById('tip').textContent").startswith("v0.11.0")
    assert page.evaluate("document.getElementById('tip').checkVisibility()")
    page.press("Home")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith("v0.1.0")
    page.press("Escape")
    assert not page.evaluate("document.getElementById('tip').checkVisibility()")


def test_lines_are_walked_with_arrows(page: Page) -> None:
    """A line that has the focus stands out, and its values are said."""
    tab_to(page, "#pc path")
    page.press("ArrowDown")
    assert page.evaluate("document.querySelectorAll('#pc .seen').length") == 1
    assert page.evaluate(
        "document.getElementById('pc-seen').getAttribute('d') === document.activeElement.getAttribute('d')"
    )
    assert "auc" in page.evaluate("document.getElementById('pc-read').textContent")


def test_pointer_finds_the_nearest_line(page: Page) -> None:
    """A thin line need not be hit exactly."""
    place = page.evaluate(
        "(() => { const svg = document.getElementById('pc'), line = svg.querySelector('path.p1');"
        " svg.scrollIntoView({block: 'center'});"
        " const at = line.getPointAtLength(line.getTotalLength() / 2).matrixTransform(svg.getScreenCTM());"
        " return [at.x, at.y + 3]; })()"
    )
    page.order("Input.dispatchMouseEvent", type="mouseMoved", x=place[0], y=place[1])
    page.settle()
    assert page.evaluate("document.querySelectorAll('#pc .seen').length") == 1


def test_axes_are_chosen_by_keyboard(page: Page) -> None:
    """An axis goes and the address knows."""
    axes = "document.querySelectorAll('#pc .axis').length"
    before = page.evaluate(axes)
    tab_to(page, "#pc-pick summary")
    page.press("Enter")
    tab_to(page, "#pc-pick input")
    page.press(" ")
    assert page.evaluate(axes) == before - 1
    assert "axes=" in page.evaluate("location.hash")
    page.press(" ")
    assert page.evaluate(axes) == before
    assert "axes=" not in page.evaluate("location.hash")


def test_ranges_narrow_the_lines_down(page: Page) -> None:
    """A range moved by the arrow keys leaves only the lines inside, and says how many."""
    tab_to(page, "#pc-narrow summary")
    page.press("Enter")
    tab_to(page, "#pc-narrow fieldset:nth-child(5) input")
    for _ in range(4):
        page.press("PageUp")
    dim = page.evaluate("document.querySelectorAll('#pc-lines .dim').length")
    assert 0 < dim < len(reports.VERSIONS)
    words = page.evaluate("document.getElementById('pc-read').textContent")
    assert words.startswith(f"{len(reports.VERSIONS) - dim} of {len(reports.VERSIONS)} versions")


def test_lines_can_all_be_taken_away(page: Page) -> None:
    """Without any axis there is nothing, not an error."""
    page.evaluate("document.querySelectorAll('#pc-pick input').forEach(box => { if (box.checked) box.click(); })")
    assert page.evaluate("document.querySelectorAll('#pc .axis').length") == 0


def test_plots_are_overlaid_by_keyboard(page: Page) -> None:
    """The radio button of a plot of lines shows them in one chart, that of pictures lays one over the other."""
    tab_to(page, "#plot0s", most=200)
    page.press("ArrowRight")
    assert page.evaluate("document.querySelector('.over').checkVisibility()")
    tab_to(page, "#plot2s")
    page.press("ArrowRight")
    upper = "getComputedStyle(document.querySelector('figure.upper'))"
    assert page.evaluate(f"{upper}.position") == "absolute"
    tab_to(page, "input[data-do='opacity']")
    page.press("End")
    assert page.evaluate(f"{upper}.opacity") == "1"


def test_static_picture_is_what_the_script_draws(browser: Browser, tmp_path: Path) -> None:
    """Who has no script sees the same lines on the same axes."""
    for report in (reports.USUAL, reports.several(), reports.large(versions=40)):
        page = opened(browser, tmp_path, report)
        found = page.evaluate("[...document.querySelectorAll('#pc-lines path')].map(p => p.getAttribute('d'))")
        texts = page.evaluate("[...document.querySelectorAll('#pc-axes text')].map(t => t.textContent)")
        page.close()
        page = opened(browser, tmp_path, report, script=False)
        assert page.evaluate("[...document.querySelectorAll('#pc-lines path')].map(p => p.getAttribute('d'))") == found
        static = page.evaluate("[...document.querySelectorAll('#pc-axes text')].map(t => t.textContent)")
        assert [text for text in static if not text[:1].isdigit()] == [text for text in texts if not text[:1].isdigit()]
        page.close()


def test_page_reads_without_a_script(browser: Browser, tmp_path: Path) -> None:
    """Tables, charts and plots are there; what would do nothing is not shown."""
    page = opened(browser, tmp_path, reports.USUAL, script=False)
    assert page.evaluate("document.querySelectorAll('html.js').length") == 0
    assert len(page.evaluate(VISIBLE % "t-params")) == 5
    assert page.evaluate("[...document.querySelectorAll('.needs-js')].filter(e => e.checkVisibility()).length") == 0
    assert page.evaluate("[...document.querySelectorAll('.chart circle')].every(c => c.checkVisibility())")
    assert page.evaluate("document.querySelectorAll('th button').length") == 0
    page.click("label[for=plot0o]")
    assert page.evaluate("document.querySelector('.over').checkVisibility()")
    assert (page.console, page.requests) == ([], [])
    page.close()


@pytest.mark.parametrize("text", ATTACKS)
def test_hostile_texts_do_nothing(browser: Browser, tmp_path: Path, text: str) -> None:
    """No script of theirs runs, nothing is asked for, and the page works."""
    page = opened(browser, tmp_path, reports.report_full_of(text))
    page.evaluate("document.querySelectorAll('details').forEach(box => { box.open = true; })")
    page.evaluate("document.querySelectorAll('#pc-pick input').forEach(box => { box.click(); box.click(); })")
    page.evaluate("document.querySelectorAll('.chart circle').forEach(dot => { dot.focus(); })")
    assert page.evaluate("window.hit") is None
    assert text in page.evaluate("document.querySelector('#t-params tbody th').textContent")
    assert (page.console, page.requests) == ([], [])
    page.close()


def test_another_script_would_not_run(browser: Browser, tmp_path: Path) -> None:
    """Were a text to become a script all the same, the policy would stop it."""
    file = tmp_path / "page.html"
    file.write_text(
        render(reports.USUAL).replace("</footer>", "</footer><script>window.hit=1</script>"), encoding="utf-8"
    )
    page = browser.open(file)
    assert page.evaluate("window.hit") is None
    assert "Content Security Policy" in " ".join(page.console)
    page.close()


def test_a_thousand_versions_are_usable(browser: Browser, tmp_path: Path) -> None:
    """A large page opens, begins with the differences, and answers to the filter."""
    page = opened(browser, tmp_path, reports.large())
    assert page.evaluate("document.getElementById('differences').checked")
    assert page.evaluate("document.querySelectorAll('#pc-lines path').length") == 1000
    page.evaluate("document.getElementById('filter').focus()")
    page.type("metric_7")
    assert page.evaluate(VISIBLE % "t-metrics") == ["metric_7 \u2197"]
    assert (page.console, page.requests) == ([], [])
    page.close()


def test_paper_shows_the_rows_and_no_tools(browser: Browser, tmp_path: Path) -> None:
    """Printed it is dark on white, without what nobody can press."""
    page = opened(browser, tmp_path, reports.USUAL, dark=True)
    page.order(
        "Emulation.setEmulatedMedia", media="print", features=[{"name": "prefers-color-scheme", "value": "dark"}]
    )
    page.settle()
    assert not page.evaluate("document.getElementById('filter').checkVisibility()")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    page.close()
