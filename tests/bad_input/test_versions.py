"""Version numbers that are none, taken, withdrawn or too low."""

from __future__ import annotations

import pytest

from tests.bad_input.support import refused, well_said
from tests.support import DvcRepo, Modelver, snapshot

NO_VERSIONS = [
    "1.0", "v1", "v01.2.3", "v1.2.3.4", "V1.2.3", "", "v", "1.2.x", "v1.2.3-", "v1.2.3-01", "v1.2.3+", "v1.2.3 ",
    " v1.2.3", "v1.2.3\n", "v-1.2.3", "v1.2.3!", "v1.2.3#1", "v\uff11.2.3", "v1.2.3-ä", "v1.2.3\x1b[0m", "v" + "9" * 300
    + ".0.0", "latest ", "vv1.2.3", "v1,2,3",
]  # fmt: skip


@pytest.mark.parametrize("version", NO_VERSIONS, ids=[ascii(text)[:20] for text in NO_VERSIONS])
def test_what_is_no_version_is_bad_input(modelver: Modelver, released: DvcRepo, version: str) -> None:
    """Every command that takes a version is as strict as semver.org."""
    before = snapshot(released.git)
    for command in (
        ("release", "churn", f"--version={version}"),
        ("show", f"churn@{version}"),
        ("get", f"churn@{version}"),
        ("promote", f"churn@{version}", "prod"),
        ("withdraw", f"churn@{version}", "-m", "why", "--yes"),
    ):
        well_said(modelver(*command, cwd=released.git, code=2))
    assert snapshot(released.git) == before


def test_the_same_release_again_is_done_already(modelver: Modelver, released: DvcRepo) -> None:
    """Asked for twice, with and without its number, a release is there already: 0, and nothing is made."""
    before = snapshot(released.git)
    for command in (("release", "churn"), ("release", "churn", "--version", "v0.2.0")):
        answer = modelver(*command, "--json", cwd=released.git).json
        assert answer["changed"] is False
        assert answer["models"][0]["version"] == "v0.2.0"
    assert "already" in modelver("release", "churn", cwd=released.git).out
    assert snapshot(released.git) == before


def test_a_version_that_is_elsewhere_is_a_conflict(modelver: Modelver, released: DvcRepo) -> None:
    """A number that names another commit is taken."""
    refused(modelver, released.git, "release", "churn", "--version", "v0.1.0", code=4)
    released.fake_train(9)
    said = refused(modelver, released.git, "release", "churn", "--version", "v0.2.0", code=4).err
    assert "churn@v0.2.0" in said


def test_a_withdrawn_number_is_never_used_again(modelver: Modelver, released: DvcRepo) -> None:
    """Neither on its own commit nor on a later one."""
    modelver("withdraw", "churn@v0.2.0", "-m", "bad data", "--yes", cwd=released.git)
    refused(modelver, released.git, "release", "churn", "--version", "v0.2.0", code=4)
    released.fake_train(9)
    refused(modelver, released.git, "release", "churn", "--version", "v0.2.0", code=4)
    refused(modelver, released.git, "promote", "churn@v0.2.0", "prod", code=3)
    refused(modelver, released.git, "get", "churn@v0.2.0", code=3)
    made = modelver("release", "churn", "--json", cwd=released.git).json["models"][0]["version"]
    assert made == "v0.3.0"


def test_a_number_below_the_highest_is_refused_unless_asked(modelver: Modelver, released: DvcRepo) -> None:
    """A back-port is possible with --force, never by mistake."""
    released.fake_train(9)
    assert "v0.2.0" in refused(modelver, released.git, "release", "churn", "--version", "v0.1.5", code=3).err
    modelver("release", "churn", "--version", "v0.1.5", "--force", cwd=released.git)
    shown = modelver("list", "--json", cwd=released.git).json["models"][0]
    assert (shown["latest"], shown["versions"]) == ("v0.2.0", 3)


def test_a_deleted_number_stays_taken_where_it_was_seen(modelver: Modelver, released: DvcRepo) -> None:
    """A tag that vanished from this clone keeps its number, also while the card names it; doctor names it too."""
    modelver("list", cwd=released.git)
    released.git("tag", "-d", "churn@v0.2.0")
    problems = modelver("doctor", "--json", cwd=released.git, code=1).json["problems"]
    assert [p["ref"] for p in problems] == ["refs/tags/churn@v0.2.0"]
    released.fake_train(9)
    refused(modelver, released.git, "release", "churn", "--version", "v0.2.0", code=4)
    for more, version in {
        (): "v0.3.0",
        ("--no-card",): "v0.3.0",
        ("--bump", "patch", "--force-bump"): "v0.2.1",
        ("--version", "v0.2.1"): "v0.2.1",
    }.items():
        planned = modelver("release", "churn", "--dry-run", "--json", *more, cwd=released.git).json
        assert planned["models"][0]["version"] == version, more
    assert modelver("release", "churn", "--json", cwd=released.git).json["models"][0]["version"] == "v0.3.0"


OPTIONS = {
    "an unknown bump": (("release", "churn", "--bump", "huge"), 2),
    "nothing to force": (("release", "churn", "--force-bump"), 2),
    "force and auto": (("release", "churn", "--force-bump", "--bump", "auto"), 2),
    "bump and version": (("release", "churn", "--bump", "major", "--version", "v9.0.0"), 2),
    "rev and exp": (("release", "churn", "--rev", "HEAD", "--exp", "x"), 2),
    "no such rev": (("release", "churn", "--rev", "nowhere"), 7),
    "a rev that is an option": (("release", "churn", "--rev", "--output=F"), 7),
    "a rev with a newline": (("release", "churn", "--rev", "HEAD\nHEAD"), 7),
    "no such experiment": (("release", "churn", "--exp", "sulky-toad"), 7),
    "push and offline": (("release", "churn", "--push", "--offline"), 2),
    "push without a remote": (("push",), 6),
    "a promote without a remote": (("promote", "churn@v0.2.0", "prod", "--push"), 6),
    "a record's words in the message": (("promote", "churn@v0.2.0", "prod", "-m", "x\nModelver-Format: 1"), 2),
    "a record's words in a reason": (("withdraw", "churn#prod", "-m", "Modelver-Event: release"), 2),
    "withdrawing a version without a reason": (("withdraw", "churn@v0.2.0", "--yes"), 2),
    "withdrawing without a yes": (("withdraw", "churn@v0.2.0", "-m", "why"), 2),
    "withdrawing a bare name": (("withdraw", "churn"), 2),
    "retiring a version": (("retire", "churn@v0.2.0"), 2),
    "no date": (("history", "--at", "yesterdayish"), 2),
    "an unknown command": (("relaese", "churn"), 2),
    "an unknown option": (("list", "--jsno"), 2),
    "a missing argument": (("promote", "churn@v0.2.0"), 2),
    "one argument too many": (("show", "churn", "churn"), 2),
    "no such directory": (("list", "-C", "nowhere"), 2),
    "Markdown and CSV": (("list", "--md", "--csv"), 2),
    "no such repository": (("list", "--repo", "nowhere"), 2),
}


@pytest.mark.parametrize("what", OPTIONS)
def test_bad_usage_has_its_exit_code(modelver: Modelver, released: DvcRepo, what: str) -> None:
    """Options that contradict each other or say nothing change nothing."""
    command, code = OPTIONS[what]
    refused(modelver, released.git, *command, code=code)


@pytest.mark.parametrize("what", ["no such rev", "an unknown bump", "withdrawing a bare name", "an unknown option"])
def test_with_json_the_error_is_on_stdout_too(modelver: Modelver, released: DvcRepo, what: str) -> None:
    """A script gets code, kind, message and hint as one object."""
    command, code = OPTIONS[what]
    result = modelver(*command, "--json", cwd=released.git, code=code)
    assert set(result.json) == {"schema", "error"}
    error = result.json["error"]
    assert (error["code"], bool(error["kind"]), bool(error["message"]), bool(error["hint"])) == (code, True, True, True)


def test_a_time_that_git_cannot_read(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """It is the time that is named, not the person."""
    said = modelver(
        "release", "churn", "--no-card", cwd=dvc_repo.git, env={"GIT_COMMITTER_DATE": "yesterdayish?"}, code=6
    )
    assert "error: git cannot read the time in GIT_COMMITTER_DATE" in said.err
    assert dvc_repo.git.tags() == []
