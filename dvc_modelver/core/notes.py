"""Notes: facts that arrive after a release, one JSON line each.  Pure.

A line is an object in ASCII with sorted keys: `at` (ISO 8601, UTC), `kind`, perhaps `by`, and what the kind says.
Equal facts are equal lines, so that git's `cat_sort_uniq` merges them.  What is no such line is kept, and passed over.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone

from dvc_modelver.core.tagobjects import Identity
from dvc_modelver.errors import BadInput

MAX_LINE = 4096
"""Bytes of one note."""
MAX_NOTES = 4 * 1024 * 1024
"""Bytes of all notes on a version that are looked at."""
NOTES_REF = "refs/notes/modelver"
"""Where they are kept."""
REPRODUCTION = "reproduction"
_OWN = ("at", "kind", "by")


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One fact about a version."""

    at: datetime
    """Aware, whole seconds."""
    kind: str
    by: Identity | None = None
    facts: Mapping[str, object] = field(default_factory=dict)
    """What the kind says, as JSON has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes:
    """What was found on one version."""

    notes: tuple[Note, ...] = ()
    """The oldest first; equal ones once."""
    problems: tuple[str, ...] = ()
    """What was passed over, and why."""


def format_note(note: Note) -> str:
    """The note's line, without its end; secrets in its texts are hidden.

    Raises:
        BadInput: longer than `MAX_LINE` bytes, or something that JSON cannot say.
    """
    by = {} if note.by is None else {"by": {"name": note.by.name, "email": note.by.email}}
    told = {**{key: value for key, value in note.facts.items() if key not in _OWN}, **by, "kind": note.kind}
    try:
        line = json.dumps({**_plain(told), "at": _when(note.at)}, sort_keys=True, ensure_ascii=True, allow_nan=False)
    except (ValueError, TypeError, RecursionError):
        raise BadInput(f"a note of kind {note.kind!a} holds what JSON cannot say") from None
    if len(line) > MAX_LINE:
        raise BadInput(f"a note of kind {note.kind[:40]!a} is longer than {MAX_LINE} bytes")
    return line


def _plain(values: Mapping[str, object]) -> dict[str, object]:
    from dvc_modelver.core.secrets import redact_text

    return {redact_text(key): _value(value) for key, value in values.items()}


def _value(value: object) -> object:
    if isinstance(value, str):
        from dvc_modelver.core.secrets import redact_text

        return redact_text(value)
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Mapping):
        return _plain(value)
    return [_value(item) for item in value] if isinstance(value, (list, tuple)) else value


def _when(at: datetime) -> str:
    return at.astimezone(timezone.utc).replace(microsecond=0).isoformat().replace("+00:00", "Z")


def parse_note(line: str) -> Note | None:
    """The note in a line; None when it is none.  Never raises."""
    if len(line) > MAX_LINE or not line.startswith("{"):
        return None
    try:
        told = json.loads(line, parse_constant=_refuse)
        at = datetime.fromisoformat(told["at"].replace("Z", "+00:00"))
        kind, by = told["kind"], told.get("by")
        who = None if by is None else Identity(_text(by["name"]), _text(by["email"]))
        facts = {key: value for key, value in told.items() if key not in _OWN}
        if at.tzinfo is None or not isinstance(kind, str) or not kind:
            return None
        return Note(at=at.astimezone(timezone.utc), kind=kind, by=who, facts=facts)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        return None


def _refuse(word: str) -> object:
    raise ValueError(word)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def lines_of(*texts: bytes) -> list[bytes]:
    """The lines of all texts as git's `cat_sort_uniq` has them: sorted, each once, none empty."""
    return sorted({line for text in texts for line in text.split(b"\n") if line})


def merge_lines(*texts: bytes) -> bytes:
    """One text with every line of `texts`, whatever it holds: in any order of merging the same."""
    return b"".join(line + b"\n" for line in lines_of(*texts))


def parse_notes(raw: bytes) -> Notes:
    """All notes in the text that stands on a version.  Never raises: what is no note is told in `problems`."""
    if len(raw) > MAX_NOTES:
        return Notes(problems=(f"its notes are larger than {MAX_NOTES >> 20} MiB, and were not read",))
    lines = sorted({line for line in raw.decode("utf-8", "replace").splitlines() if line.strip()})
    found = [note for line in lines if (note := parse_note(line)) is not None]
    foreign = len(lines) - len(found)
    problem = f"its notes hold {foreign} {'line' if foreign == 1 else 'lines'} that cannot be read"
    return Notes(notes=tuple(sorted(found, key=lambda note: note.at)), problems=(problem,) if foreign else ())
