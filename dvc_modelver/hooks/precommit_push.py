"""`modelver-pre-push`: the guard of pushes, started by pre-commit, which tells less than git does.

pre-commit reads git's rows itself and speaks of the first one that brings commits: when a tag is pushed whose commit
the remote has, or a tag is deleted, it starts nothing at all.  The native hook sees every row.
"""

from __future__ import annotations

from dataclasses import replace

from dvc_modelver.errors import BadInput
from dvc_modelver.gitio.process import GitProcess, scrubbed
from dvc_modelver.hooks import pre_push
from dvc_modelver.hooks.call import Call

_NOTHING = "0" * 40
_TAGS = "refs/tags/"


def run(call: Call) -> int:
    """As `pre_push.run`, of the one ref that pre-commit names in its environment variables."""
    remote, url = (call.env.get(f"PRE_COMMIT_REMOTE_{part}", "") for part in ("NAME", "URL"))
    if not remote:
        raise BadInput("pre-commit did not say what is pushed", hint="pre-commit install --hook-type pre-push")
    row = _row(GitProcess(call.directory, scrubbed(call.env)), call)
    return pre_push.run(replace(call, args=(remote, url), read=lambda: row))


def _row(git: GitProcess, call: Call) -> bytes:
    """`LOCAL-REF LOCAL-ID REMOTE-REF REMOTE-ID`; empty when pre-commit names no ref."""
    ours, theirs = (call.env.get(f"PRE_COMMIT_{side}_BRANCH", "") for side in ("LOCAL", "REMOTE"))
    if not ours or not theirs:
        return b""
    # In a first push of all, pre-commit names no commits.
    new = call.env.get("PRE_COMMIT_TO_REF") or git.line("rev-parse", "--verify", "--end-of-options", ours)
    row = f"{ours} {new} {theirs} {_old(git, call.env.get('PRE_COMMIT_FROM_REF', ''), theirs)}\n"
    return row.encode("utf-8", "surrogateescape")


def _old(git: GitProcess, start: str, theirs: str) -> str:
    """What the remote has.  For a new ref pre-commit names the commit before the first new one, never a tag."""
    if not start:
        return _NOTHING
    is_tag = git.line("cat-file", "-t", start) == "tag"
    return start if is_tag or not theirs.startswith(_TAGS) else _NOTHING
