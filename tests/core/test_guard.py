"""The guard's decision: a function of reports, the stage's events and the time, that never flaps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvc_modelver.core.gate import judge
from dvc_modelver.core.gatepolicy import GatePolicy, MetricRule, Tolerance
from dvc_modelver.core.guard import (
    EVIDENCE,
    Decision,
    Grade,
    Kind,
    Report,
    acted_on,
    decide,
    last_rollback,
    left_versions,
    unclear,
)
from dvc_modelver.core.guardpolicy import GuardPolicy, parse_guard
from dvc_modelver.core.records import Record
from dvc_modelver.core.stages import StageEvent
from dvc_modelver.core.tagobjects import TagObject, TagRef
from dvc_modelver.core.tags import Event
from dvc_modelver.core.versions import Version
from dvc_modelver.errors import BadInput

NOW = datetime(2026, 1, 10, 12, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
V = tuple(Version(1, n, 0) for n in range(6))


def event(counter: int, version: Version, at: datetime, left: Version | None = None, *evidence: str) -> StageEvent:
    """A promote to prod; with `left` a rollback."""
    record = Record(
        event="promote",
        model="m",
        version=str(version),
        rolled_back_from=None if left is None else str(left),
        extra=tuple((EVIDENCE, digest) for digest in evidence),
    )
    name = f"m#prod#{counter}"
    tag = TagObject(
        oid=str(counter),
        target="c",
        target_type="commit",
        name=name,
        tagger=None,
        at=at,
        message="",
        record=record,
        signed=False,
    )
    ref = TagRef(name, str(counter), "c")
    return StageEvent(ref=ref, event=Event.PROMOTE, stage="prod", counter=counter, version=version, at=at, tag=tag)


def promotes(*versions: Version) -> list[StageEvent]:
    """One a day, the last a day ago."""
    return [event(n, v, NOW - timedelta(days=len(versions) - n + 1)) for n, v in enumerate(versions, 1)]


def report(auc: float, digest: str = "", rules: Mapping[str, MetricRule] = MappingProxyType({})) -> Report:
    """One of an AUC, beside a recorded one of 0.9."""
    verdict = judge(GatePolicy(metrics=rules), {"m": {"auc": auc}}, {"m": {"auc": 0.9}}, partial=True)
    return Report(file="live.json", digest=digest or f"sha256:{auc}", samples=None, verdict=verdict)


def decided(
    events: Sequence[StageEvent],
    *reports: Report,
    policy: GuardPolicy = GuardPolicy(),  # noqa: B008
    now: datetime = NOW,
    withdrawn: Sequence[Version] = (),
) -> Decision:
    """The decision about what the last event put there."""
    return decide(policy, reports, events, events[-1], withdrawn, now)


# Decisions --------------------------------------------------------------------------------------------------------


def test_good_reports_keep() -> None:
    """As good, or better."""
    for auc in (0.9, 0.95):
        assert decided(promotes(V[0], V[1]), report(auc)).kind is Kind.KEEP


def test_a_bad_report_goes_one_back() -> None:
    """To the version before, with the report as evidence."""
    found = decided(promotes(V[0], V[1], V[2]), report(0.8))
    assert (found.kind, found.to, found.ok) == (Kind.ROLL_BACK, V[1], False)
    assert [one.digest for one in found.evidence] == ["sha256:0.8"]
    assert found.reason == "auc: fell from 0.9 to 0.8"


def test_nothing_before() -> None:
    """The first version, or one whose predecessors are withdrawn, stays: refused."""
    assert decided(promotes(V[0]), report(0.8)).kind is Kind.REFUSED
    assert decided(promotes(V[0], V[1]), report(0.8), withdrawn=[V[0]]).kind is Kind.REFUSED


def test_what_a_rollback_left_is_out_for_good() -> None:
    """Also after somebody promoted it again, and another one after it."""
    events = [*promotes(V[0], V[1]), event(3, V[0], NOW - 20 * HOUR, V[1]), event(4, V[1], NOW - 19 * HOUR)]
    assert decided(events, report(0.8)).to == V[0]
    events.append(event(5, V[2], NOW - 18 * HOUR))
    assert left_versions(events) == {V[1]}
    assert decided(events, report(0.8)).to == V[0]


def test_evidence_counts_once() -> None:
    """While nobody promoted anything since; after that the same numbers are a new report."""
    events = [*promotes(V[0], V[1]), event(3, V[0], NOW - 20 * HOUR, V[1], "sha256:a", "sha256:b")]
    for digest in ("sha256:a", "sha256:b"):
        for auc in (0.5, 0.95):
            found = decided(events, report(auc, digest))
            assert (found.kind, found.ok, found.done) == (Kind.KEEP, False, events[-1])
    assert acted_on(events, "sha256:c") is None
    events.append(event(4, V[2], NOW - 19 * HOUR))
    assert decided(events, report(0.5, "sha256:a")).kind is Kind.ROLL_BACK


def test_reports_that_were_acted_on_do_not_confirm() -> None:
    """Only those since count towards the next step."""
    events = [*promotes(V[0], V[1], V[2]), event(4, V[1], NOW - 20 * HOUR, V[2], "sha256:a")]
    policy = GuardPolicy(confirm=2)
    assert decided(events, report(0.5, "sha256:a"), report(0.6), policy=policy).kind is Kind.WAIT
    assert decided(events, report(0.5), report(0.6), policy=policy).to == V[0]


@pytest.mark.parametrize(
    ("aucs", "kind"),
    [
        ((0.5,), Kind.WAIT),
        ((0.5, 0.6), Kind.WAIT),
        ((0.5, 0.5, 0.5), Kind.WAIT),
        ((0.5, 0.6, 0.7), Kind.ROLL_BACK),
        ((0.5, 0.6, 0.95, 0.7), Kind.WAIT),
        ((0.95, 0.5, 0.6, 0.7), Kind.ROLL_BACK),
        ((0.5, 0.6, 0.7, 0.95), Kind.KEEP),
    ],
)
def test_confirm(aucs: tuple[float, ...], kind: Kind) -> None:
    """So many different bad reports, one after the other, up to the last."""
    found = decided(promotes(V[0], V[1]), *map(report, aucs), policy=GuardPolicy(confirm=3))
    assert found.kind is kind


@pytest.mark.parametrize(("hours", "kind"), [(5.99, Kind.WAIT), (6, Kind.ROLL_BACK), (0, Kind.WAIT), (-24, Kind.WAIT)])
def test_cool_down(hours: float, kind: Kind) -> None:
    """Since the last rollback; one that is dated in the future was now."""
    events = [*promotes(V[0], V[1], V[2]), event(4, V[1], NOW - hours * HOUR, V[2])]
    assert decided(events, report(0.5)).kind is kind


def test_a_promote_is_no_reason_to_cool_down() -> None:
    """What was put there a minute ago and is bad goes at once; after a recent rollback even that waits."""
    events = [*promotes(V[0]), event(2, V[1], NOW - HOUR / 60)]
    assert decided(events, report(0.5)).kind is Kind.ROLL_BACK
    events = [*promotes(V[0], V[1]), event(3, V[0], NOW - HOUR, V[1]), event(4, V[2], NOW - HOUR / 60)]
    assert decided(events, report(0.5)).kind is Kind.WAIT


def test_a_clock_that_was_behind() -> None:
    """A rollback is no earlier than the events before it, whatever its own clock said."""
    events = [event(1, V[0], NOW - 9 * HOUR), event(2, V[1], NOW - HOUR), event(3, V[0], NOW - 100 * HOUR, V[1])]
    found = last_rollback(events, NOW)
    assert found is not None
    assert found == (events[2], NOW - HOUR)
    assert decided(events, report(0.5)).kind is Kind.WAIT


@dataclass
class World:
    """A stage whose versions are all bad, a guard that runs every hour, and people who promote now and then."""

    events: list[StageEvent]
    now: datetime

    def add(self, version: Version, left: Version | None = None, *evidence: str, skew: int = 0) -> None:
        """An event of now, by a clock that is off by `skew` minutes."""
        at = self.now + timedelta(minutes=skew)
        self.events.append(event(len(self.events) + 1, version, at, left, *evidence))


STEPS = st.lists(st.tuples(st.sampled_from(["guard", "guard", "promote"]), st.integers(0, 5), st.integers(-200, 200)))


@given(STEPS)
def test_it_never_flaps(steps: list[tuple[str, int, int]]) -> None:
    """Whatever is reported and promoted under whatever clocks: no step to what a rollback left, and none in haste."""
    world = World([], NOW)
    world.add(V[0])
    acts: list[datetime] = []
    for number, (kind, which, skew) in enumerate(steps):
        world.now += HOUR
        if kind == "promote":
            world.add(V[which], skew=skew)
            continue
        left = left_versions(world.events)
        bad = report(0.5, f"sha256:{number}")
        found = decided(world.events, bad, now=world.now)
        assert found == decided(world.events, bad, now=world.now)
        if found.kind is Kind.ROLL_BACK:
            assert found.to is not None
            assert found.to not in left
            held = world.events[-1].version
            assert found.to != held
            assert not acts or world.now - acts[-1] >= timedelta(hours=6) - timedelta(minutes=200)
            acts.append(world.now)
            world.add(found.to, held, bad.digest, skew=skew)
            assert decided(world.events, bad, now=world.now).done == world.events[-1]


# Reports ----------------------------------------------------------------------------------------------------------

RULES = {
    "min": (MetricRule(minimum=0.85), 0.8, 0.05),
    "max": (MetricRule(maximum=0.7), 0.8, 0.1),
    "max_drop": (MetricRule(max_drop=Tolerance(amount=0.03)), 0.8, 0.07),
    "max_drop of a share": (MetricRule(max_drop=Tolerance(amount=10, percent=True)), 0.8, 0.01),
    "max_rise": (MetricRule(max_rise=Tolerance(amount=0.05)), 1.0, 0.05),
    "not_worse": (MetricRule(), 0.8, 0.1),
    "not_worse, down": (MetricRule(better="down"), 1.0, 0.1),
}


@pytest.mark.parametrize("what", RULES)
def test_how_far_past_its_bound(what: str) -> None:
    """In decimals as they are written, for each kind of rule; a margin of as much is not passed, a smaller one is."""
    rule, auc, past = RULES[what]
    found = report(auc, rules={"auc": rule})
    assert [float(distance) for one in found.breaches if (distance := one.excess) is not None] == [past]
    assert found.grade(Tolerance(amount=past)) is Grade.NEAR
    assert found.grade(Tolerance(amount=past - 0.001)) is Grade.BAD
    assert found.grade(Tolerance(amount=0)) is Grade.BAD


def test_reports_that_say_nothing() -> None:
    """Without a number to compare a report is neither good nor bad, though its rules may have passed."""
    for auc in (float("nan"), float("inf")):
        assert "auc" in (unclear(report(auc).verdict) or "")
    alone = judge(GatePolicy(), {"m": {"auc": 0.9}}, {"m": {"rmse": 1.0}}, partial=True)
    assert alone.ok
    assert unclear(alone) == "has nothing that can be compared with what the version recorded"
    named = judge(GatePolicy(metrics={"f1": MetricRule(minimum=0.5)}), {"m": {"auc": 1.0}}, None, partial=True)
    assert unclear(named) == "does not tell about f1: nobody measured such a metric"
    assert unclear(report(0.8).verdict) is unclear(report(0.9).verdict) is None


# The policy -------------------------------------------------------------------------------------------------------


def test_the_policy() -> None:
    """Every key, and what holds without."""
    assert parse_guard("f", {}) == GuardPolicy()
    section = {"cooldown": "2d", "confirm": 3, "margin": "5%", "min_samples": 100, "metrics": {"auc": {"min": 0.8}}}
    assert parse_guard("f", section) == GuardPolicy(
        cooldown=timedelta(days=2),
        confirm=3,
        margin=Tolerance(amount=5, percent=True),
        min_samples=100,
        metrics={"auc": MetricRule(minimum=0.8)},
    )
    for text, seconds in (("90s", 90), ("30m", 1800), ("6 h", 21_600), ("1w", 604_800), (0, 0)):
        assert parse_guard("f", {"cooldown": text}).cooldown == timedelta(seconds=seconds)
    assert parse_guard("f", {"margin": 0.02}).margin == Tolerance(amount=0.02)


@pytest.mark.parametrize(
    "section",
    [
        {"cooldown": "soon"},
        {"cooldown": -1},
        {"cooldown": None},
        {"confirm": 1.5},
        {"confirm": 101},
        {"margin": "5"},
        {"margin": float("inf")},
        {"min_samples": -1},
        {"slices": {}},
        None,
        "6h",
    ],
)
def test_bad_policies(section: object) -> None:
    """Each is refused, and the message names file and key."""
    with pytest.raises(BadInput, match=r"^f: .*guard"):
        parse_guard("f", section)
