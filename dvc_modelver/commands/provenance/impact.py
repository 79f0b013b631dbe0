"""`impact`: which versions were made from a file, some bytes, an import or a param, and which cannot be ruled out.

What a commit says of a model never changes, so it is kept in one JSON file per model under the Git common directory;
the parsers are imported only for versions that are new since.  Those files may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from dvc_modelver.commands.bytes_at_hand import Bytes
from dvc_modelver.commands.project import Project
from dvc_modelver.commands.provenance.impactlistings import Listings
from dvc_modelver.commands.provenance.impactmemory import FORMAT, Memory, file_name
from dvc_modelver.commands.provenance.impactreader import Reader, thing_of
from dvc_modelver.core.impact import (
    Found,
    Making,
    Param,
    Thing,
    Verdict,
    Wanted,
    digest_query,
    is_other_digest,
    is_wanted,
    judge,
    plain_url,
    resolve_digest,
)
from dvc_modelver.core.names import near
from dvc_modelver.core.registry import Model
from dvc_modelver.core.text import redact
from dvc_modelver.core.versions import Version
from dvc_modelver.dvcio import paths
from dvc_modelver.errors import BadInput, DataError, ModelverError, NotFound

if TYPE_CHECKING:
    from dvc_modelver.core.trees import Tree
    from dvc_modelver.dvcio.locate import Commit, Located

_AT_ONCE = 100
"""Commits whose files are held in memory together."""
_ARGUMENTS = 1000
"""Ids that one git is started with."""
_NOTHING = frozenset({"md5:d41d8cd98f00b204e9800998ecf8427e"})
"""Of an empty file: whoever asks for a path does not ask for every empty file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Affected:
    """A version that was made from what was asked for."""

    name: str
    version: Version
    stages: tuple[str, ...]
    """That it holds today, or held at the moment asked for."""
    withdrawn: bool
    path: tuple[str, ...]
    """Ids from what was asked for to the version."""
    values: tuple[Found, ...] = ()
    """The params that were asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A version that cannot be ruled out."""

    name: str | None
    """None for versions that this clone may not know of."""
    version: Version | None
    path: str | None
    digest: str | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unrecorded:
    """A version whose commit does not say where its bytes came from."""

    name: str
    version: Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """The whole answer."""

    query: str
    at: datetime | None
    matches: tuple[Found, ...]
    versions: tuple[Affected, ...]
    measured: tuple[Affected, ...]
    """Not made from it, only measured with it."""
    unknown: tuple[Unknown, ...]
    unrecorded: tuple[Unrecorded, ...]
    total: int
    """Versions that were looked at."""

    @property
    def complete(self) -> bool:
        """Whether every version was either found or ruled out."""
        return not self.unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """One version, and what its commit says of it."""

    model: Model
    version: Version
    commit: str
    making: Making


def impact(
    project: Project, query: str, *, rev: str | None = None, at: datetime | None = None, offline: bool = False
) -> Impact:
    """Which versions of which models were made from what `query` names.

    Args:
        query: a path, a digest or at least 8 hex digits of one, `FILE:KEY[=VALUE]` of a param, `URL[:PATH]` of an
            import.
        rev: take the path's bytes from this revision only.
        at: say which stages the versions held then.
        offline: do not ask the DVC remote for directory listings.

    Raises:
        BadInput: the query is none, or several digests begin so.
        NotFound: no version, HEAD or work tree knows it.
        DataError: what the path held at `rev` cannot be known.
    """
    with Bytes(project) as at_hand:
        search = _Search(project, at_hand, offline)
        try:
            return search.answer(query, rev, at)
        finally:
            search.memory.save()


class _Search:
    """One question to all versions."""

    def __init__(self, project: Project, at_hand: Bytes, offline: bool) -> None:
        self.project = project
        self.offline = offline
        self.memory = Memory(project.state_dir / "cache" / FORMAT)
        self.listings = Listings(project, at_hand, self.memory)
        self.unread: list[Unknown] = []

    def answer(self, query: str, rev: str | None, at: datetime | None) -> Impact:
        rows = self.rows
        wanted = self._wanted(query, rev)
        verdicts = self._judge(wanted)
        found = {one for verdict in verdicts for one in verdict.found} | self.elsewhere
        unknown = self._unknown(verdicts)
        if not found and not unknown:
            self._refuse_unheard_of(query, wanted)
        stages = _Stages(self.project, at)
        return Impact(
            query=query,
            at=at,
            matches=tuple(sorted(found, key=lambda one: (one.path, one.digest or "", str(one.value)))),
            versions=tuple(_affected(r, v.way, stages, v.found) for r, v in zip(rows, verdicts, strict=True) if v.way),
            measured=tuple(
                _affected(r, v.measured_with, stages)
                for r, v in zip(rows, verdicts, strict=True)
                if v.measured_with and not v.way
            ),
            unknown=unknown,
            unrecorded=tuple(
                Unrecorded(name=r.model.name, version=r.version)
                for r, v in zip(rows, verdicts, strict=True)
                if not r.making.recorded and not v.way
            ),
            total=len(rows) + len({(u.name, u.version) for u in self.unread if u.version is not None}),
        )

    # Versions ---------------------------------------------------------------------------------------------------

    @cached_property
    def rows(self) -> list[_Row]:
        """Every version that can be read, withdrawn ones too: by model, the highest first."""
        models = self.project.registry.models
        if self.project.foreign:
            _bring_dvc_files(self.project)
        rows = [row for name in sorted(models) for row in self._rows_of(models[name])]
        hidden = [problem for problem in self.project.registry.problems if "@v" in problem.ref]
        if hidden:
            what = f"{hidden[0].ref}: {hidden[0].problem}" + (f", and {len(hidden) - 1} more" if hidden[1:] else "")
            self.project.around.say(f"warning: tags that are no sound versions were not looked at ({what})")
        if self.project.repository.shallow:
            reason = "this clone is shallow: it may lack versions and their tags: git fetch --unshallow --tags"
            self.unread.append(Unknown(name=None, version=None, path=None, digest=None, reason=reason))
        return rows

    def _rows_of(self, model: Model) -> Iterator[_Row]:
        known = self.memory.makings(model.name)
        versions = model.versions[::-1]
        commits = {version: model.release_ref(version).target or "" for version in versions}
        missing = list(dict.fromkeys(commit for commit in commits.values() if commit not in known))
        problems: dict[str, str] = {}
        for start in range(0, len(missing), _AT_ONCE):
            self.project.around.progress(start, len(missing), f"reading the versions of {model.name}")
            self._read(model, missing[start : start + _AT_ONCE], known, problems)
        self.project.around.progress(len(missing), len(missing), f"reading the versions of {model.name}")
        for version in versions:
            making = known.get(commits[version])
            if making is not None:
                yield _Row(model=model, version=version, commit=commits[version], making=making)
            else:
                reason = problems.get(commits[version], "its commit cannot be read")
                self.unread.append(Unknown(name=model.name, version=version, path=None, digest=None, reason=reason))

    def _read(self, model: Model, commits: Sequence[str], known: dict[str, Making], problems: dict[str, str]) -> None:
        folder = model.name.rpartition(":")[0]
        files = [f"{folder}/{file}" if folder else file for file in ("dvc.yaml", "dvc.lock")]
        self.project.objects.read_ahead(commits, files)
        for commit in commits:
            try:
                known[commit] = Reader(self.project, model, commit, self.memory).making()
                self.memory.changed.add(model.name)
            except ModelverError as error:
                problems[commit] = f"{error.message}: {error.hint}" if error.hint else error.message

    @cached_property
    def things(self) -> tuple[Thing, ...]:
        """Everything that any version was made from or measured with, each once."""
        makings = {id(row.making): row.making for row in self.rows}.values()
        actions = {id(a): a for m in makings for a in (*m.actions, *m.measuring)}.values()
        return tuple(
            dict.fromkeys(
                (*(m.artifact for m in makings if m.artifact), *(t for a in actions for t in (*a.inputs, *a.outs)))
            )
        )

    # Judging ----------------------------------------------------------------------------------------------------

    def _judge(self, wanted: Wanted) -> list[Verdict]:
        self.listings.ask(wanted)
        verdicts = [self._verdict(row, wanted) for row in self.rows]
        if self.listings.missing and not self.offline and self.listings.fetch():
            verdicts = [
                self._verdict(row, wanted) if verdict.doubts else verdict
                for row, verdict in zip(self.rows, verdicts, strict=True)
            ]
        return verdicts

    def _verdict(self, row: _Row, wanted: Wanted) -> Verdict:
        node = f"version:{row.model.name}@{row.version}"
        return judge(row.making, node, wanted, lambda thing: self.listings.look(thing, row.commit))

    def _unknown(self, verdicts: Sequence[Verdict]) -> tuple[Unknown, ...]:
        doubted = (
            Unknown(name=row.model.name, version=row.version, path=d.path, digest=d.digest, reason=redact(d.reason))
            for row, verdict in zip(self.rows, verdicts, strict=True)
            for d in verdict.doubts
        )
        return (*doubted, *self.unread)

    # What is asked for ------------------------------------------------------------------------------------------

    elsewhere: frozenset[Found] = frozenset()
    """Where HEAD, the work tree, or the revision asked for has it."""

    def _wanted(self, query: str, rev: str | None) -> Wanted:
        if not query.strip() or "\0" in query:
            raise BadInput("there is nothing to look for", hint="name a file, a digest, or FILE:KEY of a param")
        imported = Wanted(origin=query, rev=rev)
        if any(is_wanted(thing, imported) for thing in self.things):
            return imported
        if "://" in query:
            raise NotFound(f"no version was made from {redact(query)}", hint=self._near(plain_url(query)))
        path = self._path(query)
        if rev is not None:
            if path is None or (not self._is_there(path) and self._is_no_path(query)):
                raise BadInput("--rev goes with a path or an import", hint="leave it out")
            return self._path_wanted(path, rev)
        if path is not None and (any(_touches(t.path, path) for t in self.things) or self._is_there(path)):
            return self._path_wanted(path)
        if is_other_digest(query):
            return Wanted(digests=frozenset({query}))
        digest = digest_query(query)
        if digest is not None:
            return self._digest_wanted(*digest)
        param = self._param(query)
        if param is not None:
            return Wanted(param=param)
        if path is not None and self._knows(path):
            return self._path_wanted(path)
        raise NotFound(
            f"{redact(query)[:200]} is known to no version, nor to HEAD or the work tree",
            hint=self._near(path or query),
        )

    def _path(self, text: str) -> str | None:
        """The path from the root; None when it leads out of the repository."""
        root = self.project.repository.root
        if os.path.isabs(text):
            if root is None:
                return None
            with suppress(ValueError, OSError):
                return (Path(text).parent.resolve() / Path(text).name).relative_to(root.resolve()).as_posix()
            return None
        return paths.folder(self.project.repository.prefix, text) or None

    def _is_there(self, path: str) -> bool:
        """Whether HEAD or the work tree has a file or folder there, DVC's or Git's."""
        root = self.project.repository.root
        if root is not None and os.path.lexists(root / path):
            return True
        return self.project.head is not None and self.project.tree(self.project.head).entry(path) is not None

    def _knows(self, path: str) -> bool:
        """Whether HEAD, the work tree or the commit of a version has bytes at `path`, wherever their files say so."""
        self.elsewhere = frozenset(self._in_trees(path))
        return bool(self.elsewhere or self._near_at(path))

    def _is_no_path(self, query: str) -> bool:
        """Whether it is a digest or a param, when no version has a path of that name."""
        looks_other = is_other_digest(query) or digest_query(query) is not None or ":" in query
        return looks_other and not any(thing.path == query for thing in self.things)

    def _path_wanted(self, path: str, rev: str | None = None) -> Wanted:
        if rev is not None:
            commit = self.project.objects.commit(rev)
            if commit is None:
                raise NotFound(f"there is no revision {rev[:100]!a}", hint="git log; git tag")
            found = self._at(self.project.tree(commit), path, everywhere=True, strict=True)
            if not found:
                raise NotFound(f"{redact(path)} is not in {rev[:100]}", hint=self._near(path))
            self.elsewhere = frozenset(found)
            return Wanted(digests=frozenset(one.digest for one in found if one.digest) - _NOTHING)
        own = {t.digest for t in self.things if t.digest and (t.path == path or paths.inside(t.path, path))}
        within = {digest for thing in self.things for digest in self.listings.named(thing, path)}
        self.elsewhere = frozenset(self._in_trees(path))
        here = {one.digest for one in self.elsewhere if one.digest}
        return Wanted(path=path, digests=frozenset(own | within | here | self._near_at(path)) - _NOTHING)

    def _digest_wanted(self, hexadecimal: str, suffix: str) -> Wanted:
        if len(hexadecimal) == 32:
            return Wanted(digests=resolve_digest(hexadecimal, suffix, ()))
        known = {t.digest for t in self.things if t.digest} | {t.digest for t in self._outputs if t.digest}
        for thing in (*self.things, *self._outputs):
            known |= self.listings.beginning(thing, hexadecimal)
        # Of a prefix that nothing at hand begins with, the listings that are not at hand may still know.
        found = resolve_digest(hexadecimal, suffix, known) or frozenset({f"md5:{hexadecimal}"})
        return Wanted(digests=found)

    def _param(self, query: str) -> Param | None:
        file, colon, rest = query.partition(":")
        key, equals, value = rest.partition("=")
        path = self._path(file) if file else None
        if not colon or not key or path is None:
            return None
        param = Param(file=path, key=key, value=value if equals else None)
        used = {
            (f, k) for row in self.rows for a in (*row.making.actions, *row.making.measuring) for f, k, _ in a.params
        }
        if any(f == path and (k == key or k.startswith(f"{key}.")) for f, k in used) or self._has_param(param):
            return param
        keys = [k for f, k in used if f == path]
        if keys:
            raise NotFound(f"no version used {key[:100]} of {path}", hint=near(key, keys) or f"{path} has {min(keys)}")
        return None

    def _has_param(self, param: Param) -> bool:
        from dvc_modelver.dvcio.values import flatten, read_values

        for tree in self._trees():
            data = tree.read(param.file)
            with suppress(BadInput):
                values = None if data is None else read_values(data, path=param.file)
                keys = flatten(values) if isinstance(values, Mapping) else {}
                if any(key == param.key or key.startswith(f"{param.key}.") for key in keys):
                    return True
        return False

    def _refuse_unheard_of(self, query: str, wanted: Wanted) -> None:
        """Raises `NotFound` for a digest that neither a version nor HEAD nor the work tree knows."""
        if wanted.path is not None or wanted.param is not None or wanted.origin is not None:
            return
        if not any(t.digest in wanted.digests or self.listings.look(t, "") for t in (*self._outputs, *self.things)):
            hint = "modelver show NAME@V --json lists the digests of a version"
            raise NotFound(f"{redact(query)[:200]} is the digest of nothing here", hint=hint)

    def _near(self, path: str) -> str:
        known = {redact(thing.path) for thing in (*self.things, *self._outputs)}
        return near(path, known) or "dvc list . --dvc-only --recursive names what DVC tracks"

    # HEAD, the work tree, and other commits ---------------------------------------------------------------------

    def _trees(self) -> Iterator[Tree]:
        if self.project.head is not None:
            yield self.project.tree(self.project.head)
        if self.project.repository.root is not None:
            yield self._work_tree

    @cached_property
    def _work_tree(self) -> Tree:
        from dvc_modelver.commands.worktrees import work_tree

        return work_tree(self.project)

    @cached_property
    def _outputs(self) -> tuple[Thing, ...]:
        """What DVC tracks in HEAD and in the work tree."""
        from dvc_modelver.dvcio.locate import Commit

        found = (located for tree in self._trees() for located in Commit(tree).outputs().values())
        return tuple(dict.fromkeys(thing_of(located.output, self.memory, located) for located in found))

    def _in_trees(self, path: str) -> Iterator[Found]:
        """What HEAD and the work tree have at `path`; remembered for as long as their files say the same."""
        file = f"paths/{file_name(path)}"
        known = self.memory.file(file) or {}
        head, root = self.project.head, self.project.repository.root
        keys = [] if head is None else [head]
        if root is not None:
            keys.append(_contents(root, path, head))
        for key in keys:
            if key not in known:
                tree = self.project.tree(key) if key == head else self._work_tree
                try:
                    found = self._at(tree, path, everywhere=True)
                except BadInput as error:
                    self.project.around.say(f"warning: what is at {path} now is not known: {error.message}")
                    continue
                known = self.memory.put(file, key, [[one.path, one.digest] for one in found])
            yield from (Found(where, digest) for where, digest in known[key])

    def _near_at(self, path: str) -> frozenset[str]:
        """The digests at `path` in the commits of versions that were made without it."""
        known = self.memory.file(f"paths/{file_name(path)}") or {}
        commits = dict.fromkeys(
            row.commit for row in self.rows if not any(_touches(t.path, path) for t in _things_of(row.making))
        )
        for commit in commits:
            if commit not in known:
                with suppress(ModelverError):
                    found = self._at(self.project.tree(commit), path)
                    known = self.memory.put(
                        f"paths/{file_name(path)}", commit, [[one.path, one.digest] for one in found]
                    )
        return frozenset(digest for commit in commits for _, digest in known.get(commit, ()) if digest)

    def _at(self, tree: Tree, path: str, *, everywhere: bool = False, strict: bool = False) -> list[Found]:
        """The bytes that a tree has at `path`, or below it.

        Args:
            everywhere: look through all DVC files of the tree, and not only through those beside and above the path.
            strict: raise `DataError` when a listing that says it is not at hand.
        """
        from dvc_modelver.dvcio.locate import Commit

        commit = Commit(tree)
        located = commit.find(path, _nearest(tree, path)) if everywhere else _find_near(commit, path)
        if located is not None and located.output.path == path:
            return [Found(path, located.output.digest)] if located.output.digest else []
        if located is not None:
            return self._inside(located, path, strict)
        below = [o for o in commit.outputs().values() if paths.inside(o.output.path, path)] if everywhere else []
        return [*(Found(o.output.path, o.output.digest) for o in below), *_git_found(tree, path)]

    def _inside(self, located: Located, path: str, strict: bool) -> list[Found]:
        thing = thing_of(located.output, self.memory, located)
        if strict and self.listings.whole(thing, "") is None and not self.offline:
            self.listings.fetch()
        listed = self.listings.whole(thing, "")
        if listed is None and strict:
            hint = f"dvc fetch {paths.shown(thing.path)}"
            raise DataError(f"the directory listing of {paths.shown(thing.path)} is not at hand", hint=hint)
        inside = path[len(thing.path) + 1 :]
        names = (name for name in listed or () if name == inside or paths.inside(name, inside))
        return [Found(f"{thing.path}/{name}", f"md5:{(listed or {})[name]}") for name in names]


def _bring_dvc_files(project: Project) -> None:
    """Of a repository that was fetched for this question, all versions' DVC files at once.

    Each would come by a fetch of its own else: 42 of them, 5 seconds without any network, for 20 versions.
    What cannot be brought so is left to that.
    """
    from dvc_modelver.commands.provenance.lineage import is_scratch
    from dvc_modelver.gitio.remotes import fetch_objects

    if not is_scratch(project):
        return
    models = project.registry.models.values()
    commits = {model.release_ref(version).target for model in models for version in model.versions}
    wanted = sorted(set(_dvc_files(project, sorted(commit for commit in commits if commit))))
    for start in range(0, len(wanted), _ARGUMENTS):
        fetch_objects(project.repository.git, "origin", wanted[start : start + _ARGUMENTS])


def _dvc_files(project: Project, commits: Sequence[str]) -> Iterator[str]:
    """The ids of the blobs, each tree looked at once; what is broken is found by who reads it."""
    seen: set[str] = set()
    for commit in commits:
        with suppress(ModelverError):
            pending = [project.objects.tree_of(commit)]
            while pending:
                oid = pending.pop()
                if oid not in seen:
                    seen.add(oid)
                    for name, entry in project.objects.tree(oid).items():
                        if entry.is_directory:
                            pending.append(entry.oid)
                        elif name.endswith(".dvc") or name in ("dvc.yaml", "dvc.lock"):
                            yield entry.oid


def _touches(one: str, other: str) -> bool:
    return one == other or paths.inside(one, other) or paths.inside(other, one)


def _things_of(making: Making) -> Iterator[Thing]:
    if making.artifact is not None:
        yield making.artifact
    for action in making.actions:
        yield from (*action.inputs, *action.outs)


def _nearest(tree: Tree, path: str) -> str:
    files = (f"{folder}/dvc.yaml" for folder in paths.parents(path))
    return next((file for file in files if tree.entry(file) is not None), "dvc.yaml")


def _find_near(commit: Commit, path: str) -> Located | None:
    """Like `Commit.find`, from the files beside and above the path alone: the tree is not walked."""
    for candidate in (path, *paths.parents(path)):
        found = [out for out in commit.dvc_outputs(f"{candidate}.dvc") if out.output.path == candidate]
        for folder in (*paths.parents(candidate), ""):
            pipeline = commit.pipeline(f"{folder}/dvc.yaml" if folder else "dvc.yaml")
            if pipeline is not None:
                written = candidate[len(folder) + 1 :] if folder else candidate
                if any(True for _ in pipeline.lock.outputs(written)):
                    found += [out for out in commit.stage_outputs(pipeline) if out.output.path == candidate]
        if found and (candidate == path or (found[0].output.digest or "").endswith(".dir")):
            return found[0]
    return None


_OF_DVC = (".dvc", ".dvcignore", ".gitignore", "dvc.yaml", "dvc.lock")


def _git_found(tree: Tree, path: str) -> Iterator[Found]:
    """The files in Git at `path` or below it, with both digests that DVC may have given them."""
    entry = tree.entry(path)
    if entry is None:
        return
    names = [path] if not entry.is_directory else [name for name in tree.files("*") if paths.inside(name, path)]
    if entry.is_directory:
        names = [name for name in names if not name.endswith(_OF_DVC)]
    for name in names:
        data = tree.read(name)
        if data is not None:
            yield from (Found(name, digest) for digest in _both_md5(data))


def _both_md5(data: bytes) -> Iterator[str]:
    from dvc_modelver.dvcio.hashing import LEGACY_MD5, MD5, hash_source

    digests = hash_source(data, (MD5, LEGACY_MD5))[0]
    yield from dict.fromkeys(f"md5:{digests[name]}" for name in (MD5, LEGACY_MD5))


def _contents(root: Path, path: str, head: str | None) -> str:
    """Changes with HEAD, and whenever the files of the work tree beside and above `path` do."""
    found = hashlib.sha256((head or "").encode())
    folders = (*paths.parents(path), "")
    files = [path, *(f"{one}.dvc" for one in (path, *paths.parents(path)))]
    for file in (*files, *(f"{folder}/{name}" for folder in folders for name in ("dvc.yaml", "dvc.lock"))):
        place = root / file.lstrip("/")
        try:
            # The file itself may be large: DVC's files tell its bytes; of a file in Git size and time do.
            data = f"{place.stat().st_size} {place.stat().st_mtime_ns}".encode() if file == path else place.read_bytes()
        except OSError:
            data = b"-"
        found.update(hashlib.sha256(data).digest())
    return found.hexdigest()


# Stages ----------------------------------------------------------------------------------------------------------


class _Stages:
    """Which stages a version holds, today or at a moment."""

    def __init__(self, project: Project, at: datetime | None) -> None:
        self.project, self.at = project, at
        self._by_model: dict[str, dict[Version, tuple[str, ...]]] = {}

    def of(self, model: Model, version: Version) -> tuple[str, ...]:
        if model.name not in self._by_model:
            found: dict[Version, tuple[str, ...]] = {}
            for stage, held in self._held(model):
                if held is not None:
                    found[held] = (*found.get(held, ()), stage)
            self._by_model[model.name] = found
        return self._by_model[model.name].get(version, ())

    def _held(self, model: Model) -> Iterable[tuple[str, Version | None]]:
        if self.at is None:
            return [(stage, event.version) for stage, event in model.stages().items()]
        from dvc_modelver.commands.history import history_at

        snapshot = history_at(self.project, self.at, model.name)
        return [(stage, held.version) for one in snapshot.models for stage, held in one.stages.items()]


def _affected(row: _Row, way: tuple[str, ...], stages: _Stages, found: Sequence[Found] = ()) -> Affected:
    return Affected(
        name=row.model.name,
        version=row.version,
        stages=stages.of(row.model, row.version),
        withdrawn=row.model.is_withdrawn(row.version),
        path=way,
        values=tuple(one for one in found if one.digest is None and one.value is not None),
    )
