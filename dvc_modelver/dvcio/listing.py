"""The `.dir` objects of DVC: JSON lists of files, written by others, checked before use."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from dvc_modelver.dvcio.hashing import LEGACY_MD5, MD5
from dvc_modelver.errors import BadInput

MAX_LISTING = 256 << 20
"""Bytes; about 2.5 million files."""

_HEX = re.compile(r"[0-9a-f]{32}")
_DRIVE = re.compile(r"[A-Za-z]:")


@dataclass(frozen=True, slots=True)
class ObjectId:
    """One object of a DVC cache or remote; paths are made of it, so it is always hexadecimal."""

    hex: str
    directory: bool = False
    """True for a `.dir` listing."""
    legacy: bool = False
    """True for what DVC 2 wrote: another hash of text files, another place."""

    @property
    def hash_name(self) -> str:
        """`md5` or `md5-dos2unix`."""
        return LEGACY_MD5 if self.legacy else MD5

    @property
    def value(self) -> str:
        """As DVC names it: the digest, with `.dir` for a listing."""
        return f"{self.hex}.dir" if self.directory else self.hex

    @property
    def file_name(self) -> str:
        """A name for it in a flat directory: unlike `value` it tells the two kinds of md5 apart."""
        return f"{self.value}.dvc2" if self.legacy else self.value

    def __str__(self) -> str:
        return f"md5:{self.value}"


def object_id(digest: str, hash_name: str = MD5) -> ObjectId:
    """Read `md5:HEX` or `md5:HEX.dir` (the prefix may be absent).

    Raises:
        BadInput: it is not 32 lower-case hexadecimal digits.
    """
    value = digest.removeprefix(f"{MD5}:")
    plain = value.removesuffix(".dir")
    if not _HEX.fullmatch(plain):
        raise BadInput(f"{digest[:80]!r} is not an md5 digest", hint="the DVC file that names it is damaged")
    return ObjectId(plain, directory=plain != value, legacy=hash_name == LEGACY_MD5)


@dataclass(frozen=True, slots=True)
class ListedFile:
    """One file of a tracked directory."""

    relpath: str
    """POSIX, below the directory; checked by `check_relpath`."""
    oid: ObjectId


def check_relpath(relpath: str) -> str:
    """Return `relpath` when it can only mean a file below its directory.

    Raises:
        BadInput: absolute, `..`, `.git` in any spelling, a backslash, a drive letter, an empty or endless part.
    """
    parts = relpath.split("/")
    if any(_bad_part(part) for part in parts) or _DRIVE.match(relpath) or "\\" in relpath or "\0" in relpath:
        raise BadInput(f"{relpath[:200]!r} in a directory listing is not a path below the directory")
    return relpath


def _bad_part(part: str) -> bool:
    # Windows and macOS drop trailing dots and spaces, and fold case: `.GIT. ` opens `.git` there.
    folded = part.rstrip(". ").casefold()
    return not folded or folded in (".git", "git~1") or len(part.encode("utf-8", "surrogatepass")) > 255


def parse_listing(raw: bytes, oid: ObjectId) -> tuple[ListedFile, ...]:
    """Read the bytes of the `.dir` object `oid`: its files, sorted by path.

    Raises:
        BadInput: not DVC's format, a path that leads out, a path named twice, a digest that is none.
    """
    files = sorted((_parse_entry(row, oid) for row in _parse_rows(raw, oid)), key=lambda file: file.relpath)
    _refuse_overlaps(files)
    return tuple(files)


def _parse_rows(raw: bytes, oid: ObjectId) -> list[object]:
    if len(raw) > MAX_LISTING:
        raise BadInput(f"the directory listing {oid} is larger than {MAX_LISTING >> 20} MiB")
    try:
        rows = json.loads(raw)
    except (ValueError, RecursionError):
        raise BadInput(f"the directory listing {oid} is not JSON") from None
    if not isinstance(rows, list):
        raise BadInput(f"the directory listing {oid} is not a list")
    return rows


def _parse_entry(row: object, oid: ObjectId) -> ListedFile:
    relpath, digest = (row.get("relpath"), row.get("md5")) if isinstance(row, dict) else (None, None)
    if not isinstance(relpath, str) or not isinstance(digest, str):
        raise BadInput(f"the directory listing {oid} has an entry without `relpath` and `md5`")
    file = object_id(digest, oid.hash_name)
    if file.directory:
        raise BadInput(f"the directory listing {oid} names another listing")
    return ListedFile(check_relpath(relpath), file)


def _refuse_overlaps(files: Iterable[ListedFile]) -> None:
    names: set[str] = set()
    for file in files:
        if file.relpath in names:
            raise BadInput(f"{file.relpath!r} stands twice in a directory listing")
        names.add(file.relpath)
    for name in names:
        parent = name
        while (cut := parent.rfind("/")) > 0:
            parent = parent[:cut]
            if parent in names:
                raise BadInput(f"{parent!r} is a file and a directory in one directory listing")


def format_listing(files: Iterable[tuple[str, str]]) -> bytes:
    """The bytes that DVC would write for these (path, md5) pairs; their md5 is the directory's digest."""
    rows = [{"md5": digest, "relpath": relpath} for relpath, digest in sorted(files)]
    return json.dumps(rows, sort_keys=True).encode()
