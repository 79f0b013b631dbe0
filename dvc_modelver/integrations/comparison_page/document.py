"""The page as one file: the sections in their order, the style sheet and the script inside, the policy that fits.  Pure
but for the templates that it reads.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape

from dvc_modelver.core.comparison import Comparison
from dvc_modelver.core.report import Report
from dvc_modelver.integrations.comparison_page import rows, summary
from dvc_modelver.integrations.comparison_page.charts import history
from dvc_modelver.integrations.comparison_page.graph import lineages
from dvc_modelver.integrations.comparison_page.markup import data_block
from dvc_modelver.integrations.comparison_page.metricrows import metric_table, test_table
from dvc_modelver.integrations.comparison_page.parallel import parallel
from dvc_modelver.integrations.comparison_page.plots import plots
from dvc_modelver.integrations.comparison_page.tables import Table
from dvc_modelver.integrations.comparison_page.tables import render as render_table
from dvc_modelver.resources import template_path

SCRIPTS = ("page.js", "tables.js", "charts.js", "parallel.js", "start.js")
"""In this order they are one script."""
MANY_SAME = 20
"""With more equal rows than this, and more than half of all, the page begins with the differences only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One part of the page."""

    id: str
    title: str
    html: str
    short: str = ""
    """Its name among the links, where that is another."""


def render(report: Report) -> str:
    """The page; the same bytes for the same report.

    Raises:
        FileNotFoundError: the templates are not installed.
    """
    picture, data = parallel(report)
    found = report.comparison
    sections = [section for section in _sections(report, picture) if section.html]
    script = "".join(_template(name) for name in SCRIPTS)
    page = {
        "policy": _policy(script),
        "title": escape(summary.title(found)),
        "heading": escape(summary.title(found)),
        "differences": "on" if _mostly_same(found) else "off",
        "style": _template("page.css"),
        "points": summary.points(report) + summary.bump(found),
        "links": "".join(f'<a href="#{section.id}">{section.short or section.title}</a>' for section in sections),
        "sections": "".join(map(_section, sections)),
        "data": data_block({"parallel": data}),
        "script": script,
    }
    return _filled(_template("page.html"), page)


def _template(name: str) -> str:
    return template_path("compare", name).read_text(encoding="utf-8")


def _filled(template: str, values: Mapping[str, str]) -> str:
    """Every `{{name}}` once: what a value holds is never looked at again."""
    return re.sub(r"\{\{([a-z]+)\}\}", lambda found: values[found[1]], template)


def _policy(script: str) -> str:
    """Nothing may be loaded, and only this very script may run."""
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    return (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; img-src data:;"
        " base-uri 'none'; form-action 'none'"
    )


def _mostly_same(found: Comparison) -> bool:
    tables = (*_row_tables(found).values(), metric_table(found))
    flags = [row.same for table in tables for row in table.rows]
    return sum(flags) > MANY_SAME and sum(flags) * 2 > len(flags)


def _row_tables(found: Comparison) -> Mapping[str, Table]:
    """Title -> table, in the order of the page."""
    return {
        "Params": rows.param_table(found),
        "Data": rows.data_table(found),
        "Code": rows.code_table(found),
        "Pipeline": rows.pipeline_table(found),
        "Environment": rows.fact_table(found, "t-environment", "Environment", found.environment),
        "Artifact and signature": rows.fact_table(found, "t-artifact", "Artifact and signature", found.artifact),
    }


def _sections(report: Report, picture: str) -> Iterator[Section]:
    found = report.comparison
    tests = render_table(test_table(found))
    under = f"<h3>Tests on per-sample predictions</h3>{tests}" if tests else ""
    metrics = render_table(metric_table(found)) + under
    yield Section(id="better", title="Is it better?", html=summary.answers(report))
    yield Section(id="metrics", title="Metrics", html=metrics)
    if report.versions:
        yield Section(id="history", title="Metric history", html=history(report), short="History")
        yield Section(id="parallel", title="Params and metrics together", html=picture, short="Together")
    for title, table in _row_tables(found).items():
        others = rows.others(found) if title == "Code" else ""
        short = title.split()[0]
        yield Section(id=short.lower(), title=title, html=render_table(table) + others, short=short)
    yield Section(id="plots", title="Plots", html=plots(report))
    yield Section(id="lineage", title="Lineage", html=lineages(report))
    notes = "".join(summary.notes(report))
    yield Section(id="notes", title="Notes", html=f"<ul>{notes}</ul>\n" if notes else "")


def _section(section: Section) -> str:
    return (
        f'<section id="{section.id}" aria-labelledby="h-{section.id}" tabindex="-1">'
        f'<h2 id="h-{section.id}">{section.title}</h2>\n{section.html}</section>\n'
    )
