"""Which objects of DVC a commit, the work tree or a version uses, and which of them are there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from dvc_modelver.commands.project import Project
from dvc_modelver.commands.worktrees import work_tree_of_dvc
from dvc_modelver.core.declarations import Declared
from dvc_modelver.core.facts import Output
from dvc_modelver.core.garbage import CACHE, Need, Stored
from dvc_modelver.core.records import Record
from dvc_modelver.core.trees import Tree
from dvc_modelver.core.verification import some_of
from dvc_modelver.dvcio import act
from dvc_modelver.dvcio.cache import Cache, output_id
from dvc_modelver.dvcio.config import DvcConfig, Remote, read_dvc_config
from dvc_modelver.dvcio.facts import slice_of
from dvc_modelver.dvcio.listing import ObjectId
from dvc_modelver.dvcio.locate import Commit, Located
from dvc_modelver.dvcio.project import declared_one
from dvc_modelver.errors import BadInput, DataError, ModelverError


class Used:
    """Answers from the files of commits; each commit is read once.

    Args:
        remote: count the DVC remotes' objects too.
    """

    def __init__(self, project: Project, *, remote: bool) -> None:
        self.project = project
        self.sizes: dict[Stored, int] = {}
        self._remote = remote
        self._configs: dict[str, DvcConfig] = {}
        self._commits: dict[str, Mapping[str, set[Stored]]] = {}
        self._oids: dict[Stored, tuple[str, ObjectId]] = {}
        self._remotes: dict[str, Remote] = {}
        self._work: Mapping[str, set[Stored]] | None = None
        self._notes: dict[str, None] = {}
        self._lost: dict[str, None] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """What people should know before they run anything."""
        if not self._lost:
            return tuple(self._notes)
        what = f"listings of directories are not at hand: {some_of(list(self._lost))}"
        return (*self._notes, f"warning: {what}: dvc fetch them first, or dvc gc takes their files")

    # Who uses what ----------------------------------------------------------------------------------------------

    def of_version(self, name: str, commit: str, record: Record | None) -> Mapping[str, set[Stored]]:
        """All outputs of a model's slice, by DVC repository.  Raises `BadInput` for a commit that cannot be read."""
        tree = self.project.tree(commit)
        declared = declared_one(tree, name)
        if declared is None and record is not None and record.path is not None:
            declared = Declared(name=name, file="dvc.yaml", path=record.path)
        if declared is None:
            return {}
        try:
            found = slice_of(tree, declared)
        except ValueError:  # a number of a million digits, say
            raise BadInput(f"the files of its commit {commit[:12]} cannot be read", hint="withdraw it") from None
        # DVC never counts what `dvc import` brought as used: it comes from its own repository again.
        imported = _imported(tree, [part.path for part in found.parts if part.kind == "dvc"])
        for path in sorted(imported):
            self._notes[
                f"note: {path} is imported: any dvc gc takes it from the cache, and dvc fetch brings it back"
            ] = None
        return self._grouped(output for output in found.outputs if output.path not in imported)

    def has_root(self, root: str) -> bool:
        """Whether the work tree has the DVC repository that lies at `root` in a commit; True without a work tree."""
        top = self.project.repository.root
        return top is None or (top / root / ".dvc").is_dir()

    def of_commit(self, commit: str, root: str) -> set[Stored]:
        """What a commit's files name in one DVC repository."""
        if commit not in self._commits:
            self._commits[commit] = self._of_tree(self.project.tree(commit))
        return self._commits[commit].get(root, set())

    def of_work_tree(self, root: str) -> set[Stored]:
        """What the files of the work tree name, those that DVC looks at there."""
        if self._work is None:
            self._work = {} if self.project.repository.bare else self._of_tree(work_tree_of_dvc(self.project))
        return self._work.get(root, set())

    def _of_tree(self, tree: Tree) -> Mapping[str, set[Stored]]:
        commit = Commit(tree)
        try:
            outputs = [one for one in commit.outputs().values() if not _is_import(commit, one)]
        except ValueError:  # as above; dvc ends there too
            raise BadInput(
                "a dvc.yaml or dvc.lock of the work tree or a branch cannot be read", hint="mend it"
            ) from None
        return self._grouped(located.output for located in outputs)

    def _grouped(self, outputs: Iterable[Output]) -> dict[str, set[Stored]]:
        found: dict[str, set[Stored]] = {}
        for output in outputs:
            if output.cached and output.digest is not None:
                try:
                    oids = self._objects(output, output_id(output))
                except DataError:  # cloud versioned: not in the cache at all
                    continue
                found.setdefault(output.root, set()).update(self._places(output, oids))
        return found

    def _objects(self, output: Output, oid: ObjectId) -> list[ObjectId]:
        if not oid.directory:
            return [oid]
        config = self._config(output.root)
        also = [remote.directory for remote in config.remotes.values() if remote.directory is not None]
        try:
            return list(Cache(config.cache_dir, also=tuple(also)).objects(oid))
        except ModelverError:
            self._lost[f"{output.path} ({oid.value[:12]})"] = None
            return [oid]

    def _places(self, output: Output, oids: Iterable[ObjectId]) -> Iterable[Stored]:
        places = [f"{CACHE}"]
        if self._remote:
            remote = self._config(output.root).remote(output.remote)
            self._remotes[remote.name] = remote
            places.append(f"remote {remote.name}")
        for place in places:
            for oid in oids:
                stored = (place, oid.file_name)
                self._oids[stored] = (output.root, oid)
                yield stored

    def _config(self, root: str) -> DvcConfig:
        if root not in self._configs:
            dvc_dir = self.project.data_root / root / ".dvc"
            config = self._configs[root] = read_dvc_config(dvc_dir, env=self.project.around.env)
            if not config.cache_dir.is_relative_to(config.dvc_dir):
                where = config.cache_dir
                self._notes[
                    f"warning: the cache {where} lies outside: dvc gc takes what other repositories keep there, "
                    "unless they are named with --projects"
                ] = None
        return self._configs[root]

    # Git --------------------------------------------------------------------------------------------------------

    def branch_tips(self) -> tuple[str, ...]:
        """The commits of the local branches: those that `--all-branches` means."""
        text = self.project.repository.git.text("for-each-ref", "--format=%(objectname)", "refs/heads/")
        return tuple(dict.fromkeys(text.split()))

    def committed(self, commit: str) -> int:
        """Committer time, seconds since the epoch."""
        found = self.project.objects.raw(commit)
        header = (found[1] if found is not None else b"").partition(b"\n\n")[0]
        line = next((row for row in header.split(b"\n") if row.startswith(b"committer ")), b"")
        words = line.rsplit(b" ", 2)
        return int(words[1]) if len(words) == 3 and words[1].lstrip(b"-").isdigit() else 0

    # What is there ----------------------------------------------------------------------------------------------

    def only_present(self, needs: Sequence[Need]) -> list[Need]:
        """The needs without objects that are not there: those cannot be lost."""
        wanted = {stored for need in needs for stored in need.objects}
        there = self._in_caches(wanted) | self._in_remotes(wanted)
        return [replace(need, objects=need.objects & there) for need in needs]

    def _in_caches(self, wanted: Iterable[Stored]) -> frozenset[Stored]:
        found = set()
        for stored in wanted:
            root, oid = self._oids[stored]
            if stored[0] == CACHE:
                found |= self._sized(stored, Cache(self._config(root).cache_dir).find(oid))
        return frozenset(found)

    def _in_remotes(self, wanted: Iterable[Stored]) -> frozenset[Stored]:
        found: set[Stored] = set()
        for name, remote in sorted(self._remotes.items()):
            own = {stored: self._oids[stored][1] for stored in wanted if stored[0] == f"remote {name}"}
            if remote.directory is not None:
                for stored, oid in own.items():
                    found |= self._sized(stored, Cache(remote.directory).find(oid))
            elif own:
                there = act.present(remote, sorted(own.values(), key=str))
                found |= {stored for stored, oid in own.items() if oid in there}
        return frozenset(found)

    def _sized(self, stored: Stored, place: Path | None) -> set[Stored]:
        if place is None:
            return set()
        self.sizes[stored] = place.stat().st_size
        return {stored}


def _imported(tree: Tree, files: Iterable[str]) -> set[str]:
    """The paths that `dvc import` brought from another repository."""
    commit = Commit(tree)
    return {
        located.output.path for file in files for located in commit.dvc_outputs(file) if _is_import(commit, located)
    }


def _is_import(commit: Commit, located: Located) -> bool:
    found = commit.dvc_file(located.file) if located.stage is None else None
    return found is not None and any(one.url is not None for one in found.imports)
