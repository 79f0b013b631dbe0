"""What commits say of a model for `impact`, remembered: one JSON file a model, and listings by their digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dvc_modelver.commands.remembered import read_remembered, write_bytes, write_remembered
from dvc_modelver.core.impact import Making, from_rows, to_rows
from dvc_modelver.errors import ModelverError

if TYPE_CHECKING:
    from dvc_modelver.dvcio.listing import ObjectId

# Bump it when the meaning of a field changes; old files are then left alone.
FORMAT = "impact-1"


class Memory:
    """JSON files that may be deleted at any time; one that is damaged or cannot be written is as good as none."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._makings: dict[str, dict[str, Making]] = {}
        self._files: dict[str, dict[str, Any] | None] = {}
        self._dirty: set[str] = set()
        self.changed: set[str] = set()
        """Models of which something new was read."""

    def makings(self, name: str) -> dict[str, Making]:
        """What is remembered of a model, by commit."""
        if name not in self._makings:
            self._makings[name] = {}
            with suppress(TypeError, ValueError, KeyError, IndexError):
                raw = read_remembered(self._folder / f"made/{file_name(name)}.json")
                self._makings[name] = from_rows(raw) if raw is not None else {}
        return self._makings[name]

    def file(self, name: str) -> dict[str, Any] | None:
        if name not in self._files:
            self._files[name] = read_remembered(self._folder / f"{name}.json")
        return self._files[name]

    def put(self, name: str, key: str, value: object) -> dict[str, Any]:
        """Remember an answer; all of that file."""
        known = self.file(name)
        if known is None:
            known = self._files[name] = {}
        known[key] = value
        self._dirty.add(name)
        return known

    def save(self) -> None:
        for name in sorted(self.changed):
            write_remembered(self._folder / f"made/{file_name(name)}.json", to_rows(self._makings[name]))
        for name in sorted(self._dirty):
            write_remembered(self._folder / f"{name}.json", self._files[name])
        self.changed.clear()
        self._dirty.clear()

    def listing(self, digest: str, hash_name: str) -> Mapping[str, str] | None:
        """A directory listing that was fetched before; its bytes are compared with its digest."""
        folder = self._folder / "listings"
        if not folder.is_dir():
            return None
        from dvc_modelver.dvcio.cache import checked_listing
        from dvc_modelver.dvcio.listing import object_id

        with suppress(ModelverError, OSError):
            oid = object_id(digest, hash_name)
            return {file.relpath: file.oid.hex for file in checked_listing(folder / oid.file_name, oid)}
        return None

    def adopt_listing(self, oid: ObjectId, raw: bytes) -> None:
        write_bytes(self._folder / "listings" / oid.file_name, raw)

    def keep_listing(self, digest: str, listing: Iterable[tuple[str, str]]) -> None:
        """Keep what a DVC file itself lists, when its digest is that of the list."""
        from dvc_modelver.dvcio.listing import object_id

        ordered = sorted(listing, key=lambda entry: entry[0].split("/"))
        raw = json.dumps([{"md5": md5, "relpath": path} for path, md5 in ordered]).encode()
        if digest == f"md5:{hashlib.md5(raw, usedforsecurity=False).hexdigest()}.dir":
            self.adopt_listing(object_id(digest), raw)


def file_name(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:40]
