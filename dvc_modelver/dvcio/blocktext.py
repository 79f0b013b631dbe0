"""Cut a `dvc.lock` into the lines of each of its entries, so that entries can be merged as text.  Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from dvc_modelver.dvcio.yaml12 import compose_yaml, load_yaml

Key = tuple[str, ...]
"""`(KEY,)` at the top of the file, `("stages", NAME)` for a pipeline stage."""
STAGES: Key = ("stages",)
TAIL: Key = ()
"""Comments and blank lines at the end, which are said of no entry."""
_HEADER = re.compile(rb"^stages:[^\r\n]*", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """One entry."""

    text: bytes
    """Its lines, with the comments directly above; of `STAGES` those down to the first stage."""
    value: object
    """What it says; None for `STAGES` itself and `TAIL`."""


Blocks = Mapping[Key, Block]
"""A file as its entries, in order; their texts together are the file."""


class CannotCut(ValueError):
    """An entry does not stand on lines of its own."""


def cut(data: bytes, name: str) -> Blocks:
    """The entries of a lock file, schema 2.0 or that of DVC 1; an empty file has none.

    Raises:
        BadInput: not YAML.
        CannotCut: written in a way that lines do not tell entries apart.
    """
    values = load_yaml(data, name=name)
    if values is None and not data.strip():
        return {}
    if not isinstance(values, dict):
        raise CannotCut("no mapping")
    lines = data.splitlines(keepends=True)
    if not lines[-1].endswith(b"\n"):
        lines[-1] += ending(data)
    cutter = _Cutter(lines)
    cutter.whole(compose_yaml(data, name=name), values)
    return cutter.found


def with_header(text: bytes, header: bytes) -> bytes:
    """The lines of `STAGES` with another spelling of its own line."""
    return _HEADER.sub(header, text, count=1)


def ending(data: bytes) -> bytes:
    """How lines of the file end."""
    return b"\r\n" if b"\r\n" in data else b"\n"


class _Cutter:
    """Collects the entries of one file."""

    def __init__(self, lines: list[bytes]) -> None:
        self.lines = lines
        self.found: dict[Key, Block] = {}

    def whole(self, root: Any, values: Mapping[object, object]) -> None:
        end = self.above(len(self.lines), 0, 0)
        for (name, node, start, behind), value in zip(self.entries(root, 0, 0, end), values.values(), strict=True):
            if (name,) == STAGES and isinstance(value, dict | None):
                self.stages(node, value or {}, start, behind)
            else:
                key: Key = (name,)
                self.found[key] = Block(self.text(start, behind), value)
        if end < len(self.lines):
            self.found[TAIL] = Block(self.text(end, len(self.lines)), None)

    def stages(self, node: Any, values: Mapping[object, object], start: int, end: int) -> None:
        if not values:
            # However emptiness is written, that is decided when the file is put together.
            self.found[STAGES] = Block(with_header(self.text(start, end), b"stages:"), None)
            return
        header = next((n for n in range(start, end) if self.lines[n].startswith(b"stages:")), end)
        if header >= node.start_mark.line:
            raise CannotCut("a stage on the line of `stages`")
        self.found[STAGES] = Block(self.text(start, header + 1), None)
        entries = self.entries(node, node.start_mark.column, header + 1, end)
        for (name, _, begin, behind), value in zip(entries, values.values(), strict=True):
            key = (*STAGES, name)
            self.found[key] = Block(self.text(begin, behind), value)

    def entries(self, node: Any, column: int, first: int, end: int) -> Iterator[tuple[str, Any, int, int]]:
        """(name, value's node, first line, line behind) of each entry of a block mapping in the lines given."""
        if node.id != "mapping" or node.flow_style:
            raise CannotCut("not a block mapping")
        marks = [key.start_mark for key, _ in node.value]
        if any(mark.column != column or self.lines[mark.line][:column].strip() for mark in marks):
            raise CannotCut("an entry that does not begin its line")
        if any(one.line >= other.line for one, other in pairwise(marks)) or any(k.value == "<<" for k, _ in node.value):
            raise CannotCut("two entries on a line, or a merge key")
        starts = [first, *(self.above(mark.line, before.line + 1, column) for before, mark in pairwise(marks)), end]
        for (key, value), (begin, behind) in zip(node.value, pairwise(starts), strict=True):
            yield key.value, value, begin, behind

    def above(self, line: int, limit: int, column: int) -> int:
        """The line at which what belongs to an entry begins: blank lines and comments above are said of it."""
        while line > limit:
            text = self.lines[line - 1]
            bare = text.strip()
            if bare and (not bare.startswith(b"#") or len(text) - len(text.lstrip(b" ")) > column):
                break
            line -= 1
        return line

    def text(self, start: int, end: int) -> bytes:
        return b"".join(self.lines[start:end])
