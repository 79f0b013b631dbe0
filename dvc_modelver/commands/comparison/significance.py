"""Whether metrics of two points differ by more than chance, from what both predicted of each sample."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from dvc_modelver.commands.comparison.resampling import (
    OF_CLASSES,
    OF_SCORES,
    Bounds,
    Formula,
    Side,
    Weighted,
    paired_bounds,
    single_bounds,
)
from dvc_modelver.core.predictions import Measure, Pairing, Predictions, measure_of, pair
from dvc_modelver.core.significance import Interval, Judged, PairedTest

if TYPE_CHECKING:
    from dvc_modelver.commands.comparison.resampling import Floats

Metric = tuple[str, str, float, float]
"""File, key, value before, value after."""

_FEWEST_SAMPLES = 10
_MAX_CLASSES = 100
_EXACT_BELOW = 1000
"""Discordant samples up to which McNemar's test is exact."""
_SAME = 1e-6
"""Relative: what a metric may differ from the one that the predictions give, as one written in single precision."""
_HUGE = 1e300
_POSITIVE = frozenset(("1", "true", "yes", "positive", "pos", "t", "y"))


def judge(before: Predictions, after: Predictions, metrics: Sequence[Metric]) -> Judged:
    """Intervals of the metrics that the predictions of both points reproduce, and a test where both are paired.

    Deterministic; swapping the points mirrors the answer.  Takes a second or so, also of many samples.
    """
    if before.is_numeric is not after.is_numeric:
        return Judged(samples=len(after), paired=False, note="one of the two has numbers as labels, the other texts")
    pairing = pair(before, after)
    data = _Data.of(before, after)
    few = len(pairing.after) < _FEWEST_SAMPLES or len(pairing.before) < _FEWEST_SAMPLES
    found = {} if few else dict(_reproduced(data, metrics))
    notes = [pairing.note, f"fewer than {_FEWEST_SAMPLES} samples" if few else None]
    if not data.classes and not data.numeric:
        notes.append(f"more than {_MAX_CLASSES} classes")
    elif metrics and not found and not few:
        notes.append("the predictions give none of the recorded metrics")
    return Judged(
        samples=len(after),
        paired=pairing.paired,
        intervals=dict(_intervals(data, pairing, found)),
        tests=tuple(_tests(data, pairing)) if pairing.paired else (),
        note="; ".join(note for note in notes if note) or None,
    )


# Samples as numbers -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Data:
    """Both points' rows: label, prediction and, where both have one, score."""

    before: Floats
    after: Floats
    classes: tuple[str, ...]
    """Names, in the order of their values; empty when labels and predictions are no classes."""
    values: Floats
    """Of the classes."""
    numeric: bool
    positive: int | None
    """The place of the positive one of two labels among all labels' values."""
    labels: Floats

    @classmethod
    def of(cls, before: Predictions, after: Predictions) -> _Data:
        import numpy as np

        names = () if before.is_numeric else _names(before, after)
        rows = [_rows(side, {name: place for place, name in enumerate(names)}) for side in (before, after)]
        if any(side.scores is None for side in (before, after)):
            rows = [side[:, :2] for side in rows]
        values = np.unique(np.concatenate([side[:, :2].reshape(-1) for side in rows]))
        labels = np.unique(np.concatenate([side[:, 0] for side in rows]))
        if len(values) > _MAX_CLASSES or (values != np.floor(values)).any():
            values = values[:0]
        shown = names or tuple(f"{value:.0f}" for value in values)
        texts = names or tuple(f"{value:g}" for value in labels)
        return cls(
            before=rows[0],
            after=rows[1],
            classes=shown if len(values) else (),
            values=values,
            numeric=before.is_numeric,
            positive=_positive([texts[int(v)] for v in labels] if names else texts) if len(labels) == 2 else None,
            labels=labels,
        )

    def side(self, rows: Floats) -> Side:
        """One side's rows with what both share."""
        import numpy as np

        positive = None if self.positive is None else float(self.labels[self.positive])
        if rows.shape[1] == 2 and not self.numeric and positive is not None:
            rows = np.column_stack([rows, rows[:, 1] == positive])
        return Side(rows, self.values, positive)


def _names(before: Predictions, after: Predictions) -> tuple[str, ...]:
    columns = (before.labels, before.predictions, after.labels, after.predictions)
    return tuple(sorted({str(value) for column in columns for value in column}))


def _rows(side: Predictions, places: dict[str, int]) -> Floats:
    import numpy as np

    columns = [side.labels, side.predictions]
    numbers = [[places[str(value)] for value in column] for column in columns] if places else columns
    scores = [side.scores] if side.scores is not None else []
    return np.column_stack([np.asarray(column, dtype=float) for column in (*numbers, *scores)])


def _positive(names: Sequence[str]) -> int:
    """The one of two labels that is positive by its name, else the larger."""
    said = [place for place, name in enumerate(names) if name.lower() in _POSITIVE]
    return said[0] if len(said) == 1 else len(names) - 1


# Which metrics are of these samples -------------------------------------------------------------------------------


def _reproduced(data: _Data, metrics: Sequence[Metric]) -> Iterator[tuple[tuple[str, str], Formula]]:
    """The formula that gives the recorded values of a metric at both points from the predictions."""
    sides = _plain(data.side(data.before)), _plain(data.side(data.after))
    for file, key, was, is_ in metrics:
        measure = measure_of(key, file=file)
        for formula in _formulas(measure, data) if measure is not None else ():
            if _agree((was, is_), (float(formula.of(sides[0])[0]), float(formula.of(sides[1])[0]))):
                yield (file, key), formula
                break


def _plain(side: Side) -> Weighted:
    """Every sample once."""
    import numpy as np

    return Weighted(side, np.ones((1, len(side.label))))


def _formulas(measure: Measure, data: _Data) -> Iterator[Formula]:
    """What a name may mean, the likeliest first."""
    formula = Formula(name=measure.name, sign=measure.sign)
    if measure.name in OF_SCORES:
        yield from [formula] if data.positive is not None else []
    elif measure.name not in OF_CLASSES:
        yield from [formula] if data.numeric else []
    elif measure.name not in ("precision", "recall", "f1"):
        yield from [formula] if data.classes else []
    elif data.classes:
        yield from _averaged(formula, measure, data.classes)


def _averaged(formula: Formula, measure: Measure, classes: tuple[str, ...]) -> Iterator[Formula]:
    own = [place for place, name in enumerate(classes) if name in measure.within]
    if measure.average is not None:
        yield replace(formula, average=measure.average)
    elif own:  # as in scikit-learn's report: `churned.recall`
        yield replace(formula, positive=own[0])
    else:
        if len(classes) <= 2:
            yield replace(formula, positive=_positive(classes))
        yield from (replace(formula, average=average) for average in ("macro", "weighted", "micro"))


def _agree(recorded: tuple[float, float], computed: tuple[float, float]) -> bool:
    """Whether both recorded values are the computed ones, exactly or rounded to as many decimals as are written."""
    pairs = list(zip(recorded, computed, strict=True))
    if not all(abs(value) < _HUGE for both in pairs for value in both):
        return False
    if all(math.isclose(written, value, rel_tol=_SAME, abs_tol=1e-12) for written, value in pairs):
        return True
    written = [Decimal(repr(value)).normalize().as_tuple() for value in recorded]
    if max(len(number.digits) for number in written) < 2:
        return False  # 0.9 is a rounded value of too much
    decimals = max(-int(number.exponent) for number in written)
    return all(abs(one - value) <= 0.5 * 10.0 ** -max(0, decimals) + 1e-12 for one, value in pairs)


# Intervals --------------------------------------------------------------------------------------------------------


def _intervals(
    data: _Data, pairing: Pairing, found: dict[tuple[str, str], Formula]
) -> Iterator[tuple[tuple[str, str], Interval]]:
    """Metrics that need no more than labels and predictions are resampled apart: thousands of samples are few units."""
    counted = {at: formula for at, formula in found.items() if formula.name in OF_CLASSES}
    others = {at: formula for at, formula in found.items() if formula.name not in OF_CLASSES}
    for wanted, width in ((counted, 2), (others, data.before.shape[1])):
        if not wanted:
            continue
        before, after = data.before[list(pairing.before), :width], data.after[list(pairing.after), :width]
        bounds = (paired_bounds if pairing.paired else single_bounds)(before, after, data.side, tuple(wanted.values()))
        method = _method(pairing, bounds)
        for at, ends in zip(wanted, bounds.ends, strict=True):
            if ends is not None:
                yield at, Interval(low=ends[0], high=ends[1], level=bounds.level, method=method)


def _method(pairing: Pairing, bounds: Bounds) -> str:
    if not pairing.paired:
        sizes = f"{len(pairing.before):,} and {len(pairing.after):,} samples"
        return f"bootstrap of each, {bounds.resamples:,} resamples of {sizes}"
    common = "common samples" if pairing.note else "samples"
    return f"paired bootstrap, {bounds.resamples:,} resamples of {len(pairing.after):,} {common}"


# Tests ------------------------------------------------------------------------------------------------------------


def _tests(data: _Data, pairing: Pairing) -> Iterator[PairedTest]:
    before, after = data.before[list(pairing.before)], data.after[list(pairing.after)]
    if data.classes:
        yield mcnemar(before[:, 0] == before[:, 1], after[:, 0] == after[:, 1])
    elif data.numeric:
        yield wilcoxon(abs(before[:, 1] - before[:, 0]), abs(after[:, 1] - after[:, 0]))


def mcnemar(before: Floats, after: Floats) -> PairedTest:
    """McNemar's test of two classifiers on the same samples.

    Args:
        before, after: whether each sample was right.
    """
    first, second = int((before > after).sum()), int((after > before).sum())
    detail = f"{_samples(first)} only the first had right, {second:,} only the second"
    if first + second >= _EXACT_BELOW:
        name, p_value = "McNemar, chi-square with continuity correction", _chi_square(first, second)
    else:
        name, p_value = "McNemar, exact", _binomial(first, first + second)
    return PairedTest(name=name, p_value=p_value, detail=detail)


def _binomial(count: int, total: int) -> float:
    if not total:
        return 1.0
    from scipy import stats  # type: ignore[import-untyped, unused-ignore]

    return float(stats.binomtest(count, total, 0.5).pvalue)


def _chi_square(first: int, second: int) -> float:
    from scipy import stats

    return float(stats.chi2.sf(max(0, abs(first - second) - 1) ** 2 / (first + second), 1))


def wilcoxon(before: Floats, after: Floats) -> PairedTest:
    """Wilcoxon's signed-rank test of the sizes of two models' errors on the same samples."""
    nearer, farther = int((after < before).sum()), int((after > before).sum())
    detail = f"{_samples(farther)} on which the first was nearer, {nearer:,} on which the second was"
    p_value = 1.0
    if nearer + farther:
        from scipy import stats

        p_value = float(stats.wilcoxon(before, after).pvalue)
    return PairedTest(name="Wilcoxon signed-rank, of absolute errors", p_value=p_value, detail=detail)


def _samples(count: int) -> str:
    return f"{count:,} sample{'s' if count != 1 else ''}"
