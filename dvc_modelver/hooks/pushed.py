"""What git says to pre-push, and which of it is ours.  Pure: text in, rows out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dvc_modelver.core.tags import PREFIX, TagName, looks_meant, parse_tag_name

_RELEVANT = (b"@", b"#")


@dataclass(frozen=True, slots=True)
class PushedTag:
    """A tag that is created, moved or deleted on the remote."""

    ref: str
    """Without `refs/tags/`."""
    name: TagName | None
    """What it records; None when it only looks as if a version or a stage were meant."""
    oid: str
    """What it will be on the remote; empty when it is deleted there."""
    there: str
    """What it is on the remote; empty when the remote has no such tag."""
    local: str
    """What is pushed under that name: a full ref, an object id, an expression."""


def parse_rows(raw: bytes) -> Iterator[PushedTag]:
    """The tags of ours in `LOCAL-REF LOCAL-ID REMOTE-REF REMOTE-ID` rows; everything else is none of our business."""
    for line in raw.split(b"\n"):
        if b" refs/tags/" not in line or not any(mark in line for mark in _RELEVANT):
            continue
        # A local ref may be an expression with spaces: `HEAD@{1 day ago}`.
        fields = line.decode("utf-8", "surrogateescape").rsplit(" ", 3)
        if len(fields) == 4 and fields[2].startswith(PREFIX):
            ref = fields[2].removeprefix(PREFIX)
            name = parse_tag_name(ref)
            if name is not None or looks_meant(ref):
                yield PushedTag(ref, name, _known(fields[1]), _known(fields[3]), fields[0])


def _known(oid: str) -> str:
    return oid if oid.strip("0") else ""
