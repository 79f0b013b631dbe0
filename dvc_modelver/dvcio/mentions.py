"""Which of the wanted digests a `dvc.lock`, a `.dvc` file or a params file names.  Pure: bytes to marks.

Made for reading every state that such a file had in a long history: of 40 pipeline stages a commit changes a few, so
a lock is cut at its stages, each text of a stage is looked at once, and only one that holds a wanted digest is parsed.
"""

from __future__ import annotations

import hashlib
import re
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from dvc_modelver.core.facts import Scalar
from dvc_modelver.dvcio.dvcfile import parse_dvc_file
from dvc_modelver.dvcio.items import Item
from dvc_modelver.dvcio.lock import LockedStage, parse_lock
from dvc_modelver.dvcio.lockshape import HEAD, NEXT
from dvc_modelver.dvcio.values import flatten, read_values
from dvc_modelver.errors import BadInput

_HEX = re.compile(rb"[0-9a-fA-F]{32}")
_REMEMBERED = 20_000
"""Texts of stages, 14 MB when each has 700 bytes."""
# Any of these may make a line at the left margin something else than a key.
_NOT_PLAIN = re.compile(rb"[\"'&*{}\[\]!|>%\t\r]|^-|^\.\.\.|^\?|^\xef\xbb\xbf", re.MULTILINE)
_KEY_LINE = re.compile(rb"\n(?=[^\s#-])")
# YAML's ways to write a digest other than letter by letter.
_ODD = re.compile(rb"\\[xuU\r\n]|0[xo][0-9a-fA-F]{20}|0[0-9]{32}")


class Mention(NamedTuple):
    """One place that names something wanted."""

    mark: int
    stage: str | None
    """The pipeline stage; None in a `.dvc` file."""
    path: str
    """As written there; of a pipeline stage itself its name."""


_Found = tuple[Mention, ...]


@dataclass(slots=True)
class Noted:
    """Everything that files mentioned, wanted or not, as numbers of 64 bits: two things may share one."""

    digests: array[int] = field(default_factory=lambda: array("Q"))
    """Of the hex digests, and of what else is added; some more than once."""
    values: dict[str, set[int]] = field(default_factory=dict)
    """`NAME/KEY` (name of a params file, first part of the key) -> its keys with their values."""
    doubtful: bool = False
    """Whether a file may mention what cannot be seen in its text."""

    def text(self, data: bytes, hexes: Collection[bytes]) -> None:
        """Note the digests that stand in `data`."""
        self.digests.extend(int(found[:16], 16) for found in hexes)
        # Looked for in two steps, since an expression over every byte would take as long as all the rest.
        odd = b"\\" in data or b"0x" in data or b"0o" in data or any(h.startswith(b"0") and h.isdigit() for h in hexes)
        if odd or b"\0" in data:
            self.doubtful |= b"\0" in data or _ODD.search(data) is not None

    def part(self, name: str, values: Mapping[str, Scalar]) -> None:
        """Note values of a params file."""
        for key, value in values.items():
            self.values.setdefault(f"{name}/{first_part(key)}", set()).add(value_number(key, value))


def number_of(digest: str) -> int:
    """The number of a hex digest (of 16 digits at least), as `Noted` has it."""
    return int(digest[:16], 16)


def value_text(key: str, value: Scalar) -> str:
    """A key with its value, type and all: the same for the same."""
    # Zero has two signs and one value; decimals of a very large number are refused by Python.
    shown = hex(value) if type(value) is int else repr(value + 0.0 if type(value) is float else value)
    return f"{key}\0{type(value).__name__}\0{shown}"


def value_number(key: str, value: Scalar) -> int:
    """The number of a key with its value."""
    text = value_text(key, value).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")


def digest_number(digest: str) -> int | None:
    """The number of a digest such as `md5:...`; None for one that is not known by its hex digits."""
    text = digest.partition(":")[2]
    return number_of(text) if _HEX.match(text.encode("utf-8", "surrogatepass")) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to look for, each with its mark (one bit)."""

    outs: Mapping[str, int] = field(default_factory=dict)
    """Digests (`md5:...`) of what was written."""
    deps: Mapping[str, int] = field(default_factory=dict)
    """Digests of what was read."""
    entries: Mapping[str, int] = field(default_factory=dict)
    """Digests of lock entries, see `LockedStage.digest`."""
    hints: frozenset[str] = frozenset()
    """Of each of `entries` a digest that it holds."""
    every: bool = False
    """Whether an entry holds none, so that every stage has to be parsed."""
    imports: Mapping[tuple[str | None, str, str | None], int] = field(default_factory=dict)
    """(url, path, locked revision) of imports."""
    listed: Callable[[str, str], int] | None = None
    """The marks of what lies inside a tracked directory, by its digest and its path as written."""


class Mentions:
    """Looks for `wanted` in many files."""

    def __init__(self, wanted: Wanted, noted: Noted | None = None) -> None:
        """With `noted`, everything that a file mentions is noted there."""
        self._wanted = wanted
        self._noted = noted
        texts = [digest.partition(":")[2] for digest in (*wanted.outs, *wanted.deps, *wanted.hints)]
        self._hexes = frozenset(text[:32].encode() for text in texts if _HEX.match(text.encode()))
        self._needles = tuple(text.encode() for text in texts if not _HEX.match(text.encode()))
        self._blocks: dict[bytes, _Found | None] = {}

    def in_lock(self, data: bytes, name: str) -> _Found:
        """The mentions in a `dvc.lock`; none in one that cannot be read.  A fault in another stage is not seen."""
        if not data.startswith(HEAD):
            return self._in_whole(data, name) or ()
        found: list[Mention] = []
        whole = True
        for block in NEXT.split(data[len(HEAD) :]):
            there = self._blocks[block] if block in self._blocks else self._in_block(block, name)
            whole = whole and there is not None
            found += there or ()
        # What is said of one thing must not depend on what else is looked for, so the stages that were read count.
        together = None if whole else self._in_whole(data, name)
        return tuple(found) if together is None else together

    def in_dvc_file(self, data: bytes, name: str) -> _Found:
        """The mentions in a `.dvc` file; none in one that cannot be read."""
        wanted = self._wanted
        revisions = (rev.encode() for _, _, rev in wanted.imports if rev)
        if not self._may_hold(data) and not any(rev in data for rev in revisions):
            return ()
        try:
            parsed = parse_dvc_file(data, name)
        except BadInput:
            return ()
        outs = (found for out in parsed.outs for found in self._of_item(out.item, None, wanted.outs))
        keys = ((one.url, one.path, one.rev_lock) for one in parsed.imports)
        imports = (Mention(wanted.imports.get(key, 0), None, key[1]) for key in keys)
        return tuple(found for found in (*outs, *imports) if found.mark)

    def _may_hold(self, data: bytes) -> bool:
        hexes = {found.lower() for found in _HEX.findall(data)}
        if self._noted is not None:
            self._noted.text(data, hexes)
        if self._wanted.every or not self._hexes.isdisjoint(hexes) or any(needle in data for needle in self._needles):
            return True
        # A directory that is listed in place has a digest that does not stand there.
        return b"relpath" in data or (self._wanted.listed is not None and b".dir" in data)

    def _in_block(self, block: bytes, name: str) -> _Found | None:
        """The mentions in the lines of one stage; None when they are not the lines of one stage."""
        if len(self._blocks) > _REMEMBERED:
            self._blocks.clear()
        self._blocks[block] = found = self._read_block(block, name) if self._may_hold(block) else ()
        return found

    def _read_block(self, block: bytes, name: str) -> _Found | None:
        try:
            stages = list(parse_lock(HEAD + block.rstrip(b"\n") + b"\n", name).stages())
        except BadInput:
            return None
        return tuple(self._of_stage(stages[0])) if len(stages) == 1 else None

    def _in_whole(self, data: bytes, name: str) -> _Found | None:
        """The same by the parser of the whole file; None when it cannot be read."""
        if not self._may_hold(data):
            return ()
        try:
            return tuple(found for stage in parse_lock(data, name).stages() for found in self._of_stage(stage))
        except BadInput:
            return None

    def _of_stage(self, stage: LockedStage) -> Iterator[Mention]:
        wanted = self._wanted
        if stage.digest in wanted.entries:
            yield Mention(wanted.entries[stage.digest], stage.name, stage.name)
        for items, marks in ((stage.outs, wanted.outs), (stage.deps, wanted.deps)):
            for item in items:
                yield from self._of_item(item, stage.name, marks)

    def _of_item(self, item: Item, stage: str | None, marks: Mapping[str, int]) -> Iterator[Mention]:
        digest = item.digest or ""
        if self._noted is not None and item.listing is not None and digest.startswith("md5:"):
            self._noted.digests.append(number_of(digest[4:]))
        if digest in marks:
            yield Mention(marks[digest], stage, item.path)
        inside = self._wanted.listed(digest, item.path) if self._wanted.listed and digest.endswith(".dir") else 0
        if inside:
            yield Mention(inside, stage, item.path)


class ParamsFiles:
    """Tells whether params files hold given values.  Each distinct text of a top-level key is parsed once."""

    def __init__(self, wanted: Mapping[int, Mapping[str, Scalar]], noted: Noted | None = None) -> None:
        """`wanted`: mark -> dotted key -> value, as `values.flatten` gives them.

        With `noted`, all values whose keys begin like a wanted one are noted there.
        """
        self._wanted = wanted
        self._noted = noted
        self._first = frozenset(first_part(key) for keys in wanted.values() for key in keys)
        self._parts: dict[bytes, Mapping[str, Scalar] | None] = {}

    def marks(self, data: bytes, path: str) -> int:
        """The marks of all values that the file holds; 0 when it cannot be read.  A fault elsewhere is not seen."""
        try:
            values = self._values(data, path)
        except BadInput:
            return 0
        total = 0
        for mark, keys in self._wanted.items():
            if all(key in values and _same(values[key], value) for key, value in keys.items()):
                total |= mark
        return total

    def _values(self, data: bytes, path: str) -> Mapping[str, Scalar]:
        if not path.endswith((".yaml", ".yml")) or _NOT_PLAIN.search(data):
            return self._whole(data, path)
        found: dict[str, Scalar] = {}
        seen: set[bytes] = set()
        for part in _KEY_LINE.split(data):
            key = part.partition(b":")[0]
            if key in seen:
                return self._whole(data, path)
            seen.add(key)
            if key.decode("utf-8", "replace").strip() in self._first:
                found.update(self._part(part, path))
        return found

    def _whole(self, data: bytes, path: str) -> Mapping[str, Scalar]:
        found = flatten(read_values(data, path=path))
        self._note(path, {key: value for key, value in found.items() if first_part(key) in self._first})
        return found

    def _note(self, path: str, values: Mapping[str, Scalar]) -> None:
        if self._noted is not None:
            self._noted.part(path.rpartition("/")[2], values)

    def _part(self, part: bytes, path: str) -> Mapping[str, Scalar]:
        if part not in self._parts:
            if len(self._parts) > _REMEMBERED:
                self._parts.clear()
            try:
                self._parts[part] = flatten(read_values(part, path=path))
                self._note(path, self._parts[part] or {})
            except BadInput:
                self._parts[part] = {}
        return self._parts[part] or {}


def first_part(key: str) -> str:
    return re.split(r"(?<!\\)\.", key)[0].replace("\\.", ".")


def _same(one: Scalar, other: Scalar) -> bool:
    """As values: `1` is not `true`, and a NaN is itself."""
    return type(one) is type(other) and (one == other or (one != one and other != other))


def total_mark(found: Iterable[Mention]) -> int:
    """The marks of all mentions together."""
    total = 0
    for mention in found:
        total |= mention.mark
    return total
