"""`modelver-commit-msg`: a commit's message holds neither lines that records are made of nor secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dvc_modelver.errors import BadInput
from dvc_modelver.hooks.call import Call
from dvc_modelver.hooks.precommit import Finding, report

_SCISSORS = re.compile(r"^.{1,8} -{24} >8 -{24}$", re.MULTILINE)
"""What `git commit --verbose` puts above the diff, which is no part of the message."""
_NO_EDITOR = ":"
"""What git exports as GIT_EDITOR when it opens none."""
_RESERVED = "Modelver-"
_MAX_BYTES = 1024 * 1024


def run(call: Call) -> int:
    """0 when the message in the file that git names is fine, 1 when not."""
    if len(call.args) != 1:
        raise BadInput("modelver-commit-msg needs the message's file", hint="pre-commit install --hook-type commit-msg")
    with open(call.directory / call.args[0], "rb") as stream:
        text = stream.read(_MAX_BYTES).decode("utf-8", "replace")
    return report(call, check_message(text, edited=call.env.get("GIT_EDITOR") != _NO_EDITOR))


def check_message(text: str, *, edited: bool = True) -> Iterator[Finding]:
    """What is wrong with a commit's message, by line.

    Args:
        edited: an editor was opened: only then git puts a diff below a line of scissors, and cuts there.
    """
    cut = _SCISSORS.search(text) if edited else None
    message = text[: cut.start()] if cut else text
    for number, line in enumerate(message.split("\n"), 1):
        if line.startswith(_RESERVED):
            yield Finding(
                path=f"message line {number}",
                problem=f"lines that begin with {_RESERVED} are read as the record of a version",
                remedy="begin the line with another word, then commit again",
            )
    from dvc_modelver.core.secrets import scan

    for found in scan(message):
        yield Finding(
            path=f"message line {found.line}",
            problem=f"this looks like a secret: {found.kind}",
            remedy="take it out, commit again, and change the secret itself",
        )
