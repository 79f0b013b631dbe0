"""Which versions were made from a thing: the decision alone, without git or files."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvc_modelver.core.facts import Scalar
from dvc_modelver.core.impact import (
    Action,
    Making,
    Param,
    Thing,
    Wanted,
    digest_query,
    from_rows,
    judge,
    plain_url,
    resolve_digest,
    same_value,
    to_rows,
)
from dvc_modelver.errors import BadInput

A, B, C, D, E = (f"md5:{letter * 32}" for letter in "abcde")
RAW, PREPARED = Thing("data", "raw.csv", A), Thing("data", "prepared.csv", B)
CODE = Thing("code", "train.py", C)
MODEL = Thing("artifact", "model.bin", D)
PREPARE = Action("pipeline-stage:dvc.yaml:prepare@1", (RAW,), (PREPARED, Thing("data", "log.txt", E)), ())
TRAIN = Action(
    "pipeline-stage:dvc.yaml:train@2",
    (PREPARED, CODE),
    (Thing("data", "model.bin", D),),
    (("params.yaml", "train.lr", 0.01), ("params.yaml", "train.seed", 42)),
)
TEST = Thing("data", "test.csv", "md5:" + "f" * 32)
EVALUATE = Action("pipeline-stage:dvc.yaml:evaluate@3", (Thing("data", "model.bin", D), TEST), (), ())
MAKING = Making(artifact=MODEL, actions=(PREPARE, TRAIN), measuring=(EVALUATE,))
VERSION = "version:churn@v1.0.0"


def nothing_inside(thing: Thing) -> Sequence[tuple[str, str]]:
    """No directory is looked into."""
    raise AssertionError(thing)


def way(wanted: Wanted, making: Making = MAKING) -> tuple[str, ...]:
    """The chain to the version."""
    return judge(making, VERSION, wanted, nothing_inside).way


def test_the_way_leads_through_every_stage() -> None:
    """From raw data over what each pipeline stage made, to the version."""
    expected = (RAW.id, PREPARE.id, PREPARED.id, TRAIN.id, MODEL.id, VERSION)
    assert expected == way(Wanted(digests=frozenset({A})))
    assert expected == way(Wanted(path="raw.csv"))
    assert (MODEL.id, VERSION) == way(Wanted(digests=frozenset({D})))


def test_what_leads_nowhere_is_not_on_the_way() -> None:
    """A log that a stage wrote and nobody read made nothing."""
    assert not way(Wanted(digests=frozenset({E})))


def test_what_only_measured_is_told_apart() -> None:
    """Test data made no version; that it measured one is said separately."""
    found = judge(MAKING, VERSION, Wanted(path="test.csv"), nothing_inside)
    assert found.way == ()
    assert found.measured_with == (TEST.id, EVALUATE.id, VERSION)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("train.seed", "42", ("params.yaml:train.seed",)),
        ("train.seed", "42.0", ("params.yaml:train.seed",)),
        ("train.seed", "43", ()),
        ("train.lr", "1e-2", ("params.yaml:train.lr",)),
        ("train", None, ("params.yaml:train.lr", "params.yaml:train.seed")),
        ("tra", None, ()),
    ],
)
def test_params_are_found_by_key_and_value(key: str, value: str | None, expected: tuple[str, ...]) -> None:
    """Numbers by value, a mapping with all its keys, half a key not at all."""
    wanted = Wanted(param=Param(file="params.yaml", key=key, value=value))
    assert expected == tuple(one.path for one in judge(MAKING, VERSION, wanted, nothing_inside).found)


def test_a_directory_that_cannot_be_looked_into_is_a_doubt() -> None:
    """Unless the version was found by something else: then there is nothing to doubt."""
    folder = Thing("data", "images", A + ".dir")
    making = Making(artifact=MODEL, actions=(TRAIN._replace(inputs=(folder, CODE)),))
    unknown = judge(making, VERSION, Wanted(digests=frozenset({B})), lambda thing: None)
    assert (unknown.way, [(d.path, d.digest) for d in unknown.doubts]) == ((), [("images", folder.digest)])
    assert judge(making, VERSION, Wanted(digests=frozenset({C})), lambda thing: None).doubts == ()
    held = judge(making, VERSION, Wanted(digests=frozenset({B})), lambda thing: [("42.png", B)])
    assert held.way[:3] == (f"data:images/42.png@{B}", folder.id, TRAIN.id)
    assert judge(making, VERSION, Wanted(digests=frozenset({B})), lambda thing: []).doubts == ()


def test_bytes_without_md5_are_a_doubt() -> None:
    """An etag says nothing of md5s; asked by its own path or etag it is found."""
    remote = Thing("data", "s3://bucket/raw.csv", "etag:1234")
    making = Making(artifact=MODEL, actions=(TRAIN._replace(inputs=(remote,)),))
    assert judge(making, VERSION, Wanted(digests=frozenset({B})), nothing_inside).doubts
    assert way(Wanted(digests=frozenset({"etag:1234"})), making)
    assert way(Wanted(origin="s3://bucket/raw.csv"), making)


@pytest.mark.parametrize(
    ("asked", "matches"),
    [
        ("https://example.com/org/data:raw.csv", True),
        ("https://example.com/org/data.git:raw.csv", True),
        ("https://me:secret@example.com/org/data", True),
        ("https://example.com/org/data:raw", False),
        ("https://example.com/org/dat", False),
    ],
)
def test_imports_are_found_by_where_they_came_from(asked: str, matches: bool) -> None:
    """By repository, or by repository and path, however the address is written."""
    imported = RAW._replace(origin=plain_url("https://example.com/org/data.git") + ":raw.csv", origin_rev="abc")
    making = Making(artifact=MODEL, actions=(PREPARE._replace(inputs=(imported,)), TRAIN))
    found = way(Wanted(origin=asked), making)
    assert matches == bool(found)
    if found:
        assert found[:2] == ("import:https://example.com/org/data:raw.csv@abc", imported.id)
    assert not way(Wanted(origin=asked, rev="def"), making)


def test_a_circle_ends() -> None:
    """A lock that contradicts itself does not keep us for ever."""
    one = Action("pipeline-stage:dvc.yaml:a@1", (PREPARED,), (RAW,), ())
    other = Action("pipeline-stage:dvc.yaml:b@2", (RAW,), (PREPARED, Thing("data", "model.bin", D)), ())
    making = Making(artifact=MODEL, actions=(one, other))
    assert way(Wanted(path="raw.csv"), making) == (RAW.id, other.id, MODEL.id, VERSION)


def test_digests_are_read_as_people_write_them() -> None:
    """With and without `md5:`, upper case, a beginning; words and short beginnings are none."""
    assert digest_query("A" * 32) == ("a" * 32, "")
    assert digest_query("md5:" + "a" * 32 + ".dir") == ("a" * 32, ".dir")
    assert digest_query("abcdef01") == ("abcdef01", "")
    assert [digest_query(text) for text in ("abcdef0", "raw.csv", "a" * 33, "abcdef01.dir")] == [None] * 4


def test_an_ambiguous_beginning_is_refused() -> None:
    """Both candidates are named; a beginning of one digest is that digest."""
    known = [f"md5:{'ab' * 15}00", f"md5:{'ab' * 15}11", B]
    with pytest.raises(BadInput) as refused:
        resolve_digest("abababab", "", known)
    assert all(candidate in refused.value.message for candidate in known[:2])
    assert resolve_digest("bbbbbbbb", "", known) == {B}


@pytest.mark.parametrize(
    ("value", "text", "same"),
    [
        (True, "true", True),
        (True, "1", False),
        (1, "true", False),
        (None, "null", True),
        ("on", "on", True),
        (0.5, ".5", True),
        (float("inf"), "1e999", True),
        (10**400, "1", False),
        ("1", "1", True),
        (1, "x", False),
    ],
)
def test_values_are_compared_as_written(value: Scalar, text: str, same: bool) -> None:
    """`true` is not 1, `.5` is 0.5, and no number is too large to compare."""
    assert same_value(value, text) is same


_things = st.builds(
    Thing,
    st.sampled_from(["data", "code", "artifact"]),
    st.text(min_size=1, max_size=5),
    st.one_of(st.none(), st.sampled_from([A, B, C + ".dir"])),
    st.booleans(),
    above=st.one_of(st.none(), st.just("data")),
)
_scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 2), st.sampled_from([1.0, 0.0, 0.5]), st.text(max_size=3)
)
_actions = st.builds(
    Action,
    st.text(max_size=4),
    st.lists(_things, max_size=3).map(tuple),
    st.lists(_things, max_size=3).map(tuple),
    st.lists(st.tuples(st.text(max_size=3), st.text(max_size=3), _scalars), max_size=3).map(tuple),
)
_makings = st.builds(
    Making,
    artifact=st.one_of(st.none(), _things),
    actions=st.lists(_actions, max_size=3).map(tuple),
    measuring=st.lists(_actions, max_size=2).map(tuple),
    doubts=st.lists(st.text(max_size=3), max_size=2).map(tuple),
    recorded=st.booleans(),
)


@given(st.dictionaries(st.text(max_size=4), _makings, max_size=3))
def test_rows_come_back_as_they_were(makings: dict[str, Making]) -> None:
    """Through JSON and back nothing changes, not even `1`, `1.0` and `true`."""
    back = from_rows(json.loads(json.dumps(to_rows(makings))))
    assert repr(makings) == repr(back)


@given(_makings, st.sampled_from([A, B, C + ".dir"]))
def test_every_way_ends_at_the_version(making: Making, digest: str) -> None:
    """A way begins with what was found, never repeats itself, and a found version has no doubts."""
    found = judge(making, VERSION, Wanted(digests=frozenset({digest})), lambda thing: None)
    assert not (found.way and found.doubts)
    if found.way:
        assert found.way[-1] == VERSION
        assert len(set(found.way)) == len(found.way)
        assert any(one.digest == digest for one in found.found)


def test_prefixed_ids_are_those_of_the_lineage() -> None:
    """Each node is `KIND:PATH@DIGEST`."""
    kinds = {node.partition(":")[0] for node in way(Wanted(path="raw.csv"))}
    assert kinds == {"data", "pipeline-stage", "artifact", "version"}
