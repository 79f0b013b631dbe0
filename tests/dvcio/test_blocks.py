"""Splitting `dvc.yaml` into entries gives what the full parser gives, or declines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvc_modelver.dvcio.blocks import split_sections
from dvc_modelver.dvcio.dvcyaml import _read_entries
from dvc_modelver.dvcio.yaml12 import load_yaml
from dvc_modelver.errors import BadInput

PLAIN = b"""# a project
stages:
  prepare:
    cmd: python prepare.py
    deps: [a.csv, "b c.csv"]

  # trains
  train:
    cmd:
      - python train.py
      - |
        echo one
          echo two

    outs:
    - model.pkl:
        cache: false
metrics:
- metrics.json
plots:
  - roc.csv:
      x: fpr
artifacts:
  churn:
    path: model.pkl
    meta: {a: 1e-05}
"""
LINES = st.sampled_from(
    [
        "stages:", "  a:", "  b:", "  a:", "    cmd: x", "    cmd: 'it''s'", "    cmd: \"open", 'closed"', "metrics:",
        "- m.json", "  - n.json", "artifacts: {}", "artifacts: {a:", "  path: x}", "# note", "  # note", "", "    - y",
        "    cmd: |", "      two", " odd: 1", "  c: &x 1", "  d: *x", "\tq: 1", "...", "---",
        "  e: >-",
        "   f", "params: ~", "  a: 1", "vars:", "  g.h@i/j-k:", "plain text", "  : x", "key", "  key", "    deep:",
        "      er: 010",
    ]
)  # fmt: skip


def parse(data: bytes) -> object:
    """What the full parser says, errors included."""
    try:
        return load_yaml(data, name="dvc.yaml")
    except BadInput:
        return "refused"


def test_a_plain_file_is_split_by_entry() -> None:
    """Comments, lists and block scalars stay with their entry."""
    sections = split_sections(PLAIN)
    assert sections is not None
    assert {key: len(entries) for key, entries in sections.items()} == {
        "stages": 2, "metrics": 1, "plots": 1, "artifacts": 1,
    }  # fmt: skip
    assert _read_entries(PLAIN) == load_yaml(PLAIN, name="dvc.yaml")


@pytest.mark.parametrize(
    "odd", [b"a: &x 1\nb: *x\n", b"a: 'one\ntwo'\n", b"a: [1,\n2]\n", b"---\na: 1\n", b"a:\n\tb: 1\n"]
)
def test_text_that_reaches_beyond_its_entry_is_not_split(odd: bytes) -> None:
    """Anchors, quotes and brackets over several lines, documents and tabs are left to the full parser."""
    assert split_sections(odd) is None


@given(st.lists(LINES, max_size=14))
def test_entries_give_what_the_full_parser_gives(lines: list[str]) -> None:
    """Whatever the lines, the quick answer is the full one or none."""
    data = "\n".join(lines).encode() + b"\n"
    quick = _read_entries(data)
    if quick is not None:
        assert quick == (parse(data) or {})
