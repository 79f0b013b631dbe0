"""DVC's plots of a model at several points of history, as far as their bytes are at hand; nothing is fetched."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from dvc_modelver.commands.bytes_at_hand import Bytes
from dvc_modelver.commands.comparison.plotfiles import DataFile, Files, PointFiles
from dvc_modelver.commands.project import Project
from dvc_modelver.core.plots import PlotData, PlotKind
from dvc_modelver.core.points import Point
from dvc_modelver.core.report import Image, ReportPlot
from dvc_modelver.core.secrets import redact_text
from dvc_modelver.dvcio.plots import MAX_SERIES, read_plot
from dvc_modelver.dvcio.plotted import DeclaredPlot, Options
from dvc_modelver.errors import ModelverError

MAX_POINTS = 6
MAX_PLOTS = 24
MAX_IN_DIRECTORY = 12
MAX_IMAGE = 2 * 1024 * 1024
MAX_IMAGES = 16 * 1024 * 1024
"""Bytes of all pictures together."""
MAX_DATA = 64 * 1024 * 1024
"""Bytes of all tables together that are parsed; the same bytes at several points count once."""
_SEPARATE = ("confusion", "bar")
"""Templates whose several files cannot be drawn into one plot."""


class _Key(NamedTuple):
    """What makes the plots of two points the same plot."""

    file: str
    label: str
    top: bool
    part: str
    """The file inside a directory of plots, or of a plot whose files are drawn apart; else empty."""


@dataclass(frozen=True, slots=True)
class _Item:
    """One plot at one point."""

    title: str
    files: tuple[DataFile, ...]
    options: Options
    place: PointFiles


def read_plots(project: Project, points: Sequence[Point]) -> tuple[tuple[ReportPlot, ...], tuple[str, ...]]:
    """The plots that `dvc.yaml` declares of the points' own pipeline stages, and what of them cannot be shown.

    Of the first `MAX_POINTS` points, at most `MAX_PLOTS` plots: those of the first point in the order in which they
    are declared, then what other points have more.  A plot that is nowhere at hand is left out.
    """
    with Bytes(project) as at_hand:
        files = Files(project, at_hand)
        reader = _Reader(files)
        sides = reader.sides(points[:MAX_POINTS])
        keys = list(dict.fromkeys(key for side in sides for key in side))
        if len(points) > MAX_POINTS:
            reader.notes.append(f"plots are shown of the first {MAX_POINTS} points")
        if len(keys) > MAX_PLOTS:
            reader.notes.append(f"{MAX_PLOTS} of {len(keys):,} plots are shown")
        items = (side[key] for side in sides for key in keys[:MAX_PLOTS] if key in side)
        files.measure(file for item in items for file in item.files)
        rows = [reader.row(key, sides, len(points)) for key in keys[:MAX_PLOTS]]
        return tuple(row for row in rows if any(row.sides)), (*dict.fromkeys(reader.notes), *files.notes())


class _Reader:
    """Reads the plots; what several points share is parsed once."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self.notes: list[str] = []
        self._parsed: dict[tuple[str, str, str], PlotData | None] = {}
        self._images = 0
        self._data = 0

    # What there is ----------------------------------------------------------------------------------------------

    def sides(self, points: Sequence[Point]) -> list[Mapping[_Key, _Item]]:
        known: dict[tuple[str, str | None], Mapping[_Key, _Item]] = {}
        for point in points:
            key = point.name, point.commit
            if key not in known:
                known[key] = self._side(point)
        return [known[point.name, point.commit] for point in points]

    def _side(self, point: Point) -> Mapping[_Key, _Item]:
        try:
            return dict(self._items(point))
        except ModelverError as error:
            self.notes.append(f"{point.ref}: its plots cannot be read: {error.message}")
            return {}

    def _items(self, point: Point) -> Iterator[tuple[_Key, _Item]]:
        place = PointFiles(self.files, point)
        for plot in place.own_plots():
            files = [(path, place.files(path, plot.file)) for path in plot.paths]
            self.notes += [
                f"the first {MAX_IN_DIRECTORY} of {len(found):,} plots in {redact_text(path)} are shown"
                for path, (found, directory) in files
                if directory and len(found) > MAX_IN_DIRECTORY
            ]
            for part, some in _parts(plot, files):
                title = _title(plot, part)
                yield _Key(plot.file, plot.label, plot.top, part), _Item(title, tuple(some), plot.options, place)

    # What it shows ----------------------------------------------------------------------------------------------

    def row(self, key: _Key, sides: Sequence[Mapping[_Key, _Item]], points: int) -> ReportPlot:
        """That plot at all points."""
        items = [side.get(key) for side in sides]
        cells = [self._cell(item) if item is not None else None for item in items]
        first = next(item for item in items if item is not None)
        return ReportPlot(
            title=first.title, path=redact_text(first.files[0].path), sides=(*cells, *[None] * (points - len(cells)))
        )

    def _cell(self, item: _Item) -> PlotData | Image | None:
        read = [(file.path, data) for file in item.files if (data := item.place.read(file)) is not None]
        if len(read) == 1 and (media := media_type(read[0][1])) is not None:
            return self._image(*read[0], media)
        drawn = [(path, found) for path, data in read if (found := self._plot(path, data, item.options)) is not None]
        return _clean(_merged(drawn)) if drawn else None

    def _image(self, path: str, data: bytes, media: str) -> Image | None:
        if len(data) > MAX_IMAGE:
            self.files.leave(path, f"a picture of more than {MAX_IMAGE >> 20} MiB is not shown")
        elif self._images + len(data) > MAX_IMAGES:
            self.files.leave(path, f"the pictures together have more than {MAX_IMAGES >> 20} MiB")
        else:
            self._images += len(data)
            return Image(media_type=media, data=data)
        return None

    def _plot(self, path: str, data: bytes, options: Options) -> PlotData | None:
        key = hashlib.sha256(data).hexdigest(), path, repr(options)
        if key not in self._parsed:
            if self._data + len(data) > MAX_DATA:
                self.files.leave(path, f"the tables of all plots together have more than {MAX_DATA >> 20} MiB")
                return None
            self._data += len(data)
            self._parsed[key] = read_plot(data, path, options) if _has_x(options, path) else None
        if self._parsed[key] is None:
            self.files.leave(path, "nothing can be drawn of it")
        return self._parsed[key]


_Found = Sequence[tuple[str, tuple[tuple[DataFile, ...], bool]]]


def _parts(plot: DeclaredPlot, files: _Found) -> Iterator[tuple[str, Sequence[DataFile]]]:
    """What is drawn apart: each file of a directory, and of several files those that cannot share one plot."""
    template = plot.options.get("template")
    apart = len(files) > 1 and isinstance(template, str) and template.startswith(_SEPARATE)
    together: list[DataFile] = []
    for path, (found, directory) in files:
        if directory:
            yield from ((file.path[len(path) + 1 :], [file]) for file in found[:MAX_IN_DIRECTORY])
        elif apart:
            yield from ((path, [file]) for file in found)
        else:
            together += found
    if together:
        yield "", together


def _title(plot: DeclaredPlot, part: str) -> str:
    given = plot.options.get("title")
    name = given if isinstance(given, str) and given else plot.label
    return redact_text(f"{name.rstrip('/')}: {part}" if part else name)


def media_type(data: bytes) -> str | None:
    """What kind of picture `data` are, by their first bytes; None for what browsers do not show, and for SVG."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    return "image/webp" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else None


def _has_x(options: Options, path: str) -> bool:
    """Whether `x`, where it is given by file, is given for this one: it may be a column of another."""
    x = options.get("x")
    if not isinstance(x, Mapping):
        return True
    names = [posixpath.normpath(str(file)) for file in x]
    return any(path == name or path.endswith(f"/{name}") for name in names)


def _merged(drawn: Sequence[tuple[str, PlotData]]) -> PlotData:
    """One plot of the curves of several files, each named by its file."""
    first = drawn[0][1]
    alike = [(path, plot) for path, plot in drawn if plot.kind is first.kind]
    if len(alike) < 2 or first.kind not in (PlotKind.LINE, PlotKind.SCATTER):
        return first
    above = posixpath.commonpath([posixpath.dirname(path) for path, _ in alike])
    series = tuple(
        replace(one, name=f"{posixpath.relpath(path, above or '.')}: {one.name}")
        for path, plot in alike
        for one in plot.series
    )
    notes = [plot.note for _, plot in alike if plot.note]
    notes += [f"first {MAX_SERIES} of {len(series)} curves"] if len(series) > MAX_SERIES else []
    return replace(first, series=series[:MAX_SERIES], note=", ".join(dict.fromkeys(notes)))


def _clean(plot: PlotData) -> PlotData:
    """Without what looks like a secret in its words."""
    return replace(
        plot,
        title=redact_text(plot.title),
        x_label=redact_text(plot.x_label),
        y_label=redact_text(plot.y_label),
        series=tuple(replace(one, name=redact_text(one.name)) for one in plot.series),
        x_classes=tuple(map(redact_text, plot.x_classes)),
        y_classes=tuple(map(redact_text, plot.y_classes)),
    )
