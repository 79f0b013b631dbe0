"""Where an artifact's bytes are, according to one commit.  Pure over a tree; the way in to this half of the room."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from dvc_modelver.core.declarations import Declared
from dvc_modelver.core.facts import ArtifactFacts, Output, Source
from dvc_modelver.core.trees import Entry, Tree
from dvc_modelver.dvcio import paths
from dvc_modelver.dvcio.items import tree_digest
from dvc_modelver.dvcio.locate import Commit, Located, is_directory
from dvc_modelver.dvcio.measures import Measured, metrics, params
from dvc_modelver.dvcio.slices import data_of, slice_of

__all__ = ["Listing", "Measured", "absent_facts", "artifact_facts", "data_of", "metrics", "params", "slice_of"]

Listing = Callable[[Output], Mapping[str, str] | None]
"""The files of a tracked directory, path inside it -> md5 in hex; None when its listing is not at hand."""

LFS_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:ext-[^\n]*\n)*oid sha256:([0-9a-f]{64})\nsize (\d+)"
)
"""What Git holds of a file that Git LFS keeps: its sha256 and its size."""


def artifact_facts(tree: Tree, declared: Declared | None, *, listing: Listing | None = None) -> ArtifactFacts:
    """Where the bytes of an artifact are; `source` is `missing`, with a `problem`, when the commit does not say.

    Args:
        declared: the artifact as this commit declares it; None when it does not (its tag is older than the entry).
        listing: asked for the files of a directory when the artifact lies inside one.

    Raises:
        BadInput: a file that has to be read is broken, or names a digest that is not hex.
    """
    if declared is None:
        return absent_facts()
    known = ArtifactFacts(path=None, type=declared.type, files_read=(declared.file,))
    if declared.path is None:
        return replace(known, problem=declared.problem or f"{declared.file} gives no path for it")
    path, problem = paths.resolve(paths.directory(declared.file), declared.path)
    if path is None or "${" in declared.path:
        return replace(known, problem=declared.problem or problem)
    return _at(Commit(tree), replace(known, path=path), path, declared.file, listing)


def absent_facts() -> ArtifactFacts:
    """The facts of an artifact that its commit does not declare."""
    return ArtifactFacts(path=None, problem="this commit does not declare the artifact")


def _at(commit: Commit, known: ArtifactFacts, path: str, near: str, listing: Listing | None) -> ArtifactFacts:
    link = None if paths.is_url(path) else paths.through_symlink(commit.tree, path)
    if link:
        return replace(known, problem=f"the path leads through the symbolic link {paths.shown(link)}")
    located = commit.find(path, near)
    if located is not None:
        return _tracked(commit, known, path, located, listing)
    if paths.is_url(path):
        return replace(known, source=Source.URL)
    entry = commit.tree.entry(path)
    if entry is not None:
        return _in_git(commit.tree, known, path, entry)
    return replace(known, problem=_why_missing(commit, path, near))


def _why_missing(commit: Commit, path: str, near: str) -> str:
    stage = commit.unlocked(path, near)
    if stage is not None:
        return f"pipeline stage {paths.shown(stage)} has not run: run dvc repro"
    return f"no pipeline stage, .dvc file or file in Git at {paths.shown(path)}"


def _tracked(
    commit: Commit, known: ArtifactFacts, path: str, located: Located, listing: Listing | None
) -> ArtifactFacts:
    source = Source.DVC if located.stage is None else Source.STAGE
    files = tuple(dict.fromkeys((*known.files_read, *located.files)))
    known = replace(known, source=source, output=located.output, files_read=files)
    if located.output.path != path:
        return _inside(known, path, located, listing)
    entry = None if located.output.cached or paths.is_url(path) else commit.tree.entry(path)
    output = located.output
    return replace(
        known,
        kind=None if output.digest is None else "directory" if is_directory(output) else "file",
        digest=output.digest,
        size=output.size,
        files=output.files,
        blob=entry.oid if entry is not None else None,
        problem=None
        if output.digest
        else f"{paths.shown(located.file)} names no digest yet: run dvc repro or dvc update",
    )


def _inside(known: ArtifactFacts, path: str, located: Located, listing: Listing | None) -> ArtifactFacts:
    """One file or folder of a tracked directory."""
    output = located.output
    inside = path[len(output.path) + 1 :]
    known = replace(known, inside=inside)
    listed = dict(located.item.listing) if located.item.listing is not None else listing(output) if listing else None
    if listed is None:
        return replace(known, problem=f"the listing of {paths.shown(output.path)} is not at hand: run dvc fetch")
    if inside in listed:
        return replace(known, kind="file", digest=f"md5:{listed[inside]}")
    below = {name[len(inside) + 1 :]: md5 for name, md5 in listed.items() if name.startswith(inside + "/")}
    if not below:
        problem = f"{paths.shown(output.path)} holds no {paths.shown(inside)}"
        return replace(known, source=Source.MISSING, problem=problem)
    return replace(known, kind="directory", digest=tree_digest(below.items()), files=len(below))


def _in_git(tree: Tree, known: ArtifactFacts, path: str, entry: Entry) -> ArtifactFacts:
    known = replace(known, source=Source.GIT, blob=entry.oid)
    if entry.is_directory:
        return replace(known, kind="directory")
    data = tree.read(path)
    if data is None:
        return replace(known, source=Source.MISSING, problem=f"{paths.shown(path)} is not a regular file")
    pointer = LFS_POINTER.match(data) if len(data) < 1024 else None
    if pointer is not None:
        return replace(known, kind="file", size=min(int(pointer[2]), 2**63), lfs=pointer[1].decode("ascii"))
    digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
    return replace(known, kind="file", size=len(data), digest=f"md5:{digest}")
