"""What must be true, in plain Python: every tag that was ever made, and what a set of them says by DESIGN's rules."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

_TAG = re.compile(
    r"(?P<model>[a-z]+)(?:@(?P<version>v[^!#]+)(?P<gone>!)?|@(?P<retired>deprecated)|"
    r"#(?P<stage>[a-z]+)(?P<emptied>!)?)(?:#(?P<counter>\d+))?"
)


@dataclass(frozen=True, slots=True)
class Fact:
    """One tag object: what happened."""

    tag: str
    oid: str
    commit: str
    at: int
    model: str
    kind: str
    """`release`, `withdraw-version`, `promote`, `withdraw-stage`, `retire`."""
    version: str | None
    stage: str | None
    counter: int | None
    ends: tuple[str, ...] = ()
    left: str | None = None
    """The version that a rollback of the stage left."""
    recorded: bool = True
    """False for a tag that was made by hand or by GTO."""
    digest: str | None = None
    """Of a release: the MD5 of the model's bytes."""


@dataclass(slots=True)
class State:
    """What the tags of one model say."""

    versions: dict[str, Fact] = field(default_factory=dict)
    withdrawn: set[str] = field(default_factory=set)
    holders: dict[str, Fact] = field(default_factory=dict)
    events: dict[str, list[Fact]] = field(default_factory=dict)
    """Of each stage, in order."""
    retired_by: str | None = None

    @property
    def usable(self) -> list[str]:
        """Versions that are not withdrawn, lowest first."""
        return sorted(set(self.versions) - self.withdrawn, key=precedence)

    @property
    def latest(self) -> str | None:
        """The highest final one, else the highest."""
        final = [v for v in self.usable if "-" not in v]
        return (final or self.usable or [None])[-1]

    def previous(self, version: str) -> str | None:
        """The one before, among those in use."""
        lower = [v for v in self.usable if precedence(v) < precedence(version)]
        final = [v for v in lower if "-" not in v]
        return (final or lower or [None])[-1]

    def holds(self, stage: str) -> str | None:
        """The version that a stage holds."""
        return self.holders[stage].version if stage in self.holders else None

    def goes_back_to(self, stage: str) -> str | None:
        """Where a rollback of the stage goes: the nearest stay below that no rollback has left."""
        stays: list[str] = []
        for event in self.events.get(stage, []):
            if event.kind != "promote" or event.version is None:
                continue
            if event.left is not None and event.version in stays:
                del stays[len(stays) - stays[::-1].index(event.version) :]
            elif stays[-1:] != [event.version]:
                stays.append(event.version)
        now = self.holds(stage)
        below = stays if now is not None else stays[:-1]
        good = [v for v in below if v != now and v not in self.withdrawn]
        return good[-1] if good else None


def parse(tag: str) -> re.Match[str] | None:
    """A tag's name in its parts; None for another tag."""
    return _TAG.fullmatch(tag)


def kind_of(parts: re.Match[str]) -> str:
    """What a tag of that name tells."""
    if parts["version"]:
        return "withdraw-version" if parts["gone"] else "release"
    if parts["retired"]:
        return "retire"
    return "withdraw-stage" if parts["emptied"] else "promote"


def precedence(version: str) -> tuple[object, ...]:
    """SemVer's order of `vX.Y.Z` and `vX.Y.Z-rc.N`, the forms that are made here."""
    core, _, pre = version.removeprefix("v").partition("-")
    return (*map(int, core.split(".")), not pre, int(pre.split(".")[-1]) if pre else 0)


def state_of(facts: Iterable[Fact]) -> dict[str, State]:
    """Model -> what its tags say: a function of the set of tags alone."""
    states: dict[str, State] = {}
    by_model: dict[str, list[Fact]] = {}
    for fact in facts:
        by_model.setdefault(fact.model, []).append(fact)
    for model, found in by_model.items():
        states[model] = _state(found)
    return states


def _state(facts: list[Fact]) -> State:
    state = State()
    state.versions = {f.version: f for f in facts if f.kind == "release" and f.version}
    state.withdrawn = {f.version for f in facts if f.kind == "withdraw-version" and f.version}
    for stage in {f.stage for f in facts if f.stage}:
        events = [_named(f, state.versions) for f in facts if f.stage == stage]
        state.events[stage] = sorted(events, key=lambda f: (f.counter or 0, f.kind == "withdraw-stage", f.at, f.tag))
        held = _held(state.events[stage])
        if held is not None and held.version not in state.withdrawn:
            state.holders[stage] = held
    state.retired_by = _retired(facts, state.versions.values())
    return state


def _named(fact: Fact, versions: Mapping[str, Fact]) -> Fact:
    """A stage's event with its version: without a record the highest on the commit that is not younger."""
    if fact.recorded:
        return fact
    there = [v for v, f in versions.items() if f.commit == fact.commit and f.at <= fact.at]
    version = max(there, key=precedence, default=None)
    return Fact(**{name: getattr(fact, name) for name in Fact.__dataclass_fields__} | {"version": version})


def _held(events: list[Fact]) -> Fact | None:
    held: Fact | None = None
    for event in events:
        if event.kind == "promote":
            held = event
        elif held is not None:
            same = held.version == event.version if held.version and event.version else held.commit == event.commit
            held = None if held.tag in event.ends or same else held
    return held


def _retired(facts: list[Fact], releases: Iterable[Fact]) -> str | None:
    ended = {tag for fact in facts for tag in fact.ends}
    by_hand = max((f.at for f in releases if not f.recorded), default=None)
    retirements = [f for f in facts if f.kind == "retire" and f.tag not in ended]
    left = [f.tag for f in retirements if by_hand is None or by_hand <= f.at]
    return max(left, default=None)
