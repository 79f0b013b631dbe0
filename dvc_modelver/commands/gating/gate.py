"""`gate`: is a model good enough, by the policy and beside what is in production?"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dvc_modelver.commands.bytes_at_hand import Bytes
from dvc_modelver.commands.comparison.points import Place
from dvc_modelver.commands.gating.chance import intervals
from dvc_modelver.commands.gating.files import refuse_other, target_of
from dvc_modelver.commands.gating.measure import Measured, measure_files, measure_place
from dvc_modelver.commands.gating.policy import read_policy
from dvc_modelver.commands.gating.reference import (
    SCHEMA,
    Reference,
    as_json,
    find_experiment,
    find_reference,
    format_reference,
    read_reference,
    version_place,
)
from dvc_modelver.commands.project import Project
from dvc_modelver.core.facts import Scalar
from dvc_modelver.core.gate import Ruling, Verdict, judge
from dvc_modelver.core.gatepolicy import GatePolicy, needs_reference
from dvc_modelver.core.references import resolve_version
from dvc_modelver.core.secrets import redact_value
from dvc_modelver.dvcio.paths import shown
from dvc_modelver.errors import BadInput, EnvironmentProblem, NotFound, Refused
from dvc_modelver.gitio.commits import write_file

REFERENCE_FILE = "gate/reference.json"
"""Where a reference is remembered as long as no pipeline stage reads another file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRequest:
    """What the user asked for."""

    model: str
    """A model, whose files in the work tree are judged; or `NAME@V`, `NAME#STAGE`."""
    rev: str | None = None
    """The commit to judge instead."""
    exp: str | None = None
    """The DVC experiment to judge instead."""
    against: str | None = None
    policy: str | None = None
    """A file; paths are as seen from the directory that the command works in."""
    reference: str | None = None
    """The file that remembers what to compare with."""
    out: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gated:
    """A model's verdict, and what it was compared with."""

    name: str
    judged: str
    """`work tree`, a version, a commit or an experiment as it was named."""
    reference: Reference
    verdict: Verdict
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return self.verdict.ok


@dataclass(frozen=True, slots=True, kw_only=True)
class Refreshed:
    """The reference that a file remembers now."""

    name: str
    path: str
    """As it was named."""
    reference: Reference
    changed: bool
    dry_run: bool
    notes: tuple[str, ...] = ()


def gate(project: Project, request: GateRequest) -> Gated:
    """Judge, and write the answer to `request.out`.

    With a reference file the work tree's files decide alone: no tag, no commit, no DVC.  That suits a pipeline stage.

    Raises:
        BadInput: the policy, the reference file or a file of the model cannot be read as what it is.
        NotFound: no such model, version, stage, commit or experiment.
        DataError: the reference's metrics are neither in DVC's cache nor in the remote.
        Refused: inside a pipeline stage without a reference file.
        Conflict: `request.out` is there, and no answer of a gate.
    """
    _refuse_contradictions(request)
    out = target_of(project, request.out) if request.out is not None else None
    if out is not None and request.out is not None:
        refuse_other(out, request.out, ("schema", "judged", "rules"))
    policy = read_policy(project, request.policy)
    _refuse_refs_inside_dvc(project, request, policy)
    with Bytes(project) as at_hand:
        judged, measured = _measure(project, request, at_hand)
        reference = _reference(project, request, policy, measured.name, at_hand)
        gated = judge_measured(project, policy, judged, measured, reference)
    if out is not None:
        write_file(out, _file(gated))
    return gated


def judge_measured(
    project: Project, policy: GatePolicy, judged: str, measured: Measured, reference: Reference
) -> Gated:
    """The verdict on numbers that were read, with what predictions say when the policy asks for it."""
    between = {}
    if policy.significance is not None and reference.metrics is not None:
        between = intervals(measured.metrics, measured.predictions(), reference.metrics, reference.predictions())
    verdict = judge(policy, measured.metrics, reference.metrics, directions=project.config.metrics, intervals=between)
    notes = tuple(dict.fromkeys((*reference.notes, *measured.notes)))
    return Gated(name=measured.name, judged=judged, reference=reference, verdict=verdict, notes=notes)


def update_reference(project: Project, request: GateRequest, *, dry_run: bool = False) -> Refreshed:
    """Write what the model is compared with to the reference file: by default the one that its pipeline stage reads.

    Raises as `gate` does, `Refused` inside a pipeline stage, and `BadInput` where its stages read several files.
    """
    if _inside_dvc(project):
        raise Refused(
            "a pipeline stage cannot refresh what it depends on",
            hint=f"outside of it: modelver gate {request.model} --update-reference",
        )
    file = request.reference or _staged_file(project, request.model)
    target = target_of(project, file)
    refuse_other(target, file, ("schema", "against", "metrics"))
    policy = read_policy(project, request.policy)
    name = _name(project, request.model)
    with Bytes(project) as at_hand:
        reference = find_reference(project, name, request.against, policy, at_hand)
        data = format_reference(name, reference)
    changed = target.is_symlink() or not target.is_file() or target.read_bytes() != data
    if changed and not dry_run:
        write_file(target, data)
    notes = (*reference.notes, *_left_alone(project, request, file))
    return Refreshed(name=name, path=file, reference=reference, changed=changed, dry_run=dry_run, notes=notes)


def _staged_file(project: Project, model: str) -> str:
    """The file that the model's gate reads as a pipeline stage; where there is no such stage, `REFERENCE_FILE`."""
    from dvc_modelver.commands.gating.staged import staged_references

    found = staged_references(project, _name(project, model))
    if len(found) < 2 or REFERENCE_FILE in found:
        return found[0] if len(found) == 1 else REFERENCE_FILE
    raise BadInput(
        f"the pipeline stages of {model} compare it with several files: {', '.join(map(shown, found[:3]))}",
        hint=f"--reference {shown(found[0])} names one of them",
    )


def _left_alone(project: Project, request: GateRequest, file: str) -> Iterator[str]:
    """Who compares with `REFERENCE_FILE` elsewhere has to hear that it is not the one that was written."""
    if request.reference is None and file != REFERENCE_FILE and (project.around.directory / REFERENCE_FILE).is_file():
        yield f"{REFERENCE_FILE} stays as it is; --reference {REFERENCE_FILE} writes it"


def _name(project: Project, text: str) -> str:
    """The canonical name, also of a model that nobody has committed yet."""
    try:
        return project.model(text).name
    except NotFound:
        with Bytes(project) as at_hand:
            return measure_files(project, text, at_hand).name


def _refuse_contradictions(request: GateRequest) -> None:
    if request.reference is not None and request.against is not None:
        raise BadInput("--reference and --against exclude each other", hint="--update-reference takes --against")
    if request.rev is not None and request.exp is not None:
        raise BadInput("--rev and --exp exclude each other", hint="choose one")


def _refuse_refs_inside_dvc(project: Project, request: GateRequest, policy: GatePolicy) -> None:
    """A pipeline stage that looks at refs would have another answer for the same files, and DVC would not know."""
    if not _inside_dvc(project):
        return
    if request.reference is None and (needs_reference(policy) or request.against is not None):
        raise Refused(
            "inside a pipeline stage the gate compares with a file, so that its answer depends on files alone",
            hint=f"--reference {REFERENCE_FILE}, written by modelver gate {request.model} --update-reference",
        )
    if request.rev is not None or request.exp is not None or set("@#") & set(request.model):
        raise Refused(
            "inside a pipeline stage the gate judges the files that the pipeline made",
            hint="name the model alone, without a version, stage, commit or experiment",
        )


def _inside_dvc(project: Project) -> bool:
    return bool(project.around.env.get("DVC_STAGE"))


def _reference(project: Project, request: GateRequest, policy: GatePolicy, name: str, at_hand: Bytes) -> Reference:
    if request.reference is not None:
        return read_reference(project, name, request.reference, at_hand)
    if _inside_dvc(project):
        return Reference(ref=None)
    return find_reference(project, name, request.against, policy, at_hand)


def _measure(project: Project, request: GateRequest, at_hand: Bytes) -> tuple[str, Measured]:
    """What is judged, in words and numbers."""
    own = _own_files(project, request)
    if request.exp is not None:
        place = find_experiment(project, request.exp)
        return place.ref, measure_place(project, place, _name(project, request.model), at_hand, own)
    if request.rev is not None:
        return request.rev, measure_place(
            project, _commit(project, request.rev), _name(project, request.model), at_hand, own
        )
    if "@" in request.model or "#" in request.model:
        reference = project.resolve(request.model)
        model = project.model_of(reference.name)
        place = version_place(model, resolve_version(model, reference))
        return place.ref, measure_place(project, place, model.name, at_hand, own)
    if project.repository.root is None:
        raise EnvironmentProblem("a bare repository has no work tree to judge", hint="name a commit with --rev")
    return "work tree", measure_files(project, request.model, at_hand, own)


def _commit(project: Project, rev: str) -> Place:
    commit = project.objects.commit(rev)
    if commit is None:
        raise NotFound(f"there is no commit {rev}", hint="git log")
    return Place(ref=rev, commit=commit)


def _own_files(project: Project, request: GateRequest) -> tuple[str, ...]:
    """The answer's own file is no measurement, though a pipeline may call it a metric."""
    if request.out is None or project.repository.root is None:
        return ()
    path = os.path.relpath(target_of(project, request.out), project.repository.root)
    return (Path(path).as_posix(),)


# The answer as a document ---------------------------------------------------------------------------------------


def document(gated: Gated) -> Mapping[str, object]:
    """The answer as JSON has it: a function of the numbers, the policy and the reference alone."""
    reference = gated.reference
    return {
        "ok": gated.ok,
        "name": gated.name,
        "judged": gated.judged,
        "against": reference.ref,
        "reference": None
        if reference.ref is None
        else {"version": None if reference.version is None else str(reference.version), "commit": reference.commit},
        "rules": [_rule(ruling) for ruling in gated.verdict.rulings],
        "notes": list(gated.notes),
    }


def _rule(ruling: Ruling) -> Mapping[str, object]:
    interval = ruling.interval
    return {
        "metric": ruling.metric,
        "file": ruling.file,
        "slice": ruling.slice,
        "rule": ruling.rule,
        "limit": ruling.limit,
        "value": _public(ruling.metric, ruling.value),
        "reference": _public(ruling.metric, ruling.reference),
        "delta": ruling.delta,
        "significance": None
        if interval is None
        else {"low": interval.low, "high": interval.high, "level": interval.level, "method": interval.method},
        "ok": ruling.ok,
        "reason": ruling.reason,
    }


def _public(key: str, value: Scalar) -> Scalar:
    """The file is passed around."""
    return redact_value(key, value) if isinstance(value, str) else value


def _file(gated: Gated) -> bytes:
    content = as_json({"schema": SCHEMA, **document(gated)})
    return (json.dumps(content, indent=2, ensure_ascii=True) + "\n").encode("ascii")
