"""The symbolic links and submodules of a commit, which `core.trees.Tree` does not list."""

from __future__ import annotations

from dvc_modelver.core.trees import Entry
from dvc_modelver.gitio.process import GitProcess


def read_links(git: GitProcess, commit: str) -> dict[str, Entry]:
    """Each by its path.  Raises `GitFailed`."""
    found = {}
    for row in git.run("ls-tree", "-r", "-z", "--full-tree", "--end-of-options", commit).split(b"\0"):
        facts, tab, path = row.partition(b"\t")
        if tab and not facts.startswith(b"100"):
            mode, _, oid = facts.decode("ascii").split(" ")
            found[path.decode("utf-8", "surrogateescape")] = Entry(mode, oid)
    return found
