"""Put verified bytes at a place of the user's: all or nothing, never over other content."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path

from dvc_modelver.core.progress import Progress, no_progress
from dvc_modelver.core.records import manifest_digest
from dvc_modelver.dvcio.content import DIRECTORY, FILE, Piece, Pieces, corrupt
from dvc_modelver.dvcio.hashing import FileHash, hash_source, new_hasher, open_source, pump, source_size
from dvc_modelver.dvcio.listing import check_relpath
from dvc_modelver.dvcio.progress import Meter
from dvc_modelver.dvcio.scratch import disk_problem, scratch_dir
from dvc_modelver.dvcio.transfer import write_all
from dvc_modelver.errors import Conflict, DataError

SHA256 = "sha256"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a version's record says of its bytes; where it is silent, DVC's md5 is compared."""

    manifest: str | None = None
    """Of a file its sha256, of a directory its manifest digest."""
    files: Mapping[str, str] = field(default_factory=dict)
    """sha256 by path, as far as the record names files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """What `place` did."""

    path: Path
    changed: bool
    """False when the same content was there already."""
    files: int
    size: int
    """Bytes."""
    sha256: str | None
    """Of a file, or a directory's manifest digest; None when only DVC's md5 was there to compare with."""


@dataclass(frozen=True, slots=True)
class _Found:
    """One file as it was read: its digest by the algorithm in use, and its size."""

    digest: str
    size: int


def place(
    pieces: Pieces, destination: Path, *, expect: Expected | None = None, progress: Progress = no_progress
) -> Placed:
    """Write an artifact's bytes at `destination`, in one pass that reads, hashes and writes.

    The bytes go to a temporary directory beside the destination and are renamed when their digests are right:
    the record's sha256 where there is one, else DVC's md5; only that one is computed.  Missing parents are made.
    Not synced to disk: like `cp`, a power cut may lose it.

    Args:
        destination: the file or directory itself, not one to put it into.
        progress: told the bytes done of all.

    Raises:
        Conflict: something else lies at `destination`.
        DataError: a source is not what its digest says; nothing is left at `destination`.
        BadInput: a path of `pieces` leads out of `destination`.
        EnvironmentProblem: disk full, no permission; nothing is left.
    """
    for piece in pieces.files:
        check_relpath(piece.path)
    job = _Job(pieces, expect or Expected(), progress)
    try:
        if os.path.lexists(destination) and not (pieces.kind == DIRECTORY and _is_empty(destination)):
            kept = _keep(job, destination)
            _sweep(destination)
            return kept
        with _parents(destination.parent):
            return _write(job, destination)
    except OSError as error:
        raise disk_problem(error, destination) from None


class _Job:
    """The pieces with what they must be; shared by writing and by looking at what is there."""

    def __init__(self, pieces: Pieces, expect: Expected, progress: Progress) -> None:
        self.pieces = pieces
        self.expect = expect
        self.meter = Meter(sum(source_size(piece.source) for piece in pieces.files), progress)

    def algorithm(self, piece: Piece) -> str:
        if self.expect.manifest or piece.path in self.expect.files or piece.oid is None:
            return SHA256
        return piece.oid.hash_name

    def hash(self, piece: Piece, place: Path) -> _Found:
        name = self.algorithm(piece)
        digests, size = hash_source(place, (name,), self.meter.told(piece.path))
        return _Found(digests[name], size)

    def digest(self, found: Mapping[str, _Found]) -> str | None:
        """The artifact's sha256, when every file's was computed."""
        if any(self.algorithm(piece) != SHA256 for piece in self.pieces.files):
            return None
        if self.pieces.kind == FILE:
            return next(iter(found.values())).digest
        return manifest_digest((path, row.size, row.digest) for path, row in found.items())

    def is_right(self, found: Mapping[str, _Found]) -> bool:
        files = all(self._is_file_right(piece, found[piece.path]) for piece in self.pieces.files)
        return files and self.expect.manifest in (None, self.digest(found))

    def _is_file_right(self, piece: Piece, found: _Found) -> bool:
        if self.algorithm(piece) == SHA256:
            return self.expect.files.get(piece.path, found.digest) == found.digest
        return piece.oid is not None and piece.oid.hex == found.digest

    def placed(self, destination: Path, found: Mapping[str, _Found], *, changed: bool) -> Placed:
        size = sum(row.size for row in found.values())
        return Placed(path=destination, changed=changed, files=len(found), size=size, sha256=self.digest(found))


def _keep(job: _Job, destination: Path) -> Placed:
    """Answer for a destination that exists: unchanged, or a conflict."""
    found = _look(job, destination)
    if found is None or not job.is_right(found):
        hint = "move it away, or give another place with -o"
        raise Conflict(f"{destination} exists with other content", hint=hint)
    return job.placed(destination, found, changed=False)


def _look(job: _Job, destination: Path) -> dict[str, _Found] | None:
    """Digests of what lies there; None when it is not even the same files."""
    if job.pieces.kind == FILE:
        (piece,) = job.pieces.files
        return {piece.path: job.hash(piece, destination)} if destination.is_file() else None
    there = _files_below(destination) if destination.is_dir() and not destination.is_symlink() else None
    if there is None or there != {piece.path for piece in job.pieces.files}:
        return None
    rows = job.meter.map(lambda piece: (piece.path, job.hash(piece, destination / piece.path)), job.pieces.files)
    return dict(rows)


def _files_below(directory: Path) -> set[str] | None:
    """Paths of all files below; None when there is a symbolic link."""
    found: set[str] = set()
    for parent, below, names in os.walk(directory):
        if any(os.path.islink(os.path.join(parent, name)) for name in (*below, *names)):
            return None
        found.update(Path(parent, name).relative_to(directory).as_posix() for name in names)
    return found


def _is_empty(place: Path) -> bool:
    return place.is_dir() and not place.is_symlink() and not os.listdir(place)


@contextlib.contextmanager
def _parents(parent: Path) -> Iterator[None]:
    """Make the missing parents, and take them away again when it comes to nothing."""
    missing = [place for place in (parent, *parent.parents) if not os.path.lexists(place)]
    parent.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        for place in missing:
            with contextlib.suppress(OSError):
                place.rmdir()
        raise


def _sweep(destination: Path) -> None:
    """Remove what a kill left that came after the bytes had their name, and before their private directory was gone."""
    with contextlib.suppress(OSError):
        if any(name.startswith(f".{_label(destination)}.") for name in os.listdir(destination.parent)):
            with scratch_dir(destination.parent, _label(destination)):  # it does so at its start
                pass


def _label(destination: Path) -> str:
    return destination.name[:100]


def _write(job: _Job, destination: Path) -> Placed:
    with scratch_dir(destination.parent, _label(destination)) as scratch:
        new = scratch / "new"
        if job.pieces.kind == FILE:
            (piece,) = job.pieces.files
            found = {piece.path: _copy(job, piece, new)}
        else:
            found = _copy_all(job, new)
        if not job.is_right(found):
            raise _wrong(job)
        _appear(new, destination, job.pieces.kind)
    return job.placed(destination, found, changed=True)


def _copy_all(job: _Job, new: Path) -> dict[str, _Found]:
    new.mkdir()
    for parent in sorted({(new / piece.path).parent for piece in job.pieces.files}):
        parent.mkdir(parents=True, exist_ok=True)
    return dict(job.meter.map(lambda piece: (piece.path, _copy(job, piece, new / piece.path)), job.pieces.files))


def _copy(job: _Job, piece: Piece, target: Path) -> _Found:
    """Read once: hash and write the very same block."""
    hasher = new_hasher(job.algorithm(piece))
    with open_source(piece.source) as source, FileIO(target, "xb") as sink:
        size = pump(source, (hasher.update, lambda block: write_all(sink, block)), job.meter.told(piece.path))
    return _Found(hasher.hexdigest(), size)


def _wrong(job: _Job) -> DataError:
    """Name the files that are bad, by hashing the sources once more: only here, where there is bad news anyway."""
    bad = []
    for piece in job.pieces.files:
        name = piece.oid.hash_name if piece.oid else "md5"
        digests, size = hash_source(piece.source, (name, SHA256))
        wanted = job.expect.files.get(piece.path, digests[SHA256])
        if digests[SHA256] != wanted or (piece.oid is not None and digests[name] != piece.oid.hex):
            bad.append((piece, FileHash(digests[name], digests[SHA256], size)))
    if bad:
        return corrupt(job.pieces, bad)
    message = "the bytes are what DVC's md5 says, but not what the version's record says"
    return DataError(message, hint="modelver verify")


def _appear(new: Path, destination: Path, kind: str) -> None:
    """Give the finished bytes their name, unless something has got it meanwhile."""
    try:
        if kind == DIRECTORY:
            os.rename(new, destination)  # fails on anything but an empty directory
        else:
            _appear_file(new, destination)
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
            raise Conflict(f"{destination} has appeared meanwhile", hint="run the same command again") from None
        raise


def _appear_file(new: Path, destination: Path) -> None:
    try:
        os.link(new, destination)  # unlike rename, never replaces
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK):
            raise
        if os.path.lexists(destination):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(destination)) from None
        os.rename(new, destination)
