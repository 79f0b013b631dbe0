"""`history`: every event, newest first; and what each stage held at a moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from dvc_modelver.commands.project import Project
from dvc_modelver.core.records import Record
from dvc_modelver.core.registry import Model
from dvc_modelver.core.stages import StageEvent, holder
from dvc_modelver.core.tagobjects import Identity
from dvc_modelver.core.tags import Event
from dvc_modelver.core.versions import Version


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """One event, as its tag tells it."""

    at: datetime
    model: str
    event: Event
    version: Version | None
    stage: str | None
    counter: int | None
    tag: str
    commit: str
    author: Identity | None
    message: str
    record: Record | None
    ends: tuple[str, ...]
    out_of_order: bool
    """Whether its time runs against its counter: an event of the same stage with a higher counter carries an earlier
    time, or one with a lower counter a later time.  Which of the two clocks was wrong nobody can tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageAt:
    """What a stage held at the moment asked for."""

    version: Version | None
    since: datetime
    tag: str
    out_of_order: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelAt:
    """One model at the moment asked for."""

    name: str
    latest: Version | None
    stages: Mapping[str, StageAt]
    versions: int = 0
    """How many had been released, withdrawn ones too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What was where at a moment, by the events' own times."""

    at: datetime
    models: tuple[ModelAt, ...]


def history(project: Project, name: str | None = None) -> tuple[EventRow, ...]:
    """Every sound event, newest first by its own time."""
    rows = [row for model in _models(project, name) for row in _events(model)]
    return tuple(sorted(rows, key=lambda r: (r.at, r.counter or 0, r.tag), reverse=True))


def history_at(project: Project, at: datetime, name: str | None = None) -> Snapshot:
    """What each stage held at `at` (aware), from the events that were made until then."""
    return Snapshot(at=at, models=tuple(_at(model, at) for model in _models(project, name)))


def _models(project: Project, name: str | None) -> Iterable[Model]:
    if name is not None:
        return [project.model(name)]
    return [project.registry.models[key] for key in sorted(project.registry.models)]


def _events(model: Model) -> list[EventRow]:
    tags = list(model.tag_refs())
    model.read_tags(ref.oid for _, ref in tags)  # all at once; below they are at hand
    marked = {event.ref.name for stage in model.stage_names for event in disordered(model.stage_events(stage))}
    decided = {event.ref.name: event for stage in model.stage_names for event in model.stage_events(stage)}
    rows = []
    for name, ref in tags:
        tag = model.tag(ref)
        if tag is None:
            continue
        event = decided.get(ref.name)
        rows.append(
            EventRow(
                at=tag.at,
                model=model.name,
                event=name.event,
                version=event.version if event is not None else name.version,
                stage=name.stage,
                counter=name.counter,
                tag=ref.name,
                commit=ref.target or "",
                author=tag.tagger,
                message=tag.message,
                record=tag.record,
                ends=tag.record.ends if tag.record is not None else (),
                out_of_order=ref.name in marked,
            )
        )
    return rows


def out_of_order(events: Iterable[StageEvent]) -> list[StageEvent]:
    """Those of `events` (in order) after which one with an earlier time comes."""
    found: list[StageEvent] = []
    earliest: datetime | None = None
    for event in reversed(list(events)):
        if earliest is not None and event.at > earliest:
            found.append(event)
        earliest = event.at if earliest is None else min(earliest, event.at)
    return found


def disordered(events: Iterable[StageEvent]) -> list[StageEvent]:
    """Those of `events` (in order) whose time runs against another's, be it the earlier or the later of the two."""
    rows = list(events)
    late = {event.ref.name for event in out_of_order(rows)}
    latest: datetime | None = None
    found: list[StageEvent] = []
    for event in rows:
        if event.ref.name in late or (latest is not None and event.at < latest):
            found.append(event)
        latest = event.at if latest is None else max(latest, event.at)
    return found


def _at(model: Model, at: datetime) -> ModelAt:
    objects = model.read_tags(ref.oid for _, ref in model.tag_refs())
    until = {ref.name for _, ref in model.tag_refs() if ref.oid in objects and objects[ref.oid].at <= at}
    then = model.only(until)
    stages = {}
    for stage in model.stage_names:
        events = then.stage_events(stage)
        held = holder(events, then.withdrawn)
        if held is not None:
            late = held in disordered(model.stage_events(stage))
            stages[stage] = StageAt(version=held.version, since=held.at, tag=held.ref.name, out_of_order=late)
    return ModelAt(name=model.name, latest=then.latest, stages=stages, versions=then.version_count)
