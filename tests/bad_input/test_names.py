"""Names of models and stages that are none: refused, never silently renamed, shown escaped."""

from __future__ import annotations

import pytest

from tests.bad_input.support import edit, refused, well_said
from tests.support import DvcRepo, Modelver, snapshot

BAD_NAMES = {
    "a space": "a b",
    "two dots": "a..b",
    "tilde": "a~1",
    "caret": "a^",
    "colon at the end": "a:",
    "question mark": "a?",
    "bracket": "a[",
    "backslash": "a\\b",
    "two slashes": "a//b",
    "slash in front": "/a",
    "slash behind": "a/",
    "out of the tree": "../x:y",
    "empty": "",
    "escape": "churn\x1b[31m",
    "bidi": "churn\u202egnp.",
    "zero width": "chu\u200brn",
    "not ASCII": "chürn",
    "Cyrillic twin": "\u0441hurn",
    "full-width": "\uff43hurn",
    "newline": "churn\nx",
    "control": "churn\x01",
    "dot": "churn.v2",
    "dot file": ".churn",
    "star": "ch*rn",
    "equals": "a=b",
    "braces": "a@{0}",
    "HEAD": "HEAD",
    "a ref": "refs/heads/main",
    "a tag": "refs/tags/churn@v0.1.0",
    "an object id": "0123456789abcdef0123456789abcdef01234567",
    "a short id": "deadbeef",
    "a lock": "churn.lock",
    "endless": "x" * 5000 + "!",
}


@pytest.mark.parametrize("kind", BAD_NAMES)
def test_bad_model_names_are_bad_input(modelver: Modelver, released: DvcRepo, kind: str) -> None:
    """Every command that takes a name refuses one that cannot be tagged or reads as a revision."""
    name = BAD_NAMES[kind]
    before = snapshot(released.git)
    commands = [
        ("release", name),
        ("show", name),
        ("get", name),
        ("history", name),
        ("promote", f"{name}@v0.1.0", "prod"),
        ("withdraw", f"{name}#prod"),
        ("withdraw", f"{name}@v0.1.0", "-m", "why", "--yes"),
        ("retire", name),
        ("push", name),
    ]
    for command in commands:
        result = well_said(modelver(*command, cwd=released.git, code=2))
        assert result.out == "", result
        assert len(result.err) < 2100, "the message is as long as the name"
    assert snapshot(released.git) == before


@pytest.mark.parametrize("dashes", [(), ("--",)], ids=["as it is", "after --"])
def test_a_name_that_begins_with_a_dash_is_bad_input(
    modelver: Modelver, released: DvcRepo, dashes: tuple[str, ...]
) -> None:
    """`-x` is an unknown option, and after `--` a name that cannot be tagged."""
    for command in ("release", "show", "get", "history", "retire", "push"):
        refused(modelver, released.git, command, *dashes, "-x", code=2)
    refused(modelver, released.git, "promote", *dashes, "-x@v0.1.0", "prod", code=2)


def test_a_bad_name_is_shown_escaped_with_a_near_valid_one(modelver: Modelver, released: DvcRepo) -> None:
    """What was typed can be read in the message, and the hint is a name that works."""
    said = refused(modelver, released.git, "release", "ch\u202eurn\x1b[2J", code=2).err
    assert "'ch\\u202eurn\\x1b[2J'" in said
    assert "hint: try ch-urn-2J" in said


@pytest.mark.parametrize("stage", ["a b", "a..b", "-x", "", "pr/od", "prod\x1b[0m", "pr\u200bod", "prod!", "prod#1"])
def test_bad_stage_names_are_bad_input(modelver: Modelver, released: DvcRepo, stage: str) -> None:
    """A stage that cannot be tagged is refused wherever one is named."""
    before = snapshot(released.git)
    for command in (
        ("promote", "churn@v0.2.0", "--", stage),
        ("release", "churn", f"--stage={stage}"),
        ("withdraw", f"churn#{stage}"),
        ("show", f"churn#{stage}"),
        ("get", f"churn#{stage}"),
    ):
        well_said(modelver(*command, cwd=released.git, code=2))
    assert snapshot(released.git) == before


@pytest.mark.parametrize("name", ["my model", "chürn", "v1.0", "HEAD^", "'-x'"])
def test_a_declared_name_that_cannot_be_tagged_is_listed_and_refused(
    modelver: Modelver, dvc_repo: DvcRepo, name: str
) -> None:
    """The list shows the entry with its problem; a release refuses it and renames nothing."""
    edit(dvc_repo.path / "dvc.yaml", "  churn:\n", f"  {name}:\n    path: models/churn.bin\n  churn:\n")
    dvc_repo.git.commit("Declare it")
    plain = name.strip("'")
    answer = modelver("list", "--json", cwd=dvc_repo.git).json
    assert plain in [model["name"] for model in answer["models"]]
    (problem,) = answer["problems"]
    assert "cannot be tagged" in problem["problem"]
    refused(modelver, dvc_repo.git, "release", "--", plain, code=2)
    modelver("release", "churn", cwd=dvc_repo.git)
    assert dvc_repo.git.tags() == ["churn@v0.1.0"]


NEAR = {
    "a model": (("show", "chrun"), "churn"),
    "a model to release": (("release", "curn"), "churn"),
    "a model to get": (("get", "churm"), "churn"),
    "a model's history": (("history", "churns"), "churn"),
    "a model to retire": (("retire", "Churn1"), "churn"),
    "a model to push": (("push", "churn2"), "churn"),
    "a version": (("show", "churn@v0.3.0"), "v0.2.0"),
    "a version to get": (("get", "churn@v0.1.1"), "v0.1.0"),
    "a version to promote": (("promote", "churn@v0.2.1", "prod"), "v0.2.0"),
    "a version to withdraw": (("withdraw", "churn@v1.2.0", "-m", "x", "--yes"), "v0.2.0"),
    "a stage": (("show", "churn#prd"), "prod"),
    "a stage to get": (("get", "churn#production"), "prod"),
    "a stage to withdraw from": (("withdraw", "churn#pro"), "prod"),
}


@pytest.mark.parametrize("what", NEAR)
def test_what_is_unknown_is_not_found_with_near_names(modelver: Modelver, released: DvcRepo, what: str) -> None:
    """A slip of the finger gets 7 and the name that was meant."""
    command, meant = NEAR[what]
    said = refused(modelver, released.git, *command, code=7).err
    assert meant in said.splitlines()[-1], said


@pytest.mark.parametrize("command", [("show", "zebra"), ("get", "churn#zebra"), ("release", "zebra")])
def test_what_is_unlike_everything_is_not_found_too(
    modelver: Modelver, released: DvcRepo, command: tuple[str, ...]
) -> None:
    """Without a near name the hint says where to look."""
    assert "did you mean" not in refused(modelver, released.git, *command, code=7).err


@pytest.mark.parametrize("command", ["show", "get", "withdraw"])
def test_an_empty_stage_is_not_found(modelver: Modelver, released: DvcRepo, command: str) -> None:
    """A stage that once held something and is empty now answers 7."""
    modelver("withdraw", "churn#prod", cwd=released.git)
    assert "empty" in refused(modelver, released.git, command, "churn#prod", code=7).err


def test_nothing_released_yet_has_no_latest(modelver: Modelver, dvc_repo: DvcRepo) -> None:
    """A declared model without a version is known, and has nothing to fetch."""
    for command in (("get", "churn"), ("show", "churn@latest"), ("promote", "churn", "prod"), ("retire", "churn")):
        refused(modelver, dvc_repo.git, *command, code=7)


def test_case_twins_are_refused_unless_forced(modelver: Modelver, released: DvcRepo) -> None:
    """`Churn` beside `churn` needs --force: file systems mix their tags up."""
    edit(released.path / "dvc.yaml", "  churn:\n", "  Churn:\n    path: models/churn.bin\n    type: model\n  churn:\n")
    released.git.commit("Declare a twin")
    assert "upper and lower case" in refused(modelver, released.git, "release", "Churn", code=3).err
    modelver("release", "Churn", "--force", "--same-commit", cwd=released.git)
    assert "Churn@v0.1.0" in released.git.tags()


def test_two_new_case_twins_in_one_release_are_refused(modelver: Modelver, dvc_repo: DvcRepo) -> None:
    """Released together, twins are as dangerous as one after the other: nothing is made."""
    edit(dvc_repo.path / "dvc.yaml", "  churn:\n", "  Churn:\n    path: models/churn.bin\n  churn:\n")
    dvc_repo.git.commit("Declare twins")
    refused(modelver, dvc_repo.git, "release", "churn", "Churn", code=3)
