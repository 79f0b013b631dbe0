"""What the page of a comparison shows beside its rows: the types.  Filled by `commands.comparison.report`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from dvc_modelver.core.comparison import Comparison
from dvc_modelver.core.facts import Scalar
from dvc_modelver.core.lineage import Lineage
from dvc_modelver.core.plots import PlotData
from dvc_modelver.core.versions import Version


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportVersion:
    """One version of the model, as histories and parallel coordinates need it."""

    version: Version
    at: datetime
    """When it was released, UTC."""
    commit: str
    withdrawn: bool = False
    stages: tuple[str, ...] = ()
    """That it holds."""
    metrics: Mapping[str, Scalar] = field(default_factory=dict)
    """Label (the key, with its file where several files have it) -> value."""
    params: Mapping[str, Scalar] = field(default_factory=dict)
    """Likewise; those that the model was made with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A plot that is a picture."""

    media_type: str
    """`image/png`, `image/jpeg`, `image/gif`, `image/webp`; never SVG, which may hold scripts."""
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPlot:
    """One of DVC's plots at every point."""

    title: str
    path: str
    sides: tuple[PlotData | Image | None, ...]
    """Parallel to the comparison's points; None where the plot is not there or not at hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that the page shows."""

    comparison: Comparison
    better: Mapping[str, str] = field(default_factory=dict)
    """Label of a metric -> `up` or `down`, where that is known."""
    versions: tuple[ReportVersion, ...] = ()
    """Of the first point's model, the lowest first; when there are very many, the newest."""
    plots: tuple[ReportPlot, ...] = ()
    lineages: tuple[Lineage | None, ...] = ()
    """Parallel to the points; None for what is no version."""
    notes: tuple[str, ...] = ()
    """What was left out or is not at hand, a sentence each."""
