"""Files of the repository that differ between the points of a comparison: lines of the sources, and all the rest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dvc_modelver.commands.remembered import read_remembered, write_remembered
from dvc_modelver.core.comparison import Lines
from dvc_modelver.core.points import Point
from dvc_modelver.core.trees import Tree, name_filter
from dvc_modelver.errors import ModelverError
from dvc_modelver.gitio.process import GitFailed

if TYPE_CHECKING:
    from dvc_modelver.commands.project import Project

_CACHE = "compare-files-1"
_MAX_COUNTED = 500
"""Of more other files the lines are not counted."""
_MAX_BYTES = 4 << 20
"""Of a source in the work tree whose lines are counted."""
_OWN = name_filter(("dvc.yaml", "dvc.lock", ".gitignore", "*.dvc"))
"""Files whose content the rows show in other words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What differs between the first point and another."""

    lines: Mapping[str, Lines] = field(default_factory=dict)
    """Of each source of the pipeline (a file or folder) that differs and is text."""
    other_files: int | None = None
    """Files of which no row speaks; None where one of the two is no commit."""
    other_lines: Lines | None = None
    """Of those files; None also when there are very many."""


def read_changes(project: Project, points: Sequence[Point], work_tree: Tree | None) -> tuple[Changes, ...]:
    """Against the first, parallel to `points`; each pair of commits is looked at once, and remembered.

    Args:
        work_tree: what points without a commit have.
    """
    shown = {path for point in points for path in _shown(project, point)}
    base = points[0]
    known: dict[str | None, Changes] = {base.commit: Changes(other_files=0 if base.commit else None)}
    for point in points[1:]:
        if point.commit not in known:
            sources = _differing(base, point)
            if base.commit is not None and point.commit is not None:
                known[point.commit] = _between(project, base.commit, point.commit, sources, shown)
            elif work_tree is not None:
                known[point.commit] = Changes(lines=_uncommitted(project, base, point, sources, work_tree))
    return (Changes(), *(known.get(point.commit, Changes()) for point in points[1:]))


def _differing(base: Point, point: Point) -> list[str]:
    """Sources whose digests differ."""
    old, new = base.facts.code, point.facts.code
    return sorted(path for path in {**old, **new} if old.get(path) != new.get(path))


# Two commits ----------------------------------------------------------------------------------------------------


def _between(project: Project, old: str, new: str, sources: Sequence[str], shown: set[str]) -> Changes:
    asked = hashlib.sha256(json.dumps([sources, sorted(shown)]).encode()).hexdigest()[:16]
    memory = project.state_dir / "cache" / _CACHE / f"{old}-{new}-{asked}.json"
    row = read_remembered(memory)
    if row is not None:
        try:
            lines = {path: Lines(**counted) for path, counted in row["lines"].items()}
            rest = row["other_lines"]
            return Changes(
                lines=lines, other_files=int(row["other_files"]), other_lines=Lines(**rest) if rest else None
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            pass
    others = [path for path in _different(project, old, new) if not _is_shown(path, shown)]
    try:
        found = _counted(project, old, new, sources, others)
    except GitFailed:  # of a partial clone, whose remote does not answer
        return Changes(other_files=len(others))
    write_remembered(
        memory,
        {
            "lines": {path: _row(lines) for path, lines in found.lines.items()},
            "other_files": found.other_files,
            "other_lines": _row(found.other_lines) if found.other_lines else None,
        },
    )
    return found


def _row(lines: Lines) -> dict[str, int]:
    return {"added": lines.added, "removed": lines.removed}


def _counted(project: Project, old: str, new: str, sources: Sequence[str], others: Sequence[str]) -> Changes:
    from dvc_modelver.gitio.diffs import lines_between

    few = len(others) <= _MAX_COUNTED
    paths = [*sources, *(others if few else ())]
    counted = lines_between(project.repository.git, old, new, paths) if paths else {}
    return Changes(
        lines={path: lines for path in sources if (lines := _below(counted, path)) is not None},
        other_files=len(others),
        other_lines=_sum(counted.get(path, (0, 0)) for path in others) if few else None,
    )


def _below(counted: Mapping[str, tuple[int, int]], path: str) -> Lines | None:
    """Of a file, or of all files of a folder; None when nothing there is text that differs."""
    inside = [lines for name, lines in counted.items() if name == path or name.startswith(f"{path}/")]
    return _sum(inside) if inside else None


def _sum(lines: Iterable[tuple[int, int]]) -> Lines:
    pairs = list(lines)
    return Lines(added=sum(added for added, _ in pairs), removed=sum(removed for _, removed in pairs))


def _different(project: Project, one: str, other: str) -> Iterator[str]:
    """Paths of the files that differ between two commits."""
    objects = project.objects
    pending: list[tuple[str, str | None, str | None]] = [("", objects.tree_of(one), objects.tree_of(other))]
    while pending:
        folder, old, new = pending.pop()
        before, after = (objects.tree(oid) if oid is not None else {} for oid in (old, new))
        for name in before.keys() | after.keys():
            was, is_ = before.get(name), after.get(name)
            if was == is_:
                continue
            inner = [entry.oid if entry is not None and entry.is_directory else None for entry in (was, is_)]
            if any(inner):
                pending.append((f"{folder}{name}/", inner[0], inner[1]))
            if any(entry is not None and not entry.is_directory for entry in (was, is_)):
                yield f"{folder}{name}"


# The work tree --------------------------------------------------------------------------------------------------


def _uncommitted(
    project: Project, base: Point, point: Point, sources: Sequence[str], work_tree: Tree
) -> dict[str, Lines]:
    from dvc_modelver.gitio.diffs import lines_of

    sides = [work_tree if one.commit is None else project.tree(one.commit) for one in (base, point)]
    try:
        old, new = (dict(_texts(side, sources)) for side in sides)
        counted = lines_of(project.repository.git, old, new)
    except ModelverError:
        return {}
    return {path: lines for path in sources if (lines := _below(counted, path)) is not None}


def _texts(tree: Tree, sources: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    for source in sources:
        inside = [path for path in tree.files("*") if path.startswith(f"{source}/")]
        for path in inside or [source]:
            data = tree.read(path)
            if data is not None and len(data) <= _MAX_BYTES:
                yield path, data


# Of what the rows speak -----------------------------------------------------------------------------------------


def _shown(project: Project, point: Point) -> Iterator[str]:
    """Files and folders of which a row speaks."""
    facts = point.facts
    yield from (*facts.metrics, *facts.params, *facts.code, *facts.data, project.config.cards.path_of(point.name))
    yield from (str((facts.environment or {}).get(key, "")) for key in ("file", "lock.path"))
    yield (facts.artifact.path if facts.artifact is not None else None) or ""


def _is_shown(path: str, shown: set[str]) -> bool:
    if path in shown or _OWN(path.rpartition("/")[2]):
        return True
    parts = path.split("/")
    return any("/".join(parts[:n]) in shown for n in range(1, len(parts)))
