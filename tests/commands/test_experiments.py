"""`list --experiments`: DVC's experiments with their numbers beside the versions, and which would pass the gate."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cli import shapes
from tests.cli.shapes import COMMIT, SCALAR, Map, V, faults
from tests.support import DvcRepo, Modelver, Templates, snapshot

NUMBERS = {"metrics": Map(Map(SCALAR)), "params": Map(Map(SCALAR))}
VERSION = {"version": V, "commit": COMMIT, **NUMBERS}
SHAPE = {
    **shapes.LIST,
    "experiments": [
        {
            "name": str,
            "latest": (VERSION, None),
            "production": (VERSION, None),
            "experiments": [
                {
                    "experiment": str,
                    "commit": COMMIT,
                    "parent": COMMIT,
                    **NUMBERS,
                    "gate": ({"ok": bool, "against": (str, None), "rules": shapes.GATE["rules"]}, None),
                }
            ],
        }
    ],
}


def experiment(repo: DvcRepo, name: str, depth: int) -> str:
    """A commit as `dvc exp run` leaves it, below a ref of its own; the work tree stays as it was."""
    base = repo.git.rev("HEAD")
    commit = repo.fake_train(depth, name)
    repo.git("update-ref", f"refs/exps/{base[:2]}/{base[2:]}/{name}", "HEAD")
    repo.git("reset", "-q", "--hard", base)
    return commit


@pytest.fixture
def tried(dvc_repo: DvcRepo) -> DvcRepo:
    """v0.1.0 (depth 6) is in prod, v0.2.0 (depth 8) is the latest; a worse and a better experiment came after it."""
    dvc_repo.git.tag("churn@v0.1.0")
    dvc_repo.git.tag("churn#prod#1")
    dvc_repo.fake_train(8)
    dvc_repo.git.tag("churn@v0.2.0")
    experiment(dvc_repo, "low-owl", 5)
    experiment(dvc_repo, "tall-elk", 9)
    return dvc_repo


def test_experiments_stand_beside_the_versions(tried: DvcRepo, modelver: Modelver) -> None:
    """Each has its commit, where it began, its metrics and params, and what the gate would say."""
    answer = modelver("list", "--experiments", "--json", cwd=tried.git).json
    assert faults(answer, SHAPE) == []
    (churn,) = answer["experiments"]
    assert (churn["production"]["version"], churn["latest"]["version"]) == ("v0.1.0", "v0.2.0")
    assert churn["production"]["metrics"]["metrics.json"]["auc"] == 0.8
    found = {
        one["experiment"]: (one["metrics"]["metrics.json"]["auc"], one["params"]["params.yaml"]["train.depth"])
        for one in churn["experiments"]
    }
    assert found == {"low-owl": (0.75, 5), "tall-elk": (0.95, 9)}
    assert {one["parent"] for one in churn["experiments"]} == {tried.git.rev("HEAD")}
    assert [(one["gate"]["ok"], one["gate"]["against"]) for one in churn["experiments"]] == [
        (False, "churn@v0.1.0"),
        (True, "churn@v0.1.0"),
    ]
    assert modelver("list", "--experiments", "churn", "--json", cwd=tried.git).json == answer
    assert "experiments" not in modelver("list", "--json", cwd=tried.git).json


def test_the_verdict_is_the_gates(tried: DvcRepo, modelver: Modelver) -> None:
    """What the list says of an experiment is what `gate --exp` says, under the configured policy too."""
    for policy in ("", "gate: {against: latest}\n", "gate: {metrics: {auc: {min: 0.96}}}\n"):
        tried.git.write(".modelver.yaml", policy)
        (churn,) = modelver("list", "--experiments", "--json", cwd=tried.git).json["experiments"]
        for one in churn["experiments"]:
            gate = modelver("gate", "churn", "--exp", one["experiment"], "--json", cwd=tried.git, code=None).json
            assert one["gate"] == {key: gate[key] for key in ("ok", "against", "rules")}


def test_the_table(tried: DvcRepo, modelver: Modelver) -> None:
    """A row for each version and experiment: leading metrics, changed params, the verdict."""
    rows = list(csv.reader(modelver("list", "--experiments", "--csv", cwd=tried.git).out.splitlines()))
    assert rows[0] == ["MODEL", "WHAT", "COMMIT", "FROM", "METRICS", "PARAMS", "GATE"]
    assert [(row[1], row[4], row[5], row[6]) for row in rows[1:]] == [
        ("v0.1.0 (production)", "auc 0.8, loss.val 1e-05, n 85", "'-", "'-"),
        ("v0.2.0 (latest)", "auc 0.9, loss.val 1e-05, n 85", "'-", "'-"),
        ("low-owl", "auc 0.75, loss.val 1e-05, n 85", "train.depth 5", "fails: auc"),
        ("tall-elk", "auc 0.95, loss.val 1e-05, n 85", "train.depth 9", "passes"),
    ]
    assert "low-owl" in modelver("list", "--experiments", cwd=tried.git).out
    assert modelver("list", "--experiments", "--md", cwd=tried.git).out.count("\n") == 6


def test_without_any_experiment_or_version(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """Nothing to show is no error; before the first release every experiment passes what compares."""
    empty = modelver("list", "--experiments", cwd=dvc_repo.git)
    assert empty.out.startswith("There is no DVC experiment here.")
    experiment(dvc_repo, "low-owl", 5)
    (churn,) = modelver("list", "--experiments", "--json", cwd=dvc_repo.git).json["experiments"]
    assert (churn["latest"], churn["production"], churn["experiments"][0]["gate"]["ok"]) == (None, None, True)


def test_a_broken_experiment_costs_only_itself(tried: DvcRepo, modelver: Modelver) -> None:
    """One whose files cannot be read is named in a note, and the others are shown."""
    base = tried.git.rev("HEAD")
    tried.git.commit("broken", {"dvc.lock": "<<<<<<< HEAD\n"})
    tried.git("update-ref", f"refs/exps/{base[:2]}/{base[2:]}/bad-bat", "HEAD")
    tried.git("reset", "-q", "--hard", base)
    shown = modelver("list", "--experiments", "--json", cwd=tried.git)
    assert [one["experiment"] for one in shown.json["experiments"][0]["experiments"]] == ["low-owl", "tall-elk"]
    assert "bad-bat" in shown.err


def test_one_name_at_two_commits(tried: DvcRepo, modelver: Modelver) -> None:
    """DVC allows it: both are listed, each with where it began; the gate takes the one that began at HEAD."""
    tried.fake_train(7)
    head = tried.git.rev("HEAD")
    experiment(tried, "tall-elk", 4)
    (churn,) = modelver("list", "--experiments", "--json", cwd=tried.git).json["experiments"]
    assert sorted(
        (one["params"]["params.yaml"]["train.depth"], one["parent"] == head)
        for one in churn["experiments"]
        if one["experiment"] == "tall-elk"
    ) == [(4, True), (9, False)]
    gate = modelver("gate", "churn", "--exp", "tall-elk", "--json", cwd=tried.git, code=1).json
    assert gate["rules"][0]["value"] == 0.7
    tried.git.commit("Go on", {"a": "b"})
    assert "2 DVC experiments" in modelver("gate", "churn", "--exp", "tall-elk", cwd=tried.git, code=2).err


def test_dvcs_own_refs_are_no_experiments(tried: DvcRepo, modelver: Modelver) -> None:
    """What DVC keeps beside experiments (its stash, what runs, what failed) is not listed."""
    for ref in ("exec/EXEC_HEAD", "stash", "celery/stash", "celery/failed", "temp/x", "apply/ORIG"):
        tried.git("update-ref", f"refs/exps/{ref}", "HEAD")
    (churn,) = modelver("list", "--experiments", "--json", cwd=tried.git).json["experiments"]
    assert [one["experiment"] for one in churn["experiments"]] == ["low-owl", "tall-elk"]


def test_secrets_are_hidden(tried: DvcRepo, modelver: Modelver) -> None:
    """A param called password is shown by nothing."""
    text = (tried.path / "params.yaml").read_text()
    tried.git.commit("Leak", {"params.yaml": f"{text}password: hunter2-hunter2\n"})
    experiment(tried, "sad-cat", 8)
    for form in ((), ("--json",), ("--md",)):
        assert "hunter2" not in modelver("list", "--experiments", *form, cwd=tried.git).out


def test_errors_and_reading(tried: DvcRepo, modelver: Modelver) -> None:
    """An unknown model is 7, a name without the option is 2, and looking changes nothing."""
    assert "did you mean churn" in modelver("list", "--experiments", "chrun", cwd=tried.git, code=7).err
    assert "--experiments" in modelver("list", "churn", cwd=tried.git, code=2).err
    before = snapshot(tried.git)
    modelver("list", "--experiments", cwd=tried.git)
    assert snapshot(tried.git) == before


# Beside DVC ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ran:
    """A repository in which DVC itself ran experiments, and what it says of them."""

    repo: DvcRepo
    shown: list[dict[str, Any]]
    names: list[str]


@pytest.fixture(scope="session")
def ran(templates: Templates, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """Two experiments run by DVC, one in the work tree and one in a directory of its own."""
    repo = templates.dvc(Path(tmp_path_factory.mktemp("ran")))
    repo.git.tag("churn@v0.1.0")
    repo.dvc(["exp", "run", "-q", "-n", "flat-fox", "-S", "train.depth=3"])
    repo.git("reset", "-q", "--hard")
    repo.dvc(["exp", "run", "-q", "--temp", "-n", "deep-dog", "-S", "train.depth=9"])
    shown = json.loads(repo.dvc(["exp", "show", "--json"]))
    names = repo.dvc(["exp", "list", "--name-only"]).split()
    return Ran(repo, shown, names)


@pytest.mark.long
def test_dvc_says_the_same(ran: Ran, modelver: Modelver) -> None:
    """Names, commits, metrics and params are those of `dvc exp show` and `dvc exp list`."""
    (churn,) = modelver("list", "--experiments", "--json", cwd=ran.repo.git).json["experiments"]
    theirs = {}
    for base in ran.shown:
        for one in base["experiments"] or ():
            (revision,) = one["revs"]
            data = revision["data"]
            theirs[one["name"]] = (
                base["rev"],
                data["rev"],
                _flat(data["metrics"]["metrics.json"]["data"]),
                _flat(data["params"]["params.yaml"]["data"]),
            )
    ours = {
        one["experiment"]: (
            one["parent"],
            one["commit"],
            one["metrics"]["metrics.json"],
            one["params"]["params.yaml"],
        )
        for one in churn["experiments"]
    }
    assert sorted(ours) == sorted(ran.names) == ["deep-dog", "flat-fox"]
    assert ours == theirs
    assert {one["experiment"]: one["gate"]["ok"] for one in churn["experiments"]} == {
        "deep-dog": True,
        "flat-fox": False,
    }


def _flat(values: dict[str, Any], above: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        found.update(_flat(value, f"{above}{key}.") if isinstance(value, dict) else {f"{above}{key}": value})
    return found
