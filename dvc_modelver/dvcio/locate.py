"""Which file of a commit names the bytes at a path: a `dvc.lock`, or a `.dvc` file.  Pure over a tree.

The near places are looked at first (the artifact's own `dvc.yaml`, `PATH.dvc`); the whole tree only when they are
silent, since walking the tree of 1,000 versions is what would cost.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dvc_modelver.core.facts import Output
from dvc_modelver.core.trees import Tree
from dvc_modelver.dvcio import paths
from dvc_modelver.dvcio.dvcfile import DvcFile, parse_dvc_file
from dvc_modelver.dvcio.dvcyaml import Definition, ProjectFile, parse_dvc_yaml
from dvc_modelver.dvcio.items import Item
from dvc_modelver.dvcio.lock import Lock, parse_lock
from dvc_modelver.errors import BadInput

_EMPTY = ProjectFile(name="", stages={}, metrics=(), params=(), vars=(), artifacts=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """An output, and where it is named."""

    output: Output
    item: Item
    file: str
    """`dvc.yaml` or the `.dvc` file."""
    stage: str | None = None
    """The pipeline stage that wrote it; None for a `.dvc` file."""
    kind: str = "outs"
    """`outs`, `metrics` or `plots`."""

    @property
    def files(self) -> tuple[str, ...]:
        """The files of the commit that say so."""
        return (self.file,) if self.stage is None else (self.file, lock_of(self.file))


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A `dvc.yaml` with its `dvc.lock`."""

    file: str
    project: ProjectFile
    lock: Lock

    @property
    def directory(self) -> str:
        return paths.directory(self.file)

    def workdir(self, stage: str) -> str | None:
        """The directory that the stage's paths are relative to; None when it leads out or cannot be followed."""
        definition = self.project.definition(stage)
        wdir = definition.working_directory(stage) if definition else None
        return None if wdir is None else paths.folder(self.directory, wdir)

    def full(self, stage: str, path: str) -> str | None:
        """A path of the stage from the root, or its URL; None when it leads out."""
        if paths.is_url(path):
            return path
        workdir = self.workdir(stage)
        return None if workdir is None else _full(workdir, path)


class Commit:
    """What one tree says about outputs.  Each file is read once."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self._pipelines: dict[str, Pipeline | None] = {}
        self._dvc_files: dict[str, DvcFile | None] = {}
        self._roots: dict[str, str] = {}
        self._outputs: dict[str, Located] | None = None
        self._found: dict[tuple[str, str], Located | None] = {}
        self._readers: dict[str, Mapping[str, tuple[str, ...]]] = {}

    # Files ------------------------------------------------------------------------------------------------------

    def pipeline(self, file: str) -> Pipeline | None:
        """The `dvc.yaml` at `file` with its lock; None when there is none.  Raises `BadInput` when broken."""
        if file not in self._pipelines:
            data = self.tree.read(file)
            self._pipelines[file] = None if data is None else self._read_pipeline(file, data)
        return self._pipelines[file]

    def _read_pipeline(self, file: str, data: bytes) -> Pipeline:
        lock = lock_of(file)
        text = self.tree.read(lock)
        return Pipeline(
            file, parse_dvc_yaml(data, file), Lock(lock, b"", {}) if text is None else parse_lock(text, lock)
        )

    def dvc_file(self, file: str) -> DvcFile | None:
        """The `.dvc` file at `file`; None when there is none.  Raises `BadInput` when broken."""
        if file not in self._dvc_files:
            data = self.tree.read(file)
            self._dvc_files[file] = None if data is None else parse_dvc_file(data, file)
        return self._dvc_files[file]

    def root_of(self, file: str) -> str:
        """The directory of the DVC repository that `file` belongs to; empty at the Git root."""
        where = paths.directory(file)
        if where not in self._roots:
            above = (where, *paths.parents(where)) if where else ()
            self._roots[where] = next((folder for folder in above if self._is_root(folder)), "")
        return self._roots[where]

    def _is_root(self, folder: str) -> bool:
        entry = self.tree.entry(f"{folder}/.dvc")
        return entry is not None and entry.is_directory

    # Outputs ----------------------------------------------------------------------------------------------------

    def find(self, path: str, near: str) -> Located | None:
        """What names the bytes at `path` (from the root, or a URL), itself or a tracked directory above it.

        `near` is the `dvc.yaml` to ask first.
        """
        if (path, near) not in self._found:
            self._found[path, near] = self._find(path, near)
        return self._found[path, near]

    def _find(self, path: str, near: str) -> Located | None:
        candidates = (path,) if paths.is_url(path) else (path, *paths.parents(path))
        for candidate in candidates:
            found = self.near(candidate, near)
            if found is not None and (candidate == path or is_directory(found.output)):
                return found
        everywhere = self.outputs()
        for candidate in candidates:
            if candidate in everywhere and (candidate == path or is_directory(everywhere[candidate].output)):
                return everywhere[candidate]
        return None

    def near(self, path: str, near: str) -> Located | None:
        """What names the bytes at exactly `path` in the `dvc.yaml` at `near`, or in `PATH.dvc`; no tree is walked."""
        found = self.written(path, near)
        if found is not None or paths.is_url(path):
            return found
        return next((out for out in self.dvc_outputs(f"{path}.dvc") if out.output.path == path), None)

    def written(self, path: str, near: str) -> Located | None:
        """The pipeline stage of the `dvc.yaml` at `near` that wrote exactly `path`."""
        pipeline = self.pipeline(near) if near.endswith("dvc.yaml") else None
        return None if pipeline is None else self._in_lock(pipeline, path)

    def _in_lock(self, pipeline: Pipeline, path: str) -> Located | None:
        for written in self._written(pipeline, path):
            for stage, item in pipeline.lock.outputs(written):
                if pipeline.full(stage, item.path) == path:
                    located = self._located(pipeline, stage, item)
                    if located is not None:
                        return located
        return None

    def _written(self, pipeline: Pipeline, path: str) -> Iterator[str]:
        """How the lock may write `path`: as it is, and relative to each working directory; DVC keeps a last slash."""
        if paths.is_url(path):
            yield path
            return
        for wdir in pipeline.project.wdirs:
            if "${" not in wdir:
                relative = posixpath.relpath(path, posixpath.join(pipeline.directory or ".", wdir))
                yield from (relative, relative + "/")

    def _located(self, pipeline: Pipeline, stage: str, item: Item) -> Located | None:
        """The output as its definition says it; None when the stage or output is no longer defined."""
        definition = pipeline.project.definition(stage)
        out = definition.output(item.path) if definition else None
        path = pipeline.full(stage, item.path)
        if out is None or path is None:
            return None
        output = self.output(item, path, pipeline.file, cached=out.cached, remote=out.remote, pushed=out.pushed)
        return Located(output=output, item=item, file=pipeline.file, stage=stage, kind=out.kind)

    def output(
        self, item: Item, path: str, file: str, *, cached: bool, remote: str | None, pushed: bool = True
    ) -> Output:
        return Output(
            path=path,
            digest=item.digest,
            size=item.size,
            files=item.files,
            hash_name=item.hash_name,
            cached=cached,
            remote=remote,
            pushed=pushed,
            root=self.root_of(file),
        )

    def dvc_outputs(self, file: str) -> Iterator[Located]:
        """The outputs of one `.dvc` file; those that lead out of the repository are left out."""
        found = self.dvc_file(file)
        for out in found.outs if found is not None else ():
            base = paths.folder(paths.directory(file), found.wdir) if found is not None else None
            path = None if base is None else _full(base, out.item.path)
            if path is not None:
                output = self.output(out.item, path, file, cached=out.cached, remote=out.remote, pushed=out.pushed)
                yield Located(output=output, item=out.item, file=file, kind="metrics" if out.metric else "outs")

    def stage_outputs(self, pipeline: Pipeline) -> Iterator[Located]:
        """The outputs of every stage that has run and is still defined."""
        for stage, item in pipeline.lock.all_outputs():
            located = self._located(pipeline, stage, item)
            if located is not None:
                yield located

    def outputs(self) -> Mapping[str, Located]:
        """Every output of the tree by path.  Walks the whole tree; files that are broken are passed over."""
        if self._outputs is None:
            self._outputs = {}
            for located in self._all():
                self._outputs.setdefault(located.output.path, located)
        return self._outputs

    def _all(self) -> Iterator[Located]:
        for file in self.tree.files("dvc.yaml"):
            try:
                pipeline = self.pipeline(file)
                yield from self.stage_outputs(pipeline) if pipeline is not None else ()
            except BadInput:
                continue
        for file in self.tree.files("*.dvc"):
            try:
                yield from self.dvc_outputs(file)
            except BadInput:
                continue

    def readers(self, file: str, path: str) -> tuple[str, ...]:
        """The stages of the `dvc.yaml` at `file` that read `path`, something below it, or a directory above it."""
        if file not in self._readers:
            pipeline = self.pipeline(file)
            self._readers[file] = _index(pipeline) if pipeline is not None else {}
        index = self._readers[file]
        above = (f"{parent}/" for parent in paths.parents(path))
        return tuple(dict.fromkeys(name for key in (path, *above) for name in index.get(key, ())))

    def unlocked(self, path: str, near: str) -> str | None:
        """The name of a stage that is defined to write `path` and has no entry in the lock; None when there is none."""
        pipeline = self.pipeline(near) if near.endswith("dvc.yaml") else None
        if pipeline is None:
            return None
        for name, definition in pipeline.project.stages.items():
            if any(_writes(pipeline, definition, out.path, path) for out in definition.outs):
                return name
        return None


def _index(pipeline: Pipeline) -> Mapping[str, tuple[str, ...]]:
    """Path, and each directory above it -> the stages that read it; `PATH/` -> those that read all of `PATH`."""
    found: dict[str, list[str]] = {}
    for stage, written in pipeline.lock.all_inputs():
        path = pipeline.full(stage, written)
        if path is None or pipeline.project.definition(stage) is None:
            continue
        path = path if paths.is_url(path) else path.rstrip("/")
        for key in (path, f"{path}/", *paths.parents(path)):
            found.setdefault(key, []).append(stage)
    return {key: tuple(dict.fromkeys(stages)) for key, stages in found.items()}


def lock_of(file: str) -> str:
    """The `dvc.lock` beside a `dvc.yaml`."""
    return posixpath.join(paths.directory(file), "dvc.lock")


def is_directory(output: Output) -> bool:
    """Whether the output is a directory, as its digest says."""
    return output.digest is not None and output.digest.endswith(".dir")


def _writes(pipeline: Pipeline, definition: Definition, written: str, path: str) -> bool:
    if "${" in written or (definition.wdir or "").find("${") >= 0:
        return False
    base = paths.folder(pipeline.directory, definition.wdir or ".")
    return base is not None and _full(base, written) == path


def _full(base: str, path: str) -> str | None:
    if paths.is_url(path):
        return path
    return None if paths.path_problem(path) else paths.join(base, path)
