"""`reproduce`: rebuilds a version from its commit, elsewhere, and says whether it is the same."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from dvc_modelver.commands.notes import write_note
from dvc_modelver.commands.project import Project
from dvc_modelver.commands.reproduction.plan import Plan, PlannedStage, make_plan
from dvc_modelver.commands.reproduction.run import Rebuild, Rebuilt
from dvc_modelver.commands.workbench import Workbench, refuse_inside_dvc
from dvc_modelver.core.notes import REPRODUCTION
from dvc_modelver.core.reproduction import Verdict, judge
from dvc_modelver.core.secrets import redact_text
from dvc_modelver.core.text import one_line
from dvc_modelver.dvcio import paths
from dvc_modelver.errors import BadInput, Conflict, ModelverError

_LABEL = "modelver-reproduce"
_NAMED_IN_NOTE = 20

Confirm = Callable[[Plan], None]
"""Asked before the repository's commands are run; raises when the answer is no."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReproduceRequest:
    """What to rebuild, and how."""

    reference: str
    tolerance: float = 0.0
    """How far a metric may be from the recorded one, as a share of it."""
    keep: Path | None = None
    """Where the rebuilt outputs are put."""
    note: bool = True
    """Whether the proof is recorded on the version."""
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduced:
    """What a rebuild came to."""

    plan: Plan
    verdict: Verdict | None = None
    """None for a dry run."""
    tolerance: float = 0.0
    rebuilt: Rebuilt = field(default_factory=Rebuilt)
    kept: Path | None = None
    noted: bool = False
    notes: tuple[str, ...] = ()


def reproduce(project: Project, request: ReproduceRequest, confirm: Confirm = lambda plan: None) -> Reproduced:
    """Run the version's pipeline stages in a worktree of its commit, from its own inputs, and compare.

    The user's work tree, index, branches, cache and configuration stay as they are; nothing is left behind.

    Raises:
        Refused: inside a running pipeline stage; a stage writes outside of the repository; what `confirm` raises.
        DataError: inputs are neither in the cache nor in the DVC remote, or corrupt.
        Conflict: `keep` is there already.
        NotFound, BadInput, EnvironmentProblem: as `make_plan`.
    """
    refuse_inside_dvc(project, "reproduce")
    if request.keep is not None and os.path.lexists(request.keep):
        raise Conflict(f"{request.keep} is there already", hint="name a directory that is not there yet")
    plan = make_plan(project, request.reference)
    if request.dry_run:
        return Reproduced(plan=plan, tolerance=request.tolerance)
    confirm(plan)
    with Workbench(project, _LABEL) as bench, bench.worktree(plan.commit) as where:
        rebuild = Rebuild(project, plan, request.tolerance, bench, where)
        rebuilt = rebuild.result()
        if request.keep is not None:
            rebuild.keep(request.keep)
    same = rebuilt.digest is not None and rebuilt.digest == plan.artifact.digest
    verdict = judge(same, rebuilt.stages, rebuilt.metrics)
    found = Reproduced(plan=plan, verdict=verdict, tolerance=request.tolerance, rebuilt=rebuilt, kept=request.keep)
    return _noted(project, found) if request.note and verdict is not Verdict.FAILED else found


# The proof ------------------------------------------------------------------------------------------------------


def _noted(project: Project, found: Reproduced) -> Reproduced:
    """The result with its proof recorded; a note that cannot be written takes nothing from it."""
    plan = found.plan
    try:
        try:
            write_note(project, plan.oid, REPRODUCTION, _proof(found, full=True))
        except BadInput:
            write_note(project, plan.oid, REPRODUCTION, _proof(found, full=False))
        return replace(found, noted=True)
    except ModelverError as error:
        return replace(found, notes=(f"the proof was not recorded: {error.message}",))


def _proof(found: Reproduced, *, full: bool) -> dict[str, object]:
    """What the note says; without `full` only what is of one size for every pipeline."""
    from importlib.metadata import PackageNotFoundError, version

    plan = found.plan
    dvc = None
    with suppress(PackageNotFoundError):
        dvc = version("dvc")
    proof: dict[str, object] = {
        "verdict": (found.verdict or Verdict.FAILED).value,
        "commit": plan.commit,
        "digest": {"recorded": plan.artifact.digest, "rebuilt": found.rebuilt.digest},
        "tolerance": found.tolerance,
        "seconds": round(found.rebuilt.seconds, 1),
        "dvc": dvc,
        "python": plan.python,
        "environment": {"compared": plan.recorded, "differences": len(plan.environment)},
    }
    if not full:
        return proof
    named = plan.environment[:_NAMED_IN_NOTE]
    differing = [{"key": row.key, "recorded": row.recorded, "present": row.present} for row in named]
    return {
        **proof,
        "environment": {"compared": plan.recorded, "differences": len(plan.environment), "first": differing},
        "stages": {row.name: row.state.value for row in found.rebuilt.stages},
    }


def shown_command(stage: PlannedStage) -> str:
    """The stage's command on one line, without secrets."""
    return one_line(redact_text(stage.step.cmd or ""), 200)


def outputs_that_differ(found: Reproduced) -> tuple[str, ...]:
    """The outputs whose bytes are not those recorded."""
    return tuple(paths.shown(row.path) for stage in found.rebuilt.stages for row in stage.outputs if not row.same)
