"""What is wrong with a tag that is about to be pushed: its object, its record, its commit; not its bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dvc_modelver.core.declarations import Declared, DeclaredAll
from dvc_modelver.core.facts import ArtifactFacts, Source
from dvc_modelver.core.records import Record
from dvc_modelver.core.tagobjects import TagObject, tag_problem
from dvc_modelver.core.tags import PREFIX, Event, TagName
from dvc_modelver.core.text import quoted
from dvc_modelver.core.trees import Entry
from dvc_modelver.core.verification import record_differs
from dvc_modelver.errors import BadInput, ExitCode, ModelverError
from dvc_modelver.gitio.objects import CommitTree, Objects
from dvc_modelver.gitio.process import GitProcess
from dvc_modelver.hooks.pushed import PushedTag

_RECORD = b"\nModelver-Format:"
_HOLD_BYTES = (Event.RELEASE, Event.PROMOTE)


@dataclass(frozen=True, slots=True)
class TagFault:
    """One reason not to push a tag."""

    ref: str
    problem: str
    remedy: str
    code: ExitCode = ExitCode.REFUSED


def _anew(row: PushedTag) -> str:
    """What to do instead; a tag of this clone that has the name and is not what is pushed is not to blame."""
    if row.local != f"{PREFIX}{row.ref}":
        return "make it with modelver, and push it under its own name"
    return f"git tag -d -- {quoted(row.ref)}, then make it with modelver"


class PushedTags:
    """The tags of one push and what they lead to, read in few round trips."""

    def __init__(self, git: GitProcess, objects: Objects, rows: Sequence[PushedTag]) -> None:
        self._git = git
        self._objects = objects
        self.objects: Mapping[str, TagObject] = objects.tags([row.oid for row in rows if row.oid])
        self._facts: dict[tuple[str, str | None, str | None, str | None], ArtifactFacts] = {}
        self._unreadable = self._unreadable_records()
        self._declarations: dict[tuple[str, str | None, str | None], DeclaredAll] = {}
        self._commits: dict[str, str | None] = {}
        self._blobs: dict[tuple[str, str], tuple[str | None, str | None]] = {}
        self._read_ahead(rows)

    def _read_ahead(self, rows: Sequence[PushedTag]) -> None:
        names = {row.name.name for row in rows if row.name is not None and row.name.event in _HOLD_BYTES}
        commits = [tag.target for tag in self.objects.values() if tag.target_type == "commit"]
        if len(commits) > 1:
            self._objects.read_ahead(list(dict.fromkeys(commits)), sorted({f for name in names for f in _near(name)}))

    def grouped(self, rows: Sequence[PushedTag]) -> list[PushedTag]:
        """The rows with those together whose commits share their DVC files: these are parsed once then."""
        return sorted(rows, key=self._files)

    def _files(self, row: PushedTag) -> tuple[str, str]:
        tag = self.objects.get(row.oid)
        if tag is None or tag.target_type != "commit" or row.name is None:
            return "", ""
        try:
            pipeline, lock = self._near_blobs(row.name.name, tag.target)
        except ModelverError:  # said of the tag when it is looked at
            return "", ""
        return pipeline or "", lock or ""

    def _near_blobs(self, name: str, commit: str) -> tuple[str | None, str | None]:
        """The ids of the `dvc.yaml` and the `dvc.lock` that a commit has where the artifact is declared."""
        near = _near(name)
        key = (near[0], commit)
        if key not in self._blobs:
            tree = CommitTree(self._objects, commit, self._git)
            pipeline, lock = (tree.entry(path) for path in near)
            self._blobs[key] = (pipeline.oid if pipeline else None, lock.oid if lock else None)
        return self._blobs[key]

    def _unreadable_records(self) -> frozenset[str]:
        """Tags with the mark of a record and none that can be read; one question, since GTO's tags have none."""
        oids = [oid for oid, tag in self.objects.items() if tag.record is None]
        if not oids or _RECORD not in self._git.run("cat-file", "--batch", stdin="\n".join([*oids, ""]).encode()):
            return frozenset()
        found = ((oid, self._objects.raw(oid)) for oid in oids)
        return frozenset(oid for oid, raw in found if raw is not None and _RECORD in raw[1])

    # One tag ----------------------------------------------------------------------------------------------------

    def fault(self, row: PushedTag, remote: str) -> TagFault | None:
        """Why the tag must not go out as it is; None when all of it but its bytes is sound."""
        if not row.oid:
            return self._deleted(row, remote)
        if row.there and row.there != row.oid and self._is_ours(row, row.there):
            problem = f"it would be moved: {remote} has it as {row.there[:12]}"
            return TagFault(row.ref, problem, "git fetch --tags --force; what was released never moves: release anew")
        tag = self.objects.get(row.oid)
        if row.name is None or tag is None:
            return self._malformed(row)
        wrong = tag_problem(tag, row.ref, row.name.name) or self._record_problem(row.name, tag)
        if wrong is not None:
            return TagFault(row.ref, wrong, _anew(row))
        if row.name.event not in _HOLD_BYTES:
            return None
        try:
            return self._commit_fault(row, row.name, tag)
        except ModelverError as error:
            return TagFault(row.ref, error.message, error.hint or "modelver doctor says more", error.code)

    def _record_problem(self, name: TagName, tag: TagObject) -> str | None:
        """Whether the record can be read and speaks of the very event that the tag's name says."""
        record = tag.record
        if record is None:
            return "its record cannot be read" if tag.oid in self._unreadable else None
        pairs = [("event", record.event, name.event.value), ("model", record.model, name.name)]
        if name.version is not None:
            pairs.append(("version", record.version or "none", str(name.version)))
        if name.stage is not None:
            pairs.append(("stage", record.stage or "none", name.stage))
        wrong = next(((what, said, wanted) for what, said, wanted in pairs if said != wanted), None)
        return f"its record is of {wrong[0]} {wrong[1]}, not {wrong[2]}" if wrong is not None else None

    def _deleted(self, row: PushedTag, remote: str) -> TagFault | None:
        if not self._is_ours(row, row.there):
            return None
        name = row.name
        remedy = "what happened stays in the history: leave the tag"
        if name is not None and name.event is Event.RELEASE:
            remedy = f"modelver withdraw {name.name}@{name.version} -m WHY takes it out of use"
        elif name is not None and name.event is Event.PROMOTE:
            remedy = f"modelver withdraw {name.name}#{name.stage} empties the stage"
        return TagFault(row.ref, f"it would be deleted from {remote}", remedy)

    def _malformed(self, row: PushedTag) -> TagFault | None:
        if not self._is_ours(row, row.oid):
            return None
        if row.name is None:
            return TagFault(row.ref, "that is no name of a version or a stage", "NAME@vX.Y.Z, or NAME#STAGE#N")
        problem = "it is a lightweight tag, which says neither who made it nor what was released"
        return TagFault(row.ref, problem, _anew(row))

    def _is_ours(self, row: PushedTag, oid: str) -> bool:
        """Whether it speaks of an artifact: other tools make tags of such names too (`package@1.2.3`)."""
        tag = self._objects.tags([oid]).get(oid)
        if tag is not None and tag.record is not None:
            return True
        if self._objects.resolve(oid) is None:
            return row.name is not None  # only the remote has it
        commit = self._objects.commit(oid)
        name = row.name.name if row.name is not None else row.ref.partition("@")[0].partition("#")[0].replace("=", ":")
        if commit is None:
            return row.name is not None
        try:
            return self._declared(CommitTree(self._objects, commit, self._git), name) is not None
        except ModelverError:
            return row.name is not None

    # Its commit -------------------------------------------------------------------------------------------------

    def commit_of(self, row: PushedTag) -> str | None:
        """The commit that the tag leads to; None when it is not here."""
        tag = self.objects.get(row.oid)
        if tag is not None and tag.target_type == "commit":
            return tag.target
        if row.oid not in self._commits:
            self._commits[row.oid] = self._objects.commit(row.oid)
        return self._commits[row.oid]

    def _commit_fault(self, row: PushedTag, name: TagName, tag: TagObject) -> TagFault | None:
        commit = self.commit_of(row)
        if commit is None:
            return TagFault(row.ref, f"its commit {tag.target[:12]} is not here", "git fetch --tags")
        if name.event is Event.PROMOTE or tag.record is None:
            return None
        tree = CommitTree(self._objects, commit, self._git)
        lines = [*tag.record.blobs, *([tag.record.card] if tag.record.card is not None else [])]
        for line in lines:
            entry = tree.entry(line.path)
            if entry is None or entry.oid != line.oid:
                what = "its card" if line is tag.record.card else line.path
                there = f"its commit has {entry.oid[:12]}" if entry is not None else "its commit has none"
                problem = f"{what} is not as its record says: {line.path} should be {line.oid[:12]}, {there}"
                return TagFault(row.ref, problem, "do not push it; release again")
        facts = self.facts(name.name, commit, tag.record)
        if facts.source is Source.MISSING:
            problem = f"its commit does not say which bytes it is: {facts.problem}"
            return TagFault(row.ref, problem, "release a sound version")
        differing = record_differs(tag.record, facts)
        return TagFault(row.ref, *differing) if differing is not None else None

    def facts(self, name: str, commit: str, record: Record | None) -> ArtifactFacts:
        """Where the bytes of an artifact are at that commit; parsed once for commits with the same DVC files.

        Raises `BadInput` when a file cannot be read.
        """
        from dvc_modelver.dvcio.facts import artifact_facts

        recorded = record.path if record is not None else None
        key = (name, *self._near_blobs(name, commit), recorded)
        known = self._facts.get(key)
        if known is not None:
            return known
        tree, near = CommitTree(self._objects, commit, self._git), _near(name)
        declared = self._declared(tree, name)
        if declared is None and recorded is not None:
            declared = Declared(name=name, file=near[0], path=recorded)
        found = artifact_facts(tree, declared)
        if set(found.files_read) <= set(near):
            self._facts[key] = found
        return found

    def _declared(self, tree: CommitTree, name: str) -> Declared | None:
        """The artifact as the commit declares it; files that many commits share are parsed once for all their names.

        Raises `BadInput` when a file that may declare it cannot be read.
        """
        from dvc_modelver.dvcio.project import GTO_YAML, declared

        file = _near(name)[0]
        pipeline, old = tree.entry(file), tree.entry(GTO_YAML)
        key = (file, pipeline.oid if pipeline is not None else None, old.oid if old is not None else None)
        if key not in self._declarations:
            self._declarations[key] = declared(_OneFile(tree, file))
        found = self._declarations[key]
        one = next((artifact for artifact in found.artifacts if artifact.name == name), None)
        if one is None or one.file != file:
            for problem in found.problems:
                if problem.file == file or (one is None and ":" not in name):
                    raise BadInput(f"{problem.problem} (at {tree.commit[:12]})")
        return one


class _OneFile:
    """A commit of which one `dvc.yaml` is to be found; fills the role of `core.trees.Tree`."""

    def __init__(self, tree: CommitTree, file: str) -> None:
        self._tree = tree
        self._file = file

    def entry(self, path: str) -> Entry | None:
        return self._tree.entry(path)

    def read(self, path: str) -> bytes | None:
        return self._tree.read(path)

    def files(self, *_: str) -> Iterator[str]:
        return iter((self._file,))


def _near(name: str) -> tuple[str, str]:
    """The files that nearly always say where an artifact's bytes are."""
    folder = name.rpartition(":")[0]
    return (f"{folder}/dvc.yaml", f"{folder}/dvc.lock") if folder else ("dvc.yaml", "dvc.lock")
