"""What the names of metrics say: which way is better, which lead, and which are slices of one measurement.  Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import PurePosixPath
from typing import TypeGuard

from dvc_modelver.core.facts import Scalar, Values

HIGHER_IS_BETTER = """
accuracy acc balanced_accuracy top_k_accuracy precision recall specificity sensitivity selectivity f1 f2 fbeta f_measure
auc roc_auc auroc pr_auc auprc auc_pr average_precision ap map map50 mean_average_precision tpr tnr ppv npv youden_j
true_positive_rate true_negative_rate positive_predictive_value negative_predictive_value mcc matthews_corrcoef kappa
cohen_kappa quadratic_weighted_kappa qwk jaccard iou miou dice dice_coefficient r2 r² adjusted_r2 r_squared
explained_variance pearson pearsonr spearman spearmanr kendall_tau concordance_index c_index log_likelihood elbo
bleu sacrebleu rouge rouge_l rouge_lsum rouge_1 rouge_2 meteor chrf bertscore exact_match ndcg mrr
mean_reciprocal_rank hit_rate hit_ratio psnr ssim ms_ssim silhouette adjusted_rand nmi v_measure
"""
"""Metrics of which more is better.  Ratios and distances only: no counts, times, costs, nor words of two meanings."""
LOWER_IS_BETTER = """
loss total_loss log_loss logloss mlogloss hinge_loss huber_loss focal_loss hamming_loss zero_one_loss pinball_loss
quantile_loss mse_loss cross_entropy crossentropy cross_entropy_loss bce nll neg_log_likelihood negative_log_likelihood
kl_divergence deviance error merror error_rate misclassification_rate classification_error
rmse mse mae mape smape wape mase medae msle rmsle rmspe nrmse max_error absolute_error squared_error
root_mean_squared_error mean_squared_log_error mean_absolute_percentage_error median_absolute_error
wer cer ter word_error_rate character_error_rate eer equal_error_rate perplexity ppl bits_per_byte
brier ece calibration_error expected_calibration_error fpr fnr fdr false_positive_rate false_negative_rate
false_discovery_rate fid lpips hausdorff davies_bouldin
"""
"""Metrics of which less is better."""


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_SPLITS = _set("train training test testing val valid validation eval evaluation dev hold out holdout cv oof fold")
_IGNORED = _SPLITS | _set(
    "mean avg average macro micro weighted best final last score overall binary multi multiclass categorical sparse"
    " ovr ovo at k top"
)
"""Words that say where or how something was measured, not what."""
_SPREAD = _set("std stdev stddev sd se sem stderr standard deviation var variance")
_UNJUDGED = _SPREAD | _set(
    "n num number count counts support samples size total time times seconds sec secs ms minutes hours duration latency"
    " runtime threshold cutoff epoch epochs step steps iteration iterations seed weight weights ci width margin p"
    " pvalue delta diff difference change gap drop ratio"
)
"""Words of what no number says better or worse, also below a metric's name: `auc.std`, `loss.epoch`."""
_STATISTICS = _SPREAD | _set("mean avg average median min max lower upper low high ci")
_GENERIC = _IGNORED | _set("all model total")
_DIGITS = "0123456789"


def split_key(key: str) -> tuple[str, ...]:
    """The parts of a dotted key of `core.facts.Values`; a dot inside a part is written `\\.`."""
    return tuple(part.replace("\\.", ".") for part in re.split(r"(?<!\\)\.", key))


def label(key: str, file: str = "") -> str:
    """A key as people write it, behind its file where that is given; the file alone for a file that is one value."""
    name = ".".join(split_key(key))
    return f"{file}:{name}" if file and name else name or file


def measured(key: str) -> str:
    """The part of a key that names the metric: the last that does not say only where it was measured (`loss.val`)."""
    parts = split_key(key)
    return next((part for part in reversed(parts) if not _is_split(part)), parts[-1])


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether `value` was measured; `true` was not."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def as_number(value: object) -> float | None:
    """A metric's value to compare with others; None for what is no number.  Past a float's range it is infinite."""
    if not is_number(value):
        return None
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def same(one: object, other: object) -> bool:
    """Whether two scalars mean the same: `1` and `1.0` do, NaN and NaN do, `1` and `true` or `"1"` do not."""
    if isinstance(one, bool) is not isinstance(other, bool):
        return False
    return one == other or (one != one and other != other)


# Which way is better --------------------------------------------------------------------------------------------


def direction(key: str, configured: Mapping[str, str], *, file: str = "") -> str | None:
    """`up` or `down`, whichever is better; None when that is not known.

    Args:
        key: dotted, as in `core.facts.Values`.  Its last part that is a well known name decides.
        configured: name -> `up` or `down`: the whole key or its last parts, also in other spelling.  These win.
        file: gives a file that is one value (`auc.json`) its name.
    """
    parts = split_key(key or PurePosixPath(file).stem)
    return _configured(parts, configured) or _well_known(parts)


def _configured(parts: tuple[str, ...], configured: Mapping[str, str]) -> str | None:
    if not configured:
        return None
    names = [".".join(parts[n:]) for n in range(len(parts))]
    exact = {**{label(name): way for name, way in configured.items()}, **configured}
    normal = {_normal(name): way for name, way in configured.items()}
    bare = "_".join(word for word in _words(parts[-1]) if not _in(word, _SPLITS))
    found = [*(exact.get(name) for name in names), *(normal.get(_normal(name)) for name in names), normal.get(bare)]
    return next((way for way in found if way is not None), None)


def _normal(name: str) -> str:
    return re.sub(r"[-_\s]+", "_", name.strip().casefold())


def _well_known(parts: tuple[str, ...]) -> str | None:
    if any(not _SPREAD.isdisjoint(_words(part)) and _listed(part) is None for part in parts):
        return None
    for part in reversed(parts):
        found = _listed(part)
        if found is not None or not _UNJUDGED.isdisjoint(_words(part)):
            return found
    return None


def _listed(name: str) -> str | None:
    """What the lists say of a name, without its stand-alone numbers if they do not know those (`rouge_1`, `auc_2`)."""
    words = _significant(name)
    for chosen in (words, tuple(word for word in words if not word.isdecimal())):
        found = _lists().get("".join(chosen))
        if found is None and chosen[:1] == ("neg",):  # scikit-learn's scorers: `neg_log_loss`
            found = {"up": "down", "down": "up"}.get(_lists().get("".join(chosen[1:]), ""))
        if found is not None:
            return found
    return None


@cache
def _lists() -> Mapping[str, str]:
    listed = (("up", HIGHER_IS_BETTER), ("down", LOWER_IS_BETTER))
    return {"".join(_significant(name)): way for way, names in listed for name in names.split()}


def _significant(name: str) -> tuple[str, ...]:
    return tuple(word for word in _words(name) if not _in(word, _IGNORED))


def _words(name: str) -> tuple[str, ...]:
    return tuple(re.findall(r"[^\W_]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).lower()))


def _in(word: str, known: frozenset[str]) -> bool:
    """Also with a number behind it: `fold3`, `top5`."""
    return word in known or word.rstrip(_DIGITS) in known


def leading(metrics: Values, configured: Mapping[str, str], limit: int) -> tuple[tuple[str, str], ...]:
    """At most `limit` (file, key) of the numbers to name first: direction known, not of slices, training last."""
    found = [(file, key) for file in sorted(metrics) for key in slices(metrics[file]).plain]
    numbers = [(file, key) for file, key in found if is_number(metrics[file][key])]
    ranked = sorted(numbers, key=lambda at: (direction(at[1], configured, file=at[0]) is None, _split_rank(*at)))
    return tuple(ranked[:limit])


def _split_rank(file: str, key: str) -> int:
    words = [word.rstrip(_DIGITS) for name in (PurePosixPath(file).stem, key) for word in _words(name)]
    if "train" in words or "training" in words:
        return 2
    return int(not {"val", "valid", "validation", "eval", "evaluation", "dev"}.isdisjoint(words))


# Slices ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceGroup:
    """The same metrics, measured on each of several slices."""

    title: str
    """Name of the mapping that holds the slices, dotted; empty at the top of the file."""
    columns: tuple[str, ...]
    """Names of the metrics."""
    rows: tuple[tuple[str, tuple[int | float | None, ...]], ...]
    """(name of the slice, a value for each column, None where it has none)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sliced:
    """The metrics of one file: each is in `plain` by its key, or in one group."""

    plain: tuple[str, ...]
    groups: tuple[SliceGroup, ...]


_Leaves = dict[str, tuple[str, int | float]]
"""Name -> key, value."""


def slices(values: Mapping[str, Scalar]) -> Sliced:
    """The slices of one metrics file, in its order: sibling mappings that measure the same.

    Splits (`train`, `test`), statistics of one metric (`auc.mean`) and texts are no slices and stay in `plain`.
    """
    groups: list[SliceGroup] = []
    used: set[str] = set()
    for above, siblings in _families(values).items():
        rows = _alike(siblings)
        if len(rows) > 1:
            groups.append(_group(above, rows))
            used.update(key for leaves in rows.values() for key, _ in leaves.values())
    return Sliced(plain=tuple(key for key in values if key not in used), groups=tuple(groups))


def slice_names(metrics: Values) -> tuple[str, ...]:
    """The names of the slices of all files that a sentence may mean: no bare numbers, no `macro avg`."""
    rows = (row for file in sorted(metrics) for group in slices(metrics[file]).groups for row, _ in group.rows)
    return tuple(dict.fromkeys(row for row in rows if _names_something(row)))


def _names_something(row: str) -> bool:
    return any(word not in _GENERIC and not word.isdecimal() for word in _words(row))


def _families(values: Mapping[str, Scalar]) -> Mapping[tuple[str, ...], dict[str, _Leaves]]:
    """Mapping -> its inner mappings by name -> the numbers that stand directly in those."""
    families: dict[tuple[str, ...], dict[str, _Leaves]] = {}
    for key, value in values.items():
        parts = split_key(key)
        if len(parts) > 1 and is_number(value):
            families.setdefault(parts[:-2], {}).setdefault(parts[-2], {})[parts[-1]] = (key, value)
    return families


def _alike(siblings: Mapping[str, _Leaves]) -> dict[str, _Leaves]:
    """Those that share a metric with another one."""
    able = {name: leaves for name, leaves in siblings.items() if not _is_split(name) and not _is_metric(name, leaves)}
    shared = Counter(column for leaves in able.values() for column in leaves if _measures(column))
    return {name: leaves for name, leaves in able.items() if any(shared[column] > 1 for column in leaves)}


def _is_split(name: str) -> bool:
    words = [word for word in _words(name) if not word.isdecimal()]
    return bool(words) and all(_in(word, _SPLITS) or word in ("set", "data", "split") for word in words)


def _is_metric(name: str, leaves: _Leaves) -> bool:
    """Whether it is a metric with its statistics (`auc.mean`); the state `AP` with an `auc` of its own is none."""
    return _listed(name) is not None and all(_listed(column) is None for column in leaves)


def _measures(column: str) -> bool:
    return not _STATISTICS.issuperset(_words(column)) or not _words(column)


def _group(above: tuple[str, ...], rows: Mapping[str, _Leaves]) -> SliceGroup:
    columns = tuple(dict.fromkeys(_columns(rows)))
    cells = {name: tuple(leaves[c][1] if c in leaves else None for c in columns) for name, leaves in rows.items()}
    return SliceGroup(title=".".join(above), columns=columns, rows=tuple(cells.items()))


def _columns(rows: Mapping[str, _Leaves]) -> Iterator[str]:
    for leaves in rows.values():
        yield from leaves
