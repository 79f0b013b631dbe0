"""The block `signature`: what the model takes and gives.  Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dvc_modelver.cards.escape import code, code_cell, inline
from dvc_modelver.cards.facts import CardFacts
from dvc_modelver.cards.tables import MAX_ROWS, clip, table
from dvc_modelver.core.descriptions import Feature, Signature


def render(facts: CardFacts) -> str:
    """Inputs, outputs and classes, and who says so; empty when nothing is known."""
    signature = facts.model.signature if facts.model is not None else None
    return "\n\n".join(_parts(signature)) if signature is not None else ""


def _parts(signature: Signature) -> Iterator[str]:
    source = (
        "the model's own bytes"
        if signature.source == "model"
        else code(clip(signature.source)) or "a file without name"
    )
    yield f"What the model takes and gives, according to {source}."
    for title, features in (("Inputs", signature.inputs), ("Outputs", signature.outputs)):
        if features:
            yield f"{title} ({len(features):,}):"
            yield _table(features)
    if signature.classes:
        yield f"Classes ({len(signature.classes):,}):"
        yield _list(signature.classes)


def _table(features: Sequence[Feature]) -> str:
    return table(
        ["Name", "Type", "Shape"], [[_name(f.name), code_cell(clip(f.type or "")) or "-", _shape(f)] for f in features]
    )


def _name(name: str) -> str:
    return code_cell(clip(name)) or "(no name)"


def _shape(feature: Feature) -> str:
    if feature.shape is None:
        return "-"
    return code_cell(clip(f"({', '.join(map(str, feature.shape))})"))


def _list(classes: Sequence[str]) -> str:
    more = f"\n\n*and {len(classes) - MAX_ROWS:,} more*" if len(classes) > MAX_ROWS else ""
    return "\n".join(f"- {inline(clip(name)) or '(no name)'}" for name in classes[:MAX_ROWS]) + more
