"""The signature that a point of a comparison says its model has: from the model's bytes, or from its card."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from dvc_modelver.commands.bytes_at_hand import Bytes as AtHand
from dvc_modelver.commands.comparison.points import Place
from dvc_modelver.commands.project import Project
from dvc_modelver.core.facts import ArtifactFacts
from dvc_modelver.errors import BadInput, ModelverError

if TYPE_CHECKING:
    from dvc_modelver.commands.cards.facts import CardSource
    from dvc_modelver.core.descriptions import Feature, Signature

_MAX_POINTS = 16
"""Of more points no model's bytes are looked at."""
_MAX_BYTES = 16 * 1024 * 1024
"""Of the largest model that is hashed and looked at."""


class Signatures:
    """Reads the signatures of the models of one comparison.

    Args:
        count: of the points that are compared.
    """

    def __init__(self, project: Project, at_hand: AtHand, count: int) -> None:
        self._project = project
        self._at_hand = at_hand
        self._few = count <= _MAX_POINTS
        self._said: dict[str, Signature | None] = {}
        self.described: set[str | None] = set()
        """Commits whose model's bytes were looked at."""

    def find(self, place: Place, source: CardSource) -> Signature | None:
        """A version's card was written when it was released; elsewhere a card may be of an earlier model."""
        ways = [self._from_model, self._from_card]
        for way in reversed(ways) if place.version is not None else ways:
            found = way(place, source)
            if found is not None:
                return _comparable(found)
        return None

    def _from_card(self, place: Place, source: CardSource) -> Signature | None:
        card = self._project.config.cards.path_of(source.declared.name)
        for path in dict.fromkeys(filter(None, (place.card, card))):
            entry = source.tree.entry(path)
            if entry is not None:
                key = entry.oid or path
                if key not in self._said:
                    self._said[key] = _read(source.tree.read(path))
                return self._said[key]
        return None

    def _from_model(self, place: Place, source: CardSource) -> Signature | None:
        if not self._is_small(source.artifact) or not source.model_at_hand:
            return None
        from dvc_modelver.cards.facts import CardFacts, Need

        with suppress(ModelverError):
            facts = CardFacts(declared=source.declared, artifact=source.artifact)
            model = source.complete(facts, [Need.MODEL]).model
            self.described.add(place.commit)
            return model.signature if model is not None else None
        return None

    def may_describe(self, artifact: ArtifactFacts | None) -> bool:
        """Whether the model is small, and its bytes are in the cache."""
        output = artifact.output if artifact is not None else None
        if output is None or output.digest is None or not self._is_small(artifact):
            return False
        from dvc_modelver.dvcio.cache import output_id

        cache = self._at_hand.cache_of(output.root) if output.digest.startswith("md5:") else None
        return cache is not None and cache.exists(output_id(output))

    def _is_small(self, artifact: ArtifactFacts | None) -> bool:
        size = artifact.size if artifact is not None else None
        return self._few and size is not None and size <= _MAX_BYTES


def _read(card: bytes | None) -> Signature | None:
    from dvc_modelver.cards.document import parse_card
    from dvc_modelver.cards.readback import said_of_model

    with suppress(BadInput):
        model = said_of_model(parse_card(card)) if card is not None else None
        return model.signature if model is not None else None
    return None


def _comparable(signature: Signature) -> Signature:
    """As a card would have it, so that one read from a card equals one read from the model."""
    from dvc_modelver.cards.tables import clip

    sides = (tuple(map(_feature, side)) for side in (signature.inputs, signature.outputs))
    inputs, outputs = sides
    return replace(signature, inputs=inputs, outputs=outputs, classes=tuple(map(clip, signature.classes)), source="")


def _feature(feature: Feature) -> Feature:
    from dvc_modelver.cards.tables import clip

    shape = None if feature.shape is None else (clip(", ".join(map(str, feature.shape))),)
    kind = None if feature.type is None else clip(feature.type)
    return replace(feature, name=clip(feature.name), type=kind, shape=shape)
