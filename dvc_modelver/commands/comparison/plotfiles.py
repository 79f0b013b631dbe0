"""The files of plots at one point of history: which there are, and their bytes as far as they are at hand."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from dvc_modelver.commands.bytes_at_hand import Bytes
from dvc_modelver.commands.project import Project
from dvc_modelver.commands.worktrees import work_tree
from dvc_modelver.core.declarations import Declared
from dvc_modelver.core.facts import Output
from dvc_modelver.core.points import Point
from dvc_modelver.core.secrets import redact_text
from dvc_modelver.core.text import one_line
from dvc_modelver.core.trees import Tree
from dvc_modelver.dvcio import paths
from dvc_modelver.dvcio.locate import Commit, is_directory
from dvc_modelver.dvcio.plots import MAX_BYTES
from dvc_modelver.dvcio.plotted import DeclaredPlot, all_plots
from dvc_modelver.dvcio.project import declared_one
from dvc_modelver.dvcio.recipe import own_metrics, recipe_of
from dvc_modelver.errors import ModelverError
from dvc_modelver.gitio.worktree import WorkTree

_NAMED = 5
"""So many files of which nothing is shown are named for each reason."""


@dataclass(frozen=True, slots=True)
class DataFile:
    """Data of a plot, or a picture, at one point."""

    path: str
    output: Output | None = None
    """None for a file of the tree itself."""
    blob: str = ""
    """Its id in Git; empty in the work tree."""


class Files:
    """What all points share: the repository, DVC's cache, and what is not shown."""

    def __init__(self, project: Project, at_hand: Bytes) -> None:
        self.project = project
        self.at_hand = at_hand
        self.sizes: dict[str, int] = {}
        """Blob in Git -> bytes."""
        self._left: dict[str, dict[str, None]] = {}

    def leave(self, path: str, reason: str) -> None:
        """Remember that the data at `path` are not shown."""
        self._left.setdefault(reason, {})[path] = None

    def notes(self) -> Iterator[str]:
        """A sentence for each reason for which something is not shown."""
        for reason, found in self._left.items():
            some = ", ".join(one_line(redact_text(path), 80) for path in list(found)[:_NAMED])
            more = f" and {len(found) - _NAMED:,} more" if len(found) > _NAMED else ""
            yield f"{'plot' if len(found) == 1 else 'plots'} {some}{more}: {reason}"

    def measure(self, files: Iterable[DataFile]) -> None:
        """Ask Git for the sizes of the blobs: who reads one to see that it is too large has it in memory already."""
        blobs = {file.blob for file in files if file.blob}
        if blobs:
            question = "".join(f"{blob}\n" for blob in sorted(blobs)).encode("ascii")
            answer = self.project.repository.git.text(
                "cat-file", "--batch-check=%(objectname) %(objectsize)", stdin=question
            )
            pairs = (line.split(" ") for line in answer.splitlines())
            self.sizes = {oid: int(length) for oid, length in pairs if length.isdecimal()}


class PointFiles:
    """The files of one point."""

    def __init__(self, files: Files, point: Point) -> None:
        """Raises `DataError` when its commit is not in this clone."""
        project = files.project
        self.tree: Tree = work_tree(project) if point.commit is None else project.tree(point.commit)
        self.commit = Commit(self.tree)
        self._shared = files
        self._point = point

    def own_plots(self) -> tuple[DeclaredPlot, ...]:
        """Those of the model's own pipeline stages, and those of nobody's."""
        one = self._declared()
        if one is None:
            return ()
        found = tuple(all_plots(self.commit, one))
        every: dict[str, Mapping[str, None]] = {path: {} for plot in found for path in plot.paths}
        own = own_metrics(self.commit, one, every, recipe_of(self.commit, one))
        return tuple(plot for plot in found if any(path in own for path in plot.paths))

    def _declared(self) -> Declared | None:
        """A version may be of a commit that does not declare its model: then its record named the path."""
        found = declared_one(self.tree, self._point.name)
        artifact = self._point.facts.artifact
        if found is None and artifact is not None and artifact.path is not None:
            return Declared(name=self._point.name, file="dvc.yaml", path=artifact.path)
        return found

    def files(self, path: str, near: str) -> tuple[tuple[DataFile, ...], bool]:
        """The file at `path`, or the files of the directory there; and whether it is a directory."""
        if paths.is_url(path) or paths.through_symlink(self.tree, path) is not None:
            return (), False
        entry = self.tree.entry(path)
        if entry is not None and entry.is_directory:
            return tuple(self._own(name) for name in self.tree.files("*") if paths.inside(name, path)), True
        if entry is not None:
            return (self._own(path),), False
        located = self.commit.find(path, near)
        if located is None or not located.output.cached:
            return (), False
        if not is_directory(located.output):
            return ((DataFile(path, located.output),) if located.output.path == path else ()), False
        return self._listed(path, located.output, located.item.listing)

    def _own(self, path: str) -> DataFile:
        entry = self.tree.entry(path)
        return DataFile(path, blob=entry.oid if entry is not None else "")

    def _listed(
        self, path: str, output: Output, known: Iterable[tuple[str, str]] | None
    ) -> tuple[tuple[DataFile, ...], bool]:
        listed: Mapping[str, str] | None = dict(known) if known is not None else None
        if listed is None:
            with suppress(ModelverError):
                listed = self._shared.at_hand.listing(output)
        if listed is None:
            self._shared.leave(path, "its files are not at hand: dvc pull brings them")
            return (), True
        inner = (
            replace(output, path=f"{output.path}/{name}", digest=f"md5:{md5}", size=None, files=None)
            for name, md5 in sorted(listed.items())
        )
        found = tuple(DataFile(one.path, one) for one in inner if one.path == path or paths.inside(one.path, path))
        return found, [file.path for file in found] != [path]

    # Bytes ------------------------------------------------------------------------------------------------------

    def read(self, file: DataFile) -> bytes | None:
        """The bytes of a file; None for what is too large, no regular file, or not at hand."""
        try:
            if file.output is None:
                return self._small(file, self._on_disk(file.path)) if self._is_work_tree else self._in_git(file)
            known = self._in_cache(file.output)
            if known is None and self._is_work_tree:
                known = self._on_disk(file.path)
            if known is None:
                self._shared.leave(file.path, "kept by DVC and not at hand: dvc pull brings it")
            return self._small(file, known)
        except (OSError, ValueError, ModelverError) as error:
            self._shared.leave(file.path, getattr(error, "message", None) or "it cannot be read")
            return None

    @property
    def _is_work_tree(self) -> bool:
        return self._point.commit is None and self._shared.project.repository.root is not None

    def _in_git(self, file: DataFile) -> bytes | None:
        length = self._shared.sizes.get(file.blob, 0)
        return self._checked(file, self.tree.read(file.path) if length <= MAX_BYTES else None, length)

    def _in_cache(self, output: Output) -> Path | None:
        from dvc_modelver.dvcio.cache import output_id

        cache = self._shared.at_hand.cache_of(output.root)
        return cache.find(output_id(output)) if cache is not None and output.digest is not None else None

    @cached_property
    def _disk(self) -> WorkTree:
        return WorkTree(self._shared.project.root)

    def _on_disk(self, path: str) -> Path | None:
        """The regular file at `path` in the work tree, through no symbolic link."""
        entry = self._disk.entry(path)
        return self._shared.project.root / path if entry is not None and entry.mode.startswith("100") else None

    def _small(self, file: DataFile, place: Path | None) -> bytes | None:
        """Whoever looks at the size first never holds a file that is too large, nor waits for a pipe."""
        if place is None:
            return None
        known = place.stat()
        if not stat.S_ISREG(known.st_mode):
            return None
        return self._checked(file, place.read_bytes() if known.st_size <= MAX_BYTES else None, known.st_size)

    def _checked(self, file: DataFile, data: bytes | None, length: int) -> bytes | None:
        if length <= MAX_BYTES:
            return data
        self._shared.leave(file.path, f"a file of more than {MAX_BYTES >> 20} MiB is not shown")
        return None
