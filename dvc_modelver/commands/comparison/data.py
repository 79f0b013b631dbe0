"""What changed inside data that differs between the points of a comparison: tables, and files of directories."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from dvc_modelver.core.comparison import Change, DataRow
from dvc_modelver.core.facts import Output
from dvc_modelver.core.points import Bytes, Point
from dvc_modelver.errors import ModelverError

if TYPE_CHECKING:
    from dvc_modelver.commands.bytes_at_hand import Bytes as AtHand
    from dvc_modelver.commands.project import Project
    from dvc_modelver.core.tables import TableChange, TableProfile

MAX_TABLES = 20
"""Of one comparison are read."""
MAX_BYTES = 64 << 20
"""Of a table that is read: 4 s."""
_MAX_POINTS = 8
"""Of more points none is."""


def look_inside(
    project: Project, at_hand: AtHand, points: Sequence[Point], rows: Sequence[DataRow]
) -> tuple[tuple[DataRow, ...], tuple[str, ...]]:
    """The rows, with what differs inside those that changed and are at hand; and notes of what was left out."""
    if len(points) > _MAX_POINTS or all(row.change is Change.UNCHANGED for row in rows):
        return tuple(rows), ()
    inside = _Inside(project, at_hand, points)
    return tuple(inside.rows(rows)), tuple(inside.notes)


class _Inside:
    def __init__(self, project: Project, at_hand: AtHand, points: Sequence[Point]) -> None:
        self._project = project
        self._at_hand = at_hand
        self._points = points
        self._left = MAX_TABLES
        self.notes: list[str] = []

    def rows(self, rows: Sequence[DataRow]) -> Iterator[DataRow]:
        from dvc_modelver.dvcio.profiles import table_format

        for row in rows:
            digests = [cell.digest or "" for cell in row.values if cell is not None]
            if row.change is Change.UNCHANGED or row.values[0] is None or len(digests) < 2:
                yield row
            elif all(digest.endswith(".dir") for digest in digests):
                yield self._directory(row)
            elif table_format(row.path) is not None and self._may_read(row):
                yield self._table(row)
            else:
                yield row

    def _may_read(self, row: DataRow) -> bool:
        if any(cell is not None and (cell.size or 0) > MAX_BYTES for cell in row.values):
            self.notes.append(f"{row.path} is larger than {MAX_BYTES >> 20} MiB: what changed inside is not shown")
            return False
        self._left -= 1
        return self._left >= 0

    def _table(self, row: DataRow) -> DataRow:
        from dvc_modelver.core.tables import table_changes

        tables = [self._profile(point, row.path, cell) for point, cell in zip(self._points, row.values, strict=True)]
        first = tables[0]
        if first is None or not any(tables[1:]):
            return row
        changes = [table_changes(first, table) if table is not None else () for table in tables[1:]]
        return replace(row, tables=tuple(tables), changes=((), *changes))

    def _profile(self, point: Point, path: str, cell: Bytes | None) -> TableProfile | None:
        from dvc_modelver.commands.comparison.profiles import profile_output

        if cell is None:
            return None
        tree = self._project.tree(point.commit) if point.commit is not None else None
        return profile_output(self._project, self._at_hand, output_of(path, cell), tree)

    def _directory(self, row: DataRow) -> DataRow:
        changes = [self._listed(row.path, row.values[0], cell) for cell in row.values[1:]]
        return replace(row, changes=((), *changes)) if any(changes) else row

    def _listed(self, path: str, old: Bytes | None, new: Bytes | None) -> tuple[TableChange, ...]:
        from dvc_modelver.core.tables import listing_changes

        if old is None or new is None:
            return ()
        try:
            before, after = (self._at_hand.listing(output_of(path, cell)) for cell in (old, new))
        except ModelverError:  # of a damaged cache: the digests still say that they differ
            return ()
        return listing_changes(before, after) if before is not None and after is not None else ()


def output_of(path: str, cell: Bytes) -> Output:
    """The output whose bytes a cell of a row is."""
    return Output(
        path=path,
        digest=cell.digest,
        size=cell.size,
        files=cell.files,
        hash_name=cell.hash_name,
        cached=cell.cached,
        root=cell.root,
    )
