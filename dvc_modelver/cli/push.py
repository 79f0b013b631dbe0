"""`modelver push`."""

from __future__ import annotations

from typing import Annotated

import typer

from dvc_modelver.cli.answer import Answer
from dvc_modelver.cli.arguments import DRY_RUN, OPTIONAL_MODEL, opened
from dvc_modelver.cli.outcome import answer
from dvc_modelver.cli.shell import command
from dvc_modelver.commands.project import Surroundings
from dvc_modelver.commands.push import push_tags


@command
def run(
    around: Surroundings,
    name: OPTIONAL_MODEL = None,
    renumber: Annotated[
        bool, typer.Option("--renumber", help="Where the remote has another tag of that name, move ours.")
    ] = False,
    dry_run: DRY_RUN = False,
) -> Answer:
    """Publish the versions, stages and notes that the remote lacks, after the bytes that they need.

    \b
    Examples:
      modelver push
      modelver push churn --dry-run
    """
    with opened(around) as project:
        outcome = push_tags(project, name, renumber=renumber, dry_run=dry_run)
        told = answer(outcome, project.remote)
        if not outcome.models and not outcome.dry_run:
            everything = "Everything else" if outcome.left_out else "Everything"
            line = "Notes were exchanged." if outcome.changed else f"{everything} is published."
            return Answer(data=told.data, lines=(line,))
        return told
