"""`doctor --recover`: what an interrupted command left, what is to become of it; locks are named, never removed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.reliability.test_rollback_kills import BACK, build, copy_of, outputs_agree
from tests.reliability.tools import KILLED, Server, fsck, hook, journal, kill_env, killing_git, litter, state
from tests.support import DvcRepo, Modelver, Templates


@pytest.fixture(scope="module")
def start(
    tmp_path_factory: pytest.TempPathFactory, templates: Templates, servers: Callable[[int], list[Server]]
) -> Path:
    """What `build` makes, to be copied."""
    top = tmp_path_factory.mktemp("rollbacks")
    build(templates.clones(top).ada, servers(1)[0])
    return top


@pytest.fixture
def repo(start: Path, templates: Templates, tmp_path: Path) -> DvcRepo:
    """churn v0.1.0 to v0.3.0, and bundle v0.1.0 and v0.2.0."""
    return copy_of(start, templates, tmp_path / "clones").ada


@pytest.fixture
def killed(repo: DvcRepo, server: Server) -> DvcRepo:
    """A rollback that was killed right after its commit."""
    place = hook(repo.path / ".git", "post-commit", "kill -9 $(ps -o ppid= -p $PPID)")
    assert server(repo.git, *BACK, code=None).code == KILLED
    place.unlink()
    assert journal(repo.git)
    return repo


def test_nothing_to_recover(repo: DvcRepo, modelver: Modelver) -> None:
    """Without a journal it says so, changes nothing, and ends with 0."""
    before = state(repo.git)
    for more in ((), ("--dry-run",)):
        assert "Nothing to recover." in modelver("doctor", "--recover", *more, cwd=repo.git).out
    found = modelver("doctor", "--recover", "--json", cwd=repo.git).json
    assert found["recovery"] == {"left": None, "will": None, "done": None, "dry_run": False}
    assert found["locks"] == []
    assert state(repo.git) == before


def test_a_dry_run_belongs_to_recover(repo: DvcRepo, modelver: Modelver) -> None:
    """`doctor` alone has nothing to try."""
    modelver("doctor", "--dry-run", cwd=repo.git, code=2)


def test_what_was_left_is_told_and_undone(killed: DvcRepo, modelver: Modelver) -> None:
    """The command, its files and outputs, and what is to be done; the dry run does none of it, the other all."""
    old = killed.git.rev("HEAD^")
    before, kept = state(killed.git), (killed.path / ".git/modelver/journal").read_bytes()
    said = modelver("doctor", cwd=killed.git, code=1).out
    assert "a rollback of churn to v0.1.0 was interrupted on 20" in said
    plan = modelver("doctor", "--recover", "--dry-run", "--json", cwd=killed.git, code=1).json["recovery"]
    assert (plan["left"]["action"], plan["left"]["model"], plan["left"]["version"]) == ("rollback", "churn", "v0.1.0")
    assert plan["left"]["since"].endswith("Z")
    assert plan["left"]["refs"] == ["refs/heads/main"]
    assert {"dvc.lock", "params.yaml", "metrics.json"} <= set(plan["left"]["files"])
    assert killed.MODEL in plan["left"]["outputs"]
    assert plan["will"].startswith("undo it")
    assert plan["done"] is None
    told = modelver("doctor", "--recover", "--dry-run", cwd=killed.git, code=1).out
    assert "This would be done: undo it" in told
    assert (state(killed.git), (killed.path / ".git/modelver/journal").read_bytes()) == (before, kept)
    done = modelver("doctor", "--recover", cwd=killed.git)
    assert "Done: an interrupted rollback was undone" in done.out
    assert killed.git.rev() == old
    assert killed.git("status", "--porcelain") == ""
    assert (litter(killed.git), journal(killed.git)) == ([], False)
    outputs_agree(killed.git)
    fsck(killed.git)


def test_another_command_settles_it_too(killed: DvcRepo, modelver: Modelver) -> None:
    """Whichever command writes next does the same, with a word about it."""
    old = killed.git.rev("HEAD^")
    assert "an interrupted rollback was undone" in modelver("promote", "churn", "dev", cwd=killed.git).err
    assert killed.git.rev() == old
    outputs_agree(killed.git)
    assert killed.git("status", "--porcelain") == ""


def test_reading_commands_answer_and_warn(killed: DvcRepo, modelver: Modelver) -> None:
    """They take what the refs say, warn, and settle nothing."""
    before = state(killed.git)
    for words in (["list"], ["show", "churn"], ["show", "churn@v0.1.0"], ["history", "churn"]):
        assert "interrupted" in modelver(*words, cwd=killed.git).err
    assert state(killed.git) == before
    assert journal(killed.git)


def test_a_commit_on_top_is_kept(killed: DvcRepo, modelver: Modelver) -> None:
    """Who went on from an interrupted rollback keeps all of it; the outputs follow what HEAD names."""
    theirs = killed.git.commit("By a person", {"work.txt": "hours of it\n"})
    plan = modelver("doctor", "--recover", "--dry-run", cwd=killed.git, code=1).out
    assert "leave it: people have gone on from there" in plan
    assert "given up" in modelver("doctor", "--recover", cwd=killed.git).out
    assert killed.git.rev() == theirs
    assert not journal(killed.git)
    outputs_agree(killed.git)


def test_an_output_that_was_changed_since_is_kept(killed: DvcRepo, modelver: Modelver) -> None:
    """Bytes that a person put there meanwhile stay, with a warning; the other outputs are put back."""
    killed.model.unlink()
    killed.model.write_text("tuned for hours\n")
    said = modelver("doctor", "--recover", cwd=killed.git).err
    assert f"warning: bytes that DVC has not saved: {killed.MODEL}" in said
    assert killed.model.read_text() == "tuned for hours\n"
    assert killed.git("status", "--porcelain") == ""
    assert not journal(killed.git)


def test_a_journal_that_cannot_be_read(repo: DvcRepo, modelver: Modelver) -> None:
    """It is named, and dropped when asked."""
    (repo.path / ".git/modelver/journal").write_text('{"action": "rol')
    assert "was interrupted" in modelver("doctor", cwd=repo.git, code=1).out
    assert "cannot be read" in modelver("doctor", "--recover", "--dry-run", cwd=repo.git, code=1).out
    assert "was dropped" in modelver("doctor", "--recover", cwd=repo.git).out
    assert not journal(repo.git)


def age(place: Path, seconds: float) -> None:
    """A lock that was made that long ago."""
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(b"")
    then = time.time() - seconds
    os.utime(place, (then, then))


def test_locks_are_named_with_their_age(repo: DvcRepo, modelver: Modelver) -> None:
    """Old ones of git are problems, young ones a note, our own is none; all of them stay."""
    git_dir = repo.path / ".git"
    age(git_dir / "index.lock", 3 * 3600 + 5)
    age(git_dir / "HEAD.lock", 2 * 86400 + 5)
    age(git_dir / "refs/tags/churn@v0.1.0.lock", 90)
    age(git_dir / "packed-refs.lock", 2)
    result = modelver("doctor", "--recover", "--json", cwd=repo.git, code=1)
    named = {Path(p["ref"]).name: p["problem"] for p in result.json["problems"]}
    assert named == {
        "index.lock": "this lock of git's is 3 hours old",
        "HEAD.lock": "this lock of git's is 2 days old",
        "churn@v0.1.0.lock": "this lock of git's is 1 minute old",
    }
    assert "packed-refs.lock" in result.err
    assert {Path(lock["path"]).name for lock in result.json["locks"]} == {*named, "packed-refs.lock"}
    assert len(list(git_dir.rglob("*.lock"))) == 4


def test_a_lock_in_the_way(killed: DvcRepo, modelver: Modelver) -> None:
    """A lock that a dead git left stops the recovery with 6; it stays, the journal too, until the lock is removed."""
    old, lock = killed.git.rev("HEAD^"), killed.path / ".git/index.lock"
    age(lock, 600)
    said = modelver("doctor", "--recover", cwd=killed.git, code=6).err
    assert "index.lock" in said
    assert lock.exists()
    assert journal(killed.git)
    lock.unlink()
    modelver("doctor", "--recover", cwd=killed.git)
    assert killed.git.rev() == old
    outputs_agree(killed.git)
    assert killed.git("status", "--porcelain") == ""


def test_a_git_that_died_in_its_checkout(repo: DvcRepo, server: Server, tmp_path: Path) -> None:
    """Half-written and missing files of a checkout that was killed too are put back; the rest is untouched."""
    before = state(repo.git)
    wrapper, log = killing_git(tmp_path / "wrapper", repo.git.env), tmp_path / "calls"
    server(repo.git, *BACK, "--detach", "--dry-run", env=kill_env(wrapper, repo.git, log, 0, "before"))
    for at in range(1, 60):
        env = kill_env(wrapper, repo.git, log, at, "before")
        if server(repo.git, *BACK, "--detach", code=None, env=env).code != KILLED:
            raise AssertionError("no checkout")
        if "checkout --quiet --no-overwrite-ignore --detach" in log.read_text():
            break
        server(repo.git, "doctor", "--recover", code=None)
    theirs = repo.git.run("show", "churn@v0.1.0:params.yaml").stdout
    (repo.path / "params.yaml").write_bytes(theirs[:9])
    (repo.path / "metrics.json").unlink()
    (repo.path / "dvc.lock").write_bytes(repo.git.run("show", "churn@v0.1.0:dvc.lock").stdout)
    server(repo.git, "doctor", "--recover")
    assert state(repo.git) == before
    assert repo.git("status", "--porcelain") == ""
