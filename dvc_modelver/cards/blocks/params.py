"""The block `params`: what the files say, and what the training ran with where that is something else.  Pure."""

from __future__ import annotations

from collections.abc import Mapping

from dvc_modelver.cards.facts import CardFacts
from dvc_modelver.cards.tables import param_cell, span, table, text_cell
from dvc_modelver.core.facts import Scalar
from dvc_modelver.core.metrics import label, same

NOTHING = "No params file is declared for this model."


def render(facts: CardFacts) -> str:
    """A table for each file."""
    trained = facts.recipe.params
    parts = []
    for file in sorted(facts.params):
        parts += [span(file)] if len(facts.params) > 1 else []
        parts.append(_table(file, facts.params[file], trained.get(file, {})) or "The file holds no params.")
    return "\n\n".join(part for part in parts if part) or NOTHING


def _table(file: str, values: Mapping[str, Scalar], trained: Mapping[str, object]) -> str:
    other = {key for key, value in values.items() if key in trained and not same(trained[key], value)}
    head = ["Param", "Value", *(["Trained with"] if other else [])]
    rows = []
    for key, value in values.items():
        row = [text_cell(label(key) or file), param_cell(key, value)]
        rows.append([*row, param_cell(key, trained[key]) if key in other else ""] if other else row)
    note = "\n\nThe file was changed after the pipeline ran with the values under *Trained with*." if other else ""
    return table(head, rows) + note
