"""A commit's files as a tree: the seam between those that parse files and those that have them.  Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol


class Entry(NamedTuple):
    """One entry of a Git tree: `mode` as Git writes it (`100644`, `120000`, `40000`, ...), object id."""

    mode: str
    oid: str

    @property
    def is_symlink(self) -> bool:
        return self.mode == "120000"

    @property
    def is_directory(self) -> bool:
        return self.mode in ("40000", "040000")


class Tree(Protocol):
    """The files of one commit (or of the work tree), by POSIX path from the repository's root."""

    def entry(self, path: str) -> Entry | None:
        """The entry at `path`, never looking through a symbolic link; None when there is none."""

    def read(self, path: str) -> bytes | None:
        """The bytes of the regular file at `path`; None when it is not there or not a regular file."""

    def files(self, *names: str) -> Iterator[str]:
        """The paths of every regular file whose last component is one of `names`, sorted.

        A name that begins with `*` stands for every name that ends with the rest: `*.dvc`, `*`.
        """


def name_filter(names: tuple[str, ...]) -> Callable[[str], bool]:
    """Whether a file name is one of `names`, where a name that begins with `*` means any that ends with the rest."""
    exact = frozenset(name for name in names if not name.startswith("*"))
    ends = tuple(name[1:] for name in names if name.startswith("*"))
    return lambda name: name in exact or (bool(ends) and name.endswith(ends))
