"""`compare`: versions, stages, branches, commits and the work tree side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dvc_modelver.commands.bytes_at_hand import Bytes as AtHand
from dvc_modelver.commands.comparison.changes import Changes, read_changes
from dvc_modelver.commands.comparison.data import look_inside
from dvc_modelver.commands.comparison.facts import FactsReader, listed
from dvc_modelver.commands.comparison.judged import with_predictions
from dvc_modelver.commands.comparison.points import WORK_TREE, find_place
from dvc_modelver.commands.project import Project
from dvc_modelver.core.comparison import Change, Comparison, SourceRow, compare
from dvc_modelver.errors import BadInput, NotFound

_MAX_NOTES = 20


def compare_points(project: Project, references: Sequence[str]) -> Comparison:
    """The points that `references` name; a single one with the work tree.

    A reference is `NAME@V`, `NAME@latest`, `NAME#STAGE`, a bare NAME, a branch, tag or commit, or `.` or `workspace`
    for the work tree.  The model at those that name none is that of the others, else the only one declared.

    Raises:
        NotFound: no such model, version, stage, branch, tag or commit, or none of the points declares the model.
        BadInput: nobody can say which model is meant, or a file of a point cannot be read.
        DataError: a version's tag is not what its name says, or a commit is not in this clone.
    """
    texts = [*references, WORK_TREE[1]] if len(references) == 1 else list(references)
    if not texts:
        raise BadInput("nothing to compare is named", hint="modelver compare NAME@V NAME@latest")
    places = [find_place(project, text) for text in texts]
    with AtHand(project) as at_hand:
        reader = FactsReader(project, places, at_hand)
        points = tuple(reader.points())
        if all(point.facts.artifact is None for point in points):
            name = points[0].name
            raise NotFound(f"no model {name} is declared at {listed(texts)}", hint="modelver list")
        work_tree = reader.work_tree if any(point.commit is None for point in points) else None
        changes = read_changes(project, points, work_tree)
        found = compare(points, project.config.metrics, policy=project.config.bump, notes=_few(reader.notes))
        found = with_predictions(reader, found)
        data, left_out = look_inside(project, at_hand, points, found.data)
        return replace(
            found,
            data=data,
            notes=(*found.notes, *left_out),
            code=tuple(_with_lines(row, changes) for row in found.code),
            other_files=tuple(change.other_files for change in changes),
            other_lines=tuple(change.other_lines for change in changes),
        )


def _few(notes: Sequence[str]) -> list[str]:
    unique = list(dict.fromkeys(notes))
    more = [f"and {len(unique) - _MAX_NOTES} more like these"] if len(unique) > _MAX_NOTES else []
    return [*unique[:_MAX_NOTES], *more]


def _with_lines(row: SourceRow, changes: Sequence[Changes]) -> SourceRow:
    if row.change is Change.UNCHANGED:
        return row
    return replace(row, lines=tuple(change.lines.get(row.path) for change in changes))
