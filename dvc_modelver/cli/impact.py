"""`modelver impact`."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import takewhile
from typing import Annotated

import typer

from dvc_modelver.cli.answer import Answer, Json, shown
from dvc_modelver.cli.arguments import REPO, opened
from dvc_modelver.cli.shell import table_command
from dvc_modelver.cli.table import Table
from dvc_modelver.commands.project import Surroundings
from dvc_modelver.commands.provenance.impact import Affected, Impact, Unknown, impact
from dvc_modelver.core.impact import Found
from dvc_modelver.core.secrets import HIDDEN, redact_value
from dvc_modelver.core.text import one_line
from dvc_modelver.errors import ExitCode

_SHOWN = 20
"""Versions that a sentence names."""
_REASONS = 5
_STAGE = "pipeline-stage:"


@table_command
def run(
    around: Surroundings,
    what: Annotated[
        str,
        typer.Argument(
            metavar="PATH|DIGEST|FILE:KEY[=VALUE]|URL[:PATH]",
            help="A file, the digest of one (8 hex digits are enough), a param, or where data was imported from.",
            show_default=False,
        ),
    ],
    rev: Annotated[
        str | None,
        typer.Option("--rev", metavar="REV", help="Only the bytes that the path has there.", show_default=False),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            "--at", metavar="DATE", help="Stages as they were then (a day: its end, UTC).", show_default=False
        ),
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Do not ask the DVC remote for listings.")] = False,
    repo: REPO = None,
) -> Answer:
    """Say which versions of which models were made from a file, and which cannot be ruled out.

    \b
    Examples:
      modelver impact data/raw.csv
      modelver impact data/images/42.png --rev v1.2.0
      modelver impact md5:ece1a41c78a0 --at 2026-03-01
      modelver impact params.yaml:train.seed=42 --json
      modelver impact data/raw.csv --repo ../churn
    """
    from dvc_modelver.cli.history import parse_moment

    moment = parse_moment(at) if at is not None else None
    with opened(around, repo) as project:
        return impact_answer(impact(project, what, rev=rev, at=moment, offline=offline))


def impact_answer(found: Impact) -> Answer:
    """The answer in every form."""
    return Answer(
        data={
            "query": found.query,
            "at": found.at,
            "matches": [_match(one) for one in found.matches],
            "versions": [_version(one) for one in found.versions],
            "measured": [_version(one) for one in found.measured],
            "complete": found.complete,
            "unknown": [
                {"name": u.name, "version": u.version, "path": u.path, "digest": u.digest, "reason": u.reason}
                for u in found.unknown
            ],
            "unrecorded": [{"name": one.name, "version": one.version} for one in found.unrecorded],
        },
        table=Table(
            columns=("MODEL", "VERSION", "STAGES", "THROUGH"),
            rows=(
                *((v.name, _marked(v), ", ".join(v.stages) or "-", _through(v)) for v in found.versions),
                *((u.name or "?", str(u.version or "?"), "unknown", _why(u)) for u in found.unknown),
            ),
        ),
        after=tuple(_sentences(found)),
        code=ExitCode.OK if found.complete else ExitCode.DATA,
    )


def _match(one: Found) -> Json:
    known: dict[str, object] = {"path": one.path, "digest": one.digest}
    return {**known, "value": _value(one)} if one.digest is None and one.value is not None else known


def _version(one: Affected) -> Json:
    known: Mapping[str, object] = {
        "name": one.name,
        "version": one.version,
        "stages": list(one.stages),
        "path": list(one.path),
        "withdrawn": one.withdrawn,
    }
    return {**known, "values": {v.path: _value(v) for v in one.values}} if one.values else known


def _value(one: Found) -> object:
    hidden = redact_value(one.path.partition(":")[2], one.value)
    return hidden if hidden == HIDDEN or isinstance(one.value, str) else one.value


def _marked(one: Affected) -> str:
    return f"{one.version} (withdrawn)" if one.withdrawn else str(one.version)


def _through(one: Affected) -> str:
    """What was found and what it is part of, then the pipeline stages; the whole chain is in the JSON."""
    if one.values:
        return ", ".join(f"{v.path.partition(':')[2]}={shown(_value(v))}" for v in one.values)
    start = list(takewhile(lambda node: not node.startswith(_STAGE), one.path[:-1]))
    names = dict.fromkeys(_path(node) for node in start)
    steps = (_path(node).rpartition(":")[2] for node in one.path if node.startswith(_STAGE))
    return " > ".join((*names, *steps))


def _path(node: str) -> str:
    return one_line(node.partition(":")[2].rpartition("@")[0])


def _why(one: Unknown) -> str:
    return f"{one.path}: {one.reason}" if one.path else one.reason


def _sentences(found: Impact) -> list[str]:
    reasons = dict.fromkeys(one.reason for one in found.unknown)
    lines = [f"Unknown: {reason}." for reason in list(reasons)[:_REASONS]]
    if found.measured:
        some = ", ".join(f"{one.name}@{one.version}" for one in found.measured[:_SHOWN])
        lines.append(f"Only measured with it: {some}{_more(len(found.measured))}.")
    if found.unrecorded:
        some = ", ".join(f"{one.name}@{one.version}" for one in found.unrecorded[:_SHOWN])
        lines.append(f"Nothing says what these were made from: {some}{_more(len(found.unrecorded))}.")
    lines.append(_last(found))
    return lines


def _more(count: int) -> str:
    return f" and {count - _SHOWN} more" if count > _SHOWN else ""


def _last(found: Impact) -> str:
    unknown = len({(one.name, one.version) for one in found.unknown})
    total = f"{found.total} version{'' if found.total == 1 else 's'}"
    if found.versions:
        holding = sum(1 for one in found.versions if one.stages)
        verb = "held" if found.at is not None else "holds" if holding == 1 else "hold"
        made = f"{len(found.versions)} of {total} made from it, {holding} of them {verb} a stage"
    else:
        made = f"No version (of {found.total}) was {'' if found.complete else 'found to be '}made from it"
    return f"{made}; {unknown} could not be ruled out." if unknown else f"{made}."
