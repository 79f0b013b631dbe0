"""`modelver promote`."""

from __future__ import annotations

from dvc_modelver.cli.answer import Answer
from dvc_modelver.cli.arguments import DRY_RUN, MESSAGE, OFFLINE, PUSH, REFERENCE, STAGE, opened, wants_push
from dvc_modelver.cli.outcome import answer
from dvc_modelver.cli.shell import command
from dvc_modelver.commands.project import Surroundings
from dvc_modelver.commands.promote import promote


@command
def run(
    around: Surroundings,
    reference: REFERENCE,
    stage: STAGE,
    message: MESSAGE = None,
    push: PUSH = None,
    offline: OFFLINE = False,
    dry_run: DRY_RUN = False,
) -> Answer:
    """Put a version into a stage: it replaces whatever the stage holds.

    \b
    Examples:
      modelver promote churn@v1.2.0 prod
      modelver promote churn@latest staging --push
      modelver promote churn#staging prod -m "canary was fine"
    """
    with opened(around) as project:
        pushing = wants_push(project, push, offline)
        outcome = promote(
            project, reference, stage, message=message or "", push=pushing, offline=offline, dry_run=dry_run
        )
        return answer(outcome, project.remote)
