"""Version numbers obey semver.org, and the next one is always above all that came before."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import pairwise

import pytest
import semver
from gto.versions import SemVer
from hypothesis import given
from hypothesis import strategies as st

from dvc_modelver.core.versions import FIRST, Bump, Version, next_version, timestamp_version
from dvc_modelver.errors import BadInput
from tests.core.builders import v, versions


def oracle(version: Version) -> semver.Version:
    """The same number in the `semver` library."""
    return semver.Version.parse(str(version)[1:])


@given(versions(), versions())
def test_order_is_that_of_the_semver_library(a: Version, b: Version) -> None:
    """Of two versions the one that the library calls lower is lower; where it sees no difference only builds differ."""
    verdict = oracle(a).compare(oracle(b))
    if verdict:
        assert (a < b, a > b) == (verdict < 0, verdict > 0)
    else:
        assert (a.major, a.minor, a.patch, a.prerelease) == (b.major, b.minor, b.patch, b.prerelease)
        assert (a == b) == (a.build == b.build)


@given(versions(), versions(), versions())
def test_order_is_total(a: Version, b: Version, c: Version) -> None:
    """Exactly one of less, equal, greater holds, equal means the same text, and order is transitive."""
    assert [a < b, a == b, a > b].count(True) == 1
    assert (a == b) == (str(a) == str(b)) == (a.key == b.key)
    low, middle, high = sorted([a, b, c])
    assert low <= middle <= high
    assert low <= high


def test_order_of_semver_orgs_own_example() -> None:
    """The chain that semver.org section 11 gives is in order."""
    chain = "1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0 2.0.0"
    assert all(v(low) < v(high) for low, high in pairwise(chain.split()))


@given(versions())
def test_text_round_trip(version: Version) -> None:
    """What is written is read back, with and without the `v`, and is valid for the library."""
    assert v(str(version)) == v(str(version)[1:]) == version
    assert str(oracle(version)) == str(version)[1:]


# fmt: off
BAD = [
    "1.0", "v1", "v01.2.3", "v1.2.3.4", "V1.2.3", "v1.02.3", "v1.2.03", "v1.2", "v", "v.", "vv1.2.3", "v-1.2.3",
    "v1.2.-3", "v1.2.3-", "v1.2.3+", "v1.2.3-01", "v1.2.3-rc..1", "v1.2.3-rc.01", "v1.2.3-rc_1", "v1.2.3+b_1",
    "v1.2.3+a+b", "v1.2.3!", "v1.2.3#1", "latest", "1e3.0.0", "v0x1.0.0",
]
# fmt: on


@pytest.mark.parametrize(
    "text",
    [*BAD, "", " v1.2.3", "v1.2.3 ", "v1.2.3\n", "v1. 2.3", "v1.2.٣", "v1.2.3-é", f"v1.2.{'9' * 300}", "v1.2.3-\x1b"],
)
def test_bad_versions_are_refused(text: str) -> None:
    """What semver.org does not allow raises, in one line with a hint and without raw control characters."""
    with pytest.raises(BadInput) as refused:
        Version.parse(text)
    assert refused.value.hint
    assert refused.value.message.isascii()
    assert refused.value.message.isprintable()


@given(st.text(st.sampled_from("v0123.-+rcA#! \n٣"), max_size=14))
def test_accepts_what_the_semver_library_accepts(text: str) -> None:
    """Any short text is a version for us exactly when the library reads it (one `v` left out)."""
    bare = text.removeprefix("v")
    # The library's pattern takes digits of every script and a final line end, which semver.org does not.
    valid = semver.Version.is_valid(bare) and bare.isascii() and not bare.endswith("\n")
    try:
        Version.parse(text)
    except BadInput:
        assert not valid
    else:
        assert valid


@given(st.lists(versions(), min_size=1, max_size=8), st.sampled_from(Bump))
def test_next_is_above_all_that_are_taken(taken: list[Version], bump: Bump) -> None:
    """Whatever was used and whichever bump, the next number is higher by our order and by the library's."""
    following = next_version(taken, bump)
    assert all(following > old for old in taken)
    assert all(oracle(following) > oracle(old) for old in taken)
    assert following.is_prerelease == (bump is Bump.PRERELEASE)


@pytest.mark.parametrize(
    ("highest", "bump", "expected"),
    [
        ("v1.2.3", Bump.PATCH, "v1.2.4"),
        ("v1.2.3", Bump.MINOR, "v1.3.0"),
        ("v1.2.3", Bump.MAJOR, "v2.0.0"),
        ("v1.2.3", Bump.PRERELEASE, "v1.2.4-rc.1"),
        ("v1.0.0-rc.1", Bump.PATCH, "v1.0.0"),
        ("v1.0.0-rc.1", Bump.MINOR, "v1.0.0"),
        ("v1.0.0-rc.1", Bump.MAJOR, "v1.0.0"),
        ("v1.0.0-rc.1", Bump.PRERELEASE, "v1.0.0-rc.2"),
        ("v1.0.0-rc.9", Bump.PRERELEASE, "v1.0.0-rc.10"),
        ("v1.0.0-beta", Bump.PRERELEASE, "v1.0.0-beta.1"),
        ("v1.2.0-rc.1", Bump.MINOR, "v1.2.0"),
        ("v1.2.0-rc.1", Bump.MAJOR, "v2.0.0"),
        ("v1.2.3-rc.1", Bump.PATCH, "v1.2.3"),
        ("v1.2.3-rc.1", Bump.MINOR, "v1.3.0"),
        ("v1.2.3-rc.1", Bump.MAJOR, "v2.0.0"),
        ("v1.2.3+linux", Bump.PATCH, "v1.2.4"),
    ],
)
def test_each_bump(highest: str, bump: Bump, expected: str) -> None:
    """A bump goes as far as asked, and a pre-release leads to its final version."""
    assert str(next_version([v("v0.0.1"), v(highest)], bump)) == expected


def test_first_versions() -> None:
    """The first version is v0.1.0, the first pre-release leads to it."""
    assert [str(next_version([], bump)) for bump in (Bump.PATCH, Bump.MINOR, Bump.MAJOR)] == ["v0.1.0"] * 3
    assert next_version([], Bump.PRERELEASE).final == FIRST


def test_the_greater_bump_wins() -> None:
    """Bumps for several reasons combine with `max`."""
    assert max(Bump.PATCH, Bump.MAJOR, Bump.MINOR) is Bump.MAJOR
    assert max(Bump.PRERELEASE, Bump.PATCH) is Bump.PATCH


moments = st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 30), timezones=st.just(timezone.utc))


@given(moments, st.none() | versions())
def test_timestamps_are_valid_and_above_the_latest(now: datetime, highest: Version | None) -> None:
    """At any moment, and under any clock, the version is a final SemVer above the latest, for GTO and semver too."""
    version = timestamp_version(now, highest)
    assert v(str(version)) == version
    assert SemVer.is_valid(str(version))
    assert not version.is_prerelease
    if highest is not None:
        assert version > highest
        assert oracle(version) > oracle(highest)


@given(moments, st.integers(1, 10**9))
def test_timestamps_grow_with_time(now: datetime, seconds: int) -> None:
    """Of two moments, at least a second apart, the later one has the higher version."""
    later = now + timedelta(seconds=seconds) if now.year < 9960 else now
    first, second = timestamp_version(now, None), timestamp_version(later, None)
    assert (second > first) == (later > now)


def test_timestamp_is_the_date_and_time_in_utc() -> None:
    """The contract's own example, given in another time zone; midnight has no leading zeros."""
    there = timezone(timedelta(hours=2))
    assert str(timestamp_version(datetime(2026, 11, 21, 23, 30, 5, tzinfo=there), None)) == "v2026.1121.213005"
    assert str(timestamp_version(datetime(2026, 1, 2, tzinfo=timezone.utc), None)) == "v2026.102.0"


def test_timestamp_under_a_slow_clock_counts_on() -> None:
    """A machine whose clock is behind the latest version takes the number after it."""
    now = datetime(2026, 11, 21, 21, 30, 5, tzinfo=timezone.utc)
    assert str(timestamp_version(now, v("v2026.1121.213005"))) == "v2026.1121.213006"
    assert str(timestamp_version(now, v("v2027.101.7"))) == "v2027.101.8"
