"""Profiles of tables, against pandas' own answers on the same data, and files that are none or hostile."""

from __future__ import annotations

import gzip
import hashlib
import io
import itertools
import json
import math
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvc_modelver.core.tables import ColumnProfile, TableProfile, table_changes
from dvc_modelver.dvcio import profiles
from dvc_modelver.dvcio.cells import NULLS, numbers_of, plain_numbers
from dvc_modelver.dvcio.columns import Column
from dvc_modelver.dvcio.profiles import profile_table, table_format


def profile(data: bytes, name: str = "x.csv") -> TableProfile:
    found = profile_table(data, name)
    assert found is not None
    return found


def only(cells: Sequence[str]) -> ColumnProfile:
    """The profile of a single column of a CSV file; the other one keeps its rows from being blank."""
    text = "x,y\n" + "".join(f'"{cell}",0\n' for cell in cells)
    return profile(text.encode()).columns[0]


# Types ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", "-2", "+3", "0"], "integer"),
        (["1", "2.5"], "number"),
        (["1", "1e-05"], "number"),
        ([".5", "5.", "-1E+3"], "number"),
        (["1_000", "2"], "text"),
        (["007", "1"], "text"),
        (["-01", "1"], "text"),
        (["00.5", "1"], "text"),
        (["0", "0.5", "0e3"], "number"),
        (["1", "inf", "-Infinity"], "number"),
        (["\u22121", "2"], "text"),
        (["\u0661", "2"], "text"),
        (["\uff11", "2"], "text"),
        (["1", "NaN", "NA", "", "nan", "null"], "integer"),
        (["NaN", ""], "empty"),
        ([], "empty"),
        (["9" * 40, "1"], "integer"),
        (["9" * 301, "1"], "text"),
        (["9" * 5000, "1"], "text"),
        (["1e999"], "number"),
        ([" 1", "2 "], "integer"),
        ([" ", "2"], "text"),
        (["true", "False", "TRUE"], "boolean"),
        (["true", "yes"], "text"),
        (["true", "1"], "text"),
        (["2026-01-31"], "date"),
        (["2026-01-31", "2026-01-31T10:00:00Z", "2026-01-31 10:00", "2026-01-31T10:00:00.123456+02:00"], "date"),
        (["2026-02-30"], "text"),
        (["2026-01-31", "20260131"], "text"),
        (["2026-W05-6"], "text"),
        (["2026-01-31T25:00:00"], "text"),
        (["0001-01-01T00:00:00+01:00"], "text"),
        (["2026-01-31", "soon"], "text"),
        (["0x10"], "text"),
        (["1,5"], "text"),
        (["-", "1"], "text"),
        (["1e", "1"], "text"),
        (["1-2", "1"], "text"),
    ],
)
@pytest.mark.parametrize("rows", [1, 10_000])
def test_types(cells: list[str], kind: str, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """All values of a column decide, in whatever blocks they are read."""
    monkeypatch.setattr(profiles, "_BLOCK_ROWS", rows)
    assert only(cells).type == kind
    assert only(cells[::-1]).type == kind


def test_statistics_of_dates() -> None:
    """Ordered by the moment, in whatever notation; shown as ISO 8601."""
    found = only(["2026-01-31 00:30:00", "2026-01-31T01:00:00+02:00", "2026-02-01", "2026-01-31T00:30"])
    assert (found.minimum, found.maximum) == ("2026-01-31T01:00:00+02:00", "2026-02-01")
    assert (found.mean, found.std) == (None, None)


@given(
    st.lists(st.datetimes(), min_size=1, max_size=9), st.sampled_from("T "), st.booleans(), st.sampled_from(["", "Z"])
)
def test_the_ends_of_times(times: list[datetime], between: str, whole: bool, zone: str) -> None:
    """The first and the last, whether all are of one notation or some have fractions of a second."""
    some = [time.replace(microsecond=0) if whole else time for time in times]
    found = only([time.isoformat(between) + zone for time in some])
    assert (found.type, found.distinct) == ("date", len(set(some)))
    assert (found.minimum, found.maximum) == (min(some).isoformat() + zone, max(some).isoformat() + zone)


def test_infinities_have_no_mean() -> None:
    """They are the smallest and largest, and nothing is divided by them."""
    found = only(["1", "inf", "-inf"])
    assert (found.minimum, found.maximum, found.mean, found.std) == (-math.inf, math.inf, None, None)
    huge = only(["1e308", "1e308", "-1e308"])
    assert (huge.minimum, huge.maximum) == (-1e308, 1e308)


def test_a_small_spread_far_from_zero() -> None:
    """The deviation of numbers near 1e9 is exact, where the textbook's formula gives noise."""
    cells = [f"{1_000_000_000 + n % 3}.5" for n in range(30_000)]
    found = only(cells)
    assert found.mean == pytest.approx(1_000_000_001.5, rel=1e-15)
    assert found.std == pytest.approx(math.sqrt(2 / 3 * 30_000 / 29_999), rel=1e-9)


def test_no_text_of_a_cell_is_kept() -> None:
    """What people wrote stays in the table: neither the ends of its order nor its few values are in a profile."""
    found = profile(b"name,when\nAda Lovelace,2026-01-31\nGrace Hopper,2026-02-01\n")
    assert "Ada" not in repr(found)
    assert "Grace" not in repr(found)
    expected = sorted(hashlib.sha256(name).hexdigest()[:16] for name in (b"Ada Lovelace", b"Grace Hopper"))
    assert found.columns[0].categories == tuple(expected)
    assert found.columns[0].minimum is None


def test_different_values_are_counted_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """10,000 are counted and 10,001 are not; of many columns fewer, so that memory is bounded; categories are few."""
    assert only([str(n) for n in range(10_000)]).distinct == 10_000
    assert only([str(n) for n in range(10_001)]).distinct is None
    assert only(["1", "1.0", "1e0"]).distinct == 1
    assert only(["true", "True"]).distinct == 1
    assert only(["1", "1.0", "x"]).distinct == 3
    assert len(only([f"c{n}" for n in range(64)]).categories or ()) == 64
    assert only([f"c{n}" for n in range(65)]).categories is None
    monkeypatch.setattr(profiles, "_MAX_COUNTED", 20)
    assert only([str(n) for n in range(10)]).distinct == 10
    assert only([str(n) for n in range(11)]).distinct is None


# Against pandas -------------------------------------------------------------------------------------------------

FLOATS = st.floats(allow_nan=False, allow_infinity=False, width=32)
COLUMNS = {
    "whole": st.integers(-(10**9), 10**9),
    "real": st.one_of(st.none(), FLOATS),
    "flag": st.booleans(),
    "day": st.dates().map(lambda day: day.isoformat()),
    "word": st.one_of(st.none(), st.text(st.sampled_from('ab ,;"\n\u00e9'), min_size=1).map(lambda text: f"w{text}")),
}
ROWS = st.lists(st.fixed_dictionaries(COLUMNS), min_size=1, max_size=40)


@given(ROWS, st.sampled_from([1, 3, 10_000]), st.sampled_from(["csv", "csv.gz", "tsv", "jsonl", "json"]))
def test_the_same_as_pandas(rows: list[dict[str, Any]], block: int, kind: str) -> None:
    """Types, nulls, different values and the numbers of `describe`, whatever the format and the blocks."""
    import pandas as pd

    frame = pd.DataFrame(rows)
    frame["real"] = frame["real"].astype("float64")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(profiles, "_BLOCK_ROWS", block)
        patch.setattr(profiles, "_BLOCK_RECORDS", block)
        found = profile(_written(frame, kind), f"x.{kind}")
    assert (found.rows, found.ragged, [column.name for column in found.columns]) == (len(frame), 0, list(frame))
    for column in found.columns:
        values = frame[column.name]
        assert column.nulls == values.isna().sum()
        assert column.distinct == values.nunique()
        if column.name in ("whole", "real") and values.notna().any():
            said = values.describe()
            assert (column.minimum, column.maximum) == (said["min"], said["max"])
            # The same numbers may be large and cancel out, so the scale is theirs.
            scale = 1e-9 * float(values.abs().max() or 1)
            assert column.mean == pytest.approx(said["mean"], rel=1e-9, abs=scale)
            assert column.std == pytest.approx(said["std"], rel=1e-6, abs=scale) or len(values.dropna()) == 1
        if column.name == "day":
            assert (column.minimum, column.maximum) == (values.min(), values.max())
    kinds = {column.name: column.type for column in found.columns}
    assert (kinds["whole"], kinds["flag"], kinds["day"]) == ("integer", "boolean", "date")
    assert kinds["real"] in (("number", "integer") if frame["real"].notna().any() else ("empty",))
    assert kinds["word"] == ("text" if frame["word"].notna().any() else "empty")


def _written(frame: Any, kind: str) -> bytes:
    if kind.startswith("json"):
        records = json.loads(frame.to_json(orient="records", double_precision=15))
        for record, real in zip(records, frame["real"], strict=True):
            record["real"] = None if math.isnan(real) else real
        if kind == "json":
            return json.dumps(records).encode()
        return "".join(json.dumps(record) + "\n" for record in records).encode()
    text = frame.to_csv(index=False, sep="\t" if kind == "tsv" else ",")
    return gzip.compress(text.encode()) if kind.endswith(".gz") else text.encode()


def test_what_is_missing_is_what_pandas_takes_for_missing() -> None:
    """Each of the texts, and none but them."""
    from pandas._libs.parsers import STR_NA_VALUES

    assert NULLS == STR_NA_VALUES


CELL = st.one_of(
    st.sampled_from(
        ["1", "1.5", "007", "", "NA", "true", "x", "2026-01-31", "2026-01-31 10:00:00", "inf", " 1", "1e5"]
    ),
    st.from_regex(r"[-+]?[0-9]{1,3}(\.[0-9]{0,2})?(e-?[0-9])?", fullmatch=True),
)


@given(st.lists(CELL, max_size=12), st.lists(st.integers(0, 12), max_size=4))
def test_blocks_do_not_matter(cells: list[str], cuts: list[int]) -> None:
    """Cells that are read in pieces are the same column as when they are read at once."""
    whole, pieces = Column("x"), Column("x")
    whole.add_cells(cells)
    ends = sorted({0, len(cells), *(cut for cut in cuts if cut < len(cells))})
    for start, end in itertools.pairwise(ends):
        pieces.add_cells(cells[start:end])
    one, other = (TableProfile(rows=0, columns=(column.profile(),)) for column in (whole, pieces))
    assert table_changes(one, other) == ()
    assert one.columns[0].categories == other.columns[0].categories


@given(st.lists(FLOATS, min_size=1, max_size=50), st.randoms(use_true_random=False))
def test_rows_in_another_order_are_no_change(numbers: list[float], luck: Any) -> None:
    """Rounding in another order gives no difference that anybody is told of."""
    shuffled = list(numbers)
    luck.shuffle(shuffled)
    before, after = (profile(("x\n" + "\n".join(map(repr, some))).encode()) for some in (numbers, shuffled))
    assert table_changes(before, after) == ()


@given(st.lists(st.from_regex(r"[-+]?[0-9.]{0,4}(e[-+]?[0-9]?)?[ _]?", fullmatch=True), min_size=1, max_size=3))
def test_the_fast_way_reads_what_the_slow_way_reads(cells: list[str]) -> None:
    """Numbers that the fast way takes are those of the slow way, which alone knows blanks and infinities."""
    fast, slow = plain_numbers(cells), numbers_of(cells)
    assert fast is None or list(map(float, fast)) == list(map(float, slow or ()))
    assert fast is not None or slow is None or any(" " in cell for cell in cells)


# Formats --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "rows", "names"),
    [
        (b"a,b\r\n1,2\r\n\r\n3,4", 2, ["a", "b"]),
        (b"\xef\xbb\xbfa,b\n1,2\n", 1, ["a", "b"]),
        (b"\xef\xbb\xbf\n\na,b\n", 0, ["a", "b"]),
        (b"a;b\n1,5;2\n", 1, ["a", "b"]),
        (b"a\tb\n1\t2\n", 1, ["a", "b"]),
        (b"a|b|c;d\n1|2|3\n", 1, ["a", "b", "c;d"]),
        (b'"a\nx",b\n"1\n\n1",2\n', 1, ["a\nx", "b"]),
        (b"a\n1\n2\n", 2, ["a"]),
        (b"a,b\r1,2\r3,4\r", 2, ["a", "b"]),
        ("gr\u00f6\u00dfe,\u540d\n1,2\n".encode(), 1, ["gr\u00f6\u00dfe", "\u540d"]),
        (b"a,b\n", 0, ["a", "b"]),
    ],
)
@pytest.mark.parametrize("block", [12, 1 << 20])
def test_dialects(data: bytes, rows: int, names: list[str], block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The header's delimiter, line ends, byte order mark, blank lines and quoted line ends, in blocks of any size."""
    monkeypatch.setattr(profiles, "MAX_LINE", block)
    found = profile(data)
    assert (found.rows, [column.name for column in found.columns], found.ragged) == (rows, names, 0)


def test_ragged_rows() -> None:
    """They are counted, filled up or cut, and the rest of the table is read."""
    found = profile(b"a,b\n1,2\n3\n4,5,6\n7,8\n")
    assert (found.rows, found.ragged) == (4, 2)
    assert [(column.nulls, column.maximum) for column in found.columns] == [(0, 7), (1, 8)]


def test_json_objects() -> None:
    """Values have the types that JSON says, absent keys are null, what is nested is text, later keys are columns."""
    rows = [
        {"a": 1, "b": "7", "c": True, "d": None},
        {"a": 2.5, "c": False, "e": "2026-01-31", "f": [1, 2]},
        {"a": 10**400, "f": {"x": [3]}, "b": "x"},
    ]
    lines = "\n".join(map(json.dumps, rows)).encode()
    for found in (profile(lines, "x.jsonl"), profile(json.dumps(rows, indent=1).encode(), "x.json")):
        assert [(column.name, column.type, column.nulls) for column in found.columns] == [
            ("a", "text", 0),
            ("b", "text", 1),
            ("c", "boolean", 1),
            ("d", "empty", 3),
            ("e", "date", 2),
            ("f", "text", 1),
        ]


def test_sources(tmp_path: Path) -> None:
    """A path, bytes and a stream say the same; the stream stays open; progress ends with the last byte."""
    data = b"a,b\n1,2\n"
    (tmp_path / "c0ffee").write_bytes(data)
    stream = io.BytesIO(data)
    told: list[tuple[int, int, str]] = []
    found = [profile_table(source, "x.csv") for source in (tmp_path / "c0ffee", data)]
    found.append(profile_table(stream, "x.csv", progress=lambda *args: told.append(args)))
    assert found[0] == found[1] == found[2] != None  # noqa: E711
    assert told[-1] == (len(data), len(data), "x.csv")
    assert not stream.closed


def test_parquet() -> None:
    """Where pyarrow is installed, pandas' own file says what the same CSV file says."""
    pytest.importorskip("pyarrow")
    import pandas as pd

    frame = pd.DataFrame({"a": [1, 2, 3], "b": [0.5, None, 2.0], "c": ["x", None, "y"], "d": [True, False, True]})
    frame["e"] = pd.to_datetime(["2026-01-31", "2026-02-01", "2026-02-02"])
    stream = io.BytesIO()
    frame.to_parquet(stream)
    found = profile(stream.getvalue(), "x.parquet")
    changes = table_changes(found, profile(frame.to_csv(index=False).encode()))
    assert {change.what for change in changes} <= {"e"}  # days are moments there
    assert [column.type for column in found.columns] == ["integer", "number", "text", "boolean", "date"]
    assert profile_table(stream.getvalue()[:-9], "x.parquet") is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("data/X.CSV", "csv"),
        ("x.csv.gz", "csv.gz"),
        ("x.ndjson", "jsonl"),
        ("x.parquet", "parquet"),
        ("x.parquet.gz", None),
        ("x.gz", None),
        ("csv", None),
        ("x.txt", None),
    ],
)
def test_names(name: str, expected: str | None) -> None:
    """The suffix says what a file is, as it does to people."""
    assert table_format(name) == expected


# Hostile --------------------------------------------------------------------------------------------------------

WIDE = ",".join(f"c{n}" for n in range(100_000)).encode()


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"", "x.csv"),
        (b"\n\n\n", "x.csv"),
        (b"", "x.json"),
        (b"", "x.jsonl"),
        (b"[]", "x.json"),
        (b"\x93NUMPY\x01\x00\xff", "x.csv"),
        (bytes(range(256)) * 100, "x.csv"),
        (b"a,b\n1,\0\n", "x.csv"),
        (b"a,b\n1,\xff\n", "x.csv"),
        ("a,b\n1,2\n".encode("utf-16"), "x.csv"),
        (WIDE + b"\n" + WIDE + b"\n", "x.csv"),
        (b'a,b\n"' + b"x" * 200_000, "x.csv"),
        (b'a,b\n"1"2,3\n', "x.csv"),
        (b"a,b\n" + b"x" * (100 << 20), "x.csv"),
        (b'{"a": "' + b"x" * (100 << 20), "x.jsonl"),
        (b"[" * 1_000_000, "x.json"),
        (b'{"a":' * 100_000 + b"\n", "x.jsonl"),
        (b'[{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}]", "x.json"),
        (b'[{"a": 1}', "x.json"),
        (b'[{"a": 1},', "x.json"),
        (b'[{"a": 1}] x', "x.json"),
        (b'[{"a": 1}]]', "x.json"),
        (b'[1, {"a": 1}]', "x.json"),
        (b'{"a": {"0": 1}}', "x.json"),
        (b'{"a": 1}\n[1]\n', "x.jsonl"),
        (b'{"a": ' + b"9" * 10_000 + b"}\n", "x.jsonl"),
        (b"a,b\n1,2\n", "x.csv.gz"),
        (gzip.compress(b"a,b\n1,2\n" * 100, mtime=0)[:-9], "x.csv.gz"),
        (b"\x1f\x8b\x08\x00", "x.csv.gz"),
        (b"PAR1" + b"\xff" * 100 + b"PAR1", "x.parquet"),
        (b"a,b\n1,2\n", "x.bin"),
    ],
    ids=lambda value: repr(value[:12]) if isinstance(value, bytes) else value,
)
def test_what_is_no_table(data: bytes, name: str) -> None:
    """None at once, and no error."""
    start = time.process_time()
    found = profile_table(data, name)
    assert found is None or name.endswith((".jsonl", ".json"))
    assert found is None or len(found.columns) <= 1
    assert time.process_time() - start < 20


@pytest.mark.parametrize(
    ("line", "cap"), [(b"\n", "MAX_LINES"), (b"1\n", "MAX_CELLS"), (b"1" * 1000 + b"\n", "MAX_UNPACKED")]
)
def test_gzip_bombs(line: bytes, cap: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What unpacks to more lines, cells or bytes than a table has is given up at the cap, not at its end."""
    monkeypatch.setattr(profiles, cap, 300_000)
    packed = gzip.compress(b"a\n1\n" + line * ((64 << 20) // len(line)), 1)
    start = time.process_time()
    assert profile_table(packed, "x.csv.gz") is None
    assert time.process_time() - start < 20
    assert profile_table(gzip.compress(b"a\n1\n" + line * 100), "x.csv.gz") is not None


def test_memory_is_bounded() -> None:
    """Three times the rows, all different, take no more memory."""
    import tracemalloc

    peaks = []
    for rows in (25_000, 75_000):
        data = b"a,b,c\n" + b"".join(b"%d,%d.5,word%d\n" % (n, n, n) for n in range(100_000, 100_000 + rows))
        tracemalloc.start()
        try:
            profile(data)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    # Blocks of the file, a MiB each, come and go.
    assert peaks[1] < peaks[0] + (3 << 20)


@given(st.binary(max_size=300), st.sampled_from(["x.csv", "x.tsv", "x.json", "x.jsonl", "x.csv.gz", "x.parquet"]))
def test_any_bytes(data: bytes, name: str) -> None:
    """A profile or None, never an error."""
    found = profile_table(data, name)
    assert found is None or found.rows >= 0


@given(
    st.text(st.sampled_from('a1,;|\t"\r\n [{}]:.-\u00e9'), max_size=60), st.sampled_from(["x.csv", "x.json", "x.jsonl"])
)
def test_any_text(text: str, name: str) -> None:
    """As above, with the characters that mean something."""
    found = profile_table(text.encode(), name)
    assert found is None or found.rows >= 0
