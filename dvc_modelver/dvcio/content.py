"""An artifact's bytes: which files they are, and whether they are what DVC's digest says."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dvc_modelver.core.facts import ArtifactFacts
from dvc_modelver.core.progress import Progress, no_progress
from dvc_modelver.core.records import manifest_digest
from dvc_modelver.dvcio.cache import Cache, output_id
from dvc_modelver.dvcio.hashing import MD5, FileHash, hash_source, source_size
from dvc_modelver.dvcio.listing import ListedFile, ObjectId, check_relpath
from dvc_modelver.dvcio.progress import Meter
from dvc_modelver.errors import DataError

FILE, DIRECTORY = "file", "directory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One file of an artifact and where its bytes lie."""

    path: str
    """POSIX, below the artifact; of an artifact that is one file, its name."""
    source: Path | bytes
    """A file of the cache, or the bytes themselves (a file in Git)."""
    oid: ObjectId | None = None
    """What DVC says of it; None for bytes that DVC does not keep."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pieces:
    """All files of an artifact, sorted by path; nothing of them is verified yet."""

    kind: str
    """`file` or `directory`."""
    files: tuple[Piece, ...]
    origin: str = ""
    """What to `dvc fetch` when a file is bad."""


@dataclass(frozen=True, slots=True, order=True)
class ManifestEntry:
    """One verified file: path, size in bytes, md5 as DVC has it, sha256."""

    path: str
    size: int
    md5: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """An artifact's verified bytes."""

    kind: str
    entries: tuple[ManifestEntry, ...]
    """Sorted by path."""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(entry.size for entry in self.entries)

    @property
    def sha256(self) -> str:
        """Of a file, its sha256; of a directory, the manifest digest."""
        if self.kind == FILE:
            return self.entries[0].sha256
        return manifest_digest((entry.path, entry.size, entry.sha256) for entry in self.entries)


def find_pieces(facts: ArtifactFacts, cache: Cache) -> Pieces:
    """The files of an artifact that DVC tracks, each where the cache has it.

    Raises:
        DataError: DVC does not keep it, or the cache lacks files (the first ones are named).
        BadInput: a digest that is none, a hostile directory listing.
    """
    if facts.output is None or facts.path is None:
        raise DataError(facts.problem or f"DVC keeps no bytes of {facts.path or 'this artifact'}")
    oid = output_id(facts.output)
    inside = check_relpath(facts.inside) if facts.inside else None
    if not oid.directory and inside:
        raise DataError(f"{facts.output.path} is a file, so it holds no {inside}")
    if not oid.directory:
        return _located(FILE, [ListedFile(PurePosixPath(facts.path).name, oid)], facts, cache)
    kind, files = select(cache.read_listing(oid), inside)
    if inside and not files:
        raise DataError(f"{inside!r} is not in the tracked directory {facts.output.path}")
    return _located(kind, files, facts, cache)


def select(files: Sequence[ListedFile], inside: str | None) -> tuple[str, list[ListedFile]]:
    """What of a listing an artifact inside the directory is: its kind, and its files with paths below itself."""
    if inside is None:
        return DIRECTORY, list(files)
    one = [ListedFile(PurePosixPath(inside).name, file.oid) for file in files if file.relpath == inside]
    if one:
        return FILE, one
    prefix = f"{inside}/"
    below = [file for file in files if file.relpath.startswith(prefix)]
    return DIRECTORY, [ListedFile(file.relpath.removeprefix(prefix), file.oid) for file in below]


def _located(kind: str, files: Sequence[ListedFile], facts: ArtifactFacts, cache: Cache) -> Pieces:
    assert facts.output is not None
    origin = facts.output.path
    places = [(file, cache.find(file.oid)) for file in files]
    missing = [_shown(kind, facts.path, file.relpath) for file, place in places if place is None]
    if missing:
        raise DataError(f"missing from the DVC cache: {some_of(missing)}", hint=f"dvc fetch {shlex.quote(origin)}")
    pieces = tuple(Piece(path=file.relpath, source=place, oid=file.oid) for file, place in places if place is not None)
    return Pieces(kind=kind, files=pieces, origin=origin)


def verify_output(
    facts: ArtifactFacts, cache: Cache, *, jobs: int | None = None, progress: Progress = no_progress
) -> Manifest:
    """Hash every file of an artifact in the cache and compare with what DVC says.

    Args:
        jobs: files hashed at a time; by default one per core.
        progress: told the files' bytes done.

    Raises:
        DataError: a file is missing, altered or truncated; all of them are counted, the first ones named.
        BadInput: as `find_pieces`.
    """
    pieces = find_pieces(facts, cache)
    hashes = hash_pieces(pieces, jobs=jobs, progress=progress)
    rows = list(zip(pieces.files, hashes, strict=True))
    bad = [(piece, found) for piece, found in rows if piece.oid is not None and found.md5 != piece.oid.hex]
    if bad:
        raise corrupt(pieces, bad, facts)
    entries = sorted(ManifestEntry(piece.path, found.size, found.md5, found.sha256) for piece, found in rows)
    return Manifest(kind=pieces.kind, entries=tuple(entries))


def hash_pieces(pieces: Pieces, *, jobs: int | None = None, progress: Progress = no_progress) -> list[FileHash]:
    """Both digests of every file, by threads; in the order of the files."""
    meter = Meter(sum(source_size(piece.source) for piece in pieces.files), progress)

    def hash_one(piece: Piece) -> FileHash:
        name = piece.oid.hash_name if piece.oid else MD5
        digests, size = hash_source(piece.source, (name, "sha256"), meter.told(piece.path))
        return FileHash(digests[name], digests["sha256"], size)

    return meter.map(hash_one, pieces.files, jobs)


def corrupt(pieces: Pieces, bad: Sequence[tuple[Piece, FileHash]], facts: ArtifactFacts | None = None) -> DataError:
    """The error for files whose bytes are not what DVC's digest says."""
    expected = facts.size if facts and pieces.kind == FILE else None
    base = facts.path if facts else None
    names = [f"{_shown(pieces.kind, base, piece.path)} ({_how(found, expected)})" for piece, found in bad]
    places = [shlex.quote(str(piece.source)) for piece, _ in bad if isinstance(piece.source, Path)]
    removal = f"rm -f {' '.join(places[:3])} && dvc fetch {shlex.quote(pieces.origin)}" if places else ""
    return DataError(f"corrupt in the DVC cache: {some_of(names)}", hint=removal)


def _how(found: FileHash, expected: int | None) -> str:
    if expected is not None and found.size < expected:
        return f"truncated, {found.size} of {expected} bytes"
    return "truncated to nothing" if found.size == 0 else f"altered, md5 {found.md5}"


def _shown(kind: str, base: str | None, path: str) -> str:
    if base is None:
        return path
    return base if kind == FILE else f"{base}/{path}"


def some_of(names: Sequence[str]) -> str:
    """The first three, and how many more."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
