"""How a commit says that an artifact was made and measured.  Pure over a tree: `dvc.lock` and `.dvc` files to types."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from dvc_modelver.core.declarations import Declared
from dvc_modelver.core.facts import Output, Scalar, Values
from dvc_modelver.core.recipe import Input, Kind, Origin, Recipe, Step
from dvc_modelver.dvcio import paths
from dvc_modelver.dvcio.dvcfile import Imported
from dvc_modelver.dvcio.items import Item
from dvc_modelver.dvcio.locate import Commit, Located, Pipeline
from dvc_modelver.dvcio.lock import LockedStage
from dvc_modelver.dvcio.values import flatten, scalar

Key = tuple[str, str]
"""(`dvc.yaml`, name of the pipeline stage)."""


def recipe_of(commit: Commit, declared: Declared) -> Recipe:
    """The pipeline stages up to the artifact, and those behind it in the same `dvc.yaml` files.

    Empty where the commit does not say.  Raises `BadInput` when a file on the way is broken.
    """
    if declared.path is None:
        return Recipe()
    path, _ = paths.resolve(paths.directory(declared.file), declared.path)
    located = commit.find(path, declared.file) if path is not None else None
    if located is None:
        return Recipe()
    if located.stage is None:
        return Recipe(origin=_origin(commit, located))
    walk = _Walk(commit, declared.file)
    steps = walk.upstream(located)
    return Recipe(steps=steps, evaluation=walk.downstream(path or "", located, steps))


class _Walk:
    """Reads each pipeline stage once."""

    def __init__(self, commit: Commit, home: str) -> None:
        self.commit = commit
        self.home = home
        self.steps: dict[Key, Step] = {}

    def upstream(self, located: Located) -> tuple[Step, ...]:
        """The stages up to the one that wrote `located`, in the order in which they can run."""
        return self._in_order([(located.file, located.stage or "")])

    def downstream(self, path: str, located: Located, known: tuple[Step, ...]) -> tuple[Step, ...]:
        """The stages of the same files that read `path` (a part of `located`), directly or through each other."""
        names = {step.name for step in known}
        files = tuple(dict.fromkeys((located.file, self.home)))
        found: dict[Key, Step] = {}
        pending = [path]
        while pending:
            made = pending.pop(0)
            for key in [(file, name) for file in files for name in self.commit.readers(file, made)]:
                step = self._read(key) if key not in found else None
                if step is not None and step.name not in names:
                    found[key] = step
                    pending += [out.path for out in step.outs]
        return self._in_order(list(found), found)

    def _in_order(self, ends: Sequence[Key], among: Collection[Key] | None = None) -> tuple[Step, ...]:
        """`ends` and what they lead back to (of `among`), each behind those whose outputs it reads."""
        done: dict[Key, Step] = {}
        pending = [(key, False) for key in reversed(ends)]
        entered: set[Key] = set()
        while pending:
            key, ready = pending.pop()
            if ready:
                done[key] = self.steps[key]
            elif key not in entered and self._read(key) is not None:
                entered.add(key)
                before = [k for k in self._before(key) if k not in entered and (among is None or k in among)]
                pending += [(key, True), *((k, False) for k in reversed(before))]
        return tuple(done.values())

    def _before(self, key: Key) -> list[Key]:
        found = (self.commit.find(i.output.path, key[0]) for i in self.steps[key].inputs if i.kind is Kind.STAGE)
        return [(located.file, located.stage) for located in found if located is not None and located.stage is not None]

    def _read(self, key: Key) -> Step | None:
        if key not in self.steps:
            pipeline = self.commit.pipeline(key[0])
            stage = pipeline.lock.stage(key[1]) if pipeline is not None else None
            if pipeline is None or stage is None or pipeline.project.definition(key[1]) is None:
                return None
            self.steps[key] = self._step(pipeline, stage)
        return self.steps[key]

    def _step(self, pipeline: Pipeline, stage: LockedStage) -> Step:
        name = stage.name if pipeline.file == self.home else f"{pipeline.file}:{stage.name}"
        outs = ((pipeline.full(stage.name, item.path), item) for item in stage.outs)
        return Step(
            name=name,
            cmd=stage.cmd,
            inputs=tuple(self._inputs(pipeline, stage)),
            outs=tuple(self._output(path, item, pipeline) for path, item in outs if path is not None),
            params=dict(_params(pipeline, stage)),
        )

    def _inputs(self, pipeline: Pipeline, stage: LockedStage) -> Iterator[Input]:
        for item in stage.deps:
            path = pipeline.full(stage.name, item.path)
            if path is not None:
                yield from self._found(path if paths.is_url(path) else path.rstrip("/"), item, pipeline)

    def _found(self, path: str, item: Item, pipeline: Pipeline) -> Iterator[Input]:
        """What a dependency is: an output or a part of one, a directory that holds outputs, or a file of nobody's."""
        output = self._output(path, item, pipeline)
        located = self.commit.find(path, pipeline.file)
        below = () if located is not None or paths.is_url(path) else self._below(path)
        yield from (self._tracked(inner.output, inner) for inner in below)
        if located is not None:
            yield self._tracked(output, located)
        elif not paths.is_url(path) and self.commit.tree.entry(path) is not None:
            if not below or self._holds_code(path):
                yield Input(output=output, kind=Kind.CODE)
        elif not below:
            yield Input(output=output, kind=Kind.DATA)

    def _below(self, path: str) -> Sequence[Located]:
        outputs = self.commit.outputs()
        return [outputs[name] for name in sorted(outputs) if paths.inside(name, path)]

    def _holds_code(self, folder: str) -> bool:
        """Whether Git has more in it than what DVC writes beside the data that it tracks."""
        names = (name for name in self.commit.tree.files("*") if paths.inside(name, folder))
        return any(not name.endswith((".dvc", ".gitignore", "dvc.yaml", "dvc.lock")) for name in names)

    def _tracked(self, output: Output, located: Located) -> Input:
        if located.stage is None:
            return Input(output=output, kind=Kind.DATA, by=located.file, origin=_origin(self.commit, located))
        by = located.stage if located.file == self.home else f"{located.file}:{located.stage}"
        return Input(output=output, kind=Kind.STAGE, by=by)

    def _output(self, path: str, item: Item, pipeline: Pipeline) -> Output:
        return self.commit.output(item, path.rstrip("/"), pipeline.file, cached=True, remote=None)


def _params(pipeline: Pipeline, stage: LockedStage) -> Iterator[tuple[str, Mapping[str, Scalar]]]:
    for file, values in stage.values.items():
        full = pipeline.full(stage.name, file)
        if full is not None:
            yield full, dict(_flat(values))


def _flat(values: Mapping[object, object]) -> Iterator[tuple[str, Scalar]]:
    """The lock writes a key as the stage names it: dotted already."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from ((f"{key}.{below}", leaf) for below, leaf in flatten(value).items())
        else:
            yield str(key), scalar(value)


def _origin(commit: Commit, located: Located) -> Origin | None:
    found = commit.dvc_file(located.file)
    imported: Imported | None = found.imports[0] if found is not None and found.imports else None
    if imported is None:
        return None
    return Origin(path=imported.path, url=imported.url, rev=imported.rev, rev_lock=imported.rev_lock)


def own_params(values: Values, recipe: Recipe) -> Values:
    """Of the params of a project those that the recipe's stages ran with; all where it names none."""
    named = recipe.params
    if not named:
        return values
    found = {file: {k: v for k, v in values.get(file, {}).items() if k in named[file]} for file in named}
    return {file: chosen for file, chosen in found.items() if chosen}


def own_metrics(commit: Commit, declared: Declared, values: Values, recipe: Recipe) -> Values:
    """Of the metrics of a project those that none but the recipe's stages wrote; all where that leaves none."""
    names = {step.name for step in (*recipe.steps, *recipe.evaluation)}
    found = {file: keys for file, keys in values.items() if _writer(commit, declared, file) in (None, *names)}
    return found or values


def _writer(commit: Commit, declared: Declared, path: str) -> str | None:
    located = commit.find(path, declared.file)
    if located is None or located.stage is None:
        return None
    return located.stage if located.file == declared.file else f"{located.file}:{located.stage}"
