"""Whether the differences of a comparison are more than chance, where its points have per-sample predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from dvc_modelver.core.comparison import Comparison, MetricRow
from dvc_modelver.core.metrics import is_number
from dvc_modelver.core.significance import Judged, PredictionsRow

if TYPE_CHECKING:
    from dvc_modelver.commands.comparison.facts import FactsReader
    from dvc_modelver.commands.comparison.predictions import Found

_LARGEST = 1e300
_MAX_POINTS = 8
"""Of more points nothing is judged: each takes a second."""


def with_predictions(reader: FactsReader, found: Comparison) -> Comparison:
    """The comparison with the intervals and tests that predictions give, each point against the first.

    Raises `BadInput` when a file of a point is broken.
    """
    some = [at for at, point in enumerate(found.points) if point.facts.predicts]
    if len(found.points) > _MAX_POINTS or 0 not in some or len(some) < 2:
        return found
    read = {at: _read(reader, found, at) for at in some}
    notes = [f"{found.points[at].ref}: {note}" for at, one in read.items() for note in one.notes]
    paths = sorted(path for path in read[0].predictions if any(path in read[at].predictions for at in some[1:]))
    rows = tuple(_row(found, read, path) for path in paths)
    return replace(
        found,
        metrics=tuple(_with_intervals(row, rows) for row in found.metrics),
        predictions=rows,
        notes=(*found.notes, *notes),
    )


def _read(reader: FactsReader, found: Comparison, at: int) -> Found:
    from dvc_modelver.commands.comparison.predictions import Found, predictions_of

    source = reader.source(reader.places[at], found.points[at].name)
    return predictions_of(source, reader.at_hand, source.tree) if source is not None else Found()


def _row(found: Comparison, read: Mapping[int, Found], path: str) -> PredictionsRow:
    from dvc_modelver.commands.comparison.significance import judge

    values: list[Judged | None] = [None]
    for at in range(1, len(found.points)):
        after = read[at].predictions.get(path) if at in read else None
        metrics = [pair for row in found.metrics if (pair := _pair(row, at)) is not None]
        values.append(judge(read[0].predictions[path], after, metrics) if after is not None else None)
    return PredictionsRow(path=path, values=tuple(values))


def _pair(row: MetricRow, at: int) -> tuple[str, str, float, float] | None:
    """(file, key, value at the first, value at the other), where both are numbers that a float can hold."""
    old, new = row.values[0], row.values[at]
    if not is_number(old) or not is_number(new) or max(abs(old), abs(new)) > _LARGEST:
        return None
    return row.file, row.key, float(old), float(new)


def _with_intervals(row: MetricRow, judged: Sequence[PredictionsRow]) -> MetricRow:
    """The first file of predictions that gives the metric counts."""
    intervals = tuple(
        next((one.intervals[key] for file in judged if (one := file.values[at]) and key in one.intervals), None)
        for at, key in enumerate([(row.file, row.key)] * len(row.values))
    )
    return replace(row, intervals=intervals) if any(intervals) else row
