"""What a commit declares under `artifacts:`.  Pure data; filled by `dvcio.project`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """An entry of `artifacts:` as it stands in one commit."""

    name: str
    """Canonical name: `churn`, or `path/to/dir:churn` for a `dvc.yaml` below the root."""
    file: str
    """The declaring file, `dvc.yaml` or `path/to/dvc.yaml` (or a GTO-era `artifacts.yaml`)."""
    path: str | None
    """As written, relative to the declaring file's directory; a URL stays a URL."""
    type: str | None = None
    desc: str | None = None
    labels: tuple[str, ...] = ()
    meta: Mapping[str, object] = field(default_factory=dict)
    problem: str | None = None
    """Why it cannot be released as it stands (a bad name, a path that leads outside), else None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileProblem:
    """What is wrong with one file, when no single artifact is to blame."""

    file: str
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredAll:
    """Every artifact of a commit, sorted by canonical name, and the files that could not be read."""

    artifacts: tuple[Declared, ...]
    problems: tuple[FileProblem, ...] = ()

    def get(self, name: str) -> Declared | None:
        """The artifact of that canonical name."""
        return next((artifact for artifact in self.artifacts if artifact.name == name), None)
