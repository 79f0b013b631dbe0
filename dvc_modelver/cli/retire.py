"""`modelver retire`."""

from __future__ import annotations

from dvc_modelver.cli.answer import Answer
from dvc_modelver.cli.arguments import DRY_RUN, MESSAGE, MODEL, OFFLINE, PUSH, opened, wants_push
from dvc_modelver.cli.outcome import answer
from dvc_modelver.cli.shell import command
from dvc_modelver.commands.project import Surroundings
from dvc_modelver.commands.withdraw import retire


@command
def run(
    around: Surroundings,
    name: MODEL,
    message: MESSAGE = None,
    push: PUSH = None,
    offline: OFFLINE = False,
    dry_run: DRY_RUN = False,
) -> Answer:
    """Close a model: no release and no promote until `release --unretire` reopens it.

    \b
    Examples:
      modelver retire churn -m "replaced by churn-v2"
    """
    with opened(around) as project:
        pushing = wants_push(project, push, offline)
        outcome = retire(project, name, message=message or "", push=pushing, offline=offline, dry_run=dry_run)
        return answer(outcome, project.remote)
