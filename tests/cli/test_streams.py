"""Streams that are closed, full, or read by nobody: what was asked for is done, and the exit code tells the truth."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import DvcRepo, Git, Modelver

CLOSED = ("<&-", ">&-", "2>&-", "<&- >&- 2>&-")
UNREAD = ("> >(true)", "2> >(true)")
READING = ("list", "list --json", "--version", "show churn", "show churn --json", "doctor --json")


def shell(repo: Git, words: str, redirection: str) -> subprocess.CompletedProcess[bytes]:
    """`modelver WORDS` in bash, with its streams as they are redirected."""
    line = f'sleep 0.1; exec "$0" -m dvc_modelver {words} {redirection}'
    env = {**repo.env, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.run(["bash", "-c", line, sys.executable], cwd=repo.path, env=env, capture_output=True)


@pytest.fixture
def repo(dvc_repo: DvcRepo, modelver: Modelver) -> Git:
    """One version."""
    modelver("release", "churn", "--no-card", "--offline", cwd=dvc_repo.git)
    return dvc_repo.git


@pytest.mark.parametrize("redirection", [*CLOSED, *UNREAD])
def test_readers_do_not_mind(repo: Git, redirection: str) -> None:
    """Nothing is wrong with a command whose words nobody wants."""
    for words in READING:
        done = shell(repo, words, redirection)
        assert (done.returncode, b"Traceback" in done.stderr) == (0, False), (words, done.stderr.decode())


@pytest.mark.parametrize("redirection", [*CLOSED, *UNREAD])
@pytest.mark.parametrize("as_json", ["", "--json"])
def test_what_was_asked_for_is_done(repo: Git, redirection: str, as_json: str) -> None:
    """Exit 0 means that the tag is there."""
    done = shell(repo, f"promote churn@v0.1.0 prod --offline {as_json}", redirection)
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False), done.stderr.decode()
    assert repo("tag", "--list", "churn#prod#*").strip() == "churn#prod#1"
    assert not (repo.path / ".git" / "modelver" / "journal.json").exists()


@pytest.mark.parametrize("redirection", [*CLOSED, *UNREAD, ">/dev/full", "2>/dev/full"])
@pytest.mark.parametrize("as_json", ["", "--json"])
def test_failures_stay_failures(repo: Git, redirection: str, as_json: str) -> None:
    """The exit code does not depend on who listens."""
    done = shell(repo, f"promote churn@v9.0.0 prod --offline {as_json}", redirection)
    assert (done.returncode, b"Traceback" in done.stderr) == (7, False), done.stderr.decode()
    assert repo("tag", "--list", "churn#*").strip() == ""


@pytest.mark.parametrize("words", READING)
def test_an_answer_that_found_no_room(repo: Git, words: str) -> None:
    """A full disk under the answer is a failure that is told in two lines."""
    done = shell(repo, words, ">/dev/full")
    assert done.returncode == 6
    assert done.stderr.decode().splitlines() == [
        "error: No space left on device",
        "hint: check the disk and who may write there",
    ]


def test_files_do_not_take_the_place_of_a_stream(dvc_repo: DvcRepo, repo: Git) -> None:
    """With every stream closed, what a release writes is what it writes with all of them open."""
    dvc_repo.fake_train(4)
    assert shell(repo, "release churn --bump minor --offline", "<&- >&- 2>&-").returncode == 0
    repo("fsck", "--strict", "--no-dangling")
    answer = shell(repo, "show churn@v0.2.0 --json", "")
    assert answer.returncode == 0, answer.stdout
    assert json.loads(answer.stdout)["version"] == "v0.2.0"
    assert shell(repo, "verify churn@v0.2.0 --json", "").returncode == 0
