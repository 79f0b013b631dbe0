"""`modelver bisect`: what a person reads, the shape of its JSON, and who is asked."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from dvc_modelver.cli import bisect as command
from dvc_modelver.errors import BadInput, Refused
from tests.cli.shapes import AUTHOR, COMMIT, SCALAR, TIME, V, faults, one_of
from tests.support import DvcRepo, Modelver

STATE = one_of("good", "bad", "unknown")
BISECT = {
    "schema": int,
    "name": str,
    "metric": {"file": str, "key": str},
    "better": one_of("up", "down"),
    "limit": (float, None),
    "good": {"version": V, "value": SCALAR},
    "bad": {"version": V, "value": SCALAR},
    "versions": [{"version": V, "commit": COMMIT, "value": SCALAR, "state": STATE, "withdrawn": bool}],
    "step": {"from": V, "to": V},
    "commits": [
        {
            "commit": COMMIT,
            "author": AUTHOR,
            "at": TIME,
            "subject": str,
            "value": SCALAR,
            "state": STATE,
            "recorded_in": (COMMIT, None),
            "built": bool,
        }
    ],
    "culprit": {"commit": (COMMIT, None), "range": ([COMMIT], None)},
    "suspects": [COMMIT],
    "before": (COMMIT, None),
    "attribution": [{"kind": one_of("data", "code", "params", "environment", "pipeline"), "names": [str]}],
    "unmeasured": [COMMIT],
    "notes": [str],
}


@pytest.fixture
def dropped(dvc_repo: DvcRepo) -> DvcRepo:
    """Depths 6, 9, 8, 2 and 3, each released: auc 0.8, 0.95, 0.9, 0.6 and 0.65."""
    dvc_repo.git.tag("churn@v0.1.0")
    for number, depth in enumerate((9, 8, 2, 3), 2):
        dvc_repo.fake_train(depth, f"Train \x1b[31mdepth {depth}", push=False)
        dvc_repo.git.tag(f"churn@v0.{number}.0")
    return dvc_repo


def test_what_a_person_reads(dropped: DvcRepo, modelver: Modelver) -> None:
    """The answer first, then why, then the versions; nothing that could steer a terminal."""
    git = dropped.git
    culprit = git.rev("churn@v0.4.0^{commit}")
    said = modelver("bisect", "churn", "--metric", "auc", cwd=git)
    assert said.out.splitlines() == [
        f"auc of churn went wrong at commit {culprit[:12]}, before v0.4.0.",
        f"  {culprit[:12]}  {git('show', '-s', '--format=%ad', '--date=format:%Y-%m-%d %H:%M', culprit)}  Ada Byron  "
        r"Train \x1b[31mdepth 2",
        "  auc 0.9 -> 0.6",
        "Changed there: param params.yaml:train.depth.",
        "",
        "auc (metrics.json, higher is better): the step is v0.3.0 -> v0.4.0",
        "VERSION  VALUE  STATE",
        "v0.2.0    0.95  good",
        "v0.3.0     0.9  good",
        "v0.4.0     0.6  bad",
        "v0.5.0    0.65  bad",
    ]
    assert said.err == "note: taken as good: v0.2.0, the best before v0.5.0\n"


def test_json(dropped: DvcRepo, modelver: Modelver) -> None:
    """One object of the documented shape, the same each time."""
    words = ("bisect", "churn", "--metric", "auc", "--json")
    answer = modelver(*words, cwd=dropped.git).json
    assert faults(answer, BISECT) == []
    assert (answer["metric"], answer["better"], answer["limit"]) == ({"file": "metrics.json", "key": "auc"}, "up", None)
    assert modelver(*words, cwd=dropped.git).json == answer
    assert modelver(*words, "--max-drop", "0.2", cwd=dropped.git).json["limit"] == pytest.approx(0.75)


def test_the_same_recipe_gave_another_value(dropped: DvcRepo, modelver: Modelver) -> None:
    """Where nothing that is recorded changed, that is said."""
    dropped.git.commit("Measure again", {"metrics.json": '{"auc": 0.3}'})
    dropped.git.tag("churn@v0.6.0")
    shown = modelver("bisect", "churn", "--metric", "auc", "--good", "v0.5.0", cwd=dropped.git).out
    assert "the same recipe gave another value" in shown


def test_many_versions_are_cut_to_those_around_the_step(dropped: DvcRepo, modelver: Modelver) -> None:
    """Three on each side and both ends, however many there are."""
    for number in range(6, 30):
        dropped.fake_train(4, push=False)
        dropped.git.tag(f"churn@v0.{number}.0")
    shown = modelver("bisect", "churn", "--metric", "auc", cwd=dropped.git).out.splitlines()
    assert [line.split()[0] for line in shown if line.startswith("v0.")] == [
        *(f"v0.{number}.0" for number in range(2, 8)),
        "v0.29.0",
    ]


class Terminal(io.StringIO):
    """A person who types."""

    def isatty(self) -> bool:
        """As a terminal answers."""
        return True


@pytest.mark.parametrize(("typed", "refused"), [("y\n", False), ("n\n", True), ("", True)])
def test_a_person_is_asked(monkeypatch: pytest.MonkeyPatch, typed: str, refused: bool) -> None:
    """On a terminal the question says what will run; anything but a yes is a no."""
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    monkeypatch.setattr(sys, "stderr", shown := Terminal())
    if refused:
        with pytest.raises(Refused):
            command._confirm(5, yes=False)
    else:
        command._confirm(5, yes=False)
    assert "runs the repository's own commands" in shown.getvalue()


def test_nobody_is_there_to_ask(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without a terminal it is refused, unless --yes says it before."""
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    command._confirm(5, yes=True)
    with pytest.raises(Refused) as refused:
        command._confirm(5, yes=False)
    assert not isinstance(refused.value, BadInput)
    assert "--yes" in refused.value.hint


def test_commits_that_nobody_measured_are_listed(dropped: DvcRepo, modelver: Modelver) -> None:
    """At most five, the last one of them the first bad one."""
    git = dropped.git
    text = (git.path / "params.yaml").read_text()
    for rate in range(2, 9):
        git.commit(f"Rate {rate}", {"params.yaml": text.replace("1e-05", f"{rate}e-05")})
    dropped.fake_train(1, "Record", push=False)
    git.tag("churn@v0.6.0")
    words = ("bisect", "churn", "--metric", "auc", "--good", "v0.4.0", "--threshold", "0.58")
    shown = modelver(*words, cwd=git).out.splitlines()
    assert shown[0].startswith("auc of churn went wrong between commits ")
    listed = [line for line in shown if line.startswith("  ") and " Ada Byron " in line]
    assert [line.partition("Byron  ")[2] for line in listed] == [
        *(f"Rate {rate}  (no recorded metrics)" for rate in range(2, 6)),
        "Record",
    ]
    assert any("--repro builds them" in line for line in shown)
