"""The bytes that this machine has of a repository's artifacts: DVC's caches, found without importing dvc."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import TracebackType
from typing import TYPE_CHECKING

from dvc_modelver.core.facts import Output

if TYPE_CHECKING:
    from dvc_modelver.commands.project import Project
    from dvc_modelver.dvcio.cache import Cache


class Bytes:
    """Answers from the local cache only: never fetches, never writes."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._listings: dict[str, Mapping[str, str] | None] = {}
        self.asked = False
        """Whether anything was asked: then an answer depends on what the cache has."""
        self.cache_of = lru_cache(maxsize=None)(self._open)

    def __enter__(self) -> Bytes:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._listings.clear()

    def _open(self, output_root: str) -> Cache | None:
        self.asked = True
        from dvc_modelver.dvcio.cache import Cache
        from dvc_modelver.dvcio.config import read_dvc_config

        place = self._project.data_root / output_root / ".dvc"
        if not place.is_dir():
            return None
        config = read_dvc_config(place, foreign=self._project.foreign, env=self._project.around.env)
        return Cache(config.cache_dir)

    def listing(self, output: Output) -> Mapping[str, str] | None:
        """relpath -> md5 of a tracked directory; None when the cache does not have its listing."""
        self.asked = True
        key = f"{output.root}:{output.digest}"
        if key not in self._listings:
            self._listings[key] = self._read_listing(output)
        return self._listings[key]

    def _read_listing(self, output: Output) -> Mapping[str, str] | None:
        from dvc_modelver.dvcio.cache import output_id

        cache = self.cache_of(output.root)
        if cache is None or output.digest is None:
            return None
        oid = output_id(output)
        if not cache.exists(oid):
            return None
        return {file.relpath: file.oid.hex for file in cache.read_listing(oid)}

    def blob(self, output: Output) -> bytes | None:
        """The bytes of a small cached file (metrics); None when they are not at hand."""
        from dvc_modelver.dvcio.cache import output_id

        cache = self.cache_of(output.root)
        if cache is None or output.digest is None:
            return None
        place = cache.find(output_id(output))
        return place.read_bytes() if place is not None else None
