"""Parse `.dvc` files: what `dvc add`, `dvc import` and `dvc import-url` wrote.  Pure: bytes to types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from dvc_modelver.dvcio.items import Item, parse_item
from dvc_modelver.dvcio.lock import digest_of
from dvc_modelver.dvcio.yaml12 import load_yaml
from dvc_modelver.errors import BadInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracked:
    """One output of a `.dvc` file."""

    item: Item
    cached: bool = True
    remote: str | None = None
    pushed: bool = True
    metric: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """Where an import came from."""

    path: str
    """In the other repository, or the URL of `dvc import-url`."""
    url: str | None = None
    """The other repository; None for `dvc import-url`.  May hold user-info: redact it before showing."""
    rev: str | None = None
    rev_lock: str | None = None
    """The commit that the bytes are from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DvcFile:
    """One `.dvc` file."""

    name: str
    wdir: str
    outs: tuple[Tracked, ...]
    deps: tuple[Item, ...]
    """Dependencies in this repository (stages of DVC before 1.0)."""
    imports: tuple[Imported, ...]
    digest: str
    """sha256 of what it says."""


@lru_cache(maxsize=512)
def parse_dvc_file(data: bytes, name: str) -> DvcFile:
    """The contents of a `.dvc` file.  Remembered by content.

    Raises:
        BadInput: not YAML, not a mapping, entries of a wrong shape, digests that are not hex.
    """
    raw = load_yaml(data, name=name)
    if not isinstance(raw, dict):
        raise BadInput(f"{name}: not a mapping")
    wdir = raw.get("wdir")
    imported = raw.get("frozen") is True or raw.get("locked") is True
    deps = _entries(raw, "deps", name)
    foreign = [dep for dep in deps if "repo" in dep or imported or not isinstance(dep.get("path"), str)]
    return DvcFile(
        name=name,
        wdir=wdir if isinstance(wdir, str) and wdir else ".",
        outs=tuple(_tracked(entry, name) for entry in _entries(raw, "outs", name)),
        deps=tuple(parse_item(dep, name) for dep in deps if dep not in foreign),
        imports=tuple(_imported(dep) for dep in foreign),
        digest=digest_of(raw),
    )


def _entries(raw: Mapping[object, object], key: str, name: str) -> list[dict[object, object]]:
    entries = raw.get(key)
    if entries is None:
        return []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise BadInput(f"{name}: {key!r} is not a list of entries")
    return entries


def _tracked(raw: Mapping[object, object], name: str) -> Tracked:
    return Tracked(
        item=parse_item(raw, name),
        cached=raw.get("cache") is not False,
        remote=_text(raw.get("remote")),
        pushed=raw.get("push") is not False,
        metric=bool(raw.get("metric")),
    )


def _imported(raw: Mapping[object, object]) -> Imported:
    repo = raw.get("repo")
    where = repo if isinstance(repo, dict) else {}
    return Imported(
        path=_text(raw.get("path")) or "",
        url=_text(where.get("url")),
        rev=_text(where.get("rev")),
        rev_lock=_text(where.get("rev_lock")),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
