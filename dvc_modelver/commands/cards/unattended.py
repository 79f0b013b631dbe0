"""Cards as Git hooks look at them: those of the index, and an update that is begun only where there may be work."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dvc_modelver.commands.cards.check import CardReport, check_cards
from dvc_modelver.commands.cards.memory import CheckMemory, Known
from dvc_modelver.commands.project import Project
from dvc_modelver.commands.remembered import read_remembered, write_remembered
from dvc_modelver.commands.worktrees import work_tree
from dvc_modelver.core.config import Config
from dvc_modelver.core.trees import Tree

_base = re.compile(rb" base-commit=([0-9a-f]{40,64})\b")
_FRESH = 2_000_000_000
"""Nanoseconds within which a directory may change twice and show one time of change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Updated:
    """What an update came to."""

    cards: tuple[str, ...]
    """The paths of all cards that were asked for."""
    steps: tuple[tuple[str, str], ...] = ()
    """(`write` or `remove`, path) of what it changed."""


def check_index(project: Project, tree: Tree, config: Config, names: Sequence[str]) -> tuple[CardReport, ...]:
    """As `check_cards`, of the index instead of the work tree.

    Args:
        config: as it is staged.
    """
    project.config = config
    return check_cards(project, names, tree=tree)


def update_where_needed(project: Project, names: Sequence[str]) -> Updated:
    """As `update_cards`; not begun when all that cards are made from is as it was when it last had nothing to do.

    The files of the work tree are held against the check's memory, all else against what is remembered here: which
    bytes DVC's caches have, which commits are here, which pictures lie in the work tree.
    """
    tree = work_tree(project)
    memory = CheckMemory(project, names, None)
    place = project.state_dir / "cache" / "checks" / f"updated-{_digest([*names, '', project.repository.prefix])}.json"
    before = read_remembered(place)
    known = memory.recall(tree) if before is not None else Known()
    cards = tuple(report.path for report in known.reports)
    if known.complete and before == _state(project, tree, cards) | _files(known):
        return Updated(cards=cards)
    from dvc_modelver.commands.cards.update import update_cards

    outcome = update_cards(project, names)
    cards = tuple(project.config.cards.path_of(model.name) for model in outcome.models)
    if not outcome.changed:
        now = _state(project, tree, cards)
        # What the check cannot remember either is not made for nothing at each commit.
        if now and before != now | _files(Known()):
            check_cards(project, names)
            write_remembered(place, now | _files(memory.recall(tree)))
    return Updated(cards=cards, steps=tuple((step.do, step.target) for step in outcome.steps))


def _files(known: Known) -> dict[str, str]:
    """What the reports were made from: it may have become other since, and a check have remembered that."""
    rows = (known.reads, known.entries, known.lists) if known.complete else ()
    return {"files": _digest([json.dumps(row, sort_keys=True) for row in rows])}


def _state(project: Project, tree: Tree, cards: Sequence[str]) -> dict[str, str]:
    """What an update looks at beyond the files that a check reads; empty while that may have changed unseen."""
    texts = [tree.read(path) or b"" for path in cards]
    bases = sorted({found.decode() for text in texts for found in _base.findall(text)})
    places = sorted(_places(project, tree))
    newest = max((changed for _, changed in places), default=0)
    if newest > project.around.now().timestamp() * 1e9 - _FRESH:
        return {}
    return {
        "cards": _digest([hashlib.sha256(text).hexdigest() for text in texts]),
        "pictures": _digest(list(tree.files("*.svg"))),
        "bases": _digest([base for base in bases if project.objects.commit(base) is not None]),
        "bytes": _digest([f"{path} {changed}" for path, changed in places]),
    }


def _places(project: Project, tree: Tree) -> Iterator[tuple[str, int]]:
    """Each directory of DVC's caches, and when an object came to it or went, in nanoseconds."""
    from dvc_modelver.dvcio.config import read_dvc_config

    folders = {Path(path).parent for path in tree.files("config") if path.startswith(".dvc/") or "/.dvc/" in path}
    for folder in {Path(".dvc"), *folders}:
        if (project.data_root / folder).is_dir():
            cache = read_dvc_config(project.data_root / folder, env=project.around.env).cache_dir
            for top in (cache, cache / "files" / "md5"):
                yield from _dated(top)


def _dated(top: Path) -> Iterator[tuple[str, int]]:
    try:
        yield str(top), os.stat(top).st_mtime_ns
        with os.scandir(top) as entries:
            yield from ((entry.path, entry.stat().st_mtime_ns) for entry in entries if entry.is_dir())
    except OSError:
        yield str(top), 0


def _digest(rows: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()
