"""What production reports: files of metrics by key, or of labelled predictions, read with bounds and judged."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from dvc_modelver.commands.guarding.scores import is_training, scored
from dvc_modelver.core.facts import Scalar, Values
from dvc_modelver.core.gate import judge, matching
from dvc_modelver.core.gatepolicy import GatePolicy
from dvc_modelver.core.guard import Report, unclear
from dvc_modelver.core.guardpolicy import GuardPolicy
from dvc_modelver.core.predictions import Predictions
from dvc_modelver.errors import BadInput

TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
MAPPINGS = (".json", ".yaml", ".yml", ".toml")
_COUNTS = ("samples", "n_samples", "n")
"""Keys of a file of metrics that say of how many samples they are."""
_MOST = 10**15


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One report as it was read: metrics, or predictions to score."""

    file: str
    digest: str
    """`sha256:HEX` of the file's bytes."""
    samples: int | None
    metrics: Mapping[str, Scalar] | None = None
    predictions: Predictions | None = None
    note: str | None = None


def read_evidence(directory: Path, file: str) -> Evidence:
    """The report in `file`, a path as seen from `directory`.

    Raises `BadInput` when it is not there, too large, empty, or holds neither metrics nor labelled predictions.
    """
    suffix = PurePosixPath(file).suffix.lower()
    if suffix not in (*TABLES, *MAPPINGS):
        known = ", ".join((*MAPPINGS, *TABLES))
        raise BadInput(f"{file} is no report by its name", hint=f"metrics or predictions in one of {known}")
    data = _bytes(directory / file, file)
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    if not data.strip():
        raise BadInput(f"{file} is empty", hint="a report names metrics, or has labels and predictions")
    from dvc_modelver.dvcio.predictions import read_predictions

    rows = suffix in TABLES or data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"["
    read = read_predictions(data, file) if rows or suffix == ".json" else None
    if read is not None and read.predictions is not None:
        count = len(read.predictions)
        return Evidence(file=file, digest=digest, samples=count, predictions=read.predictions, note=read.note)
    if rows:
        raise BadInput(f"{read.note if read else file}", hint="columns label and prediction, perhaps score")
    return _metrics(data, file, digest)


def _metrics(data: bytes, file: str, digest: str) -> Evidence:
    from dvc_modelver.core.metrics import is_number
    from dvc_modelver.dvcio.values import flatten_metrics, read_values

    value = read_values(data, path=file, strict=True)
    if not isinstance(value, Mapping):
        raise BadInput(f"{file} is no mapping of metrics to numbers", hint='as in {"accuracy": 0.91}')
    found = flatten_metrics(value)
    if not any(is_number(number) for number in found.values()):
        raise BadInput(f"{file} names no metric with a number", hint='as in {"accuracy": 0.91}')
    said = (found[key] for key in _COUNTS if key in found)
    count = next((n for n in said if isinstance(n, int) and not isinstance(n, bool) and 0 <= n <= _MOST), None)
    return Evidence(file=file, digest=digest, samples=count, metrics=found)


def _bytes(path: Path, name: str) -> bytes:
    """Raises `BadInput` for what is no readable file of bounded size."""
    from dvc_modelver.dvcio.predictions import MAX_BYTES

    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except (OSError, ValueError) as error:
        raise BadInput(f"cannot read {name}: {getattr(error, 'strerror', None) or 'no such name'}") from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise BadInput(f"{name} is no regular file", hint="write the report into a file first")
    with os.fdopen(handle, "rb") as source:
        data = source.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise BadInput(f"{name} is larger than {MAX_BYTES >> 20} MiB", hint="report a sample of it")
    return data


def judged(
    evidence: Evidence, policy: GuardPolicy, rules: GatePolicy, recorded: Values, directions: Mapping[str, str]
) -> Report:
    """The report beside what its version recorded.

    Raises `BadInput` for one that can be called neither good nor bad: too few samples, or nothing to compare.
    """
    _refuse_few(evidence, policy)
    name = PurePosixPath(evidence.file).name
    held_to = replace(rules, metrics=policy.metrics or rules.metrics, slices={}, significance=None)
    if evidence.predictions is not None:
        live = scored(evidence.predictions, recorded, tuple(held_to.metrics), directions, name)
    else:
        live = aligned(evidence.metrics or {}, recorded, name)
    verdict = judge(held_to, live, recorded, directions=directions, partial=True)
    why = unclear(verdict)
    if why is not None:
        raise BadInput(
            f"{evidence.file} {why}", hint="it cannot be judged: report what the version or the policy names"
        )
    return Report(file=evidence.file, digest=evidence.digest, samples=evidence.samples, verdict=verdict)


def _refuse_few(evidence: Evidence, policy: GuardPolicy) -> None:
    if evidence.samples is None and policy.min_samples:
        raise BadInput(
            f"{evidence.file} does not say of how many samples it is",
            hint=f'add "{_COUNTS[0]}", as guard.min_samples asks',
        )
    if evidence.samples is not None and evidence.samples < max(1, policy.min_samples):
        count = f"{evidence.samples:,} sample{'s' * (evidence.samples != 1)}"
        least = f"guard.min_samples is {policy.min_samples:,}" if policy.min_samples else "report what was measured"
        raise BadInput(f"{evidence.file} is of {count}, not enough to judge", hint=least)


def aligned(live: Mapping[str, Scalar], recorded: Values, file: str) -> Values:
    """The live metrics under the files and keys of the recorded ones that they can only mean.

    None means one of training that it does not name in full.
    """
    known = [(path, key) for path in sorted(recorded) for key in recorded[path]]
    found: dict[str, dict[str, Scalar]] = {}
    for key, value in live.items():
        meant = [pair for pair in matching(known, key) if pair[1] == key or not is_training(*pair)]
        where = meant[0] if len(meant) == 1 else (file, key)
        if where[1] in found.get(where[0], {}):
            where = (file, key)
        found.setdefault(where[0], {})[where[1]] = value
    return found
