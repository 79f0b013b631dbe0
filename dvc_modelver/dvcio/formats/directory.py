"""What a directory with a model in it is: MLflow's, Hugging Face's, a SavedModel, or files side by side."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dvc_modelver.dvcio.formats import huggingface, mlflow
from dvc_modelver.dvcio.formats.describe import describe
from dvc_modelver.dvcio.formats.description import (
    MAX_IMPORTS,
    ModelDescription,
    Scalar,
    Signature,
    Status,
    clip,
    listed,
)
from dvc_modelver.dvcio.formats.signature import is_signature_name, parse_signature
from dvc_modelver.dvcio.formats.signs import SAVED_MODEL
from dvc_modelver.dvcio.formats.source import Malformed, ReadAt
from dvc_modelver.errors import BadInput

MAX_FILES = 100_000
MAX_DESCRIBED = 6
"""Files that are looked into, each up to half a second; code in the others is found by their names."""
MAX_SHARDS = 60
"""Further parts of one model, where their headers are small."""
_SMALL_HEADER = 256 * 1024
MAX_TEXT_FILE = 1024 * 1024
_CODE = (".py", ".so", ".pyd", ".dll", ".dylib", ".sh", ".pyc", ".jar", ".exe", ".ipynb")
_PICKLED = (".pkl", ".pickle", ".joblib", ".pt", ".pth", ".bin", ".ckpt", ".sav", ".dill")
_OTHERS = (
    ".safetensors .onnx .gguf .keras .h5 .hdf5 .cbm .ubj .tflite .npy .npz .model .txt .xgb .lgb .pmml .pb .msgpack"
)
_MODELS = (*_PICKLED, *_OTHERS.split(), ".skops")
_ASIDE = (".txt", ".md")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileAt:
    """One file of a directory."""

    path: str
    """POSIX, below the directory."""
    size: int
    read: ReadAt


def describe_directory(files: Sequence[FileAt]) -> ModelDescription:
    """What the directory that holds `files` is: by what is inside, in the order of the paths."""
    ordered = sorted(files, key=lambda file: (file.path.count("/"), file.path))[:MAX_FILES]
    by_path = {file.path: file for file in ordered}
    inside = _look_inside(ordered)
    base = _base(by_path, inside)
    return _judged(_signed(base, by_path), ordered, inside, len(files) > MAX_FILES)


def describe_path(root: Path) -> ModelDescription:
    """A directory of the file system; symbolic links in it are not followed.  Raises `OSError`."""
    files: list[FileAt] = []
    for folder, below, found in os.walk(root):
        below.sort()
        for name in found:
            path = Path(folder, name)
            if path.is_symlink() or not path.is_file():
                continue
            files.append(FileAt(path=path.relative_to(root).as_posix(), size=path.stat().st_size, read=_reader(path)))
            if len(files) > MAX_FILES:
                return describe_directory(files)
    return describe_directory(files)


def describe_pieces(pieces: Iterable[tuple[str, Path | bytes]]) -> ModelDescription:
    """A directory whose files lie elsewhere: (path below it, where its bytes are).  Raises `OSError`."""
    files = []
    for path, source in pieces:
        size = source.stat().st_size if isinstance(source, Path) else len(source)
        files.append(FileAt(path=path, size=size, read=_reader(source) if isinstance(source, Path) else _held(source)))
    return describe_directory(files)


def _held(data: bytes) -> ReadAt:
    return lambda offset, length: data[offset : offset + length]


def _reader(path: Path) -> ReadAt:
    def read(offset: int, length: int) -> bytes:
        with open(path, "rb") as file:
            file.seek(offset)
            return file.read(length)

    return read


def _look_inside(files: Sequence[FileAt]) -> dict[str, ModelDescription]:
    """Descriptions of the files that may be models."""
    models = [file for file in files if file.path.lower().endswith(_MODELS) or "." not in posixpath.basename(file.path)]
    chosen = sorted(models, key=lambda file: (file.path.lower().endswith(_ASIDE), file.path.count("/"), file.path))
    chosen = [file for file in chosen if file.path != mlflow.FILE]
    shards = [file for file in chosen[MAX_DESCRIBED : MAX_DESCRIBED + MAX_SHARDS] if _is_small(file)]
    return {
        file.path: describe(file.read, name=posixpath.basename(file.path), size=file.size)
        for file in [*chosen[:MAX_DESCRIBED], *shards]
    }


def _is_small(file: FileAt) -> bool:
    """Whether it has safetensors' name and a header that is read in milliseconds."""
    head = file.read(0, 8) if file.path.lower().endswith(".safetensors") else b""
    return len(head) == 8 and int.from_bytes(head, "little") <= _SMALL_HEADER


def _base(files: Mapping[str, FileAt], inside: Mapping[str, ModelDescription]) -> ModelDescription:
    """What the file at the directory's top that names the model says; else what its one model is."""
    for name, parse in _NAMED:
        file = files.get(name)
        if file is not None and file.size <= MAX_TEXT_FILE:
            try:
                found = parse(file.read(0, file.size))
            except (Malformed, BadInput) as problem:
                words = problem.message if isinstance(problem, BadInput) else str(problem)
                return ModelDescription(
                    format="directory", status=Status.UNKNOWN, complete=False, problem=clip(f"{name}: {words}")
                )
            if found is not None:
                return _with_model(found, inside)
    if SAVED_MODEL in inside:
        return inside[SAVED_MODEL]
    models = [d for d in inside.values() if d.status is not Status.UNKNOWN]
    if len(models) == 1:
        return replace(models[0], format="directory", details={"model": models[0].format, **models[0].details})
    libraries = sorted({d.library for d in models if d.library})
    return ModelDescription(
        format="directory", status=Status.UNKNOWN, library=libraries[0] if len(libraries) == 1 else None
    )


def _with_model(found: ModelDescription, inside: Mapping[str, ModelDescription]) -> ModelDescription:
    """What a directory's own words leave open, from the model files in it."""
    models = [d for d in inside.values() if d.status is not Status.UNKNOWN]
    details = dict(found.details)
    parameters = [d.details["parameters"] for d in models if isinstance(d.details.get("parameters"), int)]
    if parameters:
        details["parameters"] = sum(p for p in parameters if isinstance(p, int))
    if len(models) != 1:
        return replace(found, details=details)
    one = models[0]
    details.update({key: value for key, value in one.details.items() if key not in details})
    return replace(
        found,
        details=details,
        hyperparameters=found.hyperparameters or one.hyperparameters,
        library=found.library or one.library,
        library_version=found.library_version or one.library_version,
        signature=_both(found.signature, one.signature),
    )


def _both(stated: Signature | None, own: Signature | None) -> Signature | None:
    """The stated signature, with the model's own classes where it names none."""
    if stated is None or own is None or stated.classes:
        return stated or own
    return replace(stated, classes=own.classes)


def _signed(base: ModelDescription, files: Mapping[str, FileAt]) -> ModelDescription:
    """With the signature that the training wrote, if there is one."""
    name = next((name for name in sorted(files) if is_signature_name(name)), None)
    if name is None or files[name].size > MAX_TEXT_FILE:
        return base
    try:
        stated = parse_signature(files[name].read(0, files[name].size), name=name)
    except BadInput as problem:
        return replace(base, complete=False, problem=clip(problem.message))
    return replace(base, signature=_both(stated, base.signature))


def _judged(
    base: ModelDescription, files: Sequence[FileAt], inside: Mapping[str, ModelDescription], too_many: bool
) -> ModelDescription:
    """The status that the worst of the files gives, what all of them import, and what there is."""
    code = [file.path for file in files if file.path.lower().endswith(_CODE)]
    capable = [path for path, found in inside.items() if found.status is Status.CODE_CAPABLE]
    unseen = [file.path for file in files if file.path.lower().endswith(_PICKLED) and file.path not in inside]
    unknown = [path for path, found in inside.items() if found.status is Status.UNKNOWN and not _is_aside(path, found)]
    known = [path for path, found in inside.items() if found.status is Status.NO_CODE_FORMAT]
    skipped = [f for f in files if f.path.lower().endswith(_MODELS) and f.path not in inside and f.path != mlflow.FILE]
    status = Status.NO_CODE_FORMAT if known and not unknown and not skipped and not too_many else Status.UNKNOWN
    if code or capable or unseen or base.status is Status.CODE_CAPABLE:
        status = Status.CODE_CAPABLE
    details: dict[str, Scalar] = dict(base.details)
    details["files"] = len(files)
    formats = sorted({found.format for found in inside.values() if found.status is not Status.UNKNOWN})
    if formats:
        details["formats"] = listed(formats)
    if code:
        details["code files"] = clip(listed(code))
    imports = sorted({*base.imports, *(name for found in inside.values() for name in found.imports)})
    faults = [f"{path}: {found.problem}" for path, found in inside.items() if found.problem and path in capable]
    faults += [f"{file.path} was not looked into" for file in skipped]
    problem = base.problem or ("more files than a description may look at" if too_many else None)
    problem = problem or (clip(faults[0]) if faults else None)
    return replace(
        base,
        status=status,
        imports=tuple(imports[:MAX_IMPORTS]),
        details=details,
        complete=base.complete and problem is None,
        problem=problem,
    )


def _is_aside(path: str, found: ModelDescription) -> bool:
    """Whether an unknown file is mere text beside the model."""
    return found.format in ("text", "empty", "json", "xml") and path.lower().endswith((*_ASIDE, "license"))


_NAMED: tuple[tuple[str, Callable[[bytes], ModelDescription | None]], ...] = (
    (mlflow.FILE, mlflow.parse),
    (huggingface.FILE, huggingface.parse),
)
