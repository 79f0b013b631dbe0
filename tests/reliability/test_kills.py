"""Killed at any point, the same command again converges, and nothing else has changed.

Two ways to die: a `git` first on PATH that kills its caller before or after its Nth call, and an audit hook that
kills at the Nth change which Python makes itself (open for writing, rename, remove, mkdir, start of a process).
Each way first counts N, then tries every N.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.reliability.tools import (
    KILLED,
    MODEL_CARD,
    Server,
    check_card,
    fsck,
    hook,
    journal,
    kill_env,
    killing_git,
    litter,
    pictures,
    pushed,
    state,
    tags_of,
    with_plots,
)
from tests.support import Clones, DvcRepo, Git, Templates

STEP = int(os.environ.get("KILL_STEP", "1"))
"""Every how many places the full matrix kills; 1 is all of them."""


@dataclass(frozen=True)
class Case:
    """A command that is killed."""

    argv: tuple[str, ...]
    new: tuple[str, ...]
    """The tags that come into being here."""
    prepare: tuple[tuple[str, ...], ...] = ()
    """Commands that run before."""
    public: tuple[str, ...] = field(default=())
    """The tags that come into being on the remote."""
    plots: bool = False
    """A second version, whose card shows another picture than the first one's."""

    @property
    def card(self) -> bool:
        """Whether it makes a card's commit on the branch."""
        return self.argv[0] == "release" and not {"--no-card", "--rev"} & set(self.argv)


V0, V1 = "churn@v0.1.0", "churn@v0.2.0"
RELEASE = ("release", "churn")
CASES = {
    "release": Case(RELEASE, (V0,)),
    "release --push": Case((*RELEASE, "--push"), (V0,), public=(V0,)),
    "release --stage": Case((*RELEASE, "--stage", "prod"), (V0, "churn#prod#1")),
    "release --no-card": Case((*RELEASE, "--no-card"), (V0,)),
    "release --no-card --push": Case((*RELEASE, "--no-card", "--push"), (V0,), public=(V0,)),
    "release --no-card --stage": Case((*RELEASE, "--no-card", "--stage", "prod"), (V0, "churn#prod#1")),
    "release --push with plots": Case((*RELEASE, "--push"), (V1,), public=(V1,), plots=True),
    "release --rev": Case((*RELEASE, "--rev", "HEAD", "--push"), (V0,), public=(V0,)),
    "promote": Case(("promote", "churn", "prod"), ("churn#prod#1",), (RELEASE,)),
    "promote --push": Case(
        ("promote", "churn", "prod", "--push"), ("churn#prod#1",), (RELEASE,), public=(V0, "churn#prod#1")
    ),
    "withdraw": Case(("withdraw", "churn@v0.1.0", "-m", "bad", "--yes"), (f"{V0}!",), ((*RELEASE, "--stage", "prod"),)),
    "withdraw --push": Case(
        ("withdraw", "churn@v0.1.0", "-m", "bad", "--yes", "--push"),
        (f"{V0}!",),
        ((*RELEASE, "--push"),),
        public=(f"{V0}!",),
    ),
    "retire": Case(("retire", "churn"), ("churn@deprecated",), (RELEASE,)),
    "push": Case(("push",), (), ((*RELEASE, "--stage", "prod"),), public=(V0, "churn#prod#1")),
}
# In the quick run only these, and of every kill only some.
QUICK = ("release --push", "release --push with plots", "promote --push", "release --no-card --push")


class Scene:
    """Where a case is played, again and again from the same start."""

    def __init__(self, case: Case, clones: Clones, server: Server, folder: Path) -> None:
        self.case, self.clones, self.server = case, clones, server
        self._top = clones.ada.path.parent
        self._folder = folder
        self._log = folder / "calls"
        self._wrapper = killing_git(folder / "wrapper", clones.ada.git.env)
        if case.plots:
            with_plots(clones.ada)
            server(clones.ada.git, *RELEASE, "--push")
            clones.ada.fake_train(9)
            with_plots(clones.ada, "1,2\n2,9\n")
        pushed(clones.ada)
        for argv in case.prepare:
            server(clones.ada.git, *argv)
        clones.ada.git.write("untracked.txt", "mine\n")
        clones.ada.git.write("README.md", "changed, not staged\n")
        clones.ada.git.write("staged.txt", "staged\n")
        clones.ada.git("add", "staged.txt")
        for name in ("ada", "hub.git", "store"):
            shutil.copytree(self._top / name, folder / "start" / name, symlinks=True)
        self._rewind()
        self.old, self.old_hub = state(self.ada), self.hub.refs()
        self.tried = 0

    @property
    def ada(self) -> Git:
        return self.clones.ada.git

    @property
    def hub(self) -> Git:
        return self.clones.hub

    def _rewind(self) -> None:
        for name in ("ada", "hub.git", "store"):
            shutil.rmtree(self._top / name)
            shutil.copytree(self._folder / "start" / name, self._top / name, symlinks=True)

    def git_calls(self) -> int:
        """How many times the command calls git."""
        env = kill_env(self._wrapper, self.ada, self._log, 0, "after")
        self.server(self.ada, *self.case.argv, env=env)
        self.converged()
        self._rewind()
        return len(self._log.read_text().splitlines())

    def python_changes(self) -> int:
        """How many changes Python makes itself, and starts of processes."""
        answer = self.server(self.ada, *self.case.argv, kill=0)
        self._rewind()
        return int(answer.count)

    def kill_git(self, at: int, when: str) -> None:
        env = kill_env(self._wrapper, self.ada, self._log, at, when)
        answer = self.server(self.ada, *self.case.argv, env=env, code=None)
        self._after(answer.code, f"{when} git call {at}: {self._log.read_text().splitlines()[at - 1 : at]}")

    def kill_python(self, at: int) -> None:
        answer = self.server(self.ada, *self.case.argv, kill=at, code=None)
        self._after(answer.code, f"at change {at}")

    def _after(self, code: int, where: str) -> None:
        """What must hold after a kill; and then the same command again."""
        assert code == KILLED, f"not killed {where}"
        self.tried += 1
        fsck(self.ada)
        fsck(self.hub)
        left = state(self.ada)
        tags = set(tags_of(self.ada))
        old_tags = {key.removeprefix("ref refs/tags/") for key in self.old if key.startswith("ref refs/tags/")}
        assert tags - old_tags in (set(), set(self.case.new)), where
        assert journal(self.ada) or left == self.old or tags - old_tags == set(self.case.new), where
        published = set(tags_of(self.hub)) - {name.removeprefix("refs/tags/") for name in self.old_hub}
        assert published in (set(), set(self.case.public)), where
        assert journal(self.ada) or not published or tags >= published or "--push" not in self.case.argv, where
        # Answers come from the refs meanwhile, with a warning where something is unfinished.
        listed = self.server(self.ada, "list", "--json")
        assert ("interrupted" in listed.err) == journal(self.ada), where
        again = self.server(self.ada, *self.case.argv, code=None)
        assert again.code == 0, f"{where}: {again}"
        self.converged(where)
        self._rewind()

    def converged(self, where: str = "") -> None:
        """The asked state, exactly once, and nothing else."""
        old, now = self.old, state(self.ada)
        new = {key for key in now if old.get(key) != now[key]} | {key for key in old if key not in now}
        expected = {f"ref refs/tags/{name}" for name in self.case.new}
        if self.case.card:
            names = {MODEL_CARD} | (pictures(self.ada) ^ pictures(self.ada, "HEAD^"))
            assert len(names) == (3 if self.case.plots else 1), where
            expected |= {"ref refs/heads/main", "index", *(f"file {name}" for name in names)}
            assert set(self.ada("diff", "--name-only", "HEAD^", "HEAD").splitlines()) == names, where
            assert self.ada("rev-parse", "HEAD^") == old["ref refs/heads/main"], where
        if self.case.argv[0] == "release" and "--no-card" not in self.case.argv:
            check_card(self.ada, self.case.new[0])
            assert self.ada("rev-parse", f"{self.case.new[0]}^{{commit}}^") == old["ref refs/heads/main"], where
        if self.case.card and self.case.public:
            expected |= {"ref refs/remotes/origin/main", "ref refs/remotes/origin/HEAD"}
        assert new == expected, where
        assert self.ada("status", "--porcelain") == " M README.md\nA  staged.txt\n?? untracked.txt", where
        assert litter(self.ada) == [], where
        assert not journal(self.ada), where
        there, here = tags_of(self.hub), tags_of(self.ada)
        assert {name: here.get(name) for name in there} == there, where
        assert set(there) >= set(self.case.public), where
        fsck(self.ada)
        fsck(self.hub)
        shown = json.loads(self.server(self.ada, "list", "--json").out)["models"][0]
        assert shown["versions"] == (2 if self.case.plots else 1), where


@pytest.fixture
def scene(request: pytest.FixtureRequest, templates: Templates, tmp_path: Path, server: Server) -> Scene:
    folder = tmp_path / "scene"
    folder.mkdir()
    """The case of the parameter, ready to be played."""
    return Scene(CASES[request.param], templates.clones(tmp_path / "play"), server, folder)


def kills(number: int, step: int) -> Sequence[int]:
    return range(1, number + 1, step)


@pytest.mark.long
@pytest.mark.parametrize("scene", CASES, indirect=True)
def test_every_git_call(scene: Scene) -> None:
    """Killed before and after every call of git: the same command again converges."""
    number = scene.git_calls()
    assert number > 5
    for at, when in itertools.product(kills(number, STEP), ("before", "after")):
        scene.kill_git(at, when)
    print(f"{scene.case.argv}: {scene.tried} kills")


@pytest.mark.long
@pytest.mark.parametrize("scene", CASES, indirect=True)
def test_every_change_by_python(scene: Scene) -> None:
    """Killed at every file that Python opens for writing, renames or removes, and every process it starts."""
    number = scene.python_changes()
    assert number > 5
    for at in kills(number, STEP):
        scene.kill_python(at)
    print(f"{scene.case.argv}: {scene.tried} kills")


@pytest.mark.parametrize("scene", QUICK, indirect=True)
def test_some_git_calls(scene: Scene) -> None:
    """As `test_every_git_call`, for the last calls (those that change something) of some commands."""
    number = scene.git_calls()
    for at in range(max(1, number - 5), number + 1):
        scene.kill_git(at, "after" if at % 2 else "before")


@pytest.mark.parametrize("scene", QUICK[:2], indirect=True)
def test_some_changes_by_python(scene: Scene) -> None:
    """As `test_every_change_by_python`, every seventh of two commands."""
    for at in kills(scene.python_changes(), 7):
        scene.kill_python(at)


def test_a_damaged_journal_does_not_block(dvc_repo: DvcRepo, server: Server) -> None:
    """A journal that cannot be read is dropped with a word, and the command goes on."""
    path = dvc_repo.path / ".git" / "modelver" / "journal"
    path.parent.mkdir(exist_ok=True)
    path.write_text('{"action": "rel')
    assert "cannot be read" in server(dvc_repo.git, "release", "churn").err
    assert dvc_repo.git.tags() == [V0]
    assert not path.exists()


def test_a_dry_run_settles_nothing(dvc_repo: DvcRepo, server: Server) -> None:
    """A plan after a kill changes nothing and leaves the journal to a command that writes."""
    repo = dvc_repo.git
    hook(repo.path / ".git", "post-commit", "kill -9 $(ps -o ppid= -p $PPID)")
    assert server(repo, "release", "churn", code=None).code == KILLED
    before, left = state(repo), (repo.path / ".git" / "modelver" / "journal").read_bytes()
    assert "interrupted" in server(repo, "release", "churn", "--dry-run", code=None).err
    assert state(repo) == before
    assert (repo.path / ".git" / "modelver" / "journal").read_bytes() == left
