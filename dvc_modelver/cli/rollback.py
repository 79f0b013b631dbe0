"""`modelver rollback`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated

import typer

from dvc_modelver.cli.answer import Answer
from dvc_modelver.cli.arguments import DRY_RUN, OFFLINE, PUSH, complete_references, complete_stages, opened, wants_push
from dvc_modelver.cli.outcome import answer as told
from dvc_modelver.cli.shell import command
from dvc_modelver.commands.project import Project, Surroundings
from dvc_modelver.commands.publishing import Outcome
from dvc_modelver.commands.restoration.rollback import RollbackRequest, RolledBack, rollback, rollback_stage, undo
from dvc_modelver.core.references import Reference, parse_reference, resolve_version
from dvc_modelver.core.text import one_line
from dvc_modelver.core.versions import Version
from dvc_modelver.errors import BadInput


@command
def run(
    around: Surroundings,
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="The model.", autocompletion=complete_references, show_default=False),
    ] = None,
    version: Annotated[
        str | None,
        typer.Argument(metavar="V", help="The version; else the one before that of HEAD.", show_default=False),
    ] = None,
    tree: Annotated[bool, typer.Option("--tree", help="The version's whole tree.")] = False,
    model_only: Annotated[
        bool, typer.Option("--model-only", help="Only the model's outputs, their lock entry and metrics.")
    ] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Check out the tag itself and its data.")] = False,
    stage: Annotated[
        str | None,
        typer.Option(
            "--stage",
            metavar="STAGE",
            help="The stage goes back, by a new promote; files stay.",
            autocompletion=complete_stages,
            show_default=False,
        ),
    ] = None,
    reason: Annotated[
        str | None, typer.Option("--reason", "-m", metavar="TEXT", help="Why; kept in the commit or tag.")
    ] = None,
    branch: Annotated[
        str | None,
        typer.Option("--branch", metavar="NAME", help="Make the commit on a new branch; nothing else moves."),
    ] = None,
    include_shared: Annotated[
        bool, typer.Option("--include-shared", help="Also what other models are made with.")
    ] = False,
    back: Annotated[bool, typer.Option("--undo", help="Go back to where the last rollback started.")] = False,
    push: PUSH = None,
    offline: OFFLINE = False,
    dry_run: DRY_RUN = False,
) -> Answer:
    """Bring back what an earlier version was made of: as one new commit, with its bytes.  History is never rewritten.

    Everything is looked for, fetched and hashed before the first change; whatever would be lost refuses it.

    \b
    Examples:
      modelver rollback churn
      modelver rollback churn v1.2.0 --reason "v1.3.0 drops recall"
      modelver rollback churn --stage prod --push
      modelver rollback churn v1.2.0 --branch back-to-1.2 --push
      modelver rollback churn --dry-run
      modelver rollback --undo
    """
    forms = [flag for flag, on in (("--tree", tree), ("--model-only", model_only), ("--detach", detach)) if on]
    forms += ["--stage"] if stage is not None else []
    _check(forms, name, back, branch, include_shared)
    if detach and push:
        raise BadInput("--push and --detach exclude each other", hint="--detach makes nothing to publish")
    with opened(around) as project:
        pushing = wants_push(project, push, offline) and not detach
        if back:
            return answer(undo(project, reason=reason or "", push=pushing, dry_run=dry_run), project.remote)
        reference, wanted = _wanted(project, name or "", version)
        if stage is not None:
            outcome = rollback_stage(
                project,
                reference.name,
                stage,
                wanted,
                reason=reason or "",
                push=pushing,
                offline=offline,
                dry_run=dry_run,
            )
            found = told(replace(outcome, action="promote"), project.remote)
            return found if not (dry_run and outcome.changed) else replace(found, lines=(*found.lines, _would(outcome)))
        request = RollbackRequest(
            name=reference.name,
            version=wanted,
            form="tree" if tree else "model" if model_only else "detach" if detach else "slice",
            reason=reason or "",
            branch=branch,
            include_shared=include_shared,
            push=pushing,
            dry_run=dry_run,
        )
        return answer(rollback(project, request), project.remote)


def _would(outcome: Outcome) -> str:
    model = outcome.models[0]
    return f"{model.stage} of {model.name} would hold {model.version} then"


def _wanted(project: Project, name: str, version: str | None) -> tuple[Reference, Version | None]:
    """The model, and the version that either word names: `churn v1.2.0`, `churn@v1.2.0`, `churn#prod`."""
    reference = parse_reference(name)
    said = reference.version is not None or reference.stage is not None or reference.latest
    if said and version is not None:
        raise BadInput(f"{name} names a version already", hint=f"modelver rollback {reference.name} {version}")
    if version is not None:
        return reference, Version.parse(version)
    if not said:
        return reference, None
    found = project.resolve(name)
    return reference, resolve_version(project.model_of(found.name), found)


def _check(forms: list[str], name: str | None, back: bool, branch: str | None, include_shared: bool) -> None:
    if len(forms) > 1:
        raise BadInput(f"{' and '.join(forms)} exclude each other", hint="choose one")
    if back and (name is not None or forms or branch is not None or include_shared):
        raise BadInput("--undo takes no model and no form", hint="modelver rollback --undo")
    if not back and name is None:
        raise BadInput("which model shall go back?", hint="modelver rollback NAME")
    if branch is not None and forms in (["--detach"], ["--stage"]):
        raise BadInput(f"--branch and {forms[0]} exclude each other", hint="choose one")
    if include_shared and forms:
        raise BadInput(f"--include-shared and {forms[0]} exclude each other", hint="leave one out")


def answer(done: RolledBack, remote: str | None) -> Answer:
    """The outcome, and what it leaves to do."""
    found = told(done, remote)
    lines = found.lines if done.dry_run and done.changed else tuple(_lines(done))
    more = {
        "from": done.left,
        "holds": dict(done.holds),
        "out_of_date": list(done.out_of_date),
        "stale": list(done.stale),
        "notes": list(done.notes),
    }
    notes = tuple(f"note: {one_line(note)}" for note in done.notes)
    return replace(found, data={**found.data, **more}, lines=lines, notes=(*found.notes, *notes))


def _lines(done: RolledBack) -> Iterator[str]:
    model = done.models[0]
    if not done.changed:
        yield f"{model.name} is as {model.version} was: nothing to do"
    else:
        left = f" from {done.left}" if done.left is not None else ""
        yield f"rolled {model.name} back to {model.version}{left}  (commit {(model.commit or '')[:9]})"
    yield from (f"now out of date: {name}: dvc repro" for name in done.out_of_date)
    if done.stale:
        yield f"dvc status will show: {', '.join(done.stale)}"
    yield from (f"{stage} of {model.name} still holds {version or 'nothing'}" for stage, version in done.holds.items())
