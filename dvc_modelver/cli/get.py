"""`modelver get`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from dvc_modelver.cli.answer import Answer
from dvc_modelver.cli.arguments import DRY_RUN, REFERENCE, REPO, opened
from dvc_modelver.cli.shell import command
from dvc_modelver.commands.get import Got, get
from dvc_modelver.commands.project import Surroundings
from dvc_modelver.core.sizes import size


@command
def run(
    around: Surroundings,
    reference: REFERENCE,
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="PATH", help="Where to put it.", show_default="its own name, here"),
    ] = None,
    withdrawn: Annotated[bool, typer.Option("--withdrawn", help="Also a version that was withdrawn.")] = False,
    repo: REPO = None,
    dry_run: DRY_RUN = False,
) -> Answer:
    """Fetch a version's bytes, check them, and put them in place in one step.

    What is there already is never overwritten: the same content is left, other content is an error.

    \b
    Examples:
      modelver get churn@v1.2.0
      modelver get churn#prod -o model.pkl
      modelver get churn#prod --repo https://example.com/team/models.git -o /srv/model.pkl
    """
    place = os.path.join(around.directory.absolute(), os.path.expanduser(output)) if output is not None else None
    with opened(around, repo, reference) as project:
        target = Path(place) if place is not None else None
        return answer(get(project, reference, target, here=around.directory, withdrawn=withdrawn, dry_run=dry_run))


def answer(got: Got) -> Answer:
    """What was fetched, in every form."""
    verb = "would fetch" if got.dry_run else "fetched" if got.changed else "is there already:"
    files = f" in {got.files} files" if got.files > 1 else ""
    checked = f"sha256 {got.sha256}" if got.sha256 else got.digest or ""
    return Answer(
        data={
            "action": "get",
            "dry_run": got.dry_run,
            "changed": got.changed,
            "name": got.name,
            "version": got.version,
            "commit": got.commit,
            "path": str(got.path),
            "size": got.size,
            "files": got.files,
            "sha256": got.sha256,
            "digest": got.digest,
        },
        lines=(f"{verb} {got.name}@{got.version} -> {got.path}  ({size(got.size)}{files}, {checked})",),
    )
