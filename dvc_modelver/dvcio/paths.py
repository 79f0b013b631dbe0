"""Paths that a repository's files name: joined, normalised, and kept inside the repository.  Pure.

Everything here is POSIX and relative to the Git root.  What a checkout on Windows or macOS would take for something
else (backslashes, drive letters, `.GIT`) is refused everywhere, so that one repository means the same on all.
"""

from __future__ import annotations

import posixpath
import re

from dvc_modelver.core.text import redact, safe
from dvc_modelver.core.trees import Tree

_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.\-]+)://")
_DRIVE = re.compile(r"[a-zA-Z]:")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# What HFS+ ignores in a name: `.g<zero-width joiner>it` is `.git` there.
_IGNORABLE = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")

_OBJECT_STORES = ("s3", "gs", "gcs", "azure", "abfs", "abfss", "adl", "oss", "gdrive")
_SERVERS = ("http", "https", "ssh", "sftp", "scp", "hdfs", "webhdfs", "webdav", "webdavs")
URL_SCHEMES = frozenset((*_OBJECT_STORES, *_SERVERS, "remote"))
"""Where DVC keeps data; `remote` is DVC's own, `remote://NAME/path`.  `file` is not among them."""


def is_url(path: str) -> bool:
    """Whether `path` names a place outside of any repository by a scheme."""
    return _SCHEME.match(path) is not None


def path_problem(path: str) -> str | None:
    """Why `path`, as a file of the repository writes it, is refused; None when it is a URL or may be joined."""
    found = _SCHEME.match(path)
    if found:
        return _url_problem(path, found[1])
    if not path.strip():
        return "the path is empty"
    if _CONTROL.search(path):
        return "the path holds control characters"
    if path.startswith("/"):
        return "the path is absolute"
    if path.startswith("~"):
        return "the path starts with '~'"
    if _DRIVE.match(path) or "\\" in path:
        return "the path is written for Windows"
    return _component_problem(path)


def _url_problem(url: str, scheme: str) -> str | None:
    if scheme.lower() not in URL_SCHEMES:
        return f"URLs with {scheme!a} are not supported"
    return "the URL holds control characters" if _CONTROL.search(url) else None


def _component_problem(path: str) -> str | None:
    for component in path.split("/"):
        plain = _IGNORABLE.sub("", component).lower().rstrip(". ")
        if plain in (".git", "git~1") or plain.startswith(".git:"):
            return "the path leads into '.git'"
        if plain == ".dvc":
            return "the path leads into '.dvc'"
    return None


def join(base: str, path: str) -> str | None:
    """`path` from directory `base` as a normal path from the root; None when it leaves the root or is the root."""
    joined = posixpath.normpath(posixpath.join(base, path))
    outside = joined in ("..", ".") or joined.startswith(("../", "/"))
    return None if outside else joined


def folder(base: str, path: str) -> str | None:
    """Directory `path` from directory `base`, empty for the root; None when it leaves the root."""
    joined = posixpath.normpath(posixpath.join(base, path))
    if joined == ".." or joined.startswith(("../", "/")):
        return None
    return "" if joined == "." else joined


def resolve(base: str, path: str) -> tuple[str | None, str | None]:
    """(path from the root or URL, None), or (None, why it is refused)."""
    problem = path_problem(path)
    if problem:
        return None, problem
    if is_url(path):
        return path, None
    joined = join(base, path)
    if joined is None:
        return None, "the path leads out of the repository"
    return joined, None


def through_symlink(tree: Tree, path: str) -> str | None:
    """The first symbolic link on the way to `path`, itself included; None when there is none."""
    parts = path.split("/")
    for length in range(1, len(parts) + 1):
        prefix = "/".join(parts[:length])
        entry = tree.entry(prefix)
        if entry is None:
            return None
        if entry.is_symlink:
            return prefix
    return None


def directory(file: str) -> str:
    """The directory of `file`; empty at the root."""
    return posixpath.dirname(file)


def inside(path: str, parent: str) -> bool:
    """Whether `path` lies below directory `parent`; everything lies below the root."""
    return not parent or path.startswith(parent + "/")


def parents(path: str) -> tuple[str, ...]:
    """The directories above `path`, the nearest first, without the root."""
    parts = path.split("/")
    return tuple("/".join(parts[:length]) for length in range(len(parts) - 1, 0, -1))


def shown(path: str) -> str:
    """`path` for a message: no control characters, no user-info."""
    return safe(redact(path))
