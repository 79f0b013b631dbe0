"""Run a version's pipeline stages in a worktree of its commit, from its own inputs, and read what came out."""

from __future__ import annotations

import hashlib
import re
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from dvc_modelver.commands.project import Project
from dvc_modelver.commands.reproduction.plan import Needed, Plan, PlannedStage
from dvc_modelver.commands.workbench import Workbench, write_local_config
from dvc_modelver.core.facts import ArtifactFacts, Output, Values
from dvc_modelver.core.reproduction import MetricRow, StageRow, State, compare_metrics, compare_stage
from dvc_modelver.core.secrets import redact_text
from dvc_modelver.core.text import one_line
from dvc_modelver.core.trees import Tree
from dvc_modelver.dvcio import facts as dvc_facts
from dvc_modelver.dvcio.cache import Cache, output_id
from dvc_modelver.dvcio.config import read_dvc_config
from dvc_modelver.dvcio.content import find_pieces
from dvc_modelver.dvcio.fetch import ensure_in_cache
from dvc_modelver.dvcio.items import tree_digest
from dvc_modelver.dvcio.locate import Commit
from dvc_modelver.dvcio.place import place as put
from dvc_modelver.dvcio.scratch import disk_problem
from dvc_modelver.errors import DataError, ModelverError
from dvc_modelver.gitio.worktree import WorkTree

_REPRO = ("repro", "--force", "--single-item", "--no-run-cache", "--no-commit", "--")
"""Each stage by itself, whatever its inputs; DVC hashes what it wrote and puts none of it into a cache."""
_LAST_LINES = 8
_FAILED = re.compile(r"failed to reproduce '(?:.*:)?([^']+)'")
_RUNNING = re.compile(r"Running stage '(?:.*:)?([^']+)'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A pipeline stage whose command failed."""

    stage: str
    lines: tuple[str, ...]
    """The last that was printed, without secrets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """What came out, beside what was recorded."""

    stages: tuple[StageRow, ...] = ()
    metrics: tuple[MetricRow, ...] = ()
    """None after a failure."""
    digest: str | None = None
    """Of the rebuilt model."""
    failure: Failure | None = None
    seconds: float = 0.0
    """Of the pipeline."""


class Rebuild:
    """One rebuild in one worktree, `where`, of the workbench."""

    def __init__(self, project: Project, plan: Plan, tolerance: float, bench: Workbench, where: Path) -> None:
        self._project, self._plan, self._tolerance = project, plan, tolerance
        self._bench, self._where = bench, where
        self._stages = [stage for stage in plan.stages if not stage.frozen]
        self._caches = {root: self._prepare(root) for root in dict.fromkeys(stage.root for stage in plan.stages)}

    def _prepare(self, root: str) -> Cache:
        """Settings of the user's for a DVC repository of the worktree; an empty cache, and with it no run cache."""
        own = self._bench.root / root / ".dvc"
        config = read_dvc_config(own, env=self._project.around.env)
        private = self._bench.place / "cache" / hashlib.sha256(root.encode()).hexdigest()[:12]
        write_local_config(config, own, self._where / root / ".dvc", cache=private)
        return Cache(private, also=(config.cache_dir,))

    def result(self) -> Rebuilt:
        """Bring the inputs, run, compare.  Raises as `reproduce`."""
        recorded = self._recorded_metrics()
        for needed in self._plan.needed:
            self._bring(needed)
        self._drop_outputs()
        begun = time.monotonic()
        failure = self._run()
        seconds = time.monotonic() - begun
        metrics: tuple[MetricRow, ...] = ()
        digest = None
        if failure is None:
            metrics = compare_metrics(recorded, self._own(WorkTree(self._where)), self._tolerance)
            digest = self._model_digest()
        return Rebuilt(stages=self._rows(failure), metrics=metrics, digest=digest, failure=failure, seconds=seconds)

    # Before -----------------------------------------------------------------------------------------------------

    def _bring(self, needed: Needed) -> None:
        """Put an input in its place: from the user's cache, else from the DVC remote; hashed on the way."""
        cache = self._cache(needed.output)
        self._fetch([needed.output], needed.inside, cache)
        facts = ArtifactFacts(path=needed.path, output=needed.output, inside=needed.inside)
        put(find_pieces(facts, cache), self._where / needed.path)

    def _cache(self, output: Output) -> Cache:
        if output.root not in self._caches:
            self._caches[output.root] = self._prepare(output.root)
        return self._caches[output.root]

    def _fetch(self, outputs: Sequence[Output], inside: str | None, cache: Cache) -> None:
        around = self._project.around
        root = self._bench.root
        try:
            ensure_in_cache(root, outputs, inside=inside, cache=cache, env=around.env, progress=around.progress)
        except DataError as error:
            raise DataError(error.message, hint=error.hint or f"dvc fetch {outputs[0].path}") from None

    def _drop_outputs(self) -> None:
        """Nothing is taken over from what is in Git, also not where a stage keeps (`persist`) what it finds."""
        for out in (out for stage in self._stages for out in stage.step.outs):
            target = self._where / out.path
            if target.is_dir() and not target.is_symlink():
                shutil.rmtree(target)
            else:
                target.unlink(missing_ok=True)

    def _recorded_metrics(self) -> Values:
        """From Git, from the cache, else from the remote; what is nowhere is missing, and so differs."""
        commit = Commit(self._project.tree(self._plan.commit))
        for file in sorted(self._plan.metrics):
            located = commit.find(file, self._plan.declared.file)
            if located is not None and located.output.cached:
                with suppress(ModelverError):
                    self._fetch([located.output], None, self._cache(located.output))
        return self._own(self._project.tree(self._plan.commit))

    def _own(self, tree: Tree) -> Values:
        """The values of the metrics files that the stages write."""
        found = dvc_facts.metrics(tree, self._plan.declared, blob=self._blob, listing=self._listing)
        return {file: values for file, values in found.values.items() if file in self._plan.metrics}

    def _blob(self, output: Output) -> bytes | None:
        at = self._cache(output).find(output_id(output))
        return None if at is None else at.read_bytes()

    def _listing(self, output: Output) -> Mapping[str, str] | None:
        cache, oid = self._cache(output), output_id(output)
        return {file.relpath: file.oid.hex for file in cache.read_listing(oid)} if cache.exists(oid) else None

    # The run ----------------------------------------------------------------------------------------------------

    def _run(self) -> Failure | None:
        """Each stage once, in order and by itself: nothing is skipped, nothing taken from a run cache."""
        for root, some in groupby(self._stages, key=lambda stage: stage.root):
            group = list(some)
            ended = self._bench.dvc(self._where / root, *_REPRO, *(stage.target for stage in group))
            if ended.status != 0:
                lines = [one_line(redact_text(line), 200) for line in ended.log.splitlines() if line.strip()]
                return Failure(stage=_failed(group, ended.log), lines=tuple(lines[-_LAST_LINES:]))
        return None

    def _rows(self, failure: Failure | None) -> tuple[StageRow, ...]:
        commit = Commit(WorkTree(self._where))
        rows: list[StageRow] = []
        state: State | None = None
        for stage in self._plan.stages:
            if stage.frozen:
                rows.append(StageRow(name=stage.step.name, state=State.FROZEN, outputs=()))
                continue
            if state is State.FAILED:
                state = State.NOT_RUN
            if failure is not None and stage.step.name == failure.stage:
                state = State.FAILED
            if state is not None:
                rows.append(StageRow(name=stage.step.name, state=state, outputs=()))
            else:
                recorded = {out.path: out.digest for out in stage.step.outs}
                rows.append(compare_stage(stage.step.name, recorded, _rebuilt(commit, stage)))
        return tuple(rows)

    def _model_digest(self) -> str | None:
        artifact = self._plan.artifact
        if artifact.path is None or artifact.output is None:
            return None
        if artifact.inside is not None:
            return _digest(self._where / artifact.path)
        located = Commit(WorkTree(self._where)).find(artifact.path, self._plan.declared.file)
        return located.output.digest if located is not None else None

    def keep(self, folder: Path) -> None:
        """Copy what was rebuilt into a new directory.  Raises `EnvironmentProblem`, `BadInput`."""
        try:
            folder.mkdir(parents=True)
            for out in (out for stage in self._stages for out in stage.step.outs):
                source, target = self._where / out.path, folder / out.path
                target.parent.mkdir(parents=True, exist_ok=True)
                if source.is_dir():
                    shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
                elif source.exists():
                    shutil.copy2(source, target)
        except OSError as error:
            raise disk_problem(error, folder) from None


def _failed(group: Sequence[PlannedStage], log: str) -> str:
    """The name of the stage that failed: as DVC says it, else the last that it started."""
    said = [*reversed(_RUNNING.findall(log)), *reversed(_FAILED.findall(log))]
    for word in reversed(said):
        found = next((stage for stage in group if stage.stage == word), None)
        if found is not None:
            return found.step.name
    return group[0].step.name


def _rebuilt(commit: Commit, stage: PlannedStage) -> dict[str, str | None]:
    pipeline = commit.pipeline(stage.file)
    locked = pipeline.lock.stage(stage.stage) if pipeline is not None else None
    if pipeline is None or locked is None:
        return {}
    found = ((pipeline.full(stage.stage, item.path), item.digest) for item in locked.outs)
    return {path.rstrip("/"): digest for path, digest in found if path is not None}


def _digest(place: Path) -> str | None:
    """Of a file or folder inside an output, as DVC would give it."""
    if place.is_file():
        return f"md5:{_md5(place)}"
    if not place.is_dir():
        return None
    below = sorted(path for path in place.rglob("*") if path.is_file())
    return tree_digest([(path.relative_to(place).as_posix(), _md5(path)) for path in below])


def _md5(place: Path) -> str:
    found = hashlib.md5(usedforsecurity=False)
    with place.open("rb") as file:
        while piece := file.read(1 << 20):
            found.update(piece)
    return found.hexdigest()
