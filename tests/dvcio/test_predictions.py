"""Files of predictions: every format, which files are such, and what is none without an error."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvc_modelver.core.declarations import Declared
from dvc_modelver.core.predictions import Predictions
from dvc_modelver.dvcio import predictions as module
from dvc_modelver.dvcio.locate import Commit
from dvc_modelver.dvcio.predictionfiles import is_predictions, predictions_paths
from dvc_modelver.dvcio.predictions import read_predictions
from dvc_modelver.dvcio.recipe import recipe_of
from tests.dvcio.trees import MemoryTree

CSV = b"id,label,prediction,score\na,1,1,0.9\nb,0,1,0.6\nc,0,0,0.1\n"
ROWS = [
    {"id": "a", "label": 1, "prediction": 1, "score": 0.9},
    {"id": "b", "label": 0, "prediction": 1, "score": 0.6},
    {"id": "c", "label": 0, "prediction": 0, "score": 0.1},
]
EXPECTED = Predictions(labels=(1, 0, 0), predictions=(1, 1, 0), scores=(0.9, 0.6, 0.1), ids=("a", "b", "c"))


def note(data: bytes, path: str = "predictions.csv") -> str:
    """Why there are no predictions."""
    found = read_predictions(data, path)
    assert found.predictions is None
    assert found.note is not None
    return found.note


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("predictions.csv", CSV),
        ("predictions.CSV", b"\xef\xbb\xbf" + CSV.replace(b"\n", b"\r\n")),
        ("predictions.tsv", CSV.replace(b",", b"\t")),
        ("predictions.json", json.dumps(ROWS).encode()),
        ("predictions.json", json.dumps({name: [row[name] for row in ROWS] for name in ROWS[0]}).encode()),
        ("predictions.jsonl", b"\n\n".join(json.dumps(row).encode() for row in ROWS)),
        ("predictions.ndjson", b"\r\n".join(json.dumps(row).encode() for row in ROWS)),
        ("predictions.csv", b"Sample_ID,x,Y_True,y,Y_Pred,Proba\na,,1,7,1,0.9\nb,,0,8,1,0.6\nc,,0,9,0,0.1\n"),
    ],
)
def test_every_format_says_the_same(path: str, data: bytes) -> None:
    """What was predicted does not depend on how it was written, nor on other columns."""
    found = read_predictions(data, path)
    assert (found.predictions, found.note) == (EXPECTED, None)


def test_parquet_where_pyarrow_is() -> None:
    """Parquet is read by pyarrow; without it a note says so."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        assert note(b"PAR1", "predictions.parquet") == "predictions.parquet is Parquet, and pyarrow is not installed"
        return
    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({name: [row[name] for row in ROWS] for name in ROWS[0]}), file)
    assert read_predictions(file.getvalue(), "predictions.parquet").predictions == EXPECTED
    shared = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * 100), pyarrow.array(["x" * 900]))
    small = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({"label": shared, "prediction": shared}), small, store_schema=False)
    found = read_predictions(small.getvalue(), "predictions.parquet").predictions
    assert found is not None
    assert found.labels[0] is found.labels[99]
    assert note(file.getvalue()[:-20], "predictions.parquet") == "predictions.parquet is broken"
    assert note(b"PAR1", "predictions.parquet") == "predictions.parquet is broken"


@pytest.mark.parametrize(
    ("labels", "guesses", "expected"),
    [
        (["True", "false"], ["1", "0"], ((1, 0), (1, 0))),
        ([True, False], [1.0, 0], ((1, 0), (1, 0))),
        (["cat", "dog"], ["cat", "cat"], (("cat", "dog"), ("cat", "cat"))),
        ([1, "dog"], ["1", 1.0], (("1", "dog"), ("1", "1"))),
        (["nan", "dog"], ["dog", "None"], (("nan", "dog"), ("dog", "None"))),
        (["1_0", "2"], ["2", "2"], (("1_0", "2"), ("2", "2"))),
    ],
)
def test_numbers_and_texts(labels: list[object], guesses: list[object], expected: tuple[object, object]) -> None:
    """Labels and predictions are numbers when all of both are, else texts."""
    data = json.dumps({"label": labels, "prediction": guesses}).encode()
    found = read_predictions(data, "predictions.json").predictions
    assert found is not None
    assert (found.labels, found.predictions) == expected


HOSTILE = {
    "empty": (b"", "has no column label"),
    "header": (b"label,prediction\n", "has no rows"),
    "no prediction": (b"label,x\n1,2\n", "has no column prediction"),
    "nan": (b"label,prediction\n1,1\nnan,1\n", "has labels or predictions that are not finite"),
    "inf": (b"label,prediction\n1,1\n1,-inf\n", "has labels or predictions that are not finite"),
    "missing": (b"label,prediction\n1,1\n ,1\n", "has rows without a label or prediction"),
    "short": (b"label,prediction\n1,1\n1\n", "has rows of different length"),
    "same twice": (b"label,Label,prediction\n1,1,1\n", "has two columns of the same name"),
    "columns": (b"label,prediction," + b"x," * 400_000 + b"\n1,2", "has more than 10,000 columns"),
    "a million": (b"label,prediction," + b"x," * 1_000_000 + b"\n1,2", "has a line longer than 1,048,576 characters"),
    "commas": (b"label,prediction\n" + b"," * 900_000, "has more than 10,000 columns"),
    "zero byte": (b"label,prediction\n1,\0\n", "is no text"),
    "binary": (bytes(range(256)) * 10, "is no UTF-8 text"),
    "latin": ("label,prediction\nä,ä\n".encode("latin-1"), "is no UTF-8 text"),
    "quote": (b'label,prediction\n"1,1\n', "is broken"),
    "long text": (b"label,prediction\n" + b"a" * 1001 + b",1\n", "has texts longer than 1,000 characters"),
    "long cell": (b'label,prediction\n"' + b"1" * 200_000 + b'",1\n', "is broken"),
}
HOSTILE_JSON = {
    "deep": (b"[" * 100_000, "is broken"),
    "no list": (b"7", "has no column label"),
    "numbers": (b"[1, 2]", "holds no list of objects"),
    "NaN": (b'[{"label": NaN, "prediction": 1}]', "has rows without a label or prediction"),
    "infinite": (b'[{"label": 1, "prediction": Infinity}]', "has labels or predictions that are not finite"),
    "null": (b'[{"label": 1, "prediction": null}]', "has rows without a label or prediction"),
    "gone": (b'[{"label": 1, "prediction": 1}, {"label": 1}]', "has rows without a label or prediction"),
    "list": (b'[{"label": [1], "prediction": 1}]', "has labels or predictions that are lists or objects"),
    "twice": (b'[{"label": 1, "label": 2, "prediction": 1}]', "has an object with the same name twice"),
    "case": (b'[{"label": 1, "LABEL": 2, "prediction": 1}]', "has two columns label"),
    "huge": (b'[{"label": 1' + b"0" * 400 + b', "prediction": 1}]', "is broken"),
    "digits": (b'[{"label": ' + b"1" * 5000 + b', "prediction": 1}]', "is broken"),
    "uneven": (b'{"label": [1, 2], "prediction": [1]}', "has columns of different length"),
    "many objects": (
        b"[" + b"{}," * 1_000_002 + b"{}]",
        "has more than 1,000,000 rows, or too many values",
    ),
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_hostile_tables_are_no_predictions(name: str) -> None:
    """What cannot be read as a table of predictions gives a note, and no error."""
    data, expected = HOSTILE[name]
    assert note(data) == f"predictions.csv {expected}"


@pytest.mark.parametrize("name", sorted(HOSTILE_JSON))
def test_hostile_json_is_no_predictions(name: str) -> None:
    """The same of JSON."""
    data, expected = HOSTILE_JSON[name]
    assert note(data, "predictions.json") == f"predictions.json {expected}"


def test_too_large_files_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes and rows have a limit."""
    monkeypatch.setattr(module, "MAX_ROWS", 2)
    for path, data in (("p_predictions.csv", CSV), ("p_predictions.jsonl", b"\n".join(json.dumps(r).encode() for r in ROWS))):  # fmt: skip  # noqa: E501
        assert note(data, path) == f"{path} has more than 2 rows"
    assert note(json.dumps({"label": [1] * 3, "prediction": [1] * 3}).encode(), "p.json").endswith("more than 2 rows")
    monkeypatch.setattr(module, "MAX_BYTES", 10)
    assert note(CSV) == "predictions.csv is larger than 0 MiB"


@pytest.mark.parametrize("scores", [["0.5", "x"], ["0.5", "nan"], ["", "1"]])
def test_scores_that_are_no_numbers_are_left_out(scores: list[str]) -> None:
    """The rest of the file still counts, and a note says what does not."""
    rows = "".join(f"1,1,{score}\n" for score in scores)
    found = read_predictions(f"label,prediction,score\n{rows}".encode(), "predictions.csv")
    assert found.predictions == Predictions(labels=(1, 1), predictions=(1, 1))
    assert found.note == "predictions.csv: the scores are not all numbers"


@given(st.binary(max_size=200), st.sampled_from([".csv", ".tsv", ".json", ".jsonl", ".parquet", ".pkl"]))
def test_no_bytes_raise(data: bytes, suffix: str) -> None:
    """Whatever a file holds, the answer is predictions or a note."""
    for text in (data, b"label,prediction\n" + data, b'[{"label": 1, "prediction": ' + data):
        found = read_predictions(text, f"predictions{suffix}")
        assert (found.predictions is None) <= (found.note is not None)


@given(st.lists(st.tuples(st.text(min_size=1), st.text(min_size=1)), min_size=1, max_size=10))
def test_csv_and_json_agree_on_any_texts(pairs: list[tuple[str, str]]) -> None:
    """What the standard library writes as CSV and as JSON is read as the same."""
    clean = [tuple(text.replace("\0", "").replace("\r", "") or "x" for text in both) for both in pairs]
    file = io.StringIO()
    csv.writer(file).writerows([("label", "prediction"), *clean])
    listed = json.dumps([{"label": label, "prediction": guess} for label, guess in clean])
    try:
        encoded = file.getvalue().encode()
    except UnicodeEncodeError:
        return
    one, other = read_predictions(encoded, "predictions.csv"), read_predictions(listed.encode(), "predictions.json")
    assert one.predictions == other.predictions


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("predictions.csv", True),
        ("eval/Predictions.JSON", True),
        ("test_predictions.tsv", True),
        ("test-predictions.jsonl", True),
        ("churn.predictions.csv", True),
        ("predictions_test.csv", True),
        ("predictions-test.parquet", True),
        ("mypredictions.csv", False),
        ("predictionsets.csv", False),
        ("predictions.pkl", False),
        ("predictions", False),
        ("predictions/data.csv", False),
    ],
)
def test_names_of_predictions(path: str, expected: bool) -> None:
    """The name of the file decides, and its suffix says that it can be read."""
    assert is_predictions(path) is expected


PIPELINE = """\
stages:
  train:
    cmd: train
    deps: [data.csv]
    outs: [model.bin, train_predictions.csv]
  evaluate:
    cmd: evaluate
    deps: [model.bin]
    outs: [eval]
    plots:
    - predictions.csv: {cache: false}
  other:
    cmd: other
    outs: [other_predictions.csv]
metrics: [metrics.json, predictions_metric.json]
plots:
- other_predictions.csv
- named_predictions.csv
- ROC:
    y: {axis_predictions.csv: score}
- ../../out_predictions.csv
artifacts:
  churn: {path: model.bin, type: model}
"""
LOCK = """\
schema: '2.0'
stages:
  train:
    cmd: train
    deps: [{path: data.csv, md5: 11111111111111111111111111111111}]
    outs:
    - {path: model.bin, md5: 22222222222222222222222222222222, size: 1}
    - {path: train_predictions.csv, md5: 33333333333333333333333333333333, size: 1}
  evaluate:
    cmd: evaluate
    deps: [{path: model.bin, md5: 22222222222222222222222222222222}]
    outs:
    - {path: eval, md5: 44444444444444444444444444444444.dir, size: 1, nfiles: 2}
    - {path: predictions.csv, md5: 55555555555555555555555555555555, size: 1}
  other:
    cmd: other
    outs: [{path: other_predictions.csv, md5: 66666666666666666666666666666666, size: 1}]
"""


@pytest.mark.parametrize("folder", ["", "sub/"])
def test_which_files_are_the_models_own(folder: str) -> None:
    """Outputs of its steps and of its evaluation, also in a directory, and what plots and metrics name; no others'."""
    tree = MemoryTree({f"{folder}dvc.yaml": PIPELINE, f"{folder}dvc.lock": LOCK})
    commit, declared = Commit(tree), Declared(name="churn", file=f"{folder}dvc.yaml", path="model.bin", type="model")
    recipe = recipe_of(commit, declared)
    own = ["axis_predictions.csv", "named_predictions.csv", "predictions.csv", "predictions_metric.json"]
    own = [f"{folder}{name}" for name in (*own, "train_predictions.csv")]
    assert list(predictions_paths(commit, declared, recipe)) == own
    listed = {"deep/predictions.csv": "7" * 32, "plot.png": "8" * 32}
    assert list(predictions_paths(commit, declared, recipe, listing=lambda output: listed)) == sorted(
        [*own, f"{folder}eval/deep/predictions.csv"]
    )
