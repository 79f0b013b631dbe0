"""The Python API gives the facts of the command line, as frozen dataclasses and as pandas frames."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import pytest

import dvc_modelver as mv
from dvc_modelver.errors import BadInput, EnvironmentProblem, NotFound, Refused
from tests.support import DvcRepo, Modelver


@pytest.fixture
def repo(dvc_repo: DvcRepo) -> mv.Repository:
    """A repository with churn@v0.1.0, which holds `prod`, and churn@v0.2.0."""
    found = mv.open(dvc_repo.path, env=dvc_repo.git.env)
    found.release("churn", message="the first", stage="prod")
    dvc_repo.fake_train(7)
    found.release("churn", bump="minor")
    return found


def test_reading_gives_what_the_command_gives(repo: mv.Repository, dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """Models, versions and one version's metrics are those of the JSON answers."""
    (row,) = repo.list()
    listed = modelver("list", "--json", cwd=dvc_repo.git).json["models"][0]
    assert (row.name, str(row.latest), row.versions) == (listed["name"], listed["latest"], listed["versions"])
    assert str(row.stages["prod"].version) == listed["stages"]["prod"]["version"] == "v0.1.0"
    assert [str(version.version) for version in repo.show("churn")] == ["v0.2.0", "v0.1.0"]
    shown = modelver("show", "churn#prod", "--json", cwd=dvc_repo.git).json
    assert repo.version("churn#prod").metrics == shown["metrics"]
    assert [event.event.value for event in repo.history("churn")][-1] in ("release", "promote")
    assert repo.doctor().problems == ()


def test_results_are_frozen(repo: mv.Repository) -> None:
    """Nothing that is handed out can be changed."""
    (row,) = repo.list()
    with pytest.raises(dataclasses.FrozenInstanceError):
        row.name = "other"  # type: ignore[misc]


def test_frames_have_a_row_for_each_result(repo: mv.Repository) -> None:
    """Versions are text, times are UTC timestamps, nested fields have dotted names."""
    frame = repo.show("churn").to_frame()
    assert list(frame["version"]) == ["v0.2.0", "v0.1.0"]
    assert str(frame["created_at"].dt.tz) == "UTC"
    assert frame["artifact.digest"].str.startswith("md5:").all()
    assert list(repo.list().to_frame()["stages.prod.version"]) == ["v0.1.0"]
    assert len(repo.history().to_frame()) == len(repo.history())


def test_the_state_at_a_moment(repo: mv.Repository) -> None:
    """A naive moment is UTC; before the first event there is nothing."""
    (now,) = repo.at(datetime.now(timezone.utc))
    assert str(now.stages["prod"].version) == "v0.1.0"
    (before,) = repo.at(datetime(2001, 1, 1))
    assert (before.latest, before.stages) == (None, {})


def test_writing_returns_what_was_done(repo: mv.Repository, dvc_repo: DvcRepo, tmp_path: Path) -> None:
    """Promote, fetch, withdraw and retire; a dry run changes nothing."""
    assert repo.promote("churn@v0.2.0", "prod", dry_run=True).changed
    assert str(repo.list()[0].stages["prod"].version) == "v0.1.0"
    assert repo.promote("churn@v0.2.0", "prod").models[0].tag == "churn#prod#2"
    got = repo.get("churn#prod", tmp_path / "model.pkl")
    assert got.path.read_bytes() == dvc_repo.model.read_bytes()
    assert repo.withdraw("churn@v0.2.0", message="bad data").changed
    assert repo.list()[0].stages == {}
    assert repo.retire("churn").changed
    with pytest.raises(Refused):
        repo.promote("churn@v0.1.0", "prod")


def test_cards(repo: mv.Repository, dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """The card of a version and of the work tree, what is wrong with it, and its update, as on the command line."""
    assert repo.card("churn@v0.1.0").text != repo.card("churn").text == repo.card().text
    assert repo.card("churn@v0.1.0").text == modelver("card", "show", "churn@v0.1.0", cwd=dvc_repo.git).out
    (report,) = repo.check_cards()
    assert (report.ok, report.version) == (True, "v0.2.0")
    dvc_repo.path.joinpath("params.yaml").write_text("prepare: {keep: 30}\ntrain: {lr: 0.5, depth: 7}\n")
    (report,) = repo.check_cards("churn")
    assert [found.block for found in report.problems] == ["changes", "params"]
    assert repo.update_cards("churn", dry_run=True).changed
    assert repo.update_cards().changed
    assert repo.check_cards()[0].ok
    assert repo.version("churn@v0.2.0").card == "model_cards/churn.md"


def test_a_release_can_be_prepared_or_have_no_card(repo: mv.Repository, dvc_repo: DvcRepo) -> None:
    """What `--prepare` and `--no-card` do."""
    commit = dvc_repo.fake_train(8)
    assert repo.release("churn", prepare=True).action == "prepare"
    assert "version=v0.2.1" in repo.card("churn").text
    assert dvc_repo.git.rev("HEAD") == commit
    dvc_repo.git("checkout", "--", "model_cards")
    assert repo.release("churn", card=False).models[0].commit == commit


def test_errors_say_what_to_do(repo: mv.Repository, dvc_repo: DvcRepo, tmp_path: Path) -> None:
    """Errors carry a message, a hint and the exit code."""
    with pytest.raises(NotFound) as unknown:
        repo.show("chrun")
    assert (unknown.value.code, unknown.value.hint) == (7, "did you mean churn?")
    with pytest.raises(BadInput):
        repo.release("churn", bump="huge")
    with pytest.raises(EnvironmentProblem):
        mv.open(tmp_path, env=dvc_repo.git.env | {"GIT_CEILING_DIRECTORIES": str(tmp_path.parent)})


def test_gitpython_sees_the_same_repository(repo: mv.Repository, dvc_repo: DvcRepo) -> None:
    """`repo.git` is GitPython's view, for configuration and remotes."""
    assert repo.git.head.commit.hexsha == dvc_repo.git.rev()
    assert repr(repo) == f"Repository({str(dvc_repo.path)!r})"


def test_importing_the_package_costs_nothing() -> None:
    """The bare import brings neither pandas nor git nor our own commands."""
    script = "import sys, dvc_modelver; print([m for m in ('pandas', 'git', 'dvc_modelver.api') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=Path.cwd())
    assert done.stdout.strip() == "[]"
