"""Keras: the `.keras` zip of version 3, and HDF5 files, which are recognised and searched, not parsed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from dvc_modelver.dvcio.formats import jsontext, zips
from dvc_modelver.dvcio.formats.description import (
    MAX_IMPORTS,
    Feature,
    ModelDescription,
    Scalar,
    Status,
    clip,
    listed,
    signature,
)
from dvc_modelver.dvcio.formats.jsontext import mapping, sequence, text
from dvc_modelver.dvcio.formats.source import Source

_MAX_CONFIG = 8 * 1024 * 1024
_MAX_VISITS = 200_000
_SEARCHED = 4 * 1024 * 1024
_OWN = ("keras", "builtins", "tensorflow.keras", "tf_keras", "keras_hub", "keras_nlp", "keras_cv")
_CODE = ("Lambda", "__lambda__", "function", "TorchModuleWrapper", "TFSMLayer")
"""Classes that hold functions as byte code, or load modules and models of others."""


def is_keras_zip(names: set[str]) -> bool:
    """Whether an archive's members are those of Keras 3."""
    return {"config.json", "metadata.json"} <= names


def describe_zip(source: Source, members: tuple[zips.Member, ...]) -> ModelDescription:
    """A `.keras` file: its configuration and version."""
    by_name = {member.name: member for member in members}
    config = jsontext.load(zips.content(source, by_name["config.json"], _MAX_CONFIG))
    metadata = jsontext.load(zips.content(source, by_name["metadata.json"], _MAX_CONFIG))
    code = _code(config)
    version = text(mapping(metadata).get("keras_version"))
    return ModelDescription(
        format="keras",
        status=Status.CODE_CAPABLE if code else Status.NO_CODE_FORMAT,
        library="keras",
        library_version=None if version is None else clip(version, 40),
        imports=code,
        details=_details(config),
        signature=signature(inputs=_inputs(config)),
    )


def describe_hdf5(source: Source) -> ModelDescription:
    """An HDF5 file: whether Keras wrote it and with what; what it holds is not read, so its status is `unknown`."""
    found = source.at(0, _SEARCHED)
    if source.size > _SEARCHED:
        found += source.tail(_SEARCHED)
    keras = b"keras_version" in found or b"model_config" in found
    config = _config(found)
    code = _code(config) if config is not None else ()
    has_code = bool(code) or b'"class_name": "Lambda"' in found
    return ModelDescription(
        format="keras-hdf5" if keras else "hdf5",
        status=Status.CODE_CAPABLE if has_code else Status.UNKNOWN,
        library="keras" if keras else None,
        imports=code,
        details=_details(config) if config is not None else {},
        signature=signature(inputs=_inputs(config)) if config is not None else None,
        complete=False,
        problem="HDF5 is recognised by its first bytes; what it holds is not parsed",
    )


def _config(found: bytes) -> object:
    """The model's configuration, which HDF5 keeps as one piece of JSON text."""
    for opening in (b'{"class_name": ', b'{"module": "keras'):
        at = found.find(opening)
        if at >= 0:
            piece = found[at : at + _MAX_CONFIG].split(b"\0", 1)[0].decode("utf-8", "replace")
            return jsontext.picked(f'"config": {piece}', "config")
    return None


def _objects(config: object) -> Iterator[Mapping[str, object]]:
    """Every object in the configuration that names a class."""
    waiting = [config]
    for _ in range(_MAX_VISITS):
        if not waiting:
            return
        value = waiting.pop()
        if isinstance(value, dict):
            if isinstance(value.get("class_name"), str):
                yield value
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    # What could not be looked at may name anything.
    yield {"class_name": "Lambda", "module": "(not looked at)"}


def _code(config: object) -> tuple[str, ...]:
    """What loading imports beyond Keras's own classes, or runs."""
    found: set[str] = set()
    for entry in _objects(config):
        module, name = entry.get("module"), str(entry["class_name"])
        own = module is None or (isinstance(module, str) and (module in _OWN or module.startswith(_dotted(_OWN))))
        registered = entry.get("registered_name")
        custom = isinstance(registered, str) and ">" in registered
        if name in _CODE or not own or (custom and not str(registered).startswith("keras")):
            found.add(clip(f"{module or 'keras'}.{name}"))
    return tuple(sorted(found)[:MAX_IMPORTS])


def _dotted(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{name}." for name in names)


def _details(config: object) -> dict[str, Scalar]:
    layers = [mapping(layer) for layer in sequence(mapping(config, "config").get("layers"))]
    kinds = Counter(clip(layer.get("class_name", "?"), 40) for layer in layers)
    details: dict[str, Scalar] = {"class": clip(mapping(config).get("class_name", "?"), 80)}
    name = text(mapping(config, "config").get("name"))
    if name:
        details["name"] = clip(name)
    if layers:
        details["layers"] = len(layers)
        details["layer classes"] = clip(listed(f"{kind} ({n})" for kind, n in kinds.items()))
    optimizer = text(mapping(config, "compile_config", "optimizer").get("class_name"))
    if optimizer:
        details["optimizer"] = clip(optimizer, 40)
    loss = text(mapping(config, "compile_config").get("loss"))
    if loss:
        details["loss"] = clip(loss, 60)
    return details


def _inputs(config: object) -> tuple[Feature, ...]:
    """The input layers."""
    found = []
    for layer in sequence(mapping(config, "config").get("layers"))[:2000]:
        if mapping(layer).get("class_name") == "InputLayer":
            inner = mapping(layer, "config")
            shape = sequence(inner.get("batch_shape") or inner.get("batch_input_shape"))
            name = inner.get("name") or mapping(layer).get("name") or "input"
            dtype = inner.get("dtype")
            sizes = tuple(size if isinstance(size, int) else "?" for size in shape[:16]) or None
            found.append(
                Feature(name=clip(name), type=clip(dtype, 40) if isinstance(dtype, str) else None, shape=sizes)
            )
    return tuple(found)
