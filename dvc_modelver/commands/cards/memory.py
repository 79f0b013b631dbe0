"""What `card check` found, remembered with every file that it looked at.

One JSON file under the Git common directory.  A report stands while each file that any report was made from is
there with the same bytes, each that was absent still is, and the card itself is as it was.  The file may be deleted
at any time; one that is damaged is as good as none.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from dvc_modelver._version import __version__
from dvc_modelver.commands.cards.check import CardReport, Finding
from dvc_modelver.commands.project import Project
from dvc_modelver.commands.remembered import write_remembered
from dvc_modelver.core.trees import Entry, Tree

_FORMAT = 3


class Recorded:
    """A tree that notes what is asked of it; fills the role of `core.trees.Tree`."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self.reads: dict[str, str] = {}
        """Path -> digest of its bytes; empty where there are none."""
        self.entries: dict[str, str] = {}
        """Path -> mode; empty where nothing is."""
        self.lists: dict[str, str] = {}
        """Names, joined by NUL -> digest of the paths that were found."""

    def entry(self, path: str) -> Entry | None:
        found = self._tree.entry(path)
        self.entries[path] = found.mode if found is not None else ""
        return found

    def read(self, path: str) -> bytes | None:
        data = self._tree.read(path)
        self.reads[path] = _digest(data)
        return data

    def files(self, *names: str) -> Iterator[str]:
        found = tuple(self._tree.files(*names))
        self.lists["\0".join(names)] = _digest_of(found)
        return iter(found)


def _digest(data: bytes | None) -> str:
    return hashlib.sha256(data).hexdigest() if data is not None else ""


def _digest_of(paths: Sequence[str]) -> str:
    return _digest("\0".join(paths).encode("utf-8", "surrogateescape"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is remembered and still holds."""

    reports: tuple[CardReport, ...] = ()
    complete: bool = False
    """Whether it is all of them."""
    reads: Mapping[str, str] = field(default_factory=dict)
    entries: Mapping[str, str] = field(default_factory=dict)
    lists: Mapping[str, str] = field(default_factory=dict)
    """What the other reports were made from, see `Recorded`."""


class CheckMemory:
    """The answers to one question: these models, this stage, this configuration, this modelver."""

    def __init__(self, project: Project, names: Sequence[str], stage: str | None) -> None:
        question = (_FORMAT, __version__, repr(project.config), project.repository.prefix, tuple(names), stage)
        self._place = project.state_dir / "cache" / "checks" / f"{_digest(repr(question).encode())[:16]}.json"
        self._silent = project.foreign

    def recall(self, tree: Tree) -> Known:
        """The reports that hold for `tree`."""
        try:
            raw = json.loads(self._place.read_bytes())
            return self._known(raw, tree)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return Known()

    def _known(self, raw: Mapping[str, Any], tree: Tree) -> Known:
        same = (
            all(_digest_of(tuple(tree.files(*names.split("\0")))) == digest for names, digest in raw["lists"].items())
            and all(_mode(tree, path) == mode for path, mode in raw["entries"].items())
            and all(_digest(tree.read(path)) == digest for path, digest in raw["reads"].items())
        )
        if not same:
            return Known()
        rows = raw["reports"]
        kept = [row for row in rows if row["card"] is not None and _state(tree, row["path"]) == row["card"]]
        return Known(
            reports=tuple(_report(row) for row in kept),
            complete=len(kept) == len(rows),
            reads=raw["reads"],
            entries=raw["entries"],
            lists=raw["lists"],
        )

    def remember(self, seen: Recorded, reports: Sequence[CardReport], beyond: Collection[str], known: Known) -> None:
        """Keep the reports; not those of `beyond`, which depend on more than the tree."""
        cards = {report.path for report in reports}
        raw = {
            "reads": {path: digest for path, digest in {**known.reads, **seen.reads}.items() if path not in cards},
            "entries": {path: mode for path, mode in {**known.entries, **seen.entries}.items() if path not in cards},
            "lists": {**known.lists, **seen.lists},
            "reports": [{**asdict(report), "card": self._card(report, seen, beyond)} for report in reports],
        }
        if self._silent:
            return
        write_remembered(self._place, raw)

    @staticmethod
    def _card(report: CardReport, seen: Recorded, beyond: Collection[str]) -> str | None:
        """The card's state; None for a report that is not to be kept."""
        if report.name in beyond:
            return None
        return _state(seen, report.path)


def _state(tree: Tree, path: str) -> str:
    """Kind and bytes of a card: a link is no card, though it may hold nothing either."""
    return _mode(tree, path) + _digest(tree.read(path))


def _mode(tree: Tree, path: str) -> str:
    found = tree.entry(path)
    return found.mode if found is not None else ""


def _report(row: Mapping[str, Any]) -> CardReport:
    found = {key: tuple(Finding(**finding) for finding in row[key]) for key in ("problems", "notes")}
    return CardReport(name=row["name"], path=row["path"], version=row["version"], **found)
