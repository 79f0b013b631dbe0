"""Change entries of a YAML file as text: comments, order and spelling of everything else stay byte for byte.

An entry is `key: value` of a block mapping, the lines that hold it.  Whatever cannot be cut out by lines (a flow
mapping, an anchor, a list on the way) is not touched: `CannotSplice` says so, and the caller takes another way.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dvc_modelver.dvcio.lock import digest_of
from dvc_modelver.dvcio.scalars import plain
from dvc_modelver.dvcio.yaml12 import compose_yaml, load_yaml
from dvc_modelver.errors import BadInput

Key = tuple[str, ...]
"""The keys on the way to an entry, outermost first."""
_PLAIN = "plain"
_ENDING = re.compile(rb"\r\n|\n")
_NOTHING = object()


class CannotSplice(BadInput):
    """The file is written in a way that only rewriting it as a whole could change."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """Where an entry stands."""

    above: int
    """Where what is said of it begins: blank lines, and the comment directly above; `first` for a mapping's first."""
    first: int
    last: int
    """Its lines, from 0; the last one is not part of it."""
    column: int
    value: Any
    """The value's node."""


def splice(data: bytes, source: bytes | None, keys: Sequence[Key], *, name: str) -> bytes:
    """`data` with each entry of `keys` as `source` has it: replaced, put in where it stood, or taken out.

    A mapping that loses its last entry goes with it.  Lines end as those of `data` do.

    Args:
        data: the file that is changed.
        source: where the entries are copied from; None: all of them go.
        name: of the file, for messages.

    Raises:
        CannotSplice: an entry cannot be cut out by lines, or the result would not say what it should.
        BadInput: one of the two is not YAML.
    """
    ending = _ending(data, source or b"")
    theirs = _Text(_ENDING.sub(ending, source) if source is not None else b"", name)
    ours = _Text(data, name)
    values = load_yaml(data, name=name)
    there = load_yaml(source, name=name) if source is not None else None
    for key in keys:
        if _differ(_at(values, key), _at(there, key)):
            ours = _Text(_one(ours, theirs, key, ending), name)
            values = _with(values, there, key, name)
    if ours.data != data and _differ(_loaded(ours.data, name) or {}, values or {}):  # no entry is an empty document
        raise CannotSplice(f"{name}: {'.'.join(keys[0])} cannot be changed by itself")
    return ours.data


def _ending(*texts: bytes) -> bytes:
    """How the lines of the first text that has any end."""
    for text in texts:
        if b"\n" in text:
            return b"\r\n" if 2 * text.count(b"\r\n") > text.count(b"\n") else b"\n"
    return b"\n"


def _loaded(data: bytes, name: str) -> object:
    try:
        return load_yaml(data, name=name)
    except BadInput as error:  # an alias without its anchor
        raise CannotSplice(error.message) from None


# Values -----------------------------------------------------------------------------------------------------------


def _at(values: object, key: Key) -> object:
    for part in key:
        own = _own(values, part) if isinstance(values, dict) else None
        if not isinstance(values, dict) or own not in values:
            return _NOTHING
        values = values[own]
    return values


def _differ(one: object, other: object) -> bool:
    """Whether two values differ, where 1, 1.0 and true are not the same."""
    if one is _NOTHING or other is _NOTHING:
        return one is not other
    return digest_of([one]) != digest_of([other])


def _with(values: object, source: object, key: Key, name: str) -> object:
    """What the file must mean afterwards."""
    if values is not None and not isinstance(values, dict):
        raise CannotSplice(f"{name}: {'.'.join(key)} lies in no mapping")
    found: dict[object, object] = dict(values or {})
    there = source if isinstance(source, dict) else {}
    own = _own({**found, **there}, key[0])
    inner = there.get(own, _NOTHING) if len(key) == 1 else _with(found.get(own), there.get(own), key[1:], name)
    if inner is _NOTHING or (len(key) > 1 and not inner):
        found.pop(own, None)
    else:
        found[own] = inner
    return found


def _own(values: Mapping[object, object], part: str) -> object:
    """The key of `values` that is written `part`."""
    return part if part in values else next((key for key in values if str(key) == part), part)


# Text -------------------------------------------------------------------------------------------------------------


def _one(ours: _Text, theirs: _Text, key: Key, ending: bytes) -> bytes:
    old, new = ours.find(key), theirs.find(key) if theirs.data else None
    if new is None:
        return ours.data if old is None else _without(ours, key)
    if old is None:
        return _put_in(ours, theirs, key, ending)
    moved = _moved(theirs.lines[new.first : new.last], old.column - new.column, ending)
    return b"".join([*ours.lines[: old.first], *moved, *ours.lines[old.last :]])


def _without(text: _Text, key: Key) -> bytes:
    while len(key) > 1 and len(text.siblings(key)) == 1:
        key = key[:-1]
    entry = text.siblings(key)[key[-1]]
    return b"".join([*text.lines[: entry.above], *text.lines[entry.last :]])


def _put_in(ours: _Text, theirs: _Text, key: Key, ending: bytes) -> bytes:
    """Into the innermost mapping on the way that is there: behind the entry that it stands behind in the source."""
    depth = next(n for n in range(len(key) - 1, -1, -1) if n == 0 or ours.find(key[:n]) is not None)
    outer = key[: depth + 1]
    siblings, others = ours.siblings(outer), theirs.siblings(outer)
    column = next(iter(siblings.values())).column if siblings else 0
    at, is_first = _place(siblings, list(others), outer[-1], len(ours.lines))
    entry = others[outer[-1]]
    added = [] if is_first else _moved(theirs.lines[entry.above : entry.first], column - entry.column, ending)
    for inner in range(depth + 1, len(key)):
        added.append(b" " * column + theirs.key_line(key[:inner]) + ending)
        column += 2
    new = theirs.siblings(key)[key[-1]]
    added += _moved(theirs.lines[new.first : new.last], column - new.column, ending)
    before = ours.lines[:at]
    if before and not before[-1].endswith(b"\n"):
        before[-1] += ending
    return b"".join([*before, *added, *ours.lines[at:]])


def _place(siblings: Mapping[str, _Entry], order: Sequence[str], name: str, end: int) -> tuple[int, bool]:
    """The line at which an entry is put in, and whether it becomes the first of its mapping."""
    at = order.index(name)
    before = next((one for one in reversed(order[:at]) if one in siblings), None)
    behind = next((one for one in order[at:] if one in siblings), None)
    names = list(siblings)
    if before is None and behind is not None:
        if behind == names[0]:
            return siblings[behind].first, True
        before = names[names.index(behind) - 1]
    if before is not None:
        return siblings[before].last, False
    return max((entry.last for entry in siblings.values()), default=end), False


def _moved(lines: Sequence[bytes], more: int, ending: bytes) -> list[bytes]:
    """The lines of an entry, indented for another column; always ended."""
    own = [line if line.endswith(b"\n") else line + ending for line in lines]
    if more >= 0:
        return [line if not line.strip() else b" " * more + line for line in own]
    return [_unindented(line, -more) for line in own]


def _unindented(line: bytes, columns: int) -> bytes:
    if line.strip() and line[:columns].strip(b" "):
        raise CannotSplice("a line stands left of its entry")
    return line[columns:] if line.strip() else line


# Where entries stand ----------------------------------------------------------------------------------------------


class _Text:
    """One YAML file, parsed once."""

    def __init__(self, data: bytes, name: str) -> None:
        self.data = data
        self.name = name
        self._entries: dict[int, Mapping[str, _Entry]] = {}

    @cached_property
    def lines(self) -> list[bytes]:
        return self.data.splitlines(keepends=True)

    @cached_property
    def root(self) -> Any:
        return compose_yaml(self.data, name=self.name)

    def find(self, key: Key) -> _Entry | None:
        node: Any = self.root
        entry: _Entry | None = None
        for part in key:
            if node is None:
                return None
            if node.id != "mapping":
                if node.id == "scalar" and not node.value:
                    return None
                raise self._cannot(f"{'.'.join(key)} lies in no mapping")
            entry = self.entries(node).get(part)
            if entry is None:
                return None
            node = entry.value
        return entry

    def siblings(self, key: Key) -> Mapping[str, _Entry]:
        """The entries of the mapping in which `key` stands, or would."""
        parent = self.find(key[:-1]) if len(key) > 1 else None
        node = parent.value if parent is not None else self.root
        if node is None:
            return {}
        if node.id != "mapping":
            raise self._cannot(f"{'.'.join(key[:-1])} is no mapping")
        return self.entries(node)

    def key_line(self, key: Key) -> bytes:
        """The key as it is written, with its colon."""
        entry = self.siblings(key)[key[-1]]
        line = self.lines[entry.first][entry.column :]
        written = key[-1].encode()
        quoted = next((q + written + q for q in (b"'", b'"') if line.startswith(q + written + q)), written)
        return quoted + b":"

    def entries(self, node: Any) -> Mapping[str, _Entry]:
        """The entries of a block mapping, in order.  Raises `CannotSplice` for any other."""
        if id(node) not in self._entries:
            self._entries[id(node)] = self._read(node)
        return self._entries[id(node)]

    def _read(self, node: Any) -> Mapping[str, _Entry]:
        line = node.start_mark.line + 1
        if node.flow_style:
            raise self._cannot(f"line {line}: a mapping in braces")
        starts = [key.start_mark for key, _ in node.value]
        if len({mark.line for mark in starts}) < len(starts) or len({mark.column for mark in starts}) > 1:
            raise self._cannot(f"line {line}: two entries on a line")
        found: dict[str, _Entry] = {}
        above = None
        for at, (key, value) in enumerate(node.value):
            mark = key.start_mark
            if self.lines[mark.line][: mark.column].strip():
                raise self._cannot(f"line {mark.line + 1}: more than an entry on the line")
            end = starts[at + 1].line if at + 1 < len(starts) else self._end(node)
            last = self._trimmed(mark.line + 1, end, mark.column)
            top = mark.line if above is None else self._above(mark.line, above)
            found[_text(key)] = _Entry(top, mark.line, last, mark.column, value)
            above = last
        return found

    def _end(self, node: Any) -> int:
        """The line behind a mapping, which may be the document's end mark."""
        line, column = int(node.end_mark.line), int(node.end_mark.column)
        inside = line < len(self.lines) and bool(self.lines[line][:column].strip())
        return line + 1 if inside else line

    def _trimmed(self, first: int, end: int, column: int) -> int:
        """Without the blank lines, and the comments that belong to what follows, at the end."""
        while end > first:
            line = self.lines[end - 1]
            comment = line.lstrip().startswith(b"#") and len(line) - len(line.lstrip()) <= column
            if line.strip() and not comment:
                break
            end -= 1
        return end

    def _above(self, first: int, least: int) -> int:
        while first > least and self.lines[first - 1].lstrip().startswith(b"#"):
            first -= 1
        while first > least and not self.lines[first - 1].strip():
            first -= 1
        return first

    def _cannot(self, why: str) -> CannotSplice:
        return CannotSplice(f"{self.name}: {why}")


def _text(key: Any) -> str:
    merge = key.value == "<<"
    return str(plain(key.value)) if key.tag == _PLAIN and not merge else str(key.value)
