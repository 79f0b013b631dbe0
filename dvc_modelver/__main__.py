"""`python -m dvc_modelver` is `modelver`."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

    from dvc_modelver.hooks.cardcommands import CardCommands

# `python -m` looks for modules in the working directory first: a repository's `yaml.py` is not the one we mean.
if sys.path and sys.path[0] in ("", os.getcwd()):
    del sys.path[0]

_FAST = ("git-hook", "merge-driver")
"""Commands for git, not for people: they do without typer, which would be most of their time."""
_WITH_AN_END = frozenset({"dvc", "joblib"})
"""Modules that have threads, files and processes of their own to close."""


def for_git(words: Sequence[str]) -> int:
    """Run `git-hook NAME ARGS` or `merge-driver ARGS`; the exit code."""
    from dvc_modelver.hooks.main import main

    # The first is followed by a hook's name, the second is one.
    return main(words[1:] if words[0] == "git-hook" else words, _cards)


def _cards() -> CardCommands:
    from dvc_modelver.cli import cardhooks

    return cardhooks


def _open_streams() -> None:
    """Give the null device to a stdin, stdout or stderr that is closed (`>&-`, some daemons).

    The next file to be opened would take its number, and read or keep what is meant for the stream.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None and os.open(os.devnull, os.O_RDWR) == number:
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115


def _leave(status: int) -> NoReturn:
    """End the process without taking the interpreter apart, which is a tenth of a command's time."""
    for name in ("stdout", "stderr"):
        try:
            getattr(sys, name).flush()
        except (OSError, ValueError):  # nobody reads it any more
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
    if not _WITH_AN_END.isdisjoint(sys.modules):
        sys.exit(status)
    os._exit(status)


def start() -> None:
    """What the installed `modelver` script calls."""
    from dvc_modelver.hooks.utf8 import speak_utf8

    speak_utf8()
    _open_streams()
    if sys.argv[1:2] and sys.argv[1] in _FAST:
        _leave(for_git(sys.argv[1:]))
    from dvc_modelver.cli.main import run

    _leave(run())


if __name__ == "__main__":
    start()
