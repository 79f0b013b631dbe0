"""Which plots a commit declares: their data and options, found by path or by name.  Pure over a tree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from dvc_modelver.core.declarations import Declared
from dvc_modelver.dvcio import paths
from dvc_modelver.dvcio.dvcyaml import Definition
from dvc_modelver.dvcio.locate import Commit, Pipeline
from dvc_modelver.dvcio.measures import projects

Options = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plotted:
    """One plot."""

    label: str
    """As it was asked for."""
    path: str
    """Of its data, from the root."""
    options: Options = field(default_factory=dict)
    """`x`, `y`, `template`, `title`, ... as `dvc.yaml` has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredPlot:
    """One plot as a `dvc.yaml` declares it."""

    file: str
    """The `dvc.yaml`."""
    label: str
    """Its name there: of a plot of a pipeline stage, the path as the stage writes it."""
    paths: tuple[str, ...]
    """Of its data, from the root, each a file, a directory of plots or a URL; several are drawn into one."""
    options: Options = field(default_factory=dict)
    top: bool = False
    """Whether it stands at the top of the file, and not in a pipeline stage."""


def all_plots(commit: Commit, declared: Declared) -> Iterator[DeclaredPlot]:
    """Every plot of the artifact's project: those at the top of a `dvc.yaml`, then those of its pipeline stages.

    Paths that templates make are those that the lock names.  What leads out of the repository is left out.  Raises
    `BadInput` when a file is broken.
    """
    for pipeline in projects(commit, declared):
        for name, options in _entries(pipeline.project.plots):
            found = (paths.resolve(pipeline.directory, written)[0] for written in _files(name, options))
            places = tuple(dict.fromkeys(path for path in found if path is not None))
            if places:
                yield DeclaredPlot(file=pipeline.file, label=name, paths=places, options=options, top=True)
        for definition in pipeline.project.stages.values():
            for name, options in _entries(definition.body.get("plots")):
                for label, path in _written(pipeline, definition, name):
                    yield DeclaredPlot(file=pipeline.file, label=label, paths=(path,), options=options)


def _written(pipeline: Pipeline, definition: Definition, name: str) -> Iterator[tuple[str, str]]:
    """(the path as the stage writes it, from the root)."""
    if not definition.group and "${" not in name and "${" not in (definition.wdir or ""):
        found = [(name, pipeline.full(definition.name, name))]
    else:
        found = [
            (item.path, pipeline.full(stage, item.path))
            for stage, item in pipeline.lock.all_outputs()
            if pipeline.project.definition(stage) is definition
            and (out := definition.output(item.path)) is not None
            and (out.kind, out.path) == ("plots", name)
        ]
    yield from ((label, path.rstrip("/")) for label, path in found if path is not None)


def find_plot(commit: Commit, declared: Declared, wanted: str) -> Plotted | None:
    """The plot called `wanted` in the artifact's `dvc.yaml`, or whose data lie there; None when there is none.

    Of a plot over several files the first counts.  Raises `BadInput` when `dvc.yaml` is broken.
    """
    pipeline = commit.pipeline(declared.file) if declared.file.endswith("dvc.yaml") else None
    for name, path, options in _declared(pipeline) if pipeline is not None else ():
        if wanted in (name, path):
            return Plotted(label=wanted, path=path, options=options)
    place, _ = paths.resolve("", wanted)
    if place is None or paths.is_url(place):
        return None
    known = commit.tree.entry(place) is not None or commit.find(place, declared.file) is not None
    return Plotted(label=wanted, path=place) if known else None


def _declared(pipeline: Pipeline) -> Iterator[tuple[str, str, Options]]:
    """(name, path from the root, options) of the plots at the top and of those of the stages."""
    for name, options in _entries(pipeline.project.plots):
        written = _data(name, options)
        path = paths.resolve(pipeline.directory, written)[0] if written is not None else None
        if path is not None:
            yield name, path, options
    for definition in pipeline.project.stages.values():
        for name, options in _entries(definition.body.get("plots")):
            path = None if "${" in name or definition.group else pipeline.full(definition.name, name)
            if path is not None:
                yield name, path, options


def _entries(raw: object) -> Iterator[tuple[str, Options]]:
    """DVC takes a mapping of names, or a list of names and of mappings with one."""
    for entry in raw if isinstance(raw, list) else [raw]:
        if isinstance(entry, str):
            yield entry, {}
        for name, options in entry.items() if isinstance(entry, dict) else ():
            if isinstance(name, str):
                yield name, options if isinstance(options, dict) else {}


def _data(name: str, options: Options) -> str | None:
    """The first of `_files`."""
    return next(iter(_files(name, options)), None)


def _files(name: str, options: Options) -> tuple[str, ...]:
    """Where the data of a plot at the top lie: `y` may name files, else the plot's name is one."""
    y = options.get("y")
    return tuple(file for file in y if isinstance(file, str)) if isinstance(y, dict) else (name,)
