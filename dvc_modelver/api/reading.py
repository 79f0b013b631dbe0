"""Models, versions, events, metrics and bytes."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path

from dvc_modelver.api.base import Base
from dvc_modelver.api.frames import FramedMetricLine, framed
from dvc_modelver.api.rows import Rows
from dvc_modelver.commands.cards.show import ShownCard, show_card
from dvc_modelver.commands.get import Got, get
from dvc_modelver.commands.history import EventRow, ModelAt, history, history_at
from dvc_modelver.commands.list_models import ModelRow, list_models
from dvc_modelver.commands.metricline import metric_line
from dvc_modelver.commands.show import VersionFacts, VersionRow, show_version, show_versions
from dvc_modelver.core.names import check_name


def aware(moment: datetime) -> datetime:
    """`moment`, which is UTC when it names no zone."""
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=timezone.utc)


class Reading(Base):
    """What is there, and what happened."""

    def list(self) -> Rows[ModelRow]:
        """Every model, sorted by name: its latest version and what each stage holds."""
        with self._project() as project:
            return Rows(list_models(project).models)

    def show(self, name: str) -> Rows[VersionRow]:
        """All versions of a model, the highest first.  Sizes are bytes.  Raises `NotFound`, `BadInput`."""
        with self._project() as project:
            return Rows(show_versions(project, project.resolve(name)))

    def version(self, reference: str) -> VersionFacts:
        """One version in full: `churn@v1.2.0`, `churn@latest`, `churn#prod`.  Raises `NotFound`, `BadInput`."""
        with self._project() as project:
            return show_version(project, project.resolve(reference))

    def history(self, name: str | None = None) -> Rows[EventRow]:
        """Every event, newest first.  Raises `NotFound`."""
        with self._project() as project:
            return Rows(history(project, name))

    def at(self, moment: datetime, name: str | None = None) -> Rows[ModelAt]:
        """What each stage held at `moment` (UTC when naive), by the events' own times."""
        with self._project() as project:
            return Rows(history_at(project, aware(moment), name).models)

    def metric(self, name: str, key: str) -> FramedMetricLine:
        """A metric over all versions of a model, the lowest first; its `.to_frame()` has a row for each.

        Args:
            key: dotted, its last part where nothing else ends so, or `FILE:KEY`.

        Raises:
            NotFound: no such model, or no version of it has that metric.
            BadInput: several metrics could be meant.
        """
        with self._project() as project:
            return framed(FramedMetricLine, metric_line(project, project.resolve(check_name(name)), key))

    def get(self, reference: str, destination: str | os.PathLike[str] | None = None) -> Got:
        """Put a version's verified bytes at `destination` (default: its own name, in the current directory).

        Raises:
            NotFound: no such version, or the stage is empty.
            DataError: bytes are missing or corrupt.
            Conflict: something else lies at `destination`.
        """
        with self._project() as project:
            return get(project, reference, Path(destination) if destination is not None else None)

    def card(self, reference: str | None = None) -> ShownCard:
        """The card of a version as it was released (`churn@v1.2.0`, `churn#prod`), or the work tree's (`churn`).

        Raises:
            NotFound: no such model or version, or it has no card.
            BadInput: no name, and there are several models.
        """
        with self._project() as project:
            return show_card(project, reference)
