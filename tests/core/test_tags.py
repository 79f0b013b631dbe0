"""Tag names: GTO's grammar, read to the same meaning."""

from __future__ import annotations

import pytest
from gto.constants import Action
from gto.tag import parse_name
from hypothesis import given
from hypothesis import strategies as st

from dvc_modelver.core.tags import Event, TagName, looks_meant, parse_tag_name
from dvc_modelver.core.versions import Version
from tests.core.builders import v, versions

_name = st.from_regex(r"[a-zA-Z0-9]([a-zA-Z0-9\-/_]{0,6}[a-zA-Z0-9])?", fullmatch=True)
_directory = st.from_regex(r"[a-zA-Z0-9\-_./]{1,8}", fullmatch=True)
_canonical = st.builds(lambda folder, name: f"{folder}:{name}" if folder else name, st.just("") | _directory, _name)
_counter = st.none() | st.integers(0, 10**18 - 1)


@st.composite
def tag_names(draw: st.DrawFn) -> TagName:
    """Any tag of the grammar."""
    event, name, counter = draw(st.sampled_from(Event)), draw(_canonical), draw(_counter)
    if event in (Event.RELEASE, Event.WITHDRAW_VERSION):
        return TagName(event, name, version=draw(versions()), counter=counter)
    if event in (Event.PROMOTE, Event.WITHDRAW_STAGE):
        return TagName(event, name, stage=draw(_name), counter=counter)
    return TagName(event, name, counter=counter)


_alphabet = st.sampled_from("@#!=:v.0123456789-_/+aZrc deprecatedlock\n٣é\x1b")


@st.composite
def mutated_names(draw: st.DrawFn) -> str:
    """A tag's name with a few characters cut out, put in or exchanged."""
    text = str(draw(tag_names()))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(st.text(_alphabet, max_size=2)) + text[at + draw(st.integers(0, 2)) :]
    return text


GTO_EVENTS = {
    Action.REGISTER: Event.RELEASE,
    Action.DEREGISTER: Event.WITHDRAW_VERSION,
    Action.ASSIGN: Event.PROMOTE,
    Action.UNASSIGN: Event.WITHDRAW_STAGE,
    Action.DEPRECATE: Event.RETIRE,
    None: Event.CREATED,  # GTO's parser knows the word and gives it no action
}


def by_gto(text: str) -> TagName | None:
    """What GTO makes of a name, in our words."""
    parsed = parse_name(text, raise_on_fail=False)
    if not parsed:
        return None
    version = parsed.get("version")
    return TagName(
        GTO_EVENTS[parsed.get("action")],
        parsed["name"],
        version=v(version) if version else None,
        stage=parsed.get("stage"),
        counter=parsed.get("counter"),
    )


@given(tag_names())
def test_round_trip(tag: TagName) -> None:
    """What is written is read back."""
    assert parse_tag_name(str(tag)) == tag


@given(tag_names())
def test_gto_reads_what_we_write(tag: TagName) -> None:
    """GTO gives every name the same event, artifact, version, stage and counter."""
    assert by_gto(str(tag)) == tag


@given(mutated_names())
def test_gto_and_we_agree_on_mutated_names(text: str) -> None:
    """A name says the same to GTO and to us, or nothing to both; but for what is beyond ASCII or ends a line."""
    ours = parse_tag_name(text)
    if not text.isascii() or text.endswith("\n"):
        assert ours is None
    elif ours is not None or not _beyond_our_limits(text):
        assert ours == by_gto(text)


def _beyond_our_limits(text: str) -> bool:
    """A counter or version of absurd length, which a mutation can make."""
    parsed = parse_name(text, raise_on_fail=False)
    return len(parsed.get("version", "")) > 200 or len(str(parsed.get("counter", ""))) > 18


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("churn@v1.2.0", TagName(Event.RELEASE, "churn", version=v("1.2.0"))),
        ("churn@v1.2.0#7", TagName(Event.RELEASE, "churn", version=v("1.2.0"), counter=7)),
        ("churn@v1.2.0!", TagName(Event.WITHDRAW_VERSION, "churn", version=v("1.2.0"))),
        ("churn@v1.0.0-rc.1+b.2!#3", TagName(Event.WITHDRAW_VERSION, "churn", version=v("1.0.0-rc.1+b.2"), counter=3)),
        ("churn#prod", TagName(Event.PROMOTE, "churn", stage="prod")),
        ("churn#prod#12", TagName(Event.PROMOTE, "churn", stage="prod", counter=12)),
        ("churn#eu/prod#1", TagName(Event.PROMOTE, "churn", stage="eu/prod", counter=1)),
        ("churn#prod!#13", TagName(Event.WITHDRAW_STAGE, "churn", stage="prod", counter=13)),
        ("churn@deprecated", TagName(Event.RETIRE, "churn")),
        ("churn@deprecated#2", TagName(Event.RETIRE, "churn", counter=2)),
        ("churn@created", TagName(Event.CREATED, "churn")),
        ("path/to/dir=churn@v1.0.0", TagName(Event.RELEASE, "path/to/dir:churn", version=v("1.0.0"))),
        ("a/b.c=x/y#dev#1", TagName(Event.PROMOTE, "a/b.c:x/y", stage="dev", counter=1)),
    ],
)
def test_every_form(text: str, expected: TagName) -> None:
    """Each form that the contract names is read as it says."""
    assert parse_tag_name(text) == expected


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("churn@v1.0", True),
        ("churn@1.0.0", True),
        ("churn@V1.0.0", True),
        ("churn@v01.0.0", True),
        ("churn@v1.0.0.0", True),
        ("churn@v1.0.0\n", True),
        ("churn@v1.0.٣", True),
        ("churn#prod#1\n", True),
        ("churn#prod#٣", True),
        ("churn#", True),
        ("churn#prod!!", True),
        ("chürn@v1.0.0", True),
        ("churn@deprecated!", True),
        ("v1.0.0", False),
        ("release-2025", False),
        ("churn", False),
        ("user@example.com", False),
        ("@v1.0.0", False),
    ],
)
def test_names_that_say_nothing(text: str, meant: bool) -> None:
    """A name outside the grammar records nothing; whether one of ours was meant decides if it is a problem."""
    assert parse_tag_name(text) is None
    assert looks_meant(text) is meant


@pytest.mark.parametrize("middle", ["@v1.0.{}", "@v1.0.0-{}", "@v1.0.0!#{}", "#prod#{}"])
def test_absurd_numbers_are_no_tags_of_ours(middle: str) -> None:
    """A number of thousands of digits is refused like any other bad name, not raised on."""
    for digits in (201, 5000):
        assert parse_tag_name("churn" + middle.format("9" * digits)) is None


def test_longest_version_is_read() -> None:
    """A version as long as the limit is still one."""
    text = "v1.0.0-" + "a" * 193
    assert parse_tag_name(f"churn@{text}") == TagName(Event.RELEASE, "churn", version=Version.parse(text))
