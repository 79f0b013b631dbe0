"""What looks like a model, and what it would be called."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvc_modelver.core.declarations import Declared
from dvc_modelver.core.discovery import Proposal, TrackedOutput, discover, looks_like_model
from dvc_modelver.core.names import name_problem


def _outputs(*outputs: str, home: str = "dvc.yaml") -> list[TrackedOutput]:
    return [TrackedOutput(path=path, home=home) for path in outputs]


def _names(*outputs: str, declared: tuple[Declared, ...] = (), known: tuple[str, ...] = ()) -> dict[str, str]:
    return {p.path: p.name for p in discover(_outputs(*outputs), declared, known)}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("models/churn.pkl", True),
        ("churn.ONNX", True),
        ("data/weights.safetensors", True),
        ("data/features.pkl", False),
        ("features/matrix.joblib", False),
        ("models/xgb.json", True),
        ("metrics.json", False),
        ("models/notes.txt", True),
        ("data/raw.csv", False),
        ("models/readme.md", False),
        ("model", False),
        (".pkl", False),
    ],
)
def test_files_are_judged_by_suffix_and_directory(path: str, expected: bool) -> None:
    """A model's suffix is enough where it is telling; a common one is not among data, a text one only among models."""
    assert looks_like_model(path) is expected


@pytest.mark.parametrize(
    ("path", "mlflow", "expected"),
    [
        ("models", False, True),
        ("out/churn_model", False, True),
        ("data", False, False),
        ("data/run", True, True),
        ("churn.mlpackage", False, True),
    ],
)
def test_directories_are_judged_by_name_or_mlmodel(path: str, mlflow: bool, expected: bool) -> None:
    """A directory is a model when it is called one, or when MLflow wrote it."""
    assert looks_like_model(path, directory=True, mlflow=mlflow) is expected


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("models/churn.pkl", "churn"),
        ("models/churn/model.pkl", "churn"),
        ("models/model.pkl", "model"),
        ("models/best/best.pt", "best"),
        ("models/churn.v1.2.pkl", "churn"),
        ("models/my model (final).onnx", "my-model-final"),
        ("models/_x_.pt", "x"),
        ("models/模型.pt", "model"),
        ("models/deadbeef.pt", "model-deadbeef"),
        ("models/HEAD.pt", "model-HEAD"),
    ],
)
def test_names_say_which_model_it_is(path: str, name: str) -> None:
    """The file's own name if it says something, else the directory's; always one that can be tagged."""
    assert _names(path) == {path: name}


def test_names_are_unique_whatever_their_case() -> None:
    """Two models of one name get another: the format, then a number."""
    found = _names("a/churn.onnx", "b/Churn.pkl", "c/churn.pkl", "d/churn.pkl")
    assert found == {
        "a/churn.onnx": "churn",
        "b/Churn.pkl": "Churn-pkl",
        "c/churn.pkl": "churn-2",
        "d/churn.pkl": "churn-3",
    }


def test_what_is_declared_is_not_proposed() -> None:
    """Neither the declared path, nor what lies in it, nor the directory around it."""
    declared = (
        Declared(name="a", file="dvc.yaml", path="models/a.pkl"),
        Declared(name="sub:b", file="sub/dvc.yaml", path="../all/models"),
    )
    outputs = [
        *_outputs("models/a.pkl", "all/models/b.pt", "models/c.pt"),
        TrackedOutput(path="models", home="dvc.yaml", directory=True),
    ]
    assert [p.target for p in discover(outputs, declared)] == ["models/c.pt"]


def test_a_directory_covers_its_files() -> None:
    """One model is proposed once, as the directory that DVC tracks."""
    outputs = [TrackedOutput(path="out/model", home="dvc.yaml", directory=True), *_outputs("out/model/weights.pt")]
    assert [p.path for p in discover(outputs, ())] == ["out/model"]


def test_paths_are_relative_to_the_declaring_file() -> None:
    """In a directory of a monorepo the canonical name has the directory, the path has not."""
    (found,) = discover(_outputs("teams/a/models/churn.pkl", home="teams/a/dvc.yaml"), ())
    assert (found.name, found.path, found.canonical, found.target) == (
        "churn",
        "models/churn.pkl",
        "teams/a:churn",
        "teams/a/models/churn.pkl",
    )


def test_a_name_with_versions_is_taken_up_again() -> None:
    """A model that was released before and lost its declaration goes on under its own spelling."""
    assert _names("models/churn.pkl", known=("Churn",)) == {"models/churn.pkl": "Churn"}


def test_gto_entries_keep_their_name_and_facts() -> None:
    """What `artifacts.yaml` says moves over whole; what has no path or cannot be tagged stays there."""
    old = (
        Declared(name="a", file="artifacts.yaml", path="a.pkl", desc="A", labels=("x",), meta={"k": 1}),
        Declared(name="data", file="artifacts.yaml", path="raw.csv"),
        Declared(name="virtual", file="artifacts.yaml", path=None),
        Declared(name="bad name", file="artifacts.yaml", path="b.pkl", problem="its name cannot be tagged"),
    )
    assert discover(_outputs("a.pkl"), old) == (
        Proposal(name="a", file="dvc.yaml", path="a.pkl", desc="A", labels=("x",), meta={"k": 1}),
        Proposal(name="data", file="dvc.yaml", path="raw.csv", type=None),
    )


_PATHS = st.lists(st.text(min_size=1, max_size=8).filter(lambda s: "/" not in s), min_size=1, max_size=3)


@given(st.lists(_PATHS.map(lambda parts: "/".join(parts) + ".onnx"), max_size=8))
def test_every_name_is_valid_and_new(outputs: list[str]) -> None:
    """Whatever files are called, no proposal has a bad name and no two have the same."""
    names = [p.canonical for p in discover(_outputs(*outputs), ())]
    assert [name_problem(name) for name in names] == [None] * len(names)
    assert len({name.lower() for name in names}) == len(names)
