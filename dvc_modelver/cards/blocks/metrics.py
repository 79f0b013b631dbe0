"""The block `metrics`: what was measured, and on which slices.  Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dvc_modelver.cards.facts import CardFacts
from dvc_modelver.cards.tables import span, table, text_cell, value_cell
from dvc_modelver.core.facts import Scalar
from dvc_modelver.core.metrics import SliceGroup, direction, is_number, label, slices

NOTHING = "No metrics file is declared for this model."
MAX_COLUMNS = 12
"""Metrics of a table of slices; a wider one cannot be read."""
_BETTER = {"up": "higher", "down": "lower"}


def render(facts: CardFacts) -> str:
    """A table for each file, and one for each group of slices in it."""
    files = sorted({**facts.metrics, **facts.metric_digests})
    parts = []
    for file in files:
        if file not in facts.metrics:
            parts.append(f"{span(file)} is kept by DVC and was not at hand.")
            continue
        parts += [span(file)] if len(files) > 1 else []
        parts += list(_tables(file, facts.metrics[file], facts.directions)) or ["The file holds no metrics."]
    return "\n\n".join(part for part in parts if part) or NOTHING


def _tables(file: str, values: Mapping[str, Scalar], configured: Mapping[str, str]) -> Iterator[str]:
    found = slices(values)
    rows = [
        [
            text_cell(label(key) or file),
            value_cell(key, values[key]),
            _BETTER.get(direction(key, configured, file=file) or "", "") if is_number(values[key]) else "",
        ]
        for key in found.plain
    ]
    if rows:
        yield table(["Metric", "Value", "Better"], rows, right=(1,))
    for group in found.groups:
        yield _slices(group)


def _slices(group: SliceGroup) -> str:
    columns = group.columns[:MAX_COLUMNS]
    head = [text_cell(group.title) or "Slice", *map(text_cell, columns)]
    rows = [
        [text_cell(name), *("" if value is None else value_cell("", value) for value in values[:MAX_COLUMNS])]
        for name, values in group.rows
    ]
    more = len(group.columns) - len(columns)
    shown = table(head, rows, right=range(1, len(head)))
    return f"{shown}\n\n*and {more} more metrics of each*" if more else shown
