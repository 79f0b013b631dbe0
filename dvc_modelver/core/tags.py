"""Tag names: what a ref under `refs/tags/` says by its name alone.  Pure.

    NAME@vX.Y.Z    NAME@vX.Y.Z!    NAME#STAGE#N    NAME#STAGE!#N    NAME@deprecated    (`#N` optional on any)

Source of the grammar: `gto.constants.tag_re` of GTO 1.10.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from dvc_modelver.core.names import NAME_PATTERN, STAGE_PATTERN, from_tag, to_tag
from dvc_modelver.core.versions import MAX_LENGTH, VERSION_PATTERN, Version

PREFIX = "refs/tags/"
_MAX_COUNTER_DIGITS = 18


class Event(str, Enum):
    """What a tag records; the values are those of `history --json`."""

    RELEASE = "release"
    WITHDRAW_VERSION = "withdraw-version"
    PROMOTE = "promote"
    WITHDRAW_STAGE = "withdraw-stage"
    RETIRE = "retire"
    CREATED = "created"


@dataclass(frozen=True, slots=True)
class TagName:
    """A parsed tag name; `parse_tag_name(str(t)) == t`."""

    event: Event
    name: str
    """Canonical name of the artifact (with a colon)."""
    version: Version | None = None
    stage: str | None = None
    counter: int | None = None

    def __str__(self) -> str:
        counter = "" if self.counter is None else f"#{self.counter}"
        return f"{to_tag(self.name)}{self._middle()}{counter}"

    def _middle(self) -> str:
        if self.event is Event.RELEASE:
            return f"@{self.version}"
        if self.event is Event.WITHDRAW_VERSION:
            return f"@{self.version}!"
        if self.event is Event.PROMOTE:
            return f"#{self.stage}"
        if self.event is Event.WITHDRAW_STAGE:
            return f"#{self.stage}!"
        return "@deprecated" if self.event is Event.RETIRE else "@created"


_parse = re.compile(
    rf"({NAME_PATTERN})(?:@(?:({VERSION_PATTERN})(!?)|(deprecated)|(created))|#({STAGE_PATTERN})(!?))"
    rf"(?:#([0-9]{{1,{_MAX_COUNTER_DIGITS}}}))?",
    re.ASCII,
).fullmatch
_meant_for_us = re.compile(r"[^@#]+(@[vV]?[0-9]|@deprecated|@created|#)").match


def parse_tag_name(text: str) -> TagName | None:
    """What the tag `text` (without `refs/tags/`) records; None when its name says nothing to us."""
    match = _parse(text)
    if match is None or len(match[2] or "") > MAX_LENGTH:
        return None
    name, version, cancel, deprecated, _created, stage, stage_cancel, counter = match.groups()
    number = None if counter is None else int(counter)
    canonical = from_tag(name)
    if version is not None:
        event = Event.WITHDRAW_VERSION if cancel else Event.RELEASE
        return TagName(event, canonical, version=Version.parse(version), counter=number)
    if stage is not None:
        event = Event.WITHDRAW_STAGE if stage_cancel else Event.PROMOTE
        return TagName(event, canonical, stage=stage, counter=number)
    return TagName(Event.RETIRE if deprecated else Event.CREATED, canonical, counter=number)


def looks_meant(text: str) -> bool:
    """Whether a name that does not parse looks as if a version or stage was meant (`churn@v1`, `churn#`)."""
    return _meant_for_us(text) is not None
