"""`modelver reproduce`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Annotated

import typer

from dvc_modelver.cli.answer import Answer, Json, shown
from dvc_modelver.cli.arguments import DRY_RUN, REFERENCE, YES, opened
from dvc_modelver.cli.shell import ask, command
from dvc_modelver.commands.project import Surroundings
from dvc_modelver.commands.reproduction.plan import Plan
from dvc_modelver.commands.reproduction.reproduce import (
    Reproduced,
    ReproduceRequest,
    outputs_that_differ,
    reproduce,
    shown_command,
)
from dvc_modelver.core.metrics import label
from dvc_modelver.core.reproduction import Match, Verdict, parse_tolerance
from dvc_modelver.core.text import one_line
from dvc_modelver.errors import ExitCode, Refused

_NAMED = 12
"""Differences of the environment in a list for people."""
_SAID = {
    Verdict.IDENTICAL: "was reproduced identically",
    Verdict.EQUIVALENT: "was reproduced with other bytes, and the same metrics",
    Verdict.DIFFERENT: "came out different",
    Verdict.FAILED: "could not be rebuilt",
}


@command
def run(
    around: Surroundings,
    reference: REFERENCE,
    yes: YES = False,
    tolerance: Annotated[
        str,
        typer.Option("--tolerance", metavar="T", help="How far a metric may be off: 1e-3, 1%.", show_default="0"),
    ] = "0",
    keep: Annotated[
        str | None, typer.Option("--keep", metavar="DIR", help="Keep the rebuilt outputs in DIR.", show_default=False)
    ] = None,
    no_note: Annotated[bool, typer.Option("--no-note", help="Do not record the proof on the version.")] = False,
    dry_run: DRY_RUN = False,
) -> Answer:
    """Rebuild a version in a temporary worktree, and say whether it is the same.

    It runs the repository's own commands, and asks before it does.

    \b
    Examples:
      modelver reproduce churn@v1.2.0
      modelver reproduce churn#prod --yes --tolerance 1%
      modelver reproduce churn --dry-run
    """
    request = ReproduceRequest(
        reference=reference,
        tolerance=parse_tolerance(tolerance),
        keep=around.directory.absolute() / keep if keep is not None else None,
        note=not no_note,
        dry_run=dry_run,
    )
    with opened(around) as project:
        return reproduce_answer(reproduce(project, request, lambda plan: _confirm(around, plan, yes)))


def _confirm(around: Surroundings, plan: Plan, yes: bool) -> None:
    for line in (*plan.notes, *_environment(plan)):
        around.say(f"note: {line}")
    if not yes and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise Refused("reproduce asks before it runs the repository's own commands", hint="pass --yes")
    names = ", ".join(stage.step.name for stage in plan.stages if not stage.frozen)
    ask(f"this runs the repository's own commands (dvc repro) of {names}. Go on?", yes, "reproduce")


def _environment(plan: Plan) -> Iterator[str]:
    """What is not as it was recorded, in words."""
    for row in plan.environment[:_NAMED]:
        before, after = ("-" if value is None else shown(value) for value in (row.recorded, row.present))
        yield f"{label(row.key)} was {before}, and is {after}"
    if len(plan.environment) > _NAMED:
        yield f"{len(plan.environment) - _NAMED} more facts of the environment differ"


def reproduce_answer(found: Reproduced) -> Answer:
    """The answer in every form."""
    plan = found.plan
    bad = found.verdict in (Verdict.DIFFERENT, Verdict.FAILED)
    notes = (*plan.notes, *_environment(plan)) if found.verdict is None else ()
    return Answer(
        data=_json(found),
        lines=tuple(_plan_lines(plan)) if found.verdict is None else tuple(_lines(found)),
        notes=(*(f"note: {line}" for line in notes), *(f"warning: {line}" for line in found.notes)),
        code=ExitCode.CHECK_FAILED if bad else ExitCode.OK,
    )


def _json(found: Reproduced) -> Json:
    plan, rebuilt = found.plan, found.rebuilt
    failure = rebuilt.failure
    return {
        "name": plan.name,
        "version": plan.version,
        "commit": plan.commit,
        "dry_run": found.verdict is None,
        "verdict": found.verdict,
        "tolerance": found.tolerance,
        "digest": {"recorded": plan.artifact.digest, "rebuilt": rebuilt.digest},
        "steps": [{"stage": s.step.name, "command": shown_command(s), "frozen": s.frozen} for s in plan.stages],
        "inputs": [{"path": n.path, "digest": n.output.digest, "at_hand": n.at_hand} for n in plan.needed],
        "stages": [
            {
                "stage": row.name,
                "state": row.state,
                "outputs": [
                    {"path": out.path, "recorded": out.recorded, "rebuilt": out.rebuilt, "same": out.same}
                    for out in row.outputs
                ],
            }
            for row in rebuilt.stages
        ],
        "metrics": [
            {"file": m.file, "key": m.key, "recorded": m.recorded, "rebuilt": m.rebuilt, "match": m.match}
            for m in rebuilt.metrics
        ],
        "environment": {
            "compared": plan.recorded,
            "differences": [{"key": d.key, "recorded": d.recorded, "present": d.present} for d in plan.environment],
        },
        "failure": None if failure is None else {"stage": failure.stage, "lines": failure.lines},
        "seconds": round(rebuilt.seconds, 3),
        "kept": None if found.kept is None else str(found.kept),
        "noted": found.noted,
    }


# For people -----------------------------------------------------------------------------------------------------


def _plan_lines(plan: Plan) -> Iterator[str]:
    yield f"This would rebuild {plan.name}@{plan.version} from commit {plan.commit[:12]}:"
    for stage in plan.stages:
        does = "frozen: its recorded outputs are used" if stage.frozen else shown_command(stage)
        yield f"  {one_line(stage.step.name)}  {does}"
    for needed in plan.needed:
        place = "in the cache" if needed.at_hand else "missing in the cache: to be fetched from the DVC remote"
        yield f"  reads {one_line(needed.path)}  {place}"


def _lines(found: Reproduced) -> Iterator[str]:
    plan, rebuilt, verdict = found.plan, found.rebuilt, found.verdict or Verdict.FAILED
    within = f" within {found.tolerance:g}" if verdict is Verdict.EQUIVALENT and found.tolerance else ""
    yield f"{plan.name}@{plan.version} {_SAID[verdict]}{within}."
    wide = max(len(one_line(row.name)) for row in rebuilt.stages)
    for row in rebuilt.stages:
        names = [one_line(out.path) for out in row.outputs if not out.same]
        yield f"  {one_line(row.name):<{wide}}  {row.state.value}{': ' if names else ''}{', '.join(names)}"
    for metric in rebuilt.metrics:
        if metric.match is not Match.EQUAL:
            before, after = ("-" if v is None else shown(v) for v in (metric.recorded, metric.rebuilt))
            near = "within the tolerance" if metric.match is Match.WITHIN else "different"
            yield f"  {label(metric.key, metric.file)}  {before} -> {after}  {near}"
    if rebuilt.failure is not None:
        yield from (f"    {line}" for line in rebuilt.failure.lines)
    elif verdict is Verdict.IDENTICAL and (others := outputs_that_differ(found)):
        yield f"The model is the same; of the other outputs differ: {', '.join(others)}"
    if found.kept is not None:
        yield f"The rebuilt outputs are in {found.kept}"
