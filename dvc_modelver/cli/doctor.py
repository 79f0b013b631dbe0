"""`modelver doctor`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated

import typer

from dvc_modelver.cli.answer import Answer, Json
from dvc_modelver.cli.arguments import opened
from dvc_modelver.cli.hooks import guards_json
from dvc_modelver.cli.shell import command
from dvc_modelver.commands.doctor import Diagnosis, diagnose
from dvc_modelver.commands.hooking.guards import Guard
from dvc_modelver.commands.project import Surroundings
from dvc_modelver.commands.recovery import Recovery
from dvc_modelver.core.text import one_line
from dvc_modelver.errors import BadInput, ExitCode

_SHOWN = 5


@command
def run(
    around: Surroundings,
    recover: Annotated[
        bool, typer.Option("--recover", help="Finish or undo what an interrupted command left.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="With --recover: only say what it would do.")] = False,
) -> Answer:
    """Say everything that is wrong with the repository's versions, each with its remedy.

    Ends with 1 when anything is.

    \b
    Examples:
      modelver doctor
      modelver doctor --recover
      modelver doctor --recover --dry-run
    """
    if dry_run and not recover:
        raise BadInput("--dry-run goes with --recover: doctor alone changes nothing", hint="modelver doctor --recover")
    with opened(around) as project:
        found = diagnose(project, recover=recover, dry_run=dry_run)
    told = answer(found)
    return replace(told, lines=(*_recovered(found.recovery), *told.lines)) if recover else told


def _recovered(recovery: Recovery) -> Iterator[str]:
    """What was found, and what was or would be done."""
    left = recovery.left
    if left is None:
        yield "Nothing to recover."
        return
    of = f" of {left.model} to {left.version}" if left.model is not None else ""
    yield one_line(f"Interrupted on {left.since:%Y-%m-%d at %H:%M:%S} UTC: {left.action or 'a command'}{of}")
    for what, names in (("refs", left.refs), ("files", left.files), ("outputs", left.outputs)):
        if names:
            more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            yield one_line(f"    {what}: {', '.join(names[:_SHOWN])}{more}")
    yield one_line(f"This would be done: {recovery.will}" if recovery.dry_run else f"Done: {recovery.done}")


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
            "recovery": _recovery_json(diagnosis.recovery),
            "locks": [{"path": one.path, "age_seconds": int(one.age.total_seconds())} for one in diagnosis.locks],
            "guards": guards_json(diagnosis.guards),
        },
        lines=(
            *lines,
            *_guards(diagnosis.guards),
            f"{count} problem{'s' if count != 1 else ''}." if count else "Nothing is wrong.",
        ),
        notes=diagnosis.notes,
        code=ExitCode.CHECK_FAILED if diagnosis.problems else ExitCode.OK,
    )


def _guards(guards: Sequence[Guard]) -> Iterator[str]:
    if guards:
        yield "Guards: " + ", ".join(f"{guard.name} {guard.state}" for guard in guards) + "."


def _recovery_json(recovery: Recovery) -> Json:
    left = recovery.left
    found = None
    if left is not None:
        found = {
            "action": left.action or None,
            "since": left.since,
            "model": left.model,
            "version": left.version,
            "refs": list(left.refs),
            "files": list(left.files),
            "outputs": list(left.outputs),
        }
    return {"left": found, "will": recovery.will, "done": recovery.done, "dry_run": recovery.dry_run}
