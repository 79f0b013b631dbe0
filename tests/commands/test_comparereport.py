"""What the page of a comparison shows beside its rows: versions with their numbers, DVC's plots, lineages."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvc_modelver.commands.comparison import plots as reportplots
from dvc_modelver.commands.comparison import report as comparereport
from dvc_modelver.commands.comparison.compare import compare_points
from dvc_modelver.commands.comparison.plots import media_type
from dvc_modelver.commands.comparison.report import labels, read_report
from dvc_modelver.commands.project import Project, Surroundings
from dvc_modelver.commands.provenance.lineage import lineage
from dvc_modelver.core.plots import PlotData, PlotKind
from dvc_modelver.core.points import Point
from dvc_modelver.core.report import Image, Report, ReportPlot
from dvc_modelver.dvcio.plots import MAX_BYTES
from tests.support import Clock, DvcRepo, Git, Modelver, Templates

EVALUATE = """\
import json
import os
import struct
import zlib

with open("models/churn.bin") as model:
    total, depth, lr = model.read().split()
depth = int(depth)
score = {"auc": round(0.5 + depth / 20, 3), "loss": {"val": float(lr)}, "n": int(total)}
with open("metrics.json", "w") as out:
    json.dump(score, out, indent=2)
os.makedirs("eval/pics", exist_ok=True)
with open("eval/confusion.csv", "w") as out:
    out.write("actual,predicted\\n" + "yes,yes\\n" * depth + "yes,no\\n" + "no,no\\n" * 3)
for name, top in (("roc", depth / 10), ("base", 0.5)):
    points = [{"fpr": 0.0, "tpr": 0.0}, {"fpr": 0.5, "tpr": top}, {"fpr": 1.0, "tpr": 1.0}]
    with open(f"eval/{name}.json", "w") as out:
        json.dump({"curve": points}, out)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


rows = b"".join(b"\\x00" + bytes([depth * 20]) * 4 for _ in range(4))
head = struct.pack(">IIBBBBB", 4, 4, 8, 0, 0, 0, 0)
for name in ("a", "b"):
    with open(f"eval/pics/{name}.png", "wb") as out:
        out.write(b"\\x89PNG\\r\\n\\x1a\\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)))
        out.write(chunk(b"IEND", b""))
"""
PLOTS = """\
    plots:
    - eval/confusion.csv: {x: actual, y: predicted, template: confusion, title: Confusion}
    - eval/roc.json: {cache: false, x: fpr, y: tpr}
    - eval/base.json: {cache: false, x: fpr, y: tpr}
    - eval/pics
  each:
    foreach: [u, v]
    do:
      cmd: python src/each.py ${item}
      deps: [models/churn.bin]
      plots:
      - eval/${item}.csv
  other:
    cmd: cp params.yaml other.csv && cp params.yaml other.bin
    deps: [params.yaml]
    outs: [other.bin]
    plots: [other.csv]
artifacts:
  other: {path: other.bin, type: model}
"""
TOP = """\
plots:
- ROC:
    x: fpr
    y: {eval/roc.json: tpr, eval/base.json: tpr}
"""
EACH = """\
import sys

with open(f"eval/{sys.argv[1]}.csv", "w") as out:
    out.write("step,value\\n0,1\\n1,2\\n")
"""


@pytest.fixture(scope="module")
def plotted_template(templates: Templates, tmp_path_factory: pytest.TempPathFactory) -> DvcRepo:
    """Built once by DVC, for `plotted` to copy."""
    repo = templates.dvc(tmp_path_factory.mktemp("plotted"))
    text = (repo.path / "dvc.yaml").read_text().replace("artifacts:\n", PLOTS, 1) + TOP
    repo.git.write("dvc.yaml", text)
    repo.git.write("src/evaluate.py", EVALUATE)
    repo.git.write("src/each.py", EACH)
    for depth, version in ((6, "v0.1.0"), (9, "v0.2.0")):
        repo.train(depth)
        repo.git.tag(f"churn@{version}")
    repo.git.tag("churn#prod#1", rev="HEAD~1")
    repo.git.tag("churn#dev#2", rev="HEAD~1")
    return repo


@pytest.fixture
def plotted(plotted_template: DvcRepo, tmp_path: Path) -> DvcRepo:
    """churn@v0.1.0 (depth 6, in dev and prod) and v0.2.0 (depth 9, HEAD), with plots of every kind."""
    shutil.copytree(plotted_template.path.parent, tmp_path, symlinks=True, dirs_exist_ok=True)
    git = Git(
        tmp_path / plotted_template.path.name, plotted_template.git.home, Clock(plotted_template.git.clock.seconds)
    )
    git("update-index", "-q", "--refresh")
    return DvcRepo(git, tmp_path / plotted_template.store.name)


def report(git: Git, *references: str) -> Report:
    """What the page of `compare REFERENCES` would show."""
    with Project(Surroundings(directory=git.path, env=git.env)) as project:
        return read_report(project, compare_points(project, references))


def plot_of(found: Report, title: str) -> ReportPlot:
    """The plot of that title."""
    return next(plot for plot in found.plots if plot.title == title)


def committed(git: Git, files: Mapping[str, bytes | str], plots: object, more: str = "") -> Git:
    """A model in Git without any pipeline, with these files and these plots at the top of its `dvc.yaml`."""
    declared = f"artifacts: {{m: {{path: m.bin, type: model}}}}\nplots: {json.dumps(plots)}\n{more}"
    git.commit("Plots", {"m.bin": "1", "dvc.yaml": declared})
    for name, data in files.items():
        (git.path / name).parent.mkdir(parents=True, exist_ok=True)
        (git.path / name).write_bytes(data.encode() if isinstance(data, str) else data)
    git("add", "-A")
    git("commit", "-q", "--allow-empty", "-m", "Data")
    return git


# Versions -------------------------------------------------------------------------------------------------------


def test_all_versions_with_their_numbers(plotted: DvcRepo, modelver: Modelver) -> None:
    """Metrics and the params of the model's own stages, as `show` has them, also of versions that nobody compares."""
    plotted.git.tag("churn@v0.2.0!")
    found = report(plotted.git, "churn@v0.1.0", "churn@v0.1.0")
    assert [str(row.version) for row in found.versions] == ["v0.1.0", "v0.2.0"]
    assert [row.withdrawn for row in found.versions] == [False, True]
    assert [row.stages for row in found.versions] == [("dev", "prod"), ()]
    for row in found.versions:
        shown = modelver("show", f"churn@{row.version}", "--json", cwd=plotted.git).json
        expected = {key.replace("\\.", "."): value for key, value in shown["metrics"]["metrics.json"].items()}
        assert row.metrics == expected
        assert row.params == shown["params"]["params.yaml"]
        assert (row.commit, f"{row.at:%Y-%m-%dT%H:%M:%SZ}") == (shown["commit"], shown["created_at"])
    assert found.better == {"auc": "up", "loss.val": "down"}
    assert found.notes == ()


def test_params_of_other_models_and_secrets_are_left_out(dvc_repo: DvcRepo) -> None:
    """A param that no stage of the model reads made nothing; one that is a secret is hidden."""
    params = "prepare: {keep: 30}\ntrain: {lr: 1e-05, depth: 6, api_key: 'abc', url: 'https://me:pw@host/x'}\nfoo: 1\n"
    lock = (dvc_repo.path / "dvc.lock").read_text()
    more = "        train:\n          api_key: abc\n          depth: 6\n          lr: 1e-05\n          url: x\n"
    dvc_repo.git.commit("Params", {"params.yaml": params, "dvc.lock": _with_train(lock, more)})
    dvc_repo.git.tag("churn@v0.1.0")
    for _ in range(2):  # the second time from memory
        (row,) = report(dvc_repo.git, "churn@v0.1.0", ".").versions
        assert dict(row.params) == {
            "prepare.keep": 30,
            "train.lr": 1e-05,
            "train.depth": 6,
            "train.api_key": "***",
            "train.url": "https://***@host/x",
        }


def _with_train(lock: str, values: str) -> str:
    """`dvc.lock` in which the params of `train` are those."""
    head, train, rest = lock.partition("  train:\n")
    params, outs, end = rest.partition("    outs:\n")
    return head + train + params.partition("      params.yaml:\n")[0] + "      params.yaml:\n" + values + outs + end


def test_a_damaged_memory_is_read_anew(plotted: DvcRepo) -> None:
    """What is remembered may be deleted or damaged at any time."""
    before = report(plotted.git, "churn@v0.1.0", "churn@v0.2.0")
    files = list(plotted.path.glob(".git/modelver/cache/report-*/*.json"))
    assert files
    rows = [3, {}, {"metrics": {"m": 1}, "params": {}}, {"metrics": {}, "params": [], "more": 1}]
    for text in ("{", "[]", '{"x": 1}', *(json.dumps({plotted.git.rev(): row}) for row in rows)):
        for file in files:
            file.write_text(text)
        assert report(plotted.git, "churn@v0.1.0", "churn@v0.2.0") == before


def test_numbers_are_remembered(plotted: DvcRepo) -> None:
    """A second look reads no commit again; what no version names any more is forgotten."""
    before = report(plotted.git, "churn@v0.1.0", "churn@v0.2.0").versions
    (file,) = plotted.path.glob(".git/modelver/cache/report-*/*.json")
    file.write_text(file.read_text().replace('"auc":0.8', '"auc":0.123'))
    assert report(plotted.git, "churn@v0.1.0", ".").versions[0].metrics == {**before[0].metrics, "auc": 0.123}
    plotted.git("tag", "-d", "churn@v0.1.0")
    assert [str(row.version) for row in report(plotted.git, "churn@v0.2.0", ".").versions] == ["v0.2.0"]
    assert list(json.loads(file.read_text())) == [plotted.git.rev()]


def test_numbers_that_are_not_at_hand_are_noted(dvc_repo: DvcRepo) -> None:
    """A history with a gap says so, and is read again when the file is there."""
    text = (dvc_repo.path / "dvc.yaml").read_text()
    dvc_repo.git.commit("More metrics", {"dvc.yaml": f"{text}metrics:\n- more.json\n"})
    for minor in range(8):
        dvc_repo.git.tag(f"churn@v0.{minor}.0")
    for _ in range(2):
        found = report(dvc_repo.git, "churn@v0.0.0", "HEAD")
        assert found.versions[0].metrics["auc"] == 0.8
        assert found.notes[:1] == ("churn@v0.0.0: more.json is not in this commit",)
        assert "3 more versions lack some of their numbers" in found.notes


def test_a_version_that_cannot_be_read_is_noted(dvc_repo: DvcRepo) -> None:
    """One broken commit costs its own numbers alone."""
    dvc_repo.git.tag("churn@v0.1.0")
    good = dvc_repo.git.rev()
    dvc_repo.git.commit("Broken", {"dvc.yaml": "stages: ["})
    dvc_repo.git.tag("churn@v0.2.0")
    found = report(dvc_repo.git, "churn@v0.1.0", good)
    assert [bool(row.metrics) for row in found.versions] == [True, False]
    assert any(note.startswith("churn@v0.2.0: ") for note in found.notes)


def test_a_model_without_versions(dvc_repo: DvcRepo) -> None:
    """Two commits can be compared before anything was released."""
    found = report(dvc_repo.git, "HEAD", ".")
    assert (found.versions, found.lineages) == ((), (None, None))
    assert found.better["auc"] == "up"


def test_very_many_versions(dvc_repo: DvcRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest are shown, and it says so."""
    monkeypatch.setattr(comparereport, "MAX_VERSIONS", 2)
    for minor in range(4):
        dvc_repo.git.tag(f"churn@v0.{minor}.0")
    found = report(dvc_repo.git, "churn@v0.0.0", ".")
    assert [str(row.version) for row in found.versions] == ["v0.2.0", "v0.3.0"]
    assert "the newest 2 of 4 versions are shown" in found.notes


_part = st.sampled_from(["a", "b", "a.b", "a\\.b", "", "a:b", "x.json"])


@given(st.lists(st.tuples(st.sampled_from(["x.json", "y.json", "a"]), _part), unique=True))
def test_labels_tell_keys_apart(pairs: list[tuple[str, str]]) -> None:
    """Each metric has a label of its own, and the file stands in it only where it has to."""
    found = labels(pairs)
    assert list(found) == pairs
    for (file, key), name in found.items():
        others = [pair for pair in pairs if pair[1].replace("\\.", ".") == key.replace("\\.", ".")]
        if key and len(others) == 1:
            assert name == key.replace("\\.", ".")
        else:
            assert file in name


# Plots ----------------------------------------------------------------------------------------------------------


def test_the_plots_are_those_of_dvc(plotted: DvcRepo) -> None:
    """Every plot of the model's own stages at each version, its points and counts as `dvc plots diff` has them."""
    found = report(plotted.git, "churn@v0.1.0", "churn@v0.2.0")
    titles = ["ROC", "Confusion", "eval/roc.json", "eval/base.json", "eval/pics: a.png", "eval/pics: b.png"]
    assert [plot.title for plot in found.plots] == [*titles, "eval/u.csv", "eval/v.csv"]
    assert found.notes == ()
    answer = json.loads(plotted.dvc(["plots", "diff", "churn@v0.1.0", "churn@v0.2.0", "--json"]))
    names = {"ROC", "eval/confusion.csv", "eval/roc.json", "eval/base.json", "eval/u.csv", "eval/v.csv"}
    data = {name.removeprefix("dvc.yaml::"): rows for name, rows in answer["data"].items()}
    assert names <= set(data)
    for at, rev in enumerate(("churn@v0.1.0", "churn@v0.2.0")):
        roc = plot_of(found, "ROC").sides[at]
        assert isinstance(roc, PlotData)
        assert [one.name for one in roc.series] == ["roc.json: tpr", "base.json: tpr"]
        for one in roc.series:
            theirs = [row for row in values(data["ROC"], rev) if f"{row['filename']}: tpr" == one.name]
            assert list(one.points) == [(row["fpr"], row["tpr"]) for row in theirs]
        matrix = plot_of(found, "Confusion").sides[at]
        assert isinstance(matrix, PlotData)
        assert matrix.kind is PlotKind.CONFUSION
        counted = {
            (x, y): matrix.values[down][across]
            for down, y in enumerate(matrix.y_classes)
            for across, x in enumerate(matrix.x_classes)
        }
        rows = values(data["eval/confusion.csv"], rev)
        for pair, count in counted.items():
            assert count == sum((row["actual"], row["predicted"]) == pair for row in rows)


def values(renderings: list[dict[str, Any]], rev: str) -> list[dict[str, Any]]:
    """The rows that DVC draws of one revision."""
    (one,) = renderings
    return [row for row in one["content"]["data"]["values"] if row["rev"] == rev]


def test_pictures_are_the_bytes_of_each_version(plotted: DvcRepo) -> None:
    """A picture from DVC's cache, as the version's own listing names it; it differs between the versions."""
    plot = plot_of(report(plotted.git, "churn@v0.1.0", "churn@v0.2.0", "."), "eval/pics: a.png")
    assert plot.path == "eval/pics/a.png"
    first, second, third = plot.sides
    assert isinstance(first, Image)
    assert isinstance(second, Image)
    assert first.media_type == "image/png"
    assert second == third
    assert second.data == (plotted.path / "eval/pics/a.png").read_bytes() != first.data


def test_what_is_not_at_hand_is_noted_and_not_fetched(plotted: DvcRepo) -> None:
    """Without the cache there are the plots in Git, and for the work tree those on disk."""
    shutil.rmtree(plotted.cache)
    found = report(plotted.git, "churn@v0.1.0", ".")
    there = {plot.title: [side is not None for side in plot.sides] for plot in found.plots}
    assert there == {
        "ROC": [True, True],
        "Confusion": [False, True],
        "eval/roc.json": [True, True],
        "eval/base.json": [True, True],
        "eval/u.csv": [False, True],
        "eval/v.csv": [False, True],
    }
    assert any("eval/confusion.csv" in note and "dvc pull" in note for note in found.notes)
    assert any("eval/pics" in note and "dvc pull" in note for note in found.notes)
    assert not plotted.cache.exists()


def test_plots_that_come_and_go(plotted: DvcRepo) -> None:
    """A plot that one point does not have is None there; what the first point lacks comes last."""
    text = (plotted.path / "dvc.yaml").read_text()
    roc = "    - eval/roc.json: {cache: false, x: fpr, y: tpr}\n"
    plotted.git.commit("Other plots", {"dvc.yaml": text.replace(roc, "") + "- new.csv\n", "new.csv": "a\n1\n2\n"})
    found = report(plotted.git, "churn@v0.1.0", "HEAD")
    assert [side is None for side in plot_of(found, "eval/roc.json").sides] == [False, True]
    assert [side is None for side in plot_of(found, "new.csv").sides] == [True, False]
    assert found.plots[-1].title == "new.csv"


def test_the_work_tree_has_its_own_plots(plotted: DvcRepo) -> None:
    """What was edited and not committed is what `.` shows."""
    rows = {"curve": [{"fpr": 0.0, "tpr": 0.25}, {"fpr": 1.0, "tpr": 0.75}]}
    plotted.git.write("eval/roc.json", json.dumps(rows))
    side = plot_of(report(plotted.git, "churn@v0.2.0", "."), "eval/roc.json").sides[1]
    assert isinstance(side, PlotData)
    assert side.series[0].points == ((0.0, 0.25), (1.0, 0.75))


# Hostile and odd plots ------------------------------------------------------------------------------------------

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 100
SVG = "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
HOSTILE: dict[str, bytes | str] = {
    "bad.csv": 'a,b\n"1,2\n\x00',
    "words.csv": "a,b\nx,y\n",
    "empty.csv": "",
    "latin.csv": b"a,b\n\xff\xfe,1\n",
    "binary.csv": bytes(range(256)) * 50,
    "deep.json": "[" * 100_000,
    "bomb.yaml": "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
    "svg.png": SVG,
    "true.svg": SVG,
    "page.gif": "<html>GIF89a</html>",
}


def test_hostile_plots_are_not_shown(git: Git) -> None:
    """Broken tables, binaries, SVG under any name and what is too large: none is drawn, each is named."""
    large = {"large.png": PNG + b"\0" * reportplots.MAX_IMAGE, "huge.csv": "a\n" + "1\n" * (MAX_BYTES // 2)}
    files = {**HOSTILE, **large, "good.csv": "a,b\n1,2\n3,4\n"}
    committed(git, files, [*files])
    found = report(git, "HEAD", ".")
    assert [plot.title for plot in found.plots] == ["good.csv"]
    assert all(isinstance(side, PlotData) for side in found.plots[0].sides)
    said = "\n".join(found.notes)
    assert "and 5 more: nothing can be drawn of it" in said
    assert "plot large.png: a picture of more than 2 MiB is not shown" in said
    assert "plot huge.csv: a file of more than 16 MiB is not shown" in said


def test_anything_may_stand_in_the_options(git: Git) -> None:
    """Keys and values of any kind fail nothing; a plot whose columns are named is drawn."""
    odd = "{1: 2, y: b, x: [], title: [1], template: {a: 1}, header: 3, ~: ~}"
    files = dict.fromkeys(("p.csv", "q.csv"), "a,b\n1,2\n3,4\n")
    committed(git, files, [])
    text = f"artifacts: {{m: {{path: m.bin, type: model}}}}\nplots:\n- p.csv: {odd}\n- q.csv: {{y: [1, {{}}]}}\n- 3\n"
    git.commit("Odd", {"dvc.yaml": text})
    assert [plot.title for plot in report(git, "HEAD", ".").plots] == ["p.csv"]


def test_paths_that_lead_out_are_not_read(git: Git, tmp_path: Path) -> None:
    """Neither `..`, absolute paths, URLs nor symbolic links show a file outside of the repository."""
    (tmp_path / "secret.csv").write_text("a\n1\n2\n")
    git.path.joinpath("link.csv").symlink_to(tmp_path / "secret.csv")
    git.path.joinpath("folder").symlink_to(tmp_path)
    out = ["../secret.csv", str(tmp_path / "secret.csv"), "s3://b/x.csv", "link.csv", "folder/secret.csv", "folder"]
    committed(git, {}, out)
    assert report(git, "HEAD", ".").plots == ()


def test_a_pipe_in_the_place_of_a_plot(git: Git) -> None:
    """Nobody waits for a named pipe that stands where a file was."""
    committed(git, {"p.csv": "a\n1\n2\n"}, ["p.csv"])
    (git.path / "p.csv").unlink()
    os.mkfifo(git.path / "p.csv")
    (plot,) = report(git, "HEAD", ".").plots
    assert [side is None for side in plot.sides] == [False, True]


def test_secrets_in_the_words_of_a_plot_are_hidden(git: Git) -> None:
    """Titles and columns go into a file that is passed around."""
    token = "ghp_" + "a1B2" * 10
    committed(git, {"p.csv": f"{token}\n1\n2\n"}, [{"p.csv": {"title": f"by {token}", "x_label": token}}])
    found = report(git, "HEAD", ".")
    assert token not in repr(found.plots)
    assert "by ***" in repr(found.plots)


@pytest.mark.parametrize(
    ("limit", "shown", "said"),
    [("MAX_PLOTS", 3, "3 of 5 plots are shown"), ("MAX_IN_DIRECTORY", 3, "the first 3 of 5 plots in d are shown")],
)
def test_very_many_plots(git: Git, monkeypatch: pytest.MonkeyPatch, limit: str, shown: int, said: str) -> None:
    """Of too many plots the first are shown, and it says so once."""
    monkeypatch.setattr(reportplots, limit, 3)
    committed(git, {f"d/{n}.csv": "a\n1\n2\n" for n in range(5)}, ["d"])
    found = report(git, "HEAD", ".")
    assert [plot.title for plot in found.plots] == [f"d: {n}.csv" for n in range(shown)]
    assert found.notes.count(said) == 1


def test_pictures_and_tables_have_a_limit_together(git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    """What would make the page too large is left out, the same bytes of a table count once."""
    monkeypatch.setattr(reportplots, "MAX_IMAGES", 3 * len(PNG))
    monkeypatch.setattr(reportplots, "MAX_DATA", 20)
    tables = {"t.csv": "a\n1\n2\n", "u.csv": "a\n" + "3\n" * 20}
    committed(git, {"a.png": PNG, "b.png": PNG, **tables}, ["a.png", "b.png", *tables])
    found = report(git, "HEAD", ".")
    sides = {plot.title: [side is not None for side in plot.sides] for plot in found.plots}
    assert sides == {"a.png": [True, True], "b.png": [True, False], "t.csv": [True, True]}
    assert any("b.png: the pictures together" in note for note in found.notes)
    assert any("u.csv: the tables of all plots" in note for note in found.notes)


def test_several_columns_and_columns_of_another_file(git: Git) -> None:
    """Several columns are several curves; files that cannot share a plot stand apart; x of another file is no x."""
    files = {"a.csv": "x,y,z\n0,1,2\n1,2,3\n", "b.csv": "x,y,z\n0,5,6\n1,6,7\n"}
    plots = [
        {"two": {"x": "x", "y": {"a.csv": ["y", "z"]}}},
        {"apart": {"x": "x", "y": {"a.csv": "y", "b.csv": "y"}, "template": "confusion"}},
        {"mixed": {"x": {"a.csv": "x"}, "y": {"a.csv": "y", "b.csv": "y"}}},
    ]
    found = report(committed(git, files, plots), "HEAD", ".")
    assert [plot.title for plot in found.plots] == ["two", "apart: a.csv", "apart: b.csv", "mixed"]
    curves = {plot.title: [s.name for s in plot.sides[0].series] for plot in found.plots if _is_data(plot)}
    assert (curves["two"], curves["mixed"]) == (["y", "z"], ["y"])


def _is_data(plot: ReportPlot) -> Any:
    return isinstance(plot.sides[0], PlotData)


@given(st.binary(max_size=20))
def test_few_bytes_are_no_picture(data: bytes) -> None:
    """Only what begins as a picture does is taken for one."""
    known = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF")
    assert media_type(data) is None or data.startswith(known)
    assert media_type(b"\x89PNG\r\n\x1a\n" + data) == "image/png"
    assert media_type(b"RIFF\0\0\0\0WEBP" + data) == "image/webp"
    assert media_type(b"GIF89a" + data) == "image/gif"


# Lineages -------------------------------------------------------------------------------------------------------


def test_lineages_of_versions(plotted: DvcRepo) -> None:
    """Each version has the graph that `lineage` gives, other points have none."""
    found = report(plotted.git, "churn@v0.1.0", "HEAD", "churn#prod", "churn@v0.2.0")
    with Project(Surroundings(directory=plotted.path, env=plotted.git.env)) as project:
        expected = [lineage(project, project.resolve(text)) for text in ("churn@v0.1.0", "churn@v0.2.0")]
    assert found.lineages == (expected[0], None, expected[0], expected[1])


def test_at_most_six_lineages(dvc_repo: DvcRepo) -> None:
    """Of more versions the first have one, plots likewise, and the notes say it."""
    names = [f"churn@v0.{minor}.0" for minor in range(8)]
    for name in names:
        dvc_repo.git.tag(name)
    found = report(dvc_repo.git, *names)
    assert [graph is not None for graph in found.lineages] == [True] * 6 + [False] * 2
    assert "the lineages of 2 more versions are left out" in found.notes
    assert "plots are shown of the first 6 points" in found.notes


def test_a_lineage_that_cannot_be_read_is_a_note(plotted: DvcRepo) -> None:
    """The page is made without it, and without that point's plots."""
    with Project(Surroundings(directory=plotted.path, env=plotted.git.env)) as project:
        compared = compare_points(project, ["churn@v0.1.0", "churn@v0.2.0"])
    plotted.git.commit("Broken", {"dvc.lock": "stages: ["})
    plotted.git.tag("churn@v0.3.0")
    with Project(Surroundings(directory=plotted.path, env=plotted.git.env)) as project:
        version = project.model_of("churn").versions[-1]
        broken = Point(ref="churn@v0.3.0", name="churn", version=version, commit=plotted.git.rev())
        found = read_report(project, replace(compared, points=(compared.points[0], broken)))
    assert [graph is not None for graph in found.lineages] == [True, False]
    assert any(note.startswith("the lineage of churn@v0.3.0 cannot be read: ") for note in found.notes)
    assert any(note.startswith("churn@v0.3.0: its plots cannot be read: ") for note in found.notes)


def test_the_same_every_time(plotted: DvcRepo) -> None:
    """Two readings are equal, the second from what was remembered."""
    assert report(plotted.git, "churn@v0.1.0", "churn@v0.2.0") == report(plotted.git, "churn@v0.1.0", "churn@v0.2.0")
