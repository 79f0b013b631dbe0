"""The hooks through pre-commit itself, started by real git."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hooks.precommit_support import commit, pre_commit_config
from tests.support import Clones, DvcRepo, Git, Modelver

ROOT = Path(__file__).resolve().parents[2]
FILES = {"card": "card", "dvc-sync": "dvc-sync", "model-format": "model-format"}


def pre_commit(repo: Git, *args: str) -> subprocess.CompletedProcess[str]:
    """Run pre-commit; its cache of environments is the test's home."""
    return subprocess.run(
        [sys.executable, "-m", "pre_commit", *args], cwd=repo.path, env=repo.env, capture_output=True, text=True
    )


def install(repo: Git, config: str, *stages: str) -> None:
    """Write and commit a configuration, and let pre-commit put its shims into .git/hooks."""
    repo.commit("Use pre-commit", {".pre-commit-config.yaml": config})
    for stage in stages:
        done = pre_commit(repo, "install", "--hook-type", stage)
        assert done.returncode == 0, done.stderr


def test_the_manifest_names_hooks_that_are_there() -> None:
    """Every entry of the manifest starts a command that exists."""
    from pre_commit.clientlib import load_manifest

    from dvc_modelver.hooks.main import HOOKS

    manifest = load_manifest(ROOT / ".pre-commit-hooks.yaml")
    words = [hook["entry"].split() for hook in manifest]
    assert [row for row in words if row[:2] == ["modelver", "git-hook"] and row[2] not in HOOKS] == []
    wanted = {"card", "card-update", "dvc-sync", "model-format", "commit-msg", "pre-push", "doctor"}
    assert {hook["id"] for hook in manifest} == {f"modelver-{name}" for name in wanted}


def test_partial_staging_through_pre_commit(dvc_repo: DvcRepo) -> None:
    """pre-commit stops what is staged wrongly, and passes a commit beside wrong changes that are not staged."""
    git = dvc_repo.git
    install(git, pre_commit_config(FILES), "pre-commit")
    params = dvc_repo.path / "params.yaml"
    before = params.read_text()
    params.write_text(before.replace("depth: 6", "depth: 7"))
    git.write("README.md", "# Another\n")
    git("add", "README.md")
    code, said = commit(git)
    assert code == 0, said
    assert "depth: 7" in params.read_text()
    git("add", "params.yaml")
    params.write_text(before)
    code, said = commit(git)
    assert code == 1
    assert "stage train ran when params.yaml was another: train has another value" in said
    assert "dvc repro train, then git add dvc.lock" in said


@pytest.mark.long
def test_deletions_and_all_files(dvc_repo: DvcRepo) -> None:
    """A commit that only deletes is looked at too, and so is everything with `pre-commit run --all-files`."""
    git = dvc_repo.git
    install(git, pre_commit_config({"dvc-sync": "dvc-sync"}), "pre-commit")
    assert pre_commit(git, "run", "--all-files").returncode == 0
    git("rm", "-q", "--cached", "params.yaml")
    code, said = commit(git)
    assert (code, "stage train reads params.yaml, which goes" in said) == (1, True)
    git("commit", "-q", "--no-verify", "-m", "Broken")
    git.commit("More", {"params.yaml": "prepare:\n  keep: 3\n"})
    done = pre_commit(git, "run", "--all-files")
    assert (done.returncode, "prepare.keep has another value" in done.stdout) == (1, True)


@pytest.mark.long
def test_commit_messages_through_pre_commit(plain_repo: Git) -> None:
    """pre-commit hands the message's file on."""
    install(plain_repo, pre_commit_config({"message": "commit-msg"}, stage="commit-msg"), "commit-msg")
    code, said = commit(plain_repo, "--allow-empty", "-m", "Modelver-Format: 1")
    assert (code, "are read as the record of a version" in said) == (1, True)
    assert commit(plain_repo, "--allow-empty")[0] == 0


@pytest.mark.long
def test_an_update_through_pre_commit(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """The card is brought up to date by the failing commit, and the same commit goes through with it."""
    git = dvc_repo.git
    modelver("card", "update", cwd=git)
    install(git, pre_commit_config({"update": "card-update", "card": "card"}), "pre-commit")
    dvc_repo.fake_train(9)
    git("reset", "-q", "--soft", "HEAD~1")
    code, said = commit(git)
    assert (code, "model_cards/churn.md: was brought up to date" in said) == (1, True)
    git("add", "model_cards/churn.md")
    code, said = commit(git)
    assert code == 0, said
    assert "9" in git("show", "HEAD:model_cards/churn.md")


def test_pushes_through_pre_commit(two_clones: Clones) -> None:
    """A tag that comes with new commits is checked; one whose commit the remote has is never shown to pre-commit."""
    git = two_clones.ada.git
    install(git, pre_commit_config({"push": "pre-commit-push"}, stage="pre-push"), "pre-push")
    git.tag("churn@v0.1.0", None)
    done = git.run("push", "origin", "refs/tags/churn@v0.1.0", check=False)
    said = (done.stdout + done.stderr).decode()
    assert done.returncode != 0
    assert "churn@v0.1.0" in said
    git("push", "-q", "origin", "main")
    # What the documentation warns of: the native guard is the one to rely on.
    assert git.run("push", "origin", "refs/tags/churn@v0.1.0", check=False).returncode == 0


@pytest.mark.long
def test_try_repo(tmp_path: Path, home: Path, dvc_repo: DvcRepo) -> None:
    """pre-commit installs the package from a checkout of ours, and its hooks stop a wrong commit."""
    source = Git(tmp_path / "source", home)
    ignored = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", ".hypothesis", "build", "dist")
    shutil.copytree(ROOT, source.path, ignore=ignored)
    source.init().commit("All of it")
    params = dvc_repo.path / "params.yaml"
    params.write_text(params.read_text().replace("depth: 6", "depth: 7"))
    dvc_repo.git("add", "params.yaml")
    # pip's own settings are the user's: it has to reach an index.
    env = {name: value for name, value in dvc_repo.git.env.items() if name != "PYTHONPATH"}
    user = Path(pwd.getpwuid(os.getuid()).pw_dir)
    env |= {"PIP_CONFIG_FILE": str(_pip_config(user)), "PRE_COMMIT_HOME": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-m", "pre_commit", "try-repo", str(source.path), "modelver-dvc-sync", "--verbose"],
        cwd=dvc_repo.path,
        env=env,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "train has another value" in done.stdout


def _pip_config(user: Path) -> Path:
    places = (user / ".config" / "pip" / "pip.conf", user / ".pip" / "pip.conf", Path("/etc/pip.conf"))
    return next((place for place in places if place.exists()), Path(os.devnull))
