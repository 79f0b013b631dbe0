"""Metrics of weighted samples, many resamples at once, and the bootstrap made of them.

A resample is a row of weights: how often each unit was drawn.  A unit stands for all samples of the same values, so
what is drawn depends on which samples there are, and neither on their order nor on the machine.  Formulas are those
of scikit-learn, whose functions take one resample at a time: 2,000 calls take 100 times as long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Places = NDArray[np.intp]
    Units = tuple[Floats, Floats]

RESAMPLES = 2000
_FEWEST = 200
_BUDGET = 20_000_000
"""Weights drawn for one group of metrics: about a second."""
_AT_ONCE = 200_000
"""Weights looked at together: what fits into a processor's cache takes half the time."""
_SEED = 20_240_229
_LEVEL = 0.95
_DIGITS = 10
"""Significant ones of an interval's ends: the last ones differ from one processor's matrix product to another's."""


# One model's samples ----------------------------------------------------------------------------------------------


class Side:
    """What one model said, a row for each unit: label, prediction and, where there is one, score."""

    def __init__(self, rows: Floats, classes: Floats, positive: float | None) -> None:
        """
        Args:
            rows: units x 2 or 3.
            classes: the values of labels and predictions, sorted; empty when they are no classes.
            positive: the label that scores speak of; None where the labels are not two.
        """
        self.label, self.guess = rows[:, 0], rows[:, 1]
        self.score = rows[:, 2] if rows.shape[1] > 2 else None
        self.classes, self.positive = classes, positive

    @cached_property
    def truth_groups(self) -> Groups:
        return Groups.of(self._codes(self.label), len(self.classes))

    @cached_property
    def guess_groups(self) -> Groups:
        return Groups.of(self._codes(self.guess), len(self.classes))

    @cached_property
    def hits(self) -> NDArray[np.bool_]:
        found: NDArray[np.bool_] = self.label == self.guess
        return found

    @cached_property
    def is_positive(self) -> Floats:
        found: Floats = (self.label == self.positive).astype(float)
        return found

    @cached_property
    def error(self) -> Floats:
        return self.guess - self.label

    @cached_property
    def ranking(self) -> Groups:
        """Units by score, those of one score together."""
        return _ranked(self.scores)[0]

    @cached_property
    def by_error(self) -> tuple[Groups, Floats]:
        """Units by the size of their error, and the sizes."""
        return _ranked(abs(self.error))

    @cached_property
    def loss(self) -> Floats:
        """The logarithm of each unit's likelihood, negative; NaN when scores are no probabilities."""
        import numpy as np

        smallest = np.finfo(float).eps
        scores = self.probabilities.clip(smallest, 1 - smallest)
        found: Floats = np.where(self.is_positive > 0, -np.log(scores), -np.log(1 - scores))
        return found

    @cached_property
    def probabilities(self) -> Floats:
        """The scores; NaN when they are none."""
        import numpy as np

        scores = self.scores
        return scores if scores.min() >= 0 and scores.max() <= 1 else np.full_like(scores, np.nan)

    @cached_property
    def distance(self) -> Floats:
        """Of each unit's probability from the truth, squared."""
        found: Floats = (self.probabilities - self.is_positive) ** 2
        return found

    @property
    def scores(self) -> Floats:
        return self.guess if self.score is None else self.score

    def _codes(self, values: Floats) -> Places:
        import numpy as np

        return np.searchsorted(self.classes, values)


@dataclass(frozen=True, slots=True)
class Groups:
    """Units in groups that are numbered 0 to `count` - 1."""

    order: Places
    present: Places
    starts: Places
    count: int

    @classmethod
    def of(cls, codes: Places, count: int) -> Groups:
        import numpy as np

        order = np.argsort(codes, kind="stable")
        present, starts = np.unique(codes[order], return_index=True)
        return cls(order, present, starts, count)

    def sums(self, weights: Floats) -> Floats:
        """Resamples x groups, of resamples x units."""
        import numpy as np

        ordered = np.take(weights, self.order, axis=1)
        if len(self.starts) == self.count == len(self.order):  # nothing to add: scores mostly differ all
            return ordered
        found = np.zeros((len(weights), self.count))
        found[:, self.present] = np.add.reduceat(ordered, self.starts, axis=1)
        return found


def _ranked(values: Floats) -> tuple[Groups, Floats]:
    import numpy as np

    distinct, codes = np.unique(values, return_inverse=True)
    return Groups.of(codes.reshape(-1), len(distinct)), distinct


class Weighted:
    """One side under many resamples."""

    def __init__(self, side: Side, weights: Floats) -> None:
        self.side = side
        self.weights = weights
        """Resamples x units."""

    @cached_property
    def total(self) -> Floats:
        found: Floats = self.weights.sum(axis=1)
        return found

    @cached_property
    def truth(self) -> Floats:
        """Samples of each class; resamples x classes."""
        return self.side.truth_groups.sums(self.weights)

    @cached_property
    def guess(self) -> Floats:
        """Predictions of each class."""
        return self.side.guess_groups.sums(self.weights)

    @cached_property
    def hit(self) -> Floats:
        """Right predictions of each class."""
        return self.side.truth_groups.sums(self.weights * self.side.hits)

    @cached_property
    def ranked(self) -> tuple[Floats, Floats]:
        """Positives and negatives of each score, from the lowest; resamples x scores."""
        groups = self.side.ranking
        positive = groups.sums(self.weights * self.side.is_positive)
        return positive, groups.sums(self.weights) - positive

    def mean(self, values: Floats) -> Floats:
        """Of a number that each unit has."""
        return (self.weights @ values) / self.total


# Formulas ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Formula:
    """A metric as a function of one side."""

    name: str
    average: str = "binary"
    """`binary`, `macro`, `weighted` or `micro`: of `precision`, `recall` and `f1` alone."""
    positive: int = -1
    """Place of the class that `binary` means."""
    sign: int = 1

    def of(self, side: Weighted) -> Floats:
        """The metric under every resample; NaN where it is not defined."""
        import numpy as np

        with np.errstate(divide="ignore", invalid="ignore"):
            return self.sign * FORMULAS[self.name](side, self)


def _accuracy(side: Weighted, formula: Formula) -> Floats:
    found: Floats = side.hit.sum(axis=1) / side.total
    return found


def _error_rate(side: Weighted, formula: Formula) -> Floats:
    return 1 - _accuracy(side, formula)


def _balanced_accuracy(side: Weighted, formula: Formula) -> Floats:
    import numpy as np

    found: Floats = np.nanmean(side.hit / side.truth, axis=1)
    return found


def _of_classes(over: Callable[[Weighted], Floats]) -> Callable[[Weighted, Formula], Floats]:
    """Right predictions as a share of `over`, per class, averaged."""

    def measure(side: Weighted, formula: Formula) -> Floats:
        import numpy as np

        below = over(side)
        if formula.average == "micro":
            return np.asarray(side.hit.sum(axis=1) / below.sum(axis=1))
        shares = np.where(below > 0, side.hit / below, 0.0)
        if formula.average == "binary":
            return np.asarray(shares[:, formula.positive])
        # A class that a resample has nothing of has no share in the average.
        weights = side.truth if formula.average == "weighted" else ((side.truth + side.guess) > 0).astype(float)
        return np.asarray((shares * weights).sum(axis=1) / weights.sum(axis=1))

    return measure


def _mcc(side: Weighted, formula: Formula) -> Floats:
    import numpy as np

    total, hits = side.total, side.hit.sum(axis=1)
    guess, truth = (total**2 - (counts**2).sum(axis=1) for counts in (side.guess, side.truth))
    above = hits * total - (side.guess * side.truth).sum(axis=1)
    return np.where(guess * truth > 0, above / np.sqrt(guess * truth), 0.0)


def _kappa(side: Weighted, formula: Formula) -> Floats:
    chance = (side.guess * side.truth).sum(axis=1) / side.total**2
    found: Floats = 1 - (1 - _accuracy(side, formula)) / (1 - chance)
    return found


def _roc_auc(side: Weighted, formula: Formula) -> Floats:
    positive, negative = side.ranked
    below = negative.cumsum(axis=1) - negative / 2
    found: Floats = (positive * below).sum(axis=1) / (positive.sum(axis=1) * negative.sum(axis=1))
    return found


def _average_precision(side: Weighted, formula: Formula) -> Floats:
    import numpy as np

    positive, negative = (counts[:, ::-1] for counts in side.ranked)
    right = positive.cumsum(axis=1)
    drawn = right + negative.cumsum(axis=1)
    precision = np.where(drawn > 0, right / drawn, 0.0)
    return np.asarray((positive * precision).sum(axis=1) / right[:, -1])


def _log_loss(side: Weighted, formula: Formula) -> Floats:
    return side.mean(side.side.loss)


def _brier(side: Weighted, formula: Formula) -> Floats:
    return side.mean(side.side.distance)


def _mae(side: Weighted, formula: Formula) -> Floats:
    return side.mean(abs(side.side.error))


def _mse(side: Weighted, formula: Formula) -> Floats:
    return side.mean(side.side.error**2)


def _rmse(side: Weighted, formula: Formula) -> Floats:
    found: Floats = _mse(side, formula) ** 0.5
    return found


def _r2(side: Weighted, formula: Formula) -> Floats:
    label = side.side.label - side.side.label.mean()
    spread = side.mean(label**2) - side.mean(label) ** 2
    found: Floats = 1 - _mse(side, formula) / spread
    return found


def _mape(side: Weighted, formula: Formula) -> Floats:
    import numpy as np

    return side.mean(abs(side.side.error) / np.maximum(abs(side.side.label), np.finfo(float).eps))


def _median_absolute_error(side: Weighted, formula: Formula) -> Floats:
    import numpy as np

    groups, size = side.side.by_error
    below = groups.sums(side.weights).cumsum(axis=1)
    middles = [
        [np.searchsorted(row, (total - back) // 2, side="right") for row, total in zip(below, side.total, strict=True)]
        for back in (1, 0)
    ]
    found: Floats = (size[middles[0]] + size[middles[1]]) / 2
    return found


FORMULAS: Mapping[str, Callable[[Weighted, Formula], Floats]] = {
    "accuracy": _accuracy,
    "error_rate": _error_rate,
    "balanced_accuracy": _balanced_accuracy,
    "precision": _of_classes(lambda side: side.guess),
    "recall": _of_classes(lambda side: side.truth),
    "f1": _of_classes(lambda side: (side.guess + side.truth) / 2),
    "mcc": _mcc,
    "kappa": _kappa,
    "roc_auc": _roc_auc,
    "average_precision": _average_precision,
    "log_loss": _log_loss,
    "brier": _brier,
    "mae": _mae,
    "mse": _mse,
    "rmse": _rmse,
    "r2": _r2,
    "mape": _mape,
    "median_absolute_error": _median_absolute_error,
}
OF_CLASSES = frozenset(("accuracy", "error_rate", "balanced_accuracy", "precision", "recall", "f1", "mcc", "kappa"))
"""These need how often each prediction met each label, and no more."""
OF_SCORES = frozenset(("roc_auc", "average_precision", "log_loss", "brier"))


# The bootstrap ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Where differences (second minus first) lie, in the order of the formulas asked for."""

    ends: tuple[tuple[float, float] | None, ...]
    """None where the metric is not defined in more than a twentieth of the resamples."""
    resamples: int
    level: float = _LEVEL


MakeSide = Callable[["Floats"], Side]


def paired_bounds(before: Floats, after: Floats, make: MakeSide, formulas: tuple[Formula, ...]) -> Bounds:
    """Both sides' rows belong to the same samples, which are drawn together.  Percentile bootstrap."""
    import numpy as np

    width = before.shape[1]
    joint, mirrored = _units(np.hstack([before, after])), _units(np.hstack([after, before]))
    way = _way(joint, mirrored)
    rows, counts = mirrored if way < 0 else joint
    sides = make(rows[:, :width]), make(rows[:, width:])
    resamples = _resamples(counts)
    chunks = ((weights, weights) for weights in _weights(counts, resamples, _SEED))
    return _bounds(sides, chunks, formulas, resamples, way)


def single_bounds(before: Floats, after: Floats, make: MakeSide, formulas: tuple[Formula, ...]) -> Bounds:
    """The samples of the two sides have nothing to do with each other, and are drawn apart."""
    units = _units(before), _units(after)
    way = _way(*units)
    first, second = reversed(units) if way < 0 else units
    resamples = min(_resamples(first[1]), _resamples(second[1]))
    longest = max(len(first[1]), len(second[1]))
    chunks = zip(
        _weights(first[1], resamples, _SEED, longest), _weights(second[1], resamples, _SEED + 1, longest), strict=True
    )
    return _bounds((make(first[0]), make(second[0])), chunks, formulas, resamples, way)


def _way(units: Units, swapped: Units) -> int:
    """1, or -1 to draw for swapped sides: swapping them must mirror the answer; 0 when that is the same."""
    one, other = (rows.tobytes() + counts.tobytes() for rows, counts in (units, swapped))
    return (one < other) - (other < one)


def _bounds(
    sides: tuple[Side, Side],
    chunks: Iterator[tuple[Floats, Floats]],
    formulas: tuple[Formula, ...],
    resamples: int,
    way: int,
) -> Bounds:
    import numpy as np

    parts = []
    for drawn in chunks:
        first, second = (Weighted(side, weights) for side, weights in zip(sides, drawn, strict=True))
        parts.append(np.array([formula.of(second) - formula.of(first) for formula in formulas]))
    if not way:
        parts += [-part for part in parts]
    differences = np.concatenate(parts, axis=1) * (way or 1)
    return Bounds(ends=tuple(map(_ends, differences)), resamples=resamples)


def _ends(differences: Floats) -> tuple[float, float] | None:
    import numpy as np

    known = differences[np.isfinite(differences)]
    if len(known) < _LEVEL * len(differences):
        return None
    low, high = np.quantile(known, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return _rounded(low), _rounded(high)


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}") + 0.0


def _units(rows: Floats) -> Units:
    """The distinct rows, sorted, and how many there are of each."""
    import numpy as np

    ordered = rows[np.lexsort(rows.T[::-1])] + 0.0
    starts = np.flatnonzero(np.r_[True, (ordered[1:] != ordered[:-1]).any(axis=1)])
    return ordered[starts], np.diff(np.r_[starts, len(ordered)]).astype(float)


def _resamples(counts: Floats) -> int:
    return max(_FEWEST, min(RESAMPLES, int(_BUDGET // _cost(counts))))


def _cost(counts: Floats) -> float:
    """Of one resample: a binomial number per unit costs as much as ten samples drawn."""
    return min(10.0 * len(counts), float(counts.sum()))


def _weights(counts: Floats, resamples: int, seed: int, longest: int = 0) -> Iterator[Floats]:
    """Resamples x units, in parts.  The streams of `RandomState` are the same in every release of NumPy."""
    import numpy as np

    random, total = np.random.RandomState(seed), int(counts.sum())
    few = 10 * len(counts) < total
    owner = np.repeat(np.arange(len(counts)), counts.astype(int))
    step = max(1, _AT_ONCE // max(len(counts), longest))
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        if few:
            yield random.multinomial(total, counts / total, size=size).astype(float)
            continue
        found = np.empty((size, len(counts)))
        for row in found:
            drawn = random.randint(0, total, total, dtype=np.int64)
            row[:] = np.bincount(drawn if len(owner) == len(counts) else owner[drawn], minlength=len(counts))
        yield found
