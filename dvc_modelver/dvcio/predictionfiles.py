"""Which files of a commit are per-sample predictions of a model.  Pure over a `Commit`."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping

from dvc_modelver.core.declarations import Declared
from dvc_modelver.core.recipe import Recipe
from dvc_modelver.dvcio import paths
from dvc_modelver.dvcio.locate import Commit, is_directory
from dvc_modelver.dvcio.measures import Listing, projects

SUFFIXES = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet")
_MAX_LISTED = 1000
"""Of a directory with more files none is looked for."""
_NAME = re.compile(r"(.*[_.-])?predictions|predictions[_-].*", re.IGNORECASE | re.DOTALL)


def is_predictions(path: str) -> bool:
    """Whether a file is one of predictions by its name: `predictions.csv`, `test_predictions.jsonl`, ..."""
    stem, suffix = posixpath.splitext(posixpath.basename(path))
    return suffix.lower() in SUFFIXES and _NAME.fullmatch(stem) is not None


def predictions_paths(
    commit: Commit, declared: Declared, recipe: Recipe, *, listing: Listing | None = None
) -> tuple[str, ...]:
    """The model's own files of predictions, sorted: outputs of its steps and of those that evaluate it, and what
    its `dvc.yaml` names as metric or plot and no stage of another model writes.

    Args:
        listing: asked for the files of directories in DVC's cache, small ones only.

    Raises `BadInput` when a `dvc.yaml` or `dvc.lock` is broken, or a listing is hostile.
    """
    outs = [out for step in (*recipe.steps, *recipe.evaluation) for out in step.outs if not paths.is_url(out.path)]
    found = {out.path for out in outs if is_predictions(out.path) and not is_directory(out)}
    for out in outs if listing is not None else ():
        if is_directory(out) and (out.files or _MAX_LISTED) < _MAX_LISTED and listing is not None:
            names = (name for name in listing(out) or () if is_predictions(name))
            found.update(f"{out.path}/{name}" for name in names)
    for path in _named(commit, declared):
        located = commit.find(path, declared.file)
        if located is None or located.stage is None:
            found.add(path)
    return tuple(sorted(found))


def _named(commit: Commit, declared: Declared) -> Iterator[str]:
    """Those that stand at the top of the project's `dvc.yaml` files."""
    for pipeline in projects(commit, declared):
        for written in (*pipeline.project.metrics, *_plotted(pipeline.project.plots)):
            path = paths.resolve(pipeline.directory, written)[0] if is_predictions(written) else None
            if path is not None and not paths.is_url(path):
                yield path


def _plotted(raw: object) -> Iterator[str]:
    """Names of plots, which may be files, and the files that their axes name."""
    for entry in raw if isinstance(raw, list) else [raw]:
        plots = entry if isinstance(entry, Mapping) else {entry: None}
        for name, options in plots.items():
            axes = [options.get(axis) for axis in ("x", "y")] if isinstance(options, Mapping) else []
            files = [file for axis in axes if isinstance(axis, Mapping) for file in axis]
            yield from (text for text in (name, *files) if isinstance(text, str))
