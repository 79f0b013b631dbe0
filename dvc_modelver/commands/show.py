"""`show`: all versions of a model, or one version in full."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from dvc_modelver.commands.bytes_at_hand import Bytes
from dvc_modelver.commands.commitfacts import artifact_at, commit_facts, read_ahead
from dvc_modelver.commands.factscache import CommitFacts
from dvc_modelver.commands.project import Project
from dvc_modelver.core.facts import ArtifactFacts, Values
from dvc_modelver.core.notes import NOTES_REF, Notes
from dvc_modelver.core.records import Record
from dvc_modelver.core.references import Reference, resolve_version
from dvc_modelver.core.registry import Model
from dvc_modelver.core.tagobjects import EPOCH, Identity, tag_problem
from dvc_modelver.core.versions import Version

_AT_ONCE = 100
"""Versions whose files are held in memory together: 5 MB with locks of 40 pipeline stages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRow:
    """One version: what its tag says, and where its bytes are according to its commit."""

    name: str
    version: Version
    tag: str
    commit: str
    created_at: datetime
    author: Identity | None
    message: str
    stages: tuple[str, ...]
    withdrawn: bool
    signed: bool
    record: Record | None
    published: bool | None
    """None where this clone cannot know without asking the remote."""
    previous: Version | None
    artifact: ArtifactFacts
    problem: str | None = None
    """What is wrong with the tag itself."""

    @property
    def sha256(self) -> str | None:
        """Of the bytes as they were released; None for versions without a record."""
        return self.record.sha256 if self.record is not None else None

    @property
    def size(self) -> int | None:
        """Bytes; what the commit does not say, the record may."""
        known = self.artifact.size
        return known if known is not None or self.record is None else self.record.size


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionFacts:
    """One version in full."""

    row: VersionRow
    facts: CommitFacts
    """Params, metrics and data, as its commit has them."""
    card: str | None = None
    """Path of the model's card in its commit."""
    notes: Notes = field(default_factory=Notes)
    """What arrived after the release."""

    @property
    def params(self) -> Values:
        return self.facts.params

    @property
    def metrics(self) -> Values:
        return self.facts.metrics

    @property
    def environment(self) -> Mapping[str, object] | None:
        """Of the training; None when its commit says nothing of it."""
        return self.facts.environment


def show_versions(project: Project, reference: Reference) -> tuple[VersionRow, ...]:
    """Every version of a model, the highest first, withdrawn ones too."""
    model = project.model_of(reference.name)
    stages = _stages_by_version(model)
    model.read_tags(model.release_ref(version).oid for version in model.versions)
    with Bytes(project) as at_hand:
        rows: list[VersionRow] = []
        versions = model.versions[::-1]
        for start in range(0, len(versions), _AT_ONCE):
            some = versions[start : start + _AT_ONCE]
            read_ahead(project, model.name, [model.release_ref(version).target or "" for version in some])
            rows += [_row(project, model, version, stages, at_hand) for version in some]
    return tuple(rows)


def _notes(project: Project, oid: str) -> Notes:
    if project.objects.resolve(NOTES_REF) is None:
        return Notes()
    from dvc_modelver.commands.notes import read_notes

    return read_notes(project, oid)


def show_version(project: Project, reference: Reference) -> VersionFacts:
    """One version with its params, metrics and data.

    Raises `NotFound` when the reference names none; `BadInput` when a file of its commit cannot be read.
    """
    model = project.model_of(reference.name)
    version = resolve_version(model, reference)
    with Bytes(project) as at_hand:
        row = _row(project, model, version, _stages_by_version(model), at_hand)
        facts = commit_facts(project, model.name, row.commit, at_hand)
        notes = _notes(project, model.release_ref(version).oid)
        return VersionFacts(row=row, facts=facts, card=_card(project, row), notes=notes)


def _card(project: Project, row: VersionRow) -> str | None:
    """Where the card is in the version's commit: as its record says, else where cards are configured to be."""
    if row.record is not None and row.record.card is not None:
        return row.record.card.path
    path = project.config.cards.path_of(row.name)
    known = project.objects.commit(row.commit) is not None and project.tree(row.commit).entry(path) is not None
    return path if known else None


def _stages_by_version(model: Model) -> Mapping[Version, tuple[str, ...]]:
    found: dict[Version, tuple[str, ...]] = {}
    for stage, held in model.stages().items():
        if held.version is not None:
            found[held.version] = (*found.get(held.version, ()), stage)
    return found


def _row(
    project: Project, model: Model, version: Version, stages: Mapping[Version, tuple[str, ...]], at_hand: Bytes
) -> VersionRow:
    ref = model.release_ref(version)
    tag = project.objects.tags([ref.oid]).get(ref.oid)
    record = tag.record if tag is not None else None
    commit = ref.target or ""
    return VersionRow(
        name=model.name,
        version=version,
        tag=ref.name,
        commit=commit,
        created_at=tag.at if tag is not None else EPOCH,
        author=tag.tagger if tag is not None else None,
        message=tag.message if tag is not None else "",
        stages=stages.get(version, ()),
        withdrawn=model.is_withdrawn(version),
        signed=tag.signed if tag is not None else False,
        record=record,
        published=project.published.state(ref),
        previous=model.previous(version),
        artifact=artifact_at(project, model.name, commit, at_hand, record),
        problem=tag_problem(tag, ref.name, model.name) or project.moved(ref),
    )
