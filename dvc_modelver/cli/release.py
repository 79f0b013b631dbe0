"""`modelver release`."""

from __future__ import annotations

from typing import Annotated

import typer

from dvc_modelver.cli.answer import Answer
from dvc_modelver.cli.arguments import DRY_RUN, MESSAGE, MODELS, OFFLINE, PUSH, complete_stages, opened, wants_push
from dvc_modelver.cli.outcome import answer
from dvc_modelver.cli.shell import command
from dvc_modelver.commands.candidates import ReleaseRequest
from dvc_modelver.commands.project import Surroundings
from dvc_modelver.commands.release import release
from dvc_modelver.core.names import near
from dvc_modelver.core.releases import ReleaseOptions
from dvc_modelver.core.versions import Bump, Version
from dvc_modelver.errors import BadInput

BUMPS = ("auto", *(bump.name.lower() for bump in (Bump.MAJOR, Bump.MINOR, Bump.PATCH, Bump.PRERELEASE)))


@command
def run(
    around: Surroundings,
    names: MODELS,
    bump: Annotated[
        str | None,
        typer.Option("--bump", metavar="LEVEL", help=f"{', '.join(BUMPS)}.", show_default="patch"),
    ] = None,
    version: Annotated[
        str | None, typer.Option("--version", metavar="V", help="This very number.", show_default=False)
    ] = None,
    message: MESSAGE = None,
    stage: Annotated[
        str | None,
        typer.Option(
            "--stage",
            metavar="STAGE",
            help="Also put it into a stage.",
            autocompletion=complete_stages,
            show_default=False,
        ),
    ] = None,
    rev: Annotated[
        str | None,
        typer.Option("--rev", metavar="REV", help="Release this commit instead of HEAD.", show_default=False),
    ] = None,
    exp: Annotated[
        str | None, typer.Option("--exp", metavar="NAME", help="Release a DVC experiment.", show_default=False)
    ] = None,
    prepare: Annotated[
        bool, typer.Option("--prepare", help="Write what a pull request needs, and stop before the commit.")
    ] = False,
    push: PUSH = None,
    push_to: Annotated[
        str | None,
        typer.Option(
            "--push-to", metavar="BRANCH", help="On a detached HEAD: publish the card here.", show_default=False
        ),
    ] = None,
    offline: OFFLINE = False,
    no_card: Annotated[bool, typer.Option("--no-card", help="Tag the commit as it is.")] = False,
    allow_unchanged: Annotated[
        bool, typer.Option("--allow-unchanged", help="A new number although nothing changed.")
    ] = False,
    same_commit: Annotated[
        bool, typer.Option("--same-commit", help="A second version on a commit that has one.")
    ] = False,
    unretire: Annotated[bool, typer.Option("--unretire", help="Reopen a retired model.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="A number below the highest; a name that differs only in case.")
    ] = False,
    dry_run: DRY_RUN = False,
) -> Answer:
    """Release the next version of one or more models: all of them, or none.

    The model's bytes, everything that made them and its declaration must be as HEAD says.  The bytes are hashed,
    and a tag NAME@vX.Y.Z records them.  When nothing changed since the last version, nothing is made.

    \b
    Examples:
      modelver release churn
      modelver release churn --bump minor -m "new features" --push
      modelver release churn --bump auto
      modelver release churn ranker --stage staging
      modelver release churn --version v2.0.0-rc.1 --dry-run
      modelver release churn --exp sulky-toad
    """
    options = ReleaseOptions(
        bump=parse_bump(bump) if bump != "auto" else None,
        version=Version.parse(version) if version is not None else None,
        message=message or "",
        stage=stage,
        force=force,
        allow_unchanged=allow_unchanged,
        same_commit=same_commit,
        unretire=unretire,
    )
    exclude(("--bump", bump), ("--version", version))
    exclude(("--rev", rev), ("--exp", exp), ("--prepare", prepare or None))
    exclude(("--prepare", prepare or None), ("--no-card", no_card or None), ("--stage", stage if prepare else None))
    with opened(around) as project:
        request = ReleaseRequest(
            models=tuple(names),
            options=options,
            auto=bump == "auto",
            rev=rev,
            exp=exp,
            prepare=prepare,
            push=wants_push(project, push or (True if push_to else push), offline),
            push_to=push_to,
            offline=offline,
            dry_run=dry_run,
            cards=not no_card,
        )
        return answer(release(project, request), project.remote)


def parse_bump(text: str | None) -> Bump | None:
    """`major`, `minor`, `patch` or `prerelease`; `auto` is no level.  Raises `BadInput`."""
    if text is None:
        return None
    if text.lower() not in BUMPS:
        raise BadInput(f"{text!a} is no bump", hint=near(text, BUMPS) or f"one of: {', '.join(BUMPS)}")
    return Bump[text.upper()]


def exclude(*options: tuple[str, object]) -> None:
    """Raises `BadInput` when more than one of the options is given."""
    given = [name for name, value in options if value is not None]
    if len(given) > 1:
        raise BadInput(f"{' and '.join(given)} exclude each other", hint="choose one")
