"""How far a release goes: by what changed since the last version, unless somebody says otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.git import Git
from tests.support.repos import DvcRepo, Templates
from tests.support.runner import Modelver
from tests.support.snapshot import snapshot


@pytest.fixture
def changed(templates: Templates, tmp_path: Path, modelver: Modelver) -> DvcRepo:
    """`churn` is released, and trained again with another depth since."""
    repo = templates.dvc(tmp_path)
    modelver("release", "churn", "--no-card", cwd=repo.git)
    repo.fake_train(9)
    return repo


def message(repo: Git, tag: str) -> str:
    """A tag's message as git has it."""
    return repo("for-each-ref", "--format=%(contents)", f"refs/tags/{tag}")


def edit(repo: DvcRepo, old: str, new: str) -> None:
    """Commit another text in `dvc.yaml`."""
    text = (repo.path / "dvc.yaml").read_text()
    assert old in text
    repo.git.commit(f"{new} for {old}", {"dvc.yaml": text.replace(old, new)})


@pytest.mark.parametrize("more", [(), ("--bump", "auto"), ("--bump", "AUTO")])
def test_another_param_is_minor(changed: DvcRepo, modelver: Modelver, more: tuple[str, ...]) -> None:
    """Without a level what changed decides; the reasons are said, answered and kept in the tag."""
    said = modelver("release", "churn", "--json", *more, cwd=changed.git)
    (model,) = said.json["models"]
    assert (model["version"], model["bump"]) == (
        "v0.2.0",
        {"level": "minor", "reasons": ["param train.depth changed"]},
    )
    assert "note: churn: minor: param train.depth changed\n" in said.err
    lines = message(changed.git, "churn@v0.2.0").splitlines()
    assert {"Modelver-Bump: minor", "Modelver-Reason: param train.depth changed"} <= set(lines)


def test_another_task_is_major_and_another_text_a_patch(changed: DvcRepo, modelver: Modelver) -> None:
    """Each next version is compared with the one before it, not with the first."""
    edit(changed, "owner: team-churn", "task: classification")
    assert modelver("release", "churn", "--json", cwd=changed.git).json["models"][0]["version"] == "v0.2.0"
    edit(changed, "Who is about to leave", "Who may leave")
    assert modelver("release", "churn", "--json", cwd=changed.git).json["models"][0]["version"] == "v0.2.1"
    edit(changed, "task: classification", "task: regression")
    refused = modelver("release", "churn", "--bump", "minor", cwd=changed.git, code=3)
    assert "since v0.2.1 asks for: major: the task was classification and is regression" in refused.err
    assert modelver("release", "churn", "--json", cwd=changed.git).json["models"][0]["version"] == "v1.0.0"


@pytest.mark.parametrize("more", [(), ("--dry-run",), ("--prepare",), ("--rev", "HEAD"), ("--stage", "prod")])
def test_a_lower_bump_is_refused(changed: DvcRepo, modelver: Modelver, more: tuple[str, ...]) -> None:
    """3, with the level and its reasons; nothing at all has changed."""
    before = snapshot(changed.git)
    refused = modelver("release", "churn", "--bump", "patch", *more, cwd=changed.git, code=3)
    assert refused.err == (
        "error: --bump patch is lower than what changed in churn since v0.1.0 asks for: "
        "minor: param train.depth changed\n"
        "hint: --bump auto goes that far; or --force-bump, if the lower number is meant\n"
    )
    assert snapshot(changed.git) == before


def test_a_lower_bump_is_forced(changed: DvcRepo, modelver: Modelver) -> None:
    """`--force-bump` gives the lower number, and the tag says for ever what it should have been."""
    said = modelver("release", "churn", "--bump", "patch", "--force-bump", cwd=changed.git)
    assert "released churn@v0.1.1" in said.out
    reason = "--force-bump instead of minor: param train.depth changed"
    assert f"note: churn: patch: {reason}\n" in said.err
    lines = message(changed.git, "churn@v0.1.1").splitlines()
    assert {"Modelver-Bump: patch", f"Modelver-Reason: {reason}"} <= set(lines)
    shown = modelver("show", "churn@v0.1.1", "--json", cwd=changed.git).json["record"]
    assert (shown["bump"], shown["reason"]) == ("patch", reason)


@pytest.mark.parametrize("more", [(), ("--bump", "auto"), ("--version", "v0.1.1")])
def test_nothing_to_force(changed: DvcRepo, modelver: Modelver, more: tuple[str, ...]) -> None:
    """`--force-bump` without a level is a slip."""
    assert (
        "--force-bump needs a level" in modelver("release", "churn", "--force-bump", *more, cwd=changed.git, code=2).err
    )


@pytest.mark.parametrize(
    ("more", "version", "bump"),
    [
        (("--bump", "minor"), "v0.2.0", {"level": "minor", "reasons": ["param train.depth changed"]}),
        (("--bump", "major"), "v1.0.0", {"level": "major", "reasons": []}),
        (("--bump", "prerelease"), "v0.1.1-rc.1", {"level": "prerelease", "reasons": []}),
        (("--version", "v0.1.1"), "v0.1.1", {"level": None, "reasons": []}),
        (("--bump", "minor", "--force-bump"), "v0.2.0", {"level": "minor", "reasons": ["param train.depth changed"]}),
    ],
)
def test_what_is_asked_for(
    changed: DvcRepo, modelver: Modelver, more: tuple[str, ...], version: str, bump: dict[str, object]
) -> None:
    """A level that is high enough, a pre-release and a number are taken, and nobody is told why."""
    said = modelver("release", "churn", "--json", *more, cwd=changed.git)
    (model,) = said.json["models"]
    assert (model["version"], model["bump"]) == (version, bump)
    assert "note: churn:" not in said.err
    assert "Modelver-Reason" not in message(changed.git, f"churn@{version}")


def test_the_plan_names_level_and_reasons(changed: DvcRepo, modelver: Modelver) -> None:
    """What `--dry-run` prints is what would be done, and why it goes that far."""
    said = modelver("release", "churn", "--no-card", "--dry-run", cwd=changed.git)
    assert said.out.splitlines() == [
        "This would be done:",
        "  git tag  churn@v0.2.0",
        "churn@v0.2.0: minor: param train.depth changed",
    ]
    assert modelver("release", "churn", "--dry-run", "--json", cwd=changed.git).json["models"][0]["bump"] == {
        "level": "minor",
        "reasons": ["param train.depth changed"],
    }


def test_a_version_that_is_there_has_no_level(changed: DvcRepo, modelver: Modelver) -> None:
    """The same release again makes nothing, whatever level is named; no policy is asked."""
    modelver("release", "churn", cwd=changed.git)
    again = modelver("release", "churn", "--bump", "patch", "--json", cwd=changed.git).json
    assert (again["changed"], again["models"][0]["version"], again["models"][0]["bump"]) == (False, "v0.2.0", None)


@pytest.mark.parametrize(
    ("policy", "version"),
    [("{params: patch}", "v0.1.1"), ("{params: major}", "v1.0.0"), ("{data: major, rerun: major}", "v0.2.0")],
)
def test_the_configuration_overrides(changed: DvcRepo, modelver: Modelver, policy: str, version: str) -> None:
    """`bump:` gives a cause another level, and that is what a given level is held against."""
    changed.git.commit("Configure", {".modelver.yaml": f"bump: {policy}\n"})
    low = modelver("release", "churn", "--bump", "patch", "--dry-run", cwd=changed.git, code=None)
    assert low.code == (0 if version == "v0.1.1" else 3)
    assert modelver("release", "churn", "--json", cwd=changed.git).json["models"][0]["version"] == version


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ("{parms: patch}", "there is no key bump.parms\nhint: did you mean bump.params?"),
        ("{params: ptach}", "bump.params must be major, minor or patch\nhint: did you mean patch?"),
    ],
)
def test_a_slip_in_the_configuration(changed: DvcRepo, modelver: Modelver, policy: str, said: str) -> None:
    """2, with what was meant."""
    changed.git.commit("Configure", {".modelver.yaml": f"bump: {policy}\n"})
    assert said in modelver("release", "churn", cwd=changed.git, code=2).err


def test_each_model_goes_its_own_way(changed: DvcRepo, modelver: Modelver) -> None:
    """Of two models released together one is minor, one a patch; what is too low for one stops both."""
    edit(
        changed, "artifacts:\n", "artifacts:\n  table:\n    path: data/prepared.csv\n    type: model\n    desc: Rows\n"
    )
    modelver("release", "table", "--no-card", cwd=changed.git)
    edit(changed, "desc: Rows", "desc: The rows")
    before = snapshot(changed.git)
    refused = modelver("release", "table", "churn", "--bump", "patch", cwd=changed.git, code=3)
    assert "in churn since v0.1.0" in refused.err
    assert snapshot(changed.git) == before
    found = modelver("release", "table", "churn", "--json", cwd=changed.git).json["models"]
    assert [(one["name"], one["version"], one["bump"]["level"]) for one in found] == [
        ("table", "v0.1.1", "patch"),
        ("churn", "v0.2.0", "minor"),
    ]


def test_a_version_that_cannot_be_read(changed: DvcRepo, modelver: Modelver) -> None:
    """After a version whose `dvc.yaml` is broken comes a patch, said with the reason; a given level is taken."""
    good = (changed.path / "dvc.yaml").read_text()
    changed.git.commit("Break it", {"dvc.yaml": "stages: ["})
    changed.git.tag("churn@v0.5.0")
    changed.git.commit("Repair it", {"dvc.yaml": good})
    said = modelver("release", "churn", "--dry-run", cwd=changed.git)
    assert "churn@v0.5.1: patch: what changed since v0.5.0 cannot be told: churn@v0.5.0: dvc.yaml" in said.out
    assert (
        "note: churn: patch: what changed since v0.5.0 cannot be told"
        in modelver("release", "churn", cwd=changed.git).err
    )
    changed.fake_train(10)
    changed.git.tag("churn@v0.6.0", rev="HEAD~3")
    modelver("release", "churn", "--bump", "patch", cwd=changed.git)
    assert changed.git("tag", "--list", "churn@v0.6.1") == "churn@v0.6.1"


def test_a_release_candidate_becomes_final(changed: DvcRepo, modelver: Modelver) -> None:
    """After `v1.0.0-rc.1` comes `v1.0.0`, whatever changed and whatever level is named."""
    modelver("release", "churn", "--version", "v1.0.0-rc.1", cwd=changed.git)
    changed.fake_train(10)
    for more in ((), ("--bump", "patch"), ("--bump", "minor")):
        said = modelver("release", "churn", "--dry-run", "--json", *more, cwd=changed.git)
        assert said.json["models"][0]["version"] == "v1.0.0"


@pytest.mark.parametrize(
    ("more", "version"),
    [
        (("--rev", "HEAD"), "v0.2.0"),
        (("--rev", "HEAD", "--no-card"), "v0.2.0"),
        (("--prepare",), "v0.2.0"),
        (("--stage", "prod"), "v0.2.0"),
        (("--rev", "HEAD~1", "--same-commit"), "v0.1.1"),
        (("--rev", "HEAD~1", "--same-commit", "--bump", "patch"), "v0.1.1"),
    ],
)
def test_other_ways_to_release(changed: DvcRepo, modelver: Modelver, more: tuple[str, ...], version: str) -> None:
    """What is compared is the commit that is released, wherever HEAD is."""
    assert modelver("release", "churn", "--json", *more, cwd=changed.git).json["models"][0]["version"] == version


def test_a_prepared_number_is_not_held_against_the_policy(changed: DvcRepo, modelver: Modelver) -> None:
    """What was reviewed with its card is released under that number."""
    modelver("release", "churn", "--prepare", "--bump", "patch", "--force-bump", cwd=changed.git)
    changed.git.commit("Card")
    said = modelver("release", "churn", "--json", cwd=changed.git)
    assert (said.json["models"][0]["version"], said.json["models"][0]["bump"]) == (
        "v0.1.1",
        {"level": None, "reasons": []},
    )
