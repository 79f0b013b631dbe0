"""Hashes of a table's rows in a temporary file: which come twice, which another table has too.

Eight bytes a row on disk, and 100 MB of memory at most, whatever the number of rows.  Two different rows of n have one
hash with a probability below n^2 / 2^65: for 20 million rows once in 90,000 tables.
"""

from __future__ import annotations

import json
import tempfile
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dvc_modelver.core.validation import Count
from dvc_modelver.dvcio.tablerows import Block

if TYPE_CHECKING:
    import numpy as np

IN_MEMORY = 8 << 20
"""Bytes of hashes before they go to disk."""
_AT_ONCE = 1 << 20
"""Hashes that are looked at together: each further part costs one more pass over the file."""
_READ = 1 << 18
"""Hashes that are read at a time."""


class RowHashes:
    """The rows of one table, of some of its columns.  A context manager: the file goes when it ends."""

    def __init__(self, columns: Sequence[str] | None = None, *, kinds: Mapping[str, str] | None = None) -> None:
        """Of no rows yet.

        Args:
            columns: those that count; None: all.
            kinds: what the cells of each of `columns` are compared as, see `comparable`; None: as they are written.
        """
        self._columns = tuple(sorted(columns)) if columns is not None else None
        self._kinds = kinds
        self._file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115
        self.rows = 0

    def __enter__(self) -> RowHashes:
        return self

    def __exit__(self, *ended: object) -> None:
        self._file.close()

    def add(self, block: Block) -> None:
        """Take the rows of a block; a column that it lacks has no value in any of them."""
        self._file.write(array("q", self._hashes(block)).tobytes())
        self.rows += block.rows

    def _hashes(self, block: Block) -> Iterable[int]:
        there = dict(zip(block.names, block.columns, strict=True))
        if self._columns is not None:
            return map(hash, zip(*(self._cells(name, there.get(name), block) for name in self._columns), strict=True))
        names = tuple(sorted(there))
        if not block.typed:
            return map(hash, zip(*(there[name] for name in names), strict=True))
        cells = [[as_text(value) for value in there[name]] for name in names]
        # Only what has a value counts: in JSON lines a column that is null may as well be absent.
        return (
            hash(tuple((name, one[row]) for name, one in zip(names, cells, strict=True) if one[row] is not None))
            for row in range(block.rows)
        )

    def _cells(self, name: str, cells: Sequence[object] | None, block: Block) -> Sequence[object]:
        if cells is None:
            return (None if block.typed or self._kinds is not None else "",) * block.rows
        if self._kinds is not None:
            from dvc_modelver.dvcio.comparable import comparable

            return comparable(cells, self._kinds[name], typed=block.typed)
        return [as_text(value) for value in cells] if block.typed else cells

    def repeated(self) -> Count:
        """How many rows were there before, and the first that was."""
        import numpy as np

        count, first = 0, None
        for hashes, places in self._parts(self.rows):
            order = np.argsort(hashes, kind="stable")
            sorted_hashes = hashes[order]
            again = order[1:][sorted_hashes[1:] == sorted_hashes[:-1]]
            count += len(again)
            first = _least(first, places[again])
        return Count(count=count, first=first)

    def shared(self, other: RowHashes) -> Count:
        """How many rows the other table has too, and the first that it has."""
        import numpy as np

        count, first = 0, None
        most = max(self.rows, other.rows)
        for (hashes, places), (others, _) in zip(self._parts(most), other._parts(most), strict=True):
            # `isin` would take four times the memory.
            others = np.sort(others)
            places_there = np.searchsorted(others, hashes)
            both = np.zeros(len(hashes), dtype=bool)
            if len(others):
                both = others[np.minimum(places_there, len(others) - 1)] == hashes
            count += int(both.sum())
            first = _least(first, places[both])
        return Count(count=count, first=first)

    def _parts(self, most: int) -> Iterator[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
        """(hashes, places of their rows from 0) of those that can be equal, in as many parts as `most` rows need."""
        import numpy as np

        parts = max(1, -(-most // _AT_ONCE))
        for part in range(parts):
            found = list(self._part(part, parts))
            hashes, places = (list(arrays) for arrays in zip(*found, strict=True)) if found else ([], [])
            none = np.empty(0, dtype=np.int64)
            yield (np.concatenate(hashes) if hashes else none), (np.concatenate(places) if places else none)

    def _part(self, part: int, parts: int) -> Iterator[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
        import numpy as np

        self._file.seek(0)
        start = 0
        while raw := self._file.read(8 * _READ):
            hashes = np.frombuffer(raw, dtype=np.int64)
            places = np.nonzero(hashes % parts == part)[0]
            yield hashes[places], places + start
            start += len(hashes)


def _least(first: int | None, places: np.ndarray[Any, Any]) -> int | None:
    if not len(places):
        return first
    least = int(places.min()) + 1
    return least if first is None else min(first, least)


def as_text(value: object) -> str | None:
    """A cell with a type of its own as the text by which rows are compared."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, default=repr, sort_keys=True)
