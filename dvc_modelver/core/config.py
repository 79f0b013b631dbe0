"""The configuration's shape: which keys there are and what they may hold.  Pure: mappings in, `Config` out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from dvc_modelver.core.names import stage_problem
from dvc_modelver.errors import BadInput

ENV_PREFIX = "MODELVER_"
SCHEMES = ("semver", "timestamp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The settings in force."""

    scheme: str = "semver"
    stages: tuple[str, ...] = ()
    """Empty: any."""
    push: bool = False
    cards: Mapping[str, object] = field(default_factory=dict)
    metrics: Mapping[str, str] = field(default_factory=dict)
    """Metric key -> `up` or `down`: which way is better."""
    gate: Mapping[str, object] = field(default_factory=dict)
    hooks: Mapping[str, object] = field(default_factory=dict)


def _fail(where: str, key: str, want: str) -> BadInput:
    return BadInput(f"{where}: {key} must be {want}")


def _scheme(where: str, key: str, value: object) -> str:
    if value not in SCHEMES:
        raise _fail(where, key, " or ".join(SCHEMES))
    return str(value)


def _stages(where: str, key: str, value: object) -> tuple[str, ...]:
    items = [s.strip() for s in value.split(",") if s.strip()] if isinstance(value, str) else value
    if not isinstance(items, (list, tuple)) or not all(isinstance(item, str) for item in items):
        raise _fail(where, key, "a list of stage names")
    for item in items:
        if stage_problem(item):
            raise BadInput(f"{where}: {key}: {item!a} is not a name for a stage: {stage_problem(item)}")
    return tuple(items)


def _flag(where: str, key: str, value: object) -> bool:
    words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False, "": False}
    found = words.get(value.lower()) if isinstance(value, str) else value
    if not isinstance(found, bool):
        raise _fail(where, key, "true or false")
    return found


def _directions(where: str, key: str, value: object) -> dict[str, str]:
    if not isinstance(value, Mapping) or any(way not in ("up", "down") for way in value.values()):
        raise _fail(where, key, "a mapping of metric names to up or down")
    return {str(name): str(way) for name, way in value.items()}


def _section(*allowed: str) -> Callable[[str, str, object], dict[str, object]]:
    def read(where: str, key: str, value: object) -> dict[str, object]:
        if not isinstance(value, Mapping):
            raise _fail(where, key, "a mapping")
        for name in value:
            _known(where, f"{key}.", str(name), allowed)
        return {str(name): item for name, item in value.items()}

    return read


_READERS: Mapping[str, Callable[[str, str, object], object]] = {
    "scheme": _scheme,
    "stages": _stages,
    "push": _flag,
    "cards": _section("path", "template", "required", "plots"),
    "metrics": _directions,
    "gate": _section("against", "metrics"),
    "hooks": _section("push"),
}
_FROM_ENV = ("scheme", "stages", "push")


def _known(where: str, prefix: str, key: str, allowed: tuple[str, ...]) -> None:
    if key in allowed:
        return
    nearest = get_close_matches(key, allowed, n=1, cutoff=0.4)
    hint = f"did you mean {prefix}{nearest[0]}?" if nearest else f"the keys are: {', '.join(allowed)}"
    raise BadInput(f"{where}: there is no key {prefix}{key[:60]}", hint=hint)


def parse_config(settings: object, env: Mapping[str, str], where: str) -> Config:
    """The configuration in `settings` (a file's content), overridden by `MODELVER_*` variables.

    Raises `BadInput` on an unknown key (with the nearest known one) or a value of the wrong kind.
    """
    if settings is None:
        settings = {}
    if not isinstance(settings, Mapping):
        raise BadInput(f"{where} must hold a mapping of keys to values")
    found: dict[str, object] = {}
    for key, value in settings.items():
        _known(where, "", str(key), tuple(_READERS))
        found[str(key)] = _READERS[str(key)](where, str(key), value)
    for name, text in env.items():
        if name.startswith(ENV_PREFIX):
            key = name.removeprefix(ENV_PREFIX).lower()
            if key not in _FROM_ENV:
                nearest = get_close_matches(key, _FROM_ENV, n=1, cutoff=0.4) or list(_FROM_ENV)
                wanted = " or ".join(f"{ENV_PREFIX}{k.upper()}" for k in nearest)
                raise BadInput(f"there is no setting {name}", hint=f"did you mean {wanted}?")
            found[key] = _READERS[key](f"environment variable {name}", key, text)
    return Config(**found)  # type: ignore[arg-type]
