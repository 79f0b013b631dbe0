"""`modelver run`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dvc_modelver.cli.answer import Answer
from dvc_modelver.cli.shell import command
from dvc_modelver.commands.project import Surroundings


@command
def run(
    around: Surroundings,
    words: Annotated[
        list[str], typer.Argument(metavar="CMD...", help="The training's command, after --.", show_default=False)
    ],
    environment: Annotated[
        str, typer.Option("--environment", metavar="FILE", help="Where to write the environment.")
    ] = "environment.json",
    runtime: Annotated[
        str, typer.Option("--runtime", metavar="FILE", help="Where to write duration and peak memory.")
    ] = "runtime.json",
    python: Annotated[
        str | None,
        typer.Option(
            "--python", metavar="PATH", help="The Python that CMD starts.", show_default="found by CMD's words"
        ),
    ] = None,
) -> Answer:
    """Run a training and record the environment that it had: Python, packages, system, CPU, GPU.

    CMD keeps stdin, stdout and stderr, and its exit code is ours. A failed CMD leaves the environment file as it was.

    \b
    Examples:
      modelver run -- python train.py --depth 6
      modelver run --environment models/environment.json -- python train.py
      modelver run --python .venv/bin/python -- make train
    """
    from dvc_modelver.commands.run import RunRequest
    from dvc_modelver.commands.run import run as run_command

    request = RunRequest(
        words=tuple(words), environment=Path(environment), runtime=Path(runtime), python=python or None
    )
    ran = run_command(around, request)
    # stdout is CMD's: no answer of ours stands in it, whatever form was asked for.
    raise typer.Exit(ran.ended.code)
