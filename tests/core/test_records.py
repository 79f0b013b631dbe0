"""The record: a value of any kind comes back as it was, and nothing that people write can pass for one."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvc_modelver.core.records import (
    BlobLine,
    FileLine,
    Record,
    compose_message,
    decode,
    encode,
    format_record,
    is_signed,
    parse_record,
    split_message,
)
from dvc_modelver.core.tagobjects import parse_tag_object
from dvc_modelver.errors import BadInput

RECORD = Record(event="release", model="churn", version="v1.2.0")

_nasty = st.sampled_from(
    [
        *[
            "%",
            "%25",
            "%0A",
            "é",
            "模型",
            "\n",
            "\r\n",
            "---",
            "\n---\n",
            "\ud800",
            "\udcff",
            "\udcc3\udca9",
            " ",
            "  x  ",
        ],
        *["\t", "\0", "\x1b[31m", "\u202e", "Modelver-Format: 2", "\n\nModelver-Format: 1", "+", "a b", "=", "#", "'"],
        "\\",
    ]
)
_any = st.one_of(st.text(st.characters(), max_size=12), st.lists(_nasty, max_size=4).map("".join))
_hex = st.text("0123456789abcdef", min_size=1, max_size=64)
_size = st.integers(0, 10**15)
_key = st.from_regex(r"X[A-Za-z0-9-]{0,10}", fullmatch=True)
_text_fields = (
    "format version stage path digest sha256 slice_digest previous bump reason rolled_back_from".split()  # noqa: SIM905
)


@st.composite
def records(draw: st.DrawFn) -> Record:
    """Any record, its values mostly hostile."""
    present = draw(st.sets(st.sampled_from(_text_fields)))
    return Record(
        event=draw(_any),
        model=draw(_any),
        size=draw(st.none() | _size),
        count=draw(st.none() | _size),
        files=tuple(draw(st.lists(st.builds(FileLine, _hex, _size, _any), max_size=3))),
        blobs=tuple(draw(st.lists(st.builds(BlobLine, _hex, _any), max_size=3))),
        card=draw(st.none() | st.builds(BlobLine, _hex, _any)),
        ends=tuple(draw(st.lists(_any, max_size=3))),
        extra=tuple(draw(st.lists(st.tuples(_key, _any), max_size=3))),
        **{name: draw(_any) for name in sorted(present)},
    )


@given(records())
def test_round_trip(record: Record) -> None:
    """What is written is read back, field by field, whatever the values hold."""
    assert parse_record(format_record(record)) == record


@given(records())
def test_a_record_is_one_paragraph_of_plain_text(record: Record) -> None:
    """Every line is printable ASCII and begins with the prefix, so that no value can end or forge a line."""
    lines = format_record(record).split("\n")
    assert all(line.isascii() and line.isprintable() and line.startswith("Modelver-") for line in lines)
    assert lines[0].startswith("Modelver-Format: ")


@given(_any)
def test_values_round_trip(value: str) -> None:
    """Any text, lone surrogates too, survives its encoding, which leaves no space at either end."""
    encoded = encode(value)
    assert decode(encoded) == value
    assert encoded == encoded.strip()
    assert encoded.isascii()


def test_encoding_is_ordinary_percent_encoding() -> None:
    """Others can read values with any percent-decoder, and plain values stay as they are."""
    assert encode("models/churn v2.bin") == "models/churn v2.bin"
    assert unquote_to_bytes(encode("100 % é\n")) == "100 % é\n".encode()


def test_bytes_that_are_no_text_are_decoded() -> None:
    """A value that is percent-encoded Latin-1, made by others, is kept and not raised on."""
    assert decode("caf%E9") == "caf\udce9"


@given(records(), st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=40))
def test_message_round_trip(record: Record, body: str) -> None:
    """What people wrote and the record come apart again as they were put together."""
    try:
        message = compose_message("Release churn v1.2.0", body, record)
    except BadInput:
        assert "Modelver-" in body or "-----BEGIN" in body
        return
    words, paragraph = split_message(message)
    kept = f"\n\n{body.strip()}" if body.strip() else ""
    assert words == f"Release churn v1.2.0{kept}"
    assert parse_record(paragraph) == record


@pytest.mark.parametrize(
    "body",
    [
        "Because.\n\nSigned-off-by: Ada Byron <ada@example.com>",
        "---\nnot a separator",
        "diff --git a/x b/x\n--- a/x\n+++ b/x",
        "one\n\n\n\ntwo",
        "I like Modelver-Format: 1 in a sentence",
        "key: value",
        "# not a comment",
        "ünïcödé 模型",
    ],
)
def test_bodies_are_kept(body: str) -> None:
    """Trailers, separators, diffs, empty lines and comments of the user are text, and the record is still found."""
    words, paragraph = split_message(compose_message("Subject", body, RECORD))
    assert words == f"Subject\n\n{body}"
    assert parse_record(paragraph) == RECORD


@pytest.mark.parametrize(
    "body",
    [
        "Modelver-Format: 1",
        "fine\nModelver-Event: release",
        "fine\r\nModelver-X",
        "x\x0bModelver-Y: 1",
        "x\u2028Modelver-Y: 1",
        "-----BEGIN PGP SIGNATURE-----\n\nabc",
        "ok\n-----BEGIN SSH SIGNATURE-----",
        "a\0b",
    ],
)
def test_forging_bodies_are_refused(body: str) -> None:
    """A message that could be taken for a record or a signature is refused, not changed."""
    with pytest.raises(BadInput):
        compose_message("Subject", body, RECORD)


@pytest.mark.parametrize("kind", ["PGP SIGNATURE", "SSH SIGNATURE", "SIGNED MESSAGE", "PGP MESSAGE"])
def test_signature_is_stripped(kind: str) -> None:
    """Behind the record a signature of any of Git's formats may follow; without one the message is not signed."""
    message = compose_message("Subject", "Body", RECORD)
    signed = f"{message}-----BEGIN {kind}-----\n\nModelver-Model: forged\n-----END {kind}-----\n"
    assert split_message(signed) == split_message(message) == ("Subject\n\nBody", format_record(RECORD))
    assert (is_signed(signed), is_signed(message)) == (True, False)


def test_unknown_keys_are_kept_in_order() -> None:
    """A later format's keys, repeated ones too, stand in `extra` and are written again."""
    text = f"{format_record(RECORD)}\nModelver-Zeta: 1\nModelver-Alpha: two%20\nModelver-Zeta: 3"
    record = parse_record(text)
    assert record == replace(RECORD, extra=(("Zeta", "1"), ("Alpha", "two "), ("Zeta", "3")))
    assert record is not None
    assert format_record(record) == text


def test_a_known_key_is_read_once() -> None:
    """The first line of a repeated key counts: what is appended later changes nothing."""
    assert parse_record(f"{format_record(RECORD)}\nModelver-Version: v9.9.9\nModelver-Model: other") == RECORD


@pytest.mark.parametrize(
    "line",
    [
        f"Modelver-Size: {'9' * 5000}",
        "Modelver-Size: -1",
        "Modelver-Size: 1e3",
        "Modelver-Count: ٣",
        "Modelver-File: abc",
        "Modelver-File: abc x path",
        f"Modelver-File: abc {'9' * 5000} path",
        "Modelver-File: abc %D9%A3 path",
        "Modelver-Blob: abc",
        "Modelver-Card: abc",
    ],
)
def test_broken_values_cost_only_themselves(line: str) -> None:
    """A value of the wrong shape is kept as unknown; the rest of the record is read."""
    record = parse_record(f"{format_record(RECORD)}\n{line}")
    assert record is not None
    assert replace(record, extra=()) == RECORD
    assert [key for key, _ in record.extra] == [line.removeprefix("Modelver-").partition(":")[0]]


@pytest.mark.parametrize(
    "message",
    [
        "",
        "\n",
        "Just words\n",
        "Modelver-Event: release\nModelver-Model: churn\n",
        "Subject\n\nModelver-Format: 1\nnot a line of a record\n",
        "Subject\n\nModelver-Format: 1\nModelver-Model: churn\n\nMore words after it\n",
        "Subject\nModelver-Format: 1\nModelver-Event: release\nModelver-Model: churn\n",
    ],
)
def test_messages_without_a_record(message: str) -> None:
    """What is not a record in the last paragraph stays in the words, whole."""
    assert split_message(message) == (message.rstrip("\n"), "")


@pytest.mark.parametrize("text", ["", "Modelver-Format: 1", "Modelver-Format: 1\nModelver-Event: release", "Modelver-"])
def test_a_record_names_its_event_and_model(text: str) -> None:
    """A paragraph that does not say what happened to which model is no record."""
    assert parse_record(text) is None


def test_a_record_alone_is_found() -> None:
    """A message that is nothing but a record has no words."""
    assert split_message(format_record(RECORD)) == ("", format_record(RECORD))


def raw_tag(message: bytes, tagger: str = "tagger Ada Byron <ada@example.com> 1735732800 +0100") -> bytes:
    """A tag object as Git stores it."""
    return f"object {'a' * 40}\ntype commit\ntag churn@v1.2.0\n{tagger}\n\n".encode() + message


def test_tag_object_is_taken_apart() -> None:
    """Header, words, record and signature of an object each land in their place."""
    message = compose_message("Subject", "Body", RECORD) + "-----BEGIN SSH SIGNATURE-----\nx\n"
    tag = parse_tag_object("b" * 40, raw_tag(message.encode()))
    assert tag is not None
    assert (tag.oid, tag.target, tag.target_type, tag.name) == ("b" * 40, "a" * 40, "commit", "churn@v1.2.0")
    assert (tag.message, tag.record, tag.signed) == ("Subject\n\nBody", RECORD, True)
    assert tag.tagger is not None
    assert (tag.tagger.name, tag.tagger.email, tag.at.isoformat()) == (
        "Ada Byron",
        "ada@example.com",
        "2025-01-01T12:00:00+00:00",
    )


@pytest.mark.parametrize(
    "tagger",
    [
        "tagger",
        "tagger nobody",
        "x y",
        "tagger <> 99999999999999 +0000",
        "tagger A <a> -5 +0000",
        f"tagger A <a> {'9' * 5000} +0000",
        "tagger A <a> 1 +99999999",
    ],
)
def test_odd_taggers_are_survived(tagger: str) -> None:
    """A missing, broken or absurdly dated tagger gives a time that can be shown, and the record is read."""
    tag = parse_tag_object("b" * 40, raw_tag(compose_message("S", "", RECORD).encode(), tagger))
    assert tag is not None
    assert tag.record == RECORD
    assert 1970 <= tag.at.year <= 9999


@given(st.binary(max_size=200))
def test_any_bytes_are_survived(raw: bytes) -> None:
    """Bytes that are no tag give none; a message that is not UTF-8 is readable all the same."""
    assert parse_tag_object("b" * 40, raw) is None or b"object" in raw
    tag = parse_tag_object("b" * 40, raw_tag(raw))
    assert tag is not None
    assert tag.message.encode("utf-8").decode("utf-8") == tag.message
