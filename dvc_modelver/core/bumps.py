"""How far the next version goes: the policy, each step with its reason.  Pure.

| level | when |
|---|---|
| major | the signature, the task or the artifact's type is another: whoever uses the model has to look |
| minor | data, params, code, a pipeline stage or what pins the environment is new, gone or changed |
| patch | the same recipe ran again: only bytes or measurements differ |

A configuration may give any of these causes another level; the highest of all that are found decides.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING

from dvc_modelver.core.facts import Scalar, Values
from dvc_modelver.core.metrics import label, same
from dvc_modelver.core.versions import Bump

if TYPE_CHECKING:
    from dvc_modelver.core.descriptions import Feature, Signature
    from dvc_modelver.core.points import Bytes, Facts

_NAMED = 3
"""So many of one kind are named; what is more is counted."""


class Cause(str, Enum):
    """What can ask for a new number; the values are the keys of the configuration's `bump`."""

    SIGNATURE = "signature"
    TASK = "task"
    TYPE = "type"
    DATA = "data"
    PARAMS = "params"
    CODE = "code"
    PIPELINE = "pipeline"
    ENVIRONMENT = "environment"
    RERUN = "rerun"
    """The same recipe ran again."""


BumpPolicy = Mapping[Cause, Bump]
"""Cause -> level; a cause that it leaves out has that of `DEFAULT`."""

DEFAULT: BumpPolicy = MappingProxyType(
    {
        Cause.SIGNATURE: Bump.MAJOR,
        Cause.TASK: Bump.MAJOR,
        Cause.TYPE: Bump.MAJOR,
        Cause.DATA: Bump.MINOR,
        Cause.PARAMS: Bump.MINOR,
        Cause.CODE: Bump.MINOR,
        Cause.PIPELINE: Bump.MINOR,
        Cause.ENVIRONMENT: Bump.MINOR,
        Cause.RERUN: Bump.PATCH,
    }
)
LEVELS = ("major", "minor", "patch")

Reason = tuple[Cause, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """What the policy says."""

    level: Bump | None
    """None when the two cannot be compared."""
    reasons: tuple[str, ...]
    """Sentences without a full stop, those of the level first; never empty."""


def suggest(before: Facts, now: Facts, policy: BumpPolicy = DEFAULT) -> Suggestion:
    """The level from `before` to `now`; the highest reason decides, and all are given."""
    if before.artifact is None or now.artifact is None:
        which = "before" if before.artifact is None else "now"
        return Suggestion(level=None, reasons=(f"there is no model {which}",))
    causes = [*_contract(before, now), *_recipe(before, now)] or [(Cause.RERUN, _again(before, now))]
    found = [(policy.get(cause, DEFAULT[cause]), words) for cause, words in causes]
    ordered = sorted(found, key=lambda reason: -reason[0])
    return Suggestion(level=ordered[0][0], reasons=tuple(words for _, words in ordered))


def _again(before: Facts, now: Facts) -> str:
    if before.artifact is not None and now.artifact is not None and before.artifact.digest != now.artifact.digest:
        return "the same recipe gave other bytes" if now.stages else "only the bytes differ; no recipe is recorded"
    if any(True for _ in _changed_values(before.metrics, now.metrics)):
        return "only the metrics differ"
    return "nothing differs that makes the model"


# Major ----------------------------------------------------------------------------------------------------------


def _contract(before: Facts, now: Facts) -> Iterator[Reason]:
    types = (before.artifact.type if before.artifact else None, now.artifact.type if now.artifact else None)
    tasks = (before.task, now.task)
    for cause, what, (old, new) in ((Cause.TYPE, "artifact's type", types), (Cause.TASK, "task", tasks)):
        # A first word about what was never said is no change.
        if old is not None and new is not None and old != new:
            yield cause, f"the {what} was {old} and is {new}"
    if before.signature is not None and now.signature is not None:
        yield from ((Cause.SIGNATURE, words) for words in _signature(before.signature, now.signature))


def _signature(old: Signature, new: Signature) -> Iterator[str]:
    yield from _features("input", "inputs", _typed(old.inputs), _typed(new.inputs))
    yield from _features("output", "outputs", _typed(old.outputs), _typed(new.outputs))
    yield from _features("class", "classes", [(name, None) for name in old.classes], [(n, None) for n in new.classes])


_Typed = Sequence[tuple[str, object]]
"""(name, what it is)."""


def _typed(features: Sequence[Feature]) -> _Typed:
    return [(feature.name, (feature.type, feature.shape)) for feature in features]


def _features(one: str, many: str, old: _Typed, new: _Typed) -> Iterator[str]:
    said = list(_words(f"{one} of the signature", f"{many} of the signature", dict(old), dict(new)))
    yield from said or ([f"the {many} of the signature are in another order or number"] if old != new else [])


# Minor ----------------------------------------------------------------------------------------------------------


def _recipe(before: Facts, now: Facts) -> Iterator[Reason]:
    found = (
        (Cause.DATA, _words("data", "data", _digests(before.data), _digests(now.data))),
        (Cause.PARAMS, _params(before.own_params, now.own_params)),
        (Cause.CODE, _words("code", "code", before.code, now.code)),
        (Cause.PIPELINE, _words("pipeline stage", "pipeline stages", before.stages, now.stages)),
        (Cause.ENVIRONMENT, _environment(before.environment, now.environment)),
    )
    yield from ((cause, words) for cause, part in found for words in part)


def _digests(data: Mapping[str, Bytes]) -> dict[str, str | None]:
    return {path: item.digest for path, item in data.items()}


def _params(before: Values, now: Values) -> Iterator[str]:
    found = list(_changed_values(before, now))
    files = {file for file, _ in found}
    names = [label(key, file if len(files) > 1 or not key else "") for file, key in found]
    if names:
        yield f"{'param' if len(names) == 1 else 'params'} {_listed(names)} changed"


def _changed_values(before: Values, now: Values) -> Iterator[tuple[str, str]]:
    """(file, key) of what is new, gone or another."""
    for file in sorted({**before, **now}):
        old, new = before.get(file, {}), now.get(file, {})
        for key in {**new, **old}:
            if key not in old or key not in new or not same(old[key], new[key]):
                yield file, key


def _environment(old: Mapping[str, Scalar] | None, new: Mapping[str, Scalar] | None) -> Iterator[str]:
    if old is None or new is None:  # one of them is not at hand
        return
    if old.get("recorded") and new.get("recorded"):
        yield from _words("environment", "environment", _pinned(old), _pinned(new))
    elif not old or not new:
        yield from [f"what pins the environment is {'new' if new else 'gone'}"] if old or new else []
    else:
        locks = [side.get("lock.sha256", side.get("sha256")) for side in (old, new)]
        if None not in locks and locks[0] != locks[1]:
            yield "what pins the environment changed"


def _pinned(environment: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """What decides which code runs; another machine with the same packages runs the same recipe."""
    pins = ("python.", "packages.", "lock.sha256")
    return {label(key): value for key, value in environment.items() if key.startswith(pins)}


# Words ----------------------------------------------------------------------------------------------------------


def _words(one: str, many: str, old: Mapping[str, object], new: Mapping[str, object]) -> Iterator[str]:
    """`data a.csv is new`, `data b.csv, c.csv changed`; nothing when both are equal."""
    kinds = (
        ([name for name in new if name not in old], "is new", "are new"),
        ([name for name in old if name not in new], "is gone", "are gone"),
        ([name for name in new if name in old and old[name] != new[name]], "changed", "changed"),
    )
    for names, singular, plural in kinds:
        if names:
            yield f"{one if len(names) == 1 else many} {_listed(names)} {singular if len(names) == 1 else plural}"


def _listed(names: Collection[str]) -> str:
    shown = list(names)[:_NAMED]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(shown)}{more}"
