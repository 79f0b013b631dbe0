"""Which commits first made what a version was made of: one walk over the history for all of it."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from dvc_modelver.commands.bytes_at_hand import Bytes
from dvc_modelver.commands.project import Project
from dvc_modelver.commands.provenance.ancestryasks import Ask, questions
from dvc_modelver.commands.provenance.ancestrymemory import FORMAT, NEAR, AncestryMemory, Fact
from dvc_modelver.commands.provenance.ancestryorder import Order, Walk
from dvc_modelver.core.lineage import Origin
from dvc_modelver.core.origins import First, Start, Traced, trace
from dvc_modelver.dvcio import paths
from dvc_modelver.dvcio.items import tree_digest
from dvc_modelver.dvcio.locate import Commit
from dvc_modelver.dvcio.mentions import Mention, Mentions, ParamsFiles, Wanted, total_mark
from dvc_modelver.errors import DataError, ModelverError
from dvc_modelver.gitio.log import history_ends, parse_author, read_log, rewritten_by


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
    memory = None
    if not ends and _is_of_history_alone(project, asks):
        memory = AncestryMemory(project.state_dir / "cache" / FORMAT, project.repository.git)
    found = _recalled(project, commit, asks, at_hand, memory) if memory is not None else None
    if found is None:
        found = _walked(project, commit, asks, at_hand, ends, memory)
    rewritten = rewritten_by(project.repository)
    if rewritten is None:
        return found
    return replace(found, notes=(*found.notes, f"the repository has Git {rewritten}: they are ignored"))


def _is_of_history_alone(project: Project, asks: Iterable[Ask]) -> bool:
    """Whether the answers may be kept: listings of directories come and go."""
    names = {ask.values[0] for ask in asks if ask.values}
    return not project.foreign and not any(ask.inside for ask in asks) and not any(map(_is_dvc_file, names))


def _is_dvc_file(path: str) -> bool:
    name = path.rpartition("/")[2]
    return name == "dvc.lock" or name.endswith(".dvc")


def _walked(
    project: Project,
    commit: str,
    asks: Sequence[Ask],
    at_hand: Bytes,
    ends: frozenset[str],
    memory: AncestryMemory | None,
) -> Ancestry:
    """By a walk over the whole history, which is then remembered."""
    folders = any(ask.folder for ask in asks)
    walk = Walk(Order(len(commit) // 2, folders=folders))
    reader = _Reader(project, asks, at_hand, walk if memory is not None else None)
    history = read_log(project.repository.git, commit, folders=folders)
    traced = trace(history if memory is None else walk.follow(history), reader.marks, ends)
    reader.learn(traced)
    notes = _notes(reader, traced, ends)
    if memory is not None and not notes:
        reader.keep(memory, commit, walk)
    return Ancestry(answers=reader.answers(), notes=tuple(notes), complete=not notes)


def _notes(reader: _Reader, traced: Traced, ends: frozenset[str]) -> list[str]:
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
    return notes


def _recalled(
    project: Project, commit: str, asks: Sequence[Ask], at_hand: Bytes, memory: AncestryMemory
) -> Ancestry | None:
    """From what is remembered and the commits since; None when the whole history has to be asked."""
    recalled = memory.recall(commit, [question for ask in asks for question in questions(ask)])
    if recalled is None:
        return None
    walk = Walk(recalled.order)
    long = len(recalled.history) > NEAR
    reader = _Reader(project, asks, at_hand, walk if long else None)
    traced = Traced()
    if recalled.history:
        start = Start(recalled.start, _files(project, recalled.start), reader.known(recalled.facts))
        history = walk.follow(recalled.history) if long else recalled.history
        traced = trace(history, reader.marks, start=start)
    if reader.missing:
        return None
    reader.learn(traced, recalled.facts)
    if long:
        reader.keep(memory, commit, walk)
    return Ancestry(answers=reader.answers(), notes=(), complete=True)


def _files(project: Project, commit: str) -> list[tuple[str, str]]:
    """(path, id) of the files and folders of a commit."""
    found: list[tuple[str, str]] = []
    for line in project.repository.git.run("ls-tree", "-r", "-t", "-z", "--full-tree", commit).split(b"\0"):
        head, tab, path = line.partition(b"\t")
        if tab and head.startswith((b"100", b"040")):
            found.append((path.decode("utf-8", "surrogateescape"), head.rpartition(b" ")[2].decode("ascii")))
    return found


class _Reader:
    """Gives each thing asked for a bit, and says which of them a blob of the history has."""

    def __init__(self, project: Project, asks: Sequence[Ask], at_hand: Bytes, walk: Walk | None) -> None:
        noted = walk.noted if walk is not None else None
        self._project = project
        self._asks = asks
        self._at_hand = at_hand
        self._inside = [ask for ask in asks if ask.inside is not None]
        self._bits: dict[object, int] = {}
        self._blobs = {oid: self._bit(oid) for ask in asks for oid in (ask.blob, ask.folder) if oid}
        self._mentions = Mentions(
            Wanted(
                outs={ask.digest: self._bit("out", ask.digest) for ask in asks if ask.digest},
                deps={ask.digest: self._bit("dep", ask.digest) for ask in asks if ask.digest},
                entries={ask.entry: self._bit("entry", ask.entry) for ask in asks if ask.entry},
                hints=frozenset(ask.holds[0] for ask in asks if ask.holds),
                every=any(ask.entry and not ask.holds for ask in asks),
                imports={ask.imported: self._bit("import", ask.imported) for ask in asks if ask.imported},
                listed=self._listed if self._inside else None,
            ),
            noted,
        )
        self._params: dict[str, ParamsFiles] = {}
        for name in {posixpath.basename(ask.values[0]) for ask in asks if ask.values}:
            same = [ask for ask in asks if ask.values and posixpath.basename(ask.values[0]) == name]
            self._params[name] = ParamsFiles({self._bit(a.node): a.values[1] for a in same if a.values}, noted)
        self._known: dict[tuple[str, str], int] = {}
        self._traced = Traced()
        self._facts: Mapping[str, Fact] = {}
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

    def known(self, facts: Mapping[str, Fact]) -> int:
        """The marks of what was there according to `facts`."""
        total = 0
        for ask in self._asks:
            for mark, question in zip(self._marks_of(ask), questions(ask), strict=True):
                total |= mark if facts[question.key].first is not None else 0
        return total

    def learn(self, traced: Traced, facts: Mapping[str, Fact] | None = None) -> None:
        """Answer from a walk, and from what is true up to where it began."""
        self._traced, self._facts = traced, facts or {}

    def answers(self) -> dict[str, Answer]:
        """By node; without an origin where the history ends before it."""
        return {ask.node: self._answer(ask) for ask in self._asks}

    def _answer(self, ask: Ask) -> Answer:
        for mark, question in zip(self._marks_of(ask), questions(ask), strict=True):
            fact = self._fact(ask, mark, question.key)
            if fact.first is not None:
                origin = None if self._traced.older & mark else self._origin(fact.first[1], fact.first[2])
                return Answer(origin=origin, returned=tuple(commit for _, commit in fact.returned))
        return Answer(origin=None)

    def keep(self, memory: AncestryMemory, commit: str, walk: Walk) -> None:
        """Remember the answers, when nothing speaks against it."""
        if walk.noted.doubtful:
            return
        facts = {
            question.key: self._fact(ask, mark, question.key, walk.positions)
            for ask in self._asks
            for mark, question in zip(self._marks_of(ask), questions(ask), strict=True)
        }
        names = {name for ask in self._asks for question in questions(ask) for name, _ in question.values}
        walk.finish()
        memory.keep(commit, walk, facts, names)

    def _fact(self, ask: Ask, mark: int, key: str, positions: Mapping[str, int] | None = None) -> Fact:
        known = self._facts.get(key, Fact())
        found = self._traced.first.get(mark)
        first = known.first
        if first is None and found is not None:
            path = found.path if ask.blob or ask.folder else self._path(found, mark)
            first = ((positions or {}).get(found.commit, 0), found.commit, path)
        returned = (((positions or {}).get(commit, 0), commit) for commit in self._traced.returned.get(mark, ()))
        return Fact(first=first, returned=(*known.returned, *returned))

    def _marks_of(self, ask: Ask) -> tuple[int, ...]:
        """Of the questions that it is made of."""
        if ask.digest is not None:
            return self._bit("out", ask.digest), self._bit("dep", ask.digest)
        if ask.entry is not None:
            return (self._bit("entry", ask.entry),)
        if ask.imported is not None:
            return (self._bit("import", ask.imported),)
        return (self._bit(ask.node) if ask.values is not None else self._bit(ask.blob or ask.folder),)

    def _origin(self, commit: str, path: str) -> Origin:
        raw = self._project.objects.raw(commit)
        if raw is None:
            raise DataError(f"commit {commit} is missing", hint="git fsck; git fetch")
        author, at = parse_author(raw[1])
        return Origin(commit=commit, author=author, at=at, path=path)

    def _path(self, first: First, mark: int) -> str:
        """Where in its repository the thing was that the file at `first` mentions."""
        name = first.path.rpartition("/")[2]
        if name in self._params or not _is_dvc_file(name):
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
