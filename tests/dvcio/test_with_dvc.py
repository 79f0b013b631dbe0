"""Facts, params and metrics of a real repository, beside what DVC itself says of it."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dvc_modelver.core.declarations import Declared
from dvc_modelver.core.facts import Output, Scalar
from dvc_modelver.dvcio.facts import artifact_facts, data_of, metrics, params, slice_of
from dvc_modelver.dvcio.locate import Commit
from dvc_modelver.dvcio.lock import parse_lock, parse_lock_fully
from dvc_modelver.dvcio.project import declared
from dvc_modelver.dvcio.values import flatten_metrics
from tests.dvcio.trees import MemoryTree, tree_of
from tests.support.environment import prepare_home
from tests.support.git import Git
from tests.support.repos import run_dvc

WRITE = """\
import json, os, sys
for out in sys.argv[1:]:
    os.makedirs(os.path.dirname(out) or ".", exist_ok=True)
    if out.endswith("/"):
        os.makedirs(out + "deep")
        for name in ("a.txt", "b.txt", "deep/x.json"):
            with open(out + name, "w") as file:
                file.write(json.dumps({name: 1}))
    else:
        score = {"acc": 0.5, "n": {"f1": 1e-05, "list": [1], "none": None, "text": out, "yes": True}}
        with open(out, "w") as file:
            json.dump(score, file)
"""
DVC_YAML = """\
vars:
- greeting: hello
stages:
  prepare:
    cmd: python write.py data/prep/
    deps: [write.py, data/raw.csv, data/folder/a.txt]
    outs: [data/prep/]
  train:
    cmd: python write.py models/m.pkl metrics/m.json "${greeting}.txt"
    deps: [write.py, data/prep/a.txt]
    params: [lr, train.epochs, {conf.py: [A, T.X]}, {conf.toml: }]
    outs: [models/m.pkl, "${greeting}.txt"]
    metrics: [metrics/m.json: {cache: false}]
  each:
    foreach: ${items}
    do:
      cmd: python ../write.py ${item}.bin ${item}.json
      wdir: sub
      deps: [../models/m.pkl, ../src]
      outs: ["${item}.bin"]
      metrics: ["${item}.json": {cache: false}]
  mat:
    matrix: {a: [1], b: [p, q]}
    cmd: python write.py out/${item.a}-${item.b}.bin out/${item.a}-${item.b}.json
    params: [train.sizes]
    outs: ["out/${item.a}-${item.b}.bin"]
    metrics: ["out/${item.a}-${item.b}.json"]
metrics: [top.json, eval]
params: [other.json]
artifacts:
  m: {path: models/m.pkl, type: model}
  prep: {path: data/prep}
  inner: {path: data/prep/deep/x.json}
  raw: {path: data/raw.csv}
  x: {path: sub/x.bin}
  mat: {path: out/1-q.bin}
  code: {path: write.py}
  legacy: {path: legacy.txt}
  moved: {path: data/moved.txt}
"""
FILES = {
    "write.py": WRITE,
    "src/code.py": "",
    "sub/.keep": "",
    "params.yaml": 'lr: 1e-05\non: off\ntrain: {epochs: 010, sizes: [1, 2], none: ~, "dot.ted": 1}\nitems: [x, y]\n',
    "conf.py": "A = 1\nclass T:\n    X: float = 1e-3\n    def __init__(self):\n        self.z = [1, 2]\n",
    "conf.toml": "[t]\nk = 3\n",
    "other.json": '{"o": {"p": 1}}',
    "top.json": '{"top": NaN, "on": true, "list": [1]}',
    "eval/one.json": '{"e": 1}',
    "eval/two.yaml": "e: 1e3\n",
    "data/raw.csv": "1\n",
    "data/folder/a.txt": "2\n",
    "data/folder/b.txt": "3\n",
    "data/moved.txt": "4\n",
    "legacy.txt": "5\n",
    ".gitignore": "__pycache__/\n",
}
ORACLE = """\
import json
from dvc.repo import Repo
repo = Repo(".")
outs = {}
for out in repo.index.outs:
    digest = f"{out.hash_info.name}:{out.hash_info.value}" if out.hash_info else None
    path = repo.fs.relpath(out.fs_path, repo.root_dir)
    outs[path] = [digest, out.hash_name, out.use_cache, out.meta.size, out.meta.nfiles]
print(json.dumps(outs))
"""


def _build(repo: Git) -> None:
    repo.init()
    for name, text in FILES.items():
        repo.write(name, text)
    run_dvc(repo, ["init", "-q"], ["add", "-q", "data/raw.csv", "data/folder", "data/moved.txt", "legacy.txt"])
    legacy = repo.path / "legacy.txt.dvc"
    legacy.write_text(legacy.read_text().replace("  hash: md5\n", ""))
    moved = (repo.path / "data/moved.txt.dvc").read_text()
    (repo.path / "data/moved.txt.dvc").unlink()
    repo.write("tracked/other.dvc", f"wdir: ../data\n{moved}")
    repo.write("dvc.yaml", DVC_YAML)
    run_dvc(repo, ["repro", "-q"])
    repo.commit("Everything")


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Git:
    """One repository with every kind of output, built once per run by real DVC; only to be read."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    repo = Git(shared / "dvcio-real", prepare_home(tmp_path_factory.mktemp("real-home")))
    with open(shared / "dvcio-real.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "dvcio-real.done").exists():
            repo.path.mkdir()  # fails where another worker's attempt failed: it is said once
            _build(repo)
            (shared / "dvcio-real.done").touch()
    return repo


@pytest.fixture(scope="session")
def tree(real: Git) -> MemoryTree:
    """The tree of its commit."""
    return tree_of(real.path)


def _named(tree: MemoryTree, name: str) -> Declared:
    artifact = declared(tree).get(name)
    assert artifact is not None
    return artifact


def _object(real: Git, output: Output) -> bytes | None:
    """The bytes of a file, from DVC's cache."""
    hexes = (output.digest or "").removeprefix("md5:")
    path = real.path / ".dvc/cache/files/md5" / hexes[:2] / hexes[2:]
    return path.read_bytes() if path.exists() else None


def _listing(real: Git, output: Output) -> dict[str, str] | None:
    data = _object(real, output)
    return None if data is None else {entry["relpath"]: entry["md5"] for entry in json.loads(data)}


def _oracle(real: Git) -> dict[str, tuple[object, ...]]:
    done = subprocess.run([sys.executable, "-c", ORACLE], cwd=real.path, env=real.env, capture_output=True, check=True)
    return {path: tuple(facts) for path, facts in json.loads(done.stdout.decode().splitlines()[-1]).items()}


def _facts_of(output: Output) -> tuple[object, ...]:
    digest = output.digest.replace("md5:", f"{output.hash_name}:") if output.digest else None
    return digest, output.hash_name, output.cached, output.size, output.files


def test_outputs_are_those_of_dvcs_index(real: Git, tree: MemoryTree) -> None:
    """Every output has the path, digest, kind of hash, caching, size and file count that DVC's index has."""
    ours = {path: _facts_of(located.output) for path, located in Commit(tree).outputs().items()}
    theirs = _oracle(real)
    assert ours == theirs
    assert len(ours) > 12


def test_every_artifact_is_found(real: Git, tree: MemoryTree) -> None:
    """Each declared artifact has a source and the digest of the bytes that lie in the work tree."""
    import hashlib

    for artifact in declared(tree).artifacts:
        facts = artifact_facts(tree, artifact, listing=lambda output: _listing(real, output))
        assert facts.problem is None, artifact.name
        assert facts.path is not None
        path = real.path / facts.path
        if path.is_file():
            assert facts.digest == f"md5:{hashlib.md5(path.read_bytes()).hexdigest()}"
        else:
            assert facts.digest is not None
            assert facts.digest.endswith(".dir")


def test_metrics_are_those_of_dvc(real: Git, tree: MemoryTree) -> None:
    """`dvc metrics show --json` flattened: all files, directories, cached and templated outputs, all values."""
    shown = json.loads(run_dvc(real, ["metrics", "show", "--json"]))
    theirs = {path: flatten_metrics(result["data"]) for path, result in shown[""]["data"].items()}
    ours = metrics(tree, _named(tree, "m"), blob=lambda output: _object(real, output))
    assert repr(dict(ours.values)) == repr({path: theirs[path] for path in sorted(theirs)})
    assert ours.problems == ()
    assert set(theirs) >= {"eval/one.json", "out/1-q.json", "sub/x.json", "top.json", "metrics/m.json"}


def test_cached_metrics_without_their_bytes_are_reported(tree: MemoryTree) -> None:
    """What only DVC's cache has is left out with a word, and the rest is shown."""
    ours = metrics(tree, _named(tree, "m"))
    assert "metrics/m.json" in ours.values
    assert {problem.file for problem in ours.problems} == {"out/1-p.json", "out/1-q.json"}


def test_params_are_those_of_dvc(real: Git, tree: MemoryTree) -> None:
    """`dvc params diff --all --json` has the same files, keys and values; lists are written as JSON."""
    shown = json.loads(run_dvc(real, ["params", "diff", "--all", "--json", "HEAD"]))
    theirs = {path: {key: change["new"] for key, change in keys.items()} for path, keys in shown.items()}
    ours = params(tree, _named(tree, "m"))
    assert ours.problems == ()
    assert ours.values.keys() == theirs.keys() - {"dvc.yaml"}
    for path, keys in ours.values.items():
        assert {key.replace("\\.", "."): _as_dvc(value) for key, value in keys.items()} == theirs[path]


def _as_dvc(value: Scalar) -> object:
    return str(json.loads(value)) if isinstance(value, str) and value.startswith("[") else value


def test_the_real_lock_is_read_alike_both_ways(tree: MemoryTree) -> None:
    """The lock file that DVC wrote gives the same to the quick way and to the full parser."""
    data = tree.data["dvc.lock"]
    quick, full = parse_lock(data, "dvc.lock"), parse_lock_fully(data, "dvc.lock")
    assert list(quick.stages()) == list(full.stages())
    assert len(quick.names) == 6


def test_the_slice_follows_the_pipeline_upstream(tree: MemoryTree) -> None:
    """From `x` back through train and prepare to the raw data, with code and params, and without what is beside it."""
    found = slice_of(tree, _named(tree, "x"))
    parts = {(part.kind, part.path) for part in found.parts}
    assert parts == {
        ("artifact", "dvc.yaml:x"),
        *(("definition", f"dvc.yaml:{name}") for name in ("each", "train", "prepare")),
        *(("lock", f"dvc.lock:{name}") for name in ("each@x", "train", "prepare")),
        *(("code", path) for path in ("write.py", "src")),
        *(("dvc", path) for path in ("data/raw.csv.dvc", "data/folder.dvc")),
        *(("output", path) for path in ("metrics/m.json", "sub/x.json")),
        *(("params", key) for key in ("params.yaml:lr", "params.yaml:train.epochs", "conf.py:A", "conf.py:T.X")),
        ("params", "conf.toml:t"),
    }
    assert {output.path for output in found.outputs} == {
        "sub/x.bin", "models/m.pkl", "hello.txt", "data/prep", "data/raw.csv", "data/folder"
    }  # fmt: skip


def test_data_is_what_dvc_tracks_and_no_stage_writes(tree: MemoryTree) -> None:
    """The leaves of the walk, with their digests."""
    found = data_of(tree, _named(tree, "x"))
    assert [(output.path, output.files) for output in found] == [("data/folder", 2), ("data/raw.csv", None)]
    assert all(output.digest for output in found)


def test_the_package_does_not_import_dvc(real: Path) -> None:
    """Reading facts loads neither dvc nor its parsers."""
    script = (
        "import sys, dvc_modelver.dvcio.facts, dvc_modelver.dvcio.project\n"
        "print(sorted({'dvc', 'ruamel', 'git', 'pandas', 'yaml', 'tomlkit'} & set(sys.modules)))\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
