"""`init` where there is nothing to declare, nobody to ask, or something in the way."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.bad_input.support import edit, refused, well_said
from tests.support import DvcRepo, Git, Modelver, snapshot

UNDECLARED = "models/new.pkl.dvc"


def undeclared(repo: DvcRepo) -> None:
    """Track a model that nobody has declared."""
    repo.git.write(UNDECLARED, f"outs:\n- md5: {'ab' * 16}\n  hash: md5\n  size: 1\n  path: new.pkl\n")
    repo.git.commit("Track a model")


def test_outside_of_git_or_dvc_there_is_nothing_to_do(modelver: Modelver, plain_repo: Git, tmp_path: Path) -> None:
    """No repository, no DVC, no work tree: 6."""
    (tmp_path / "empty").mkdir()
    well_said(modelver("init", "--yes", cwd=tmp_path / "empty", code=6))
    refused(modelver, plain_repo, "init", "--yes", code=6)
    bare = plain_repo.clone(tmp_path / "bare.git", "--bare")
    refused(modelver, bare, "init", "--yes", code=6)


def test_nobody_to_ask_is_bad_input(modelver: Modelver, dvc_repo: DvcRepo) -> None:
    """Without a terminal and without --yes nothing is declared."""
    undeclared(dvc_repo)
    refused(modelver, dvc_repo.git, "init", code=2)


def test_a_dry_run_of_init_changes_nothing(modelver: Modelver, dvc_repo: DvcRepo) -> None:
    """What would be declared is printed, and nothing written."""
    undeclared(dvc_repo)
    before = snapshot(dvc_repo.git)
    assert "models/new.pkl" in modelver("init", "--dry-run", cwd=dvc_repo.git).out
    assert snapshot(dvc_repo.git) == before


@pytest.mark.parametrize("stages", ["", "a b", "dev,pr/od", "dev,\x1b[2J", ","])
def test_stages_that_are_no_names_are_bad_input(modelver: Modelver, dvc_repo: DvcRepo, stages: str) -> None:
    """A stage that cannot be tagged is not configured."""
    refused(modelver, dvc_repo.git, "init", "--yes", "--stages", stages, code=2)


def test_another_configuration_is_refused(modelver: Modelver, dvc_repo: DvcRepo) -> None:
    """Settings that people wrote are not replaced."""
    dvc_repo.git.write(".modelver.yaml", "stages: [dev]  # ours\n")
    refused(modelver, dvc_repo.git, "init", "--yes", "--stages", "dev,prod", code=3)


@pytest.mark.parametrize(
    "text", ["stages: [\n", "<<<<<<< HEAD\nstages: {}\n=======\n>>>>>>> x\n", "artifacts: [churn]\n", "- a\n"]
)
def test_a_broken_pipeline_file_is_bad_input(modelver: Modelver, dvc_repo: DvcRepo, text: str) -> None:
    """A dvc.yaml that cannot be read is named, not written into."""
    undeclared(dvc_repo)
    dvc_repo.git.write("dvc.yaml", text)
    assert "dvc.yaml" in refused(modelver, dvc_repo.git, "init", "--yes", code=2).err


@pytest.mark.parametrize("target", ["elsewhere", "absent"])
def test_a_pipeline_file_that_is_a_link_is_not_written_through(
    modelver: Modelver, dvc_repo: DvcRepo, target: str
) -> None:
    """`dvc.yaml` that leads out of the repository: what it names stays as it is."""
    undeclared(dvc_repo)
    outside = dvc_repo.path.parent / "elsewhere"
    os.replace(dvc_repo.path / "dvc.yaml", outside)
    (dvc_repo.path / "dvc.yaml").symlink_to(f"../{target}")
    before = outside.read_bytes()
    refused(modelver, dvc_repo.git, "init", "--yes", code=3)
    assert outside.read_bytes() == before
    assert not (dvc_repo.path.parent / "absent").exists()


def test_a_settings_file_that_is_a_link_is_not_written_through(modelver: Modelver, dvc_repo: DvcRepo) -> None:
    """`.modelver.yaml` that leads out of the repository is not made there."""
    (dvc_repo.path / ".modelver.yaml").symlink_to("../absent")
    refused(modelver, dvc_repo.git, "init", "--yes", "--stages", "dev", code=3)
    assert not (dvc_repo.path.parent / "absent").exists()


def test_inside_a_pipeline_stage_init_writes_nothing(modelver: Modelver, dvc_repo: DvcRepo) -> None:
    """`dvc repro` reads the very file that would be written: 3."""
    undeclared(dvc_repo)
    refused(modelver, dvc_repo.git, "init", "--yes", code=3, env={"DVC_STAGE": "train"})


def test_hostile_paths_are_not_declared(modelver: Modelver, dvc_repo: DvcRepo) -> None:
    """Outputs that lead out of the repository or through a link are no proposals."""
    (dvc_repo.path.parent / "elsewhere").mkdir()
    (dvc_repo.path / "link").symlink_to("../elsewhere")
    for number, path in enumerate(("../../elsewhere/m.pkl", "/etc/m.pkl", ".git/m.pkl", "link/m.pkl", "~/m.pkl")):
        dvc_repo.git.write(f"x{number}.dvc", f"outs:\n- md5: {'ab' * 16}\n  hash: md5\n  path: {path}\n")
    edit(dvc_repo.path / "dvc.yaml", "    - models/churn.bin\n", "    - models/churn.bin\n    - ../m.pkl\n")
    dvc_repo.git.commit("Hostile paths")
    answer = modelver("init", "--yes", "--json", cwd=dvc_repo.git).json
    assert [step["target"] for step in answer["steps"] if "m.pkl" in step["target"]] == []
