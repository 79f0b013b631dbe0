"""How a model was made and measured, as `dvc.lock` and `.dvc` files of a commit say it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvc_modelver.core.declarations import Declared
from dvc_modelver.core.recipe import Input, Kind, Origin, Recipe, Step
from dvc_modelver.dvcio.locate import Commit
from dvc_modelver.dvcio.measures import metrics, metrics_of, params, params_of, projects
from dvc_modelver.dvcio.project import declared, declared_one
from dvc_modelver.dvcio.recipe import own_metrics, own_params, recipe_of
from dvc_modelver.errors import BadInput
from tests.dvcio.trees import MemoryTree, tree_of
from tests.support import DvcRepo

A, B = "a" * 32, "b" * 32
Ends = tuple[Sequence[str], Sequence[str]]
"""What a stage reads and what it writes."""


def entry(path: str, md5: str = A) -> str:
    """A dependency or output in `dvc.lock`; a path with a last slash is a directory."""
    return (
        f"    - path: {path}\n      hash: md5\n      md5: {md5}{'.dir' if path.endswith('/') else ''}\n      size: 5\n"
    )


def locked(name: str, deps: Sequence[str], outs: Sequence[str], more: str = "") -> str:
    """A stage in `dvc.lock`."""
    parts = (("deps", deps), ("outs", outs))
    listed = [f"    {key}:\n{''.join(map(entry, found))}" for key, found in parts if found]
    return f"  {name}:\n    cmd: run {name}\n{more.join(listed) if len(listed) > 1 else ''.join((*listed, more))}"


def lock(*stages: str) -> str:
    """A `dvc.lock`."""
    return f"schema: '2.0'\nstages:\n{''.join(stages)}"


def tracked(path: str, more: str = "", digest: str = A) -> str:
    """A `.dvc` file."""
    return f"{more}outs:\n- md5: {digest}\n  size: 7\n  hash: md5\n  path: {path}\n"


def pipeline(stages: Mapping[str, Ends], models: Mapping[str, str]) -> dict[str, str | bytes]:
    """`dvc.yaml` and `dvc.lock` of plain stages, and the artifacts declared beside them."""
    defined = [f"  {name}: {{cmd: run, deps: {list(d)}, outs: {list(o)}}}\n" for name, (d, o) in stages.items()]
    named = [f"  {name}: {{path: {path}, type: model}}\n" for name, path in models.items()]
    text = f"stages:\n{''.join(defined)}artifacts:\n{''.join(named)}"
    return {"dvc.yaml": text, "dvc.lock": lock(*(locked(name, *ends) for name, ends in stages.items()))}


def recipe(files: Mapping[str, str | bytes], name: str = "m") -> Recipe:
    """The recipe of one artifact of these files."""
    tree = MemoryTree(files)
    return recipe_of(Commit(tree), one(tree, name))


def one(tree: MemoryTree, name: str) -> Declared:
    found = declared_one(tree, name)
    assert found is not None
    return found


def names(steps: Sequence[Step]) -> list[str]:
    return [step.name for step in steps]


def read(step: Step) -> dict[str, tuple[Kind, str | None]]:
    """Path -> kind, and who names its bytes."""
    return {found.output.path: (found.kind, found.by) for found in step.inputs}


def data(found: Recipe) -> list[str]:
    return [item.output.path for item in found.data]


# The way to the model ---------------------------------------------------------------------------------------------


LINE: dict[str, Ends] = {
    "evaluate": (["m", "eval.py"], ["s.json"]),
    "train": (["clean", "train.py"], ["m"]),
    "prepare": (["raw.csv"], ["clean"]),
}


def test_a_line_of_stages() -> None:
    """The stages up to the model in running order, what each read, and those that read the model."""
    files = pipeline(LINE, {"m": "m"}) | {"raw.csv.dvc": tracked("raw.csv"), "train.py": "", "eval.py": ""}
    found = recipe(files)
    assert (names(found.steps), names(found.evaluation)) == (["prepare", "train"], ["evaluate"])
    prepare, train = found.steps
    assert read(prepare) == {"raw.csv": (Kind.DATA, "raw.csv.dvc")}
    assert read(train) == {"clean": (Kind.STAGE, "prepare"), "train.py": (Kind.CODE, None)}
    assert read(found.evaluation[0]) == {"m": (Kind.STAGE, "train"), "eval.py": (Kind.CODE, None)}
    assert (train.cmd, [out.path for out in train.outs]) == ("run train", ["m"])
    assert (data(found), [item.output.path for item in found.code]) == (["clean", "raw.csv"], ["eval.py", "train.py"])
    assert found.origin is None


def test_inputs_have_the_bytes_that_were_read() -> None:
    """Digest and size are those of the lock entry, also where the data were replaced since."""
    found = recipe(pipeline(LINE, {"m": "m"}) | {"raw.csv.dvc": tracked("raw.csv", digest=B)})
    (raw,) = found.steps[0].inputs
    assert (raw.output.digest, raw.output.size) == (f"md5:{A}", 5)


DIAMOND: dict[str, Ends] = {
    "train": (["left", "right"], ["m"]),
    "left": (["base"], ["left"]),
    "right": (["base", "left"], ["right"]),
    "base": (["raw"], ["base"]),
}


@pytest.mark.parametrize("order", [*permutations(DIAMOND)])
def test_a_diamond_is_walked_once(order: Sequence[str]) -> None:
    """Each stage stands once, behind those whose outputs it reads, in whatever order the lock has them."""
    found = names(recipe(pipeline({name: DIAMOND[name] for name in order}, {"m": "m"})).steps)
    assert found == ["base", "left", "right", "train"]


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, Ends]:
    """Stages `s0`..., each reading outputs of earlier ones; the lock has them in any order."""
    count = draw(st.integers(1, 9))
    stages: dict[str, Ends] = {}
    for n in range(count):
        before = draw(st.lists(st.integers(0, n - 1), max_size=3, unique=True)) if n else []
        stages[f"s{n}"] = ([f"o{at}" for at in before] or ["raw"], [f"o{n}"])
    return {name: stages[name] for name in draw(st.permutations(list(stages)))}


@given(graphs(), st.data())
def test_any_graph(stages: dict[str, Ends], choice: st.DataObject) -> None:
    """Steps are the ancestors and evaluation the descendants, each behind what it reads, the model's stage last."""
    model = choice.draw(st.sampled_from(sorted(stages)))
    writer = {outs[0]: name for name, (_, outs) in stages.items()}
    reads = {name: {writer[path] for path in deps if path in writer} for name, (deps, _) in stages.items()}
    above = _reached(model, reads)
    below = {name for name in stages if name != model and model in _reached(name, reads)}
    found = recipe(pipeline(stages, {"m": stages[model][1][0]}))
    assert (set(names(found.steps)), set(names(found.evaluation))) == (above, below)
    assert found.steps[-1].name == model
    order = names((*found.steps, *found.evaluation))
    assert len(order) == len(set(order))
    for at, name in enumerate(order):
        assert reads[name] & set(order) <= set(order[:at])


def _reached(start: str, reads: Mapping[str, set[str]]) -> set[str]:
    found = {start}
    while more := {name for known in found for name in reads[known]} - found:
        found |= more
    return found


def test_a_hand_made_circle_ends() -> None:
    """Stages that read each other's outputs are each met once, also one that reads its own."""
    circle: dict[str, Ends] = {
        "train": (["x", "m"], ["m"]),
        "tune": (["m", "y"], ["x"]),
        "score": (["m", "t.json"], ["s.json"]),
        "table": (["s.json"], ["t.json"]),
    }
    found = recipe(pipeline(circle, {"m": "m"}))
    assert sorted(names(found.steps)) == ["train", "tune"]
    assert sorted(names(found.evaluation)) == ["score", "table"]


def test_a_long_line_needs_no_recursion() -> None:
    """1,200 stages behind each other are walked, upstream and downstream."""
    stages: dict[str, Ends] = {f"s{n}": ([f"o{n - 1}"], [f"o{n}"]) for n in range(1200)}
    files = pipeline(stages, {"first": "o0", "last": "o1199"})
    order = list(stages)
    assert names(recipe(files, "last").steps) == order
    assert names(recipe(files, "first").evaluation) == order[1:]


# What is read -----------------------------------------------------------------------------------------------------


def test_a_directory_that_holds_outputs() -> None:
    """A dependency on a folder is on each output in it: their stages and `.dvc` files are found, DVC's own files no."""
    stages: dict[str, Ends] = {"one": (["raw"], ["d/one"]), "train": (["d/"], ["m"])}
    files = pipeline(stages, {"m": "m"}) | {"d/two.dvc": tracked("two"), "d/.gitignore": "/one\n/two\n"}
    found = recipe(files)
    assert names(found.steps) == ["one", "train"]
    assert read(found.steps[1]) == {"d/one": (Kind.STAGE, "one"), "d/two": (Kind.DATA, "d/two.dvc")}
    assert data(found) == ["d/one", "d/two", "raw"]


def test_a_directory_of_code_and_data() -> None:
    """Where Git has more in such a folder than DVC's own files, the folder is code as well."""
    files = pipeline({"train": (["d"], ["m"])}, {"m": "m"}) | {"d/two.dvc": tracked("two"), "d/x.py": ""}
    assert read(recipe(files).steps[0]) == {"d/two": (Kind.DATA, "d/two.dvc"), "d": (Kind.CODE, None)}


def test_a_part_of_a_tracked_directory() -> None:
    """One file of a directory is named by who names the directory, with its own digest."""
    stages: dict[str, Ends] = {"prepare": (["all/a.csv"], ["clean/"]), "train": (["clean/deep/x.csv"], ["m"])}
    found = recipe(pipeline(stages, {"m": "m"}) | {"all.dvc": tracked("all", digest=f"{B}.dir")})
    assert read(found.steps[0]) == {"all/a.csv": (Kind.DATA, "all.dvc")}
    assert read(found.steps[1]) == {"clean/deep/x.csv": (Kind.STAGE, "prepare")}
    assert found.steps[1].inputs[0].output.digest == f"md5:{A}"


@pytest.mark.parametrize("written", ["src", "src/"])
def test_folders_and_files_in_git_are_code(written: str) -> None:
    """A folder without outputs is code, however the stage writes it."""
    found = recipe(pipeline({"train": ([written, "a.py"], ["m"])}, {"m": "m"}) | {"src/x.py": "", "a.py": ""})
    assert read(found.steps[0]) == {"src": (Kind.CODE, None), "a.py": (Kind.CODE, None)}


def test_data_outside_the_repository() -> None:
    """URLs are data of nobody here; a file that is nowhere as well, and paths that lead out are not followed."""
    stages: dict[str, Ends] = {"train": (["s3://bucket/x", "gone.csv", "../../etc/passwd", "/etc/passwd"], ["m"])}
    assert read(recipe(pipeline(stages, {"m": "m"})).steps[0]) == {
        "s3://bucket/x": (Kind.DATA, None),
        "gone.csv": (Kind.DATA, None),
    }


IMPORT = f"frozen: true\ndeps:\n- path: sets/x.csv\n  repo: {{url: 'https://h/r', rev: main, rev_lock: {'c' * 40}}}\n"
IMPORT_URL = "frozen: true\ndeps:\n- etag: e\n  size: 7\n  path: s3://bucket/x.csv\n"


@pytest.mark.parametrize(
    ("head", "origin"),
    [
        (IMPORT, Origin(path="sets/x.csv", url="https://h/r", rev="main", rev_lock="c" * 40)),
        (IMPORT_URL, Origin(path="s3://bucket/x.csv")),
        ("", None),
    ],
)
def test_origins(head: str, origin: Origin | None) -> None:
    """What `dvc import` and `dvc import-url` brought has its origin, as data and as the model itself."""
    files = pipeline({"train": (["x.csv"], ["m"])}, {"m": "m", "raw": "x.csv"}) | {"x.csv.dvc": tracked("x.csv", head)}
    (item,) = recipe(files).steps[0].inputs
    assert (item.kind, item.by, item.origin) == (Kind.DATA, "x.csv.dvc", origin)
    assert recipe(files, "raw") == Recipe(origin=origin)


def test_a_model_that_no_stage_writes() -> None:
    """`dvc add`, Git, a URL, a stage that never ran, no path at all: an empty recipe."""
    head = "stages: {train: {cmd: x, outs: [never]}}\nartifacts:\n"
    models = {"a": "added", "g": "in-git", "u": "s3://b/x", "n": "never", "o": "../out", "t": "'${x}'"}
    entries = "".join(f"  {name}: {{path: {path}}}\n" for name, path in models.items())
    files = {"dvc.yaml": f"{head}{entries}  none: {{type: model}}\n", "added.dvc": tracked("added"), "in-git": ""}
    assert [recipe(files, name) for name in (*models, "none")] == [Recipe()] * 7


# Groups, directories, several files -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("definition", "stage"),
    [
        ("{foreach: [a, b], do: {cmd: x, deps: [raw], outs: ['${item}.pkl']}}", "each@a"),
        ("{matrix: {k: [a, b]}, cmd: x, deps: [raw], outs: ['${item.k}.pkl']}", "each@a"),
        ("{foreach: {a: {n: 1}, b: {n: 2}}, do: {cmd: x, deps: [raw], outs: ['${key}.pkl']}}", "each@a"),
    ],
)
def test_stages_of_a_group(definition: str, stage: str) -> None:
    """Of a `foreach` or `matrix` group only the stage of this model counts, before and behind it."""
    text = (
        f"stages:\n  each: {definition}\n"
        "  score: {foreach: [a, b], do: {cmd: x, deps: ['${item}.pkl'], outs: ['${item}.json']}}\n"
        "artifacts: {m: {path: a.pkl}}\n"
    )
    parts = [(f"each@{n}", ["raw"], [f"{n}.pkl"]) for n in "ab"] + [
        (f"score@{n}", [f"{n}.pkl"], [f"{n}.json"]) for n in "ab"
    ]
    found = recipe({"dvc.yaml": text, "dvc.lock": lock(*(locked(*part) for part in parts))})
    assert (names(found.steps), names(found.evaluation)) == ([stage], ["score@a"])


def test_working_directories() -> None:
    """Paths of inputs, outputs and files of params are from the root, whatever the stages' `wdir` is."""
    text = (
        "stages:\n"
        "  prepare: {cmd: x, wdir: data, deps: [raw.csv, ../src/p.py], outs: [clean.csv]}\n"
        "  train: {cmd: x, wdir: src, deps: [../data/clean.csv], params: [p.yaml: [lr]], outs: [../m]}\n"
        "  evaluate: {cmd: x, wdir: src, deps: [../m], outs: [s.json]}\n"
        "artifacts: {m: {path: m}}\n"
    )
    params = "    params:\n      p.yaml:\n        lr: 1\n"
    stages = (
        locked("prepare", ["raw.csv", "../src/p.py"], ["clean.csv"]),
        locked("train", ["../data/clean.csv"], ["../m"], params),
        locked("evaluate", ["../m"], ["s.json"]),
    )
    found = recipe(
        {"dvc.yaml": text, "dvc.lock": lock(*stages), "data/raw.csv.dvc": tracked("raw.csv"), "src/p.py": ""}
    )
    assert (names(found.steps), names(found.evaluation)) == (["prepare", "train"], ["evaluate"])
    assert read(found.steps[0]) == {"data/raw.csv": (Kind.DATA, "data/raw.csv.dvc"), "src/p.py": (Kind.CODE, None)}
    assert [out.path for step in (*found.steps, *found.evaluation) for out in step.outs] == [
        "data/clean.csv", "m", "src/s.json"
    ]  # fmt: skip
    assert found.params == {"src/p.yaml": {"lr": 1}}


def test_several_pipeline_files() -> None:
    """Stages of another `dvc.yaml` are found upstream and named as `dvc` takes them; readers behind the model too."""
    files = {
        "data/dvc.yaml": "stages: {prepare: {cmd: x, deps: [raw], outs: [clean]}, look: {cmd: x, deps: [clean]}}\n",
        "data/dvc.lock": lock(locked("prepare", ["raw"], ["clean"]), locked("look", ["clean"], [])),
        "data/raw.dvc": tracked("raw"),
        "train/dvc.yaml": "stages:\n  train: {cmd: x, deps: [../data/clean], outs: [m]}\n"
        "  check: {cmd: x, deps: [m], outs: [t.json]}\n",
        "train/dvc.lock": lock(locked("train", ["../data/clean"], ["m"]), locked("check", ["m"], ["t.json"])),
        "dvc.yaml": "artifacts: {m: {path: train/m}}\n"
        "stages: {score: {cmd: x, deps: [train/m], outs: [s.json]}, report: {cmd: x, deps: [train/t.json]}}\n",
        "dvc.lock": lock(locked("score", ["train/m"], ["s.json"]), locked("report", ["train/t.json"], [])),
    }
    found = recipe(files)
    assert names(found.steps) == ["data/dvc.yaml:prepare", "train/dvc.yaml:train"]
    assert sorted(names(found.evaluation)) == ["report", "score", "train/dvc.yaml:check"]
    assert read(found.steps[1]) == {"data/clean": (Kind.STAGE, "data/dvc.yaml:prepare")}
    assert data(found) == ["data/clean", "data/raw"]


# Behind the model -------------------------------------------------------------------------------------------------


def test_evaluation_goes_on() -> None:
    """A report on the metrics, and a table of the report, belong to it, each behind what it reads."""
    stages: dict[str, Ends] = {
        "train": (["raw"], ["m"]),
        "table": (["report.md"], ["table.md"]),
        "report": (["m", "s.json"], ["report.md"]),
        "score": (["m"], ["s.json"]),
    }
    assert names(recipe(pipeline(stages, {"m": "m"})).evaluation) == ["score", "report", "table"]


def test_other_models_are_left_out() -> None:
    """Of two models of one file each has its own stages; what both lead to belongs to both."""
    stages: dict[str, Ends] = {
        "one": (["raw"], ["one.pkl"]),
        "two": (["raw"], ["two.pkl"]),
        "score1": (["one.pkl"], ["one.json"]),
        "score2": (["two.pkl"], ["two.json"]),
        "compare": (["one.json", "two.json"], ["all.json"]),
    }
    files = pipeline(stages, {"one": "one.pkl", "two": "two.pkl"})
    for name, number in (("one", "1"), ("two", "2")):
        found = recipe(files, name)
        assert (names(found.steps), names(found.evaluation)) == ([name], [f"score{number}", "compare"])


def test_a_model_in_a_tracked_directory() -> None:
    """The stage that writes the folder made it; who reads the whole folder or the model measured it, a sibling's no."""
    stages: dict[str, Ends] = {
        "train": (["raw"], ["models/"]),
        "all": (["models/"], ["all.json"]),
        "mine": (["models/a.pkl"], ["a.json"]),
        "other": (["models/b.pkl"], ["b.json"]),
    }
    found = recipe(pipeline(stages, {"m": "models/a.pkl"}))
    assert (names(found.steps), sorted(names(found.evaluation))) == (["train"], ["all", "mine"])
    assert [out.path for out in found.steps[0].outs] == ["models"]


def test_a_directory_model_is_read_in_part() -> None:
    """Who reads one file of a model that is a directory reads the model."""
    stages: dict[str, Ends] = {"train": (["raw"], ["m/"]), "score": (["m/weights.bin"], ["s.json"])}
    assert names(recipe(pipeline(stages, {"m": "m"})).evaluation) == ["score"]


def test_stale_lock_entries_are_not_believed() -> None:
    """A stage that is no longer defined neither made nor measured anything."""
    files = pipeline(LINE, {"m": "m"})
    gone = {**LINE, "old": (["m"], ["x"]), "older": ([], ["raw.csv"])}
    files["dvc.lock"] = lock(*(locked(name, *ends) for name, ends in gone.items()))
    found = recipe(files)
    assert (names(found.steps), names(found.evaluation)) == (["prepare", "train"], ["evaluate"])
    assert read(found.steps[0]) == {"raw.csv": (Kind.DATA, None)}


def test_a_broken_file_on_the_way_is_bad_input() -> None:
    """The lock of the model's own file has to be readable."""
    with pytest.raises(BadInput, match=r"dvc\.lock"):
        recipe(pipeline(LINE, {"m": "m"}) | {"dvc.lock": "schema: '9'\n"})


# Params and metrics -----------------------------------------------------------------------------------------------


PARAMS = """\
    params:
      params.yaml:
        lr: 1e-05
        train:
          depth: 6
          sizes:
          - 1
          - 2
        train.seed: 7
      other.json:
        name: x
"""


def test_params_are_flat_and_as_the_lock_has_them() -> None:
    """Keys as they are in the params of a file, dotted, values with their types, lists as JSON."""
    files = pipeline({"train": (["raw"], ["m"])}, {"m": "m"})
    found = recipe({**files, "dvc.lock": lock(locked("train", ["raw"], ["m"], PARAMS)), "params.yaml": "lr: 9\n"})
    assert found.params == {
        "other.json": {"name": "x"},
        "params.yaml": {"lr": 1e-05, "train.depth": 6, "train.sizes": "[1,2]", "train.seed": 7},
    }
    assert isinstance(found.params["params.yaml"]["lr"], float)


SHARED = """\
stages:
  base: {cmd: x, deps: [raw], params: [rows], outs: [clean]}
  one: {cmd: x, deps: [clean], params: [one.lr], outs: [one.pkl]}
  two: {cmd: x, deps: [clean], params: [two.lr], outs: [two.pkl]}
  score1: {cmd: x, deps: [one.pkl], params: [score.k], metrics: [one.json: {cache: false}]}
  score2: {cmd: x, deps: [two.pkl], metrics: [two.json: {cache: false}]}
metrics: [all.json]
artifacts: {one: {path: one.pkl}, two: {path: two.pkl}, raw: {path: raw}}
"""


def shared() -> MemoryTree:
    """Two models of one `dvc.yaml`, with params and metrics of their own and of both."""

    def ran_with(*keys: str) -> str:
        return "    params:\n      params.yaml:\n" + "".join(f"        {key}: 1\n" for key in keys)

    stages = (
        locked("base", ["raw"], ["clean"], ran_with("rows")),
        locked("one", ["clean"], ["one.pkl"], ran_with("one.lr")),
        locked("two", ["clean"], ["two.pkl"], ran_with("two.lr")),
        locked("score1", ["one.pkl"], ["one.json"], ran_with("score.k")),
        locked("score2", ["two.pkl"], ["two.json"]),
    )
    files = dict.fromkeys(("one.json", "two.json", "all.json"), '{"auc": 1}')
    values = "{rows: 1, one: {lr: 2, unused: 0}, two: {lr: 3}, score: {k: 4}}\n"
    return MemoryTree({"dvc.yaml": SHARED, "dvc.lock": lock(*stages), "params.yaml": values, **files})


def test_each_model_has_its_own_params() -> None:
    """Those that its stages and its evaluation ran with, by the file's values; all for one without a recipe."""
    tree = shared()
    commit = Commit(tree)
    values = params_of(commit, projects(commit, one(tree, "one"))).values
    own = {name: own_params(values, recipe_of(commit, one(tree, name))) for name in ("one", "two", "raw")}
    assert own["one"] == {"params.yaml": {"rows": 1, "one.lr": 2, "score.k": 4}}
    assert own["two"] == {"params.yaml": {"rows": 1, "two.lr": 3}}
    assert own["raw"] == values
    assert own_params({}, recipe_of(commit, one(tree, "one"))) == {}


def test_each_model_has_its_own_metrics() -> None:
    """Those that its stages wrote and those of nobody; all where that would leave none."""
    tree = shared()
    commit = Commit(tree)
    values = metrics_of(commit, projects(commit, one(tree, "one"))).values
    assert set(values) == {"one.json", "two.json", "all.json"}
    for name, other in (("one", "two.json"), ("two", "one.json")):
        found = own_metrics(commit, one(tree, name), values, recipe_of(commit, one(tree, name)))
        assert set(found) == set(values) - {other}
    theirs = {"two.json": values["two.json"]}
    assert own_metrics(commit, one(tree, "one"), theirs, recipe_of(commit, one(tree, "one"))) == theirs


# Asked many times ------------------------------------------------------------------------------------------------


READERS = """\
stages:
  whole: {cmd: x, deps: [d/]}
  part: {cmd: x, deps: [d/deep/x.csv]}
  twice: {cmd: x, deps: [d/deep/x.csv, d/deep/y.csv]}
  other: {cmd: x, deps: [dd/x.csv]}
  url: {cmd: x, deps: ['s3://b/x.csv']}
  moved: {cmd: x, wdir: w, deps: [../d/deep]}
"""


@pytest.mark.parametrize(
    ("path", "stages"),
    [
        ("d/deep/x.csv", ["part", "twice", "whole", "moved"]),
        ("d/deep", ["part", "twice", "moved", "whole"]),
        ("d", ["whole", "part", "twice", "moved"]),
        ("d/z", ["whole"]),
        ("d/deep/x.csv/in/it", ["part", "twice", "moved", "whole"]),
        ("dd", ["other"]),
        ("s3://b/x.csv", ["url"]),
        ("x.csv", []),
        ("w", []),
    ],
)
def test_readers_of_a_path(path: str, stages: Sequence[str]) -> None:
    """Who reads it, something in it or a directory around it; undefined stages and names that begin alike do not."""
    deps = {
        "whole": ["d/"],
        "part": ["d/deep/x.csv"],
        "twice": ["d/deep/x.csv", "d/deep/y.csv"],
        "other": ["dd/x.csv"],
        "url": ["s3://b/x.csv"],
        "moved": ["../d/deep"],
        "gone": ["d/deep/x.csv"],
    }
    tree = MemoryTree({"dvc.yaml": READERS, "dvc.lock": lock(*(locked(name, read, []) for name, read in deps.items()))})
    commit = Commit(tree)
    found = commit.readers("dvc.yaml", path)
    assert (sorted(found), len(found)) == (sorted(stages), len(set(found)))
    assert commit.readers("dvc.yaml", path) == found
    assert commit.readers("none/dvc.yaml", path) == ()


def test_a_path_is_looked_for_once() -> None:
    """Asked again, a tree gives the same answer, also that there is none, and is not looked at; `near` counts."""
    files = {
        "a/dvc.yaml": "stages: {s: {cmd: x, outs: [../m]}}\n",
        "a/dvc.lock": lock(locked("s", [], ["../m"])),
        "m.dvc": tracked("m", digest=B),
    }
    tree = MemoryTree(files)
    commit = Commit(tree)
    first = [commit.find("m", near) for near in ("a/dvc.yaml", "dvc.yaml")]
    assert [found and found.file for found in first] == ["a/dvc.yaml", "m.dvc"]
    assert commit.find("gone", "dvc.yaml") is None
    tree.asked.clear()
    assert [commit.find("m", near) for near in ("a/dvc.yaml", "dvc.yaml")] == first
    assert commit.find("gone", "dvc.yaml") is None
    assert tree.asked == []


def test_models_of_one_project_share_params_and_metrics() -> None:
    """What is read for the project's files is what is read for each of its models; one commit reads a file once."""
    tree = shared()
    commit = Commit(tree)
    found = projects(commit, one(tree, "one"))
    assert found == projects(commit, one(tree, "two"))
    assert params_of(commit, found) == params(tree, one(tree, "two"))
    assert metrics_of(commit, found) == metrics(tree, one(tree, "two"))
    assert params_of(commit, ()).values == metrics_of(commit, ()).values == {}
    tree.asked.clear()
    params_of(commit, found)
    assert not {"dvc.yaml", "dvc.lock"} & set(tree.asked)


def test_params_and_metrics_of_two_files() -> None:
    """The model's own `dvc.yaml` and that of its stage are one project; a file is read whole if one asks."""
    files = {
        "dvc.yaml": "artifacts: {m: {path: sub/m}}\nparams: [p.json]\nmetrics: [top.json]\n",
        "sub/dvc.yaml": "stages: {s: {cmd: x, params: [../p.json: [a]], outs: [m],\n"
        "  metrics: [s.json: {cache: false}]}}\n",
        "sub/dvc.lock": lock(locked("s", [], ["m", "s.json"])),
        "p.json": '{"a": 1, "b": 2}',
        "top.json": '{"t": 1}',
        "sub/s.json": '{"s": 1}',
    }
    tree = MemoryTree(files)
    commit = Commit(tree)
    found = projects(commit, one(tree, "m"))
    assert [pipeline.file for pipeline in found] == ["dvc.yaml", "sub/dvc.yaml"]
    assert params_of(commit, found).values == {"p.json": {"a": 1, "b": 2}}
    assert params_of(commit, found[1:]).values == {"p.json": {"a": 1}}
    assert metrics_of(commit, found).values == {"sub/s.json": {"s": 1}, "top.json": {"t": 1}}


# DVC itself -------------------------------------------------------------------------------------------------------


def test_what_dvc_wrote(dvc_repo: DvcRepo) -> None:
    """Of a pipeline that DVC ran: its three stages, data, code, params as trained, and the bytes that lie there."""
    tree = tree_of(dvc_repo.path)
    (model,) = declared(tree).artifacts
    found = recipe_of(Commit(tree), model)
    assert (names(found.steps), names(found.evaluation)) == (["prepare", "train"], ["evaluate"])
    assert data(found) == ["data/prepared.csv", "data/raw.csv"]
    assert [item.output.path for item in found.code] == ["src/evaluate.py", "src/prepare.py", "src/train.py"]
    assert found.params == {"params.yaml": {"prepare.keep": 30, "train.lr": 1e-05, "train.depth": 6}}
    assert found.steps[1].cmd == "python src/train.py"
    assert all(_as_on_disk(dvc_repo, item) for step in (*found.steps, *found.evaluation) for item in step.inputs)
    (out,) = found.steps[1].outs
    assert (out.path, out.size, out.cached) == (dvc_repo.MODEL, dvc_repo.model.stat().st_size, True)


def _as_on_disk(repo: DvcRepo, item: Input) -> bool:
    import hashlib

    data = (repo.path / item.output.path).read_bytes()
    return (item.output.digest, item.output.size) == (f"md5:{hashlib.md5(data).hexdigest()}", len(data))


def test_what_dvc_ran_again(dvc_repo: DvcRepo) -> None:
    """After another training by DVC the recipe has the new params and the new model's digest."""
    tree = tree_of(dvc_repo.path)
    (model,) = declared(tree).artifacts
    before = recipe_of(Commit(tree), model)
    dvc_repo.train(9)
    after = recipe_of(Commit(tree_of(dvc_repo.path)), model)
    assert after.params == {"params.yaml": {"prepare.keep": 30, "train.lr": 1e-05, "train.depth": 9}}
    assert after.steps[0] == before.steps[0]
    assert after.steps[1].outs != before.steps[1].outs
    assert after.evaluation[0].inputs[0].output == after.steps[1].outs[0]
