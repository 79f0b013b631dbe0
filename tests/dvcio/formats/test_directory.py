"""Directories with a model in them, and the signature that a training writes."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest

from dvc_modelver.dvcio.formats.description import Feature, Signature, Status
from dvc_modelver.dvcio.formats.directory import describe_path
from dvc_modelver.dvcio.formats.signature import parse_signature, signature_paths
from dvc_modelver.errors import BadInput
from tests.dvcio.formats import build

_MLMODEL = """\
flavors:
  python_function:
    loader_module: mlflow.sklearn
    model_path: model.pkl
    python_version: 3.11.4
  sklearn:
    pickled_model: model.pkl
    serialization_format: cloudpickle
    sklearn_version: 1.5.0
mlflow_version: 2.14.1
signature:
  inputs: '[{"type": "long", "name": "age", "required": true}, {"type": "string", "name": "plan"}]'
  outputs: '[{"type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1]}}]'
"""


def put(root: Path, files: dict[str, bytes | str]) -> Path:
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
    return root


def test_mlflow(tmp_path: Path) -> None:
    """Flavors, versions, loader and signature come from `MLmodel`; the pickle inside is walked."""
    trap = build.trap(tmp_path / "canary")
    found = describe_path(put(tmp_path / "model", {"MLmodel": _MLMODEL, "model.pkl": trap}))
    assert (found.format, found.status, found.library, found.library_version) == (
        "mlflow",
        Status.CODE_CAPABLE,
        "sklearn",
        "1.5.0",
    )
    assert found.details["flavors"] == "python_function, sklearn"
    assert {"mlflow.sklearn", "posix.system"} <= set(found.imports)
    assert found.signature == Signature(
        inputs=(Feature(name="age", type="long"), Feature(name="plan", type="string")),
        outputs=(Feature(name="0", type="int64", shape=("?",)),),
        source="MLmodel",
    )
    assert not (tmp_path / "canary").exists()


def test_hugging_face(tmp_path: Path) -> None:
    """Architecture, labels and parameters, without code in the directory."""
    config = {
        "model_type": "bert",
        "architectures": ["BertForSequenceClassification"],
        "id2label": {"1": "good", "0": "bad"},
        "transformers_version": "4.40.0",
    }
    files: dict[str, bytes | str] = {
        "config.json": json.dumps(config),
        "model.safetensors": build.safetensors({"w": ("F32", [3, 4])}),
        "tokenizer.json": "{}",
        "README.md": "# A model",
    }
    found = describe_path(put(tmp_path, files))
    assert (found.format, found.status, found.library) == ("huggingface", Status.NO_CODE_FORMAT, "transformers")
    assert found.details["architectures"] == "BertForSequenceClassification"
    assert (found.details["parameters"], found.details["files"]) == (12, 4)
    assert found.signature is not None
    assert found.signature.classes == ("bad", "good")


@pytest.mark.parametrize(
    "files",
    [
        {"modeling.py": "import os"},
        {"pytorch_model.bin": pickle.dumps({})},
        {"config.json": json.dumps({"model_type": "x", "auto_map": {"AutoModel": "modeling.X"}})},
        {"deep/er/extra.pkl": pickle.dumps([])},
    ],
    ids=str,
)
def test_one_file_with_code_makes_the_directory_code_capable(tmp_path: Path, files: dict[str, bytes | str]) -> None:
    """Beside sound weights a script, a pickle or a remote class decides."""
    sound: dict[str, bytes | str] = {
        "config.json": '{"model_type": "bert"}',
        "model.safetensors": build.safetensors({"w": ("F32", [2])}),
    }
    assert describe_path(put(tmp_path, sound | files)).status is Status.CODE_CAPABLE


def test_saved_model(tmp_path: Path) -> None:
    """TensorFlow's directory."""
    files: dict[str, bytes | str] = {"saved_model.pb": build.saved_model(), "variables/variables.index": b"\0"}
    found = describe_path(put(tmp_path, files))
    assert (found.format, found.status, found.details["files"]) == ("saved-model", Status.CODE_CAPABLE, 2)


def test_a_directory_of_anything_is_unknown(tmp_path: Path) -> None:
    """No model in it, no claim."""
    found = describe_path(put(tmp_path, {"a.csv": "1,2\n"}))
    assert (found.format, found.status) == ("directory", Status.UNKNOWN)


@pytest.mark.parametrize("text", ["{", "flavors: [", "a: &a [*a, *a]", "!!python/object/apply:os.system [id]"])
def test_a_broken_mlmodel_is_a_problem(tmp_path: Path, text: str) -> None:
    """Bad YAML is told, and executes nothing."""
    found = describe_path(put(tmp_path, {"MLmodel": text}))
    assert (found.status, found.complete) == (Status.UNKNOWN, False)


def test_links_are_not_followed(tmp_path: Path) -> None:
    """A link out of the directory is not looked at."""
    (tmp_path / "secret.pkl").write_bytes(build.trap(tmp_path / "canary"))
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "m.pkl").symlink_to(tmp_path / "secret.pkl")
    assert describe_path(tmp_path / "model").details["files"] == 0


def test_the_signature_file_counts_before_the_model(tmp_path: Path) -> None:
    """What the training wrote is what the description has."""
    text = "inputs:\n- {name: age, type: float}\n- plan\noutputs:\n- {name: churn, type: int, shape: [-1, 2]}\n"
    files: dict[str, bytes | str] = {"model.onnx": build.onnx(), "signature.yaml": text + "classes: [0, 1]\n"}
    assert describe_path(put(tmp_path, files)).signature == Signature(
        inputs=(Feature(name="age", type="float"), Feature(name="plan")),
        outputs=(Feature(name="churn", type="int", shape=("?", 2)),),
        classes=("0", "1"),
        source="signature.yaml",
    )


@pytest.mark.parametrize(
    "text", ['{"input": []}', "[]", '{"inputs": {"a": 1}}', '{"inputs": [{"type": "int"}]}', "{", '{"classes": "a"}']
)
def test_a_wrong_signature_file_is_refused(text: str) -> None:
    """Unknown keys and shapes are errors, not guesses."""
    with pytest.raises(BadInput, match=r"signature\.json"):
        parse_signature(text.encode(), name="signature.json")


def test_where_a_signature_may_lie() -> None:
    """Beside the model, under its name or plainly."""
    assert signature_paths("models/churn.pkl")[0] == "models/churn.pkl.signature.json"
    assert "models/signature.yaml" in signature_paths("models/churn.pkl")


def test_every_shard_of_a_large_model_counts(tmp_path: Path) -> None:
    """Thirty files of one model give one sum of parameters."""
    shard = build.safetensors({"w": ("F32", [3, 4])})
    files: dict[str, bytes | str] = {f"model-{i:05}-of-00030.safetensors": shard for i in range(30)}
    found = describe_path(put(tmp_path, {**files, "config.json": '{"model_type": "bert"}'}))
    assert (found.status, found.details["parameters"], found.complete) == (Status.NO_CODE_FORMAT, 360, True)


def test_files_that_were_not_looked_into_are_told(tmp_path: Path) -> None:
    """Beyond the cap nothing is vouched for."""
    files: dict[str, bytes | str] = {f"{i}.onnx": build.onnx() for i in range(9)}
    found = describe_path(put(tmp_path, files))
    assert (found.status, found.complete, found.problem) == (Status.UNKNOWN, False, "6.onnx was not looked into")
