"""`list`: every model, its latest version, and which version each stage holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from dvc_modelver.commands.project import Project
from dvc_modelver.core.declarations import Declared
from dvc_modelver.core.registry import Model, Problem
from dvc_modelver.core.versions import Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What one stage holds."""

    version: Version | None
    """None when no version is on the commit that was promoted."""
    commit: str
    tag: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """One model."""

    name: str
    type: str | None
    path: str | None
    latest: Version | None
    versions: int
    stages: Mapping[str, Held]
    retired: bool
    declared: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """All models, sorted by name, and what is wrong with refs and declarations."""

    models: tuple[ModelRow, ...]
    problems: tuple[Problem, ...]
    incomplete: bool
    """Whether this clone is shallow, so that tags may be missing."""


def list_models(project: Project) -> Listing:
    """Read the state that the refs say, and nothing that would change."""
    declared = {artifact.name: artifact for artifact in project.declared.artifacts}
    names = sorted({*project.registry.models, *declared})
    rows = tuple(_row(project.registry.model(name), declared.get(name)) for name in names)
    faults = [
        Problem(ref=f"{a.file}: {a.name}", problem=a.problem, remedy=a.remedy)
        for a in project.declared.artifacts
        if a.problem
    ]
    faults += [Problem(ref=p.file, problem=p.problem, remedy="correct the file") for p in project.declared.problems]
    return Listing(
        models=rows,
        problems=(*project.registry.problems, *faults),
        incomplete=project.repository.shallow,
    )


def _row(model: Model, declared: Declared | None) -> ModelRow:
    return ModelRow(
        name=model.name,
        type=declared.type if declared else None,
        path=declared.path if declared else None,
        latest=model.latest,
        versions=model.version_count,
        stages=held_stages(model),
        retired=model.retired_by is not None,
        declared=declared is not None,
    )


def held_stages(model: Model) -> dict[str, Held]:
    """What each stage of `model` holds today; empty stages are left out."""
    return {
        stage: Held(version=event.version, commit=event.ref.target or "", tag=event.ref.name, at=event.at)
        for stage, event in model.stages().items()
    }
