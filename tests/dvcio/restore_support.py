"""A work tree and a cache made by hand, for the tests of restoring."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dvc_modelver.core.facts import Output
from dvc_modelver.core.progress import Progress, no_progress
from dvc_modelver.dvcio.cache import Cache
from dvc_modelver.dvcio.config import DvcConfig
from dvc_modelver.dvcio.hashmemory import HashMemory
from dvc_modelver.dvcio.listing import ObjectId, format_listing
from dvc_modelver.dvcio.restore import Restore, Row, plan_restore
from tests.dvcio.bytes_support import md5

Content = bytes | Mapping[str, bytes] | None
"""A file, a directory of files, or nothing."""


@dataclass(frozen=True)
class Place:
    """A work tree at `root`, with its cache beside it."""

    base: Path

    @property
    def root(self) -> Path:
        return self.base / "tree"

    @property
    def cache(self) -> Cache:
        return Cache(self.base / "cache")

    def store(self, data: bytes, value: str | None = None) -> Path:
        """Put bytes into the cache as DVC does."""
        digest = value or md5(data)
        oid = ObjectId(digest.removesuffix(".dir"), directory=digest.endswith(".dir"))
        place = self.cache.path(oid)
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
            place.chmod(0o444)
            os.utime(place, (1e9, 1e9))
        return place

    def output(self, path: str, content: Content) -> Output | None:
        """What a commit would say of `content`, whose bytes are in the cache afterwards."""
        if content is None:
            return None
        if isinstance(content, bytes):
            self.store(content)
            return Output(path=path, digest=f"md5:{md5(content)}")
        listing = format_listing((name, md5(data)) for name, data in content.items())
        for data in content.values():
            self.store(data)
        self.store(listing, f"{md5(listing)}.dir")
        return Output(path=path, digest=f"md5:{md5(listing)}.dir")

    def row(self, path: str, old: Content, new: Content) -> Row:
        return self.output(path, old), self.output(path, new)

    def write(self, path: str, content: Content) -> None:
        """Write into the work tree, over what is there."""
        files = (
            {path: content} if isinstance(content, bytes) else {f"{path}/{n}": d for n, d in (content or {}).items()}
        )
        for name, data in files.items():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_bytes(data)

    def plan(self, *rows: Row, links: tuple[str, ...] = (), progress: Progress = no_progress) -> Restore:
        config = DvcConfig(dvc_dir=self.base, cache_dir=self.cache.directory, cache_types=links)
        return plan_restore(self.root, self.cache, rows, self.memory(), config=config, progress=progress)

    def memory(self) -> HashMemory:
        """One for which every file is old enough to be remembered."""
        return HashMemory(self.base / "memory", clock=lambda: time.time_ns() + 10**10)

    def files(self) -> dict[str, bytes]:
        """Everything in the work tree that is no directory, links followed."""
        found = (place for place in self.root.rglob("*") if not place.is_dir() or place.is_symlink())
        return {place.relative_to(self.root).as_posix(): place.read_bytes() for place in found}

    def folders(self) -> set[str]:
        return {place.relative_to(self.root).as_posix() for place in self.root.rglob("*") if place.is_dir()}


def tree(**outputs: Content) -> dict[str, bytes]:
    """The files that these outputs make."""
    files: dict[str, bytes] = {}
    for path, content in outputs.items():
        if isinstance(content, bytes):
            files[path] = content
        else:
            files.update({f"{path}/{name}": data for name, data in (content or {}).items()})
    return files
