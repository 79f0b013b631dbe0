"""Trees with their symbolic links: what a link holds, and what a tree would be with other links in it.  Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from dvc_modelver.core.overlay import Files, Overlay, blob_id
from dvc_modelver.core.trees import Entry, Tree
from dvc_modelver.dvcio.paths import parents

LINK, SUBMODULE = "120000", "160000"
"""Git's modes."""


def _nothing(oid: str) -> bytes:
    raise KeyError(oid)


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """The symbolic links and submodules of one commit."""

    entries: Mapping[str, Entry] = field(default_factory=dict)
    blob: Callable[[str], bytes] = _nothing
    """The bytes of an object."""

    def read(self, path: str) -> bytes | None:
        """Where the link at `path` points to; None when there is none."""
        entry = self.entries.get(path)
        return self.blob(entry.oid) if entry is not None and entry.is_symlink else None

    def alone(self) -> Links:
        """Without the submodules."""
        return Links(entries={p: entry for p, entry in self.entries.items() if entry.is_symlink}, blob=self.blob)

    def below(self, path: str) -> Iterator[str]:
        """Those in a directory."""
        return (name for name in self.entries if name.startswith(f"{path}/"))


NO_LINKS = Links()


class Linked(Overlay):
    """An `Overlay` in which files may be links too: those whose mode in `modes` is one.

    Args:
        links: the base's.
    """

    def __init__(
        self, base: Tree, files: Files, like: str, modes: Mapping[str, str] | None = None, *, links: Links = NO_LINKS
    ) -> None:
        self._links = links
        self._made = {path: modes[path] for path in files if modes is not None and modes.get(path) == LINK}
        self._id = like
        super().__init__(base, files, like, modes)
        self._changed |= {path: None for path, data in files.items() if data is None and path in links.entries}
        self._folders |= {up for path in self._changed for up in parents(path)}

    def _differs(self, path: str, data: bytes | None) -> bool:
        was_link = path in self._links.entries
        if data is None or not (was_link or path in self._made):
            return super()._differs(path, data)
        mode = self._modes.get(path, "100644")
        return self._base.entry(path) != Entry(mode, blob_id(data, self._id))

    def read(self, path: str) -> bytes | None:
        """As `Tree`: nothing for a link."""
        return None if path in self._made and path in self._changed else super().read(path)

    def files(self, *names: str) -> Iterator[str]:
        """As `Tree`: regular files alone."""
        return (path for path in super().files(*names) if path not in self._made)

    @cached_property
    def _names(self) -> Mapping[str, set[str]]:
        links = {*self._links.entries, *self._made} - {path for path, data in self._changed.items() if data is None}
        return _by_folder(self.files("*"), links)

    @cached_property
    def _base_names(self) -> Mapping[str, set[str]]:
        return _by_folder(self._base.files("*"), self._links.entries)


def _by_folder(*paths: Iterator[str] | Mapping[str, Entry] | set[str]) -> dict[str, set[str]]:
    """Directory -> the names in it."""
    found: dict[str, set[str]] = {}
    for path in (path for some in paths for path in some):
        at = path
        while "/" in at:
            at, _, name = at.rpartition("/")
            if name in found.setdefault(at, set()):
                break
            found[at].add(name)
    return found
