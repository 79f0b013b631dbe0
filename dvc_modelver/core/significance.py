"""Whether a difference of metrics is more than chance: the types.  Filled by `commands.comparison.significance`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Where the difference of a metric to the first point lies."""

    low: float
    high: float
    """`low <= high`, in the metric's own unit."""
    level: float
    """Confidence, as 0.95."""
    method: str
    """`paired bootstrap, 2,000 resamples of 500 samples`."""

    @property
    def excludes_zero(self) -> bool:
        """Whether the two differ at that level."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedTest:
    """A test of two points on the same samples."""

    name: str
    """`McNemar, exact`."""
    p_value: float
    detail: str
    """What was counted: `12 samples only the first had right, 30 only the second`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What the predictions of two points say of their metrics."""

    samples: int
    """Of the second."""
    paired: bool
    """Whether both predicted the same samples."""
    intervals: Mapping[tuple[str, str], Interval] = field(default_factory=dict)
    """(file, key) of a metric -> where its difference lies; of metrics that the predictions reproduce alone."""
    tests: tuple[PairedTest, ...] = ()
    note: str | None = None
    """Why there is less than one would expect; None when there is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionsRow:
    """A file of per-sample predictions at every point."""

    path: str
    values: tuple[Judged | None, ...]
    """Against the first; None for the first itself, and where one of the two has no such file at hand."""
