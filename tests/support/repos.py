"""Ready-made repositories: built once per test run by real Git and DVC, then copied in milliseconds."""

from __future__ import annotations

import fcntl
import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.support.environment import prepare_home
from tests.support.git import Git

_LINES = "".join(f"{i},{i % 7},{i % 2}\n" for i in range(40))

PIPELINE: dict[str, str] = {
    "dvc.yaml": """\
stages:
  prepare:
    cmd: python src/prepare.py
    deps:
    - data/raw.csv
    - src/prepare.py
    params:
    - prepare.keep
    outs:
    - data/prepared.csv
  train:
    cmd: python src/train.py
    deps:
    - data/prepared.csv
    - src/train.py
    params:
    - train
    outs:
    - models/churn.bin
  evaluate:
    cmd: python src/evaluate.py
    deps:
    - models/churn.bin
    - src/evaluate.py
    metrics:
    - metrics.json:
        cache: false
artifacts:
  churn:
    path: models/churn.bin
    type: model
    desc: Who is about to leave
    labels:
    - tabular
    meta:
      owner: team-churn
""",
    "params.yaml": "prepare:\n  keep: 30\ntrain:\n  lr: 1e-05\n  depth: 6\n",
    "src/prepare.py": """\
import params

with open("data/raw.csv") as rows, open("data/prepared.csv", "w") as out:
    out.writelines(list(rows)[: int(params.read("keep"))])
""",
    "src/train.py": """\
import os

import params

os.makedirs("models", exist_ok=True)
with open("data/prepared.csv") as rows, open("models/churn.bin", "w") as out:
    total = sum(int(row.split(",")[1]) for row in rows)
    out.write(f"{total} {params.read('depth')} {params.read('lr')}\\n")
""",
    "src/evaluate.py": """\
import json

with open("models/churn.bin") as model:
    total, depth, lr = model.read().split()
score = {"auc": round(0.5 + int(depth) / 20, 3), "loss": {"val": float(lr)}, "n": int(total)}
with open("metrics.json", "w") as out:
    json.dump(score, out, indent=2)
""",
    # Pipelines of these tests must not need any package.
    "src/params.py": """\
def read(key):
    with open("params.yaml") as lines:
        return next(line.split(":")[1].strip() for line in lines if line.strip().startswith(key + ":"))
""",
}
"""The files of the `dvc_repo` pipeline: prepare -> train -> evaluate, whose model is `churn`."""


@dataclass(frozen=True, slots=True)
class DvcRepo:
    """A Git repository with a pipeline, its model `churn` and a DVC remote that has its bytes.

    `store` is the DVC remote's folder, beside the work tree.
    """

    git: Git
    store: Path

    MODEL = "models/churn.bin"

    @property
    def path(self) -> Path:
        """The work tree's top."""
        return self.git.path

    @property
    def model(self) -> Path:
        """The model's file in the work tree."""
        return self.git.path / self.MODEL

    @property
    def cache(self) -> Path:
        """The folder of DVC's cache that holds objects by MD5."""
        return self.git.path / ".dvc" / "cache" / "files" / "md5"

    def object_path(self, md5: str) -> Path:
        """Where DVC's cache keeps an object."""
        return self.cache / md5[:2] / md5[2:]

    def dvc(self, *commands: list[str] | tuple[str, ...]) -> str:
        """Run DVC commands, one after the other, in one process (DVC takes 0.5 s to start)."""
        return run_dvc(self.git, *commands)

    def train(self, depth: int, message: str | None = None) -> str:
        """Set the parameter `train.depth`, run the pipeline, push its data, commit; return the commit's id."""
        params = self.path / "params.yaml"
        lines = [f"  depth: {depth}" if "depth:" in line else line for line in params.read_text().splitlines()]
        params.write_text("\n".join(lines) + "\n")
        self.dvc(["repro", "-q"], ["push", "-q"])
        return self.git.commit(message or f"Train with depth {depth}")

    def fake_train(self, depth: int, message: str | None = None, *, push: bool = True) -> str:
        """As `train` does, in milliseconds and without DVC: the same files, lock, cache and (with `push`) remote."""
        return _fake_train(self, depth, message or f"Train with depth {depth}", push)


@dataclass(frozen=True, slots=True)
class Clones:
    """One bare repository and two people's clones of it, with one DVC remote for both."""

    hub: Git
    ada: DvcRepo
    bao: DvcRepo


class Templates:
    """Builds each kind of repository once per test run, under a lock for xdist's workers, and copies it."""

    def __init__(self, folder: Path, home: Path) -> None:
        self._folder = folder
        self._home = home
        folder.mkdir(parents=True, exist_ok=True)

    def plain(self, dest: Path) -> Git:
        """A Git repository of one commit, without DVC, at `dest`/repo."""
        return self._copy("plain", _build_plain, dest).at("repo")

    def dvc(self, dest: Path) -> DvcRepo:
        """A `DvcRepo` at `dest`/repo, everything committed and pushed to `dest`/store."""
        top = self._copy("dvc", _build_dvc, dest)
        return DvcRepo(top.at("repo"), top.path / "store")

    def clones(self, dest: Path) -> Clones:
        """`Clones` of a `DvcRepo` below `dest`: hub.git, ada, bao and store; both clones have the data."""
        top = self._copy("clones", self._build_clones, dest)
        bao = {"GIT_AUTHOR_NAME": "Bao Nguyen", "GIT_AUTHOR_EMAIL": "bao@example.com"}
        bao |= {key.replace("AUTHOR", "COMMITTER"): value for key, value in bao.items()}
        store = top.path / "store"
        return Clones(top.at("hub.git"), DvcRepo(top.at("ada"), store), DvcRepo(top.at("bao", **bao), store))

    def _copy(self, kind: str, build: Callable[[Git], None], dest: Path) -> Git:
        template = self._folder / kind
        if not template.is_dir():
            self._build(template, build)
        shutil.copytree(template, dest, symlinks=True, dirs_exist_ok=True)
        copy = Git(dest, self._home)
        copy.clock.tick(3600)  # after the template's own commits
        for git_dir in [*dest.glob("*/.git"), *dest.glob("*.git")]:
            config = git_dir / "config"
            config.write_text(config.read_text().replace(str(template), str(dest)))
            if git_dir.name == ".git":
                # The copies have other inodes: without this the first look at them would rewrite the index.
                copy.at(git_dir.parent)("update-index", "-q", "--refresh")
        return copy

    def _build(self, template: Path, build: Callable[[Git], None]) -> None:
        with open(template.with_suffix(".lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if template.is_dir():  # another worker was first
                return
            # Built where it stays, so that absolute paths can be replaced; a half-built one is started anew.
            marker = template.with_suffix(".building")
            if marker.exists():
                shutil.rmtree(marker)
            marker.mkdir()
            build(Git(marker, self._home))
            for config in [*marker.glob("*/.git/config"), *marker.glob("*.git/config")]:
                config.write_text(config.read_text().replace(str(marker), str(template)))
            marker.rename(template)

    def _build_clones(self, top: Git) -> None:
        source = self.dvc(top.path / "source")
        source.store.rename(top.path / "store")
        source.git("clone", "-q", "--bare", "--no-hardlinks", source.path, top.path / "hub.git")
        hub = top.at("hub.git")
        hub("remote", "remove", "origin")
        for name in ("ada", "bao"):
            clone = hub.clone(top.path / name, "--no-hardlinks")
            for part in (".dvc/cache", "data", "models"):
                shutil.copytree(source.path / part, clone.path / part, dirs_exist_ok=True)
        shutil.rmtree(top.path / "source")


def run_dvc(repo: Git, *commands: list[str] | tuple[str, ...]) -> str:
    """Run DVC commands in `repo`, one after the other, in one process; return what they print."""
    script = (
        "import json, sys\n"
        "from dvc.cli import main\n"
        "for command in json.loads(sys.argv[1]):\n"
        "    if code := main(command):\n"
        "        sys.exit(f'dvc {command} failed with {code}')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, json.dumps([list(c) for c in commands])],
        cwd=repo.path,
        env=repo.env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise AssertionError(f"{done.stdout}\n{done.stderr}")
    return done.stdout


def _build_plain(top: Git) -> None:
    repo = top.at("repo").init()
    repo.commit("Begin", {"README.md": "# A project\n"})


def _build_dvc(top: Git) -> None:
    repo = top.at("repo").init()
    (top.path / "store").mkdir()
    repo.commit("Begin", {"README.md": "# A project\n", ".gitignore": "__pycache__/\n"})
    for name, content in {**PIPELINE, "data/raw.csv": _LINES}.items():
        repo.write(name, content)
    run_dvc(
        repo,
        ["init", "-q"],
        # Relative to .dvc/config, so that a copy of both folders uses its own remote.
        ["remote", "add", "-q", "-d", "store", "../store"],
        ["add", "-q", "data/raw.csv"],
        ["repro", "-q"],
        ["push", "-q"],
    )
    shutil.rmtree(repo.path / ".dvc" / "tmp")
    repo.commit("Train the first model")


def _fake_train(repo: DvcRepo, depth: int, message: str, push: bool) -> str:
    rows = (repo.path / "data/prepared.csv").read_text().splitlines()
    total = sum(int(row.split(",")[1]) for row in rows)
    params = re.sub(r"depth: .*", f"depth: {depth}", (repo.path / "params.yaml").read_text())
    rate = re.search(r"lr: (.*)", params)
    assert rate
    score = {"auc": round(0.5 + depth / 20, 3), "loss": {"val": float(rate[1])}, "n": total}
    files = {
        "params.yaml": params,
        repo.MODEL: f"{total} {depth} {rate[1]}\n",
        "metrics.json": json.dumps(score, indent=2),
    }
    # Edited as text, as DVC would have written it: a stage's entry for a path is these five lines.
    lock = re.sub(
        r"(      train:\n        depth: |        depth: )\S+", rf"\g<1>{depth}", (repo.path / "dvc.lock").read_text()
    )
    for path in (repo.MODEL, "metrics.json"):
        data = files[path].encode()
        lock = re.sub(
            rf"(- path: {re.escape(path)}\n      hash: md5\n      md5: )\S+(\n      size: )\d+",
            rf"\g<1>{md5(data)}\g<2>{len(data)}",
            lock,
        )
    model = files[repo.MODEL].encode()
    for folder in [repo.cache, *([repo.store / "files" / "md5"] if push else [])]:
        put_object(folder, model)
    repo.model.unlink(missing_ok=True)  # a link to the cache would be written through
    return repo.git.commit(message, {**files, "dvc.lock": lock})


def md5(data: bytes) -> str:
    """The digest that DVC names these bytes by; one that YAML would read as a number is quoted."""
    digest = hashlib.md5(data).hexdigest()
    return f"'{digest}'" if re.fullmatch(r"\d+(e\d+)?", digest) else digest


def put_object(folder: Path, data: bytes) -> Path:
    """Put bytes into a DVC cache or remote (its `files/md5` folder), read-only as DVC leaves them."""
    digest = hashlib.md5(data).hexdigest()
    path = folder / digest[:2] / digest[2:]
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(0o444)
    return path


def prepare_templates(folder: Path, home: Path) -> Templates:
    """Templates below `folder`, shared by all processes of a test run; `home` is this process's own."""
    return Templates(folder, prepare_home(home))
