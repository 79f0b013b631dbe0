"""Plot data of every format and template, against DVC's own converter, and what cannot be drawn."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvc_modelver.core.plots import PlotData, PlotKind, Series
from dvc_modelver.dvcio import plots
from dvc_modelver.dvcio.plots import MAX_CLASSES, MAX_POINTS, read_plot

CSV = b"epoch,loss,acc\n0,1.5,0.5\n1,1.0,0.75\n2,0.5,0.9\n"
ROWS = [{"epoch": 0, "loss": 1.5, "acc": 0.5}, {"epoch": 1, "loss": 1.0, "acc": 0.75}, {"epoch": 2, "loss": 0.5, "acc": 0.9}]  # fmt: skip  # noqa: E501
FILES = {
    "p.csv": CSV,
    "p.tsv": CSV.replace(b",", b"\t"),
    "p.json": json.dumps(ROWS).encode(),
    "p.yaml": json.dumps({"history": ROWS}).encode(),
    "p.yml": json.dumps({"a": {"b": [{"epoch": row["epoch"], "loss": row["loss"]} for row in ROWS],
                               "c": [{"acc": row["acc"]} for row in ROWS]}}).encode(),
}  # fmt: skip


def plot(data: object, path: str = "p.json", **options: object) -> PlotData:
    found = read_plot(data if isinstance(data, bytes) else json.dumps(data).encode(), path, options)
    assert found is not None
    return found


@pytest.mark.parametrize("options", [{}, {"x": "epoch"}, {"y": "loss"}, {"x": "epoch", "y": ["loss", "acc"]}])
@pytest.mark.parametrize("name", sorted(FILES))
def test_points_are_those_of_dvc(name: str, options: dict[str, Any]) -> None:
    """Whatever the format, points and axes are what DVC's converter makes of file and options."""
    from dvc.render.converter.vega import VegaConverter
    from dvc.repo.plots import parse

    class Local:
        def open(self, path: str, *args: object, **kwargs: object) -> Any:
            import io

            text = FILES[name].decode()
            return io.StringIO(text) if "encoding" in kwargs else io.BytesIO(text.encode())

    converter = VegaConverter(name, {name: parse(Local(), name)}, dict(options))
    rows, properties = converter.flat_datapoints("rev")
    found = plot(FILES[name], name, **options)
    assert (found.kind, found.title, found.x_label, found.y_label) == (
        *(PlotKind.LINE, name),
        *(properties["x_label"], properties["y_label"]),
    )
    fields = options["y"] if isinstance(options.get("y"), list) else [properties["y"]]
    expected = []
    for field in fields:
        ours = [row for row in rows if row.get("field", field) == field]
        axis = "dvc_inferred_y_value" if len(fields) > 1 else properties["y"]
        expected.append((field, tuple((float(row[properties["x"]]), float(row[axis])) for row in ours)))
    assert [(one.name, one.points) for one in found.series] == expected


def test_labels_and_title_are_taken() -> None:
    """What the options say stands on the picture; what is no text is ignored."""
    found = plot(CSV, "p.csv", title="T", x_label="X", y_label="Y", template="scatter")
    assert (found.title, found.x_label, found.y_label, found.kind) == ("T", "X", "Y", PlotKind.SCATTER)
    found = plot(CSV, "p.csv", title=1, x_label=["X"], y_label=None, template={"a": 1})
    assert (found.title, found.x_label, found.y_label, found.kind) == ("p.csv", "step", "acc", PlotKind.LINE)


def test_columns_by_file() -> None:
    """Options that name their file count for that file, also from a `dvc.yaml` in a folder."""
    found = plot(CSV, "eval/p.csv", x={"p.csv": "epoch"}, y={"./p.csv": ["loss", "acc"], "other.csv": "z"})
    assert ([one.name for one in found.series], found.x_label) == (["loss", "acc"], "epoch")
    assert read_plot(CSV, "eval/p.csv", {"y": {"other.csv": "loss"}}) is None


def test_without_a_header() -> None:
    """Columns without names go by their numbers."""
    found = plot(b"1,2\n3,4\n", "p.csv", header=False, x="0", y="1")
    assert found.series == (Series(name="1", points=((1.0, 2.0), (3.0, 4.0))),)


def test_only_finite_numbers_are_points() -> None:
    """Gaps, words, booleans and what is not finite are left out, and a line runs from left to right."""
    values = [2, "1", None, True, "x", "nan", "1_0", 10**400, "9" * 60, [1], 0]
    found = plot([{"x": value, "y": 1} for value in values], x="x", y="y")
    assert found.series[0].points == ((0.0, 1.0), (1.0, 1.0), (2.0, 1.0))
    assert plot([{"x": 2, "y": 1}, {"x": 1, "y": 1}], x="x", y="y", template="scatter").series[0].points[0][0] == 2.0


def test_a_matrix_counts_pairs() -> None:
    """Of a confusion matrix the columns are the classes of `x`, the rows those of `y`, numbers in their order."""
    pairs = [(10, 10), (10, 9), (9, 9), (10, 10)]
    data = [{"actual": a, "predicted": p} for a, p in pairs]
    found = plot(data, x="actual", y="predicted", template="confusion")
    assert (found.kind, found.x_classes, found.y_classes) == (PlotKind.CONFUSION, ("9", "10"), ("9", "10"))
    assert found.values == ((1.0, 1.0), (0.0, 2.0))
    shares = plot(data, x="actual", y="predicted", template="confusion_normalized")
    assert (shares.values, shares.normalized) == (((0.5, 0.5), (0.0, 1.0)), True)
    assert read_plot(json.dumps(data).encode(), "p.json", {"y": "predicted", "template": "confusion"}) is None


def test_bars() -> None:
    """Bars are named by `y` and as long as `x`; the sorted template puts the longest first."""
    data = b"weight,name\n0.1,a\n0.7,b\n,c\n"
    found = plot(data, "p.csv", x="weight", y="name", template="bar_horizontal")
    assert (found.kind, found.y_classes, found.values) == (PlotKind.BAR, ("a", "b"), ((0.1, 0.7),))
    ranked = plot(data, "p.csv", x="weight", y="name", template="bar_horizontal_sorted")
    assert (ranked.y_classes, ranked.values, ranked.x_label) == (("b", "a"), ((0.7, 0.1),), "weight")
    by_row = plot(b"name,weight\na,1\nb,2\n", "p.csv", template="bar_horizontal")
    assert (by_row.y_classes, by_row.values, by_row.x_label) == (("0", "1"), ((1.0, 2.0),), "weight")


def test_large_plots_are_thinned(monkeypatch: pytest.MonkeyPatch) -> None:
    """First and last point stay; what was left out is said."""
    data = b"y\n" + b"".join(b"%d\n" % n for n in range(1000))
    points = plot(data, "p.csv").series[0].points
    assert (len(points), points[0], points[-1]) == (MAX_POINTS, (0.0, 0.0), (999.0, 999.0))
    assert max(right[0] - left[0] for left, right in pairwise(points)) == 4
    monkeypatch.setattr(plots, "MAX_ROWS", 10)
    found = plot(data, "p.csv")
    assert (found.series[0].points[-1], found.note) == ((9.0, 9.0), "first 10 rows")


def test_many_classes_series_and_bars_are_cut() -> None:
    """The most frequent classes stay, the first bars and the first series."""
    often = [{"a": n, "p": n} for n in range(40) for _ in range(n + 1)]
    found = plot(often, x="a", y="p", template="confusion")
    assert (found.x_classes[0], len(found.x_classes), len(found.values)) == ("10", MAX_CLASSES, MAX_CLASSES)
    assert found.note == "30 most frequent of 40 classes"
    bars = plot([{"x": 1, "y": n} for n in range(40)], x="x", y="y", template="bar_horizontal")
    assert (len(bars.y_classes), len(bars.values[0]), bars.note) == (30, 30, "first 30 of 40 bars")
    wide = plot([{f"c{n}": n for n in range(20)}], y=[f"c{n}" for n in range(20)])
    assert [one.name for one in wide.series] == [f"c{n}" for n in range(8)]


@pytest.mark.parametrize(
    ("path", "data", "options"),
    [
        ("p.png", CSV, {}),
        ("p.svg", b"<svg/>", {}),
        ("p.csv", b"", {}),
        ("p.csv", b"a,b\n", {}),
        ("p.csv", b"a\nx\n", {}),
        ("p.csv", b"a\n\xff\n", {}),
        ("p.csv", b"a\n\0\n", {}),
        ("p.csv", CSV, {"x": "nowhere"}),
        ("p.csv", CSV, {"y": ["loss", "nowhere"]}),
        ("p.csv", CSV, {"y": 3}),
        ("p.csv", b'"' + b"x" * 200_000 + b'"\n1\n', {}),
        ("p.json", b"{", {}),
        ("p.json", b"[1, 2]", {}),
        ("p.json", b"[{}]", {}),
        ("p.json", b"[]", {}),
        ("p.json", b"3", {}),
        ("p.json", b"[" * 100_000, {}),
        ("p.yaml", b"a: &a [*a]", {}),
        ("p.yaml", b"!!python/object/apply:os.system [x]", {}),
    ],
)
def test_what_cannot_be_drawn(path: str, data: bytes, options: dict[str, object]) -> None:
    """Pictures, broken files and options that lead nowhere give no plot, and no error."""
    assert read_plot(data, path, options) is None


def test_large_files_are_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the limit nothing is read."""
    monkeypatch.setattr(plots, "MAX_BYTES", 10)
    assert read_plot(CSV, "p.csv", {}) is None


TEMPLATES = ["linear", "simple", "scatter", "confusion", "confusion_normalized", "bar_horizontal_sorted", "mine.json"]
VALUE = st.recursive(
    st.text(max_size=5) | st.floats() | st.integers() | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
OPTION = st.sampled_from(["a", "b", "c", ""]) | VALUE


@given(
    VALUE | st.lists(st.dictionaries(st.sampled_from("ab"), VALUE, max_size=2), max_size=4) | st.binary(max_size=60),
    st.sampled_from(["p.csv", "p.tsv", "p.json", "p.yaml"]),
    st.fixed_dictionaries(
        {}, optional={"x": OPTION, "y": OPTION, "title": OPTION, "template": st.sampled_from(TEMPLATES) | VALUE}
    ),
)
def test_any_data_and_options(data: Any, path: str, options: dict[str, Any]) -> None:
    """Nothing raises, and what comes back is small and finite."""
    import math

    found = read_plot(data if isinstance(data, bytes) else json.dumps(data).encode(), path, options)
    if found is not None:
        assert found.series or found.values
        numbers = [n for one in found.series for point in one.points for n in point]
        assert all(math.isfinite(n) for n in (*numbers, *(n for row in found.values for n in row)))
        assert all(len(row) == len(found.x_classes or found.y_classes) for row in found.values)
