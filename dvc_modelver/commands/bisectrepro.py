"""`bisect --repro`: builds a commit in a linked worktree of its own, and reads the metric that comes out.

The user's work tree, index, branches and configuration are not touched; DVC's cache is shared, so it may grow.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType

from dvc_modelver.commands.project import Project
from dvc_modelver.core.declarations import Declared
from dvc_modelver.core.facts import Scalar, Values
from dvc_modelver.core.secrets import redact_text
from dvc_modelver.core.text import one_line
from dvc_modelver.dvcio import facts as dvc_facts
from dvc_modelver.dvcio import paths
from dvc_modelver.dvcio.config import DvcConfig, read_dvc_config
from dvc_modelver.dvcio.locate import Commit
from dvc_modelver.dvcio.scratch import scratch_dir
from dvc_modelver.errors import EnvironmentProblem, ModelverError, Refused
from dvc_modelver.gitio.process import LOCAL_ENV_VARS
from dvc_modelver.gitio.worktree import WorkTree

_LABEL = "modelver-bisect"
_NO_HOOKS = (f"core.hooksPath={os.devnull}",)
_PATIENCE = 10.0
"""Seconds that a command which is broken off has to clean up."""


def refuse_inside_dvc(project: Project) -> None:
    """A running pipeline stage holds DVC's locks.  Raises `Refused`."""
    if project.around.env.get("DVC_STAGE"):
        raise Refused(
            f"this runs inside the pipeline stage {project.around.env['DVC_STAGE']}",
            hint="run bisect --repro after dvc repro has ended",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What came out of a build."""

    value: Scalar = None
    problem: str | None = None
    """Why there is no value."""


class Builder:
    """Builds commits of one repository.  A context manager: what it made goes, also after Ctrl-C or SIGTERM.

    Args:
        file: of the metrics.
        pick: the metric among all values that a build wrote.

    Raises:
        EnvironmentProblem: in a bare repository.
    """

    def __init__(self, project: Project, name: str, file: str, pick: Callable[[Values], Scalar]) -> None:
        self._project, self._name, self._file, self._pick = project, name, file, pick
        self._root = project.root
        self._git = project.repository.git
        self._scratch = scratch_dir(Path(tempfile.gettempdir()), _LABEL)
        self._signals = _terminated()
        self._place = Path()

    def __enter__(self) -> Builder:
        self._signals.__enter__()
        try:
            self._place = self._scratch.__enter__().resolve()
            self._forget_dead()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        try:
            if self._place != Path():
                self._scratch.__exit__(None, None, None)
        finally:
            self._signals.__exit__(None, None, None)

    def build(self, commit: str, declared: Declared | None) -> Built:
        """The metric of `commit` after `dvc repro` of the pipeline stage that writes it, and of all before that."""
        if declared is None:
            return Built(problem=f"no model {self._name} is declared")
        try:
            tree = self._project.tree(commit)
            target = _target(Commit(tree), declared, self._file)
            if target is None:
                return Built(problem=f"no pipeline stage writes {self._file}")
            with self._worktree(commit) as place:
                return self._run(place, target, declared)
        except ModelverError as error:
            return Built(problem=error.message)

    # The worktree -----------------------------------------------------------------------------------------------

    @contextmanager
    def _worktree(self, commit: str) -> Iterator[Path]:
        place = self._place / commit[:12]
        try:
            self._git.run("worktree", "add", "--quiet", "--detach", "--", str(place), commit, config=_NO_HOOKS)
            yield place
        finally:
            self._remove(place)

    def _remove(self, place: Path) -> None:
        # Twice `--force`: one that was broken off while it was made is locked.
        self._git.complete("worktree", "remove", "--force", "--force", "--", str(place), config=_NO_HOOKS)

    def _forget_dead(self) -> None:
        """Of builds that were killed Git still has the names; others' worktrees, also lost ones, are left alone."""
        for line in self._git.text("worktree", "list", "--porcelain").splitlines():
            word, _, path = line.partition(" ")
            place = Path(path)
            if word == "worktree" and f".{_LABEL}." in place.parent.name and not place.exists():
                self._remove(place)

    # DVC --------------------------------------------------------------------------------------------------------

    def _run(self, place: Path, target: tuple[str, str], declared: Declared) -> Built:
        root, stage = target
        config = read_dvc_config(self._root / root / ".dvc", env=self._project.around.env)
        write_local_config(config, self._root / root / ".dvc", place / root / ".dvc")
        self._bring_data(place / root, config)
        problem = self._dvc(place / root, "repro", "--", stage)
        if problem is not None:
            return Built(problem=problem)
        measured = dvc_facts.metrics(WorkTree(place), declared)
        return Built(value=self._pick(measured.values), problem=next((one.problem for one in measured.problems), None))

    def _bring_data(self, where: Path, config: DvcConfig) -> None:
        """What the cache lacks may still be made, or come from the remote; if not, `dvc repro` says so."""
        if self._dvc(where, "checkout", "--quiet") is not None and config.default_remote is not None:
            self._dvc(where, "pull", "--quiet", "--allow-missing")

    def _dvc(self, where: Path, *words: str) -> str | None:
        """Run DVC; None when it ended well, else its last words."""
        log = self._place / "dvc.log"
        with log.open("wb") as output:
            status = _call([sys.executable, "-m", "dvc", *words], where, self._env(), output.fileno())
        if status == 0:
            return None
        lines = [line for line in log.read_text("utf-8", "replace").splitlines() if line.startswith("ERROR")]
        said = one_line(redact_text(lines[0].partition(":")[2] if lines else ""), 200)
        return f"dvc {words[0]} ended with {status}{f': {said}' if said else ''}"

    def _env(self) -> dict[str, str]:
        """The user's, without what belongs to a surrounding Git; DVC keeps its notes on the worktree with it."""
        own = {"DVC_SITE_CACHE_DIR": str(self._place / "site"), "DVC_NO_ANALYTICS": "1", "DVC_STUDIO_OFFLINE": "1"}
        return {key: value for key, value in self._project.around.env.items() if key not in LOCAL_ENV_VARS} | own


def _target(commit: Commit, declared: Declared, file: str) -> tuple[str, str] | None:
    """(directory of the DVC repository, the pipeline stage that writes the metrics, as DVC takes it from there)."""
    located = commit.find(file, declared.file)
    if located is not None and located.stage is not None:
        home, stage = located.file, located.stage
    else:
        never_run = commit.unlocked(file, declared.file)
        if never_run is None:
            return None
        home, stage = declared.file, never_run
    root = commit.root_of(home)
    return root, f"{home[len(root) + 1 :] if root and paths.inside(home, root) else home}:{stage}"


def write_local_config(config: DvcConfig, source: Path, target: Path) -> None:
    """Give a worktree the user's own settings, cache and remotes, whatever directory they are relative to.

    Args:
        source: the `.dvc` directory of the user's work tree.
        target: that of the worktree; made when missing.

    Raises:
        EnvironmentProblem: it cannot be written.
    """
    from configobj import ConfigObj  # type: ignore[import-untyped, unused-ignore]

    local = source / "config.local"
    lines = local.read_text("utf-8").splitlines() if local.is_file() else []
    settings = ConfigObj(lines, interpolation=False, write_empty_values=True)
    # Copies: a command of the repository that writes into a linked file would write into the cache.
    settings.setdefault("cache", {}).update({"dir": str(config.cache_dir), "type": "reflink,copy"})
    for name, remote in config.remotes.items():
        if remote.directory is not None:
            settings.setdefault(f'remote "{name}"', {})["url"] = str(remote.directory)
    try:
        if target.is_symlink():
            raise EnvironmentProblem(f"{target} is a symbolic link")
        target.mkdir(parents=True, exist_ok=True)
        file = target / "config.local"
        file.unlink(missing_ok=True)  # one in Git may be a link
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as output:
            output.write("\n".join(settings.write() or ()).encode("utf-8"))
    except OSError as error:
        raise EnvironmentProblem(f"cannot write in {target}: {error.strerror}") from None


# Processes ------------------------------------------------------------------------------------------------------


def _call(words: Sequence[str], where: Path, env: dict[str, str], output: int) -> int:
    """Run a command in a session of its own, so that all it started ends with it; its exit status."""
    process = subprocess.Popen(
        words, cwd=where, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
    )
    try:
        return process.wait()
    except BaseException:
        _stop(process)
        raise


def _stop(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_PATIENCE)
            return


@contextmanager
def _terminated() -> Iterator[None]:
    """Meanwhile SIGTERM and SIGHUP end the command as Ctrl-C does: it cleans up."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        if before[number] not in (signal.SIG_IGN, None):
            signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
