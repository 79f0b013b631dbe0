"""Tag objects: what a tag says beyond its name.  Pure: bytes in, facts out.

Source of the format: `git mktag` (header lines `object`, `type`, `tag`, `tagger`, a blank line, the message).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import NamedTuple

from dvc_modelver.core.records import Record, is_signed, parse_record, split_message

NOWHERE = frozenset({"0" * 40, "0" * 64})
"""Git's null ids, of SHA-1 and SHA-256."""


class TagRef(NamedTuple):
    """One ref under `refs/tags/`."""

    name: str
    """Without `refs/tags/`."""
    oid: str
    """Of the tag object; of the commit itself when the tag is lightweight."""
    target: str | None
    """What the tag peels to; None when the tag is lightweight, one of `NOWHERE` when its object is not here."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who made it, as Git wrote it down."""

    name: str
    email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TagObject:
    """A parsed annotated tag."""

    oid: str
    target: str
    target_type: str
    name: str
    """The name inside the object; a sound tag's ref has the same."""
    tagger: Identity | None
    at: datetime
    """Tagger time, UTC; the epoch when the object names none."""
    message: str
    """What people wrote: without record and signature."""
    record: Record | None
    signed: bool


ReadTags = Callable[[Sequence[str]], Mapping[str, TagObject]]
"""Object ids in, parsed tags out; ids that are no readable tag are absent from the answer."""

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MAX_SECONDS = 253_402_300_799  # 9999-12-31, the last that datetime can say
_tagger = re.compile(r"(.*?) ?<([^>]*)>(?: (-?\d{1,15}) [+-]\d{2,6})?").fullmatch


def parse_tag_object(oid: str, raw: bytes) -> TagObject | None:
    """The tag in `raw`; None when it is not one.  Text that is not UTF-8 is kept with replacement characters."""
    head, gap, message = raw.partition(b"\n\n")
    if not gap:
        message = b""
    header: dict[str, str] = {}
    for line in head.decode("utf-8", "replace").split("\n"):
        key, space, value = line.partition(" ")
        if space:
            header.setdefault(key, value)
    if not {"object", "type", "tag"} <= header.keys():
        return None
    text = message.decode("utf-8", "replace")
    body, paragraph = split_message(text)
    who, at = _parse_tagger(header.get("tagger", ""))
    return TagObject(
        oid=oid,
        target=header["object"],
        target_type=header["type"],
        name=header["tag"],
        tagger=who,
        at=at,
        message=body,
        record=parse_record(paragraph),
        signed=is_signed(text),
    )


def _parse_tagger(value: str) -> tuple[Identity | None, datetime]:
    match = _tagger(value)
    if match is None:
        return None, EPOCH
    seconds = min(max(int(match[3] or 0), 0), _MAX_SECONDS)
    return Identity(match[1], match[2]), datetime.fromtimestamp(seconds, tz=timezone.utc)


def tag_problem(tag: TagObject | None, ref_name: str, model: str) -> str | None:
    """What is wrong with the tag object under `ref_name`, an event of `model`, in words; None when it is sound."""
    if tag is None:
        return "the tag object cannot be read"
    if tag.name != ref_name:
        return f"the tag object was made as {tag.name}"
    if tag.target_type not in ("commit", "tag"):
        return f"it names a {tag.target_type}, not a commit"
    if tag.record is not None and tag.record.model != model:
        return f"its record is of {tag.record.model}"
    return None
