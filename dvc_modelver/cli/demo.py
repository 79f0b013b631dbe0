"""`modelver demo`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from dvc_modelver.cli.answer import Answer
from dvc_modelver.cli.shell import colour_wanted, command, write
from dvc_modelver.commands.demo import Demonstrated, Show, Shown, demo
from dvc_modelver.commands.project import Surroundings
from dvc_modelver.core.text import safe
from dvc_modelver.errors import BadInput

DEFAULT = "modelver-demo"
_PREFIX = {Shown.NOTE: "\n# ", Shown.COMMAND: "$ ", Shown.OUTPUT: ""}
_COLOUR = {Shown.NOTE: "\033[36m", Shown.COMMAND: "\033[1m"}


@command
def run(
    around: Surroundings,
    context: typer.Context,
    destination: Annotated[
        str,
        typer.Argument(metavar="DIR", help="Where to make it: a new or empty directory."),
    ] = DEFAULT,
) -> Answer:
    """Show a model's whole life in a real project: Git, DVC and scikit-learn, in less than a minute.

    Makes the project in DIR, beside a Git and a DVC remote of its own, and prints each command and what it says.
    Nothing outside of DIR is changed, and no network is used.

    \b
    Examples:
      modelver demo
      modelver demo /tmp/try
    """
    if not around.directory.is_dir():
        raise BadInput(f"there is no directory {around.directory}")
    common = context.params
    silent = common["quiet"] or common["as_json"]
    show = _silent if silent else _transcript(colour_wanted(os.environ) and not common["no_color"])
    where = Path(os.path.abspath(around.directory / os.path.expanduser(destination)))
    return answer(demo(around, where, python=sys.executable, show=show))


def _silent(kind: Shown, text: str) -> None:
    pass


def _transcript(colour: bool) -> Show:
    def show(kind: Shown, text: str) -> None:
        line = f"{_PREFIX[kind]}{safe(text)}"
        write(f"{_COLOUR[kind]}{line}\033[0m" if colour and kind in _COLOUR else line)

    return show


def answer(done: Demonstrated) -> Answer:
    """How it ended, in every form."""
    return Answer(
        data={
            "action": "demo",
            "directory": str(done.directory),
            "project": str(done.project),
            "seconds": round(done.seconds, 3),
            "steps": [
                {"command": step.line, "seconds": round(step.seconds, 3), "output": step.output} for step in done.steps
            ],
            "setup": list(done.setup),
            "next": list(done.next),
        },
        lines=(
            "",
            f"Done in {done.seconds:.0f} seconds. The project is in {done.project}",
            "Try next:",
            *(f"  {line}" for line in (*done.setup, *done.next)),
        ),
    )
