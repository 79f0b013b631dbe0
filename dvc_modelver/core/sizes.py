"""Numbers of bytes as people read them.  Pure."""

from __future__ import annotations

_UNITS = ("B", "kB", "MB", "GB", "TB")


def size(count: int | None) -> str:
    """Bytes in powers of ten: `312 B`, `1.4 MB`; `-` where nobody knows."""
    if count is None:
        return "-"
    amount, power = float(count), 0
    while round(amount, 1) >= 1000 and power < len(_UNITS) - 1:
        amount, power = amount / 1000, power + 1
    return f"{amount:.1f} {_UNITS[power]}" if power else f"{count} B"
