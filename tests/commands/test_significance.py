"""Intervals and tests of two points' metrics: against SciPy's bootstrap, scikit-learn's metrics and textbook values."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import sklearn.metrics as sk  # noqa: TID253
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from dvc_modelver.commands.comparison.significance import judge, mcnemar, wilcoxon
from dvc_modelver.core.predictions import Predictions
from dvc_modelver.core.significance import Judged
from tests.support import DvcRepo

pytestmark = pytest.mark.filterwarnings("ignore")
"""scikit-learn warns of classes that nothing was predicted as, and of metrics that are not defined."""

Arrays = tuple[Any, Any, Any]
"""Labels, predictions, scores."""


def predictions(labels: Any, guesses: Any, scores: Any = None, ids: Sequence[str] | None = None) -> Predictions:
    """Arrays or lists as the reader gives them."""

    def column(values: Any) -> tuple[Any, ...]:
        return tuple(value if isinstance(value, str) else float(value) for value in values)

    return Predictions(
        labels=column(labels),
        predictions=column(guesses),
        scores=None if scores is None else column(scores),
        ids=None if ids is None else tuple(ids),
    )


def classified(seed: int, noise: float, size: int = 200, base: int = 0) -> Arrays:
    """Labels that depend on `base`, and a classifier that is worse with more noise."""
    labels = np.random.default_rng(base).integers(0, 2, size)
    scores = 1 / (1 + np.exp(-(2 * labels - 1 + noise * np.random.default_rng(seed).normal(size=size))))
    scores = scores.round(2)
    return labels, (scores > 0.5).astype(int), scores


def regressed(seed: int, noise: float, size: int = 200) -> Arrays:
    """The same of numbers."""
    labels = np.random.default_rng(0).normal(10, 3, size)
    return labels, labels + noise * np.random.default_rng(seed).normal(size=size), None


BY_CLASS: dict[str, Callable[[Any, Any], float]] = {
    "accuracy": sk.accuracy_score,
    "balanced_accuracy": sk.balanced_accuracy_score,
    "error_rate": lambda y, p: 1 - sk.accuracy_score(y, p),
    "mcc": sk.matthews_corrcoef,
    "cohen_kappa": sk.cohen_kappa_score,
    "f1_macro": lambda y, p: sk.f1_score(y, p, average="macro"),
    "f1_micro": lambda y, p: sk.f1_score(y, p, average="micro"),
    "f1_weighted": lambda y, p: sk.f1_score(y, p, average="weighted"),
    "precision_macro": lambda y, p: sk.precision_score(y, p, average="macro", zero_division=0),
    "recall_weighted": lambda y, p: sk.recall_score(y, p, average="weighted", zero_division=0),
}
BINARY: dict[str, Callable[[Any, Any], float]] = {
    "precision": sk.precision_score,
    "recall": sk.recall_score,
    "f1": sk.f1_score,
}
BY_SCORE: dict[str, Callable[[Any, Any], float]] = {
    "roc_auc": sk.roc_auc_score,
    "average_precision": sk.average_precision_score,
    "log_loss": sk.log_loss,
    "brier": sk.brier_score_loss,
}
BY_ERROR: dict[str, Callable[[Any, Any], float]] = {
    "mae": sk.mean_absolute_error,
    "mse": sk.mean_squared_error,
    "rmse": lambda y, p: math.sqrt(sk.mean_squared_error(y, p)),
    "r2": sk.r2_score,
    "mape": sk.mean_absolute_percentage_error,
    "median_absolute_error": sk.median_absolute_error,
}
ALL = {**BY_CLASS, **BINARY, **BY_SCORE, **BY_ERROR}


def value(name: str, arrays: Arrays) -> float:
    """What scikit-learn says."""
    labels, guesses, scores = arrays
    return float(ALL[name](labels, scores if name in BY_SCORE else guesses))


def judged(before: Arrays, after: Arrays, names: Sequence[str], **ids: Any) -> Judged:
    """`judge` of two models whose recorded metrics are scikit-learn's."""
    recorded = [("metrics.json", name, value(name, before), value(name, after)) for name in names]
    return judge(predictions(*before, **ids), predictions(*after, **ids), recorded)


def ends(found: Judged, name: str) -> tuple[float, float]:
    """Of a metric's interval."""
    interval = found.intervals["metrics.json", name]
    return interval.low, interval.high


# Against scikit-learn -------------------------------------------------------------------------------------------


@given(st.integers(2, 5), st.integers(10, 40), st.integers(0, 2**32 - 1))
@settings(max_examples=15)
def test_formulas_are_those_of_scikit_learn(classes: int, size: int, seed: int) -> None:
    """Every metric of classes that scikit-learn computed is found again in the predictions, also of rare classes."""
    random_ = np.random.default_rng(seed)
    labels, before, after = (random_.integers(0, classes, size) for _ in range(3))
    names = [name for name in BY_CLASS if all(math.isfinite(value(name, (labels, p, None))) for p in (before, after))]
    found = judged((labels, before, None), (labels, after, None), names)
    missing = {name for name in names if ("metrics.json", name) not in found.intervals}
    # Kappa alone may be undefined in many resamples.
    assert missing <= {"cohen_kappa"}


@given(st.integers(20, 60), st.integers(0, 2**32 - 1))
@settings(max_examples=10)
def test_formulas_of_scores_and_errors(size: int, seed: int) -> None:
    """The same of two classes with scores, of which many are the same, and of numbers."""
    random_ = np.random.default_rng(seed)
    labels = np.r_[0, 0, 0, 0, 1, 1, 1, 1, random_.integers(0, 2, size)]
    sides = [(labels, random_.integers(0, 2, len(labels)), random_.random(len(labels)).round(1)) for _ in range(2)]
    names = [*BINARY, *BY_SCORE]
    assert {key for _, key in judged(sides[0], sides[1], names).intervals} == set(names)
    numbers = random_.normal(size=size)
    sides = [(numbers, random_.normal(size=size), None) for _ in range(2)]
    assert {key for _, key in judged(sides[0], sides[1], list(BY_ERROR)).intervals} == set(BY_ERROR)


@pytest.mark.parametrize("name", ["accuracy", "f1", "roc_auc"])
def test_intervals_of_classifiers_are_those_of_scipy(name: str) -> None:
    """SciPy's own percentile bootstrap of the same paired samples gives the same ends, up to chance."""
    _against_scipy(name, classified(1, 2.0), classified(2, 1.2))


@pytest.mark.parametrize("name", ["rmse", "r2", "median_absolute_error"])
def test_intervals_of_regressions_are_those_of_scipy(name: str) -> None:
    """The same of numbers."""
    _against_scipy(name, regressed(1, 1.0), regressed(2, 0.8))


def _against_scipy(name: str, before: Arrays, after: Arrays) -> None:
    low, high = ends(judged(before, after, [name]), name)
    scored = 2 if name in BY_SCORE else 1
    formula = ALL[name]
    expected = stats.bootstrap(
        (before[0], before[scored], after[scored]),
        lambda y, one, other: formula(y, other) - formula(y, one),
        paired=True,
        vectorized=False,
        method="percentile",
        n_resamples=500,
        rng=np.random.default_rng(3),
    ).confidence_interval
    width = expected.high - expected.low
    assert (low, high) == (pytest.approx(expected.low, abs=width / 7), pytest.approx(expected.high, abs=width / 7))


def test_unpaired_interval_is_that_of_scipy() -> None:
    """Of different samples each side is drawn by itself, and there is no test."""
    before, after = classified(1, 2.0, 150, base=5), classified(2, 1.2, 250, base=6)
    found = judged(before, after, ["accuracy", "roc_auc"])
    assert (found.paired, found.tests, found.samples) == (False, (), 250)
    method = found.intervals["metrics.json", "accuracy"].method
    assert method == "bootstrap of each, 2,000 resamples of 150 and 250 samples"
    right = [(side[0] == side[1]).astype(float) for side in (after, before)]
    expected = stats.bootstrap(
        right, lambda one, other: one.mean() - other.mean(), vectorized=False, method="percentile", n_resamples=500,
        rng=np.random.default_rng(3),
    ).confidence_interval  # fmt: skip
    low, high = ends(found, "accuracy")
    width = expected.high - expected.low
    assert (low, high) == (pytest.approx(expected.low, abs=width / 7), pytest.approx(expected.high, abs=width / 7))


# Tests ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "name", "p_value"),
    [
        (0, 0, "McNemar, exact", 1.0),
        (1, 9, "McNemar, exact", 2 * 11 / 1024),  # 2 (C(10,0) + C(10,1)) / 2^10
        (2, 2, "McNemar, exact", 1.0),
        (0, 6, "McNemar, exact", 2 / 64),
        (480, 520, "McNemar, chi-square with continuity correction", math.erfc(39 / math.sqrt(2000))),
        (500, 500, "McNemar, chi-square with continuity correction", 1.0),
    ],
)
def test_mcnemar_by_hand(first: int, second: int, name: str, p_value: float) -> None:
    """Binomial coefficients, and the normal distribution's tail, which is chi-square's of one degree of freedom."""
    before = np.array([True] * first + [False] * second + [True] * 5 + [False] * 5)
    after = np.array([False] * first + [True] * second + [True] * 5 + [False] * 5)
    found = mcnemar(before, after)
    detail = f"{first:,} sample{'s' if first != 1 else ''} only the first had right, {second:,} only the second"
    assert (found.name, found.p_value, found.detail) == (name, pytest.approx(p_value, rel=1e-9), detail)


def test_wilcoxon_by_hand() -> None:
    """Five errors that all shrank: one of the 32 signs on either side."""
    found = wilcoxon(np.array([5.0, 4, 3, 2, 7]), np.array([1.0, 1, 1, 1, 1]))
    assert found.p_value == pytest.approx(2 / 32)
    assert found.detail == "0 samples on which the first was nearer, 5 on which the second was"


def test_the_test_follows_the_task() -> None:
    """Classes are counted, numbers are ranked, and integers that are predicted as fractions are numbers."""
    found = judged(classified(1, 2.0), classified(2, 1.2), ["accuracy"])
    assert [test.name for test in found.tests] == ["McNemar, exact"]
    assert found.tests[0].p_value < 0.05 < judged(classified(1, 2.0), classified(3, 2.0), []).tests[0].p_value
    found = judged(regressed(1, 1.0), regressed(2, 0.8), ["mae"])
    assert [test.name for test in found.tests] == ["Wilcoxon signed-rank, of absolute errors"]
    labels, _, scores = classified(1, 2.0)
    found = judged((labels, scores, None), (labels, scores, None), ["mae"])
    assert [test.name for test in found.tests] == ["Wilcoxon signed-rank, of absolute errors"]


# Laws -----------------------------------------------------------------------------------------------------------

SIDES = st.tuples(st.integers(0, 2**32 - 1), st.integers(10, 60), st.booleans())


def _sides(seed: int, size: int, numbers: bool) -> tuple[Arrays, Arrays, list[str]]:
    random_ = np.random.default_rng(seed)
    if numbers:
        labels = random_.normal(size=size).round(1)
        pair = [(labels, random_.normal(size=size).round(1), None) for _ in range(2)]
        return pair[0], pair[1], ["mae", "rmse", "r2", "median_absolute_error"]
    labels = np.r_[0, 1, random_.integers(0, 2, size)]
    pair = [(labels, random_.integers(0, 2, size + 2), random_.random(size + 2).round(1)) for _ in range(2)]
    return pair[0], pair[1], ["accuracy", "f1", "roc_auc", "brier"]


@given(SIDES)
@settings(max_examples=10)
def test_a_model_does_not_differ_from_itself(case: tuple[int, int, bool]) -> None:
    """Against itself every interval holds 0, and p is 1."""
    one, _, names = _sides(*case)
    found = judged(one, one, names)
    assert [test.p_value for test in found.tests] == [1.0]
    assert all(interval.low <= 0 <= interval.high for interval in found.intervals.values())
    assert found.intervals


@given(SIDES, st.booleans())
@settings(max_examples=10)
def test_swapping_the_points_mirrors_the_answer(case: tuple[int, int, bool], paired: bool) -> None:
    """Which of the two is first changes the sign and nothing else, also where the samples are not the same."""
    one, other, names = _sides(*case)
    if not paired:
        other = tuple(None if column is None else column[:-1] for column in other)  # type: ignore[assignment]
        assume(len(set(other[0])) > 1)
    there, back = judged(one, other, names), judged(other, one, names)
    assert there.paired is back.paired is paired
    assert [test.p_value for test in there.tests] == pytest.approx([test.p_value for test in back.tests])
    assert there.intervals.keys() == back.intervals.keys()
    for at, interval in there.intervals.items():
        mirrored = back.intervals[at]
        expected = (pytest.approx(-mirrored.high, rel=1e-6, abs=1e-9), pytest.approx(-mirrored.low, rel=1e-6, abs=1e-9))
        assert (interval.low, interval.high) == expected


@given(SIDES, st.randoms(use_true_random=False))
@settings(max_examples=10)
def test_order_of_the_samples_does_not_matter(case: tuple[int, int, bool], shuffled: random.Random) -> None:
    """With ids the rows of either file may stand in any order."""
    one, other, names = _sides(*case)
    ids = [f"s{n}" for n in range(len(one[0]))]
    order = list(range(len(ids)))
    shuffled.shuffle(order)
    plain = predictions(*other, ids=ids)
    moved = predictions(
        *(None if column is None else [column[n] for n in order] for column in other), ids=[ids[n] for n in order]
    )
    recorded = [("metrics.json", name, value(name, one), value(name, other)) for name in names]
    first, second = (judge(predictions(*one, ids=ids), after, recorded) for after in (plain, moved))
    assert first.intervals == second.intervals
    assert [test.p_value for test in first.tests] == pytest.approx([test.p_value for test in second.tests])


def test_the_answer_is_the_same_every_time() -> None:
    """A fixed seed: these very ends on every machine; and nobody else's random numbers change."""
    found = judged(classified(1, 2.0), classified(2, 1.2), ["accuracy", "roc_auc"])
    assert (ends(found, "accuracy"), ends(found, "roc_auc")) == ((0.005, 0.155), (-0.01529169606, 0.1121567249))
    state = np.random.get_state()[1].tolist()  # type: ignore[index, union-attr]
    judged(classified(1, 2.0), classified(2, 1.2), ["roc_auc"])
    assert np.random.get_state()[1].tolist() == state  # type: ignore[index, union-attr]


# Which metrics get an interval ----------------------------------------------------------------------------------


def test_only_metrics_of_these_samples_get_an_interval() -> None:
    """A value that the predictions do not give at both points was measured on something else."""
    before, after = classified(1, 2.0), classified(2, 1.2)
    was, is_ = value("accuracy", before), value("accuracy", after)
    both = predictions(*before), predictions(*after)
    recorded = [("m", "test.accuracy", was, is_), ("m", "train.accuracy", was, is_ + 0.01), ("m", "n", 1, 2)]
    assert list(judge(*both, recorded).intervals) == [("m", "test.accuracy")]
    found = judge(*both, recorded[1:])
    assert (dict(found.intervals), found.note) == ({}, "the predictions give none of the recorded metrics")
    assert judge(*both, [("m", "accuracy", was, math.nan), ("m", "acc", 10**400, is_)]).intervals == {}


@pytest.mark.parametrize(("decimals", "known"), [(None, True), (6, True), (3, True), (2, True), (1, False), (0, False)])
def test_rounded_metrics_are_known_again(decimals: int | None, known: bool) -> None:
    """Values written with two digits or more are enough; a rounded 0.8 could be anything."""
    before, after = regressed(1, 1.0), regressed(2, 0.8)
    was, is_ = (
        value("mae", side) if decimals is None else round(value("mae", side), decimals) for side in (before, after)
    )
    recorded = [("m", "mae", was, is_)]
    assert bool(judge(predictions(*before), predictions(*after), recorded).intervals) is known
    if decimals is not None:
        wrong = [("m", "mae", was, is_ + 10.0**-decimals)]
        assert judge(predictions(*before), predictions(*after), wrong).intervals == {}


def test_texts_name_the_positive_class() -> None:
    """`yes` is positive, so is the class that the key names, and averages are tried where nothing is said."""
    labels, one, _ = classified(1, 2.0)
    other = classified(2, 1.2)[1]
    words = [np.where(column == 1, "A yes"[2:], "no").tolist() for column in (labels, one, other)]
    both = predictions(words[0], words[1]), predictions(words[0], words[2])
    recalls = {
        "recall": {"pos_label": "yes"},
        "no.recall": {"pos_label": "no"},
        "macro avg.recall": {"average": "macro"},
        "recall_score": {"average": "weighted"},
    }
    recorded = [
        ("m", key, float(sk.recall_score(words[0], words[1], **how)), float(sk.recall_score(words[0], words[2], **how)))
        for key, how in recalls.items()
    ]
    assert [key for _, key in judge(*both, recorded).intervals] == list(recalls)
    wrong = [("m", "no.recall", *recorded[0][2:])]
    assert judge(*both, wrong).intervals == {}


def test_probabilities_as_predictions() -> None:
    """Two labels and a probability of the second need no score column."""
    (labels, _, one), (_, _, other) = classified(1, 2.0), classified(2, 1.2)
    recorded = [("m", name, value(name, (labels, one, one)), value(name, (labels, other, other))) for name in BY_SCORE]
    found = judge(predictions(labels, one), predictions(labels, other), recorded)
    assert {key for _, key in found.intervals} == set(BY_SCORE)


def test_what_is_left_out_is_said() -> None:
    """Few samples, other kinds of labels, other samples and too many classes have a note, and no error."""
    few = predictions([1, 0], [1, 1])
    found = judge(few, few, [("m", "accuracy", 0.5, 0.5)])
    assert (dict(found.intervals), found.note, found.tests[0].p_value) == ({}, "fewer than 10 samples", 1.0)
    found = judge(few, predictions(["a", "b"], ["a", "a"]), [])
    assert found == Judged(samples=2, paired=False, note="one of the two has numbers as labels, the other texts")
    many = predictions([f"c{n}" for n in range(101)], [f"c{n}" for n in range(101)])
    assert judge(many, many, []).note == "more than 100 classes"
    ids = [f"s{n}" for n in range(200)]
    before = predictions(*classified(1, 2.0), ids=ids)
    after = replace(before, ids=(*ids[:190], *(f"t{n}" for n in range(10))))
    was = value("accuracy", classified(1, 2.0))
    found = judge(before, after, [("m", "accuracy", was, was)])
    assert found.note == "190 of 200 and 200 samples are on both sides"
    assert found.intervals["m", "accuracy"].method == "paired bootstrap, 2,000 resamples of 190 common samples"


def test_many_samples_get_fewer_resamples() -> None:
    """What costs a pass over all samples is done less often, and the method says how often."""
    found = judged(regressed(1, 1.0, 50_000), regressed(2, 0.99, 50_000), ["mae"])
    interval = found.intervals["metrics.json", "mae"]
    assert interval.method == "paired bootstrap, 400 resamples of 50,000 samples"
    assert interval.high < 0


# Where they come from -------------------------------------------------------------------------------------------

TABLE = "id,label,prediction\n" + "".join(f"{n},{n % 2},{n % 3 % 2}\n" for n in range(30))


def test_predictions_of_a_commit(dvc_repo: DvcRepo) -> None:
    """Files in Git are read from the commit, those of DVC from its cache, after their bytes were hashed."""
    from dvc_modelver.commands.bytes_at_hand import Bytes
    from dvc_modelver.commands.cards.facts import TreeReader
    from dvc_modelver.commands.comparison.predictions import Found, predictions_of
    from dvc_modelver.commands.project import Project, Surroundings
    from dvc_modelver.dvcio.project import declared_one

    md5 = hashlib.md5(TABLE.encode()).hexdigest()
    text = (dvc_repo.path / "dvc.yaml").read_text()
    text = text.replace("artifacts:", "plots:\n- git_predictions.csv\n- cached_predictions.csv\nartifacts:")
    pointer = f"outs:\n- md5: {md5}\n  size: {len(TABLE)}\n  hash: md5\n  path: cached_predictions.csv\n"
    files = {"dvc.yaml": text, "git_predictions.csv": TABLE, "cached_predictions.csv.dvc": pointer}
    commit = dvc_repo.git.commit("Predict", files)

    def found() -> Found:
        around = Surroundings(directory=dvc_repo.path, env=dvc_repo.git.env)
        with Project(around) as project, Bytes(project) as at_hand:
            tree = project.tree(commit)
            declared = declared_one(tree, "churn")
            assert declared is not None
            return predictions_of(TreeReader(project, tree, at_hand).source(declared), at_hand, tree)

    first = found()
    assert list(first.predictions) == ["git_predictions.csv"]
    assert first.notes == ("cached_predictions.csv is in DVC's cache, and not at hand",)
    place = dvc_repo.object_path(md5)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(TABLE)
    second = found()
    assert second.predictions["cached_predictions.csv"] == second.predictions["git_predictions.csv"]
    assert (len(second.predictions["git_predictions.csv"]), second.notes) == (30, ())
    place.write_text(TABLE.replace("1,1", "1,0"))
    assert found().notes == ("the copy of cached_predictions.csv in DVC's cache is altered",)
