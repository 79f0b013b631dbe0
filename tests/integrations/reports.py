"""Reports of comparisons made by hand: a usual one, a large one, and one full of a text."""

from __future__ import annotations

import hashlib
import math
import struct
import zlib
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

from dvc_modelver.core.bumps import Suggestion
from dvc_modelver.core.comparison import Change, Comparison, DataRow, FactRow, Lines, MetricRow, ParamRow, SourceRow
from dvc_modelver.core.facts import Scalar
from dvc_modelver.core.plots import PlotData, PlotKind, Series
from dvc_modelver.core.points import Bytes, Point
from dvc_modelver.core.report import Image, Report, ReportPlot, ReportVersion
from dvc_modelver.core.significance import Interval, Judged, PairedTest, PredictionsRow
from dvc_modelver.core.tables import ColumnProfile, TableProfile, table_changes
from dvc_modelver.core.versions import Bump, Version
from tests.integrations.graphs import DIAMOND, IMPORTED, full_of

START = datetime(2025, 3, 1, 9, 30, tzinfo=timezone.utc)


def version(number: int, **more: object) -> ReportVersion:
    """The `number`th version of the usual model, from 0."""
    known: dict[str, object] = {
        "version": Version(0, number + 1, 0),
        "at": START + timedelta(days=9 * number),
        "commit": hashlib.sha1(str(number).encode()).hexdigest(),
        "metrics": {
            "auc": 0.78 + 0.004 * number + 0.006 * math.sin(number),
            "accuracy": 0.7 + 0.003 * number,
            "log_loss": 0.6 - 0.01 * number + 0.02 * math.cos(number),
            "train.seconds": 40 + number % 5,
        },
        "params": {
            "train.depth": 3 + number % 4,
            "train.lr": (0.1, 0.01, 0.001, 1e-05)[number % 4],
            "train.kind": ("forest", "boosting", "linear")[number % 3],
            "train.balanced": number % 2 == 0,
            "split.seed": 42,
        },
    }
    return ReportVersion(**(known | more))  # type: ignore[arg-type]


def point(name: str, at: ReportVersion | None = None) -> Point:
    """A version of the usual model as it is compared; without one, the work tree."""
    if at is None:
        return Point(ref=name, name="churn")
    return Point(ref=name, name="churn", version=at.version, commit=at.commit)


def metric(
    key: str, *values: Scalar, better: str | None = "up", file: str = "metrics.json", **more: object
) -> MetricRow:
    """A row with its deltas, as `core.comparison` makes it."""
    from dvc_modelver.core.comparison import delta
    from dvc_modelver.core.metrics import same

    changed = any(not same(value, values[0]) for value in values)
    deltas = (None, *(delta(values[0], value) for value in values[1:]))
    known = {"file": file, "key": key, "values": values, "deltas": deltas, "better": better, "changed": changed}
    return MetricRow(**(known | more))  # type: ignore[arg-type]


def interval(low: float, high: float) -> Interval:
    return Interval(low=low, high=high, level=0.95, method="paired bootstrap, 2,000 resamples of 500 samples")


def suggestion() -> Suggestion:
    reasons = ("data data/raw.csv changed", "params train.depth, train.lr changed", "code src/train.py changed")
    return Suggestion(level=Bump.MINOR, reasons=reasons)


VERSIONS = tuple(
    version(number, withdrawn=number == 7, stages=("prod",) if number == 9 else ()) for number in range(14)
)
OLD, NEW = VERSIONS[9], VERSIONS[13]
METRICS = (
    metric("auc", 0.8184, 0.8372, intervals=(None, interval(0.006, 0.031))),
    metric("accuracy", 0.727, 0.739, intervals=(None, interval(-0.002, 0.027))),
    metric("log_loss", 0.5282, 0.4882, better="down"),
    metric("recall.macro", 0.644, 0.612),
    metric("precision", 0.71, 0.71),
    metric("train.seconds", 44, 43, better=None),
    metric("f1", 0.66, math.nan),
    metric("ece", None, 0.031, better="down"),
)
PARAMS = (
    ParamRow(file="params.yaml", key="train.depth", values=(4, 4), changed=False),
    ParamRow(file="params.yaml", key="train.lr", values=(0.01, 1e-05), changed=True),
    ParamRow(file="params.yaml", key="train.kind", values=("boosting", "forest"), changed=True),
    ParamRow(file="params.yaml", key="split.seed", values=(42, 42), changed=False),
    ParamRow(file="params.yaml", key="train.columns", values=("a, b, c", None), changed=True),
)


def _inside(old: TableProfile, new: TableProfile) -> dict[str, Any]:
    """A data row's tables, and what changed in them."""
    return {"tables": (old, new), "changes": ((), table_changes(old, new))}


def _table(rows: int, mean: float, *names: str) -> TableProfile:
    columns = (ColumnProfile(name=name, type="number", nulls=0, mean=mean, std=1.5) for name in names)
    return TableProfile(rows=rows, columns=tuple(columns))


DATA = (
    DataRow(path="data/raw.csv", change=Change.CHANGED,
            values=(Bytes(digest=f"md5:{'a1' * 16}", size=104_200), Bytes(digest=f"md5:{'b2' * 16}", size=131_000)),
            **_inside(_table(1500, 3.1, "age", "plan"), _table(2000, 3.4, "age", "plan", "region"))),
    DataRow(path="data/images", change=Change.UNCHANGED,
            values=(Bytes(digest=f"md5:{'c3' * 16}.dir", size=9_400_000, files=1200),) * 2),
    DataRow(path="data/extra.parquet", change=Change.ADDED, values=(None, Bytes(digest=f"md5:{'d4' * 16}", size=88))),
)  # fmt: skip
CODE = (
    SourceRow(path="src/train.py", values=(f"md5:{'e5' * 16}", f"md5:{'f6' * 16}"), change=Change.CHANGED,
              lines=(None, Lines(added=42, removed=7))),
    SourceRow(path="src/prepare.py", values=(f"md5:{'17' * 16}",) * 2, change=Change.UNCHANGED),
)  # fmt: skip
PIPELINE = (
    SourceRow(path="prepare", values=("python src/prepare.py data/raw.csv",) * 2, change=Change.UNCHANGED),
    SourceRow(path="train", values=("python src/train.py", "python src/train.py --fast"), change=Change.CHANGED),
)
ENVIRONMENT = (
    FactRow(key="python.version", values=("3.11.9", "3.12.4"), changed=True),
    FactRow(key="packages.scikit-learn", values=("1.4.2", "1.5.0"), changed=True),
    FactRow(key="packages.pandas", values=("2.2.2", "2.2.2"), changed=False),
    FactRow(key="os.system", values=("Linux", "Linux"), changed=False),
)
ARTIFACT = (
    FactRow(key="path", values=("models/churn.pkl", "models/churn.pkl"), changed=False),
    FactRow(key="digest", values=(f"md5:{'28' * 16}", f"md5:{'39' * 16}"), changed=True),
    FactRow(key="size", values=(1_204_113, 1_398_220), changed=True),
    FactRow(key="signature.inputs.age", values=("1: float64", "1: float64"), changed=False),
)
COUNTED = "12 samples only the first had right, 29 only the second"
TESTS = PredictionsRow(
    path="predictions.csv",
    values=(
        None,
        Judged(samples=500, paired=True, tests=(
            PairedTest(name="McNemar, exact", p_value=0.0133, detail=COUNTED),)),
    ),
)  # fmt: skip
COMPARISON = Comparison(
    points=(point("churn#prod", OLD), point("churn@latest", NEW)),
    metrics=METRICS,
    params=PARAMS,
    data=DATA,
    code=CODE,
    pipeline=PIPELINE,
    environment=ENVIRONMENT,
    artifact=ARTIFACT,
    bump=suggestion(),
    other_files=(None, 3),
    predictions=(TESTS,),
    notes=("The listing of data/images is not at hand.",),
)


def curve(power: float, title: str = "ROC") -> PlotData:
    points = tuple((x / 40, (x / 40) ** power) for x in range(41))
    return PlotData(
        kind=PlotKind.LINE, title=title, x_label="fpr", y_label="tpr", series=(Series(name="test", points=points),)
    )


def matrix(*rows: tuple[float, ...]) -> PlotData:
    return PlotData(kind=PlotKind.CONFUSION, title="Confusion", x_label="predicted", y_label="actual",
                    x_classes=("stays", "leaves"), y_classes=("stays", "leaves"), values=rows)  # fmt: skip


def png(width: int, height: int, colour: tuple[int, int, int]) -> bytes:
    """A picture of one colour with a lighter diagonal."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    def line(y: int) -> bytes:
        pixels = (bytes(min(255, c + 90) for c in colour) if abs(x - y) < 6 else bytes(colour) for x in range(width))
        return b"\0" + b"".join(pixels)

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(b"".join(map(line, range(height))))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def picture(*colour: int) -> Image:
    return Image(media_type="image/png", data=png(320, 200, (colour[0], colour[1], colour[2])))


PLOTS = (
    ReportPlot(title="ROC", path="plots/roc.json", sides=(curve(0.4), curve(0.3))),
    ReportPlot(
        title="Confusion", path="plots/confusion.csv", sides=(matrix((90, 10), (14, 36)), matrix((94, 6), (16, 34)))
    ),
    ReportPlot(title="Importance", path="plots/importance.png", sides=(picture(20, 60, 120), picture(120, 60, 20))),
    ReportPlot(title="Residuals", path="plots/residuals.json", sides=(None, curve(1.0, "Residuals"))),
)
USUAL = Report(
    comparison=COMPARISON,
    better={"auc": "up", "accuracy": "up", "log_loss": "down"},
    versions=VERSIONS,
    plots=PLOTS,
    lineages=(DIAMOND, IMPORTED),
    notes=("2 plots are not at hand.",),
)


def several(count: int = 4) -> Report:
    """So many points, the last of them the work tree; without plots and lineages."""
    chosen = VERSIONS[: count - 1]
    names = list(chosen[0].metrics)
    return Report(
        comparison=Comparison(
            points=(*(point(f"churn@{one.version}", one) for one in chosen), point(".")),
            metrics=tuple(
                metric(name, *(one.metrics[name] for one in chosen), chosen[0].metrics[name],
                       better={"log_loss": "down", "train.seconds": None}.get(name, "up"))
                for name in names
            ),
            params=tuple(
                ParamRow(file="params.yaml", key=key, values=(*(one.params[key] for one in chosen), 7),
                         changed=key != "split.seed")
                for key in chosen[0].params
            ),
            data=(), code=(), pipeline=(), environment=(), artifact=(), bump=suggestion(),
        ),
        versions=VERSIONS,
    )  # fmt: skip


def large(versions: int = 1000, metrics: int = 20, params: int = 20) -> Report:
    """Two points, very many versions: what a page must bear."""
    known = tuple(
        ReportVersion(
            version=Version(n // 100, n // 10 % 10, n % 10),
            at=START + timedelta(hours=7 * n),
            commit=f"{n:040x}",
            withdrawn=n % 41 == 7,
            metrics={f"metric_{m}": math.sin(n * (m + 1) / 97) + n / 500 for m in range(metrics)},
            params={f"group.param_{p}": (n * (p + 3)) % 17 if p % 3 else f"kind-{n % (p + 2)}" for p in range(params)},
        )
        for n in range(versions)
    )
    old, new = known[-2], known[-1]
    rows = tuple(metric(name, old.metrics[name], new.metrics[name]) for name in old.metrics)
    settings = tuple(
        ParamRow(file="params.yaml", key=name, values=(old.params[name], new.params[name]),
                 changed=old.params[name] != new.params[name])
        for name in old.params
    )  # fmt: skip
    same = tuple(FactRow(key=f"packages.p{n}", values=("1.0", "1.0"), changed=False) for n in range(200))
    points = (point("churn@previous", old), point("churn@latest", new))
    return Report(
        comparison=replace(COMPARISON, points=points, metrics=rows, params=settings, environment=same),
        versions=known,
    )


def report_full_of(text: str) -> Report:
    """The usual report with `text` wherever a repository may write one."""
    one, two = (replace(p, ref=text, name=text) for p in COMPARISON.points)
    facts = tuple(FactRow(key=text, values=(text, text), changed=True) for _ in range(2))
    sources = (SourceRow(path=text, values=(text, text), change=Change.CHANGED),)
    table = TableProfile(rows=3, columns=(ColumnProfile(name=text, type="text", nulls=0, minimum=text),))
    other = TableProfile(rows=4, columns=(ColumnProfile(name=f"{text}2", type="text", nulls=0),))
    judged = Judged(samples=2, paired=False, tests=(PairedTest(name=text, p_value=0.5, detail=text),), note=text)
    plot = PlotData(
        kind=PlotKind.LINE, title=text, x_label=text, y_label=text, series=(Series(name=text, points=((0, 0), (1, 1))),)
    )
    bars = PlotData(
        kind=PlotKind.BAR, title=text, x_label=text, y_label=text, y_classes=(text,), values=((1.0,),), note=text
    )
    label = text or "empty"
    versions = tuple(
        replace(one, stages=(text,), metrics={label: n, "auc": n / 3}, params={label: f"{text}{n}", "depth": n})
        for n, one in enumerate(VERSIONS)
    )
    return Report(
        comparison=Comparison(
            points=(one, replace(two, name=text)),
            metrics=(metric(text, 0.1, 0.2, file=text, intervals=(None, replace(interval(0.01, 0.2), method=text))),
                     metric(text, text, f"{text}!", file=f"{text}2")),
            params=(ParamRow(file=text, key=text, values=(text, f"{text}2"), changed=True),),
            data=(DataRow(path=text, values=(Bytes(digest=text, size=1), Bytes(digest=f"{text}2", size=2)),
                          change=Change.CHANGED, **_inside(table, other)),),
            code=sources, pipeline=sources, environment=facts, artifact=facts,
            bump=Suggestion(level=None, reasons=(text,)),
            predictions=(PredictionsRow(path=text, values=(None, judged)),), notes=(text,),
        ),
        better={label: "up"},
        versions=versions,
        plots=tuple(
            ReportPlot(title=text, path=text, sides=sides)
            for sides in ((plot, plot), (bars, None), (picture(1, 2, 3), Image(media_type=text, data=b"x")))
        ),
        lineages=(full_of(text), None),
        notes=(text,),
    )  # fmt: skip
