"""A private place to run the repository's own pipeline in: a linked worktree, and `dvc` as a process of its own.

The user's work tree, index, branches and configuration are not touched; what is made there goes with it.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType

from dvc_modelver.commands.project import Project
from dvc_modelver.core.secrets import redact_text
from dvc_modelver.core.text import one_line
from dvc_modelver.dvcio.config import DvcConfig
from dvc_modelver.dvcio.scratch import scratch_dir
from dvc_modelver.errors import EnvironmentProblem, Refused
from dvc_modelver.gitio.commits import uninterrupted
from dvc_modelver.gitio.process import LOCAL_ENV_VARS

_NO_HOOKS = (f"core.hooksPath={os.devnull}",)
# DVC's own reader of the index knows no split one.
_NEW = (*_NO_HOOKS, "core.splitIndex=false")
_PATIENCE = 10.0
"""Seconds that a command which is broken off has to clean up."""
_MAX_LOG = 64 * 1024
"""Bytes of a command's last words that are read."""
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def refuse_inside_dvc(project: Project, what: str) -> None:
    """A running pipeline stage holds DVC's locks.  Raises `Refused`; `what` is the command for the hint."""
    if project.around.env.get("DVC_STAGE"):
        raise Refused(
            f"this runs inside the pipeline stage {project.around.env['DVC_STAGE']}",
            hint=f"run {what} after dvc repro has ended",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a `dvc` command ended."""

    status: int
    log: str
    """The last of what it and the pipeline printed; as it is: not redacted, not safe to show."""

    @property
    def error(self) -> str:
        """DVC's own first error, on one line and without secrets; empty when it printed none."""
        lines = [line for line in self.log.splitlines() if line.startswith("ERROR")]
        return one_line(redact_text(lines[0].partition(":")[2] if lines else ""), 200)


class Workbench:
    """Worktrees of one repository.  A context manager: what it made goes, also after Ctrl-C or SIGTERM.

    Args:
        label: names the place; what a kill left under the same label is removed by the next.

    Raises:
        EnvironmentProblem: in a bare repository.
    """

    def __init__(self, project: Project, label: str) -> None:
        self._project, self._label = project, label
        self.root = project.root
        self._git = project.repository.git
        self._scratch = scratch_dir(Path(tempfile.gettempdir()), label)
        self._signals = _terminated()
        self.place = Path()
        """Private; gone at the end."""

    def __enter__(self) -> Workbench:
        self._signals.__enter__()
        try:
            self.place = self._scratch.__enter__().resolve()
            self._forget_dead()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        try:
            if self.place != Path():
                self._scratch.__exit__(None, None, None)
        finally:
            self._signals.__exit__(None, None, None)

    # The worktree -----------------------------------------------------------------------------------------------

    @contextmanager
    def worktree(self, commit: str) -> Iterator[Path]:
        """A linked worktree of that commit, without the repository's hooks."""
        place = self.place / commit[:12]
        try:
            self._git.run("worktree", "add", "--quiet", "--detach", "--", str(place), commit, config=_NEW)
            yield place
        finally:
            self._remove(place)

    def _remove(self, place: Path) -> None:
        # Twice `--force`: one that was broken off while it was made is locked.
        with uninterrupted():
            self._git.complete("worktree", "remove", "--force", "--force", "--", str(place), config=_NO_HOOKS)

    def _forget_dead(self) -> None:
        """Of builds that were killed Git still has the names; others' worktrees, also lost ones, are left alone."""
        for line in self._git.text("worktree", "list", "--porcelain").splitlines():
            word, _, path = line.partition(" ")
            place = Path(path)
            if word == "worktree" and f".{self._label}." in place.parent.name and not place.exists():
                self._remove(place)

    # DVC --------------------------------------------------------------------------------------------------------

    def dvc(self, where: Path, *words: str) -> Ended:
        """Run DVC in `where` with the user's environment, without what belongs to a surrounding Git."""
        log = self.place / "dvc.log"
        with log.open("wb") as output:
            status = _call([sys.executable, "-m", "dvc", *words], where, self._env(), output.fileno())
        return Ended(status=status, log=_COLOUR.sub("", _last(log)))

    def _env(self) -> dict[str, str]:
        """DVC keeps its notes on the worktree with it."""
        own = {"DVC_SITE_CACHE_DIR": str(self.place / "site"), "DVC_NO_ANALYTICS": "1", "DVC_STUDIO_OFFLINE": "1"}
        return {key: value for key, value in self._project.around.env.items() if key not in LOCAL_ENV_VARS} | own


def _last(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _MAX_LOG))
        return file.read().decode("utf-8", "replace")


def write_local_config(config: DvcConfig, source: Path, target: Path, *, cache: Path | None = None) -> None:
    """Give a worktree the user's own settings, cache and remotes, whatever directory they are relative to.

    Args:
        source: the `.dvc` directory of the user's work tree.
        target: that of the worktree; made when missing.
        cache: what to use instead of the user's cache.

    Raises:
        EnvironmentProblem: it cannot be written.
    """
    from configobj import ConfigObj  # type: ignore[import-untyped, unused-ignore]

    local = source / "config.local"
    lines = local.read_text("utf-8").splitlines() if local.is_file() else []
    settings = ConfigObj(lines, interpolation=False, write_empty_values=True)
    # Copies: a command of the repository that writes into a linked file would write into the cache.
    settings.setdefault("cache", {}).update({"dir": str(cache or config.cache_dir), "type": "reflink,copy"})
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
