"""`modelver validate`."""

from __future__ import annotations

from typing import Annotated

import typer

from dvc_modelver.cli.answer import Answer
from dvc_modelver.cli.arguments import DRY_RUN, complete_references
from dvc_modelver.cli.lean import words_after_dashes
from dvc_modelver.cli.shell import table_command
from dvc_modelver.cli.table import Table
from dvc_modelver.commands.pipelines.validate import (
    Profiled,
    Validated,
    ValidateRequest,
    check_by_command,
    document,
    validate,
    write_profile,
)
from dvc_modelver.commands.project import Surroundings
from dvc_modelver.core.secrets import redact_text
from dvc_modelver.core.text import one_line
from dvc_modelver.core.validation import REFUSE
from dvc_modelver.errors import BadInput, ExitCode

_MAX_ROWS = 200
"""Findings that are shown to people; JSON has all."""


@table_command
def run(
    around: Surroundings,
    ctx: typer.Context,
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE | -- CMD...",
            help="The table; or another checker, whose exit code counts.",
            show_default=False,
        ),
    ],
    against: Annotated[
        str | None,
        typer.Option(
            "--against",
            metavar="NAME@V",
            help="Check against the data of a version, or of what NAME#STAGE holds.",
            autocompletion=complete_references,
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            "--data", metavar="PATH", help="The version's table.", show_default="FILE's own path, else its only one"
        ),
    ] = None,
    profile: Annotated[
        str | None, typer.Option("--profile", metavar="FILE", help="Check against this profile.", show_default=False)
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option("--policy", metavar="FILE", help="Rules as YAML, JSON or TOML.", show_default=False),
    ] = None,
    train: Annotated[
        str | None,
        typer.Option("--train", metavar="FILE", help="No row of this table may be in FILE.", show_default=False),
    ] = None,
    id: Annotated[
        list[str] | None,
        typer.Option("--id", metavar="COLUMN", help="Names a row; may be repeated.", show_default=False),
    ] = None,
    out: Annotated[str | None, typer.Option("--out", metavar="FILE", help="Also write the answer, as JSON.")] = None,
    make: Annotated[
        str | None,
        typer.Option("--write-profile", metavar="FILE", help="Write FILE's profile instead of checking."),
    ] = None,
    dry_run: DRY_RUN = False,
) -> Answer:
    """Check a table (.csv, .tsv, .jsonl, also .gz; .parquet) against the profile of another.

    Columns, types, empty cells, ranges, categories, duplicate rows, and rows that the training has too.  Ends with 1
    when one of them is refused.

    \b
    Examples:
      modelver validate data/train.csv --write-profile data/train.csv.profile.json
      modelver validate data/new.csv --profile data/train.csv.profile.json
      modelver validate data/test.csv --against churn@v1.2.0 --train data/train.csv --id customer
      modelver validate --out checks.json -- python checks.py
    """
    command = words_after_dashes(ctx)
    request = ValidateRequest(
        file=words[0],
        against=against,
        data=data,
        profile=profile,
        policy=policy,
        train=train,
        id=tuple(id or ()),
        out=out,
    )
    checks = (against, data, profile, policy, train, id or None)
    if dry_run and make is None:
        raise BadInput("--dry-run goes with --write-profile", hint="checking changes nothing: leave --out away")
    if command:
        if len(command) < len(words):
            raise BadInput("name either a table or, after --, a checker", hint="modelver validate -- CMD...")
        if checks != (None,) * len(checks) or make is not None:
            raise BadInput("another checker has rules of its own", hint="pass --out alone before --")
        raise typer.Exit(int(_code(check_by_command(around, tuple(words), out))))
    if len(words) > 1:
        raise BadInput("one table is checked at a time", hint="another checker comes after --")
    if make is not None:
        if checks != (None,) * len(checks) or out is not None:
            raise BadInput("--write-profile checks nothing", hint="leave the other options out")
        return profiled_answer(write_profile(around, words[0], make, dry_run=dry_run))
    return answer(validate(around, request))


def _code(found: Validated) -> ExitCode:
    return ExitCode.OK if found.ok else ExitCode.CHECK_FAILED


def answer(found: Validated) -> Answer:
    """The verdict in every form."""
    bad = sum(finding.level == REFUSE for finding in found.findings)
    beside = f" against {found.against}" if found.against is not None else ""
    result = f"FAILED: {_counted(bad, 'finding')}" if bad else "passed"
    rows = tuple(
        (
            "FAILED" if one.level == REFUSE else "note",
            redact_text(one.column) if one.column is not None else "-",
            one.rule,
            redact_text(one.expected),
            redact_text(one.seen),
            str(one.count),
        )
        for one in found.findings
    )
    more = (f"and {len(rows) - _MAX_ROWS} more: --json has all",) if len(rows) > _MAX_ROWS else ()
    return Answer(
        data=document(found),
        table=Table(
            columns=("RESULT", "COLUMN", "RULE", "EXPECTED", "SEEN", "COUNT"),
            rows=rows[:_MAX_ROWS],
            right=frozenset({"COUNT"}),
        ),
        lines=(one_line(f"{found.file}{beside} {result}, {_counted(found.rows, 'row')}"), *([""] if rows else [])),
        after=more,
        notes=tuple(f"note: {one_line(note, 300)}" for note in found.notes),
        code=_code(found),
    )


def profiled_answer(found: Profiled) -> Answer:
    """What was written, with a writing command's keys."""
    state = "would be written" if found.dry_run else "written"
    table = found.profile.table
    said = f"{found.target} {state if found.changed else 'is up to date'}: "
    said += f"{_counted(table.rows, 'row')}, {_counted(len(table.columns), 'column')}"
    return Answer(
        data={
            "action": "validate --write-profile",
            "dry_run": found.dry_run,
            "changed": found.changed,
            "models": [],
            "steps": [{"do": "write", "target": found.target}] if found.changed else [],
        },
        lines=(one_line(said),),
    )


def _counted(number: int | None, what: str) -> str:
    return f"{number or 0:,} {what}{'s' * (number != 1)}"
