"""What differs between two profiles of a table, and between two listings of a directory."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvc_modelver.core.tables import ColumnProfile, TableChange, TableProfile, listing_changes, table_changes


def column(name: str = "x", kind: str = "number", **facts: object) -> ColumnProfile:
    return replace(ColumnProfile(name=name, type=kind, nulls=0), **facts)  # type: ignore[arg-type]


def table(*columns: ColumnProfile, rows: int = 10, ragged: int = 0) -> TableProfile:
    return TableProfile(rows=rows, columns=columns, ragged=ragged)


def said(before: TableProfile, after: TableProfile) -> list[tuple[str, str]]:
    return [(change.what, change.detail) for change in table_changes(before, after)]


def test_the_order_of_what_is_said() -> None:
    """Rows, then columns new, gone, of another type and elsewhere, then statistics in their order."""
    before = table(
        column("a", "integer", nulls=1, distinct=3, minimum=1, maximum=9, mean=3.1, std=2.0),
        column("b", "date", minimum="2026-01-01", maximum="2026-01-31"),
        column("c", "integer"),
        column("d", "text", distinct=9_999),
        rows=150,
    )
    after = table(
        column("d", "text", distinct=None),
        column("a", "integer", nulls=2, distinct=4, minimum=0, maximum=12, mean=3.4, std=2.5),
        column("b", "date", minimum="2026-01-01", maximum="2026-02-28"),
        column("e", "boolean"),
        rows=200,
        ragged=3,
    )
    assert said(before, after) == [
        ("rows", "150 -> 200"),
        ("rows", "ragged 0 -> 3"),
        ("e", "new: boolean"),
        ("c", "gone"),
        ("d", "moved: 4 -> 1"),
        ("d", "distinct 9999 -> many"),
        ("a", "nulls 1 -> 2"),
        ("a", "distinct 3 -> 4"),
        ("a", "minimum 1 -> 0"),
        ("a", "maximum 9 -> 12"),
        ("a", "mean 3.1 -> 3.4"),
        ("a", "std 2 -> 2.5"),
        ("b", "maximum 2026-01-31 -> 2026-02-28"),
    ]


def test_another_type() -> None:
    """A statistic that only one of the types has is not compared."""
    before = table(column(kind="integer", minimum=1, maximum=2, mean=1.5, distinct=2))
    after = table(column(kind="text", distinct=2))
    assert said(before, after) == [("x", "integer -> text")]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (3.14159265, 2.71828183, "mean 3.142 -> 2.718"),
        (1.0000001, 1.0000002, "mean 1.0000001 -> 1.0000002"),
        (1e-12, 3e-12, "mean 1e-12 -> 3e-12"),
        (0.1 + 0.2, 0.3, None),
        (123456789.25, 123456790.25, "mean 123456789 -> 123456790"),
        (None, 1.0, None),
    ],
)
def test_numbers_are_shortened_until_they_would_read_the_same(
    old: float | None, new: float, expected: str | None
) -> None:
    """Four digits or as many as tell the two apart; the last digits of a sum are no change."""
    found = said(table(column(mean=old)), table(column(mean=new)))
    assert found == ([("x", expected)] if expected else [])


def test_whole_numbers_are_exact() -> None:
    """A row more among millions is seen, and numbers beyond any float's digits too."""
    before, after = (column(kind="integer", minimum=1234567, maximum=n) for n in (10**17, 10**17 + 1))
    assert said(table(before), table(replace(after, minimum=1234568))) == [
        ("x", "minimum 1234567 -> 1234568"),
        ("x", f"maximum {10**17} -> {10**17 + 1}"),
    ]


def test_columns_of_one_name() -> None:
    """They are told apart by their order."""
    assert said(table(column("a"), column("a")), table(column("a"), column("a", "text"), column("a"))) == [
        ("a (3)", "new: number"),
        ("a (2)", "number -> text"),
    ]


NAMES = st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=8)


@given(NAMES, NAMES, st.randoms(use_true_random=False))
def test_new_gone_and_moved_give_the_new_order(old: list[str], new: list[str], luck: random.Random) -> None:
    """Who takes out what is gone or moved and puts in what is new or moved has the new columns in their order."""
    luck.shuffle(new)
    before, after = table(*map(column, old)), table(*map(column, new))
    found = table_changes(before, after)
    out = {change.what for change in found if change.detail == "gone" or change.detail.startswith("moved")}
    put = {change.what for change in found if change.detail != "gone"}
    built = [name for name in old if name not in out]
    for at, name in enumerate(new):
        if name in put:
            built.insert(at, name)
    assert built == new
    assert {change.what for change in found if change.detail == "gone"} == set(old) - set(new)
    assert table_changes(before, before) == ()


@given(st.permutations(range(6)))
def test_as_few_columns_as_possible_are_moved(order: list[int]) -> None:
    """Against every subset of columns that could have stayed where they are."""
    names = [str(at) for at in range(6)]
    found = table_changes(table(*map(column, names)), table(*(column(names[at]) for at in order)))
    subsets = ([order[at] for at in range(6) if mask >> at & 1] for mask in range(1 << 6))
    assert len(found) == 6 - max(len(kept) for kept in subsets if kept == sorted(kept))


def test_a_directory() -> None:
    """Counted by what became of the files, the first three of each named."""
    before = {f"{at}.csv": "1" for at in range(5)} | {"same": "7", "other": "8"}
    after = {"same": "7", "other": "9", "new\nname": "1"}
    assert listing_changes(before, after) == (
        TableChange(what="files", detail="1 new: new name"),
        TableChange(what="files", detail="5 gone: 0.csv, 1.csv, 2.csv and 2 more"),
        TableChange(what="files", detail="1 changed: other"),
    )
    assert listing_changes(after, after) == ()
