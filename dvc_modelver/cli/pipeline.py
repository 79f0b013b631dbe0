"""`modelver pipeline add`."""

from __future__ import annotations

from typing import Annotated

import typer

from dvc_modelver.cli.answer import Answer
from dvc_modelver.cli.arguments import DRY_RUN, YES, opened
from dvc_modelver.cli.shell import ask, command
from dvc_modelver.commands.pipelines.add import AddRequest, Kind, StagePlan, plan_stage, write_stage
from dvc_modelver.commands.project import Surroundings
from dvc_modelver.core.secrets import redact_text
from dvc_modelver.errors import BadInput

COMMANDS = {"add": "Write a pipeline stage into dvc.yaml."}
HELP = """Pipeline stages: DVC runs a check when the files that it depends on have changed, and not otherwise.

\b
Examples:
  modelver pipeline add gate churn              metrics against a policy and a reference file
  modelver pipeline add validate data/new.csv   a table against a profile
  modelver pipeline add environment train       what the training ran with
"""
_KINDS = tuple(kind.value for kind in Kind)


@command
def add(
    around: Surroundings,
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help="gate, validate, card-data or environment.",
            autocompletion=lambda incomplete: [one for one in _KINDS if one.startswith(incomplete)],
            show_default=False,
        ),
    ],
    subject: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="The model (gate), table (validate, card-data) or pipeline stage (environment).",
            show_default=False,
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--as", metavar="STAGE", help="The new pipeline stage's name.", show_default="KIND-NAME"),
    ] = None,
    policy: Annotated[
        str | None, typer.Option("--policy", metavar="FILE", help="Rules for gate or validate.", show_default=False)
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            "--profile", metavar="FILE", help="What to validate against.", show_default="validate/NAME.profile.json"
        ),
    ] = None,
    train: Annotated[
        str | None,
        typer.Option("--train", metavar="FILE", help="The table that must share no row.", show_default=False),
    ] = None,
    out: Annotated[
        str | None, typer.Option("--out", metavar="FILE", help="What the stage writes.", show_default="by KIND")
    ] = None,
    yes: YES = False,
    dry_run: DRY_RUN = False,
) -> Answer:
    """Write a pipeline stage into the dvc.yaml of this directory; the rest of the file stays as it is.

    environment adds no stage: it puts modelver run before the command of the one that trains.

    \b
    Examples:
      modelver pipeline add gate churn --policy gate.yaml
      modelver pipeline add validate data/new.csv --train data/train.csv
      modelver pipeline add card-data data/train.csv --yes
      modelver pipeline add environment train --dry-run
    """
    if kind not in _KINDS:
        raise BadInput(f"there is no kind {kind}", hint=f"one of {', '.join(_KINDS)}")
    request = AddRequest(
        kind=Kind(kind), subject=subject, name=name, policy=policy, profile=profile, train=train, out=out
    )
    _refuse_needless(request)
    with opened(around) as project:
        plan = plan_stage(project, request)
        if plan.changed and not dry_run:
            ask(f"{plan.text}\nWrite this into {plan.file}?", yes, "pipeline add")
            plan = write_stage(project, request)
    return answer(plan, dry_run)


def _refuse_needless(request: AddRequest) -> None:
    takes = {
        Kind.GATE: ("--as", "--policy", "--out"),
        Kind.VALIDATE: ("--as", "--policy", "--profile", "--train", "--out"),
        Kind.CARD_DATA: ("--as", "--out"),
        Kind.ENVIRONMENT: ("--out",),
    }[request.kind]
    given = {"--as": request.name, "--policy": request.policy, "--profile": request.profile, "--train": request.train}
    for option, value in given.items():
        if value is not None and option not in takes:
            raise BadInput(f"{option} means nothing for {request.kind.value}", hint=f"it takes {', '.join(takes)}")


def answer(plan: StagePlan, dry_run: bool) -> Answer:
    """What was written, or would be, in every form."""
    return Answer(
        data={
            "action": "pipeline add",
            "dry_run": dry_run,
            "changed": plan.changed,
            "models": [],
            "steps": [{"do": "add", "target": f"{plan.file}: {plan.stage}"}] if plan.changed else [],
            "text": redact_text(plan.text),
            "next": list(plan.next),
        },
        lines=tuple(_lines(plan, dry_run)),
        notes=tuple(f"note: {note}" for note in plan.notes) if plan.changed else (),
    )


def _lines(plan: StagePlan, dry_run: bool) -> list[str]:
    if not plan.changed:
        lines = [f"Nothing to do: {plan.file} has {plan.stage} already."]
    elif dry_run:
        new = " (a new file)" if plan.created else ""
        lines = [f"{plan.file}{new} would get, under stages:", *redact_text(plan.text).rstrip("\n").split("\n")]
    else:
        lines = [f"wrote {plan.stage} into {plan.file}"]
    following = [*plan.next, *(["dvc repro"] if plan.changed else [])]
    return lines + (["", "Next:", *(f"  {line}" for line in following)] if following else [])
