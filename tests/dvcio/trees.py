"""Trees for tests: from a mapping, from a directory, from a commit."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from dvc_modelver.core.trees import Entry


class MemoryTree:
    """A tree held in memory; `links` are symbolic links by path, and their targets."""

    def __init__(self, files: Mapping[str, bytes | str], links: Mapping[str, str] | None = None) -> None:
        self.data = {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}
        self.links = dict(links or {})
        self.asked: list[str] = []

    def entry(self, path: str) -> Entry | None:
        """A blob, link or directory, with an id made from its contents."""
        self.asked.append(path)
        if path in self.links:
            return Entry("120000", _oid(self.links[path].encode()))
        if path in self.data:
            return Entry("100644", _oid(self.data[path]))
        below = {name: data for name, data in self.data.items() if name.startswith(path + "/")}
        return Entry("40000", _oid(repr(sorted(below.items())).encode())) if below else None

    def read(self, path: str) -> bytes | None:
        """The bytes of a regular file."""
        self.asked.append(path)
        return self.data.get(path)

    def files(self, *names: str) -> Iterator[str]:
        """Files by last component, or by suffix for `*SUFFIX`."""
        for path in sorted(self.data):
            last = path.rpartition("/")[2]
            if any(last.endswith(name[1:]) if name.startswith("*") else last == name for name in names):
                yield path


def tree_of(directory: Path, revision: str = "HEAD") -> MemoryTree:
    """The tree of a commit of the repository at `directory`."""
    listed = _git(directory, "ls-tree", "-r", "-z", revision).split(b"\0")
    files: dict[str, bytes | str] = {}
    links: dict[str, str] = {}
    for line in filter(None, listed):
        meta, path = line.split(b"\t", 1)
        data = _git(directory, "cat-file", "blob", meta.split()[2].decode())
        if meta.startswith(b"120000"):
            links[path.decode()] = data.decode()
        else:
            files[path.decode()] = data
    return MemoryTree(files, links)


def _git(directory: Path, *arguments: str) -> bytes:
    return subprocess.run(["git", "-C", str(directory), *arguments], check=True, capture_output=True).stdout


def _oid(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
