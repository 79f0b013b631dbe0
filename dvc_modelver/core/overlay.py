"""A tree with some files changed: what a commit would be, before there is one.  Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from functools import cached_property

from dvc_modelver.core.trees import Entry, Tree, name_filter

Files = Mapping[str, bytes | None]
"""Path from the root -> its bytes; None: it is not there."""
_SHA1 = 40
_REGULAR = "100644"


def blob_id(data: bytes, like: str) -> str:
    """The Git id of a blob, in the object format of the id `like`."""
    return _object_id(b"blob", data, like)


def _object_id(kind: bytes, data: bytes, like: str) -> str:
    algorithm = "sha1" if len(like) == _SHA1 else "sha256"
    return hashlib.new(algorithm, b"%b %d\0%b" % (kind, len(data), data), usedforsecurity=False).hexdigest()


def folder_id(entries: Mapping[str, Entry], like: str) -> str:
    """The Git id of the tree that holds `entries` by name, in the object format of the id `like`."""
    names = {name: name.encode("utf-8", "surrogateescape") for name in entries}
    ordered = sorted(entries, key=lambda name: names[name] + (b"/" if entries[name].is_directory else b""))
    rows = (
        b"%b %b\0%b" % (entries[name].mode.lstrip("0").encode(), names[name], bytes.fromhex(entries[name].oid))
        for name in ordered
    )
    return _object_id(b"tree", b"".join(rows), like)


class Overlay:
    """`base` with `files` on top; fills the role of `core.trees.Tree`.

    A directory has the id that Git would give it.  One that holds what `Tree` does not list (a symbolic link, a
    submodule), and in which something changed, has an id that no tree in Git has.

    Args:
        base: what is changed.
        files: the new bytes.
        like: any object id of the repository.
        modes: of changed files, as Git writes them; else as in `base`.
    """

    def __init__(self, base: Tree, files: Files, like: str, modes: Mapping[str, str] | None = None) -> None:
        self._base = base
        self._modes = dict(modes or {})
        self._changed = {path: data for path, data in files.items() if self._differs(path, data)}
        self._like = like
        self._folders = {up for path in self._changed for up in _parents(path)}
        self._known: dict[str, Entry | None] = {}
        self._listed: dict[tuple[str, ...], list[str]] = {}

    def _differs(self, path: str, data: bytes | None) -> bool:
        entry = self._base.entry(path)
        mode = self._modes.get(path) if data is not None and entry is not None else None
        return data != self._base.read(path) or (mode is not None and entry is not None and mode != entry.mode)

    def entry(self, path: str) -> Entry | None:
        if self._changed.get(path) is None and path not in self._folders:
            return None if path in self._changed else self._base.entry(path)
        if path not in self._known:
            data = self._changed.get(path)
            self._known[path] = self._folder(path) if data is None else Entry(self._mode(path), self._blob(data))
        return self._known[path]

    def _mode(self, path: str) -> str:
        before = self._base.entry(path)
        kept = before.mode if before is not None and before.mode.startswith("100") else _REGULAR
        return self._modes.get(path, kept)

    def _blob(self, data: bytes) -> str:
        return blob_id(data, self._like)

    def _folder(self, path: str) -> Entry | None:
        names = self._names.get(path)
        if not names:
            return None
        found = {name: self.entry(f"{path}/{name}") for name in names}
        oid = folder_id({name: entry for name, entry in found.items() if entry is not None}, self._like)
        return Entry("40000", oid if self._is_plain(path) else hashlib.sha512(oid.encode()).hexdigest())

    def _is_plain(self, path: str) -> bool:
        """Whether everything directly in the base's directory is listed."""
        before = self._base.entry(path)
        if before is None or not before.is_directory:
            return True
        names = self._base_names.get(path, ())
        found = {name: entry for name in names if (entry := self._base.entry(f"{path}/{name}")) is not None}
        return folder_id(found, self._like) == before.oid

    @cached_property
    def _names(self) -> Mapping[str, set[str]]:
        return _by_folder(self.files("*"))

    @cached_property
    def _base_names(self) -> Mapping[str, set[str]]:
        return _by_folder(self._base.files("*"))

    def read(self, path: str) -> bytes | None:
        return self._changed[path] if path in self._changed else self._base.read(path)

    def files(self, *names: str) -> Iterator[str]:
        if names not in self._listed:
            wanted = name_filter(names)
            kept = {path for path in self._base.files(*names) if path not in self._changed}
            there = (path for path, data in self._changed.items() if data is not None)
            self._listed[names] = sorted(kept.union(path for path in there if wanted(path.rpartition("/")[2])))
        return iter(self._listed[names])


def _parents(path: str) -> Iterator[str]:
    parts = path.split("/")
    return ("/".join(parts[:length]) for length in range(1, len(parts)))


def _by_folder(paths: Iterator[str]) -> dict[str, set[str]]:
    """Directory -> the names in it."""
    found: dict[str, set[str]] = {}
    for path in paths:
        at = path
        while "/" in at:
            at, _, name = at.rpartition("/")
            if name in found.setdefault(at, set()):
                break
            found[at].add(name)
    return found
