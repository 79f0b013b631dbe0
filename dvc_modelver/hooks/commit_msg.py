"""`modelver-commit-msg`: a commit's message holds neither lines that records are made of nor secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

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
    edited = call.env.get("GIT_EDITOR") != _NO_EDITOR
    found = list(check_message(text, edited=edited))
    if found and edited:  # git is asked only now: most messages are fine
        from dvc_modelver.hooks.whereabouts import repository_of

        found = list(check_message(text, comment=_comment(repository_of(call).git.config)))
    return report(call, found)


def _comment(config: Mapping[str, str]) -> str:
    """What begins a line that git is going to take out of an edited message; empty: it takes none."""
    if config.get("commit.cleanup", "default") not in ("default", "strip"):
        return ""
    char = config.get("core.commentstring", config.get("core.commentchar", "#"))
    return "#" if char == "auto" else char


def check_message(text: str, *, edited: bool = True, comment: str = "") -> Iterator[Finding]:
    """What is wrong with a commit's message, by line.

    Args:
        edited: an editor was opened: only then git puts a diff below a line of scissors, and cuts there.
        comment: what begins a line that will be taken out; such are git's own words, as of files and their names.
    """
    cut = _SCISSORS.search(text) if edited else None
    message = text[: cut.start()] if cut else text
    if comment:
        message = "\n".join("" if line.startswith(comment) else line for line in message.split("\n"))
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
