"""What a card said of its model comes back as it was rendered, whatever the names in the model are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvc_modelver.cards.blocks import artifact, signature
from dvc_modelver.cards.document import Card, parse_card, replace_blocks
from dvc_modelver.cards.facts import CardFacts
from dvc_modelver.cards.readback import said_of_model
from dvc_modelver.cards.tables import MAX_NAME, MAX_ROWS, clip
from dvc_modelver.core.descriptions import Feature, ModelDescription, Signature, Status
from dvc_modelver.errors import ModelverError
from tests.cards.facts import card_facts
from tests.cards.values import HOSTILE

EMPTY = "".join(f"<!-- modelver:begin {id} -->\n<!-- modelver:end {id} -->\n" for id in ("artifact", "signature"))
SECRET = f"ghp_{'a' * 36}"
ANY = (
    st.sampled_from((*HOSTILE, "-", "(no name)", "(a)", "a, b", "...", "`-`", "*and 5 more*", "Inputs (3):", SECRET))
    | st.text(max_size=20)
    | st.lists(st.sampled_from("\\|`~*_<>&#;:@$.-() a"), max_size=8).map("".join)
)


def facts(model: ModelDescription | None) -> CardFacts:
    return card_facts(model=model)


def card(model: ModelDescription | None) -> Card:
    """A card whose two blocks say what `model` is."""
    said = {"artifact": artifact.render(facts(model)), "signature": signature.render(facts(model))}
    return replace_blocks(parse_card(EMPTY), said).card


def described(**given: object) -> ModelDescription:
    values = {"format": "pickle", "status": Status.CODE_CAPABLE, **given}
    return ModelDescription(**values)  # type: ignore[arg-type]


def said(model: ModelDescription) -> ModelDescription:
    found = said_of_model(card(model))
    assert found is not None
    return found


def signed(**given: object) -> Signature | None:
    """The signature as it is read back."""
    return said(described(signature=Signature(**given))).signature  # type: ignore[arg-type]


def shown(name: str) -> str:
    """What a reader sees of a name."""
    return "" if clip(name) == "(no name)" else clip(name)


# Round trips ------------------------------------------------------------------------------------------------------


@given(ANY, st.sampled_from([None, "sklearn", "scikit-learn", "x|y", "a_b*c", "`x`"]), st.none() | ANY)
def test_format_and_library_come_back(form: str, library: str | None, version: str | None) -> None:
    """Of any format, library and version what a reader sees; a version without a library is not told."""
    found = said(described(format=form, library=library, library_version=version))
    assert (found.format, found.library) == (clip(form), library)
    assert found.library_version == (clip(version or "") or None if library is not None else None)
    assert found.status is Status.UNKNOWN


@given(st.lists(st.tuples(ANY, st.none() | ANY), max_size=4), st.lists(ANY, max_size=4), st.lists(ANY, max_size=4))
def test_names_and_types_come_back(
    inputs: list[tuple[str, str | None]], outputs: list[str], classes: list[str]
) -> None:
    """Inputs with their types, outputs and classes, in their order, as a reader sees them."""
    found = signed(
        inputs=tuple(Feature(name=name, type=kind) for name, kind in inputs),
        outputs=tuple(Feature(name=name) for name in outputs),
        classes=tuple(classes),
    )
    assert found is not None
    assert [(feature.name, feature.type) for feature in found.inputs] == [
        (clip(name), clip(kind or "") or None) for name, kind in inputs
    ]
    assert [(feature.name, feature.type, feature.shape) for feature in found.outputs] == [
        (clip(name), None, None) for name in outputs
    ]
    assert found.classes == tuple(map(shown, classes))


_SIZES = st.integers(0, 2**63) | st.sampled_from(["?", "batch", "N|M", "`n`", "(n)", "-1", "a_b", "\u0661", "1e3"])


@given(st.none() | st.lists(_SIZES, max_size=6).map(tuple))
def test_shapes_come_back(shape: tuple[int | str, ...] | None) -> None:
    """Numbers as numbers, names as names, an empty shape as one and none as none."""
    assert signed(inputs=(Feature(name="x", shape=shape),)) == Signature(inputs=(Feature(name="x", shape=shape),))


@given(ANY, ANY)
def test_what_was_read_back_is_rendered_alike(name: str, kind: str) -> None:
    """A card made of what a card said has the same signature, so that no comparison sees a change."""
    feature = Feature(name=name, type=kind, shape=(1, "?"))
    known = Signature(inputs=(feature, feature), outputs=(feature,), classes=(name, kind))
    first = described(format=name, library="lib", library_version=kind, signature=known)
    again = said(first)
    assert signature.render(facts(again)) == signature.render(facts(first))
    assert said(again) == again


def test_an_ordinary_model() -> None:
    """All of it at once, as scikit-learn and ONNX have it."""
    known = Signature(
        inputs=(Feature(name="age", type="float32", shape=("?", 1)), Feature(name="plan", type="tensor(string)")),
        outputs=(Feature(name="probability", type="float64", shape=()),),
        classes=("no", "yes", "1.0"),
    )
    model = described(format="onnx", library="sklearn", library_version="1.4.2", signature=known)
    assert said(model) == replace(model, status=Status.UNKNOWN)


@pytest.mark.parametrize("known", [Signature(), Signature(classes=("a",)), None])
def test_parts_that_are_not_there(known: Signature | None) -> None:
    """A signature without inputs, one without anything, and none at all are told apart."""
    assert said(described(signature=known)).signature == known


# Cut and unknown --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["inputs", "outputs", "classes"])
def test_a_cut_signature_is_not_known(part: str) -> None:
    """As many names as a card shows come back; with one more nothing is said."""
    names = [f"x{n}" for n in range(MAX_ROWS + 1)]
    values: Any = tuple(names) if part == "classes" else tuple(Feature(name=name) for name in names)
    assert signed(**{part: values}) is None
    assert signed(**{part: values[:-1]}) == replace(Signature(), **{part: values[:-1]})


def test_long_names_are_cut() -> None:
    """A name behind the limit comes back as far as it was shown."""
    found = signed(inputs=(Feature(name="a" * (MAX_NAME + 1)),), classes=("b" * MAX_NAME,))
    assert found is not None
    assert found.inputs[0].name == "a" * (MAX_NAME - 1) + "\u2026"
    assert found.classes == ("b" * MAX_NAME,)


@pytest.mark.parametrize("where", ["details", "hyperparameters"])
@pytest.mark.parametrize("many", [0, 20])
def test_details_are_not_the_format(where: str, many: int) -> None:
    """What a model calls its own details and settings is taken neither for its format nor for its library."""
    named = {**{f"n{n}": n for n in range(many)}, "Format": "evil", "Library": "evil 1.0", "Code": "none"}
    assert said(described(**{where: named})) == described(status=Status.UNKNOWN)
    assert said_of_model(_edited(card(described(**{where: named})), "artifact")) is None


def _edited(before: Card, id: str) -> Card:
    return parse_card(re.sub(rf"(begin {id} [^\n]*-->\n)", r"\1\nA word.\n", before.text))


def test_what_people_wrote_is_not_the_models() -> None:
    """An edited block says nothing; the other one still does."""
    model = described(library="sklearn", signature=Signature(classes=("a",)))
    assert said_of_model(_edited(card(model), "artifact")) is None
    found = said_of_model(_edited(card(model), "signature"))
    assert found == described(library="sklearn", status=Status.UNKNOWN)


@pytest.mark.parametrize("text", ["", "# Card\n", EMPTY, EMPTY.replace("signature", "data")])
def test_cards_that_say_nothing(text: str) -> None:
    """No block, or an empty one: nothing is known."""
    assert said_of_model(parse_card(text)) is None


def test_a_model_that_was_not_looked_at() -> None:
    """Without its bytes a card says nothing of the model, although its block is there."""
    assert said_of_model(card(None)) is None


_LONG = f"| a | b | `({'9' * 5000})` |"
_ROWS = (
    *(_LONG, "| Format | `x` |", "| Format |", "| | | |", "|", "| --- |", "| a | b | c |"),
    *("Inputs (1):", "Classes (2):", "- "),
)


@given(st.lists(st.sampled_from(_ROWS) | ANY.map(lambda text: clip(text)), max_size=8))
def test_any_text_can_be_read(lines: Sequence[str]) -> None:
    """Whatever an earlier release wrote into the two blocks, reading it does not fail."""
    text = "\n".join(line for line in lines if "<!--" not in line and "```" not in line and "~~~" not in line)
    try:
        before = replace_blocks(parse_card(EMPTY), {"artifact": f"| Format | `x` |\n{text}", "signature": text}).card
    except ModelverError:
        return  # a text that would break the card is refused before it is written
    found = said_of_model(before)
    assert found is None or found.status is Status.UNKNOWN
