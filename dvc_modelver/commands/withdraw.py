"""`withdraw` a version or what a stage holds, and `retire` a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dvc_modelver.commands.project import Project
from dvc_modelver.commands.publishing import (
    Numbers,
    Outcome,
    Publication,
    Written,
    exclusive,
    publish,
    read_numbers,
    unpublished,
)
from dvc_modelver.commands.unseen import changes, refuse_unseen
from dvc_modelver.core.records import Record
from dvc_modelver.core.references import Reference, resolve_version
from dvc_modelver.core.registry import Model
from dvc_modelver.core.releases import NewTag
from dvc_modelver.core.tagobjects import TagRef
from dvc_modelver.core.tags import Event, TagName, parse_tag_name
from dvc_modelver.core.versions import Version
from dvc_modelver.errors import BadInput, NotFound

Confirm = Callable[[str], None]
"""Asks a question; raises unless the answer is yes."""


def withdraw(
    project: Project,
    text: str,
    *,
    message: str = "",
    confirm: Confirm,
    push: bool = False,
    offline: bool = False,
    dry_run: bool = False,
) -> Outcome:
    """Empty the stage `NAME#STAGE`, or withdraw the version `NAME@V` for ever.

    Raises:
        NotFound: no such model, version or stage, or the stage is empty.
        BadInput: a bare name, or no reason for withdrawing a version.
        Conflict: with `push`, what would be ended is not what the remote has there.
    """
    with exclusive(project, dry_run):
        reference = project.resolve(text)
        model = project.model_of(reference.name)
        if reference.stage is not None:
            asked = _plan_stage(project, model, reference, message, offline, push)
        elif reference.version is not None:
            asked = _plan_version(project, model, reference.version, message, offline, push, dry_run, confirm)
        else:
            raise BadInput(f"{text} names neither a version nor a stage", hint=f"{text}@v1.2.3 or {text}#STAGE")
        return _apply(project, "withdraw", model, asked, push, dry_run)


def retire(
    project: Project, text: str, *, message: str = "", push: bool = False, offline: bool = False, dry_run: bool = False
) -> Outcome:
    """Close a model until a later release reopens it.  Raises `NotFound` for one that was never released."""
    with exclusive(project, dry_run):
        model = project.model(text)
        newest = model.latest or max(model.versions, default=None)
        if newest is None:
            raise NotFound(f"{model.name} has no version to retire", hint=f"modelver release {model.name}")
        retired = model.retired_by
        numbers = read_numbers(project, model, offline=offline, push=push)
        tag = None
        if retired is None:
            first = not any(name.event is Event.RETIRE for name, _ in model.tag_refs())
            tag = NewTag(
                tag=TagName(Event.RETIRE, model.name, counter=None if first else numbers.counter + 1),
                commit=model.release_ref(newest).target or "",
                subject=f"Retire {model.name}",
                body=message,
                record=Record(event=Event.RETIRE.value, model=model.name, version=str(newest)),
            )
        asked = _Asked(new=tag) if retired is None else _there(model, retired, numbers, push)
        return _apply(project, "retire", model, asked, push, dry_run)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What makes the asked state: a new tag, or one that is there."""

    new: NewTag | None = None
    done: TagRef | None = None
    publish: bool = False
    """Whether the remote still lacks what is there, and shall have it."""


def _there(model: Model, done: TagRef, numbers: Numbers, push: bool) -> _Asked:
    """Raises `Conflict` when the remote has another tag of that name."""
    return _Asked(done=done, publish=push and bool(unpublished(done, numbers, model.name)))


def _plan_stage(
    project: Project, model: Model, reference: Reference, message: str, offline: bool, push: bool
) -> _Asked:
    stage = reference.stage or ""
    held = model.holder(stage)
    emptied = _emptied_by(model, stage) if held is None and push else None
    if held is None and emptied is None:
        resolve_version(model, reference)
    numbers = read_numbers(project, model, offline=offline, push=push)
    asked = _there(model, emptied, numbers, push) if emptied is not None else _Asked()
    if asked.publish:
        return asked
    if held is None:
        raise NotFound(f"stage {stage} of {model.name} is empty", hint=f"modelver history {model.name}")
    if push:
        # Else it would end what holds the stage there no longer, or what never did.
        refuse_unseen(model, numbers, changes(stage))
    version = str(held.version) if held.version is not None else None
    tag = NewTag(
        tag=TagName(Event.WITHDRAW_STAGE, model.name, stage=stage, counter=numbers.counter + 1),
        commit=held.ref.target or "",
        subject=f"Withdraw {model.name} {version or (held.ref.target or '')[:12]} from {stage}",
        body=message,
        record=Record(
            event=Event.WITHDRAW_STAGE.value, model=model.name, version=version, stage=stage, ends=(held.ref.name,)
        ),
    )
    return _Asked(new=tag)


def _emptied_by(model: Model, stage: str) -> TagRef | None:
    """The withdrawal that is the last event of `stage`."""
    last = model.stage_events(stage)[-1:]
    return next((event.ref for event in last if event.event is Event.WITHDRAW_STAGE), None)


def _plan_version(
    project: Project,
    model: Model,
    version: Version,
    message: str,
    offline: bool,
    push: bool,
    dry_run: bool,
    confirm: Confirm,
) -> _Asked:
    ref = model.release_ref(version)
    if model.is_withdrawn(version):
        done = next(r for n, r in model.tag_refs() if n.event is Event.WITHDRAW_VERSION and n.version == version)
        if not push:
            return _Asked(done=done)
        return _there(model, done, read_numbers(project, model, offline=offline, push=push), push)
    if not message.strip():
        name = f"{model.name}@{version}"
        raise BadInput("withdrawing a version needs a reason", hint=f'modelver withdraw {name} -m "why"')
    if not dry_run:
        confirm(_question(model, version))
    numbers = read_numbers(project, model, offline=offline, push=push)
    if push:
        # Under a number that somebody else has published it would withdraw theirs.
        unpublished(ref, numbers, model.name)
    tag = NewTag(
        tag=TagName(Event.WITHDRAW_VERSION, model.name, version=version),
        commit=ref.target or "",
        subject=f"Withdraw {model.name} {version}",
        body=message,
        record=Record(event=Event.WITHDRAW_VERSION.value, model=model.name, version=str(version), ends=(ref.name,)),
    )
    return _Asked(new=tag)


def _question(model: Model, version: Version) -> str:
    stages = [stage for stage, held in model.stages().items() if held.version == version]
    empty = f" and leaves {', '.join(stages)} empty" if stages else ""
    return f"This withdraws {model.name}@{version} for ever{empty}. Go on?"


def _apply(project: Project, action: str, model: Model, asked: _Asked, push: bool, dry_run: bool) -> Outcome:
    tag, done = asked.new, asked.done
    publication = Publication(
        action=action,
        tags=(tag,) if tag is not None else (),
        existing=(done,) if done is not None and asked.publish else (),
        push=push,
    )
    work = bool(publication.tags or publication.existing)
    steps = publication.steps(project.remote) if work else []
    if work and not dry_run:
        publish(project, publication)
    return Outcome(
        action=action,
        dry_run=dry_run,
        changed=work,
        models=(_written(project, model, asked, push and not dry_run),),
        steps=tuple(steps),
    )


def _written(project: Project, model: Model, asked: _Asked, pushed: bool) -> Written:
    if asked.new is not None:
        version = asked.new.record.version
        return Written(
            name=model.name,
            version=Version.parse(version) if version is not None else None,
            stage=asked.new.record.stage,
            tag=asked.new.name,
            commit=asked.new.commit,
            published=pushed,
            event=asked.new.tag.event,
        )
    name = parse_tag_name(asked.done.name) if asked.done is not None else None
    known = project.published.state(asked.done) if asked.done is not None else None
    return Written(
        name=model.name,
        version=name.version if name is not None else None,
        stage=name.stage if name is not None else None,
        tag=asked.done.name if asked.done is not None else None,
        commit=asked.done.target if asked.done is not None else None,
        published=pushed or known,
        event=name.event if name is not None else None,
    )
