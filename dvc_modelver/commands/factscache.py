"""A cache of where each version's bytes are, keyed by commit: commits never change, so neither do the answers.

One JSON file per model under the Git common directory.  It may be deleted at any time; a file that is damaged
or cannot be written is as good as none.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

from dvc_modelver.core.facts import ArtifactFacts, Output, Source

# Bump it when the meaning of a field changes; old files are then left alone.
_FORMAT = "facts-1"
_FACTS = tuple(f.name for f in fields(ArtifactFacts))
_OUTPUT = tuple(f.name for f in fields(Output))


class FactsCache:
    """`get` and `put`; `save` writes what is new."""

    def __init__(self, state_dir: Path) -> None:
        self._folder = state_dir / "cache" / _FORMAT
        self._models: dict[str, dict[str, Any]] = {}
        self._dirty: set[str] = set()

    def get(self, name: str, commit: str) -> ArtifactFacts | None:
        row = self._rows(name).get(commit)
        if row is None:
            return None
        try:
            return _decode(row)
        except (TypeError, ValueError, KeyError):
            return None

    def put(self, name: str, commit: str, facts: ArtifactFacts) -> None:
        self._rows(name)[commit] = _encode(facts)
        self._dirty.add(name)

    def save(self) -> None:
        """Write what is new; silently nothing where that is not possible."""
        for name in self._dirty:
            target = self._file(name)
            temporary = target.with_name(f"{target.name}.{os.getpid()}")
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                temporary.write_text(json.dumps(self._models[name], separators=(",", ":")))
                os.replace(temporary, target)
            except (OSError, ValueError):
                with suppress(OSError):
                    temporary.unlink(missing_ok=True)
        self._dirty.clear()

    def _rows(self, name: str) -> dict[str, Any]:
        if name not in self._models:
            try:
                loaded = json.loads(self._file(name).read_bytes())
            except (OSError, ValueError):
                loaded = None
            self._models[name] = loaded if isinstance(loaded, dict) else {}
        return self._models[name]

    def _file(self, name: str) -> Path:
        # Names are ASCII letters, digits and `-_./:`; both separators must go, and case may not decide.
        safe = "".join(f"={ord(c):02x}" if c in "/:=" or c.isupper() else c for c in name)
        return self._folder / f"{safe}.json"


def _encode(facts: ArtifactFacts) -> list[object]:
    row = [getattr(facts, name) for name in _FACTS]
    if facts.output is not None:
        row[_FACTS.index("output")] = [getattr(facts.output, name) for name in _OUTPUT]
    return row


def _decode(row: list[Any]) -> ArtifactFacts:
    values: dict[str, Any] = dict(zip(_FACTS, row, strict=True))
    if values["output"] is not None:
        values["output"] = Output(**dict(zip(_OUTPUT, values["output"], strict=True)))
    values["source"] = Source(values["source"])
    values["files_read"] = tuple(values["files_read"])
    return ArtifactFacts(**values)
