"""A team's days: a model trained, judged, released, promoted and taken back, through git, DVC, pre-commit and us."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support import Clones, Modelver
from tests.support.team import Member, Team, report

EVENTS = [
    ("release", "v0.1.0", None, "CI"),
    ("promote", "v0.1.0", "prod", "Ada Byron"),
    ("release", "v0.2.0", None, "CI"),
    ("promote", "v0.2.0", "prod", "Ada Byron"),
    ("promote", "v0.1.0", "prod", "CI"),
]


def held(member: Member) -> Any:
    """What production holds, as this clone sees it."""
    (model,) = member.answer("list")["models"]
    return model["stages"]["prod"]["version"]


def told(member: Member) -> list[tuple[str, str, str | None, str]]:
    """Every event, oldest first: what, of which version, at which stage, by whom."""
    events = member.answer("history")["events"]
    return [(e["event"], e["version"], e["stage"], e["author"]["name"]) for e in reversed(events)]


def released(team: Team, version: str) -> None:
    """The job after a merge: the next version by what changed, from a clone without any data."""
    answer = team.server.job(f"release-{version}", "main").answer("release", "churn", "--bump", "auto", "--push")
    assert [(row["version"], row["published"]) for row in answer["models"]] == [(version, True)]


def promoted(member: Member, version: str) -> None:
    """A person takes the new version into production; the hooks see the tag go."""
    said = member.update()
    assert f"modelver: this is churn@{version}" in said
    (row,) = member.answer("promote", "churn", "prod", "--push")["models"]
    assert (row["version"], row["published"]) == (version, True)
    assert held(member) == version


def stopped(team: Team, branch: str) -> None:
    """The job of a pull request that made the model worse: the gate says no, the comparison says why."""
    job = team.server.job(f"pull-{branch}", branch)
    answer = job.answer("gate", "churn", "--against", "prod", code=1)
    assert [(row["rule"], row["ok"]) for row in answer["rules"]] == [("min", False), ("max_drop", False)]
    comment = job.run("compare", "churn#prod", "HEAD", "--md").out
    assert "| auc | 0.8 | 0.65 |" in comment
    assert "| train.depth | 6 | 3 | changed |" in comment


def passed(team: Team, branch: str) -> None:
    """The job of one that made it better, and the merge."""
    job = team.server.job(f"pull-{branch}", branch)
    assert job.answer("gate", "churn", "--against", "prod")["ok"] is True
    job.run("card", "check")
    team.server.merge(branch)


def guarded(member: Member, tag: str) -> None:
    """Nobody moves or deletes what is published, and a tag made by hand does not go out, in either clone."""
    for words in ((f":refs/tags/{tag}",), ("--force", f"HEAD~1:refs/tags/{tag}")):
        code, said = member.push(*words)
        assert (code != 0, "error: modelver refuses this push" in said) == (True, True), said
    member.git("tag", "churn@v9.0.0", "HEAD~1")
    code, said = member.push("refs/tags/churn@v9.0.0")
    assert (code != 0, "lightweight" in said) == (True, True), said
    member.git("tag", "-d", "churn@v9.0.0")


def taken_back(team: Team, bad: str, good: str) -> None:
    """What production reports falls, the guard's job goes back, and the evidence stands beside the bad version."""
    job = team.server.job("guard", "main")
    fine = report(job, auc=0.94)
    assert job.answer("guard", "churn", "--stage", "prod", "--metrics", fine, "--rollback", "--push")["ok"] is True
    words = ("guard", "churn", "--stage", "prod", "--metrics", report(job, auc=0.71), "--rollback", "--push")
    answer = job.answer(*words, code=1)
    assert (answer["ok"], answer["version"], answer["changed"]) == (False, bad, True), answer
    assert held(job) == good
    # It never flaps: the good version is judged by its own numbers, and there is no second step down.
    job.answer(*words, code=1)
    assert held(job) == good


def the_days_of(team: Team, train: Callable[[Member, str, int], None]) -> None:
    """Two versions come into production, a worse one does not get that far, and the second is taken back."""
    released(team, "v0.1.0")
    promoted(team.ada, "v0.1.0")
    team.bao.update()
    train(team.bao, "worse", 3)
    stopped(team, "worse")
    train(team.bao, "better", 9)
    passed(team, "better")
    released(team, "v0.2.0")
    promoted(team.ada, "v0.2.0")
    guarded(team.ada, "churn@v0.2.0")
    taken_back(team, bad="v0.2.0", good="v0.1.0")
    the_history_tells(team)


def the_history_tells(team: Team) -> None:
    """Everybody reads the same from their own clone, the reason and the evidence of the rollback too."""
    for member in (team.ada, team.bao):
        member.update()
        member.run("push")  # brings the notes, which git does not fetch by itself
        assert told(member) == EVENTS
        assert held(member) == "v0.1.0"
    last = team.bao.answer("history")["events"][0]
    assert "churn@v0.2.0" in last["message"]
    assert "auc" in last["message"]
    shown = team.bao.answer("show", "churn@v0.2.0")
    assert [(note["kind"], "auc" in str(note)) for note in shown["notes"]] == [("guard", True)]


@pytest.mark.long
def test_a_teams_days(two_clones: Clones, modelver: Modelver) -> None:
    """Every step through real git, DVC and pre-commit, in clones that have the hooks of all three."""
    team = Team.of(two_clones, modelver, real=True)
    team.agree()
    for member in (team.ada, team.bao):
        guards = {row["name"]: row for row in member.answer("hooks", "status")["guards"]}
        assert {guards[name]["state"] for name in ("pre-push", "post-checkout", "post-merge")} == {"live"}
        assert guards["pre-push"]["detail"] == "after pre-commit's, after pre-push.before-modelver"
    the_days_of(team, Member.train)


def test_a_teams_days_in_short(two_clones: Clones, modelver: Modelver) -> None:
    """The same days with the hooks of ours alone, models made without DVC, and our commands in one process."""
    team = Team.of(two_clones, modelver, real=False)
    team.agree()
    the_days_of(team, Member.fake_train)
