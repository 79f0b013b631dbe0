"""A metric over the versions of a model: `show NAME --metric KEY`."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dvc_modelver.commands.bytes_at_hand import Bytes
from dvc_modelver.commands.comparison.versionnumbers import AT_ONCE, NumbersReader
from dvc_modelver.commands.project import Project
from dvc_modelver.core.facts import Scalar, Values
from dvc_modelver.core.metrics import as_number, direction
from dvc_modelver.core.names import near
from dvc_modelver.core.references import Reference
from dvc_modelver.core.registry import Model
from dvc_modelver.core.tagobjects import EPOCH
from dvc_modelver.core.versions import Version
from dvc_modelver.errors import BadInput, ModelverError, NotFound


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One version's value."""

    version: Version
    at: datetime
    """When it was released."""
    commit: str
    value: Scalar
    """None where the version does not have the metric."""
    delta: float | None = None
    """Against the version before it that has one."""
    withdrawn: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricLine:
    """A metric over all versions, the lowest first."""

    name: str
    file: str
    key: str
    better: str | None
    """`up`, `down`, or None where that is not known."""
    versions: tuple[Measured, ...]
    problems: tuple[str, ...] = ()
    """Versions whose commit could not be read, and why."""


def metric_line(project: Project, reference: Reference, metric: str) -> MetricLine:
    """The metric called `metric`: a key (`auc`, `test.auc`), the last part of one, or `FILE:KEY`.

    Raises `NotFound` when no version has it, `BadInput` when several metrics could be meant.
    """
    model = project.model_of(reference.name)
    model.read_tags(model.release_ref(version).oid for version in model.versions)
    problems: list[str] = []
    found = list(_read(project, model, problems))
    if not found:
        raise NotFound(f"{model.name} has no version yet", hint=f"modelver release {model.name}")
    known = list(dict.fromkeys((file, key) for _, values in found for file, keys in values.items() for key in keys))
    matching = _matching(known, metric, model.name)
    if len(matching) > 1:
        own = _own_files(project, model, {file for file, _ in matching})
        matching = [pair for pair in matching if pair[0] in own]
    if len(matching) != 1:
        words = ", ".join(f"{file}:{key}" for file, key in matching[:5])
        raise BadInput(f"{metric} could be {words}", hint="name one of them as FILE:KEY")
    file, key = matching[0]
    return MetricLine(
        name=model.name,
        file=file,
        key=key,
        better=direction(key, project.config.metrics, file=file),
        versions=tuple(_measured(project, model, [(v, values.get(file, {}).get(key)) for v, values in found])),
        problems=tuple(problems),
    )


def _read(project: Project, model: Model, problems: list[str]) -> Iterator[tuple[Version, Values]]:
    versions = model.versions
    with Bytes(project) as at_hand:
        reader = NumbersReader(project, model.name, at_hand)
        for start in range(0, len(versions), AT_ONCE):
            some = [(version, model.release_ref(version).target or "") for version in versions[start : start + AT_ONCE]]
            reader.read_ahead([commit for _, commit in some])
            for version, commit in some:
                yield version, reader.read(commit, f"{model.name}@{version}").metrics
        reader.remember()
    problems += reader.problems


def _matching(known: Sequence[tuple[str, str]], metric: str, name: str) -> list[tuple[str, str]]:
    """The (file, key) pairs that `metric` may mean: named in full, else by the last part of the key."""
    found = [(file, key) for file, key in known if metric in (f"{file}:{key}", key)]
    found = found or [(file, key) for file, key in known if key.endswith(f".{metric}") or (not key and metric in file)]
    if found:
        return found
    keys = sorted({key or file for file, key in known})
    raise NotFound(
        f"no version of {name} has a metric {metric}",
        hint=near(metric, keys) or (f"there are: {', '.join(keys[:10])}" if keys else f"modelver show {name}"),
    )


def _own_files(project: Project, model: Model, files: Collection[str]) -> Collection[str]:
    """Those of `files` that the model's own pipeline stages wrote, as its latest version has them; all where none."""
    from dvc_modelver.dvcio.locate import Commit
    from dvc_modelver.dvcio.project import declared_one
    from dvc_modelver.dvcio.recipe import own_metrics, recipe_of

    try:
        tree = project.tree(model.release_ref(model.versions[-1]).target or "")
        declared = declared_one(tree, model.name)
        if declared is None:
            return files
        commit = Commit(tree)
        return own_metrics(commit, declared, {file: {} for file in files}, recipe_of(commit, declared))
    except ModelverError:
        return files


def _measured(project: Project, model: Model, values: Sequence[tuple[Version, Scalar]]) -> Iterator[Measured]:
    before: float | None = None
    for version, value in values:
        ref = model.release_ref(version)
        tag = project.objects.tags([ref.oid]).get(ref.oid)
        number = as_number(value)
        yield Measured(
            version=version,
            at=tag.at if tag is not None else EPOCH,
            commit=ref.target or "",
            value=value,
            delta=number - before if number is not None and before is not None else None,
            withdrawn=model.is_withdrawn(version),
        )
        before = number if number is not None else before


def write_svg(line: MetricLine, target: Path) -> None:
    """Draw the numbers of `line`.  Raises `BadInput` when there are none, or the file cannot be written."""
    from dvc_modelver.cards.plots import render_plot
    from dvc_modelver.commands.comparison.outputs import write_output
    from dvc_modelver.core.plots import PlotData, PlotKind, Series

    numbers = ((float(n), as_number(m.value)) for n, m in enumerate(line.versions, 1))
    points = tuple((n, number) for n, number in numbers if number is not None and math.isfinite(number))
    if not points:
        raise BadInput(f"{line.key} of {line.name} has no number to draw", hint="name another metric")
    first, last = line.versions[0].version, line.versions[-1].version
    plot = PlotData(
        kind=PlotKind.LINE,
        title=f"{line.key or line.file} of {line.name}",
        x_label=f"versions, {first} to {last}",
        y_label=line.key or line.file,
        series=(Series(name=line.key or line.file, points=points),),
    )
    write_output(target, render_plot(plot))


def bars(line: MetricLine, width: int = 20) -> Mapping[Version, str]:
    """A bar for each version, from nothing for the least to `width` characters for the most."""
    known = ((m.version, as_number(m.value)) for m in line.versions)
    numbers = {version: number for version, number in known if number is not None and math.isfinite(number)}
    finite = list(numbers.values())
    low, span = (min(finite), max(finite) - min(finite)) if finite else (0.0, 0.0)
    share = {v: (value - low) / span if span else 1.0 for v, value in numbers.items()}
    return {v: "█" * max(1, round(part * width)) for v, part in share.items()}
