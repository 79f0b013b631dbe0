"""The guard's policy: what it can say, and how the configuration writes it; every slip is named.  Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from dvc_modelver.core.gatepolicy import MetricRule, Tolerance, check_key, parse_policy, parse_tolerance
from dvc_modelver.core.metrics import is_number
from dvc_modelver.errors import BadInput

KEYS = ("cooldown", "confirm", "margin", "min_samples", "metrics")
MAX_CONFIRM = 100
_SPAN = re.compile(r"(\d{1,6}) ?([smhdw])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


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
        check_key(where, prefix, key, KEYS)
    read = {"cooldown": _cooldown, "confirm": _confirm, "margin": parse_tolerance, "min_samples": _samples}
    found: dict[str, object] = {
        key: read[key](where, f"{prefix}{key}", item) for key, item in section.items() if key in read
    }
    rules = parse_policy(where, {"metrics": section.get("metrics")}, prefix).metrics
    return GuardPolicy(**found, metrics=rules)  # type: ignore[arg-type]


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
