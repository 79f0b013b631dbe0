"""DVC's plots of all points: side by side, lines in one chart, pictures one over the other.  Pure."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import replace

from dvc_modelver.cards.plots import render_plot
from dvc_modelver.core.comparison import Comparison
from dvc_modelver.core.plots import PlotData, PlotKind, Series
from dvc_modelver.core.report import Image, Report, ReportPlot
from dvc_modelver.integrations.comparison_page.markup import clipped, letter, mark, text
from dvc_modelver.integrations.comparison_page.metricrows import name_of

MAX_PLOTS = 60
_DRAWN = 8
"""So many lines has a plot room for."""
_MEDIA_TYPES = {"image/png", "image/jpeg", "image/gif", "image/webp"}


def plots(report: Report) -> str:
    """All plots; empty where there are none."""
    drawn = "".join(_plot(report.comparison, plot, at) for at, plot in enumerate(report.plots[:MAX_PLOTS]))
    more = len(report.plots) - MAX_PLOTS
    return drawn + (f'<p class="more">and {more:,} more plots.</p>\n' if more > 0 else "")


def _plot(found: Comparison, plot: ReportPlot, at: int) -> str:
    sides = "".join(_side(found, side, n) for n, side in enumerate(plot.sides))
    merged = _merged(found, plot)
    images = [n for n, side in enumerate(plot.sides) if isinstance(side, Image)]
    switch, over = "", ""
    if merged is not None:
        switch = _switch(at, "Overlaid")
        over = f'<figure class="over">{_svg(merged)}</figure>'
    elif len(images) > 1:
        switch = _switch(at, "Overlaid", "pictures") + _blend(at, images)
    path = f' <span class="quiet">{clipped(plot.path)}</span>' if plot.path != plot.title else ""
    return (
        f'<article class="plot"><h3>{clipped(plot.title)}{path}</h3>{switch}<div class="sides">{sides}</div>{over}'
        "</article>\n"
    )


def _switch(at: int, name: str, kind: str = "lines") -> str:
    """Two radio buttons that style sheets alone obey."""
    needs = " needs-js" if kind == "pictures" else ""
    return (
        f'<input type="radio" class="beside{needs}" name="plot{at}" id="plot{at}s" checked>'
        f'<label class="{kind}{needs}" for="plot{at}s">Side by side</label>'
        f'<input type="radio" class="overlay {kind}{needs}" name="plot{at}" id="plot{at}o">'
        f'<label class="{kind}{needs}" for="plot{at}o">{name}</label>'
    )


def _blend(at: int, images: Sequence[int]) -> str:
    """How much of the upper picture is seen, and which that is; the page's script obeys."""
    options = "".join(f'<option value="{n}">{letter(n)}</option>' for n in images[1:])
    return (
        f'<div class="blend needs-js" data-under="{images[0]}"><label>{mark(images[0])} under '
        f"<select>{options}</select></label> "
        f'<label>Opacity <input type="range" min="0" max="100" value="50" data-do="opacity"></label> '
        f'<label>Swipe <input type="range" min="0" max="100" value="100" data-do="swipe"></label></div>'
    )


def _side(found: Comparison, side: PlotData | Image | None, at: int) -> str:
    point = found.points[at]
    name = f"{mark(at)} {clipped(name_of(point), 40)}"
    return (
        f'<figure data-at="{at}"><figcaption>{name}</figcaption>{_picture(side, f"{letter(at)}: {point.ref}")}</figure>'
    )


def _picture(side: PlotData | Image | None, name: str) -> str:
    if isinstance(side, PlotData):
        return _svg(side)
    if isinstance(side, Image) and side.media_type in _MEDIA_TYPES:
        data = base64.b64encode(side.data).decode("ascii")
        return f'<img alt="{text(name, 80)}" src="data:{side.media_type};base64,{data}">'
    return '<p class="quiet absent">not there, or not at hand</p>'


def _svg(plot: PlotData) -> str:
    kind = "matrix" if plot.kind is PlotKind.CONFUSION else "drawn"
    return f'<div class="{kind}">{render_plot(plot).decode("utf-8")}</div>'


def _merged(found: Comparison, plot: ReportPlot) -> PlotData | None:
    """The lines of all points in one chart; None where fewer than two points have any."""
    lines = [(at, s) for at, s in enumerate(plot.sides) if isinstance(s, PlotData) and s.kind is PlotKind.LINE]
    if len(lines) < 2:
        return None
    series = [one for at, side in lines for one in _named(found, side, at)]
    more = len(series) - _DRAWN
    note = f"{more} more {'line is' if more == 1 else 'lines are'} not drawn" if more > 0 else ""
    return replace(lines[0][1], series=tuple(series), note=note)


def _named(found: Comparison, side: PlotData, at: int) -> Iterator[Series]:
    for one in side.series:
        name = name_of(found.points[at])
        more = f" {one.name}" if len(side.series) > 1 else ""
        yield Series(name=f"{letter(at)} {name}{more}", points=one.points)
