"""`history --at` against a ledger kept by hand, and what it says when clocks ran wrong."""

from __future__ import annotations

import pytest

from tests.support import DvcRepo, Modelver


@pytest.fixture
def three(dvc_repo: DvcRepo, modelver: Modelver) -> DvcRepo:
    """v0.1.0, v0.2.0 and v0.3.0, all of 2025-01-01."""
    for depth in (7, 8, 9):
        dvc_repo.fake_train(depth)
        modelver("release", "churn", "--no-card", "--bump", "minor", "--force-bump", cwd=dvc_repo.git)
    return dvc_repo


def promote(repo: DvcRepo, modelver: Modelver, version: str, seconds: int) -> None:
    """Put a version into production at that second of the clock."""
    repo.git.clock.seconds = seconds
    modelver("promote", f"churn@{version}", "prod", cwd=repo.git)


def test_an_answer_that_rests_on_a_wrong_clock_is_marked(three: DvcRepo, modelver: Modelver) -> None:
    """Of two events whose times run against their counters both are marked: nobody can tell whose clock was wrong."""
    day, start = 86_400, three.git.clock.seconds
    promote(three, modelver, "v0.1.0", start + 10 * day)
    promote(three, modelver, "v0.2.0", start + 5 * day)
    promote(three, modelver, "v0.3.0", start + 20 * day)
    events = modelver("history", "churn", "--json", cwd=three.git).json["events"]
    marked = {event["tag"]: event["out_of_order"] for event in events if event["event"] == "promote"}
    assert marked == {"churn#prod#1": True, "churn#prod#2": True, "churn#prod#3": False}
    for after, version, odd in ((7, "v0.2.0", True), (12, "v0.2.0", True), (21, "v0.3.0", False)):
        at = f"2025-01-{1 + after:02}T23:59:59Z"
        (model,) = modelver("history", "churn", "--at", at, "--json", cwd=three.git).json["models"]
        assert (model["stages"]["prod"]["version"], model["stages"]["prod"]["out_of_order"]) == (version, odd)
    assert "(!)" in modelver("history", "churn", "--at", "2025-01-08", cwd=three.git).out


def test_released_and_withdrawn_is_not_never_released(three: DvcRepo, modelver: Modelver) -> None:
    """Where every version was withdrawn by then, nobody is told that nothing had been released."""
    git = three.git
    before = modelver("history", "--at", "2024-01-01", cwd=git).out
    assert "Nothing had been released" in before
    for version in ("v0.1.0", "v0.2.0", "v0.3.0"):
        modelver("withdraw", f"churn@{version}", "-m", "bad", "--yes", cwd=git)
    said = modelver("history", "churn", "--at", "2030-01-01", cwd=git).out
    assert "Nothing had been released" not in said
    assert "withdrawn" in said
