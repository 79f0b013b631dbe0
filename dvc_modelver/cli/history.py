"""`modelver history`."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, time, timezone
from typing import Annotated

import typer

from dvc_modelver.cli.answer import Answer, author_json, day, number, record_json
from dvc_modelver.cli.arguments import OPTIONAL_MODEL, REPO, opened, shallow_notes
from dvc_modelver.cli.shell import table_command
from dvc_modelver.cli.table import Table
from dvc_modelver.commands.history import EventRow, Snapshot, history, history_at
from dvc_modelver.commands.project import Surroundings
from dvc_modelver.errors import BadInput


@table_command
def run(
    around: Surroundings,
    name: OPTIONAL_MODEL = None,
    at: Annotated[
        str | None,
        typer.Option(
            "--at", metavar="DATE", help="What each stage held then (a day: its end, UTC).", show_default=False
        ),
    ] = None,
    repo: REPO = None,
) -> Answer:
    """Show every release, promote and withdrawal, newest first; or what was where on a date.

    \b
    Examples:
      modelver history churn
      modelver history churn --at 2026-03-01
      modelver history --at 2026-03-01T12:00:00+01:00 --json
    """
    moment = parse_moment(at) if at is not None else None
    with opened(around, repo, name) as project:
        if moment is not None:
            found = snapshot_answer(history_at(project, moment, name))
        else:
            found = events_answer(history(project, name))
        return replace(found, notes=(*shallow_notes(project), *found.notes))


def parse_moment(text: str) -> datetime:
    """A day (its last second, UTC) or an ISO 8601 time (UTC unless it says otherwise).  Raises `BadInput`."""
    try:
        moment = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError as error:
        raise BadInput(f"{text[:40]!a} is no date", hint="as in 2026-03-01 or 2026-03-01T12:00:00+01:00") from error
    if len(text.strip()) <= 10:
        moment = datetime.combine(moment.date(), time(23, 59, 59))
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=timezone.utc)


def events_answer(events: tuple[EventRow, ...]) -> Answer:
    """All events in every form."""
    return Answer(
        data={
            "events": [
                {
                    "at": e.at,
                    "model": e.model,
                    "event": e.event,
                    "version": e.version,
                    "stage": e.stage,
                    "counter": e.counter,
                    "tag": e.tag,
                    "commit": e.commit,
                    "author": author_json(e.author),
                    "message": e.message,
                    "record": record_json(e.record),
                    "ends": list(e.ends),
                    "out_of_order": e.out_of_order,
                }
                for e in events
            ]
        },
        table=Table(
            columns=("AT (UTC)", "MODEL", "EVENT", "VERSION", "STAGE", "BY", "MESSAGE"),
            rows=tuple(
                (
                    day(e.at) + (" (!)" if e.out_of_order else ""),
                    e.model,
                    e.event.value,
                    number(e.version),
                    e.stage or "-",
                    e.author.name if e.author else "-",
                    _own_words(e.message),
                )
                for e in events
            ),
        ),
        lines=() if events else ("Nothing has happened yet.",),
        notes=("note: (!) its time runs against its counter; the counter decides",)
        if any(e.out_of_order for e in events)
        else (),
    )


def _own_words(message: str) -> str:
    """What a person wrote below our subject line, else the subject."""
    subject, _, body = message.partition("\n")
    return body.strip().split("\n")[0] or subject


def _nothing(snapshot: Snapshot) -> str:
    if any(model.versions for model in snapshot.models):
        return f"Everything that had been released by {day(snapshot.at)} was withdrawn by then."
    return f"Nothing had been released by {day(snapshot.at)}."


def snapshot_answer(snapshot: Snapshot) -> Answer:
    """The state at a moment in every form."""
    rows = []
    for model in snapshot.models:
        for stage, held in model.stages.items():
            mark = " (!)" if held.out_of_order else ""
            rows.append((model.name, number(model.latest), stage, number(held.version), day(held.since) + mark))
        if not model.stages and model.latest is not None:
            rows.append((model.name, number(model.latest), "-", "-", "-"))
    return Answer(
        data={
            "at": snapshot.at,
            "models": [
                {
                    "name": m.name,
                    "latest": m.latest,
                    "stages": {
                        s: {"version": h.version, "since": h.since, "tag": h.tag, "out_of_order": h.out_of_order}
                        for s, h in m.stages.items()
                    },
                }
                for m in snapshot.models
            ],
        },
        table=Table(columns=("MODEL", "LATEST", "STAGE", "HELD", "SINCE (UTC)"), rows=tuple(rows)),
        lines=() if rows else (_nothing(snapshot),),
    )
