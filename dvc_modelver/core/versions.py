"""Version numbers: strict Semantic Versioning 2.0.0 (semver.org) with a leading `v`.  Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from enum import IntEnum
from functools import total_ordering

from dvc_modelver.errors import BadInput

_NUMBER = r"0|[1-9]\d*"
_IDENTIFIER = rf"(?:{_NUMBER}|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
VERSION_PATTERN = (
    rf"v(?:{_NUMBER})\.(?:{_NUMBER})\.(?:{_NUMBER})"
    rf"(?:-{_IDENTIFIER}(?:\.{_IDENTIFIER})*)?(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?"
)
"""semver.org's own regular expression, with the `v` that GTO requires."""

_parse = re.compile(
    rf"v?({_NUMBER})\.({_NUMBER})\.({_NUMBER})(?:-({_IDENTIFIER}(?:\.{_IDENTIFIER})*))?"
    r"(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?",
    re.ASCII,
).fullmatch
MAX_LENGTH = 200
"""Characters of the longest text that is read as a version; whoever needs more is an attacker."""

PrereleaseKey = tuple[tuple[int, int, str], ...]
Key = tuple[int, int, int, int, PrereleaseKey, str]


class Bump(IntEnum):
    """How far a release goes; an `IntEnum`, so that `max()` of several reasons is the level."""

    PATCH = 1
    MINOR = 2
    MAJOR = 3
    PRERELEASE = 0


@total_ordering
@dataclass(frozen=True, slots=True)
class Version:
    """One version number; ordered by precedence as semver.org section 11 says, build metadata last."""

    major: int
    minor: int
    patch: int
    prerelease: str = ""
    build: str = ""

    @classmethod
    def parse(cls, text: str) -> Version:
        """`v1.2.3-rc.1+build`, the `v` optional.  Raises `BadInput` on anything semver.org does not allow."""
        match = _parse(text) if len(text) <= MAX_LENGTH else None
        if match is None:
            raise BadInput(
                f"{text[:60]!a} is not a version", hint="a version is three numbers, as in v1.2.3 or v1.0.0-rc.1"
            )
        major, minor, patch, prerelease, build = match.groups()
        return cls(int(major), int(minor), int(patch), prerelease or "", build or "")

    def __str__(self) -> str:
        prerelease = f"-{self.prerelease}" if self.prerelease else ""
        build = f"+{self.build}" if self.build else ""
        return f"v{self.major}.{self.minor}.{self.patch}{prerelease}{build}"

    @property
    def key(self) -> Key:
        """What to sort by; equal precedence is settled by the build metadata, so that order is total."""
        return (
            self.major,
            self.minor,
            self.patch,
            0 if self.prerelease else 1,
            _prerelease_key(self.prerelease) if self.prerelease else (),
            self.build,
        )

    def __lt__(self, other: Version) -> bool:
        return self.key < other.key

    @property
    def is_prerelease(self) -> bool:
        return bool(self.prerelease)

    @property
    def final(self) -> Version:
        """The release that this pre-release leads to; itself when it is one."""
        return Version(self.major, self.minor, self.patch)


def _prerelease_key(prerelease: str) -> PrereleaseKey:
    """Numeric identifiers are lower than others and compare as numbers; a shorter list is lower."""
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in prerelease.split("."))


FIRST = Version(0, 1, 0)


def next_version(taken: Iterable[Version], bump: Bump) -> Version:
    """The lowest number of the asked kind above every number that was ever used.

    Args:
        taken: every number known of this artifact, withdrawn ones and those seen elsewhere too.
        bump: how far to go; after `v1.0.0-rc.1` a patch is `v1.0.0`.
    """
    highest = max(taken, default=None)
    if highest is None:
        return Version(0, 1, 0, "rc.1") if bump is Bump.PRERELEASE else FIRST
    return _bumped(highest, bump)


def _bumped(base: Version, bump: Bump) -> Version:
    if bump is Bump.PRERELEASE:
        return _next_prerelease(base)
    if base.is_prerelease and bump is Bump.PATCH:
        return base.final
    if bump is Bump.MAJOR:
        whole = base.is_prerelease and base.minor == base.patch == 0
        return base.final if whole else Version(base.major + 1, 0, 0)
    if bump is Bump.MINOR:
        whole = base.is_prerelease and base.patch == 0
        return base.final if whole else Version(base.major, base.minor + 1, 0)
    return Version(base.major, base.minor, base.patch + 1)


def _next_prerelease(base: Version) -> Version:
    if not base.is_prerelease:
        return Version(base.major, base.minor, base.patch + 1, "rc.1")
    parts = base.prerelease.split(".")
    if parts[-1].isdigit():
        parts[-1] = str(int(parts[-1]) + 1)
    else:
        parts.append("1")
    return Version(base.major, base.minor, base.patch, ".".join(parts))


def timestamp_version(now: datetime, highest: Version | None) -> Version:
    """`v2026.1121.213005` for 2026-11-21 21:30:05 UTC; one second more than `highest` under a slow clock.

    SemVer allows no leading zeros, so month and day, and hour, minute and second, are read as one number each.
    """
    utc = now.astimezone(timezone.utc)
    version = Version(utc.year, utc.month * 100 + utc.day, utc.hour * 10000 + utc.minute * 100 + utc.second)
    if highest is None or version > highest:
        return version
    return Version(highest.major, highest.minor, highest.patch + 1)
