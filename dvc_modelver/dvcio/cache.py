"""A local directory of DVC objects: the cache, or a remote that is a directory."""

from __future__ import annotations

import hashlib
import shlex
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dvc_modelver.core.facts import Output
from dvc_modelver.dvcio.hashing import open_regular
from dvc_modelver.dvcio.listing import MAX_LISTING, ListedFile, ObjectId, object_id, parse_listing
from dvc_modelver.errors import BadInput, DataError

__all__ = ["Cache", "ListedFile", "ObjectId", "object_id", "output_id"]


@dataclass(frozen=True, slots=True)
class Cache:
    """Where DVC keeps bytes by digest; this class only reads."""

    directory: Path
    """What `cache.dir` names, or the directory of a remote; it need not exist."""
    also: tuple[Path, ...] = ()
    """More directories of the same layout, looked at when the first lacks an object."""

    def path(self, oid: ObjectId) -> Path:
        """Where `oid` belongs, whether it is there or not."""
        return _place(self.directory, oid)

    def find(self, oid: ObjectId) -> Path | None:
        """Where `oid` lies; None when it is nowhere (or something else lies there)."""
        for directory in (self.directory, *self.also):
            place = _place(directory, oid)
            if _is_regular(place):
                return place
        return None

    def exists(self, oid: ObjectId) -> bool:
        """True when there is a file under this digest; its bytes are not looked at."""
        return self.find(oid) is not None

    def read_listing(self, oid: ObjectId) -> tuple[ListedFile, ...]:
        """The files of the directory `oid`, sorted, after its bytes were compared with its digest.

        Raises:
            DataError: it is missing, altered or truncated.
            BadInput: its bytes are as released but hostile.
        """
        place = self.find(oid)
        if place is None:
            raise DataError(f"the directory listing {oid} is not in {self.directory}", hint="dvc fetch")
        return checked_listing(place, oid, hint=f"rm -f {shlex.quote(str(place))} && dvc fetch")

    def objects(self, oid: ObjectId) -> Iterator[ObjectId]:
        """`oid` itself and, for a directory, every distinct file of it.

        Raises:
            DataError, BadInput: as `read_listing`.
        """
        yield oid
        if oid.directory:
            yield from dict.fromkeys(file.oid for file in self.read_listing(oid))


def checked_listing(place: Path, oid: ObjectId, *, hint: str = "") -> tuple[ListedFile, ...]:
    """Read the listing that lies at `place`, which must be `oid`; errors as `Cache.read_listing`."""
    with open_regular(place) as stream:
        raw = stream.read(MAX_LISTING + 1) or b""
    if len(raw) > MAX_LISTING:
        raise BadInput(f"the directory listing {oid} is larger than {MAX_LISTING >> 20} MiB")
    if hashlib.md5(raw, usedforsecurity=False).hexdigest() != oid.hex:
        raise DataError(f"the directory listing {oid} is altered or truncated", hint=hint)
    return parse_listing(raw, oid)


def output_id(output: Output) -> ObjectId:
    """The object that holds an output's bytes.

    Raises:
        DataError: DVC keeps no md5 of it (`cache: false`, cloud versioned, not yet built).
        BadInput: the digest is not hexadecimal.
    """
    if output.digest is None or not output.cached:
        raise DataError(f"DVC keeps no bytes of {output.path}, so they cannot be verified")
    if not output.digest.startswith("md5:"):
        raise DataError(f"{output.path} has no md5 but {output.digest[:40]}, so its bytes cannot be verified")
    return object_id(output.digest, output.hash_name)


def _place(directory: Path, oid: ObjectId) -> Path:
    root = directory if oid.legacy else directory / "files" / "md5"
    return root / oid.hex[:2] / (oid.value[2:])


def _is_regular(place: Path) -> bool:
    try:
        return stat.S_ISREG(place.stat().st_mode)
    except OSError:
        return False
