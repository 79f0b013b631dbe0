"""Plots are found as `dvc.yaml` declares them, at the top or in stages, by name or by path."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvc_modelver.dvcio.locate import Commit
from dvc_modelver.dvcio.plotted import DeclaredPlot, Plotted, all_plots, find_plot
from dvc_modelver.dvcio.project import declared_one
from dvc_modelver.errors import BadInput
from tests.dvcio.trees import MemoryTree

DVC_YAML = """\
stages:
  evaluate:
    cmd: x
    plots: [plots/loss.json: {x: step, y: loss}, plots/bare.csv]
  moved: {cmd: x, wdir: eval, plots: [roc.csv: {x: fpr}]}
  each: {foreach: [a, b], do: {cmd: x, plots: ["${item}.csv"]}}
  named: {cmd: x, plots: ["${where}/t.csv", gone.csv: ]}
plots:
- plots/top.csv: {x: a, y: b, title: Top}
- ROC: {x: fpr, y: {eval/roc.csv: tpr, eval/other.csv: tpr}}
- plots/plain.csv
- plots/loss.json: {y: top}
artifacts: {m: {path: m}}
"""


def dumped(value: object) -> str:
    """YAML of PyYAML's own."""
    import yaml

    return str(yaml.safe_dump(value))


def find(wanted: str, text: str = DVC_YAML, more: Mapping[str, str] | None = None, name: str = "m") -> Plotted | None:
    """The plot in a tree whose `dvc.yaml` is `text`."""
    where = name.rpartition(":")[0]
    tree = MemoryTree({f"{where}/dvc.yaml" if where else "dvc.yaml": text, **(more or {})})
    artifact = declared_one(tree, name)
    assert artifact is not None
    return find_plot(Commit(tree), artifact, wanted)


@pytest.mark.parametrize(
    ("wanted", "path", "options"),
    [
        ("plots/top.csv", "plots/top.csv", {"x": "a", "y": "b", "title": "Top"}),
        ("ROC", "eval/roc.csv", {"x": "fpr", "y": {"eval/roc.csv": "tpr", "eval/other.csv": "tpr"}}),
        ("eval/roc.csv", "eval/roc.csv", {"x": "fpr", "y": {"eval/roc.csv": "tpr", "eval/other.csv": "tpr"}}),
        ("plots/plain.csv", "plots/plain.csv", {}),
        ("plots/loss.json", "plots/loss.json", {"y": "top"}),
        ("plots/bare.csv", "plots/bare.csv", {}),
        ("roc.csv", "eval/roc.csv", {"x": "fpr"}),
        ("gone.csv", "gone.csv", {}),
    ],
)
def test_declared_plots(wanted: str, path: str, options: dict[str, object]) -> None:
    """By name and by the path of the data, with options; the top of the file goes before the stages."""
    assert find(wanted) == Plotted(label=wanted, path=path, options=options)


@pytest.mark.parametrize(
    "plots",
    [
        "{ROC: {x: fpr, y: {r.csv: tpr}}}",
        "[{ROC: {x: fpr, y: {r.csv: tpr}}}]",
        "[other, {ROC: {x: fpr, y: {r.csv: tpr}}, more: }]",
    ],
)
def test_a_mapping_or_a_list_of_plots(plots: str) -> None:
    """DVC takes both."""
    found = find("ROC", f"plots: {plots}\nartifacts: {{m: {{path: m}}}}\n")
    assert found is not None
    assert (found.path, found.options["x"]) == ("r.csv", "fpr")


def test_data_that_no_plot_declares() -> None:
    """A file of Git, of a stage or of a `.dvc` file can be asked for by its path; what is nowhere is no plot."""
    dvc = f"outs:\n- md5: {'a' * 32}\n  size: 7\n  hash: md5\n  path: kept.csv\n"
    lock = (
        "schema: '2.0'\nstages:\n  each@a:\n    cmd: x\n    outs:\n"
        f"    - path: a.csv\n      hash: md5\n      md5: {'a' * 32}\n      size: 5\n"
    )
    more = {"in-git.csv": "", "kept.csv.dvc": dvc, "dvc.lock": lock}
    for path in ("in-git.csv", "kept.csv", "a.csv"):
        assert find(path, more=more) == Plotted(label=path, path=path)
    assert find("b.csv", more=more) is None
    assert find("t.csv", more=more) is None


@pytest.mark.parametrize(
    "wanted",
    ["../../etc/passwd", "/etc/passwd", ".git/config", "C:\\x", "s3://b/x.csv", "file:///etc/passwd", "", "~/x"],
)
def test_paths_that_lead_out_are_no_plots(wanted: str) -> None:
    """Neither asked for nor declared as data of a plot is a path outside of the repository looked for."""
    assert find(wanted, more={wanted: "x"}) is None
    text = dumped({"plots": [{"p": {"y": {wanted: "a"}}}], "artifacts": {"m": {"path": "m"}}})
    found = find("p", text)
    assert found is None or found.path == wanted == "s3://b/x.csv"


def test_a_plot_below_the_root() -> None:
    """Paths in `dvc.yaml` are relative to it, and asked for from the root; a name stays a name."""
    text = "plots: [{ROC: {y: {r.csv: tpr}}}, t.csv]\nartifacts: {m: {path: m}}\n"
    for wanted, path in (("ROC", "sub/r.csv"), ("sub/r.csv", "sub/r.csv"), ("t.csv", "sub/t.csv")):
        assert getattr(find(wanted, text, name="sub:m"), "path", None) == path
    assert find("r.csv", text, name="sub:m") is None


def test_an_artifact_of_another_kind_of_file() -> None:
    """A model of GTO's `artifacts.yaml` has no plots of its own; their data can be named by path."""
    plots = DVC_YAML.replace("artifacts: {m: {path: m}}\n", "")
    tree = MemoryTree({"artifacts.yaml": "m: {path: m, type: model}\n", "dvc.yaml": plots, "in-git.csv": ""})
    artifact = declared_one(tree, "m")
    assert artifact is not None
    found = [find_plot(Commit(tree), artifact, wanted) for wanted in ("ROC", "in-git.csv")]
    assert found == [None, Plotted(label="in-git.csv", path="in-git.csv")]


_junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["", "a.csv", "p", "${x}", "../x", "s3://b/x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["p", "a.csv", "y", "x"]), inner),
    max_leaves=8,
)


@given(_junk, _junk)
def test_anything_may_stand_under_plots(top: object, stage: object) -> None:
    """Whatever shape the sections have, there is a plot inside the repository, or none, and no failure."""
    whole = {"plots": top, "stages": {"s": {"cmd": "x", "plots": stage}}, "artifacts": {"m": {"path": "m"}}}
    for wanted in ("p", "a.csv", "../x"):
        found = find(wanted, dumped(whole))
        assert found is None or (found.label == wanted and not found.path.startswith(("..", "/")))


def every(text: str, more: Mapping[str, str] | None = None, name: str = "m") -> list[DeclaredPlot]:
    """All plots in a tree whose `dvc.yaml` is `text`."""
    where = name.rpartition(":")[0]
    tree = MemoryTree({f"{where}/dvc.yaml" if where else "dvc.yaml": text, **(more or {})})
    artifact = declared_one(tree, name)
    assert artifact is not None
    return list(all_plots(Commit(tree), artifact))


def test_all_plots_in_their_order() -> None:
    """Those at the top, then those of the stages; paths that templates make only once they are in the lock."""
    known = [(plot.label, plot.paths, plot.top) for plot in every(DVC_YAML)]
    assert known == [
        ("plots/top.csv", ("plots/top.csv",), True),
        ("ROC", ("eval/roc.csv", "eval/other.csv"), True),
        ("plots/plain.csv", ("plots/plain.csv",), True),
        ("plots/loss.json", ("plots/loss.json",), True),
        ("plots/loss.json", ("plots/loss.json",), False),
        ("plots/bare.csv", ("plots/bare.csv",), False),
        ("roc.csv", ("eval/roc.csv",), False),
        ("gone.csv", ("gone.csv",), False),
    ]
    assert {plot.file for plot in every(DVC_YAML)} == {"dvc.yaml"}
    entry = "\n    - path: {0}.csv\n      hash: md5\n      md5: {1}\n      size: 5\n"
    stages = "".join(f"  each@{x}:\n    cmd: x\n    outs:{entry.format(x, x * 32)}" for x in "ab")
    found = every(DVC_YAML, {"dvc.lock": f"schema: '2.0'\nstages:\n{stages}"})
    assert [plot.paths for plot in found if plot.label in ("a.csv", "b.csv")] == [("a.csv",), ("b.csv",)]


def test_all_plots_below_the_root() -> None:
    """Paths are from the root, and the file that declares them is named."""
    (found,) = every("plots: [{ROC: {y: {r.csv: tpr, ../up.csv: tpr}}}]\nartifacts: {m: {path: m}}\n", name="sub:m")
    assert found == DeclaredPlot(
        file="sub/dvc.yaml",
        label="ROC",
        paths=("sub/r.csv", "up.csv"),
        options={"y": {"r.csv": "tpr", "../up.csv": "tpr"}},
        top=True,
    )


@given(_junk, _junk)
def test_all_of_anything_under_plots(top: object, stage: object) -> None:
    """Whatever shape the sections have, all paths lie inside the repository, and whatever is found by name is there."""
    whole = {"plots": top, "stages": {"s": {"cmd": "x", "plots": stage}}, "artifacts": {"m": {"path": "m"}}}
    found = every(dumped(whole))
    assert not any(path.startswith(("..", "/")) for plot in found for path in plot.paths)
    for plot in found:
        assert find(plot.label, dumped(whole)) is not None


def test_a_broken_file_is_bad_input() -> None:
    """A `dvc.yaml` that cannot be read says so."""
    tree = MemoryTree({"dvc.yaml": DVC_YAML})
    artifact = declared_one(tree, "m")
    assert artifact is not None
    with pytest.raises(BadInput, match=r"dvc\.yaml"):
        find_plot(Commit(MemoryTree({"dvc.yaml": "- 1\n"})), artifact, "ROC")
