"""Bad words for the gate, experiments and Git hooks: the right exit code, two lines, and nothing changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bad_input.support import refused
from tests.support import DvcRepo, Git, Modelver

NAMES = ["-x", "a b", "a..b", "a~1", "a^", "a?", "a[", "a\\b", "a//b", "/a", "a/", "", "\x1b[2J", "\u202ea", "\u200ba"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("command", [["gate"], ["list", "--experiments"], ["reproduce"], ["rollback"]])
def test_a_name_that_is_none(released: DvcRepo, modelver: Modelver, command: list[str], name: str) -> None:
    """Neither a model nor anything near one: 2 or 7, shown escaped."""
    result = modelver(*command, "--", name, cwd=released.git, code=None)
    assert result.code in (2, 7), result
    refused(modelver, released.git, *command, "--", name, code=result.code)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["gate", "nobody"], 7),
        (["gate", "churn@v9.0.0"], 7),
        (["gate", "churn@1"], 2),
        (["gate", "churn#staging"], 7),
        (["gate", "churn", "--against", "nowhere"], 7),
        (["gate", "churn", "--against", "v9.9.9"], 7),
        (["gate", "churn", "--against", "other@v1.0.0"], 7),
        (["gate", "churn", "--against", "exp:nobody"], 7),
        (["gate", "churn", "--against", "--output=x"], 7),
        (["gate", "churn", "--rev", "nowhere"], 7),
        (["gate", "churn", "--rev", "--output=x"], 7),
        (["gate", "churn", "--rev", "HEAD", "--exp", "x"], 2),
        (["gate", "churn", "--exp", "nobody"], 7),
        (["gate", "churn", "--exp", ""], 7),
        (["gate", "churn", "--policy", "nowhere.yaml"], 2),
        (["gate", "churn", "--policy", "src"], 2),
        (["gate", "churn", "--policy", "README.txt"], 2),
        (["gate", "churn", "--policy", ""], 2),
        (["gate", "churn", "--reference", "nowhere.json"], 2),
        (["gate", "churn", "--reference", "metrics.json"], 2),
        (["gate", "churn", "--reference", "x.json", "--against", "latest"], 2),
        (["gate", "churn", "--out", "src"], 2),
        (["gate", "churn", "--out", ""], 2),
        (["gate", "churn", "--out", "metrics.json/x"], 2),
        (["gate", "churn", "--out", ".git/x"], 3),
        (["gate", "churn", "--out", ".dvc/config"], 3),
        (["gate", "churn", "--out", ".git"], 3),
        (["gate", "churn", "--dry-run"], 2),
        (["gate", "churn", "--update-reference", "--out", "x"], 2),
        (["gate", "churn", "--update-reference", "--exp", "x"], 2),
        (["gate", "churn", "--update-reference", "--reference", "src"], 2),
        (["gate", "churn", "--update-reference", "--reference", ".git/config"], 3),
        (["gate", "churn", "extra"], 2),
        (["list", "churn"], 2),
        (["list", "--experiments", "nobody"], 7),
        (["hooks", "nothing"], 2),
        (["hooks", "install", "extra"], 2),
        (["reproduce", "churn@v9.0.0", "--yes"], 7),
        (["reproduce", "churn", "--tolerance", "much"], 2),
        (["reproduce", "churn", "--tolerance", "-1"], 2),
        (["reproduce", "churn", "--tolerance", "nan"], 2),
        (["reproduce", "churn"], 3),
        (["rollback", "churn", "v9.0.0"], 7),
        (["rollback", "churn", "--branch", "a..b"], 2),
        (["rollback", "churn", "--branch", "-x"], 2),
        (["rollback", "churn", "--branch", "HEAD"], 2),
        (["rollback", "churn", "--branch", "@"], 2),
        (["rollback", "churn", "--branch", "@{-1}"], 2),
        (["rollback", "churn", "--branch", "main"], 3),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, list) else "",
)
def test_words_that_cannot_be_meant(released: DvcRepo, modelver: Modelver, words: list[str], code: int) -> None:
    """One fact, one next step, and the repository as before."""
    refused(modelver, released.git, *words, code=code)


POLICIES = {
    "an unknown key": "agianst: prod\n",
    "an unknown rule": "metrics: {auc: {mim: 1}}\n",
    "a text for a number": "metrics: {auc: {min: high}}\n",
    "not a number": "metrics: {auc: {min: .nan}}\n",
    "without end": "metrics: {auc: {max: .inf}}\n",
    "yes": "metrics: {auc: {min: true}}\n",
    "a negative drop": "metrics: {auc: {max_drop: -1}}\n",
    "a negative share": "metrics: {auc: {max_drop: -5%}}\n",
    "nothing passes": "metrics: {auc: {min: 1, max: 0}}\n",
    "no direction": "metrics: {auc: sideways}\n",
    "a list of rules": "metrics: [auc]\n",
    "significance": "significance: 0.5\n",
    "slices of numbers": "slices: [1]\n",
    "two documents": "metrics: {}\n---\nmetrics: {}\n",
    "the same key twice": "metrics: {}\nmetrics: {}\n",
    "a conflict": "<<<<<<< ours\nmetrics: {}\n=======\n>>>>>>> theirs\n",
    "a list": "- auc\n",
    "a text": "auc\n",
}


@pytest.mark.parametrize("what", POLICIES)
@pytest.mark.parametrize("form", [["gate", "churn"], ["gate", "churn", "--update-reference"]], ids=["judge", "refresh"])
def test_a_policy_that_nobody_can_mean(released: DvcRepo, modelver: Modelver, what: str, form: list[str]) -> None:
    """Named by file and key: 2, whichever way it is used; a slip never passes a model."""
    released.git.write("policy.yaml", POLICIES[what])
    result = refused(modelver, released.git, *form, "--policy", "policy.yaml", code=2)
    assert "policy.yaml" in result.err


@pytest.mark.parametrize("action", ["install", "status", "uninstall"])
def test_hooks_where_there_is_no_work_tree(tmp_path: Path, home: Path, modelver: Modelver, action: str) -> None:
    """No repository, and a bare one: 6."""
    (tmp_path / "nothing").mkdir()
    modelver("hooks", action, cwd=Git(tmp_path / "nothing", home), code=6)
    bare = Git(tmp_path / "bare", home).init("--bare")
    refused(modelver, bare, "hooks", action, code=6)


def test_the_gate_refuses_refs_inside_a_pipeline_stage(released: DvcRepo, modelver: Modelver) -> None:
    """While `dvc repro` runs, an answer that depends on refs would be cached as if it did not: 3."""
    for words in (["--against", "latest"], ["--update-reference"], ["--rev", "HEAD"]):
        refused(modelver, released.git, "gate", "churn", *words, code=3, env={"DVC_STAGE": "gate"})
