"""Stream a table block by block, in bounded memory; what is no table is said with its line.

Unlike a profile, which answers None for whatever it cannot read, a check has to say why.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import importlib
import io
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BufferedReader
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, cast

from dvc_modelver.core.progress import Progress, no_progress
from dvc_modelver.dvcio.hashing import open_regular
from dvc_modelver.dvcio.profiles import table_format
from dvc_modelver.errors import BadInput, EnvironmentProblem, ModelverError

MAX_LINE = 1 << 20
MAX_COLUMNS = 10_000
MAX_ROWS = 100_000_000
MAX_BYTES = 64 << 30
MAX_UNPACKED = 8 << 30
"""Bytes of a packed table, unpacked."""
_BLOCK_CELLS = 100_000
_BLOCK_ROWS = 10_000
_BLOCK_BYTES = 4 << 20
_READ = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Some rows that follow each other, column by column."""

    names: tuple[str, ...]
    columns: tuple[Sequence[object], ...]
    rows: int
    ragged: int = 0
    typed: bool = False
    """Whether cells have types of their own (JSON, Parquet); else all are text."""


def read_blocks(path: Path, name: str, *, progress: Progress = no_progress) -> Iterator[Block]:
    """The table in a file, at least one block: that of a table without rows is empty.

    CSV has a header; its delimiter is the comma, or where the header then is a single cell, whichever of semicolon,
    tab and bar stands there most.  Text is UTF-8.  Cells that a row lacks are empty, those that are too many go.
    Names of columns are cut to 200 characters.  Parquet needs pyarrow.

    Args:
        name: as the user wrote it; its suffix tells the format.
        progress: told of bytes read, of the file as it lies.

    Raises:
        BadInput: no such file, no table by its name, broken, or beyond the caps above.
        EnvironmentProblem: Parquet without pyarrow.
    """
    kind = table_format(name)
    if kind is None or kind.startswith("json."):
        raise BadInput(f"{name} is no table by its name", hint="one of .csv, .tsv, .jsonl (also .gz) and .parquet")
    if kind.startswith("json") and not kind.startswith("jsonl"):
        raise BadInput(f"{name}: a JSON list is not streamed", hint="write one object a line, as .jsonl")
    try:
        with BufferedReader(open_regular(path)) as raw:
            size = raw.seek(0, io.SEEK_END)
            raw.seek(0)
            for block in _blocks(raw, kind, name):
                progress(min(raw.tell(), size), size, name)
                yield block
            progress(size, size, name)
    except ModelverError as error:
        raise error if isinstance(error, (BadInput, EnvironmentProblem)) else BadInput(error.message) from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BadInput(f"{name}: broken gzip: {error}") from None
    except UnicodeDecodeError:
        raise BadInput(f"{name} is not UTF-8", hint="iconv -f ENCODING -t UTF-8") from None
    except OSError as error:
        raise BadInput(f"cannot read {name}: {error.strerror or error}") from None


def _blocks(raw: BinaryIO, kind: str, name: str) -> Iterator[Block]:
    if kind == "parquet":
        yield from _parquet(raw, name)
        return
    packed = kind.endswith(".gz")
    file = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if packed else raw
    most = MAX_UNPACKED if packed else MAX_BYTES
    if kind.startswith("jsonl"):
        yield from _json_lines(_Lines(file, name, most), name)
    else:
        yield from _delimited(file, name, most, "," if kind[0] == "c" else "\t")


class _Lines:
    """A text file's lines with their ends, from its beginning."""

    def __init__(self, file: BinaryIO, name: str, most: int) -> None:
        file.seek(0)
        self._file, self._name, self._most = file, name, most
        self.done = 0
        """Bytes."""

    def __iter__(self) -> Iterator[str]:
        rest = b""
        for block in iter(lambda: self._file.read(_READ), b""):
            if not self.done:
                block = block.removeprefix(codecs.BOM_UTF8)
            self.done += len(block)
            if b"\0" in block:
                raise BadInput(f"{self._name} holds a zero byte: it is no UTF-8 text", hint="iconv -f UTF-16 -t UTF-8")
            if self.done > self._most:
                raise BadInput(f"{self._name}: more than {self._most >> 30} GiB of text", hint="check it in parts")
            block = rest + block
            end = block.rfind(b"\n") + 1
            rest = block[end:]
            if len(rest) > MAX_LINE:
                raise BadInput(f"{self._name}: a line longer than {MAX_LINE >> 20} MiB")
            yield from io.StringIO(block[:end].decode("utf-8"), newline="")
        yield from io.StringIO(rest.decode("utf-8"), newline="")


# Delimited text ---------------------------------------------------------------------------------------------------


def _delimited(file: BinaryIO, name: str, most: int, delimiter: str) -> Iterator[Block]:
    lines = _Lines(file, name, most)
    rows = _rows(lines, name, delimiter)
    header = next(rows, None)
    if header is not None and delimiter == "," and len(header) == 1 and (other := _other_delimiter(header[0])):
        lines = _Lines(file, name, most)
        rows = _rows(lines, name, other)
        header = next(rows)
    if header is None:
        raise BadInput(f"{name} is empty", hint="a table begins with the names of its columns")
    names = _names(name, header)
    for block in _grouped(rows, name, len(names), lines):
        ragged = _straighten(block, len(names))
        columns = tuple(zip(*block, strict=True)) if block else tuple(() for _ in names)
        yield Block(names=names, columns=columns, rows=len(block), ragged=ragged)


def _rows(lines: _Lines, name: str, delimiter: str) -> Iterator[list[str]]:
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        yield from filter(None, reader)
    except csv.Error as error:
        raise BadInput(f"{name}: line {reader.line_num}: {error}") from None


def _other_delimiter(cell: str) -> str | None:
    counts = {delimiter: cell.count(delimiter) for delimiter in ";\t|"}
    most = max(counts, key=lambda delimiter: counts[delimiter])
    return most if counts[most] else None


def _names(name: str, header: Sequence[str]) -> tuple[str, ...]:
    from dvc_modelver.core.validation import labels
    from dvc_modelver.dvcio.columns import MAX_NAME

    if len(header) > MAX_COLUMNS:
        raise BadInput(f"{name}: {len(header)} columns; at most {MAX_COLUMNS} are checked")
    return labels([cell[:MAX_NAME] for cell in header])


def _straighten(block: list[list[str]], width: int) -> int:
    """Give every row as many cells as the header has; how many had more or fewer."""
    ragged = 0
    if set(map(len, block)) - {width}:
        for at, row in enumerate(block):
            if len(row) != width:
                ragged += 1
                block[at] = [*row[:width], *[""] * (width - len(row))]
    return ragged


def _grouped(rows: Iterator[Any], name: str, width: int, lines: _Lines) -> Iterator[list[Any]]:
    """Rows in lists of bounded size; one empty list where there is none."""
    most = min(_BLOCK_ROWS, max(100, _BLOCK_CELLS // max(width, 1)))
    block: list[Any] = []
    total, start = 0, lines.done
    for some in iter(lambda: list(islice(rows, min(most, 100))), []):
        block += some
        total += len(some)
        if total > MAX_ROWS:
            raise BadInput(f"{name}: more than {MAX_ROWS:,} rows", hint="check it in parts")
        if len(block) >= most or lines.done - start > _BLOCK_BYTES:
            yield block
            block, start = [], lines.done
    if block or not total:
        yield block


# JSON lines and Parquet -------------------------------------------------------------------------------------------


def _json_lines(lines: _Lines, name: str) -> Iterator[Block]:
    from dvc_modelver.dvcio.columns import MAX_NAME

    for records in _grouped(_records(lines, name), name, 100, lines):
        names = tuple(dict.fromkeys(key for record in records for key in record))
        if len(names) > MAX_COLUMNS:
            raise BadInput(f"{name}: {len(names)} columns; at most {MAX_COLUMNS} are checked")
        columns = tuple([record.get(key) for record in records] for key in names)
        yield Block(names=tuple(key[:MAX_NAME] for key in names), columns=columns, rows=len(records), typed=True)


def _records(lines: _Lines, name: str) -> Iterator[dict[str, object]]:
    for number, line in enumerate(lines, 1):
        if line.isspace():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            raise BadInput(f"{name}: line {number} is no JSON") from None
        if not isinstance(record, dict):
            raise BadInput(f"{name}: line {number} is no object")
        yield record


def _parquet(raw: BinaryIO, name: str) -> Iterator[Block]:
    try:
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise EnvironmentProblem(f"{name}: reading Parquet needs pyarrow", hint="pip install pyarrow") from None
    try:
        yield from _row_groups(parquet.ParquetFile(raw), name)
    except ModelverError:
        raise
    except Exception as error:  # of a damaged file it raises nearly anything
        raise BadInput(f"{name}: broken Parquet: {type(error).__name__}") from None


def _row_groups(file: Any, name: str) -> Iterator[Block]:
    said = file.metadata
    names = _names(name, file.schema_arrow.names)
    largest = max((said.row_group(at).total_byte_size for at in range(said.num_row_groups)), default=0)
    if said.num_rows > MAX_ROWS or largest > MAX_UNPACKED:
        raise BadInput(f"{name}: {said.num_rows:,} rows; at most {MAX_ROWS:,} are checked", hint="check it in parts")
    size = min(_BLOCK_ROWS, max(100, _BLOCK_CELLS // max(len(names), 1)))
    read: Callable[..., Any] = file.iter_batches
    empty = True
    for batch in read(batch_size=size, use_threads=False):
        empty = False
        columns = tuple(column.to_pylist() for column in batch.columns)
        yield Block(names=names, columns=columns, rows=batch.num_rows, typed=True)
    if empty:
        yield Block(names=names, columns=tuple(() for _ in names), rows=0, typed=True)
