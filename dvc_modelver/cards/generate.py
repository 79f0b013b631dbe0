"""A card brought up to date: which blocks can stay, what the others need to know, and their new text.  Pure.

A block that looks at bytes which Git does not hold carries in its marker the fingerprint of what it was made from
(`of=`).  While that is the tree's own, its text stands without those bytes: so a clone without data, and a hook, can
tell a stale card.  Where the model's bytes were not at hand the fingerprint ends with `-partial`: that text stands
too, until they are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module

from dvc_modelver.cards.document import (
    Block,
    Card,
    Edit,
    State,
    replace_blocks,
    replace_front_matter,
    state_of,
)
from dvc_modelver.cards.facts import CardFacts, Named, Need
from dvc_modelver.cards.yamltext import Value
from dvc_modelver.core.facts import Values

FORMAT = 1
"""Part of every fingerprint: raise it when a block that carries one is written in another way."""
_PARTIAL = "-partial"
_ATTRIBUTES = ("version", "base", "base-commit", "of")
_NAMING = ("summary", "changes", "usage")
"""The blocks that say which version it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    needs: tuple[Need, ...] = ()
    inputs: Callable[[CardFacts], object] | None = None
    """What a fingerprint is taken of; None: the block is a function of the files in Git."""


def _measured(facts: CardFacts) -> object:
    """None while all metrics stand in Git."""
    kept = facts.metric_digests
    if not kept:
        return None
    return [{f: dict(v) for f, v in facts.metrics.items() if f not in kept}, dict(kept), dict(facts.directions)]


def _summary(facts: CardFacts) -> object:
    """None while metrics and the model's digest stand in Git; that of a part of a directory is in its listing alone."""
    measured, declared = _measured(facts), facts.declared
    if measured is None and facts.artifact.inside is None:
        return None
    said = [declared.name, declared.type, declared.desc, declared.labels, facts.named.version]
    return [measured or [_plain(facts.metrics), dict(facts.directions)], said, _model(facts)]


def _environment(facts: CardFacts) -> object:
    return facts.environment_digest


def _model(facts: CardFacts) -> object:
    artifact = facts.artifact
    output = artifact.output
    inside = [output, artifact.inside] if output is not None else [artifact.digest, artifact.lfs, artifact.problem]
    return [artifact.path, artifact.type, artifact.source.value, inside, facts.signature_digest]


def _plain(values: Values) -> object:
    return {file: dict(keys) for file, keys in values.items()}


def _usage(facts: CardFacts) -> object:
    return [facts.name, facts.declared.file, facts.named.version, _model(facts)]


def _data(facts: CardFacts) -> object:
    profiles = [dict(facts.profile_digests)] if facts.profile_digests else []
    return [*_made_of(facts), *profiles]


def _made_of(facts: CardFacts) -> list[object]:
    return [facts.recipe, facts.artifact.source.value, facts.artifact.path, facts.artifact.output]


def _changes(facts: CardFacts) -> object:
    if facts.named.base is None:
        return facts.named
    own = [_plain(facts.params), _measured(facts) or [_plain(facts.metrics), dict(facts.directions)], _made_of(facts)]
    environment = facts.environment.digest if facts.environment is not None else None
    return [facts.named, own, facts.environment_digest or environment, _model(facts)]


def _plots(facts: CardFacts) -> object:
    return [dict(facts.plot_digests)] if facts.plot_digests else None


_KINDS: Mapping[str, _Kind] = {
    "summary": _Kind(needs=(Need.MEASURES, Need.MODEL), inputs=_summary),
    "changes": _Kind(needs=(Need.MEASURES, Need.MODEL, Need.BASE), inputs=_changes),
    "metrics": _Kind(needs=(Need.MEASURES,), inputs=_measured),
    "plots": _Kind(needs=(Need.PLOTS,), inputs=_plots),
    "params": _Kind(),
    "data": _Kind(needs=(Need.SHAPES,), inputs=_data),
    "pipeline": _Kind(),
    "environment": _Kind(needs=(Need.MEASURES,), inputs=_environment),
    "artifact": _Kind(needs=(Need.MODEL,), inputs=_model),
    "signature": _Kind(needs=(Need.MODEL,), inputs=_model),
    "usage": _Kind(needs=(Need.MODEL,), inputs=_usage),
}
BLOCKS = tuple(_KINDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What bringing a card up to date takes."""

    card: Card
    facts: CardFacts
    render: tuple[str, ...]
    """The blocks whose text is made anew; it may turn out to be what stands there."""
    attributes: Mapping[str, Mapping[str, str | None]]
    """Block -> what its marker shall say; None: no longer."""
    stale: frozenset[str]
    """The blocks that are out of date whatever their text would be: their marker says so."""
    needs: frozenset[Need]


@dataclass(frozen=True, slots=True, kw_only=True)
class Updated:
    """A card with new blocks."""

    text: str
    edits: tuple[Edit, ...] = field(default=())
    """What people had written into blocks, and is no longer there."""


def named_in(card: Card) -> Named:
    """What the card's markers name."""
    found: dict[str, str] = {}
    for block in card.blocks:
        for key, value in block.attributes:
            found.setdefault(key, value)
    return Named(version=found.get("version"), base=found.get("base"), base_commit=found.get("base-commit"))


def unknown_blocks(card: Card) -> tuple[Block, ...]:
    """The blocks that we do not know how to write: left alone."""
    return tuple(block for block in card.blocks if block.id not in _KINDS)


def plan(card: Card, facts: CardFacts, again: Collection[str] = ()) -> Plan:
    """What has to be made anew so that `card` says what `facts` say.

    Args:
        again: blocks that do not stand whatever their marker says.
    """
    known = [block.id for block in card.blocks if block.id in _KINDS]
    naming = [id for id in known if id in _NAMING] or known[:1]
    attributes, render, stale = {}, [], set()
    needs: set[Need] = set()
    for block in card.blocks:
        if block.id not in _KINDS:
            continue
        wanted = _attributes(block, facts, naming)
        attributes[block.id] = wanted
        marked = {key: dict(block.attributes).get(key) for key in _ATTRIBUTES}
        same = wanted == marked | {"of": (marked["of"] or "").removesuffix(_PARTIAL) or None}
        whole = same and block.id not in again
        if whole and wanted["of"] is not None and block.is_ours and block.digest is not None:
            continue
        if wanted["of"] is not None or not whole:
            stale.add(block.id)
        render.append(block.id)
        needs |= set(_KINDS[block.id].needs if wanted["of"] is not None else ())
    return Plan(
        card=card,
        facts=facts,
        render=tuple(render),
        attributes=attributes,
        stale=frozenset(stale),
        needs=frozenset(needs),
    )


def partial_blocks(card: Card) -> Mapping[str, tuple[Need, ...]]:
    """The blocks that were written without all that they ask for, and what they ask for."""
    return {
        block.id: _KINDS[block.id].needs
        for block in card.blocks
        if block.id in _KINDS and dict(block.attributes).get("of", "").endswith(_PARTIAL)
    }


def _attributes(block: Block, facts: CardFacts, naming: list[str]) -> dict[str, str | None]:
    named = facts.named
    changes = block.id == "changes"
    return {
        "version": named.version if block.id in naming else None,
        "base": named.base if changes else None,
        "base-commit": named.base_commit if changes else None,
        "of": _fingerprint(block.id, facts),
    }


def _fingerprint(id: str, facts: CardFacts) -> str | None:
    take = _KINDS[id].inputs
    inputs = take(facts) if take is not None else None
    if inputs is None:
        return None
    text = json.dumps([FORMAT, id, inputs], sort_keys=True, ensure_ascii=True, default=_fields)
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:16]


_LATER: Mapping[str, object] = {"pushed": True}
"""Fields that the first cards' facts did not have, and what each says of those: no card goes stale for a new field."""


def _fields(value: object) -> object:
    """A dataclass as the list of its fields (`asdict` copies everything below, which took five times as long)."""
    names = getattr(type(value), "__slots__", None)
    if not names:
        return str(value)
    found = [(name, getattr(value, name)) for name in names]
    return [field for name, field in found if name not in _LATER or field != _LATER[name]]


def texts(ids: Iterable[str], facts: CardFacts) -> Mapping[str, str]:
    """The new text of blocks, from facts that hold what they need."""
    return {id: import_module(f"dvc_modelver.cards.blocks.{id}").render(facts) for id in ids}


def states(plan: Plan) -> Mapping[str, State]:
    """Of each block that we know, in the order of the file.  Looks at nothing but the facts of the tree's files."""
    generated = texts((id for id in plan.render if id not in plan.stale), plan.facts)
    found: dict[str, State] = {}
    for block in plan.card.blocks:
        if block.id not in _KINDS:
            continue
        if block.id not in plan.render:
            found[block.id] = State.FRESH
        elif block.id in generated:
            found[block.id] = state_of(block, generated[block.id])
        else:
            found[block.id] = _marked(block)
    return found


def _marked(block: Block) -> State:
    if not block.text and (block.digest is None or not block.is_ours):
        return State.EMPTY
    return State.STALE if block.is_ours else State.EDITED


def _as_met(id: str, wanted: Mapping[str, str | None], facts: CardFacts) -> Mapping[str, str | None]:
    of = wanted["of"]
    unmet = of is not None and any(need.value in facts.unmet for need in _KINDS[id].needs)
    return {**wanted, "of": f"{of}{_PARTIAL}"} if unmet else wanted


def update(plan: Plan, facts: CardFacts, front: Mapping[str, Value] | None, *, discard_edits: bool = False) -> Updated:
    """The card with its blocks and our part of the front matter (None: left as it is) as `facts` say.

    Raises:
        BadInput: the card has problems.
        Refused: a block was edited by hand.
    """
    attributes = {id: _as_met(id, wanted, facts) for id, wanted in plan.attributes.items() if id in plan.render}
    done = replace_blocks(plan.card, texts(plan.render, facts), attributes=attributes, discard_edits=discard_edits)
    card = done.card if front is None else replace_front_matter(done.card, front)
    return Updated(text=card.text, edits=done.edits)
