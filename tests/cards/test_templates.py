"""The templates are cards: sound, with empty blocks, and read by the library whose format it is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dvc_modelver.cards.document import parse_card, render, replace_blocks, replace_front_matter
from dvc_modelver.cards.sections import Reason, missing_sections, required_sections, sections
from dvc_modelver.resources import template_path
from tests.cards.values import HOSTILE

NAMES = ("default", "minimal", "huggingface", "annex-iv", "medical")
BLOCKS = {
    "summary", "changes", "metrics", "plots", "params", "data", "pipeline", "environment", "artifact", "signature",
    "usage",
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_template_is_a_card(name: str) -> None:
    """Its blocks are empty and known, and everything that it requires is there and waits for people."""
    card = parse_card(template_path("cards", f"{name}.md").read_bytes())
    assert card.problems == ()
    assert card.front.ours is not None
    ids = {block.id for block in card.blocks}
    assert ids <= BLOCKS
    assert ids == BLOCKS or name == "minimal"
    assert {block.text for block in card.blocks} == {""}
    required = required_sections(card)
    assert required
    assert {missing.reason for missing in missing_sections(card, required)} == {Reason.PLACEHOLDER}
    assert len(missing_sections(card, required)) == len(required)


def test_the_annex_is_complete() -> None:
    """Nine points; the first and the second with their letters (a) to (h)."""
    found = sections(parse_card(template_path("cards", "annex-iv.md").read_bytes()))
    assert [section.title[:2] for section in found if section.level == 2] == [f"{n}." for n in range(1, 10)]
    assert [section.title[:3] for section in found if section.level == 3] == [
        f"({letter})" for letter in "abcdefgh"
    ] * 2


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", ["AUC", *HOSTILE])
def test_hugging_face_reads_it(name: str, value: str, tmp_path: Path) -> None:
    """`ModelCard.load` and its evaluation results read what was written, whatever the names in it are."""
    hub = pytest.importorskip("huggingface_hub")
    path = tmp_path / "card.md"
    card = parse_card(template_path("cards", f"{name}.md").read_bytes())
    path.write_text(render(card), encoding="utf-8", newline="")
    assert hub.ModelCard.load(path).data.to_dict() == {}
    metrics = [{"type": "auc", "value": 1e-05, "name": value}]
    results = [
        {"task": {"type": "tabular-classification"}, "dataset": {"name": value, "type": "x"}, "metrics": metrics}
    ]
    filled = replace_front_matter(card, {"license": "mit", "model-index": [{"name": "churn", "results": results}]})
    filled = replace_blocks(filled, {"summary": "It works."}).card
    path.write_text(render(filled), encoding="utf-8", newline="")
    loaded = hub.ModelCard.load(path)
    (result,) = loaded.data.eval_results
    assert (loaded.data.license, result.metric_type, result.metric_value) == ("mit", "auc", 1e-05)
    assert (result.metric_name or "") == value.encode("utf-8", "replace").decode().replace("?", "\ufffd")
    assert "It works." in loaded.text


def test_importing_cards_is_cheap() -> None:
    """No YAML parser, DVC or data frame is loaded to read a card."""
    modules = sorted(path.stem for path in (Path(__file__).parents[2] / "dvc_modelver" / "cards").glob("[a-z]*.py"))
    code = f"import sys, {', '.join(f'dvc_modelver.cards.{name}' for name in modules)}; print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"yaml", "dvc", "pandas", "sklearn", "git", "numpy", "ruamel"} & set(out)
