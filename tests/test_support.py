"""The fixtures are what they say, else every other test proves nothing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import Clones, DvcRepo, Git, GtoOracle, Templates, snapshot


def test_clock_dates_commits_and_tags(plain_repo: Git) -> None:
    """Each commit and tag is one tick after the one before, whatever the machine's clock says."""
    plain_repo.commit("Second")
    plain_repo.tag("v1")
    times = (
        plain_repo("log", "-1", "--format=%at %ct"),
        plain_repo("for-each-ref", "--format=%(taggerdate:unix)", "refs/tags/v1"),
    )
    assert times == (f"{plain_repo.clock.seconds - 60} {plain_repo.clock.seconds - 60}", str(plain_repo.clock.seconds))


def test_identity_is_not_the_machines(plain_repo: Git) -> None:
    """Commits are by the test's person, also where the machine's user has a configuration."""
    assert plain_repo("log", "-1", "--format=%an <%ae>") == "Ada Byron <ada@example.com>"


def test_copies_are_alike_and_apart(templates: Templates, tmp_path: Path) -> None:
    """Two copies of a template have the same refs, and a commit in one is not in the other."""
    one, two = templates.plain(tmp_path / "one"), templates.plain(tmp_path / "two")
    assert one.refs() == two.refs()
    one.commit("Only here")
    assert one.rev() != two.rev()


def test_dvc_repo_is_clean(dvc_repo: DvcRepo) -> None:
    """DVC finds nothing to do in a copy, neither in the work tree nor in its remote; Git neither."""
    assert "up to date" in dvc_repo.dvc(["status"])
    assert "in sync" in dvc_repo.dvc(["status", "-c"])
    assert dvc_repo.git("status", "--porcelain") == ""


def test_dvc_repo_uses_its_own_remote(dvc_repo: DvcRepo) -> None:
    """After the cache is gone a copy pulls its model from the store beside it."""
    before = dvc_repo.model.read_bytes()
    shutil.rmtree(dvc_repo.cache)
    dvc_repo.model.unlink()
    dvc_repo.dvc(["pull", "-q"])
    assert dvc_repo.model.read_bytes() == before


def test_fake_train_is_what_dvc_would_do(dvc_repo: DvcRepo, templates: Templates, tmp_path: Path) -> None:
    """The quick training leaves the very tree that the pipeline leaves, and DVC agrees that it is done."""
    real = templates.dvc(tmp_path / "real")
    real.train(9)
    dvc_repo.fake_train(9)
    assert dvc_repo.git.rev("HEAD^{tree}") == real.git.rev("HEAD^{tree}")
    assert "up to date" in dvc_repo.dvc(["status"])
    assert "in sync" in dvc_repo.dvc(["status", "-c"])


def test_two_clones_share_a_hub(two_clones: Clones) -> None:
    """What one person pushes the other fetches; their identities differ."""
    two_clones.ada.git.commit("By Ada")
    two_clones.ada.git("push", "-q", "origin", "main")
    two_clones.bao.git("pull", "-q")
    assert two_clones.bao.git.rev() == two_clones.ada.git.rev() == two_clones.hub.rev("main")
    two_clones.bao.git.commit("By Bao")
    assert two_clones.bao.git("log", "-1", "--format=%an/%cn") == "Bao Nguyen/Bao Nguyen"
    assert "up to date" in two_clones.bao.dvc(["status"])


def test_snapshot_of_an_untouched_repository_is_equal(dvc_repo: DvcRepo) -> None:
    """Looking, also with `git status`, changes nothing that a snapshot sees."""
    before = snapshot(dvc_repo.git)
    dvc_repo.git("status")
    assert snapshot(dvc_repo.git) == before


CHANGES: dict[str, Callable[[Git], object]] = {
    "a ref": lambda git: git("tag", "light"),
    "HEAD": lambda git: git("symbolic-ref", "HEAD", "refs/heads/other"),
    "the index": lambda git: git("update-index", "--assume-unchanged", "README.md"),
    "configuration": lambda git: git("config", "user.name", "Mallory"),
    "an untracked file": lambda git: git.write("untracked.txt", "new"),
    "an ignored file": lambda git: git.write("data/prepared.csv", "ignored by Git"),
    "a tracked file": lambda git: git.write("README.md", "# Another\n"),
    "a mode": lambda git: (git.path / "README.md").chmod(0o755),
    "a link": lambda git: (git.path / "link").symlink_to("README.md"),
    "an empty folder": lambda git: (git.path / "folder").mkdir(),
    "a hook": lambda git: git.write(".git/hooks/pre-commit", "#!/bin/sh\n"),
    "a lock left over": lambda git: git.write(".git/index.lock", ""),
    "DVC's cache": lambda git: git.write(".dvc/cache/files/md5/00/" + "0" * 30, "x"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_snapshot_sees_every_change(dvc_repo: DvcRepo, what: str) -> None:
    """Nothing that a user would miss can change without the snapshot's differing."""
    before = snapshot(dvc_repo.git)
    CHANGES[what](dvc_repo.git)
    assert snapshot(dvc_repo.git) != before


def test_snapshot_ignores_what_reading_may_write(dvc_repo: DvcRepo) -> None:
    """Our cache in Git's directory and DVC's temporary files are not the user's."""
    before = snapshot(dvc_repo.git)
    dvc_repo.git.write(".git/modelver/seen", "x")
    dvc_repo.git.write(".dvc/tmp/lock", "x")
    assert snapshot(dvc_repo.git) == before


def test_gto_runs_at_the_tests_clock(dvc_repo: DvcRepo, gto: GtoOracle) -> None:
    """The oracle writes real tags, dated by the same clock as ours, and reads them back."""
    gto.register("churn", "--version", "v0.1.0")
    gto.assign("churn", version="v0.1.0", stage="prod")
    assert dvc_repo.git.tags() == ["churn#prod#1", "churn@v0.1.0"]
    dated = dvc_repo.git("for-each-ref", "--format=%(taggerdate:unix)", "refs/tags/churn#prod#1")
    assert dated == str(dvc_repo.git.clock.seconds)
    assert gto.show()["churn"]["stage"] == {"prod": "v0.1.0"}


def test_child_processes_test_the_checkout(git: Git) -> None:
    """A new Python finds the same package as this one, also where another is installed."""
    from dvc_modelver import resources

    script = "from dvc_modelver import resources as r; print(r.__file__)"
    found = subprocess.run([sys.executable, "-c", script], cwd=git.path, env=git.env, capture_output=True, text=True)
    assert found.stdout.strip() == resources.__file__
