"""`modelver guard`."""

from __future__ import annotations

from typing import Annotated

import typer

from dvc_modelver.cli import gate
from dvc_modelver.cli.answer import Answer
from dvc_modelver.cli.arguments import DRY_RUN, MODEL, OFFLINE, PUSH, complete_stages, opened, wants_push
from dvc_modelver.cli.shell import table_command
from dvc_modelver.commands.guarding.guard import Guarded, GuardRequest, answer_document, guard
from dvc_modelver.commands.project import Surroundings
from dvc_modelver.core.guard import Kind
from dvc_modelver.core.secrets import redact_text
from dvc_modelver.core.text import one_line
from dvc_modelver.errors import BadInput, ExitCode

_MAX_REASON = 400


@table_command
def run(
    around: Surroundings,
    model: MODEL,
    stage: Annotated[
        str,
        typer.Option(
            "--stage", metavar="STAGE", help="The stage to guard.", autocompletion=complete_stages, show_default=False
        ),
    ],
    metrics: Annotated[
        list[str],
        typer.Option(
            "--metrics",
            metavar="FILE",
            help="What production reports: metrics by name (JSON, YAML, TOML), or labelled predictions (CSV, TSV, "
            "JSON, JSON lines, Parquet).  Again for more reports, the latest last.",
            show_default=False,
        ),
    ],
    rollback: Annotated[
        bool, typer.Option("--rollback", help="When it is below, let the stage hold its last good version again.")
    ] = False,
    push: PUSH = None,
    offline: OFFLINE = False,
    dry_run: DRY_RUN = False,
) -> Answer:
    """Check what production reports against what the version in a stage recorded, and the policy.

    Ends with 1 when it is below, also after a rollback.  A report that tells too little is bad input, never fine.

    \b
    Examples:
      modelver guard churn --stage prod --metrics live.json
      modelver guard churn --stage prod --metrics labelled.csv --rollback --push
      modelver guard churn --stage prod --metrics mon.json --metrics tue.json --rollback --dry-run
    """
    if push and not rollback:
        raise BadInput("--push goes with --rollback", hint="without it nothing is made that could be published")
    with opened(around) as project:
        request = GuardRequest(
            name=model,
            stage=stage,
            metrics=tuple(metrics),
            rollback=rollback,
            push=rollback and wants_push(project, push, offline),
            offline=offline,
            dry_run=dry_run,
        )
        return answer(guard(project, request), project.remote)


def answer(found: Guarded, remote: str | None) -> Answer:
    """The decision in every form."""
    acted = found.acted
    plan = [f"  {step.do}  {step.target}" for step in acted.steps] if found.dry_run else []
    unpublished = acted.changed and not found.dry_run and acted.published is False and remote is not None
    later = ("note: not published yet: modelver push, or --push next time",) if unpublished else ()
    return Answer(
        data=answer_document(found),
        table=gate.answer(found.gated).table,
        lines=(one_line(_said(found), _MAX_REASON), ""),
        after=("This would be done:", *plan) if plan else (),
        notes=tuple(f"note: {one_line(redact_text(note), 300)}" for note in found.gated.notes[:10]) + later,
        code=_code(found),
    )


def _code(found: Guarded) -> ExitCode:
    if found.ok:
        return ExitCode.OK
    refused = found.rollback and found.decision.kind is Kind.REFUSED
    return ExitCode.REFUSED if refused else ExitCode.CHECK_FAILED


def _said(found: Guarded) -> str:
    decision, what = found.decision, f"{found.stage} of {found.name}"
    reason = redact_text(decision.reason)
    if decision.kind is Kind.KEEP:
        return f"{what} holds {found.version}: {reason}"
    if decision.kind is Kind.WAIT:
        return f"{what} is below and keeps {found.version}: {reason}"
    if decision.kind is Kind.REFUSED:
        return f"{what} is below and keeps {found.version}, no rollback: {reason}"
    if not found.rollback:
        return f"{what} is below with {found.version}: {reason}; --rollback would go back to {decision.to}"
    done = "would go" if found.dry_run else "went"
    pushed = ", pushed" if found.acted.published else ""
    return f"{what} {done} back from {found.version} to {decision.to}: {reason}  (tag {found.acted.tag}{pushed})"
