"""The bytes of a rollback: found, fetched and hashed before anything changes; put; put back; settled after a kill."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any

from dvc_modelver.commands.project import Project
from dvc_modelver.commands.restoration.memory import Last, write_last
from dvc_modelver.core.facts import Output
from dvc_modelver.core.rollback import OutputChange
from dvc_modelver.core.trees import Tree
from dvc_modelver.dvcio.cache import Cache
from dvc_modelver.dvcio.config import DvcConfig, read_dvc_config
from dvc_modelver.dvcio.fetch import ensure_in_cache
from dvc_modelver.dvcio.hashmemory import HashMemory
from dvc_modelver.dvcio.locate import Commit
from dvc_modelver.dvcio.paths import parents
from dvc_modelver.dvcio.present import clean
from dvc_modelver.dvcio.restore import Restore, check_objects, plan_restore
from dvc_modelver.dvcio.restoring import executables
from dvc_modelver.dvcio.steps import NOTHING_EXECUTABLE, Executable
from dvc_modelver.errors import BadInput, DataError, Refused
from dvc_modelver.gitio.commits import as_committed, bring_missing

Row = tuple[Output | None, Output | None]
"""(what HEAD names, what is wanted); None: nothing."""


class Bytes:
    """All outputs of a rollback, whatever DVC repositories they belong to.

    Those that come to lie where Git has files now are put last, when Git's have gone.
    """

    def __init__(self, early: Sequence[Restore], late: Sequence[Restore], changes: Sequence[OutputChange]) -> None:
        self._early = early
        self._late = late
        self._changes = changes

    @property
    def _restores(self) -> tuple[Restore, ...]:
        return (*self._early, *self._late)

    def apply(self, project: Project) -> None:
        """Prepare all of them, and put those that Git's files do not keep from their places.

        On any failure everything is put back before the error is raised.
        """
        with ExitStack() as undo:
            for restore in self._restores:
                undo.callback(restore.drop)
                restore.stage(progress=project.around.progress)  # so that all is hashed before anything changes
            for restore in self._early:
                restore.apply(progress=project.around.progress)
                undo.callback(restore.undo)
            undo.pop_all()

    def finish(self, project: Project) -> None:
        """Put the others.  On any failure these are put back before the error is raised."""
        with ExitStack() as undo:
            for restore in self._late:
                restore.apply(progress=project.around.progress)
                undo.callback(restore.undo)
            undo.pop_all()

    def undo_late(self) -> None:
        """Put back what was there before `finish`."""
        for restore in reversed(self._late):
            restore.undo()

    def undo(self) -> None:
        """Put back what was there before `apply`."""
        for restore in reversed(self._restores):
            restore.undo()

    @property
    def waits(self) -> bool:
        """Whether there is anything for `finish`."""
        return any(restore.changed for restore in self._late)

    @property
    def gone(self) -> frozenset[str]:
        """The files that `apply` removes."""
        return frozenset(path for restore in self._early for path in restore.removals)

    @property
    def changed(self) -> tuple[str, ...]:
        """The outputs of which any byte is put or goes."""
        return tuple(path for restore in self._restores for path in restore.changed)

    def verify(self, project: Project) -> None:
        """Hash what `apply` would hash while it copies.  Raises `DataError`."""
        for restore in self._restores:
            restore.verify(progress=project.around.progress)

    @property
    def rows(self) -> tuple[Row, ...]:
        """What changes, for the journal."""
        return tuple((change.before, change.after) for change in self._changes)


def read_bytes(
    project: Project,
    changes: Sequence[OutputChange],
    going: Collection[str] = (),
    executable: Executable = NOTHING_EXECUTABLE,
) -> Bytes:
    """Fetch and hash everything that is wanted, and look at everything that is in the way.

    Args:
        going: files that Git has now, and will not have any more.
        executable: outputs that can be run.

    Raises:
        DataError: bytes are missing everywhere, or corrupt.
        Refused: what lies in the way is saved nowhere.
        EnvironmentProblem: the remote cannot be reached, or the disk is full.
    """
    _bring(project, changes)
    clashes = _clashes(going)
    late = [change for change in changes if change.after is not None and clashes(change.path)]
    early = [change for change in changes if change not in late]
    first = _planned(project, _rows(early), executable)
    leaving = {*going, *(path for restore in first for path in restore.removals)} if late else set()
    return Bytes(first, _planned(project, _rows(late), executable, leaving), changes)


def check_bytes(project: Project, changes: Sequence[OutputChange]) -> None:
    """Fetch and hash everything that is wanted, for a commit that nobody checks out here.

    Raises `DataError` and `EnvironmentProblem` as `read_bytes`.
    """
    by_root: dict[str, list[Output]] = {}
    for output in _bring(project, changes):
        by_root.setdefault(output.root, []).append(output)
    for root, outputs in by_root.items():
        cache = Cache(_config(project, root).cache_dir)
        check_objects(outputs, cache, _memory(project), progress=project.around.progress)


def push_bytes(project: Project, changes: Sequence[OutputChange]) -> None:
    """Put what is wanted into the DVC remote, so that whoever gets the commit can have its bytes.

    Raises:
        DataError: bytes are corrupt in the cache.
        EnvironmentProblem: no DVC remote, or it cannot be reached or written.
    """
    from dvc_modelver.dvcio.push import push

    push(project.root, wanted_of(changes), env=project.around.env, progress=project.around.progress)


def wanted_of(changes: Iterable[OutputChange]) -> tuple[Output, ...]:
    """The outputs that come."""
    return tuple(change.after for change in changes if change.after is not None)


def _bring(project: Project, changes: Sequence[OutputChange]) -> tuple[Output, ...]:
    wanted = wanted_of(changes)
    unknown = [output.path for output in wanted if output.digest is None]
    if unknown:
        raise DataError(f"nobody recorded which bytes {unknown[0]} had", hint="choose another version, or --model-only")
    ensure_in_cache(project.data_root, wanted, env=project.around.env, progress=project.around.progress)
    return wanted


def _rows(changes: Iterable[OutputChange]) -> list[Row]:
    return [(change.before, change.after) for change in changes]


def _clashes(files: Collection[str]) -> Callable[[str], bool]:
    """Whether a path is one of `files`, lies below one, or holds one."""
    names = frozenset(files)
    folders = {up for name in names for up in parents(name)}
    return lambda path: path in folders or not names.isdisjoint((path, *parents(path)))


def _planned(
    project: Project, rows: Iterable[Row], executable: Executable, leaving: Collection[str] = ()
) -> list[Restore]:
    by_root: dict[str, list[Row]] = {}
    for before, after in rows:
        output = after or before
        if output is not None:
            by_root.setdefault(output.root, []).append((before, after))
    return [_plan(project, root, some, executable, leaving) for root, some in by_root.items()]


def _plan(
    project: Project, root: str, rows: Sequence[Row], executable: Executable, leaving: Collection[str]
) -> Restore:
    config = _config(project, root)
    return plan_restore(
        project.root,
        Cache(config.cache_dir),
        rows,
        _memory(project),
        config=config,
        progress=project.around.progress,
        leaving=leaving,
        executable=executable,
    )


def _memory(project: Project) -> HashMemory:
    return HashMemory(project.state_dir / "cache" / "verify-1")


def _config(project: Project, root: str) -> DvcConfig:
    return read_dvc_config(project.data_root / root / ".dvc", env=project.around.env)


# After a kill -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """What the journal of a rollback says besides what Git is to do."""

    name: str
    """The model."""
    version: str
    """Where it goes."""
    undo: bool = False
    """Whether it takes back an earlier rollback."""
    push: bool = False
    """Whether it was to be published."""
    rows: tuple[Row, ...] = ()
    last: Last | None = None
    """Set once all is made: for the next undo."""


def format_rest(rest: Rest) -> str:
    """As the journal keeps it."""
    return json.dumps(asdict(rest))


def parse_rest(text: str) -> Rest | None:
    """None when it is no rollback's, or damaged."""
    try:
        raw = json.loads(text)
        rows = tuple((_output(before), _output(after)) for before, after in raw.pop("rows"))
        last = raw.pop("last")
        return Rest(**raw, rows=rows, last=Last(**last) if last is not None else None)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _output(raw: Mapping[str, Any] | None) -> Output | None:
    return None if raw is None else Output(**raw)


def settle(project: Project, text: str) -> None:
    """Bring the outputs that a killed rollback was about to change to what HEAD names now.

    Where people have changed one since, or its bytes are gone, it stays as it is, with a warning.
    Raises `EnvironmentProblem`: disk full, no permission; the next command tries again.
    """
    rest = parse_rest(text)
    if rest is None or project.head is None or project.repository.root is None:
        return
    if rest.last is not None and rest.last.after == project.head:
        write_last(project.state_dir, rest.last)
        if rest.push:
            project.around.say("note: whether it was published is not known: git push makes sure")
    if not rest.rows:
        return
    clean(project.root)
    commit = Commit(project.tree(project.head))
    found = [_towards(commit, before, after) for before, after in rest.rows]
    ours = [row.path for rows in rest.rows for row in rows if row is not None]
    in_git = sorted({path for path in (_in_git(commit.tree, one) for one in ours) if path is not None})
    leaving = as_committed(project.repository, in_git) if in_git else ()
    executable = Executable(after=executables(commit))
    try:
        _restore(project, found, executable, leaving)
    except (Refused, DataError, BadInput):
        for row in found:
            try:
                _restore(project, [row], executable, leaving)
            except (Refused, DataError, BadInput) as error:
                project.around.say(f"warning: {error.message}; dvc checkout brings what HEAD names")
    bring_missing(project.repository, in_git)


def _in_git(tree: Tree, path: str) -> str | None:
    """What Git keeps at a path, or instead of a directory above it."""
    for place in (*reversed(parents(path)), path):
        entry = tree.entry(place)
        if entry is None or not entry.is_directory:
            return place if entry is not None else None
    return path


def _towards(commit: Commit, before: Output | None, after: Output | None) -> Row:
    """What else may lie there, and what HEAD names."""
    path = (before or after or Output(path="", digest=None)).path
    found = commit.find(path, "dvc.yaml")
    named = found.output if found is not None and found.output.path == path and found.output.cached else None
    if named is None:
        return before or after, None
    return (after if before is not None and named.digest == before.digest else before), named


def _restore(project: Project, rows: Sequence[Row], executable: Executable, leaving: Collection[str]) -> None:
    for restore in _planned(project, rows, executable, leaving):
        restore.apply(progress=project.around.progress)
