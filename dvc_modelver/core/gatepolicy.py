"""The gate's policy: what it can say, and how files write it; every slip is named.  Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from dvc_modelver.core.exact import decimal, digits, share
from dvc_modelver.core.metrics import as_number, is_number
from dvc_modelver.errors import BadInput

KEYS = ("against", "metrics", "slices", "significance")
RULE_KEYS = ("min", "max", "max_drop", "max_rise", "better")
SIGNIFICANCE = 0.05
"""Intervals are of 95 %, so no other rate can be asked for."""
_PERCENT = re.compile(r"(\d{1,9}(?:\.\d{1,9})?) ?%")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How much worse is still allowed."""

    amount: float
    """In the metric's own unit, or in percent of the reference's size; finite, not negative."""
    percent: bool = False

    def of(self, reference: float) -> Decimal:
        """In the metric's own unit, beside that reference."""
        return share(self.amount, reference) if self.percent else decimal(self.amount)

    @property
    def limit(self) -> float | str:
        """As a policy writes it: `0.01`, or `5%`."""
        return f"{digits(self.amount)}%" if self.percent else self.amount


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRule:
    """What a metric has to fulfil; without any bound: to be no worse than the reference."""

    minimum: float | None = None
    maximum: float | None = None
    max_drop: Tolerance | None = None
    """How far it may lie below the reference."""
    max_rise: Tolerance | None = None
    """How far it may lie above the reference."""
    better: str | None = None
    """`up` or `down`, where that is not as the configuration and the well known names have it."""

    @property
    def is_bounded(self) -> bool:
        return any(bound is not None for bound in (self.minimum, self.maximum, self.max_drop, self.max_rise))


@dataclass(frozen=True, slots=True, kw_only=True)
class GatePolicy:
    """When a model is good enough."""

    against: str | None = None
    """What it is compared with, as people name it: a stage, a version, `latest`; None leaves that to the command."""
    metrics: Mapping[str, MetricRule] = field(default_factory=dict)
    """By name: a key, the last parts of one, or `FILE:KEY`.  Empty: no metric of known direction may be worse."""
    slices: Mapping[str, Mapping[str, MetricRule]] = field(default_factory=dict)
    """Slices that must be there, by name, with rules for the metrics of each; `*` stands for all that there are."""
    significance: float | None = None
    """A change for the worse passes while the interval of the difference at this error rate still holds zero.

    None: every change counts as it was measured.
    """


def needs_reference(policy: GatePolicy) -> bool:
    """Whether any of the rules compares with a reference."""
    rules = [*policy.metrics.values(), *(rule for named in policy.slices.values() for rule in named.values())]
    relative = (rule.max_drop or rule.max_rise or not rule.is_bounded for rule in rules)
    return not policy.metrics or any(relative)


# As files write it -----------------------------------------------------------------------------------------------


def parse_policy(where: str, value: object, prefix: str = "") -> GatePolicy:
    """The policy in `value`.

    Args:
        where: the file, for errors.
        prefix: what stands before the keys in errors: `gate.` for the configuration's section.

    Raises `BadInput` on an unknown key (with the nearest known one) or a value of the wrong kind.
    """
    section = _mapping(where, prefix.rstrip(".") or "the policy", value)
    for key in section:
        check_key(where, prefix, key, KEYS)
    return GatePolicy(
        against=_against(where, f"{prefix}against", section.get("against")),
        metrics=_rules(where, f"{prefix}metrics", section.get("metrics")),
        slices=_slices(where, f"{prefix}slices", section.get("slices")),
        significance=_significance(where, f"{prefix}significance", section.get("significance")),
    )


def _against(where: str, key: str, value: object) -> str | None:
    if value is not None and (not isinstance(value, str) or not value.strip() or not value.isprintable()):
        raise BadInput(f"{where}: {key} must be a stage, a version or another reference, as text")
    return value


def _significance(where: str, key: str, value: object) -> float | None:
    if value is None or value is False:
        return None
    if isinstance(value, bool) or value != SIGNIFICANCE:
        raise BadInput(f"{where}: {key} must be {SIGNIFICANCE}", hint="leave it out to count every change")
    return SIGNIFICANCE


def _rules(where: str, key: str, value: object) -> dict[str, MetricRule]:
    if value is None:
        return {}
    return {name: _rule(where, f"{key}.{name}", rule) for name, rule in _mapping(where, key, value).items()}


def _slices(where: str, key: str, value: object) -> dict[str, Mapping[str, MetricRule]]:
    if value is None:
        return {}
    if isinstance(value, (list, tuple)):
        if not all(isinstance(name, str) and name for name in value):
            raise BadInput(f"{where}: {key} must be names of slices, or a mapping of them to rules")
        return {name: {} for name in value}
    if not isinstance(value, Mapping):
        raise BadInput(f"{where}: {key} must be names of slices, or a mapping of them to rules")
    return {name: _rules(where, f"{key}.{name}", rules) for name, rules in _mapping(where, key, value).items()}


def _rule(where: str, key: str, value: object) -> MetricRule:
    if value is None:
        return MetricRule()
    if isinstance(value, str):
        return MetricRule(better=_better(where, key, value))
    section = _mapping(where, key, value)
    for name in section:
        check_key(where, f"{key}.", name, RULE_KEYS)
    found = MetricRule(
        minimum=_number(where, f"{key}.min", section.get("min")),
        maximum=_number(where, f"{key}.max", section.get("max")),
        max_drop=_tolerance(where, f"{key}.max_drop", section.get("max_drop")),
        max_rise=_tolerance(where, f"{key}.max_rise", section.get("max_rise")),
        better=_better(where, f"{key}.better", section["better"]) if "better" in section else None,
    )
    if found.minimum is not None and found.maximum is not None and found.minimum > found.maximum:
        raise BadInput(f"{where}: {key}: min is above max, so that nothing can pass", hint="exchange them")
    return found


def _better(where: str, key: str, value: object) -> str:
    if value not in ("up", "down"):
        raise BadInput(f"{where}: {key} must be up or down", hint="bounds are written as {min: 0.8, max_drop: 0.01}")
    return str(value)


def _number(where: str, key: str, value: object) -> float | None:
    if value is None:
        return None
    try:
        number = float(value) if is_number(value) else math.nan
    except OverflowError:
        number = math.nan
    if not math.isfinite(number):
        raise BadInput(f"{where}: {key} must be a number")
    return number


def _tolerance(where: str, key: str, value: object) -> Tolerance | None:
    return None if value is None else parse_tolerance(where, key, value)


def parse_tolerance(where: str, key: str, value: object) -> Tolerance:
    """A number that is not negative, or a share such as `5%`.  Raises `BadInput` for anything else."""
    share = _PERCENT.fullmatch(value.strip()) if isinstance(value, str) else None
    if share is not None:
        return Tolerance(amount=float(share[1]), percent=True)
    amount = as_number(value)
    if amount is None or not 0 <= amount < math.inf:
        raise BadInput(f"{where}: {key} must be a number that is not negative, or a share such as 5%")
    return Tolerance(amount=amount)


def _mapping(where: str, key: str, value: object) -> dict[str, object]:
    if not isinstance(value, Mapping):
        raise BadInput(f"{where}: {key} must be a mapping")
    return {str(name): item for name, item in value.items()}


def check_key(where: str, prefix: str, key: str, allowed: tuple[str, ...]) -> None:
    """Raises `BadInput` for a key that is not among `allowed`, with the nearest one that is."""
    if key in allowed:
        return
    from difflib import get_close_matches

    nearest = get_close_matches(key, allowed, n=1, cutoff=0.4)
    hint = f"did you mean {prefix}{nearest[0]}?" if nearest else f"the keys are: {', '.join(allowed)}"
    raise BadInput(f"{where}: there is no key {prefix}{key[:60]}", hint=hint)
