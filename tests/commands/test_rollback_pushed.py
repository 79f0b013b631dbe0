"""`rollback --push`, `--undo --push` and `--branch`: what others get has its bytes, and words say what came of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import Clones, DvcRepo, Modelver
from tests.support.repos import md5


@pytest.fixture
def clones(two_clones: Clones, modelver: Modelver) -> Clones:
    """Ada has two versions whose commits are on the hub, and whose bytes only her cache has."""
    repo = two_clones.ada
    for depth in (8, 9):
        repo.git.clock.tick()
        repo.fake_train(depth)
        modelver("release", "churn", cwd=repo.git)
    repo.git("push", "-q", "origin", "main", "--tags")
    for stored in stored_in(two_clones):
        stored.unlink()
    return two_clones


def stored_in(clones: Clones) -> list[Path]:
    """The DVC remote's objects."""
    return [path for path in clones.ada.store.rglob("*") if path.is_file()]


@pytest.mark.parametrize("form", [(), ("--tree",), ("--model-only",), ("--branch", "back")])
def test_the_bytes_are_published_too(clones: Clones, modelver: Modelver, form: tuple[str, ...]) -> None:
    """Whoever gets the commit gets the model: its bytes are in the DVC remote, and the plan says so."""
    words = ("rollback", "churn", *form, "--push")
    assert "dvc push" in modelver(*words, "--dry-run", cwd=clones.ada.git).out
    assert stored_in(clones) == []
    modelver(*words, cwd=clones.ada.git)
    lock = clones.ada.git("show", f"{form[1] if form[:1] == ('--branch',) else 'HEAD'}:dvc.lock")
    names = {path.parent.name + path.name for path in stored_in(clones)}
    model = modelver("show", "churn@v0.1.0", "--json", cwd=clones.ada.git).json["artifact"]["digest"]
    assert model.removeprefix("md5:") in names
    assert model.removeprefix("md5:") in lock


def test_a_dvc_remote_that_is_away(clones: Clones, modelver: Modelver) -> None:
    """What cannot be published is known before anything changes."""
    clones.ada.git("config", "--file", ".dvc/config.local", "core.remote", "nowhere")
    before = clones.ada.git("rev-parse", "HEAD")
    modelver("rollback", "churn", "--push", cwd=clones.ada.git, code=6)
    assert clones.ada.git("rev-parse", "HEAD") == before
    assert clones.hub("rev-parse", "main") == before


def test_an_undo_is_published(clones: Clones, modelver: Modelver) -> None:
    """`--undo --push --reason` does all that it was told."""
    modelver("rollback", "churn", "--push", cwd=clones.ada.git)
    modelver("rollback", "--undo", "--push", "--reason", "false alarm", cwd=clones.ada.git)
    assert clones.hub("rev-parse", "main") == clones.ada.git("rev-parse", "HEAD")
    assert "false alarm" in clones.ada.git("log", "-1", "--format=%B")


def test_what_makes_no_sense_together(clones: Clones, modelver: Modelver) -> None:
    """`--detach` makes nothing to publish, and `--undo` restores all that was: said, not ignored."""
    modelver("rollback", "churn", "--detach", "--push", cwd=clones.ada.git, code=2)
    modelver("rollback", "--undo", "--include-shared", cwd=clones.ada.git, code=2)
    clones.ada.git.commit("Push always", {".modelver.yaml": "push: true\n"})
    found = modelver("rollback", "churn", "--detach", "--json", cwd=clones.ada.git).json
    assert not [step for step in found["steps"] if "push" in step["do"]]
    assert not found["models"][0]["published"]


def test_the_branch_has_moved(clones: Clones, modelver: Modelver) -> None:
    """The error says that the commit is made, and how to publish it: that way leads to the end."""
    clones.bao.git("pull", "-q")
    clones.bao.git.commit("More", {"notes.md": "mine\n"})
    clones.bao.git("push", "-q")
    said = modelver("rollback", "churn", "--push", cwd=clones.ada.git, code=4).err
    assert "git pull --no-rebase origin main && git push origin main" in said
    clones.ada.git("pull", "-q", "--no-rebase", "origin", "main")
    clones.ada.git("push", "-q", "origin", "main")


@pytest.mark.parametrize("how", ["gone", "altered"])
def test_no_branch_for_bytes_that_are_nowhere(dvc_repo: DvcRepo, modelver: Modelver, how: str) -> None:
    """A pull request for a version whose bytes are lost is refused, and no branch is made."""
    modelver("release", "churn", "--offline", cwd=dvc_repo.git)
    digest = md5(dvc_repo.model.read_bytes())
    dvc_repo.git.clock.tick()
    dvc_repo.fake_train(8)
    modelver("release", "churn", "--offline", cwd=dvc_repo.git)
    here = dvc_repo.path / ".dvc/cache/files/md5" / digest[:2] / digest[2:]
    if how == "gone":
        for place in (here, dvc_repo.store / "files/md5" / digest[:2] / digest[2:]):
            place.unlink()
    else:
        here.chmod(0o644)
        here.write_text("altered\n")
    for more in (), ("--dry-run",):
        modelver("rollback", "churn", "--branch", "back", *more, cwd=dvc_repo.git, code=5)
    assert dvc_repo.git("branch", "--list", "back") == ""
