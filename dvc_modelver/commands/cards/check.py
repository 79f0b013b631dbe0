"""`card check`: what is wrong with the cards of the work tree.  Needs neither tags nor data.

What was found is remembered together with every file that it was found in, so a hook pays for what has changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dvc_modelver.commands.project import Project
from dvc_modelver.commands.worktrees import work_tree
from dvc_modelver.core.trees import Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that is wrong with a card, or worth a look."""

    problem: str
    remedy: str = ""
    line: int | None = None
    block: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CardReport:
    """What a check says of one card."""

    name: str
    path: str
    version: str | None
    """What the card names."""
    problems: tuple[Finding, ...]
    notes: tuple[Finding, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.problems


def check_cards(
    project: Project, names: Sequence[str], *, stage: str | None = None, tree: Tree | None = None
) -> tuple[CardReport, ...]:
    """What is wrong with the cards of the work tree; without names, of all models.

    Args:
        stage: also ask for the sections that a version needs for this stage.
        tree: check its cards instead.

    Raises `NotFound` for an unknown model, `BadInput` for a broken `dvc.yaml` or `dvc.lock`.
    """
    from dvc_modelver.commands.cards.memory import CheckMemory, Recorded

    if stage is not None:
        from dvc_modelver.core.names import check_stage

        check_stage(stage, project.config.stages)
    tree = tree if tree is not None else work_tree(project)
    memory = CheckMemory(project, names, stage)
    known = memory.recall(tree)
    if known.complete:
        return known.reports
    # Parsing, and all that a card is held against: not needed while nothing has changed.
    from dvc_modelver.commands.cards.report import read_reports

    recorded = Recorded(tree)
    reports, beyond = read_reports(project, recorded, names, stage, {report.name: report for report in known.reports})
    memory.remember(recorded, reports, beyond, known)
    return reports
