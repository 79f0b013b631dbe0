"""`impact`: which versions were made from a file, some bytes, an import or a param, and which cannot be ruled out.

What a commit says of a model never changes, so it is kept in one JSON file per model under the Git common directory;
the parsers are imported only for versions that are new since.  Those files may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dvc_modelver.commands.bytes_at_hand import Bytes
from dvc_modelver.commands.project import Project
from dvc_modelver.core.facts import Output, Scalar
from dvc_modelver.core.impact import (
    Action,
    Found,
    Making,
    Param,
    Thing,
    Verdict,
    Wanted,
    digest_query,
    from_rows,
    is_other_digest,
    is_wanted,
    judge,
    plain_url,
    resolve_digest,
    to_rows,
)
from dvc_modelver.core.names import near
from dvc_modelver.core.registry import Model
from dvc_modelver.core.text import redact
from dvc_modelver.core.versions import Version
from dvc_modelver.dvcio import paths
from dvc_modelver.errors import BadInput, DataError, ModelverError, NotFound

if TYPE_CHECKING:
    from dvc_modelver.core.declarations import Declared
    from dvc_modelver.core.facts import ArtifactFacts
    from dvc_modelver.core.recipe import Input, Origin, Recipe, Step
    from dvc_modelver.core.trees import Tree
    from dvc_modelver.dvcio.listing import ObjectId
    from dvc_modelver.dvcio.locate import Commit, Located

# Bump it when the meaning of a field changes; old files are then left alone.
_FORMAT = "impact-1"
_AT_ONCE = 100
"""Commits whose files are held in memory together."""
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
        self.memory = _Memory(project.state_dir / "cache" / _FORMAT)
        self.listings = _Listings(project, at_hand, self.memory)
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
                known[commit] = _Reader(self.project, model, commit, self.memory).making()
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
        return tuple(dict.fromkeys(_of_output(located.output, self.memory, located) for located in found))

    def _in_trees(self, path: str) -> Iterator[Found]:
        """What HEAD and the work tree have at `path`; remembered for as long as their files say the same."""
        file = f"paths/{_name(path)}"
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
        known = self.memory.file(f"paths/{_name(path)}") or {}
        commits = dict.fromkeys(
            row.commit for row in self.rows if not any(_touches(t.path, path) for t in _things_of(row.making))
        )
        for commit in commits:
            if commit not in known:
                with suppress(ModelverError):
                    found = self._at(self.project.tree(commit), path)
                    known = self.memory.put(f"paths/{_name(path)}", commit, [[one.path, one.digest] for one in found])
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
        thing = _of_output(located.output, self.memory, located)
        if strict and self.listings.whole(thing, "") is None and not self.offline:
            self.listings.fetch()
        listed = self.listings.whole(thing, "")
        if listed is None and strict:
            hint = f"dvc fetch {paths.shown(thing.path)}"
            raise DataError(f"the directory listing of {paths.shown(thing.path)} is not at hand", hint=hint)
        inside = path[len(thing.path) + 1 :]
        names = (name for name in listed or () if name == inside or paths.inside(name, inside))
        return [Found(f"{thing.path}/{name}", f"md5:{(listed or {})[name]}") for name in names]


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


# What a commit says of a model -----------------------------------------------------------------------------------


class _Reader:
    """Reads how one commit says that one model was made."""

    def __init__(self, project: Project, model: Model, commit: str, memory: _Memory) -> None:
        from dvc_modelver.dvcio.locate import Commit

        if project.objects.commit(commit) is None:
            hint = "git fetch --unshallow --tags" if project.repository.shallow else "git fetch --tags; git fsck"
            raise DataError(f"its commit {commit[:12] or '-'} is not in this clone", hint=hint)
        self.project, self.model, self.memory = project, model, memory
        self.oid = commit
        self.tree = project.tree(commit)
        self.commit = Commit(self.tree)
        self.doubts: dict[str, None] = {}

    def making(self) -> Making:
        """Raises `ModelverError` when the commit's files cannot be read."""
        from dvc_modelver.dvcio.facts import artifact_facts
        from dvc_modelver.dvcio.recipe import recipe_of

        self.declared = self._declared()
        recipe = recipe_of(self.commit, self.declared)
        artifact = self._artifact(artifact_facts(self.tree, self.declared), recipe)
        actions = tuple(self._action(step) for step in recipe.steps)
        return Making(
            artifact=artifact,
            actions=actions,
            measuring=tuple(self._action(step, on_the_way=False) for step in recipe.evaluation),
            doubts=tuple(self.doubts),
            recorded=bool(actions) or artifact.origin is not None,
        )

    def _declared(self) -> Declared:
        from dvc_modelver.core.declarations import Declared
        from dvc_modelver.dvcio.project import declared_one

        found = declared_one(self.tree, self.model.name)
        if found is not None:
            return found
        refs = [self.model.release_ref(v) for v in self.model.versions_on(self.oid)]
        records = (tag.record for ref in refs if (tag := self.model.tag(ref)) is not None and tag.record is not None)
        path = next((record.path for record in records if record.path is not None), None)
        if path is None:
            raise DataError("its commit declares no such artifact", hint="compare its files by hand")
        return Declared(name=self.model.name, file="dvc.yaml", path=path)

    def _artifact(self, facts: ArtifactFacts, recipe: Recipe) -> Thing:
        from dvc_modelver.core.facts import Source

        if facts.path is None or facts.source is Source.MISSING:
            raise DataError(f"its commit does not say what it is: {facts.problem}", hint="compare its files by hand")
        output = facts.output
        inside = output is not None and facts.inside is not None
        located = self.commit.find(facts.path, self.declared.file)
        if located is not None:
            self._check_old_stage(located)
        thing = _of_output(output, self.memory, located) if output is not None else Thing("data", facts.path, None)
        return thing._replace(
            kind="artifact",
            path=facts.path,
            digest=None if inside else facts.digest,
            in_git=facts.source is Source.GIT or facts.blob is not None,
            above=output.path if inside and output is not None else None,
            above_digest=output.digest if inside and output is not None else None,
            origin=_origin(recipe.origin),
            origin_rev=_origin_rev(recipe.origin),
        )

    def _action(self, step: Step, *, on_the_way: bool = True) -> Action:
        file, _, name = step.name.rpartition(":")
        file = file or self.declared.file
        pipeline = self.commit.pipeline(file)
        stage = pipeline.lock.stage(name) if pipeline is not None else None
        return Action(
            id=f"pipeline-stage:{file}:{name}@sha256:{stage.digest if stage is not None else '-'}",
            inputs=tuple(self._input(found, file, name, on_the_way) for found in step.inputs),
            outs=tuple(_of_output(out, self.memory) for out in step.outs),
            params=tuple((f, k, _plain(v)) for f, values in step.params.items() for k, v in values.items()),
        )

    def _input(self, found: Input, file: str, name: str, on_the_way: bool) -> Thing:
        from dvc_modelver.core.recipe import Kind

        output = found.output
        url = paths.is_url(output.path)
        located = None if found.by is None else self.commit.find(output.path, file)
        if on_the_way:
            self._check(found, located, name)
        whole = located is None or located.output.path == output.path
        in_git = found.kind is Kind.CODE or (located is not None and not located.output.cached)
        thing = _of_output(output, self.memory, located if whole else None)
        return thing._replace(
            kind="code" if found.kind is Kind.CODE else "data",
            in_git=in_git and not url and self.tree.entry(output.path) is not None,
            above=None if whole or located is None else located.output.path,
            above_digest=None if whole or located is None else located.output.digest,
            remote=located.output.remote if located is not None else None,
            origin=_origin(found.origin),
            origin_rev=_origin_rev(found.origin),
        )

    def _check(self, found: Input, located: Located | None, name: str) -> None:
        """Note what keeps the way back from being followed."""
        from dvc_modelver.core.recipe import Kind

        path = paths.shown(found.output.path)
        if located is not None:
            self._check_old_stage(located)
        if found.kind is Kind.STAGE and located is not None and located.output.path == found.output.path:
            if located.output.digest != found.output.digest:
                self._doubt(f"pipeline stage {name} read {path} with other bytes than {found.by} has written since")
        elif found.kind is Kind.DATA and located is None and not paths.is_url(found.output.path):
            for file in self._broken:
                self._doubt(f"{paths.shown(file)} cannot be read, and may say what made {path}")

    def _check_old_stage(self, located: Located) -> None:
        old = self.commit.dvc_file(located.file) if located.stage is None else None
        if old is not None and old.deps:
            self._doubt(f"{paths.shown(located.file)} is a stage of DVC before 1.0, whose inputs are not followed")

    def _doubt(self, text: str) -> None:
        self.doubts[text] = None

    @cached_property
    def _broken(self) -> tuple[str, ...]:
        """The DVC files of the commit that cannot be parsed."""
        return tuple(file for file in self.tree.files("dvc.yaml", "*.dvc") if not self._readable(file))

    def _readable(self, file: str) -> bool:
        try:
            pipeline = self.commit.pipeline(file) if file.endswith("dvc.yaml") else None
            list(self.commit.stage_outputs(pipeline) if pipeline is not None else self.commit.dvc_outputs(file))
        except BadInput:
            return False
        return True


def _of_output(output: Output, memory: _Memory, located: Located | None = None) -> Thing:
    listing = located.item.listing if located is not None else None
    if listing is not None and output.digest is not None and output.digest.endswith(".dir"):
        memory.keep_listing(output.digest, listing)
    return Thing(
        kind="data",
        path=output.path,
        digest=output.digest,
        root=output.root,
        remote=output.remote,
        hash_name=output.hash_name,
    )


def _origin(origin: Origin | None) -> str | None:
    if origin is None:
        return None
    return plain_url(origin.path) if origin.url is None else f"{plain_url(origin.url)}:{origin.path}"


def _origin_rev(origin: Origin | None) -> str | None:
    return None if origin is None else origin.rev_lock or origin.rev


def _plain(value: Scalar) -> Scalar:
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


# Directories -----------------------------------------------------------------------------------------------------


class _Listings:
    """What tracked directories hold, as far as this machine or the DVC remote can say.

    What a listing says of a question never changes (its name is its digest), so answers are remembered.
    """

    def __init__(self, project: Project, at_hand: Bytes, memory: _Memory) -> None:
        self.project, self.at_hand, self.memory = project, at_hand, memory
        self.missing: dict[tuple[str, str | None, str, str], str] = {}
        """(root, remote, digest, hash name) -> path."""
        self._wanted = Wanted()
        self._known: dict[str, Any] = {}
        self._file = ""
        self._md5: dict[str, str] = {}
        self._absent: set[str] = set()

    def ask(self, wanted: Wanted) -> None:
        """Look for this from now on."""
        self._wanted = wanted
        self._file = f"looked/{_name(json.dumps([wanted.path, sorted(wanted.digests)]))}"
        self._known = dict(self.memory.file(self._file) or {})

    def look(self, thing: Thing, commit: str) -> Sequence[tuple[str, str]] | None:
        """Fills the role of `core.impact.Look`."""
        key = f"{thing.path}@{thing.digest}@{thing.above_digest}" + (f"@{commit}" if thing.in_git else "")
        if key in self._known:
            known = self._known[key]
            return None if known is None else [(name, digest) for name, digest in known]
        if not thing.needs_look:
            return []
        listed = self.whole(thing, commit)
        if listed is None:
            return None
        found: list[tuple[str, str]] | None = [
            (n, f"md5:{d}") for n, d in listed.items() if self._is_wanted(thing, n, d)
        ]
        if not found and thing.in_git and not self._exact(thing, listed):
            found = None
        self._known[key] = found
        self.memory.put(self._file, key, found)
        return found

    def _is_wanted(self, thing: Thing, name: str, digest: str) -> bool:
        path, full = self._wanted.path, f"{thing.path}/{name}" if name else thing.path
        return f"md5:{digest}" in self._wanted.digests or (
            path is not None and (full == path or paths.inside(full, path))
        )

    def _exact(self, thing: Thing, listed: Mapping[str, str]) -> bool:
        from dvc_modelver.dvcio.items import tree_digest

        return thing.digest is None or tree_digest(listed.items()) == thing.digest

    def named(self, thing: Thing, path: str) -> Iterator[str]:
        """The digests at and below `path` in a tracked directory above it."""
        if thing.is_directory and not thing.in_git and paths.inside(path, thing.path):
            inside = path[len(thing.path) + 1 :]
            file, key = f"inside/{_name(path)}", f"{thing.digest}@{thing.above_digest}"
            known = self.memory.file(file) or {}
            if key not in known and (listed := self.whole(thing, "")) is not None:
                found = [d for name, d in listed.items() if name == inside or paths.inside(name, inside)]
                known = self.memory.put(file, key, found)
            yield from (f"md5:{digest}" for digest in known.get(key, ()))

    def beginning(self, thing: Thing, start: str) -> set[str]:
        """The digests in a directory that begin so; those in directories that are not at hand are not known."""
        listed = self.whole(thing, "") if thing.is_directory and not thing.in_git else None
        return {f"md5:{digest}" for digest in (listed or {}).values() if digest.startswith(start)}

    def whole(self, thing: Thing, commit: str) -> Mapping[str, str] | None:
        """Path below the thing -> md5 of all that it holds; a file is its own only entry, under the empty path."""
        if thing.in_git:
            return self._in_git(thing, commit) if commit else None
        if thing.above is None or thing.above_digest is None:
            return self._listing(thing, thing.digest) if thing.digest is not None else None
        listed = self._listing(thing, thing.above_digest)
        if listed is None:
            return None
        inside = thing.path[len(thing.above) + 1 :]
        if inside in listed:
            return {"": listed[inside]}
        below = {n[len(inside) + 1 :]: md5 for n, md5 in listed.items() if paths.inside(n, inside)}
        return below if self._exact(thing, below) else None

    def _listing(self, thing: Thing, digest: str) -> Mapping[str, str] | None:
        where = (thing.root, thing.remote, digest, thing.hash_name)
        if digest in self._absent:
            self.missing.setdefault(where, thing.above or thing.path)
            return None
        found = self.memory.listing(digest, thing.hash_name)
        if found is None:
            output = Output(path=thing.path, digest=digest, root=thing.root, hash_name=thing.hash_name)
            with suppress(ModelverError, OSError):
                found = self.at_hand.listing(output)
        if found is None:
            self._absent.add(digest)
            self.missing[where] = thing.above or thing.path
        return found

    def _in_git(self, thing: Thing, commit: str) -> Mapping[str, str] | None:
        objects = self.project.objects
        entry = self.project.tree(commit).entry(thing.path)
        if entry is None or not entry.is_directory:
            return None
        found: dict[str, str] = {}
        pending = [("", entry.oid)]
        while pending:
            base, oid = pending.pop()
            for name, child in objects.tree(oid).items():
                if child.is_directory:
                    pending.append((f"{base}{name}/", child.oid))
                elif child.mode.startswith("100"):
                    if child.oid not in self._md5:
                        data = objects.blob(child.oid)
                        self._md5[child.oid] = hashlib.md5(data, usedforsecurity=False).hexdigest()
                    found[f"{base}{name}"] = self._md5[child.oid]
        return found

    def fetch(self) -> bool:
        """Bring the missing listings from the DVC remotes into our own cache; whether any came."""
        groups: dict[tuple[str, str | None], dict[str, tuple[str, str]]] = {}
        for (root, remote, digest, hash_name), path in self.missing.items():
            groups.setdefault((root, remote), {})[digest] = (hash_name, path)
        came = False
        for (root, remote), digests in groups.items():
            try:
                came = self._fetch(root, remote, digests) or came
            except (ModelverError, OSError) as error:
                words = error.message if isinstance(error, ModelverError) else error.strerror or str(error)
                self.project.around.say(f"warning: directory listings could not be fetched: {words}")
        if came:
            self._absent.clear()
            self.missing.clear()
        return came

    def _fetch(self, root: str, remote: str | None, digests: Mapping[str, tuple[str, str]]) -> bool:
        from dvc_modelver.dvcio.cache import Cache, checked_listing
        from dvc_modelver.dvcio.config import read_dvc_config
        from dvc_modelver.dvcio.listing import object_id
        from dvc_modelver.dvcio.transfer import Wanted as Object
        from dvc_modelver.dvcio.transfer import copy_objects

        place = self.project.data_root / root / ".dvc"
        if not place.is_dir():
            return False
        source = read_dvc_config(place, foreign=self.project.foreign, env=self.project.around.env).remote(remote)
        objects = [Object(object_id(digest, name), path) for digest, (name, path) in digests.items()]
        scratch = self.project.scratch / f"listings-{len(list(self.project.scratch.iterdir()))}"
        scratch.mkdir()
        if source.directory is not None:
            copy_objects(objects, Cache(source.directory), scratch)
        else:
            from dvc_modelver.dvcio import act

            act.fetch(source, objects, scratch, progress=self.project.around.progress)
        came = False
        for one in objects:
            with suppress(ModelverError, OSError):
                checked_listing(scratch / one.oid.file_name, one.oid)
                self.memory.adopt_listing(one.oid, (scratch / one.oid.file_name).read_bytes())
                came = True
        return came


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


# Memory ----------------------------------------------------------------------------------------------------------


class _Memory:
    """JSON files that may be deleted at any time; one that is damaged or cannot be written is as good as none."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._makings: dict[str, dict[str, Making]] = {}
        self._files: dict[str, dict[str, Any] | None] = {}
        self._dirty: set[str] = set()
        self.changed: set[str] = set()
        """Models of which something new was read."""

    def makings(self, name: str) -> dict[str, Making]:
        """What is remembered of a model, by commit."""
        if name not in self._makings:
            self._makings[name] = {}
            with suppress(TypeError, ValueError, KeyError, IndexError):
                raw = _read(self._folder / f"made/{_name(name)}.json")
                self._makings[name] = from_rows(raw) if raw is not None else {}
        return self._makings[name]

    def file(self, name: str) -> dict[str, Any] | None:
        if name not in self._files:
            self._files[name] = _read(self._folder / f"{name}.json")
        return self._files[name]

    def put(self, name: str, key: str, value: object) -> dict[str, Any]:
        """Remember an answer; all of that file."""
        known = self.file(name)
        if known is None:
            known = self._files[name] = {}
        known[key] = value
        self._dirty.add(name)
        return known

    def save(self) -> None:
        for name in sorted(self.changed):
            _write(self._folder / f"made/{_name(name)}.json", json.dumps(to_rows(self._makings[name])).encode())
        for name in sorted(self._dirty):
            _write(self._folder / f"{name}.json", json.dumps(self._files[name]).encode())
        self.changed.clear()
        self._dirty.clear()

    def listing(self, digest: str, hash_name: str) -> Mapping[str, str] | None:
        """A directory listing that was fetched before; its bytes are compared with its digest."""
        folder = self._folder / "listings"
        if not folder.is_dir():
            return None
        from dvc_modelver.dvcio.cache import checked_listing
        from dvc_modelver.dvcio.listing import object_id

        with suppress(ModelverError, OSError):
            oid = object_id(digest, hash_name)
            return {file.relpath: file.oid.hex for file in checked_listing(folder / oid.file_name, oid)}
        return None

    def adopt_listing(self, oid: ObjectId, raw: bytes) -> None:
        _write(self._folder / "listings" / oid.file_name, raw)

    def keep_listing(self, digest: str, listing: Iterable[tuple[str, str]]) -> None:
        """Keep what a DVC file itself lists, when its digest is that of the list."""
        from dvc_modelver.dvcio.listing import object_id

        ordered = sorted(listing, key=lambda entry: entry[0].split("/"))
        raw = json.dumps([{"md5": md5, "relpath": path} for path, md5 in ordered]).encode()
        if digest == f"md5:{hashlib.md5(raw, usedforsecurity=False).hexdigest()}.dir":
            self.adopt_listing(object_id(digest), raw)


def _name(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:40]


def _read(path: Path) -> dict[str, Any] | None:
    try:
        loaded = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return loaded if isinstance(loaded, dict) else None


def _write(target: Path, data: bytes) -> None:
    temporary = target.with_name(f"{target.name}.{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(data)
        os.replace(temporary, target)
    except OSError:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
