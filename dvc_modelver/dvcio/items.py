"""One entry of `deps:` or `outs:`, as `dvc.lock` and `.dvc` files hold it.  Pure: mapping to type."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dvc_modelver.dvcio.paths import shown
from dvc_modelver.errors import BadInput

_MD5 = re.compile(r"[0-9a-f]{32}(?:\.dir)?\Z")
_OTHER_HASHES = ("etag", "checksum")


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """Where a file lies and which bytes it names."""

    path: str
    """As written: relative to the stage's working directory, or a URL."""
    digest: str | None
    """`md5:HEX`, `md5:HEX.dir`, `etag:...`, `checksum:...`; None when there is none yet."""
    size: int | None = None
    files: int | None = None
    hash_name: str = "md5"
    listing: tuple[tuple[str, str], ...] | None = None
    """(path, md5) of each file of a directory, where the entry lists them itself (cloud versioning)."""


def parse_item(raw: object, where: str) -> Item:
    """One entry; `where` is the file and stage for messages.

    Raises:
        BadInput: no mapping, no path, or an md5 that is no digest: paths in the cache are made of it.
    """
    if not isinstance(raw, dict):
        raise BadInput(f"{where}: an entry is not a mapping")
    path = raw.get("path")
    if not isinstance(path, str) or not path:
        raise BadInput(f"{where}: an entry has no path")
    listing = _listing(raw.get("files"), f"{where}: {shown(path)}")
    return Item(
        path=path,
        digest=_digest(raw, f"{where}: {shown(path)}") or (tree_digest(listing) if listing else None),
        size=_count(raw.get("size")) if raw.get("size") is not None or not listing else _listed_size(raw["files"]),
        files=_count(raw.get("nfiles")) if not listing else len(listing),
        hash_name="md5" if raw.get("hash") is not None or listing is not None else "md5-dos2unix",
        listing=listing,
    )


def check_md5(value: object, where: str) -> str:
    """`value` as DVC reads it: text or a number, in lower case, 32 hex digits, `.dir` for a directory."""
    text = str(value).lower() if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    if not _MD5.match(text):
        raise BadInput(f"{where}: not an md5 digest: {str(value)[:60]!a}", hint="restore the file from Git history")
    return text


def _digest(raw: Mapping[object, object], where: str) -> str | None:
    if raw.get("md5") not in (None, ""):
        return f"md5:{check_md5(raw['md5'], where)}"
    for kind in _OTHER_HASHES:
        value = raw.get(kind) or _cloud(raw).get(kind)
        if isinstance(value, (str, int)) and not isinstance(value, bool):
            return f"{kind}:{value}"
    return None


def _cloud(raw: Mapping[object, object]) -> Mapping[object, object]:
    """What the first remote of `cloud:` says, as DVC takes it."""
    cloud = raw.get("cloud")
    first = next(iter(cloud.values()), None) if isinstance(cloud, dict) else None
    return first if isinstance(first, dict) else {}


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63 else None


def _listing(raw: object, where: str) -> tuple[tuple[str, str], ...] | None:
    if not isinstance(raw, list):
        return None
    return tuple(_listed(entry, where) for entry in raw)


def _listed(entry: object, where: str) -> tuple[str, str]:
    if not isinstance(entry, dict) or not isinstance(entry.get("relpath"), str):
        raise BadInput(f"{where}: a listed file has no relpath")
    return entry["relpath"], check_md5(entry.get("md5"), where)


def tree_digest(files: Iterable[tuple[str, str]]) -> str:
    """The digest of the `.dir` object that DVC writes for these (path, md5) pairs."""
    ordered = sorted(files, key=lambda entry: entry[0].split("/"))
    text = json.dumps([{"md5": md5, "relpath": path} for path, md5 in ordered])
    return f"md5:{hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()}.dir"


def _listed_size(files: object) -> int | None:
    sizes = [_count(entry.get("size")) for entry in files] if isinstance(files, list) else []
    known = [size for size in sizes if size is not None]
    return sum(known) if known and len(known) == len(sizes) else None
