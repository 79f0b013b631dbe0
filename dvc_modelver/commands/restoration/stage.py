"""`rollback --stage`: a stage goes back, as a new promote event."""

from __future__ import annotations

from dataclasses import replace

from dvc_modelver.commands.project import Project
from dvc_modelver.commands.promote import promote
from dvc_modelver.commands.publishing import Outcome, exclusive
from dvc_modelver.core.names import check_stage
from dvc_modelver.core.registry import Model
from dvc_modelver.core.rollback import previous_holder
from dvc_modelver.core.stages import last_held
from dvc_modelver.core.tagobjects import TagRef
from dvc_modelver.core.tags import PREFIX
from dvc_modelver.core.versions import Version
from dvc_modelver.errors import NotFound
from dvc_modelver.gitio.journal import read_journal


def rollback_stage(
    project: Project,
    name: str,
    stage: str,
    version: Version | None,
    *,
    reason: str = "",
    push: bool = False,
    offline: bool = False,
    dry_run: bool = False,
) -> Outcome:
    """Let `stage` hold `version` again (default: the version it held before), as a new promote.

    Raises:
        NotFound: no such model or version, or the stage held nothing before.
        Refused: the version was withdrawn, or the model retired.
        Conflict: someone else promoted at the same time.
    """
    made = None if dry_run else _made_promote(project)
    model = project.model_of(project.resolve(name).name)
    check_stage(stage, project.config.stages)
    held, events = model.holder(stage), model.stage_events(stage)
    left = last_held(events)
    if version is None and held is not None and made == PREFIX + held.ref.name and _went_back(model, held.ref):
        version = held.version  # the same command again, after a kill at its very end
    to = version or previous_holder(events, model.withdrawn, left)
    if to is None:
        raise NotFound(
            f"{stage} of {model.name} held nothing else before",
            hint=f"modelver history {model.name} shows what it held",
        )
    outcome = promote(
        project,
        f"{model.name}@{to}",
        stage,
        message=reason,
        push=push,
        offline=offline,
        dry_run=dry_run,
        back_from=left if left != to else None,
    )
    return replace(outcome, action="rollback")


def _made_promote(project: Project) -> str | None:
    """The ref of a stage's event that a killed command had not finished."""
    if read_journal(project.repository.state_dir) is None:
        return None
    with exclusive(project, dry_run=False) as left:
        return left.refs[0][0] if left is not None and len(left.refs) == 1 else None


def _went_back(model: Model, ref: TagRef) -> bool:
    tag = model.tag(ref)
    return tag is not None and tag.record is not None and tag.record.rolled_back_from is not None
