"""Compare what several points of history say of a model: rows parallel to the points, deltas against the first.  Pure.

A point is a version, a commit or the work tree.  An absent value is None in a row; whether a row differs is decided
before that, so that a value that is null and one that is not there are two things.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from dvc_modelver.core.bumps import DEFAULT, BumpPolicy, Suggestion, suggest
from dvc_modelver.core.facts import Scalar, Values
from dvc_modelver.core.metrics import direction, is_number, same
from dvc_modelver.core.points import Bytes, Facts, Point, escaped

if TYPE_CHECKING:
    from dvc_modelver.core.descriptions import Feature, Signature
    from dvc_modelver.core.significance import Interval, PredictionsRow
    from dvc_modelver.core.tables import TableChange, TableProfile


class Change(str, Enum):
    """What became of a file or pipeline stage, from the first point to the last."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    """Also when the last is as the first, and one between is not."""
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRow:
    """One metric at every point."""

    file: str
    key: str
    """Dotted; a dot inside a key is written `\\.`."""
    values: tuple[Scalar, ...]
    deltas: tuple[float | None, ...]
    """Against the first; None for the first itself, and where one of the two is no number."""
    better: str | None
    """`up`, `down`, or None where that is not known."""
    changed: bool
    intervals: tuple[Interval | None, ...] = ()
    """Of the deltas, parallel to them, where per-sample predictions say so; else empty."""

    def relative(self, at: int) -> float | None:
        """The delta as a share of the first value; None where that says nothing."""
        base, delta = self.values[0], self.deltas[at]
        if delta is None or not is_number(base) or not base:
            return None
        try:
            share = delta / abs(base)
        except OverflowError:
            return None
        return share if math.isfinite(share) else None

    def verdict(self, at: int) -> str | None:
        """`better`, `worse`, or None where nobody can say or nothing moved."""
        delta = self.deltas[at]
        if self.better is None or not delta or delta != delta:
            return None
        return "better" if (delta > 0) == (self.better == "up") else "worse"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParamRow:
    """One param at every point."""

    file: str
    key: str
    values: tuple[Scalar, ...]
    changed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DataRow:
    """One file or directory of data at every point."""

    path: str
    values: tuple[Bytes | None, ...]
    change: Change
    tables: tuple[TableProfile | None, ...] = ()
    """Parallel to `values`, where it is a table that changed and its bytes are at hand; else empty."""
    changes: tuple[tuple[TableChange, ...], ...] = ()
    """What differs from the first inside a table or directory, parallel to `values`; else empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """How much of a text differs from the first point."""

    added: int
    removed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRow:
    """One source of the pipeline (its digests), or one pipeline stage (its commands), at every point."""

    path: str
    """Of a pipeline stage: its name."""
    values: tuple[str | None, ...]
    change: Change
    lines: tuple[Lines | None, ...] = ()
    """Parallel to `values`; None for the first point and where Git cannot count them.  Empty when nothing differs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FactRow:
    """One fact of the environment or the artifact at every point."""

    key: str
    values: tuple[Scalar, ...]
    changed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Several points side by side."""

    points: tuple[Point, ...]
    metrics: tuple[MetricRow, ...]
    params: tuple[ParamRow, ...]
    data: tuple[DataRow, ...]
    code: tuple[SourceRow, ...]
    pipeline: tuple[SourceRow, ...]
    environment: tuple[FactRow, ...]
    artifact: tuple[FactRow, ...]
    """Where the bytes are and what they are; keys that begin `signature.` say what the model takes and gives."""
    bump: Suggestion
    """From the first point to the last."""
    other_files: tuple[int | None, ...] = ()
    """Files that differ from the first point and stand in no row; None where one of the two is no commit."""
    other_lines: tuple[Lines | None, ...] = ()
    """Of those files, where they can be counted."""
    predictions: tuple[PredictionsRow, ...] = ()
    notes: tuple[str, ...] = ()
    """What could not be read or is not at hand, a sentence each."""

    @property
    def base(self) -> Point:
        return self.points[0]

    def only_changed(self) -> Comparison:
        """The same without the rows in which all values are equal."""
        return Comparison(
            points=self.points,
            metrics=tuple(row for row in self.metrics if row.changed),
            params=tuple(row for row in self.params if row.changed),
            data=tuple(row for row in self.data if row.change is not Change.UNCHANGED),
            code=tuple(row for row in self.code if row.change is not Change.UNCHANGED),
            pipeline=tuple(row for row in self.pipeline if row.change is not Change.UNCHANGED),
            environment=tuple(row for row in self.environment if row.changed),
            artifact=tuple(row for row in self.artifact if row.changed),
            bump=self.bump,
            other_files=self.other_files,
            other_lines=self.other_lines,
            predictions=self.predictions,
            notes=self.notes,
        )


def compare(
    points: Sequence[Point],
    directions: Mapping[str, str],
    *,
    policy: BumpPolicy = DEFAULT,
    notes: Iterable[str] = (),
) -> Comparison:
    """The rows of all points, against the first.

    Args:
        points: at least one.
        directions: the configuration's `metrics`: metric -> `up` or `down`.
        policy: the configuration's `bump`.
    """
    facts = [point.facts for point in points]
    return Comparison(
        points=tuple(points),
        metrics=tuple(_metrics([fact.metrics for fact in facts], directions)),
        params=tuple(_params([fact.params for fact in facts])),
        data=tuple(_data([fact.data for fact in facts])),
        code=tuple(_sources([fact.code for fact in facts])),
        pipeline=tuple(_sources([fact.stages for fact in facts])),
        environment=tuple(_facts([fact.environment or {} for fact in facts])),
        artifact=tuple(_facts([_artifact(fact) for fact in facts])),
        bump=_bump(points[0], points[-1], policy),
        notes=tuple(notes),
    )


def _bump(first: Point, last: Point, policy: BumpPolicy) -> Suggestion:
    if first.name != last.name:
        return Suggestion(level=None, reasons=(f"{first.name} and {last.name} are two models",))
    return suggest(first.facts, last.facts, policy)


# Rows -----------------------------------------------------------------------------------------------------------


def _metrics(sides: Sequence[Values], directions: Mapping[str, str]) -> Iterator[MetricRow]:
    for file, key, cells, changed in _values(sides):
        yield MetricRow(
            file=file,
            key=key,
            values=cells,
            deltas=(None, *(delta(cells[0], cell) for cell in cells[1:])),
            better=direction(key, directions, file=file),
            changed=changed,
        )


def _params(sides: Sequence[Values]) -> Iterator[ParamRow]:
    for file, key, cells, changed in _values(sides):
        yield ParamRow(file=file, key=key, values=cells, changed=changed)


def _values(sides: Sequence[Values]) -> Iterator[tuple[str, str, tuple[Scalar, ...], bool]]:
    """(file, key, values, whether they differ): files sorted, keys in the order in which the files have them."""
    for file in sorted({file for side in sides for file in side}):
        inner = [side.get(file, {}) for side in sides]
        for key in dict.fromkeys(key for values in inner for key in values):
            yield file, key, *_row(inner, key)


def _row(sides: Sequence[Mapping[str, Scalar]], key: str) -> tuple[tuple[Scalar, ...], bool]:
    cells = tuple(side.get(key) for side in sides)
    there = key in sides[0]
    changed = any((key in side) != there or not same(cell, cells[0]) for side, cell in zip(sides, cells, strict=True))
    return cells, changed


def delta(old: Scalar, new: Scalar) -> float | None:
    """`new - old` when both are numbers, else None; None too where an integer is more than a float can hold."""
    if not is_number(old) or not is_number(new):
        return None
    try:
        return new - old
    except OverflowError:
        return None


def _data(sides: Sequence[Mapping[str, Bytes]]) -> Iterator[DataRow]:
    for path in sorted({path for side in sides for path in side}):
        cells = tuple(side.get(path) for side in sides)
        yield DataRow(path=path, values=cells, change=_change([cell and (cell.digest,) for cell in cells]))


def _sources(sides: Sequence[Mapping[str, str | None]]) -> Iterator[SourceRow]:
    for path in dict.fromkeys(path for side in sides for path in side):
        there = [(side[path],) if path in side else None for side in sides]
        yield SourceRow(path=path, values=tuple(cell[0] if cell else None for cell in there), change=_change(there))


def _change(cells: Sequence[object | None]) -> Change:
    """From what each point has; None where it has none."""
    if all(cell == cells[0] for cell in cells):
        return Change.UNCHANGED
    if cells[0] is None and cells[-1] is not None:
        return Change.ADDED
    return Change.REMOVED if cells[-1] is None and cells[0] is not None else Change.CHANGED


def _facts(sides: Sequence[Mapping[str, Scalar]]) -> Iterator[FactRow]:
    for key in dict.fromkeys(key for side in sides for key in side):
        cells, changed = _row(sides, key)
        yield FactRow(key=key, values=cells, changed=changed)


def _artifact(facts: Facts) -> dict[str, Scalar]:
    found = facts.artifact
    if found is None:
        return {}
    digest = found.digest or (f"sha256:{found.lfs}" if found.lfs else None)
    rows: dict[str, Scalar] = {
        "path": found.path,
        "type": found.type,
        "task": facts.task,
        "kind": found.kind,
        "digest": digest,
        "size": found.size,
        "files": found.files,
        "origin": facts.origin,
    }
    known = {key: value for key, value in rows.items() if value is not None}
    return {**known, **_signature(facts.signature)}


def _signature(signature: Signature | None) -> dict[str, Scalar]:
    if signature is None:
        return {}
    found: dict[str, Scalar] = {}
    for kind, features in (("inputs", signature.inputs), ("outputs", signature.outputs)):
        names = _numbered([feature.name for feature in features])
        words = (_type(at, feature) for at, feature in enumerate(features))
        found.update((f"signature.{kind}.{name}", word) for name, word in zip(names, words, strict=True))
    classes = enumerate(_numbered(signature.classes))
    return {**found, **{f"signature.classes.{name}": f"{at + 1}" for at, name in classes}}


def _numbered(names: Sequence[str]) -> Iterator[str]:
    """As keys; of several that are the same, each behind the first has its number."""
    seen: Counter[str] = Counter()
    for name in names:
        seen[name] += 1
        yield f"{escaped(name)}{f'#{seen[name]}' if seen[name] > 1 else ''}"


def _type(at: int, feature: Feature) -> str:
    """Its place counts: many a model takes its inputs by place."""
    shape = "" if feature.shape is None else f"({', '.join(map(str, feature.shape))})"
    return " ".join(word for word in (f"{at + 1}:", feature.type or "", shape) if word).removesuffix(":")
