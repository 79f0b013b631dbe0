"""The step back: one promote event with its evidence, and a note on the version that is left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dvc_modelver.commands.guarding.telling import note_facts, rollback_event
from dvc_modelver.commands.notes import exchange_notes, read_notes, write_note
from dvc_modelver.commands.project import Project
from dvc_modelver.commands.promote import slice_outputs
from dvc_modelver.commands.publishing import (
    Numbers,
    Publication,
    Step,
    exclusive,
    publish,
    read_numbers,
    unpublished,
)
from dvc_modelver.commands.unseen import Concerns, changes, ends, refuse_unseen
from dvc_modelver.core.guard import NOTE, Decision, left_by
from dvc_modelver.core.names import to_tag
from dvc_modelver.core.notes import NOTES_REF
from dvc_modelver.core.registry import Model, Registry
from dvc_modelver.core.stages import StageEvent
from dvc_modelver.core.versions import Version
from dvc_modelver.errors import BadInput, Conflict
from dvc_modelver.gitio.refs import read_tags
from dvc_modelver.gitio.remotes import push_url, read_remote_ref


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What is to be done about one stage."""

    name: str
    stage: str
    held: StageEvent
    """What the decision was made about."""
    decision: Decision
    push: bool
    offline: bool
    dry_run: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Acted:
    """What was done, or would be."""

    changed: bool
    tag: str | None
    published: bool | None
    steps: tuple[Step, ...]


def step_back(project: Project, act: Act) -> Acted:
    """Let the stage hold `act.decision.to`, and say why on the version that it leaves.

    Raises:
        Conflict: the stage has moved since the decision, here or on the remote: nothing is changed.
    """
    with exclusive(project, act.dry_run):
        model = _refuse_moved(project, act)
        numbers = read_numbers(project, model, offline=act.offline, push=act.push)
        refuse_unseen(model, numbers, _concerns(act))
        to = act.decision.to
        assert to is not None
        if model.is_withdrawn(to) or model.retired_by is not None:
            raise Conflict(f"{act.name}@{to} was withdrawn, or retired, meanwhile", hint="look, then run it again")
        ref = model.release_ref(to)
        tag = rollback_event(model, act.held, act.decision, to, numbers.counter)
        missing = unpublished(ref, numbers, model.name) if act.push else []
        publication = Publication(
            action=NOTE,
            tags=(tag,),
            existing=tuple(missing),
            push=act.push,
            outputs=slice_outputs(project, model, ref) if missing else (),
        )
        steps = publication.steps(project.remote)
        if not act.dry_run:
            publish(project, publication)
        steps += _noted(project, act, model, tag.name)
        return Acted(changed=True, tag=tag.name, published=act.push and not act.dry_run, steps=tuple(steps))


def refuse_behind(project: Project, act: Act) -> None:
    """Before anything of the earlier version is fetched and hashed.  Raises `Conflict` when the remote knows more."""
    model = project.model_of(act.name)
    numbers = read_numbers(project, model, offline=act.offline, push=act.push)
    refuse_unseen(model, numbers, _concerns(act))


def complete(project: Project, act: Act) -> Acted:
    """What an earlier guard, ended at its very end, left of the same step: the note, and with `push` publication.

    An event that the remote has, with whatever notes, is left alone unless `push` asks for both.
    """
    done = act.decision.done
    assert done is not None
    with exclusive(project, act.dry_run):
        model = _refuse_moved(project, act)
        numbers = read_numbers(project, model, offline=act.offline, push=act.push)
        refuse_unseen(model, numbers, _concerns(act))
        known = done.ref.name in (numbers.remote or ()) or project.published.state(done.ref) is True
        steps: list[Step] = []
        if act.push:
            steps += _published(project, act, model, done, numbers)
        if act.push or not known:
            steps += _noted(project, act, model, done.ref.name)
        known = known or (act.push and not act.dry_run)
        return Acted(changed=bool(steps), tag=done.ref.name, published=known, steps=tuple(steps))


def _published(project: Project, act: Act, model: Model, done: StageEvent, numbers: Numbers) -> list[Step]:
    """Give the remote the event and its version, and have its notes here, so that none is written twice."""
    version = [model.release_ref(done.version)] if done.version is not None and model.has(done.version) else []
    released = [ref for one in version for ref in unpublished(one, numbers, model.name)]
    event = unpublished(done.ref, numbers, model.name)
    publication = Publication(
        action=NOTE,
        existing=(*released, *event),
        push=True,
        outputs=tuple(output for ref in released for output in slice_outputs(project, model, ref)),
    )
    steps = publication.steps(project.remote) if publication.existing else []
    if steps and not act.dry_run:
        publish(project, publication)
    return [*steps, *_exchanged(project, act)]


def _refuse_moved(project: Project, act: Act) -> Model:
    """The model as its tags are now.  Raises `Conflict` when the stage holds something else than before."""
    tags, name = read_tags(project.repository.git), to_tag(act.name)
    refs = [*tags.starting(f"{name}#"), *tags.starting(f"{name}@")]
    model = Registry(refs, project.objects.tags).model(act.name)
    held = model.holder(act.stage)
    if held is None or held.ref != act.held.ref:
        now = "is empty" if held is None else f"holds {held.version} by {held.ref.name}"
        raise Conflict(f"{act.stage} of {act.name} has moved meanwhile: it {now}", hint="look, then run it again")
    return model


def _concerns(act: Act) -> Concerns:
    """What the decision looked at."""
    stage, end = changes(act.stage), ends(act.decision.to)
    return lambda name: stage(name) or end(name)


# The note ---------------------------------------------------------------------------------------------------------


def _noted(project: Project, act: Act, model: Model, tag: str) -> list[Step]:
    """Write the note on the version that was left, unless it is there; with `push` the remote gets it."""
    left = _left(act)
    ref = model.release_ref(left) if left is not None and model.has(left) else None
    if ref is None or any(
        note.kind == NOTE and note.facts.get("event") == tag for note in read_notes(project, ref.oid).notes
    ):
        return []
    if not act.dry_run:
        _write(project, ref.oid, note_facts(act.stage, act.decision, tag))
    return [Step("git notes append", ref.name), *_exchanged(project, act)]


def _exchanged(project: Project, act: Act) -> list[Step]:
    """With `push` both sides get all notes."""
    remote = project.remote
    if not act.push or remote is None:
        return []
    there = read_remote_ref(project.repository.git, push_url(project.repository.git, remote), NOTES_REF)
    return exchange_notes(project, remote, there, dry_run=act.dry_run)


def _left(act: Act) -> Version | None:
    return act.held.version if act.decision.done is None else left_by(act.decision.done)


def _write(project: Project, oid: str, facts: Mapping[str, object]) -> None:
    """A note has few bytes: the event has the rules too."""
    try:
        write_note(project, oid, NOTE, facts)
    except BadInput:
        short = {key: value for key, value in facts.items() if key not in ("rules", "evidence")}
        write_note(project, oid, NOTE, short)
