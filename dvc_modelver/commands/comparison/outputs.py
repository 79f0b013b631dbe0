"""Files that a person asked for by name: pictures and pages."""

from __future__ import annotations

from pathlib import Path

from dvc_modelver.errors import BadInput


def check_target(target: Path) -> Path:
    """Raise `BadInput` unless a file can stand at `target`: asked before any long work."""
    if target.is_dir() or not target.parent.is_dir():
        raise BadInput(f"cannot write {target}", hint="name a file in a directory that is there")
    return target


def write_output(target: Path, data: bytes) -> None:
    """Write the file in one step.  Raises `BadInput`, or `EnvironmentProblem` when the machine does not let us."""
    from dvc_modelver.gitio.commits import write_file

    write_file(check_target(target), data)
