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


def for_git(words: Sequence[str]) -> int:
    """Run `git-hook NAME ARGS` or `merge-driver ARGS`; the exit code."""
    from dvc_modelver.hooks.main import main

    # The first is followed by a hook's name, the second is one.
    return main(words[1:] if words[0] == "git-hook" else words, _cards)


def _cards() -> CardCommands:
    from dvc_modelver.cli import cardhooks

    return cardhooks


def _leave(status: int) -> NoReturn:
    """End the process without taking the interpreter apart, which is a seventh of a hook's time."""
    # DVC has threads and files of its own to close.
    if "dvc" in sys.modules:
        sys.exit(status)
    from contextlib import suppress

    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # nobody reads it any more
            stream.flush()
    os._exit(status)


def start() -> None:
    """What the installed `modelver` script calls."""
    if sys.argv[1:2] and sys.argv[1] in _FAST:
        _leave(for_git(sys.argv[1:]))
    from dvc_modelver.cli.main import entry_point

    entry_point()


if __name__ == "__main__":
    start()
