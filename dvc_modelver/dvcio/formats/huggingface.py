"""Hugging Face's `config.json`: architecture, type, labels, and code that it asks to load."""

from __future__ import annotations

from collections.abc import Mapping

from dvc_modelver.dvcio.formats.description import ModelDescription, Scalar, Status, clip, listed, names, signature
from dvc_modelver.dvcio.formats.jsontext import load_mapping, mapping, sequence, text

FILE = "config.json"
_NUMBERS = ("hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size", "max_position_embeddings")


def parse(data: bytes) -> ModelDescription | None:
    """What the configuration says; None when it is another program's.  Raises `Malformed` when it is not JSON."""
    config = load_mapping(data)
    kind, architectures = text(config.get("model_type")), sequence(config.get("architectures"))
    if kind is None and not architectures:
        return None
    details: dict[str, Scalar] = {}
    if architectures:
        details["architectures"] = clip(listed(clip(name, 60) for name in architectures[:20]))
    for key in ("model_type", "torch_dtype", "dtype"):
        found = text(config.get(key))
        if found is not None:
            details[key] = clip(found, 60)
    for key in _NUMBERS:
        number = config.get(key)
        if isinstance(number, int) and not isinstance(number, bool) and abs(number) < 2**63:
            details[key] = number
    imports = _imports(config)
    return ModelDescription(
        format="huggingface",
        status=Status.CODE_CAPABLE if imports else Status.UNKNOWN,
        library="transformers",
        library_version=_version(config),
        imports=imports,
        details=details,
        signature=signature(classes=_labels(config), source=FILE),
    )


def _version(config: Mapping[str, object]) -> str | None:
    version = text(config.get("transformers_version"))
    return None if version is None else clip(version, 40)


def _imports(config: Mapping[str, object]) -> tuple[str, ...]:
    """Classes of code beside the model or in another repository, which `trust_remote_code` runs."""
    found = [value for value in mapping(config, "auto_map").values() if isinstance(value, str)]
    return tuple(sorted(clip(value) for value in found[:50]))


def _labels(config: Mapping[str, object]) -> tuple[str, ...]:
    labels = mapping(config, "id2label")
    if not all(key.isdecimal() and len(key) < 10 for key in labels):
        return ()
    return names(labels[key] for key in sorted(labels, key=int))
