"""Read the data of a DVC plot: CSV, TSV, JSON or YAML, and the options of `dvc.yaml`.  Pure: bytes to numbers.

As in DVC, `y` is the last column and `x` the row's number where the options name none.
"""

from __future__ import annotations

import csv
import io
import math
import posixpath
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain, islice

from dvc_modelver.core.plots import PlotData, PlotKind, Series
from dvc_modelver.dvcio.values import read_values
from dvc_modelver.errors import BadInput

MAX_BYTES = 16 * 1024 * 1024
MAX_ROWS = 200_000
MAX_POINTS = 300
"""Of one series, the first and the last among them."""
MAX_SERIES = 8
MAX_CLASSES = 30
"""Of a confusion matrix, the most frequent; bars, the first."""
_MAX_TEXT = 200
_STEP = "step"
_KINDS = {
    "scatter": PlotKind.SCATTER,
    "scatter_jitter": PlotKind.SCATTER,
    "confusion": PlotKind.CONFUSION,
    "confusion_normalized": PlotKind.CONFUSION,
    "bar_horizontal": PlotKind.BAR,
    "bar_horizontal_sorted": PlotKind.BAR,
}
"""By DVC's names of templates; any other is drawn as lines."""

Row = Mapping[str, object]


class _NotDrawable(Exception):
    """The data is not what a plot needs."""


def read_plot(data: bytes, path: str, options: Mapping[str, object]) -> PlotData | None:
    """What a plot file shows; None for pictures, other formats, and data in which nothing can be drawn.

    Args:
        path: of the data; its suffix tells the format.
        options: of the plot in `dvc.yaml`: `x`, `y`, `template`, `title`, `x_label`, `y_label`, `header`.
    """
    try:
        last, found = _table(data, path, options.get("header") is not False)
        rows = list(islice(found, MAX_ROWS + 1))
        note = f"first {MAX_ROWS:,} rows" if len(rows) > MAX_ROWS else ""
        return _plot(rows[:MAX_ROWS], last, path, options, note)
    except (_NotDrawable, BadInput, UnicodeDecodeError, csv.Error):
        return None


def _plot(rows: list[Row], last: str, path: str, options: Mapping[str, object], note: str) -> PlotData:
    template = options.get("template")
    kind = _KINDS.get(template, PlotKind.LINE) if isinstance(template, str) else PlotKind.LINE
    xs, ys = _fields(options.get("x"), path), _fields(options.get("y"), path)
    if not ys and options.get("y") is None:
        ys = [last]
    if not rows or not ys or any(field not in rows[0] for field in (*xs, *ys)):
        raise _NotDrawable
    x, title = (xs[0] if xs else None), _text(options.get("title")) or path
    x_label = _text(options.get("x_label")) or x or _STEP
    y_label = _text(options.get("y_label")) or (ys[0] if len(ys) == 1 else "y")
    plot = PlotData(kind=kind, title=title, x_label=x_label, y_label=y_label, note=note)
    if kind is PlotKind.CONFUSION:
        return _confusion(plot, rows, x, ys[0], template == "confusion_normalized")
    if kind is PlotKind.BAR:
        return _bars(plot, rows, x, ys[0], template == "bar_horizontal_sorted")
    return _curves(plot, rows, x, ys)


def _text(value: object) -> str:
    return value[:_MAX_TEXT] if isinstance(value, str) else ""


def _fields(value: object, path: str) -> list[str]:
    """The columns that `x` or `y` names: a name, a list of them, or both by file."""
    if isinstance(value, Mapping):
        ours = (fields for file, fields in value.items() if _is_same(str(file), path))
        return [field for fields in ours for field in _fields(fields, path)][:MAX_SERIES]
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, str)][:MAX_SERIES]


def _is_same(file: str, path: str) -> bool:
    """Whether a name in `dvc.yaml`, which may lie in a folder, means the file at `path`."""
    name = posixpath.normpath(file)
    return path == name or path.endswith(f"/{name}")


# Rows --------------------------------------------------------------------------------------------------------------


def _table(data: bytes, path: str, header: bool) -> tuple[str, Iterator[Row]]:
    """The name of the last column, and the rows."""
    suffix = posixpath.splitext(path)[1].lower()
    if len(data) > MAX_BYTES or suffix not in (".csv", ".tsv", ".json", ".yaml", ".yml"):
        raise _NotDrawable
    if suffix in (".csv", ".tsv"):
        return _delimited(data.decode("utf-8-sig"), "\t" if suffix == ".tsv" else ",", header)
    lists = [
        found for found in _lists(read_values(data, path=path)) if all(isinstance(item, Mapping) for item in found)
    ]
    if not lists or not lists[0][0]:
        raise _NotDrawable
    return str(list(lists[0][0])[-1]), iter(_merged(lists))


def _delimited(text: str, delimiter: str, header: bool) -> tuple[str, Iterator[Row]]:
    lines: Iterator[list[str]] = (row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row)
    names = next(lines, None)
    if names is None or "\0" in text:
        raise _NotDrawable
    if not header:
        lines = chain([names], lines)
        names = [str(number) for number in range(len(names))]
    return names[-1], (dict(zip(names, row, strict=False)) for row in lines)


def _merged(lists: list[list[Mapping[object, object]]]) -> list[Row]:
    """The columns of several lists of objects side by side, as DVC has them."""
    merged: list[dict[str, object]] = [{} for _ in range(min(max(map(len, lists)), MAX_ROWS + 1))]
    for found in lists:
        for row, item in zip(merged, found, strict=False):
            row.update((str(key), inner) for key, inner in item.items())
    return [*merged]


def _lists(value: object) -> Iterator[list[Mapping[object, object]]]:
    if isinstance(value, list) and value:
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _lists(inner)


# Kinds -------------------------------------------------------------------------------------------------------------


def _curves(plot: PlotData, rows: list[Row], x: str | None, ys: list[str]) -> PlotData:
    at = [float(number) for number in range(len(rows))] if x is None else [_number(row.get(x)) for row in rows]
    if all(place is None for place in at):
        raise _NotDrawable
    series = []
    for name in ys:
        pairs = zip(at, (_number(row.get(name)) for row in rows), strict=True)
        points = [(left, right) for left, right in pairs if left is not None and right is not None]
        if plot.kind is PlotKind.LINE:
            points.sort(key=lambda point: point[0])
        if points:
            series.append(Series(name=name, points=_thinned(points)))
    if not series:
        raise _NotDrawable
    return replace(plot, series=tuple(series))


def _thinned(points: list[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    last = len(points) - 1
    if last < MAX_POINTS:
        return tuple(points)
    return tuple(points[number * last // (MAX_POINTS - 1)] for number in range(MAX_POINTS))


def _number(value: object) -> float | None:
    """A finite number, also as text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    if isinstance(value, str) and (len(value) > 50 or "_" in value):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def _bars(plot: PlotData, rows: list[Row], x: str | None, y: str, ranked: bool) -> PlotData:
    """Lengths are the numbers of `x`, names the texts of `y`; without `x` every bar is named by its row."""
    pairs = [(str(row.get(y)), row.get(x)) if x is not None else (str(n), row.get(y)) for n, row in enumerate(rows)]
    bars = [(name[:_MAX_TEXT], number) for name, value in pairs if (number := _number(value)) is not None]
    if not bars:
        raise _NotDrawable
    if ranked:
        bars.sort(key=lambda bar: -bar[1])
    note = f"first {MAX_CLASSES} of {len(bars):,} bars" if len(bars) > MAX_CLASSES else ""
    kept = bars[:MAX_CLASSES]
    if x is None:
        plot = replace(plot, x_label=plot.y_label, y_label=plot.x_label)
    return replace(
        plot,
        y_classes=tuple(name for name, _ in kept),
        values=(tuple(value for _, value in kept),),
        note=_joined(plot.note, note),
    )


def _confusion(plot: PlotData, rows: list[Row], x: str | None, y: str, normalized: bool) -> PlotData:
    if x is None:
        raise _NotDrawable
    pairs = Counter((_class(row.get(x)), _class(row.get(y))) for row in rows)
    often: Counter[str] = Counter()
    for (across, down), count in pairs.items():
        often[across] += count
        often[down] += count
    kept = {name for name, _ in sorted(often.items(), key=lambda item: (-item[1], item[0]))[:MAX_CLASSES]}
    columns, lines = _sorted(kept & {across for across, _ in pairs}), _sorted(kept & {down for _, down in pairs})
    if not columns or not lines:
        raise _NotDrawable
    counts = [[float(pairs[across, down]) for across in columns] for down in lines]
    if normalized:
        sums = [sum(count for (_, down), count in pairs.items() if down == line) for line in lines]
        counts = [[count / total for count in row] for row, total in zip(counts, sums, strict=True)]
    note = f"{MAX_CLASSES} most frequent of {len(often):,} classes" if len(often) > MAX_CLASSES else ""
    return replace(
        plot,
        x_classes=tuple(columns),
        y_classes=tuple(lines),
        values=tuple(map(tuple, counts)),
        normalized=normalized,
        note=_joined(plot.note, note),
    )


def _class(value: object) -> str:
    return str(value)[:_MAX_TEXT]


def _sorted(names: Iterable[str]) -> list[str]:
    """By number where all are numbers, else as texts."""
    ordered = sorted(names)
    numbers = [number for name in ordered if (number := _number(name)) is not None]
    if len(numbers) < len(ordered):
        return ordered
    return [name for _, name in sorted(zip(numbers, ordered, strict=True))]


def _joined(*notes: str) -> str:
    return ", ".join(note for note in notes if note)
