"""Params and metrics files of every format, flattened, against DVC's own readers."""

from __future__ import annotations

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvc_modelver.dvcio.values import flatten, flatten_metrics, read_values, select
from dvc_modelver.errors import BadInput

PYTHON = '''
"""Not run: {side}"""
import os
os.system("touch /tmp/never")
LR = 1e-05
NEG = -3
NAMES: list = ["a", "b"]
PAIR = (1, 2)
KINDS = {"x", "y"}
NESTED = {"a": {"b": 1}}
COMPUTED = LR * 2
FROM_CALL = os.getcwd()
a = b = 1
bare: int
class Train:
    EPOCHS: int = 10
    class Deep:
        X = True
    def __init__(self, y):
        self.momentum = 0.9
        self.y = y
        local = 5
    def other(self):
        self.hidden = 1
def f():
    inner = 1
'''

FILES = {
    "p.yaml": "a: 1e-05\nb: {c: on, d: [1, 2]}\n",
    "p.yml": "a: 010\n",
    "p.YAML": "a: 0x10\n",
    "p.params": "a: yes\n",
    "p.json": '{"a": 1.5, "b": {"c": null}, "d": [1, {"e": 2}], "n": NaN, "big": 123456789012345678901}',
    "p.toml": 'title = "x"\n[a.b]\nc = 3\nd = [1, 2]\n[[t]]\nk = 1\n[[t]]\nk = 2\n',
    "p.py": PYTHON,
    "empty.json": "{}",
    "empty.yaml": "",
    "number.json": "0.5",
}


@pytest.mark.parametrize("name", sorted(FILES))
def test_files_are_read_as_dvc_reads_them(name: str) -> None:
    """The suffix chooses the format, YAML for what is unknown, and the values are DVC's."""
    from dvc.utils.serialize import PARSERS

    suffix = name[name.rindex(".") :].lower()
    assert repr(read_values(FILES[name].encode(), path=name)) == repr(PARSERS[suffix](FILES[name], name))


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("a.json", b"{"),
        ("a.json", b'{"a": 1}\n<<<<<<< HEAD\n'),
        ("a.json", b"\xff"),
        ("a.json", b"[" * 100_000),
        ("a.json", b"[" * 500 + b"]" * 500),
        ("a.json", b"9" * 10_000),
        ("a.toml", b"a = \n"),
        ("a.toml", b"a = " + b"[" * 20_000),
        ("a.toml", b".".join([b"a"] * 20_000) + b" = 1"),
        ("a.py", b"a = (\n"),
        ("a.py", b"a = " + b"(" * 20_000),
        ("a.py", b"a = " + b"-" * 200_000 + b"1"),
        ("a.py", b"\x00"),
        ("a.py", b"x = 1\n" * 400_000),
        ("a.yaml", b"a: [1\n"),
        ("a.yaml", b"a" * 20_000_000),
    ],
)
def test_broken_and_hostile_files_are_bad_input(path: str, data: bytes) -> None:
    """What cannot be read, or is nested or large beyond the caps, is one error that names the file, soon."""
    began = time.perf_counter()
    with pytest.raises(BadInput, match=rf"^{path}: "):
        read_values(data, path=path)
    assert time.perf_counter() - began < 2


def test_python_is_never_run() -> None:
    """Only literals are read; what would have to be computed is left out."""
    value = read_values(b"import nothing_like_it\nA = 1\nB = A + 1\nC = exit()\nD = [x for x in ()]\n", path="p.py")
    assert value == {"A": 1}


def test_flatten_joins_keys_and_escapes_dots() -> None:
    """Nested keys are joined with dots, a dot inside a key is escaped, empty mappings vanish as in DVC."""
    nested = {"a": {"b": {"c": 1}, "d.e": 2}, 3: {True: None}, "empty": {}, "l": [1, {"x": [1.5]}], "t": (1, 2)}
    assert flatten(nested) == {
        "a.b.c": 1, "a.d\\.e": 2, "3.True": None, "l": '[1,{"x":[1.5]}]', "t": "[1,2]",
    }  # fmt: skip


def test_flatten_keeps_types() -> None:
    """Booleans, big integers and numbers that are not finite stay what they are; dates become texts."""
    flat = flatten(read_values(b"a: true\nb: 123456789012345678901\nc: .nan\nd: -.inf\ne: 2020-01-02\n", path="p.yaml"))
    assert flat["a"] is True
    assert flat["b"] == 123456789012345678901
    assert isinstance(flat["c"], float)
    assert math.isnan(flat["c"])
    assert flat["d"] == -math.inf
    assert flat["e"] == "2020-01-02"


def test_a_single_value_has_the_empty_key() -> None:
    """A file that holds one number is shown under the empty key, as by DVC."""
    assert flatten(0.5) == {"": 0.5}
    assert flatten_metrics(0.5) == {"": 0.5}
    assert flatten_metrics([1]) == {}


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=3),
    max_leaves=15,
)


@given(st.dictionaries(st.text("abcd", min_size=1), _JSON, max_size=4))
def test_metrics_keep_what_dvc_keeps(value: dict[str, object]) -> None:
    """The leaves are those of `dvc metrics show`, flattened as DVC flattens them."""
    from dvc.repo.metrics.show import _extract_metrics
    from dvc.utils.flatten import flatten as theirs

    assert flatten_metrics(value) == theirs(_extract_metrics(value, "x"))


@given(st.dictionaries(st.text("abcd", min_size=1), _JSON, max_size=4))
def test_params_have_dvcs_keys(value: dict[str, object]) -> None:
    """The keys are those of `dvc params diff`; lists differ only in how they are written."""
    from dvc.utils.flatten import flatten as theirs

    expected = theirs(value)
    ours = flatten(value)
    assert ours.keys() == expected.keys()
    assert all(ours[key] == leaf for key, leaf in expected.items() if not isinstance(leaf, list))


@pytest.mark.parametrize("keys", [("a",), ("b.c",), ("b",), ("b.c", "a"), ("*.c",), ("missing",), ("b.missing",), ()])
def test_select_takes_the_keys_that_dvc_takes(keys: tuple[str, ...]) -> None:
    """Dotted keys and `*` choose what DVC's params reading chooses; keys that are absent are left out."""
    from copy import deepcopy

    from dpath import merge, search

    value: dict[object, object] = {"a": 1, "b": {"c": {"d": 2}, "e": 3}, "f": {"c": 4}}
    expected: dict[object, object] = {} if keys else value
    for key in keys:
        merge(expected, deepcopy(search(value, key, separator=".")), separator=".")
    assert select(value, keys) == expected
