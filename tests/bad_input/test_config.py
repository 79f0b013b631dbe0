"""Settings that cannot be meant: named with the nearest that can, before anything is done."""

from __future__ import annotations

import pytest

from tests.bad_input.support import refused
from tests.support import DvcRepo, Modelver

BAD_SETTINGS = {
    "an unknown key": ("stagse: [dev]\n", "did you mean stages?"),
    "an unknown nested key": ("cards: {pth: x}\n", "did you mean cards.path?"),
    "an unknown gate key": ("gate: {agianst: prod}\n", "did you mean gate.against?"),
    "a key unlike all": ("zzzzzz: 1\n", "the keys are: scheme"),
    "stages as a number": ("stages: 3\n", "stages must be a list of stage names"),
    "a stage that is no name": ("stages: [dev, 'pr od']\n", "'pr od' is not a name for a stage"),
    "a stage that is a number": ("stages: [1, 2]\n", "stages must be a list"),
    "push as text": ("push: maybe\n", "push must be true or false"),
    "push as a number": ("push: 3\n", "push must be true or false"),
    "no scheme": ("scheme: calver\n", "scheme must be semver or timestamp"),
    "a scheme that is a list": ("scheme: [semver]\n", "scheme must be semver or timestamp"),
    "a scheme that is a mapping": ("scheme: {a: b}\n", "scheme must be semver or timestamp"),
    "a direction": ("metrics: {auc: sideways}\n", "up or down"),
    "a direction that is a list": ("metrics: {auc: [up]}\n", "up or down"),
    "metrics as a list": ("metrics: [auc]\n", "metrics must be a mapping"),
    "cards as text": ("cards: x\n", "cards must be a mapping"),
    "hooks as a list": ("hooks: []\n", "hooks must be a mapping"),
    "a list": ("- stages\n", "mapping"),
    "text": ("stages\n", "mapping"),
    "no YAML": ("stages: [dev\n", ".modelver.yaml: line"),
    "a tab": ("stages:\n\t- dev\n", ".modelver.yaml: line 2"),
    "a key twice": ("push: true\npush: false\n", "twice"),
    "conflict markers": ("<<<<<<< HEAD\npush: true\n=======\npush: false\n>>>>>>> x\n", "line 1: conflict markers"),
    "a Python object": ("push: !!python/object/apply:os.system ['touch canary']\n", "not plain data"),
    "an alias bomb": ("a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefghi", "bcdefghij", strict=True)
    ), "aliases expand"),
    "not UTF-8": (b"stages: [\xff]\n", "not UTF-8"),
    "control characters in a key": ('"\\e[31mpush": true\n', "there is no key \\x1b[31mpush"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD_SETTINGS)
def test_bad_settings_are_bad_input(modelver: Modelver, released: DvcRepo, what: str) -> None:
    """A wrong setting is named, with what was meant, by every command that heeds settings."""
    text, said = BAD_SETTINGS[what]
    released.git.write(".modelver.yaml", text)
    for command in (("promote", "churn@v0.2.0", "prod"), ("release", "churn", "--allow-unchanged")):
        assert said in refused(modelver, released.git, *command, code=2).err


@pytest.mark.parametrize("what", ["an unknown key", "a direction", "stages as a number"])
def test_bad_settings_in_pyproject_are_bad_input(modelver: Modelver, released: DvcRepo, what: str) -> None:
    """`[tool.modelver]` is as strict, and the message names that file."""
    table = {
        "an unknown key": 'stagse = ["dev"]',
        "a direction": 'metrics = {auc = "sideways"}',
        "stages as a number": "stages = 3",
    }
    released.git.write("pyproject.toml", f"[tool.modelver]\n{table[what]}\n")
    said = refused(modelver, released.git, "promote", "churn@v0.2.0", "prod", code=2).err
    assert "pyproject.toml" in said
    assert BAD_SETTINGS[what][1] in said


def test_two_places_for_settings_are_an_error(modelver: Modelver, released: DvcRepo) -> None:
    """Nobody should have to guess which of two files counts."""
    released.git.write(".modelver.yaml", "stages: [prod]\n")
    released.git.write("pyproject.toml", "[tool.modelver]\nstages = ['dev']\n")
    said = refused(modelver, released.git, "promote", "churn@v0.2.0", "prod", code=2).err
    assert ".modelver.yaml" in said
    assert "pyproject.toml" in said


def test_another_tools_section_is_no_second_place(modelver: Modelver, released: DvcRepo) -> None:
    """A pyproject.toml that only speaks of modelver in a comment or a dependency configures nothing."""
    released.git.write(".modelver.yaml", "stages: [prod, staging]\n")
    released.git.write("pyproject.toml", "# see tool.modelver\n[tool.other]\nuses = 'tool.modelver'\n")
    modelver("promote", "churn@v0.2.0", "staging", cwd=released.git)


def test_the_section_counts_however_it_is_written(modelver: Modelver, released: DvcRepo) -> None:
    """TOML has several ways to write one table."""
    for text in (
        "[tool]\nmodelver = {stagse = 1}\n",
        "[tool.'modelver']\nstagse = 1\n",
        "[ tool . modelver ]\nstagse=1",
    ):
        released.git.write("pyproject.toml", text)
        assert "stages" in refused(modelver, released.git, "promote", "churn@v0.2.0", "prod", code=2).err


def test_broken_toml_is_bad_input(modelver: Modelver, released: DvcRepo) -> None:
    """A pyproject.toml that cannot be parsed is named."""
    released.git.write("pyproject.toml", "[tool.modelver\nstages = 3\n")
    assert "pyproject.toml" in refused(modelver, released.git, "promote", "churn@v0.2.0", "prod", code=2).err


def test_a_stage_that_is_not_configured_is_bad_input(modelver: Modelver, released: DvcRepo) -> None:
    """With `stages` set, a slip of the finger makes no new stage."""
    released.git.write(".modelver.yaml", "stages: [dev, staging, prod]\n")
    said = refused(modelver, released.git, "promote", "churn@v0.2.0", "prd", code=2).err
    assert "dev, staging, prod" in said
    refused(modelver, released.git, "release", "churn", "--stage", "prd", code=2)
    modelver("promote", "churn@v0.2.0", "staging", cwd=released.git)


BAD_VARIABLES = {
    "an unknown one": ({"MODELVER_STAGSE": "dev"}, "MODELVER_STAGES"),
    "one unlike all": ({"MODELVER_ZZZ": "1"}, "MODELVER_"),
    "push": ({"MODELVER_PUSH": "perhaps"}, "MODELVER_PUSH"),
    "a scheme": ({"MODELVER_SCHEME": "calver"}, "MODELVER_SCHEME"),
    "a stage that is no name": ({"MODELVER_STAGES": "dev,pr od"}, "MODELVER_STAGES"),
}


@pytest.mark.parametrize("what", BAD_VARIABLES)
def test_bad_variables_are_bad_input(modelver: Modelver, released: DvcRepo, what: str) -> None:
    """A MODELVER_ variable that means nothing is named, with the one that may have been meant."""
    env, said = BAD_VARIABLES[what]
    assert said in refused(modelver, released.git, "promote", "churn@v0.2.0", "prod", code=2, env=env).err


def test_the_environment_goes_over_the_file_and_flags_over_both(modelver: Modelver, released: DvcRepo) -> None:
    """The nearer setting counts."""
    released.git.write(".modelver.yaml", "stages: [dev]\nscheme: semver\npush: true\n")
    env = {"MODELVER_STAGES": "staging, prod", "MODELVER_SCHEME": "timestamp", "MODELVER_PUSH": "no"}
    refused(modelver, released.git, "promote", "churn@v0.2.0", "staging", code=2)
    modelver("promote", "churn@v0.2.0", "staging", cwd=released.git, env=env)
    refused(modelver, released.git, "promote", "churn@v0.2.0", "dev", code=2, env=env)
    refused(modelver, released.git, "promote", "churn@v0.1.0", "staging", "--push", code=6, env=env)
    modelver("promote", "churn@v0.1.0", "dev", "--no-push", cwd=released.git)
    released.git.commit("Settings")
    released.fake_train(9)
    (made,) = modelver("release", "churn", "--json", cwd=released.git, env=env).json["models"]
    assert made["version"].startswith("v20")


def test_reading_does_not_fail_on_bad_settings(modelver: Modelver, released: DvcRepo) -> None:
    """What versions there are does not hang on settings that only writing heeds."""
    released.git.write(".modelver.yaml", "stagse: [dev]\n")
    for command in (("list",), ("show", "churn"), ("history",)):
        modelver(*command, cwd=released.git)
