"""Which commits first made what a version was made of: one walk over the history for all of it."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from dvc_modelver.commands.bytes_at_hand import Bytes
from dvc_modelver.commands.project import Project
from dvc_modelver.core.facts import Output, Scalar
from dvc_modelver.core.lineage import Origin
from dvc_modelver.core.origins import First, Traced, trace
from dvc_modelver.dvcio import paths
from dvc_modelver.dvcio.items import tree_digest
from dvc_modelver.dvcio.locate import Commit
from dvc_modelver.dvcio.mentions import Mention, Mentions, ParamsFiles, Wanted, total_mark
from dvc_modelver.errors import DataError, ModelverError
from dvc_modelver.gitio.log import history_ends, parse_author, read_log, rewritten_by


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What to find the origin of; one of the fields is set (`inside` and `holds` belong to others)."""

    node: str
    """Its id, which the answer stands under."""
    digest: str | None = None
    """That a `dvc.lock` or `.dvc` file names as written; if none ever did, as read by a pipeline stage."""
    inside: tuple[Output, str] | None = None
    """The tracked directory that has it, and its path there, where the digest is of a part of a directory."""
    blob: str | None = None
    """Of a file in Git."""
    folder: str | None = None
    """Tree of a directory in Git."""
    entry: str | None = None
    """Digest of an entry of `dvc.lock`."""
    holds: str | None = None
    """A digest in that entry, where it has any."""
    imported: tuple[str | None, str, str | None] | None = None
    """(url, path, locked revision)."""
    values: tuple[str, Mapping[str, Scalar]] | None = None
    """(file, dotted key -> value) of params."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the history says of one thing."""

    origin: Origin | None
    returned: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ancestry:
    """What the history says of all that was asked."""

    answers: Mapping[str, Answer]
    notes: tuple[str, ...]
    """What it cannot say, and why."""
    complete: bool


def read_ancestry(project: Project, commit: str, asks: Sequence[Ask], at_hand: Bytes) -> Ancestry:
    """The origins in the history of `commit`.

    Raises `GitFailed` when the history cannot be read.
    """
    ends = history_ends(project.repository)
    reader = _Reader(project, asks, at_hand)
    history = read_log(project.repository.git, commit, folders=any(ask.folder for ask in asks))
    traced = trace(history, reader.marks, ends)
    answers = {ask.node: reader.answer(ask, traced) for ask in asks}
    notes: list[str] = []
    if traced.older:
        shown = ", ".join(sorted(end[:12] for end in ends)[:3])
        notes.append(f"this clone is shallow: its history ends at {shown}, and what was there already has no origin")
    if reader.missing:
        notes.append(f"{reader.missing} old states of DVC files and params are not in this clone")
    if reader.unlisted:
        notes.append(
            f"the listings of {len(reader.unlisted)} earlier states of directories are not at hand: what was inside "
            "them may be older than it is said here"
        )
    incomplete = bool(notes)
    rewritten = rewritten_by(project.repository)
    if rewritten is not None:
        notes.append(f"the repository has Git {rewritten}: they are ignored")
    return Ancestry(answers=answers, notes=tuple(notes), complete=not incomplete)


class _Reader:
    """Gives each thing asked for a bit, and says which of them a blob of the history has."""

    def __init__(self, project: Project, asks: Sequence[Ask], at_hand: Bytes) -> None:
        self._project = project
        self._at_hand = at_hand
        self._inside = [ask for ask in asks if ask.inside is not None]
        self._bits: dict[object, int] = {}
        self._blobs = {oid: self._bit(oid) for ask in asks for oid in (ask.blob, ask.folder) if oid}
        self._mentions = Mentions(
            Wanted(
                outs={ask.digest: self._bit("out", ask.digest) for ask in asks if ask.digest},
                deps={ask.digest: self._bit("dep", ask.digest) for ask in asks if ask.digest},
                entries={ask.entry: self._bit("entry", ask.entry) for ask in asks if ask.entry},
                hints=frozenset(ask.holds for ask in asks if ask.holds),
                every=any(ask.entry and not ask.holds for ask in asks),
                imports={ask.imported: self._bit("import", ask.imported) for ask in asks if ask.imported},
                listed=self._listed if self._inside else None,
            )
        )
        self._params: dict[str, ParamsFiles] = {}
        for name in {posixpath.basename(ask.values[0]) for ask in asks if ask.values}:
            same = [ask for ask in asks if ask.values and posixpath.basename(ask.values[0]) == name]
            self._params[name] = ParamsFiles({self._bit(a.node): a.values[1] for a in same if a.values})
        self._known: dict[tuple[str, str], int] = {}
        self.missing = 0
        self.unlisted: set[str] = set()
        """Earlier states of directories whose listings are not at hand, and which may have held what was asked for."""

    def _bit(self, *key: object) -> int:
        return self._bits.setdefault(key, 1 << len(self._bits))

    def marks(self, path: str, oid: str) -> int:
        """For `core.origins.trace`."""
        found = self._blobs.get(oid, 0)
        name = path.rpartition("/")[2]
        if name == "dvc.lock" or name.endswith(".dvc"):
            found |= self._once(path, oid, "")
        if name in self._params:
            found |= self._once(path, oid, name)
        return found

    def _once(self, path: str, oid: str, params: str) -> int:
        """The marks of a DVC file, or of a file of `params`; each blob is read once."""
        known = self._known.get((oid, params))
        if known is None:
            data = self._read(oid)
            if data is None:
                known = 0
            elif params:
                known = self._params[params].marks(data, path)
            else:
                known = total_mark(self._mentioned(path, data))
            self._known[oid, params] = known
        return known

    def _listed(self, digest: str, path: str) -> int:
        """The bits of what lies inside a tracked directory."""
        total = 0
        for ask in self._inside:
            output, inner = ask.inside or (None, "")
            if output is None or ask.digest is None:
                continue
            files = self._at_hand.listing(replace(output, digest=digest))
            if files is None:
                if posixpath.basename(path.rstrip("/")) == posixpath.basename(output.path):
                    self.unlisted.add(digest)
            elif _holds(files, inner, ask.digest):
                total |= self._bit("out", ask.digest)
        return total

    def _read(self, oid: str) -> bytes | None:
        found = self._project.objects.raw(oid)
        if found is None:
            self.missing += 1
            return None
        return found[1] if found[0] == "blob" else None

    def _mentioned(self, path: str, data: bytes) -> tuple[Mention, ...]:
        if path.endswith(".dvc"):
            return self._mentions.in_dvc_file(data, path)
        return self._mentions.in_lock(data, path)

    # Answers ----------------------------------------------------------------------------------------------------

    def answer(self, ask: Ask, traced: Traced) -> Answer:
        """The origin of one thing; none where the history ends before it."""
        for mark in self._marks_of(ask):
            first = traced.first.get(mark)
            if first is not None:
                returned = tuple(traced.returned.get(mark, ()))
                origin = None if traced.older & mark else self._origin(first, mark, in_git=bool(ask.blob or ask.folder))
                return Answer(origin=origin, returned=returned)
        return Answer(origin=None)

    def _marks_of(self, ask: Ask) -> Iterable[int]:
        if ask.digest is not None:
            return self._bit("out", ask.digest), self._bit("dep", ask.digest)
        if ask.entry is not None:
            return (self._bit("entry", ask.entry),)
        if ask.imported is not None:
            return (self._bit("import", ask.imported),)
        return (self._bit(ask.node) if ask.values is not None else self._bit(ask.blob or ask.folder),)

    def _origin(self, first: First, mark: int, *, in_git: bool) -> Origin:
        raw = self._project.objects.raw(first.commit)
        if raw is None:
            raise DataError(f"commit {first.commit} is missing", hint="git fsck; git fetch")
        author, at = parse_author(raw[1])
        path = first.path if in_git else self._path(first, mark)
        return Origin(commit=first.commit, author=author, at=at, path=path)

    def _path(self, first: First, mark: int) -> str:
        """Where in its repository the thing was that the file at `first` mentions."""
        name = first.path.rpartition("/")[2]
        if name in self._params or not (name == "dvc.lock" or name.endswith(".dvc")):
            return first.path
        data = self._read(first.blob) or b""
        mention = next((found for found in self._mentioned(first.path, data) if found.mark & mark), None)
        if mention is None:
            return first.path
        return self._from_root(first, mention)

    def _from_root(self, first: First, mention: Mention) -> str:
        folder = paths.directory(first.path)
        yaml = posixpath.join(folder, "dvc.yaml")
        if mention.stage is not None and mention.path == mention.stage:
            return f"{yaml}:{mention.stage}"
        if paths.is_url(mention.path):
            return mention.path
        commit = Commit(self._project.tree(first.commit))
        try:
            if mention.stage is None:
                found = commit.dvc_file(first.path)
                folder = posixpath.join(folder, found.wdir if found is not None else ".")
            elif b"wdir" in (commit.tree.read(yaml) or b""):
                pipeline = commit.pipeline(yaml)
                folder = (pipeline.workdir(mention.stage) if pipeline is not None else None) or folder
        except ModelverError:
            pass
        return paths.join(folder, mention.path) or first.path


def _holds(files: Mapping[str, str], inner: str, digest: str) -> bool:
    """Whether a directory's files hold that file, under whatever name, or that folder at `inner`."""
    if not digest.endswith(".dir"):
        return digest.removeprefix("md5:") in files.values()
    below = {name[len(inner) + 1 :]: md5 for name, md5 in files.items() if name.startswith(f"{inner}/")}
    return bool(below) and tree_digest(below.items()) == digest
