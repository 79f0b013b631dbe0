"""`compare` says whether a difference is more than chance, from predictions that both points track."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

from tests.support import DvcRepo, Modelver


def table(labels: Sequence[int], right: Sequence[bool]) -> str:
    """A file of predictions."""
    rows = (
        f"{n},{label},{label if ok else 1 - label}" for n, (label, ok) in enumerate(zip(labels, right, strict=True))
    )
    return "\n".join(["id,label,prediction", *rows]) + "\n"


def measured(repo: DvcRepo, version: str, right: Sequence[bool], *, recorded: float | None = None) -> None:
    """A version with its predictions and their accuracy."""
    draw = random.Random(3)
    labels = [draw.randrange(2) for _ in right]
    accuracy = sum(right) / len(right) if recorded is None else recorded
    files = {"metrics.json": json.dumps({"accuracy": accuracy, "auc": 0.5}), "predictions.csv": table(labels, right)}
    dvc_yaml = (repo.path / "dvc.yaml").read_text()
    if "predictions.csv" not in dvc_yaml:
        files["dvc.yaml"] = f"{dvc_yaml}plots:\n- predictions.csv\n"
    repo.git.commit(version, files)
    repo.git.tag(f"churn@{version}")


def test_a_difference_comes_with_its_interval_and_test(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """The interval holds the difference, the test names what was counted; remembered facts change nothing."""
    draw = random.Random(7)
    worse = [draw.random() < 0.7 for _ in range(400)]
    better = [ok or draw.random() < 0.6 for ok in worse]
    measured(dvc_repo, "v0.1.0", worse)
    measured(dvc_repo, "v0.2.0", better)
    words = ("compare", "churn@v0.1.0", "churn@v0.2.0")
    answer = modelver(*words, "--json", cwd=dvc_repo.git).json
    (accuracy,) = (row for row in answer["metrics"] if row["key"] == "accuracy")
    none, interval = accuracy["intervals"]
    assert none is None
    assert 0 < interval["low"] < accuracy["deltas"][1] < interval["high"]
    assert interval["level"] == 0.95
    assert "paired bootstrap" in interval["method"]
    assert not any("intervals" in row for row in answer["metrics"] if row["key"] != "accuracy")
    (file,) = answer["predictions"]
    assert file["path"] == "predictions.csv"
    assert file["values"][0] is None
    judged = file["values"][1]
    assert (judged["samples"], judged["paired"]) == (400, True)
    (test,) = judged["tests"]
    assert test["name"].startswith("McNemar")
    assert test["p_value"] < 0.001
    assert modelver(*words, "--json", cwd=dvc_repo.git).json == answer
    text = modelver(*words, cwd=dvc_repo.git).out
    assert "Significance" in text
    assert "McNemar" in text
    assert "may be chance" not in text


def test_without_predictions_on_both_sides(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """One side's predictions alone give nothing, and a metric that they do not give has no interval."""
    dvc_repo.git.tag("churn@v0.0.1")
    measured(dvc_repo, "v0.1.0", [True, False] * 50)
    measured(dvc_repo, "v0.2.0", [True, True, False] * 40, recorded=0.9)
    alone = modelver("compare", "churn@v0.0.1", "churn@v0.1.0", "--json", cwd=dvc_repo.git).json
    assert alone["predictions"] == []
    other = modelver("compare", "churn@v0.1.0", "churn@v0.2.0", "--json", cwd=dvc_repo.git).json
    assert not any("intervals" in row for row in other["metrics"])
    assert other["predictions"][0]["values"][1]["note"]
