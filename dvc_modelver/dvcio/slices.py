"""All of a commit that makes one model: walk upstream from its output through the locked stages.  Pure over a tree."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from dvc_modelver.core.declarations import Declared
from dvc_modelver.core.facts import Output, Part, Slice
from dvc_modelver.core.trees import Tree
from dvc_modelver.dvcio import paths
from dvc_modelver.dvcio.dvcyaml import Definition
from dvc_modelver.dvcio.items import Item
from dvc_modelver.dvcio.locate import Commit, Located, Pipeline, lock_of
from dvc_modelver.dvcio.lock import LockedStage, digest_of
from dvc_modelver.dvcio.measures import PARAMS_YAML
from dvc_modelver.dvcio.values import read_values, select
from dvc_modelver.errors import BadInput

_USED = re.compile(r"\$\{\s*([A-Za-z_][A-Za-z0-9_-]*)")


def slice_of(tree: Tree, declared: Declared) -> Slice:
    """The parts of the commit that make the artifact.

    A directory in Git is one `code` part (its tree), and stands in `files` as the directory.
    Raises `BadInput` when a file on the way is broken.
    """
    return _walk(tree, declared).result()


def data_of(tree: Tree, declared: Declared) -> tuple[Output, ...]:
    """The raw inputs: what DVC tracks on the way and no stage writes, with the bytes that the stages last read.

    Git-tracked inputs are code, not data.  Raises `BadInput` when a file on the way is broken.
    """
    return _walk(tree, declared).data()


def slice_with(tree: Tree, declared: Declared, stages: Iterable[tuple[str, str]]) -> Slice:
    """The slice, and in it these pipeline stages too (`dvc.yaml`, name), such as those that measure the artifact.

    Raises `BadInput` when a file on the way is broken.
    """
    walk = _walk(tree, declared)
    for file, name in stages:
        walk.stage_named(file, name)
    return walk.result()


def _walk(tree: Tree, declared: Declared) -> _Walk:
    walk = _Walk(Commit(tree))
    walk.artifact(declared)
    return walk


class _Walk:
    """What has been met on the way upstream."""

    def __init__(self, commit: Commit) -> None:
        self.commit = commit
        self.parts: dict[tuple[str, str], str] = {}
        self.files: set[str] = set()
        self.outputs: dict[str, Output] = {}
        self.leaves: dict[str, Output] = {}
        self.seen: set[tuple[str, str | None]] = set()
        self.todo: list[tuple[Pipeline, LockedStage]] = []

    def result(self) -> Slice:
        parts = (Part(kind=kind, path=path, digest=digest) for (kind, path), digest in self.parts.items())
        return Slice(
            parts=tuple(sorted(parts, key=lambda part: (part.kind, part.path))),
            files=tuple(sorted(self.files)),
            outputs=tuple(self.outputs[path] for path in sorted(self.outputs)),
        )

    def data(self) -> tuple[Output, ...]:
        return tuple(self.leaves[path] for path in sorted(self.leaves))

    def add(self, kind: str, path: str, digest: str, file: str) -> None:
        self.parts[kind, path] = digest
        self.files.add(file)

    # The way ----------------------------------------------------------------------------------------------------

    def artifact(self, declared: Declared) -> None:
        """Begin at the artifact's own entry."""
        entry = [declared.path, declared.type, declared.desc, list(declared.labels), dict(declared.meta)]
        self.add("artifact", f"{declared.file}:{declared.name.rpartition(':')[2]}", digest_of(entry), declared.file)
        if declared.path is None:
            return
        path, _ = paths.resolve(paths.directory(declared.file), declared.path)
        if path is None or (paths.is_url(path) and self.commit.find(path, declared.file) is None):
            return
        located = self.commit.find(path, declared.file)
        if located is not None:
            self.located(located)
        elif not self.in_git(path):
            self.never_run(path, declared.file)
        self.walk()

    def walk(self) -> None:
        while self.todo:
            self.stage(*self.todo.pop())

    def stage_named(self, file: str, name: str) -> None:
        """Go on from a pipeline stage that need not be upstream."""
        pipeline = self.commit.pipeline(file)
        stage = pipeline.lock.stage(name) if pipeline is not None else None
        if pipeline is not None and stage is not None and (file, name) not in self.seen:
            self.seen.add((file, name))
            self.todo.append((pipeline, stage))
        self.walk()

    def located(self, located: Located) -> None:
        """Note an output and what names it; its stage is walked later."""
        if located.stage is None:
            self.dvc_file(located)
            return
        pipeline = self.commit.pipeline(located.file)
        stage = pipeline.lock.stage(located.stage) if pipeline is not None else None
        if pipeline is None or stage is None or (located.file, located.stage) in self.seen:
            return
        self.seen.add((located.file, located.stage))
        self.todo.append((pipeline, stage))

    def dvc_file(self, located: Located) -> None:
        self.outputs[located.output.path] = located.output
        found = self.commit.dvc_file(located.file)
        if found is None or (located.file, None) in self.seen:
            return
        self.seen.add((located.file, None))
        self.add("dvc", located.file, found.digest, located.file)
        base = paths.folder(paths.directory(located.file), found.wdir)
        for dep in found.deps if base is not None else ():
            path = paths.resolve(base or "", dep.path)[0]
            if path is not None:
                self.input(path, dep, located.file)

    def stage(self, pipeline: Pipeline, stage: LockedStage) -> None:
        """One pipeline stage: its definition, its lock entry, and all that goes in and comes out."""
        definition = pipeline.project.definition(stage.name)
        if definition is None:
            return
        self.definition(pipeline, definition)
        lock = lock_of(pipeline.file)
        self.add("lock", f"{lock}:{stage.name}", stage.digest, lock)
        for file, keys in stage.params.items():
            self.params(pipeline.full(stage.name, file), keys)
        for item in stage.outs:
            self.out(pipeline, definition, stage.name, item)
        for item in stage.deps:
            path = pipeline.full(stage.name, item.path)
            if path is not None:
                self.input(path, item, pipeline.file)

    def out(self, pipeline: Pipeline, definition: Definition, stage: str, item: Item) -> None:
        path = pipeline.full(stage, item.path)
        defined = definition.output(item.path)
        if path is None or defined is None:
            return
        located = self.commit.output(
            item, path, pipeline.file, cached=defined.cached, remote=defined.remote, pushed=defined.pushed
        )
        if defined.cached:
            self.outputs[path] = located
            return
        entry = None if paths.is_url(path) else self.commit.tree.entry(path)
        if entry is not None:
            self.add("output", path, f"git:{entry.oid}", path)

    def input(self, path: str, item: Item, near: str) -> None:
        """One dependency: what writes it, what lies below it, or what Git has there."""
        located = self.commit.find(path, near)
        below = [] if located is not None or paths.is_url(path) else list(self.below(path))
        for found in [located] if located is not None else below:
            self.located(found)
            if found.stage is None:
                same = found.output.path == path and item.digest is not None
                self.leaves[found.output.path] = _as_read(found.output, item) if same else found.output
        in_git = (located is None or not located.output.cached) and self.in_git(path, output=located is not None)
        if located is None and not below and not in_git:
            self.leaves[path] = Output(path=path, digest=item.digest, size=item.size, files=item.files, cached=False)

    def below(self, path: str) -> Iterator[Located]:
        outputs = self.commit.outputs()
        return (outputs[name] for name in outputs if paths.inside(name, path))

    def in_git(self, path: str, *, output: bool = False) -> bool:
        """Note a file or directory in Git; False when Git has nothing there."""
        entry = None if paths.is_url(path) else self.commit.tree.entry(path)
        if entry is not None:
            self.add("output" if output else "code", path, f"git:{entry.oid}", path)
        return entry is not None

    def never_run(self, path: str, near: str) -> None:
        name = self.commit.unlocked(path, near)
        pipeline = self.commit.pipeline(near) if name is not None else None
        if pipeline is not None and name is not None:
            self.definition(pipeline, pipeline.project.stages[name])

    # Definitions and params -------------------------------------------------------------------------------------

    def definition(self, pipeline: Pipeline, definition: Definition) -> None:
        used = self.used_vars(pipeline, definition)
        digest = digest_of([definition.raw, used])
        self.add("definition", f"{pipeline.file}:{definition.name}", digest, pipeline.file)

    def used_vars(self, pipeline: Pipeline, definition: Definition) -> Mapping[str, object]:
        """The values, by their first name, that the templates of the definition can refer to."""
        names = set(_USED.findall(json.dumps(definition.raw, default=str, ensure_ascii=False)))
        used: dict[str, object] = {}
        if not names:
            return used
        for source, values in self.var_sources(pipeline):
            found = {str(key): value for key, value in values.items() if key in names}
            used |= found
            if found and source:
                self.files.add(source)
        return used

    def var_sources(self, pipeline: Pipeline) -> Iterator[tuple[str | None, Mapping[object, object]]]:
        """(file or None, values) of `params.yaml` and of each entry of `vars:`, in DVC's order."""
        for entry in (PARAMS_YAML, *pipeline.project.vars):
            if isinstance(entry, Mapping):
                yield None, entry
            elif isinstance(entry, str):
                file = paths.resolve(pipeline.directory, entry.partition(":")[0])[0]
                values = self.values(file) if file is not None else None
                if isinstance(values, Mapping):
                    yield file, values

    def values(self, file: str) -> object:
        """What stands in a file of params; None when it is absent, broken or no file of the repository."""
        data = None if paths.is_url(file) else self.commit.tree.read(file)
        try:
            return None if data is None else read_values(data, path=file)
        except BadInput:
            return None

    def params(self, file: str | None, keys: tuple[str, ...]) -> None:
        values = self.values(file) if file is not None else None
        for key in keys if file is not None else ():
            self.parts["params", f"{file}:{key}"] = digest_of(select(values, (key,)))
        if file is not None and values is not None:
            self.files.add(file)


def _as_read(output: Output, item: Item) -> Output:
    """The output with the bytes that a stage read when it last ran."""
    return replace(output, digest=item.digest, size=item.size, files=item.files, hash_name=item.hash_name)
