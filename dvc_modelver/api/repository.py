"""One repository, and the way to it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from dvc_modelver.api.checking import Checking
from dvc_modelver.api.judging import Judging
from dvc_modelver.api.reading import Reading
from dvc_modelver.api.tracing import Tracing
from dvc_modelver.api.writing import Writing


def open(path: str | os.PathLike[str] = ".", *, env: Mapping[str, str] | None = None) -> Repository:
    """Open the repository that `path` lies in.

    Args:
        path: any directory of it.
        env: the environment for git and for `MODELVER_*` settings; the process's own by default.

    Raises:
        BadInput: there is no such directory.
        EnvironmentProblem: it lies in no Git repository, or there is no git.
    """
    return Repository(Path(path), dict(os.environ) if env is None else env)


class Repository(Reading, Tracing, Checking, Judging, Writing):
    """One repository.  Every method reads the refs anew; errors are subclasses of `dvc_modelver.errors.ModelverError`.

    A context manager, for symmetry with other resources: nothing is held between calls.
    """

    def __enter__(self) -> Repository:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        return None

    def __repr__(self) -> str:
        return f"Repository({str(self.root)!r})"
