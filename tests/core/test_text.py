"""Text from a repository is harmless on a terminal, and secrets do not reach messages."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvc_modelver.core.text import one_line, redact, safe

BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
MARKS = "\u200e\u200f\u061c"  # they change direction, though their own class is that of a letter


def is_dangerous(char: str) -> bool:
    """A control, a change of direction, a line end that `splitlines` sees, or half a character."""
    return (
        unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp")
        or unicodedata.bidirectional(char) in BIDI
        or char in MARKS
    )


def test_no_dangerous_character_survives() -> None:
    """Of all of Unicode's controls and direction changes only tab and newline stay as they are."""
    dangerous = [c for c in map(chr, range(0x110000)) if is_dangerous(c)]
    assert [c for c in dangerous if safe(c) == c] == ["\t", "\n"]
    assert all(safe(c).isascii() and safe(c).startswith("\\") for c in dangerous if c not in "\t\n")


@pytest.mark.parametrize("char", "\u200b\u200c\u200d\u2060\ufeff\u00ad\U000e0041\u180e")
def test_invisible_characters_are_shown(char: str) -> None:
    """What takes no place on the screen, and could make two names look alike, is written as an escape."""
    assert safe(f"a{char}b").isascii()


@given(st.text(st.characters(), max_size=30))
def test_one_line_is_one_safe_line(text: str) -> None:
    """Any text becomes a single line without controls, whose cut is no longer than asked."""
    line = one_line(text)
    assert not any(is_dangerous(char) for char in line)
    assert len(line.splitlines()) <= 1
    assert len(one_line(text, 10)) <= 10
    assert line.encode("utf-8").decode("utf-8") == line


@given(st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), max_size=30))
def test_ordinary_text_is_untouched(text: str) -> None:
    """Letters, digits, punctuation and symbols of every script are shown as they are."""
    assert safe(text) == one_line(text) == text


SECRET = "s3cr3tT0ken"


@pytest.mark.parametrize(
    "text",
    [
        f"https://user:{SECRET}@host/team/models.git",
        f"https://{SECRET}@host/x",
        f"https://:{SECRET}@host",
        f"ssh://git:{SECRET}@host:22/x",
        f"https://user:p@{SECRET}@host/x",
        f"fatal: unable to access 'https://ada:{SECRET}@host/x/': 403",
        f"one https://a:{SECRET}@h and two https://b:{SECRET}@h",
        f"https://bucket/x?X-Amz-Signature={SECRET}&v=1",
        f"https://bucket/x?v=1&X-Goog-Signature={SECRET}",
        f"https://blob/x?sv=2020&sig={SECRET}",
        f"https://host/x?access_token={SECRET}",
        f"https://host/x?ACCESS_TOKEN={SECRET}#part",
        f"https://gitlab/x?private_token={SECRET}",
        f"https://host/x?job_token={SECRET}",
        f"https://host/x?client_secret={SECRET}",
        f"https://host/x?api-key={SECRET}",
        f"https://host/x?AWSAccessKeyId=AK&Signature={SECRET}",
        f"https://host/x?auth={SECRET}",
        f"https://host/x?passwd={SECRET}",
        f'"https://host/x?token={SECRET}"',
    ],
)
def test_secrets_do_not_survive(text: str) -> None:
    """User-info of URLs and signing query values are left out, the host stays."""
    assert SECRET not in redact(text)
    assert "***" in redact(text)


@given(st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=6, max_size=20), st.text(max_size=10))
def test_no_password_survives(secret: str, around: str) -> None:
    """Whatever stands around it, a password in a URL is not shown."""
    shown = redact(f"{around} https://u:{secret}@host/x {around}")
    assert f":{secret}@" not in shown


@pytest.mark.parametrize(
    "text",
    [
        "https://host/path?version=2&page=1",
        "git@host:team/models.git",
        "churn@v1.2.0 and churn#prod",
        "ada@example.com",
        "https://host/a@b",
        "a monkey=banana",
        "file:///srv/x",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    """Plain URLs, addresses and references are shown as they are."""
    assert redact(text) == text
