"""`init` declares what DVC tracks, keeps the file as people wrote it, and commits nothing."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

import pytest

from tests.support import DvcRepo, Git, Modelver, snapshot

UNDECLARED = """\
# The pipeline.
stages:
  train:
    cmd: "echo 1 > models/churn.pkl"   # quotes and all
    outs:
    -   models/churn.pkl
"""
ENTRY = """\
artifacts:
  churn:
    path: models/churn.pkl
    type: model
"""


@pytest.fixture
def undeclared(dvc_repo: DvcRepo) -> DvcRepo:
    """A pipeline that writes a model which nothing declares; it has not run."""
    dvc_repo.git.commit("Begin anew", {"dvc.yaml": UNDECLARED})
    return dvc_repo


def test_entry_is_appended_and_nothing_else_changes(undeclared: DvcRepo, modelver: Modelver) -> None:
    """The one change is the entry at the end of `dvc.yaml`; it is not committed, and the next commands are named."""
    before = snapshot(undeclared.git)
    result = modelver("init", "--yes", cwd=undeclared.git)
    assert (undeclared.path / "dvc.yaml").read_text() == UNDECLARED + ENTRY
    after = snapshot(undeclared.git)
    assert {key for key in before | after if before.get(key) != after.get(key)} == {"file dvc.yaml"}
    assert "git add dvc.yaml && git commit" in result.out
    assert "modelver release churn" in result.out


def test_again_changes_nothing(undeclared: DvcRepo, modelver: Modelver) -> None:
    """A second run has nothing to do, and needs nobody to ask."""
    modelver("init", "--yes", "--stages", "dev,prod", cwd=undeclared.git)
    before = snapshot(undeclared.git)
    answer = modelver("init", "--stages", "dev,prod", "--json", cwd=undeclared.git).json
    assert (answer["action"], answer["changed"], answer["models"], answer["steps"]) == ("init", False, [], [])
    assert snapshot(undeclared.git) == before


def test_dry_run_prints_what_would_be_written(undeclared: DvcRepo, modelver: Modelver) -> None:
    """The plan names every file and line, and the files stay."""
    before = snapshot(undeclared.git)
    told = modelver("init", "--dry-run", "--stages", "dev", cwd=undeclared.git).out
    assert ENTRY.partition("\n")[2] in told
    assert "write  .modelver.yaml" in told
    planned = modelver("init", "--dry-run", "--json", "--stages", "dev", cwd=undeclared.git).json
    assert snapshot(undeclared.git) == before
    done = modelver("init", "--yes", "--json", "--stages", "dev", cwd=undeclared.git).json
    assert planned | {"dry_run": False} == done
    assert done["models"] == [
        {"name": "churn", "version": None, "stage": None, "tag": None, "commit": None, "published": None}
    ]


def test_nobody_to_ask_is_said(undeclared: DvcRepo, modelver: Modelver) -> None:
    """Without a terminal and without --yes nothing is guessed."""
    before = snapshot(undeclared.git)
    result = modelver("init", cwd=undeclared.git, code=2)
    assert "hint: --yes declares all" in result.err
    assert snapshot(undeclared.git) == before


@pytest.mark.parametrize(
    ("typed", "names"),
    [("\n", ["churn"]), ("n\n", []), ("attrition\n", ["attrition"]), ("a b\nok\n", ["ok"]), ("\x04", [])],
)
def test_a_terminal_is_asked(undeclared: DvcRepo, typed: str, names: list[str]) -> None:
    """Enter takes the name, another word is the name, n leaves the file; a bad name is asked again."""
    leader, follower = pty.openpty()
    os.write(leader, typed.encode())
    done = subprocess.run(
        Modelver.argv("init", "--json"),
        cwd=undeclared.path,
        env=undeclared.git.env,
        stdin=follower,
        stderr=follower,
        stdout=subprocess.PIPE,
        timeout=60,
    )
    os.close(follower)
    asked = os.read(leader, 4096).decode()
    os.close(leader)
    assert "models/churn.pkl: declare it as churn?" in asked
    declared = [line.strip(" :") for line in (undeclared.path / "dvc.yaml").read_text().splitlines() if "  " in line]
    assert [name for name in ("churn", "attrition", "ok") if name in declared] == names
    assert done.returncode == 0


def test_declared_model_is_released_and_read_by_dvc(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """What `init` writes for a tracked file is an artifact for DVC, and releases once committed."""
    dvc_repo.git.write("models/risk.onnx", "risk")
    dvc_repo.dvc(["add", "-q", "models/risk.onnx"])
    modelver("init", "--yes", cwd=dvc_repo.git)
    dvc_repo.git.commit("Declare")
    modelver("release", "risk", cwd=dvc_repo.git)
    dvc_repo.dvc(["artifacts", "get", ".", "risk", "-o", "risk.copy"], ["stage", "list"])
    assert (dvc_repo.path / "risk.copy").read_text() == "risk"


def test_gto_entries_move_over(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """An entry of `artifacts.yaml` keeps its name and facts in `dvc.yaml`; one without a path is left and named."""
    old = "risk:\n  type: model\n  path: models/risk.onnx\n  description: 'It: risks'\n  custom: {rate: 1e-05}\nv: {}\n"
    dvc_repo.git.write("artifacts.yaml", old)
    before = (dvc_repo.path / "dvc.yaml").read_text()
    result = modelver("init", "--yes", cwd=dvc_repo.git)
    added = (dvc_repo.path / "dvc.yaml").read_text().removeprefix(before)
    assert added == (
        '  risk:\n    path: models/risk.onnx\n    type: model\n    desc: "It: risks"\n    meta: {"rate": 1e-05}\n'
    )
    assert "note: artifacts.yaml: v is left there" in result.err
    dvc_repo.dvc(["stage", "list", "-q"])
    assert "Nothing to do" in modelver("init", cwd=dvc_repo.git).out


def test_monorepo_gets_each_entry_in_its_own_file(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """A stage's model goes beside the stage, a `.dvc` file's into the nearest `dvc.yaml`, else into a new one."""
    dvc_repo.git.write("a/dvc.yaml", "stages:\n  t:\n    cmd: 'true'\n    outs: [m/x.pt]\n")
    dvc_repo.git.write("a/m/y.pt", "y")
    dvc_repo.git.write("b/z.pt", "z")
    dvc_repo.dvc(["add", "-q", "a/m/y.pt", "b/z.pt"])
    models = modelver("init", "--yes", "--json", cwd=dvc_repo.git.at("a")).json["models"]
    assert [model["name"] for model in models] == ["a:x", "a:y", "z"]
    assert "    path: m/y.pt" in (dvc_repo.path / "a/dvc.yaml").read_text()
    assert "    path: b/z.pt" in (dvc_repo.path / "dvc.yaml").read_text()


def test_directories_of_models_and_metrics(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """A tracked directory with MLflow's MLmodel is one model; metrics and data are none."""
    for name in ("runs/7/MLmodel", "runs/7/model.pkl", "data/table.pkl"):
        dvc_repo.git.write(name, name)
    dvc_repo.dvc(["add", "-q", "runs/7", "data/table.pkl"])
    models = modelver("init", "--yes", "--json", cwd=dvc_repo.git).json["models"]
    assert [model["name"] for model in models] == ["7"]


def test_other_repositories_and_ignored_files_are_not_looked_at(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """A clone inside the work tree and an ignored environment are somebody else's."""
    nested = dvc_repo.git.at("nested").init()
    nested.write("dvc.yaml", UNDECLARED)
    dvc_repo.git.write(".gitignore", "/venv/\n")
    dvc_repo.git.write("venv/lib/dvc.yaml", "broken: [")
    assert "Nothing to do" in modelver("init", cwd=dvc_repo.git).out


def test_without_dvc_the_next_step_is_dvc_init(plain_repo: Git, modelver: Modelver) -> None:
    """A Git repository without DVC is an environment to set up."""
    assert "hint: dvc init" in modelver("init", cwd=plain_repo, code=6).err


def test_nothing_found_shows_how_to_declare_by_hand(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """Where nothing looks like a model, the lines to write are shown."""
    dvc_repo.git.commit("No pipeline", {"dvc.yaml": "stages: {}\n"})
    told = modelver("init", cwd=dvc_repo.git).out
    assert "artifacts:\n  NAME:\n    path:" in told


@pytest.mark.parametrize(
    "broken",
    ["stages: [", "<<<<<<< HEAD\n", "- a\n", "artifacts: [a]\n", "stages: 7\n", "a: 1\na: 2\n"],
)
def test_broken_file_is_named_and_left(dvc_repo: DvcRepo, modelver: Modelver, broken: str) -> None:
    """A `dvc.yaml` that cannot be read stops everything, also when it is another one."""
    dvc_repo.git.write("other/dvc.yaml", broken)
    dvc_repo.git.write("models/risk.onnx.dvc", "outs:\n- path: risk.onnx\n")
    before = snapshot(dvc_repo.git)
    result = modelver("init", "--yes", "--stages", "dev", cwd=dvc_repo.git, code=2)
    assert "other/dvc.yaml" in result.err
    assert snapshot(dvc_repo.git) == before


def test_file_in_another_style_is_refused(undeclared: DvcRepo, modelver: Modelver) -> None:
    """An `artifacts:` on one line is not rewritten."""
    undeclared.git.write("dvc.yaml", UNDECLARED + "artifacts: {a: {path: a.pt}}\n")
    before = snapshot(undeclared.git)
    modelver("init", "--yes", cwd=undeclared.git, code=2)
    assert snapshot(undeclared.git) == before


@pytest.mark.parametrize(
    ("name", "content"),
    [(".modelver.yaml", "scheme: timestamp\n"), (".modelver.yaml", ""), ("pyproject.toml", "[tool.modelver]\n")],
)
def test_configuration_that_exists_is_never_overwritten(
    undeclared: DvcRepo, modelver: Modelver, name: str, content: str
) -> None:
    """A configuration, even an empty one, is a person's to edit; nothing is declared either."""
    undeclared.git.write(name, content)
    before = snapshot(undeclared.git)
    result = modelver("init", "--yes", "--stages", "dev", cwd=undeclared.git, code=3)
    assert "stages: [dev]" in result.err
    assert snapshot(undeclared.git) == before


@pytest.mark.parametrize("stages", ["", ",", "dev,bad name", "a/b"])
def test_bad_stages_are_refused(undeclared: DvcRepo, modelver: Modelver, stages: str) -> None:
    """A stage that cannot be tagged never gets into the configuration."""
    before = snapshot(undeclared.git)
    modelver("init", "--yes", "--stages", stages, cwd=undeclared.git, code=2)
    assert snapshot(undeclared.git) == before


def test_stages_are_in_force_after_init(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """The configuration that is written allows these stages and no others."""
    modelver("init", "--stages", "dev, prod", cwd=dvc_repo.git)
    assert (dvc_repo.path / ".modelver.yaml").read_text() == "stages: [dev, prod]\n"
    modelver("release", "churn", cwd=dvc_repo.git)
    modelver("promote", "churn", "prod", cwd=dvc_repo.git)
    modelver("promote", "churn", "shadow", cwd=dvc_repo.git, code=2)


def test_a_link_is_not_written_through(dvc_repo: DvcRepo, modelver: Modelver, tmp_path: Path) -> None:
    """A `dvc.yaml` that is a symbolic link is left with what it points to."""
    outside = tmp_path / "outside.yaml"
    outside.write_text("stages: {}\n")
    (dvc_repo.path / "dvc.yaml").unlink()
    (dvc_repo.path / "dvc.yaml").symlink_to(outside)
    dvc_repo.git.write("models/risk.onnx.dvc", "outs:\n- path: risk.onnx\n")
    modelver("init", "--yes", cwd=dvc_repo.git, code=3)
    assert outside.read_text() == "stages: {}\n"
    assert (dvc_repo.path / "dvc.yaml").is_symlink()
