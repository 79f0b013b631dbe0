"""Which way a metric is better, how its key is cut, and which metrics are slices."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvc_modelver.core.facts import Scalar
from dvc_modelver.core.metrics import (
    HIGHER_IS_BETTER,
    LOWER_IS_BETTER,
    direction,
    is_number,
    label,
    leading,
    measured,
    same,
    slice_names,
    slices,
    split_key,
)

KEYS = st.lists(
    st.text("ab_.\\0 1", min_size=1, max_size=4).filter(lambda part: "\\" not in part), min_size=1, max_size=4
)
VALUES = st.floats() | st.integers() | st.text(max_size=3) | st.booleans()
TREES = st.recursive(
    VALUES,
    lambda inner: st.dictionaries(st.sampled_from(["auc", "f1", "n", "EU", "US", "test", "0", "1.5", "mean"]), inner),
    max_leaves=12,
).filter(lambda tree: isinstance(tree, dict))


def joined(parts: list[str]) -> str:
    return ".".join(part.replace(".", "\\.") for part in parts)


def flat(tree: dict[str, object], above: tuple[str, ...] = ()) -> dict[str, Scalar]:
    found: dict[str, Scalar] = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            found |= flat(value, (*above, name))
        else:
            found[joined([*above, name])] = value  # type: ignore[assignment]
    return found


@given(KEYS)
def test_a_key_comes_apart_as_it_was_put_together(parts: list[str]) -> None:
    """Whatever dots its parts hold, a key has the parts that it was made from."""
    assert split_key(joined(parts)) == tuple(parts)


def test_a_label_is_for_people() -> None:
    """Escaped dots are plain ones, and a file that is one value is called by its name."""
    assert label("acc@0\\.5") == "acc@0.5"
    assert label("a.auc", "m.json") == "m.json:a.auc"
    assert label("", "auc.json") == "auc.json"


@pytest.mark.parametrize(
    "key",
    [
        *(
            "accuracy",
            "accuracy_score",
            "test.roc_auc_macro",
            "val/acc",
            "eval-AUC",
            "ROC_AUC",
            "testRocAuc",
            "f1-score",
        ),
        *("macro avg.f1-score", "weighted avg.precision", "precision_at_10", "recall@5", "ndcg@10", "top_5_accuracy"),
        *("top5_acc", "mAP", "mAP50-95", "map@0\\.5", "rougeL", "eval_rougeLsum", "rouge_2", "R2", "R²", "adjusted R2"),
        *(
            "explained_variance_score",
            "neg_log_loss",
            "neg_mean_squared_error",
            "slices.EU.auc",
            "auc.EU",
            "cv.auc.mean",
        ),
        *(
            "fold3.auc",
            "validation_0_f1",
            "mean_iou",
            "average_precision",
            "best_val_accuracy",
            "sparse_categorical_accuracy",
        ),
    ],
)
def test_more_is_better(key: str) -> None:
    """Well known scores go up, in any usual spelling and wherever they were measured."""
    assert direction(key, {}) == "up"


@pytest.mark.parametrize(
    "key",
    [
        *(
            "loss",
            "val_loss",
            "trainLoss",
            "eval.loss",
            "log_loss",
            "validation_0-logloss",
            "binary_crossentropy",
            "RMSE",
        ),
        *(
            "mean_squared_error",
            "mean_absolute_error",
            "test.mae",
            "smape",
            "max_error",
            "error_rate",
            "wer",
            "perplexity",
        ),
        *(
            "brier_score",
            "ECE",
            "hamming_loss",
            "fpr",
            "false_negative_rate",
            "neg_log_likelihood",
            "by_country.DE.rmse",
        ),
    ],
)
def test_less_is_better(key: str) -> None:
    """Errors and losses go down."""
    assert direction(key, {}) == "down"


@pytest.mark.parametrize(
    "key",
    [
        *(
            "",
            "time",
            "n",
            "support",
            "threshold",
            "latency",
            "score",
            "mean",
            "test",
            "eval_runtime",
            "coverage",
            "cost",
        ),
        *("auc_std", "auc.std", "std.auc", "roc_auc_stderr", "standard_error", "auc.n", "loss.epoch", "error.count"),
        *("0.support", "f1.threshold", "auc_diff", "accuracy_drop", "epoch", "n_errors", "auc.p_value", "auc.ci_low"),
    ],
)
def test_the_rest_is_not_judged(key: str) -> None:
    """Counts, times, spreads and words of several meanings have no better side."""
    assert direction(key, {}) is None


def test_no_name_is_on_both_lists() -> None:
    """Every listed name is found again as what its list says, and is more than a word that says where."""
    for names, way in ((HIGHER_IS_BETTER, "up"), (LOWER_IS_BETTER, "down")):
        assert {name: direction(name, {}) for name in names.split()} == dict.fromkeys(names.split(), way)


@pytest.mark.parametrize("written", ["Churn-Cost", "churn cost", "CHURN_COST", "churn_cost"])
def test_the_configuration_may_spell_otherwise(written: str) -> None:
    """Case, hyphens, underscores and spaces do not matter, nor does where it was measured."""
    assert direction("test.churn_cost", {written: "down"}) == "down"
    assert direction("val_churn_cost", {written: "down"}) == "down"
    assert direction("churn_cost_std", {written: "down"}) is None


def test_the_configuration_wins() -> None:
    """The longest name that fits decides, exact spelling before any other, our list last."""
    assert direction("test.auc", {"auc": "down"}) == "down"
    assert direction("test.auc", {"auc": "down", "test.auc": "up"}) == "up"
    assert direction("test.auc", {"Test.AUC": "up", "auc": "down"}) == "down"
    assert direction("val.auc", {"test.auc": "down"}) == "up"
    assert direction("acc@0\\.5", {"acc@0.5": "down"}) == direction("acc@0\\.5", {"acc@0\\.5": "down"}) == "down"
    assert direction("auc.std", {"auc.std": "down"}) == "down"


def test_a_file_of_one_number_is_named_by_its_file() -> None:
    """`rmse.json` that holds nothing but a number is an RMSE."""
    assert direction("", {}, file="out/rmse.json") == "down"
    assert direction("", {"rmse": "up"}, file="out/rmse.json") == "up"


@given(st.text(max_size=30), st.dictionaries(st.text(max_size=5), st.sampled_from(["up", "down"]), max_size=3))
def test_any_name_has_an_answer(key: str, configured: dict[str, str]) -> None:
    """No text breaks it, and a name that is configured as it stands has its answer."""
    assert direction(key, configured) in ("up", "down", None)
    assert direction(key, {**configured, key: "down"}) == "down" or not key


def test_slices_in_a_mapping() -> None:
    """Countries below one key are a group; the rest is plain, in the file's order."""
    found = slices({"auc": 0.9, "slices.EU.auc": 0.8, "slices.EU.n": 5, "slices.US.auc": 0.7, "note": "x"})
    (group,) = found.groups
    assert found.plain == ("auc", "note")
    assert (group.title, group.columns) == ("slices", ("auc", "n"))
    assert group.rows == (("EU", (0.8, 5)), ("US", (0.7, None)))


def test_a_classification_report() -> None:
    """scikit-learn's report is one table at the top, with the accuracy beside it."""
    row = {"precision": 0.5, "recall": 0.6, "f1-score": 0.55, "support": 10}
    found = slices(flat({"0": row, "1": row, "accuracy": 0.9, "macro avg": row}))
    (group,) = found.groups
    assert found.plain == ("accuracy",)
    assert (group.title, group.columns) == ("", tuple(row))
    assert [name for name, _ in group.rows] == ["0", "1", "macro avg"]


def test_names_with_dots() -> None:
    """A slice's name is as people write it."""
    (group,) = slices({"by_app.v1\\.0.auc": 0.5, "by_app.v1\\.1.auc": 0.6}).groups
    assert (group.title, group.rows) == ("by_app", (("v1.0", (0.5,)), ("v1.1", (0.6,))))


def test_slices_may_be_called_like_metrics() -> None:
    """The state AP has an AUC; no metric has one."""
    assert [name for name, _ in slices({"AP.auc": 0.5, "MH.auc": 0.6}).groups[0].rows] == ["AP", "MH"]


@pytest.mark.parametrize(
    "tree",
    [
        {"train": {"auc": 0.9}, "test": {"auc": 0.8}, "val": {"auc": 0.7}},
        {"validation_0": {"auc": 0.9}, "validation_1": {"auc": 0.8}},
        {"test": {"auc": 0.9}, "EU": {"auc": 0.8}},
        {"auc": {"mean": 0.9, "std": 0.1}, "f1": {"mean": 0.8, "std": 0.1}},
        {"custom": {"mean": 0.9, "std": 0.1}, "other": {"mean": 0.8, "std": 0.1}},
        {"EU": {"auc": 0.9}, "US": {"f1": 0.8}},
        {"EU": {"auc": 0.9}},
        {"EU": {"auc": "good"}, "US": {"auc": "bad"}},
        {"EU": {"auc": True}, "US": {"auc": False}},
    ],
)
def test_what_is_no_slice(tree: dict[str, object]) -> None:
    """Splits, statistics, siblings that share nothing, texts and a lone mapping stay plain."""
    assert slices(flat(tree)).groups == ()
    assert slices(flat(tree)).plain == tuple(flat(tree))


def test_slices_of_each_split() -> None:
    """Slices below `test` and below `val` are two groups, not one of splits."""
    tree = {split: {"by": {"EU": {"auc": 0.9}, "US": {"auc": 0.8}}} for split in ("test", "val")}
    assert [group.title for group in slices(flat(tree)).groups] == ["test.by", "val.by"]


@given(TREES)
def test_every_metric_stands_in_one_place(tree: dict[str, object]) -> None:
    """Each key is plain or one cell of one group, and groups hold numbers only."""
    values = flat(tree)
    found = slices(values)
    cells = [
        (joined([*([group.title] if group.title else []), name]), column, value)
        for group in found.groups
        for name, row in group.rows
        for column, value in zip(group.columns, row, strict=True)
        if value is not None
    ]
    assert len(found.plain) + len(cells) == len(values)
    assert list(found.plain) == [key for key in values if key in found.plain]
    assert all(is_number(value) for *_, value in cells)
    assert all(len(group.rows) > 1 for group in found.groups)


def test_slice_names_are_words() -> None:
    """What a sentence may mean: no class numbers and no averages, which would be found everywhere."""
    row = {"f1": 0.5}
    report = flat({"0": row, "1": row, "macro avg": row, "model": row, "EU": row, "high income": row})
    assert slice_names({"b.json": report, "a.json": {"s.EU.f1": 1.0, "s.US.f1": 2.0}}) == ("EU", "US", "high income")


def test_what_leads() -> None:
    """A known direction first, then what was not measured on training data; slices and texts do not lead."""
    metrics = flat(
        {
            "n": 10,
            "train": {"auc": 0.99},
            "val": {"auc": 0.95},
            "test": {"auc": 0.9},
            "slices": {"EU": {"auc": 0.8}, "US": {"auc": 0.7}},
            "note": "ok",
        }
    )
    keys = [key for _, key in leading({"m.json": metrics}, {}, 9)]
    assert keys == ["test.auc", "val.auc", "train.auc", "n"]
    assert leading({"train.json": {"auc": 1.0}, "test.json": {"auc": 0.9}}, {}, 1) == (("test.json", "auc"),)
    assert leading({"m": {"n": 1, "cost": 2}}, {"cost": "down"}, 1) == (("m", "cost"),)


def test_same_means_the_same() -> None:
    """Numbers by value, NaN is NaN, and neither a flag nor a text is a number."""
    assert same(1, 1.0)
    assert same(math.nan, float("nan"))
    assert same(None, None)
    assert not same(1, True)
    assert not same(1, "1")
    assert not same(0, False)
    assert not same(0, None)


@pytest.mark.parametrize(
    ("key", "name"),
    [("auc", "auc"), ("test.auc", "auc"), ("loss.val", "loss"), ("loss.train", "loss"), ("train", "train"), ("", "")],
)
def test_the_metric_is_named_by_the_part_that_says_more_than_where(key: str, name: str) -> None:
    """`loss.val` is a loss; `val` alone is all there is to say."""
    assert measured(key) == name


def test_the_documentation_lists_exactly_the_known_metrics() -> None:
    """Who wonders why a metric has an arrow finds its name in the list, and no name that means nothing."""
    text = (Path(__file__).resolve().parents[2] / "docs" / "cards.md").read_text(encoding="utf-8")
    higher, lower = text.partition("Higher is better:")[2].split("Lower is better:")
    assert set(re.findall("`([^`]+)`", higher)) == set(HIGHER_IS_BETTER.split())
    assert set(re.findall("`([^`]+)`", lower)) == set(LOWER_IS_BETTER.split())
