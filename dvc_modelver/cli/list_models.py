"""`modelver list`."""

from __future__ import annotations

from typing import Annotated

import typer

from dvc_modelver.cli.answer import Answer, Json, number
from dvc_modelver.cli.arguments import REPO, complete_models, opened
from dvc_modelver.cli.shell import table_command
from dvc_modelver.cli.table import Table
from dvc_modelver.commands.list_models import Listing, ModelRow, list_models
from dvc_modelver.commands.project import SHALLOW, Surroundings
from dvc_modelver.core.text import one_line
from dvc_modelver.errors import BadInput


@table_command
def run(
    around: Surroundings,
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="With --experiments: one model only.",
            autocompletion=complete_models,
            show_default=False,
        ),
    ] = None,
    experiments: Annotated[
        bool, typer.Option("--experiments", help="DVC experiments beside versions, and which would pass the gate.")
    ] = False,
    repo: REPO = None,
) -> Answer:
    """List every model, its latest version, and what each stage holds.

    \b
    Examples:
      modelver list
      modelver list --json
      modelver list --experiments churn
      modelver list --repo https://example.com/team/models.git
    """
    if model is not None and not experiments:
        raise BadInput("a model is named only with --experiments", hint=f"modelver show {model[:80]}")
    with opened(around, repo) as project:
        if experiments:
            from dvc_modelver.cli.experiments import with_experiments
            from dvc_modelver.commands.experiments import list_experiments

            return with_experiments(answer(list_models(project)), list_experiments(project, model))
        return answer(list_models(project))


def answer(listing: Listing) -> Answer:
    """The listing in every form."""
    return Answer(
        data={
            "models": [model_json(row) for row in listing.models],
            "problems": [{"ref": p.ref, "problem": p.problem, "remedy": p.remedy} for p in listing.problems],
            "incomplete": listing.incomplete,
        },
        table=_table(listing),
        lines=() if listing.models else ("No model is declared and no version released here.",),
        notes=_notes(listing),
    )


def model_json(row: ModelRow) -> Json:
    """One model with the contract's keys."""
    return {
        "name": row.name,
        "type": row.type,
        "path": row.path,
        "latest": row.latest,
        "versions": row.versions,
        "stages": {
            stage: {"version": held.version, "commit": held.commit, "tag": held.tag, "at": held.at}
            for stage, held in row.stages.items()
        },
        "retired": row.retired,
        "declared": row.declared,
    }


def _table(listing: Listing) -> Table:
    stages = sorted({stage for row in listing.models for stage in row.stages})
    return Table(
        columns=("MODEL", "TYPE", "LATEST", "VERSIONS", *(f"#{stage}" for stage in stages)),
        rows=tuple(
            (
                f"{row.name} (retired)" if row.retired else row.name,
                row.type or "-",
                number(row.latest),
                str(row.versions),
                *(_held(row, stage) for stage in stages),
            )
            for row in listing.models
        ),
        right=frozenset({"VERSIONS"}),
    )


def _held(row: ModelRow, stage: str) -> str:
    held = row.stages.get(stage)
    if held is None:
        return "-"
    return str(held.version) if held.version is not None else f"({held.commit[:9]})"


def _notes(listing: Listing) -> tuple[str, ...]:
    notes = []
    if not listing.models:
        notes.append("hint: modelver init declares the models that DVC tracks here")
    if listing.incomplete:
        notes.append(f"warning: {SHALLOW}")
    shown = listing.problems[:5]
    notes += [one_line(f"warning: {p.ref}: {p.problem}") for p in shown]
    if len(listing.problems) > len(shown):
        notes.append(f"warning: and {len(listing.problems) - len(shown)} more")
    if listing.problems:
        notes.append("hint: modelver doctor names the remedies")
    return tuple(notes)
