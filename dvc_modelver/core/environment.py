"""The environment of a training as a document: what belongs in it, in one canonical form.  Pure.

Equal environments give equal bytes: sorted, ASCII, without time, host, user, path or anything else of one machine's
owner.  So a kernel's release, a GPU's serial number or where a package was built from a local folder are left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dvc_modelver.core.text import one_line
from dvc_modelver.errors import BadInput

SCHEMA = 1
MAX_PACKAGES = 20_000
VARIABLES = (
    # threads
    *("OMP_NUM_THREADS", "OMP_DYNAMIC", "OMP_SCHEDULE", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "MKL_DYNAMIC"),
    *("BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS", "NUMEXPR_MAX_THREADS", "NUMBA_NUM_THREADS"),
    *("RAYON_NUM_THREADS", "POLARS_MAX_THREADS", "LOKY_MAX_CPU_COUNT", "TF_NUM_INTRAOP_THREADS"),
    *("TF_NUM_INTEROP_THREADS", "TOKENIZERS_PARALLELISM"),
    # seeds and what makes arithmetic repeatable
    *("PYTHONHASHSEED", "PL_GLOBAL_SEED", "MKL_CBWR", "TF_DETERMINISTIC_OPS", "TF_CUDNN_DETERMINISTIC"),
    *("CUBLAS_WORKSPACE_CONFIG", "NVIDIA_TF32_OVERRIDE", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "CUDA_VISIBLE_DEVICES"),
)
"""The variables that change what a training computes; no other is looked at."""
_VALUE = re.compile(r"[A-Za-z0-9_.,:+-]{1,100}\Z")
_SERIAL = re.compile(r"(?:GPU|MIG)-", re.IGNORECASE)
_NAME = re.compile(r"[-_.]+")
_URL = re.compile(r"([a-z][a-z0-9+.-]*)://(?:[^/?#]*@)?([^/?#@]*)([^?#]*)", re.IGNORECASE)
_HEX = re.compile(r"[0-9a-fA-F]{7,128}\Z")
_WORD = re.compile(r"[\w./+@-]{1,200}\Z", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One installed distribution."""

    name: str
    """Normalised, as PEP 503 has it."""
    version: str
    origin: str | None = None
    """Where it came from when not from an index: a URL without user, query and fragment, or `local`."""
    revision: str | None = None
    """The commit of a version control system, or the digest of an archive."""
    editable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One NVIDIA device."""

    name: str
    memory: str
    driver: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LockFile:
    """What pins the packages."""

    path: str
    """POSIX, from the directory of the command."""
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What a training ran with."""

    python: Mapping[str, str] | None
    """`version`, `implementation`; None when it is not known which Python the command starts."""
    packages: tuple[Package, ...] = ()
    """Sorted by name."""
    os: Mapping[str, str] = field(default_factory=dict)
    """`system`, `machine`, `distribution`, `libc`."""
    cpu: Mapping[str, str | int] = field(default_factory=dict)
    """`model`, `count`."""
    gpus: tuple[Gpu, ...] = ()
    lock: LockFile | None = None
    variables: Mapping[str, str] = field(default_factory=dict)


def render(environment: Environment) -> str:
    """The document's text; `parse(render(e)) == e`."""
    return json.dumps(document(environment), indent=2, sort_keys=True, ensure_ascii=True, allow_nan=False) + "\n"


def document(environment: Environment) -> dict[str, object]:
    """The document as JSON values."""
    return {
        "schema": SCHEMA,
        "python": None if environment.python is None else dict(environment.python),
        "packages": [_package(package) for package in environment.packages],
        "os": dict(environment.os),
        "cpu": dict(environment.cpu),
        "gpus": [{"name": gpu.name, "memory": gpu.memory, "driver": gpu.driver} for gpu in environment.gpus],
        "lock": None
        if environment.lock is None
        else {"path": environment.lock.path, "sha256": environment.lock.sha256},
        "variables": dict(environment.variables),
    }


def _package(package: Package) -> dict[str, object]:
    found: dict[str, object] = {"name": package.name, "version": package.version}
    if package.origin is not None:
        found["origin"] = package.origin
    if package.revision is not None:
        found["revision"] = package.revision
    if package.editable:
        found["editable"] = True
    return found


def parse(data: bytes, *, name: str = "environment.json") -> Environment:
    """The environment in a document; `name` is for messages.  Raises `BadInput` when it is none."""
    try:
        document = json.loads(data)
        if document["schema"] != SCHEMA:
            raise BadInput(f"{name}: schema {str(document['schema'])[:20]!a} is not known")
        lock = document.get("lock")
        return Environment(
            python=None if document["python"] is None else _texts(document["python"]),
            packages=tuple(_parse_package(item) for item in document["packages"][:MAX_PACKAGES]),
            os=_texts(document.get("os") or {}),
            cpu={str(k): v if isinstance(v, int) else str(v) for k, v in (document.get("cpu") or {}).items()},
            gpus=tuple(
                Gpu(name=str(gpu["name"]), memory=str(gpu["memory"]), driver=str(gpu["driver"]))
                for gpu in document.get("gpus") or ()
            ),
            lock=None if lock is None else LockFile(path=str(lock["path"]), sha256=str(lock["sha256"])),
            variables=_texts(document.get("variables") or {}),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise BadInput(f"{name}: not an environment document", hint="modelver run writes one") from None


def _texts(value: Mapping[object, object]) -> dict[str, str]:
    return {str(key): str(item) for key, item in value.items()}


def _parse_package(item: Mapping[str, Any]) -> Package:
    origin, revision = item.get("origin"), item.get("revision")
    return Package(
        name=str(item["name"]),
        version=str(item["version"]),
        origin=None if origin is None else str(origin),
        revision=None if revision is None else str(revision),
        editable=item.get("editable") is True,
    )


# From what an interpreter and a machine say ------------------------------------------------------------------------


def packages(rows: object) -> tuple[Package, ...]:
    """Distributions from the rows (name, version, text of `direct_url.json`) that an interpreter gave.

    The first of a name counts, as it does for an import.
    """
    found: dict[str, Package] = {}
    for row in (rows if isinstance(rows, list) else [])[:MAX_PACKAGES]:
        if not isinstance(row, list) or len(row) != 3 or not isinstance(row[0], str) or not row[0]:
            continue
        name = _NAME.sub("-", _cut(row[0])).lower()
        found.setdefault(name, _described(name, row[1], row[2]))
    return tuple(found[name] for name in sorted(found))


def _described(name: str, version: object, direct_url: object) -> Package:
    origin = _direct(direct_url) if isinstance(direct_url, str) else {}
    url = origin.get("url")
    vcs, archive = _mapping(origin.get("vcs_info")), _mapping(origin.get("archive_info"))
    hashes = _mapping(archive.get("hashes"))
    digest = next((f"{k}={v}" for k, v in sorted(hashes.items()) if isinstance(v, str) and _HEX.match(v)), None)
    commit = vcs.get("commit_id")
    return Package(
        name=name,
        version=_cut(version) if isinstance(version, str) and version else "unknown",
        origin=public_url(url) if isinstance(url, str) else None,
        revision=commit if isinstance(commit, str) and _WORD.match(commit) else digest,
        editable=_mapping(origin.get("dir_info")).get("editable") is True,
    )


def _direct(text: str) -> Mapping[str, object]:
    try:
        return _mapping(json.loads(text))
    except (ValueError, RecursionError):
        return {}


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def public_url(url: str) -> str:
    """A URL without user, password, query and fragment; `local` for a path of one machine."""
    match = _URL.match(url)
    if match is None or match[1].lower() == "file" or not match[2]:
        return "local"
    return _cut(f"{match[1].lower()}://{match[2]}{match[3]}")


def variables(env: Mapping[str, str]) -> dict[str, str]:
    """The allowed variables that are set to a plain word; one that names a device by its serial number is left out."""
    found = {name: env[name] for name in sorted(VARIABLES) if name in env}
    return {name: value for name, value in found.items() if _VALUE.match(value) and not _SERIAL.match(value)}


def gpus(text: str) -> tuple[Gpu, ...]:
    """Devices from the lines `name, memory, driver` that nvidia-smi prints."""
    rows = [[_cut(cell) for cell in line.split(",")] for line in text.splitlines()[:64]]
    return tuple(sorted((Gpu(name=r[0], memory=r[1], driver=r[2]) for r in rows if len(r) == 3), key=_gpu_order))


def _gpu_order(gpu: Gpu) -> tuple[str, str, str]:
    return gpu.name, gpu.memory, gpu.driver


def facts(value: object, keys: tuple[str, ...]) -> dict[str, str]:
    """The texts below `keys` of what an interpreter said, empty ones left out."""
    said = _mapping(value)
    return {key: _cut(item) for key in keys if isinstance(item := said.get(key), str) and item.strip()}


def cpu(value: object) -> dict[str, str | int]:
    """`model` and `count` of what an interpreter said."""
    count = _mapping(value).get("count")
    known: dict[str, str | int] = {"count": count} if isinstance(count, int) and not isinstance(count, bool) else {}
    return {**known, **facts(value, ("model",))}


def _cut(text: str) -> str:
    return one_line(text[:800], 200)
