"""Per-sample predictions of a model, which of two files' samples are the same, and what a metric's name asks of them.

Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from dvc_modelver.core.metrics import measured, split_key

_MIN_COMMON = 0.9
"""Share of the samples of each side that must be on both for the two to be compared sample by sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """What a model said of each sample of a test set; all columns are as long.

    Labels and predictions are both finite numbers (`true` is 1), or both texts.
    """

    labels: tuple[float, ...] | tuple[str, ...]
    predictions: tuple[float, ...] | tuple[str, ...]
    scores: tuple[float, ...] | None = None
    """Finite; mostly the probability of the positive class."""
    ids: tuple[str, ...] | None = None

    @property
    def is_numeric(self) -> bool:
        """Whether labels and predictions are numbers."""
        return all(not isinstance(column[0], str) for column in (self.labels, self.predictions) if column)

    def __len__(self) -> int:
        return len(self.labels)


# Which samples are the same ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """The rows of two files that speak of the same samples, side by side."""

    before: Sequence[int]
    after: Sequence[int]
    paired: bool
    """False: the samples are not the same, and both sequences are all rows of each."""
    note: str | None = None
    """Why the two are not paired, or how many samples are left out."""


def pair(before: Predictions, after: Predictions) -> Pairing:
    """By id where both have unique ones, else by row where both have the same labels in the same order."""
    if _are_unique(before.ids) and _are_unique(after.ids):
        return _by_id(before, after)
    if before.labels == after.labels:
        return Pairing(before=range(len(before)), after=range(len(after)), paired=True)
    return _apart(before, after, "without unique ids, and the labels differ")


def _are_unique(ids: tuple[str, ...] | None) -> bool:
    return ids is not None and len(set(ids)) == len(ids)


def _by_id(before: Predictions, after: Predictions) -> Pairing:
    rows = {name: row for row, name in enumerate(before.ids or ())}
    common = [(rows[name], row) for row, name in enumerate(after.ids or ()) if name in rows]
    count, most = f"{len(common):,} of {len(before):,} and {len(after):,} samples", max(len(before), len(after))
    if not common or len(common) < _MIN_COMMON * most:
        return _apart(before, after, f"{count} have the same id")
    relabelled = sum(before.labels[one] != after.labels[other] for one, other in common)
    if relabelled:
        return _apart(before, after, f"the labels of {relabelled:,} common samples differ")
    left, right = zip(*common, strict=True)
    return Pairing(
        before=left, after=right, paired=True, note=None if len(common) == most else f"{count} are on both sides"
    )


def _apart(before: Predictions, after: Predictions, why: str) -> Pairing:
    note = f"the samples of the two are not compared one by one: {why}"
    return Pairing(before=range(len(before)), after=range(len(after)), paired=False, note=note)


# What a metric's name asks ----------------------------------------------------------------------------------------

_SPELLINGS: Mapping[str, str] = {
    "accuracy": "accuracy acc",
    "balanced_accuracy": "balancedaccuracy balancedacc bacc",
    "precision": "precision ppv",
    "recall": "recall sensitivity tpr",
    "f1": "f1 f1measure",
    "roc_auc": "rocauc auc auroc aucroc",
    "average_precision": "averageprecision ap prauc auprc aucpr",
    "log_loss": "logloss crossentropy",
    "brier": "brier brierloss",
    "error_rate": "errorrate error zerooneloss",
    "mcc": "mcc matthewscorrcoef",
    "kappa": "kappa cohenkappa cohenskappa",
    "mae": "mae meanabsoluteerror",
    "mse": "mse meansquarederror",
    "rmse": "rmse rootmeansquarederror",
    "r2": "r2 r² rsquared",
    "mape": "mape meanabsolutepercentageerror",
    "median_absolute_error": "medianabsoluteerror medae mdae",
}
_KNOWN = {spelling: name for name, spellings in _SPELLINGS.items() for spelling in spellings.split()}
_AVERAGES = ("macro", "weighted", "micro")
_SPLITS = "train training test testing val valid validation eval evaluation dev hold out holdout cv"
_WHERE = frozenset(_SPLITS.split())
_FILLING = frozenset(("score", "metric", "mean", "avg", "average"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """Which metric a key names."""

    name: str
    """`accuracy`, `f1`, `rmse`, ..."""
    average: str | None = None
    """`macro`, `weighted` or `micro` where the key says so."""
    within: tuple[str, ...] = ()
    """The parts of the key that do not name the metric: one of them may be a class."""
    sign: int = 1
    """-1 for what scikit-learn's scorers call `neg_...`."""


def measure_of(key: str, *, file: str = "") -> Measure | None:
    """The metric that a dotted key names; None for one that predictions say nothing of.

    Args:
        file: gives a file that is one value (`auc.json`) its name.
    """
    named = measured(key) if key else PurePosixPath(file).stem
    words = [word for word in _words(named) if word.rstrip("0123456789") not in _WHERE]
    sign = -1 if words[:1] == ["neg"] else 1
    said = [word for part in split_key(key) for word in _words(part) if word in _AVERAGES]
    name = _name([word for word in words[sign < 0 :] if word not in _AVERAGES])
    if name is None or len(set(said)) > 1:
        return None
    within = tuple(part for part in split_key(key) if part != named) if key else ()
    return Measure(name=name, average=said[0] if said else None, within=within, sign=sign)


def _name(words: Sequence[str]) -> str | None:
    bare = (word for word in words if word not in _FILLING)
    return _KNOWN.get("".join(words)) or _KNOWN.get("".join(bare))


def _words(name: str) -> list[str]:
    return re.findall(r"[^\W_]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).lower())
