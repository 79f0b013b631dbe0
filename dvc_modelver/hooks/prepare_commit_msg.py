"""prepare-commit-msg, with `hooks.messages: true`: what a commit changes in metrics and params, as comments.

Only where git opens an editor on an empty message or a template; messages that somebody else has written stay.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from dvc_modelver.core.secrets import redact_value
from dvc_modelver.core.text import one_line
from dvc_modelver.dvcio.settings import read_config_files
from dvc_modelver.errors import ModelverError
from dvc_modelver.gitio.objects import CommitTree, Objects
from dvc_modelver.gitio.repository import Repository, operation_under_way
from dvc_modelver.hooks.call import Call
from dvc_modelver.hooks.whereabouts import repository_of

_SOURCES = ("", "template")
_NO_EDITOR = ":"
"""What git exports as GIT_EDITOR when it opens none."""
_KEEPS_COMMENTS = ("verbatim", "whitespace")
_SCISSORS = b" ------------------------ >8 ------------------------"
_MAX_ROWS = 30
_LINE = 200
_MAX_MODELS = 20


def run(call: Call) -> int:
    """Always 0: no commit fails for its comments.  The arguments are the file, where its text is from, and a commit."""
    path, source = (*call.args, "", "")[:2]
    if not path or source not in _SOURCES or call.env.get("GIT_EDITOR") == _NO_EDITOR:
        return 0
    with suppress(ModelverError, OSError, ValueError, RecursionError):
        repository = repository_of(call)
        if repository.root is not None and read_config_files(repository.root, call.env, key="hooks").hooks.messages:
            _prepare(call, repository, call.directory / path)
    return 0


def _prepare(call: Call, repository: Repository, path: Path) -> None:
    config = repository.git.config
    if operation_under_way(repository) is not None or config.get("commit.cleanup", "") in _KEEPS_COMMENTS:
        return
    text = path.read_bytes()
    mark = _comment(text, config.get("core.commentstring", config.get("core.commentchar", "#")))
    # Without a line of git's own, nobody said that comments are left out.
    if mark is None or not any(line.startswith(mark) for line in text.split(b"\n")):
        return
    rows = list(_rows(call, repository))
    if rows:
        shown = rows[:_MAX_ROWS] + ([f"and {len(rows) - _MAX_ROWS} more"] if len(rows) > _MAX_ROWS else [])
        lines = [mark, *(mark + b" " + line.encode("utf-8", "replace") for line in ("This commit changes:", *shown))]
        _write(path, _insert(text, mark, b"".join(line + b"\n" for line in lines)))


def _comment(text: bytes, setting: str) -> bytes | None:
    """What begins a comment; with `auto` git has chosen, and its own lines are the last."""
    if setting != "auto":
        return setting.encode("utf-8", "surrogateescape") or None
    last = next((line for line in reversed(text.split(b"\n")) if line.strip()), b"")
    return last[:1] if last[:1] in {bytes([c]) for c in b"#;@!$%^&|:"} else None


def _insert(text: bytes, mark: bytes, comments: bytes) -> bytes:
    """At the end; with `-v` or scissors above the diff, below the line from which on git drops everything."""
    lines = text.split(b"\n")
    cut = next((n for n, line in enumerate(lines) if line == mark + _SCISSORS), None)
    if cut is None:
        return text + (b"" if text.endswith(b"\n") or not text else b"\n") + comments
    after = next((n for n in range(cut, len(lines)) if not lines[n].startswith(mark)), len(lines))
    return b"\n".join(lines[:after]) + b"\n" + comments + b"\n".join(lines[after:])


def _write(path: Path, text: bytes) -> None:
    temporary = path.with_name(f"{path.name}.modelver-tmp")
    temporary.write_bytes(text)
    os.replace(temporary, path)


# What changes -------------------------------------------------------------------------------------------------------


def _rows(call: Call, repository: Repository) -> Iterator[str]:
    index = call.env.get("GIT_INDEX_FILE")
    env = {"GIT_INDEX_FILE": str(call.directory / index)} if index else {}
    # The commit is about to write the very same trees.
    staged = repository.git.run("write-tree", env=env).decode("ascii").strip()
    with Objects(repository.git) as objects:
        head = objects.commit("HEAD")
        if head is None or objects.tree_of(head) == staged:
            return
        before = _values(CommitTree(objects, head, repository.git))
        after = _values(_StagedTree(objects, staged, repository))
    for kind in ("metric", "param"):
        keys = sorted({key for key in (*before, *after) if key[0] == kind})
        for key in keys:
            old, new = before.get(key), after.get(key)
            if old != new:
                words = f"{kind} {key[1]} {key[2]}: {_shown(key[2], old)} -> {_shown(key[2], new)}"
                yield f"  {one_line(words, _LINE)}"


def _shown(key: str, value: object) -> str:
    return "none" if value is None else redact_value(key, value)


def _values(tree: CommitTree) -> dict[tuple[str, str, str], object]:
    """(metric or param, file, key) -> value, of the models that the tree declares."""
    from dvc_modelver.dvcio.facts import metrics, params
    from dvc_modelver.dvcio.project import declared

    found: dict[tuple[str, str, str], object] = {}
    for artifact in declared(tree).artifacts[:_MAX_MODELS]:
        for kind, read in (("metric", metrics), ("param", params)):
            with suppress(ModelverError):
                for file, keys in read(tree, artifact).values.items():
                    found |= {(kind, file, key): value for key, value in keys.items()}
    return found


class _StagedTree(CommitTree):
    """What the commit is going to be."""

    def __init__(self, objects: Objects, tree: str, repository: Repository) -> None:
        self._objects, self._git = objects, repository.git
        self.commit, self.oid = tree, tree
