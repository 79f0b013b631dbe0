"""What walks over history found, remembered: the next one begins where all later commits still descend from.

Of one history two files under the Git common directory.  `TIP.base` has the order of its commits, those that divide
it, and a number for everything that was ever mentioned; `TIP.facts` has what was asked of it.  A digest without a
number there can only begin in commits that are newer.  Both are sealed with their sha256, and are as good as none when
they are damaged, cannot be written, or do not fit what is asked.
"""

from __future__ import annotations

import json
import os
import sys
from array import array
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path
from typing import Any

from dvc_modelver._version import __version__
from dvc_modelver.commands.provenance.ancestryorder import Order, Walk
from dvc_modelver.commands.remembered import (
    forget_oldest,
    parse_remembered,
    read_sealed,
    write_sealed,
)
from dvc_modelver.core.origins import Logged, goes_on
from dvc_modelver.errors import ModelverError
from dvc_modelver.gitio.log import read_log
from dvc_modelver.gitio.process import GitProcess

# Bump it when the meaning of a field or of a mark changes; old files are then left alone.
FORMAT = "lineage-1"
MAX_BYTES = 64 * 1024 * 1024
"""Of all files together: 500,000 commits."""
_FAR = 2000
"""Commits; walking through more of them costs as much as starting anew is worth."""
NEAR = 200
"""Commits; after more of them what was found is written down."""
_TRIED = 3
"""Histories that are looked at for one question."""
_FACTS = 5000
_VALUES = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One thing whose first commit is asked for."""

    key: str
    """The same for the same thing in every question."""
    needs: tuple[int, ...] = ()
    """Numbers that `Noted` has when the thing was ever mentioned; none when that cannot be told."""
    values: tuple[tuple[str, int], ...] = ()
    """The same of params: (`NAME/KEY` in `Noted.values`, number)."""
    folder: bool = False
    """Whether it is a directory in Git."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What the history up to a commit says of one thing."""

    first: tuple[int, str, str] | None = None
    """(position, commit, path); None when it was never there."""
    returned: tuple[tuple[int, str], ...] = ()
    """(position, commit)."""

    def until(self, position: int) -> Fact:
        """What the history up to an earlier commit says."""
        if self.first is None or self.first[0] > position:
            return Fact()
        return replace(self, returned=tuple(one for one in self.returned if one[0] <= position))


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """What is known up to a commit, and the commits since."""

    start: str
    facts: Mapping[str, Fact]
    history: Sequence[Logged]
    """Parents before children; each of them descends from `start`."""
    order: Order
    """Up to `start`."""


@dataclass(slots=True)
class _Base:
    """One remembered history."""

    tip: str
    seal: str
    order: Order
    facts: dict[str, tuple[int, Fact]]
    """Key -> (position of the gate that it is true of, what is true)."""
    values: dict[str, tuple[int, frozenset[int]]]


class AncestryMemory:
    """Files that may be deleted at any time."""

    def __init__(self, folder: Path, git: GitProcess) -> None:
        self._folder, self._git = folder, git
        self._bases: list[_Base] = []
        self._order: tuple[_Base, int] | None = None

    # Reading ----------------------------------------------------------------------------------------------------

    def recall(self, commit: str, questions: Sequence[Question]) -> Recalled | None:
        """What is known of all the questions in the history of `commit`; None when that of one is not."""
        for tip in self._tips(commit):
            base = None
            with suppress(ValueError, TypeError, KeyError):
                base = self._read(tip)
            if base is None:
                continue
            self._bases.append(base)
            bound = self._bound(base, commit)
            if bound is None:
                continue
            self._order = self._order or (base, bound)
            found = self._from(base, bound, commit, questions)
            if found is not None:
                return found
        return None

    def _tips(self, commit: str) -> list[str]:
        """That of the commit itself, then those that were used last."""
        found: list[tuple[bool, int, str]] = []
        with suppress(OSError):
            for entry in os.scandir(self._folder):
                if entry.name.endswith(".base"):
                    tip = entry.name.removesuffix(".base")
                    found.append((tip == commit, entry.stat().st_mtime_ns, tip))
        return [tip for _, _, tip in sorted(found, reverse=True)[:_TRIED]]

    def _read(self, tip: str) -> _Base | None:
        sealed = read_sealed(self._folder / f"{tip}.base")
        if sealed is None:
            return None
        seal, content = sealed
        end = bytes(content[:1000]).find(b"\n")
        raw = parse_remembered(content[: max(end, 0)])
        if raw is None or raw.get("by") != _BY or raw.get("tip") != tip:
            return None
        width, count = raw["width"], raw["commits"]
        ids = end + 1 + width * count
        order = Order(
            width,
            bytearray(content[end + 1 : ids]),
            bytearray(content[ids : ids + count]),
            content[ids + count :].cast("Q"),
            raw["folders"],
        )
        return _Base(tip, seal, order, *self._read_facts(tip, seal))

    def _read_facts(
        self, tip: str, seal: str
    ) -> tuple[dict[str, tuple[int, Fact]], dict[str, tuple[int, frozenset[int]]]]:
        sealed = read_sealed(self._folder / f"{tip}.facts")
        raw = parse_remembered(sealed[1]) if sealed is not None else None
        if raw is None or raw.get("base") != seal:
            return {}, {}
        facts = {key: (upto, _fact(first, returned)) for key, (upto, first, returned) in raw["facts"].items()}
        return facts, {name: (upto, frozenset(numbers)) for name, (upto, numbers) in raw["values"].items()}

    def _bound(self, base: _Base, commit: str) -> int | None:
        """The least position that the commits of the history of `commit` that are not remembered begin from."""
        known = base.order.position(commit)
        if known is not None:
            return known
        words = ("rev-list", "--parents", f"--max-count={_FAR + 1}", "--end-of-options", f"{base.tip}..{commit}", "--")
        try:
            found = self._git.run(*words, env={"GIT_GRAFT_FILE": os.devnull}).decode("ascii")
        except ModelverError:
            return None
        lines = [line.split(" ") for line in found.splitlines()]
        new = {line[0] for line in lines}
        if len(new) > _FAR or any(len(line) == 1 for line in lines):
            return None
        before = [base.order.position(parent) for line in lines for parent in line[1:] if parent not in new]
        positions = [position for position in before if position is not None]
        return min(positions) if positions and len(positions) == len(before) else None

    def _from(self, base: _Base, bound: int, commit: str, questions: Sequence[Question]) -> Recalled | None:
        facts: dict[str, Fact] = {}
        for question in questions:
            known = base.facts.get(question.key)
            if known is None:
                known = self._never(base, question)
            if known is None:
                return None
            bound = min(bound, known[0])
            facts[question.key] = known[1]
        gate = base.order.gate(bound)
        if gate is None:
            return None
        start = base.order.commit(gate)
        history = self._since(start, commit, base.order.folders or any(question.folder for question in questions))
        if history is None:
            return None
        with suppress(OSError):
            os.utime(self._folder / f"{base.tip}.base")
        return Recalled(
            start=start,
            facts={key: fact.until(gate) for key, fact in facts.items()},
            history=history,
            order=base.order.first(gate + 1),
        )

    @staticmethod
    def _never(base: _Base, question: Question) -> tuple[int, Fact] | None:
        """That a thing was never there, and up to where, when that is certain."""
        order = base.order
        if (order.folders or not question.folder) and any(not order.mentions(number) for number in question.needs):
            return len(order) - 1, Fact()
        for name, number in question.values:
            upto, numbers = base.values.get(name, (-1, frozenset()))
            if upto >= 0 and number not in numbers:
                return upto, Fact()
        return None

    def _since(self, start: str, commit: str, folders: bool) -> list[Logged] | None:
        """The commits since; None when they are too many, or do not all descend from `start`."""
        history: list[Logged] = []
        try:
            for entry in read_log(self._git, f"{start}..{commit}", folders=folders) if start != commit else ():
                history.append(entry)
                if len(history) > _FAR:
                    return None
        except ModelverError:
            return None
        return history if goes_on(history, start) and (not history or history[-1].commit == commit) else None

    # Writing ----------------------------------------------------------------------------------------------------

    def keep(self, commit: str, walk: Walk, facts: Mapping[str, Fact], names: Iterable[str]) -> None:
        """Remember what a walk over the history of `commit` found.

        Args:
            walk: all of it.
            facts: by the key of their question.
            names: `NAME/KEY` of the params of which it noted every value.
        """
        values = {name: frozenset(walk.noted.values.get(name, ())) for name in names}
        if self._order is not None and self._order[0].order.position(commit) is not None:
            base = self._order[0]
            gate = base.order.gate(self._order[1])
            if gate is not None:
                self._add(base, gate, facts, values)
                self._write_facts(base)
            return
        base = _Base(commit, "", walk.order, {}, {})
        for older in self._bases:
            shared = base.order.shared(older.order)
            base.facts.update({k: (min(u, shared), f.until(min(u, shared))) for k, (u, f) in older.facts.items()})
            base.values.update({name: (min(upto, shared), known) for name, (upto, known) in older.values.items()})
            base.facts = {key: fact for key, fact in base.facts.items() if fact[0] >= 0}
            base.values = {name: known for name, known in base.values.items() if known[0] >= 0}
        self._add(base, len(base.order) - 1, facts, values)
        if self._write(base):
            for older in self._bases:
                if base.order.position(older.tip) is not None:
                    self._delete(older.tip)
            forget_oldest(self._folder, MAX_BYTES)

    @staticmethod
    def _add(base: _Base, gate: int, facts: Mapping[str, Fact], values: Mapping[str, frozenset[int]]) -> None:
        for key, fact in facts.items():
            base.facts[key] = max((gate, fact.until(gate)), base.facts.pop(key, (-1, fact)), key=itemgetter(0))
        for name, numbers in values.items():
            base.values[name] = max((gate, numbers), base.values.pop(name, (-1, numbers)), key=itemgetter(0))

    def _write(self, base: _Base) -> bool:
        order = base.order
        head = {"by": _BY, "tip": base.tip, "width": order.width, "commits": len(order), "folders": order.folders}
        parts = (json.dumps(head).encode(), b"\n", order.commits, order.gates, array("Q", order.numbers).tobytes())
        content = b"".join(parts)
        if len(content) > MAX_BYTES // 2:
            return False
        base.seal = write_sealed(self._folder / f"{base.tip}.base", content)
        self._write_facts(base)
        return True

    def _write_facts(self, base: _Base) -> None:
        facts = list(base.facts.items())[-_FACTS:]
        while sum(len(numbers) for _, numbers in base.values.values()) > _VALUES:
            del base.values[next(iter(base.values))]
        raw: dict[str, Any] = {
            "base": base.seal,
            "facts": {key: [upto, fact.first, fact.returned] for key, (upto, fact) in facts},
            "values": {name: [upto, sorted(numbers)] for name, (upto, numbers) in base.values.items()},
        }
        write_sealed(self._folder / f"{base.tip}.facts", json.dumps(raw, separators=(",", ":")).encode())

    def _delete(self, tip: str) -> None:
        for suffix in ("base", "facts"):
            with suppress(OSError):
                os.unlink(self._folder / f"{tip}.{suffix}")


_BY = [FORMAT, __version__, sys.byteorder]
"""Who wrote a file that can be read."""


def _fact(first: Sequence[Any] | None, returned: Sequence[Sequence[Any]]) -> Fact:
    return Fact(
        first=None if first is None else (first[0], first[1], first[2]),
        returned=tuple((position, commit) for position, commit in returned),
    )
