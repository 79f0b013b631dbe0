"""Cards brought up to date: what is fresh stays, what a block shows makes it stale, and people keep their words."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dvc_modelver.cards.document import Card, State, parse_card
from dvc_modelver.cards.facts import CardFacts, Named, PlotFile, TrainingEnvironment
from dvc_modelver.cards.generate import (
    BLOCKS,
    Need,
    named_in,
    partial_blocks,
    plan,
    states,
    texts,
    unknown_blocks,
    update,
)
from dvc_modelver.core.declarations import Declared
from dvc_modelver.core.descriptions import Feature, ModelDescription, Signature, Status
from dvc_modelver.core.environment import Environment, Package
from dvc_modelver.core.facts import ArtifactFacts, Output, Scalar, Source, Values
from dvc_modelver.core.recipe import Input, Kind, Origin, Recipe, Shape, Step
from dvc_modelver.errors import BadInput, Refused
from tests.cards.facts import card_facts, data, text_facts
from tests.cards.values import HOSTILE

EMPTY = "".join(f"<!-- modelver:begin {id} -->\n<!-- modelver:end {id} -->\n\n" for id in BLOCKS)


def out(path: str, digit: str = "a") -> Output:
    return Output(path=path, digest=f"md5:{digit * 32}", size=1000)


def complete(*, kept: bool = False, version: str = "v1.1.0") -> CardFacts:
    """Facts that have everything; with `kept` the metrics and the environment document are in DVC's cache."""
    read = (
        Input(
            output=out("data/raw.csv"),
            kind=Kind.DATA,
            by="data/raw.csv.dvc",
            origin=Origin(path="sets/raw.csv", url="https://host/data", rev="main", rev_lock="c" * 40),
        ),
        Input(output=out("src/prepare.py"), kind=Kind.CODE),
    )
    prepare = Step(name="prepare", cmd="python prepare.py", inputs=read, outs=(out("data/clean.csv"),))
    clean, model = (
        Input(output=out(path), kind=Kind.STAGE, by=by)
        for path, by in (("data/clean.csv", "prepare"), ("models/churn.pkl", "train"))
    )
    train = Step(name="train", cmd="python train.py", inputs=(clean,), outs=(out("models/churn.pkl"),),
                 params={"params.yaml": {"lr": 0.1, "depth": 6}})  # fmt: skip
    test = Input(output=out("data/test.csv"), kind=Kind.DATA, by="data/test.csv.dvc")
    score = Step(name="score", cmd="python score.py", inputs=(model, test), outs=(out("metrics.json"),))
    facts = CardFacts(
        declared=Declared(name="churn", file="dvc.yaml", path="models/churn.pkl", type="model", desc="Who leaves",
                          labels=("tabular", "daily"), meta={"owner": "team"}),
        artifact=ArtifactFacts(path="models/churn.pkl", type="model", kind="file", digest=f"md5:{'1' * 32}", size=1234,
                               source=Source.STAGE, output=out("models/churn.pkl", "1")),
        recipe=Recipe(steps=(prepare, train), evaluation=(score,)),
        params={"params.yaml": {"lr": 0.2, "depth": 6}},
        metrics={"metrics.json": {"auc": 0.9, "loss": 0.1}, "other.json": {"f1": 0.3}},
        directions={"auc": "up"},
        environment=TrainingEnvironment(
            file="environment.json",
            digest="d" * 64,
            recorded=Environment(python={"version": "3.11.7"}, packages=(Package(name="numpy", version="2.0.1"),)),
        ),
        named=Named(version=version, base="v1.0.0", base_commit="b" * 40),
        model=ModelDescription(
            format="pickle", status=Status.CODE_CAPABLE, library="sklearn", library_version="1.4",
            signature=Signature(inputs=(Feature(name="age", type="float"),), classes=("no", "yes")),
        ),
        shapes={"data/test.csv": Shape(rows=30, columns=("a", "b"))},
        plots=(PlotFile(name="churn-roc.svg", title="ROC", data=b"<svg/>"),),
        signature_digest=f"sha256:{'9' * 64}",
        plot_digests={"roc": "abc {}"},
    )  # fmt: skip
    if kept:
        digests = {"metrics.json": f"md5:{'e' * 32}"}
        facts = replace(facts, metric_digests=digests, environment_digest=f"md5:{'f' * 32}")
    before = replace(facts, named=Named(version="v1.0.0"), metrics={"metrics.json": {"auc": 0.8}})
    return replace(facts, base=before)


def in_git(facts: CardFacts) -> CardFacts:
    """What a clone without any data knows: nothing of bytes that DVC keeps."""
    known = {file: values for file, values in facts.metrics.items() if file not in facts.metric_digests}
    environment = None if facts.environment_digest is not None else facts.environment
    return replace(facts, metrics=known, environment=environment, model=None, shapes={}, plots=(), base=None)


def made(text: str, facts: CardFacts, **options: Any) -> str:
    """The card of `text` brought up to date."""
    return update(plan(parse_card(text), in_git(facts)), facts, None, **options).text


def stale(text: str, facts: CardFacts) -> dict[str, State]:
    """What is not fresh to a clone without data."""
    return {id: state for id, state in states(plan(parse_card(text), in_git(facts))).items() if state != State.FRESH}


KEPT = pytest.mark.parametrize("kept", [False, True])


# The law ----------------------------------------------------------------------------------------------------------


ANY = st.sampled_from(HOSTILE) | st.text(max_size=20)


@st.composite
def some_facts(draw: st.DrawFn) -> CardFacts:
    """Facts of any texts, of which bytes may be kept by DVC, may be missing, and may have a base."""
    text = draw(ANY)
    base = text_facts(draw(ANY), digit="b") if draw(st.booleans()) else None
    facts = text_facts(text, digit=draw(st.sampled_from("abc")), number=draw(st.floats()), base=base)
    kept = draw(st.lists(st.sampled_from(sorted(facts.metrics)), unique=True))
    name, plotted = draw(st.sampled_from(["v1.0.0", "v2.0.0-rc.1", None])), draw(st.booleans())
    odd: Any = {1: text, text: {2: [text], None: 1}}
    return replace(
        facts,
        named=Named(version=name, base="v0.1.0" if name and base else None, base_commit="c" * 40 if base else None),
        metric_digests={file: f"md5:{draw(st.sampled_from('ab')) * 32}" for file in kept},
        environment_digest=draw(st.none() | st.just(f"md5:{'e' * 32}")),
        model=draw(st.sampled_from([facts.model, None])),
        plots=(PlotFile(name="x-y.svg", title=text, data=b""),) if plotted else (),
        plot_digests={text: draw(st.sampled_from("ab"))} if plotted else {},
        shapes=draw(st.sampled_from([{}, {text: Shape(rows=3, columns=(text,))}])),
        declared=replace(facts.declared, meta={"b": None, **odd}),
        unmet=draw(st.sampled_from([frozenset(), frozenset({"model"})])),
    )


@settings(max_examples=40)
@given(some_facts(), some_facts())
def test_a_card_that_was_updated_is_fresh(first: CardFacts, second: CardFacts) -> None:
    """After any update every block is fresh, with the data and without, and a second update changes no byte."""
    text = EMPTY
    for facts in (first, second):
        text = made(text, facts)
        assert stale(text, facts) == {}
        assert set(states(plan(parse_card(text), facts)).values()) == {State.FRESH}
        assert made(text, facts) == text
        assert update(plan(parse_card(text), facts), facts, None).text == text


@KEPT
def test_a_fresh_card_asks_for_nothing(kept: bool) -> None:
    """Where all is as the markers say no bytes are needed; an empty card needs all of them."""
    facts = complete(kept=kept)
    assert plan(parse_card(EMPTY), in_git(facts)).needs == set(Need)
    assert plan(parse_card(made(EMPTY, facts)), in_git(facts)).needs == frozenset()


# Stale ------------------------------------------------------------------------------------------------------------


def variants(value: Any) -> Iterator[tuple[str, Any]]:
    """`value` with one thing changed in it, every thing in turn, and what that was."""
    if is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from ((f".{field.name}{what}", replace(value, **{field.name: new}))
                        for what, new in variants(getattr(value, field.name)))  # fmt: skip
    elif isinstance(value, Mapping):
        for key in value:
            others = {other: value[other] for other in value if other != key}
            yield f" without {key}", others
            yield f" with another name for {key}", {**others, f"x{key}": value[key]}
            yield from ((f" {key}{what}", {**value, key: new}) for what, new in variants(value[key]))
    elif isinstance(value, tuple):
        for at in range(len(value)):
            yield f" without {at}", value[:at] + value[at + 1 :]
            yield from ((f"[{at}]{what}", (*value[:at], new, *value[at + 1 :])) for what, new in variants(value[at]))
    else:
        yield from (("", new) for new in _other(value))


def _other(value: Any) -> list[Any]:
    if isinstance(value, Enum):
        return [other for other in type(value) if other is not value]
    if isinstance(value, bool):
        return [not value]
    return [f"x{value}"] if isinstance(value, str) else [] if value is None else [value + 1]


# What follows from something else that a tree says: kind, digest and size of an output, what is in a document.
_DERIVED = ("artifact.kind", "artifact.digest", "artifact.size", "environment.recorded")
_KEPT = (*(f"metrics{of} metrics.json" for of in ("", " without", " with another name for")), "environment.")
_OF_THE_TREE = (
    *("declared", "artifact", "recipe", "params", "metrics", "directions", "environment", "named"),
    *("metric_digests", "environment_digest", "signature_digest", "plot_digests"),
)


def changed(facts: CardFacts) -> Iterator[tuple[str, CardFacts]]:
    """The same with one thing changed that files in Git say."""
    for name in _OF_THE_TREE:
        for what, new in variants(getattr(facts, name)):
            said = f"{name}{what}"
            derived = _DERIVED + (_KEPT if facts.metric_digests else ())
            if not said.startswith(derived):
                yield said, replace(facts, **{name: new})


@KEPT
def test_whatever_a_block_shows_makes_it_stale(kept: bool) -> None:
    """Whichever single fact of the tree changes: each block whose text would change is stale, without any data."""
    facts = complete(kept=kept)
    text, before = made(EMPTY, facts), texts(BLOCKS, facts)
    missed, count = [], 0
    for what, other in changed(facts):
        now = texts(BLOCKS, other)
        states_now = stale(text, other)
        different = [id for id in BLOCKS if now[id] != before[id]]
        count += len(different)
        missed += [(what, id) for id in different if states_now.get(id) is not State.STALE]
    assert missed == []
    assert count > 100


@pytest.mark.parametrize("source", [Source.MISSING, Source.GIT, Source.URL])
def test_a_model_that_dvc_does_not_keep(source: Source) -> None:
    """Digest, LFS pointer and the reason why it is missing are in the fingerprint where there is no output."""
    known = ArtifactFacts(path="m", source=source, digest="md5:1", lfs="2", problem="stage train has not run")
    facts = card_facts(artifact=known)
    text, before = made(EMPTY, facts), texts(BLOCKS, facts)
    for _, other in variants(known):
        now = replace(facts, artifact=other)
        different = {id for id, shown in texts(BLOCKS, now).items() if shown != before[id]}
        assert different <= stale(text, now).keys()


BOTH = {"summary", "changes", "metrics"}


@pytest.mark.parametrize(
    ("change", "blocks"),
    [
        ({"params": {"params.yaml": {"lr": 0.2, "depth": 7}}}, {"changes", "params"}),
        ({"metrics": {"metrics.json": {"auc": 0.91, "loss": 0.1}, "other.json": {"f1": 0.3}}}, BOTH),
        ({"directions": {"auc": "down"}}, {"changes", "metrics"}),
        ({"plot_digests": {"roc": "abd {}"}}, {"plots"}),
        ({"plot_digests": {}}, {"plots"}),
        ({"signature_digest": None}, {"changes", "artifact", "signature", "usage"}),
        ({"environment": None}, {"changes", "environment"}),
        ({"named": Named(version="v1.2.0", base="v1.0.0", base_commit="b" * 40)}, {"summary", "changes", "usage"}),
        ({"named": Named(version="v1.1.0", base="v1.0.1", base_commit="b" * 40)}, {"changes"}),
        ({"named": Named(version="v1.1.0", base="v1.0.0", base_commit="d" * 40)}, {"changes"}),
        ({"declared": Declared(name="churn", file="dvc.yaml", path="models/churn.pkl", desc="Others")}, {"summary"}),
        ({}, set()),
    ],
)
def test_what_a_change_makes_stale(change: dict[str, Any], blocks: set[str]) -> None:
    """Those blocks that show it, and no others."""
    facts = complete()
    assert stale(made(EMPTY, facts), replace(facts, **change)) == dict.fromkeys(blocks, State.STALE)


def test_measures_that_dvc_keeps_are_known_by_their_digest() -> None:
    """Without the file another digest makes stale what shows its numbers; the digest alone decides."""
    facts = complete(kept=True)
    text = made(EMPTY, facts)
    other = replace(facts, metric_digests={"metrics.json": f"md5:{'0' * 32}"})
    assert stale(text, other) == dict.fromkeys(BOTH, State.STALE)
    assert plan(parse_card(text), in_git(other)).needs == {Need.MEASURES, Need.MODEL, Need.BASE}
    assert stale(text, replace(facts, environment_digest="md5:0")) == dict.fromkeys(
        ("changes", "environment"), State.STALE
    )


def test_a_change_of_what_no_block_shows() -> None:
    """`meta` and files that were read on the way make nothing stale, whatever keys `meta` has."""
    facts = complete(kept=True)
    text = made(EMPTY, facts)
    odd: Any = {1: "a", "b": {None: 2, "c": [3]}}
    declared = replace(facts.declared, meta=odd)
    artifact = replace(facts.artifact, files_read=("dvc.yaml", "dvc.lock"))
    assert stale(text, replace(facts, declared=declared, artifact=artifact)) == {}


def test_the_text_of_a_stale_block_is_new() -> None:
    """An update brings the new metric and leaves every other block as it was."""
    facts = complete()
    text = made(EMPTY, facts)
    other = replace(facts, metrics={"metrics.json": {"auc": 0.95}})
    card, new = parse_card(text), parse_card(made(text, other))
    assert "0.95" in _text(new, "metrics")
    assert {old.id for old in card.blocks if _text(new, old.id) != old.text} == BOTH


def _text(card: Card, id: str) -> str:
    block = card.block(id)
    assert block is not None
    return block.text


# Edited, emptied --------------------------------------------------------------------------------------------------


def inside(text: str, id: str, new: str) -> str:
    """`text` with `new` in one block, as an editor leaves it."""
    return re.sub(rf"(begin {id} [^\n]*-->\n).*?(<!-- modelver:end {id} -->)",
                  lambda found: f"{found[1]}{new}{found[2]}", text, flags=re.DOTALL)  # fmt: skip


@KEPT
@pytest.mark.parametrize("id", BLOCKS)
def test_an_edited_block_is_refused(id: str, kept: bool) -> None:
    """What people wrote into a block is found, whether or not it would change, and replaced on request alone."""
    facts = complete(kept=kept)
    fresh = made(EMPTY, facts)
    edited = inside(fresh, id, "\nA better text.\n\n")
    for now in (facts, replace(facts, metrics={"metrics.json": {"auc": 1.0}}, params={})):
        assert stale(edited, now)[id] is State.EDITED
        with pytest.raises(Refused, match=f"edited by hand: {id} "):
            made(edited, now)
    done = update(plan(parse_card(edited), in_git(facts)), facts, None, discard_edits=True)
    assert (done.text, [(edit.id, edit.text) for edit in done.edits]) == (fresh, [(id, "A better text.")])


@KEPT
@pytest.mark.parametrize("id", BLOCKS)
def test_an_emptied_block_is_filled(id: str, kept: bool) -> None:
    """A block that people emptied counts as empty, and is filled without a question."""
    facts = complete(kept=kept)
    fresh = made(EMPTY, facts)
    emptied = inside(fresh, id, "")
    assert stale(emptied, facts) == {id: State.EMPTY}
    assert made(emptied, facts) == fresh


def test_an_empty_card_is_empty() -> None:
    """Blocks of a template are empty, in the order of the file; those with nothing to say are stale until written."""
    found = states(plan(parse_card(EMPTY), in_git(complete())))
    assert tuple(found) == BLOCKS
    assert set(found.values()) == {State.EMPTY}
    first = card_facts()
    text = made(EMPTY, first)
    assert _text(parse_card(text), "plots") == _text(parse_card(text), "signature") == ""
    assert stale(text, first) == {}


def test_a_fingerprint_by_hand_is_no_proof() -> None:
    """A marker that has the right fingerprint and no digest of a text, or another one's, is not fresh."""
    facts = complete()
    text = made(EMPTY, facts)
    bare = re.sub(r"(begin artifact) sha256=\w+", r"\1", text)
    assert stale(bare, facts) == {"artifact": State.EDITED}
    first = made(EMPTY, card_facts())
    bare = re.sub(r"(begin signature) sha256=\w+", r"\1", first)
    assert stale(bare, card_facts()) == {"signature": State.EMPTY}
    other = re.sub(r"(begin data sha256=\w+ of=)\w+", r"\g<1>0123456789abcdef", text)
    assert stale(other, facts) == {"data": State.STALE}
    assert made(other, facts) == text


def test_a_broken_card_is_not_rewritten() -> None:
    """Markers that do not close are bad input."""
    with pytest.raises(BadInput, match="cannot be rewritten"):
        made(f"{EMPTY}<!-- modelver:begin more -->\n", complete())


# Without the bytes ------------------------------------------------------------------------------------------------


def without_model(facts: CardFacts) -> CardFacts:
    """What is known where the model's bytes are not at hand."""
    return replace(facts, model=None, unmet=frozenset({"model"}))


def test_partial_blocks_stay_fresh_and_are_made_again() -> None:
    """A card of a clone without the model says so in its markers, is fresh, and becomes whole when asked."""
    facts = complete()
    whole = made(EMPTY, facts)
    partial = made(EMPTY, without_model(facts))
    assert set(partial_blocks(parse_card(partial))) == {"changes", "artifact", "signature", "usage"}
    assert partial_blocks(parse_card(whole)) == {}
    assert stale(partial, facts) == {}
    assert made(partial, facts) == made(partial, without_model(facts)) == partial
    again = plan(parse_card(partial), in_git(facts), again=partial_blocks(parse_card(partial)))
    assert set(again.render) >= set(partial_blocks(parse_card(partial)))
    assert again.needs >= {Need.MODEL, Need.BASE}
    assert update(again, facts, None).text == whole
    assert update(again, without_model(facts), None).text == partial


def test_a_model_inside_a_tracked_directory() -> None:
    """Its digest is in the directory's listing alone: without that a card is fresh, or written in part."""
    facts = complete()
    held = replace(out("models", "1"), digest=f"md5:{'1' * 32}.dir")
    facts = replace(facts, artifact=replace(facts.artifact, output=held, inside="churn.pkl"))
    unlisted = replace(facts.artifact, kind=None, digest=None, problem="the listing of models is not at hand")
    bare = replace(without_model(facts), artifact=unlisted)
    whole, partial = made(EMPTY, facts), made(EMPTY, bare)
    assert whole != partial
    assert (stale(whole, bare), stale(partial, facts), stale(whole, facts), stale(partial, bare)) == ({}, {}, {}, {})
    assert "summary" in partial_blocks(parse_card(partial))
    again = plan(parse_card(partial), in_git(facts), again=partial_blocks(parse_card(partial)))
    assert update(again, facts, None).text == whole


def test_a_partial_block_becomes_stale() -> None:
    """Another model makes it stale as any other block, and it is whole where the bytes are at hand."""
    facts = complete()
    partial = made(EMPTY, without_model(facts))
    other = replace(facts, artifact=replace(facts.artifact, output=out("models/churn.pkl", "2")))
    assert stale(partial, other).keys() >= {"changes", "artifact", "signature", "usage"}
    assert partial_blocks(parse_card(made(partial, other))) == {}


@pytest.mark.parametrize("id", ["params", "plots", "artifact"])
def test_a_block_is_made_again_on_request(id: str) -> None:
    """`again` holds for any block, also one that has no fingerprint; nothing else is rendered for it."""
    facts = complete()
    text = made(EMPTY, facts)
    asked, plain = (plan(parse_card(text), in_git(facts), again=again) for again in ((id,), ()))
    assert set(asked.render) - set(plain.render) == ({id} - set(plain.render))
    assert states(asked)[id] is State.STALE
    assert update(asked, facts, None).text == text


# Which card -------------------------------------------------------------------------------------------------------


def test_what_markers_name() -> None:
    """Version, base and its commit are read back from the card; an empty card names nothing."""
    facts = complete()
    assert named_in(parse_card(made(EMPTY, facts))) == facts.named
    assert named_in(parse_card(EMPTY)) == Named()
    text = made(EMPTY, facts)
    first = replace(facts, named=Named(version="v1.0.0"), base=None)
    assert named_in(parse_card(made(text, first))) == Named(version="v1.0.0")
    assert "base=" not in made(text, first)


@pytest.mark.parametrize("ids", [("metrics", "params"), ("pipeline",), ("mine", "params"), ("usage", "metrics")])
def test_the_version_is_kept_in_any_card(ids: tuple[str, ...]) -> None:
    """Without a block that says which version it is the first that is ours names it; an unknown one is left alone."""
    card = "".join(f"<!-- modelver:begin {id} -->\n<!-- modelver:end {id} -->\n" for id in ids)
    text = made(card, complete())
    assert named_in(parse_card(text)).version == "v1.1.0"
    assert text.count("version=") == 1
    assert stale(text, complete()) == {}


def test_unknown_blocks_are_left_alone() -> None:
    """A block of a later release, or of somebody else's tool, keeps its text and its marker."""
    theirs = "<!-- modelver:begin future sha256=0123456789abcdef of=1 -->\nedited\n<!-- modelver:end future -->\n"
    facts = complete()
    text = made(f"{theirs}{EMPTY}", facts)
    assert text.startswith(theirs)
    assert [block.id for block in unknown_blocks(parse_card(text))] == ["future"]
    assert "future" not in states(plan(parse_card(text), in_git(facts)))
    assert text == theirs + made(EMPTY, facts)


@pytest.mark.parametrize("text", ["", "# A card\n\nWords.\n", "---\nlicense: mit\n---\n\n```\n" + EMPTY + "```\n"])
def test_a_card_without_our_blocks(text: str) -> None:
    """There is nothing to render, nothing to need, and every byte stays."""
    facts = complete()
    found = plan(parse_card(text), in_git(facts))
    assert (found.render, found.needs, states(found)) == ((), frozenset(), {})
    assert made(text, facts) == text


def test_our_keys_go_into_the_front_matter() -> None:
    """With values the keys between our two comments are as given; None leaves the front matter as it is."""
    facts = card_facts()
    text = f"---\nlicense: mit\n---\n\n{EMPTY}"
    with_keys = update(plan(parse_card(text), facts), facts, {"tags": ["a"]}).text
    assert with_keys.startswith("---\nlicense: mit\n# modelver:begin")
    assert update(plan(parse_card(with_keys), facts), facts, None).text == with_keys
    assert update(plan(parse_card(with_keys), facts), facts, {"tags": ["a"]}).text == with_keys


def test_blocks_in_lists_and_in_another_order() -> None:
    """Where people moved blocks they are filled there, indented as their list is, and are fresh."""
    text = "- one\n  <!-- modelver:begin usage -->\n  <!-- modelver:end usage -->\n"
    text += "- - <!-- modelver:begin metrics -->\n    <!-- modelver:end metrics -->\n"
    text += "1.  x\n\n    <!-- modelver:begin summary -->\n    <!-- modelver:end summary -->\n\nend\n"
    facts = complete()
    new = made(text, facts)
    assert [block.id for block in parse_card(new).blocks] == ["usage", "metrics", "summary"]
    expected = texts(("usage", "metrics", "summary"), facts)
    assert {block.id: block.text for block in parse_card(new).blocks} == expected
    assert "\n    | Metric |" in new
    assert "\n  ```sh" in new
    assert (stale(new, facts), made(new, facts)) == ({}, new)


# People -----------------------------------------------------------------------------------------------------------


# Words that end where a line begins and leave no fence, quote or comment open.
_WORDS = (
    "Prose with trailing blanks  \n\n",
    "- a list\n\n  with a paragraph\n\n",
    "1. one\n2. two\n   - nested\n\n",
    "```text\n<!-- modelver:begin metrics -->\n```\n\n",
    "<!-- a comment\n<!-- modelver:begin params -->\n\n",
    "| a | b |\n|---|---|\n| 1 | 2 |\n\n",
    "Title\n=====\n\n## `<!-- modelver:end data -->` in code\n\n",
    "> quoted\nlazy\n\n",
    "\tcode by tab \t\n\n",
    "\u00fc\u4e2d\U0001f600 \u2028 \x0b\n\n",
    "<details>\n\n</details>\n\n",
    "\n\n\n",
    "",
)
_PLACES = {"": "", "- item\n": "  ", "1.  wide\n": "    ", "- - deep\n": "    "}


def card_of(draw: random.Random) -> tuple[str, list[str]]:
    """A card with blocks anywhere in people's words, and the words with the closing markers, in order."""
    ids = draw.sample(BLOCKS, draw.randint(1, len(BLOCKS)))
    words = [draw.choice(_WORDS) for _ in range(len(ids) + 1)]
    parts, text = [words[0]], words[0]
    for id, after in zip(ids, words[1:], strict=True):
        before, indent = draw.choice(list(_PLACES.items()))
        end = f"{indent}<!-- modelver:end {id} -->\n\n"
        text += f"{before}{indent}<!-- modelver:begin {id} -->\n{end}{after}"
        parts[-1] += before + indent
        parts.append(end + after)
    return text, parts


def facts_of(draw: random.Random, kept: tuple[CardFacts, ...]) -> CardFacts:
    """An ordinary model, or a hostile one, in any state."""
    facts = draw.choice(kept)
    named = Named(version=f"v1.{draw.randint(0, 9)}.0", base=draw.choice([None, "v0.9.0"]), base_commit="b" * 40)
    values: tuple[Scalar, ...] = (draw.random(), draw.choice(HOSTILE), True)
    metrics: Values = {**facts.metrics, "m.json": {draw.choice(HOSTILE): draw.choice(values)}}
    params = {"params.yaml": {draw.choice(HOSTILE): draw.choice(HOSTILE)}}
    return replace(facts, named=named, metrics=metrics, params=params)


def theirs(text: str) -> list[str]:
    """What stands around our blocks: all but the opening comment and the lines between the markers."""
    card, at, found = parse_card(text), 0, []
    for block in card.blocks:
        found.append(text[at : block.marker[0]])
        at = block.inside[1]
    return [*found, text[at:]]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_people_survive_a_thousand_updates(newline: str) -> None:
    """Cards with words around, between and inside lists keep every byte of people's, over 500 updates in each form."""
    draw = random.Random(4)
    known = (complete(), complete(kept=True), text_facts("a|b`c`", base=text_facts("x")), without_model(complete()))
    updates = 0
    while updates < 500:
        text, words = card_of(draw)
        text, words = text.replace("\n", newline), [part.replace("\n", newline) for part in words]
        assert theirs(text) == words
        for _ in range(10):
            facts = facts_of(draw, known)
            text = made(text, facts)
            updates += 1
            assert theirs(text) == words
        assert stale(text, facts) == {}


@given(st.lists(st.sampled_from(_WORDS), min_size=4, max_size=4), st.sampled_from(sorted(_PLACES)), ANY)
def test_people_survive_any_model(words: list[str], place: str, value: str) -> None:
    """Whatever the texts of a repository hold, what people wrote around and between the blocks is there after it."""
    indent = _PLACES[place]
    marks = [f"{indent}<!-- modelver:begin {id} -->\n{indent}<!-- modelver:end {id} -->\n\n" for id in BLOCKS[:3]]
    text = "".join(f"{before}{place}{mark}" for before, mark in zip(words, marks, strict=False)) + words[3]
    facts = replace(text_facts(value, base=text_facts(f"{value} 2")), named=Named(version="v1.0.0", base="v0.9.0"))
    new = made(text, facts)
    assert theirs(new) == theirs(text)
    assert made(new, complete(version="v3.0.0")).endswith(words[3])
    assert data(value).output.path == value


def test_fingerprints_outlive_a_release_of_ours() -> None:
    """The markers in people's cards were written by earlier code: the same facts must give the same fingerprints."""
    facts = replace(text_facts("x"), named=Named(version="v1.0.0", base="v0.9.0", base_commit="c" * 40))
    made_then = {
        "changes": "22f3483959bfe817",
        "data": "d5f61c969055c6aa",
        "artifact": "3d6452f3e20a272f",
        "signature": "96a857a45572119f",
        "usage": "523d0ca1703a2071",
    }
    text = made(EMPTY, facts)
    found = dict(re.findall(r"modelver:begin (\w+)[^>]* of=(\w+)", text))
    assert {id: found.get(id) for id in made_then} == made_then
