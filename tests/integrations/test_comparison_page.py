"""The page of a comparison as text: what it says, that it is safe, the same each time, and not too large."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import math
import re
import time
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dvc_modelver.core.comparison import Comparison, ParamRow
from dvc_modelver.core.report import Report, ReportPlot
from dvc_modelver.core.significance import Interval
from dvc_modelver.core.text import safe
from dvc_modelver.integrations.comparison_page import render
from dvc_modelver.integrations.comparison_page.axes import axes_of
from dvc_modelver.resources import template_path
from tests.integrations import reports
from tests.integrations.graphs import NASTY, SECRETS

VOID = {"br", "img", "input", "link", "meta"}


class Reader(HTMLParser):
    """Elements, cells of tables and texts, as a parser that nobody here wrote sees them."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.texts: list[str] = []
        self.scripts: list[tuple[dict[str, str], str]] = []
        self.headings: list[int] = []
        self.open: list[str] = []
        self.problems: list[str] = []
        self._table = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {key: value or "" for key, value in attrs}
        self.elements.append((tag, known))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "script":
            self.scripts.append((known, ""))
        elif re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        elif tag == "table":
            self._table = known["id"]
            self.tables[self._table] = []
        elif tag == "tr":
            self.tables[self._table].append([])
        elif tag in ("td", "th"):
            self.tables[self._table][-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {key: value or "" for key, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}> closes nothing")

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts[-1] = (self.scripts[-1][0], self.scripts[-1][1] + data)
        elif self.open and self.open[-1] != "style":
            self.texts.append(data)
        if "td" in self.open or "th" in self.open:
            self.tables[self._table][-1][-1] += data

    @property
    def text(self) -> str:
        return " ".join("".join(self.texts).split())

    def rows(self, table: str) -> dict[str, list[str]]:
        """First cell -> the others."""
        return {row[0].strip(): [cell.strip() for cell in row[1:]] for row in self.tables[table][1:]}

    def data(self) -> Any:
        return json.loads(next(text for known, text in self.scripts if known.get("type") == "application/json"))


UNSURE = reports.interval(-0.1, 0.3)
USUAL = Reader(render(reports.USUAL))


def test_same_report_gives_the_same_bytes() -> None:
    """Whoever compares two pages compares what they say."""
    assert render(reports.USUAL) == render(replace(reports.USUAL))


def test_elements_are_closed_in_order() -> None:
    """A parser finds the tree that was meant."""
    assert (USUAL.problems, USUAL.open) == ([], [])


def test_sections_stand_in_order() -> None:
    """What decides comes first, what explains it after."""
    sections = [known["id"] for tag, known in USUAL.elements if tag == "section"]
    assert sections == [
        "better", "metrics", "history", "parallel", "params", "data", "code", "pipeline", "environment", "artifact",
        "plots", "lineage", "notes",
    ]  # fmt: skip


def test_links_lead_to_sections() -> None:
    """Each link of the page leads to something on it."""
    ids = [known["id"] for _, known in USUAL.elements if "id" in known]
    links = [known["href"] for tag, known in USUAL.elements if tag == "a"]
    assert len(links) > 10
    assert [link for link in links if link.removeprefix("#") not in ids] == []
    assert len(ids) == len(set(ids))


def test_headings_skip_no_level() -> None:
    """Who moves by headings finds one first and no gap."""
    levels = USUAL.headings
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_inputs_have_labels() -> None:
    """Each control in the file says what it is for."""
    labelled = {known["for"] for tag, known in USUAL.elements if tag == "label" and "for" in known}
    page = render(reports.USUAL)
    for tag, known in USUAL.elements:
        if tag in ("input", "select") and known.get("id") not in labelled:
            wrapped = re.search(rf"<label[^>]*>[^<]*(?:<b[^>]*>[^<]*</b>[^<]*)?<{tag}", page)
            assert wrapped, (tag, known)


def test_points_say_version_commit_and_date() -> None:
    """A reader knows what is compared."""
    first, second = USUAL.tables["t-points"][1:]
    assert first == ["A", "churn#prod", "churn", "v0.10.0", reports.OLD.commit[:9], "2025-05-21", "base prod"]
    assert second[:6] == ["B", "churn@latest", "churn", "v0.14.0", reports.NEW.commit[:9], "2025-06-26"]


def test_bump_is_said_with_reasons() -> None:
    """The number that follows, and why."""
    assert "Suggested bump minor" in USUAL.text
    for reason in reports.suggestion().reasons:
        assert f"<li>{reason}</li>" in render(reports.USUAL)


def test_metrics_say_value_change_and_verdict() -> None:
    """Up is better for one, down for another; what cannot be judged says nothing."""
    rows = USUAL.rows("t-metrics")
    assert rows["auc ↗"] == ["0.8184", "0.8372", "↑ +0.0188", "+2.3%", "+0.006 to +0.031 beyond chance", "better"]
    assert rows["log_loss ↘"] == ["0.5282", "0.4882", "↓ -0.04", "-7.6%", "", "better"]
    assert rows["recall.macro ↗"][2:] == ["↓ -0.032", "-5.0%", "", "worse"]
    assert rows["precision ↗"][2:] == ["0", "0%", "", "unchanged"]
    assert rows["train.seconds"][2:] == ["↓ -1", "-2.3%", "", ""]
    assert rows["f1 ↗"][:3] == ["0.66", "NaN", "changed"]
    assert rows["ece ↘"][:3] == ["\N{EN DASH}", "0.031", "new"]


def test_answer_counts_better_and_worse() -> None:
    """The first thing that a reader learns."""
    assert "Better in some, worse in others" in USUAL.text
    assert "1 of 2 changes with a confidence interval is beyond chance." in USUAL.text
    for words in ("3 better", "1 worse", "1 unchanged", "3 not judged"):
        assert words in USUAL.text


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        (reports.metric("auc", 0.1, 0.2), "Better"),
        (reports.metric("auc", 0.2, 0.1), "Worse"),
        (reports.metric("auc", 0.1, 0.2, better="down"), "Worse"),
        (reports.metric("auc", 0.1, 0.1), "No difference"),
        (reports.metric("auc", 0.1, 0.2, better=None), "Nothing that can be judged"),
        (reports.metric("auc", 0.1, 0.2, intervals=(None, UNSURE)), "Better, but that may be chance"),
        (reports.metric("auc", 0.1, 0.2, intervals=(None, reports.interval(0.05, 0.15))), "Better"),
    ],
)  # fmt: skip
def test_headline_says_what_the_metrics_say(metric: Any, words: str) -> None:
    """One metric: its verdict, with doubt where chance may be the reason."""
    page = render(replace(reports.USUAL, comparison=replace(reports.COMPARISON, metrics=(metric,))))
    assert f'<p class="word">{words}</p>' in page


def test_exact_numbers_stand_in_titles() -> None:
    """A cell is rounded, its title is not."""
    row = reports.metric("auc", 0.123456789012345, 0.5)
    page = render(replace(reports.USUAL, comparison=replace(reports.COMPARISON, metrics=(row,))))
    assert '<span title="0.123456789012345">0.123457</span>' in page
    assert 'data-v="0.123456789012345"' in page


def test_different_values_never_look_the_same() -> None:
    """Rounding stops where it would hide a change."""
    row = ParamRow(file="params.yaml", key="lr", values=(0.10000001, 0.10000002), changed=True)
    page = Reader(render(replace(reports.USUAL, comparison=replace(reports.COMPARISON, params=(row,)))))
    assert page.rows("t-params")["lr"] == ["0.10000001", "0.10000002", "changed"]


def test_tables_of_data_say_what_changed_inside() -> None:
    """Rows and columns of a table that changed."""
    cell = USUAL.rows("t-data")["data/raw.csv"][-1]
    assert cell.startswith("changed")
    assert "1500" in cell
    assert "2000" in cell
    assert "region" in cell


def test_code_says_how_many_lines() -> None:
    """Lines that came and went, and files that stand in no row."""
    assert USUAL.rows("t-code")["src/train.py"][2:] == ["+42 \N{MINUS SIGN}7", "changed"]
    assert "3 other files of the repository changed." in USUAL.text


def test_tests_name_their_method() -> None:
    """The paired test, its p-value and what was counted."""
    assert USUAL.rows("t-tests")["predictions.csv"] == [
        "A → B", "500", "McNemar, exact", "0.0133", "12 samples only the first had right, 29 only the second",
    ]  # fmt: skip


def test_history_draws_every_version_of_a_metric() -> None:
    """A dot for each version, with its number; the withdrawn one hollow, the compared ones marked."""
    page = render(reports.USUAL)
    chart = next(found for found in re.findall(r'<figure class="chart">.*?</figure>', page) if "<h3>auc</h3>" in found)
    assert chart.count("<circle") == len(reports.VERSIONS)
    assert re.search(r'<circle class="off"[^>]*><title>v0\.8\.0, 2025-05-03: [^<]*, withdrawn</title>', chart)
    assert len(re.findall(r'<circle class="p[01] on"', chart)) == 2


def test_history_breaks_where_a_version_has_no_value() -> None:
    """A line leads through nothing that was not measured."""
    gone = replace(reports.VERSIONS[5], metrics={"auc": math.nan})
    versions = (*reports.VERSIONS[:5], gone, *reports.VERSIONS[6:])
    page = render(replace(reports.USUAL, versions=versions))
    chart = next(found for found in re.findall(r'<figure class="chart">.*?</figure>', page) if "<h3>auc</h3>" in found)
    line = re.search(r'<path class="line" d="([^"]*)"', chart)
    assert line
    assert line[1].count("M") == 2


def test_axes_are_what_varies() -> None:
    """A param that is the same everywhere has no axis; numbers over many powers of ten are logarithmic."""
    axes = {axis.name: axis for axis in axes_of(reports.USUAL)}
    assert "split.seed" not in axes
    assert axes["train.lr"].log
    assert axes["train.kind"].names == ("linear", "forest", "boosting")
    assert axes["train.balanced"].names == ("true", "false")
    assert not axes["auc"].log


@given(
    values=st.lists(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=3) | st.just(10**400),
        min_size=2,
        max_size=9,
    )
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_every_value_has_a_place(values: list[Any]) -> None:
    """Whatever stands in a column lies on its axis, from bottom to top, and the page can be drawn."""
    versions = tuple(replace(reports.version(n), params={"x": value, "y": n}) for n, value in enumerate(values))
    report = replace(reports.USUAL, versions=versions, plots=(), lineages=())
    for axis in axes_of(report):
        assert len(axis.values) >= len(values)
        assert all(0 <= axis.place(value) <= 1 for value in axis.values if value is not None)
    assert Reader(render(report)).problems == []


def test_points_that_are_no_versions_have_lines() -> None:
    """The work tree is drawn among the versions."""
    page = Reader(render(reports.several()))
    data = page.data()["parallel"]
    assert data["lines"][-1] == "D: ."
    assert [point for _, point in data["points"]] == [0, 1, 2, 3]


def test_several_points_have_their_columns() -> None:
    """Each point but the first has its value, change and share."""
    rows = Reader(render(reports.several())).rows("t-metrics")
    assert len(rows["auc ↗"]) == 1 + 3 * 3
    assert rows["auc ↗"][1:3] == ["0.789049", "↑ +0.009049better"]


def test_plots_stand_side_by_side_and_overlaid() -> None:
    """Line plots of two points are also in one chart, with a name for each line."""
    page = render(reports.USUAL)
    assert page.count('<figure class="over">') == 1
    over = page.split('<figure class="over">')[1].split("</figure>")[0]
    assert ">A v0.10.0</text>" in over
    assert ">B v0.14.0</text>" in over
    assert "not there, or not at hand" in USUAL.text


def test_pictures_of_unknown_kinds_are_left_out() -> None:
    """Only the kinds of picture that hold no script reach the page."""
    page = render(reports.report_full_of("image/svg+xml"))
    assert "data:image/svg" not in page
    assert "data:image/png;base64," in page


# Safety ---------------------------------------------------------------------------------------------------------


def _policy(page: str) -> str:
    found = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert found
    return found[1].replace("&#x27;", "'")


def test_policy_allows_this_script_alone() -> None:
    """The digest in the policy is that of the one script; nothing may be loaded."""
    (_, script) = USUAL.scripts[-1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = dict(part.strip().split(" ", 1) for part in _policy(render(reports.USUAL)).split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == f"'sha256-{digest}'"
    assert policy["img-src"] == "data:"
    assert len(USUAL.scripts) == 2


def test_templates_hold_nothing_that_ends_their_place() -> None:
    """Neither script nor style sheet closes its own element, and neither names anything outside."""
    for path in template_path("compare").iterdir():
        words = path.read_text(encoding="utf-8")
        if path.suffix != ".html":
            assert not re.search(r"</(?:script|style)|<!--|\{\{", words), path
        assert not re.search(r"https?://(?!www\.w3\.org/)|@import|url\(", words), path


def _inert(page: str) -> None:
    seen = Reader(page)
    assert (seen.problems, seen.open) == ([], [])
    assert {tag for tag, _ in seen.elements} <= {tag for tag, _ in USUAL.elements} | {"ul", "li", "small", "br", "time"}
    for tag, known in seen.elements:
        assert not [key for key in known if key.startswith("on") or key in ("action", "formaction", "srcdoc", "ping")]
        assert known.get("href", "#").startswith(("#", "data:,")), known
        assert tag == "img" or "src" not in known
        assert known.get("src", "data:image/png;base64,").startswith("data:image/png;base64,"), known
    assert len(seen.scripts) == 2
    assert seen.scripts[-1] == USUAL.scripts[-1]
    seen.data()


@pytest.mark.parametrize("text", NASTY, ids=ascii)
def test_hostile_texts_stay_texts(text: str) -> None:
    """Whatever a repository calls its things, the page has the same elements and the same script."""
    page = render(reports.report_full_of(text))
    _inert(page)
    page.encode("utf-8")
    assert page == safe(page)


@pytest.mark.parametrize(
    "text",
    [
        "</script><script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "</title></style></textarea><svg onload=alert(1)>",
        "javascript:alert(1)",
        "{{script}}{{data}}",
        "<!--<script>",
        "]]>",
        "\u2028\u2029\u0085",
        "&lt;b&gt;",
        "' onmouseover='x",
    ],
    ids=ascii,
)
def test_attacks_on_pages_stay_texts(text: str) -> None:
    """What breaks out of elements, attributes, scripts and templates elsewhere does not here."""
    page = render(reports.report_full_of(text))
    _inert(page)
    assert page == safe(page)
    data = page.split('id="facts">')[1].split("</script>")[0]
    assert not set("<>&\u2028\u2029") & set(data)


@given(text=st.text(max_size=30))
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_any_text_stays_text(text: str) -> None:
    """The same for texts that nobody thought of."""
    _inert(render(reports.report_full_of(text)))


@pytest.mark.parametrize("secret", SECRETS)
def test_secrets_reach_no_page(secret: str) -> None:
    """Neither the tables nor the data for the script hold what looks like a secret."""
    assert "hunter2" not in render(reports.report_full_of(secret))


def test_values_of_secret_names_are_hidden() -> None:
    """A param named as a password shows nothing of its values, nowhere on the page."""
    versions = tuple(replace(one, params={"db.password": f"hunter{n}x"}) for n, one in enumerate(reports.VERSIONS))
    row = ParamRow(file="params.yaml", key="db.password", values=("hunter1x", "hunter2x"), changed=True)
    page = render(replace(reports.USUAL, versions=versions, comparison=replace(reports.COMPARISON, params=(row,))))
    assert "hunter" not in page
    assert Reader(page).rows("t-params")["db.password"] == ["***", "***", "changed"]


def test_numbers_of_secret_names_are_hidden() -> None:
    """A number named as a password shows neither itself nor how it moved, in no table, chart or data."""
    versions = tuple(
        replace(one, metrics={"password": 7654.25 + n, "auc": n}) for n, one in enumerate(reports.VERSIONS)
    )
    row = reports.metric("password", 7654.25, 7699.75)
    page = render(replace(reports.USUAL, versions=versions, comparison=replace(reports.COMPARISON, metrics=(row,))))
    assert not re.search(r"76[59]\d|45\.5", page.split("<style>")[0] + page.split("</style>")[1].split("<script>")[0])
    assert Reader(page).rows("t-metrics")["password \u2197"][:2] == ["***", "***"]


def test_pictures_of_several_points_can_be_chosen() -> None:
    """Over the first picture any other may lie."""
    plot = ReportPlot(title="x", path="x.png", sides=(None, *(reports.picture(n, n, n) for n in (1, 2, 3))))
    page = render(replace(reports.several(), plots=(plot,)))
    assert 'data-under="1"' in page
    assert re.findall(r'<option value="(\d)">(\w)</option>', page) == [("2", "C"), ("3", "D")]


def test_lines_that_have_no_room_are_counted() -> None:
    """A plot of very many lines says how many it leaves out."""
    plot = ReportPlot(title="ROC", path="roc.json", sides=tuple(reports.curve(n / 9 + 0.1) for n in range(10)))
    assert "2 more lines are not drawn" in render(replace(reports.several(10), plots=(plot,)))


# Edges ----------------------------------------------------------------------------------------------------------


def _bare(*refs: str) -> Report:
    points = tuple(reports.point(ref) for ref in refs)
    return Report(
        comparison=Comparison(
            points=points, metrics=(), params=(), data=(), code=(), pipeline=(), environment=(), artifact=(),
            bump=reports.suggestion(),
        )
    )  # fmt: skip


def test_nothing_to_compare_is_said() -> None:
    """An empty comparison is a page with a sentence, not with empty tables."""
    page = Reader(render(_bare("a", "b")))
    assert "There are no metrics to compare." in page.text
    assert list(page.tables) == ["t-points"]


def test_numbers_beyond_floats_are_shown() -> None:
    """Integers that no float holds, infinities and tiny shares break nothing."""
    rows = (
        reports.metric("a", 10**400, 10**400 + 1, better="up"),
        reports.metric("b", math.inf, -math.inf),
        reports.metric("c", 1e-300, 1e300),
        reports.metric("d", 1.0, 1.0000001),
        reports.metric("e", True, False),
        reports.metric(
            "f", -1.7e308, 1.7e308, intervals=(None, Interval(low=-1e308, high=1e308, level=0.9, method="x"))
        ),
    )
    seen = Reader(render(replace(reports.USUAL, comparison=replace(reports.COMPARISON, metrics=rows)))).rows(
        "t-metrics"
    )
    assert seen["b ↗"][:2] == ["Infinity", "-Infinity"]
    assert seen["d ↗"][2:4] == ["↑ +1e-07", "+1e-05%"]
    assert seen["e ↗"][:2] == ["true", "false"]
    assert seen["f ↗"][4] == "-1e+308 to +1e+308 may be chance"


def test_equal_rows_are_hidden_at_first_where_they_are_many() -> None:
    """A page that is mostly equal begins with the differences."""
    assert '<html lang="en" data-differences="off">' in render(reports.USUAL)
    assert '<html lang="en" data-differences="on">' in render(reports.large(versions=2))


def test_a_thousand_versions_fit() -> None:
    """1,000 versions with 20 metrics and 20 params stay below 3 MB and are drawn within seconds."""
    report = reports.large()
    start = time.process_time()
    page = render(report)
    assert time.process_time() - start < 4  # measured below 1 s on an idle machine
    assert len(page.encode()) < 3_000_000
    assert len(json.loads(page.split('id="facts">')[1].split("</script>")[0])["parallel"]["lines"]) == 1000
