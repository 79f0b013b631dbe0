"""A clone that has not fetched decides nothing about what is gone, and what was made here is published later."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reliability.tools import tags_of
from tests.support import Clones, Git, Modelver, snapshot

V0 = "churn@v0.1.0"
RELEASE = ("release", "churn", "--no-card")
PROMOTE = ("promote", V0, "prod")
WITHDRAW = ("withdraw", V0, "-m", "trained on test data", "--yes")
RETIRE = ("retire", "churn")
EMPTY = ("withdraw", "churn#prod")


@pytest.fixture
def ada(two_clones: Clones, modelver: Modelver) -> Git:
    """Ada has published the first version, and both have it."""
    modelver(*RELEASE, "--push", cwd=two_clones.ada.git)
    two_clones.bao.git("fetch", "-q", "--tags", "origin")
    return two_clones.ada.git


@pytest.fixture
def bao(two_clones: Clones, ada: Git) -> Git:
    """Bao's clone."""
    return two_clones.bao.git


def second(clones: Clones, modelver: Modelver) -> None:
    """Ada publishes another version, and both have it."""
    clones.ada.fake_train(7)
    modelver(*RELEASE, "--push", "--version", "v0.2.0", cwd=clones.ada.git)
    clones.bao.git("fetch", "-q", "--tags", "origin")


@pytest.mark.parametrize(
    "command",
    [WITHDRAW, RETIRE, (*PROMOTE, "+", *EMPTY), PROMOTE, (*RELEASE, "--stage", "prod")],
    ids=["withdraw a version", "retire", "withdraw from a stage", "promote", "release into a stage"],
)
def test_the_same_command_with_push_publishes_what_was_made(
    ada: Git, two_clones: Clones, modelver: Modelver, command: tuple[str, ...]
) -> None:
    """Made without `--push`, then again with it: that very tag is on the server, and no other was made."""
    at = command.index("+") if "+" in command else 0
    if at:
        modelver(*command[:at], "--push", cwd=ada)
        command = command[at + 1 :]
    modelver(*command, cwd=ada)
    made = ada.tags()
    planned = modelver(*command, "--push", "--dry-run", "--json", cwd=ada).json
    answer = modelver(*command, "--push", "--json", cwd=ada).json
    assert planned["steps"] == answer["steps"] != []
    assert (answer["changed"], answer["models"][0]["published"]) == (True, True)
    assert ada.tags() == made
    assert tags_of(two_clones.hub) == tags_of(ada)


@pytest.mark.parametrize("told", [WITHDRAW, RETIRE], ids=["withdrawn", "retired"])
@pytest.mark.parametrize("late", [PROMOTE, RELEASE, (*PROMOTE, "--push"), (*RELEASE, "--stage", "prod", "--push")])
def test_what_was_ended_on_the_server_is_not_taken_up_here(
    ada: Git, bao: Git, two_clones: Clones, modelver: Modelver, told: tuple[str, ...], late: tuple[str, ...]
) -> None:
    """A version withdrawn, or a model retired, by somebody else: 4 with the tag to fetch, and nothing has changed."""
    modelver(*told, "--push", cwd=ada)
    before, hub = snapshot(bao), two_clones.hub.refs()
    result = modelver(*late, cwd=bao, code=4)
    assert "which this clone lacks" in result.err
    assert "git fetch --tags" in result.err
    assert snapshot(bao) == before
    assert two_clones.hub.refs() == hub
    modelver(*late, "--offline", cwd=bao, code=2 if "--push" in late else 0)


@pytest.mark.parametrize("command", [PROMOTE, EMPTY, ("rollback", "churn", "v0.1.0", "--stage", "prod")])
def test_a_stage_that_moved_on_the_server(
    ada: Git, bao: Git, two_clones: Clones, modelver: Modelver, command: tuple[str, ...]
) -> None:
    """*Holds it already*, *is empty now* and *went back* are said of the stage as the server knows it: else 4."""
    second(two_clones, modelver)
    modelver(*PROMOTE, "--push", cwd=bao)
    ada("fetch", "-q", "--tags", "origin")
    modelver("promote", "churn@v0.2.0", "prod", "--push", cwd=ada)
    before, hub = snapshot(bao), two_clones.hub.refs()
    assert "churn#prod#2, which this clone lacks" in modelver(*command, "--push", cwd=bao, code=4).err
    assert snapshot(bao) == before
    assert two_clones.hub.refs() == hub


@pytest.mark.parametrize("command", [PROMOTE, (*RELEASE, "--rev", V0, "--stage", "prod"), EMPTY])
def test_anothers_promote_of_the_same_name_is_not_ours(
    ada: Git, bao: Git, two_clones: Clones, modelver: Modelver, command: tuple[str, ...]
) -> None:
    """Both made `#prod#1`, and the other one's is published: with `--push` ours is no reason to call it done."""
    second(two_clones, modelver)
    modelver(*PROMOTE, cwd=bao)
    modelver("promote", "churn@v0.2.0", "prod", "--push", cwd=ada)
    hub = two_clones.hub.refs()
    result = modelver(*command, "--push", cwd=bao, code=4)
    assert "the remote has another churn#prod#1" in result.err
    assert "modelver push churn --renumber" in result.err
    assert two_clones.hub.refs() == hub


def test_a_withdrawal_spares_anothers_version_of_the_same_number(
    ada: Git, bao: Git, two_clones: Clones, modelver: Modelver
) -> None:
    """Ours is unpublished, theirs is not: with `--push` the withdrawal would be that of theirs, for ever."""
    two_clones.bao.fake_train(8)
    modelver(*RELEASE, "--version", "v0.2.0", "--offline", cwd=bao)
    two_clones.ada.fake_train(7)
    modelver(*RELEASE, "--version", "v0.2.0", "--push", cwd=ada)
    hub = two_clones.hub.refs()
    ours = ("withdraw", "churn@v0.2.0", "-m", "bad", "--yes", "--push")
    assert "the remote has another churn@v0.2.0" in modelver(*ours, cwd=bao, code=4).err
    assert two_clones.hub.refs() == hub


def test_a_lightweight_tag_on_the_server_stops_nobody(ada: Git, bao: Git, modelver: Modelver) -> None:
    """It ends nothing there, as it ends nothing here."""
    ada("tag", f"{V0}!")
    ada("push", "-q", "origin", f"refs/tags/{V0}!")
    modelver(*PROMOTE, "--push", cwd=bao)


POLICY = "gate: {against: prod, metrics: {auc: {min: 0.1, max_drop: 0.01}}}\n"
DEPTH_1 = ("--depth", "1")


@pytest.fixture
def worse(two_clones: Clones, modelver: Modelver) -> Git:
    """The server, whose `main` has a model that is worse than the one in production."""
    ada = two_clones.ada
    ada.git.write(".modelver.yaml", POLICY)
    ada.git.commit("What is good enough")
    ada.git("push", "-q", "origin", "main")
    modelver(*RELEASE, "--stage", "prod", "--push", cwd=ada.git)
    ada.fake_train(2)
    ada.git("push", "-q", "origin", "main")
    modelver("gate", "churn", "--rev", "HEAD", cwd=ada.git, code=1)
    return two_clones.hub


def job_of(hub: Git, folder: Path, *options: str) -> Git:
    """A CI job's clone; by URL, since git ignores the depth of a path's."""
    hub("clone", "-q", *options, f"file://{hub.path}", folder / "job")
    return hub.at(folder / "job")


@pytest.mark.parametrize(("options", "word"), [(DEPTH_1, "shallow"), (("--no-tags",), "git fetch --tags")])
def test_a_gate_passes_nothing_for_want_of_tags(
    worse: Git, modelver: Modelver, tmp_path: Path, options: tuple[str, ...], word: str
) -> None:
    """As a CI job clones by default: production's version is not here, so the gate cannot say that nothing is worse."""
    job = job_of(worse, tmp_path, *options)
    result = modelver("gate", "churn", "--rev", "HEAD", cwd=job, code=6)
    assert word in result.err
    assert "passed" not in result.out


def test_a_gate_of_a_first_version_asks_no_more_than_it_may(
    two_clones: Clones, modelver: Modelver, tmp_path: Path
) -> None:
    """A remote that does not answer a job without credentials, and no version here: it passes, and says so."""
    ada = two_clones.ada.git
    ada.write(".modelver.yaml", POLICY)
    ada.commit("What is good enough")
    assert "warning" not in modelver("gate", "churn", "--rev", "HEAD", cwd=ada).err
    ada("remote", "set-url", "origin", tmp_path / "gone.git")
    assert "taken for one without versions" in modelver("gate", "churn", "--rev", "HEAD", cwd=ada).err


def test_a_shallow_clone_says_so_where_something_is_missing(worse: Git, modelver: Modelver, tmp_path: Path) -> None:
    """No command says *no version yet*, or *not found*, without the way to have them."""
    job = job_of(worse, tmp_path, *DEPTH_1)
    for code, *command in (
        (0, "show", "churn"),
        (0, "history"),
        (7, "show", V0),
        (7, "promote", V0, "prod"),
        (7, "get", "churn#prod"),
        (7, "compare", "churn#prod", "HEAD"),
    ):
        assert "git fetch --unshallow --tags" in modelver(*command, cwd=job, code=code).err, command
    assert "did you mean churn" in modelver("show", "chrun", cwd=job, code=7).err
