"""The cards that new versions bring, for `release`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dvc_modelver.cards.document import Card
from dvc_modelver.cards.facts import Named
from dvc_modelver.cards.generate import named_in
from dvc_modelver.commands.bytes_at_hand import Bytes
from dvc_modelver.commands.candidates import ReadModel
from dvc_modelver.commands.cards.facts import TreeReader
from dvc_modelver.commands.cards.text import CardFile, card_path, has_card, read_card, read_template, write_card
from dvc_modelver.commands.project import Project
from dvc_modelver.core.releases import PlannedVersion
from dvc_modelver.core.trees import Tree


def release_cards(
    project: Project, tree: Tree, texts: Tree, new: Sequence[tuple[ReadModel, PlannedVersion]]
) -> Sequence[CardFile]:
    """The card of each new version: facts from `tree`, what people wrote from `texts`.

    Raises as `commands.cards.text.write_card`.
    """
    with Bytes(project) as at_hand:
        return tuple(_cards(project, tree, texts, new, at_hand))


def _cards(
    project: Project, tree: Tree, texts: Tree, new: Sequence[tuple[ReadModel, PlannedVersion]], at_hand: Bytes
) -> Iterator[CardFile]:
    planned = {plan.model: plan for _, plan in new}
    chosen = [read.declared for read, _ in new if has_card(read.declared)]
    reader = TreeReader(project, tree, at_hand)
    for declared in chosen:
        source = reader.source(declared)
        path = card_path(project, declared.name)
        card = read_card(texts, path) or read_template(project, tree)
        named = _named(project, card, planned[declared.name])
        yield from write_card(source, card, named, path, texts, verified=True).files


def _named(project: Project, card: Card, plan: PlannedVersion) -> Named:
    there = named_in(card)
    if there.version == str(plan.version):
        # Prepared and reviewed: what came between is no reason for another commit.
        return there
    if plan.previous is None:
        return Named(version=str(plan.version))
    base = project.model_of(plan.model).release_ref(plan.previous)
    return Named(version=str(plan.version), base=str(plan.previous), base_commit=base.target)
