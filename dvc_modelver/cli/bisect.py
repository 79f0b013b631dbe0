"""`modelver bisect`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Annotated

import typer

from dvc_modelver.cli.answer import Answer, Json, author_json, day, shown
from dvc_modelver.cli.arguments import MODEL, YES, opened
from dvc_modelver.cli.shell import ask, command
from dvc_modelver.cli.table import Table
from dvc_modelver.commands.bisection.bisect import Bisected, BisectRequest, CommitValue, VersionValue, bisect
from dvc_modelver.commands.project import Surroundings
from dvc_modelver.core.bisection import State
from dvc_modelver.core.facts import Scalar
from dvc_modelver.core.metrics import label
from dvc_modelver.errors import Refused

_NAMED = 5
"""Names of one kind in a line, and commits in a list."""
_AROUND = 3
"""Versions shown on each side of the step."""
_BETTER = {"up": "higher", "down": "lower"}
_KINDS = {"params": "param", "data": "data", "code": "code", "environment": "environment", "pipeline": "pipeline stage"}


@command
def run(
    around: Surroundings,
    name: MODEL,
    metric: Annotated[
        str,
        typer.Option(
            "--metric", metavar="KEY", help="The metric: auc, test.auc, or metrics.json:auc.", show_default=False
        ),
    ],
    good: Annotated[
        str | None,
        typer.Option("--good", metavar="V", help="A good version.", show_default="the best before the bad one"),
    ] = None,
    bad: Annotated[
        str | None, typer.Option("--bad", metavar="V", help="A bad version.", show_default="the latest")
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", metavar="X", help="What is worse than X is bad.", show_default="halfway"),
    ] = None,
    max_drop: Annotated[
        float | None,
        typer.Option(
            "--max-drop", metavar="X", help="What is worse than the good one by more than X is bad.", show_default=False
        ),
    ] = None,
    repro: Annotated[
        bool, typer.Option("--repro", help="Build commits without recorded metrics, in a temporary worktree.")
    ] = False,
    yes: YES = False,
) -> Answer:
    """Find the version and the commit where a metric went wrong, from what is recorded, and what changed there.

    \b
    Examples:
      modelver bisect churn --metric auc
      modelver bisect churn --metric auc --good v1.2.0 --bad v1.5.0
      modelver bisect churn --metric rmse --max-drop 0.1 --json
      modelver bisect churn --metric auc --repro
    """
    request = BisectRequest(
        name=name, metric=metric, good=good, bad=bad, threshold=threshold, max_drop=max_drop, repro=repro
    )
    with opened(around) as project:
        return bisect_answer(bisect(project, request, lambda count: _confirm(count, yes)))


def _confirm(count: int, yes: bool) -> None:
    if not yes and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise Refused("bisect --repro asks before it runs the repository's own commands", hint="pass --yes")
    tries = count.bit_length()
    ask(
        f"this runs the repository's own commands (dvc repro), about {tries} times for {count} commits. Go on?",
        yes,
        "bisect --repro",
    )


def bisect_answer(found: Bisected) -> Answer:
    """The answer in every form."""
    return Answer(
        data={
            "name": found.name,
            "metric": {"file": found.file, "key": found.key},
            "better": found.better,
            "limit": found.limit,
            "good": {"version": found.good.version, "value": found.good.value},
            "bad": {"version": found.bad.version, "value": found.bad.value},
            "versions": [_version_json(row) for row in found.versions],
            "step": {"from": found.step[0].version, "to": found.step[1].version},
            "commits": [_commit_json(row) for row in found.commits],
            "culprit": {"commit": found.culprit, "range": found.range},
            "suspects": found.suspects,
            "before": found.before,
            "attribution": [{"kind": cause.kind, "names": cause.names} for cause in found.attribution],
            "unmeasured": found.unmeasured,
            "notes": found.notes,
        },
        lines=tuple(_lines(found)),
        table=_table(found),
        notes=tuple(f"note: {note}" for note in found.notes),
    )


def _version_json(row: VersionValue) -> Json:
    return {
        "version": row.version,
        "commit": row.commit,
        "value": row.value,
        "state": row.state,
        "withdrawn": row.withdrawn,
    }


def _commit_json(row: CommitValue) -> Json:
    return {
        "commit": row.commit,
        "author": author_json(row.author),
        "at": row.at,
        "subject": row.subject,
        "value": row.value,
        "state": row.state,
        "recorded_in": row.recorded_in,
        "built": row.built,
    }


# For people -----------------------------------------------------------------------------------------------------


def _lines(found: Bisected) -> Iterator[str]:
    key, (good, bad) = label(found.key, found.file if not found.key else ""), found.step
    commits = {row.commit: row for row in found.commits}
    if found.culprit is not None:
        yield f"{key} of {found.name} went wrong at commit {found.culprit[:12]}, before {bad.version}."
        yield f"  {_commit_line(commits[found.culprit])}"
        yield f"  {key} {_before(found, commits)} -> {_value(commits[found.culprit].value)}"
    elif found.range is not None:
        first, last = found.range
        yield f"{key} of {found.name} went wrong between commits {first[:12]} and {last[:12]}, before {bad.version}."
        suspects = [row for row in found.commits if row.commit in found.suspects]
        shown_first = suspects[: _NAMED - 1] if len(suspects) > _NAMED else suspects[:-1]
        yield from (f"  {_commit_line(row)}" for row in (*shown_first, suspects[-1]))
        yield f"  {key} {_before(found, commits)} -> {_value(commits[last].value)}"
    else:
        yield f"{key} of {found.name} went wrong between {good.version} and {bad.version}; no commit tells where."
    if found.culprit is not None or found.range is not None:
        yield from _why(found)
    yield ""
    yield f"{key} ({found.file}, {_BETTER[found.better]} is better): the step is {good.version} -> {bad.version}"


def _before(found: Bisected, commits: dict[str, CommitValue]) -> str:
    row = commits.get(found.before or "")
    return _value(row.value if row is not None and row.value is not None else found.step[0].value)


def _commit_line(row: CommitValue) -> str:
    value = "" if row.state is not State.UNKNOWN else "  (no recorded metrics)"
    return f"{row.commit[:12]}  {day(row.at)}  {row.author.name}  {row.subject}{value}"


def _why(found: Bisected) -> Iterator[str]:
    changed = [f"{_KINDS[cause.kind]} {_listed(cause.names)}" for cause in found.attribution]
    if not changed:
        yield "Nothing that is recorded of it changed: the same recipe gave another value (randomness or environment)."
    else:
        yield f"Changed there: {'; '.join(changed)}."
    if len(changed) > 1:
        yield "History does not tell these apart."
    if found.range is not None:
        yield "One of these commits has no recorded metrics: --repro builds them to find it."


def _listed(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"


def _table(found: Bisected) -> Table:
    """The versions around the step, and both ends."""
    rows = found.versions
    at = rows.index(found.step[0]), rows.index(found.step[1])
    near = range(at[0] - _AROUND, at[1] + _AROUND + 1)
    chosen = [row for n, row in enumerate(rows) if n in near or n in (0, len(rows) - 1)]
    return Table(
        columns=("VERSION", "VALUE", "STATE"),
        rows=tuple((str(row.version), _value(row.value), _state(row)) for row in chosen),
        right=frozenset({"VALUE"}),
    )


def _state(row: VersionValue) -> str:
    return f"{row.state.value}{', withdrawn' if row.withdrawn else ''}"


def _value(value: Scalar) -> str:
    return "-" if value is None else shown(value)
