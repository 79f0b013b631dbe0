"""`guard`: is what a stage holds still as good as it was, and what becomes of the stage when it is not?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dvc_modelver.commands.bytes_at_hand import Bytes
from dvc_modelver.commands.gating.gate import Gated, document
from dvc_modelver.commands.gating.reference import Reference
from dvc_modelver.commands.guarding.acting import Act, Acted, complete, refuse_behind, step_back
from dvc_modelver.commands.guarding.evidence import Evidence, judged, read_evidence
from dvc_modelver.commands.guarding.preflight import recorded_metrics, why_unfit
from dvc_modelver.commands.project import Project
from dvc_modelver.commands.publishing import exclusive
from dvc_modelver.core.gate import Verdict
from dvc_modelver.core.gatepolicy import GatePolicy
from dvc_modelver.core.guard import Decision, Kind, Report, acted_on, decide, left_by
from dvc_modelver.core.guardpolicy import GuardPolicy
from dvc_modelver.core.references import Reference as Named
from dvc_modelver.core.references import resolve_version
from dvc_modelver.core.registry import Model
from dvc_modelver.core.secrets import redact_text
from dvc_modelver.core.stages import StageEvent
from dvc_modelver.core.versions import Version
from dvc_modelver.errors import BadInput
from dvc_modelver.gitio.journal import read_journal

MAX_FILES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardRequest:
    """What the user asked for."""

    name: str
    stage: str
    metrics: tuple[str, ...]
    """Files, in time order; paths are as seen from the directory that the command works in."""
    rollback: bool = False
    push: bool = False
    offline: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarded:
    """What was found, and what was done about it."""

    name: str
    stage: str
    version: Version
    """What the stage held."""
    gated: Gated
    """The last report beside what the version recorded."""
    reports: tuple[Report, ...]
    decision: Decision
    acted: Acted
    rollback: bool
    """Whether it was asked for."""
    dry_run: bool

    @property
    def ok(self) -> bool:
        return self.decision.ok


def guard(project: Project, request: GuardRequest) -> Guarded:
    """Judge the reports, decide, and with `rollback` take the step back: at most one.

    The decision is a function of the reports, the policy, the stage's own events and the time.

    Raises:
        NotFound: no such model, or the stage is unknown or empty.
        BadInput: a report cannot be read, is of too few samples, or tells nothing about the version.
        DataError: what the version recorded cannot be had.
        Conflict: the stage moved meanwhile, here or on the remote.
    """
    _refuse_odd(request)
    if request.rollback and not request.dry_run:
        _settle(project)
    evidence = [read_evidence(project.around.directory, file) for file in request.metrics]
    model = project.model(request.name)
    version = resolve_version(model, Named(name=model.name, stage=request.stage))
    held = model.holder(request.stage)
    assert held is not None
    events = model.stage_events(request.stage)
    policy, rules = _policies(project)
    done = acted_on(events, evidence[-1].digest)
    gated, reports = _judge(project, model, _accused(model, done) or version, request.stage, evidence)
    decision = decide(policy, reports, events, held, model.withdrawn, project.around.now())
    decision, acted = _act(project, request, model, held, decision, rules)
    return Guarded(
        name=model.name,
        stage=request.stage,
        version=version,
        gated=gated,
        reports=reports,
        decision=decision,
        acted=acted,
        rollback=request.rollback,
        dry_run=request.dry_run,
    )


def _refuse_odd(request: GuardRequest) -> None:
    if not request.metrics:
        raise BadInput("there is no report to judge", hint="--metrics live.json")
    if len(request.metrics) > MAX_FILES:
        raise BadInput(f"more than {MAX_FILES} reports", hint="name the last ones")


def _settle(project: Project) -> None:
    """A killed guard may have published its event: that is known before anything is decided."""
    if read_journal(project.repository.state_dir) is not None:
        with exclusive(project, dry_run=False):
            pass


def _policies(project: Project) -> tuple[GuardPolicy, GatePolicy]:
    """The guard's policy, and the rules that hold for production."""
    policy, gate = project.config.guard or GuardPolicy(), project.config.gate or GatePolicy()
    return policy, replace(gate, metrics=policy.metrics or gate.metrics, slices={}, significance=None)


def _accused(model: Model, done: StageEvent | None) -> Version | None:
    """The version of which an acted-on report spoke."""
    version = left_by(done) if done is not None else None
    return version if version is not None and model.has(version) else None


def _judge(
    project: Project, model: Model, version: Version, stage: str, evidence: Sequence[Evidence]
) -> tuple[Gated, tuple[Report, ...]]:
    policy, rules = _policies(project)
    with Bytes(project) as at_hand:
        recorded = recorded_metrics(project, model, version, at_hand)
    reports = tuple(judged(one, policy, rules, recorded, project.config.metrics) for one in evidence)
    reference = Reference(
        ref=f"{model.name}@{version}", version=version, commit=model.release_ref(version).target, metrics=recorded
    )
    notes = tuple(dict.fromkeys(one.note for one in evidence if one.note is not None))
    what = f"{model.name}#{stage}"
    # What a metric is called may come from the report.
    shown = Verdict(rulings=tuple(replace(r, metric=redact_text(r.metric)) for r in reports[-1].verdict.rulings))
    return Gated(name=model.name, judged=what, reference=reference, verdict=shown, notes=notes), reports


def _act(
    project: Project,
    request: GuardRequest,
    model: Model,
    held: StageEvent,
    decision: Decision,
    rules: GatePolicy,
) -> tuple[Decision, Acted]:
    """What is done, and the decision, which is another one when the earlier version is not fit to take over."""
    act = Act(
        name=model.name,
        stage=request.stage,
        held=held,
        decision=decision,
        push=request.push,
        offline=request.offline,
        dry_run=request.dry_run,
    )
    nothing = Acted(changed=False, tag=None, published=None, steps=())
    if not request.rollback:
        return decision, nothing
    if decision.done is not None:
        return decision, complete(project, act)
    if decision.kind is not Kind.ROLL_BACK or decision.to is None:
        return decision, nothing
    refuse_behind(project, act)
    why = why_unfit(project, model, decision.to, request.stage, rules)
    if why is not None:
        return replace(decision, kind=Kind.REFUSED, reason=why), nothing
    return decision, step_back(project, act)


def answer_document(found: Guarded) -> Mapping[str, object]:
    """The answer as JSON has it."""
    decision, acted = found.decision, found.acted
    return {
        "action": "guard",
        "ok": found.ok,
        "name": found.name,
        "stage": found.stage,
        "version": found.version,
        "against": found.gated.reference.ref,
        "rules": document(found.gated)["rules"],
        "reports": [
            {"file": report.file, "digest": report.digest, "samples": report.samples, "ok": not report.breaches}
            for report in found.reports
        ],
        "decision": decision.kind.value,
        "to": decision.to,
        "reason": redact_text(decision.reason),
        "dry_run": found.dry_run,
        "changed": acted.changed,
        "tag": acted.tag,
        "published": acted.published,
        "steps": [{"do": step.do, "target": step.target} for step in acted.steps],
        "notes": list(found.gated.notes),
    }
