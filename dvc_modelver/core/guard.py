"""Decide whether a stage goes back, from what production reports and from the stage's own events.  Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, IntEnum

from dvc_modelver.core.gate import Ruling, Verdict
from dvc_modelver.core.gatepolicy import Tolerance
from dvc_modelver.core.guardpolicy import GuardPolicy
from dvc_modelver.core.metrics import as_number, label
from dvc_modelver.core.rollback import previous_holder
from dvc_modelver.core.stages import StageEvent
from dvc_modelver.core.tags import Event
from dvc_modelver.core.versions import Version
from dvc_modelver.errors import BadInput

NOTE = "guard"
"""Kind of the note on a version that a guard left."""
EVIDENCE = "Guard-Evidence"
"""Key of a record's lines that name the reports on which an event stands: `sha256:HEX`."""


# Reports ----------------------------------------------------------------------------------------------------------


class Grade(IntEnum):
    """How good what production reports is."""

    FINE = 0
    NEAR = 1
    """Past a bound, by no more than the margin."""
    BAD = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One report of production, judged."""

    file: str
    """As it was named."""
    digest: str
    """`sha256:HEX` of its bytes."""
    samples: int | None
    verdict: Verdict

    @property
    def breaches(self) -> tuple[Ruling, ...]:
        """The rules that what was measured breaks."""
        return tuple(ruling for ruling in self.verdict.failed if ruling.excess is not None)

    def grade(self, margin: Tolerance) -> Grade:
        """Of a report that tells enough, see `unclear`."""
        found = [(ruling.excess, _bound(ruling)) for ruling in self.breaches]
        if not found:
            return Grade.FINE
        return Grade.BAD if any(past is not None and past > margin.of(bound) for past, bound in found) else Grade.NEAR


def _bound(ruling: Ruling) -> float:
    """What a margin that is a share is a share of."""
    found = as_number(ruling.limit if ruling.rule in ("min", "max") else ruling.reference)
    return 0.0 if found is None else found


def unclear(verdict: Verdict) -> str | None:
    """Why a report can be called neither good nor bad, a clause; None when it can."""
    broken = [ruling for ruling in verdict.failed if ruling.excess is not None]
    silent = [ruling for ruling in verdict.failed if ruling.excess is None]
    if broken:
        return None
    if silent:
        what = "it" if silent[0].metric == "*" else label(silent[0].metric)
        return f"does not tell about {what}: {silent[0].reason}"
    # A rule passes too when there is nothing to compare with: that is no good news.
    if all(ruling.excess is None for ruling in verdict.rulings):
        return "has nothing that can be compared with what the version recorded"
    return None


# The decision -----------------------------------------------------------------------------------------------------


class Kind(str, Enum):
    """What becomes of the stage."""

    KEEP = "keep"
    ROLL_BACK = "roll-back"
    WAIT = "wait"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What becomes of the stage, and why."""

    kind: Kind
    ok: bool
    """Whether production is as good as it has to be."""
    reason: str
    """A sentence without a full stop."""
    to: Version | None = None
    evidence: tuple[Report, ...] = ()
    """The bad reports on which a rollback stands, in time order."""
    done: StageEvent | None = None
    """The event that the same evidence has led to already."""


def decide(
    policy: GuardPolicy,
    reports: Sequence[Report],
    events: Sequence[StageEvent],
    held: StageEvent,
    withdrawn: Collection[Version],
    now: datetime,
) -> Decision:
    """Whether the stage goes back.  The same reports and events give the same answer, but for the time that passed.

    Args:
        reports: in time order, at least one; each can be told good or bad.
        events: of the stage, in order.
        held: the event whose version the stage holds.
    """
    last = reports[-1]
    done = acted_on(events, last.digest)
    if done is not None:
        return Decision(kind=Kind.KEEP, ok=False, done=done, reason=f"already rolled back: {done.ref.name}")
    grade = last.grade(policy.margin)
    if grade is Grade.FINE:
        return Decision(kind=Kind.KEEP, ok=True, reason="it is as good as it has to be")
    if grade is Grade.NEAR:
        reason = "it is past its bound, by no more than the margin"
        return Decision(kind=Kind.WAIT, ok=False, reason=reason)
    bad = _in_a_row(policy, reports, events)
    if len(bad) < policy.confirm:
        reason = f"{len(bad)} bad report{'s' * (len(bad) != 1)} in a row, {policy.confirm} are asked for"
        return Decision(kind=Kind.WAIT, ok=False, reason=reason)
    return _wait(policy, events, now) or _back(events, held, withdrawn, bad)


def _wait(policy: GuardPolicy, events: Sequence[StageEvent], now: datetime) -> Decision | None:
    last = last_rollback(events, now)
    if last is None or now - last[1] >= policy.cooldown:
        return None
    rest = policy.cooldown - (now - last[1])
    reason = f"{last[0].ref.name} rolled it back a short time ago: cooling down for {_span(rest)} more"
    return Decision(kind=Kind.WAIT, ok=False, reason=reason)


def _back(
    events: Sequence[StageEvent], held: StageEvent, withdrawn: Collection[Version], bad: tuple[Report, ...]
) -> Decision:
    to = previous_holder(events, {*withdrawn, *left_versions(events)}, held.version)
    if to is None:
        reason = "it held no earlier version that could take over"
        return Decision(kind=Kind.REFUSED, ok=False, reason=reason, evidence=bad)
    return Decision(kind=Kind.ROLL_BACK, ok=False, to=to, reason=told(bad[-1]), evidence=bad)


def _in_a_row(policy: GuardPolicy, reports: Sequence[Report], events: Sequence[StageEvent]) -> tuple[Report, ...]:
    """The bad reports at the end, the same one once, none that was acted on."""
    found: dict[str, Report] = {}
    for report in reversed(reports):
        if report.grade(policy.margin) is not Grade.BAD or acted_on(events, report.digest) is not None:
            break
        found.setdefault(report.digest, report)
    return tuple(reversed(found.values()))


def _rollbacks(events: Sequence[StageEvent]) -> Iterator[StageEvent]:
    for event in events:
        record = event.tag.record
        if event.event is Event.PROMOTE and record is not None and record.rolled_back_from is not None:
            yield event


def acted_on(events: Sequence[StageEvent], digest: str) -> StageEvent | None:
    """The rollback that stands on this report, while only rollbacks came after it."""
    for event in reversed([one for one in events if one.event is Event.PROMOTE]):
        record = event.tag.record
        if record is None or record.rolled_back_from is None:
            return None
        if (EVIDENCE, digest) in record.extra:
            return event
    return None


def last_rollback(events: Sequence[StageEvent], now: datetime) -> tuple[StageEvent, datetime] | None:
    """The last rollback, and when it was.

    Clocks differ: an event is no earlier than those before it, and none is later than now.
    """
    last = max(_rollbacks(events), key=lambda event: event.order, default=None)
    if last is None:
        return None
    return last, min(now, max(event.at for event in events if event.order <= last.order))


def left_by(event: StageEvent) -> Version | None:
    """The version that a rollback left; None for any other event, and where its record names none."""
    text = event.tag.record.rolled_back_from if event.tag.record is not None else None
    try:
        return None if text is None else Version.parse(text)
    except BadInput:
        return None


def left_versions(events: Sequence[StageEvent]) -> frozenset[Version]:
    """Every version that some rollback of the stage left."""
    return frozenset(version for event in _rollbacks(events) if (version := left_by(event)) is not None)


def told(report: Report) -> str:
    """What is bad in a report: its first broken rule."""
    ruling = report.breaches[0]
    more = f", and {len(report.breaches) - 1} more" if len(report.breaches) > 1 else ""
    return f"{label(ruling.metric)}: {ruling.reason}{more}"


def _span(rest: timedelta) -> str:
    minutes = -(-int(rest.total_seconds()) // 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{max(1, minutes)} min"
