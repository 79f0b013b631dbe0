"""Numbers in prose: stale ones are an earlier version's, the rest is noted or left alone."""

from __future__ import annotations

import pytest

from dvc_modelver.cards.document import parse_card, replace_blocks
from dvc_modelver.cards.numbers import stale_numbers

NOW = {"test.roc_auc": 0.8934, "accuracy": 0.91, "rmse": 3.25, "loss": -0.5, "n_rows": 5000, "mape": 0.051, "f1": 0.75}
V1 = {
    "test.roc_auc": 0.8712,
    "accuracy": 0.873,
    "rmse": 1234.49,
    "loss": -0.25,
    "n_rows": 4000,
    "mape": 0.06,
    "f1": 0.75,
}
V0 = {"test.roc_auc": 0.8512, "accuracy": 0.91, "recall": 0.5}


def stale(text: str, **more: object) -> list[tuple[int, str, str]]:
    found = stale_numbers(parse_card(text), NOW, lambda: [("v1.0.0", V1), ("v0.1.0", V0)], **more)  # type: ignore[arg-type]
    return [(item.line, item.metric, item.written) for item in found.stale]


@pytest.mark.parametrize(
    ("text", "metric", "written"),
    [
        ("ROC AUC is 0.871.", "test.roc_auc", "0.871"),
        ("roc_auc: 0.87", "test.roc_auc", "0.87"),
        ("The test ROC-AUC reached **0.8712** here.", "test.roc_auc", "0.8712"),
        ("`roc_auc` is 0.871", "test.roc_auc", "0.871"),
        ("0.851 ROC AUC", "test.roc_auc", "0.851"),
        ("Accuracy of 87.3 %", "accuracy", "87.3 %"),
        ("Accuracy of 87.3%.", "accuracy", "87.3%"),
        ("accuracy (87 percent)", "accuracy", "87 percent"),
        ("accuracy 0,873", "accuracy", "0,873"),
        ("RMSE 1,234.5", "rmse", "1,234.5"),
        ("RMSE of 1234", "rmse", "1234"),
        ("RMSE 1.234e3", "rmse", "1.234e3"),
        ("loss -0.25", "loss", "-0.25"),
        ("loss \u22120.25", "loss", "\u22120.25"),
        ("n_rows = 4000", "n_rows", "4000"),
        ("MAPE is 6 %", "mape", "6 %"),
        ("# Accuracy 0.873", "accuracy", "0.873"),
        ("- accuracy\n  of 0.873", "accuracy", "0.873"),
        ("In this version accuracy is 0.873.", "accuracy", "0.873"),
        ("ROC AUC of 0.871, accuracy of 0.91.", "test.roc_auc", "0.871"),
        ('The "old" accuracy 0.873', "accuracy", "0.873"),
        ("Since v1.0.0 much has changed. Accuracy is 0.873.", "accuracy", "0.873"),
        ("It works (e.g. accuracy is approx. 0.873).", "accuracy", "0.873"),
    ],
)
def test_stale(text: str, metric: str, written: str) -> None:
    """Beside the metric's name, an earlier version's value at the precision that was written."""
    assert [found[1:] for found in stale(text)] == [(metric, written)]


@pytest.mark.parametrize(
    "text",
    [
        "ROC AUC is 0.893.",
        "ROC AUC is 0.8934, accuracy 91 %.",
        "accuracy 0.9",
        "F1 0.75",
        "The value is 0.871.",
        "Accuracy is good. It was 0.873.",
        "> accuracy 0.873",
        "> accuracy\n0.873",
        'They wrote "accuracy 0.873".',
        "They wrote \u201caccuracy 0.873\u201d.",
        "accuracy `0.873`",
        "```\naccuracy 0.873\n```",
        "    accuracy 0.873",
        "| accuracy | 0.873 |\n|---|---|\n| accuracy | 0.873 |",
        "Text\n\n| metric | value |\n| :- | -: |\n| accuracy | 0.873 |\n| f1 | 0.1 |",
        "accuracy was 0.873 in v1.0.0",
        "1.0.0: accuracy 0.873",
        "Version 1 had an accuracy of 0.873.",
        "The previous version had an accuracy of 0.873.",
        "churn@v1.0.0 and its accuracy 0.873",
        "accuracy for women is 0.873",
        "accuracy: see [the report](http://x/accuracy-0.873)",
        "accuracy <!-- 0.873 -->",
        "~~accuracy 0.873~~",
        "accuracy 1.0.873",
        "accuracy 0.873.1",
        "accuracy grew by 87.3 percentage points",
        "accuracy 0.9 \u00b1 0.873",
        "accuracy " + "x " * 40 + "0.873",
        "inaccuracy 0.873",
        "recall 0.5",
        "1 is the best accuracy",
        "accuracy 10.873",
        "https://host/accuracy=0.873",
    ],
)
def test_not_stale(text: str) -> None:
    """This version's value, other numbers, quotes, code, tables, links and sentences about something else."""
    assert stale(text, slices=["women", "region=EU"]) == []


def test_findings_say_line_and_both_values() -> None:
    """What stands there, what it is now, what it was and in which version, counted behind the front matter."""
    card = parse_card("---\na: 1\n---\n\nText and\nmore text with accuracy\n0.873.\n")
    (found,) = stale_numbers(card, NOW, lambda: [("v1.0.0", V1)]).stale
    assert (found.line, found.metric, found.written) == (7, "accuracy", "0.873")
    assert (found.current, found.earlier, found.version) == (0.91, 0.873, "v1.0.0")


def test_other_differences_are_notes() -> None:
    """A number that never was the metric's is noted, with what the metric is; counts are not."""
    found = stale_numbers(parse_card("Accuracy is 0.95 on 5 folds."), NOW, lambda: [("v1.0.0", V1)])
    assert found.stale == ()
    assert [(note.line, note.metric, note.written, note.current) for note in found.notes] == [
        (1, "accuracy", "0.95", 0.91)
    ]


def test_generated_blocks_are_not_prose() -> None:
    """What we wrote is judged by its digest, not by its numbers."""
    card = parse_card("<!-- modelver:begin a -->\n<!-- modelver:end a -->\n")
    card = replace_blocks(card, {"a": "accuracy 0.873"}).card
    assert stale_numbers(card, NOW, lambda: [("v1.0.0", V1)]).stale == ()


def test_no_metrics_and_odd_ones() -> None:
    """Without metrics, with NaN, with huge values or names like patterns there is nothing to find, and no fault."""
    card = parse_card("accuracy 0.873, a+b 1.5, x 99999999999999999999999999999999999.5")
    assert stale_numbers(card, {}, lambda: [("v1", V1)]).stale == ()
    odd = {"accuracy": float("nan"), "a+b": 2.0, "": 1.0, "...": 1.0, "x": 1e300, "(": 0.1}
    assert stale_numbers(card, odd, lambda: [("v1", {"accuracy": 0.873, "x": float("inf")})]).stale == ()


def test_earlier_versions_are_read_only_when_a_number_is_in_doubt() -> None:
    """A card whose numbers are all right costs no look at history."""

    def never() -> list[tuple[str, dict[str, float]]]:
        raise AssertionError("history was read")

    assert stale_numbers(parse_card("Accuracy is 0.91. There are 12 rows."), NOW, never).stale == ()
