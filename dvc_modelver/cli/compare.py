"""`modelver compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dvc_modelver.cli.answer import Answer
from dvc_modelver.cli.arguments import complete_references
from dvc_modelver.cli.comparejson import comparison_json
from dvc_modelver.cli.shell import command
from dvc_modelver.commands.comparison.compare import compare_points
from dvc_modelver.commands.comparison.outputs import check_target
from dvc_modelver.commands.project import Project, Surroundings
from dvc_modelver.core.comparison import Comparison
from dvc_modelver.errors import BadInput


@command
def run(
    around: Surroundings,
    context: typer.Context,
    references: Annotated[
        list[str],
        typer.Argument(
            metavar="A B...",
            help="Versions, stages, models (their latest), branches, tags, commits; . is the work tree.",
            autocompletion=complete_references,
            show_default=False,
        ),
    ],
    only_changed: Annotated[
        bool, typer.Option("--only-changed", help="Leave out what is the same everywhere.")
    ] = False,
    as_markdown: Annotated[bool, typer.Option("--md", help="Tables as Markdown, for a comment.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="One table as CSV.")] = False,
    html: Annotated[
        str | None,
        typer.Option("--html", metavar="FILE", help="Also write a page with charts, plots and lineage to FILE."),
    ] = None,
) -> Answer:
    """Compare metrics, params, data, code, environment and artifact, and say which version should come next.

    Where both track predictions for each sample, a difference comes with its confidence interval and a paired test.

    \b
    Examples:
      modelver compare churn@v1.0.0 churn@v1.1.0
      modelver compare churn#prod . --only-changed
      modelver compare main my-branch --md
      modelver compare churn@v1.0.0 churn@v1.1.0 churn@v1.2.0 --csv
      modelver compare churn#prod churn@latest --html comparison.html
    """
    if as_markdown and as_csv:
        raise BadInput("--md and --csv exclude each other", hint="choose one")
    with Project(around) as project:
        target = check_target(around.directory / html) if html is not None else None
        found = compare_points(project, references)
        missing = _write(project, found, target) if target is not None else ()
    shown = found.only_changed() if only_changed else found
    notes = tuple(f"note: {_cut(note)}" for note in dict.fromkeys((*found.notes, *missing)))
    if context.params.get("as_json"):  # 1,000 points take 0.4 s to draw
        return Answer(data=comparison_json(shown), lines=(), notes=notes)
    from dvc_modelver.cli import compareview as view

    form = view.markdown_lines if as_markdown else view.csv_lines if as_csv else view.text_lines
    return Answer(data=comparison_json(shown), lines=tuple(form(shown)), notes=notes)


def _write(project: Project, found: Comparison, target: Path) -> tuple[str, ...]:
    from dvc_modelver.commands.comparison.page import write_page

    return write_page(project, found, target)


def _cut(note: str) -> str:
    from dvc_modelver.cli.compareview import clip

    return clip(note, 300)
