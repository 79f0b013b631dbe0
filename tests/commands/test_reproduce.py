"""`reproduce`: real rebuilds of a small pipeline, what they say, and that nothing is left of them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import Clock, DvcRepo, Git, Modelver, Templates, snapshot

TRAIN = """\
import os, subprocess, time

if os.environ.get("BREAK"):
    print("asked with password=hunter2")
    raise SystemExit("broken on purpose")
if os.environ.get("MARK"):
    open(os.environ["MARK"], "w").write(str(os.getpid()))
    time.sleep(600)
author = subprocess.run(["git", "log", "-1", "--format=%an"], capture_output=True, text=True, check=True).stdout
os.makedirs("models", exist_ok=True)
with open("models/churn.bin", "w") as out:
    out.write(os.urandom(8).hex() + author)
with open("models/author.txt", "w") as out:
    out.write(author)
"""
EVALUATE = """\
import json, os

open("models/churn.bin").read()
with open("metrics.json", "w") as out:
    json.dump({"auc": 0.8 + int.from_bytes(os.urandom(4), "big") * 1e-15, "kind": "test"}, out)
"""
DEPLOY = """\
  deploy:
    cmd: python src/deploy.py
    deps:
    - models/churn.bin
    outs:
    - deployed.txt
"""
ENVIRONMENT = {
    "schema": 1,
    "python": {"version": "2.7.18", "implementation": "CPython"},
    "packages": [{"name": "nowhere-to-be-found", "version": "1.0"}],
}


@pytest.fixture(scope="session")
def project_template(templates: Templates, tmp_path_factory: pytest.TempPathFactory) -> DvcRepo:
    """churn@v0.1.0 is deterministic; v0.2.0 writes random bytes and a metric that moves a little, and calls git."""
    repo = templates.dvc(tmp_path_factory.mktemp("reproduce"))
    git = repo.git
    git.tag("churn@v0.1.0")
    git.write("src/train.py", TRAIN)
    git.write("src/evaluate.py", EVALUATE)
    text = (git.path / "dvc.yaml").read_text()
    text = text.replace("churn.bin\n  evaluate", "churn.bin\n    - models/author.txt\n  evaluate")
    git.write("dvc.yaml", text.replace("artifacts:\n", f"{DEPLOY}artifacts:\n"))
    git.write("src/deploy.py", "open('deployed.txt', 'w').write('live')\n")
    git.write("environment.json", json.dumps(ENVIRONMENT))
    repo.dvc(["repro", "-q"], ["push", "-q"])
    git.commit("Train at random")
    git.tag("churn@v0.2.0")
    return repo


@pytest.fixture
def repo(project_template: DvcRepo, tmp_path: Path) -> DvcRepo:
    """A copy, with work that nobody has committed, and a hook that must not run."""
    shutil.copytree(project_template.path.parent, tmp_path, symlinks=True, dirs_exist_ok=True)
    git = Git(tmp_path / "repo", project_template.git.home, Clock(project_template.git.clock.seconds))
    git("update-index", "-q", "--refresh")
    git.write("src/train.py", "half done\n")
    git.write("staged.txt", "staged\n")
    git("add", "staged.txt")
    hook = git.write(".git/hooks/post-checkout", f"#!/bin/sh\ntouch '{tmp_path}/hook-ran'\n")
    hook.chmod(0o755)
    return DvcRepo(git, tmp_path / "store")


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go meanwhile."""
    place = tmp_path / "scratch"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    return place


def nothing_is_left(repo: DvcRepo, scratch: Path) -> bool:
    """No temporary place, no worktree, no hook that ran."""
    registered = repo.git("worktree", "list", "--porcelain").count("worktree ")
    left = [*scratch.iterdir(), *repo.path.parent.glob("hook-ran")]
    return registered == 1 and not left and not (repo.path / ".git" / "worktrees").exists()


def test_a_deterministic_version(repo: DvcRepo, modelver: Modelver, scratch: Path) -> None:
    """It is identical, stage by stage; the proof is a note, and that is all that changed, the cache included."""
    before = snapshot(repo.git)
    answer = modelver("reproduce", "churn@v0.1.0", "--yes", "--json", cwd=repo.git).json
    assert answer["verdict"] == "identical"
    assert {row["stage"]: row["state"] for row in answer["stages"]} == dict.fromkeys(
        ("prepare", "train", "evaluate"), "identical"
    )
    assert {row["match"] for row in answer["metrics"]} == {"equal"}
    assert answer["noted"] is True
    after = snapshot(repo.git)
    assert {key for key in {*before, *after} if before.get(key) != after.get(key)} == {"ref refs/notes/modelver"}
    assert nothing_is_left(repo, scratch)
    shown = modelver("show", "churn@v0.1.0", cwd=repo.git).out
    assert "reproduced identically on " in shown
    assert " by Ada Byron" in shown
    (note,) = modelver("show", "churn@v0.1.0", "--json", cwd=repo.git).json["notes"]
    assert (note["kind"], note["verdict"], note["commit"]) == ("reproduction", "identical", answer["commit"])
    assert note["digest"]["recorded"] == note["digest"]["rebuilt"] == answer["digest"]["recorded"]
    assert note["stages"] == dict.fromkeys(("prepare", "train", "evaluate"), "identical")
    assert modelver("show", "churn@v0.2.0", "--json", cwd=repo.git).json["notes"] == []


def test_a_split_index(repo: DvcRepo, modelver: Modelver, scratch: Path) -> None:
    """Where git splits its index, which DVC cannot read, the rebuild's own worktree has a whole one."""
    repo.git("config", "core.splitIndex", "true")
    answer = modelver("reproduce", "churn@v0.1.0", "--yes", "--no-note", "--json", cwd=repo.git).json
    assert answer["verdict"] == "identical"
    assert nothing_is_left(repo, scratch)


@pytest.mark.parametrize(("tolerance", "verdict", "code"), [("0.1%", "equivalent", 0), ("0", "different", 1)])
def test_a_random_version(
    repo: DvcRepo, modelver: Modelver, scratch: Path, tolerance: str, verdict: str, code: int
) -> None:
    """Other bytes, and a metric that is the same within the tolerance or is not; everything really ran again."""
    kept = repo.path.parent / "kept"
    before = snapshot(repo.git)
    words = ("reproduce", "churn@v0.2.0", "--yes", "--json", "--no-note", "--keep", str(kept))
    answer = modelver(*words, "--tolerance", tolerance, cwd=repo.git, code=code).json
    assert answer["verdict"] == verdict
    assert {row["stage"]: row["state"] for row in answer["stages"]} == {
        "prepare": "identical",
        "train": "different",
        "evaluate": "different",
    }
    outputs = {out["path"]: out["same"] for row in answer["stages"] for out in row["outputs"]}
    assert outputs == {
        "data/prepared.csv": True,
        "models/churn.bin": False,
        "models/author.txt": True,
        "metrics.json": False,
    }
    matches = {row["key"]: row["match"] for row in answer["metrics"]}
    assert matches == {"auc": "within" if verdict == "equivalent" else "different", "kind": "equal"}
    differing = {row["key"]: (row["recorded"], row["present"]) for row in answer["environment"]["differences"]}
    assert answer["environment"]["compared"] is True
    assert differing["python.version"][0] == "2.7.18"
    assert differing["packages.nowhere-to-be-found"] == ("1.0", None)
    assert snapshot(repo.git) == before
    assert nothing_is_left(repo, scratch)
    assert sorted(path.relative_to(kept).as_posix() for path in kept.rglob("*") if path.is_file()) == sorted(outputs)
    assert (kept / "models/churn.bin").read_bytes() != repo.model.read_bytes()


def test_a_stage_that_fails(repo: DvcRepo, modelver: Modelver, scratch: Path) -> None:
    """It is named with its last lines, without secrets; those behind it did not run, and no proof is recorded."""
    before = snapshot(repo.git)
    words = ("reproduce", "churn@v0.2.0", "--yes")
    answer = modelver(*words, "--json", cwd=repo.git, env={"BREAK": "1"}, code=1)
    told = answer.json
    assert told["verdict"] == "failed"
    assert {row["stage"]: row["state"] for row in told["stages"]} == {
        "prepare": "identical",
        "train": "failed",
        "evaluate": "not run",
    }
    assert told["failure"]["stage"] == "train"
    assert any("broken on purpose" in line for line in told["failure"]["lines"])
    assert "hunter2" not in answer.out + answer.err
    assert told["noted"] is False
    assert snapshot(repo.git) == before
    assert nothing_is_left(repo, scratch)


def test_inputs_come_from_the_remote(repo: DvcRepo, modelver: Modelver, scratch: Path) -> None:
    """What the cache lacks is fetched, and the user's cache does not fill; what is nowhere is 5, before any run."""
    shutil.rmtree(repo.cache)
    before = snapshot(repo.git)
    plan = modelver("reproduce", "churn@v0.1.0", "--dry-run", "--json", cwd=repo.git).json
    assert [(row["path"], row["at_hand"]) for row in plan["inputs"]] == [("data/raw.csv", False)]
    answer = modelver("reproduce", "churn@v0.1.0", "--yes", "--no-note", "--json", cwd=repo.git).json
    assert answer["verdict"] == "identical"
    assert snapshot(repo.git) == before
    shutil.rmtree(repo.store)
    repo.store.mkdir()
    said = modelver("reproduce", "churn@v0.1.0", "--yes", cwd=repo.git, code=5).err
    assert "data/raw.csv" in said
    assert snapshot(repo.git) == before
    assert nothing_is_left(repo, scratch)


def test_a_corrupt_input(repo: DvcRepo, modelver: Modelver, scratch: Path) -> None:
    """Bytes that are not what their digest says are found before anything runs."""
    place = repo.object_path("64717adca1d72387ee413da9657ad326")
    place.chmod(0o644)
    place.write_text("other\n")
    before = snapshot(repo.git)
    modelver("reproduce", "churn@v0.1.0", "--yes", cwd=repo.git, code=5)
    assert snapshot(repo.git) == before
    assert nothing_is_left(repo, scratch)


def test_dry_run_prints_the_plan(repo: DvcRepo, modelver: Modelver) -> None:
    """Commit, pipeline stages with their commands, inputs; what is behind the model and measures nothing is not run."""
    git = repo.git
    before = snapshot(git)
    said = modelver("reproduce", "churn", "--dry-run", cwd=git)
    assert said.out.splitlines() == [
        f"This would rebuild churn@v0.2.0 from commit {git.rev('churn@v0.2.0^{commit}')[:12]}:",
        "  prepare  python src/prepare.py",
        "  train  python src/train.py",
        "  evaluate  python src/evaluate.py",
        "  reads data/raw.csv  in the cache",
    ]
    assert "python.version was 2.7.18, and is " in said.err
    assert snapshot(git) == before


@pytest.mark.parametrize(
    ("words", "env", "code", "said"),
    [
        (("churn",), {}, 3, "--yes"),
        (("churn", "--yes"), {"DVC_STAGE": "train"}, 3, "inside the pipeline stage"),
        (("churn", "--yes", "--tolerance", "much"), {}, 2, "tolerance"),
        (("churn", "--yes", "--keep", "src"), {}, 4, "there already"),
        (("churn@v9.0.0", "--yes"), {}, 7, "v9.0.0"),
        (("nobody", "--yes"), {}, 7, "nobody"),
    ],
)
def test_refused(
    repo: DvcRepo, modelver: Modelver, words: tuple[str, ...], env: dict[str, str], code: int, said: str
) -> None:
    """Where nobody can say yes, inside a pipeline stage, and for what is not there, nothing is run."""
    before = snapshot(repo.git)
    result = modelver("reproduce", *words, cwd=repo.git, env=env, code=code)
    assert said in result.err
    assert snapshot(repo.git) == before


@pytest.mark.parametrize(
    ("path", "said"), [("data/raw.csv", "a .dvc file tracks it"), ("README.md", "in Git"), ("s3://b/m", "at a URL")]
)
def test_a_version_that_no_stage_made(repo: DvcRepo, modelver: Modelver, path: str, said: str) -> None:
    """There is nothing to run for a file that was added: that is said, with where to get it."""
    git = repo.git
    git.write("dvc.yaml", (git.path / "dvc.yaml").read_text().replace("path: models/churn.bin", f"path: {path}"))
    git.commit("Another path")
    git.tag("churn@v0.3.0")
    result = modelver("reproduce", "churn", "--yes", cwd=git, code=2)
    assert "no pipeline stage made churn@v0.3.0" in result.err
    assert said.replace("tracks it", "tracks its bytes") in result.err


@pytest.mark.parametrize("kind", ["absolute", "above", "link"])
def test_a_stage_that_writes_elsewhere_is_refused(repo: DvcRepo, modelver: Modelver, kind: str) -> None:
    """An output outside of the repository, or behind a symbolic link, would be written over: 3."""
    git = repo.git
    outside = repo.path.parent / "elsewhere"
    outside.mkdir()
    (outside / "churn.bin").write_text("precious")
    where = {"absolute": str(outside / "log.txt"), "above": "../elsewhere/log.txt", "link": "linked/log.txt"}[kind]
    if kind == "link":
        (git.path / "linked").symlink_to(outside)
    for name, marker in (("dvc.yaml", "    - models/author.txt\n"), ("dvc.lock", "    - path: models/author.txt\n")):
        text = (git.path / name).read_text()
        rows = {"dvc.yaml": f"    - {where}:\n        cache: false\n"}
        row = rows.get(name, f"    - path: {where}\n      md5: {'a' * 32}\n")
        assert marker in text
        git.write(name, text.replace(marker, row + marker))
    git.commit("Write elsewhere")
    git.tag("churn@v0.3.0")
    result = modelver("reproduce", "churn", "--yes", cwd=git, code=3)
    assert "outside of the repository" in result.err
    assert (outside / "churn.bin").read_text() == "precious"


@pytest.mark.parametrize("ignored", [False, True])
def test_an_interpreter_of_the_repository_is_not_started_unasked(
    repo: DvcRepo, modelver: Modelver, ignored: bool
) -> None:
    """Before a yes only the user's own is asked for its version: what Git ignores, as a `.venv`, or is elsewhere."""
    git = repo.git
    program = git.write("tools/python3", f"#!/bin/sh\ntouch '{repo.path.parent}/ran'\nexec python \"$@\"\n")
    program.chmod(0o755)
    if ignored:
        git.write(".gitignore", "/tools\n")
    for name in ("dvc.yaml", "dvc.lock"):
        text = (git.path / name).read_text()
        git.write(name, text.replace("cmd: python src/train.py", "cmd: tools/python3 src/train.py"))
    git.commit("Own interpreter")
    git.tag("churn@v0.3.0")
    said = modelver("reproduce", "churn", "--dry-run", cwd=git)
    assert ("which Python the pipeline starts is not known" in said.err) is not ignored
    assert (repo.path.parent / "ran").exists() is ignored


def test_breaking_off_leaves_nothing(repo: DvcRepo, modelver: Modelver, tmp_path: Path) -> None:
    """After SIGTERM in the middle of a rebuild neither its processes nor its worktree are there."""
    before = snapshot(repo.git)
    place = tmp_path / "place"
    place.mkdir()
    env = {"MARK": str(tmp_path / "mark"), "TMPDIR": str(place)}
    process = modelver.start("reproduce", "churn@v0.2.0", "--yes", cwd=repo.git, env=env)
    try:
        until(lambda: (tmp_path / "mark").exists() and (tmp_path / "mark").read_text() != "")
    finally:
        process.terminate()
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err.decode()
    until(lambda: not Path(f"/proc/{(tmp_path / 'mark').read_text()}").exists())
    assert snapshot(repo.git) == before
    assert nothing_is_left(repo, place)


def test_killed_it_is_cleaned_up_by_the_next(repo: DvcRepo, modelver: Modelver, tmp_path: Path) -> None:
    """After SIGKILL the user's files are as they were, and the next rebuild removes what is left."""
    before = snapshot(repo.git)
    place = tmp_path / "place"
    place.mkdir()
    env = {"TMPDIR": str(place)}
    words = ("reproduce", "--yes", "--no-note")
    process = modelver.start(*words, "churn@v0.2.0", cwd=repo.git, env=env | {"MARK": str(tmp_path / "mark")})
    try:
        until(lambda: (tmp_path / "mark").exists() and (tmp_path / "mark").read_text() != "")
    finally:
        process.kill()
        process.communicate(timeout=60)
    os.kill(int((tmp_path / "mark").read_text()), signal.SIGKILL)
    assert snapshot(repo.git) == before
    modelver.process(*words, "churn@v0.1.0", cwd=repo.git, env=env)
    assert snapshot(repo.git) == before
    assert nothing_is_left(repo, place)


def until(holds: Callable[[], bool], seconds: float = 120) -> None:
    """Wait for something that another process does."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_frozen_stage_is_not_run(repo: DvcRepo, modelver: Modelver, scratch: Path) -> None:
    """Its recorded outputs are used, from the cache; the rest is rebuilt from them."""
    git = repo.git
    git("-c", "core.hooksPath=/dev/null", "checkout", "-q", "-f", "churn@v0.1.0")
    text = (git.path / "dvc.yaml").read_text()
    git.write("dvc.yaml", text.replace("    cmd: python src/prepare.py\n", "    cmd: exit 1\n    frozen: true\n"))
    git.commit("Freeze")
    git.tag("churn@v0.3.0")
    answer = modelver("reproduce", "churn@v0.3.0", "--yes", "--json", cwd=git).json
    assert answer["verdict"] == "identical"
    assert {row["stage"]: row["state"] for row in answer["stages"]} == {
        "prepare": "frozen",
        "train": "identical",
        "evaluate": "identical",
    }
    assert [row["path"] for row in answer["inputs"]] == ["data/prepared.csv"]
    assert nothing_is_left(repo, scratch)


def test_a_project_in_a_directory(repo: DvcRepo, modelver: Modelver, scratch: Path) -> None:
    """A DVC repository below Git's top, whose stage reads a directory and writes one and metrics that DVC keeps."""
    git = repo.git
    git("-c", "core.hooksPath=/dev/null", "checkout", "-q", "-f", "churn@v0.1.0")
    sub = git.at("team")
    sub.path.mkdir()
    sub.write("raw/a.txt", "a\n")
    sub.write("raw/deep/b.txt", "b\n")
    sub.write(
        "dvc.yaml",
        "stages:\n  copy:\n    cmd: cp -r raw made && echo auc=0.5 > scores.toml\n    deps:\n    - raw\n"
        "    outs:\n    - made\n    metrics:\n    - scores.toml\n"
        "artifacts:\n  folder:\n    path: made\n    type: model\n"
        "  inner:\n    path: made/deep/b.txt\n    type: model\n",
    )
    repo_below = DvcRepo(sub, repo.store)
    repo_below.dvc(["init", "-q", "--subdir"], ["add", "-q", "raw"], ["repro", "-q"])
    git.commit("A project below")
    git.tag("team=folder@v1.0.0")
    before = snapshot(git)
    answer = modelver("reproduce", "team:folder@v1.0.0", "--yes", "--json", "--no-note", cwd=git).json
    assert answer["verdict"] == "identical"
    assert answer["digest"]["rebuilt"].endswith(".dir")
    assert answer["metrics"] == [
        {"file": "team/scores.toml", "key": "auc", "recorded": 0.5, "rebuilt": 0.5, "match": "equal"}
    ]
    git.tag("team=inner@v1.0.0")
    answer = modelver("reproduce", "inner", "--yes", "--json", "--no-note", cwd=sub).json
    assert answer["verdict"] == "identical"
    after = snapshot(git)
    assert {key for key in {*before, *after} if before.get(key) != after.get(key)} == {
        "ref refs/tags/team=inner@v1.0.0"
    }
    assert nothing_is_left(repo, scratch)
