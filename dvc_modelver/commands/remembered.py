"""JSON files that may be deleted at any time: one that is damaged or cannot be written is as good as none."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any


def read_remembered(path: Path) -> dict[str, Any] | None:
    """The object in a file; None when there is none to be had."""
    try:
        loaded = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return loaded if isinstance(loaded, dict) else None


def write_remembered(target: Path, value: object) -> None:
    """Replace the file in one step; nothing happens where that is not possible."""
    temporary = target.with_name(f"{target.name}.{os.getpid()}")
    try:
        text = json.dumps(value, separators=(",", ":"))
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text)
        os.replace(temporary, target)
    except (OSError, ValueError, TypeError):
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
