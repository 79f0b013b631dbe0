"""Points side by side, where versions come from, and what was made from what."""

from __future__ import annotations

from datetime import datetime

from dvc_modelver.api.base import Base
from dvc_modelver.api.frames import FramedComparison, FramedImpact, FramedLineage, framed
from dvc_modelver.api.reading import aware
from dvc_modelver.commands.bisection.bisect import Bisected, BisectRequest, bisect
from dvc_modelver.commands.comparison.compare import compare_points
from dvc_modelver.commands.provenance.impact import impact
from dvc_modelver.commands.provenance.lineage import lineage


class Tracing(Base):
    """What differs, and why."""

    def compare(self, *references: str) -> FramedComparison:
        """Metrics, params, data, code, environment and artifact of several points; a single one with the work tree.

        `.to_frame()` has a row for each of them, a column for each point, and the deltas of metrics.

        Args:
            references: versions, stages, models (their latest), branches, tags, commits; `.` is the work tree.

        Raises:
            NotFound: no such model, version, stage or commit, or nothing declares the model.
            BadInput: nobody can say which model is meant, or a file of a point cannot be read.
        """
        with self._project() as project:
            return framed(FramedComparison, compare_points(project, references))

    def lineage(self, reference: str) -> FramedLineage:
        """Where a version comes from: `.to_frame()` has a row for each node, `.edges_frame()` one for each edge.

        Raises `NotFound`, `BadInput`, `DataError` (its commit or an object is not in this clone).
        """
        with self._project() as project:
            return framed(FramedLineage, lineage(project, project.resolve(reference)))

    def impact(
        self, query: str, *, rev: str | None = None, at: datetime | None = None, offline: bool = False
    ) -> FramedImpact:
        """Which versions were made from a file, digest, param (`FILE:KEY[=VALUE]`) or import.

        Where `complete` is false, some could not be ruled out: `.unknown_frame()` names them.

        Args:
            rev: only the bytes that the path has there.
            at: stages as they were then (UTC when naive), instead of today's.
            offline: do not ask the DVC remote for listings.

        Raises:
            BadInput: the query is none.
            NotFound: nothing here knows what it names.
            DataError: what the path held at `rev` cannot be known.
        """
        moment = aware(at) if at is not None else None
        with self._project() as project:
            return framed(FramedImpact, impact(project, query, rev=rev, at=moment, offline=offline))

    def bisect(self, name: str, metric: str, *, good: str | None = None, bad: str | None = None) -> Bisected:
        """The version and the commit where a metric went wrong, from recorded metrics.

        Raises `NotFound` when there is no such model, version or metric, `BadInput` when good is not better than bad.
        """
        with self._project() as project:
            return bisect(project, BisectRequest(name=name, metric=metric, good=good, bad=bad))
