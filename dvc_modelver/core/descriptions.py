"""What a model's bytes say without being loaded: the types.  Filled by `dvcio.formats`, used by cards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

Scalar = str | int | float | bool


class Status(str, Enum):
    """Whether loading can run code.  There is no value that says *safe*: that no look at bytes can show."""

    NO_CODE_FORMAT = "no-code-format"
    """The format holds numbers and names only; a loader's own faults remain."""
    CODE_CAPABLE = "code-capable"
    """Loading runs what the file says."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One input or output."""

    name: str
    type: str | None = None
    """In the format's own words (`float32`, `tensor(int64)`, `double`); None when the file does not say."""
    shape: tuple[int | str, ...] | None = None
    """`?` where a dimension is open, its name where it has one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What a model takes and gives."""

    inputs: tuple[Feature, ...] = ()
    outputs: tuple[Feature, ...] = ()
    classes: tuple[str, ...] = ()
    source: str = "model"
    """Who says so: `model`, `MLmodel`, `config.json`, or the name of the signature file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDescription:
    """What the bytes of a model say.  Text is from the file: visible characters only, cut, not escaped."""

    format: str
    """`safetensors`, `onnx`, `gguf`, `keras`, `hdf5`, `pickle`, `joblib`, `pytorch`, `torchscript`, `xgboost`,
    `lightgbm`, `catboost`, `saved-model`, `mlflow`, `huggingface`, `directory`...; of unknown files what the first
    bytes look like: `text`, `json`, `zip`, `gzip`, `binary`, `empty`..."""
    status: Status
    library: str | None = None
    """`sklearn`, `pytorch`, `xgboost`, `keras`, `tensorflow`, `transformers`..."""
    library_version: str | None = None
    """Only where the bytes say it."""
    imports: tuple[str, ...] = ()
    """What loading a code-capable file imports, sorted; `(computed)` where the name is made while loading."""
    details: Mapping[str, Scalar] = field(default_factory=dict)
    """In the order in which they are worth reading."""
    hyperparameters: Mapping[str, Scalar] = field(default_factory=dict)
    """Where readable; nested ones as scikit-learn names them (`step__C`)."""
    signature: Signature | None = None
    complete: bool = True
    """Whether all was read that says something; else `problem` says why not."""
    problem: str | None = None
