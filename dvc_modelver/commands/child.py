"""One child process with our streams: signals are passed on, and what it used is measured."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from dvc_modelver.errors import BadInput

_FORWARDED = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")
_FROM_TERMINAL = ("SIGINT", "SIGQUIT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a child ended."""

    code: int
    """Its exit status; 128 and the signal's number when a signal ended it, as shells say."""
    seconds: float
    peak_memory: int | None
    """Bytes, of its largest process; None where the system does not tell."""


def run_child(words: Sequence[str], directory: Path, env: Mapping[str, str]) -> Ended:
    """Start a command, wait for its end.  Raises `BadInput` when it cannot be started."""
    signals = _Signals()
    with signals.passed_on():
        started = time.monotonic()
        try:
            process = subprocess.Popen(list(words), cwd=directory, env=dict(env))
        except OSError as error:
            words_of = error.strerror or str(error)
            raise BadInput(f"cannot start {words[0]}: {words_of}", hint="check the command after --") from None
        signals.to(process.pid)
        status, peak = _wait(process)
        signals.to(None)
        seconds = time.monotonic() - started
    code = status if status >= 0 else 128 - status
    return Ended(code=code, seconds=seconds, peak_memory=peak)


def _wait(process: subprocess.Popen[bytes]) -> tuple[int, int | None]:
    """(exit status, negative for a signal; peak memory)."""
    if not hasattr(os, "wait4"):
        return process.wait(), None
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


@dataclass(slots=True)
class _Signals:
    """Hands signals to the child; those that come before it has started are kept for it."""

    pid: int | None = None
    waiting: list[int] = field(default_factory=list)

    def to(self, pid: int | None) -> None:
        self.pid = pid
        for number in self.waiting if pid is not None else ():
            self._send(number)
        self.waiting.clear()

    @contextmanager
    def passed_on(self) -> Iterator[None]:
        """Meanwhile signals reach the child and leave us alive; ignored ones stay ignored."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = [getattr(signal, name) for name in _FORWARDED if hasattr(signal, name)]
        before = {n: signal.getsignal(n) for n in numbers if signal.getsignal(n) not in (signal.SIG_IGN, None)}
        for number in before:
            signal.signal(number, self._handle)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        # A terminal sends to all of its foreground group: a second Ctrl-C would break off the child's clean-up.
        if signal.Signals(number).name in _FROM_TERMINAL and _in_foreground():
            return
        if self.pid is None:
            self.waiting.append(number)
        else:
            self._send(number)

    def _send(self, number: int) -> None:
        try:
            if self.pid is not None:
                os.kill(self.pid, number)
        except ProcessLookupError:
            pass


def _in_foreground() -> bool:
    """Whether we belong to the group that the terminal, if there is one, sends its signals to."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
