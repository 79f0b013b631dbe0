"""The bytes behind an artifact, found, fetched when missing, and hashed by ourselves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dvc_modelver.commands.project import Project
from dvc_modelver.core.declarations import Declared
from dvc_modelver.core.facts import ArtifactFacts, Source
from dvc_modelver.core.records import MAX_FILES, BlobLine, FileLine
from dvc_modelver.core.releases import Released
from dvc_modelver.core.trees import Tree
from dvc_modelver.dvcio.cache import Cache
from dvc_modelver.dvcio.config import read_dvc_config
from dvc_modelver.dvcio.content import Manifest, ManifestEntry, Piece, Pieces, find_pieces, hash_pieces, verify_output
from dvc_modelver.dvcio.fetch import ensure_in_cache
from dvc_modelver.errors import DataError

FILE, DIRECTORY = "file", "directory"


def find_bytes(project: Project, tree: Tree, facts: ArtifactFacts) -> Pieces:
    """All files of the artifact, each where its bytes lie; what the cache lacks is fetched and checked first.

    Raises `DataError` when bytes are missing everywhere, corrupt in the remote, or when nobody keeps them.
    """
    if not facts.in_cache:
        return _git_pieces(tree, facts)
    output, around = facts.output, project.around
    if output is None:
        raise DataError(facts.problem or "DVC keeps no bytes of it")
    cache = local_cache(project, facts)
    ensure_in_cache(
        project.data_root,
        [output],
        inside=facts.inside,
        cache=cache,
        foreign=project.foreign,
        env=around.env,
        progress=around.progress,
    )
    return find_pieces(facts, cache)


def verified(project: Project, tree: Tree, facts: ArtifactFacts) -> Manifest:
    """The artifact's bytes, present here and equal to what DVC's digest says.  Raises `DataError` otherwise."""
    pieces = find_bytes(project, tree, facts)
    if facts.in_cache:
        return verify_output(facts, local_cache(project, facts), progress=project.around.progress)
    hashes = hash_pieces(pieces, progress=project.around.progress)
    entries = (
        ManifestEntry(piece.path, found.size, found.md5, found.sha256)
        for piece, found in zip(pieces.files, hashes, strict=True)
    )
    manifest = Manifest(kind=pieces.kind, entries=tuple(sorted(entries)))
    if pieces.kind == FILE and facts.digest not in (None, f"md5:{manifest.entries[0].md5}"):
        raise DataError(f"{facts.path} in Git is not what dvc.lock says", hint="dvc repro, then commit dvc.lock")
    return manifest


def local_cache(project: Project, facts: ArtifactFacts) -> Cache:
    """The cache of the DVC repository that holds the artifact; somebody else's is read, and filled aside."""
    where = facts.output.root if facts.output is not None else ""
    config = read_dvc_config(project.data_root / where / ".dvc", foreign=project.foreign, env=project.around.env)
    if project.foreign:
        return Cache(project.scratch / "cache", also=(config.cache_dir,))
    return Cache(config.cache_dir)


def _git_pieces(tree: Tree, facts: ArtifactFacts) -> Pieces:
    """An artifact that Git keeps: a file, or every regular file of a folder."""
    if facts.lfs is not None:
        raise DataError(f"{facts.path} is kept by Git LFS, which modelver does not read", hint="git lfs pull; use DVC")
    if facts.source is Source.URL or facts.path is None or tree.entry(facts.path) is None:
        raise DataError(facts.problem or f"{facts.path} is kept neither by DVC nor by Git", hint="modelver doctor")
    data = tree.read(facts.path)
    if data is not None:
        return Pieces(kind=FILE, files=(Piece(path=Path(facts.path).name, source=data),), origin=facts.path)
    files = sorted(_blobs(tree, facts.path), key=lambda piece: piece.path)
    return Pieces(kind=DIRECTORY, files=tuple(files), origin=facts.path)


def _blobs(tree: Tree, folder: str) -> Iterator[Piece]:
    for path in tree.files("*"):
        if path.startswith(f"{folder}/") and (data := tree.read(path)) is not None:
            yield Piece(path=path.removeprefix(f"{folder}/"), source=data)


def released(project: Project, tree: Tree, declared: Declared, facts: ArtifactFacts) -> Released:
    """What the record says of the artifact: verified digests, and the files of the commit that name them."""
    blobs = tuple(
        BlobLine(entry.oid, path)
        for path in facts.files_read
        if path != declared.file and (entry := tree.entry(path)) is not None
    )
    if facts.source is Source.URL:
        return Released(path=facts.path, digest=facts.digest, blobs=blobs)
    manifest = verified(project, tree, facts)
    lines = tuple(FileLine(entry.sha256, entry.size, entry.path) for entry in manifest.entries)
    directory = manifest.kind == DIRECTORY
    return Released(
        path=facts.path,
        digest=facts.digest,
        sha256=manifest.sha256,
        size=manifest.size,
        count=len(lines) if directory else None,
        files=lines if len(lines) <= MAX_FILES else (),
        blobs=blobs,
    )
