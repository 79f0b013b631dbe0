"""Numbers as they are written: from 0.8 to 0.79 is a drop of 0.01, not of 0.010000000000000009.  Pure."""

from __future__ import annotations

from decimal import Context, Decimal

_EXACT = Context(prec=800)
"""Enough for the difference of any two floats."""


def decimal(value: float) -> Decimal:
    """The number as it is written, not as binary has it."""
    return Decimal(repr(value))


def difference(one: float, other: float) -> Decimal:
    """`one - other`."""
    return _EXACT.subtract(decimal(one), decimal(other))


def share(percent: float, whole: float) -> Decimal:
    """So many percent of the size of `whole`."""
    return _EXACT.multiply(decimal(percent), abs(decimal(whole))).scaleb(-2, _EXACT)


def digits(value: float) -> str:
    """The shortest text that gives the number again; whole numbers without a point."""
    return repr(value).removesuffix(".0")
