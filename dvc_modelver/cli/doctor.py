"""`modelver doctor`."""

from __future__ import annotations

from typing import Annotated

import typer

from dvc_modelver.cli.answer import Answer
from dvc_modelver.cli.arguments import opened
from dvc_modelver.cli.shell import command
from dvc_modelver.commands.doctor import Diagnosis, diagnose
from dvc_modelver.commands.project import Surroundings
from dvc_modelver.core.text import one_line
from dvc_modelver.errors import ExitCode


@command
def run(
    around: Surroundings,
    recover: Annotated[
        bool, typer.Option("--recover", help="Finish or undo what an interrupted command left.")
    ] = False,
) -> Answer:
    """Say everything that is wrong with the repository's versions, each with its remedy.

    Ends with 1 when anything is.

    \b
    Examples:
      modelver doctor
      modelver doctor --recover
    """
    with opened(around) as project:
        return answer(diagnose(project, recover=recover))


def answer(diagnosis: Diagnosis) -> Answer:
    """The diagnosis in every form."""
    lines = [
        line for p in diagnosis.problems for line in (one_line(f"{p.ref}: {p.problem}"), f"    {one_line(p.remedy)}")
    ]
    count = len(diagnosis.problems)
    return Answer(
        data={
            "ok": not diagnosis.problems,
            "problems": [{"ref": p.ref, "problem": p.problem, "remedy": p.remedy} for p in diagnosis.problems],
            "notes": list(diagnosis.notes),
        },
        lines=(*lines, f"{count} problem{'s' if count != 1 else ''}." if count else "Nothing is wrong."),
        notes=diagnosis.notes,
        code=ExitCode.CHECK_FAILED if diagnosis.problems else ExitCode.OK,
    )
