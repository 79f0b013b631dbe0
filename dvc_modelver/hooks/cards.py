"""What the two hooks for cards share: whether a commit concerns a card, and starting the command itself."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from dvc_modelver.errors import EnvironmentProblem, ModelverError
from dvc_modelver.hooks.precommit import declaring, is_dvc_name, is_mentioned
from dvc_modelver.hooks.staged import Change, Staged

_MARK = b"modelver:begin"
_SPEAKING = ("artifacts.yaml", ".modelver.yaml", "pyproject.toml", "MLmodel")


def concerns_cards(staged: Staged) -> bool:
    """Whether a card may be other after this commit than before; decided by names, and by text where names are open."""
    if not any(staged.tree.files("dvc.yaml", "artifacts.yaml")):
        return any(change.name in ("dvc.yaml", "artifacts.yaml") for change in staged.changes)
    if any(is_dvc_name(change.name) or change.name in _SPEAKING for change in staged.changes):
        return True
    return any(_is_card(staged, change) for change in staged.changes) or is_mentioned(
        (change.path for change in staged.changes), declaring(staged, "dvc.yaml", "dvc.lock", *_SPEAKING)
    )


def _is_card(staged: Staged, change: Change) -> bool:
    """A card, or a picture beside Markdown."""
    if change.name.endswith(".svg"):
        folder = change.path[: -len(change.name)]
        return any(path.startswith(folder) for path in staged.tree.files("*.md"))
    if not change.name.endswith(".md"):
        return False
    sides = [entry.oid for entry in (change.old, change.new) if entry.mode.startswith("100")]
    return any(_MARK in staged.tree.blob(oid) for oid in sides)


def run_card(command: str, names: tuple[str, ...], root: Path, env: Mapping[str, str]) -> Mapping[str, object]:
    """The JSON answer of `modelver card COMMAND` for the work tree at `root`.

    Raises what the command says, `EnvironmentProblem` when it says nothing that can be read.
    """
    import json
    import subprocess
    from tempfile import TemporaryDirectory

    argv = [sys.executable, "-m", "dvc_modelver", "card", command, "-C", str(root), "--json", "--", *names]
    # Python looks for modules in the working directory first: never start it in the repository.
    with TemporaryDirectory(prefix="modelver-") as empty:
        done = subprocess.run(
            argv, cwd=empty, env=dict(env), stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise EnvironmentProblem(f"modelver card {command} failed: {said[-1] if said else done.returncode}")
    error = answer.get("error")
    if isinstance(error, dict):
        raise _error(error)
    return answer


def _error(error: Mapping[str, object]) -> ModelverError:
    kind = next((kind for kind in _all_kinds(ModelverError) if kind.kind == error.get("kind")), ModelverError)
    return kind(str(error.get("message", "")), hint=str(error.get("hint", "")))


def _all_kinds(kind: type[ModelverError]) -> Iterator[type[ModelverError]]:
    yield from kind.__subclasses__()


def rows(value: object) -> list[Mapping[str, object]]:
    """The objects of a JSON list."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []
