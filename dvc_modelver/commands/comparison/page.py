"""`compare --html FILE`: the comparison as one page, with plots and lineage."""

from __future__ import annotations

from pathlib import Path

from dvc_modelver.commands.comparison.outputs import write_output
from dvc_modelver.commands.comparison.report import read_report
from dvc_modelver.commands.project import Project
from dvc_modelver.core.comparison import Comparison


def write_page(project: Project, found: Comparison, target: Path) -> tuple[str, ...]:
    """Write the page; the answer says what is missing on it.  Raises `BadInput` when `target` cannot be a file."""
    from dvc_modelver.integrations.comparison_page import render

    report = read_report(project, found)
    write_output(target, render(report).encode("utf-8"))
    return report.notes
