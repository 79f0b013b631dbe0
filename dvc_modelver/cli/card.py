"""`modelver card update`, `modelver card check`, `modelver card show`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dvc_modelver.cli.answer import Answer
from dvc_modelver.cli.arguments import (
    DRY_RUN,
    REPO,
    complete_models,
    complete_references,
    complete_stages,
    opened,
)
from dvc_modelver.cli.shell import command
from dvc_modelver.commands.cards.check import CardReport, Finding, check_cards
from dvc_modelver.commands.project import Surroundings
from dvc_modelver.core.text import one_line
from dvc_modelver.errors import ExitCode

if TYPE_CHECKING:
    from dvc_modelver.commands.cards.show import ShownCard

COMMANDS = {
    "update": "Bring cards up to date.",
    "check": "Say what is wrong with cards.",
    "show": "Show a card.",
}
HELP = """Model cards: one Markdown page a model, in the repository, written by modelver and by people.

\b
Examples:
  modelver card update churn        what modelver writes into the card, brought up to date
  modelver card check               whether every card says what the files say
  modelver card show churn@v1.2.0   the card as that version was released
"""
_NAMES = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAME", help="Models; all when none is named.", autocompletion=complete_models, show_default=False
    ),
]


@command
def update(
    around: Surroundings,
    names: _NAMES = None,
    discard_edits: Annotated[
        bool, typer.Option("--discard-edits", help="Replace blocks that were edited by hand; a copy is kept aside.")
    ] = False,
    dry_run: DRY_RUN = False,
) -> Answer:
    """Bring the cards in the work tree up to date; a card that is not there yet begins as the template.

    Only what stands between modelver's own marks changes.  Which version the card is of changes with a release alone.

    \b
    Examples:
      modelver card update
      modelver card update churn
      modelver card update churn --discard-edits
    """
    # Here, since the check runs in hooks and needs none of it.
    from dvc_modelver.cli.outcome import answer
    from dvc_modelver.commands.cards.update import update_cards

    with opened(around) as project:
        outcome = update_cards(project, names or (), discard_edits=discard_edits, dry_run=dry_run)
        told = answer(outcome, None)
        if dry_run:
            return told
        written = [step.target for step in outcome.steps]
        lines = [f"wrote {path}" for path in written] or ["Every card is up to date."]
        return Answer(data=told.data, lines=tuple(lines) if outcome.models else ("No model is declared here.",))


@command
def check(
    around: Surroundings,
    names: _NAMES = None,
    stage: Annotated[
        str | None,
        typer.Option(
            "--stage",
            metavar="STAGE",
            help="Also ask for the sections that this stage needs.",
            autocompletion=complete_stages,
            show_default=False,
        ),
    ] = None,
) -> Answer:
    """Say what is wrong with the cards in the work tree: out of date, edited, broken, unwritten.

    Ends with 1 when anything is.  Needs neither tags nor data.

    \b
    Examples:
      modelver card check
      modelver card check churn --stage prod
    """
    with opened(around) as project:
        return check_answer(check_cards(project, names or (), stage=stage))


def check_answer(reports: tuple[CardReport, ...]) -> Answer:
    """The reports in every form."""
    ok = all(report.ok for report in reports)
    count = sum(len(report.problems) for report in reports)
    lines = [line for report in reports for line in _lines(report)]
    end = f"{count} problem{'s' if count != 1 else ''}." if count else "Nothing is wrong."
    return Answer(
        data={"ok": ok, "cards": [_json(report) for report in reports]},
        lines=(*lines, end if reports else "No model is declared here."),
        notes=tuple(f"note: {_place(r, n)}: {one_line(n.problem)}" for r in reports for n in r.notes),
        code=ExitCode.OK if ok else ExitCode.CHECK_FAILED,
    )


def _lines(report: CardReport) -> list[str]:
    return [
        line
        for found in report.problems
        for line in (one_line(f"{_place(report, found)}: {found.problem}"), f"    {one_line(found.remedy)}")
        if line.strip()
    ]


def _place(report: CardReport, found: Finding) -> str:
    return f"{report.path}:{found.line}" if found.line is not None else report.path


def _json(report: CardReport) -> dict[str, object]:
    return {
        "name": report.name,
        "path": report.path,
        "version": report.version,
        "ok": report.ok,
        "problems": [_finding(found) for found in report.problems],
        "notes": [_finding(found) for found in report.notes],
    }


def _finding(found: Finding) -> dict[str, object]:
    return {"line": found.line, "block": found.block, "problem": found.problem, "remedy": found.remedy}


@command
def show(
    around: Surroundings,
    reference: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME[@V|#STAGE]",
            help="A model's card in the work tree, or the card of a version.",
            autocompletion=complete_references,
            show_default=False,
        ),
    ] = None,
    repo: REPO = None,
) -> Answer:
    """Show a card: of a version as it was released, else as it stands in the work tree.

    \b
    Examples:
      modelver card show churn
      modelver card show churn@v1.2.0
      modelver card show churn#prod > card.md
    """
    from dvc_modelver.commands.cards.show import show_card

    with opened(around, repo, reference) as project:
        return show_answer(show_card(project, reference))


def show_answer(card: ShownCard) -> Answer:
    """The card in every form."""
    return Answer(
        data={"name": card.name, "version": card.version, "path": card.path, "text": card.text},
        lines=tuple(card.text.removeprefix("\ufeff").rstrip("\n").splitlines()),
    )
