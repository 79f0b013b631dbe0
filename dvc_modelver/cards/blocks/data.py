"""The block `data`: what the model was trained and evaluated on, which bytes, and where they came from.  Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from dvc_modelver.cards.escape import code, code_cell
from dvc_modelver.cards.facts import CardFacts
from dvc_modelver.cards.tables import TIMES, clip, short_digest, table
from dvc_modelver.core.facts import Output
from dvc_modelver.core.recipe import Input, Kind, Origin, Shape
from dvc_modelver.core.sizes import size

NOTHING = "No training data is tracked with DVC for this model."
_DIGITS = 12
"""Of a commit."""


def render(facts: CardFacts) -> str:
    """The training data, then the evaluation's."""
    parts = [_training(facts)]
    evaluated = _evaluated(facts)
    if evaluated:
        parts += ["Evaluated on:", _table(evaluated, facts.shapes)]
    return "\n\n".join(parts)


def _within(path: str, place: str) -> bool:
    return path == place or path.startswith(f"{place}/")


def _training(facts: CardFacts) -> str:
    recipe = facts.recipe
    if recipe.origin is not None:
        return f"The model itself was {_imported(recipe.origin, code)}. Its source has to say what it was trained on."
    if not recipe.steps:
        return f"{NOTHING} No pipeline stage writes it, so the commit does not say what it was trained on."
    return f"Trained on:\n\n{_table(recipe.data, facts.shapes)}" if recipe.data else NOTHING


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


def _table(inputs: Sequence[Input], shapes: Mapping[str, Shape]) -> str:
    measured = any(item.output.path in shapes for item in inputs)
    head = ["Path", "Digest", "Size", *([f"Rows {TIMES} columns"] if measured else []), "From"]
    rows = []
    for item in inputs:
        output = item.output
        shape = [_shape(shapes.get(output.path))] if measured else []
        rows.append([code_cell(clip(output.path)), _digest(output.digest), _size(output), *shape, _from(item)])
    return table(head, rows, right=(2, 3) if measured else (2,))


def _digest(digest: str | None) -> str:
    return "-" if digest is None else code_cell(short_digest(digest))


def _size(output: Output) -> str:
    if output.files is None:
        return size(output.size)
    return f"{size(output.size)}, {output.files:,} file{'' if output.files == 1 else 's'}"


def _shape(shape: Shape | None) -> str:
    if shape is None:
        return "-"
    width = len(shape.columns) if shape.width is None and shape.columns is not None else shape.width
    return f"{shape.rows:,} {TIMES} {'?' if width is None else f'{width:,}'}"


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
