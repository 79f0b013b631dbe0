"""The other forms of a rollback, its undoing and its recovery, killed, killed twice, and interrupted.

What is done and undone is one of the two states, or waits in the journal for the next command that writes.
"""

from __future__ import annotations

import itertools
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.reliability.test_kills_reading import STOPPED, Stopper, clearing, state
from tests.reliability.test_rollback_kills import (
    BACK,
    CHANGING,
    STEP,
    Case,
    Scene,
    build,
    copy_of,
    differs,
    local,
    outputs_agree,
)
from tests.reliability.tools import KILLED, Answer, fsck, journal, kill_env, litter
from tests.support import Templates, isolated_env

BUNDLE = ("rollback", "bundle", "v0.1.0")


@dataclass(frozen=True, kw_only=True)
class Play:
    """A command that is killed, and what runs before it."""

    case: Case
    before: tuple[tuple[str, ...], ...] = ()


def _undo(*words: str, link: str = "copy") -> Play:
    return Play(case=Case(("rollback", "--undo"), link=link, relative=True), before=(words,))


PLAYS = {
    "--undo": _undo(*BACK),
    "--undo, hard links": _undo(*BACK, link="hardlink"),
    "--undo of a directory": _undo(*BUNDLE),
    "--undo of --tree": _undo(*BACK, "--tree"),
    "--undo of --model-only": _undo(*BACK, "--model-only"),
    "--stage": Play(case=Case(("rollback", "churn", "--stage", "prod", "--offline"), relative=True)),
    "--tree": Play(case=Case((*BACK, "--tree"))),
    "--model-only": Play(case=Case((*BACK, "--model-only"))),
    "--detach": Play(case=Case((*BACK, "--detach"), dirt=False)),
    "slice": Play(case=Case(BACK)),
    "directory": Play(case=Case(BUNDLE)),
}
UNDONE = tuple(name for name in PLAYS if name.startswith("--undo"))
QUICK = ("--undo", "--stage", "--tree", "--model-only")
"""The forms that the quick run of the other rollbacks leaves out."""
RECOVER = ("doctor", "--recover")


class Stage(Scene):
    """A scene in which recovery is killed too, and Ctrl-C is pressed."""

    server: Stopper

    def places(self, calls: Sequence[str]) -> list[int]:
        """The calls of git that change something."""
        return [at for at, call in enumerate(calls, 1) if CHANGING & set(call.split())]

    def kill_twice(self, at: int, when: str, some: int | None) -> int:
        """Kill at a call of git, then kill the recovery, at `some` of its changes (None: all); how many were tried."""
        tried = 0
        for second in itertools.count(1):
            env = kill_env(self._wrapper, self.ada, self._log, at, when)
            answer = self.server(self.ada, *self.case.argv, env=env, code=None)
            assert answer.code == KILLED, f"not killed at {at}"
            if not journal(self.ada):
                break
            answer = self.server(self.ada, *RECOVER, kill=self._nth(second, some), code=None)
            if answer.code != KILLED:
                break
            self._settles(f"{when} call {at}, and the recovery {answer.err.splitlines()[:1]}")
            tried += 1
        self._rewind()
        return tried

    @staticmethod
    def _nth(second: int, some: int | None) -> int:
        return second if some is None else 1 + (second - 1) * some

    def _settles(self, where: str) -> None:
        """A second recovery settles it: the files, refs, index and outputs are the old or the new ones."""
        fsck(self.ada)
        again = self.server(self.ada, *RECOVER, code=None)
        assert again.code in (0, 1), f"{where}: {again}"
        settled = state(self.ada)
        words = f"{where}: {differs(self.old, settled)} {differs(self.new, settled)}"
        assert local(settled) in (local(self.old), local(self.new)), words
        assert (litter(self.ada), journal(self.ada)) == ([], False), where
        assert not list(self.ada.path.rglob("*.modelver-put")), where
        assert self.ada("status", "--porcelain") == self.status, where
        outputs_agree(self.ada)
        self._rewind()

    def stop(self, at: int, number: signal.Signals) -> Answer:
        """Told to end at a change: after Ctrl-C the old state or the new one, and nothing half done anywhere."""
        self.server.sweep()
        answer = self.server(self.ada, *self.case.argv, code=None, kill=at, env={"KILL_SIGNAL": str(int(number))})
        where = f"{number.name} at change {at}: {answer}"
        assert answer.code in (0, *STOPPED[number]), where
        assert "Traceback" not in answer.err, where
        fsck(self.ada)
        if answer.code == 130:
            assert state(self.ada) in (self.old, self.new), where
            assert clearing(answer) or (litter(self.ada), self.server.left()) == ([], []), where
        if answer.code == 0:
            assert state(self.ada) == self.new, where
        self._settles(where)
        return answer


@pytest.fixture(autouse=True)
def _folders_that_are_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    """They do not count: neither Git nor DVC knows them."""
    monkeypatch.setattr("tests.reliability.test_rollback_kills.state", state)


@pytest.fixture(scope="module")
def stopper(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Iterator[Stopper]:
    """The server of these tests."""
    found = Stopper(isolated_env(home), tmp_path_factory.mktemp("temporary"))
    yield found
    found.close()


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory, templates: Templates, stopper: Stopper) -> Path:
    """What `build` makes, to be copied."""
    top = tmp_path_factory.mktemp("undoing")
    build(templates.clones(top).ada, stopper)
    return top


@pytest.fixture
def stage(request: pytest.FixtureRequest, templates: Templates, start: Path, tmp_path: Path, stopper: Stopper) -> Stage:
    """The play of the parameter, ready."""
    (tmp_path / "scene").mkdir()
    play: Play = PLAYS[request.param]
    clones = copy_of(start, templates, tmp_path / "play")
    for words in play.before:
        stopper(clones.ada.git, *words)
    clones.ada.git.clock.tick()
    return Stage(play.case, clones, stopper, tmp_path / "scene")


@pytest.mark.long
@pytest.mark.parametrize("stage", UNDONE, indirect=True)
def test_undo_at_every_git_call(stage: Stage) -> None:
    """Killed before and after every call of git: old, new or a journal, and what is left is settled."""
    number = len(stage.play())
    for at, when in itertools.product(range(1, number + 1, STEP), ("before", "after")):
        stage.kill_git(at, when)
    print(f"{stage.case.argv}: {stage.tried} kills")


@pytest.mark.long
@pytest.mark.parametrize("stage", UNDONE, indirect=True)
def test_undo_at_every_change_by_python(stage: Stage) -> None:
    """Killed at every file that Python opens for writing, renames or removes, and every process it starts."""
    stage.play()
    for at in range(1, stage.python_changes() + 1, STEP):
        stage.kill_python(at)
    print(f"{stage.case.argv}: {stage.tried} kills")


@pytest.mark.long
@pytest.mark.parametrize("stage", PLAYS, indirect=True)
def test_recovery_killed_everywhere(stage: Stage) -> None:
    """Killed around every call of git that changes something, and the recovery at every change that it makes."""
    calls, tried = stage.play(), 0
    for at, when in itertools.product(stage.places(calls)[::STEP], ("before", "after")):
        tried += stage.kill_twice(at, when, None if STEP == 1 else STEP)
    assert tried
    print(f"{stage.case.argv}: {tried} times two kills")


@pytest.mark.long
@pytest.mark.parametrize("number", STOPPED)
@pytest.mark.parametrize("stage", PLAYS, indirect=True)
def test_every_interrupt(stage: Stage, number: signal.Signals) -> None:
    """Told to end at every change by Python."""
    stage.play()
    for at in range(1, stage.python_changes() + 1, STEP):
        stage.stop(at, number)


@pytest.mark.parametrize("stage", QUICK, indirect=True)
def test_some_places(stage: Stage) -> None:
    """Some of each: around the last call of git that changes something, at changes by Python, with a Ctrl-C."""
    places = stage.places(stage.play())
    stage.kill_git(places[-1], "after")
    changes = stage.python_changes()
    stage.kill_python(changes - changes // 4)
    stage.stop(changes // 2, signal.SIGINT)


@pytest.mark.parametrize("stage", ["--undo"], indirect=True)
def test_a_recovery_killed(stage: Stage) -> None:
    """A recovery that is killed itself, at every eleventh change that it makes, is finished by the next one."""
    places = stage.places(stage.play())
    assert stage.kill_twice(places[-1], "after", 11) or stage.kill_twice(places[-2], "after", 11)
