"""Completion in bash, which splits words at `@`, `:` and `=` too (COMP_WORDBREAKS): `churn@v1` comes as three.

The pieces are put together before typer looks at them, and what stands before the last piece is taken off the
answers, since bash replaces that piece alone.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, MutableMapping, Sequence
from contextlib import redirect_stdout
from io import StringIO

_is_break = re.compile(r"[@:=]+").fullmatch


def is_bash(env: MutableMapping[str, str]) -> bool:
    """Whether this process was started by our completion script for bash."""
    return env.get("_MODELVER_COMPLETE") == "complete_bash"


def complete(env: MutableMapping[str, str], main: Callable[[], int]) -> tuple[int, str]:
    """Run `main` with whole words in `env`; its exit code, and the answers as bash wants them."""
    try:
        words, at = shlex.split(env["COMP_WORDS"], posix=False), int(env["COMP_CWORD"])
        words, at, cut = join_words(words, at)
    except (KeyError, ValueError):  # an open quote: left to typer
        cut = ""
    else:
        env["COMP_WORDS"], env["COMP_CWORD"] = " ".join(words), str(at)
    with redirect_stdout(StringIO()) as out:
        status = main()
    return status, "".join(line.removeprefix(cut) for line in out.getvalue().splitlines(keepends=True))


def join_words(words: Sequence[str], at: int) -> tuple[list[str], int, str]:
    """The words up to number `at` put together, the number of the current one now, and what to take off answers."""
    joined: list[str] = []
    cut, glued = "", False
    for word in words[: at + 1]:
        cut = ""
        if joined and (glued or _is_break(word)):
            cut = joined[-1] + (word if _is_break(word) else "")
            joined[-1] += word
        else:
            joined.append(word)
        glued = _is_break(word) is not None
    if len(words) <= at:
        return joined, len(joined), ""
    return joined, len(joined) - 1, cut
