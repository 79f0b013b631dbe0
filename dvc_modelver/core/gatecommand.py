"""Calls of our gate in a pipeline stage's command, read as a shell would split it.  Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import PurePosixPath

_PROGRAMS = ("modelver", "dvc_modelver")
OPTIONS = ("--rev", "--exp", "--against", "--policy", "--out", "--reference", "-C")
"""Those that take a value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateCall:
    """`modelver gate MODEL --reference FILE`, with the options that take a value."""

    model: str
    """As written; empty when none is named."""
    options: dict[str, str] = field(default_factory=dict)


def gate_calls(cmd: str) -> Iterator[GateCall]:
    """The gates that a command runs, several commands on a line each; what cannot be split into words has none."""
    for words in _simple_commands(cmd):
        for at, word in enumerate(words):
            if PurePosixPath(word).name in _PROGRAMS:
                given, options = _parsed(words[at + 1 :])
                if given[:1] == ["gate"]:
                    yield GateCall(model=given[1] if len(given) > 1 else "", options=options)


def _simple_commands(cmd: str) -> Iterator[list[str]]:
    """The words of each command on a line of shell."""
    for line in cmd.split("\n"):
        reader = shlex.shlex(line, posix=True, punctuation_chars=";&|")
        reader.whitespace_split, reader.commenters = True, ""
        with suppress(ValueError):
            words: list[str] = []
            for word in reader:
                if set(word) <= set(";&|"):
                    yield words
                    words = []
                else:
                    words.append(word)
            yield words


def _parsed(words: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """What stands alone, and the options that have a value."""
    given: list[str] = []
    options: dict[str, str] = {}
    left = iter(words)
    for word in left:
        option, equals, value = word.partition("=")
        if option in OPTIONS:
            options[option] = value if equals else next(left, "")
        elif not word.startswith("-"):
            given.append(word)
    return given, options
