"""`withdraw` a version or what a stage holds, and `retire` a model."""

from __future__ import annotations

from collections.abc import Callable

from dvc_modelver.commands.project import Project
from dvc_modelver.commands.publishing import Outcome, Publication, Written, exclusive, publish, read_numbers
from dvc_modelver.core.records import Record
from dvc_modelver.core.references import Reference, resolve_version
from dvc_modelver.core.registry import Model
from dvc_modelver.core.releases import NewTag
from dvc_modelver.core.tagobjects import TagRef
from dvc_modelver.core.tags import Event, TagName
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
    """
    with exclusive(project, dry_run):
        reference = project.resolve(text)
        model = project.model_of(reference.name)
        if reference.stage is not None:
            tag, done = _plan_stage(project, model, reference, message, offline, push)
        elif reference.version is not None:
            tag, done = _plan_version(model, reference, message)
        else:
            raise BadInput(f"{text} names neither a version nor a stage", hint=f"{text}@v1.2.3 or {text}#STAGE")
        if tag is not None and reference.version is not None and not dry_run:
            confirm(_question(model, reference.version))
        if tag is not None and reference.version is not None:
            read_numbers(project, model, offline=offline, push=push)
        return _apply(project, "withdraw", model, tag, done, push, dry_run)


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
        return _apply(project, "retire", model, tag, retired, push, dry_run)


def _plan_stage(
    project: Project, model: Model, reference: Reference, message: str, offline: bool, push: bool
) -> tuple[NewTag | None, TagRef | None]:
    stage = reference.stage or ""
    held = model.holder(stage)
    if held is None:
        resolve_version(model, reference)
        raise NotFound(f"stage {stage} of {model.name} is empty")
    numbers = read_numbers(project, model, offline=offline, push=push)
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
    return tag, None


def _plan_version(model: Model, reference: Reference, message: str) -> tuple[NewTag | None, TagRef | None]:
    version = resolve_version(model, reference)
    ref = model.release_ref(version)
    if model.is_withdrawn(version):
        done = next(r for n, r in model.tag_refs() if n.event is Event.WITHDRAW_VERSION and n.version == version)
        return None, done
    if not message.strip():
        raise BadInput("withdrawing a version needs a reason", hint=f'modelver withdraw {reference} -m "why"')
    tag = NewTag(
        tag=TagName(Event.WITHDRAW_VERSION, model.name, version=version),
        commit=ref.target or "",
        subject=f"Withdraw {model.name} {version}",
        body=message,
        record=Record(event=Event.WITHDRAW_VERSION.value, model=model.name, version=str(version), ends=(ref.name,)),
    )
    return tag, None


def _question(model: Model, version: Version) -> str:
    stages = [stage for stage, held in model.stages().items() if held.version == version]
    empty = f" and leaves {', '.join(stages)} empty" if stages else ""
    return f"This withdraws {model.name}@{version} for ever{empty}. Go on?"


def _apply(
    project: Project, action: str, model: Model, tag: NewTag | None, done: TagRef | None, push: bool, dry_run: bool
) -> Outcome:
    publication = Publication(action=action, tags=(tag,) if tag is not None else (), push=push)
    steps = publication.steps(project.remote) if tag is not None else []
    if tag is not None and not dry_run:
        publish(project, publication)
    record = tag.record if tag is not None else None
    name = tag.name if tag is not None else (done.name if done is not None else None)
    version = Version.parse(record.version) if record is not None and record.version is not None else None
    return Outcome(
        action=action,
        dry_run=dry_run,
        changed=tag is not None,
        models=(
            Written(
                name=model.name,
                version=version,
                stage=record.stage if record is not None else None,
                tag=name,
                commit=tag.commit if tag is not None else (done.target if done is not None else None),
                published=push and not dry_run
                if tag is not None
                else (project.published.state(done) if done else None),
                event=tag.tag.event if tag is not None else None,
            ),
        ),
        steps=tuple(steps),
    )
