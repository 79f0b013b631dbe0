"""Files of per-sample predictions: their bytes as columns.  Pure: bytes to types."""

from __future__ import annotations

import csv
import io
import json
import math
import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dvc_modelver.dvcio import paths

if TYPE_CHECKING:
    from dvc_modelver.core.predictions import Predictions

MAX_BYTES = 64 * 1024 * 1024
MAX_ROWS = 1_000_000
MAX_COLUMNS = 10_000
_MAX_LINE = 1024 * 1024
"""Characters: a line of a million columns is refused before it is split."""
_MAX_JSON = 8_000_000
"""Commas of a JSON file: bounds what its values take in memory."""
_MAX_TEXT = 1000
"""Characters of a label, prediction or id."""
_LABEL = ("label", "y_true", "true", "actual", "target", "ground_truth", "expected", "y")
_PREDICTION = ("prediction", "y_pred", "pred", "predicted", "predicted_label", "output")
_SCORE = ("score", "probability", "proba", "y_score", "y_prob", "prob")
_ID = ("id", "sample_id", "sample", "index", "key", "uid")
_WANTED = frozenset((*_LABEL, *_PREDICTION, *_SCORE, *_ID))

Columns = Mapping[str, Sequence[object]]
"""By the file's own names; only those that may be meant."""


class _Unusable(Exception):
    """Why a file is none of predictions, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPredictions:
    """What a file gave."""

    predictions: Predictions | None
    note: str | None = None
    """Why there are none, or which column was left out."""


def read_predictions(data: bytes, path: str) -> ReadPredictions:
    """The predictions in a file; none, and a note, for one that is too large, broken, or holds something else.

    Args:
        path: its suffix tells the format: CSV, TSV, JSON, JSON lines, and Parquet where pyarrow is installed.
    """
    try:
        read = _READERS.get(posixpath.splitext(path)[1].lower())
        if read is None:
            raise _Unusable("is in no known format")
        if len(data) > MAX_BYTES:
            raise _Unusable(f"is larger than {MAX_BYTES >> 20} MiB")
        return _predictions(read(data), path)
    except _Unusable as error:
        why = str(error)
    except UnicodeDecodeError:
        why = "is no UTF-8 text"
    except (ValueError, RecursionError, OverflowError, csv.Error):
        why = "is broken"
    return ReadPredictions(predictions=None, note=f"{paths.shown(path)} {why}")


def _predictions(columns: Columns, path: str) -> ReadPredictions:
    known = _by_name(columns)
    label, guess, score, ids = (_first(known, names) for names in (_LABEL, _PREDICTION, _SCORE, _ID))
    if label is None or guess is None:
        raise _Unusable(f"has no column {'label' if label is None else 'prediction'}")
    rows = len(label)
    if not rows or any(len(column) != rows for column in (guess, score, ids) if column is not None):
        raise _Unusable("has no rows" if not rows else "has columns of different length")
    if rows > MAX_ROWS:
        raise _Unusable(f"has more than {MAX_ROWS:,} rows")
    labels, guesses = _same_kind(label, guess)
    scores = _numbers(score) if score is not None else None
    from dvc_modelver.core.predictions import Predictions

    return ReadPredictions(
        predictions=Predictions(labels=labels, predictions=guesses, scores=scores, ids=_ids(ids)),
        note=f"{paths.shown(path)}: the scores are not all numbers" if score is not None and scores is None else None,
    )


def _by_name(columns: Columns) -> Columns:
    known: dict[str, Sequence[object]] = {}
    for name, column in columns.items():
        if _plain(name) in known:
            raise _Unusable(f"has two columns {_plain(name)}")
        known[_plain(name)] = column
    return known


def _plain(name: str) -> str:
    return name.strip().casefold()


def _first(columns: Columns, names: Sequence[str]) -> Sequence[object] | None:
    return next((columns[name] for name in names if name in columns), None)


def _same_kind(
    label: Sequence[object], guess: Sequence[object]
) -> tuple[tuple[float, ...], tuple[float, ...]] | tuple[tuple[str, ...], tuple[str, ...]]:
    """Both as numbers where all are, else both as texts.  `true` and `false` are 1 and 0."""
    for column in (label, guess):
        if any(value is None or value != value or _is_blank(value) for value in column):
            raise _Unusable("has rows without a label or prediction")
    kinds = [_kinds(column) for column in (label, guess)]
    if {str} in kinds and {float} in kinds:
        texts, others = ("labels", "predictions") if kinds[0] == {str} else ("predictions", "labels")
        raise _Unusable(f"has {texts} that are words and {others} that are numbers")
    if kinds == [{float}, {float}]:
        numbers = _numbers(label), _numbers(guess)
        if numbers[0] is None or numbers[1] is None:
            raise _Unusable("has labels or predictions that are not finite")
        return numbers[0], numbers[1]
    return _texts(label), _texts(guess)


def _kinds(column: Sequence[object]) -> set[type]:
    """`float` for what can be read as a number, else its own type."""
    return {type(value) if _parsed(value) is None else float for value in column}


def _is_blank(value: object) -> bool:
    if isinstance(value, str) and len(value) > _MAX_TEXT:
        raise _Unusable(f"has texts longer than {_MAX_TEXT:,} characters")
    return isinstance(value, str) and not value.strip()


_WORDS = {"true": 1.0, "false": 0.0}


def _parsed(value: object) -> float | None:
    """A number, which need not be finite; None for what is none."""
    if not isinstance(value, str):
        return float(value) if isinstance(value, (int, float)) else None
    if len(value) > 50 or "_" in value:
        return None
    try:
        return float(value)
    except ValueError:
        return _WORDS.get(value.strip().lower())


def _numbers(values: Sequence[object]) -> tuple[float, ...] | None:
    """None when one is no finite number."""
    parsed = tuple(_parsed(value) for value in values)
    found = tuple(number for number in parsed if number is not None and math.isfinite(number))
    return found if len(found) == len(parsed) else None


def _texts(values: Sequence[object]) -> tuple[str, ...]:
    return tuple(value.strip() if isinstance(value, str) else _text(value) for value in values)


def _text(value: object) -> str:
    """As the same value is written in CSV by most: `3` for 3.0."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, (bool, int, float)):
        return str(value)
    raise _Unusable("has labels or predictions that are lists or objects")


def _ids(values: Sequence[object] | None) -> tuple[str, ...] | None:
    """None where one is missing or no scalar."""
    if values is None or not all(isinstance(value, (str, int, float)) and not _is_blank(value) for value in values):
        return None
    return _texts(values)


# Formats ------------------------------------------------------------------------------------------------------------


def _delimited(delimiter: str) -> Callable[[bytes], Columns]:
    def read(data: bytes) -> Columns:
        rows = _rows(data.decode("utf-8-sig"), delimiter)
        header = next(rows, [])
        places = [(place, name) for place, name in enumerate(header) if _plain(name) in _WANTED]
        if len({_plain(name) for _, name in places}) < len(places):
            raise _Unusable("has two columns of the same name")
        columns: list[list[object]] = [[] for _ in places]
        for count, row in enumerate(rows, 1):
            if count > MAX_ROWS:
                raise _Unusable(f"has more than {MAX_ROWS:,} rows")
            if len(row) != len(header):
                raise _Unusable("has rows of different length")
            for column, (place, _) in zip(columns, places, strict=True):
                column.append(row[place])
        return {name: column for (_, name), column in zip(places, columns, strict=True)}

    return read


def _rows(text: str, delimiter: str) -> Iterator[list[str]]:
    if "\0" in text:
        raise _Unusable("is no text")
    for row in csv.reader(_lines(text), delimiter=delimiter, strict=True):
        if len(row) > MAX_COLUMNS:
            raise _Unusable(f"has more than {MAX_COLUMNS:,} columns")
        if row:
            yield row


def _lines(text: str) -> Iterator[str]:
    """With their ends, as the csv module wants them."""
    for line in io.StringIO(text, newline=""):
        if len(line) > _MAX_LINE:
            raise _Unusable(f"has a line longer than {_MAX_LINE:,} characters")
        yield line


def _json(data: bytes) -> Columns:
    if data.count(b",") > _MAX_JSON or max(data.count(b"{"), data.count(b"[")) > MAX_ROWS + 1:
        raise _Unusable(f"has more than {MAX_ROWS:,} rows, or too many values")
    found = _loaded(data.decode("utf-8-sig"))
    if isinstance(found, list):
        return _transposed(iter(found))
    columns = found.items() if isinstance(found, dict) else ()
    return {name: column for name, column in columns if _plain(name) in _WANTED and isinstance(column, list)}


def _json_lines(data: bytes) -> Columns:
    lines = (line for line in _lines(data.decode("utf-8-sig")) if not line.isspace())
    return _transposed(_loaded(line) for line in lines)


def _loaded(text: str) -> object:
    return json.loads(text, object_pairs_hook=_unique)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _Unusable("has an object with the same name twice")
    return found


def _transposed(rows: Iterator[object]) -> Columns:
    """Columns of a list of objects: those of the first one; what is missing in another is None."""
    columns: dict[str, list[object]] = {}
    for count, row in enumerate(rows):
        if not isinstance(row, dict) or count >= MAX_ROWS:
            raise _Unusable(f"has more than {MAX_ROWS:,} rows" if isinstance(row, dict) else "holds no list of objects")
        if not count:
            columns = {name: [] for name in row if _plain(name) in _WANTED}
        for name, column in columns.items():
            column.append(row.get(name))
    return columns


def _parquet(data: bytes) -> Columns:
    try:
        import pyarrow  # type: ignore[import-not-found, import-untyped, unused-ignore]
        import pyarrow.parquet  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ImportError:
        raise _Unusable("is Parquet, and pyarrow is not installed") from None
    try:
        file = pyarrow.parquet.ParquetFile(io.BytesIO(data))
        if file.metadata.num_rows > MAX_ROWS:
            raise _Unusable(f"has more than {MAX_ROWS:,} rows")
        names = [name for name in file.schema_arrow.names if _plain(name) in _WANTED]
        # A text that a thousand rows share is then one text, here as in the file.
        file = pyarrow.parquet.ParquetFile(io.BytesIO(data), read_dictionary=names)
        if len({_plain(name) for name in names}) < len(names):
            raise _Unusable("has two columns of the same name")
        table = file.read(columns=names)
        if table.nbytes > 4 * MAX_BYTES:
            raise _Unusable("is too large when unpacked")
        return {name: list(_values(table.column(name).chunks)) for name in names}
    except (pyarrow.ArrowException, OSError):
        raise _Unusable("is broken") from None


def _values(chunks: Iterable[Any]) -> Iterator[object]:
    for chunk in chunks:
        known = getattr(chunk, "dictionary", None)
        if known is None:
            yield from chunk.to_pylist()
            continue
        texts = [_decoded(value) for value in known.to_pylist()]
        yield from (None if place is None else texts[place] for place in chunk.indices.to_pylist())


def _decoded(value: object) -> object:
    return value.decode("utf-8") if isinstance(value, bytes) else value


_READERS: Mapping[str, Callable[[bytes], Columns]] = {
    ".csv": _delimited(","),
    ".tsv": _delimited("\t"),
    ".json": _json,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".parquet": _parquet,
}
