"""What a stage holds after its events, where GTO goes by the clock and puts previous holders back.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from dvc_modelver.core.tagobjects import TagObject, TagRef
from dvc_modelver.core.tags import Event
from dvc_modelver.core.versions import Version


@dataclass(frozen=True, slots=True, kw_only=True)
class StageEvent:
    """A promote to a stage or a withdrawal from it."""

    ref: TagRef
    event: Event
    stage: str
    counter: int
    """0 when the tag has none."""
    version: Version | None
    """The version promoted, or the one whose stay ends; None when no version is on that commit."""
    ends: tuple[str, ...] = ()
    at: datetime
    tag: TagObject

    @property
    def order(self) -> tuple[int, int, datetime, str]:
        """By counter; at an equal counter the withdrawal last; only then time, then name."""
        return self.counter, int(self.event is Event.WITHDRAW_STAGE), self.at, self.ref.name


def holder(events: Sequence[StageEvent], withdrawn: Iterable[Version] = ()) -> StageEvent | None:
    """The promote that a stage holds after `events` (in order); None when the stage is empty.

    A promote replaces whoever is there.  A withdrawal empties the stage only while the version that it names
    holds it, and puts nobody back; a withdrawn version holds nothing.
    """
    held: StageEvent | None = None
    for event in events:
        if event.event is Event.PROMOTE:
            held = event
        elif held is not None and _ends(event, held):
            held = None
    return None if held is not None and held.version in set(withdrawn) else held


def last_held(events: Sequence[StageEvent]) -> Version | None:
    """The version promoted last, also when its stay was ended; None: no version is on that commit, or no promote."""
    return next((event.version for event in reversed(events) if event.event is Event.PROMOTE), None)


def _ends(withdrawal: StageEvent, held: StageEvent) -> bool:
    # The event's name alone does not tell: two clones may both have made a promote of that name.
    same_commit = withdrawal.ref.target == held.ref.target
    if withdrawal.version is None or held.version is None:
        return same_commit
    return withdrawal.version == held.version or (same_commit and held.ref.name in withdrawal.ends)
