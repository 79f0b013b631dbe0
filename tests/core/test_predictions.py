"""Which samples of two files are the same, and which metric a key names."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvc_modelver.core.predictions import Measure, Predictions, measure_of, pair


def predictions(labels: list[float], ids: list[str] | None = None) -> Predictions:
    """A model that always says 1."""
    return Predictions(
        labels=tuple(labels), predictions=tuple(1.0 for _ in labels), ids=None if ids is None else tuple(ids)
    )


@given(st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_unique_ids_pair_whatever_the_order(labels: list[float], shuffled: random.Random) -> None:
    """Rows that are paired have the same id and so the same label, in whichever order the file has them."""
    order = list(range(len(labels)))
    shuffled.shuffle(order)
    before = predictions(labels, [f"s{n}" for n in range(len(labels))])
    after = predictions([labels[n] for n in order], [f"s{n}" for n in order])
    found = pair(before, after)
    assert (found.paired, found.note, len(found.before)) == (True, None, len(labels))
    assert [before.ids[n] for n in found.before] == [after.ids[n] for n in found.after]  # type: ignore[index]


def test_rows_pair_without_unique_ids() -> None:
    """Without ids, or with ids that repeat, the same labels in the same order are the same samples."""
    for ids in (None, ["a"] * 4):
        found = pair(predictions([1, 0, 1, 1], ids), predictions([1, 0, 1, 1], ids))
        assert (list(found.before), list(found.after), found.paired) == ([0, 1, 2, 3], [0, 1, 2, 3], True)
    found = pair(predictions([1, 0, 1, 1]), predictions([1, 0, 1, 0]))
    assert not found.paired
    assert found.note is not None
    assert not pair(predictions([1, 0]), predictions([1, 0, 1])).paired


@pytest.mark.parametrize(("common", "paired"), [(20, True), (18, True), (17, False), (0, False)])
def test_nine_of_ten_must_be_common(common: int, paired: bool) -> None:
    """Below 90 % of common ids the rest would decide; above, what is left out is said."""
    before = predictions([1.0] * 20, [f"a{n}" for n in range(20)])
    after = predictions([1.0] * 20, [f"a{n}" for n in range(common)] + [f"b{n}" for n in range(20 - common)])
    found = pair(before, after)
    assert (found.paired, len(found.after)) == (paired, common if paired else 20)
    assert found.note == {
        20: None,
        18: "18 of 20 and 20 samples are on both sides",
        17: "the samples of the two are not compared one by one: 17 of 20 and 20 samples have the same id",
        0: "the samples of the two are not compared one by one: 0 of 20 and 20 samples have the same id",
    }.get(common)


def test_relabelled_samples_are_not_the_same() -> None:
    """A sample whose label was mended is another one."""
    found = pair(predictions([1, 0], ["a", "b"]), predictions([1, 1], ["a", "b"]))
    why = "the samples of the two are not compared one by one: the labels of 1 common samples differ"
    assert (found.paired, found.note) == (False, why)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("accuracy", ("accuracy", None)),
        ("test_acc", ("accuracy", None)),
        ("eval.accuracy_score", ("accuracy", None)),
        ("accuracy.test", ("accuracy", None)),
        ("val-balanced-accuracy", ("balanced_accuracy", None)),
        ("f1-score", ("f1", None)),
        ("f1_macro", ("f1", "macro")),
        ("macro avg.f1-score", ("f1", "macro")),
        ("weighted avg.precision", ("precision", "weighted")),
        ("rocAuc", ("roc_auc", None)),
        ("AUC", ("roc_auc", None)),
        ("eval/auc", ("roc_auc", None)),
        ("average_precision", ("average_precision", None)),
        ("brier_score_loss", ("brier", None)),
        ("log loss", ("log_loss", None)),
        ("R2", ("r2", None)),
        ("r²", ("r2", None)),
        ("mean_absolute_error", ("mae", None)),
        ("MedAE", ("median_absolute_error", None)),
        ("cohen_kappa_score", ("kappa", None)),
    ],
)
def test_metrics_are_known_by_many_names(key: str, expected: tuple[str, str | None]) -> None:
    """Splits, fillings and spellings do not hide which metric a key names."""
    found = measure_of(key)
    assert found is not None
    assert (found.name, found.average, found.sign) == (*expected, 1)


@pytest.mark.parametrize("key", ["auc_std", "accuracy.std", "top_5_accuracy", "n", "", "epoch", "f1_macro.weighted.f1"])
def test_other_metrics_are_not_taken_for_known_ones(key: str) -> None:
    """A spread, a count and an unknown metric have no formula here."""
    assert measure_of(key) is None


def test_where_else_a_name_stands() -> None:
    """A file of one value gives its name, a scorer's sign is kept, and so are the parts that may name a class."""
    assert measure_of("", file="eval/auc.json") == Measure(name="roc_auc")
    assert measure_of("neg_log_loss") == Measure(name="log_loss", sign=-1)
    assert measure_of("churned.recall") == Measure(name="recall", within=("churned",))
