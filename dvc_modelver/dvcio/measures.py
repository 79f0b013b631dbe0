"""The params and metrics of an artifact's project, as DVC reads them at that commit.  Pure over a tree.

A project is one `dvc.yaml`: the artifact's own, and the one whose stage writes the artifact where that is another.
In a repository with one `dvc.yaml` this is what `dvc params diff` and `dvc metrics show` read.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from dvc_modelver.core.declarations import Declared, FileProblem
from dvc_modelver.core.facts import Output, Scalar, Values
from dvc_modelver.core.trees import Tree
from dvc_modelver.dvcio import paths
from dvc_modelver.dvcio.dvcyaml import Definition
from dvc_modelver.dvcio.locate import Commit, Located, Pipeline, is_directory
from dvc_modelver.dvcio.values import flatten, flatten_metrics, read_values, select
from dvc_modelver.errors import BadInput

PARAMS_YAML = "params.yaml"
_SUFFIXES = (".json", ".yaml", ".yml", ".toml", ".py")

Blob = Callable[[Output], bytes | None]
"""The bytes of one DVC-tracked file; None when they are not at hand."""
Listing = Callable[[Output], Mapping[str, str] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Values by file, paths from the Git root, and what could not be read."""

    values: Values
    problems: tuple[FileProblem, ...] = ()


def params(tree: Tree, declared: Declared) -> Measured:
    """The params of the artifact's project: `params.yaml` beside it, top-level `params:`, those of its stages.

    A file that is broken or absent becomes a problem.  Raises `BadInput` for a broken `dvc.yaml` or `dvc.lock`.
    """
    commit = Commit(tree)
    return params_of(commit, projects(commit, declared))


def params_of(commit: Commit, pipelines: Sequence[Pipeline]) -> Measured:
    """As `params`, of these `dvc.yaml` files: artifacts that share them share the answer."""
    tree = commit.tree
    wanted: dict[str, tuple[str, ...]] = {}
    for pipeline in pipelines:
        for path, keys in _wanted_params(pipeline):
            whole = not keys or wanted.get(path) == ()
            wanted[path] = () if whole else tuple(dict.fromkeys((*wanted.get(path, ()), *keys)))
        default = posixpath.join(pipeline.directory, PARAMS_YAML)
        if tree.entry(default) is not None:
            wanted[default] = ()
    files = _Files(commit)
    for path in sorted(wanted):
        for file, data in files.read(path, None, None):
            files.add(file, data, partial(_chosen, wanted[path]))
    return files.measured()


def metrics(tree: Tree, declared: Declared, *, blob: Blob | None = None, listing: Listing | None = None) -> Measured:
    """The metrics of the artifact's project: top-level `metrics:` and the `metrics` outputs of its stages.

    Args:
        blob: asked for metrics that DVC keeps in its cache; those that are not at hand become problems.
        listing: asked for the files of a directory of metrics in DVC's cache.

    Raises:
        BadInput: a broken `dvc.yaml` or `dvc.lock`.
    """
    commit = Commit(tree)
    return metrics_of(commit, projects(commit, declared), blob=blob, listing=listing)


def metrics_of(
    commit: Commit, pipelines: Sequence[Pipeline], *, blob: Blob | None = None, listing: Listing | None = None
) -> Measured:
    """As `metrics`, of these `dvc.yaml` files."""
    files = _Files(commit)
    wanted = {path: pipeline.file for pipeline in pipelines for path in _wanted_metrics(pipeline)}
    for path, near in sorted(wanted.items()):
        for file, data in files.read(path, near, blob, listing):
            files.add(file, data, flatten_metrics)
    return files.measured()


def _chosen(keys: tuple[str, ...], value: object) -> dict[str, Scalar]:
    return flatten(select(value, keys))


def projects(commit: Commit, declared: Declared) -> tuple[Pipeline, ...]:
    """The artifact's own `dvc.yaml`, and the one whose stage writes the artifact where that is another."""
    own = posixpath.join(paths.directory(declared.file), "dvc.yaml")
    path, _ = paths.resolve(paths.directory(own), declared.path) if declared.path else (None, None)
    located = commit.find(path, own) if path is not None else None
    files = [own] if located is None or located.stage is None else [own, located.file]
    found = (commit.pipeline(file) for file in dict.fromkeys(files))
    return tuple(pipeline for pipeline in found if pipeline is not None)


# Which files ----------------------------------------------------------------------------------------------------


def _wanted_params(pipeline: Pipeline) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(path from the root, keys; none for the whole file)."""
    for path in pipeline.project.params:
        full = paths.resolve(pipeline.directory, path)[0]
        if full is not None:
            yield full, ()
    for definition in pipeline.project.stages.values():
        yield from _locked_params(pipeline, definition) if _templated(definition) else _defined(pipeline, definition)


def _templated(definition: Definition) -> bool:
    return definition.group or "${" in repr(definition.body.get("params")) or "${" in (definition.wdir or "")


def _locked_params(pipeline: Pipeline, definition: Definition) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What the templates resolved to when the stage last ran."""
    for name in pipeline.lock.names:
        if pipeline.project.definition(name) is definition:
            stage = pipeline.lock.stage(name)
            for file, keys in (stage.params if stage is not None else {}).items():
                full = pipeline.full(name, file)
                if full is not None and keys:
                    yield full, keys


def _defined(pipeline: Pipeline, definition: Definition) -> Iterator[tuple[str, tuple[str, ...]]]:
    raw = definition.body.get("params")
    for entry in raw if isinstance(raw, list) else ():
        for file, keys in ({PARAMS_YAML: [entry]} if isinstance(entry, str) else entry).items() if entry else ():
            full = pipeline.full(definition.name, file) if isinstance(file, str) else None
            if full is not None:
                yield full, tuple(key for key in keys or () if isinstance(key, str))


def _wanted_metrics(pipeline: Pipeline) -> Iterator[str]:
    for path in pipeline.project.metrics:
        full = paths.resolve(pipeline.directory, path)[0]
        if full is not None:
            yield full
    for definition in pipeline.project.stages.values():
        outs = [out for out in definition.outs if out.kind == "metrics"]
        if not outs:
            continue
        plain = not definition.group and "${" not in (definition.wdir or "")
        for out in outs:
            full = pipeline.full(definition.name, out.path) if plain and "${" not in out.path else None
            if full is not None:
                yield full
        if not plain or any("${" in out.path for out in outs):
            yield from _locked_metrics(pipeline, definition)


def _locked_metrics(pipeline: Pipeline, definition: Definition) -> Iterator[str]:
    for name, item in pipeline.lock.all_outputs():
        if pipeline.project.definition(name) is definition:
            out = definition.output(item.path)
            full = pipeline.full(name, item.path) if out is not None and out.kind == "metrics" else None
            if full is not None:
                yield full


# Reading --------------------------------------------------------------------------------------------------------


class _Files:
    """Collects values and problems while files are read."""

    def __init__(self, commit: Commit) -> None:
        self.commit = commit
        self.values: dict[str, Mapping[str, Scalar]] = {}
        self.problems: list[FileProblem] = []

    def measured(self) -> Measured:
        return Measured(values={path: self.values[path] for path in sorted(self.values)}, problems=tuple(self.problems))

    def problem(self, file: str, text: str) -> None:
        self.problems.append(FileProblem(file=paths.shown(file), problem=paths.shown(text)))

    def add(self, file: str, data: bytes, flat: Callable[[object], dict[str, Scalar]]) -> None:
        try:
            self.values[file] = flat(read_values(data, path=file))
        except BadInput as error:
            self.problem(file, error.message)

    def read(
        self, path: str, near: str | None, blob: Blob | None, listing: Listing | None = None
    ) -> Iterator[tuple[str, bytes]]:
        """(file, bytes) of the file at `path`, or of every file of values in the directory there."""
        tree = self.commit.tree
        link = None if paths.is_url(path) else paths.through_symlink(tree, path)
        if link is not None:
            self.problem(path, f"the path leads through the symbolic link {link}")
            return
        entry = None if paths.is_url(path) else tree.entry(path)
        names = [path]
        if entry is not None and entry.is_directory:
            names = [name for name in tree.files("*") if paths.inside(name, path) and name.endswith(_SUFFIXES)]
        if entry is None:
            yield from self._from_dvc(path, near, blob, listing)
            return
        for name in names:
            data = tree.read(name)
            if data is not None:
                yield name, data

    def _from_dvc(
        self, path: str, near: str | None, blob: Blob | None, listing: Listing | None
    ) -> Iterator[tuple[str, bytes]]:
        located = self.commit.find(path, near) if near is not None else None
        if located is None:
            self.problem(path, f"{path} is not in this commit")
            return
        outputs = files_of(located, path, listing)
        if outputs is None:
            self.problem(path, f"the listing of {located.output.path} is not at hand")
            return
        for output in outputs:
            data = blob(output) if blob is not None and output.cached and output.digest else None
            if data is None:
                where = "is in DVC's cache, and not at hand" if output.cached else "is not there, and DVC keeps no copy"
                self.problem(output.path, f"{output.path} {where}")
            else:
                yield output.path, data


def files_of(located: Located, path: str, listing: Listing | None) -> list[Output] | None:
    """What is tracked at `path` as outputs of their own: the file there, or each file of values below the directory.

    None where that takes a listing which is not at hand.
    """
    output = located.output
    if not is_directory(output):
        return [output] if output.path == path else []
    listed = dict(located.item.listing) if located.item.listing is not None else listing(output) if listing else None
    if listed is None:
        return None
    found = []
    for name, md5 in sorted(listed.items()):
        full = f"{output.path}/{name}"
        if full == path or (paths.inside(full, path) and name.endswith(_SUFFIXES)):
            found.append(replace(output, path=full, digest=f"md5:{md5}", size=None, files=None))
    return found
