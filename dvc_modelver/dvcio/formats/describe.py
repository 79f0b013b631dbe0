"""Find a model file's format by its bytes and describe it, without loading it."""

from __future__ import annotations

import gc
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from dvc_modelver.dvcio.formats.cursor import COMPRESSIONS, FileCursor, InflatedCursor
from dvc_modelver.dvcio.formats.description import ModelDescription, Status, clip
from dvc_modelver.dvcio.formats.plain import kind_of, recognised
from dvc_modelver.dvcio.formats.signs import (
    MAGICS,
    PICKLE_STARTS,
    PROTO,
    SAVED_MODEL,
    ZIP,
    is_lightgbm,
    is_onnx,
    is_safetensors,
    is_ubjson,
)
from dvc_modelver.dvcio.formats.source import Malformed, ReadAt, Source, of_bytes, opened

_HEAD = 1024
_PICKLED = (".pkl", ".pickle", ".joblib", ".pt", ".pth", ".bin", ".ckpt", ".sav", ".dill", ".p", ".model", ".jl")
"""What people load with pickle: a file of such a name is walked through whatever else it looks like."""
_BROKEN = (
    struct.error,
    ValueError,
    OverflowError,
    ArithmeticError,
    LookupError,
    TypeError,
    RecursionError,
    MemoryError,
)
Found = ModelDescription | None


def describe(source: Path | bytes | ReadAt, *, name: str = "", size: int | None = None) -> ModelDescription:
    """What a model file is.

    Args:
        source: the file, its bytes, or what reads `length` bytes at `offset`.
        name: the file's name: decides only what the bytes leave open.
        size: in bytes; needed where `source` is a function.

    Raises:
        OSError: the file cannot be opened or read.
    """
    if isinstance(source, Path):
        try:
            with opened(source) as file:
                return describe_source(file, name or source.name)
        except Malformed as problem:
            return _unknown("special", problem)
    if isinstance(source, bytes):
        return describe_source(of_bytes(source), name)
    if size is None:
        raise TypeError("a function that reads needs the size of what it reads")
    return describe_source(Source(source, size), name)


def describe_source(source: Source, name: str) -> ModelDescription:
    """As `describe`, of an opened source."""
    name = name.lower()
    with _no_collector():
        found = _guarded(lambda: _described(source, name), _unknown("binary"))
        if found.status is Status.UNKNOWN or (found.status is Status.NO_CODE_FORMAT and name.endswith(_PICKLED)):
            # A file that is two formats at once, or broken as what it is named: its loader may be pickle.
            hidden = _guarded(lambda: _old_pickle(source), found)
            return hidden if hidden.status is Status.CODE_CAPABLE and hidden.imports else found
        return found


@contextmanager
def _no_collector() -> Iterator[None]:
    """Values of a hostile file are many and hold no cycles to speak of: looking for some doubled the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _guarded(describer: Callable[[], Found], default: ModelDescription) -> ModelDescription:
    """What a describer says; `default` where it finds nothing, with its problem where the bytes are broken."""
    try:
        return describer() or default
    except Malformed as problem:
        return replace(default, complete=False, problem=clip(problem))
    except _BROKEN as problem:
        return replace(default, complete=False, problem=f"broken: {type(problem).__name__}")


def _described(source: Source, name: str) -> Found:
    head = source.at(0, _HEAD)
    if not head:
        return _unknown("empty")
    for step in (_pickle, _compressed, _archive, _magic, _structured):
        found = step(source, head, name)
        if found is not None:
            return found
    return _old_pickle(source) or _unknown(kind_of(head, name))


def _old_pickle(source: Source) -> Found:
    first = source.at(0, 1)
    if not first or first not in PICKLE_STARTS:
        return None
    from dvc_modelver.dvcio.formats import pickles

    return pickles.describe_old_pickle(source)


def _pickle(source: Source, head: bytes, name: str) -> Found:
    if head[0] != PROTO or len(head) < 2 or head[1] > 5:
        return None
    from dvc_modelver.dvcio.formats import pickles, torch
    from dvc_modelver.dvcio.formats.opcodes import walk

    cursor = FileCursor(source)
    walked = walk(cursor)
    legacy = walked.root == torch.MAGIC_NUMBER
    found = torch.describe_legacy(cursor, walked) if legacy else pickles.described(walked)
    # The length of a safetensors header may look like the mark of a pickle.
    numbers = is_safetensors(head, "") and not found.complete and not found.imports
    return None if numbers else found


def _compressed(source: Source, head: bytes, name: str) -> Found:
    known = next((compression for magics, compression in COMPRESSIONS if head.startswith(magics)), None)
    if known is not None:
        from dvc_modelver.dvcio.formats import pickles

        default = _opaque_pickle(known.name) if name.endswith(_PICKLED) else _unknown(known.name)
        cursor = InflatedCursor(source, known)
        return _guarded(lambda: pickles.describe_compressed(cursor, known.name), default)
    for magic, word in ((b"\x04\x22\x4d\x18", "lz4"), (b"\x28\xb5\x2f\xfd", "zstd")):
        if head.startswith(magic):
            named = any(f"{suffix}." in f"{name}." for suffix in _PICKLED)
            return _opaque_pickle(word) if named else _unknown(word)
    return None


def _opaque_pickle(compression: str) -> ModelDescription:
    """By its name a pickle, in a compression that we do not look into."""
    return ModelDescription(
        format="pickle",
        status=Status.CODE_CAPABLE,
        details={"compression": compression},
        complete=False,
        problem=f"what is compressed with {compression} was not looked at",
    )


def _archive(source: Source, head: bytes, name: str) -> Found:
    if head.startswith(ZIP):
        return _guarded(lambda: _zip(source), _unknown("zip"))
    if head[257:262] == b"ustar":
        from dvc_modelver.dvcio.formats import torch

        return torch.describe_tar(source) or _unknown("tar")
    return None


def _zip(source: Source) -> Found:
    from dvc_modelver.dvcio.formats import keras, torch, zips

    members = zips.members(source)
    names = {member.name for member in members}
    if torch.is_torch_zip(names):
        default = ModelDescription(format="pytorch", status=Status.CODE_CAPABLE, library="pytorch")
        return _guarded(lambda: torch.describe_zip(source, members), default)
    if keras.is_keras_zip(names):
        return _guarded(lambda: keras.describe_zip(source, members), _recognised("keras", "keras"))
    if any(name.endswith((".pkl", ".pickle", ".joblib")) for name in names):
        return _guarded(
            lambda: torch.describe_zip(source, members), ModelDescription(format="zip", status=Status.CODE_CAPABLE)
        )
    return None


def _magic(source: Source, head: bytes, name: str) -> Found:
    known = next(((form, describer) for begins, form, describer in MAGICS if head.startswith(begins)), None)
    if known is None:
        return recognised(head)
    form, (module, _, function) = known[0], known[1].partition(".")
    describer = getattr(import_module(f"dvc_modelver.dvcio.formats.{module}"), function)
    return _guarded(lambda: describer(source), _recognised(form, form))


def _structured(source: Source, head: bytes, name: str) -> Found:
    """Formats without magic bytes."""
    if is_safetensors(head, name):
        from dvc_modelver.dvcio.formats import safetensors

        return _guarded(lambda: safetensors.describe(source), _recognised("safetensors", None))
    if is_lightgbm(head):
        from dvc_modelver.dvcio.formats import lightgbm

        return lightgbm.describe(source)
    if head.lstrip()[:1] == b"{":
        found = _guarded(lambda: _json(source, head), _unknown("json"))
        if found.format != "json":
            return found
    if name == SAVED_MODEL:
        from dvc_modelver.dvcio.formats import savedmodel

        return _guarded(lambda: savedmodel.describe(source), _recognised("saved-model", "tensorflow"))
    if is_onnx(head, name):
        from dvc_modelver.dvcio.formats import onnx

        found = _guarded(lambda: onnx.describe(source), _recognised("onnx", None))
        return found if found.problem is None or name.endswith(".onnx") else None
    return None


def _json(source: Source, head: bytes) -> Found:
    from dvc_modelver.dvcio.formats import jsontext, xgboost

    if is_ubjson(head):
        return xgboost.describe_ubjson(source)
    if source.size > jsontext.MAX_WHOLE:
        return xgboost.describe_large_json(source)
    value = jsontext.load(source.at(0, source.size))
    return xgboost.describe_json(value) if xgboost.is_model(value) else None


def _recognised(form: str, library: str | None) -> ModelDescription:
    """By its first bytes or name of this format, and nothing more is known."""
    return ModelDescription(format=form, status=Status.UNKNOWN, library=library)


def _unknown(kind: str, problem: Malformed | None = None) -> ModelDescription:
    words = None if problem is None else clip(problem)
    return ModelDescription(format=kind, status=Status.UNKNOWN, complete=problem is None, problem=words)
