"""The configuration's shape: which keys there are and what they may hold.  Pure: mappings in, `Config` out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dvc_modelver.core.names import stage_problem
from dvc_modelver.errors import BadInput

if TYPE_CHECKING:
    from dvc_modelver.core.bumps import BumpPolicy
    from dvc_modelver.core.gatepolicy import GatePolicy
    from dvc_modelver.core.guardpolicy import GuardPolicy

ENV_PREFIX = "MODELVER_"
SCHEMES = ("semver", "timestamp")


@dataclass(frozen=True, slots=True, kw_only=True)
class CardSettings:
    """Where cards are, what they begin as, and what has to stand in them."""

    path: str = "model_cards/{name}.md"
    """From the root; `{name}` stands for the model's name, its `:` as `/`."""
    template: str = "default"
    """One of ours, or the path of a Markdown file of the repository."""
    required: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Stage -> the sections that must be written before a version may hold it."""
    plots: tuple[str, ...] = ()
    """Paths of plot data, or names of plots in `dvc.yaml`."""

    def path_of(self, model: str) -> str:
        """Where the card of a model is, from the root."""
        return self.path.replace("{name}", model.replace(":", "/"))


@dataclass(frozen=True, slots=True, kw_only=True)
class HookSettings:
    """What the Git hooks may do beyond looking."""

    push: bool = False
    """Whether pre-push uploads the bytes that the DVC remote lacks, instead of refusing."""
    messages: bool = False
    """Whether the comments of a commit message name what it changes in metrics and params."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The settings in force."""

    scheme: str = "semver"
    stages: tuple[str, ...] = ()
    """Empty: any."""
    push: bool = False
    cards: CardSettings = field(default_factory=CardSettings)
    metrics: Mapping[str, str] = field(default_factory=dict)
    """Metric key -> `up` or `down`: which way is better."""
    bump: BumpPolicy = field(default_factory=dict)
    """What changed -> how far the next version goes, where that is not as the policy has it."""
    gate: GatePolicy | None = None
    """When a model is good enough; None where the configuration does not say."""
    guard: GuardPolicy | None = None
    """When a stage may go back by itself; None where the configuration does not say."""
    hooks: HookSettings = field(default_factory=HookSettings)
    models: Mapping[str, object] = field(default_factory=dict)
    """`allow_code`: whether staged models may be of formats that run code when loaded, or the paths that may."""


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


def _bump(where: str, key: str, value: object) -> BumpPolicy:
    from dvc_modelver.core.bumps import LEVELS, Cause
    from dvc_modelver.core.versions import Bump

    causes = tuple(cause.value for cause in Cause)
    if not isinstance(value, Mapping):
        raise _fail(where, key, f"a mapping of {', '.join(causes[:-1])} or {causes[-1]} to {_or(LEVELS)}")
    for cause, level in value.items():
        _known(where, f"{key}.", str(cause), causes)
        if level not in LEVELS:
            raise _no_level(f"{where}: {key}.{cause}", level, LEVELS)
    return {Cause(str(cause)): Bump[str(level).upper()] for cause, level in value.items()}


def _gate(where: str, key: str, value: object) -> GatePolicy:
    from dvc_modelver.core.gatepolicy import parse_policy

    return parse_policy(where, value, f"{key}.")


def _guard(where: str, key: str, value: object) -> GuardPolicy:
    from dvc_modelver.core.guardpolicy import parse_guard

    return parse_guard(where, value, f"{key}.")


def _no_level(what: str, level: object, levels: tuple[str, ...]) -> BadInput:
    from difflib import get_close_matches

    nearest = get_close_matches(str(level)[:60].lower(), levels, n=1, cutoff=0.4)
    return BadInput(f"{what} must be {_or(levels)}", hint=f"did you mean {nearest[0]}?" if nearest else "")


def _or(words: tuple[str, ...]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"


def _section(*allowed: str) -> Callable[[str, str, object], dict[str, object]]:
    def read(where: str, key: str, value: object) -> dict[str, object]:
        if not isinstance(value, Mapping):
            raise _fail(where, key, "a mapping")
        for name in value:
            _known(where, f"{key}.", str(name), allowed)
        return {str(name): item for name, item in value.items()}

    return read


def _cards(where: str, key: str, value: object) -> CardSettings:
    if value is None:
        return CardSettings()
    section = _section("path", "template", "required", "plots")(where, key, value)
    return CardSettings(**{name: _CARDS[name](where, f"{key}.{name}", item) for name, item in section.items()})  # type: ignore[arg-type]


def _hooks(where: str, key: str, value: object) -> HookSettings:
    section = _section("push", "messages")(where, key, value)
    return HookSettings(**{name: _flag(where, f"{key}.{name}", item) for name, item in section.items()})


def _card_path(where: str, key: str, value: object) -> str:
    parts = value.split("/") if isinstance(value, str) else []
    unsafe = {"", ".", ".."} & set(parts) or any(part.lower() in (".git", ".dvc") for part in parts)
    odd = not isinstance(value, str) or not value.isprintable() or value.startswith("~") or set(value) & set("\\:")
    if not isinstance(value, str) or unsafe or odd or not parts[-1].endswith(".md"):
        raise _fail(where, key, "the path of a Markdown file below the root, such as model_cards/{name}.md")
    if "{" in value.replace("{name}", "") or "}" in value.replace("{name}", ""):
        raise BadInput(f"{where}: {key}: the only thing that can stand in braces is {{name}}")
    return value


def _text(where: str, key: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _fail(where, key, "a text")
    return value


def _texts(where: str, key: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) and item.strip() for item in value):
        raise _fail(where, key, "a list of texts")
    return tuple(value)


def _required(where: str, key: str, value: object) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, Mapping):
        raise _fail(where, key, "a mapping of stages to lists of sections")
    found = {str(stage): _texts(where, f"{key}.{stage}", titles) for stage, titles in value.items()}
    for stage in found:
        if stage_problem(stage):
            raise BadInput(f"{where}: {key}: {stage!a} is not a name for a stage: {stage_problem(stage)}")
    return found


def _models(where: str, key: str, value: object) -> dict[str, object]:
    found = _section("allow_code")(where, key, value)
    allowed = found.get("allow_code", False)
    if not isinstance(allowed, bool):
        _texts(where, f"{key}.allow_code", allowed)
    return found


_CARDS: Mapping[str, Callable[[str, str, object], object]] = {
    "path": _card_path,
    "template": _text,
    "required": _required,
    "plots": _texts,
}
_READERS: Mapping[str, Callable[[str, str, object], object]] = {
    "scheme": _scheme,
    "stages": _stages,
    "push": _flag,
    "cards": _cards,
    "metrics": _directions,
    "bump": _bump,
    "gate": _gate,
    "guard": _guard,
    "hooks": _hooks,
    "models": _models,
}
_FROM_ENV = ("scheme", "stages", "push")


def _known(where: str, prefix: str, key: str, allowed: tuple[str, ...]) -> None:
    if key in allowed:
        return
    from difflib import get_close_matches

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
                from difflib import get_close_matches

                nearest = get_close_matches(key, _FROM_ENV, n=1, cutoff=0.4) or list(_FROM_ENV)
                wanted = " or ".join(f"{ENV_PREFIX}{k.upper()}" for k in nearest)
                raise BadInput(f"there is no setting {name}", hint=f"did you mean {wanted}?")
            found[key] = _READERS[key](f"environment variable {name}", key, text)
    return Config(**found)  # type: ignore[arg-type]
