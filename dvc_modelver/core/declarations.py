"""What a commit declares under `artifacts:`.  Pure data; filled by `dvcio.project`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dvc_modelver.core.names import name_problem


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

    @property
    def misplaced(self) -> bool:
        """Whether nothing but the directory of its file keeps it from being tagged."""
        return name_problem(self.name) is not None and name_problem(self.name.rpartition(":")[2]) is None

    @property
    def remedy(self) -> str:
        """What to do about `problem`."""
        if self.misplaced:
            return f"declare it in a dvc.yaml above {self.file.rpartition('/')[0]}, or rename that directory"
        return f"correct it in {self.file}"


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
