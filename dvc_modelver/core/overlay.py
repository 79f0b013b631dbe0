"""A tree with some files changed: what a commit would be, before there is one.  Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

from dvc_modelver.core.trees import Entry, Tree, name_filter

Files = Mapping[str, bytes | None]
"""Path from the root -> its bytes; None: it is not there."""
_SHA1 = 40


def blob_id(data: bytes, like: str) -> str:
    """The Git id of a blob, in the object format of the id `like`."""
    algorithm = "sha1" if len(like) == _SHA1 else "sha256"
    return hashlib.new(algorithm, b"blob %d\0%b" % (len(data), data), usedforsecurity=False).hexdigest()


class Overlay:
    """`base` with `files` on top; fills the role of `core.trees.Tree`.

    A directory in which something changed has an id of its own, which is that of no tree in Git: equal exactly where
    the files below are.
    """

    def __init__(self, base: Tree, files: Files, like: str) -> None:
        self._base = base
        self._changed = {path: data for path, data in files.items() if data != base.read(path)}
        self._like = like

    def entry(self, path: str) -> Entry | None:
        if path in self._changed:
            data = self._changed[path]
            if data is not None:
                before = self._base.entry(path)
                mode = before.mode if before is not None and before.mode.startswith("100") else "100644"
                return Entry(mode, blob_id(data, self._like))
        below = [name for name in self._changed if name.startswith(f"{path}/")]
        if not below:
            return None if path in self._changed else self._base.entry(path)
        rows = [f"{name} {entry.oid}" for name in self.files("*") if (entry := self._file(path, name)) is not None]
        listed = "\n".join(rows).encode("utf-8", "surrogateescape")
        return Entry("40000", hashlib.sha256(listed).hexdigest()) if rows else None

    def _file(self, folder: str, name: str) -> Entry | None:
        return self.entry(name) if name.startswith(f"{folder}/") else None

    def read(self, path: str) -> bytes | None:
        return self._changed[path] if path in self._changed else self._base.read(path)

    def files(self, *names: str) -> Iterator[str]:
        wanted = name_filter(names)
        kept = {path for path in self._base.files(*names) if path not in self._changed}
        added = {path for path, data in self._changed.items() if data is not None and wanted(path.rpartition("/")[2])}
        return iter(sorted(kept | added))
