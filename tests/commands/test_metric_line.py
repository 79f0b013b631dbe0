"""`show NAME --metric KEY`: one number over all versions, in the terminal, as JSON and as a picture."""

from __future__ import annotations

import csv
import io
from xml.etree import ElementTree

import pytest

from tests.support import DvcRepo, Modelver


@pytest.fixture
def versions(dvc_repo: DvcRepo, modelver: Modelver) -> DvcRepo:
    """churn@v0.1.0 to v0.1.2 with depths 6, 9 and 5: auc 0.8, 0.95 and 0.75."""
    for depth in (6, 9, 5):
        if depth != 6:
            dvc_repo.fake_train(depth)
        modelver("release", "churn", "--bump", "patch", "--force-bump", "--no-card", cwd=dvc_repo.git)
    return dvc_repo


def test_each_version_has_its_value_and_what_changed(versions: DvcRepo, modelver: Modelver) -> None:
    """Newest first, with the difference to the version before and whether that is better."""
    answer = modelver("show", "churn", "--metric", "auc", "--json", cwd=versions.git).json
    assert (answer["name"], answer["file"], answer["key"], answer["better"]) == ("churn", "metrics.json", "auc", "up")
    rows = [(row["version"], row["value"], row["delta"] and round(row["delta"], 9)) for row in answer["versions"]]
    assert rows == [("v0.1.2", 0.75, -0.2), ("v0.1.1", 0.95, 0.15), ("v0.1.0", 0.8, None)]
    shown = modelver("show", "churn", "--metric", "auc", cwd=versions.git).out.splitlines()
    assert shown[0] == "auc of churn (metrics.json, higher is better)"
    assert "↓ -0.2 (worse)" in shown[2]
    assert "↑ +0.15 (better)" in shown[3]
    assert shown[3].count("█") > shown[4].count("█") > shown[2].count("█") > 0


def test_the_table_as_csv(versions: DvcRepo, modelver: Modelver) -> None:
    """The same rows for a spreadsheet."""
    text = modelver("show", "churn", "--metric", "auc", "--csv", cwd=versions.git).out
    assert [row[2] for row in csv.reader(io.StringIO(text))] == ["VALUE", "0.75", "0.95", "0.8"]


@pytest.mark.parametrize("words", ["val", "loss.val", "metrics.json:loss.val"])
def test_a_metric_may_be_named_by_its_last_part(versions: DvcRepo, modelver: Modelver, words: str) -> None:
    """`val` is enough where nothing else ends so."""
    assert modelver("show", "churn", "--metric", words, "--json", cwd=versions.git).json["key"] == "loss.val"


def test_a_picture(versions: DvcRepo, modelver: Modelver) -> None:
    """An SVG with a point for each version, and nothing in it but a drawing."""
    said = modelver("show", "churn", "--metric", "auc", "--svg", "auc.svg", cwd=versions.git)
    assert said.err == "wrote auc.svg\n"
    root = ElementTree.fromstring((versions.path / "auc.svg").read_bytes())
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "auc of churn" in "".join(root.itertext())


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("show", "churn", "--metric", "acu"), 7, "did you mean auc?"),
        (("show", "churn@v0.1.0", "--metric", "auc"), 2, "over all versions"),
        (("show", "churn", "--svg", "x.svg"), 2, "--metric"),
        (("show", "churn", "--metric", "auc", "--svg", "no/such/x.svg"), 2, "cannot write"),
        (("show", "nope", "--metric", "auc"), 7, "nope"),
    ],
)
def test_what_cannot_be_shown(
    versions: DvcRepo, modelver: Modelver, words: tuple[str, ...], code: int, said: str
) -> None:
    """The exit code, what is wrong and what to do, and no file."""
    assert said in modelver(*words, cwd=versions.git, code=code).err
    assert not (versions.path / "x.svg").exists()


def test_several_metrics_of_a_name_are_listed(versions: DvcRepo, modelver: Modelver) -> None:
    """Nobody guesses which one was meant."""
    text = '{"train": {"f1": 0.9}, "test": {"f1": 0.8}}\n'
    versions.git.commit("More metrics", {"metrics.json": text})
    modelver("release", "churn", "--allow-unchanged", "--no-card", cwd=versions.git)
    error = modelver("show", "churn", "--metric", "f1", cwd=versions.git, code=2).err
    assert "metrics.json:train.f1" in error
    assert "metrics.json:test.f1" in error
