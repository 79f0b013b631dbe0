"""What counts amount to: the verdict on a table, its rules and profiles as files write them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvc_modelver.core.tables import ColumnProfile, TableProfile, value_digest
from dvc_modelver.core.validation import (
    Count,
    Expected,
    Finding,
    Profile,
    Rules,
    Seen,
    SeenColumn,
    expectations,
    judge,
    passed,
)
from dvc_modelver.core.validationrules import parse_profile, parse_rules, profile_document
from dvc_modelver.errors import BadInput

AGE = ColumnProfile(name="age", type="integer", nulls=10, distinct=50, minimum=18, maximum=90, mean=40.0, std=9.0)
PLAN = ColumnProfile(name="plan", type="text", nulls=0, distinct=2, categories=("0123456789abcdef", "f" * 16))
PROFILE = Profile(table=TableProfile(rows=1000, columns=(AGE, PLAN)), duplicates=20)


def judged(rules: object = None, columns: tuple[SeenColumn, ...] | None = None, **seen: object) -> list[Finding]:
    own = columns if columns is not None else (SeenColumn(name="age"), SeenColumn(name="plan"))
    found = Seen(rows=100, columns=own, **seen)  # type: ignore[arg-type]
    return list(judge(PROFILE, parse_rules("rules", rules or {}), found))


def levels(findings: list[Finding]) -> list[tuple[str | None, str, str]]:
    return [(one.column, one.rule, one.level) for one in findings]


def test_a_table_like_the_profile_passes() -> None:
    """Nothing is found where nothing differs."""
    assert judged() == []
    assert passed(judged())


def test_columns_that_are_missing_extra_and_elsewhere() -> None:
    """Missing ones are refused, others noted; each can be told otherwise."""
    swapped = (SeenColumn(name="plan"), SeenColumn(name="age"))
    assert levels(judged(columns=swapped)) == [("plan", "column order", "note")]
    other = (SeenColumn(name="age"), SeenColumn(name="new"))
    assert levels(judged(columns=other)) == [("plan", "missing columns", "refuse"), ("new", "extra columns", "note")]
    rules = {"missing columns": "ignore", "extra columns": "refuse"}
    assert levels(judged(rules, other)) == [("new", "extra columns", "refuse")]


@pytest.mark.parametrize(
    ("column", "nulls", "rules", "refused"),
    [
        ("age", 2, {}, False),  # 1 % in the profile, and 1 % more
        ("age", 3, {}, True),
        ("plan", 0, {}, False),
        ("plan", 1, {}, True),  # none in the profile
        ("plan", 5, {"nulls": 0.05}, False),
        ("plan", 6, {"nulls": 0.05}, True),
        ("plan", 6, {"nulls": "6%"}, False),
        ("plan", 60, {"nulls": "ignore"}, False),
        ("plan", 60, {"columns": {"plan": {"nulls": 0.6}}}, False),
        ("age", 2, {"nulls": "refuse"}, True),
    ],
)
def test_nulls_are_compared_with_the_profiles_share(
    column: str, nulls: int, rules: dict[str, object], refused: bool
) -> None:
    """At most so large a share above the profile's; where it has none, none."""
    columns = tuple(SeenColumn(name=name, nulls=nulls if name == column else 0) for name in ("age", "plan"))
    assert levels(judged(rules, columns)) == ([(column, "nulls", "refuse")] if refused else [])


def test_up_to_a_share_is_noted() -> None:
    """One value in a hundred may lie outside the range, and is said; two may not."""
    for count, level in ((1, "note"), (2, "refuse")):
        columns = (SeenColumn(name="age", outside=Count(count=count, first=7)), SeenColumn(name="plan"))
        (found,) = judged(columns=columns)
        assert (found.rule, found.level, found.count) == ("ranges", level, count)
        assert "row 7" in found.seen
    unknown = (SeenColumn(name="age"), SeenColumn(name="plan", unknown=Count(count=1, first=1)))
    assert levels(judged(columns=unknown)) == [("plan", "new categories", "refuse")]
    assert levels(judged({"new categories": "note"}, unknown)) == [("plan", "new categories", "note")]


def test_rows() -> None:
    """Their number, duplicates beside the profile's share, ids and rows of the training."""
    assert levels(judged({"rows": {"min": 101}})) == [(None, "rows", "refuse")]
    assert judged({"rows": {"min": 100, "max": 100}}) == []
    assert judged(duplicates=Count(count=3, first=2)) == []  # 2 % in the profile, and 1 % more
    assert levels(judged(duplicates=Count(count=4, first=2))) == [(None, "duplicate rows", "refuse")]
    assert levels(judged(leaked=Count(count=1, first=2))) == [(None, "leaked rows", "refuse")]
    assert levels(judged({"leaked rows": 0.01}, leaked=Count(count=1, first=2))) == [(None, "leaked rows", "note")]
    assert levels(judged(duplicate_ids=Count(count=1, first=2))) == [(None, "duplicate ids", "refuse")]


def test_ids_have_no_range() -> None:
    """New rows have new ids; a range that somebody states counts all the same."""
    assert expectations(PROFILE, Rules(id=("age",)))["age"] == Expected(type="integer")
    stated = parse_rules("rules", {"id": "age", "columns": {"age": {"min": 0}}})
    assert expectations(PROFILE, stated)["age"] == Expected(type="integer", minimum=0)


def test_stated_values_are_kept_as_digests() -> None:
    """The only values of a column can be named one by one."""
    rules = parse_rules("rules", {"columns": {"plan": {"values": ["free", "pro"]}}})
    assert rules.columns["plan"].values == (value_digest("free"), value_digest("pro"))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"nuls": 0.1}, "nuls"),
        ({"nulls": 2}, "share from 0 to 1"),
        ({"nulls": True}, "share"),
        ({"nulls": "few"}, "share"),
        ({"nulls": float("nan")}, "share"),
        ({"missing columns": 0.5}, "refuse, note or ignore"),
        ({"rows": 5}, "mapping"),
        ({"rows": {"min": -1}}, "not negative"),
        ({"columns": {"a": {"mim": 1}}}, "mim"),
        ({"columns": {"a": {"values": [True]}}}, "texts"),
        ({"id": []}, "texts"),
        ({"label": 5}, "name of a column"),
        ([], "mapping"),
    ],
)
def test_slips_in_rules_are_named(value: object, said: str) -> None:
    """A rule that nobody can mean is bad input, and never ignored."""
    with pytest.raises(BadInput, match=said):
        parse_rules("rules.yaml", value)


ENDS = st.one_of(st.none(), st.integers(-(10**6), 10**6), st.floats(allow_nan=False))
COLUMNS = st.builds(
    ColumnProfile,
    name=st.text(max_size=20),
    type=st.sampled_from(["integer", "number"]),
    nulls=st.integers(0, 100),
    distinct=st.one_of(st.none(), st.integers(0, 100)),
    minimum=ENDS,
    maximum=ENDS,
    categories=st.one_of(st.none(), st.lists(st.text("0123456789abcdef", min_size=16, max_size=16)).map(tuple)),
)


@given(st.lists(COLUMNS, max_size=5), st.integers(0, 10**9), st.one_of(st.none(), st.integers(0, 5)))
def test_profiles_survive_their_file(columns: list[ColumnProfile], rows: int, duplicates: int | None) -> None:
    """What is written is read back the same, also infinities and odd names."""
    profile = Profile(table=TableProfile(rows=rows, columns=tuple(columns), ragged=3), duplicates=duplicates)
    text = json.dumps(profile_document(profile, {"nulls": 0.5}), allow_nan=False)
    assert parse_profile("p.json", json.loads(text)) == (profile, {"nulls": 0.5})


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2},
        {"rows": -1},
        {"rows": True},
        {"columns": {}},
        {"columns": [{"name": "a"}]},
        {"columns": [{"name": "a", "type": "integer", "minimum": "low"}]},
        {"columns": [{"name": "a", "type": "text", "categories": ["free"]}]},
        {"columns": [{"name": "a", "type": "text", "nulls": "many"}]},
        {"rules": []},
        {"duplicates": "many"},
    ],
)
def test_what_is_no_profile(change: dict[str, object]) -> None:
    """A file of another shape is bad input, whatever stands in it."""
    with pytest.raises(BadInput):
        parse_profile("p.json", {**profile_document(PROFILE), **change})
