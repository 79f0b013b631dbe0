"""Which profile of a table a commit ties to the table's own bytes.  Pure over a tree."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from dvc_modelver.core.facts import Output
from dvc_modelver.dvcio.hashing import new_hasher
from dvc_modelver.dvcio.locate import Commit, Located
from dvc_modelver.errors import BadInput

PROFILE_SUFFIX = ".profile.json"
"""Behind a table's path: where `pipeline add card-data` has its profile written."""
MAX_PROFILE = 8 << 20
"""Bytes: 10,000 columns of numbers take 2.5 MB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profiled:
    """The profile that a pipeline stage wrote of a table."""

    output: Output
    problem: str | None = None
    """Why it says nothing of the table as it is, in words, else None."""


def find_profile(commit: Commit, table: Output, files: Iterable[str]) -> Profiled | None:
    """The profile beside a table; None where no pipeline stage wrote one.

    It is the table's own when the stage, as `dvc.lock` has it, read the very bytes that `table` names, and the file
    is as the stage wrote it.

    Args:
        files: the `dvc.yaml` files that are asked, in this order; one that is broken is passed over.
    """
    path = f"{table.path}{PROFILE_SUFFIX}"
    for file in dict.fromkeys(files):
        with suppress(BadInput):
            located = commit.written(path, file)
            if located is not None and located.output.digest is not None:
                return Profiled(output=located.output, problem=_problem(commit, located, table))
    return None


def is_of(data: bytes, output: Output) -> bool:
    """Whether `data` are the bytes that the output's digest names."""
    hasher = new_hasher(output.hash_name)
    hasher.update(data)
    return f"md5:{hasher.hexdigest()}" == output.digest


def _problem(commit: Commit, located: Located, table: Output) -> str | None:
    output = located.output
    if not _read_by(commit, located, table):
        return f"is not of {table.path} as it is: dvc repro {located.stage}"
    if (output.size or 0) > MAX_PROFILE:
        return "is too large to be a profile, and not used"
    if commit.tree.entry(output.path) is None:
        return None if output.cached else f"is kept neither by Git nor by DVC: git add -f {output.path}"
    data = commit.tree.read(output.path)
    # Git may have given a work tree other ends of lines; what DVC's cache keeps is hashed where it is read.
    if data is None or not (is_of(data, output) or is_of(data.replace(b"\r\n", b"\n"), output)):
        return f"is not as its pipeline stage wrote it: dvc repro {located.stage}"
    return None


def _read_by(commit: Commit, located: Located, table: Output) -> bool:
    """Whether the stage read the table's bytes."""
    pipeline = commit.pipeline(located.file)
    stage = pipeline.lock.stage(located.stage or "") if pipeline is not None else None
    if pipeline is None or stage is None or table.digest is None:
        return False
    return any(dep.digest == table.digest and pipeline.full(stage.name, dep.path) == table.path for dep in stage.deps)
