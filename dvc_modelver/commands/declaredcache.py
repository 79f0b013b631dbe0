"""What HEAD declares, remembered by its tree: a `list` then starts neither `git ls-tree` nor a YAML parser (25 ms).

One JSON file under the Git common directory, for the last tree asked about.  It may be deleted at any time.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

from dvc_modelver.core.declarations import Declared, DeclaredAll, FileProblem

_FORMAT = 1


def read_declared(state_dir: Path, tree: str) -> DeclaredAll | None:
    """What tree `tree` declares; None when that is not remembered."""
    try:
        raw = json.loads(_file(state_dir).read_bytes())
        if raw["format"] != _FORMAT or raw["tree"] != tree:
            return None
        return DeclaredAll(
            artifacts=tuple(Declared(**{**row, "labels": tuple(row["labels"])}) for row in raw["artifacts"]),
            problems=tuple(FileProblem(**row) for row in raw["problems"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_declared(state_dir: Path, tree: str, declared: DeclaredAll) -> None:
    """Remember it; silently nothing where that is not possible (a directory that cannot be written, odd `meta`)."""
    target = _file(state_dir)
    temporary = target.with_name(f"{target.name}.{os.getpid()}")
    try:
        text = json.dumps(
            {
                "format": _FORMAT,
                "tree": tree,
                "artifacts": [_row(artifact, Declared) for artifact in declared.artifacts],
                "problems": [_row(problem, FileProblem) for problem in declared.problems],
            },
            allow_nan=False,
        )
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text)
        os.replace(temporary, target)
    except (OSError, ValueError, TypeError):
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _row(value: object, kind: type[Declared] | type[FileProblem]) -> dict[str, object]:
    return {name: getattr(value, name) for name in kind.__slots__}


def _file(state_dir: Path) -> Path:
    return state_dir / "cache" / "declared.json"
