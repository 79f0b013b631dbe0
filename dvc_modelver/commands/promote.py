"""`promote`: put a version into a stage."""

from __future__ import annotations

from dataclasses import replace

from dvc_modelver.commands.cards.sections import refuse_unwritten
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
from dvc_modelver.commands.unseen import changes, ends, refuse_unseen
from dvc_modelver.core.facts import Output
from dvc_modelver.core.names import check_stage
from dvc_modelver.core.references import resolve_version
from dvc_modelver.core.registry import Model
from dvc_modelver.core.releases import NewTag, plan_promote
from dvc_modelver.core.tagobjects import TagRef
from dvc_modelver.core.tags import Event
from dvc_modelver.core.versions import Version
from dvc_modelver.errors import DataError, Refused


def promote(
    project: Project,
    text: str,
    stage: str,
    *,
    message: str = "",
    push: bool = False,
    offline: bool = False,
    dry_run: bool = False,
    back_from: Version | None = None,
) -> Outcome:
    """Let `stage` hold the version that `text` names; nothing is made when it does already.

    With `push` a version that the remote lacks is published together with its stage.

    Args:
        back_from: the version that a rollback leaves; the record says so.

    Raises:
        NotFound: no such model or version, or the stage that `text` names is empty.
        Refused: the version is withdrawn, the model retired, or sections that the stage needs are not written.
        BadInput: the stage's name is no name, or is not among the configured stages.
        Conflict: someone else promoted at the same time, or the remote knows what this clone does not: that the version
            is withdrawn, the model retired, or that a stage that holds it here, or is to go back, moved on.
        DataError: the version's tag object is not sound.
    """
    with exclusive(project, dry_run):
        reference = project.resolve(text)
        check_stage(stage, project.config.stages)
        model = project.model_of(reference.name)
        version = resolve_version(model, reference)
        _refuse_unfit(model, version)
        project.sound_tag(model, model.release_ref(version))
        refuse_unwritten(project, model, version, stage)
        numbers = read_numbers(project, model, offline=offline, push=push)
        held = model.holder(stage)
        holding = held.ref if held is not None and held.version == version else None
        refuse_unseen(model, numbers, ends(version))
        if holding is not None or back_from is not None:
            refuse_unseen(model, numbers, changes(stage))
        publication = _publication(project, model, version, stage, numbers, holding, message, push)
        if back_from is not None:
            publication = replace(publication, tags=tuple(_from(tag, back_from) for tag in publication.tags))
        work = bool(publication.tags or publication.existing)
        if work and not dry_run:
            publish(project, publication)
        known = project.published.state(holding) if holding is not None else False
        written = Written(
            name=model.name,
            version=version,
            stage=stage,
            tag=holding.name if holding is not None else next(tag.name for tag in publication.tags),
            commit=model.release_ref(version).target,
            published=(push and not dry_run) or known,
            event=Event.PROMOTE,
        )
        steps = publication.steps(project.remote) if work else []
        return Outcome(action="promote", dry_run=dry_run, changed=work, models=(written,), steps=tuple(steps))


def _publication(
    project: Project,
    model: Model,
    version: Version,
    stage: str,
    numbers: Numbers,
    holding: TagRef | None,
    message: str,
    push: bool,
) -> Publication:
    """The promote, unless `holding` is it already; with `push` also what the remote lacks of both."""
    ref = model.release_ref(version)
    missing = unpublished(ref, numbers, model.name) if push else []
    again = [holding] if push and holding is not None and holding.name not in (numbers.remote or {}) else []
    new = plan_promote(model, version, stage, ref.target or "", numbers.counter, message) if holding is None else None
    return Publication(
        action="promote",
        tags=(new,) if new is not None else (),
        existing=(*missing, *again),
        push=push,
        outputs=slice_outputs(project, model, ref) if missing else (),
    )


def _from(tag: NewTag, left: Version) -> NewTag:
    return replace(tag, record=replace(tag.record, rolled_back_from=str(left)))


def _refuse_unfit(model: Model, version: Version) -> None:
    if model.is_withdrawn(version):
        raise Refused(f"{model.name}@{version} was withdrawn", hint=f"modelver show {model.name} lists the others")
    if model.retired_by is not None:
        raise Refused(f"{model.name} is retired", hint=f"modelver release {model.name} --unretire reopens it")


def slice_outputs(project: Project, model: Model, ref: TagRef) -> tuple[Output, ...]:
    """Every DVC output that a version's commit needs.  Raises `DataError` when its commit does not say."""
    from dvc_modelver.dvcio.facts import slice_of
    from dvc_modelver.dvcio.project import declared_one

    tree = project.tree(ref.target or "")
    declared = declared_one(tree, model.name)
    if declared is None:
        raise DataError(f"commit {tree.commit[:12]} declares no artifact {model.name}", hint="modelver doctor")
    return slice_of(tree, declared).outputs
