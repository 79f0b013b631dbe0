"""`dvc.lock`: the quick way gives what the full parser gives, and faults are named."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dvc_modelver.dvcio import lockshape
from dvc_modelver.dvcio.lock import Lock, digest_of, parse_lock, parse_lock_fully
from dvc_modelver.errors import BadInput

HEX = "0123456789abcdef0123456789abcdef"
STAGE = f"""\
  train:
    cmd: python train.py
    deps:
    - path: data.csv
      hash: md5
      md5: {HEX}
      size: 10
    params:
      params.yaml:
        lr: 1e-05
        sizes:
        - 1
        - 2
    outs:
    - path: model.pkl
      hash: md5
      md5: {HEX}
      size: 20
"""
LOCK = f"schema: '2.0'\nstages:\n{STAGE}"


def _facts(lock: Lock) -> object:
    return list(lock.stages()), list(lock.all_outputs()), list(lock.all_inputs()), lock.names


def _or_error(ask: Callable[[], object]) -> object:
    try:
        return ask()
    except BadInput:
        return BadInput


def _compare(data: bytes) -> None:
    """All answers of both ways are equal; where the file is broken, both say so."""
    full = _or_error(lambda: _facts(parse_lock_fully(data, "dvc.lock")))
    assert _or_error(lambda: _facts(parse_lock(data, "dvc.lock"))) == full
    if full is BadInput:
        return
    reference = parse_lock_fully(data, "dvc.lock")
    indexed = parse_lock(data, "dvc.lock")
    list(indexed.all_outputs())  # cuts the file: from now on paths are looked up in an index
    for path in {item.path for _, item in reference.all_outputs()} | {"data.csv", "nothing"}:
        expected = [found for found in reference.all_outputs() if found[1].path == path]
        for lock in (parse_lock(data, "dvc.lock"), indexed, indexed, reference):
            assert list(lock.outputs(path)) == expected
    for name in reference.names:
        assert parse_lock(data, "dvc.lock").stage(name) == reference.stage(name)


_paths = st.text("abct/._-12 é'", min_size=1, max_size=8) | st.sampled_from(["true", "null", "1e5", "../x", "data/"])
_hex = st.text("0123456789abcdef", min_size=32, max_size=32) | st.sampled_from(["1" * 32, "1" * 30 + "e5", "0" * 32])
_entries = st.builds(
    lambda path, old, md5, folder, size: {
        "path": path,
        **({} if old else {"hash": "md5"}),
        "md5": md5 + (".dir" if folder else ""),
        "size": size,
        **({"nfiles": 3} if folder else {}),
    },
    _paths, st.booleans(), _hex, st.booleans(), st.integers(0, 10**12),
)  # fmt: skip
_leaf = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text("ab1.: #'\"\n", max_size=6)
_params = st.dictionaries(
    st.sampled_from(["params.yaml", "p.json", "true"]),
    st.dictionaries(
        st.text("ab.1", min_size=1, max_size=4), _leaf | st.lists(_leaf, min_size=1, max_size=3), min_size=1
    ),
    max_size=2,
)
_cmd = st.text("ab /.-:#'\"|>&*[]{}\n$", min_size=1, max_size=90) | st.lists(st.text("ab -", min_size=1), min_size=1)


def _stage(cmd: object, deps: list[object], params: object, outs: list[object]) -> dict[str, object]:
    parts = {"cmd": cmd, "deps": deps, "params": params, "outs": outs}
    return {key: value for key, value in parts.items() if value}


_stages = st.builds(_stage, _cmd, st.lists(_entries, max_size=3), _params, st.lists(_entries, max_size=3))
_locks = st.dictionaries(st.text("abt@-_1", min_size=1, max_size=6), _stages, min_size=1, max_size=4)


def _written(stages: object) -> bytes:
    from dvc.utils.serialize import dumps_yaml

    return str(dumps_yaml({"schema": "2.0", "stages": stages})).encode()


@given(_locks)
def test_the_quick_way_equals_the_parser_on_what_dvc_writes(stages: dict[str, object]) -> None:
    """Locks written by DVC's own writer have the same stages, outputs and digests both ways."""
    _compare(_written(stages))


_LINES = st.sampled_from([
    b"", b"# note", b"  # note", b"\t", b"    outs:", b"    deps:", b"  train:", b"  other:", b"    cmd: x", b"---",
    b"...", b"    - path: model.pkl", b"<<<<<<< HEAD", b"=======", b">>>>>>> x", b"    cmd: 'a", b"  b'", b"    cmd: |",
    b"      x",
    b"    cmd: &a x", b"    cmd: *a", b"    cmd: {", b"    params:", b"      size: 0x1F", b"      md5: " + b"1" * 32,
    b"      md5: 'abc'", b"      hash: md5", b"other: 1", b"    wdir: x", b"      isexec: true", b"        lr: 2",
    b"  a: 1",
    b"      md5: " + b"1" * 30 + b"e5", b"      md5: ../../../../../../../../etc/passwd", b"    - path: true", b"\r",
])  # fmt: skip


@given(st.data())
def test_the_quick_way_equals_the_parser_on_mutated_locks(data: st.DataObject) -> None:
    """Lines added, taken out, doubled, moved and re-ended never make the quick way see something else."""
    stages = data.draw(
        st.sampled_from([LOCK.encode(), (LOCK + STAGE.replace("train", "eval")).encode()]) | _locks.map(_written)
    )
    lines = stages.split(b"\n")
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(lines)))
        kind = data.draw(st.sampled_from(["add", "drop", "double", "indent", "cut"]))
        if kind == "add":
            lines.insert(at, data.draw(_LINES))
        elif at < len(lines):
            line = lines[at]
            new = {"drop": [], "double": [line, line], "indent": [b" " + line], "cut": [line[: len(line) // 2]]}
            lines[at : at + 1] = new[kind]
    _compare(data.draw(st.sampled_from([b"\n", b"\r\n"])).join(lines))


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text,
        lambda text: text.replace("python train.py", "python a.py && echo 'x y' | tee \"z#\" [x] {y}"),
        lambda text: text.replace("cmd: python train.py", "cmd:\n    - one\n    - two: not"[:25]),
        lambda text: text.replace("cmd: python train.py", "cmd: |-\n      one\n        outs:\n      - path: model.pkl"),
        lambda text: text.replace("cmd: python train.py", "cmd: 'one\n\n    outs:\n    - path: model.pkl\n    '"),
        lambda text: text.replace(HEX, "'" + "1" * 30 + "e5'"),
        lambda text: text.replace("      size: 20\n", "      size: 20\n      isexec: true\n"),
        lambda text: text.replace("schema: '2.0'\n", "# by hand\nschema: \"2.0\"\n"),
        lambda text: text + "datasets: []\n",
        lambda text: text.replace("    deps:", "  \n    deps:"),
        lambda text: text.replace("    params:", "  # note\n    params:"),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text + STAGE.replace("train", "eval").replace("cmd: python", "cmd: &x").replace("model", "m"),
    ],
)  # fmt: skip
def test_shapes_that_people_and_dvc_write(change: Callable[[str], str]) -> None:
    """Quotes, lists and block scalars in commands, comments, CRLF and quoted digests are read alike."""
    data = change(LOCK).encode()
    _compare(data)
    assert [name for name, _ in parse_lock(data, "dvc.lock").outputs("model.pkl")] == ["train"]


def test_the_quick_way_is_taken() -> None:
    """DVC's usual file is recognised as such, and one with a quoted command still by stage."""
    assert lockshape.is_plain(LOCK.encode())
    assert not lockshape.is_plain(LOCK.replace("train.py", "'train.py'").encode())
    match = lockshape.STAGE.match(STAGE.encode())
    assert match is not None
    assert match.end() == len(STAGE)


def test_entries_are_read_in_full() -> None:
    """Path, digest, size, file count and kind of hash stand in the entry; params keep their keys."""
    lock = LOCK.replace("model.pkl\n      hash: md5", "model").replace(
        f"{HEX}\n      size: 20", f"{HEX}.dir\n      size: 20\n      nfiles: 2"
    )
    stage = parse_lock(lock.encode(), "dvc.lock").stage("train")
    assert stage is not None
    assert stage.params == {"params.yaml": ("lr", "sizes")}
    (dep,), (out,) = stage.deps, stage.outs
    assert (dep.path, dep.digest, dep.size, dep.files, dep.hash_name) == ("data.csv", f"md5:{HEX}", 10, None, "md5")
    assert (out.path, out.digest, out.size, out.files) == ("model", f"md5:{HEX}.dir", 20, 2)
    assert out.hash_name == "md5-dos2unix"


def test_commands_params_and_inputs_are_read() -> None:
    """A stage has its command as it ran, the values of its params with their types, and the paths it read."""
    lock = parse_lock(LOCK.encode(), "dvc.lock")
    stage = lock.stage("train")
    assert stage is not None
    assert stage.cmd == "python train.py"
    assert stage.values == {"params.yaml": {"lr": 1e-05, "sizes": [1, 2]}}
    assert list(lock.all_inputs()) == [("train", "data.csv")]


@pytest.mark.parametrize(
    ("written", "cmd"),
    [
        ("cmd: python a.py\n      --with b c\n      d", "python a.py --with b c d"),
        ("cmd: python a.py \n      b", "python a.py b"),
        ("cmd: python a.py  ", "python a.py"),
        ("cmd: a   b", "a   b"),
        ("cmd: a  \n      b  \n      c  ", "a b c"),
        ("cmd:\n    - one\n    - two", "one\ntwo"),
        ("cmd: []", None),
        ("cmd: |-\n      one\n      two", "one\ntwo"),
        ("cmd: 'a: b'", "a: b"),
        ("cmd: true", None),
        ("cmd: .5", None),
        ("cmd: nan", "nan"),
        ("cmd: ./run 1", "./run 1"),
    ],
)
def test_commands_as_dvc_may_write_them(written: str, cmd: str | None) -> None:
    """Folded, listed, quoted and with blanks at the end: what ran, the same both ways; no text is no command."""
    data = LOCK.replace("cmd: python train.py", written).encode()
    _compare(data)
    stage = parse_lock(data, "dvc.lock").stage("train")
    assert stage is not None
    assert stage.cmd == cmd


_VALUES = (
    *("1", "-1", "0", "007", "1_0", "1.5", "1.2.3", "1.", ".5", ".5e3", ".5e+3", "1e5", "1e-05", "-1e5", "1e999"),
    *("1.2e3", "0e0", "-.5", "2020-01-02", "2020-13-45", "-", "--", "...", "_1", "e5", "x", "a/b"),
    *("true", "True", "null", "nan", "yes"),
    *("'1'", "''", "'a b'", "'true'"),
)


@pytest.mark.parametrize("value", _VALUES)
@pytest.mark.parametrize("listed", [False, True])
def test_values_of_params_mean_the_same_both_ways(value: str, listed: bool) -> None:
    """A number, word, date or text of a param, alone and in a list, is what the YAML parser makes of it."""
    data = (LOCK.replace("- 1\n", f"- {value}\n") if listed else LOCK.replace("1e-05", value)).encode()
    _compare(data)


_plain_texts = st.lists(st.sampled_from(["a", "e1", "0", ".", "-", "_", " ", "  ", "/", "+", "true"]), min_size=1).map(
    "".join
)


@given(_plain_texts, _plain_texts, _plain_texts, st.text("ab01.-_", min_size=1, max_size=6))
@example("a", "a", "._", "a")
@example("._", "a", "a", "-_")
def test_any_plain_text_means_the_same_both_ways(first: str, second: str, value: str, key: str) -> None:
    """Commands with blanks and folds, keys and values made of harmless characters are read alike."""
    text = LOCK.replace("cmd: python train.py", f"cmd: {first}\n      {second}")
    _compare(text.replace("lr: 1e-05", f"{key}: {value}").encode())
    _compare(LOCK.replace("python train.py", first).encode())


def test_an_equal_entry_has_an_equal_digest() -> None:
    """The digest of an entry follows its values, not how they are written; another value changes it."""
    first = parse_lock(LOCK.encode(), "dvc.lock").stage("train")
    quoted = parse_lock(LOCK.replace("cmd: python train.py", "cmd: 'python train.py'").encode(), "dvc.lock").stage(
        "train"
    )
    other = parse_lock(LOCK.replace("1e-05", "2e-05").encode(), "dvc.lock").stage("train")
    assert first is not None
    assert quoted is not None
    assert other is not None
    assert first.digest == quoted.digest != other.digest


def test_the_form_of_dvc_1_is_read() -> None:
    """Without a schema the stages stand at the top, and their digests are those of DVC 2."""
    old = f"train:\n  cmd: x\n  outs:\n  - path: model.pkl\n    md5: {HEX}\n    size: 5\n"
    ((stage, item),) = parse_lock(old.encode(), "dvc.lock").outputs("model.pkl")
    assert (stage, item.hash_name, item.digest) == ("train", "md5-dos2unix", f"md5:{HEX}")


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "schema: '2.0'\n", "schema: '2.0'\nstages: {}\n", "schema: '2.0'\nstages:\n"]
)
def test_a_lock_without_stages_is_empty(text: str) -> None:
    """An empty file, or one without stages, locks nothing."""
    assert parse_lock(text.encode(), "dvc.lock").names == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LOCK.replace("    outs:", "<<<<<<< HEAD\n    outs:"), "dvc.lock: line 16: conflict markers"),
        (LOCK.replace("'2.0'", "'3.0'"), "dvc.lock: unknown schema '3.0'"),
        (LOCK.replace("'2.0'", "2.0"), "dvc.lock: unknown schema '2.0'"),
        ("stages: {}\n", "dvc.lock: no schema"),
        ("- 1\n", "dvc.lock: not a mapping"),
        ("schema: '2.0'\nstages: [1]\n", "dvc.lock: 'stages' is not a mapping of names"),
        ("schema: '2.0'\nstages: {a: 1}\n", "dvc.lock: stage 'a' is not a mapping"),
        (LOCK + STAGE, "dvc.lock: line 21: key 'train' twice"),
    ],
)  # fmt: skip
def test_a_lock_that_cannot_be_read_says_why(text: str, message: str) -> None:
    """Markers, schemas, types and doubled stages are named with file and line, nothing is guessed."""
    with pytest.raises(BadInput) as caught:
        list(parse_lock(text.encode(), "dvc.lock").stages())
    assert caught.value.message.startswith(message)


@pytest.mark.parametrize(
    "digest", ["../../../../etc/passwd", "abc", "'" + "g" * 32 + "'", "[1]", "1.5", f"{HEX}.dirx", f"{HEX}/x"]
)
def test_a_digest_that_is_no_digest_is_refused(digest: str) -> None:
    """Paths in the cache are made of digests, so that only 32 hexadecimal digits pass."""
    text = LOCK.replace(
        f"model.pkl\n      hash: md5\n      md5: {HEX}", f"model.pkl\n      hash: md5\n      md5: {digest}"
    )
    with pytest.raises(BadInput, match="not an md5 digest"):
        list(parse_lock(text.encode(), "dvc.lock").outputs("model.pkl"))


@pytest.mark.parametrize(
    "data",
    [
        LOCK.encode() * 80_000,
        b"x" * 70_000_000,
        b"schema: '2.0'\nstages:\n" + b"  a:\n    cmd: x\n" * 500_000,
        b"schema: '2.0'\nstages: " + b"[" * 30_000,
        b"schema: '2.0'\nstages:\n  a:\n    cmd: " + b"'" + b"\n  b:" * 50_000,
        b"schema: '2.0'\nstages:\n  a:\n    cmd: x" + b"\n      y" * 300_000 + b":\n",
    ],
)  # fmt: skip
def test_hostile_locks_fail_soon(data: bytes) -> None:
    """Size, depth, doubled stages and unclosed quotes end in an error within seconds."""
    began = time.perf_counter()
    with pytest.raises(BadInput, match=r"^dvc\.lock: "):
        list(parse_lock(data, "dvc.lock").stages())
    assert time.perf_counter() - began < 5


def test_a_thousand_locks_take_a_fraction_of_one_parse_each() -> None:
    """One output in each of many different locks costs a twentieth of parsing them (measured side by side)."""
    text = "".join(STAGE.replace("train", f"train{at}").replace("model", f"model{at}") for at in range(40))
    locks = [f"schema: '2.0'\nstages:\n{text}".replace("size: 20", f"size: {at}").encode() for at in range(200)]
    began = time.perf_counter()
    found = [list(parse_lock(data, "dvc.lock").outputs("model7.pkl")) for data in locks]
    quick = time.perf_counter() - began
    began = time.perf_counter()
    full = [list(parse_lock_fully(data, "dvc.lock").outputs("model7.pkl")) for data in locks[:10]]
    slow = (time.perf_counter() - began) * 20
    assert found[:10] == full
    assert quick < slow / 5


def test_numbers_of_any_length_have_a_digest() -> None:
    """A number that Python would not write in decimals is told from others, and is no crash."""
    huge = int("f" * 20_000, 16)
    digests = {digest_of({"a": value}) for value in (huge, huge + 1, -huge, 1, True)}
    assert len(digests) == 5
