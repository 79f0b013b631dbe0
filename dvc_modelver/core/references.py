"""How people name a version: `churn`, `churn@v1.2.0`, `churn@latest`, `churn#prod`, `path/to/dir:churn`.  Pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from dvc_modelver.core.names import check_name, check_stage, near, reads_as_revision, stage_problem
from dvc_modelver.core.registry import Model
from dvc_modelver.core.versions import Version
from dvc_modelver.errors import BadInput, NotFound

_begins_as_version = re.compile(r"v?[0-9]+(\.|$)").match


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
        return Reference(name=name, version=_version(name, version))
    name, mark, stage = text.partition("#")
    if mark:
        return Reference(name=check_name(name), stage=_stage(name, stage))
    return Reference(name=check_name(name))


def _version(name: str, text: str) -> Version:
    """Whoever writes a stage behind `@` is told the other mark."""
    try:
        return Version.parse(text)
    except BadInput as error:
        if stage_problem(text) or _begins_as_version(text):
            raise
        raise BadInput(error.message, hint=f"did you mean {name}#{text}?") from error


def _stage(name: str, text: str) -> str:
    """Whoever writes a version behind `#`, or the counter that only tags have, is told what to write."""
    try:
        return check_stage(text)
    except BadInput as error:
        stage = text.partition("#")[0]
        if _begins_as_version(text):
            raise BadInput(error.message, hint=f"did you mean {name}@{text}?") from error
        if stage_problem(stage) or stage == text:
            raise
        raise BadInput(error.message, hint=f"did you mean {name}#{stage}?") from error


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
