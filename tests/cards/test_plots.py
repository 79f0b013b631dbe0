"""Pictures beside a card: small, well-formed, the same every time, and hostile names are only text in them."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvc_modelver.cards.plots import MAX_BYTES, WIDTH, _axis, is_plot_name, plot_name, render_plot
from dvc_modelver.core.plots import PlotData, PlotKind, Series
from dvc_modelver.core.secrets import redact_text
from dvc_modelver.core.text import one_line
from tests.cards.values import HOSTILE

SVG = "{http://www.w3.org/2000/svg}"
ELEMENTS = {f"{SVG}{name}" for name in ("svg", "title", "rect", "text", "g", "path", "polyline")}
TEXTS: dict[str, Any] = {"title": "T", "x_label": "X", "y_label": "Y"}


def curves(kind: PlotKind = PlotKind.LINE, *points: tuple[tuple[float, float], ...], **changes: Any) -> PlotData:
    series = tuple(Series(name=f"s{n}", points=one) for n, one in enumerate(points))
    return PlotData(kind=kind, series=series, **{**TEXTS, **changes})


def confusion(classes: tuple[str, ...], values: tuple[tuple[float, ...], ...], **changes: Any) -> PlotData:
    return PlotData(
        kind=PlotKind.CONFUSION, x_classes=classes, y_classes=classes, values=values, **{**TEXTS, **changes}
    )


def bars(names: tuple[str, ...], lengths: tuple[float, ...], **changes: Any) -> PlotData:
    return PlotData(kind=PlotKind.BAR, y_classes=names, values=(lengths,), **{**TEXTS, **changes})


EACH = (
    curves(PlotKind.LINE, ((0, 0.5), (1, 0.25), (2, 0.125)), ((0, 1), (2, 0))),
    curves(PlotKind.SCATTER, ((0, 0.5), (1, 0.25))),
    confusion(("no", "yes"), ((40, 2), (3, 0))),
    bars(("a", "b"), (0.5, -0.25)),
)


def tree(plot: PlotData) -> ElementTree.Element:
    """The parsed picture, after a look at its size and at everything that it may hold."""
    picture = render_plot(plot)
    assert len(picture) <= MAX_BYTES
    root = ElementTree.fromstring(picture)
    assert {element.tag for element in root.iter()} <= ELEMENTS
    attributes = [item for element in root.iter() for item in element.attrib.items()]
    assert not [name for name, _ in attributes if name.startswith("on") or "href" in name or name == "style"]
    assert not [value for _, value in attributes if ":" in value or "url" in value or "nan" in value or "inf" in value]
    return root


def words(root: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{SVG}text")]


@pytest.mark.parametrize("plot", EACH, ids=lambda plot: plot.kind.value)
def test_a_picture_says_what_it_is(plot: PlotData) -> None:
    """It is an image with a title for readers who do not see it, on white, with both axes named."""
    root = tree(plot)
    assert (root.get("role"), root[0].tag, root[0].text) == ("img", f"{SVG}title", "T")
    assert (root[1].tag, root[1].get("fill")) == (f"{SVG}rect", "#fff")
    assert {"T", "X", "Y"} <= set(words(root))
    assert render_plot(plot) == render_plot(plot)


def test_bytes_are_pinned() -> None:
    """The bytes of a picture are part of the contract: its file's name is made from them on every machine."""
    plot = curves(PlotKind.SCATTER, ((0, 0.1), (1 / 3, 2 / 3)), title="a < b")
    assert render_plot(plot).decode().splitlines() == [
        '<svg xmlns="http://www.w3.org/2000/svg" width="640" height="380" viewBox="0 0 640 380" role="img" '
        'font-family="sans-serif" font-size="12" fill="#57606a">',
        "<title>a &lt; b</title>",
        '<rect x=".5" y=".5" width="639" height="379" rx="8" fill="#fff" stroke="#d0d7de"/>',
        '<text x="24" y="34" font-size="16" font-weight="600" fill="#1f2328">a &lt; b</text>',
        '<path d="M74.9 318H612M74.9 255.5H612M74.9 193H612M74.9 130.5H612M74.9 68H612" stroke="#e4e8ec" fill="none"/>',
        '<g text-anchor="end"><text x="66.9" y="322">0.0</text><text x="66.9" y="259.5">0.2</text>'
        '<text x="66.9" y="197">0.4</text><text x="66.9" y="134.5">0.6</text><text x="66.9" y="72">0.8</text></g>',
        '<path d="M74.9 68V318M151.6 68V318M228.4 68V318M305.1 68V318M381.8 68V318M458.5 68V318M535.3 68V318'
        'M612 68V318" stroke="#e4e8ec" fill="none"/>',
        '<g text-anchor="middle"><text x="74.9" y="336">0.00</text><text x="151.6" y="336">0.05</text>'
        '<text x="228.4" y="336">0.10</text><text x="305.1" y="336">0.15</text><text x="381.8" y="336">0.20</text>'
        '<text x="458.5" y="336">0.25</text><text x="535.3" y="336">0.30</text><text x="612" y="336">0.35</text></g>',
        '<path d="M74.9 286.8h0M586.4 109.7h0" fill="none" stroke="#0072b2" stroke-linecap="round" '
        'stroke-opacity=".7" stroke-width="6"/>',
        '<g text-anchor="middle" fill="#1f2328"><text x="343.4" y="364">X</text>'
        '<text transform="translate(30 193) rotate(-90)">Y</text></g>',
        "</svg>",
    ]


def test_points_are_where_they_belong() -> None:
    """The ends of the numbers are at the ends of the axes, and larger is higher."""
    root = tree(curves(PlotKind.LINE, ((0, 0), (10, 1), (20, 0.5))))
    line = next(root.iter(f"{SVG}polyline")).get("points", "")
    (x0, y0), (x1, y1), (x2, y2) = [tuple(map(float, pair.split())) for pair in line.split(",")]
    assert (y0, y1, y2) == (318, 68, 193)
    assert x1 == pytest.approx((x0 + x2) / 2, abs=0.1)
    assert (x2, "20") == (612, words(root)[words(root).index("20")])


def test_a_legend_only_where_it_is_needed() -> None:
    """One series needs none; of two both names stand beside the plot in the colours of their lines."""
    assert "s0" not in words(tree(curves(PlotKind.LINE, ((0, 0), (1, 1)))))
    root = tree(curves(PlotKind.LINE, ((0, 0), (1, 1)), ((0, 1), (1, 0))))
    assert {"s0", "s1"} <= set(words(root))
    lines = [element.get("stroke") for element in root.iter(f"{SVG}polyline")]
    marks = [element.get("stroke") for element in root.iter(f"{SVG}path") if element.get("stroke-width") == "3"]
    assert lines == marks
    assert len(set(lines)) == 2


def test_a_matrix_shows_its_numbers() -> None:
    """Counts as they are, shares with two digits, and none where they would not fit."""
    assert {"40", "2", "3", "0"} <= set(words(tree(confusion(("no", "yes"), ((40, 2), (3, 0))))))
    assert {"0.95", "0.05"} <= set(words(tree(confusion(("a", "b"), ((0.95, 0.05), (0, 1)), normalized=True))))
    names = tuple(f"c{n}" for n in range(30))
    many = words(tree(confusion(names, tuple((123.0,) * 30 for _ in names))))
    assert "123" not in many
    assert set(names) <= set(many)


def test_bars_begin_at_nothing() -> None:
    """A bar twice as long stands for a number twice as large; a negative one goes the other way."""
    root = tree(bars(("a", "b", "c"), (2, 4, -1)))
    drawn = next(element.get("d", "") for element in root.iter(f"{SVG}path") if element.get("stroke") == "#0072b2")
    spans = [float(end) - float(start) for start, end in re.findall(r"M([\d.]+) [\d.]+H([\d.]+)", drawn)]
    assert spans[1] == pytest.approx(2 * spans[0], abs=0.2)
    assert spans[2] == pytest.approx(-spans[0] / 2, abs=0.2)
    assert words(root).index("a") < words(root).index("b")


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ((0.0, 1.0), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        ((0.0, 3.0), ["0", "1", "2", "3"]),
        ((-5.0, 97.0), ["-50", "0", "50", "100"]),
        ((0.0, 4e-9), ["0", "1e-09", "2e-09", "3e-09", "4e-09"]),
        ((0.0, 3e12), ["0", "1e+12", "2e+12", "3e+12"]),
        ((7.0, 7.0), ["6", "7", "8"]),
        ((0.0, 2.0), ["0", "1", "2"]),
        ((0.5, 0.5), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        ((), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
    ],
)
def test_ticks_are_round(values: tuple[float, ...], labels: list[str]) -> None:
    """Ticks are multiples of 1, 2 or 5, of whole numbers only where all are whole."""
    found = [label for _, label in _axis(values, 5).ticks]
    assert found == labels


FLOAT = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(FLOAT, max_size=5), st.integers(3, 8))
def test_every_number_is_on_its_axis(values: list[float], most: int) -> None:
    """Whatever the numbers, the axis holds them all, with a few different labels."""
    axis = _axis(values, most)
    assert 2 <= len(axis.ticks) <= 2 * most + 3
    assert all(-0.001 <= axis.at(min(max(value, -1e300), 1e300)) <= 1.001 for value in values)
    labels = [label for _, label in axis.ticks]
    assert len(set(labels)) == len(labels)
    near = (axis.high - axis.low) * 1e-3
    assert all(abs(float(label) - value) <= near for value, label in axis.ticks)


NAME = st.sampled_from(HOSTILE) | st.text(max_size=300) | st.sampled_from(["&" * 300, "\U0001f600" * 300, '"' * 300])
NUMBER = st.floats() | st.sampled_from([1e308, -1e308, 5e-324, 123456.789])


@st.composite
def any_plots(draw: st.DrawFn) -> PlotData:
    kind = draw(st.sampled_from(PlotKind))
    size = draw(st.sampled_from([0, 1, 2, 12, 30, 45]))
    names = tuple(draw(NAME) for _ in range(min(size, 3)))
    names = tuple(names[n % len(names)] for n in range(size)) if names else ()
    few = draw(st.lists(NUMBER, min_size=1, max_size=5))
    length = draw(st.sampled_from([0, 1, 2, 300, 1000]))
    series = tuple(
        Series(name=name, points=tuple((few[n % len(few)] * n, few[-n % len(few)] / (n + 1)) for n in range(length)))
        for name in names[:10]
    )
    rows = size if kind is PlotKind.CONFUSION else 1
    return PlotData(
        kind=kind,
        title=draw(NAME),
        x_label=draw(NAME),
        y_label=draw(NAME),
        series=series,
        x_classes=names,
        y_classes=names,
        values=tuple(tuple(few[(x * y + x) % len(few)] for x in range(size)) for y in range(rows)),
        normalized=draw(st.booleans()),
        note=draw(NAME),
    )


@given(any_plots())
def test_any_plot_is_small_and_harmless(plot: PlotData) -> None:
    """Whatever the numbers and names, the picture is XML of a few kinds of elements, and never above its limit."""
    root = tree(plot)
    title = one_line(redact_text(plot.title), 70).replace("\ufffe", "\ufffd").replace("\uffff", "\ufffd")
    assert (root[0].text or "") == title
    assert len(root) < 60
    assert root.get("width") == str(WIDTH)


@pytest.mark.parametrize("text", [text for text in HOSTILE if one_line(text)])
def test_hostile_names_are_text(text: str) -> None:
    """A name reads literally wherever it stands, cut where it is long."""
    shown = one_line(text, 22)
    assert one_line(text, 50) in words(tree(curves(PlotKind.LINE, ((0, 0), (1, 1)), x_label=text)))
    assert shown in words(tree(bars((text, "b"), (1, 2))))
    assert shown in words(tree(confusion((text, "b"), ((1, 2), (3, 4)))))


def test_secrets_are_left_out() -> None:
    """A token in a title or a name of a class is hidden, also where the name is cut."""
    token = "hf_" + "abcdefghij" * 4
    for plot in (bars((token,), (1,), title=f"for https://u:hunter2@host {token}"), confusion((token,), ((1,),))):
        text = render_plot(plot).decode()
        assert "abcdef" not in text
        assert "hunter2" not in text


@given(NAME, st.binary(max_size=20), st.sampled_from(["churn", "churn-eu", "models.churn", "a_b"]))
def test_names_of_pictures(label: str, data: bytes, stem: str) -> None:
    """A name tells its card and its content, is plain ASCII, and belongs to no other card."""
    name = plot_name(stem, label, data)
    assert is_plot_name(name, stem)
    assert re.fullmatch(r"[a-z0-9._-]{1,80}\.svg", name)
    assert name != plot_name(stem, label, data + b"x")
    others = ("churn", "churn-eu", "models", "a", "", "churn-e")
    assert not any(is_plot_name(name, other) for other in others if other != stem)


@pytest.mark.parametrize(
    "name",
    [
        "churn.svg",
        "churn-roc.svg",
        "churn-roc-0123456789ab.png",
        "churn-ROC-0123456789ab.svg",
        "churn-a-b-0123456789ab.svg",
        "churn-roc-0123456789ab.svg\n",
        "roc-0123456789ab.svg",
        "churn-roc-0123456789AB.svg",
        "x/churn-roc-0123456789ab.svg",
    ],
)
def test_names_of_others(name: str) -> None:
    """A picture that people put beside the card is not taken for ours."""
    assert not is_plot_name(name, "churn")
    assert is_plot_name("churn-roc-0123456789ab.svg", "churn")


@pytest.mark.parametrize("lengths", [(1.7976931348623157e308, -1.0), (1.7976931348623157e308, -1.7976931348623157e308)])
def test_the_largest_numbers_have_a_place(lengths: tuple[float, ...]) -> None:
    """Numbers whose difference no float can hold are drawn at the ends of the axis."""
    tree(bars(("a", "b"), lengths))
    tree(curves(PlotKind.LINE, tuple(enumerate(lengths))))
