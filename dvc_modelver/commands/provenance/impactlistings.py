"""The listings of tracked directories, from the cache or, alone, from the DVC remote."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from dvc_modelver.commands.bytes_at_hand import Bytes
from dvc_modelver.commands.project import Project
from dvc_modelver.commands.provenance.impactmemory import Memory, file_name
from dvc_modelver.core.facts import Output
from dvc_modelver.core.impact import (
    Thing,
    Wanted,
)
from dvc_modelver.dvcio import paths
from dvc_modelver.errors import ModelverError

if TYPE_CHECKING:
    pass


class Listings:
    """What tracked directories hold, as far as this machine or the DVC remote can say.

    What a listing says of a question never changes (its name is its digest), so answers are remembered.
    """

    def __init__(self, project: Project, at_hand: Bytes, memory: Memory) -> None:
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
        self._file = f"looked/{file_name(json.dumps([wanted.path, sorted(wanted.digests)]))}"
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
            file, key = f"inside/{file_name(path)}", f"{thing.digest}@{thing.above_digest}"
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
