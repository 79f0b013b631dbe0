"""Hard cases of `rollback`: groups, vars, params of every kind, things that came, went and moved."""

from __future__ import annotations

import posixpath
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dvc_modelver.commands.restoration.side import read_side
from dvc_modelver.commands.restoration.wholeslice import plan_slice
from dvc_modelver.dvcio.project import declared_one
from tests.commands.rollback_states import Case, Run, State
from tests.support import Git, Modelver
from tests.support.repos import md5, run_dvc


@pytest.fixture
def case(git: Git, modelver: Modelver) -> Case:
    """An empty repository to put states into."""
    return Case(git, modelver)


ARTIFACT = "artifacts:\n  churn:\n    path: model.bin\n    type: model\n"


def simple(
    depth: int,
    *,
    params: str = "train:\n  depth: {}\n",
    file: str = "params.yaml",
    key: str = "train.depth",
    more: str = "",
    artifacts: str = ARTIFACT,
) -> State:
    """One stage that makes `model.bin` from one param."""
    named = f"    - {key}\n" if file == "params.yaml" else f"    - {file}:\n      - {key}\n"
    yaml = (
        f"stages:\n  train:\n    cmd: make\n    deps:\n    - train.py\n    params:\n{named}    outs:\n    - model.bin\n"
    )
    run = Run(name="train", deps=("train.py",), outs={"model.bin": f"{depth}\n"}, params={file: {key: depth}})
    text = params.replace("{}", str(depth))
    return State(files={"dvc.yaml": yaml + more + artifacts, "train.py": "pass\n", file: text}, runs=(run,))


# Params -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "text", "key"),
    [
        ("params.yaml", "# Mine.\ntrain:   # of the model\n    depth: {}  # tuned\n    other: 1\n", "train.depth"),
        ("params.yaml", "base: &b\n  x: 1\ntrain:\n  <<: *b\n  depth: {}\n", "train.depth"),
        ("params.yaml", "train: {depth: {}, other: 1}\n", "train.depth"),
        ("params.yaml", "a:\n  b:\n    c:\n      depth: {}\n    d: 1\n", "a.b.c.depth"),
        ("conf/p.yml", "depth: {}\r\nother: 1\r\n", "depth"),
        ("params.json", '{"train": {"depth": {}}, "other": [1]}\n', "train.depth"),
        ("params.toml", "[train]\ndepth = {} # tuned\n", "train.depth"),
        ("params.py", "DEPTH = {}\nOTHER = 1\n", "DEPTH"),
    ],
)
def test_params_of_every_kind(case: Case, file: str, text: str, key: str) -> None:
    """Comments, anchors, braces, deep keys, CRLF, JSON, TOML, Python: the value comes back, and back again."""
    case.save(simple(6, file=file, params=text, key=key), "churn@v0.1.0")
    case.save(simple(8, file=file, params=text, key=key), "churn@v0.2.0")
    case.back_and_forth()
    assert case.show(file, "churn@v0.1.0") != case.show(file)


@pytest.mark.parametrize(
    "text", ["train: {depth: {}}\nrank: {depth: %}\n", '{"train": {"depth": {}}, "rank": {"depth": %}}\n']
)
def test_a_whole_file_of_another_model_is_refused(case: Case, text: str) -> None:
    """What cannot be changed by key, and holds another model's param that differs, is that model's too."""
    file = "params.yaml" if text.startswith("t") else "params.json"
    for depth, version in ((6, "v0.1.0"), (8, "v0.2.0")):
        case.save(two(depth, depth + 1, file, text), f"churn@{version}", f"rank@{version}")
    said = case.refused("churn", "v0.1.0")
    assert "rank" in said
    assert "rank.depth" in said
    assert file in said
    result = case.run("churn", "v0.1.0", "--include-shared", "--json").json
    assert result["out_of_date"] == ["rank"]
    case.same("churn", "v0.1.0")


def two(churn: int, rank: int, file: str, text: str) -> State:
    """Two models, each from its own param of one file."""
    named = "" if file == "params.yaml" else f"{file}:"
    yaml = "stages:\n"
    runs = []
    for name, key, depth in (("churn", "train", churn), ("rank", "rank", rank)):
        listed = f"    - {key}.depth\n" if not named else f"    - {named}\n      - {key}.depth\n"
        yaml += f"  make-{name}:\n    cmd: make\n    params:\n{listed}    outs:\n    - {name}.bin\n"
        runs.append(
            Run(name=f"make-{name}", outs={f"{name}.bin": f"{name} {depth}"}, params={file: {f"{key}.depth": depth}})
        )
    yaml += "artifacts:\n" + "".join(
        f"  {name}:\n    path: {name}.bin\n    type: model\n" for name in ("churn", "rank")
    )
    values = text.replace("{}", str(churn)).replace("%", str(rank))
    return State(files={"dvc.yaml": yaml, file: values}, runs=tuple(runs))


def test_another_models_params_stay(case: Case) -> None:
    """By key, two models in one file do not concern each other."""
    text = "train:\n  depth: {}\n\n# ranking\nrank:\n  depth: %\n"
    for depth, version in ((6, "v0.1.0"), (8, "v0.2.0")):
        case.save(two(depth, depth + 1, "params.yaml", text), f"churn@{version}", f"rank@{version}")
    before = case.slice("rank")
    case.back_and_forth()
    case.back()
    assert case.slice("rank") == before
    assert case.show("params.yaml") == text.replace("{}", "6").replace("%", "9")


def test_keys_that_came_and_went(case: Case) -> None:
    """A key that is gone since comes back where it stood; a new one that the model never read stays."""
    case.save(simple(6, params="first: 1\n\n# how deep\ntrain:\n  depth: {}\n  lr: 1e-05\n"), "churn@v0.1.0")
    now = simple(6, params="first: 1\nnew: 2\n", key="new")
    case.save(replace(now, runs=(replace(now.runs[0], params={"params.yaml": {"new": 2}}),)), "churn@v0.2.0")
    case.back()
    assert "new: 2" in case.show("params.yaml")
    assert "depth: 6" in case.show("params.yaml")
    case.back("churn", "v0.2.0")


def test_a_params_file_that_moved(case: Case) -> None:
    """The old file comes back whole; the new one stays, since another may read it."""
    case.save(simple(6), "churn@v0.1.0")
    case.save(simple(8, file="conf/train.yaml"), "churn@v0.2.0")
    case.back()
    assert case.show("params.yaml") == "train:\n  depth: 6\n"
    case.back("churn", "v0.2.0")


def test_a_file_of_params_that_is_read_whole(case: Case) -> None:
    """A key that is new since goes: `dvc status` would show it."""
    yaml = "stages:\n  train:\n    cmd: make\n    params:\n    - p.yaml:\n    outs:\n    - model.bin\n" + ARTIFACT
    for version, values in (("v0.1.0", {"a": 1}), ("v0.2.0", {"a": 2, "b": 3})):
        text = "".join(f"{key}: {value}\n" for key, value in values.items())
        run = Run(name="train", outs={"model.bin": text}, params={"p.yaml": values})
        case.save(State(files={"dvc.yaml": yaml, "p.yaml": text}, runs=(run,)), f"churn@{version}")
    case.back_and_forth()
    case.back()
    assert case.show("p.yaml") == "a: 1\n"


# Groups and vars --------------------------------------------------------------------------------------------------


def group(items: dict[str, int], *, do: str = "make", kind: str = "foreach", code: str = "pass\n") -> State:
    """A group of stages that make `NAME.bin`; the model is `a.bin`."""
    if kind == "foreach":
        each = "    foreach:\n" + "".join(f"      {name}: {value}\n" for name, value in items.items())
        body = f"    do:\n      cmd: {do} ${{item}} ${{key}}\n      deps:\n      - train.py\n"
        body += "      outs:\n      - ${key}.bin\n"
    else:
        each = "    matrix:\n      name:\n" + "".join(f"      - {name}\n" for name in items)
        body = f"    cmd: {do} ${{item.name}}\n    deps:\n    - train.py\n    outs:\n    - ${{item.name}}.bin\n"
    yaml = f"stages:\n  train:\n{each}{body}artifacts:\n  churn:\n    path: a.bin\n    type: model\n"
    runs = tuple(
        Run(
            name=f"train@{name}",
            deps=("train.py",),
            outs={f"{name}.bin": f"{name} {value} {do} {code}"},
            cmd=f"{do} {value} {name}" if kind == "foreach" else f"{do} {name}",
        )
        for name, value in items.items()
    )
    return State(files={"dvc.yaml": yaml, "train.py": code}, runs=runs)


@pytest.mark.parametrize("kind", ["foreach", "matrix"])
@pytest.mark.parametrize(
    ("then", "now"),
    [
        (group, lambda items, **k: group({**items, "c": 3}, **k)),
        (group, lambda items, **k: group({"a": 1}, **k)),
        (group, lambda items, **k: group(items, do="faster", **k)),
        (group, lambda items, **k: group({"a": 1, "c": 4}, do="faster", **k)),
    ],
    ids=["added", "removed", "do", "both"],
)
def test_a_group_is_one_unit(case: Case, kind: str, then: Callable[..., State], now: Callable[..., State]) -> None:
    """Items that came go with their bytes, those that went come back with theirs, and a changed `do` is that of all."""
    items = {"a": 1, "b": 2}
    first, last = then(items, kind=kind), now(items, kind=kind)
    case.save(first, "churn@v0.1.0")
    case.save(last, "churn@v0.2.0")
    case.back_and_forth()
    case.back()
    assert case.show("dvc.yaml") == first.files["dvc.yaml"]
    assert case.show("dvc.lock") == case.show("dvc.lock", "churn@v0.1.0")
    assert {path.name for path in case.path.glob("*.bin")} == set(first.outputs)
    assert {path: (case.path / path).read_text() for path in first.outputs} == first.outputs
    assert case.show(".gitignore") == case.show(".gitignore", "churn@v0.1.0")


def test_a_group_that_did_not_change(case: Case) -> None:
    """With the same definition, an item goes back alone; the others that ran with its code are named."""
    case.save(group({"a": 1, "b": 2}), "churn@v0.1.0")
    case.save(group({"a": 1, "b": 2}, code="print()\n"), "churn@v0.2.0")
    before = (case.path / "b.bin").read_text()
    assert case.run("churn", "v0.1.0", "--json").json["stale"] == ["train@b"]
    case.same("churn", "v0.1.0")
    assert (case.path / "b.bin").read_text() == before


def test_a_group_of_two_models(case: Case) -> None:
    """A changed `do` concerns the other model; a changed item alone does not."""
    more = "  rank:\n    path: b.bin\n    type: model\n"

    def both(items: dict[str, int], **options: str) -> State:
        state = group(items, **options)
        return replace(state, files={**state.files, "dvc.yaml": str(state.files["dvc.yaml"]) + more})

    case.save(both({"a": 1, "b": 2}), "churn@v0.1.0", "rank@v0.1.0")
    case.save(both({"a": 1, "b": 2}, do="faster"), "churn@v0.2.0", "rank@v0.2.0")
    said = case.refused("churn", "v0.1.0")
    assert "dvc.yaml:train" in said
    assert "rank" in said
    case.back("churn", "v0.1.0", "--include-shared")
    case.same("rank", "v0.1.0")


VARS = "vars:\n- size: {}\n- conf.yaml\n- more.yaml:rate\n"


def templated(size: int, depth: int, *, rest: str = "") -> State:
    """A stage with templates from inline vars, a file, and a key of a file."""
    yaml = VARS.replace("{}", str(size)) + (
        "stages:\n  train:\n    cmd: make ${size} ${net.depth} ${rate}\n    deps:\n    - ${code}\n"
        "    params:\n    - ${params}:\n      - lr\n    outs:\n    - model-${size}.bin\n"
    )
    artifacts = f"artifacts:\n  churn:\n    path: model-{size}.bin\n    type: model\n"
    run = Run(
        name="train",
        cmd=f"make {size} {depth} {depth + 1}",
        deps=(f"train{depth}.py",),
        params={"p.yaml": {"lr": depth}},
        outs={f"model-{size}.bin": f"{size} {depth}"},
    )
    files = {
        "dvc.yaml": yaml + rest + artifacts,
        "conf.yaml": f"net:\n  depth: {depth}\ncode: train{depth}.py\nparams: p.yaml\nother: {size}\n",
        "more.yaml": f"rate: {depth + 1}\nunused: {depth}\n",
        "p.yaml": f"lr: {depth}\n",
        f"train{depth}.py": "pass\n",
    }
    return State(files=files, runs=(run,))


def test_vars(case: Case) -> None:
    """Inline vars, a file, keys of a file; templated commands, deps, params files and outputs."""
    case.save(templated(1, 6), "churn@v0.1.0")
    case.save(templated(2, 8), "churn@v0.2.0")
    case.back_and_forth(exact=False)
    case.back()
    assert case.show("conf.yaml") == "net:\n  depth: 6\ncode: train6.py\nparams: p.yaml\nother: 2\n"
    assert case.show("more.yaml") == "rate: 7\nunused: 8\n"
    assert (case.path / "model-1.bin").exists()
    assert not (case.path / "model-2.bin").exists()
    assert case.has("train6.py")
    assert not case.has("train8.py")
    assert case.show(".gitignore") == "/model-1.bin\n"


def test_vars_that_another_stage_needs(case: Case) -> None:
    """The list of vars is one entry: a stage that uses one which the version lacks would break every dvc command."""
    case.save(templated(1, 6), "churn@v0.1.0")
    now = templated(2, 8, rest="  plot:\n    cmd: draw ${color}\n")
    yaml = str(now.files["dvc.yaml"]).replace("- size: 2\n", "- size: 2\n- color: red\n")
    case.save(replace(now, files={**now.files, "dvc.yaml": yaml}), "churn@v0.2.0")
    said = case.refused("churn", "v0.1.0")
    assert "plot" in said
    assert "color" in said


def test_vars_of_a_stage_that_measures(case: Case) -> None:
    """Templates of the evaluation count as those of the model's own stages do."""
    for n in ("1", "2"):
        yaml = (
            f"vars:\n- cut: {n}\nstages:\n  train:\n    cmd: make {n}\n    outs:\n    - model.bin\n"
            "  evaluate:\n    cmd: check ${cut}\n    deps:\n    - model.bin\n"
            "    metrics:\n    - m.json:\n        cache: false\n"
        )
        runs = (
            Run(name="train", outs={"model.bin": n}, cmd=f"make {n}"),
            Run(name="evaluate", deps=("model.bin",), in_git=("m.json",), cmd=f"check {n}"),
        )
        case.save(State(files={"dvc.yaml": yaml + ARTIFACT, "m.json": n}, runs=runs), f"churn@v0.{n}.0")
    case.back_and_forth()
    case.back()
    assert "cut: 1" in case.show("dvc.yaml")
    assert case.show("m.json") == "1"


def test_vars_from_another_file(case: Case) -> None:
    """Which files `vars:` names comes back with the file."""
    for n, file in (("1", "a.yaml"), ("2", "b.yaml")):
        yaml = f"vars:\n- {file}\nstages:\n  train:\n    cmd: make ${{cut}}\n    outs:\n    - model.bin\n"
        run = Run(name="train", outs={"model.bin": n}, cmd=f"make {n}")
        case.save(State(files={"dvc.yaml": yaml + ARTIFACT, file: f"cut: {n}\n"}, runs=(run,)), f"churn@v0.{n}.0")
    case.back()
    assert case.show("a.yaml") == "cut: 1\n"
    case.back("churn", "v0.2.0")


def test_a_group_over_params(case: Case) -> None:
    """Items that stand in `params.yaml` come back there; the rest of the file stays."""
    for n, items in (("1", "ab"), ("2", "ac")):
        yaml = (
            "stages:\n  train:\n    foreach: ${models}\n    do:\n      cmd: make ${item}\n"
            "      outs:\n      - ${item}.bin\n"
            "artifacts:\n  churn:\n    path: a.bin\n    type: model\n"
        )
        runs = tuple(Run(name=f"train@{item}", outs={f"{item}.bin": item + n}, cmd=f"make {item}") for item in items)
        params = "models:\n" + "".join(f"- {item}\n" for item in items) + f"other: {n}\n"
        case.save(State(files={"dvc.yaml": yaml, "params.yaml": params}, runs=runs), f"churn@v0.{n}.0")
    case.back()
    assert case.show("params.yaml") == "models:\n- a\n- b\nother: 2\n"
    assert {path.name for path in case.path.glob("*.bin")} == {"a.bin", "b.bin"}
    case.back("churn", "v0.2.0")
    assert {path.name for path in case.path.glob("*.bin")} == {"a.bin", "c.bin"}


# What came, went and moved ----------------------------------------------------------------------------------------


def stages(*runs: Run, files: dict[str, str] | None = None, path: str = "model.bin", more: str = "") -> State:
    """A project of these pipeline stages, whose `dvc.yaml` is made from them."""
    by_folder: dict[str, str] = {}
    for run in runs:
        base = run.wdir or run.at
        text = f"  {run.name}:\n    cmd: {run.cmd}\n"
        if run.wdir and run.wdir != run.at:
            text += f"    wdir: {run.wdir.removeprefix(run.at + '/')}\n"
        text += _listed("deps", run.deps, base)
        text += _listed(
            "outs", [p for p in run.outs if not any(p.startswith(f"{f}/") for f in run.folders)], base, run.folders
        )
        text += "".join(f"    - {_relative(path, base)}:\n        cache: false\n" for path in run.in_git)
        by_folder[run.at] = by_folder.get(run.at, "stages:\n") + text
    artifacts = f"artifacts:\n  churn:\n    path: {path}\n    type: model\n"
    first = next(iter(by_folder), "")
    written = {
        (f"{at}/dvc.yaml" if at else "dvc.yaml"): text + (artifacts + more if at == first else "")
        for at, text in by_folder.items()
    }
    return State(files={**written, **(files or {})}, runs=runs)


def _listed(key: str, names: object, base: str, folders: tuple[str, ...] = ()) -> str:
    items = [*names, *folders]  # type: ignore[misc]
    return (
        f"    {key}:\n" + "".join(f"    - {_relative(path, base)}\n" for path in items)
        if items or key == "outs"
        else ""
    )


def _relative(path: str, base: str) -> str:
    return posixpath.relpath(path, base or ".")


CODE = {"train.py": "pass\n"}


def train(text: str, name: str = "train", out: str = "model.bin", deps: tuple[str, ...] = ("train.py",)) -> Run:
    """The stage that writes the model."""
    return Run(name=name, deps=deps, outs={out: text}, cmd=f"make {text}")


def test_a_renamed_stage(case: Case) -> None:
    """The new name goes, the old one comes; the order of the file is as it was."""
    other = Run(name="z-report", outs={"report.txt": "x"}, cmd="report")
    case.save(stages(train("1", "fit"), other, files=CODE), "churn@v0.1.0")
    case.save(stages(train("2", "train"), other, files=CODE), "churn@v0.2.0")
    case.back_and_forth()
    case.back()
    assert case.show("dvc.yaml") == case.show("dvc.yaml", "churn@v0.1.0")
    assert case.show("dvc.lock") == case.show("dvc.lock", "churn@v0.1.0")
    assert (case.path / "report.txt").read_text() == "x"


@pytest.mark.parametrize("form", [(), ("--model-only",)])
@pytest.mark.parametrize("before", [False, True])
def test_a_gate_stays_as_it_is_today(case: Case, before: bool, form: tuple[str, ...]) -> None:
    """Whether the version had one, another, or none: today's judges what comes back, once it is run again."""
    files = {**CODE, "metrics.json": '{"auc": 0.1}', "gate/churn.json": "{}", "gate/out.json": "1"}
    measure = Run(name="measure", deps=("model.bin",), in_git=("metrics.json",), cmd="measure")
    gate = Run(
        name="gate-churn",
        deps=("metrics.json", "gate/churn.json"),
        in_git=("gate/out.json",),
        cmd="modelver gate churn --reference gate/churn.json --out gate/out.json",
    )
    old = (train("1"), measure, replace(gate, cmd=f"{gate.cmd} --policy old.yaml"))
    case.save(stages(*(old if before else old[:2]), files=files), "churn@v0.1.0")
    now = {**files, "metrics.json": '{"auc": 0.2}', "gate/churn.json": "[]", "gate/out.json": "2"}
    case.save(stages(train("2"), measure, gate, files=now), "churn@v0.2.0")
    result = case.run("churn", "v0.1.0", *form, "--json").json
    assert case.show("metrics.json") == '{"auc": 0.1}'
    assert [case.show(path) for path in ("gate/churn.json", "gate/out.json")] == ["[]", "2"]
    assert f"cmd: {gate.cmd}\n" in case.show("dvc.yaml")
    assert [note for note in result["notes"] if "gate" in note] == []
    assert form or result["stale"] == ["gate-churn"]


def test_a_stage_that_was_split(case: Case) -> None:
    """Two stages where there was one: the new one, its output and its code go; and come back."""
    case.save(stages(train("1"), files=CODE), "churn@v0.1.0")
    prepare = Run(name="prepare", deps=("prepare.py",), outs={"data/rows.csv": "a\n"}, cmd="prepare")
    then = train("2", deps=("data/rows.csv", "train.py"))
    case.save(stages(prepare, then, files={**CODE, "prepare.py": "pass\n"}), "churn@v0.2.0")
    case.back_and_forth()
    case.back()
    assert not case.has("prepare.py")
    assert not (case.path / "data/rows.csv").exists()
    assert "prepare" not in case.show("dvc.yaml") + case.show("dvc.lock")


def test_new_code_that_another_stage_reads_stays(case: Case) -> None:
    """A file that the version did not have stays while a pipeline stage beside the model reads it."""
    case.save(stages(train("1"), files=CODE), "churn@v0.1.0")
    report = Run(name="report", deps=("util.py",), outs={"report.txt": "x"}, cmd="report")
    state = stages(train("2", deps=("train.py", "util.py")), report, files={**CODE, "util.py": "x = 1\n"})
    case.save(state, "churn@v0.2.0")
    case.back()
    assert case.has("util.py")
    case.back("churn", "v0.2.0")


def test_code_that_went_comes_back(case: Case) -> None:
    """A deleted file, and the executable bit, come back; a helper that no stage names is told, and stays."""
    then = stages(
        train("1", deps=("src/a.py", "src/b.sh")), files={"src/a.py": "a\n", "src/b.sh": "b\n", "src/util.py": "1\n"}
    )
    case.save(replace(then, executable=("src/b.sh",)), "churn@v0.1.0")
    now = stages(train("2", deps=("src/a.py",)), files={"src/a.py": "a2\n", "src/util.py": "2\n"})
    case.save(now, "churn@v0.2.0")
    result = case.run("churn", "v0.1.0", "--json").json
    case.same("churn", "v0.1.0")
    assert any("src/util.py" in note for note in result["notes"])
    assert case.show("src/util.py") == "2\n"
    assert (case.path / "src/b.sh").stat().st_mode & 0o100
    case.back("churn", "v0.2.0")
    assert not case.has("src/b.sh")


def test_an_output_that_moved(case: Case) -> None:
    """The old path comes, the new one goes, and `.gitignore` follows; so does a model that the artifact names anew."""
    case.save(stages(train("1", out="old/model.bin"), files=CODE, path="old/model.bin"), "churn@v0.1.0")
    case.save(stages(train("2", out="new/model.bin"), files=CODE, path="new/model.bin"), "churn@v0.2.0")
    case.back()
    assert (case.path / "old/model.bin").read_text() == "1"
    assert not (case.path / "new/model.bin").exists()
    assert case.show("old/.gitignore") == "/model.bin\n"
    case.back("churn", "v0.2.0")
    assert not (case.path / "old/model.bin").exists()


def test_from_a_pipeline_to_a_dvc_file_and_back(case: Case) -> None:
    """A model that `dvc add` tracked then, and a stage makes now."""
    artifacts = "artifacts:\n  churn:\n    path: model.bin\n    type: model\n"
    case.save(State(files={"dvc.yaml": artifacts}, added={"model.bin": "1"}), "churn@v0.1.0")
    case.save(stages(train("2"), files=CODE), "churn@v0.2.0")
    case.back()
    assert not case.has("dvc.lock")
    assert case.has("model.bin.dvc")
    case.back("churn", "v0.2.0")
    assert not case.has("model.bin.dvc")
    assert "train" in case.show("dvc.yaml")


@pytest.mark.parametrize("kind", ["dvc", "inside", "git"])
def test_a_model_without_a_stage(case: Case, kind: str) -> None:
    """Of a `.dvc` file, inside a tracked directory, a plain file of Git."""
    for version, text in (("v0.1.0", "1"), ("v0.2.0", "2")):
        if kind == "git":
            state = State(files={"dvc.yaml": ARTIFACT, "model.bin": text})
        elif kind == "dvc":
            state = State(files={"dvc.yaml": ARTIFACT}, added={"model.bin": text})
        else:
            yaml = ARTIFACT.replace("model.bin", "out/deep/model.bin")
            run = Run(name="x", outs={"out/deep/model.bin": text, "out/other": "same"}, folders=("out",))
            state = State(
                files={"dvc.yaml": "stages:\n  x:\n    cmd: make\n    outs:\n    - out\n" + yaml}, runs=(run,)
            )
        case.save(state, f"churn@{version}")
    case.back_and_forth()
    case.back()
    path = "out/deep/model.bin" if kind == "inside" else "model.bin"
    assert (case.path / path).read_text() == "1"


def test_an_import(case: Case) -> None:
    """`dvc import` and `import-url`: the `.dvc` files come back with the revision that they lock."""
    for version, n in (("v0.1.0", 1), ("v0.2.0", 2)):
        text = f"rows {n}\n"
        raw = (
            "frozen: true\ndeps:\n- path: data.csv\n  repo:\n    url: https://example.com/x\n"
            f"    rev_lock: {str(n) * 40}\n"
            f"outs:\n- md5: {md5(text.encode())}\n  size: {len(text)}\n  hash: md5\n  path: data.csv\n"
        )
        state = stages(train(str(n), deps=("data.csv", "train.py")), files={**CODE, "data.csv.dvc": raw})
        case.save(replace(state, imported={"data.csv": text}), f"churn@{version}")
    case.back_and_forth()
    case.back()
    assert "rev_lock: " + "1" * 40 in case.show("data.csv.dvc")
    assert (case.path / "data.csv").read_text() == "rows 1\n"


def test_outputs_in_git(case: Case) -> None:
    """A file and a directory with `cache: false` are Git's, and come back with their stage."""
    for version, n in (("v0.1.0", "1"), ("v0.2.0", "2")):
        run = Run(name="train", deps=("train.py",), outs={"model.bin": n}, in_git=("m.json", "plots"), cmd="make")
        more = {"plots/new.txt": "x"} if n == "2" else {"plots/old.txt": "y"}
        case.save(stages(run, files={**CODE, "m.json": f"{n}\n", "plots/a.txt": n, **more}), f"churn@{version}")
    case.back_and_forth()
    case.back()
    assert case.show("m.json") == "1\n"
    assert case.has("plots/old.txt")
    assert not case.has("plots/new.txt")


def test_a_directory_of_code(case: Case) -> None:
    """Files in it come, go and change."""
    for version, files in (
        ("v0.1.0", {"src/a.py": "1\n", "src/deep/old.py": "x\n"}),
        ("v0.2.0", {"src/a.py": "2\n", "src/deep/new.py": "y\n", "src/z.py": "z\n"}),
    ):
        case.save(stages(train(version, deps=("src",)), files=files), f"churn@{version}")
    case.back_and_forth()
    case.back()
    assert case.git("ls-files", "src") == "src/a.py\nsrc/deep/old.py"


def test_overlapping_outputs_are_refused(case: Case) -> None:
    """What the version wrote is a part of what another stage writes now."""
    case.save(stages(train("1", out="out/model.bin"), files=CODE, path="out/model.bin"), "churn@v0.1.0")
    other = Run(name="export", outs={"out/x": "x"}, folders=("out",), cmd="export")
    case.save(stages(train("2", out="new.bin"), other, files=CODE, path="new.bin"), "churn@v0.2.0")
    said = case.refused("churn", "v0.1.0")
    assert "overlap" in said
    assert "out/model.bin" in said


# Files as people write them ---------------------------------------------------------------------------------------


def test_odd_files(case: Case) -> None:
    """Comments, odd indentation and CRLF in `dvc.yaml`; entries of others in `dvc.lock` stay byte for byte."""

    def odd(n: str, ending: str) -> State:
        yaml = (
            "# The pipeline of us.\nstages:\n\n      # Cleans.\n      prepare:\n            cmd: 'prepare'\n"
            f"            outs: [rows.csv]\n\n      # Fits.\n      train:\n            cmd: make {n} # why\n"
            "            deps:\n              - train.py\n            outs:\n              -   model.bin\n\n# Models.\n"
            "artifacts:\n    churn: {path: model.bin, type: model}\nplots:\n  - curve.csv\nmetrics: [m.json]\n"
        )
        prepare = Run(name="prepare", outs={"rows.csv": f"rows {n}"}, cmd="prepare")
        return State(files={"dvc.yaml": yaml.replace("\n", ending), **CODE}, runs=(prepare, train(n)))

    case.save(odd("1", "\n"), "churn@v0.1.0")
    case.save(odd("2", "\r\n"), "churn@v0.2.0")
    then, now = case.show("dvc.lock", "churn@v0.1.0"), case.show("dvc.lock")
    case.back_and_forth()
    case.back()
    assert case.show("dvc.yaml") == str(odd("1", "\r\n").files["dvc.yaml"])
    assert case.show("dvc.lock") == now[: now.index("  train:")] + then[then.index("  train:") :]
    assert (case.path / "rows.csv").read_text() == "rows 2"


@pytest.mark.parametrize(
    ("file", "text"),
    [("dvc.yaml", "stages: [\n"), ("dvc.lock", "<<<<<<< ours\nschema: '2.0'\n=======\n>>>>>>> theirs\n")],
)
def test_broken_files(case: Case, file: str, text: str) -> None:
    """A `dvc.yaml` that is none, conflict markers in a `dvc.lock`: a plain error, and nothing changes."""
    case.save(stages(train("1"), files=CODE), "churn@v0.1.0")
    case.save(stages(train("2"), files=CODE), "churn@v0.2.0")
    case.git.commit("Break", {file: text})
    said = case.refused("churn", "v0.1.0", code=2)
    assert file in said
    assert "conflict markers" in said or file == "dvc.yaml"


def test_a_model_that_is_declared_no_more(case: Case) -> None:
    """Entry, stage, code and bytes come back."""
    case.save(stages(train("1"), files=CODE), "churn@v0.1.0")
    other = "artifacts:\n  rank:\n    path: rank.bin\n    type: model\n"
    rank = Run(name="rank", outs={"rank.bin": "r"}, cmd="rank")
    now = stages(rank)
    yaml = str(now.files["dvc.yaml"]).partition("artifacts:")[0] + other
    case.save(replace(now, files={"dvc.yaml": yaml}), "rank@v0.1.0")
    before = case.slice("rank")
    case.back("churn", "v0.1.0")
    assert case.slice("rank") == before


def test_a_version_that_gto_made(case: Case) -> None:
    """A tag without our record is a version like any other, for the slice alone and for the default."""
    case.save(stages(train("1"), files=CODE), "churn@v0.1.0")
    case.save(stages(train("2"), files=CODE), "churn@v0.2.0")
    assert case.run("churn", "--json").json["models"][0]["version"] == "v0.1.0"
    case.same("churn", "v0.1.0")


def test_a_stage_that_measures_two_models(case: Case) -> None:
    """It stays as it is, and is named."""
    more = "  rank:\n    path: rank.bin\n    type: model\n"
    for n in ("1", "2"):
        rank = Run(name="rank", outs={"rank.bin": f"r{n}"}, cmd="rank")
        both = Run(name="evaluate", deps=("model.bin", "rank.bin"), in_git=("m.json",), cmd="evaluate")
        state = stages(train(n), rank, both, files={**CODE, "m.json": n}, more=more)
        case.save(state, f"churn@v0.{n}.0", *(["rank@v0.1.0"] if n == "1" else []))
    result = case.run("churn", "v0.1.0", "--json").json
    case.same("churn", "v0.1.0")
    assert result["stale"] == ["evaluate"]
    assert (case.path / "rank.bin").read_text() == "r2"
    assert case.show("m.json") == "2"


def test_a_monorepo(case: Case) -> None:
    """Two `dvc.yaml` files, a working directory, names with their folder: the other project does not move."""
    for n in ("1", "2"):
        fit = Run(
            name="fit",
            at="teams/a",
            wdir="teams/a/work",
            deps=("teams/a/work/fit.py", "lib/x.py"),
            outs={"teams/a/work/model.bin": n},
            cmd=f"fit {n}",
        )
        other = Run(name="fit", at="teams/b", deps=("teams/b/fit.py",), outs={"teams/b/model.bin": n}, cmd=f"fit {n}")
        state = stages(
            fit, other, path="work/model.bin", files={"teams/a/work/fit.py": n, "lib/x.py": n, "teams/b/fit.py": n}
        )
        b = str(state.files["teams/b/dvc.yaml"]) + "artifacts:\n  churn:\n    path: model.bin\n    type: model\n"
        state = replace(state, files={**state.files, "teams/b/dvc.yaml": b})
        case.save(state, f"teams/a=churn@v0.{n}.0", f"teams/b=churn@v0.{n}.0")
    before = case.slice("teams/b:churn")
    case.back_and_forth("teams/a:churn")
    case.back("teams/a:churn")
    assert case.slice("teams/b:churn") == before
    assert case.show("lib/x.py") == "1"
    assert (case.path / "teams/b/model.bin").read_text() == "2"


def test_a_model_of_a_stage_above(case: Case) -> None:
    """Declared in a folder, made by a pipeline stage of the root."""
    more = "artifacts:\n  churn:\n    path: model.bin\n    type: model\n"
    for n in ("1", "2"):
        state = stages(train(n, out="sub/model.bin"), files={**CODE, "sub/dvc.yaml": more})
        root = str(state.files["dvc.yaml"]).partition("artifacts:")[0]
        case.save(replace(state, files={**state.files, "dvc.yaml": root}), f"sub=churn@v0.{n}.0")
    case.back_and_forth("sub:churn")
    case.back("sub:churn")
    assert (case.path / "sub/model.bin").read_text() == "1"


def test_a_directory_with_code_and_data(case: Case) -> None:
    """A dependency that holds files of Git and outputs of DVC comes back with both."""
    for n in ("1", "2"):
        prepare = Run(name="prepare", outs={f"data/{n}.csv": n}, cmd="prepare")
        case.save(stages(prepare, train(n, deps=("data",)), files={"data/README": n}), f"churn@v0.{n}.0")
    case.back_and_forth()
    case.back()
    assert case.show("data/.gitignore") == "/1.csv\n"
    assert not (case.path / "data/2.csv").exists()


def test_a_frozen_stage(case: Case) -> None:
    """Its flag is a part of its definition."""
    then, now = stages(train("1"), files=CODE), stages(train("2"), files=CODE)
    frozen = str(then.files["dvc.yaml"]).replace("    deps:", "    frozen: true\n    deps:")
    case.save(replace(then, files={**then.files, "dvc.yaml": frozen}), "churn@v0.1.0")
    case.save(now, "churn@v0.2.0")
    case.back_and_forth()
    case.back()
    assert "frozen: true" in case.show("dvc.yaml")


@pytest.mark.parametrize("report", [True, False])
def test_stages_in_braces(case: Case, report: bool) -> None:
    """A `dvc.yaml` that only rewriting could change is restored whole, but never at the cost of another stage."""
    for n in ("1", "2"):
        more = ", report: {cmd: report, outs: [report.txt]}" if report and n == "2" else ""
        yaml = f"stages: {{train: {{cmd: make {n}, deps: [train.py], outs: [model.bin]}}{more}}}\n" + ARTIFACT
        runs = (train(n), *([Run(name="report", outs={"report.txt": "x"}, cmd="report")] if more else []))
        case.save(State(files={"dvc.yaml": yaml, **CODE}, runs=runs), f"churn@v0.{n}.0")
    if report:
        assert "dvc.yaml:report" in case.refused("churn", "v0.1.0")
        return
    assert any("dvc.yaml" in note for note in case.run("churn", "v0.1.0", "--json").json["notes"])
    case.same("churn", "v0.1.0")


def test_an_alias_in_a_stage(case: Case) -> None:
    """An anchor that HEAD has no more cannot be spliced: the whole file, as long as nobody else is in it."""
    then = stages(train("1"), files=CODE)
    yaml = str(then.files["dvc.yaml"]).replace("    deps:\n    - train.py\n", "    deps: *code\n")
    yaml = "x-code: &code\n- train.py\n" + yaml
    case.save(replace(then, files={**then.files, "dvc.yaml": yaml}), "churn@v0.1.0")
    case.save(stages(train("2"), files=CODE), "churn@v0.2.0")
    case.back()
    assert case.show("dvc.yaml") == yaml


def test_what_lies_in_the_way(case: Case) -> None:
    """An untracked file where code or an output would come is not overwritten."""
    case.save(stages(train("1", deps=("old.py",)), files={"old.py": "x\n"}), "churn@v0.1.0")
    case.save(stages(train("2"), files=CODE), "churn@v0.2.0")
    (case.path / "old.py").write_text("mine\n")
    assert "old.py" in case.refused("churn", "v0.1.0")
    assert (case.path / "old.py").read_text() == "mine\n"


# DVC's own opinion ------------------------------------------------------------------------------------------------


def _split() -> tuple[State, State]:
    prepare = Run(name="prepare", outs={"data/rows.csv": "a\n", "data/more": "b\n"}, folders=("data",), cmd="prepare")
    return stages(train("1"), files=CODE), stages(prepare, train("2", deps=("data", "train.py")), files=CODE)


def _in_git() -> tuple[State, State]:
    made = []
    for n in ("1", "2"):
        run = Run(name="train", deps=("src",), outs={"model.bin": n}, in_git=("m.json", "plots"), cmd=f"make {n}")
        made.append(stages(run, files={"src/a.py": n, f"src/{n}.py": n, "m.json": n, f"plots/{n}.txt": n}))
    return made[0], made[1]


def _moved() -> tuple[State, State]:
    one = stages(train("1", "fit", out="old/model.bin"), files=CODE, path="old/model.bin")
    return one, stages(train("2", out="new/model.bin"), files=CODE, path="new/model.bin")


def test_dvc_status_is_clean(tmp_path: Path, home: Path, modelver: Modelver) -> None:
    """After going back, and forth again, real dvc finds nothing changed in any of these projects."""
    items = {"a": 1, "b": 2}
    pairs = [
        _split(),
        _in_git(),
        _moved(),
        (templated(1, 6), templated(2, 8)),
        (group(items), group({"a": 1, "c": 4}, do="faster")),
        (group(items, kind="matrix"), group({"a": 1}, kind="matrix", code="print()\n")),
        (simple(6, file="p.toml", params="[train]\ndepth = {}\n"), simple(8, params="train: {depth: {}}\n")),
        (
            simple(6, file="p.py", params="DEPTH = {}\n", key="DEPTH"),
            simple(8, file="p.py", params="DEPTH = {}\n", key="DEPTH"),
        ),
    ]
    cases = []
    for at, (then, now) in enumerate(pairs):
        case = Case(Git(tmp_path / str(at), home).init(), modelver)
        case.save(then, "churn@v0.1.0")
        case.save(now, "churn@v0.2.0")
        case.back()
        cases.append(case)
    first = cases[0].git
    asked = [["--cd", str(case.path), "status", "--json"] for case in cases]
    before = run_dvc(first, *asked).split()
    for case in cases:
        case.back("churn", "v0.2.0")
    assert before == ["{}"] * len(cases)
    assert run_dvc(first, *asked).split() == ["{}"] * len(cases)


# Size -------------------------------------------------------------------------------------------------------------


def test_a_large_project_is_planned_fast(case: Case) -> None:
    """40 pipeline stages and 20 models: the plan takes less than a second of CPU."""
    for version, n in (("v0.1.0", 1), ("v0.2.0", 2)):
        runs = []
        for at in range(20):
            value = {"params.yaml": {f"m{at}.depth": n if at == 3 else 0}}
            runs.append(
                Run(name=f"prepare{at}", deps=(f"src/p{at}.py",), outs={f"data/{at}.csv": f"{at}"}, cmd="prepare")
            )
            out = {f"models/{at}.bin": f"{at} {n if at == 3 else 0}"}
            runs.append(
                Run(name=f"train{at}", deps=(f"data/{at}.csv", f"src/t{at}.py"), outs=out, params=value, cmd="train")
            )
        code = {f"src/{kind}{at}.py": "pass\n" for kind in "pt" for at in range(20)}
        more = "".join(f"  m{at}:\n    path: models/{at}.bin\n    type: model\n" for at in range(20) if at != 3)
        values = "".join(f"m{at}:\n  depth: {n if at == 3 else 0}\n" for at in range(20))
        state = stages(*runs, files={**code, "params.yaml": values}, path="models/3.bin", more=more)
        yaml = str(state.files["dvc.yaml"])
        for at in range(20):
            yaml = yaml.replace(f"    - models/{at}.bin\n", f"    - models/{at}.bin\n    params:\n    - m{at}.depth\n")
        case.save(replace(state, files={**state.files, "dvc.yaml": yaml}), f"churn@{version}")
    target, head = case.tree("churn@v0.1.0"), case.tree()
    declared = [declared_one(tree, "churn") for tree in (head, target)]
    assert declared[0] is not None
    assert declared[1] is not None
    start = time.process_time()
    sides = [read_side(tree, one) for tree, one in ((head, declared[0]), (target, declared[1]))]
    plan = plan_slice(sides[0], sides[1], "0" * 40, include_shared=False)
    took = time.process_time() - start
    assert set(plan.files) == {"params.yaml", "dvc.lock"}
    assert took < 1
