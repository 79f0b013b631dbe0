"""Linked worktrees: what was killed in one is settled there, whichever the next command runs in."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import DvcRepo, Git, Modelver


@pytest.fixture
def killed(dvc_repo: DvcRepo, modelver: Modelver, tmp_path: Path) -> tuple[Git, Git]:
    """A worktree in which a rollback was killed at its commit, and another worktree at the same commit."""
    for depth in (6, 8):
        dvc_repo.git.clock.tick()
        dvc_repo.fake_train(depth)
        modelver("release", "churn", "--offline", cwd=dvc_repo.git)
    other = dvc_repo.git.at(tmp_path / "other")
    dvc_repo.git("worktree", "add", "-q", "-b", "side", other.path)
    hook = dvc_repo.path / ".git/hooks/pre-commit"
    # The hook's parent is git, and git's is the command.
    hook.write_text(
        f"#!{sys.executable}\nimport os, signal\ngit = os.getppid()\n"
        "command = int(open(f'/proc/{git}/stat').read().rpartition(')')[2].split()[1])\n"
        "os.kill(command, signal.SIGKILL)\nos.kill(git, signal.SIGTERM)\n"
    )
    hook.chmod(0o755)
    words = [sys.executable, "-m", "dvc_modelver", "rollback", "churn"]
    env = {**dvc_repo.git.env, "PYTHONPATH": str(Path(__file__).parents[2]), "PATH": os.environ["PATH"]}
    assert subprocess.run(words, cwd=dvc_repo.path, env=env, capture_output=True).returncode == -9
    hook.unlink()
    (dvc_repo.path / ".git/modelver/journal").stat()
    return dvc_repo.git, other


def test_settled_where_it_was(killed: tuple[Git, Git], modelver: Modelver) -> None:
    """A command in another worktree puts back files and bytes of the first, and touches nothing of its own."""
    here, other = killed
    assert here("status", "--porcelain") != ""
    before = {path: path.read_bytes() for path in other.path.rglob("*") if path.is_file()}
    assert f"in {here.path}: undo it" in modelver("doctor", "--recover", "--dry-run", cwd=other, code=1).out
    said = modelver("promote", "churn@v0.1.0", "dev", "--offline", cwd=other).err
    assert f"{here.path}: an interrupted rollback was undone" in said
    assert here("status", "--porcelain") == ""
    assert (here.path / "models/churn.bin").read_text().split()[1] == "8"
    assert {path: path.read_bytes() for path in other.path.rglob("*") if path.is_file()} == before


def test_a_worktree_that_is_gone(killed: tuple[Git, Git], modelver: Modelver) -> None:
    """Nothing is half done any more, and nothing of the other worktree is taken for it."""
    here, other = killed
    before = {path: path.read_bytes() for path in other.path.rglob("*") if path.is_file()}
    journal = here.path / ".git/modelver/journal"
    journal.write_text(journal.read_text().replace(f'"{here.path}"', f'"{here.path}-gone"'))
    modelver("promote", "churn@v0.1.0", "dev", "--offline", cwd=other)
    assert not journal.exists()
    assert {path: path.read_bytes() for path in other.path.rglob("*") if path.is_file()} == before
