"""The front matter: our keys stand between two comment lines, everything else is people's."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvc_modelver.cards.document import parse_card, render, replace_front_matter
from dvc_modelver.cards.yamltext import Value, yaml_lines, yaml_scalar
from dvc_modelver.core.secrets import redact_text
from dvc_modelver.errors import BadInput
from tests.cards.values import HOSTILE

OURS: Mapping[str, Value] = {"license": "mit", "model-index": [{"name": "churn", "results": []}]}
REGION = "# modelver:begin\nlicense: mit\nmodel-index:\n  - name: churn\n    results: []\n# modelver:end\n"


def updated(text: str, values: Mapping[str, Value] = OURS) -> str:
    return render(replace_front_matter(parse_card(text), values))


def read(text: str) -> Any:
    import yaml

    return yaml.safe_load(text)


def read_both(text: str) -> tuple[object, object]:
    """As PyYAML (YAML 1.1) and ruamel (1.2) read it."""
    ruamel = pytest.importorskip("ruamel.yaml")
    return read(text), ruamel.YAML(typ="safe", pure=True).load(io.StringIO(text))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("# Title\n", f"---\n{REGION}---\n\n# Title\n"),
        ("", f"---\n{REGION}---\n"),
        ("\ufeff# Title", f"\ufeff---\n{REGION}---\n\n# Title"),
        ("---\ntags:\n- a # mine\n---\nx", f"---\ntags:\n- a # mine\n{REGION}---\nx"),
        (f"---\na: 1\n{REGION.replace('mit', 'old')}z: 'q'\n---\n", f"---\na: 1\n{REGION}z: 'q'\n---\n"),
        ("---\n\n# only a comment\n---\n", f"---\n\n# only a comment\n{REGION}---\n"),
        ("---\n---\n", f"---\n{REGION}---\n"),
        ("---\nno end\n", f"---\n{REGION}---\n\n---\nno end\n"),
    ],
)
def test_our_keys_are_put_in(before: str, after: str) -> None:
    """Between the marks, before the closing line, or in a new front matter; the second time nothing changes."""
    assert updated(before) == after
    assert updated(after) == after


def test_crlf_stays() -> None:
    """Our lines end as the card's do."""
    assert updated("---\r\na: 1\r\n---\r\nx\r\n") == f"---\na: 1\n{REGION}---\nx\n".replace("\n", "\r\n")


@pytest.mark.parametrize("key", ["license", '"license"', "'license'", "license ", '"lic\\u0065nse"'])
def test_a_persons_key_wins(key: str) -> None:
    """A key that people wrote outside the marks is left to them, however it is quoted, before or behind ours."""
    for text in (f"---\n{key}: apache-2.0\n---\n", f"---\n# modelver:begin\n# modelver:end\n{key}: apache-2.0\n---\n"):
        done = updated(text)
        assert f"{key}: apache-2.0\n" in done
        assert "license: mit" not in done
        assert read(done.split("---")[1])["license"] == "apache-2.0"


def test_a_key_deeper_or_in_text_is_not_the_same() -> None:
    """Only keys of the top level count: not those of mappings, nor lines of a block of text."""
    text = "---\nmodel:\n  license: x\nabout: |\n  license: y\n  # modelver:begin\nu: >\n license: z\n---\n"
    assert updated(text) == text.replace("---\n", "\0").replace("\0", "---\n", 1).replace("\0", f"{REGION}---\n")


@pytest.mark.parametrize(
    "inside",
    ["# modelver:begin\n", "# modelver:end\n", "# modelver:end\n# modelver:begin\n", "# modelver:begin\n" * 2,
     "prose\n", "{a: 1}\n", "? a\n: 1\n", "%YAML 1.2\n", "...\n"],
)  # fmt: skip
def test_unsound_front_matter_is_reported(inside: str) -> None:
    """Marks that do not pair, and what is no block mapping, have their line; nothing is rewritten."""
    card = parse_card(f"---\na: 1\n{inside}---\n")
    assert [problem.line for problem in card.problems][:1] == [3]
    with pytest.raises(BadInput, match="line 3"):
        replace_front_matter(card, OURS)


def test_nothing_to_say_makes_no_front_matter() -> None:
    """Without keys of ours a card without front matter stays as it is."""
    assert updated("# x\n", {}) == "# x\n"


AMBIGUOUS = (
    "no", "1e-05", "1e3", "on", "yes", "010", "12:30", "1_000", "~", "=", "<<", "0x1f", "0o7", ".5", "1.", "+1", "N",
    "2024-01-05", "Null", "a: b", "a #b", "!x", "%x", "- a", "? a", "{a}", "e1", "a:", "x y", "--- x", "...",
)  # fmt: skip
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXT | st.sampled_from([*HOSTILE, *AMBIGUOUS])
VALUES = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20).map(redact_text),
    st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab:-# ", max_size=5), inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)


def comparable(value: object) -> object:
    """NaN equals itself, text is as a file can hold it, and secrets are left out."""
    if isinstance(value, dict):
        return {key: comparable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [comparable(item) for item in value]
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    if isinstance(value, str):
        return redact_text(value).encode("utf-8", "replace").decode().replace("?", "\ufffd")
    return (type(value).__name__, value)


@given(VALUES)
def test_yaml_reads_back_in_both_versions(values: dict[str, Value]) -> None:
    """PyYAML and ruamel read the very values that were given, of any nesting, each on its lines."""
    text = "\n".join(yaml_lines(values)) + "\n"
    for found in read_both(text):
        assert comparable(found or {}) == comparable(values)


@pytest.mark.parametrize("value", HOSTILE)
def test_scalars_take_one_line(value: str) -> None:
    """No value can begin a new line, end the front matter or hide a character."""
    text = yaml_scalar(value)
    assert text.isprintable()
    assert comparable(read(f"a: {text}")["a"]) == comparable(value)


def test_long_keys_are_keys() -> None:
    """A key longer than YAML's implicit keys may be is written in the explicit form."""
    values: dict[str, Value] = {"k" * 2000: {"x: y" * 500: [1]}, "b": 2}
    for found in read_both("\n".join(yaml_lines(values))):
        assert found == values
