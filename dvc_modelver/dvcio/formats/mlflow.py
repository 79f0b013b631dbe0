"""MLflow's `MLmodel`: flavors, their versions, the signature (mlflow.org/docs/latest/ml/model)."""

from __future__ import annotations

from dvc_modelver.dvcio.formats.description import ModelDescription, Scalar, Status, clip, listed
from dvc_modelver.dvcio.formats.jsontext import mapping, text
from dvc_modelver.dvcio.formats.signature import mlflow_signature
from dvc_modelver.dvcio.yaml12 import load_yaml

FILE = "MLmodel"
_NOT_LIBRARIES = ("python_function", "mleap")


def parse(data: bytes) -> ModelDescription | None:
    """What the file says; None when it names no flavors.  Raises `BadInput` when it is not YAML.

    Every flavor is loaded by code that the directory or the flavor names.
    """
    value = load_yaml(data, name=FILE)
    flavors = mapping(value, "flavors")
    if not flavors:
        return None
    library = next((name for name in flavors if name not in _NOT_LIBRARIES), None)
    flavor = mapping(flavors, library) if library is not None else {}
    version = next((v for k, v in flavor.items() if k in (f"{library}_version", "version") and text(v)), None)
    details: dict[str, Scalar] = {"flavors": clip(listed(clip(name, 40) for name in flavors))}
    loader = mapping(flavors, "python_function").get("loader_module")
    for label, found in (
        ("loader", loader),
        ("python", mapping(flavors, "python_function").get("python_version")),
        ("mlflow", mapping(value).get("mlflow_version")),
        ("serialization", flavor.get("serialization_format")),
    ):
        if isinstance(found, str):
            details[label] = clip(found)
    signed = mapping(value, "signature")
    return ModelDescription(
        format="mlflow",
        status=Status.CODE_CAPABLE,
        library=None if library is None else clip(library, 40),
        library_version=clip(version, 40) if isinstance(version, str) else None,
        imports=(clip(loader),) if isinstance(loader, str) else (),
        details=details,
        signature=mlflow_signature(signed.get("inputs"), signed.get("outputs")),
    )
