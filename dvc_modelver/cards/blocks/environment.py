"""The block `environment`: what the training ran with, as `modelver run` recorded it.  Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from dvc_modelver.cards.escape import code, code_cell, inline
from dvc_modelver.cards.facts import CardFacts, TrainingEnvironment
from dvc_modelver.cards.tables import TIMES, clip, param_cell, table, text_cell

if TYPE_CHECKING:
    from dvc_modelver.core.environment import Environment, Package

NOTABLE = (
    *("scikit-learn", "torch", "tensorflow", "keras", "jax", "flax", "xgboost", "lightgbm", "catboost", "statsmodels"),
    *("transformers", "sentence-transformers", "diffusers", "peft", "accelerate", "datasets", "tokenizers"),
    *("safetensors", "torchvision", "torchaudio", "lightning", "pytorch-lightning", "timm", "spacy", "prophet"),
    *("imbalanced-learn", "onnx", "onnxruntime", "skl2onnx", "joblib", "numpy", "scipy", "pandas", "polars", "pyarrow"),
    *("duckdb", "dvc", "dvclive", "mlflow", "optuna", "ray"),
)
"""The packages that a reader of a model card looks for, in this order."""
_DIGITS = 19
"""Of a commit or `sha256=...`."""


def render(facts: CardFacts) -> str:
    """System and packages; a sentence where the training recorded nothing."""
    found = facts.environment
    if found is None:
        return (
            "The environment of the training was not recorded.\n\n"
            "`modelver run -- CMD` as the command of the pipeline stage records it."
        )
    if found.recorded is None:
        return f"The training did not record its environment. The commit pins packages in {_file(found)}."
    return "\n\n".join([f"The training recorded its environment in {_file(found)}.", *_recorded(found.recorded)])


def _file(found: TrainingEnvironment) -> str:
    return f"{code(clip(found.file))} (sha256 {code(clip(found.digest))})"


def _recorded(environment: Environment) -> Iterator[str]:
    yield table(["Part", "Recorded"], list(_system(environment)))
    packages = {package.name: package for package in environment.packages}
    notable = [packages.pop(name) for name in NOTABLE if name in packages]
    if notable:
        yield _notable(notable)
    if packages:
        yield _others([packages[name] for name in sorted(packages)], "other " if notable else "")


def _system(environment: Environment) -> Iterator[list[str]]:
    yield ["Python", _said(environment.python or {}, "version", "implementation")]
    yield ["OS", _said(environment.os, "system", "distribution", "machine", "libc")]
    cpu = {key: str(value) for key, value in environment.cpu.items()}
    count = f" ({text_cell(clip(cpu['count']))} CPUs)" if "count" in cpu else ""
    yield ["CPU", f"{_said(cpu, 'model')}{count}"]
    for gpu, times in Counter(environment.gpus).items():
        many = f"{times} {TIMES} " if times > 1 else ""
        yield ["GPU", many + text_cell(clip(f"{gpu.name}, {gpu.memory}, driver {gpu.driver}"))]
    if environment.lock is not None:
        yield [
            "Lock file",
            f"{code_cell(clip(environment.lock.path))} (sha256 {code_cell(clip(environment.lock.sha256))})",
        ]
    for name in sorted(environment.variables):
        yield [code_cell(clip(name)), param_cell(name, environment.variables[name])]


def _said(found: Mapping[str, str], *keys: str) -> str:
    known = ", ".join(found[key] for key in keys if found.get(key))
    return text_cell(clip(known)) or "not known"


def _notable(packages: Sequence[Package]) -> str:
    placed = any(_origin(package) for package in packages)
    rows = [
        [
            code_cell(clip(package.name)),
            code_cell(clip(package.version)),
            *([_origin(package) or "package index"] if placed else []),
        ]
        for package in packages
    ]
    return table(["Package", "Version", *(["From"] if placed else [])], rows)


def _origin(package: Package) -> str:
    """Where a package came from, in a cell or a sentence; empty for one from an index."""
    if package.origin is None:
        return ""
    place = "a local folder" if package.origin == "local" else inline(clip(package.origin))
    revision = f" at {inline(clip(package.revision)[:_DIGITS])}" if package.revision else ""
    return f"{place}{revision}{', editable' if package.editable else ''}"


def _others(packages: Sequence[Package], other: str) -> str:
    many = f"{len(packages):,} {other}package{'' if len(packages) == 1 else 's'}"
    return f"<details>\n<summary>{many}</summary>\n\n{', '.join(map(_listed, packages))}\n\n</details>"


def _listed(package: Package) -> str:
    origin = _origin(package)
    return inline(clip(f"{package.name} {package.version}")) + (f" (from {origin})" if origin else "")
