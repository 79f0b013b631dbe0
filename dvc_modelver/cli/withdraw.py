"""`modelver withdraw`."""

from __future__ import annotations

from dvc_modelver.cli.answer import Answer
from dvc_modelver.cli.arguments import DRY_RUN, MESSAGE, OFFLINE, PUSH, REFERENCE, YES, opened, wants_push
from dvc_modelver.cli.outcome import answer
from dvc_modelver.cli.shell import ask, command
from dvc_modelver.commands.project import Surroundings
from dvc_modelver.commands.withdraw import withdraw


@command
def run(
    around: Surroundings,
    reference: REFERENCE,
    message: MESSAGE = None,
    yes: YES = False,
    push: PUSH = None,
    offline: OFFLINE = False,
    dry_run: DRY_RUN = False,
) -> Answer:
    """Empty a stage, or withdraw a version for ever.

    Emptying a stage puts nobody back: promote the version that should be there.  A withdrawn version holds no
    stage, is never the latest, and its number is never used again.

    \b
    Examples:
      modelver withdraw churn#prod
      modelver withdraw churn@v1.2.0 -m "trained on test data"
    """
    with opened(around) as project:
        outcome = withdraw(
            project,
            reference,
            message=message or "",
            confirm=lambda question: ask(question, yes, "withdrawing a version"),
            push=wants_push(project, push, offline),
            offline=offline,
            dry_run=dry_run,
        )
        return answer(outcome, project.remote)
