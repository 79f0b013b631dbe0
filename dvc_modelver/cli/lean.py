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


_AFTER_DASHES = "modelver.after_dashes"


def words_after_dashes(ctx: Any) -> tuple[str, ...]:
    """The words behind the first `--`: parsed they are told from those before it no more."""
    return tuple(ctx.meta.get(_AFTER_DASHES, ()))


class LeanCommand(TyperCommand):
    """One subcommand."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ctx.meta[_AFTER_DASHES] = args[args.index("--") + 1 :] if "--" in args else []
        return super().parse_args(ctx, args)

    def get_params(self, ctx: Any) -> list[Any]:
        return _lean(super().get_params(ctx))


class LeanGroup(TyperGroup):
    """The program."""

    def get_params(self, ctx: Any) -> list[Any]:
        return _lean(super().get_params(ctx))
