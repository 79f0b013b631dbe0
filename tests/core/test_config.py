"""The configuration: known keys with sane values, anything else an error that helps."""

from __future__ import annotations

import pytest

from dvc_modelver.core.config import Config, parse_config
from dvc_modelver.errors import BadInput

FULL: dict[str, object] = {
    "scheme": "timestamp",
    "stages": ["dev", "staging", "prod"],
    "push": True,
    "cards": {"path": "model_cards/{name}.md", "template": "default", "required": {"prod": ["Use"]}, "plots": []},
    "metrics": {"auc": "up", "rmse": "down"},
    "gate": {"against": "prod", "metrics": {"auc": {"min": 0.8}}},
    "hooks": {"push": False},
}


def refused(settings: object, env: dict[str, str] | None = None) -> BadInput:
    """The error of a configuration that must not pass."""
    with pytest.raises(BadInput) as error:
        parse_config(settings, env or {}, ".modelver.yaml")
    return error.value


@pytest.mark.parametrize("nothing", [None, {}])
def test_an_empty_file_is_the_default(nothing: object) -> None:
    """Nothing said: semver, any stage, no push."""
    config = parse_config(nothing, {}, ".modelver.yaml")
    assert config == Config()
    assert (config.scheme, config.stages, config.push) == ("semver", (), False)


def test_every_key_of_the_contract_is_read() -> None:
    """The whole shape that is documented arrives."""
    config = parse_config(FULL, {}, ".modelver.yaml")
    assert {name: getattr(config, name) for name in FULL} == FULL | {"stages": ("dev", "staging", "prod")}


@pytest.mark.parametrize(
    ("settings", "nearest"),
    [
        ({"shceme": "semver"}, "scheme"),
        ({"stage": ["prod"]}, "stages"),
        ({"Push": True}, "push"),
        ({"cards": {"pth": "x"}}, "cards.path"),
        ({"gate": {"agianst": "prod"}}, "gate.against"),
        ({"hooks": {"pusch": True}}, "hooks.push"),
    ],
)
def test_unknown_keys_name_the_nearest(settings: dict[str, object], nearest: str) -> None:
    """A slip in a key is an error that says where it stands and which key was meant."""
    error = refused(settings)
    assert error.message.startswith(".modelver.yaml: there is no key ")
    assert error.hint == f"did you mean {nearest}?"


def test_quite_unknown_keys_list_all() -> None:
    """Where nothing is near, the keys are listed."""
    assert "scheme" in refused({"zzzzz": 1}).hint


@pytest.mark.parametrize(
    "settings",
    [
        "scheme: semver",
        ["scheme"],
        3,
        {"scheme": "calver"},
        {"scheme": None},
        {"stages": "a b"},
        {"stages": ["prod", 1]},
        {"stages": ["a/b"]},
        {"stages": {"prod": 1}},
        {"push": "maybe"},
        {"push": 1},
        {"push": None},
        {"metrics": {"auc": "higher"}},
        {"metrics": ["auc"]},
        {"cards": "x"},
        {"gate": []},
        {"hooks": None},
        {1: 2},
    ],
)
def test_values_of_the_wrong_kind(settings: object) -> None:
    """A value that is not what its key wants is bad input, told with the file's name."""
    assert ".modelver.yaml" in refused(settings).message


@pytest.mark.parametrize(
    ("variable", "text", "key", "value"),
    [
        ("MODELVER_SCHEME", "timestamp", "scheme", "timestamp"),
        ("MODELVER_STAGES", "dev, prod", "stages", ("dev", "prod")),
        ("MODELVER_STAGES", "", "stages", ()),
        ("MODELVER_PUSH", "true", "push", True),
        ("MODELVER_PUSH", "No", "push", False),
        ("MODELVER_PUSH", "0", "push", False),
    ],
)
def test_the_environment_goes_over_the_file(variable: str, text: str, key: str, value: object) -> None:
    """A variable replaces what the file says, and nothing else."""
    file = {"scheme": "semver", "stages": ["x"], "push": not value if key == "push" else False}
    config = parse_config(file, {variable: text, "PATH": "/bin"}, ".modelver.yaml")
    assert getattr(config, key) == value
    others = {name for name in file if name != key}
    assert all(getattr(config, name) == getattr(parse_config(file, {}, "x"), name) for name in others)


@pytest.mark.parametrize(
    "env",
    [{"MODELVER_SCHEMA": "semver"}, {"MODELVER_PUSH": "perhaps"}, {"MODELVER_STAGES": "a b"}, {"MODELVER_CARDS": "x"}],
)
def test_bad_variables(env: dict[str, str]) -> None:
    """An unknown variable of ours, or a value of the wrong kind, is refused by its name."""
    assert next(iter(env)) in refused({}, env).message
