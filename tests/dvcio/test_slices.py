"""What belongs to one model's slice, what does not, and what changes it."""

from __future__ import annotations

import time

import pytest

from dvc_modelver.core.facts import Slice
from dvc_modelver.dvcio.facts import data_of, metrics, params, slice_of
from dvc_modelver.dvcio.project import declared
from tests.dvcio.trees import MemoryTree

A = "a" * 32


def _entry(path: str, md5: str = A) -> str:
    return f"    - path: {path}\n      hash: md5\n      md5: {md5}\n      size: 5\n"


FILES = {
    "dvc.yaml": (
        "vars: [{depth: 3, unused: 1}, more.yaml]\n"
        "stages:\n"
        "  train: {cmd: 'x ${depth} ${other.key}', deps: [raw.csv, code.py], params: [lr], outs: [m.pkl]}\n"
        "  beside: {cmd: y, outs: [n.pkl]}\n"
        "artifacts: {m: {path: m.pkl}, n: {path: n.pkl}}\n"
    ),
    "dvc.lock": (
        "schema: '2.0'\nstages:\n"
        f"  train:\n    cmd: x\n    deps:\n{_entry('code.py')}{_entry('raw.csv')}"
        f"    params:\n      params.yaml:\n        lr: 1\n    outs:\n{_entry('m.pkl')}"
        f"  beside:\n    cmd: y\n    outs:\n{_entry('n.pkl')}"
    ),
    "raw.csv.dvc": f"outs: [{{md5: {A}, size: 5, hash: md5, path: raw.csv}}]\n",
    "code.py": "1",
    "params.yaml": "lr: 1\nother: 2\n",
    "more.yaml": "other: {key: 1}\n",
    "README.md": "",
}


def _slice(name: str = "m", **changes: str) -> Slice:
    tree = MemoryTree({**FILES, **{path.replace("__", "."): text for path, text in changes.items()}})
    artifact = declared(tree).get(name)
    assert artifact is not None
    return slice_of(tree, artifact)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("dvc.yaml", "cmd: 'x", "cmd: 'xx"),
        ("dvc.yaml", "depth: 3", "depth: 4"),
        ("dvc.yaml", "{path: m.pkl}", "{path: m.pkl, desc: d}"),
        ("dvc.lock", "lr: 1", "lr: 2"),
        ("raw.csv.dvc", "size: 5", "size: 6"),
        ("code.py", "1", "2"),
        ("params.yaml", "lr: 1", "lr: 2"),
        ("more.yaml", "key: 1", "key: 2"),
    ],
)
def test_what_makes_the_model_changes_its_slice(file: str, old: str, new: str) -> None:
    """Definition, the vars it uses, artifact entry, lock, data, code and params each count."""
    assert old in FILES[file]
    assert _slice(**{file.replace(".", "__"): FILES[file].replace(old, new, 1)}).parts != _slice().parts


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("dvc.yaml", "cmd: y", "cmd: z"),
        ("dvc.yaml", "unused: 1", "unused: 2"),
        ("dvc.yaml", "n: {path: n.pkl}", "n: {path: n.pkl, desc: d}"),
        ("dvc.yaml", "vars:", "# a comment\nvars:"),
        ("dvc.lock", "cmd: y", "cmd: z"),
        ("params.yaml", "other: 2", "other: 3"),
        ("README.md", "", "text"),
    ],
)
def test_what_lies_beside_does_not(file: str, old: str, new: str) -> None:
    """Other stages, models, params and files, and how a file is written, are not part of it."""
    assert old in FILES[file]
    assert _slice(**{file.replace(".", "__"): FILES[file].replace(old, new, 1)}).parts == _slice().parts


def test_files_and_outputs_of_the_slice() -> None:
    """The files to compare with HEAD, and the outputs whose bytes are needed."""
    found = _slice()
    assert found.files == ("code.py", "dvc.lock", "dvc.yaml", "more.yaml", "params.yaml", "raw.csv.dvc")
    assert [output.path for output in found.outputs] == ["m.pkl", "raw.csv"]
    assert list(found.parts) == sorted(set(found.parts), key=lambda part: (part.kind, part.path))


def test_data_is_as_the_stage_read_it() -> None:
    """The digest of an input is the one in the lock file: the bytes that the model was made from."""
    tree = MemoryTree({**FILES, "raw.csv.dvc": FILES["raw.csv.dvc"].replace(A, "b" * 32)})
    artifact = declared(tree).get("m")
    assert artifact is not None
    (data,) = data_of(tree, artifact)
    assert (data.path, data.digest, data.size) == ("raw.csv", f"md5:{A}", 5)


def test_a_stage_that_never_ran_leaves_its_definition() -> None:
    """Without a lock entry the slice is the definition and the artifact's entry."""
    found = _slice(dvc__lock="schema: '2.0'\nstages: {}\n")
    assert [part.kind for part in found.parts] == ["artifact", "definition"]


def test_stages_that_depend_on_each_other_end() -> None:
    """A cycle, which DVC refuses, is walked once."""
    yaml = (
        "stages:\n  a: {cmd: x, deps: [y], outs: [m.pkl]}\n  b: {cmd: x, deps: [m.pkl], outs: [y]}\n"
        "artifacts: {m: {path: m.pkl}}\n"
    )
    lock = "schema: '2.0'\nstages:\n" + "".join(
        f"  {name}:\n    cmd: x\n    deps:\n{_entry(dep)}    outs:\n{_entry(out)}"
        for name, dep, out in (("a", "y", "m.pkl"), ("b", "m.pkl", "y"))
    )
    assert len(_slice(dvc__yaml=yaml, dvc__lock=lock).parts) == 5


def test_models_in_git_and_in_dvc_files_have_slices() -> None:
    """Without a pipeline the slice is the entry and the file that names the bytes."""
    yaml = "artifacts: {m: {path: code.py}, n: {path: raw.csv}, o: {path: 's3://b/x'}}\n"
    kinds = {name: [part.kind for part in _slice(name, dvc__yaml=yaml).parts] for name in "mno"}
    assert kinds == {"m": ["artifact", "code"], "n": ["artifact", "dvc"], "o": ["artifact"]}


def test_a_pipeline_of_hundreds_of_stages_is_walked_in_time() -> None:
    """A chain of 300 stages takes seconds at most."""
    names = [f"s{at}" for at in range(300)]
    outs = [f"out{at}" for at in range(300)]
    yaml = "artifacts: {m: {path: out299}}\nstages:\n" + "".join(
        f"  {name}: {{cmd: x, deps: [out{at - 1}], outs: [out{at}]}}\n" for at, name in enumerate(names)
    )
    lock = "schema: '2.0'\nstages:\n" + "".join(
        f"  {name}:\n    cmd: x\n    deps:\n{_entry(f'out{at - 1}')}    outs:\n{_entry(outs[at])}"
        for at, name in enumerate(names)
    )
    began = time.perf_counter()
    assert len(_slice(dvc__yaml=yaml, dvc__lock=lock).outputs) == 300
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize(
    "text", ["a: [", "a: " + "[" * 20_000, "!!python/object/apply:os.system [x]", "a: &a [*a]", "<<<<<<< HEAD\na: 1\n"]
)
def test_broken_params_and_metrics_become_problems(text: str) -> None:
    """One file that cannot be read is named; the others are shown."""
    yaml = "metrics: [bad.yaml, good.json]\nparams: [bad.yaml]\nartifacts: {m: {path: m.pkl}}\n"
    tree = MemoryTree({"dvc.yaml": yaml, "bad.yaml": text, "good.json": '{"a": 1}', "params.yaml": "p: 1\n"})
    artifact = declared(tree).get("m")
    assert artifact is not None
    shown = metrics(tree, artifact)
    assert (dict(shown.values), [problem.file for problem in shown.problems]) == ({"good.json": {"a": 1}}, ["bad.yaml"])
    read = params(tree, artifact)
    assert (dict(read.values), [problem.file for problem in read.problems]) == ({"params.yaml": {"p": 1}}, ["bad.yaml"])


@pytest.mark.parametrize("path", ["../x.json", "/etc/passwd", ".git/config", "link/x.json", "file:///etc/passwd"])
def test_params_and_metrics_never_leave_the_tree(path: str) -> None:
    """Paths that lead out or through a link are not read."""
    yaml = f"metrics: ['{path}']\nparams: ['{path}']\nartifacts: {{m: {{path: m.pkl}}}}\n"
    tree = MemoryTree({"dvc.yaml": yaml}, links={"link": "/etc"})
    artifact = declared(tree).get("m")
    assert artifact is not None
    assert not metrics(tree, artifact).values
    assert not params(tree, artifact).values
    assert not [asked for asked in tree.asked if ".." in asked or asked.startswith(("/", ".git", "file:", "link/"))]


def test_a_project_sees_its_own_params_and_metrics() -> None:
    """In a repository of several `dvc.yaml` files each model sees those of its own; paths are from the Git root."""
    one = "metrics: [m.json]\nartifacts: {m: {path: m.pkl}}\n"
    tree = MemoryTree({
        **{f"{where}/dvc.yaml": one for where in "ab"},
        **{f"{where}/m.json": f'{{"at": "{where}"}}' for where in "ab"},
        "a/params.yaml": "p: 1\n",
    })  # fmt: skip
    artifact = declared(tree).get("a:m")
    assert artifact is not None
    assert dict(metrics(tree, artifact).values) == {"a/m.json": {"at": "a"}}
    assert dict(params(tree, artifact).values) == {"a/params.yaml": {"p": 1}}
