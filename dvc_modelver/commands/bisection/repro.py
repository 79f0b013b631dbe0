"""`bisect --repro`: builds a commit in a linked worktree of its own, and reads the metric that comes out.

The user's work tree, index, branches and configuration are not touched; DVC's cache is shared, so it may grow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from dvc_modelver.commands.project import Project
from dvc_modelver.commands.workbench import Workbench, write_local_config
from dvc_modelver.core.declarations import Declared
from dvc_modelver.core.facts import Scalar, Values
from dvc_modelver.dvcio import facts as dvc_facts
from dvc_modelver.dvcio import paths
from dvc_modelver.dvcio.config import DvcConfig, read_dvc_config
from dvc_modelver.dvcio.locate import Commit
from dvc_modelver.errors import ModelverError
from dvc_modelver.gitio.worktree import WorkTree

_LABEL = "modelver-bisect"


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What came out of a build."""

    value: Scalar = None
    problem: str | None = None
    """Why there is no value."""


class Builder:
    """Builds commits of one repository.  A context manager: what it made goes, also after Ctrl-C or SIGTERM.

    Args:
        file: of the metrics.
        pick: the metric among all values that a build wrote.

    Raises:
        EnvironmentProblem: in a bare repository.
    """

    def __init__(self, project: Project, name: str, file: str, pick: Callable[[Values], Scalar]) -> None:
        self._project, self._name, self._file, self._pick = project, name, file, pick
        self._bench = Workbench(project, _LABEL)

    def __enter__(self) -> Builder:
        self._bench.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._bench.__exit__(kind, error, tb)

    def build(self, commit: str, declared: Declared | None) -> Built:
        """The metric of `commit` after `dvc repro` of the pipeline stage that writes it, and of all before that."""
        if declared is None:
            return Built(problem=f"no model {self._name} is declared")
        try:
            tree = self._project.tree(commit)
            target = _target(Commit(tree), declared, self._file)
            if target is None:
                return Built(problem=f"no pipeline stage writes {self._file}")
            with self._bench.worktree(commit) as place:
                return self._run(place, target, declared)
        except ModelverError as error:
            return Built(problem=error.message)

    def _run(self, place: Path, target: tuple[str, str], declared: Declared) -> Built:
        root, stage = target
        config = read_dvc_config(self._bench.root / root / ".dvc", env=self._project.around.env)
        write_local_config(config, self._bench.root / root / ".dvc", place / root / ".dvc")
        self._bring_data(place / root, config)
        problem = self._dvc(place / root, "repro", "--", stage)
        if problem is not None:
            return Built(problem=problem)
        measured = dvc_facts.metrics(WorkTree(place), declared)
        return Built(value=self._pick(measured.values), problem=next((one.problem for one in measured.problems), None))

    def _bring_data(self, where: Path, config: DvcConfig) -> None:
        """What the cache lacks may still be made, or come from the remote; if not, `dvc repro` says so."""
        if self._dvc(where, "checkout", "--quiet") is not None and config.default_remote is not None:
            self._dvc(where, "pull", "--quiet", "--allow-missing")

    def _dvc(self, where: Path, *words: str) -> str | None:
        """Run DVC; None when it ended well, else its last words."""
        ended = self._bench.dvc(where, *words)
        if ended.status == 0:
            return None
        return f"dvc {words[0]} ended with {ended.status}{f': {ended.error}' if ended.error else ''}"


def _target(commit: Commit, declared: Declared, file: str) -> tuple[str, str] | None:
    """(directory of the DVC repository, the pipeline stage that writes the metrics, as DVC takes it from there)."""
    located = commit.find(file, declared.file)
    if located is not None and located.stage is not None:
        home, stage = located.file, located.stage
    else:
        never_run = commit.unlocked(file, declared.file)
        if never_run is None:
            return None
        home, stage = declared.file, never_run
    root = commit.root_of(home)
    return root, f"{home[len(root) + 1 :] if root and paths.inside(home, root) else home}:{stage}"
