"""What the page of a comparison shows beside its rows: all versions, DVC's plots, lineages.  Reads, fetches nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from dvc_modelver.commands.bytes_at_hand import Bytes
from dvc_modelver.commands.comparison.plots import read_plots
from dvc_modelver.commands.comparison.versionnumbers import AT_ONCE, NumbersReader
from dvc_modelver.commands.project import Project
from dvc_modelver.commands.provenance.lineage import lineage
from dvc_modelver.core.comparison import Comparison
from dvc_modelver.core.facts import Scalar, Values
from dvc_modelver.core.lineage import Lineage
from dvc_modelver.core.metrics import direction, label
from dvc_modelver.core.points import Point
from dvc_modelver.core.references import Reference
from dvc_modelver.core.registry import Model
from dvc_modelver.core.report import Report, ReportVersion
from dvc_modelver.core.secrets import HIDDEN, redact_value
from dvc_modelver.core.tagobjects import EPOCH
from dvc_modelver.core.versions import Version
from dvc_modelver.errors import ModelverError

MAX_VERSIONS = 1_000
MAX_LINEAGES = 6
_MAX_PROBLEMS = 5
_BITS = 14_000
"""Python writes no larger integer as text."""

Pair = tuple[str, str]
"""(file, key)."""


def read_report(project: Project, found: Comparison) -> Report:
    """All that the page shows: `found`, the versions of its first point's model, plots and lineages of its points.

    What cannot be read, and what is not at hand, becomes a sentence in `notes`.
    """
    notes: list[str] = []
    model = project.model_of(found.base.name)
    read = _read_versions(project, model, notes)
    metrics = labels(pair for _, values, _ in read for pair in _pairs(values))
    params = labels(pair for _, _, values in read for pair in _pairs(values))
    stages = _stages(model)
    lineages = tuple(_lineages(project, found.points, notes))
    plots, left = read_plots(project, found.points)
    return Report(
        comparison=found,
        better=dict(_directions(project, metrics or labels((row.file, row.key) for row in found.metrics))),
        versions=tuple(
            replace(
                _released(model, version, stages.get(version, ())),
                metrics=dict(_labelled(measured, metrics)),
                params=dict(_labelled(made_with, params)),
            )
            for version, measured, made_with in read
        ),
        plots=plots,
        lineages=lineages,
        notes=(*notes, *left),
    )


# Versions -------------------------------------------------------------------------------------------------------

_Read = tuple[Version, Values, Values]
"""(version, its metrics, the params that it was made with)."""


def _read_versions(project: Project, model: Model, notes: list[str]) -> list[_Read]:
    """The lowest first; the newest `MAX_VERSIONS` where there are more."""
    versions = model.versions[-MAX_VERSIONS:]
    if len(versions) < len(model.versions):
        notes.append(f"the newest {MAX_VERSIONS:,} of {len(model.versions):,} versions are shown")
    model.read_tags(model.release_ref(version).oid for version in versions)
    with Bytes(project) as at_hand:
        reader = NumbersReader(project, model.name, at_hand)
        found = list(_values(project, model, versions, reader))
        reader.remember()
    notes += reader.problems[:_MAX_PROBLEMS]
    more = len(reader.problems) - _MAX_PROBLEMS
    notes += [f"{more:,} more versions lack some of their numbers"] if more > 0 else []
    return found


def _values(project: Project, model: Model, versions: Sequence[Version], reader: NumbersReader) -> Iterator[_Read]:
    commits = [model.release_ref(version).target or "" for version in versions]
    for at, (version, commit) in enumerate(zip(versions, commits, strict=True)):
        if at % AT_ONCE == 0:
            reader.read_ahead(commits[at : at + AT_ONCE])
        numbers = reader.read(commit, f"{model.name}@{version}")
        project.around.progress(at + 1, len(versions), f"{model.name}@{version}")
        yield version, numbers.metrics, numbers.params


def _stages(model: Model) -> dict[Version, tuple[str, ...]]:
    found: dict[Version, tuple[str, ...]] = {}
    for stage, event in model.stages().items():
        if event.version is not None:
            found[event.version] = (*found.get(event.version, ()), stage)
    return found


def _released(model: Model, version: Version, stages: tuple[str, ...]) -> ReportVersion:
    ref = model.release_ref(version)
    tag = model.tag(ref)
    return ReportVersion(
        version=version,
        at=tag.at if tag is not None else EPOCH,
        commit=ref.target or "",
        withdrawn=model.is_withdrawn(version),
        stages=stages,
    )


# Labels ---------------------------------------------------------------------------------------------------------


def labels(pairs: Iterable[Pair]) -> dict[Pair, str]:
    """A name for each (file, key), different for different ones: with the file where several files have the key."""
    known = list(dict.fromkeys(pairs))
    short = Counter(label(key) for _, key in known if key)
    long = Counter(label(key, file) for file, key in known)

    def name(file: str, key: str) -> str:
        if key and short[label(key)] == 1:
            return label(key)
        return label(key, file) if long[label(key, file)] == 1 else f"{file}:{key}"

    return {(file, key): name(file, key) for file, key in known}


def _pairs(values: Values) -> Iterator[Pair]:
    return ((file, key) for file, keys in values.items() for key in keys)


def _labelled(values: Values, names: Mapping[Pair, str]) -> Iterator[tuple[str, Scalar]]:
    for file, key in _pairs(values):
        yield names[file, key], _public(key, values[file][key])


def _public(key: str, value: Scalar) -> Scalar:
    """`value`, or what hides it: the page is a file that is passed around."""
    if isinstance(value, int) and value.bit_length() > _BITS:
        return value
    hidden = redact_value(key, value)
    return hidden if hidden == HIDDEN or isinstance(value, str) else value


def _directions(project: Project, names: Mapping[Pair, str]) -> Iterator[tuple[str, str]]:
    for (file, key), name in names.items():
        better = direction(key, project.config.metrics, file=file)
        if better is not None:
            yield name, better


# Lineages -------------------------------------------------------------------------------------------------------


def _lineages(project: Project, points: Sequence[Point], notes: list[str]) -> Iterator[Lineage | None]:
    known: dict[tuple[str, Version], Lineage | None] = {}
    more = 0
    for point in points:
        if point.version is None:
            yield None
            continue
        key = point.name, point.version
        if key not in known and len(known) < MAX_LINEAGES:
            known[key] = _lineage(project, Reference(name=point.name, version=point.version), notes)
        more += key not in known
        yield known.get(key)
    if more:
        notes.append(f"the lineages of {more:,} more versions are left out")


def _lineage(project: Project, reference: Reference, notes: list[str]) -> Lineage | None:
    try:
        return lineage(project, reference)
    except ModelverError as error:
        notes.append(f"the lineage of {reference} cannot be read: {error.message}")
        return None
