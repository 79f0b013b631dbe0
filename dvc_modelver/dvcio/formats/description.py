"""The types in which a model file is described, and how text from a file gets into them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from dvc_modelver.core.text import one_line, safe

Scalar = str | int | float | bool
MAX_TEXT = 200
"""Characters of a value or name that are kept."""
MAX_FEATURES = 2000
"""Features or classes that a signature keeps; `details` says how many there are."""
MAX_IMPORTS = 200
MAX_DETAILS = 100


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


def clip(value: object, limit: int = MAX_TEXT) -> str:
    """Text of a file on one line, visible and cut."""
    return one_line(str(value)[: 4 * limit], limit)


def scalar(value: object) -> Scalar | None:
    """A plain value as a detail: numbers as they are, text cut; None for what is none."""
    if isinstance(value, (bool, float)):
        return value
    if isinstance(value, int):
        return value if value.bit_length() <= 64 else "(a large number)"
    return clip(value) if isinstance(value, str) else None


def names(values: Iterable[object], limit: int = MAX_FEATURES) -> tuple[str, ...]:
    """Names of features or classes as the file has them, control characters made visible, cut."""
    kept: list[str] = []
    for value in values:
        if len(kept) == limit:
            break
        kept.append(safe(str(value)[:MAX_TEXT]) if isinstance(value, (str, int, float)) else "?")
    return tuple(kept)


def features(values: Iterable[object], types: Iterable[object] = ()) -> tuple[Feature, ...]:
    """Features by name, with the types that go with them as far as there are any."""
    known = [clip(t) if isinstance(t, str) and t else None for t in types]
    found = names(values)
    return tuple(Feature(name=name, type=known[i] if i < len(known) else None) for i, name in enumerate(found))


def signature(
    inputs: tuple[Feature, ...] = (), outputs: tuple[Feature, ...] = (), classes: tuple[str, ...] = (), source: str = ""
) -> Signature | None:
    """The signature, None when nothing is known."""
    if not (inputs or outputs or classes):
        return None
    return Signature(inputs=inputs, outputs=outputs, classes=classes, source=source or "model")


def listed(words: Iterable[str], limit: int = 12) -> str:
    """Words in a detail: the first ones, and how many more."""
    all_words = list(words)
    more = f" and {len(all_words) - limit} more" if len(all_words) > limit else ""
    return ", ".join(all_words[:limit]) + more
