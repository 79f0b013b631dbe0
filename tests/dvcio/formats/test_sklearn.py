"""Pickles and joblib files of real scikit-learn estimators."""

# ruff: noqa: TID253  (what these libraries write is what is tested)

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from dvc_modelver.dvcio.formats.describe import describe
from dvc_modelver.dvcio.formats.description import ModelDescription, Status

_COMPRESSED = [0, 3, ("gzip", 3), ("bz2", 3), ("xz", 3), ("lzma", 3)]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    random = np.random.default_rng(7)
    frame = pd.DataFrame({"age": random.integers(18, 90, 120), "fee": random.random(120)})
    return frame.assign(plan=np.where(frame["fee"] > 0.5, "gold", "basic"))


@pytest.fixture(scope="module")
def labels(table: pd.DataFrame) -> Any:
    return np.where(table["age"] > 50, "stays", "leaves")


@pytest.fixture(scope="module")
def pipeline(table: pd.DataFrame, labels: Any) -> Pipeline:
    columns = ColumnTransformer([("number", StandardScaler(), ["age", "fee"]), ("word", OneHotEncoder(), ["plan"])])
    return Pipeline([("columns", columns), ("clf", LogisticRegression(C=0.25))]).fit(table, labels)


def dumped(model: Any, compress: Any) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(model, buffer, compress=compress)
    return buffer.getvalue()


def names(found: ModelDescription) -> list[str]:
    assert found.signature is not None
    return [feature.name for feature in found.signature.inputs]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pipeline_is_described_from_every_protocol(pipeline: Pipeline, protocol: int) -> None:
    """Class, version, steps, hyperparameters, features and classes are read without loading."""
    found = describe(pickle.dumps(pipeline, protocol), name="model.pkl")
    assert (found.format, found.status, found.library) == ("pickle", Status.CODE_CAPABLE, "sklearn")
    assert (found.library_version, found.complete, found.problem) == (sklearn.__version__, True, None)
    assert found.details["estimator"] == "sklearn.pipeline.Pipeline"
    assert found.details["steps"] == "columns=ColumnTransformer, clf=LogisticRegression"
    assert found.hyperparameters["clf__C"] == 0.25
    assert found.hyperparameters["columns__number__with_mean"] is True
    assert names(found) == ["age", "fee", "plan"]
    assert found.signature is not None
    assert found.signature.classes == ("leaves", "stays")
    assert "sklearn.linear_model._logistic.LogisticRegression" in found.imports


@pytest.mark.parametrize("compress", _COMPRESSED, ids=str)
def test_joblib_is_described_however_it_is_compressed(table: pd.DataFrame, labels: Any, compress: Any) -> None:
    """Arrays between the opcodes are passed, small ones read, in every compression that joblib has built in."""
    model = RandomForestClassifier(5, max_depth=3, random_state=1).fit(table[["age", "fee"]], labels)
    found = describe(dumped(model, compress), name="model.joblib")
    assert (found.format, found.status, found.library_version) == (
        "joblib",
        Status.CODE_CAPABLE,
        sklearn.__version__,
    )
    assert found.details["estimator"] == "sklearn.ensemble._forest.RandomForestClassifier"
    assert (found.details["features"], found.details["estimators"]) == (2, 5)
    assert (found.hyperparameters["n_estimators"], found.hyperparameters["max_depth"]) == (5, 3)
    assert names(found) == ["age", "fee"]
    assert found.signature is not None
    assert found.signature.classes == ("leaves", "stays")
    assert found.complete


def test_a_large_forest_costs_little(tmp_path: Path) -> None:
    """Of a file of many megabytes only the opcodes are read, not the arrays."""
    random = np.random.default_rng(1)
    model = RandomForestRegressor(60, random_state=1).fit(random.random((2000, 8)), random.random(2000))
    path = tmp_path / "forest.joblib"
    joblib.dump(model, path)
    assert path.stat().st_size > 5_000_000
    read = 0

    def counted(offset: int, length: int) -> bytes:
        nonlocal read
        with open(path, "rb") as file:
            file.seek(offset)
            data = file.read(length)
        read += len(data)
        return data

    found = describe(counted, name=path.name, size=path.stat().st_size)
    assert (found.complete, found.details["estimators"], found.details["features"]) == (True, 60, 8)
    assert read < path.stat().st_size / 4


def test_a_search_shows_its_best_estimator(pipeline: Pipeline, table: pd.DataFrame, labels: Any) -> None:
    """A search is named as what it is, with the estimator inside it, its features and classes."""
    search = GridSearchCV(pipeline, {"clf__C": [0.1, 1.0]}, cv=2).fit(table, labels)
    found = describe(pickle.dumps(search), name="model.pkl")
    assert found.details["estimator"] == "sklearn.model_selection._search.GridSearchCV"
    assert found.details["inner estimator"] == "sklearn.pipeline.Pipeline"
    assert found.hyperparameters["param_grid"] == "{clf__C: [0.1, 1.0]}"
    assert names(found) == ["age", "fee", "plan"]
    assert found.signature is not None
    assert found.signature.classes == ("leaves", "stays")


@pytest.mark.parametrize("labels_of", [lambda n: n, lambda n: n > 0, lambda n: n.astype(float)], ids=["i", "b", "f"])
def test_classes_that_are_numbers_are_read(labels_of: Any) -> None:
    """Whole numbers, booleans and fractions as class labels, in pickle and joblib."""
    target = labels_of(np.array([0, 1] * 20))
    model = LogisticRegression().fit(np.arange(40).reshape(-1, 1), target)
    expected = tuple(str(value) for value in model.classes_.tolist())
    for data in (pickle.dumps(model), dumped(model, 0)):
        found = describe(data, name="m.pkl")
        assert found.signature is not None
        assert found.signature.classes == expected


def test_an_estimator_that_is_not_fitted_has_no_signature() -> None:
    """What is not known is not made up."""
    found = describe(pickle.dumps(LogisticRegression()), name="m.pkl")
    assert (found.signature, found.details["estimator"]) == (
        None,
        "sklearn.linear_model._logistic.LogisticRegression",
    )


def test_a_truncated_file_says_so_and_keeps_what_was_read(pipeline: Pipeline) -> None:
    """The outermost class and what its state holds so far are known before the end is."""
    data = pickle.dumps(pipeline)
    found = describe(data[: len(data) - 40], name="m.pkl")
    assert (found.status, found.complete, found.library) == (Status.CODE_CAPABLE, False, "sklearn")
    assert found.details["estimator"] == "sklearn.pipeline.Pipeline"
    assert found.hyperparameters["clf__C"] == 0.25
