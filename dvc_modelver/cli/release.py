"""`modelver release`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated, cast

import typer

from dvc_modelver.cli.answer import Answer, Json
from dvc_modelver.cli.arguments import DRY_RUN, MESSAGE, MODELS, OFFLINE, PUSH, complete_stages, opened, wants_push
from dvc_modelver.cli.outcome import answer as told
from dvc_modelver.cli.shell import command
from dvc_modelver.commands.candidates import ReleaseRequest
from dvc_modelver.commands.project import Surroundings
from dvc_modelver.commands.publishing import Outcome, Written
from dvc_modelver.commands.release import ReleasedModel, release
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
        typer.Option("--bump", metavar="LEVEL", help=f"{', '.join(BUMPS)}.", show_default="auto"),
    ] = None,
    force_bump: Annotated[
        bool, typer.Option("--force-bump", help="--bump LEVEL even where what changed asks for more.")
    ] = False,
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
            "--push-to", metavar="BRANCH", help="Publish the card's commit to this branch.", show_default=False
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
    renumber: Annotated[
        bool, typer.Option("--renumber", help="Where a prepared number is taken: the next free one.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="A number below the highest; a name that differs only in case.")
    ] = False,
    dry_run: DRY_RUN = False,
) -> Answer:
    """Release the next version of one or more models: all of them, or none.

    The model's bytes, everything that made them and its declaration must be as HEAD says.  The bytes are hashed,
    and a tag NAME@vX.Y.Z records them.  When nothing changed since the last version, nothing is made.  What changed
    says how far the number goes, and a lower --bump is refused.

    \b
    Examples:
      modelver release churn
      modelver release churn --bump minor -m "new features" --push
      modelver release churn --bump patch --force-bump
      modelver release churn ranker --stage staging
      modelver release churn --version v2.0.0-rc.1 --dry-run
      modelver release churn --exp sulky-toad
      modelver release churn --renumber
    """
    options = ReleaseOptions(
        bump=parse_bump(bump),
        force_bump=force_bump,
        version=Version.parse(version) if version is not None else None,
        message=message or "",
        stage=stage,
        force=force,
        allow_unchanged=allow_unchanged,
        same_commit=same_commit,
        unretire=unretire,
        renumber=renumber,
    )
    if force_bump and options.bump is None:
        raise BadInput("--force-bump needs a level", hint="name it with --bump")
    exclude(("--bump", bump), ("--version", version), ("--renumber", renumber or None))
    exclude(("--rev", rev), ("--exp", exp), ("--prepare", prepare or None))
    exclude(("--prepare", prepare or None), ("--no-card", no_card or None), ("--stage", stage if prepare else None))
    exclude(("--prepare", prepare or None), ("--renumber", renumber or None))
    exclude(("--push-to", push_to), ("--no-push", True if push is False else None))
    with opened(around) as project:
        request = ReleaseRequest(
            models=tuple(names),
            options=options,
            rev=rev,
            exp=exp,
            prepare=prepare,
            push=wants_push(project, True if push_to is not None else push, offline),
            push_to=push_to,
            offline=offline,
            dry_run=dry_run,
            cards=not no_card,
        )
        return answer(release(project, request), project.remote)


def parse_bump(text: str | None) -> Bump | None:
    """`major`, `minor`, `patch` or `prerelease`; None for `auto`.  Raises `BadInput`."""
    if text is None or text.lower() == "auto":
        return None
    if text.lower() not in BUMPS:
        raise BadInput(f"{text!a} is no bump", hint=near(text, BUMPS) or f"one of: {', '.join(BUMPS)}")
    return Bump[text.upper()]


def answer(outcome: Outcome, remote: str | None) -> Answer:
    """As any outcome, with the level of each new number; the plan names the reasons too."""
    found = told(outcome, remote)
    rows = cast("Sequence[Json]", found.data["models"])
    models = [{**row, "bump": _bump(model)} for row, model in zip(rows, outcome.models, strict=True)]
    why = [line for model in outcome.models for line in _why(model)] if outcome.dry_run else []
    return replace(found, data={**found.data, "models": models}, lines=(*found.lines, *why))


def _bump(model: Written) -> Json | None:
    chosen = model.chosen if isinstance(model, ReleasedModel) else None
    return {"level": chosen.level, "reasons": chosen.reasons} if chosen is not None else None


def _why(model: Written) -> Iterator[str]:
    chosen = model.chosen if isinstance(model, ReleasedModel) else None
    if chosen is not None and chosen.reasons:
        yield f"{model.name}@{model.version}: {chosen.how}: {'; '.join(chosen.reasons)}"


def exclude(*options: tuple[str, object]) -> None:
    """Raises `BadInput` when more than one of the options is given."""
    given = [name for name, value in options if value is not None]
    if len(given) > 1:
        raise BadInput(f"{' and '.join(given)} exclude each other", hint="choose one")
