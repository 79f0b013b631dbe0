"""Read constants from a Python file as DVC does: by its syntax tree, never by running it.  Pure."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator

from dvc_modelver.errors import BadInput

MAX_BYTES = 1024 * 1024
_MAX_DEPTH = 60


def read_constants(data: bytes, *, name: str) -> dict[str, object]:
    """Names that are assigned a literal, at the top, in classes, and as `self.x = ...` in `__init__`.

    Raises:
        BadInput: not Python, or larger than any file of parameters.
    """
    if len(data) > MAX_BYTES:
        raise BadInput(f"{name}: larger than {MAX_BYTES // 2**20} MiB")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a `"\d"` in the file is not ours to complain about
            tree = ast.parse(data.decode("utf-8"))
            return dict(_constants(tree.body, 0))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        raise BadInput(f"{name}: {f'line {line}: ' if line else ''}not Python") from None


def _constants(body: list[ast.stmt], depth: int, *, of_self: bool = False) -> Iterator[tuple[str, object]]:
    for statement in body:
        if isinstance(statement, ast.ClassDef) and depth < _MAX_DEPTH:
            yield statement.name, dict(_constants(statement.body, depth + 1))
        elif isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
            yield from _constants(statement.body, depth + 1, of_self=True)
        elif isinstance(statement, (ast.Assign, ast.AnnAssign)):
            yield from _assigned(statement, of_self)


def _assigned(statement: ast.Assign | ast.AnnAssign, of_self: bool) -> Iterator[tuple[str, object]]:
    targets = [statement.target] if isinstance(statement, ast.AnnAssign) else statement.targets
    name = _name(targets[0], of_self) if len(targets) == 1 else None
    if name is None or statement.value is None:
        return
    try:
        yield name, ast.literal_eval(statement.value)
    except (ValueError, TypeError):
        return


def _name(target: ast.expr, of_self: bool) -> str | None:
    if isinstance(target, ast.Name):
        return None if of_self else target.id
    is_self = isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id == "self"
    return target.attr if is_self and isinstance(target, ast.Attribute) else None
