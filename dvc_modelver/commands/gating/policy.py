"""The policy in force: a file that was named, else the configuration's, else none."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from dvc_modelver.commands.project import Project
from dvc_modelver.core.gatepolicy import GatePolicy
from dvc_modelver.errors import BadInput

SUFFIXES = (".yaml", ".yml", ".json", ".toml")


def read_policy(project: Project, file: str | None) -> GatePolicy:
    """The keys of the configuration's `gate` from `file` (YAML, JSON or TOML), or from the configuration itself.

    Raises `BadInput` when the file is not there, is no such file, or holds a key or value that nobody can mean.
    """
    if file is None:
        return project.config.gate or GatePolicy()
    from dvc_modelver.core.gatepolicy import parse_policy
    from dvc_modelver.dvcio.values import read_values

    if not file.lower().endswith(SUFFIXES):
        raise BadInput(f"{file or 'an empty name'} is no policy file by its name", hint=f"one of {', '.join(SUFFIXES)}")
    from dvc_modelver.commands.gating.files import read_named

    return parse_policy(file, read_values(read_named(project, file), path=file, strict=True))


def read_file(path: Path, name: str, hint: str = "") -> bytes:
    """The bytes of a regular file that somebody named.  Raises `BadInput` when there are none to read."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode) and not path.is_dir():  # a pipe or device may never end
            raise BadInput(f"cannot read {name}: it is no file", hint=hint)
        return path.read_bytes()
    except ValueError:
        raise BadInput("the name of a file holds a NUL", hint=hint) from None
    except OSError as error:
        raise BadInput(f"cannot read {name}: {error.strerror}", hint=hint) from None
