"""`modelver list --experiments`: the table and the keys of DVC experiments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from dvc_modelver.cli.answer import Answer, Json, shown
from dvc_modelver.cli.table import Table
from dvc_modelver.commands.experiments import Experiments, ModelExperiments, Point, all_points
from dvc_modelver.commands.gating.gate import Gated, document
from dvc_modelver.core.facts import Scalar, Values
from dvc_modelver.core.metrics import label, leading, same
from dvc_modelver.core.secrets import HIDDEN, redact_value
from dvc_modelver.core.text import one_line

_MOST = 6
"""Metrics, and params, in a cell."""
_MAX_NOTES = 10


def with_experiments(listing: Answer, found: Experiments) -> Answer:
    """The listing's answer with the key `experiments`, and their table instead of its own."""
    notes = [f"note: {one_line(note, 300)}" for note in found.notes[:_MAX_NOTES]]
    return replace(
        listing,
        data={**listing.data, "experiments": [_model(one) for one in found.models]},
        table=_table(found),
        lines=() if any(one.experiments for one in found.models) else ("There is no DVC experiment here.",),
        notes=(*listing.notes, *notes),
    )


def _model(one: ModelExperiments) -> Json:
    return {
        "name": one.name,
        "latest": None if one.latest is None else _version(one.latest),
        "production": None if one.production is None else _version(one.production),
        "experiments": [
            {
                "experiment": point.ref,
                "commit": point.commit,
                "parent": point.parent,
                **_numbers(point),
                "gate": None if point.gate is None else _verdict(point.gate),
            }
            for point in one.experiments
        ],
    }


def _verdict(gate: Gated) -> Json:
    full = document(gate)
    return {key: full[key] for key in ("ok", "against", "rules")}


def _version(point: Point) -> Json:
    return {"version": point.version, "commit": point.commit, **_numbers(point)}


def _numbers(point: Point) -> Json:
    return {"metrics": _public(point.metrics), "params": _public(point.params)}


def _public(values: Values) -> Mapping[str, Mapping[str, Scalar]]:
    return {file: {key: _shown_value(key, value) for key, value in keys.items()} for file, keys in values.items()}


def _shown_value(key: str, value: Scalar) -> Scalar:
    if isinstance(value, int) and value.bit_length() > 10_000:
        return value
    hidden = redact_value(key, value)
    return hidden if hidden == HIDDEN or isinstance(value, str) else value


def _table(found: Experiments) -> Table:
    return Table(
        columns=("MODEL", "WHAT", "COMMIT", "FROM", "METRICS", "PARAMS", "GATE"),
        rows=tuple(row for one in found.models for row in _rows(one)),
    )


def _rows(one: ModelExperiments) -> Iterator[tuple[str, ...]]:
    base = one.production or one.latest
    for point in all_points(one):
        yield (
            one.name,
            _what(one, point),
            point.commit[:9],
            point.parent[:9] if point.parent is not None else "-",
            _metrics(point),
            _params(point, base) or "-",
            _gate(point),
        )


def _what(one: ModelExperiments, point: Point) -> str:
    if point.version is None:
        return point.ref
    roles = (("production", one.production), ("latest", one.latest))
    return f"{point.version} ({', '.join(word for word, other in roles if other is point or other == point)})"


def _metrics(point: Point) -> str:
    several = len(point.metrics) > 1
    named = leading(point.metrics, {}, _MOST)
    return _joined(f"{label(k, f if several or not k else '')} {shown(point.metrics[f][k])}" for f, k in named)


def _params(point: Point, base: Point | None) -> str:
    """Of an experiment what it changed, of a version nothing: all are many."""
    if base is None or point.version is not None:
        return ""
    changed = [
        f"{label(key)} {shown(_shown_value(key, value))}"
        for file, keys in point.params.items()
        for key, value in keys.items()
        if not same(value, base.params.get(file, {}).get(key))
    ]
    return ", ".join(changed[:_MOST]) + (f" and {len(changed) - _MOST} more" if len(changed) > _MOST else "")


def _joined(words: Iterator[str]) -> str:
    return ", ".join(words) or "-"


def _gate(point: Point) -> str:
    if point.version is not None:
        return "-"
    if point.gate is None:
        return "not judged"
    failed = point.gate.verdict.failed
    if not failed:
        return "passes"
    names = list(dict.fromkeys(one.slice or label(one.metric) or one.file or "" for one in failed))
    return f"fails: {', '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''}"
