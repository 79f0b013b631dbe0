"""A plot as numbers: the type.  Filled by `dvcio.plots`, drawn by `cards.plots`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class PlotKind(str, Enum):
    """How a plot is drawn."""

    LINE = "line"
    SCATTER = "scatter"
    BAR = "bar"
    """Horizontal."""
    CONFUSION = "confusion"


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One line, or one cloud of points."""

    name: str
    points: tuple[tuple[float, float], ...]
    """(x, y), finite; a line's in the order of x."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlotData:
    """What a plot shows.  Texts are as the repository has them: whoever draws escapes and cuts them."""

    kind: PlotKind
    title: str
    x_label: str
    y_label: str
    series: tuple[Series, ...] = ()
    """Of lines and points."""
    x_classes: tuple[str, ...] = ()
    """Of a confusion matrix, from left to right."""
    y_classes: tuple[str, ...] = ()
    """Of a confusion matrix from top to bottom; of bars, in the order in which they stand."""
    values: tuple[tuple[float, ...], ...] = ()
    """Of a confusion matrix, a row for each of `y_classes`: counts, or shares of the row.  Of bars, one row: a length
    for each of `y_classes`."""
    normalized: bool = False
    """Whether `values` are shares."""
    note: str = ""
    """What was left out, in words; empty when nothing was."""
