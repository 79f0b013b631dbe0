"""The front matter is what Hugging Face's own reader takes, whatever a repository holds."""

from __future__ import annotations

import math
from typing import Any

import pytest
from huggingface_hub import EvalResult, ModelCard
from huggingface_hub.utils import HFValidationError, validate_repo_id
from hypothesis import given
from hypothesis import strategies as st

from dvc_modelver.cards.document import parse_card, render, replace_front_matter
from dvc_modelver.cards.facts import CardFacts
from dvc_modelver.cards.huggingface import front_matter
from dvc_modelver.cards.tasks import is_hub_id, known_task, library, metric
from dvc_modelver.core.declarations import Declared
from dvc_modelver.core.descriptions import ModelDescription, Status
from dvc_modelver.core.facts import ArtifactFacts, Output
from dvc_modelver.core.recipe import Input, Kind, Recipe, Step
from tests.cards.values import HOSTILE

TRAIN, TEST = "md5:" + "a" * 32, "md5:" + "b" * 32
TEMPLATE = "---\n# mine\nlanguage: en  # kept\n# modelver:begin\n# modelver:end\nz: 'q'\n---\n# Churn\n"


def data(path: str, kind: Kind = Kind.DATA, digest: str | None = None) -> Input:
    return Input(output=Output(path=path, digest=digest), kind=kind)


def step(name: str, inputs: tuple[Input, ...], outs: tuple[str, ...]) -> Step:
    return Step(name=name, cmd=None, inputs=inputs, outs=tuple(Output(path=path, digest=None) for path in outs))


RECIPE = Recipe(
    steps=(
        step("train", (data("data/raw/train.csv", digest=TRAIN), data("src/a.py", Kind.CODE)), ("models/churn.pkl",)),
    ),
    evaluation=(
        step(
            "evaluate",
            (
                data("data/more.csv", digest=TRAIN),
                data("data/test.csv", Kind.STAGE, TEST),
                data("models/churn.pkl", Kind.STAGE, "md5:" + "c" * 32),
                data("src/test_it.py", Kind.CODE),
            ),
            ("metrics/eval.json",),
        ),
    ),
)  # fmt: skip
META = {
    "license": "MIT",
    "framework": "scikit-learn",
    "task": "Tabular classification",
    "datasets": ["acme/churn"],
    "base_model": "acme/base",
}
METRICS = {"metrics/eval.json": {"accuracy": 0.91, "eu.f1_score": 1e-05, "passed": True, "note": "x", "loss": math.nan}}


def facts(**changes: Any) -> CardFacts:
    declared = {
        "name": "churn",
        "file": "dvc.yaml",
        "path": "models/churn.pkl",
        "labels": ("tabular", "eu"),
        "meta": META,
    }
    declared |= {key: changes.pop(key) for key in ("name", "labels", "meta") if key in changes}
    known: dict[str, Any] = {"recipe": RECIPE, "metrics": METRICS, "artifact": ArtifactFacts(path="models/churn.pkl")}
    return CardFacts(declared=Declared(**declared), **{**known, **changes})


def card(given_facts: CardFacts, text: str = TEMPLATE) -> str:
    return render(replace_front_matter(parse_card(text), front_matter(given_facts)))


def read(text: str) -> dict[str, Any]:
    import yaml

    found = yaml.safe_load(text.split("---\n")[1])
    assert isinstance(found, dict)
    return found


def dataset(**changes: Any) -> dict[str, Any]:
    """The `dataset` of the one result."""
    index: Any = front_matter(facts(**changes))["model-index"]
    (result,) = index[0]["results"]
    found = result["dataset"]
    assert isinstance(found, dict)
    return found


def task(**changes: Any) -> tuple[str, str, object]:
    """Type and name of the task, and the pipeline tag."""
    found: Any = front_matter(facts(**changes))
    said = found["model-index"][0]["results"][0]["task"]
    return said["type"], said["name"], found.get("pipeline_tag")


def test_hugging_face_reads_every_result() -> None:
    """Its card reader finds the results with task, data, revision and numbers, and nothing but numbers."""
    found = ModelCard(card(facts())).data
    common: dict[str, Any] = {
        "task_type": "tabular-classification",
        "task_name": "Tabular Classification",
        "dataset_type": "test",
        "dataset_name": "data/test.csv",
        "dataset_revision": TEST,
    }
    assert found.eval_results == [
        EvalResult(metric_type="accuracy", metric_name="accuracy", metric_value=0.91, **common),
        EvalResult(metric_type="f1", metric_name="eu.f1_score", metric_value=1e-05, **common),
    ]
    assert (found.license, found.library_name, found.pipeline_tag) == ("mit", "sklearn", "tabular-classification")
    assert (found.tags, found.datasets, found.metrics) == (["tabular", "eu"], ["acme/churn"], ["accuracy", "f1"])
    assert (found.base_model, found.model_name, found.language) == ("acme/base", "churn", "en")


def test_keys_stand_in_one_order() -> None:
    """The order is that of the Hub's own description."""
    assert list(front_matter(facts())) == [
        *("license", "library_name", "pipeline_tag", "tags", "datasets", "metrics", "base_model", "model-index")
    ]


def test_what_is_not_known_is_left_out() -> None:
    """A model of which nothing is known has no keys at all."""
    assert front_matter(facts(labels=(), meta={}, metrics={}, recipe=Recipe())) == {}


def test_yaml_reads_back_what_was_meant() -> None:
    """PyYAML finds our values, and what people wrote, byte for byte."""
    text = card(facts())
    assert read(text) == {"language": "en", **front_matter(facts()), "z": "q"}
    assert text.startswith("---\n# mine\nlanguage: en  # kept\n# modelver:begin\n")
    assert text.endswith("# modelver:end\nz: 'q'\n---\n# Churn\n")
    assert card(facts(), text) == text


def test_peoples_own_keys_win() -> None:
    """A key that stands in the card already is not written a second time."""
    text = card(facts(), "---\nlicense: apache-2.0 # ours is older\ntags: [a]\n---\n")
    found = ModelCard(text).data
    assert (found.license, found.tags) == ("apache-2.0", ["a"])
    assert text.count("license:") == text.count("tags:") == 1
    assert len(found.eval_results or ()) == 2


def test_the_models_bytes_do_not_matter() -> None:
    """The same tree gives the same front matter whether or not the model is at hand."""
    model = ModelDescription(format="onnx", status=Status.NO_CODE_FORMAT, library="onnx")
    assert front_matter(facts(model=model)) == front_matter(facts())


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (("data/b.csv", "data/a.csv"), "data/a.csv"),
        (("data/a.csv", "data/X_val.npy"), "data/X_val.npy"),
        (("data/latest.csv", "data/values.csv"), "data/latest.csv"),
        (("data/a.csv", "data/holdout/part.csv"), "data/holdout/part.csv"),
    ],
)
def test_data_held_out_is_preferred(paths: tuple[str, ...], expected: str) -> None:
    """Of several inputs the one whose name says that it was held out counts, else the first by path."""
    evaluate = step("evaluate", tuple(data(path, digest=TEST) for path in paths), ("metrics/eval.json",))
    assert dataset(recipe=Recipe(steps=RECIPE.steps, evaluation=(evaluate,)))["name"] == expected


def test_data_is_found_behind_an_intermediate_file() -> None:
    """Where a step reads only what the evaluation wrote, the data is what that was made from."""
    predict = step("predict", (data("data/test.csv", digest=TEST), data("models/churn.pkl", Kind.STAGE)), ("pred",))
    score = step("score", (data("pred/all.csv", Kind.STAGE, TRAIN),), ("metrics",))
    found = dataset(recipe=Recipe(steps=RECIPE.steps, evaluation=(predict, score)))
    assert found == {"name": "data/test.csv", "type": "test", "revision": TEST}


def test_a_metrics_file_of_the_training_has_its_data() -> None:
    """Metrics that the training wrote, or nobody did, were measured on what the model was trained on."""
    steps = (step("train", RECIPE.steps[0].inputs, ("models/churn.pkl", "metrics/eval.json")),)
    expected = {"name": "data/raw/train.csv", "type": "train", "revision": TRAIN}
    assert dataset(recipe=Recipe(steps=steps)) == expected
    assert dataset(recipe=Recipe(steps=RECIPE.steps)) == expected


def test_data_that_is_not_recorded_is_said_to_be() -> None:
    """Without data there is a name that says so, and no revision; the reader still takes it."""
    assert dataset(recipe=Recipe()) == {"name": "not recorded", "type": "unknown"}
    results = ModelCard(card(facts(recipe=Recipe()))).data.eval_results or []
    assert {(result.dataset_name, result.dataset_revision) for result in results} == {("not recorded", None)}


def test_each_metrics_file_is_a_result() -> None:
    """Files come by name; one without a number is none, and a bare number goes by its file."""
    metrics = {"b.json": {"": 0.5}, "a.json": {"x": 1}, "c.json": {"x": "high"}}
    index: Any = front_matter(facts(metrics=metrics))["model-index"]
    names = [[one["name"] for one in result["metrics"]] for result in index[0]["results"]]
    assert names == [["x"], ["b"]]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"meta": {}, "labels": ()}, ("other", "Other", None)),
        ({"meta": {}, "labels": ("a", "image-classification")},
         ("image-classification", "Image Classification", "image-classification")),
        ({"meta": {"pipeline_tag": "tabular-regression"}},
         ("tabular-regression", "Tabular Regression", "tabular-regression")),
        ({"meta": {"task": "Churn next month"}, "labels": ()}, ("churn-next-month", "Churn next month", None)),
        ({"meta": {"task": "Churn", "pipeline_tag": "tabular-classification"}},
         ("tabular-classification", "Churn", "tabular-classification")),
        ({"meta": {"task": ["x", 1], "pipeline_tag": {"a": 1}}, "labels": ()}, ("x", "x", None)),
        ({"meta": {"task": 7}, "labels": ()}, ("other", "Other", None)),
    ],
)  # fmt: skip
def test_tasks(changes: dict[str, Any], expected: tuple[str, str, object]) -> None:
    """Only a task that the Hub knows is a pipeline tag; people's own words stay its name."""
    assert task(**changes) == expected


def test_raw_data_is_named_where_people_name_none() -> None:
    """Paths are no ids of data sets, so their file names stand for them; what the Hub refuses is left out."""
    raw = (data("data/raw/train.csv"), data("s3://bucket/x.csv?sig=1"), data("data/made.csv", Kind.STAGE))
    recipe = Recipe(steps=(step("train", raw, ("models/churn.pkl",)),))
    assert front_matter(facts(meta={}, recipe=recipe))["datasets"] == ["train.csv"]
    assert front_matter(facts(meta={"datasets": ["a b", "acme/x", 3, "a/b/c"]}, recipe=recipe))["datasets"] == [
        "acme/x"
    ]
    assert "datasets" not in front_matter(facts(meta={"datasets": "my own data"}, recipe=recipe))


@given(st.text(alphabet="aB9._-/ é", max_size=12) | st.text(max_size=200))
def test_hub_ids(text: str) -> None:
    """What we take for an id of the Hub is what its own library takes."""
    try:
        validate_repo_id(text)
    except HFValidationError:
        assert not is_hub_id(text)
    else:
        assert is_hub_id(text) or not text.isascii()


@pytest.mark.parametrize(
    ("said", "name"),
    [("scikit-learn", "sklearn"), ("Scikit-Learn==1.5", "sklearn"), ("PyTorch 2.3", "pytorch"), ("torch", "pytorch"),
     ("xgboost", "xgboost"), ("our own thing", None), ("", None)],
)  # fmt: skip
def test_libraries(said: str, name: str | None) -> None:
    """Libraries go by the Hub's names, without versions."""
    assert library(said) == name


def test_metric_names() -> None:
    """Metrics go by the Hub's names."""
    assert [metric(text) for text in ("ROC AUC", "f1-score", "acc", "r2", "größe", "…")] == [
        *("roc_auc", "f1", "accuracy", "r_squared", "gr_e", "value")
    ]
    assert known_task("Text_Classification") == "text-classification"


def test_many_and_large_numbers_are_cut() -> None:
    """At most 100 numbers of a file and 20 names; an integer of thousands of digits is no measurement."""
    metrics = {"m.json": {f"m{n}": n for n in range(300)} | {"big": 10**5000}}
    found: Any = front_matter(facts(metrics=metrics))
    assert len(found["model-index"][0]["results"][0]["metrics"]) == 100
    assert len(found["metrics"]) == 20
    assert "model-index" not in front_matter(facts(metrics={"m.json": {"big": 10**5000}}))


def test_secrets_stay_out() -> None:
    """Neither a password among the metrics nor a token in a label or a path reaches the card."""
    token = "hf_" + "abcdefghij" * 4
    raw = (data(f"https://user:hunter2@host/x.csv?sig={token}"),)
    text = card(
        facts(
            labels=(token, "ok"),
            meta={"license": token, "task": token, "datasets": [token], "base_model": token},
            metrics={"m.json": {"db.password": 4711, "x": 1.0}},
            recipe=Recipe(steps=(step("train", raw, ()),)),
        )
    )
    assert all(secret not in text for secret in ("abcdefghij", "hunter2", "4711"))
    assert "- ok\n" in text


ANY: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from(HOSTILE) | st.text(max_size=30) | st.integers() | st.floats() | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
TEXT = st.sampled_from(HOSTILE) | st.text(max_size=30)
KEYS = ("license", "library_name", "framework", "task", "pipeline_tag", "datasets", "base_model")
NUMBER = st.floats() | st.integers() | st.booleans() | TEXT


@given(
    meta=st.dictionaries(st.sampled_from(KEYS), ANY),
    labels=st.lists(TEXT, max_size=3),
    metrics=st.dictionaries(TEXT, st.dictionaries(TEXT, NUMBER, max_size=4), max_size=3),
    paths=st.lists(TEXT, max_size=3),
    name=TEXT,
)
def test_hostile_values(meta: Any, labels: Any, metrics: Any, paths: list[str], name: str) -> None:
    """Whatever a repository holds, both readers take the card and read our values, once and unchanged."""
    inputs = tuple(data(path, digest=path) for path in paths)
    recipe = Recipe(steps=(step("a", inputs, ("m",)),), evaluation=(step("b", inputs, tuple(metrics)),))
    hostile = facts(meta=meta, labels=tuple(labels), metrics=metrics, recipe=recipe, name=name)
    text = card(hostile)
    assert read(text) == {"language": "en", **front_matter(hostile), "z": "q"}
    assert text.endswith("\n# modelver:end\nz: 'q'\n---\n# Churn\n")
    numbers = [value for found in metrics.values() for value in found.values() if type(value) in (int, float)]
    results = ModelCard(text).data.eval_results or []
    assert all(math.isfinite(result.metric_value) and result.metric_value in numbers for result in results)
