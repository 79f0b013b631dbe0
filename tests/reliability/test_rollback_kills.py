"""A rollback that is killed at any point: the next command that writes makes it wholly old or wholly new."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.reliability.tools import KILLED, Server, fsck, journal, kill_env, killing_git, litter, pushed, state
from tests.support import Clones, DvcRepo, Git, Templates
from tests.support.repos import put_object

STEP = int(os.environ.get("KILL_STEP", "1"))
"""Every how many places the full matrix kills; 1 is all of them."""
BUNDLES = (
    {"weights.bin": b"one", "sub/words.txt": b"a b", "gone.txt": b"x"},
    {"weights.bin": b"three", "sub/words.txt": b"a b", "new/more.txt": b"y"},
)
"""The files of a model that is a directory, in its two versions."""


@dataclass(frozen=True)
class Case:
    """A rollback that is killed."""

    argv: tuple[str, ...]
    link: str = "copy"
    """DVC's `cache.type`."""
    dirt: bool = True
    """Whether other files are changed and staged meanwhile."""
    relative: bool = False
    """Whether it means something else once all of it is done: another version, a branch that is there already."""


BACK = ("rollback", "churn", "v0.1.0")
CASES = {
    "slice": Case(BACK),
    "slice, hard links": Case(BACK, link="hardlink"),
    "directory": Case(("rollback", "bundle", "v0.1.0")),
    "directory, hard links": Case(("rollback", "bundle", "v0.1.0"), link="hardlink"),
    "--tree": Case((*BACK, "--tree")),
    "--tree, hard links": Case((*BACK, "--tree"), link="hardlink"),
    "--model-only": Case((*BACK, "--model-only")),
    "--detach": Case((*BACK, "--detach"), dirt=False),
    "--branch --push": Case((*BACK, "--branch", "back", "--push"), relative=True),
    "--push": Case((*BACK, "--push")),
    "--stage": Case(("rollback", "churn", "--stage", "prod", "--offline"), relative=True),
    "--stage --push": Case(("rollback", "churn", "--stage", "prod", "--push"), relative=True),
    "no version": Case(("rollback", "churn"), relative=True),
    "no version, --push": Case(("rollback", "churn", "--push"), relative=True),
}
QUICK = ("slice, hard links", "directory", "--detach", "--push")


def put_bundle(repo: DvcRepo, files: Mapping[str, bytes]) -> None:
    """Commit the model `bundle`, a directory that a `.dvc` file names, with its bytes as DVC keeps them."""
    top = repo.path / "models/bundle"
    shutil.rmtree(top, ignore_errors=True)
    rows = []
    for name, data in sorted(files.items()):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(data)
        rows.append(
            {"md5": put_object(repo.cache, data).parent.name + hashlib.md5(data).hexdigest()[2:], "relpath": name}
        )
    listing = json.dumps(rows).encode()
    digest = hashlib.md5(listing).hexdigest()
    for folder in (repo.cache, repo.store / "files/md5"):
        place = folder / digest[:2] / f"{digest[2:]}.dir"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(listing)
        for data in files.values():
            put_object(folder, data)
    size = sum(map(len, files.values()))
    named = f"outs:\n- md5: {digest}.dir\n  size: {size}\n  nfiles: {len(files)}\n  hash: md5\n  path: bundle\n"
    pipeline = (repo.path / "dvc.yaml").read_text()
    if "bundle:" not in pipeline:
        pipeline += "  bundle:\n    path: models/bundle\n    type: model\n"
    ignored = "/churn.bin\n/bundle\n"
    repo.git.commit("Bundle", {"models/bundle.dvc": named, "dvc.yaml": pipeline, "models/.gitignore": ignored})


def build(repo: DvcRepo, server: Server) -> None:
    """churn v0.1.0 to v0.3.0 (each was in prod), bundle v0.1.0 and v0.2.0, all published."""
    put_bundle(repo, BUNDLES[0])
    server(repo.git, "release", "bundle", "--push")
    for depth in (None, 8, 10):
        if depth is not None:
            repo.git.clock.tick()
            repo.fake_train(depth)
        server(repo.git, "release", "churn", "--stage", "prod", "--push")
    put_bundle(repo, BUNDLES[1])
    server(repo.git, "release", "bundle", "--push")
    pushed(repo)


def copy_of(built: Path, templates: Templates, folder: Path) -> Clones:
    """A copy of what `build` made of clones at `built`."""
    clones = templates.clones(folder)
    for name in ("ada", "hub.git", "store"):
        shutil.rmtree(folder / name)
        shutil.copytree(built / name, folder / name, symlinks=True)
    for config in (folder / "ada/.git/config", folder / "hub.git/config"):
        config.write_text(config.read_text().replace(str(built), str(folder)))
    clones.ada.git.clock.tick(3600 * 24)
    # The copies have other inodes: without this the first look at them would rewrite the index.
    clones.ada.git("update-index", "-q", "--refresh")
    return clones


def relink(repo: DvcRepo) -> None:
    """Let the work tree share the cache's files, as `dvc checkout --relink` does."""
    repo.git("config", "--file", ".dvc/config.local", "cache.type", "hardlink")
    for place in (repo.model, *(path for path in (repo.path / "models/bundle").rglob("*") if path.is_file())):
        digest = hashlib.md5(place.read_bytes()).hexdigest()
        place.unlink()
        os.link(repo.object_path(digest), place)


def outputs_agree(repo: Git) -> None:
    """The bytes in the work tree are those that HEAD's DVC files name; asked of the files as they stand."""
    model = hashlib.md5((repo.path / "models/churn.bin").read_bytes()).hexdigest()
    assert model in repo("show", "HEAD:dvc.lock").split("train:")[-1]
    named = repo.run("show", "HEAD:models/bundle.dvc").stdout.decode()
    top = repo.path / "models/bundle"
    files = sorted(path for path in top.rglob("*") if path.is_file())
    rows = [{"md5": hashlib.md5(f.read_bytes()).hexdigest(), "relpath": f.relative_to(top).as_posix()} for f in files]
    assert hashlib.md5(json.dumps(rows).encode()).hexdigest() in named


@pytest.fixture(scope="session")
def built(
    tmp_path_factory: pytest.TempPathFactory, templates: Templates, servers: Callable[[int], list[Server]]
) -> Path:
    """What `build` makes, to be copied."""
    top = tmp_path_factory.mktemp("rollbacks")
    build(templates.clones(top).ada, servers(1)[0])
    return top


class Scene:
    """Where a case is played, again and again from the same start."""

    def __init__(self, case: Case, clones: Clones, server: Server, folder: Path) -> None:
        self.case, self.clones, self.server = case, clones, server
        self._top, self._start = clones.ada.path.parent, folder / "start"
        self._log = folder / "calls"
        self._wrapper = killing_git(folder / "wrapper", clones.ada.git.env)
        if case.link == "hardlink":
            relink(clones.ada)
        self.ada.write("untracked.txt", "mine\n")
        if case.dirt:
            self.ada.write("README.md", "changed, not staged\n")
            self.ada.write("staged.txt", "staged\n")
            self.ada("add", "staged.txt")
        self._copy(self._top, self._start)
        self._rewind()
        outputs_agree(self.ada)
        self.old, self.old_hub = state(self.ada), self.hub.refs()
        self.status = self.ada("status", "--porcelain")
        self.new: dict[str, str] = {}
        self.new_hub: dict[str, str] = {}
        self.tried = 0
        self._changes = 0

    @property
    def ada(self) -> Git:
        return self.clones.ada.git

    @property
    def hub(self) -> Git:
        return self.clones.hub

    def _copy(self, source: Path, target: Path) -> None:
        """`cp -a`, since hard links are part of it."""
        target.mkdir(exist_ok=True)
        subprocess.run(["cp", "-a", *(source / name for name in ("ada", "hub.git", "store")), target], check=True)

    def _rewind(self) -> None:
        for name in ("ada", "hub.git", "store"):
            shutil.rmtree(self._top / name)
        self._copy(self._start, self._top)

    def play(self) -> Sequence[str]:
        """The command without any kill; its calls of git."""
        env = kill_env(self._wrapper, self.ada, self._log, 0, "after")
        self.server(self.ada, *self.case.argv, env=env)
        self.new, self.new_hub = state(self.ada), self.hub.refs()
        assert self.new != self.old
        assert self.ada("status", "--porcelain") == self.status
        outputs_agree(self.ada)
        fsck(self.ada)
        assert (litter(self.ada), journal(self.ada)) == ([], False)
        self._rewind()
        return self._log.read_text().splitlines()

    def python_changes(self) -> int:
        """How many changes Python makes itself, and starts of processes."""
        answer = self.server(self.ada, *self.case.argv, kill=0)
        self._rewind()
        self._changes = int(answer.count)
        return self._changes

    def kill_git(self, at: int, when: str) -> None:
        env = kill_env(self._wrapper, self.ada, self._log, at, when)
        answer = self.server(self.ada, *self.case.argv, env=env, code=None)
        self._after(answer.code, f"{when} git call {at}: {self._log.read_text().splitlines()[at - 1 : at]}", at)

    def kill_python(self, at: int) -> None:
        answer = self.server(self.ada, *self.case.argv, kill=at, code=None)
        if answer.code == 0:  # what earlier runs left need not be written again (bytes in the remote): it ended first
            assert at > self._changes // 2, f"at change {at} of {self._changes}"
            assert state(self.ada) == self.new, f"at change {at}: {differs(self.new, state(self.ada))}"
            self._rewind()
            return
        self._after(answer.code, f"at change {at}", at)

    def _after(self, code: int, where: str, at: int) -> None:
        """What must hold after a kill; then recovery (each second time), and the same command again."""
        assert code == KILLED, f"not killed {where}"
        self.tried += 1
        fsck(self.ada)
        fsck(self.hub)
        left = state(self.ada)
        assert journal(self.ada) or left in (self.old, self.new), f"{where}: {differs(self.old, left)}"
        listed = self.server(self.ada, "list", "--json")
        assert ("interrupted" in listed.err) == journal(self.ada), where
        if at % 2:
            self.server(self.ada, "doctor", "--recover", code=None)
            settled = state(self.ada)
            # A push that was still to come is left to the same command, or to `git push`.
            words = f"{where}: {differs(self.old, settled)} {differs(self.new, settled)}"
            assert local(settled) in (local(self.old), local(self.new)), words
            assert (litter(self.ada), journal(self.ada)) == ([], False), where
            assert not list(self.ada.path.rglob("*.modelver-put")), where
            assert self.ada("status", "--porcelain") == self.status, where
        if self.case.relative and not journal(self.ada) and local(state(self.ada)) == local(self.new):
            self._rewind()
            return
        again = self.server(self.ada, *self.case.argv, code=None)
        assert again.code == 0, f"{where}: {again}"
        now = state(self.ada)
        assert now == self.new, f"{where}: {differs(self.new, now)}"
        assert self.hub.refs() == self.new_hub, where
        assert (litter(self.ada), journal(self.ada)) == ([], False), where
        assert not list(self.ada.path.rglob("*.modelver-put")), where
        fsck(self.ada)
        self._rewind()


def local(found: Mapping[str, str]) -> dict[str, str]:
    """A state without what is known of the remote."""
    return {key: value for key, value in found.items() if not key.startswith("ref refs/remotes/")}


def differs(one: Mapping[str, str], other: Mapping[str, str]) -> dict[str, tuple[str | None, str | None]]:
    """For the words of a failure."""
    return {key: (one.get(key), other.get(key)) for key in {*one, *other} if one.get(key) != other.get(key)}


@pytest.fixture
def scene(request: pytest.FixtureRequest, templates: Templates, built: Path, tmp_path: Path, server: Server) -> Scene:
    """The case of the parameter, ready to be played."""
    folder = tmp_path / "scene"
    folder.mkdir()
    return Scene(CASES[request.param], copy_of(built, templates, tmp_path / "play"), server, folder)


@pytest.mark.long
@pytest.mark.parametrize("scene", CASES, indirect=True)
def test_every_git_call(scene: Scene) -> None:
    """Killed before and after every call of git: old, new or a journal, and the same command again converges."""
    number = len(scene.play())
    assert number > 5
    for at, when in itertools.product(range(1, number + 1, STEP), ("before", "after")):
        scene.kill_git(at, when)
    print(f"{scene.case.argv}: {scene.tried} kills")


@pytest.mark.long
@pytest.mark.parametrize("scene", CASES, indirect=True)
def test_every_change_by_python(scene: Scene) -> None:
    """Killed at every file that Python opens for writing, renames or removes, and every process it starts."""
    scene.play()
    number = scene.python_changes()
    assert number > 5
    for at in range(1, number + 1, STEP):
        scene.kill_python(at)
    print(f"{scene.case.argv}: {scene.tried} kills")


CHANGING = {"add", "commit", "checkout", "update-ref", "push", "reset"}


@pytest.mark.parametrize("scene", QUICK, indirect=True)
def test_around_the_calls_that_change(scene: Scene) -> None:
    """As `test_every_git_call`, before and after those calls of git that change something."""
    calls = scene.play()
    places = [at for at, call in enumerate(calls, 1) if CHANGING & set(call.split())]
    assert places
    for at in places:
        scene.kill_git(at, "before")
        scene.kill_git(at, "after")


@pytest.mark.parametrize("scene", QUICK[:2], indirect=True)
def test_some_changes_by_python(scene: Scene) -> None:
    """As `test_every_change_by_python`, at every ninth place of two commands."""
    scene.play()
    for at in range(5, scene.python_changes() + 1, 9):
        scene.kill_python(at)
