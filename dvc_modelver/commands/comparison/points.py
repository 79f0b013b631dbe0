"""What a reference of `compare` names: a version, a commit or the work tree."""

from __future__ import annotations

from dataclasses import dataclass

from dvc_modelver.commands.project import Project
from dvc_modelver.core.names import near
from dvc_modelver.core.references import Reference, resolve_version
from dvc_modelver.core.versions import Version
from dvc_modelver.errors import BadInput, NotFound

WORK_TREE = (".", "workspace")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a reference names."""

    ref: str
    name: str | None = None
    version: Version | None = None
    commit: str | None = None
    """None for the work tree."""
    recorded: str | None = None
    """The artifact's path as the version's record has it."""
    card: str | None = None
    """The card's path as the version's record has it."""


def find_place(project: Project, text: str) -> Place:
    """A model, version or stage when `text` names one, else what Git takes it for.  Raises `NotFound`, `BadInput`."""
    if text in WORK_TREE:
        return Place(ref=text, commit=project.head if project.repository.root is None else None)
    reference: Reference | None = None
    try:
        reference = project.resolve(text)
        return _version(project, text, reference)
    except (BadInput, NotFound) as error:
        commit = project.objects.commit(text)
        if commit is not None:
            return Place(ref=text, commit=commit)
        if reference is not None or "@" in text or "#" in text:
            raise
        raise _unknown(project, text) from error


def _version(project: Project, text: str, reference: Reference) -> Place:
    model = project.model_of(reference.name)
    version = resolve_version(model, reference)
    ref = model.release_ref(version)
    record = project.sound_tag(model, ref).record
    return Place(
        ref=text,
        name=model.name,
        version=version,
        commit=ref.target,
        recorded=record.path if record is not None else None,
        card=record.card.path if record is not None and record.card is not None else None,
    )


def _unknown(project: Project, text: str) -> NotFound:
    heads = project.repository.git.text("for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads/").split("\n")
    names = (*project.registry.models, *(artifact.name for artifact in project.declared.artifacts))
    known = {*names, *filter(None, heads)}
    return NotFound(
        f"there is no model, branch, tag or commit {text}", hint=near(text, known) or "modelver list shows the models"
    )
