"""Rows and columns of tables, against the csv module, NumPy and JSON, and files that are none."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvc_modelver.core.recipe import Shape
from dvc_modelver.dvcio import shapes
from dvc_modelver.dvcio.shapes import MAX_COLUMNS, MAX_TEXT, shape_of


def shape(folder: Path, data: bytes, name: str = "x.csv") -> Shape | None:
    """Of bytes that lie, as in DVC's cache, in a file without a suffix."""
    path = folder / "c0ffee"
    path.write_bytes(data)
    return shape_of(path, name, len(data))


def saved(array: Any) -> bytes:
    import numpy as np

    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "rows", "columns"),
    [
        ("data/x.csv", b"a,b\n1,2\n3,4\n", 2, ("a", "b")),
        ("X.CSV", b"a,b\r\n1,2\r\n\r\n3,4", 2, ("a", "b")),
        ("x.csv", b"\xef\xbb\xbfa,b\n1,2\n", 1, ("a", "b")),
        ("x.csv", b"\n\na,b\n", 0, ("a", "b")),
        ("x.csv", b'"a,x",b\n"1\n\n1",2\n', 1, ("a,x", "b")),
        ("x.csv", b"a;b\n1,5;2\n", 1, ("a", "b")),
        ("x.csv", b'a;"b;c"\n1,5;2\n', 1, ("a", "b;c")),
        ("x.csv", "größe,名\n1,2\n".encode(), 1, ("größe", "名")),
        ("x.tsv", b"a\tb,c\n\t\n1\t2\n", 2, ("a", "b,c")),
        ("x.jsonl", b'{"a": 1, "b": {"c": 2}}\n\n{"a": 2}\n  \n', 2, ("a", "b")),
        ("x.ndjson", b'\n{"a": 1}', 1, ("a",)),
    ],
)
def test_tables_of_text(name: str, data: bytes, rows: int, columns: tuple[str, ...], tmp_path: Path) -> None:
    """The header names the columns, blank lines do not count, and a quoted line end does not end a row."""
    assert shape(tmp_path, data, name) == Shape(rows=rows, columns=columns, width=len(columns))


def test_json_lines_without_names(tmp_path: Path) -> None:
    """Lines that hold no objects are counted and have no columns."""
    assert shape(tmp_path, b"[1, 2]\n[3, 4]\n", "x.jsonl") == Shape(rows=2)


CELL = st.text(alphabet=st.sampled_from('ab,;"\n\r é\u2028\x0b'), max_size=6)


@given(st.lists(st.lists(CELL, min_size=2, max_size=3), min_size=1, max_size=12), st.sampled_from([80, 97, 1 << 20]))
def test_csv_counts_as_the_csv_module(tmp_path_factory: pytest.TempPathFactory, table: Any, chunk: int) -> None:
    """However the table is quoted, and wherever a block of the file ends, its rows are those that the module reads."""
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows(table)
    text = stream.getvalue()
    rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shapes, "_CHUNK", chunk)  # no line here is as long
        found = shape(tmp_path_factory.mktemp("csv"), text.encode())
    assert found == Shape(rows=len(rows) - 1, columns=tuple(rows[0]), width=len(rows[0]))


@given(
    st.lists(st.sampled_from(["a,b", "", "é", " ", "a" * 10]), max_size=8),
    st.sampled_from(["\n", "\r\n"]),
    st.integers(13, 24),
)
def test_blocks_do_not_matter(tmp_path_factory: pytest.TempPathFactory, lines: Any, end: str, chunk: int) -> None:
    """The fast count of a file without quotes is right wherever a block of it ends."""
    text = "h,i" + end + end.join(lines)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shapes, "_CHUNK", chunk)
        found = shape(tmp_path_factory.mktemp("csv"), text.encode())
    assert found is not None
    assert found.rows == sum(1 for line in lines if line)


@pytest.mark.parametrize(
    ("sides", "expected"),
    [
        ((5, 3), Shape(rows=5, width=3)),
        ((7,), Shape(rows=7, width=1)),
        ((4, 28, 28), Shape(rows=4)),
        ((0, 3), Shape(rows=0, width=3)),
        ((), None),
    ],
)
@pytest.mark.parametrize("dtype", ["<f8", ">i2", "?", "<U5", "S3"])
def test_arrays(sides: tuple[int, ...], expected: Shape | None, dtype: str, tmp_path: Path) -> None:
    """An array's first side is its rows; a single number is no table."""
    import numpy as np

    data = saved(np.zeros(sides, dtype=dtype))
    assert shape(tmp_path, data, "x.npy") == expected
    assert shape(tmp_path, data[:-1], "x.npy") is None or 0 in sides


def test_arrays_that_claim_too_much(tmp_path: Path) -> None:
    """A header is believed only when the bytes are there; of objects nothing can be told."""
    import numpy as np

    data = saved(np.zeros((10, 10)))
    assert shape(tmp_path, data.replace(b"(10, 10)", b"(99, 99)"), "x.npy") is None
    assert shape(tmp_path, saved(np.array([None, 1], dtype=object)), "x.npy") is None
    assert shape(tmp_path, b"\x93NUMPY\x01\x00", "x.npy") is None


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("x.csv", b""),
        ("x.csv", b"\n\n\n"),
        ("x.csv", b"a,b\n\xff,1\n"),
        ("x.csv", b"a,b\n1,\0\n"),
        ("x.csv", b'a,b\n"1,2\n'),
        ("x.csv", "a,b\n1,2\n".encode("utf-16")),
        ("x.csv", b'"' + b"x" * 200_000 + b'"\n'),
        ("x.jsonl", b"{\n}\n"),
        ("x.jsonl", b""),
        ("x.jsonl", b"[" * 100_000 + b"\n"),
        ("x.jsonl", b"9" * 10_000 + b"\n"),
        ("x.npy", b"not an array at all, but long enough to look like one"),
        ("x.parquet", b"PAR1"),
        ("x.csv.gz", b"a,b\n1,2\n"),
        ("csv", b"a,b\n1,2\n"),
    ],
)
def test_what_is_no_table_has_no_shape(name: str, data: bytes, tmp_path: Path) -> None:
    """Broken, binary, empty, compressed or unknown: no shape, and no error."""
    assert shape(tmp_path, data, name) is None


@given(st.binary(max_size=300), st.sampled_from(["x.csv", "x.tsv", "x.jsonl", "x.npy"]), st.booleans())
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, data: bytes, name: str, magic: bool) -> None:
    """No content raises."""
    shape(tmp_path_factory.mktemp("any"), b"\x93NUMPY" + data if magic else data, name)


def test_wide_tables_keep_their_width(tmp_path: Path) -> None:
    """Above the limit there are no names, and a long name is cut."""
    for width, named in ((MAX_COLUMNS, True), (MAX_COLUMNS + 1, False)):
        found = shape(tmp_path, ",".join(f"c{n}" for n in range(width)).encode() + b"\n1\n")
        assert found is not None
        assert (found.rows, found.width, found.columns is not None) == (1, width, named)
    assert shape(tmp_path, b"a" * 5000 + b"\n") == Shape(rows=0, columns=("a" * shapes.MAX_NAME,), width=1)
    assert shape(tmp_path, json.dumps(dict.fromkeys(map(str, range(1001)))).encode(), "x.jsonl") == Shape(
        rows=1, width=1001
    )


def test_large_files_are_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Text above the limit is left alone; an array is read no further than its header."""
    opened: list[Path] = []
    monkeypatch.setattr(shapes, "open_regular", opened.append)
    assert shape_of(tmp_path / "x", "x.csv", MAX_TEXT + 1) is None
    assert opened == []


def test_a_line_without_an_end_is_not_read_on(tmp_path: Path) -> None:
    """Memory stays at a few blocks, whatever a file's lines are."""
    import tracemalloc

    path = tmp_path / "x"
    with path.open("wb") as file:
        file.write(b"a\n" + b"x" * (20 << 20))
    tracemalloc.start()
    try:
        assert shape_of(path, "x.csv", path.stat().st_size) is None
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_other_bytes_than_recorded(tmp_path: Path) -> None:
    """A file that is not as long as its record says is not what the digest names."""
    path = tmp_path / "x"
    path.write_bytes(b"a\n1\n")
    assert shape_of(path, "x.csv", 3) is None
    assert shape_of(path, "x.csv", 4) == Shape(rows=1, columns=("a",), width=1)


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    """A missing file, a directory or a pipe has no shape, and none of them blocks."""
    os.mkfifo(tmp_path / "pipe")
    for name in ("missing", ".", "pipe"):
        assert shape_of(tmp_path / name, "x.csv", 0) is None
