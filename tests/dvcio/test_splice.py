"""Entries of YAML files are changed as text: what is asked for, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dvc_modelver.dvcio.splice import CannotSplice, splice
from dvc_modelver.dvcio.yaml12 import load_yaml

DVC_YAML = b"""\
# The pipeline.
stages:
  # Cleans.
  prepare:
    cmd: python prepare.py   # quick
    deps: [a.csv]

  train:
    cmd: >-
      python train.py
      # not a comment
    params:
      - train.lr

# The models.
artifacts:
  churn:
    path: model.pkl
"""


def test_one_entry_is_replaced() -> None:
    """The entry's lines are the source's; comments around it stay where they are."""
    source = DVC_YAML.replace(b"python train.py\n", b"python train.py --fast\n").replace(b"a.csv", b"b.csv")
    spliced = splice(DVC_YAML, source, [("stages", "train")], name="dvc.yaml")
    assert spliced == DVC_YAML.replace(b"python train.py\n", b"python train.py --fast\n")


def test_an_entry_is_put_in_and_taken_out() -> None:
    """Taking out what was put in gives the first bytes again."""
    more = DVC_YAML.replace(b"\n# The models.", b"  evaluate:\n    cmd: x\n\n# The models.")
    added = splice(DVC_YAML, more, [("stages", "evaluate")], name="dvc.yaml")
    assert added == more
    assert splice(added, DVC_YAML, [("stages", "evaluate")], name="dvc.yaml") == DVC_YAML


@pytest.mark.parametrize(
    ("data", "source", "key", "result"),
    [
        (b"a: 1 # one\nb: 2\n", b"b: 3 # three\n", ("b",), b"a: 1 # one\nb: 3 # three\n"),
        (b"t:\n    lr: 1e-5\n    n: 3", b"t:\n  n: 4", ("t", "n"), b"t:\n    lr: 1e-5\n    n: 4\n"),
        (b"t:\n  n: 3\n", b"t:\n    deep:\n        a: 1\n", ("t", "deep"), b"t:\n  n: 3\n  deep:\n      a: 1\n"),
        (b"a: 1\n", b"t:\n  u:\n    v: 1\n    w: 2\n", ("t", "u", "w"), b"a: 1\nt:\n  u:\n    w: 2\n"),
        (b"", b"t:\n  v: 1\n", ("t", "v"), b"t:\n  v: 1\n"),
        (b"a: |\n  x\n\n  # y\n\nb: 1\n", b"a: z\n", ("a",), b"a: z\n\nb: 1\n"),
        (b"'a b': 1\n", b"a b: 2\n", ("a b",), b"a b: 2\n"),
        (b"1: x\nlist:\n- a\n- b\nc: 1\n", b"list:\n- z\n", ("list",), b"1: x\nlist:\n- z\nc: 1\n"),
    ],
)
def test_spelling(data: bytes, source: bytes, key: tuple[str, ...], result: bytes) -> None:
    """Other indentation, comments behind values, missing parents, a missing last line end, literal blocks, lists."""
    assert splice(data, source, [key], name="params.yaml") == result


@pytest.mark.parametrize(
    ("data", "source", "key"),
    [
        (b"t: {a: 1, b: 2}\n", b"t: {a: 3}\n", ("t", "a")),
        (b"t: &x\n  a: 1\nu: *x\n", b"t:\n  a: 2\n", ("t", "a")),
        (b"t:\n- a: 1\n", b"t:\n- a: 2\n", ("t", "0", "a")),
        (b"? a\n: 1\n? b\n: 2\n", b"t: {}\n", ("t", "c")),
        (b"t: text\n", b"t:\n  a: 1\n", ("t", "a")),
    ],
)
def test_what_cannot_be_cut(data: bytes, source: bytes, key: tuple[str, ...]) -> None:
    """Braces, anchors that are used elsewhere, lists: refused, or right; never wrong."""
    try:
        spliced = splice(data, source, [key], name="params.yaml")
    except CannotSplice:
        return
    assert load_yaml(spliced, name="x") == load_yaml(data, name="x")


_scalars = st.one_of(st.integers(-9, 9), st.booleans(), st.text("ab #:-\n'\"", max_size=6), st.floats(0, 1), st.none())
_values = st.recursive(
    _scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("pqrs"), inner, max_size=3)),
    max_leaves=6,
)
_documents = st.dictionaries(st.sampled_from(["a", "b", "c", "d e"]), _values, min_size=1, max_size=4)


@settings(max_examples=150, deadline=None)
@given(data=_documents, source=_documents, key=st.sampled_from(["a", "b", "c", "d e"]), indent=st.sampled_from([2, 4]))
def test_only_the_entry_changes(data: dict[str, object], source: dict[str, object], key: str, indent: int) -> None:
    """What another YAML library writes can be spliced by its outer keys, and means what it should."""
    import yaml

    texts = [
        yaml.safe_dump(doc, sort_keys=False, default_flow_style=False, indent=n).encode()
        for doc, n in ((data, 2), (source, indent))
    ]
    spliced = splice(texts[0], texts[1], [(key,)], name="x.yaml")
    expected = dict(data)
    if key in source:
        expected[key] = source[key]
    else:
        expected.pop(key, None)
    assert (yaml.safe_load(spliced) or {}) == expected
