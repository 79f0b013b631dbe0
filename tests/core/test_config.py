"""The configuration: known keys with sane values, anything else an error that helps."""

from __future__ import annotations

import pytest

from dvc_modelver.core.bumps import Cause
from dvc_modelver.core.config import CardSettings, Config, HookSettings, parse_config
from dvc_modelver.core.gatepolicy import GatePolicy, MetricRule
from dvc_modelver.core.versions import Bump
from dvc_modelver.errors import BadInput, ExitCode

FULL: dict[str, object] = {
    "scheme": "timestamp",
    "stages": ["dev", "staging", "prod"],
    "push": True,
    "cards": {
        "path": "cards/{name}/README.md",
        "template": "docs/template.md",
        "required": {"prod": ["Intended use", "Limitations"], "dev": []},
        "plots": ["plots/roc.csv", "ROC"],
    },
    "metrics": {"auc": "up", "rmse": "down"},
    "bump": {"data": "patch", "rerun": "minor", "environment": "major"},
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
    cards = CardSettings(
        path="cards/{name}/README.md",
        template="docs/template.md",
        required={"prod": ("Intended use", "Limitations"), "dev": ()},
        plots=("plots/roc.csv", "ROC"),
    )
    bump = {Cause.DATA: Bump.PATCH, Cause.RERUN: Bump.MINOR, Cause.ENVIRONMENT: Bump.MAJOR}
    gate = GatePolicy(against="prod", metrics={"auc": MetricRule(minimum=0.8)})
    more = {"cards": cards, "bump": bump, "gate": gate, "hooks": HookSettings(push=False)}
    expected = FULL | {"stages": ("dev", "staging", "prod"), **more}
    assert {name: getattr(config, name) for name in FULL} == expected


@pytest.mark.parametrize(
    ("settings", "nearest"),
    [
        ({"shceme": "semver"}, "scheme"),
        ({"stage": ["prod"]}, "stages"),
        ({"Push": True}, "push"),
        ({"cards": {"pth": "x"}}, "cards.path"),
        ({"gate": {"agianst": "prod"}}, "gate.against"),
        ({"hooks": {"pusch": True}}, "hooks.push"),
        ({"bump": {"enviroment": "patch"}}, "bump.environment"),
        ({"bump": {"param": "patch"}}, "bump.params"),
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
        {"bump": None},
        {"bump": "patch"},
        {"bump": ["data"]},
        {"bump": {"data": None}},
        {"bump": {"data": 1}},
        {"bump": {"data": ["patch"]}},
        {"bump": {"data": "prerelease"}},
        {"bump": {1: "patch"}},
        {1: 2},
    ],
)
def test_values_of_the_wrong_kind(settings: object) -> None:
    """A value that is not what its key wants is bad input, told with the file's name."""
    assert ".modelver.yaml" in refused(settings).message


@pytest.mark.parametrize(("level", "nearest"), [("majr", "major"), ("Minor", "minor"), ("pathc", "patch")])
def test_unknown_levels_name_the_nearest(level: str, nearest: str) -> None:
    """A slip in a level names its key, all levels, and the one that was meant."""
    error = refused({"bump": {"data": level}})
    assert error.message == ".modelver.yaml: bump.data must be major, minor or patch"
    assert error.hint == f"did you mean {nearest}?"


# Cards ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cards", [None, {}])
def test_cards_have_defaults(cards: object) -> None:
    """Nothing said of cards: one file per model below `model_cards`, our own template, nothing required, no plots."""
    found = parse_config({"cards": cards}, {}, ".modelver.yaml").cards
    assert found == CardSettings() == Config().cards
    assert (found.path, found.template, found.required, found.plots) == ("model_cards/{name}.md", "default", {}, ())


@pytest.mark.parametrize(
    ("path", "model", "place"),
    [
        ("model_cards/{name}.md", "churn", "model_cards/churn.md"),
        ("model_cards/{name}.md", "team/a:churn", "model_cards/team/a/churn.md"),
        ("{name}.md", "churn", "churn.md"),
        ("{name}/README.md", "churn", "churn/README.md"),
        ("cards/{name}-{name}.md", "a", "cards/a-a.md"),
        ("MODEL_CARD.md", "churn", "MODEL_CARD.md"),
        ("docs/.cards/card of {name}.md", "churn", "docs/.cards/card of churn.md"),
    ],
)
def test_where_a_card_is(path: str, model: str, place: str) -> None:
    """The model's name stands wherever `{name}` does, its `:` as `/`."""
    assert parse_config({"cards": {"path": path}}, {}, ".modelver.yaml").cards.path_of(model) == place


@pytest.mark.parametrize(
    "path",
    [
        *("cards/{name}", "cards/{name}.MD", "cards/{name}.txt", "cards/.md/x", "{name}", ".md/"),
        *("../{name}.md", "cards/../../{name}.md", "cards/../x.md", "./{name}.md", "cards//x.md", "cards/./x.md"),
        *("/etc/{name}.md", "/{name}.md", "//x.md", "C:/x.md", "c:x.md", "cards\\{name}.md", "https://host/x.md"),
        *(".git/{name}.md", ".GIT/x.md", "a/.Git/x.md", ".git/hooks/x.md"),
        *("cards/{model}.md", "cards/{Name}.md", "cards/{}.md", "cards/{name.md", "cards/name}.md", "{{name}}.md"),
        *("", " ", "\n", None, 3, True, ["cards/{name}.md"], {"name": "x.md"}),
    ],
)
def test_paths_that_no_card_may_have(path: object) -> None:
    """No Markdown file, outside of the root, Git's own folder, other braces, no text: an error that names the key."""
    error = refused({"cards": {"path": path}})
    assert error.message.startswith(".modelver.yaml: cards.path")
    assert int(error.code) == 2


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("template", "", "cards.template must be a text"),
        ("template", "  ", "cards.template must be a text"),
        ("template", None, "cards.template must be a text"),
        ("template", ["default"], "cards.template must be a text"),
        ("template", 1, "cards.template must be a text"),
        ("required", ["Use"], "cards.required must be a mapping"),
        ("required", "Use", "cards.required must be a mapping"),
        ("required", None, "cards.required must be a mapping"),
        ("required", {"prod": "Use"}, "cards.required.prod must be a list of texts"),
        ("required", {"prod": None}, "cards.required.prod must be a list of texts"),
        ("required", {"prod": ["Use", 3]}, "cards.required.prod must be a list of texts"),
        ("required", {"prod": ["Use", " "]}, "cards.required.prod must be a list of texts"),
        ("required", {"prod": {"Use": 1}}, "cards.required.prod must be a list of texts"),
        ("required", {"a b": ["Use"]}, "cards.required: 'a b' is not a name for a stage"),
        ("required", {"*": ["Use"]}, "cards.required: '*' is not a name for a stage"),
        ("required", {"": ["Use"]}, "cards.required: '' is not a name for a stage"),
        ("plots", "plots/roc.csv", "cards.plots must be a list of texts"),
        ("plots", {"roc": "x.csv"}, "cards.plots must be a list of texts"),
        ("plots", None, "cards.plots must be a list of texts"),
        ("plots", ["a.csv", None], "cards.plots must be a list of texts"),
        ("plots", [""], "cards.plots must be a list of texts"),
    ],
)
def test_bad_values_of_cards(key: str, value: object, named: str) -> None:
    """Each is bad input, exit code 2, and the message has the file and the whole key."""
    error = refused({"cards": {key: value}})
    assert error.message.startswith(f".modelver.yaml: {named}")
    assert error.code is ExitCode.BAD_INPUT


@pytest.mark.parametrize("key", ["path", "template", "required", "plots"])
def test_one_bad_key_is_told_among_good_ones(key: str) -> None:
    """The other keys of a section do not hide the bad one, and each alone is enough."""
    good = dict(FULL["cards"])  # type: ignore[call-overload]
    assert f"cards.{key} " in refused({"cards": good | {key: 3}}).message
    alone = parse_config({"cards": {key: good[key]}}, {}, ".modelver.yaml").cards
    assert getattr(alone, key) == getattr(parse_config(FULL, {}, ".modelver.yaml").cards, key)


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
