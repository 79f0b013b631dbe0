"""The bytes of a rollback: found, fetched and hashed before anything changes; put; put back; settled after a kill."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any

from dvc_modelver.commands.project import Project
from dvc_modelver.core.facts import Output
from dvc_modelver.core.rollback import OutputChange
from dvc_modelver.dvcio.cache import Cache
from dvc_modelver.dvcio.config import DvcConfig, read_dvc_config
from dvc_modelver.dvcio.fetch import ensure_in_cache
from dvc_modelver.dvcio.hashmemory import HashMemory
from dvc_modelver.dvcio.locate import Commit
from dvc_modelver.dvcio.restore import Restore, plan_restore
from dvc_modelver.errors import DataError, ModelverError

Row = tuple[Output | None, Output | None]
"""(what HEAD names, what is wanted); None: nothing."""


class Bytes:
    """All outputs of a rollback, whatever DVC repositories they belong to."""

    def __init__(self, restores: Sequence[Restore], changes: Sequence[OutputChange]) -> None:
        self._restores = restores
        self._changes = changes

    def apply(self, project: Project) -> None:
        """Put all of them.  On any failure everything is put back before the error is raised."""
        with ExitStack() as undo:
            for restore in self._restores:
                undo.callback(restore.drop)
                restore.stage(progress=project.around.progress)  # so that all is hashed before anything changes
            for restore in self._restores:
                restore.apply(progress=project.around.progress)
                undo.callback(restore.undo)
            undo.pop_all()

    def undo(self) -> None:
        """Put back what was there before."""
        for restore in reversed(self._restores):
            restore.undo()

    @property
    def changed(self) -> tuple[str, ...]:
        """The outputs of which any byte is put or goes."""
        return tuple(path for restore in self._restores for path in restore.changed)

    def verify(self, project: Project) -> None:
        """Hash what `apply` would hash while it copies.  Raises `DataError`."""
        for restore in self._restores:
            restore.verify(progress=project.around.progress)

    def journal(self) -> str:
        """What `settle` needs to know after a kill."""
        rows = [
            [change.before and asdict(change.before), change.after and asdict(change.after)] for change in self._changes
        ]
        return json.dumps({"outputs": rows})


def read_bytes(project: Project, changes: Sequence[OutputChange]) -> Bytes:
    """Fetch and hash everything that is wanted, and look at everything that is in the way.

    Raises:
        DataError: bytes are missing everywhere, or corrupt.
        Refused: what lies in the way is saved nowhere.
        EnvironmentProblem: the remote cannot be reached, or the disk is full.
    """
    wanted = [change.after for change in changes if change.after is not None]
    unknown = [output.path for output in wanted if output.digest is None]
    if unknown:
        raise DataError(f"nobody recorded which bytes {unknown[0]} had", hint="choose another version, or --model-only")
    ensure_in_cache(project.data_root, wanted, env=project.around.env, progress=project.around.progress)
    return Bytes(_planned(project, [(change.before, change.after) for change in changes]), changes)


def _planned(project: Project, rows: Iterable[Row]) -> list[Restore]:
    by_root: dict[str, list[Row]] = {}
    for before, after in rows:
        output = after or before
        if output is not None:
            by_root.setdefault(output.root, []).append((before, after))
    return [_plan(project, root, some) for root, some in by_root.items()]


def _plan(project: Project, root: str, rows: Sequence[Row]) -> Restore:
    config = _config(project, root)
    memory = HashMemory(project.state_dir / "cache" / "verified-1")
    return plan_restore(
        project.root,
        Cache(config.cache_dir),
        rows,
        memory,
        config=config,
        progress=project.around.progress,
    )


def _config(project: Project, root: str) -> DvcConfig:
    return read_dvc_config(project.data_root / root / ".dvc", env=project.around.env)


# After a kill -----------------------------------------------------------------------------------------------------


def settle(project: Project, rest: str) -> None:
    """Bring the outputs that a killed rollback was about to change to what HEAD names now."""
    rows = _rows(rest)
    if rows is None or project.head is None or project.repository.root is None:
        return
    commit = Commit(project.tree(project.head))
    found: list[Row] = []
    for before, after in rows:
        for one in (before, after):
            if one is not None:
                now = commit.find(one.path, "dvc.yaml")
                named = now.output if now is not None and now.output.path == one.path else None
                other = after if named is not None and before is not None and named.digest == before.digest else before
                found.append((other, named))
                break
    try:
        for restore in _planned(project, found):
            restore.apply(progress=project.around.progress)
    except ModelverError as error:
        project.around.say(f"warning: {error.message}; dvc checkout brings what HEAD names")


def _rows(rest: str) -> list[Row] | None:
    try:
        loaded = json.loads(rest)["outputs"]
        return [(_output(before), _output(after)) for before, after in loaded]
    except (ValueError, KeyError, TypeError):
        return None


def _output(raw: Mapping[str, Any] | None) -> Output | None:
    return None if raw is None else Output(**raw)
