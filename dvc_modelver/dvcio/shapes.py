"""Count the rows and columns of a table of data from its file: streamed, capped, without pandas."""

from __future__ import annotations

import codecs
import csv
import json
import os
import re
from collections.abc import Iterator, Mapping
from io import BufferedReader
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Literal

from dvc_modelver.core.recipe import Shape
from dvc_modelver.dvcio.formats import plain
from dvc_modelver.dvcio.formats.source import Malformed, Source
from dvc_modelver.dvcio.hashing import open_regular
from dvc_modelver.errors import DataError

MAX_TEXT = 64 * 1024 * 1024
"""Bytes of a text file that is counted: half a second without quotes, some seconds with them."""
MAX_COLUMNS = 1000
"""Above this a table keeps the number of its columns and no names."""
MAX_NAME = 200
_CHUNK = 1 << 20
_MAX_BLANK = 10_000
"""Lines in which the first that is not blank is looked for."""
_DELIMITERS: Mapping[str, Literal[",", "\t"]] = {".csv": ",", ".tsv": "\t"}
_JSON_LINES = (".jsonl", ".ndjson")


class _Unreadable(Exception):
    """The file is not what its name says, or costs more to read than it may."""


def shape_of(path: Path, name: str, size: int) -> Shape | None:
    """The shape of the table in a file; None where it is no table, broken, too large, or not `size` bytes long.

    Args:
        path: where the bytes are, in DVC's cache or in the work tree.
        name: of the data; its suffix tells the format.
        size: bytes, as its digest's record has them.
    """
    if not may_be_table(name, size):
        return None
    suffix = PurePosixPath(name).suffix.lower()
    try:
        with BufferedReader(open_regular(path)) as file:
            return _read(file, suffix) if os.fstat(file.fileno()).st_size == size else None
    except (OSError, DataError, Malformed, _Unreadable, ValueError, RecursionError, csv.Error):
        return None


def may_be_table(name: str, size: int | None) -> bool:
    """Whether a file of that name and size is one that `shape_of` looks into; an unknown size is small enough."""
    suffix = PurePosixPath(name).suffix.lower()
    known = suffix in (*_DELIMITERS, *_JSON_LINES, ".npy")
    return known and (suffix == ".npy" or size is None or size <= MAX_TEXT)


def _read(file: BinaryIO, suffix: str) -> Shape | None:
    if suffix == ".npy":
        return _array(file)
    if suffix in _JSON_LINES:
        return _json_lines(file)
    return _delimited(file, _DELIMITERS[suffix])


def _named(rows: int, columns: list[str]) -> Shape:
    names = tuple(name[:MAX_NAME] for name in columns) if len(columns) <= MAX_COLUMNS else None
    return Shape(rows=rows, columns=names, width=len(columns))


# Text --------------------------------------------------------------------------------------------------------------


def _delimited(file: BinaryIO, delimiter: str) -> Shape | None:
    lines, quoted = _count_lines(file, blank=b"")
    header = _header(file, delimiter) if lines else None
    if header is None:
        return None
    if delimiter == "," and len(header) == 1 and ";" in header[0]:  # where the comma is a decimal point
        delimiter = ";"
        header = _header(file, delimiter) or header
    rows = sum(1 for row in _rows(file, delimiter) if row) if quoted else lines
    return _named(rows - 1, header)


def _header(file: BinaryIO, delimiter: str) -> list[str] | None:
    return next((row for row in islice(_rows(file, delimiter), _MAX_BLANK) if row), None)


def _rows(file: BinaryIO, delimiter: str) -> Iterator[list[str]]:
    return csv.reader(_lines(file), delimiter=delimiter, strict=True)


def _lines(file: BinaryIO) -> Iterator[str]:
    """Lines with their ends, as the csv module wants them."""
    file.seek(0)
    if file.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:
        file.seek(0)
    for line in file:
        yield line.decode("utf-8")


def _count_lines(file: BinaryIO, *, blank: bytes | None) -> tuple[int, bool]:
    """How many lines are not blank, and whether the file has a quotation mark.

    Args:
        blank: what a blank line is; None for whitespace only.
    """
    file.seek(0)
    rows, going_on, quoted, left = 0, False, False, MAX_TEXT
    decoder = codecs.getincrementaldecoder("utf-8")()
    for chunk in iter(lambda: file.read(_CHUNK), b""):
        left -= len(chunk)
        lines = chunk.removeprefix(codecs.BOM_UTF8).splitlines() if not rows else chunk.splitlines()
        if left < 0 or b"\0" in chunk or len(lines) * _CHUNK == len(chunk):
            raise _Unreadable("binary, growing, or a line without an end")
        decoder.decode(chunk)
        quoted = quoted or b'"' in chunk
        filled = [bool(line.strip() if blank is None else line) for line in lines]
        rows += sum(filled) - (going_on and filled[0])
        ended = chunk.endswith((b"\n", b"\r"))
        going_on = not ended and (filled[-1] or (going_on and len(filled) == 1))
    decoder.decode(b"", final=True)
    return rows, quoted


def _json_lines(file: BinaryIO) -> Shape | None:
    rows, _ = _count_lines(file, blank=None)
    first = next((line for line in islice(_lines(file), _MAX_BLANK) if line.strip()), None)
    if first is None:
        return None
    value = json.loads(first)
    return _named(rows, list(value)) if isinstance(value, dict) else Shape(rows=rows)


# Arrays ------------------------------------------------------------------------------------------------------------


def _array(file: BinaryIO) -> Shape | None:
    """Rows and width of a `.npy` array of numbers whose bytes are all there."""
    source = _source(file)
    if source.at(0, 6) != b"\x93NUMPY":
        return None
    said = plain.describe_npy(source).details
    from dvc_modelver.dvcio.formats.arrays import parse_dtype

    dtype = parse_dtype(str(said["dtype"]))
    sides = [int(side) for side in re.findall(r"\d+", str(said["shape"]))]
    if dtype is None or dtype.kind == "O" or not sides:
        return None
    data = dtype.size
    for side in sides:
        data *= side
    head = source.exactly(0, 12)
    start = 10 + int.from_bytes(head[8:10], "little") if head[6] < 2 else 12 + int.from_bytes(head[8:12], "little")
    if start + data != source.size:
        return None
    return Shape(rows=sides[0], width={1: 1, 2: sides[-1]}.get(len(sides)))


def _source(file: BinaryIO) -> Source:
    def read(offset: int, length: int) -> bytes:
        file.seek(offset)
        return file.read(length)

    return Source(read, os.fstat(file.fileno()).st_size)
