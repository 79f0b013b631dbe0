"""Deciding a rollback: parts, outputs that would overlap, and who held a stage before."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvc_modelver.core.records import Record
from dvc_modelver.core.rollback import Moved, moved_parts, overlapping, previous_holder, shared_parts
from dvc_modelver.core.stages import StageEvent
from dvc_modelver.core.tagobjects import TagObject, TagRef
from dvc_modelver.core.tags import Event
from dvc_modelver.core.versions import Version

AT = datetime(2026, 1, 1, tzinfo=timezone.utc)


def v(number: int) -> Version:
    """v0.NUMBER.0."""
    return Version.parse(f"v0.{number}.0")


def event(counter: int, version: int, left: int | None = None) -> StageEvent:
    """A promote, or a rollback that left a version."""
    record = Record(event="promote", model="churn", rolled_back_from=None if left is None else str(v(left)))
    tag = TagObject.__new__(TagObject)
    object.__setattr__(tag, "record", record)
    return StageEvent(
        ref=TagRef(f"churn#prod#{counter}", "", ""),
        event=Event.PROMOTE,
        stage="prod",
        counter=counter,
        version=v(version),
        at=AT,
        tag=tag,
    )


@pytest.mark.parametrize(
    ("events", "withdrawn", "expected"),
    [
        ([(1, None)], [], None),
        ([(1, None), (2, None)], [], 1),
        ([(1, None), (2, None), (3, None)], [2], 1),
        ([(1, None), (2, None), (3, None), (2, 3)], [], 1),
        ([(1, None), (2, None), (3, None), (2, 3), (1, 2)], [], None),
        ([(1, None), (2, None), (1, 2), (2, None)], [], 1),
        ([(1, None), (2, None), (1, None)], [], 2),
        ([(2, None), (2, None)], [], None),
    ],
)
def test_previous_holder(events: list[tuple[int, int | None]], withdrawn: list[int], expected: int | None) -> None:
    """A promote pushes, a rollback takes away what came after; withdrawn versions are passed over."""
    made = [event(n, version, left) for n, (version, left) in enumerate(events, 1)]
    found = previous_holder(made, [v(number) for number in withdrawn], v(events[-1][0]))
    assert found == (None if expected is None else v(expected))


@given(st.lists(st.integers(1, 6), min_size=1, max_size=8))
def test_rollbacks_only_ever_go_down(promoted: list[int]) -> None:
    """However often a stage goes back, it never holds again what a rollback left."""
    events = [event(n, number) for n, number in enumerate(promoted, 1)]
    left: list[Version] = []
    for _ in range(len(promoted) + 1):
        held = events[-1].version
        to = previous_holder(events, [], held)
        if to is None or held is None:
            break
        left.append(held)
        one = event(len(events) + 1, 0, 0)
        record = replace(one.tag.record or Record(event="promote", model="churn"), rolled_back_from=str(held))
        object.__setattr__(one.tag, "record", record)
        events.append(replace(one, version=to))
    assert len(events) <= 2 * len(promoted)


def test_parts_that_move() -> None:
    """What differs is restored; what is gone goes, unless the target has the thing elsewhere; params never go."""
    head = {("code", "a"): "1", ("code", "new"): "1", ("params", "p:x"): "1", ("lock", "l:s"): "1"}
    target = {("code", "a"): "2", ("dvc", "d"): "1"}
    moved = moved_parts(head, target, [("lock", "l:s")])
    assert moved == Moved(restored=(("code", "a"), ("dvc", "d")), dropped=(("code", "new"),))
    (shared,) = shared_parts(moved, {"b": [("dvc", "d")], "c": [("dvc", "d"), ("code", "z")]})
    assert (shared.kind, shared.path, shared.models) == ("dvc", "d", ("b", "c"))


@given(st.lists(st.lists(st.sampled_from("ab"), min_size=1, max_size=3).map("/".join), max_size=5))
def test_overlapping(paths: list[str]) -> None:
    """Found exactly when one path is another, or above it."""
    pairs = [(a, b) for n, a in enumerate(paths) for m, b in enumerate(paths) if n < m]
    expected = any(a == b or a.startswith(f"{b}/") or b.startswith(f"{a}/") for a, b in pairs)
    assert (overlapping(paths) is not None) == expected
