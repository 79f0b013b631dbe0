"""Which changes of metrics may be chance, where both sides have per-sample predictions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dvc_modelver.core.facts import Values
from dvc_modelver.core.metrics import is_number
from dvc_modelver.core.predictions import Predictions
from dvc_modelver.core.significance import Interval

_LARGEST = 1e300


def intervals(
    measured: Values, after: Mapping[str, Predictions], reference: Values, before: Mapping[str, Predictions]
) -> dict[tuple[str, str], Interval]:
    """(file, key) -> where its difference lies, of metrics that the predictions of both sides reproduce.

    The first file of predictions that gives a metric counts.  Takes a second or so for each file.
    """
    from dvc_modelver.commands.comparison.significance import judge

    pairs = list(_pairs(measured, reference))
    found: dict[tuple[str, str], Interval] = {}
    for path in sorted({*after} & {*before}):
        for pair, interval in judge(before[path], after[path], pairs).intervals.items():
            found.setdefault(pair, interval)
    return found


def _pairs(measured: Values, reference: Values) -> Iterator[tuple[str, str, float, float]]:
    for file, keys in measured.items():
        for key, value in keys.items():
            old = reference.get(file, {}).get(key)
            if is_number(old) and is_number(value) and max(abs(old), abs(value)) <= _LARGEST:
                yield file, key, float(old), float(value)
