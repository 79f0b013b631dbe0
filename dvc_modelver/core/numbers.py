"""Decide a new version's number: asked for, prepared with a card, or by what changed since the last one.  Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from dvc_modelver.core.text import one_line
from dvc_modelver.core.versions import Bump, Version, next_version, timestamp_version
from dvc_modelver.errors import BadInput, Conflict, Refused

if TYPE_CHECKING:
    from dvc_modelver.core.releases import Candidate, ReleaseOptions

_NAMED = 3
"""Reasons that an error or a record names; more are counted."""
_LONGEST_REASON = 500
"""Characters of a reason that a record holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A new version's number and where it comes from."""

    version: Version
    how: str
    """`major`, `minor`, `patch`, `prerelease`, `version`, `timestamp` or `prepared`."""
    reasons: tuple[str, ...] = ()
    """What changed, or why that does not count; empty where nobody asked."""
    given: bool = False
    """Whether the level is the one that was asked for: then nobody has to be told why."""

    @property
    def level(self) -> str | None:
        """`major`, `minor`, `patch` or `prerelease`; None for a number that came otherwise."""
        return self.how if self.how.upper() in Bump.__members__ else None

    @property
    def recorded(self) -> str | None:
        """Why it is this level, in one line, for the record."""
        return one_line(_summary(self.reasons), _LONGEST_REASON) if self.reasons and not self.given else None


def choose_number(candidate: Candidate, options: ReleaseOptions, now: datetime) -> Chosen:
    """The number of the version that the candidate becomes.

    Raises:
        Refused: an asked number is below the highest; a bump is lower than what changed asks for.
        Conflict: the number that the card was prepared for is gone.
        BadInput: a bump, where versions are times.
    """
    highest = max(candidate.taken, default=None)
    if options.version is not None:
        if highest is not None and options.version < highest and not options.force:
            raise Refused(
                f"{options.version} is below {highest}, the highest number of {candidate.model.name}",
                hint="--force, if that is meant",
            )
        return Chosen(version=options.version, how="version")
    timestamps = options.scheme == "timestamp"
    if timestamps and options.bump is not None:
        raise BadInput("--bump has no meaning with timestamp versions", hint="leave it out")
    if options.bump is not None:
        return _as_asked(candidate, options.bump, options.force_bump)
    prepared = _prepared(candidate, highest, options.renumber)
    moved = _moved(candidate, highest) if prepared is None and candidate.prepared.binding else ()
    if timestamps:
        return Chosen(version=prepared or timestamp_version(now, highest), how="timestamp", reasons=moved)
    if prepared is not None:
        return Chosen(version=prepared, how="prepared")
    chosen = _by_policy(candidate)
    return replace(chosen, reasons=(*moved, *chosen.reasons))


def _by_policy(candidate: Candidate) -> Chosen:
    """The level that what changed since the last version asks for; patch where nobody can say."""
    if candidate.last is None:
        return _chosen(candidate, Bump.PATCH)
    level, reasons = _suggested(candidate)
    if level is not None:
        return _chosen(candidate, level, reasons)
    return _chosen(candidate, Bump.PATCH, [f"what changed since {candidate.last} cannot be told: {_summary(reasons)}"])


def _as_asked(candidate: Candidate, bump: Bump, force: bool) -> Chosen:
    """The asked level, unless what changed asks for a higher number.  Raises `Refused`."""
    if candidate.last is None or bump in (Bump.MAJOR, Bump.PRERELEASE):
        return _chosen(candidate, bump, given=True)
    level, reasons = _suggested(candidate)
    if level is None:
        return _chosen(candidate, bump, given=True)
    if _next(candidate, bump) >= next_version(candidate.taken, level):
        return _chosen(candidate, bump, reasons, given=True)
    higher = f"{level.name.lower()}: {_summary(reasons)}"
    if force:
        return _chosen(candidate, bump, [f"--force-bump instead of {higher}"])
    raise Refused(
        f"--bump {bump.name.lower()} is lower than what changed in {candidate.model.name} since {candidate.last} "
        f"asks for: {higher}",
        hint="--bump auto goes that far; or --force-bump, if the lower number is meant",
    )


def _suggested(candidate: Candidate) -> tuple[Bump | None, tuple[str, ...]]:
    """What the policy says, fit for a record and an error."""
    from dvc_modelver.core.secrets import redact_text

    found = candidate.suggested()
    return found.level, tuple(redact_text(reason) for reason in found.reasons)


def _summary(reasons: Sequence[str]) -> str:
    """The first reasons in one line, and how many more there are."""
    more = len(reasons) - _NAMED
    return "; ".join(reasons[:_NAMED]) + (f"; and {more} more" if more > 0 else "")


def _chosen(candidate: Candidate, bump: Bump, reasons: Sequence[str] = (), *, given: bool = False) -> Chosen:
    return Chosen(version=_next(candidate, bump), how=bump.name.lower(), reasons=tuple(reasons), given=given)


def _next(candidate: Candidate, bump: Bump) -> Version:
    """The next number of that kind, not below one that the card was prepared for."""
    asked = next_version(candidate.taken, bump)
    prepared = candidate.prepared.version
    if prepared is None or prepared in candidate.taken or asked >= prepared:
        return asked
    return next_version(candidate.taken | {prepared}, bump)


def _prepared(candidate: Candidate, highest: Version | None, renumber: bool) -> Version | None:
    """The number that the card was prepared for, when it is still to be had.

    Raises `Conflict` when it had to be, unless another is welcome (`renumber`).
    """
    version, name = candidate.prepared.version, candidate.model.name
    if version is None:
        return None
    if version not in candidate.taken and (highest is None or version > highest):
        return version
    if candidate.prepared.binding and not renumber:
        raise Conflict(
            f"the card of {name} was prepared for {version}, and {_gone(candidate, version, highest)}",
            hint=f"modelver release {name} --renumber takes the next free number; or git fetch --tags, "
            f"then modelver release {name} --prepare again; or name a number with --version",
        )
    return None


def _gone(candidate: Candidate, version: Version, highest: Version | None) -> str:
    holder = f", {candidate.prepared.holder}" if candidate.prepared.holder else ""
    return f"that number is taken by now{holder}" if version in candidate.taken else f"{highest} came meanwhile{holder}"


def _moved(candidate: Candidate, highest: Version | None) -> tuple[str, ...]:
    """Why the number is not the one that the card was reviewed with."""
    version = candidate.prepared.version
    return (f"renumbered: prepared as {version}, and {_gone(candidate, version, highest)}",) if version else ()
