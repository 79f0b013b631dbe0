"""What changed where a metric went wrong: the recipe of the commit before, and that of the culprit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dvc_modelver.commands.bisection.commits import MODEL, RECIPE, Known, Reader, Reading
from dvc_modelver.commands.comparison.compare import compare_points
from dvc_modelver.commands.project import Project
from dvc_modelver.core.comparison import Change, Comparison, compare
from dvc_modelver.core.metrics import label
from dvc_modelver.dvcio.locate import Commit
from dvc_modelver.dvcio.recipe import recipe_of
from dvc_modelver.errors import ModelverError

_KINDS = ("data", "code", "params", "environment", "pipeline")

_Names = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """What changed at the culprit."""

    kind: str
    """`data`, `code`, `params`, `environment` or `pipeline`."""
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A commit, what its files say, and where its value is from."""

    commit: str
    reading: Reading
    known: Known


def causes(project: Project, reader: Reader, model: str, before: Side, after: Side) -> tuple[list[Cause], list[str]]:
    """(what differs between two commits, one for each kind that does; notes on what could not be told).

    Args:
        model: one of its versions (`churn@v1.0.0`): a commit alone does not say which model is meant.
    """
    notes: list[str] = []
    found: dict[str, _Names] = dict.fromkeys(_KINDS, ())
    sources = [side.known.source for side in (before, after) if side.known.source is not None]
    recorded = len(sources) == 2
    comparison = _compared(project, [*(sources if recorded else (before.commit, after.commit)), model], notes)
    ran = comparison is not None and recorded and all(point.facts.stages for point in comparison.points)
    if not ran:
        found.update(_files(before.reading, after.reading))
        if all(part.kind == MODEL for part in after.reading.recipe):
            notes.append("no pipeline is recorded there: history does not say what made the metric")
    if comparison is not None:
        found["environment"] = tuple(_environment(comparison))
        if any(point.facts.stages for point in comparison.points):
            found["params"] = tuple(_params(comparison))
        if ran:
            found.update(_ran(project, reader, comparison))
    return [Cause(kind=kind, names=found[kind]) for kind in _KINDS if found[kind]], notes


def _compared(project: Project, references: Sequence[str], notes: list[str]) -> Comparison | None:
    """The first two of three points."""
    try:
        return compare(compare_points(project, references).points[:2], project.config.metrics)
    except ModelverError as error:
        notes.append(f"what changed is told from files alone: {error.message}")
        return None


def _ran(project: Project, reader: Reader, comparison: Comparison) -> Iterator[tuple[str, _Names]]:
    """What the pipeline stages ran with, as `dvc.lock` says it."""
    made = {path for point in comparison.points for path in _made(project, reader, point.commit or "")}
    yield "data", tuple(r.path for r in comparison.data if r.change is not Change.UNCHANGED and r.path not in made)
    yield "code", tuple(row.path for row in comparison.code if row.change is not Change.UNCHANGED)
    yield "pipeline", tuple(row.path for row in comparison.pipeline if row.change is not Change.UNCHANGED)


def _made(project: Project, reader: Reader, commit: str) -> Iterator[str]:
    """What the pipeline stages of a commit write: it follows from the rest."""
    tree = project.tree(commit)
    declared = reader.declared(tree)
    recipe = recipe_of(Commit(tree), declared) if declared is not None else None
    for step in (*recipe.steps, *recipe.evaluation) if recipe is not None else ():
        yield from (out.path for out in step.outs)


def _params(comparison: Comparison) -> Iterator[str]:
    """Those that the pipeline stages use."""
    own = [point.facts.own_params for point in comparison.points]
    used = {(file, key) for values in own for file in values for key in values[file]}
    for row in comparison.params:
        if row.changed and (row.file, row.key) in used:
            yield f"{row.file}:{label(row.key)}" if row.key else row.file


def _environment(comparison: Comparison) -> Iterator[str]:
    for row in comparison.environment:
        if row.changed and row.key == "sha256":
            yield str((comparison.points[-1].facts.environment or {}).get("file", row.key))
        elif row.changed and row.key != "recorded":
            yield label(row.key)


def _files(before: Reading, now: Reading) -> Iterator[tuple[str, _Names]]:
    """What differs in the files that go into a training."""
    changed = before.recipe ^ now.recipe
    for kind, words in RECIPE.items():
        yield words, tuple(sorted({part.path for part in changed if part.kind == kind}))
