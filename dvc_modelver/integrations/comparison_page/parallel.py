"""Parallel coordinates of params and metrics: a picture that stands alone, and data for the page's script.  Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape

from dvc_modelver.cards.tables import number
from dvc_modelver.core.report import Report
from dvc_modelver.integrations.comparison_page.axes import Axis, Line, axes_of, lines_of
from dvc_modelver.integrations.comparison_page.markup import colour, hover, letter, mark

MAX_LINES = 1000
_WIDTH, _HEIGHT, _TOP, _BOTTOM, _ABSENT, _SIDE = 1100, 366, 44, 324, 350, 70
"""Of the picture; the page's script draws with the same numbers."""
_MANY = 150
"""With more lines than this each is fainter."""
_NAMES = 14
"""So many names of an axis are written."""


def parallel(report: Report) -> tuple[str, object]:
    """(the section's HTML, the data for the script or None)."""
    axes, lines = axes_of(report), lines_of(report)
    if len(axes) < 2 or len(lines) < 2:
        return '<p class="quiet">This picture needs two things that vary over two versions.</p>\n', None
    chosen = [axis for axis in axes if axis.on]
    keep = _kept(lines)
    note = (
        f'<p class="quiet">{len(lines) - len(keep):,} older versions are left out.</p>'
        if len(keep) < len(lines)
        else ""
    )
    picture = (
        f'<div class="scroll" role="region" aria-label="Parallel coordinates" tabindex="0">'
        f'<svg id="pc" class="{"many" if len(keep) > _MANY else "few"}" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="group"'
        f' aria-label="Parallel coordinates of {len(keep):,}'
        f' versions on {len(chosen)} axes"><g id="pc-lines">{"".join(_paths(chosen, lines, keep))}</g>'
        f'<g id="pc-axes">{"".join(_axis(axis, _x(n, len(chosen))) for n, axis in enumerate(chosen))}</g></svg></div>'
    )
    html = (
        f'<p class="legend">{"".join(_legend(lines, keep))}<span class="quiet">a line for each version;'
        f" dashed: withdrawn</span></p>{picture}\n"
        f'<p id="pc-read" class="readout" role="status" aria-live="polite"></p>\n<div id="pc-controls"></div>\n{note}'
    )
    return html, _data(axes, lines, keep)


def _kept(lines: Sequence[Line]) -> list[int]:
    """The newest, and whatever is compared."""
    first = max(0, len(lines) - MAX_LINES)
    return [at for at, line in enumerate(lines) if at >= first or line.point is not None]


def _x(at: int, count: int) -> float:
    return _SIDE + (_WIDTH - 2 * _SIDE) * (at / (count - 1) if count > 1 else 0.5)


def _y(axis: Axis, value: float | None) -> float:
    return _ABSENT if value is None else _BOTTOM - axis.place(value) * (_BOTTOM - _TOP)


def _whole(value: float) -> int:
    """The nearest pixel, halves upwards: as the script rounds."""
    return math.floor(value + 0.5)


def _paths(axes: Sequence[Axis], lines: Sequence[Line], keep: Sequence[int]) -> Iterator[str]:
    columns = [_ys(axis) for axis in axes]
    xs = [_whole(_x(n, len(axes))) for n in range(len(axes))]
    for at in sorted(keep, key=lambda at: lines[at].point is not None):
        line = lines[at]
        places = "L".join(f"{x} {column[at]}" for x, column in zip(xs, columns, strict=True))
        kind = " ".join([*([f"on {colour(line.point)}"] if line.point is not None else []), *_off(line)])
        kinds = f' class="{kind}"' if kind else ""
        yield f'<path{kinds} d="M{places}"><title>{escape(line.name)}</title></path>'


def _off(line: Line) -> Sequence[str]:
    return ["off"] if line.withdrawn else []


def _ys(axis: Axis) -> list[int]:
    known = {value: _whole(_y(axis, value)) for value in set(axis.values)}
    return [known[value] for value in axis.values]


def _axis(axis: Axis, x: float) -> str:
    ticks = "".join(
        f'<text class="tick" x="6" y="{_whole(_y(axis, value)) + 4}">{escape(words)}</text>'
        for value, words in _ticks(axis)
    )
    absent = f'<text class="tick" x="6" y="{_ABSENT + 4}">none</text>' if None in axis.values else ""
    name = escape(axis.name if len(axis.name) <= 20 else f"{axis.name[:19]}…")
    kind = "param" if axis.param else "metric"
    return (
        f'<g class="axis {kind}" transform="translate({_whole(x)} 0)"><path d="M0 {_TOP}V{_BOTTOM}"/>'
        f'<text class="name" y="20" text-anchor="middle">{name}</text>'
        f'<text class="tick" y="34" text-anchor="middle">{kind}{", log" if axis.log else ""}</text>{ticks}{absent}</g>'
    )


def _ticks(axis: Axis) -> Iterator[tuple[float, str]]:
    if axis.names:
        step = -(-len(axis.names) // _NAMES)
        for at in range(0, len(axis.names), step):
            name = axis.names[at]
            yield float(at), name if len(name) <= 18 else f"{name[:17]}…"
        return
    for value in dict.fromkeys((axis.low, axis.high)):
        yield value, number(value, 4)


def _legend(lines: Sequence[Line], keep: Sequence[int]) -> Iterator[str]:
    for at in keep:
        line = lines[at]
        if line.point is not None:
            name = line.name.removeprefix(f"{letter(line.point)}: ")
            yield f"<span>{mark(line.point)} {hover(name[:40], name)}</span>"


def _data(axes: Sequence[Axis], lines: Sequence[Line], keep: Sequence[int]) -> object:
    return {
        "lines": [lines[at].name for at in keep],
        "points": [[n, lines[at].point] for n, at in enumerate(keep) if lines[at].point is not None],
        "off": [n for n, at in enumerate(keep) if lines[at].withdrawn],
        "axes": [
            {
                "name": axis.name,
                "param": axis.param,
                "on": axis.on,
                "log": axis.log,
                "names": axis.names,
                "values": [_short(axis.values[at]) for at in keep],
            }
            for axis in axes
        ],
    }


def _short(value: float | None) -> float | int | None:
    """Whole numbers without their `.0`: fewer bytes, the same number to a script."""
    return int(value) if value is not None and abs(value) < 2**53 and value == int(value) else value
