"""What `reproduce` would run, what it needs for that, and what is not as it was recorded.  Runs nothing of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from dvc_modelver.commands.bytes_at_hand import Bytes
from dvc_modelver.commands.cards.facts import CardSource, TreeReader
from dvc_modelver.commands.project import Project
from dvc_modelver.commands.reproduction.environment import compare_environment
from dvc_modelver.core.declarations import Declared
from dvc_modelver.core.facts import ArtifactFacts, Output, Source
from dvc_modelver.core.recipe import Input, Kind, Recipe, Step
from dvc_modelver.core.references import resolve_version
from dvc_modelver.core.reproduction import Difference
from dvc_modelver.core.versions import Version
from dvc_modelver.dvcio import paths
from dvc_modelver.dvcio.cache import output_id
from dvc_modelver.dvcio.locate import Commit, Pipeline
from dvc_modelver.dvcio.project import declared_one
from dvc_modelver.errors import BadInput, DataError, EnvironmentProblem, Refused

_STAGE = re.compile(r"((?:.*/)?dvc\.yaml):(.+)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStage:
    """One pipeline stage of the version's slice."""

    step: Step
    file: str
    """Its `dvc.yaml`, from the Git root."""
    stage: str
    """Its name there."""
    root: str
    """Directory of the DVC repository that it belongs to; empty at the Git root."""
    frozen: bool
    """Whether its definition says that it is not to be run."""

    @property
    def target(self) -> str:
        """As `dvc` takes it in `root`."""
        inside = self.file[len(self.root) + 1 :] if self.root and paths.inside(self.file, self.root) else self.file
        return f"{inside}:{self.stage}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """Bytes that the pipeline reads and does not make."""

    path: str
    output: Output
    """What DVC tracks: itself, or the directory above it."""
    inside: str | None
    """Path inside `output`."""
    at_hand: bool
    """Whether the cache has it; else it comes from the DVC remote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that a rebuild of one version takes."""

    name: str
    version: Version
    oid: str
    """The object that the version's tag names."""
    commit: str
    declared: Declared
    artifact: ArtifactFacts
    recipe: Recipe
    stages: tuple[PlannedStage, ...]
    """In the order in which they run; frozen ones are not."""
    needed: tuple[Needed, ...]
    metrics: frozenset[str]
    """The files of metrics that the stages write."""
    environment: tuple[Difference, ...]
    recorded: bool
    """Whether the training's environment was recorded, and could be compared."""
    python: str | None
    """The version of the Python that the pipeline starts, when that is known."""
    notes: tuple[str, ...]


def make_plan(project: Project, text: str) -> Plan:
    """What rebuilding the version that `text` names takes.

    Raises:
        NotFound: no such model, version or stage.
        BadInput: no pipeline stage made it, or all of them are frozen.
        Refused: a pipeline stage writes outside of the repository.
        DataError: it reads what neither Git nor DVC keeps.
        EnvironmentProblem: its commit is not in this clone.
    """
    reference = project.resolve(text)
    model = project.model_of(reference.name)
    version = resolve_version(model, reference)
    ref = model.release_ref(version)
    record = project.sound_tag(model, ref).record
    what = f"{model.name}@{version}"
    if project.objects.commit(ref.target or "") is None:
        raise EnvironmentProblem(f"the commit of {what} is not here", hint="git fetch --unshallow")
    tree = project.tree(ref.target or "")
    declared = declared_one(tree, model.name)
    if declared is None and record is not None and record.path is not None:
        declared = Declared(name=model.name, file="dvc.yaml", path=record.path)
    with Bytes(project) as at_hand:
        source = TreeReader(project, tree, at_hand).source(
            declared or Declared(name=model.name, file="dvc.yaml", path=None)
        )
        _refuse_unmade(what, source.artifact)
        measured = source.reader.metrics(source.declared)
        files = {*measured.values, *(problem.file for problem in measured.problems)}
        stages = tuple(_planned(source, step) for step in (*source.recipe.steps, *_measuring(source.recipe, files)))
        if all(stage.frozen for stage in stages):
            raise BadInput(f"every pipeline stage of {what} is frozen", hint="dvc unfreeze STAGE, and release again")
        for stage in stages:
            _refuse_outside(source.commit, stage)
        written = [out.path for stage in stages if not stage.frozen for out in stage.step.outs]
        environment = compare_environment(project, source)
        return Plan(
            name=model.name,
            version=version,
            oid=ref.oid,
            commit=tree.commit,
            declared=source.declared,
            artifact=source.artifact,
            recipe=source.recipe,
            stages=stages,
            needed=tuple(_needed(source, stages)),
            metrics=frozenset(f for f in files if any(f == out or paths.inside(f, out) for out in written)),
            environment=environment.differences,
            recorded=environment.compared,
            python=environment.python,
            notes=environment.notes,
        )


def _refuse_unmade(what: str, artifact: ArtifactFacts) -> None:
    if artifact.source is Source.STAGE:
        return
    why = {
        Source.DVC: "a .dvc file tracks its bytes",
        Source.GIT: "its bytes are in Git",
        Source.URL: "its bytes are at a URL",
    }.get(artifact.source, artifact.problem or "its commit does not say where its bytes are")
    raise BadInput(f"no pipeline stage made {what}: {why}", hint=f"modelver get {what} fetches it, verified")


# Pipeline stages ------------------------------------------------------------------------------------------------


def _measuring(recipe: Recipe, metrics: set[str]) -> list[Step]:
    """Of the stages behind the model those that write metrics, and what leads to them: no deployment is run."""
    chosen: list[Step] = []
    wanted: set[str | None] = set()
    for step in reversed(recipe.evaluation):
        outs = [out.path for out in step.outs]
        if step.name in wanted or any(f == out or paths.inside(f, out) for f in metrics for out in outs):
            chosen.insert(0, step)
            wanted |= {found.by for found in step.inputs if found.kind is Kind.STAGE}
    return chosen


def _planned(source: CardSource, step: Step) -> PlannedStage:
    home = source.declared.file
    match = _STAGE.fullmatch(step.name)
    if match is None and source.artifact.output is not None and source.commit.pipeline(home) is None:
        raise DataError(f"{home} is not in the commit")
    file, stage = (match[1], match[2]) if match is not None else (home, step.name)
    pipeline = _pipeline(source.commit, file)
    definition = pipeline.project.definition(stage)
    frozen = definition is not None and definition.body.get("frozen") is True
    return PlannedStage(step=step, file=file, stage=stage, root=source.commit.root_of(file), frozen=frozen)


def _pipeline(commit: Commit, file: str) -> Pipeline:
    found = commit.pipeline(file)
    if found is None:
        raise DataError(f"{paths.shown(file)} is not in the commit", hint="modelver doctor")
    return found


def _refuse_outside(commit: Commit, planned: PlannedStage) -> None:
    """A rebuild would write over what the user has there."""
    if planned.frozen:
        return
    pipeline = _pipeline(commit, planned.file)
    locked = pipeline.lock.stage(planned.stage)
    for item in locked.outs if locked is not None else ():
        path = pipeline.full(planned.stage, item.path)
        if path is None or paths.is_url(path) or paths.through_symlink(commit.tree, path.rstrip("/")):
            raise Refused(
                f"pipeline stage {paths.shown(planned.stage)} writes {paths.shown(item.path)}, "
                "which lies outside of the repository",
                hint="a rebuild would write over it",
            )


# Inputs ---------------------------------------------------------------------------------------------------------


def _needed(source: CardSource, stages: Sequence[PlannedStage]) -> Iterator[Needed]:
    made = {stage.step.name for stage in stages if not stage.frozen}
    found: dict[str, Needed] = {}
    for stage in stages:
        if stage.frozen:
            kept = [out for out in stage.step.outs if source.tree.entry(out.path) is None]
            rows = [_tracked(source, out.path, out, stage) for out in kept]
        else:
            inputs = (item for item in stage.step.inputs if item.kind is not Kind.CODE and item.by not in made)
            rows = [row for item in inputs if (row := _read(source, item, stage)) is not None]
        for row in rows:
            found.setdefault(row.path, row)
    for path in sorted(found):
        if not any(paths.inside(path, other) for other in found):
            yield found[path]


def _read(source: CardSource, item: Input, stage: PlannedStage) -> Needed | None:
    """What an input takes; None where Git has it, or DVC reads it from a URL itself."""
    path = item.output.path
    if paths.is_url(path):
        return None
    located = source.commit.find(path, stage.file)
    if located is None or not located.output.cached:
        if source.tree.entry(path) is not None:
            return None
        raise DataError(
            f"pipeline stage {paths.shown(stage.stage)} reads {paths.shown(path)}, which neither Git nor DVC keeps",
            hint="dvc add it, and release again",
        )
    return _tracked(source, path, item.output, stage)


def _tracked(source: CardSource, path: str, read: Output, stage: PlannedStage) -> Needed:
    """The bytes that the stage had; of a part of a tracked directory, those that the directory names."""
    if paths.through_symlink(source.tree, path):
        raise Refused(f"{paths.shown(path)} lies behind a symbolic link", hint="name the file itself in dvc.yaml")
    located = source.commit.find(path, stage.file)
    own = located.output if located is not None else read
    whole = own.path == path
    output = replace(read, remote=own.remote, root=own.root, cached=True) if whole else own
    output_id(output)
    inside = None if whole else path[len(own.path) + 1 :]
    return Needed(path=path, output=output, inside=inside, at_hand=_in_cache(source.at_hand, output, inside))


def _in_cache(at_hand: Bytes, output: Output, inside: str | None) -> bool:
    cache, oid = at_hand.cache_of(output.root), output_id(output)
    if cache is None or not cache.exists(oid):
        return False
    listed = cache.read_listing(oid) if oid.directory else ()
    return all(cache.exists(f.oid) for f in listed if inside is None or paths.inside(f"/{f.relpath}", f"/{inside}"))
