"""What the hooks for pre-commit share: findings, how they are said, and DVC's files by their names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dvc_modelver.core.text import one_line
from dvc_modelver.errors import ExitCode
from dvc_modelver.hooks.call import Call
from dvc_modelver.hooks.staged import Staged

MAX_FINDINGS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that a hook has to say of what is staged."""

    path: str
    problem: str
    remedy: str
    note: bool = False
    """It is worth a look and stops nothing."""


def is_dvc_name(name: str) -> bool:
    """Whether a file of this name is one of DVC's."""
    return name in ("dvc.yaml", "dvc.lock") or (name.endswith(".dvc") and name != ".dvc")


def word(path: str) -> str:
    """A path as it stands in a command that somebody may paste into a shell."""
    import shlex

    return shlex.quote(f"./{path}" if path.startswith("-") else path)


def declaring(staged: Staged, *names: str) -> list[bytes]:
    """The texts of all staged files of these names; read in one process."""
    oids = [staged.tree.entries[path].oid for path in staged.tree.files(*names)]
    staged.tree.read_all(oids)
    return [staged.tree.blob(oid) for oid in oids]


def is_mentioned(paths: Iterable[str], texts: Sequence[bytes]) -> bool:
    """Whether the name of any file, or of a directory above it as the end of a path, stands anywhere in the texts.

    Looked for as bytes: parsing the files would cost more than all the rest of a hook.
    """
    rows = [path.encode("utf-8", "surrogateescape").split(b"/") for path in paths]
    files = {row[-1] for row in rows}
    if any(name in text for text in texts for name in files):
        return True
    folders = sorted({re.escape(part) for row in rows for part in row[:-1]})
    ends = re.compile(rb"(?:%b)/?[\s'\",:\]}]" % b"|".join(folders)) if folders else None
    return ends is not None and any(ends.search(text) for text in texts)


def report(call: Call, findings: Iterable[Finding]) -> int:
    """Say each finding with its next step; the exit code."""
    rows = list(dict.fromkeys(findings))
    for found in rows[:MAX_FINDINGS]:
        call.say(one_line(f"{'note: ' if found.note else ''}{found.path}: {found.problem}"))
        call.say(f"    {one_line(found.remedy)}")
    if len(rows) > MAX_FINDINGS:
        call.say(f"... and {len(rows) - MAX_FINDINGS} more")
    return int(ExitCode.OK if all(found.note for found in rows) else ExitCode.CHECK_FAILED)
