"""What one point of history says of a model, as comparisons and version numbers are made from it.  Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dvc_modelver.core.facts import ArtifactFacts, Scalar, Values
from dvc_modelver.core.versions import Version

if TYPE_CHECKING:
    from dvc_modelver.core.descriptions import Signature
    from dvc_modelver.core.environment import Environment, Package


@dataclass(frozen=True, slots=True, kw_only=True)
class Bytes:
    """Which bytes a path names."""

    digest: str | None
    size: int | None = None
    """In bytes; of a directory, of all its files."""
    files: int | None = None
    """Of a directory; None for a file."""
    hash_name: str = "md5"
    cached: bool = True
    root: str = ""
    """As `core.facts.Output` has these three."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What one point says of one model."""

    metrics: Values = field(default_factory=dict)
    params: Values = field(default_factory=dict)
    """All of the model's project."""
    own_params: Values = field(default_factory=dict)
    """Those that the model was made and measured with; what the others are changes no version number."""
    data: Mapping[str, Bytes] = field(default_factory=dict)
    code: Mapping[str, str | None] = field(default_factory=dict)
    """Path of a source of the pipeline -> its digest as it last ran."""
    stages: Mapping[str, str | None] = field(default_factory=dict)
    """Pipeline stage -> its command as it last ran."""
    environment: Mapping[str, Scalar] | None = field(default_factory=dict)
    """As `flat_environment` has it; None when there is one that is not at hand."""
    artifact: ArtifactFacts | None = None
    """None when the point does not declare the model."""
    task: str | None = None
    """`meta.task` of the model's entry."""
    origin: str | None = None
    """The commit of another repository from which the model was imported."""
    signature: Signature | None = None
    """None when it is not known."""
    predicts: bool = False
    """Whether it has files of per-sample predictions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One of the things that are compared."""

    ref: str
    """As it was asked for."""
    name: str
    """The model's canonical name."""
    version: Version | None = None
    commit: str | None = None
    """None for the work tree."""
    facts: Facts = field(default_factory=Facts)


def flat_environment(environment: Environment | None, file: str, digest: str) -> dict[str, Scalar]:
    """An environment by dotted key, as rows are made of it.

    Args:
        environment: None when nothing was recorded and `file` only pins packages.
        file: the document or the file that pins packages.
        digest: its sha256.
    """
    found: dict[str, Scalar] = {"file": file, "recorded": environment is not None}
    if environment is None:
        return {**found, "sha256": digest}
    parts: dict[str, Mapping[str, Scalar]] = {
        "python": dict(environment.python or {}),
        "packages": {package.name: _package(package) for package in environment.packages},
        "os": dict(environment.os),
        "cpu": dict(environment.cpu),
        "gpus": {str(n): f"{gpu.name}, {gpu.memory}, {gpu.driver}" for n, gpu in enumerate(environment.gpus)},
        "variables": dict(environment.variables),
    }
    if environment.lock is not None:
        parts["lock"] = {"path": environment.lock.path, "sha256": environment.lock.sha256}
    for part, values in parts.items():
        found.update((f"{part}.{escaped(key)}", value) for key, value in values.items())
    return found


def escaped(key: str) -> str:
    """A key as one part of a dotted key."""
    return key.replace(".", "\\.")


def _package(package: Package) -> str:
    place = f" from {package.origin}" if package.origin else ""
    revision = f" at {package.revision}" if package.revision else ""
    return f"{package.version}{place}{revision}{' (editable)' if package.editable else ''}"
