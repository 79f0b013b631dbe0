"""The metrics and params of very many versions of a model; what a commit says is kept, since commits never change.

One JSON file per model below the repository's own state, which may be deleted at any time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dvc_modelver.commands.comparison.sharedtrees import Listings, SharedTree
from dvc_modelver.commands.remembered import read_remembered, write_remembered
from dvc_modelver.core.facts import Values
from dvc_modelver.errors import ModelverError

if TYPE_CHECKING:
    from dvc_modelver.commands.bytes_at_hand import Bytes
    from dvc_modelver.commands.project import Project

AT_ONCE = 100
"""Commits whose files are held in memory together."""
_MEMORY = "report-1"
"""Bump it when the meaning of the file changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """What one commit says of one model."""

    metrics: Values = field(default_factory=dict)
    params: Values = field(default_factory=dict)
    """Those that it was made with."""


class NumbersReader:
    """Reads commits; what several of them share is read once."""

    def __init__(self, project: Project, name: str, at_hand: Bytes) -> None:
        self.problems: list[str] = []
        """What is missing or cannot be read, at most one sentence for each commit."""
        self._project = project
        self._name = name
        self._at_hand = at_hand
        self._listings: Listings = {}
        self._paths: tuple[str, ...] = ()
        self._file: Path = project.state_dir / "cache" / _MEMORY / f"{name.encode().hex()[-200:]}.json"
        self._known: Mapping[str, Any] = read_remembered(self._file) or {}
        self._rows: dict[str, Any] = {}
        """What is to be remembered: of commits that no version names any more nothing."""

    def read_ahead(self, commits: Sequence[str]) -> None:
        """Bring the files of these commits, except of those that are remembered, in few round trips."""
        missing = [commit for commit in commits if commit and _from_row(self._known.get(commit)) is None]
        if len(missing) > 1:
            self._project.objects.read_ahead(missing, self._paths or self._near())

    def _near(self) -> tuple[str, ...]:
        folder = self._name.rpartition(":")[0]
        return tuple(f"{folder}/{file}" if folder else file for file in ("dvc.yaml", "dvc.lock"))

    def read(self, commit: str, called: str) -> Numbers:
        """The numbers at a commit; nothing where it declares no such model.

        Args:
            called: what a sentence in `problems` calls it.
        """
        known = _from_row(self._known.get(commit))
        try:
            found, problem = (known, None) if known is not None else self._read(commit)
        except ModelverError as error:
            found, problem = Numbers(), error.message
        if problem is not None:
            self.problems.append(f"{called}: {problem}")
        else:
            self._rows[commit] = {"metrics": found.metrics, "params": found.params}
        return found

    def _read(self, commit: str) -> tuple[Numbers, str | None]:
        from dvc_modelver.commands.cards.facts import TreeReader
        from dvc_modelver.dvcio.project import declared_one
        from dvc_modelver.dvcio.recipe import own_params

        tree = SharedTree(self._project, commit, self._listings)
        one = declared_one(tree, self._name)
        if one is None:
            return Numbers(), None
        reader = TreeReader(self._project, tree, self._at_hand)
        metrics, params = reader.metrics(one), reader.params(one)
        own = own_params(params.values, reader.source(one).recipe)
        problem = next((found.problem for found in (*metrics.problems, *params.problems)), None)
        self._paths = tuple(dict.fromkeys((*self._near(), *tree.files("*.dvc"), *metrics.values, *params.values)))
        return Numbers(metrics=metrics.values, params=own), problem

    def remember(self) -> None:
        """Keep what was read without a problem: what is missing today may be there tomorrow."""
        if self._rows != self._known:
            write_remembered(self._file, self._rows)


def _from_row(row: object) -> Numbers | None:
    """What was remembered; None for what is none."""
    if not isinstance(row, dict):
        return None
    parts = [row.get("metrics"), row.get("params")]
    good = all(isinstance(part, dict) and all(isinstance(keys, dict) for keys in part.values()) for part in parts)
    return Numbers(**row) if good and len(row) == len(parts) else None
