"""A user's own settings of Git, in files and in the environment: none changes what is written, or is lost."""

from __future__ import annotations

import pytest

from tests.reliability.tools import check_card, fsck
from tests.support import DvcRepo, Git, Modelver

TAG = "churn@v0.1.0"


def two_versions(repo: DvcRepo, modelver: Modelver) -> Git:
    """The repository after two releases."""
    modelver("release", "churn", cwd=repo.git)
    repo.fake_train(5)
    modelver("release", "churn", cwd=repo.git)
    return repo.git


PATHSPECS = (
    {"GIT_LITERAL_PATHSPECS": "1"},
    {"GIT_GLOB_PATHSPECS": "1"},
    {"GIT_NOGLOB_PATHSPECS": "1"},
    {"GIT_ICASE_PATHSPECS": "1"},
)


@pytest.mark.parametrize("env", PATHSPECS, ids=lambda env: next(iter(env)))
def test_how_the_user_writes_paths(dvc_repo: DvcRepo, modelver: Modelver, env: dict[str, str]) -> None:
    """What tells git how the user's paths are to be read (Magit exports it to hooks) does not concern ours."""
    modelver("release", "churn", cwd=dvc_repo.git, env=env)
    check_card(dvc_repo.git, TAG)
    dvc_repo.fake_train(5)
    modelver("release", "churn", cwd=dvc_repo.git, env=env)
    modelver("rollback", "churn", cwd=dvc_repo.git, env=env)
    fsck(dvc_repo.git)


@pytest.mark.parametrize("cleanup", ["strip", "scissors", "verbatim"])
def test_a_reason_that_looks_like_a_comment(dvc_repo: DvcRepo, modelver: Modelver, cleanup: str) -> None:
    """A rollback's reason stands in its commit whole, whatever `commit.cleanup` takes out of the user's messages."""
    repo = two_versions(dvc_repo, modelver)
    repo("config", "commit.cleanup", cleanup)
    modelver("rollback", "churn", "--reason", "#123 drops recall", cwd=repo)
    assert "#123 drops recall" in repo("log", "-1", "--format=%B").splitlines()


@pytest.mark.parametrize("branch", [[], ["--branch", "back"]], ids=["commit", "branch"])
def test_a_commit_names_the_encoding_that_it_has(dvc_repo: DvcRepo, modelver: Modelver, branch: list[str]) -> None:
    """Where `i18n.commitEncoding` is another one, a reason is still read as it was written."""
    repo = two_versions(dvc_repo, modelver)
    repo("config", "i18n.commitEncoding", "ISO-8859-1")
    modelver("rollback", "churn", "--reason", "fällt ab", *branch, cwd=repo)
    repo("config", "--unset", "i18n.commitEncoding")
    assert "fällt ab" in repo("log", "-1", "--format=%B", "back" if branch else "HEAD").splitlines()


@pytest.mark.parametrize("branch", [[], ["--branch", "back"]], ids=["commit", "branch"])
def test_a_reason_in_another_encoding(dvc_repo: DvcRepo, modelver: Modelver, branch: list[str]) -> None:
    """A rollback's reason is any bytes that a shell hands over; git makes UTF-8 of Latin-1."""
    repo = two_versions(dvc_repo, modelver)
    reason = b"f\xe4llt ab".decode("utf-8", "surrogateescape")
    modelver("rollback", "churn", "--reason", reason, *branch, cwd=repo)
    assert "fällt ab" in repo("log", "-1", "--format=%B", "back" if branch else "HEAD").splitlines()


def test_settings_in_the_environment(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """Who sets Git up by `GIT_CONFIG_COUNT`, as CI jobs do, is the one whom version and card's commit name."""
    settings = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "user.name", "GIT_CONFIG_VALUE_0": "CI Bot"}
    modelver("release", "churn", cwd=dvc_repo.git, env=settings)
    assert dvc_repo.git("for-each-ref", "--format=%(taggername)", f"refs/tags/{TAG}") == "CI Bot"
    assert dvc_repo.git("log", "-1", "--format=%an, %cn") == "CI Bot, CI Bot"


def test_the_hint_for_another_users_repository(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """It is git's own line with the repository's path, to be pasted as it is."""
    env = {"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"}
    said = modelver("list", cwd=dvc_repo.git, env=env, code=6).err
    assert f"hint: if you trust it: git config --global --add safe.directory {dvc_repo.path}" in said
    settings = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": str(dvc_repo.path)}
    modelver("list", cwd=dvc_repo.git, env=env | settings)
