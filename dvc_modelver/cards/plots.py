"""Draw a plot as a small SVG that stands beside a card, the same bytes on every machine.  Pure.

White behind dark text, so that light and dark pages show it alike; no script, no style sheet, nothing from elsewhere.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from dvc_modelver.cards.escape import html
from dvc_modelver.cards.tasks import slug
from dvc_modelver.core.plots import PlotData, PlotKind, Series
from dvc_modelver.core.secrets import redact_text
from dvc_modelver.core.text import one_line

MAX_BYTES = 20_000
"""Of one picture; points and names are thinned out until it fits."""
WIDTH = 640
_TITLE, _LABEL = 70, 50
_MAX_CLASSES = 30
_DIGEST_DIGITS = 12
_INK, _GREY, _GRID, _FAINT = "#1f2328", "#57606a", "#e4e8ec", "#f3f5f7"
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a5195", "#6e7781")
"""Told apart by people who see few colours too (after Okabe and Ito)."""
_DETAILS = ((300, 22), (200, 22), (120, 18), (80, 14), (50, 12), (30, 8), (12, 4), (4, 2))
"""(points of a series, characters of a name), the finest first; the last fits whatever the data."""
_LARGEST = 1e300
"""Beyond it differences of two numbers may be infinite."""
_CHARACTER = 6.3
"""Width in pixels of a character of 12 px, on average."""


def render_plot(plot: PlotData) -> bytes:
    """The picture as UTF-8, at most `MAX_BYTES`."""
    plot = _capped(plot)
    draw = {PlotKind.CONFUSION: _confusion, PlotKind.BAR: _bars}.get(plot.kind, _curves)
    pictures = (draw(plot, points, letters).encode("utf-8") for points, letters in _DETAILS)
    return next(picture for picture in pictures if len(picture) <= MAX_BYTES)


def _capped(plot: PlotData) -> PlotData:
    """Only what a reader could tell apart."""
    return replace(
        plot,
        series=plot.series[: len(_COLOURS)],
        x_classes=plot.x_classes[:_MAX_CLASSES],
        y_classes=plot.y_classes[:_MAX_CLASSES],
        values=tuple(row[:_MAX_CLASSES] for row in plot.values[:_MAX_CLASSES]),
    )


def plot_name(card_stem: str, label: str, data: bytes) -> str:
    """File name of a plot beside the card `card_stem`.md; another content has another name."""
    digest = hashlib.sha256(data).hexdigest()[:_DIGEST_DIGITS]
    return f"{card_stem}-{slug(label, '_')[:40].strip('_') or 'plot'}-{digest}.svg"


def is_plot_name(name: str, card_stem: str) -> bool:
    """Whether `plot_name` makes such names for that card; never true for a card `STEM-OTHER` beside it."""
    rest = name.removeprefix(f"{card_stem}-")
    return rest != name and re.fullmatch(rf"[a-z0-9_]{{1,40}}-[0-9a-f]{{{_DIGEST_DIGITS}}}\.svg", rest) is not None


# Text and numbers --------------------------------------------------------------------------------------------------


def _text(text: str, limit: int) -> str:
    shown = one_line(redact_text(text), limit)
    return html(re.sub("[\ufffe\uffff]", "\ufffd", shown))  # no XML may hold them


def _px(value: float) -> str:
    shown = f"{value:.1f}".removesuffix(".0")
    return "0" if shown == "-0" else shown


def _magnitude(value: float) -> int:
    """Exponent of ten; from the number's digits, as logarithms differ between machines."""
    return int(f"{value:e}".partition("e")[2])


def _shown(value: float) -> str:
    """A number with four significant digits, and the whole ones in full below a million."""
    if not math.isfinite(value):
        return ""
    return f"{value:.0f}" if value == int(value) and abs(value) < 1e6 else f"{value:.4g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Axis:
    """A range of numbers on a line of pixels, and the round ones among them."""

    low: float
    high: float
    start: float
    stop: float
    ticks: tuple[tuple[float, str], ...]

    def at(self, value: float) -> float:
        share = (min(max(value, -_LARGEST), _LARGEST) - self.low) / (self.high - self.low)
        return self.start + share * (self.stop - self.start)

    def between(self, start: float, stop: float) -> _Axis:
        """The same numbers on other pixels."""
        return _Axis(low=self.low, high=self.high, start=start, stop=stop, ticks=self.ticks)

    @property
    def longest(self) -> int:
        return max(len(label) for _, label in self.ticks)


def _axis(values: Iterable[float], most: int) -> _Axis:
    """An axis with round ends that holds all `values`, with about `most` ticks."""
    known = [min(max(value, -_LARGEST), _LARGEST) for value in values]
    low, high = min(known, default=0.0), max(known, default=1.0)
    whole = all(value == int(value) for value in known)
    room = max(abs(low), abs(high), 1e-290) * 1e-9
    if high - low <= room:
        room = 0.5 if abs(low) < 1 else abs(low) * 0.1
        low, high = low - room, high + room
    step = _step((high - low) / most)
    step = max(step, 1.0) if whole and high - low > 1 else step
    first, last = math.floor(low / step), math.ceil(high / step)
    places = [number * step for number in range(first, last + 1)]
    ticks = tuple(zip(places, _labels(places, step), strict=True))
    return _Axis(low=places[0], high=places[-1], start=0, stop=1, ticks=ticks)


def _step(least: float) -> float:
    """The next of 1, 2, 5, 10, 20... or 0.5, 0.2, 0.1..."""
    unit = float(f"1e{_magnitude(least)}")
    return next(factor * unit for factor in (1, 2, 5, 10) if factor * unit >= least * 0.999 or factor == 10)


def _labels(places: Sequence[float], step: float) -> Iterator[str]:
    largest, fine = max(map(abs, places)), _magnitude(step)
    if fine >= -4 and largest < 1e7:
        return (f"{place + 0.0:.{max(0, -fine)}f}" for place in places)
    digits = max(0, _magnitude(largest) - fine)
    return (f"{place:.{digits}e}" if place else "0" for place in places)


# Frame -------------------------------------------------------------------------------------------------------------


def _svg(plot: PlotData, height: float, parts: Iterable[str]) -> str:
    title = _text(plot.title, _TITLE)
    note = f'<text x="24" y="51" font-size="11">{_text(plot.note, 90)}</text>' if plot.note else ""
    size = f'width="{WIDTH}" height="{_px(height)}"'
    lines = (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {WIDTH} {_px(height)}" role="img" '
        f'font-family="sans-serif" font-size="12" fill="{_GREY}">',
        f"<title>{title}</title>",
        f'<rect x=".5" y=".5" width="{WIDTH - 1}" height="{_px(height - 1)}" rx="8" fill="#fff" stroke="#d0d7de"/>',
        f'<text x="24" y="34" font-size="16" font-weight="600" fill="{_INK}">{title}</text>{note}',
        *parts,
        "</svg>",
    )
    return "\n".join(line for line in lines if line) + "\n"


def _axis_titles(plot: PlotData, across: float, down: float, height: float, side: float = 30) -> str:
    """The names of both axes; `across` and `down` are the middles of what they stand beside."""
    x_label, y_label = _text(plot.x_label, _LABEL), _text(plot.y_label, _LABEL)
    return (
        f'<g text-anchor="middle" fill="{_INK}"><text x="{_px(across)}" y="{_px(height - 16)}">{x_label}</text>'
        f'<text transform="translate({_px(side)} {_px(down)}) rotate(-90)">{y_label}</text></g>'
    )


def _x_axis(axis: _Axis, top: float, bottom: float) -> Iterator[str]:
    lines = "".join(f"M{_px(axis.at(value))} {_px(top)}V{_px(bottom)}" for value, _ in axis.ticks)
    yield f'<path d="{lines}" stroke="{_GRID}" fill="none"/>'
    labels = (f'<text x="{_px(axis.at(value))}" y="{_px(bottom + 18)}">{label}</text>' for value, label in axis.ticks)
    yield f'<g text-anchor="middle">{"".join(labels)}</g>'


def _y_axis(axis: _Axis, left: float, right: float) -> Iterator[str]:
    lines = "".join(f"M{_px(left)} {_px(axis.at(value))}H{_px(right)}" for value, _ in axis.ticks)
    yield f'<path d="{lines}" stroke="{_GRID}" fill="none"/>'
    labels = (f'<text x="{_px(left - 8)}" y="{_px(axis.at(value) + 4)}">{label}</text>' for value, label in axis.ticks)
    yield f'<g text-anchor="end">{"".join(labels)}</g>'


# Lines and points --------------------------------------------------------------------------------------------------


def _curves(plot: PlotData, points: int, letters: int) -> str:
    height, top, bottom = 380, 68, 318
    series = [_thinned(one, points) for one in plot.series]
    x = _axis((point[0] for one in series for point in one.points), 7)
    y = _axis((point[1] for one in series for point in one.points), 5)
    names = [_text(one.name, letters) for one in series] if len(series) > 1 else []
    beside = 30 + _longest((one.name for one in series), letters) if names else 0
    left, right = 56 + y.longest * _CHARACTER, WIDTH - 28 - beside
    x, y = x.between(left, right), y.between(bottom, top)
    parts = (
        *_y_axis(y, left, right),
        *_x_axis(x, top, bottom),
        *(_curve(one, x, y, plot.kind, colour) for one, colour in zip(series, _COLOURS, strict=False)),
        *(_legend(name, number, right + 16, top) for number, name in enumerate(names)),
        _axis_titles(plot, (left + right) / 2, (top + bottom) / 2, height),
    )
    return _svg(plot, height, parts)


def _legend(name: str, number: int, left: float, top: float) -> str:
    y = top + 10 + 20 * number
    mark = f'<path d="M{_px(left)} {_px(y - 4)}h12" stroke="{_COLOURS[number]}" stroke-width="3"/>'
    return f'{mark}<text x="{_px(left + 18)}" y="{_px(y)}" fill="{_INK}">{name}</text>'


def _thinned(series: Series, most: int) -> Series:
    points = [point for point in series.points if math.isfinite(point[0]) and math.isfinite(point[1])]
    last = len(points) - 1
    kept = points if last < most else [points[number * last // (most - 1)] for number in range(most)]
    return Series(name=series.name, points=tuple(kept))


def _curve(series: Series, x: _Axis, y: _Axis, kind: PlotKind, colour: str) -> str:
    places = [f"{_px(x.at(left))} {_px(y.at(right))}" for left, right in series.points]
    dots = "".join(f"M{place}h0" for place in dict.fromkeys(places))
    drawn = f'<path d="{dots}" fill="none" stroke="{colour}" stroke-linecap="round" '
    if kind is PlotKind.SCATTER:
        return f'{drawn}stroke-opacity=".7" stroke-width="6"/>'
    line = f'<polyline points="{",".join(places)}" fill="none" stroke="{colour}" stroke-width="2"/>'
    return line + (f'{drawn}stroke-width="5"/>' if len(places) <= 25 else "")


# Bars and matrices -------------------------------------------------------------------------------------------------


def _bars(plot: PlotData, points: int, letters: int) -> str:
    lengths = [value if math.isfinite(value) else 0.0 for row in plot.values[:1] for value in row]
    names = [_text(name, letters) for name in plot.y_classes]
    pitch, top = 24 if len(lengths) <= 12 else 17, 68
    bottom = top + max(pitch * len(lengths), 40)
    height = bottom + 62
    left = 56 + _longest(plot.y_classes, letters)
    x = _axis([0.0, *lengths], 6).between(left, WIDTH - 72)
    bars, words = [], []
    for number, (name, length) in enumerate(zip(names, lengths, strict=False)):
        y, end, zero = top + pitch * (number + 0.5), x.at(length), x.at(0.0)
        bars.append(f"M{_px(zero)} {_px(y)}H{_px(end)}")
        words.append(f'<text x="{_px(left - 8)}" y="{_px(y + 4)}" text-anchor="end">{name}</text>')
        words.append(f'<text x="{_px(max(end, zero) + 6)}" y="{_px(y + 4)}">{_shown(length)}</text>')
    parts = (
        *_x_axis(x, top, bottom),
        f'<path d="{"".join(bars)}" stroke="{_COLOURS[0]}" stroke-width="{_px(pitch * 0.66)}"/>',
        f'<g fill="{_INK}">{"".join(words)}</g>',
        _axis_titles(plot, (left + WIDTH - 72) / 2, (top + bottom) / 2, height),
    )
    return _svg(plot, height, parts)


def _longest(names: Iterable[str], letters: int) -> float:
    """Pixels of the longest of the cut names."""
    return max((min(len(name), letters) for name in names), default=1) * _CHARACTER


def _confusion(plot: PlotData, points: int, letters: int) -> str:
    columns, rows = len(plot.x_classes), len(plot.y_classes)
    below, beside, top = _longest(plot.x_classes, letters), _longest(plot.y_classes, letters), 68
    size = min(72.0, max(15.0, 420 / max(columns, rows, 1)), (WIDTH - 88 - beside) / max(columns, 1))
    left, bottom = max(60 + beside, (WIDTH - size * columns) / 2), top + size * rows
    upright = below > size - 4
    height = bottom + 52 + (below if upright else 12)
    shades = _shades(plot)
    down = (_row_name(_text(name, letters), left, top + size * n, size) for n, name in enumerate(plot.y_classes))
    across = (
        _column_name(_text(name, letters), left + size * (n + 0.5), bottom, upright)
        for n, name in enumerate(plot.x_classes)
    )
    parts = (
        _cells(shades, columns, rows, f"translate({_px(left)} {_px(top + size / 2)}) scale({_px(size)})"),
        _counts(plot, shades, size, left, top) if points > 50 else "",
        f'<g text-anchor="{"end" if upright else "middle"}">{"".join(across)}</g>',
        f'<g text-anchor="end">{"".join(down)}</g>',
        _axis_titles(plot, left + size * columns / 2, (top + bottom) / 2, height, left - beside - 26),
    )
    return _svg(plot, height, parts)


def _row_name(name: str, left: float, top: float, size: float) -> str:
    return f'<text x="{_px(left - 8)}" y="{_px(top + size / 2 + 4)}">{name}</text>'


def _column_name(name: str, middle: float, bottom: float, upright: bool) -> str:
    if not upright:
        return f'<text x="{_px(middle)}" y="{_px(bottom + 18)}">{name}</text>'
    return f'<text transform="translate({_px(middle + 4)} {_px(bottom + 8)}) rotate(-90)">{name}</text>'


def _shades(plot: PlotData) -> list[list[int]]:
    """For each value 0 for nothing, or 1 to 9 for its share of the largest."""
    known = [value for row in plot.values for value in row if math.isfinite(value)]
    largest = 1.0 if plot.normalized else max(known, default=0.0)
    return [[_shade(value, largest) for value in row] for row in plot.values]


def _shade(value: float, largest: float) -> int:
    if not math.isfinite(value) or value <= 0 or largest <= 0:
        return 0
    return max(1, min(9, int(9 * min(value / largest, 1.0) + 0.5)))


def _colour(shade: int) -> str:
    """From nearly white to dark blue."""
    light, dark = (226, 236, 246), (5, 60, 110)
    mixed = (a + (b - a) * (shade - 1) // 8 for a, b in zip(light, dark, strict=True))
    return f"#{''.join(f'{part:02x}' for part in mixed)}"


def _cells(shades: Sequence[Sequence[int]], columns: int, rows: int, place: str) -> str:
    """The squares, one unit wide; neighbours of one colour in one stroke."""
    runs: dict[int, list[str]] = {}
    for y, row in enumerate(shades):
        x = 0
        for shade, group in groupby(row):
            length = len(tuple(group))
            runs.setdefault(shade, []).append(f"M{x} {y}h{length}")
            x += length
    paths = (f'<path d="{"".join(runs[n])}" stroke="{_colour(n)}"/>' for n in sorted(runs) if n)
    upright, level = (
        (f"M{x} -.5v{rows}" for x in range(columns + 1)),
        (f"M0 {y - 0.5}h{columns}" for y in range(rows + 1)),
    )
    return (
        f'<g transform="{place}"><rect y="-.5" width="{columns}" height="{rows}" fill="{_FAINT}"/>{"".join(paths)}'
        f'<path d="{"".join((*upright, *level))}" stroke="#fff" stroke-width=".05"/></g>'
    )


def _counts(plot: PlotData, shades: Sequence[Sequence[int]], size: float, left: float, top: float) -> str:
    """The numbers in the squares; empty where they would not fit."""
    words = [[f"{value:.2f}" if plot.normalized else _shown(value) for value in row] for row in plot.values]
    if max((len(word) for row in words for word in row), default=0) * _CHARACTER > size - 4:
        return ""
    placed = (
        f'<text x="{_px(left + size * (x + 0.5))}" y="{_px(top + size * (y + 0.5) + 4)}" fill="{colour}">{word}</text>'
        for y, row in enumerate(words)
        for x, word in enumerate(row)
        for colour in ["#fff" if shades[y][x] > 4 else _INK]
    )
    return f'<g text-anchor="middle">{"".join(placed)}</g>'
