"""The numbers of one model at one point: the files of the work tree, a version, a commit or an experiment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from dvc_modelver.cards.facts import Named, Need
from dvc_modelver.commands.bytes_at_hand import Bytes
from dvc_modelver.commands.cards.facts import CardSource, TreeReader
from dvc_modelver.commands.comparison.facts import FactsReader
from dvc_modelver.commands.comparison.points import Place
from dvc_modelver.commands.project import Project
from dvc_modelver.core.declarations import Declared
from dvc_modelver.core.facts import Values
from dvc_modelver.core.names import check_name
from dvc_modelver.core.references import canonical_name
from dvc_modelver.core.trees import Entry
from dvc_modelver.dvcio.project import declared
from dvc_modelver.dvcio.recipe import own_metrics, own_params
from dvc_modelver.errors import DataError, NotFound
from dvc_modelver.gitio.worktree import WorkTree, read_known

if TYPE_CHECKING:
    from dvc_modelver.core.predictions import Predictions


class Disk(WorkTree):
    """The files that lie in the work tree, also those that DVC keeps out of Git.

    A link into DVC's cache counts as not there, and so does a folder of which Git knows no file: what DVC's own files
    name is read from the cache then.
    """

    def __init__(self, root: Path, known: Sequence[str]) -> None:
        super().__init__(root, known)
        parts = (path.split("/") for path in known)
        self._folders = frozenset("/".join(names[:n]) for names in parts for n in range(1, len(names)))

    def entry(self, path: str) -> Entry | None:
        found = super().entry(path)
        if found is None or found.is_symlink or (found.is_directory and path not in self._folders):
            return None
        return found


@dataclass(frozen=True)
class Measured:
    """One model at one point.  Reads what is asked for, once."""

    source: CardSource
    exclude: tuple[str, ...] = ()
    """Files that are no measurement although `dvc.yaml` says so: the gate's own answer."""
    notes: list[str] = field(default_factory=list)
    """What could not be read, a sentence each."""

    @property
    def name(self) -> str:
        return self.source.declared.name

    @cached_property
    def metrics(self) -> Values:
        """The model's own metrics, as far as they are at hand."""
        found = self.source.reader.metrics(self.source.declared)
        names = {*found.values, *(problem.file for problem in found.problems)} - {*self.exclude}
        every = {name: found.values.get(name, {}) for name in names}
        own = own_metrics(self.source.commit, self.source.declared, every, self.source.recipe)
        self.notes.extend(problem.problem for problem in found.problems if problem.file in own)
        return {file: found.values[file] for file in sorted(own) if file in found.values}

    @cached_property
    def params(self) -> Values:
        """Those that the model was made with."""
        return own_params(self.source.reader.params(self.source.declared).values, self.source.recipe)

    def all_metrics(self, *, fetch: bool) -> Values:
        """The metrics, none missing: what DVC's cache lacks is brought from the remote if `fetch`.

        Raises `DataError` when one is not at hand, `BadInput` when a file is broken.
        """
        facts = self.source.facts(Named())
        if not facts.absent:
            return self.metrics
        if not fetch:
            raise DataError(f"{facts.absent[0]} is kept by DVC, and not at hand", hint="dvc fetch --all-tags")
        return self.source.complete(facts, [Need.MEASURES]).metrics

    def predictions(self) -> Mapping[str, Predictions]:
        """The per-sample predictions at hand, by path."""
        from dvc_modelver.commands.comparison.predictions import predictions_of

        found = predictions_of(self.source, self.source.at_hand, self.source.tree)
        self.notes.extend(found.notes)
        return found.predictions


def measure_files(project: Project, text: str, at_hand: Bytes, exclude: tuple[str, ...] = ()) -> Measured:
    """The model called `text` as the files on disk have it: no tag, no commit and not HEAD is looked at.

    Raises `NotFound` when none of them declares it.
    """
    tree = Disk(project.root, read_known(project.repository.git))
    one = _declared(tree, text, project.repository.prefix)
    return Measured(TreeReader(project, tree, at_hand).source(one), exclude)


def _declared(tree: Disk, text: str, prefix: str) -> Declared:
    known = {one.name: one for one in declared(tree).artifacts}
    return known[canonical_name(check_name(text), prefix, known)]


def measure_place(project: Project, place: Place, name: str, at_hand: Bytes, exclude: tuple[str, ...] = ()) -> Measured:
    """The model of that canonical name at a commit.  Raises `NotFound` when it is not declared there."""
    return Measured(source_at(FactsReader(project, [place], at_hand), place, name), exclude)


def source_at(reader: FactsReader, place: Place, name: str) -> CardSource:
    """The model at one of the reader's places.  Raises `NotFound` when it is not declared there."""
    source = reader.source(place, name)
    if source is None:
        raise NotFound(f"{place.ref} declares no model {name}", hint="modelver list shows what there is")
    return source
