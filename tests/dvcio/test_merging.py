"""Lock files that grew apart are merged entry by entry: by law, and as DVC's own parser and schema read the result."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvc_modelver.dvcio.lock import parse_lock
from dvc_modelver.dvcio.merging import MAX_BYTES, Markers, Merged, merge
from dvc_modelver.dvcio.yaml12 import load_yaml

LOCK = "dvc.lock"
Stages = Mapping[str, int]
"""A pipeline stage's name -> a number that all of its entry depends on."""


def digest(kind: str, number: int) -> str:
    """An MD5 that begins with what it is of."""
    return f"{kind}{number:x}".ljust(32, "0")


def entry(name: str, number: int) -> str:
    """The lines of one stage as DVC writes them."""
    key = f"'{name}'" if name in ("null", "17") else name
    lines = f"  {key}:\n    cmd: python {name}.py {number}\n"
    for title, path, kind in (("deps", f"in/{name}.csv", "a"), ("outs", f"out/{name}.bin", "b")):
        lines += f"    {title}:\n    - path: {path}\n      hash: md5\n      md5: {digest(kind, number)}\n"
        lines += f"      size: {number}\n"
    return lines


def lock(stages: Stages) -> bytes:
    """A whole file, schema 2.0."""
    if not stages:
        return b"schema: '2.0'\nstages: {}\n"
    return ("schema: '2.0'\nstages:\n" + "".join(entry(*stage) for stage in stages.items())).encode()


def merged(base: bytes, ours: bytes, theirs: bytes, name: str = LOCK) -> Merged:
    """The merge, which must be one by entries."""
    found = merge(base, ours, theirs, name=name)
    assert found is not None
    return found


def stages_of(data: bytes) -> Mapping[str, object]:
    """The entries under `stages:` as a YAML parser reads them."""
    found = load_yaml(data, name=LOCK)
    assert isinstance(found, dict)
    return dict(found["stages"])


def swapped(data: bytes) -> bytes:
    """A merge as the other side would have made it: the sides between the markers change places."""
    out, parts = [], None
    for line in data.splitlines(keepends=True):
        if line == b"<<<<<<< ours\n":
            parts = [[], []]
            at = 0
        elif parts is not None and line == b"=======\n":
            at = 1
        elif parts is not None and line == b">>>>>>> theirs\n":
            out += [b"<<<<<<< ours\n", *parts[1], b"=======\n", *parts[0], line]
            parts = None
        elif parts is not None:
            parts[at].append(line)
        else:
            out.append(line)
    return b"".join(out)


NAMES = [*"abcdef", "train@0", "train@big", "build@x-1", "_under", "dotted.name", "yes", "null", "17"]
STAGES = st.dictionaries(st.sampled_from(NAMES), st.integers(0, 3), max_size=6)


@st.composite
def changed_apart(draw: st.DrawFn) -> tuple[Stages, Stages, Stages, Stages]:
    """(base, ours, theirs, both applied), where the two sides changed different stages."""
    base = draw(STAGES)
    names = draw(st.permutations(NAMES))
    ours, theirs, both = dict(base), dict(base), dict(base)
    for side, own in ((ours, names[:5]), (theirs, names[5:10])):
        for name in own:
            number = draw(st.none() | st.integers(0, 9))
            for stages in (side, both):
                if number is None:
                    stages.pop(name, None)
                else:
                    stages[name] = number
    return base, ours, theirs, both


@given(changed_apart())
def test_changes_of_different_stages_are_both_applied(states: tuple[Stages, ...]) -> None:
    """No conflict, and the result says what applying both changes one after the other says."""
    base, ours, theirs, both = map(lock, states)
    found = merged(base, ours, theirs)
    assert found.conflicts == ()
    assert stages_of(found.data) == stages_of(both)


@given(STAGES, STAGES, STAGES)
def test_each_stage_is_merged_by_itself(base: Stages, ours: Stages, theirs: Stages) -> None:
    """Whatever the sides hold: a stage has conflicted exactly when both changed it in different ways."""
    found = merged(lock(base), lock(ours), lock(theirs))
    names = {*base, *ours, *theirs}
    conflicts = {n for n in names if len({base.get(n), ours.get(n), theirs.get(n)}) == 3}
    conflicts |= {
        n for n in names if n not in base and ours.get(n, -1) != theirs.get(n, -1) and n in ours and n in theirs
    }
    if len({lock(base), lock(ours), lock(theirs)}) == 3:
        assert set(found.conflicts) == conflicts
        assert found.data.count(b"<<<<<<< ours\n") == len(conflicts)
    settled = {n: ours.get(n) if theirs.get(n) == base.get(n) else theirs.get(n) for n in names - conflicts}
    if not conflicts:
        assert stages_of(found.data) == stages_of(lock({n: v for n, v in settled.items() if v is not None}))


@given(STAGES, STAGES, STAGES)
def test_the_sides_are_equal(base: Stages, ours: Stages, theirs: Stages) -> None:
    """Who merges whom changes the names of the sides and the order of what is new, and nothing else."""
    one, other = merged(lock(base), lock(ours), lock(theirs)), merged(lock(base), lock(theirs), lock(ours))
    assert sorted(one.data.splitlines()) == sorted(swapped(other.data).splitlines())
    assert (set(one.ours), set(one.theirs)) == (set(other.theirs), set(other.ours))
    assert set(one.conflicts) == set(other.conflicts)


@given(st.binary(max_size=60) | STAGES.map(lock), st.binary(max_size=60) | STAGES.map(lock))
def test_one_side_alone(base: bytes, side: bytes) -> None:
    """What only one side changed, or both alike, is that side's file byte for byte, readable or not."""
    assert merged(base, side, base).data == merged(base, base, side).data == merged(base, side, side).data == side


@given(st.binary(max_size=200), st.binary(max_size=200), st.binary(max_size=200))
def test_any_bytes_are_merged_or_left(base: bytes, ours: bytes, theirs: bytes) -> None:
    """Nothing that a repository can hold makes the merge fail."""
    for name in (LOCK, "data.csv.dvc"):
        merge(base, ours, theirs, name=name)


# What DVC makes of it ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def dvc_schema() -> object:
    """DVC's own schema of a lock file."""
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA

    return COMPILED_LOCKFILE_SCHEMA


@given(states=changed_apart())
def test_dvc_takes_the_result(dvc_schema: object, states: tuple[Stages, ...]) -> None:
    """Read by DVC's parser it fits DVC's schema, and DVC, writing it anew, would change no byte."""
    from dvc.utils.serialize import dumps_yaml
    from ruamel.yaml import YAML

    found = merged(*map(lock, states[:3]))
    value = YAML(typ="rt").load(found.data.decode())
    assert dvc_schema(YAML(typ="safe").load(found.data.decode()))  # type: ignore[operator]
    if states[3]:
        assert dumps_yaml(value).encode() == found.data


def test_new_stages_stand_where_git_would_put_them() -> None:
    """Ours first, then theirs, each behind what it stood behind; DVC itself appends and never sorts."""
    base = lock({"b": 0, "d": 0})
    found = merged(base, lock({"b": 0, "x": 1, "d": 0}), lock({"a": 1, "b": 0, "y": 2, "d": 0, "z": 1}))
    assert parse_lock(found.data, LOCK).names == ("a", "b", "x", "y", "d", "z")


# Single cases --------------------------------------------------------------------------------------------------------

BASE = lock({"prepare": 1, "train": 1, "evaluate": 1})


def test_a_conflict_is_marked_around_its_stage() -> None:
    """Both entries whole between markers of the asked length; the stage beside it is merged."""
    found = merge(
        BASE,
        lock({"prepare": 2, "train": 2, "evaluate": 1}),
        lock({"prepare": 1, "train": 3, "evaluate": 2}),
        name=LOCK,
        markers=Markers(length=9, with_base=True),
    )
    assert found is not None
    assert found.data.decode() == (
        "schema: '2.0'\nstages:\n"
        + entry("prepare", 2)
        + f"<<<<<<<<< ours\n{entry('train', 2)}||||||||| base\n{entry('train', 1)}=========\n"
        + f"{entry('train', 3)}>>>>>>>>> theirs\n"
        + entry("evaluate", 2)
    )
    assert (found.ours, found.theirs, found.conflicts) == (("prepare",), ("evaluate",), ("train",))


@pytest.mark.parametrize("ours_deletes", [True, False])
def test_deleted_here_and_changed_there_is_a_conflict(ours_deletes: bool) -> None:
    """Neither wins by itself: the entry stands between markers beside nothing."""
    gone, changed = lock({"prepare": 1, "evaluate": 1}), lock({"prepare": 1, "train": 2, "evaluate": 1})
    found = merged(BASE, *((gone, changed) if ours_deletes else (changed, gone)))
    marked = ("", entry("train", 2)) if ours_deletes else (entry("train", 2), "")
    assert f"<<<<<<< ours\n{marked[0]}=======\n{marked[1]}>>>>>>> theirs\n" in found.data.decode()
    assert found.conflicts == ("train",)


def test_comments_and_unknown_keys_are_kept() -> None:
    """What people wrote, DVC's `datasets` and keys that nobody knows are entries like others."""
    text = BASE.decode()
    base = "# Top.\n" + text + "future:\n- 1\n# The end.\n"
    ours = base.replace(entry("train", 1), "  # Slow.\n" + entry("train", 1)).replace("- 1\n", "- 1\n- 2\n")
    theirs = base.replace(entry("evaluate", 1), entry("evaluate", 5) + entry("new", 1)) + "datasets:\n- name: d\n"
    found = merged(base.encode(), ours.encode(), theirs.encode())
    expected = ours.replace(entry("evaluate", 1), entry("evaluate", 5) + entry("new", 1)) + "datasets:\n- name: d\n"
    assert found.data.decode() == expected


def test_texts_that_say_the_same_are_no_conflict() -> None:
    """One side quotes what the other does not: the values count, and ours stands."""
    ours = lock({"prepare": 2, "train": 1, "evaluate": 1})
    theirs = ours.replace(b"cmd: python prepare.py 2", b"cmd: 'python prepare.py 2'")
    assert merged(BASE, ours, theirs + b"# end\n").conflicts == ()


def test_the_files_of_dvc_1() -> None:
    """Schema 1.0 has its stages at the top of the file; they are merged alike, and never mixed with 2.0."""

    def old(stages: Stages) -> bytes:
        lines = "".join(entry(*stage) for stage in stages.items()).splitlines(keepends=True)
        return "".join(line[2:] for line in lines).encode()

    found = merged(old({"a": 1, "b": 1}), old({"a": 2, "b": 1}), old({"a": 1, "b": 2, "c": 1}))
    assert found.data == old({"a": 2, "b": 2, "c": 1})
    assert merge(old({"a": 1}), lock({"a": 1}), old({"a": 2}), name=LOCK) is None


def test_both_added_the_file() -> None:
    """Without a common file each stage of one side is new."""
    found = merged(b"", lock({"a": 1, "both": 1}), lock({"both": 1, "c": 1}))
    assert (stages_of(found.data), found.conflicts) == (stages_of(lock({"a": 1, "both": 1, "c": 1})), ())


@pytest.mark.parametrize("crlf", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1)])
def test_line_endings_are_no_change(crlf: tuple[int, int, int]) -> None:
    """As with git's renormalizing: our side's line endings stay, and a stage differs only by its words."""
    sides = BASE, lock({"prepare": 2, "train": 1, "evaluate": 1}), lock({"prepare": 1, "train": 1, "evaluate": 2})
    base, ours, theirs = (side.replace(b"\n", b"\r\n") if on else side for side, on in zip(sides, crlf, strict=True))
    expected = lock({"prepare": 2, "train": 1, "evaluate": 2})
    assert merged(base, ours, theirs).data == (expected.replace(b"\n", b"\r\n") if crlf[1] else expected)


@pytest.mark.parametrize(
    "ours",
    [
        BASE.replace(b"cmd: python train.py 1", b"cmd: 'open"),
        BASE.replace(b"  train:\n", b"<<<<<<< HEAD\n  train:\n"),
        BASE.replace(b"stages:", b"stages: &all"),
        BASE.replace(b"  train:", b"  prepare:"),
        BASE + b"more: *nothing\n",
        BASE.replace(b"size: 1", b"size: !!python/object/apply:os.system [id]"),
        b"- a list\n",
        b"stages: {a: {cmd: x}, b: {cmd: y}}\n",
        b"schema: '2.0'\nstages: [1]\n",
        b"a: " * 200 + b"\n",
        b"\xff\xfe\x00",
        lock({f"s{n}": n for n in range(20_000)}),
    ],
    ids=["open", "markers", "anchor", "twice", "alias", "tag", "list", "flow", "shape", "deep", "utf-16", "huge"],
)
def test_what_cannot_be_cut_is_left_to_git(ours: bytes) -> None:
    """Broken, hostile or huge on any side: no merge by entries, and no guess."""
    theirs = lock({"prepare": 1, "train": 1, "evaluate": 2})
    assert merge(BASE, ours, theirs, name=LOCK) is None
    assert merge(BASE, theirs, ours, name=LOCK) is None


def test_an_alias_does_not_change_its_meaning() -> None:
    """An anchor that one side moves away from its alias would say something else: left to git."""
    base = "schema: '2.0'\nstages:\n  a:\n    cmd: &c x\n  b:\n    cmd: *c\n  c:\n    cmd: z\n"
    ours, theirs = base.replace("&c x", "&c y"), base.replace("cmd: z", "cmd: &c z")
    found = merge(base.encode(), ours.encode(), theirs.encode(), name=LOCK)
    assert found is None or stages_of(found.data)["b"] == {"cmd": "y"}
    without = base.replace("  a:\n    cmd: &c x\n", "").replace("*c", "x")
    assert merge(base.encode(), without.encode(), theirs.encode(), name=LOCK) is None


def test_huge_is_measured() -> None:
    """The cap is what the case above is above of."""
    assert len(lock({f"s{n}": n for n in range(20_000)})) > MAX_BYTES


# .dvc files ----------------------------------------------------------------------------------------------------------

DVC = b"outs:\n- md5: aaaa\n  size: 1\n  path: data.csv\n"


def test_a_dvc_file_is_never_mixed() -> None:
    """md5 from one side and size from the other would name bytes that nobody has: the whole file is in conflict."""
    ours, theirs = DVC.replace(b"aaaa", b"bbbb"), DVC.replace(b"size: 1", b"size: 2").rstrip(b"\n")
    found = merged(DVC, ours, theirs, "data.csv.dvc")
    assert found.data == b"<<<<<<< ours\n" + ours + b"=======\n" + theirs + b"\n>>>>>>> theirs\n"
    assert found.conflicts == ("data.csv.dvc",)
    assert merged(DVC, ours, DVC, "data.csv.dvc").data == ours
    assert merged(DVC, ours, ours.replace(b"bbbb", b"'bbbb'"), "data.csv.dvc").data == ours


# What ran on other bytes ----------------------------------------------------------------------------------------------


def pipeline(raw: str, prepared: str, model: str) -> bytes:
    """prepare -> train, where `prepared` is what each of the two says of the file between them."""
    made, read = (prepared.split() * 2)[:2]
    item = "    - path: {}\n      hash: md5\n      md5: {}\n      size: 1\n"
    return (
        "schema: '2.0'\nstages:\n  prepare:\n    cmd: p\n    deps:\n"
        + item.format("raw", raw * 32)
        + "    outs:\n"
        + item.format("prepared", made * 32)
        + "  train:\n    cmd: t\n    deps:\n"
        + item.format("prepared", read * 32)
        + "    outs:\n"
        + item.format("model", model * 32)
    ).encode()


def test_a_stage_that_ran_on_other_bytes_is_named() -> None:
    """Theirs trained anew on the old data, ours prepared new data: it is said which, with both digests."""
    base = pipeline("a", "b", "c")
    # We have prepared anew, and not yet trained; they have trained another model.
    ours, theirs = pipeline("d", "e b", "c"), pipeline("a", "b", "f")
    added = theirs.replace(b"  train:", b"  score:")
    (stale,) = merged(base.split(b"  train:")[0], ours.split(b"  train:")[0], added).stale
    assert (stale.stage, stale.path, stale.producer) == ("score", "prepared", "prepare")
    assert (stale.read, stale.made) == ("md5:" + "b" * 32, "md5:" + "e" * 32)
