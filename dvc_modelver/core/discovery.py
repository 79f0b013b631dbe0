"""Which outputs look like models that nothing declares yet, and what they would be called.  Pure."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from dvc_modelver.core.declarations import Declared
from dvc_modelver.core.names import name_problem, nearest_valid, reads_as_revision

DVC_YAML = "dvc.yaml"
GTO_YAML = "artifacts.yaml"

# Formats that hold models and little else.
_MODEL_SUFFIXES = (
    *(".onnx", ".pt", ".pth", ".ckpt", ".safetensors", ".gguf", ".tflite", ".keras", ".mlmodel", ".mlpackage"),
    *(".cbm", ".ubj", ".bst", ".skops", ".pmml", ".model"),
)
# Formats that hold tables and arrays just as often: not below a directory of data.
_LIKELY_SUFFIXES = (".pkl", ".pickle", ".joblib", ".h5", ".hdf5", ".bin")
# Text formats that some libraries save models in: only below a directory of models.
_TEXT_SUFFIXES = (".json", ".txt")
_MODEL_FOLDERS = frozenset(("model", "models", "saved_model", "saved_models", "checkpoints", "weights"))
_DATA_FOLDERS = frozenset(("data", "dataset", "datasets", "raw", "interim", "processed", "features", "external"))
# What says nothing about which model it is.
_GENERIC = _MODEL_FOLDERS | {
    *("best", "last", "latest", "final", "checkpoint", "weight", "output", "outputs", "out", "artifact", "artifacts"),
    *("pipeline", "estimator", "clf", "classifier", "regressor", "network", "net", "pytorch_model", "sklearn"),
}
# `churn.v2.pkl`: from now on the number is the version's.
_NUMBER = re.compile(r"[._-]v\d+(?:[._-]\d+)*\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedOutput:
    """An output that DVC tracks, as far as it matters here."""

    path: str
    """From the root."""
    home: str
    """The `dvc.yaml` that would declare it; it need not exist."""
    directory: bool = False
    mlflow: bool = False
    """Whether it is a directory that holds MLflow's `MLmodel`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """An entry of `artifacts:` that could be written."""

    name: str
    """As `artifacts:` would have it, without the directory."""
    file: str
    """The `dvc.yaml` to write it into."""
    path: str
    """Relative to that file's directory."""
    type: str | None = "model"
    desc: str | None = None
    labels: tuple[str, ...] = ()
    meta: Mapping[str, object] = field(default_factory=dict)

    @property
    def canonical(self) -> str:
        """The model's name everywhere else: `path/to/dir:churn`."""
        return _canonical(self.file, self.name)

    @property
    def target(self) -> str:
        """What it names, from the root, or a URL."""
        return _target(self.file, self.path)

    def entry(self) -> dict[str, object]:
        """What stands below its name; what is empty is left out."""
        values = {"type": self.type, "desc": self.desc, "labels": list(self.labels), "meta": dict(self.meta)}
        return {"path": self.path, **{key: value for key, value in values.items() if value}}


def looks_like_model(path: str, *, directory: bool = False, mlflow: bool = False) -> bool:
    """Whether people would call what lies at `path` a model, judged by its name."""
    *above, last = path.lower().split("/")
    stem, suffix = posixpath.splitext(last)
    if directory:
        return mlflow or last in _MODEL_FOLDERS or stem.endswith(("_model", "-model")) or suffix in _MODEL_SUFFIXES
    if suffix in _LIKELY_SUFFIXES:
        return not _DATA_FOLDERS.intersection(above)
    if suffix in _TEXT_SUFFIXES:
        return bool(_MODEL_FOLDERS.intersection(above))
    return suffix in _MODEL_SUFFIXES


def discover(
    outputs: Iterable[TrackedOutput], declared: Sequence[Declared], known: Iterable[str] = ()
) -> tuple[Proposal, ...]:
    """What could be declared, GTO's entries first, then by path; every name is valid and new.

    Args:
        known: canonical names that have versions; a model that looks like one of them goes by it.
    """
    found = list(_from_gto(declared))
    covered = [_target(d.file, d.path) for d in declared if d.path is not None]
    taken = {d.name.lower() for d in declared}
    spelled = {name.lower(): name for name in known}
    for output in sorted(outputs, key=lambda output: output.path):
        if not looks_like_model(output.path, directory=output.directory, mlflow=output.mlflow):
            continue
        if any(_overlap(output.path, path) for path in covered):
            continue
        name = _free_name(output, taken, spelled)
        proposal = Proposal(name=name, file=output.home, path=_relative(output.path, output.home))
        found.append(proposal)
        covered.append(output.path)
        taken.add(proposal.canonical.lower())
    return tuple(found)


def taken_names(declared: Sequence[Declared], file: str) -> frozenset[str]:
    """The names that `file` gives already, in lower case: two that differ only in case are one too many."""
    return frozenset(d.name.rpartition(":")[2].lower() for d in declared if d.name == _canonical(file, _last(d.name)))


def _from_gto(declared: Sequence[Declared]) -> Iterator[Proposal]:
    for old in declared:
        if old.file != GTO_YAML or old.path is None or old.problem is not None:
            continue
        kind = old.type or ("model" if looks_like_model(old.path) else None)
        yield Proposal(
            name=old.name,
            file=DVC_YAML,
            path=old.path,
            type=kind,
            desc=old.desc,
            labels=old.labels,
            meta=old.meta,
        )


def _free_name(output: TrackedOutput, taken: Iterable[str], spelled: Mapping[str, str]) -> str:
    for name in _names(output.path):
        full = _canonical(output.home, name)
        if full.lower() not in taken:
            return _last(spelled.get(full.lower(), name))
    raise AssertionError("the names do not end")


def _names(path: str) -> Iterator[str]:
    """Names for what lies at `path`, the best first, without end."""
    *above, last = path.split("/")
    stem, suffix = posixpath.splitext(last)
    stem = _NUMBER.sub("", stem) or stem
    telling = next((word for word in (stem, *reversed(above)) if word.lower() not in _GENERIC), stem)
    base = _valid(telling) or _valid(stem) or "model"
    yield base
    with_suffix = _valid(f"{base}-{suffix[1:]}") if suffix else ""
    if with_suffix:
        yield with_suffix
    number = 2
    while True:
        yield f"{base}-{number}"
        number += 1


def _valid(word: str) -> str:
    """A name like `word` that is no revision of Git's; empty when nothing is left of it."""
    name = nearest_valid(word.replace(":", "-").replace("/", "-"))
    if name and reads_as_revision(name):
        name = f"model-{name}"
    return "" if name_problem(name) else name


def _canonical(file: str, name: str) -> str:
    folder = posixpath.dirname(file)
    return f"{folder}:{name}" if folder else name


def _last(name: str) -> str:
    return name.rpartition(":")[2]


def _target(file: str, path: str) -> str:
    return path if "://" in path else posixpath.normpath(posixpath.join(posixpath.dirname(file), path))


def _relative(path: str, file: str) -> str:
    return posixpath.relpath(path, posixpath.dirname(file) or ".")


def _overlap(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")
