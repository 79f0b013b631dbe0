"""Decide what a rollback restores, and whom else that concerns.  Pure: parts and events in, decisions out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from dvc_modelver.core.facts import Output, Slice
from dvc_modelver.core.stages import StageEvent
from dvc_modelver.core.tags import Event
from dvc_modelver.core.versions import Version

PartKey = tuple[str, str]
"""(kind, path) of a part of a slice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """A part that would change, and that makes other models too."""

    kind: str
    path: str
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputChange:
    """What becomes of the bytes at one path."""

    path: str
    before: Output | None
    """As HEAD names it; None when it names nothing there."""
    after: Output | None
    """None: the bytes go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """The parts of a model's slice that a rollback touches."""

    restored: tuple[PartKey, ...]
    """As the target has them."""
    dropped: tuple[PartKey, ...]
    """That the target does not have at all."""


def keys(parts: Slice) -> dict[PartKey, str]:
    """The parts by what they are."""
    return {(part.kind, part.path): part.digest for part in parts.parts}


def moved_parts(head: Mapping[PartKey, str], target: Mapping[PartKey, str], there: Collection[PartKey]) -> Moved:
    """What differs between the slice now and the slice then.

    Args:
        there: parts of `head` whose thing the target's commit has too, in no slice or in another's: they stay.
    """
    restored = tuple(key for key, digest in target.items() if head.get(key) != digest)
    dropped = tuple(key for key in head if key not in target and key not in there and key[0] != "params")
    return Moved(restored=restored, dropped=dropped)


def shared_parts(moved: Moved, others: Mapping[str, Collection[PartKey]]) -> tuple[Shared, ...]:
    """Of what moves, the parts that are in the slice of another model, today or then."""
    found = []
    for key in (*moved.restored, *moved.dropped):
        models = tuple(sorted(name for name, theirs in others.items() if key in theirs))
        if models:
            found.append(Shared(kind=key[0], path=key[1], models=models))
    return tuple(sorted(found, key=lambda part: (part.path, part.kind)))


def output_changes(
    head: Mapping[str, Output], target: Mapping[str, Output], gone: Collection[str]
) -> list[OutputChange]:
    """What becomes of the bytes: those of the target come, those of `gone` go."""
    come = [OutputChange(path=path, before=head.get(path), after=target[path]) for path in sorted(target)]
    go = [OutputChange(path=path, before=head[path], after=None) for path in sorted(gone) if path in head]
    return [*come, *go]


def overlapping(paths: Sequence[str]) -> tuple[str, str] | None:
    """Two outputs of which one is, or lies in, the other: every dvc command would fail.  None when there are none."""
    ordered = sorted(path.rstrip("/") for path in paths)
    known: dict[str, None] = {}
    for path in ordered:
        if path in known:
            return path, path
        parts = path.split("/")
        above = next((up for n in range(1, len(parts)) if (up := "/".join(parts[:n])) in known), None)
        if above is not None:
            return above, path
        known[path] = None
    return None


def previous_holder(
    events: Sequence[StageEvent], withdrawn: Collection[Version], held: Version | None
) -> Version | None:
    """The version that a stage goes back to; None when there is none.

    Holders form a stack: a promote pushes, a rollback takes away all that came after the version it went back to.  So
    a second rollback never brings back what the first one left.

    Args:
        events: of the stage, in order.
        held: what the stage held last: what it holds now, or what it held until its stay was ended.
    """
    stack: list[Version] = []
    for event in events:
        if event.event is not Event.PROMOTE or event.version is None:
            continue
        record = event.tag.record
        if record is not None and record.rolled_back_from is not None:
            while event.version in stack and stack[-1] != event.version:
                stack.pop()
        if not stack or stack[-1] != event.version:
            stack.append(event.version)
    return next((version for version in reversed(stack) if version != held and version not in withdrawn), None)
