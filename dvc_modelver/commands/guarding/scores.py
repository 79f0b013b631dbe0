"""Labelled predictions as metrics, under the names that the version and the policy use.  scikit-learn computes."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

from dvc_modelver.core.facts import Values
from dvc_modelver.core.gate import Pair, matching
from dvc_modelver.core.metrics import leading, split_key
from dvc_modelver.core.predictions import Measure, Predictions, measure_of

MAX_CLASSES = 100
_POSITIVE = frozenset(("1", "true", "yes", "positive", "pos", "t", "y"))
_TRAINING = re.compile(r"(?<![a-z])train(?:ing)?(?![a-z])", re.IGNORECASE)
_OF_LABELS = ("accuracy", "balanced_accuracy", "error_rate")
_OF_ONE_CLASS = ("precision", "recall", "f1")
_OF_SCORES = ("roc_auc", "average_precision", "log_loss", "brier")
_OF_NUMBERS = ("rmse", "mse", "mae", "r2")


@dataclass(frozen=True)
class Scorer:
    """One report's predictions."""

    predictions: Predictions

    def score(self, measure: Measure) -> float | None:
        """The metric; None when these predictions do not tell it, or tell it in several ways.

        Of more than two classes precision, recall and F1 need a class or an average in their name.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of metrics that are not defined: they are not finite
            try:
                found = self._score(measure)
            except ValueError:
                return None
        return None if found is None else measure.sign * float(found)

    def _score(self, measure: Measure) -> float | None:
        if measure.name in _OF_NUMBERS:
            return self._of_numbers(measure.name)
        if not self.classes:
            return None
        if measure.name in _OF_LABELS:
            return self._of_labels(measure.name)
        if measure.name in _OF_ONE_CLASS:
            return self._of_classes(measure)
        return self._of_scores(measure.name) if measure.name in _OF_SCORES and measure.average is None else None

    @cached_property
    def classes(self) -> tuple[float, ...] | tuple[str, ...]:
        """All that labels and predictions name, sorted; none when they are measured values."""
        rows = self.predictions
        found: set[Any] = {*rows.labels, *rows.predictions}
        if len(found) > MAX_CLASSES or (rows.is_numeric and any(value != math.floor(value) for value in found)):
            return ()
        return tuple(sorted(found))

    @cached_property
    def positive(self) -> float | str | None:
        """The class that is positive by its name, else the larger of two; None of more, or of one that says nothing."""
        names = {name: f"{name:g}" if isinstance(name, float) else str(name).lower() for name in self.classes}
        said = [name for name, text in names.items() if text in _POSITIVE]
        if len(names) > 2:
            return None
        if len(said) == 1:
            return said[0]
        if len(names) == 2:
            return self.classes[1]
        return 1.0 if self.predictions.is_numeric else None

    def _of_labels(self, name: str) -> float:
        from sklearn import metrics

        if name == "balanced_accuracy":
            return float(metrics.balanced_accuracy_score(self._labels, self._guesses))
        accuracy = float(metrics.accuracy_score(self._labels, self._guesses))
        return 1 - accuracy if name == "error_rate" else accuracy

    def _of_classes(self, measure: Measure) -> float | None:
        from sklearn import metrics

        compute = getattr(metrics, f"{measure.name}_score")
        own = [name for name in self.classes if _shown(name) in measure.within]
        if measure.average is not None:
            return float(compute(self._labels, self._guesses, average=measure.average, zero_division=0.0))
        chosen = own[0] if own else self.positive
        # Of a class that no sample has, recall is 0 of 0, and precision 0 however good the model is.
        if chosen is None or chosen not in self.predictions.labels:
            return None
        (found,) = compute(self._labels, self._guesses, labels=[chosen], average=None, zero_division=0.0)
        return float(found)

    def _of_scores(self, name: str) -> float | None:
        from sklearn import metrics

        scores = self.predictions.scores
        if scores is None or self.positive is None:
            return None
        truth = [label == self.positive for label in self.predictions.labels]
        if len({*truth}) < 2 and name != "brier":
            return None
        compute: Mapping[str, Callable[..., float]] = {
            "roc_auc": metrics.roc_auc_score,
            "average_precision": metrics.average_precision_score,
            "log_loss": metrics.log_loss,
            "brier": metrics.brier_score_loss,
        }
        return float(compute[name](truth, list(scores)))

    def _of_numbers(self, name: str) -> float | None:
        from sklearn import metrics

        if not self.predictions.is_numeric:
            return None
        labels, guesses = list(self.predictions.labels), list(self.predictions.predictions)
        if name == "mae":
            return float(metrics.mean_absolute_error(labels, guesses))
        if name == "r2":
            return float(metrics.r2_score(labels, guesses)) if len({*labels}) > 1 else None
        squared = float(metrics.mean_squared_error(labels, guesses))
        return math.sqrt(squared) if name == "rmse" else squared

    @cached_property
    def _labels(self) -> Sequence[object]:
        return self._plain(self.predictions.labels)

    @cached_property
    def _guesses(self) -> Sequence[object]:
        return self._plain(self.predictions.predictions)

    def _plain(self, column: Sequence[object]) -> Sequence[object]:
        """As one kind that scikit-learn takes for classes."""
        import numpy as np

        return np.asarray(column, dtype=float if self.predictions.is_numeric else object)  # type: ignore[return-value]


def _shown(name: float | str) -> str:
    return f"{name:g}" if isinstance(name, float) else name


def scored(
    predictions: Predictions, recorded: Values, named: Iterable[str], directions: Mapping[str, str], file: str
) -> Values:
    """The metrics of these predictions in the version's own files and keys.

    Args:
        recorded: what the version recorded; of several measurements of one metric the leading one counts, and none of
            training, unless the policy names it.
        named: metrics that the policy names.
        file: under which those stand that the version did not record.
    """
    scorer, found = Scorer(predictions), dict[str, dict[str, float]]()
    for place, key in dict.fromkeys(_wanted(recorded, tuple(named), directions, file)):
        measure = measure_of(key, file=place)
        value = scorer.score(measure) if measure is not None else None
        if value is not None:
            found.setdefault(place, {})[key] = value
    return found


def _wanted(recorded: Values, named: Sequence[str], directions: Mapping[str, str], file: str) -> Iterator[Pair]:
    pairs = [(file, key) for file in sorted(recorded) for key in recorded[file]]
    own = _leading(recorded, directions)
    for name in named:
        meant = matching(pairs, name, own)
        yield from meant or [(file, name)]
    yield from own


def is_training(file: str, key: str) -> bool:
    """Whether a metric says how well the training's own data was learned."""
    return any(_TRAINING.search(part) for part in (PurePosixPath(file).stem, *split_key(key)))


def _leading(recorded: Values, directions: Mapping[str, str]) -> list[Pair]:
    """One of each metric."""
    found: dict[object, Pair] = {}
    for file, key in leading(recorded, directions, sum(map(len, recorded.values()))):
        measure = measure_of(key, file=file)
        if measure is not None and not is_training(file, key):
            found.setdefault((measure.name, measure.average, measure.sign), (file, key))
    return list(found.values())
