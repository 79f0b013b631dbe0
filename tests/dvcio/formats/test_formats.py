"""Each format, from bytes built by hand or by its own library where that is installed."""

from __future__ import annotations

import json
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dvc_modelver.dvcio.formats.describe import describe
from dvc_modelver.dvcio.formats.description import Feature, Status
from tests.dvcio.formats import build

_X = np.arange(400.0).reshape(100, 4)
_Y = (np.arange(100) % 2).astype(int)


def test_safetensors() -> None:
    """Tensors, parameters, types and metadata come from the header."""
    data = build.safetensors({"w": ("F32", [3, 4]), "b": ("F32", [3])}, {"format": "pt"})
    found = describe(data, name="model.safetensors")
    assert (found.format, found.status, found.library) == ("safetensors", Status.NO_CODE_FORMAT, "pytorch")
    assert found.details == {"tensors": 2, "parameters": 15, "dtypes": "F32 (2)", "metadata format": "pt"}
    assert found.complete


def test_a_safetensors_file_of_ten_gigabytes_costs_a_header() -> None:
    """Only the header is read, however large the tensors are."""
    size = 10 * 1024**3
    text = json.dumps({"w": {"dtype": "F32", "shape": [size // 4], "data_offsets": [0, size]}}).encode()
    head = struct.pack("<Q", len(text)) + text
    read = 0

    def at(offset: int, length: int) -> bytes:
        nonlocal read
        read += length
        return head[offset : offset + length].ljust(length, b"\0")

    found = describe(at, name="model.safetensors", size=size + len(head))
    assert (found.details["parameters"], found.complete) == (size // 4, True)
    assert read < 10_000


def test_onnx() -> None:
    """Producer, opsets, true inputs with types and shapes, outputs, and the weights' number."""
    found = describe(build.onnx(), name="model.bin.onnx")
    assert (found.format, found.status) == ("onnx", Status.NO_CODE_FORMAT)
    assert found.details["producer"] == "skl2onnx 1.16"
    assert (found.details["ir version"], found.details["opsets"], found.details["nodes"]) == (8, "ai.onnx 17", 1)
    assert (found.details["parameters"], found.details["dtypes"]) == (8, "float (1)")
    assert found.signature is not None
    assert found.signature.inputs == (Feature(name="x", type="tensor(float)", shape=("N", 4)),)
    assert found.signature.outputs == (Feature(name="y", type="tensor(float)", shape=("N", 2)),)


def test_onnx_is_known_by_its_bytes() -> None:
    """The name need not say so."""
    assert describe(build.onnx(), name="model").format == "onnx"


def test_gguf() -> None:
    """Metadata and the list of tensors."""
    found = describe(build.gguf(), name="m.gguf")
    assert (found.format, found.status, found.complete) == ("gguf", Status.NO_CODE_FORMAT, True)
    assert found.details["general.architecture"] == "llama"
    assert (found.details["parameters"], found.details["dtypes"]) == (32, "F32 (1)")


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_keras(compression: int) -> None:
    """Version, layers and inputs come from the configuration in the zip."""
    dense = {"module": "keras.layers", "class_name": "Dense", "config": {"units": 2}}
    files = {"config.json": build.keras_config(dense), "metadata.json": b'{"keras_version": "3.5.0"}'}
    found = describe(build.archive({**files, "model.weights.h5": b"\x89HDF"}, compression), name="m.keras")
    assert (found.format, found.status, found.library_version) == ("keras", Status.NO_CODE_FORMAT, "3.5.0")
    assert (found.details["layers"], found.details["layer classes"]) == (2, "InputLayer (1), Dense (1)")
    assert found.signature is not None
    assert found.signature.inputs == (Feature(name="age", type="float32", shape=("?", 4)),)


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        ({"module": "keras.layers", "class_name": "Lambda", "config": {}}, "keras.layers.Lambda"),
        ({"module": "os", "class_name": "system", "config": {}}, "os.system"),
        ({"module": None, "class_name": "Mine", "registered_name": "mine>Mine"}, "keras.Mine"),
    ],
)
def test_keras_with_code_is_code_capable(layer: dict[str, Any], expected: str) -> None:
    """Lambda layers, other modules' classes and registered classes run code when they are loaded."""
    files = {"config.json": build.keras_config(layer), "metadata.json": b"{}"}
    found = describe(build.archive(files), name="m.keras")
    assert (found.status, found.imports) == (Status.CODE_CAPABLE, (expected,))


def test_hdf5_is_recognised_and_not_vouched_for() -> None:
    """Without a parser of HDF5 nothing says that it holds no code."""
    found = describe(b"\x89HDF\r\n\x1a\n" + bytes(100) + b"keras_version", name="m.h5")
    assert (found.format, found.status, found.complete) == ("keras-hdf5", Status.UNKNOWN, False)


def test_pytorch_zip() -> None:
    """Tensors, parameters and types come from `data.pkl`."""
    files = {"model/data.pkl": build.torch_pickle(), "model/version": b"3\n", "model/data/0": bytes(32)}
    found = describe(build.archive(files), name="model.pt")
    assert (found.format, found.status, found.library) == ("pytorch", Status.CODE_CAPABLE, "pytorch")
    assert found.details == {
        "object": "state dict",
        "tensors": 2,
        "parameters": 12,
        "dtypes": "float32 (2)",
        "layers": "fc",
    }
    assert found.imports == ("collections.OrderedDict", "torch.FloatStorage", "torch._utils._rebuild_tensor_v2")


def test_torchscript() -> None:
    """A zip that carries code is named so."""
    files = {"m/data.pkl": build.torch_pickle(), "m/code/__torch__.py": b"pass"}
    found = describe(build.archive(files), name="model.pt")
    assert (found.format, found.status, found.details["code files"]) == ("torchscript", Status.CODE_CAPABLE, 1)


def test_legacy_pytorch() -> None:
    """The row of pickles before the zip: the third one is the model."""
    magic = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
    data = magic + b"\x80\x02M\xe9\x03." + b"\x80\x02}." + build.torch_pickle() + b"\x80\x02]."
    found = describe(data, name="model.pt")
    assert (found.format, found.details["tensors"]) == ("pytorch-legacy", 2)
    assert "torch.FloatStorage" in found.imports


def test_saved_model() -> None:
    """TensorFlow's graphs are code; version, tags and signature are read."""
    found = describe(build.saved_model(), name="saved_model.pb")
    assert (found.format, found.status, found.library_version) == ("saved-model", Status.CODE_CAPABLE, "2.15.0")
    assert found.signature is not None
    assert found.signature.inputs == (Feature(name="x", type="float", shape=("?", 4)),)


@pytest.mark.parametrize("suffix", ["json", "ubj"])
def test_xgboost(tmp_path: Path, suffix: str) -> None:
    """Both of XGBoost's formats give version, objective, trees and typed features."""
    xgboost = pytest.importorskip("xgboost")
    data = xgboost.DMatrix(_X, _Y, feature_names=["a", "b", "c", "d"], feature_types=["float"] * 4)
    path = tmp_path / f"m.{suffix}"
    xgboost.train({"objective": "binary:logistic"}, data, 7).save_model(path)
    found = describe(path)
    assert (found.library, found.library_version, found.status) == (
        "xgboost",
        xgboost.__version__,
        Status.NO_CODE_FORMAT,
    )
    assert (found.details["objective"], found.details["trees"]) == ("binary:logistic", 7)
    assert found.signature is not None
    assert [f"{f.name}:{f.type}" for f in found.signature.inputs] == ["a:float", "b:float", "c:float", "d:float"]


_XGBOOST = {
    "learner": {
        "feature_names": ["age"],
        "feature_types": ["int"],
        "gradient_booster": {"name": "gbtree", "model": {"gbtree_model_param": {"num_trees": "2"}, "trees": []}},
        "learner_model_param": {"num_feature": "1", "num_class": "0", "base_score": "5E-1"},
        "objective": {"name": "reg:squarederror"},
    },
    "version": [2, 0, 3],
}


def test_xgboost_json_by_hand() -> None:
    """The same without XGBoost."""
    found = describe(json.dumps(_XGBOOST).encode(), name="m.json")
    assert (found.format, found.library_version) == ("xgboost-json", "2.0.3")
    assert (found.details["objective"], found.details["trees"], found.details["features"]) == (
        "reg:squarederror",
        2,
        1,
    )


def test_large_xgboost_json_is_read_from_its_ends() -> None:
    """A model above the cap is described from its head and tail."""
    text = json.dumps(_XGBOOST).replace('"trees": []', f'"trees": [{"0," * 7_000_000}0]')
    found = describe(text.encode(), name="m.json")
    assert (found.format, found.library_version) == ("xgboost-json", "2.0.3")
    assert found.signature is not None
    assert found.signature.inputs == (Feature(name="age", type="int"),)


def test_lightgbm() -> None:
    """Header and parameters of the text model."""
    text = (
        "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx=2\n"
        "objective=binary sigmoid:1\nfeature_names=age plan fee\nfeature_infos=[18:90] 0:1:2 none\n"
        "tree_sizes=300 310\n\nTree=0\nnum_leaves=3\n\nend of trees\n\nparameters:\n[boosting: gbdt]\n"
        "[learning_rate: 0.1]\n[num_leaves: 31]\n[data: /home/ada/secret.csv]\n\nend of parameters\n"
    )
    found = describe(text.encode(), name="model.txt")
    assert (found.format, found.status) == ("lightgbm", Status.NO_CODE_FORMAT)
    assert (found.details["features"], found.details["trees"]) == (3, 2)
    assert found.hyperparameters == {"boosting": "gbdt", "num_leaves": 31, "learning_rate": 0.1}
    assert found.signature is not None
    assert [f.type for f in found.signature.inputs] == ["numeric", "categorical", "unused"]


def test_catboost(tmp_path: Path) -> None:
    """Trees, features of both kinds, classes and parameters of a real `.cbm`."""
    catboost = pytest.importorskip("catboost")
    rows = [[float(i), "x" if i % 3 else "y"] for i in range(60)]
    model = catboost.CatBoostClassifier(iterations=4, depth=3, verbose=0, allow_writing_files=False)
    pool = catboost.Pool(rows, ["yes" if i % 2 else "no" for i in range(60)], [1], feature_names=["age", "plan"])
    path = tmp_path / "m.cbm"
    model.fit(pool).save_model(str(path))
    found = describe(path)
    assert (found.format, found.status, found.details["trees"]) == ("catboost", Status.NO_CODE_FORMAT, 4)
    assert (found.library_version, found.hyperparameters["depth"]) == (catboost.__version__, 3)
    assert found.signature is not None
    assert [(f.name, f.type) for f in found.signature.inputs] == [("age", "float"), ("plan", "categorical")]
    assert found.signature.classes == ("no", "yes")


@pytest.mark.parametrize(
    ("data", "form"),
    [
        (b"", "empty"),
        (b"hello, world\n", "text"),
        (b'{"a": 1}', "json"),
        (b"<html></html>", "xml"),
        (b"\x01\x02\x03\x00" * 9, "binary"),
        (b"%PDF-1.7", "pdf"),
        (b"#!/bin/sh\n", "script"),
        (build.archive({"a.txt": b"a"}), "zip"),
    ],
)
def test_what_is_not_known_is_unknown(data: bytes, form: str) -> None:
    """Unknown files keep the status `unknown`, with the kind of their first bytes."""
    found = describe(data, name="file")
    assert (found.format, found.status, found.imports) == (form, Status.UNKNOWN, ())


def test_arrays_of_objects_are_code_capable(tmp_path: Path) -> None:
    """A `.npy` of numbers holds no code, one of objects holds a pickle."""
    for array, status in ((np.zeros(3), Status.NO_CODE_FORMAT), (np.array([{}]), Status.CODE_CAPABLE)):
        np.save(tmp_path / "a.npy", array)
        assert describe(tmp_path / "a.npy").status is status


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """A named pipe in a model's place is no model."""
    import os

    os.mkfifo(tmp_path / "pipe.pkl")
    assert describe(tmp_path / "pipe.pkl").status is Status.UNKNOWN
