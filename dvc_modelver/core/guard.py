"""Decide whether a stage goes back, from what production reports and from the stage's own events.  Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum, IntEnum

from dvc_modelver.core.gate import MetricRule, Ruling, Tolerance, Verdict
from dvc_modelver.core.gatepolicy import parse_policy
from dvc_modelver.core.metrics import as_number, is_number, label
from dvc_modelver.core.rollback import previous_holder
from dvc_modelver.core.stages import StageEvent
from dvc_modelver.core.tags import Event
from dvc_modelver.core.versions import Version
from dvc_modelver.errors import BadInput

NOTE = "guard"
"""Kind of the note on a version that a guard left."""
EVIDENCE = "Guard-Evidence"
"""Key of a record's lines that name the reports on which an event stands: `sha256:HEX`."""
KEYS = ("cooldown", "confirm", "margin", "min_samples", "metrics")
MAX_CONFIRM = 100
_SPAN = re.compile(r"(\d{1,6}) ?([smhdw])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_PERCENT = re.compile(r"(\d{1,9}(?:\.\d{1,9})?) ?%")


# The policy -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardPolicy:
    """When a stage may go back by itself."""

    cooldown: timedelta = timedelta(hours=6)
    """After a rollback of the stage, whoever made it, none is made by itself for so long."""
    confirm: int = 1
    """So many reports in a row must be bad."""
    margin: Tolerance = field(default_factory=lambda: Tolerance(amount=0))
    """How far past its bound a metric has to be; a share is one of the bound, or of the recorded value."""
    min_samples: int = 0
    """Reports of fewer samples, or of an unknown number, are not judged."""
    metrics: Mapping[str, MetricRule] = field(default_factory=dict)
    """What production is held to instead of the gate's rules, where that differs."""


def parse_guard(where: str, value: object, prefix: str = "guard.") -> GuardPolicy:
    """The configuration's `guard` section.  Raises `BadInput` on an unknown key or a value of the wrong kind."""
    if not isinstance(value, Mapping):
        raise BadInput(f"{where}: {prefix.rstrip('.')} must be a mapping")
    section = {str(key): item for key, item in value.items()}
    for key in section:
        _known(where, prefix, key)
    read = {"cooldown": _cooldown, "confirm": _confirm, "margin": _margin, "min_samples": _samples}
    found: dict[str, object] = {
        key: read[key](where, f"{prefix}{key}", item) for key, item in section.items() if key in read
    }
    rules = parse_policy(where, {"metrics": section.get("metrics")}, prefix).metrics
    return GuardPolicy(**found, metrics=rules)  # type: ignore[arg-type]


def _known(where: str, prefix: str, key: str) -> None:
    if key not in KEYS:
        from difflib import get_close_matches

        nearest = get_close_matches(key, KEYS, n=1, cutoff=0.4)
        hint = f"did you mean {prefix}{nearest[0]}?" if nearest else f"the keys are: {', '.join(KEYS)}"
        raise BadInput(f"{where}: there is no key {prefix}{key[:60]}", hint=hint)


def _cooldown(where: str, key: str, value: object) -> timedelta:
    found = _SPAN.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is not None:
        return timedelta(seconds=int(found[1]) * _UNITS[found[2]])
    if is_number(value) and value == 0:
        return timedelta()
    raise BadInput(f"{where}: {key} must be a time such as 30m, 6h or 2d")


def _whole(value: object, low: int, high: int) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high else None


def _confirm(where: str, key: str, value: object) -> int:
    found = _whole(value, 1, MAX_CONFIRM)
    if found is None:
        raise BadInput(f"{where}: {key} must be a number of reports, 1 to {MAX_CONFIRM}")
    return found


def _samples(where: str, key: str, value: object) -> int:
    found = _whole(value, 0, 10**12)
    if found is None:
        raise BadInput(f"{where}: {key} must be a number of samples")
    return found


def _margin(where: str, key: str, value: object) -> Tolerance:
    share = _PERCENT.fullmatch(value.strip()) if isinstance(value, str) else None
    if share is not None:
        return Tolerance(amount=float(share[1]), percent=True)
    amount = as_number(value)
    if amount is None or not 0 <= amount < math.inf:
        raise BadInput(f"{where}: {key} must be a number that is not negative, or a share such as 5%")
    return Tolerance(amount=amount)


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
        return tuple(ruling for ruling in self.verdict.failed if excess(ruling) is not None)

    def grade(self, margin: Tolerance) -> Grade:
        """Of a report that tells enough, see `unclear`."""
        found = [(excess(ruling), _bound(ruling)) for ruling in self.breaches]
        if not found:
            return Grade.FINE
        return Grade.BAD if any(past is not None and past > margin.of(bound) for past, bound in found) else Grade.NEAR


def excess(ruling: Ruling) -> Decimal | None:
    """How far a metric is past its bound, in its own unit; None for a rule that does not compare two numbers."""
    value, before, limit = _finite(ruling.value), _finite(ruling.reference), _finite(ruling.limit)
    if value is None:
        return None
    if ruling.rule in ("min", "max") and limit is not None:
        return _minus(limit, value) if ruling.rule == "min" else _minus(value, limit)
    if before is None or ruling.rule not in ("max_drop", "max_rise", "not_worse"):
        return None
    falls = ruling.rule == "max_drop" or ruling.limit == "up"
    change = _minus(before, value) if falls else _minus(value, before)
    return change if ruling.rule == "not_worse" else change - _allowed(ruling.limit).of(before)


def _finite(value: object) -> float | None:
    number = as_number(value)
    return number if number is not None and math.isfinite(number) else None


def _minus(one: float, other: float) -> Decimal:
    return Decimal(repr(one)) - Decimal(repr(other))


def _allowed(limit: float | str | None) -> Tolerance:
    if isinstance(limit, str):
        return Tolerance(amount=float(limit.rstrip("% ")), percent=True)
    return Tolerance(amount=limit or 0)


def _bound(ruling: Ruling) -> float:
    """What a margin that is a share is a share of."""
    found = as_number(ruling.limit if ruling.rule in ("min", "max") else ruling.reference)
    return 0.0 if found is None else found


def unclear(verdict: Verdict) -> str | None:
    """Why a report can be called neither good nor bad, a clause; None when it can."""
    broken = [ruling for ruling in verdict.failed if excess(ruling) is not None]
    silent = [ruling for ruling in verdict.failed if excess(ruling) is None]
    if broken:
        return None
    if silent:
        what = "it" if silent[0].metric == "*" else label(silent[0].metric)
        return f"does not tell about {what}: {silent[0].reason}"
    # A rule passes too when there is nothing to compare with: that is no good news.
    if all(excess(ruling) is None for ruling in verdict.rulings):
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
