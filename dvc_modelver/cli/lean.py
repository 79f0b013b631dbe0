"""Typer commands whose text parameters and flags are taken as they are.

Typer 0.29 imports pydantic (110 ms, more than all the rest of a `list`) to turn a string into a string.  All our
parameters are text or flags, so each gets a coercer that hands its value on.  On a typer that has no such hook
nothing is replaced, and nothing but the time is lost.
"""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperGroup


class _AsGiven:
    """Fills the role of typer's runtime parameter for `str`, `list[str]` and `bool`."""

    def __init__(self, many: bool) -> None:
        self._many = many

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        return list(value or ()) if self._many else value


def _lean(params: list[Any]) -> list[Any]:
    for param in params:
        annotation = getattr(getattr(param, "type_descriptor", None), "annotation", None)
        if annotation in (str, bool, list[str]) and getattr(param, "_runtime_param", _AsGiven) is None:
            param._runtime_param = _AsGiven(annotation not in (str, bool))
    return params


class LeanCommand(TyperCommand):
    """One subcommand."""

    def get_params(self, ctx: Any) -> list[Any]:
        return _lean(super().get_params(ctx))


class LeanGroup(TyperGroup):
    """The program."""

    def get_params(self, ctx: Any) -> list[Any]:
        return _lean(super().get_params(ctx))
