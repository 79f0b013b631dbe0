"""The quick search in locks and params files finds what the full parsers find."""

from __future__ import annotations

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from dvc_modelver.dvcio.lock import parse_lock_fully
from dvc_modelver.dvcio.mentions import (
    Mention,
    Mentions,
    Noted,
    ParamsFiles,
    Wanted,
    digest_number,
    total_mark,
    value_number,
)
from dvc_modelver.dvcio.values import flatten, read_values
from dvc_modelver.errors import BadInput

HEXES = [f"{n:x}" * 32 for n in range(1, 5)]
CMDS = [
    "python a.py",
    "'echo \"#\": {x}'",
    '"a\\n  b:"',
    "&c python",
    "|-\n      python\n      # no comment",
    "a  # a comment",
]
HEADS = ["schema: '2.0'\nstages:\n", 'schema: "2.0"\nstages:\n']


@st.composite
def stage(draw: st.DrawFn) -> str:
    """A pipeline stage as text, with or without quotes, comments and blank lines."""
    lines = [f"    cmd: {draw(st.sampled_from(CMDS))}\n"]
    for key in ("deps", "outs"):
        digests = draw(st.lists(st.sampled_from(HEXES), max_size=2, unique=True))
        lines += [f"    {key}:\n"] if digests else []
        quote = draw(st.sampled_from(["", "'", '"']))
        for n, digest in enumerate(digests):
            suffix = draw(st.sampled_from(["", ".dir"]))
            lines.append(
                f"    - path: {key}{n}\n      hash: md5\n      md5: {quote}{digest}{suffix}{quote}\n      size: 3\n"
            )
    return "".join(lines) + draw(st.sampled_from(["", "", "\n", "    # end\n", "  # end\n"]))


@given(st.lists(stage(), min_size=1, max_size=4), st.sampled_from(HEADS))
def test_locks(stages: list[str], head: str) -> None:
    """Cut at its stages or not, a lock mentions what the YAML parser alone finds in it."""
    data = (head + "".join(f"  s{n}:\n{text}" for n, text in enumerate(stages))).encode()
    try:
        parsed = list(parse_lock_fully(data, "dvc.lock").stages())
    except BadInput:
        reject()
    digests = [f"md5:{text}{suffix}" for text in HEXES[:3] for suffix in ("", ".dir")]
    outs, deps = ({d: 1 << (n + at) for n, d in enumerate(digests)} for at in (0, 10))
    entry = parsed[0]
    first = next((item.digest for item in (*entry.outs, *entry.deps) if item.digest), None)
    hints = frozenset({first} if first else ())
    wanted = Wanted(outs=outs, deps=deps, entries={entry.digest: 1 << 30}, hints=hints, every=not hints)
    expected = []
    for found in parsed:
        expected += [Mention(1 << 30, found.name, found.name)] if found.digest == entry.digest else []
        expected += [Mention(outs[i.digest], found.name, i.path) for i in found.outs if i.digest in outs]
        expected += [Mention(deps[i.digest], found.name, i.path) for i in found.deps if i.digest in deps]
    assert list(Mentions(wanted).in_lock(data, "dvc.lock")) == expected


@pytest.mark.parametrize("data", [b"", b"\0\xff", b"schema: '2.0'\nstages:\n  a:\n  - " + HEXES[0].encode()])
def test_broken_files_mention_nothing(data: bytes) -> None:
    """What cannot be read is passed over: a history may hold anything."""
    mentions = Mentions(Wanted(outs={f"md5:{HEXES[0]}": 1}))
    assert (mentions.in_lock(data, "dvc.lock"), mentions.in_dvc_file(data, "a.dvc")) == ((), ())


def test_a_fault_costs_its_own_stage() -> None:
    """What a readable stage mentions is found whether or not the broken one beside it is looked at."""
    good = f"  a:\n    cmd: x\n    outs:\n    - path: y\n      md5: {HEXES[0]}\n"
    data = f"{HEADS[0]}{good}  b:\n    cmd: [\n    outs:\n    - path: z\n      md5: {HEXES[1]}\n".encode()
    for digests in ({f"md5:{HEXES[0]}": 1}, {f"md5:{HEXES[0]}": 1, f"md5:{HEXES[1]}": 2}):
        assert Mentions(Wanted(outs=digests)).in_lock(data, "dvc.lock") == (Mention(1, "a", "y"),)


def test_a_directory_that_is_listed_in_place() -> None:
    """Its digest, which stands nowhere, is found, and noted."""
    listed = f"      files:\n      - relpath: a\n        md5: {HEXES[0]}\n        size: 1\n"
    data = f"{HEADS[0]}  a:\n    cmd: x\n    outs:\n    - path: y\n      hash: md5\n{listed}".encode()
    (stage,) = parse_lock_fully(data, "dvc.lock").stages()
    digest = stage.outs[0].digest or ""
    noted = Noted()
    assert Mentions(Wanted(outs={digest: 1}), noted).in_lock(data, "dvc.lock") == (Mention(1, "a", "y"),)
    assert digest_number(digest) in noted.digests


@given(st.lists(stage(), min_size=1, max_size=4), st.sampled_from(HEADS))
def test_all_that_is_mentioned_is_noted(stages: list[str], head: str) -> None:
    """Whatever is looked for, no digest that the YAML parser finds is missing."""
    data = (head + "".join(f"  s{n}:\n{text}" for n, text in enumerate(stages))).encode()
    try:
        parsed = list(parse_lock_fully(data, "dvc.lock").stages())
    except BadInput:
        reject()
    noted = Noted()
    Mentions(Wanted(outs={f"md5:{HEXES[3]}": 1}), noted).in_lock(data, "dvc.lock")
    there = {digest_number(item.digest) for one in parsed for item in (*one.outs, *one.deps) if item.digest}
    assert there <= set(noted.digests)


@pytest.mark.parametrize(
    "text", [f'md5: "\\x61{HEXES[0][1:]}"', "md5: 0x" + HEXES[0], "md5: 0" + HEXES[0], f"md5: {HEXES[0]}\0"]
)
def test_other_spellings_are_doubtful(text: str) -> None:
    """Where YAML has other letters than the text, it is said that something may be hidden."""
    noted = Noted()
    Mentions(Wanted(), noted).in_dvc_file(f"outs:\n- path: a\n  {text}\n".encode(), "a.dvc")
    assert noted.doubtful
    plain = Noted()
    Mentions(Wanted(), plain).in_dvc_file(f"outs:\n- path: 'C:\\a'\n  md5: {HEXES[0]}\n".encode(), "a.dvc")
    assert not plain.doubtful


def test_dvc_files() -> None:
    """Outputs and imports of a `.dvc` file."""
    dvc = f"deps:\n- path: a\n  repo:\n    url: u\n    rev_lock: {'c' * 40}\nouts:\n- md5: {HEXES[0]}\n  path: b\n"
    mentions = Mentions(Wanted(outs={f"md5:{HEXES[0]}": 1}, imports={("u", "a", "c" * 40): 2}))
    assert total_mark(mentions.in_dvc_file(dvc.encode(), "b.dvc")) == 3


PARTS = [
    "train:\n  lr: 1e-05\n  depth: 6\n",
    "other: 'a: b'\n",
    "# train:\n",
    "\n",
    "train2: 1\n",
    "t: {a: 1}\n",
    "- x\n",
]
PARTS += ["seed: 1\n", "seed: true\n", "train: 3\n", "text: one\n  two\n", "\ufefftrain:\n  lr: 1e-05\n"]


@given(st.lists(st.sampled_from(PARTS), max_size=5))
def test_params(parts: list[str]) -> None:
    """A params file that is cut at its keys holds the values that the whole of it holds."""
    data = "".join(parts).encode()
    wanted = {1: {"train.lr": 1e-05, "train.depth": 6}, 2: {"seed": 1}, 4: {"seed": True}, 8: {"train": 3}}
    try:
        values = flatten(read_values(data, path="params.yaml"))
    except BadInput:
        reject()
    expected = 0
    for mark, keys in wanted.items():
        if all(key in values and repr(values[key]) == repr(value) for key, value in keys.items()):
            expected |= mark
    noted = Noted()
    assert ParamsFiles(wanted, noted).marks(data, "lib/params.yaml") == expected
    for key, value in values.items():
        if key.partition(".")[0] in ("train", "seed"):
            assert value_number(key, value) in noted.values[f"params.yaml/{key.partition('.')[0]}"]


@pytest.mark.parametrize("other", [1.0, True, "1", 2, None])
def test_values_of_other_types_have_other_numbers(other: str | float | bool | None) -> None:
    """As params they are not the same; both zeros are."""
    assert value_number("a", 1) != value_number("a", other)
    assert value_number("a", 0.0) == value_number("a", -0.0)
    assert value_number("a", 10**5000) != value_number("a", 10**5000 + 1)
