"""The block `data`: what the model was trained and evaluated on, which bytes, and where they came from.  Pure.

Of tables that a pipeline stage has profiled also their columns: names, types and numbers, no text of a cell.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from dvc_modelver.cards.escape import code, code_cell, html
from dvc_modelver.cards.facts import CardFacts
from dvc_modelver.cards.tables import TIMES, clip, short_digest, table, text_cell, value_cell
from dvc_modelver.core.facts import Output
from dvc_modelver.core.recipe import Input, Kind, Origin
from dvc_modelver.core.sizes import size
from dvc_modelver.core.tables import ColumnProfile, TableProfile

NOTHING = "No training data is tracked with DVC for this model."
MAX_PROFILES = 10
"""Tables whose columns are listed."""
MANY = "many"
"""Different values that nobody counted to the end."""
_DIGITS = 12
"""Of a commit."""
_NUMERIC = ("integer", "number")
_MOMENT = re.compile(r"\d[\dTZ:.+-]{3,39}", re.ASCII)
"""What a date or time looks like; a profile that somebody else wrote may say anything."""


def render(facts: CardFacts) -> str:
    """The training data, then the evaluation's, then the columns of both."""
    parts = [_training(facts)]
    evaluated = _evaluated(facts)
    if evaluated:
        parts += ["Evaluated on:", _table(evaluated, facts)]
    return "\n\n".join([*parts, *_columns(facts, evaluated)])


def _within(path: str, place: str) -> bool:
    return path == place or path.startswith(f"{place}/")


def _training(facts: CardFacts) -> str:
    recipe = facts.recipe
    if recipe.origin is not None:
        return f"The model itself was {_imported(recipe.origin, code)}. Its source has to say what it was trained on."
    if not recipe.steps:
        return f"{NOTHING} No pipeline stage writes it, so the commit does not say what it was trained on."
    return f"Trained on:\n\n{_table(recipe.data, facts)}" if recipe.data else NOTHING


def _evaluated(facts: CardFacts) -> tuple[Input, ...]:
    """What the evaluation read besides the model and its own results, by path."""
    evaluation = facts.recipe.evaluation
    made = {out.path for step in evaluation for out in step.outs}
    found: dict[str, Input] = {}
    for item in (item for step in evaluation for item in step.inputs):
        path = item.output.path
        own = facts.is_model(path) or any(_within(path, place) for place in made)
        if item.kind is not Kind.CODE and not own:
            found.setdefault(path, item)
    return tuple(found[path] for path in sorted(found))


def _table(inputs: Sequence[Input], facts: CardFacts) -> str:
    shapes = {item.output.path: _shape(facts, item.output.path) for item in inputs}
    measured = any(shapes.values())
    head = ["Path", "Digest", "Size", *([f"Rows {TIMES} columns"] if measured else []), "From"]
    rows = []
    for item in inputs:
        output = item.output
        shape = [shapes[output.path] or "-"] if measured else []
        rows.append([code_cell(clip(output.path)), _digest(output.digest), _size(output), *shape, _from(item)])
    return table(head, rows, right=(2, 3) if measured else (2,))


def _digest(digest: str | None) -> str:
    return "-" if digest is None else code_cell(short_digest(digest))


def _size(output: Output) -> str:
    if output.files is None:
        return size(output.size)
    return f"{size(output.size)}, {output.files:,} file{'' if output.files == 1 else 's'}"


def _shape(facts: CardFacts, path: str) -> str:
    """Empty where nobody can tell."""
    profile, shape = facts.profiles.get(path), facts.shapes.get(path)
    if profile is not None:
        return f"{profile.rows:,} {TIMES} {len(profile.columns):,}"
    if shape is None:
        return ""
    width = len(shape.columns) if shape.width is None and shape.columns is not None else shape.width
    return f"{shape.rows:,} {TIMES} {'?' if width is None else f'{width:,}'}"


def _columns(facts: CardFacts, evaluated: Sequence[Input]) -> list[str]:
    """Of each table that was profiled, in the order in which they are shown."""
    shown = dict.fromkeys(item.output.path for item in (*facts.recipe.data, *evaluated))
    known = [(path, facts.profiles[path]) for path in shown if path in facts.profiles and facts.profiles[path].columns]
    return [_listed(path, profile) for path, profile in known[:MAX_PROFILES]]


def _listed(path: str, profile: TableProfile) -> str:
    head = ["Column", "Type", "Missing", "Distinct", "Smallest", "Largest", "Mean"]
    rows = [_column(column) for column in profile.columns]
    title = f"Columns of <code>{html(clip(path))}</code> ({len(rows):,})"
    return f"<details>\n<summary>{title}</summary>\n\n{table(head, rows, right=range(2, 7))}\n\n</details>"


def _column(column: ColumnProfile) -> list[str]:
    distinct = MANY if column.distinct is None else f"{column.distinct:,}"
    ends = [_end(column, value) for value in (column.minimum, column.maximum)]
    mean = "-" if column.mean is None else value_cell(column.name, column.mean)
    return [text_cell(column.name), text_cell(column.type), f"{column.nulls:,}", distinct, *ends, mean]


def _end(column: ColumnProfile, value: float | str | None) -> str:
    """Of numbers and dates; what a cell of text says is nobody's business."""
    if isinstance(value, str):
        return text_cell(value) if column.type == "date" and _MOMENT.fullmatch(value) else "-"
    return value_cell(column.name, value) if value is not None and column.type in _NUMERIC else "-"


def _from(item: Input) -> str:
    by = code_cell(clip(item.by or ""))
    if item.origin is not None:
        return f"{_imported(item.origin, code_cell)}{f'; tracked by {by}' if by else ''}"
    if item.kind is Kind.STAGE:
        return f"written by pipeline stage {by}" if by else "written by a pipeline stage"
    return f"raw data tracked by {by}" if by else "outside the repository"


def _imported(origin: Origin, span: Callable[[str], str]) -> str:
    if origin.url is None:
        return f"imported from {span(clip(origin.path))}"
    parts = [f"imported from {span(clip(origin.url))}", f"path {span(clip(origin.path))}"]
    if origin.rev:
        parts.append(f"revision {span(clip(origin.rev))}")
    if origin.rev_lock:
        parts.append(f"commit {span(clip(origin.rev_lock)[:_DIGITS])}")
    return ", ".join(parts)
