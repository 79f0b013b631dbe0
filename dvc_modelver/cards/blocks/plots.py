"""The block `plots`: the pictures beside the card.  Pure."""

from __future__ import annotations

from dvc_modelver.cards.escape import inline
from dvc_modelver.cards.facts import CardFacts
from dvc_modelver.cards.tables import clip


def render(facts: CardFacts) -> str:
    """One picture a paragraph; empty without plots.  Their file names are ours, and need no escape."""
    return "\n\n".join(f"![{inline(clip(plot.title))}]({plot.name})" for plot in facts.plots)
