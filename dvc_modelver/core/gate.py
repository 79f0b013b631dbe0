"""Decide whether what was measured of a model is good enough: a ruling for each rule of a policy.  Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from pathlib import PurePosixPath

from dvc_modelver.core.exact import difference, digits
from dvc_modelver.core.facts import Scalar, Values
from dvc_modelver.core.gatepolicy import GatePolicy, MetricRule, Tolerance
from dvc_modelver.core.metrics import as_number, direction, is_number, label, slices, split_key
from dvc_modelver.core.significance import Interval

EVERY_SLICE = "*"
Pair = tuple[str, str]
"""(file, key) of a metric."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What one rule says of one metric."""

    metric: str
    """Its key; as the policy names it, where there is no such metric."""
    file: str | None
    slice: str | None = None
    rule: str
    """`min`, `max`, `max_drop`, `max_rise`, `not_worse`; `measured`, `slice` for what has to be there at all."""
    limit: float | str | None = None
    """The bound as the policy has it; of `not_worse` which way is better."""
    value: Scalar = None
    reference: Scalar = None
    delta: float | None = None
    """`value - reference` where both are finite numbers."""
    interval: Interval | None = None
    """Where the difference lies, as far as predictions of both sides tell; the rule may have passed for it."""
    excess: Decimal | None = None
    """How far past its bound it is, in its own unit, negative within; None where no two numbers are compared."""
    ok: bool
    reason: str = ""
    """Why it failed, or passed although there was nothing to compare with; a sentence without a full stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The rulings on one set of measurements, at least one, in the order of the policy."""

    rulings: tuple[Ruling, ...]

    @property
    def ok(self) -> bool:
        return all(ruling.ok for ruling in self.rulings)

    @property
    def failed(self) -> tuple[Ruling, ...]:
        return tuple(ruling for ruling in self.rulings if not ruling.ok)


def judge(
    policy: GatePolicy,
    measured: Values,
    reference: Values | None,
    *,
    directions: Mapping[str, str] | None = None,
    intervals: Mapping[Pair, Interval] | None = None,
    partial: bool = False,
) -> Verdict:
    """Whether `measured` fulfils `policy` beside `reference`.

    Numbers come from anywhere: a work tree before a release, or what production reports of a version beside what that
    version recorded.  A metric is compared with that of the same file and key, else with the only one of its key.
    Bounds are inclusive, and differences those of the numbers as they are written.  It fails closed: a metric or slice
    that the policy names and nobody measured fails, as do NaN, infinities, texts, and a policy that finds nothing to
    judge.  What has nothing to be compared with passes its relative rules.

    Args:
        reference: None when there is none (yet); its own values that are not finite are no reference either.
        directions: the configuration's `metrics`: name -> `up` or `down`, over the well known names.
        intervals: (file, key) of `measured` -> where the difference to the reference lies; heeded if the policy does.
        partial: whether `measured` may lack metrics that the reference has, as long as the policy names none of them.
    """
    court = _Court(policy, measured, reference, directions or {}, intervals or {}, partial)
    return Verdict(rulings=tuple(court.rulings()) or (_nothing(),))


def _nothing() -> Ruling:
    reason = "nothing was measured of which anybody knows which way is better: name metrics in the policy"
    return Ruling(metric="*", file=None, rule="measured", ok=False, reason=reason)


_NO_BOUND = MetricRule()


@dataclass(frozen=True)
class _Court:
    """One judgement."""

    policy: GatePolicy
    measured: Values
    reference: Values | None
    directions: Mapping[str, str]
    intervals: Mapping[Pair, Interval]
    partial: bool

    def rulings(self) -> Iterator[Ruling]:
        if not self.policy.metrics:
            yield from self._every()
        for name, rule in self.policy.metrics.items():
            yield from self._named(name, rule, self._pairs)
        for name, rules in self.policy.slices.items():
            for one in self._slice_names(name):
                yield from self._slice(one, rules)

    # Which metrics ----------------------------------------------------------------------------------------------

    @cached_property
    def _counterparts(self) -> Mapping[Pair, Pair]:
        """Where the reference has what was measured."""
        known = self.reference or {}
        by_key: dict[str, list[str]] = {}
        for file, keys in known.items():
            for key in keys:
                by_key.setdefault(key, []).append(file)
        found: dict[Pair, Pair] = {}
        for file, keys in self.measured.items():
            for key in keys:
                files = by_key.get(key, []) if key else []
                if key in known.get(file, {}):
                    found[file, key] = file, key
                elif len(files) == 1 and key not in self.measured.get(files[0], {}):
                    found[file, key] = files[0], key
        return found

    @cached_property
    def _pairs(self) -> tuple[Pair, ...]:
        """All metrics, those that the reference alone has last."""
        here = [(file, key) for file in sorted(self.measured) for key in self.measured[file]]
        if self.partial or self.reference is None:
            return tuple(here)
        matched = set(self._counterparts.values())
        there = ((file, key) for file in sorted(self.reference) for key in self.reference[file])
        return (*here, *(pair for pair in there if pair not in matched))

    def _is_measured(self, pair: Pair) -> bool:
        return pair[1] in self.measured.get(pair[0], {})

    def _before(self, pair: Pair) -> Scalar:
        file, key = self._counterparts.get(pair, pair)
        return (self.reference or {}).get(file, {}).get(key)

    def _every(self) -> Iterator[Ruling]:
        """What a project without a policy is held to."""
        for file, key in self._pairs:
            values = self.measured.get(file, {}).get(key), self._before((file, key))
            known = direction(key, self.directions, file=file) is not None
            if known and any(is_number(value) for value in values):
                yield from self._judged((file, key), _NO_BOUND, None)

    def _named(self, name: str, rule: MetricRule, pairs: Sequence[Pair], within: str | None = None) -> Iterator[Ruling]:
        found = matching(pairs, name, self._plain if within is None else pairs)
        if not found:
            yield Ruling(
                metric=name, file=None, slice=within, rule="measured", ok=False, reason="nobody measured such a metric"
            )
        for pair in found:
            yield from self._judged(pair, rule, within)

    @cached_property
    def _plain(self) -> tuple[Pair, ...]:
        """Those that are not of a slice."""
        whole = [self.measured, *([self.reference] if self.reference is not None else [])]
        keys = {(file, key) for values in whole for file in values for key in slices(values[file]).plain}
        return tuple(pair for pair in self._pairs if pair in keys)

    # Slices -----------------------------------------------------------------------------------------------------

    def _slice_names(self, name: str) -> tuple[str, ...]:
        if name != EVERY_SLICE:
            return (name,)
        whole = [self.measured, *([] if self.partial or self.reference is None else [self.reference])]
        groups = (group for values in whole for file in sorted(values) for group in slices(values[file]).groups)
        found = [f"{group.title}.{row}" if group.title else row for group in groups for row, _ in group.rows]
        return tuple(dict.fromkeys(found)) or (EVERY_SLICE,)

    def _slice(self, name: str, rules: Mapping[str, MetricRule]) -> Iterator[Ruling]:
        pairs = [pair for pair in self._pairs if _is_of_slice(pair[1], name)]
        there = [pair for pair in pairs if self._is_measured(pair)]
        if not there:
            yield _of_slice(name, ok=False, reason="nobody measured such a slice")
        elif not rules:
            broken = [pair for pair in there if not _is_finite(self.measured[pair[0]][pair[1]])]
            yield from (self._not_measured(pair, name) for pair in broken)
            if not broken:
                yield _of_slice(name, ok=True)
        else:
            for metric, rule in rules.items():
                yield from self._named(metric, rule, pairs, name)

    # Rules ------------------------------------------------------------------------------------------------------

    def _judged(self, pair: Pair, rule: MetricRule, within: str | None) -> Iterator[Ruling]:
        value = as_number(self.measured.get(pair[0], {}).get(pair[1]))
        if value is None or not math.isfinite(value):
            yield self._not_measured(pair, within)
            return
        shown = digits(value)
        if rule.minimum is not None:
            past = difference(rule.minimum, value)
            why = f"{shown} is below {digits(rule.minimum)}" if past > 0 else ""
            yield self._ruling(pair, "min", rule.minimum, within, excess=past, ok=past <= 0, reason=why)
        if rule.maximum is not None:
            past = difference(value, rule.maximum)
            why = f"{shown} is above {digits(rule.maximum)}" if past > 0 else ""
            yield self._ruling(pair, "max", rule.maximum, within, excess=past, ok=past <= 0, reason=why)
        if rule.max_drop is not None:
            yield self._compared(pair, "max_drop", rule.max_drop, within, falls=True)
        if rule.max_rise is not None:
            yield self._compared(pair, "max_rise", rule.max_rise, within, falls=False)
        if not rule.is_bounded:
            yield self._not_worse(pair, rule, within)

    def _not_measured(self, pair: Pair, within: str | None) -> Ruling:
        file, key = pair
        value = self.measured.get(file, {}).get(key)
        reason = "it is no number"
        if not self._is_measured(pair):
            reason = "nobody measured it any more"
        elif is_number(value):
            reason = "it is not finite"
        return self._ruling(pair, "measured", None, within, ok=False, reason=reason)

    def _not_worse(self, pair: Pair, rule: MetricRule, within: str | None) -> Ruling:
        better = rule.better or direction(pair[1], self.directions, file=pair[0])
        if better is None:
            reason = "nobody knows which way is better: say better: up or better: down in the policy"
            return self._ruling(pair, "not_worse", None, within, ok=False, reason=reason)
        return self._compared(pair, "not_worse", Tolerance(amount=0), within, falls=better == "up", limit=better)

    def _compared(
        self,
        pair: Pair,
        rule: str,
        allowed: Tolerance,
        within: str | None,
        *,
        falls: bool,
        limit: str | None = None,
    ) -> Ruling:
        """Whether the metric lies no further below (`falls`), or above, its reference than is allowed."""
        value, before = as_number(self.measured[pair[0]][pair[1]]), as_number(self._before(pair))
        shown = allowed.limit if limit is None else limit
        if value is None or before is None or not math.isfinite(before):
            return self._ruling(pair, rule, shown, within, ok=True, reason=self._why_alone(pair))
        past = (difference(before, value) if falls else difference(value, before)) - allowed.of(before)
        if past <= 0:
            return self._ruling(pair, rule, shown, within, excess=past, ok=True)
        interval = self.intervals.get(pair)
        if self.policy.significance is not None and interval is not None and not interval.excludes_zero:
            reason = f"within chance: {_span(interval)}"
            return self._ruling(pair, rule, shown, within, excess=past, ok=True, reason=reason)
        more = f", more than {allowed.limit if allowed.percent else digits(allowed.amount)}" if allowed.amount else ""
        word = "fell" if falls else "rose"
        reason = f"{word} from {digits(before)} to {digits(value)}{more}"
        return self._ruling(pair, rule, shown, within, excess=past, ok=False, reason=reason)

    def _why_alone(self, pair: Pair) -> str:
        if self.reference is None:
            return "there is no reference yet"
        there = self._before(pair)
        return "the reference does not have it" if there is None else "the reference's value is no finite number"

    def _ruling(
        self,
        pair: Pair,
        rule: str,
        limit: float | str | None,
        within: str | None,
        *,
        excess: Decimal | None = None,
        ok: bool,
        reason: str = "",
    ) -> Ruling:
        value, before = self.measured.get(pair[0], {}).get(pair[1]), self._before(pair)
        both = _is_finite(value) and _is_finite(before)
        return Ruling(
            metric=pair[1],
            file=pair[0],
            slice=within,
            rule=rule,
            limit=limit,
            value=value,
            reference=before,
            delta=_delta(value, before) if both else None,
            interval=self.intervals.get(pair),
            excess=excess,
            ok=ok,
            reason=reason,
        )


def matching(pairs: Iterable[Pair], name: str, preferred: Iterable[Pair] = ()) -> list[Pair]:
    """The metrics that `name` means: `FILE:KEY`, a key, a file that is one value, or else the last parts of keys.

    Args:
        preferred: where several end alike, those of them in here count, if there are any.
    """
    known, first = list(pairs), set(preferred)
    exact = [(file, key) for file, key in known if name in _names(file, key)]
    if exact:
        return exact
    wanted = split_key(name), (name,)
    ending = [(file, key) for file, key in known if any(split_key(key)[-len(w) :] == w for w in wanted)]
    return [pair for pair in ending if pair in first] or ending


def _names(file: str, key: str) -> tuple[str, ...]:
    if not key:
        return file, PurePosixPath(file).stem
    return key, label(key), f"{file}:{key}", label(key, file)


def _is_of_slice(key: str, name: str) -> bool:
    """Whether the mapping `name`, or the last of the mappings that it lists with dots, is above the key's last part."""
    above = split_key(key)[:-1]
    for wanted in {split_key(name), (name,)}:
        if any(above[at : at + len(wanted)] == wanted for at in range(len(above) - len(wanted) + 1)):
            return True
    return False


def _of_slice(name: str, *, ok: bool, reason: str = "") -> Ruling:
    return Ruling(metric=EVERY_SLICE, file=None, slice=name, rule="slice", ok=ok, reason=reason)


# Numbers --------------------------------------------------------------------------------------------------------


def _is_finite(value: Scalar) -> bool:
    number = as_number(value)
    return number is not None and math.isfinite(number)


def _delta(value: Scalar, before: Scalar) -> float | None:
    one, other = as_number(value), as_number(before)
    return None if one is None or other is None else float(difference(one, other))


def _span(interval: Interval) -> str:
    return f"the change lies between {interval.low:.3g} and {interval.high:.3g} at {interval.level:.0%}"
