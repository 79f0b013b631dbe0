"""Guards that race, and guards that are killed: one step, one event, one note, and losers that changed nothing."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.reliability.test_races import clones_of, race
from tests.reliability.tools import (
    KILLED,
    Answer,
    Server,
    fsck,
    journal,
    kill_env,
    killing_git,
    litter,
    record_of,
    tags_of,
)
from tests.support import Clones, Git, Templates, snapshot

Servers = Callable[[int], list[Server]]
ROUNDS = int(os.environ.get("RACE_ROUNDS", "25"))
GUARD = ("guard", "churn", "--stage", "prod", "--metrics", "live.json", "--rollback", "--json")
NOTES = "refs/notes/modelver"


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory, templates: Templates, servers: Servers) -> Path:
    """Both clones have v0.1.0 and v0.2.0, which prod holds, all published; no cool-down."""
    top = tmp_path_factory.mktemp("guards")
    clones = templates.clones(top)
    ada, server = clones.ada, servers(1)[0]
    ada.git.write(".modelver.yaml", "guard: {cooldown: 0}\n")
    for depth in (4, 8):
        ada.fake_train(depth)
        ada.git("push", "-q", "origin", "main")
        server(ada.git, "release", "churn", "--stage", "prod", "--push", "--no-card")
    clones.bao.git("pull", "-q", "--ff-only", "--tags")
    shutil.copytree(ada.cache, clones.bao.cache, dirs_exist_ok=True)
    return top


@pytest.fixture
def clones(start: Path, templates: Templates, tmp_path: Path) -> Clones:
    """A copy of `start`."""
    found = templates.clones(tmp_path)
    for name in ("hub.git", "ada", "bao", "store"):
        shutil.rmtree(tmp_path / name)
        shutil.copytree(start / name, tmp_path / name, symlinks=True)
    for repo in (found.ada.git, found.bao.git):
        repo("remote", "set-url", "origin", str(found.hub.path))
        repo("update-index", "-q", "--refresh")
    found.hub.clock.tick(36_000)
    return found


def report(repo: Git, auc: float = 0.6) -> None:
    """What production reports."""
    repo.write("live.json", json.dumps({"auc": auc}))


def guard_notes(repo: Git, tag: str = "churn@v0.2.0") -> list[dict[str, object]]:
    """The notes of guards on a version."""
    done = repo.run("notes", "--ref=modelver", "show", repo.rev(f"refs/tags/{tag}"), check=False)
    lines = filter(None, done.stdout.decode().splitlines())
    return [note for note in map(json.loads, lines) if note["kind"] == "guard"]


def acted(answers: Sequence[Answer]) -> list[Answer]:
    """Those that made an event."""
    return [answer for answer in answers if answer.code == 1 and json.loads(answer.out)["changed"]]


def again(repo: Git, server: Server, push: Sequence[str]) -> None:
    """The bad version is in production again, as if by another person's mistake."""
    server(repo, "promote", "churn@v0.2.0", "prod", *push)


# Races ------------------------------------------------------------------------------------------------------------


def rounds_in_one_clone(repo: Git, servers: Servers, rounds: int, number: int) -> int:
    """How many guards were beaten: of each round one acts."""
    lost = 0
    for turn in range(rounds):
        report(repo, 0.6 + turn / 1000)
        before, events = tags_of(repo), len(guard_notes(repo))
        answers = race(servers(number), [(repo, GUARD)] * number)
        words = "\n".join(map(str, answers))
        assert len(acted(answers)) == 1, words
        others = [answer for answer in answers if answer not in acted(answers)]
        # Who begins when the other has ended finds it done.
        assert all(a.code == 4 or "already rolled back" in a.out for a in others), words
        lost += sum(answer.code == 4 for answer in others)
        (made,) = set(tags_of(repo)) - set(before)
        assert record_of(repo, made).rolled_back_from == "v0.2.0"
        assert len(guard_notes(repo)) == events + 1
        assert (litter(repo), journal(repo)) == ([], False)
        repo.clock.tick()
        again(repo, servers(1)[0], ("--offline",))
    fsck(repo)
    return lost


def test_guards_in_one_clone(clones: Clones, servers: Servers) -> None:
    """Of three at once one acts; the others get 4, or find it done, and make nothing."""
    clones.ada.git("remote", "remove", "origin")
    rounds_in_one_clone(clones.ada.git, servers, 2, 3)


@pytest.mark.long
def test_guards_in_one_clone_many_rounds(clones: Clones, servers: Servers) -> None:
    """The same in RACE_ROUNDS rounds (25)."""
    clones.ada.git("remote", "remove", "origin")
    assert rounds_in_one_clone(clones.ada.git, servers, ROUNDS, 3) > 0


def rounds_between_clones(clones: Clones, servers: Servers, folder: Path, rounds: int, number: int) -> int:
    """How many clones were beaten: of each round one publishes, the others are as before."""
    repos = clones_of(clones, number, folder)
    for repo in repos[2:]:
        shutil.copytree(repos[0].cache, repo.cache, dirs_exist_ok=True)
    lost = 0
    for turn in range(rounds):
        for repo in repos:
            repo.git("fetch", "-q", "--tags")
            report(repo.git, 0.6 + turn / 1000)
        before, there = [snapshot(repo.git) for repo in repos], tags_of(clones.hub)
        answers = race(servers(number), [(repo.git, (*GUARD, "--push")) for repo in repos])
        words = "\n".join(map(str, answers))
        assert len(acted(answers)) == 1, words
        (made,) = set(tags_of(clones.hub)) - set(there)
        for repo, old, answer in zip(repos, before, answers, strict=True):
            if answer in acted(answers):
                assert tags_of(repo.git)[made] == tags_of(clones.hub)[made]
                assert repo.git.rev(NOTES) == clones.hub.rev(NOTES)
                continue
            assert answer.code == 4, answer
            assert "hint: git fetch --tags" in answer.err
            assert snapshot(repo.git) == old
            lost += 1
        assert len(guard_notes(clones.hub)) == turn + 1
        repos[0].git("fetch", "-q", "--tags")
        clones.hub.clock.tick()
        again(repos[0].git, servers(1)[0], ("--push",))
    fsck(clones.hub)
    return lost


def test_guards_of_two_clones(clones: Clones, servers: Servers, tmp_path: Path) -> None:
    """Of two that push one publishes its event and note; the other gets 4 and is as before."""
    assert rounds_between_clones(clones, servers, tmp_path, 2, 2) == 2


@pytest.mark.long
def test_guards_of_clones_many_rounds(clones: Clones, servers: Servers, tmp_path: Path) -> None:
    """The same for four clones in RACE_ROUNDS rounds (25)."""
    assert rounds_between_clones(clones, servers, tmp_path, ROUNDS, 4) == 3 * ROUNDS


def test_a_promote_that_is_faster(clones: Clones, server: Server) -> None:
    """Somebody mends production between our look and our push: theirs stays, and we get 4."""
    ada, bao = clones.ada.git, clones.bao.git
    report(ada)
    # While our push runs, the counter that we want is taken.
    bao("tag", "-a", "-m", "Mended", "churn#prod#3", "churn@v0.1.0^{commit}")
    hook = ada.path / ".git/hooks/pre-push"
    hook.write_text(f"#!/bin/sh\nenv -u GIT_DIR git -C {bao.path} push -q origin refs/tags/churn#prod#3\n")
    hook.chmod(0o755)
    before = snapshot(ada)
    server(ada, *GUARD, "--push", code=4)
    assert snapshot(ada) == before
    assert tags_of(clones.hub)["churn#prod#3"] == tags_of(bao)["churn#prod#3"]
    assert guard_notes(clones.hub) == []


# Kills ------------------------------------------------------------------------------------------------------------


def kills(clones: Clones, server: Server, folder: Path, push: Sequence[str], step: int) -> int:
    """Kill before and after every `step`th call of git; how many kills."""
    saved = folder / "saved"
    saved.mkdir()
    report(clones.ada.git)
    for name in ("hub.git", "ada"):
        shutil.copytree(clones.ada.path.parent / name, saved / name, symlinks=True)
    wrapper = killing_git(folder / "bin", clones.ada.git.env)
    ada, hub = clones.ada.git, clones.hub
    log = folder / "log"
    server(ada, *GUARD, *push, code=1, env=kill_env(wrapper, ada, log, 0, "before"))
    number = len(log.read_text().splitlines())
    killed = 0
    for at in range(1, number + 1, step):
        for when in ("before", "after"):
            for name, place in (("hub.git", hub.path), ("ada", ada.path)):
                shutil.rmtree(place)
                shutil.copytree(saved / name, place, symlinks=True)
            answer = server(ada, *GUARD, *push, code=None, env=kill_env(wrapper, ada, log, at, when))
            killed += answer.code == KILLED
            assert set(tags_of(ada)) - {"churn#prod#3"} == {
                "churn@v0.1.0",
                "churn@v0.2.0",
                "churn#prod#1",
                "churn#prod#2",
            }
            done = server(ada, *GUARD, *push, code=1)
            said = json.loads(done.out)
            assert said["decision"] == "roll-back" or "already rolled back" in said["reason"], (at, when, done)
            assert record_of(ada, "churn#prod#3").rolled_back_from == "v0.2.0"
            assert "churn#prod#4" not in tags_of(ada)
            assert len(guard_notes(ada)) == 1, (at, when)
            if push:
                assert tags_of(hub)["churn#prod#3"] == tags_of(ada)["churn#prod#3"], (at, when)
                assert hub.rev(NOTES) == ada.rev(NOTES), (at, when)
            assert json.loads(server(ada, *GUARD, *push, code=1).out)["changed"] is False, (at, when)
            assert not journal(ada)
            fsck(ada)
    return killed


def test_killed_at_some_calls(clones: Clones, server: Server, tmp_path: Path) -> None:
    """Killed, the event is there or not; the same command again leaves one event and one note."""
    assert kills(clones, server, tmp_path, ("--push",), 21) > 2


@pytest.mark.long
@pytest.mark.parametrize("push", [(), ("--push",)], ids=["here", "push"])
def test_killed_at_every_call(clones: Clones, server: Server, tmp_path: Path, push: tuple[str, ...]) -> None:
    """The same before and after every call of git."""
    assert kills(clones, server, tmp_path, push, 1) > 20
