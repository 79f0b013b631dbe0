"""YAML read as DVC reads it, and refused where it is hostile."""

from __future__ import annotations

import math
import time
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvc_modelver.dvcio import yaml12
from dvc_modelver.dvcio.yaml12 import load_yaml
from dvc_modelver.errors import BadInput

SCALARS = (
    *[
        "1e-05",
        "1e3",
        "1E5",
        "1.e3",
        "1.",
        "-.5",
        ".5",
        ".5e3",
        ".5e+3",
        "+.5e5",
        "1e",
        "1e+",
        "1e400",
        "-0",
        "-0.0",
        "0.1e5_0",
        "1_0e5",
        "1_e5",
        "1._5",
        "._5",
        "-.e5",
        ".e5",
    ],
    *[
        "on",
        "off",
        "yes",
        "no",
        "y",
        "n",
        "On",
        "OFF",
        "true",
        "True",
        "TRUE",
        "tRue",
        "false",
        "False",
        "FALSE",
        "null",
        "Null",
        "NULL",
        "nULL",
        "~",
    ],
    *[
        "010",
        "08",
        "0777",
        "0o10",
        "0O10",
        "0o8",
        "0o_7",
        "0x1F",
        "0X1F",
        "-0x1F",
        "0b11",
        "0b2",
        "0x",
        "0b",
        "+12",
        "-1",
        "--1",
        "1_000",
        "1__0",
        "1_",
        "_1",
        "1_000.5",
    ],
    *["12:30", "12:30:45", "1:2", "190:20:30", "1.2.3", "1,000", "123456789012345678901234567890", "685_230.15"],
    *[
        ".inf",
        "-.inf",
        "+.inf",
        ".Inf",
        ".INF",
        ".nan",
        ".NaN",
        ".NAN",
        ".Nan",
        "2020-01-01",
        "2020-1-1",
        "2020-01-01T10:00:00",
    ],
    *["2020-01-01T10:00:00Z", "2020-01-01T10:00:00.123+02:00", "2020-1-2T3:04:05-7"],
    *["hello", "a#b", "a:b", "-x", "?x", "''", '""', "'1'", '"1e3"', "${x}", "<script>", "é", "中"],
)
TAGGED = ["!!str 1", "!!int '1'", "!!float 1", "!!bool yes", "!!null x", "!!timestamp 2020-01-01", "!!str", "&a 5"]
REFUSED = [
    "=", "<<", "2020-13-45", "._", "!!int abc", "!foo bar", "*x", "`x", "@x", "%x", "!!float", "!!int", "{{7*7}}",
    "!!python/name:os.system", "!!python/object/apply:os.system [ls]", "!!python/object:os.x {}",
]  # fmt: skip


def _same(ours: object, theirs: object) -> bool:
    if isinstance(ours, float) and math.isnan(ours):
        return isinstance(theirs, float) and math.isnan(theirs)
    return type(ours) is type(theirs) and ours == theirs


def _dvc(text: str) -> object:
    from dvc.utils.serialize import parse_yaml

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return parse_yaml(text, "x")


@pytest.mark.parametrize("text", [*SCALARS, *TAGGED, ""])
def test_a_scalar_means_what_dvc_takes_it_for(text: str) -> None:
    """Each scalar has DVC's value and DVC's type."""
    ours, theirs = load_yaml(f"a: {text}\n".encode(), name="x"), _dvc(f"a: {text}\n")
    assert isinstance(ours, dict)
    assert isinstance(theirs, dict)
    assert _same(ours["a"], theirs["a"]), (ours, theirs)


@pytest.mark.parametrize("text", REFUSED)
def test_what_dvc_refuses_is_bad_input(text: str) -> None:
    """Tags that are no plain data, and scalars that cannot be what they look like, name their line."""
    with pytest.raises(BadInput, match=r"^params\.yaml: line 2: "):
        load_yaml(f"b: 1\na: {text}\n".encode(), name="params.yaml")
    with pytest.raises(Exception):  # noqa: B017, PT011 - DVC raises whatever its parser does
        _dvc(f"b: 1\na: {text}\n")


@given(st.text(alphabet="0123456789+-._eExXoObB:TZ ~nulNatrefysinf", max_size=14))
def test_random_scalars_have_dvcs_value(text: str) -> None:
    """Anything that looks nearly like a number, date or word resolves as in DVC, or is refused by both."""
    document = f"a: {text}\n"
    try:
        theirs = _dvc(document)
    except Exception:
        with pytest.raises(BadInput):
            load_yaml(document.encode(), name="x")
        return
    ours = load_yaml(document.encode(), name="x")
    assert isinstance(ours, dict)
    assert isinstance(theirs, dict)
    assert ours.keys() == theirs.keys()
    assert all(_same(ours[key], theirs[key]) for key in ours), (ours, theirs)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.text(min_size=1, max_size=6), _VALUES, min_size=1, max_size=4))
def test_what_dvc_writes_is_read_back(value: dict[str, object]) -> None:
    """A document that DVC's writer made has the values that DVC's reader finds in it."""
    from dvc.utils.serialize import dumps_yaml

    try:
        text = dumps_yaml(value)
        theirs = _dvc(text)
    except Exception:
        return  # DVC's own round trip fails on some texts (lone surrogates, NEL)
    assert load_yaml(text.encode(), name="x") == theirs


@pytest.mark.parametrize(
    "text",
    [
        "b: &b {x: 1, y: 2}\na:\n  <<: *b\n  y: 3\n",
        "b: &b {x: 1, y: 2}\na:\n  y: 3\n  <<: *b\n",
        "b: &b {x: 1}\nc: &c {x: 2, z: 9}\na:\n  <<: [*b, *c]\n  y: 3\n",
        "a: &x [1]\nb: *x\n",
        "1: a\n1.5: b\nnull: d\n2020-01-01: e\n",
        "\ufeffa: 1\n",
        "a: 1\r\nb: 2\r\n",
        "a: >\n x\n y\nb: |-\n z\n",
        "---\na: 1\n...\n",
        "{\"a\": 1, 'b': [1, {c: d}]}",
        "%YAML 1.2\n---\na: on\n",
        "- 1\n- [2, 3]\n",
    ],
)
def test_documents_equal_dvcs(text: str) -> None:
    """Merge keys, anchors, keys that are not text, line ends, block scalars: as in DVC."""
    assert load_yaml(text.encode(), name="x") == _dvc(text)


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "~"])
def test_an_empty_document_is_none(text: str) -> None:
    """No document, or null, is None; callers take it for an empty file."""
    assert load_yaml(text.encode(), name="x") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "line 3: key 'a' twice"),
        ("1: a\n1.0: b\n", "line 2: key '1.0' twice"),
        ("? [a]\n: 1\n", "line 1: a key must be a scalar"),
        ("a: &x [*x]\n", "line 1: an alias inside its own anchor"),
        ("a:\n  <<: 5\n", "line 2: '<<' needs a mapping"),
        ("a: 1\n---\nb: 2\n", "line 2: "),
        ("a:\n\tb: 1\n", "line 2: "),
        ("%YAML 1.1\n---\na: on\n", "line 1: YAML 1.1 is not supported"),
        ("a: 1\n<<<<<<< HEAD\nb: 2\n=======\nb: 3\n>>>>>>> x\n", "line 2: conflict markers"),
    ],
)
def test_faults_name_file_and_line(text: str, message: str) -> None:
    """What cannot be read is said with the file and the line where it stands."""
    with pytest.raises(BadInput) as caught:
        load_yaml(text.encode(), name="dvc.yaml")
    assert caught.value.message.startswith(f"dvc.yaml: {message}")


def _bomb() -> bytes:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 9)}]" for i in range(20)]
    return "\n".join(lines).encode()


HOSTILE = {
    "flow": b"a: " + b"[" * 20_000,
    "closed": b"a: " + b"[" * 20_000 + b"]" * 20_000,
    "blocks": b"".join(b" " * level + b"a:\n" for level in range(2_000)),
    "dashes": b"- " * 20_000 + b"1",
    "questions": b"? " * 20_000,
    "bomb": _bomb(),
    "merges": b"a: &a {x: 1}\n" + b"".join(b"k%d: {<<: [%s]}\n" % (i, b",".join([b"*a"] * 1000)) for i in range(3000)),
    "size": b"x" * 50_000_000,
    "digits": b"a: " + b"9" * 100_000,
    "latin": b"a: \xe9\n",
    "utf16": "a: 1".encode("utf-16"),
    "nul": b"a: \x00\n",
    "escape": b"a: \x1b[31m\n",
}


@pytest.mark.parametrize("kind", sorted(HOSTILE))
def test_hostile_documents_fail_fast(kind: str) -> None:
    """Depth, aliases, size and bytes that are no text end in one error within a second."""
    began = time.perf_counter()
    with pytest.raises(BadInput, match=r"^f: "):
        load_yaml(HOSTILE[kind], name="f")
    assert time.perf_counter() - began < 2


def test_depth_up_to_the_cap_is_read() -> None:
    """A document of a hundred levels is read, one more is refused, in flow and in block style."""
    for opening, closing in ((b"[", b"]"), (b"- ", b"")):
        cap = yaml12.MAX_DEPTH
        assert load_yaml(opening * cap + b"1" + closing * cap, name="f") is not None
        with pytest.raises(BadInput, match="nested deeper"):
            load_yaml(opening * (cap + 1) + b"1" + closing * (cap + 1), name="f")


def test_an_alias_gives_the_same_value_without_cost() -> None:
    """Aliases within the cap are shared, not copied."""
    value = load_yaml(b"a: &a [1, 2]\nb: [*a, *a]\n", name="f")
    assert value == {"a": [1, 2], "b": [[1, 2], [1, 2]]}


def test_the_pure_loader_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where PyYAML has no libyaml its Python loader reads the same values."""
    import yaml

    document = "\n".join(f"k{at}: {text}" for at, text in enumerate(SCALARS)).encode()
    fast = load_yaml(document, name="f")
    monkeypatch.delattr(yaml, "CSafeLoader")
    yaml12._loader_class.cache_clear()
    try:
        assert repr(load_yaml(document, name="f")) == repr(fast)
    finally:
        yaml12._loader_class.cache_clear()
