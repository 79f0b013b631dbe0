"""How much two states of files differ, counted by git in lines."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence

from dvc_modelver.gitio.leftovers import scratch
from dvc_modelver.gitio.process import GitFailed, GitProcess

_FLAGS = ("--no-ext-diff", "--no-textconv", "--no-color", "--no-renames", f"-O{os.devnull}", "--numstat", "-z")
_AT_ONCE = 500
"""Paths on one command line."""

Counted = dict[str, tuple[int, int]]
"""path -> (lines added, lines removed); binary files are not in it."""


def lines_between(git: GitProcess, old: str, new: str, paths: Sequence[str]) -> Counted:
    """The lines that differ below `paths` between two commits.  Raises `GitFailed`."""
    found: Counted = {}
    for start in range(0, len(paths), _AT_ONCE):
        some = paths[start : start + _AT_ONCE]
        raw = git.run("diff", *_FLAGS, "--end-of-options", old, new, "--", *some)
        found.update(parse_numstat(raw))
    return found


def lines_of(git: GitProcess, old: Mapping[str, bytes], new: Mapping[str, bytes]) -> Counted:
    """The lines that differ between two sets of files, by name; for files that are in no commit.

    They are counted in a directory of their own, where the repository's attributes and filters do not hold.
    """
    names = sorted({**old, **new})
    with scratch("diff") as place:
        for side, files in (("old", old), ("new", new)):
            folder = place / side
            folder.mkdir()
            for number, name in enumerate(names):
                if name in files:
                    (folder / f"{number}").write_bytes(files[name])
        elsewhere = GitProcess(place, {**git.env, "GIT_CEILING_DIRECTORIES": str(place)})
        done = elsewhere.complete("diff", "--no-index", *_FLAGS, "--", "old", "new")
    if done.status not in (0, 1):
        raise GitFailed("git diff failed", status=done.status, stderr=done.stderr)
    return {names[int(path.rpartition("/")[2])]: lines for path, lines in parse_numstat(done.stdout).items()}


def parse_numstat(raw: bytes) -> Counted:
    """What `git diff --numstat -z` prints; `-` stands for binary files."""
    return dict(_rows(iter(raw.split(b"\0"))))


def _rows(fields: Iterator[bytes]) -> Iterator[tuple[str, tuple[int, int]]]:
    for head in fields:
        added, _, rest = head.partition(b"\t")
        removed, _, path = rest.partition(b"\t")
        if head and not path:  # two names follow: of `--no-index`, whose sides differ
            path, other = next(fields, b""), next(fields, b"")
            path = other if path == b"/dev/null" else path
        if added.isdigit() and removed.isdigit():
            yield path.decode("utf-8", "surrogateescape"), (int(added), int(removed))


def links_between(git: GitProcess, old: str, new: str) -> tuple[str, ...]:
    """The symbolic links and submodules that differ between two commits, sorted by path.  Raises `GitFailed`."""
    raw = git.run("diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames", "--end-of-options", old, new)
    fields = raw.decode("utf-8", "surrogateescape").split("\0")
    rows = zip(fields[0:-1:2], fields[1::2], strict=True)
    return tuple(path for head, path in rows if {"120000", "160000"} & set(head.lstrip(":").split(" ")[:2]))
