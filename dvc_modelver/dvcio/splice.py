"""Change entries of a YAML file as text: comments, order and spelling of everything else stay byte for byte.

An entry is `key: value` of a block mapping, the lines that hold it.  Whatever cannot be cut out by lines (a flow
mapping, an anchor, a list on the way) is not touched: `CannotSplice` says so, and the caller takes another way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dvc_modelver.dvcio.scalars import plain
from dvc_modelver.dvcio.yaml12 import compose_yaml, load_yaml
from dvc_modelver.errors import BadInput

Key = tuple[str, ...]
"""The keys on the way to an entry, outermost first."""
_PLAIN = "plain"


class CannotSplice(BadInput):
    """The file is written in a way that only rewriting it as a whole could change."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """Where an entry stands."""

    first: int
    last: int
    """Its lines, from 0; the last one is not part of it."""
    column: int
    value: Any
    """The value's node."""


def splice(data: bytes, source: bytes | None, keys: Sequence[Key], *, name: str) -> bytes:
    """`data` with each entry of `keys` as `source` has it: replaced, put in, or taken out.

    Args:
        data: the file that is changed.
        source: where the entries are copied from; None: all of them go.
        name: of the file, for messages.

    Raises:
        CannotSplice: an entry cannot be cut out by lines, or the result would not say what it should.
        BadInput: one of the two is not YAML.
    """
    text = data
    wanted = load_yaml(data, name=name)
    there = load_yaml(source, name=name) if source is not None else None
    for key in keys:
        text = _one(text, source or b"", key, name)
        wanted = _with(wanted, there, key, name)
    if (load_yaml(text, name=name) or {}) != (wanted or {}):  # no entry left is an empty document
        raise CannotSplice(f"{name}: {'.'.join(keys[0])} cannot be changed by itself")
    return text


def _with(values: object, source: object, key: Key, name: str) -> object:
    """What the file must mean afterwards."""
    if values is not None and not isinstance(values, dict):
        raise CannotSplice(f"{name}: {'.'.join(key)} lies in no mapping")
    found: dict[object, object] = dict(values or {})
    there = source if isinstance(source, dict) else {}
    own = {_name(k): k for k in (*found, *there)}.get(key[0], key[0])
    if len(key) == 1:
        if own in there:
            found[own] = there[own]
        else:
            found.pop(own, None)
    elif own in there or own in found:
        inner = _with(found.get(own), there.get(own), key[1:], name)
        if inner or own in found:
            found[own] = inner
    return found


def _name(key: object) -> object:
    return key if isinstance(key, str) else str(key)


def _one(data: bytes, source: bytes, key: Key, name: str) -> bytes:
    lines, theirs = data.splitlines(keepends=True), source.splitlines(keepends=True)
    old, new = _find(data, key, name), _find(source, key, name) if source else None
    if new is None:
        return data if old is None else b"".join(_without(lines, old))
    if old is not None:
        return b"".join([*lines[: old.first], *_moved(theirs, new, old.column), *lines[old.last :]])
    return _put_in(data, lines, theirs, key, new, name, lambda part: _find(source, part, name))


def _without(lines: list[bytes], entry: _Entry) -> list[bytes]:
    return [*lines[: entry.first], *lines[entry.last :]]


def _put_in(
    data: bytes,
    lines: list[bytes],
    theirs: list[bytes],
    key: Key,
    new: _Entry,
    name: str,
    find: Callable[[Key], _Entry | None],
) -> bytes:
    """Behind the last entry of the innermost mapping on the way that is there."""
    depth = next(n for n in range(len(key) - 1, -1, -1) if n == 0 or _find(data, key[:n], name) is not None)
    parent = _find(data, key[:depth], name) if depth else None
    if parent is not None and (parent.value.id != "mapping" or parent.value.flow_style):
        raise CannotSplice(f"{name}: {'.'.join(key[:depth])} is no block mapping")
    node = parent.value if parent is not None else compose_yaml(data, name=name)
    siblings = _entries(data, node, name) if node is not None else {}
    column = next(iter(siblings.values())).column if siblings else 0
    at = max((entry.last for entry in siblings.values()), default=len(lines))
    added: list[bytes] = []
    for inner in range(depth + 1, len(key)):
        if find(key[:inner]) is None:
            raise CannotSplice(f"{name}: {'.'.join(key)} is not there")
        added.append(b" " * column + key[inner - 1].encode() + b":\n")
        column += 2
    before = lines[:at]
    if before and not before[-1].endswith(b"\n"):
        before[-1] += b"\n"
    return b"".join([*before, *added, *_moved(theirs, new, column), *lines[at:]])


def _moved(lines: Sequence[bytes], entry: _Entry, column: int) -> list[bytes]:
    """The entry's lines, indented for another column; always ended."""
    own = list(lines[entry.first : entry.last])
    if not own[-1].endswith(b"\n"):
        own[-1] += b"\n"
    more = column - entry.column
    if more > 0:
        return [line if not line.strip() else b" " * more + line for line in own]
    return [_unindented(line, -more) for line in own]


def _unindented(line: bytes, columns: int) -> bytes:
    if line.strip() and line[:columns].strip(b" "):
        raise CannotSplice("a line stands left of its entry")
    return line[columns:] if line.strip() else line


# Where entries stand --------------------------------------------------------------------------------------------


def _find(data: bytes, key: Key, name: str) -> _Entry | None:
    node: Any = compose_yaml(data, name=name)
    entry: _Entry | None = None
    for part in key:
        if node is None:
            return None
        if node.id != "mapping":
            if node.id == "scalar" and not node.value:
                return None
            raise CannotSplice(f"{name}: {'.'.join(key)} lies in no mapping")
        entry = _entries(data, node, name).get(part)
        if entry is None:
            return None
        node = entry.value
    return entry


def _entries(data: bytes, node: Any, name: str) -> Mapping[str, _Entry]:
    """The entries of a block mapping, in order.  Raises `CannotSplice` for any other."""
    if node.flow_style:
        raise CannotSplice(f"{name}: line {node.start_mark.line + 1}: a mapping in braces")
    lines = data.splitlines()
    starts = [key.start_mark for key, _ in node.value]
    if len({mark.line for mark in starts}) < len(starts) or len({mark.column for mark in starts}) > 1:
        raise CannotSplice(f"{name}: line {node.start_mark.line + 1}: two entries on a line")
    found: dict[str, _Entry] = {}
    for at, (key, value) in enumerate(node.value):
        mark = key.start_mark
        if lines[mark.line][: mark.column].strip():
            raise CannotSplice(f"{name}: line {mark.line + 1}: more than an entry on the line")
        end = starts[at + 1].line if at + 1 < len(starts) else _end(node, lines)
        last = _trimmed(lines, mark.line + 1, end, mark.column)
        found[_text(key)] = _Entry(mark.line, last, mark.column, value)
    return found


def _text(key: Any) -> str:
    return str(plain(key.value)) if key.tag == _PLAIN else str(key.value)


def _end(node: Any, lines: Sequence[bytes]) -> int:
    """The line behind a mapping, which may be the document's end mark."""
    line, column = int(node.end_mark.line), int(node.end_mark.column)
    inside = line < len(lines) and bool(lines[line][:column].strip())
    return line + 1 if inside else line


def _trimmed(lines: Sequence[bytes], first: int, end: int, column: int) -> int:
    """Without the blank lines, and the comments that belong to what follows, at the end."""
    while end > first:
        line = lines[end - 1]
        comment = line.lstrip().startswith(b"#") and len(line) - len(line.lstrip()) <= column
        if line.strip() and not comment:
            break
        end -= 1
    return end
