"""Notes as lines: round trip, merging, and whatever else somebody writes there."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvc_modelver.core.notes import MAX_LINE, MAX_NOTES, Note, format_note, parse_note, parse_notes
from dvc_modelver.core.tagobjects import Identity
from dvc_modelver.errors import BadInput

AT = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)
WORDS = st.text(st.characters(exclude_characters=":=@&?-", exclude_categories=("Cs",)), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)
NOTES = st.builds(
    Note,
    at=st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)).map(
        lambda at: at.replace(microsecond=0, tzinfo=timezone.utc)
    ),
    kind=st.sampled_from(["reproduction", "approval"]),
    by=st.none() | st.builds(Identity, name=WORDS, email=WORDS),
    facts=st.dictionaries(WORDS.filter(lambda word: word not in ("at", "kind", "by")), JSON, max_size=4),
)


@given(NOTES)
def test_round_trip(note: Note) -> None:
    """What was written is read again, and is one line of ASCII with sorted keys."""
    line = format_note(note)
    assert parse_note(line) == note
    assert line.isascii()
    assert line.splitlines() == [line]
    told = json.loads(line)
    assert list(told) == sorted(told)
    assert {"at", "kind"} <= set(told)


@given(st.lists(NOTES, max_size=5), st.randoms(use_true_random=False))
def test_merging_is_a_union(notes: list[Note], shuffle: object) -> None:
    """Any order of lines, and any line twice, says the same: what git's cat_sort_uniq makes is right."""
    lines = [format_note(note) for note in notes]
    once = parse_notes("\n".join(lines).encode())
    again = [*lines, *lines]
    shuffle.shuffle(again)  # type: ignore[attr-defined]
    assert parse_notes("\n\n".join(again).encode()) == once
    assert once.problems == ()
    assert [note.at for note in once.notes] == sorted(note.at for note in once.notes)


@given(st.binary(max_size=300))
def test_whatever_stands_there_is_passed_over(raw: bytes) -> None:
    """No bytes are an error; each line is a note or is counted."""
    line = format_note(Note(at=AT, kind="approval"))
    found = parse_notes(raw + b"\n" + line.encode())
    assert [note.kind for note in found.notes] == ["approval"]


@pytest.mark.parametrize(
    "line",
    [
        "not json",
        "[1]",
        "{}",
        '{"at": "2026-01-01T00:00:00Z"}',
        '{"at": "2026-01-01T00:00:00", "kind": "x"}',
        '{"at": 7, "kind": "x"}',
        '{"at": "2026-01-01T00:00:00Z", "kind": ["x"]}',
        '{"at": "2026-01-01T00:00:00Z", "kind": "x", "by": "me"}',
        '{"at": "2026-01-01T00:00:00Z", "kind": "x", "by": {"name": 1, "email": 2}}',
        '{"at": "2026-01-01T00:00:00Z", "kind": "x", "v": NaN}',
        '{"at": "0001-01-01T00:00:00+23:59", "kind": "x"}',
        '{"a":' * 800,
        '{"at": "2026-01-01T00:00:00Z", "kind": "x", "v": ' + "[" * 2000 + "]" * 2000 + "}",
        '{"at": "2026-01-01T00:00:00Z", "kind": "' + "x" * MAX_LINE + '"}',
    ],
)
def test_what_is_no_note(line: str) -> None:
    """Wrong shapes, depth and length cost only their own line, which is counted."""
    found = parse_notes(f"{line}\n{format_note(Note(at=AT, kind='approval'))}\n".encode())
    assert [note.kind for note in found.notes] == ["approval"]
    assert found.problems == ("its notes hold 1 line that cannot be read",)


def test_too_much_is_not_read() -> None:
    """Beyond the cap nothing is parsed, and that is said."""
    found = parse_notes(b"x" * (MAX_NOTES + 1))
    assert found.notes == ()
    assert "larger than 4 MiB" in found.problems[0]


def test_secrets_and_infinities() -> None:
    """A token that a fact holds is hidden, and a number that JSON has no word for is a word."""
    token = "ghp_" + "a1B2" * 10
    note = Note(at=AT + timedelta(microseconds=5), kind="x", facts={"log": [f"use {token}"], "v": float("inf")})
    line = format_note(note)
    assert token not in line
    assert json.loads(line)["v"] == "Infinity"
    assert json.loads(line)["at"] == "2026-01-31T12:00:00Z"


@pytest.mark.parametrize("value", ["x" * MAX_LINE, object()], ids=["long", "object"])
def test_what_cannot_be_written(value: object) -> None:
    """Too long, or nothing that JSON says: refused before anything is written."""
    with pytest.raises(BadInput):
        format_note(Note(at=AT, kind="x", facts={"v": value}))
