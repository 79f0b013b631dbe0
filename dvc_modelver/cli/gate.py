"""`modelver gate`."""

from __future__ import annotations

from typing import Annotated

import typer

from dvc_modelver.cli.answer import Answer, shown
from dvc_modelver.cli.arguments import DRY_RUN, complete_references, complete_stages, opened
from dvc_modelver.cli.shell import table_command
from dvc_modelver.cli.table import Table
from dvc_modelver.commands.gating.gate import (
    REFERENCE_FILE,
    Gated,
    GateRequest,
    Refreshed,
    document,
    gate,
    update_reference,
)
from dvc_modelver.commands.project import Surroundings
from dvc_modelver.core.gate import Ruling
from dvc_modelver.core.metrics import label
from dvc_modelver.core.secrets import redact_text
from dvc_modelver.core.text import one_line
from dvc_modelver.errors import BadInput, ExitCode

_MAX_NOTES = 10


@table_command
def run(
    around: Surroundings,
    model: Annotated[
        str,
        typer.Argument(
            metavar="NAME[@V|#STAGE]",
            help="A model as the work tree's files have it, one of its versions, or what a stage holds.",
            autocompletion=complete_references,
            show_default=False,
        ),
    ],
    rev: Annotated[str | None, typer.Option("--rev", metavar="REV", help="Judge this commit or branch.")] = None,
    exp: Annotated[str | None, typer.Option("--exp", metavar="EXP", help="Judge this DVC experiment.")] = None,
    against: Annotated[
        str | None,
        typer.Option(
            "--against",
            metavar="REF",
            help="Compare with a stage, version, latest, branch, commit or exp:NAME.",
            autocompletion=complete_stages,
            show_default="the policy's, else prod, else latest",
        ),
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(
            "--policy", metavar="FILE", help="Rules as YAML, JSON or TOML.", show_default="gate: in the configuration"
        ),
    ] = None,
    out: Annotated[str | None, typer.Option("--out", metavar="FILE", help="Also write the answer, as JSON.")] = None,
    reference: Annotated[
        str | None,
        typer.Option(
            "--reference", metavar="FILE", help="Compare with what this file remembers; needs no tag and no commit."
        ),
    ] = None,
    refresh: Annotated[
        bool,
        typer.Option(
            "--update-reference",
            help="Write that file instead of judging; by default the one that the model's pipeline stage reads, "
            f"else {REFERENCE_FILE}.",
        ),
    ] = False,
    dry_run: DRY_RUN = False,
) -> Answer:
    """Check a model's metrics against a policy, and against a version or what a stage holds.

    Ends with 1 when any rule fails.  Without a policy no metric of which the better direction is known may be worse.

    \b
    Examples:
      modelver gate churn
      modelver gate churn --against prod --policy gate.yaml --out gate.json
      modelver gate churn --exp wild-fox --against latest --md
      modelver gate churn --update-reference
      modelver gate churn --reference gate/churn.json --out gate/churn-result.json
    """
    request = GateRequest(model=model, rev=rev, exp=exp, against=against, policy=policy, reference=reference, out=out)
    if refresh and (rev, exp, out) != (None, None, None):
        raise BadInput("--update-reference goes with --against, --policy and --reference", hint="leave the others out")
    if dry_run and not refresh:
        raise BadInput("--dry-run goes with --update-reference", hint="judging changes nothing: leave --out away")
    with opened(around) as project:
        if refresh:
            return refreshed_answer(update_reference(project, request, dry_run=dry_run))
        return answer(gate(project, request))


def answer(found: Gated) -> Answer:
    """The verdict in every form."""
    count, bad = len(found.verdict.rulings), len(found.verdict.failed)
    what = f"{found.name} ({found.judged})" if "@" not in found.judged else found.judged
    beside = f" against {found.reference.ref}" if found.reference.ref is not None else ""
    result = f"FAILED: {bad} of {_rules(count)}" if bad else f"passed: {_rules(count)}"
    notes = [f"note: {one_line(redact_text(note), 300)}" for note in found.notes[:_MAX_NOTES]]
    return Answer(
        data=document(found),
        table=_table(found),
        lines=(one_line(f"{what}{beside} {result}"), ""),
        notes=tuple(notes),
        code=ExitCode.OK if found.ok else ExitCode.CHECK_FAILED,
    )


def _rules(count: int) -> str:
    return f"{count} rule{'s' if count != 1 else ''}"


def _table(found: Gated) -> Table:
    several = len({ruling.file for ruling in found.verdict.rulings if ruling.file is not None}) > 1
    return Table(
        columns=("RESULT", "METRIC", "RULE", "VALUE", "REFERENCE", "CHANGE", "WHY"),
        rows=tuple(_row(ruling, several) for ruling in found.verdict.rulings),
        right=frozenset({"VALUE", "REFERENCE", "CHANGE"}),
    )


def _row(ruling: Ruling, several: bool) -> tuple[str, ...]:
    name = label(ruling.metric, (ruling.file or "") if several or not ruling.metric else "")
    if ruling.slice is not None:
        name = ruling.slice if ruling.rule == "slice" else f"{name} [{ruling.slice}]"
    return (
        "ok" if ruling.ok else "FAILED",
        redact_text(name),
        f"{ruling.rule.replace('_', ' ')} {'' if ruling.limit is None else shown(ruling.limit)}".strip(),
        _value(ruling.value),
        _value(ruling.reference),
        "-" if ruling.delta is None else f"{ruling.delta:.6g}",
        ruling.reason,
    )


def _value(value: object) -> str:
    return "-" if value is None else redact_text(shown(value))


def refreshed_answer(found: Refreshed) -> Answer:
    """What the file remembers now, with a writing command's keys."""
    reference = found.reference
    state = "would be written" if found.dry_run else "written"
    said = f"{found.path} {state if found.changed else 'is up to date'}: {reference.ref or 'nothing to compare with'}"
    return Answer(
        data={
            "action": "gate --update-reference",
            "dry_run": found.dry_run,
            "changed": found.changed,
            "models": [
                {
                    "name": found.name,
                    "version": reference.version,
                    "stage": None,
                    "tag": None,
                    "commit": reference.commit,
                    "published": None,
                }
            ],
            "steps": [{"do": "write", "target": found.path}] if found.changed else [],
        },
        lines=(one_line(said),),
        notes=tuple(f"note: {one_line(note, 300)}" for note in found.notes),
    )
