"""Decide new names for unpublished tags where the remote has others under theirs.  Pure.

What was made here in an order keeps that order, and what speaks of a version that moves moves with it: under its old
name a withdrawal or a promote would end or name the version of somebody else.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from dvc_modelver.core.records import Record
from dvc_modelver.core.tags import Event, TagName
from dvc_modelver.core.versions import Bump, Version, next_version

_LOWEST = Version.parse("v0.0.0")
_STAGE = (Event.PROMOTE, Event.WITHDRAW_STAGE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpublished:
    """A tag of one artifact that the remote lacks, or has another object of."""

    name: TagName
    clashes: bool
    record: Record | None
    """None: not ours, so it is never moved for what it speaks of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves:
    """Old name -> new name, in the order in which the new tags belong, and old version -> new version."""

    names: Mapping[TagName, TagName]
    versions: Mapping[str, str]

    def record(self, old: Record) -> Record:
        """What the moved tag says: the same, in the new names; a version also says which it was."""
        tags = {str(name): str(new) for name, new in self.names.items()}
        moved = self.versions.get(old.version or "", old.version)
        reason, before = old.reason, old.renumbered_from
        if old.event == Event.RELEASE.value and moved != old.version:
            before = before or old.version
            reason = "; ".join(filter(None, [f"renumbered: {old.version} was taken on the remote", old.reason]))
        return replace(
            old,
            version=moved,
            reason=reason,
            renumbered_from=before,
            previous=self.versions.get(old.previous or "", old.previous),
            rolled_back_from=self.versions.get(old.rolled_back_from or "", old.rolled_back_from),
            ends=tuple(tags.get(name, name) for name in old.ends),
        )


def plan_moves(ours: Sequence[Unpublished], remote: Collection[TagName], known: Collection[TagName]) -> Moves:
    """Names that nobody has, for what clashes and for all that depends on it.

    Args:
        ours: the unpublished tags of one artifact.
        remote: the artifact's tags on the remote.
        known: every other name that is in use: the tags here and those once seen.
    """
    versions = _move_versions([item for item in ours if item.name.event is Event.RELEASE], remote, known)
    texts = {str(old): str(new) for old, new in versions.items()}
    names = {
        item.name: replace(item.name, version=versions[item.name.version or _LOWEST])
        for event in (Event.RELEASE, Event.WITHDRAW_VERSION)
        for item in sorted(ours, key=lambda item: item.name.version or _LOWEST)
        if item.name.event is event and item.name.version in versions
    }
    counter = max((name.counter or 0 for name in (*remote, *known)), default=0)
    moving = False
    for item in sorted(ours, key=lambda item: (item.name.event not in _STAGE, item.name.counter or 0)):
        if item.name in names or (item.name.event not in _STAGE and not item.clashes):
            continue
        moving = moving or item.clashes or _speaks_of(item.record, texts, names)
        if moving:
            counter += 1
            names[item.name] = replace(item.name, counter=counter)
    return Moves(names=names, versions=texts)


def _move_versions(
    releases: Sequence[Unpublished], remote: Collection[TagName], known: Collection[TagName]
) -> dict[Version, Version]:
    """Lowest first: one that clashes, follows a moved one, or would no longer be above it."""
    used = {name.version for name in (*remote, *known) if name.version is not None}
    there = {name.version for name in remote if name.version is not None}
    moved: dict[Version, Version] = {}
    for item in sorted(releases, key=lambda item: item.name.version or _LOWEST):
        version = item.name.version or _LOWEST
        previous = item.record.previous if item.record is not None else None
        behind = any(version <= new for new in moved.values()) or previous in {str(old) for old in moved}
        if item.clashes or behind:
            new = max({version, *there, *moved.values()})
            while new in used or new in moved.values():
                new = next_version({new}, Bump.PATCH)
            moved[version] = new
    return moved


def _speaks_of(record: Record | None, versions: Mapping[str, str], names: Mapping[TagName, TagName]) -> bool:
    if record is None:
        return False
    named = {record.version, record.previous, record.rolled_back_from}
    return not named.isdisjoint(versions) or not {str(name) for name in names}.isdisjoint(record.ends)
