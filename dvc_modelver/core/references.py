"""How people name a version: `churn`, `churn@v1.2.0`, `churn@latest`, `churn#prod`, `path/to/dir:churn`.  Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from dvc_modelver.core.names import check_name, check_stage, near, reads_as_revision
from dvc_modelver.core.registry import Model
from dvc_modelver.core.versions import Version
from dvc_modelver.errors import BadInput, NotFound


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A name, and at most one of a version and a stage; with neither, `latest` is meant where one is wanted."""

    name: str
    version: Version | None = None
    stage: str | None = None
    latest: bool = False
    """Whether `@latest` was written."""

    def __str__(self) -> str:
        if self.stage is not None:
            return f"{self.name}#{self.stage}"
        if self.version is not None:
            return f"{self.name}@{self.version}"
        return f"{self.name}@latest" if self.latest else self.name


def parse_reference(text: str) -> Reference:
    """Raises `BadInput` when `text` cannot name a model, version or stage."""
    if "://" in text:  # whole, so that the words about it can hide a password before its `@`
        check_name(text)
    name, at, version = text.partition("@")
    if at:
        check_name(name)
        if version in ("latest", "greatest"):
            return Reference(name=name, latest=True)
        return Reference(name=name, version=Version.parse(version))
    name, mark, stage = text.partition("#")
    if mark:
        return Reference(name=check_name(name), stage=check_stage(stage))
    return Reference(name=check_name(name))


def canonical_name(name: str, prefix: str, known: Collection[str]) -> str:
    """The artifact that `name` means in the directory `prefix`: the nearest one upwards that is known.

    Raises `NotFound` with near names; `BadInput` when `name` reads as a Git revision instead.
    """
    if ":" in name:
        candidates = [name]
    else:
        parts = prefix.split("/") if prefix else []
        folders = ["/".join(parts[:n]) for n in range(len(parts), 0, -1)]
        candidates = [*(f"{folder}:{name}" for folder in folders), name]
    for candidate in candidates:
        if candidate in known:
            return candidate
    if reads_as_revision(name):
        raise BadInput(f"{name} is not a name for a model: it reads as a Git revision", hint="name the model itself")
    same = [k for k in sorted(known) if k.rpartition(":")[2] == name]
    hint = f"did you mean {' or '.join(same)}?" if same else near(name, known)
    raise NotFound(f"there is no model {name}", hint=hint or "modelver list shows what there is")


def resolve_version(model: Model, reference: Reference) -> Version:
    """The version that `reference` means today.

    Raises `NotFound` when there is no such version, the stage is empty or unknown, or nothing was released yet.
    """
    if reference.version is not None:
        model.release_ref(reference.version)
        return reference.version
    if reference.stage is not None:
        return _held_version(model, reference.stage)
    if model.latest is None:
        reason = "every version of it is withdrawn" if model.versions else "it has no version yet"
        raise NotFound(f"{model.name} has no latest version: {reason}", hint=f"modelver release {model.name}")
    return model.latest


def _held_version(model: Model, stage: str) -> Version:
    held = model.holder(stage)
    if held is None:
        if stage in model.stage_names:
            raise NotFound(f"stage {stage} of {model.name} is empty", hint=f"modelver history {model.name}")
        hint = near(stage, model.stage_names) or f"modelver show {model.name}"
        raise NotFound(f"{model.name} has no stage {stage}", hint=hint)
    if held.version is None or not model.has(held.version):
        raise NotFound(
            f"stage {stage} of {model.name} is on commit {(held.ref.target or '')[:12]}, which no version names",
            hint="modelver doctor says more",
        )
    return held.version
