"""The block `changes`: what differs from the version before, and nothing of what does not.  Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, TypeVar

from dvc_modelver.cards.escape import code_cell, inline
from dvc_modelver.cards.facts import CardFacts, TrainingEnvironment
from dvc_modelver.cards.tables import (
    clip,
    digest_of,
    exact,
    number,
    param_cell,
    short_digest,
    span,
    table,
    text_cell,
    value_cell,
)
from dvc_modelver.core.descriptions import Feature, ModelDescription
from dvc_modelver.core.facts import Scalar, Values
from dvc_modelver.core.metrics import direction, is_number, label, same, slices
from dvc_modelver.core.recipe import Input, Step
from dvc_modelver.core.sizes import size

if TYPE_CHECKING:
    from dvc_modelver.core.environment import Environment, LockFile, Package

MAX_ITEMS = 20
"""Of one list; what is more is counted below it."""
MAX_COMMAND = 300


class _Absent(Enum):
    """The value of what is not there; None is a value."""

    ABSENT = 0


ABSENT = _Absent.ABSENT
_Value = Scalar | _Absent
_T = TypeVar("_T")


def render(facts: CardFacts) -> str:
    """What is new since `facts.named.base`: the parts that differ."""
    before = facts.base
    if facts.named.base is None:
        return "" if facts.named.version is None else "First version."
    base = inline(clip(facts.named.base))
    if before is None:
        return f"What changed since {base} is not known: that version could not be read."
    metrics, kept = _metrics(before, facts, base)
    others = [part for compare in _PARTS if (part := compare(before, facts, base))]
    found = [f"Compared with {base}:", metrics, kept, *others]
    if not metrics and not others:
        found = [f"Nothing in this card differs from {base} but the version."]
    return "\n\n".join(part for part in (*found, _not_compared(before, facts)) if part)


def _not_compared(before: CardFacts, now: CardFacts) -> str:
    paths = sorted(dict.fromkeys((*before.absent, *now.absent)))
    spans = [name for name in map(span, paths) if name]
    more = f" and {len(spans) - MAX_ITEMS} more" if len(spans) > MAX_ITEMS else ""
    return f"Not compared, for the bytes were not at hand: {', '.join(spans[:MAX_ITEMS])}{more}." if spans else ""


# Metrics and params ---------------------------------------------------------------------------------------------


def _metrics(before: CardFacts, now: CardFacts, base: str) -> tuple[str, str]:
    """The tables of the metrics that differ, those of slices folded up, and a line that counts the others."""
    old_values, new_values = _at_hand(before, now)
    whole = {file: frozenset(slices(values).plain) for file, values in {**old_values, **new_values}.items()}
    rows: dict[bool, list[list[str]]] = {True: [], False: []}
    kept = 0
    for file, key, name, old, new in _values(old_values, new_values):
        if same(old, new):
            kept += 1
            continue
        cells = ["" if value is ABSENT else value_cell(key, value) for value in (old, new)]
        change = _change(old, new, direction(key, now.directions, file=file))
        rows[key in whole.get(file, ()) or new is ABSENT].append([text_cell(name), *cells, change])
    number_of = f"{kept:,} {'other ' if rows[True] or rows[False] else ''}metric{'' if kept == 1 else 's'}"
    line = f"{number_of} {'is' if kept == 1 else 'are'} as before." if kept else ""
    shown, sliced = (table(["Metric", base, "now", "Change"], rows[plain], right=(1, 2)) for plain in (True, False))
    if shown and sliced:
        sliced = f"<details>\n<summary>By slice ({len(rows[False]):,})</summary>\n\n{sliced}\n\n</details>"
    return "\n\n".join(part for part in (shown, sliced) if part), line


def _at_hand(before: CardFacts, now: CardFacts) -> tuple[Values, Values]:
    """The metrics of both, without the files that could be read on one side only."""
    missing = (*before.absent, *now.absent)
    old, new = ({f: values for f, values in facts.metrics.items() if f not in missing} for facts in (before, now))
    return old, new


def _values(before: Values, now: Values) -> Iterator[tuple[str, str, str, _Value, _Value]]:
    """(file, key, name for people, before, now) of every value; a single file is the same under any name."""
    if len(before) == len(now) == 1:
        before = {file: values for file in now for values in before.values()}
    files = sorted({**before, **now})
    for file in files:
        old, new = before.get(file, {}), now.get(file, {})
        for key in {**new, **old}:
            name = label(key, file if len(files) > 1 or not key else "")
            yield file, key, name, old.get(key, ABSENT), new.get(key, ABSENT)


def _change(old: _Value, new: _Value, way: str | None) -> str:
    if old is ABSENT or new is ABSENT:
        return "new" if old is ABSENT else "gone"
    if not is_number(old) or not is_number(new) or old != old or new != new:
        return "changed"
    rises = new > old
    verdict = "" if way is None else "(better)" if rises == (way == "up") else "(worse)"
    return " ".join(word for word in ("↑" if rises else "↓", _delta(old, new), verdict) if word)


def _delta(old: float, new: float) -> str:
    """The signed difference; empty where it is no number."""
    try:
        delta = new - old
        if not math.isfinite(delta) or not delta:
            return ""
    except OverflowError:  # an integer that no float holds
        return ""
    return f"{'+' if delta > 0 else ''}{number(delta) if isinstance(delta, float) else exact(delta)}"


def _params(before: CardFacts, now: CardFacts, base: str) -> str:
    rows = []
    for _, key, name, old, new in _values(before.params, now.params):
        if not same(old, new):
            cells = ["*not set*" if value is ABSENT else param_cell(key, value) for value in (old, new)]
            rows.append([text_cell(name), *cells])
    return _under("Params", table(["Param", base, "now"], rows))


# Data, code, pipeline -------------------------------------------------------------------------------------------


def _data(before: CardFacts, now: CardFacts, base: str) -> str:
    rows = []
    for path, old, new in _inputs(before.recipe.data, now.recipe.data):
        digests = _digests(old.output.digest if old else None, new.output.digest if new else None)
        rows.append([code_cell(clip(path)), *(code_cell(clip(digest)) for digest in digests), _growth(old, new)])
    return _under("Training data", table(["Path", base, "now", "Change"], rows))


def _growth(old: Input | None, new: Input | None) -> str:
    if old is None or new is None:
        return "new" if old is None else "gone"
    return _sizes(old.output.size, new.output.size) or "changed"


def _code(before: CardFacts, now: CardFacts, base: str) -> str:
    changes = _inputs(before.recipe.code, now.recipe.code)
    return _list("Code", (f"{span(path)} {_word(old, new)}" for path, old, new in changes))


def _inputs(before: Sequence[Input], now: Sequence[Input]) -> Iterator[tuple[str, Input | None, Input | None]]:
    """Those whose bytes differ, by path."""
    old, new = ({item.output.path: item for item in side} for side in (before, now))
    for path in sorted({**old, **new}):
        was, is_ = old.get(path), new.get(path)
        if was is None or is_ is None or was.output.digest != is_.output.digest:
            yield path, was, is_


def _pipeline(before: CardFacts, now: CardFacts, base: str) -> str:
    old, new = ({step.name: step for step in (*f.recipe.steps, *f.recipe.evaluation)} for f in (before, now))
    return _list("Pipeline", (_step(name, old.get(name), new.get(name)) for name in {**new, **old}))


def _step(name: str, old: Step | None, new: Step | None) -> str:
    if old is None or new is None:
        return f"stage {span(name)} {_word(old, new)}"
    return _moved(f"stage {span(name)} has another command", old.cmd, new.cmd, _command)


def _command(cmd: str | None) -> str:
    return span(cmd or "", MAX_COMMAND) or "none"


# Environment ----------------------------------------------------------------------------------------------------


def _environment(before: CardFacts, now: CardFacts, base: str) -> str:
    old, new = before.environment, now.environment
    if any(facts.environment is None and facts.environment_digest is not None for facts in (before, now)):
        return ""  # one of them is not at hand
    if old is None or new is None:
        known = old or new
        return "" if known is None else f"Environment: {span(known.file)} {_word(old, new)}."
    if old.recorded is None or new.recorded is None:
        return _list("Environment", [_moved("File", old, new, _pinned)])
    said = _list("Environment", _machine(old.recorded, new.recorded))
    packages = _packages(old.recorded.packages, new.recorded.packages, base)
    return "\n\n".join(part for part in (said, packages) if part)


def _pinned(environment: TrainingEnvironment) -> str:
    return f"{span(environment.file)} {span(short_digest(f'sha256:{environment.digest}'))}"


def _machine(old: Environment, new: Environment) -> Iterator[str]:
    yield _moved("Python", old.python, new.python, _python)
    yield _moved("Lock file", old.lock, new.lock, _lock)
    yield "the operating system differs" if old.os != new.os else ""
    yield "the processor differs" if old.cpu != new.cpu else ""
    yield "the GPUs differ" if old.gpus != new.gpus else ""
    yield "variables that change what a training computes differ" if old.variables != new.variables else ""


def _python(python: Mapping[str, str] | None) -> str:
    words = (python or {}).get("implementation", ""), (python or {}).get("version", "")
    return _words(" ".join(words))


def _lock(lock: LockFile | None) -> str:
    return "none" if lock is None else f"{span(lock.path)} {span(short_digest(f'sha256:{lock.sha256}'))}"


def _packages(before: Sequence[Package], now: Sequence[Package], base: str) -> str:
    old, new = ({package.name: package for package in side} for side in (before, now))
    names = [name for name in sorted({**old, **new}) if old.get(name) != new.get(name)]
    rows = [[text_cell(name), _package(old.get(name)), _package(new.get(name))] for name in names[:MAX_ITEMS]]
    more = f"\n\n*and {len(names) - MAX_ITEMS:,} more*" if len(names) > MAX_ITEMS else ""
    return _under("Packages", table(["Package", base, "now"], rows) + more)


def _package(package: Package | None) -> str:
    if package is None:
        return "*not installed*"
    revision = f" at {package.revision}" if package.revision else ""
    place = f" from {package.origin}" if package.origin else ""
    return text_cell(f"{package.version}{place}{revision}{' (editable)' if package.editable else ''}")


# The model itself -----------------------------------------------------------------------------------------------


def _artifact(before: CardFacts, now: CardFacts, base: str) -> str:
    return _list("Model", _model(before, now))


def _model(before: CardFacts, now: CardFacts) -> Iterator[str]:
    old, new = before.artifact, now.artifact
    yield _moved("Path", old.path, new.path, _text)
    digests = _digests(digest_of(old), digest_of(new))
    yield _moved("Bytes", digests[0], digests[1], _text)
    if old.size is not None and new.size is not None and old.size != new.size:
        yield f"Size: {size(old.size)} → {size(new.size)} ({_sizes(old.size, new.size)})"
    if before.model is None or now.model is None:
        return
    yield _moved("Format", before.model.format, now.model.format, _text)
    if before.model.library is not None and now.model.library is not None:
        yield _moved("Library", _library(before.model), _library(now.model), _words)


def _library(model: ModelDescription) -> str:
    return f"{model.library or ''} {model.library_version or ''}"


def _words(text: str) -> str:
    return inline(clip(text)) or "not known"


def _text(text: str | None) -> str:
    return span(text or "") or "not known"


def _signature(before: CardFacts, now: CardFacts, base: str) -> str:
    old, new = (facts.model.signature if facts.model else None for facts in (before, now))
    if old is None or new is None:
        return ""
    sides = (
        ("input", _as_read_back(old.inputs), _as_read_back(new.inputs)),
        ("output", _as_read_back(old.outputs), _as_read_back(new.outputs)),
        ("class", _named(old.classes), _named(new.classes)),
    )
    return _list("Signature", (item for word, was, is_ in sides for item in _features(word, was, is_)))


def _named(classes: Sequence[str]) -> tuple[Feature, ...]:
    return tuple(Feature(name=clip(name)) for name in classes)


def _as_read_back(features: Sequence[Feature]) -> tuple[Feature, ...]:
    """As the base's card has them, whose features are read back from it: cut, hidden, on one line."""
    return tuple(
        Feature(
            name=clip(feature.name),
            type=None if feature.type is None else clip(feature.type),
            shape=None if feature.shape is None else (clip(", ".join(map(str, feature.shape))),),
        )
        for feature in features
    )


def _features(word: str, before: Sequence[Feature], now: Sequence[Feature]) -> Iterator[str]:
    old, new = _by_name(before), _by_name(now)
    for at in {**new, **old}:
        was, is_ = old.get(at), new.get(at)
        if was is None or is_ is None:
            yield f"{word} {span(at[0])} {_word(was, is_)}"
        else:
            yield _moved(f"{word} {span(at[0])}", was, is_, _type)
    if list(old) != list(new) and sorted(old) == sorted(new):
        yield f"the {word}{'es' if word == 'class' else 's'} are in another order"


def _by_name(features: Iterable[Feature]) -> Mapping[tuple[str, int], Feature]:
    """(name, how many of that name came before) -> feature."""
    seen: Counter[str] = Counter()
    found: dict[tuple[str, int], Feature] = {}
    for feature in features:
        found[feature.name, seen[feature.name]] = feature
        seen[feature.name] += 1
    return found


def _type(feature: Feature) -> str:
    shape = "" if feature.shape is None else f"({', '.join(map(str, feature.shape))})"
    return " ".join(part for part in (span(feature.type or ""), span(shape)) if part) or "type not known"


# Words ----------------------------------------------------------------------------------------------------------


def _word(old: object | None, new: object | None) -> str:
    return "is new" if old is None else "is gone" if new is None else "changed"


def _moved(title: str, old: _T, new: _T, show: Callable[[_T], str]) -> str:
    """`title: before → now`; empty when they are equal."""
    if old == new:
        return ""
    before, now = show(old), show(new)
    return f"{title}: {before} → {now if now != before else '(it differs further on)'}"


def _digests(old: str | None, new: str | None) -> tuple[str, str]:
    """Both short, unless their beginnings are the same."""
    short = short_digest(old or ""), short_digest(new or "")
    return (old or "", new or "") if short[0] == short[1] and old != new else short


def _sizes(old: int | None, new: int | None) -> str:
    if old is None or new is None:
        return ""
    return "same size" if old == new else f"{'+' if new > old else '-'}{size(abs(new - old))}"


def _list(title: str, items: Iterable[str]) -> str:
    found = [item for item in items if item]
    more = [f"and {len(found) - MAX_ITEMS:,} more"] if len(found) > MAX_ITEMS else []
    return _under(title, "\n".join(f"- {item}" for item in (*found[:MAX_ITEMS], *more)))


def _under(title: str, text: str) -> str:
    return f"{title}:\n\n{text}" if text else ""


_PARTS = (_params, _data, _code, _pipeline, _environment, _artifact, _signature)
