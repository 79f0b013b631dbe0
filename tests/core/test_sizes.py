"""Numbers of bytes as people read them."""

from __future__ import annotations

import pytest

from dvc_modelver.core.sizes import size


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (None, "-"),
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1_440_000, "1.4 MB"),
        (2 * 10**9, "2.0 GB"),
        (3 * 10**12, "3.0 TB"),
        (5 * 10**16, "50000.0 TB"),
    ],
)
def test_sizes_are_in_powers_of_ten(count: int | None, shown: str) -> None:
    """The unit is the largest that leaves a number of one or more, and TB at most."""
    assert size(count) == shown
