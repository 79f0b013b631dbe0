"""What a card can say of its tables of data: their profiles, else the rows and columns that their bytes have.

A profile that a pipeline stage wrote of a table's very bytes speaks for them, also where they are at hand: so every
clone says the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from dvc_modelver.commands.bytes_at_hand import Bytes
from dvc_modelver.core.facts import Output
from dvc_modelver.core.recipe import Kind, Recipe, Shape
from dvc_modelver.dvcio import paths
from dvc_modelver.dvcio.locate import Commit, is_directory
from dvc_modelver.dvcio.profiled import MAX_PROFILE, Profiled, find_profile, is_of
from dvc_modelver.errors import BadInput

if TYPE_CHECKING:
    from dvc_modelver.core.tables import TableProfile

_MAX_COUNT = 1 << 63


class CardTables:
    """The tables of one model in one tree.  Only files of DVC's are listed, no directories."""

    def __init__(self, commit: Commit, recipe: Recipe, at_hand: Bytes, files: Sequence[str]) -> None:
        """`files`: the `dvc.yaml` files that are asked for profiles, before those beside a table and above it."""
        self._commit = commit
        self._recipe = recipe
        self._at_hand = at_hand
        self._files = files
        self._read: dict[str, TableProfile | None] = {}

    @cached_property
    def _tables(self) -> Mapping[str, Output]:
        evaluated = (item for step in self._recipe.evaluation for item in step.inputs if item.kind is not Kind.CODE)
        outputs = (item.output for item in (*self._recipe.data, *evaluated))
        known = (out for out in outputs if out.digest is not None and out.digest.startswith("md5:"))
        return {out.path: out for out in known if not is_directory(out)}

    @cached_property
    def _found(self) -> Mapping[str, Profiled]:
        from dvc_modelver.dvcio.profiles import table_format

        asked = ((path, table) for path, table in self._tables.items() if table_format(path) is not None)
        found = ((path, find_profile(self._commit, table, self._asked(path))) for path, table in asked)
        return {path: profiled for path, profiled in found if profiled is not None}

    def _asked(self, path: str) -> Iterator[str]:
        yield from self._files
        if not paths.is_url(path):
            yield from (f"{folder}/dvc.yaml" for folder in paths.parents(path))
            yield "dvc.yaml"

    @cached_property
    def profiles(self) -> Mapping[str, Output]:
        """Table -> the profile that is tied to its bytes; a function of the tree alone."""
        return {path: found.output for path, found in self._found.items() if found.problem is None}

    @property
    def missing(self) -> tuple[Output, ...]:
        """The profiles that DVC keeps and that are not at hand."""
        return tuple(output for output in self.profiles.values() if self._bytes(output) is None)

    def are_at_hand(self) -> bool:
        """Whether all that `read` asks for is on this machine."""
        told = self.read_profiles()
        return not self.missing and all(place is not None for path, place in self._countable() if path not in told)

    def read_profiles(self) -> Mapping[str, TableProfile]:
        """Table -> its profile, where that is at hand and is one."""
        found = ((path, self._profile(output)) for path, output in self.profiles.items())
        return {path: profile for path, profile in found if profile is not None}

    def read_shapes(self) -> Mapping[str, Shape]:
        """Table -> its rows and columns, where no profile says them and its bytes are at hand."""
        from dvc_modelver.dvcio.shapes import shape_of

        told = self.read_profiles()
        places = ((path, place) for path, place in self._countable() if place is not None and path not in told)
        shapes = ((path, shape_of(place, path, place.stat().st_size)) for path, place in places)
        return {path: shape for path, shape in shapes if shape is not None}

    def problems(self) -> Iterator[str]:
        """In words, which profiles are passed over and why."""
        for found in self._found.values():
            output = found.output
            if found.problem is not None:
                yield f"{output.path} {found.problem}"
            elif self._bytes(output) is None:
                yield f"{output.path} is kept by DVC and not at hand: dvc pull {output.path}"
            elif self._profile(output) is None:
                yield f"{output.path} is no profile of a table, and not used"

    def _countable(self) -> Iterator[tuple[str, Path | None]]:
        """The tables whose rows can be counted, and where the cache has them."""
        from dvc_modelver.dvcio.shapes import may_be_table

        for path, output in self._tables.items():
            if may_be_table(path, output.size):
                yield path, self._place(output)

    def _place(self, output: Output) -> Path | None:
        from dvc_modelver.dvcio.cache import output_id

        cache = self._at_hand.cache_of(output.root)
        return cache.find(output_id(output)) if cache is not None else None

    def _bytes(self, output: Output) -> bytes | None:
        """Of a profile; a copy in the cache that is altered, or too large for one, is as good as none."""
        if self._commit.tree.entry(output.path) is not None:
            return self._commit.tree.read(output.path)
        place = self._place(output)
        if place is None or place.stat().st_size > MAX_PROFILE:
            return None
        data = place.read_bytes()
        return data if is_of(data, output) else None

    def _profile(self, output: Output) -> TableProfile | None:
        if output.path not in self._read:
            data = self._bytes(output)
            if data is None:
                return None
            self._read[output.path] = _parsed(data, output.path)
        return self._read[output.path]


def _parsed(data: bytes, path: str) -> TableProfile | None:
    """None for what is no profile, or says what no table can be."""
    from dvc_modelver.core.validationrules import parse_profile
    from dvc_modelver.dvcio.values import read_values

    if len(data) > MAX_PROFILE:
        return None
    try:
        table = parse_profile(path, read_values(data, path=path))[0].table
    except BadInput:
        return None
    counts = (count for column in table.columns for count in (column.nulls, column.distinct or 0))
    return table if table.rows < _MAX_COUNT and max(counts, default=0) <= table.rows else None
