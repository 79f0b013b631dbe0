"""What the hooks for cards ask of the commands, without a command line: typer alone would take half of their time."""

from __future__ import annotations

from collections.abc import Iterator

from dvc_modelver.commands.cards.unattended import check_index, update_where_needed
from dvc_modelver.commands.project import Project, Surroundings
from dvc_modelver.core.config import Config
from dvc_modelver.gitio.process import scrubbed
from dvc_modelver.hooks.call import Call
from dvc_modelver.hooks.cardcommands import CardUpdate
from dvc_modelver.hooks.precommit import Finding, word
from dvc_modelver.hooks.staged import Staged
from dvc_modelver.hooks.whereabouts import repository_of


def check(call: Call, staged: Staged, config: Config) -> Iterator[Finding]:
    """What `modelver card check` would say of the index, were it the work tree.  Raises as it does."""
    with _project(call, staged) as project:
        reports = check_index(project, staged.tree, config, call.args)
    for report in reports:
        for found, note in (*((f, False) for f in report.problems), *((f, True) for f in report.notes)):
            yield Finding(
                path=f"{report.path}:{found.line}" if found.line is not None else report.path,
                problem=found.problem,
                remedy=f"{found.remedy or 'look at it'}, then git add {word(report.path)}",
                note=note,
            )


def update(call: Call, staged: Staged) -> CardUpdate:
    """`modelver card update` in the work tree.  Raises as it does."""
    with _project(call, staged) as project:
        done = update_where_needed(project, call.args)
        return CardUpdate(cards=done.cards, steps=done.steps)


def _project(call: Call, staged: Staged) -> Project:
    around = Surroundings(directory=staged.root, env=scrubbed(call.env), say=call.say)
    return Project(around, repository=repository_of(call))
