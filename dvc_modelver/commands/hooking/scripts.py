"""The text of our hook files, and how they and those of others are told apart.  Pure: text in, text out."""

from __future__ import annotations

import hashlib
import re
import shlex
from enum import Enum

GUARDING = "pre-push"
"""The hook that must not pass when it cannot look; the others only inform."""
HOOKS = ("pre-push", "post-checkout", "post-merge", "prepare-commit-msg")
KEPT = ".before-modelver"
"""Where a hook file lies that stood in our place; ours runs it first."""
LEGACY = ".legacy"
"""Where pre-commit puts a hook file that stood in its place; its own runs it first."""
EDITED = ".edited-by-hand"
"""Where a hook file of ours goes that somebody has changed."""

_MARK = "# modelver hook "
_head = re.compile(rb"#!/bin/sh\n# modelver hook ([a-z-]+) sha256=([0-9a-f]{16})\n")
_python = re.compile(rb"^python=(.+)$", re.MULTILINE)
# pre-commit knows its own files, of every release, by such a line of 32 hexadecimal digits.
_pre_commit = re.compile(rb"^# ID: [0-9a-f]{32}$", re.MULTILINE)
_NOT_INSTALLED = 97

# `python -c` puts the working directory first on its path: a repository's own `dvc_modelver` is not the one we mean.
_START = f"""\
import sys
if sys.path[:1] == [""]:
    del sys.path[0]
try:
    from dvc_modelver.hooks.main import main
except ImportError:
    sys.exit({_NOT_INSTALLED})
sys.exit(main(sys.argv[1:]))"""

_PRE_PUSH = """\
rows=$(cat && echo .) || {
    echo "error: the tags of this push cannot be read: cat does not run" >&2
    echo "hint: check PATH; git push --no-verify goes without this check" >&2
    exit 1
}
rows=${rows%.}
before="${0%/*}/pre-push@KEPT@"
if [ -f "$before" ] && [ -x "$before" ]; then
    printf %s "$rows" 2>/dev/null | "$before" "$@" || exit $?
fi
case $rows in
*" refs/tags/"*) ;;
*) exit 0 ;;
esac
status=@NOT_INSTALLED@
if [ -x "$python" ]; then
    printf %s "$rows" | "$python" -c "$start" pre-push "$@"
    status=$?
fi
case $status in
@NOT_INSTALLED@ | 126 | 127)
    echo "error: the tags of this push cannot be checked: there is no modelver in $python" >&2
    echo "hint: modelver hooks install, from an environment that has it; git push --no-verify goes without" >&2
    exit 1
    ;;
esac
exit "$status"
"""
_INFORMING = """\
before="${0%/*}/@NAME@@KEPT@"
if [ -f "$before" ] && [ -x "$before" ]; then
    "$before" "$@"@OR@
fi
if [ -x "$python" ]; then
    "$python" -c "$start" @NAME@ "$@"
fi
exit @STATUS@
"""


class Kind(Enum):
    """Whose a hook file is."""

    OURS = "ours"
    EDITED = "ours, edited"
    PRE_COMMIT = "pre-commit's"
    CALLS_US = "another's, with our line"
    OTHER = "another's"


def hook_script(name: str, python: str) -> bytes:
    """The whole file of the hook `name`, which starts the interpreter at the absolute path `python`."""
    body = _PRE_PUSH if name == GUARDING else _INFORMING
    # After a commit's or a checkout's hook of others has failed, git gets its status; only a commit stops for it.
    commit = name == "prepare-commit-msg"
    words = {
        "NAME": name,
        "KEPT": KEPT,
        "NOT_INSTALLED": str(_NOT_INSTALLED),
        "OR": " || exit $?" if commit else "\n    status=$?",
        "STATUS": "0" if commit else '"${status:-0}"',
    }
    for word, value in words.items():
        body = body.replace(f"@{word}@", value)
    path = python.replace("\\", "/")
    text = (
        "# Written by `modelver hooks install`; `modelver hooks uninstall` takes it away.\n"
        f"# What stood here before is kept in {name}{KEPT}, and runs first.\n"
        f"python={shlex.quote(path)}\nstart={shlex.quote(_START)}\n{body}"
    ).encode("utf-8", "surrogateescape")
    return f"#!/bin/sh\n{_MARK}{name} sha256={_digest(text)}\n".encode() + text


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()[:16]


def kind_of(name: str, text: bytes) -> Kind:
    """Whose file it is that git would run as the hook `name`."""
    if _is_ours(name, text) or _is_ours(name, unix_lines(text)):
        return Kind.OURS
    if _MARK.encode() + name.encode() in text:
        return Kind.EDITED
    named = text.find(b"pre-commit")
    if named >= 0 and _pre_commit.search(text, named) is not None:
        return Kind.PRE_COMMIT
    return Kind.CALLS_US if calls_us(name, text) else Kind.OTHER


def _is_ours(name: str, text: bytes) -> bool:
    head = _head.match(text)
    return head is not None and head[1].decode() == name and _digest(text[head.end() :]).encode() == head[2]


def unix_lines(text: bytes) -> bytes:
    """A script whose lines somebody's editor or Git setting ended as on Windows, with its own line ends."""
    return text.replace(b"\r\n", b"\n")


def calls_us(name: str, text: bytes) -> bool:
    """Whether somebody's own script has the line that starts our hook."""
    return re.search(rb"^[^#\n]*\bmodelver\S*\s+git-hook\s+" + name.encode() + rb"\b", text, re.MULTILINE) is not None


def interpreter_of(text: bytes) -> str:
    """The interpreter that a file of ours starts; empty when its line is gone."""
    found = _python.search(text)
    return first_word(found[1].decode("utf-8", "surrogateescape")) if found is not None else ""


def first_word(text: str) -> str:
    """The first word as a shell reads it; empty when there is none, or a quote is left open."""
    try:
        words = shlex.split(text)
    except ValueError:
        return ""
    return words[0] if words else ""


def line_for(name: str) -> str:
    """The line that somebody adds to a hook file which is not ours to edit."""
    return f'modelver git-hook {name} "$@" || exit $?'
