"""Many clones and many processes at once: one winner per name, and losers that are as they were."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.reliability.tools import (
    MODEL_CARD,
    Answer,
    Server,
    changed,
    check_card,
    fsck,
    hook,
    litter,
    pushed,
    tags_of,
    without,
)
from tests.support import Clones, DvcRepo, Git, Modelver, Templates, snapshot

CLONES = int(os.environ.get("RACE_CLONES", "8"))
ROUNDS = int(os.environ.get("RACE_ROUNDS", "25"))
Servers = Callable[[int], list[Server]]


def race(servers: Sequence[Server], orders: Sequence[tuple[Git, Sequence[str]]]) -> list[Answer]:
    """Start all commands at once and wait for all."""
    barrier = threading.Barrier(len(orders))
    answers: list[Answer | None] = [None] * len(orders)

    def one(number: int) -> None:
        repo, argv = orders[number]
        barrier.wait()
        servers[number].send(repo, *argv)
        answers[number] = servers[number].answer()

    threads = [threading.Thread(target=one, args=(number,)) for number in range(len(orders))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [answer for answer in answers if answer is not None]


def clones_of(clones: Clones, number: int, folder: Path) -> list[DvcRepo]:
    """`number` clones of one hub, each with the data and a person of its own.

    One person in one second would make the very same tag object twice, and both would rightly win.
    """
    found = [clones.ada, clones.bao]
    for i in range(len(found), number):
        person = {"GIT_COMMITTER_NAME": f"Person {i}", "GIT_COMMITTER_EMAIL": f"p{i}@example.com"}
        clone = clones.hub.clone(folder / f"clone{i}", "--no-hardlinks", **person)
        for part in (".dvc/cache", "data", "models"):
            shutil.copytree(clones.ada.path / part, clone.path / part, dirs_exist_ok=True)
        found.append(DvcRepo(clone, clones.ada.store))
    return found[:number]


def catch_up(repos: Sequence[DvcRepo], depth: int) -> None:
    """A new model, committed and published by the first, arrives in every clone."""
    repos[0].git("pull", "-q", "--ff-only", "--tags")
    repos[0].fake_train(depth)
    repos[0].git("push", "-q", "origin", "main")
    for repo in repos[1:]:
        repo.git("pull", "-q", "--tags")
        shutil.copytree(repos[0].cache, repo.cache, dirs_exist_ok=True)
        repo.model.unlink()
        shutil.copy(repos[0].model, repo.model)
        repo.git("update-index", "-q", "--refresh")


def no_local_only_tag(repo: Git, hub: Git) -> None:
    there = tags_of(hub)
    assert {name: oid for name, oid in tags_of(repo).items() if there.get(name) != oid} == {}


def release_rounds(clones: Clones, servers: Servers, folder: Path, number: int, rounds: int, card: bool) -> int:
    """Race `release --push` and then `promote --push`; how many commands lost."""
    repos = clones_of(clones, number, folder)
    lost = 0
    release = ["release", "churn", "--push", *without(card)]
    servers(1)[0](repos[0].git, *release)
    for turn in range(rounds):
        catch_up(repos, 10 + turn)
        for repo in repos:
            repo.git("fetch", "-q", "--tags")
        new = f"churn@v0.{turn + 2}.0"
        lost += one_race(repos, clones.hub, servers, release, exactly=new, card=card)
        for repo in repos:
            repo.git("fetch", "-q", "--tags")
        lost += one_race(repos, clones.hub, servers, ["promote", new, "prod", "--push"])
    fsck(clones.hub)
    # Nobody's commit was lost, and the branch has one card's commit a version.
    kinds = clones.hub("log", "--format=%s", "main").splitlines()
    assert sum(line.endswith(": card") for line in kinds) == (rounds + 1 if card else 0)
    assert sum(line.startswith("Train with depth") for line in kinds) == rounds
    return lost


WITH_CARD = {"ref refs/heads/main", "ref refs/remotes/origin/main", "ref refs/remotes/origin/HEAD"}
WITH_CARD |= {f"file {MODEL_CARD}", ".git/index"}
"""What a release with `--push` changes in its clone beside the tag."""


def one_race(
    repos: Sequence[DvcRepo],
    hub: Git,
    servers: Servers,
    argv: list[str],
    exactly: str | None = None,
    card: bool = False,
) -> int:
    """One round: check winners, losers and the hub; the number of losers."""
    before, hub_before = [snapshot(repo.git) for repo in repos], tags_of(hub)
    answers = race(servers(len(repos)), [(repo.git, argv) for repo in repos])
    made = set(tags_of(hub)) - set(hub_before)
    codes = [answer.code for answer in answers]
    words = "\n".join(map(str, answers))
    assert set(codes) <= {0, 4}, words
    # Each name that is new on the remote was made by exactly one clone, and each winner has its own.
    assert codes.count(0) == len(made) >= 1, words
    assert exactly is None or made == {exactly}, words
    for repo, old, answer in zip(repos, before, answers, strict=True):
        if answer.code == 4:
            assert snapshot(repo.git) == old, answer
            assert "hint: git fetch --tags" in answer.err
        else:
            new = changed(old, snapshot(repo.git)) - (WITH_CARD if card else set())
            mine = {f"ref refs/tags/{name}" for name in made}
            assert len(new) == 1, answer
            assert new <= mine, answer
            if card:
                assert exactly is not None
                check_card(repo.git, exactly)
                assert hub.rev("main") == repo.git.rev() == repo.git.rev(f"{exactly}^{{commit}}")
        no_local_only_tag(repo.git, hub)
        assert litter(repo.git) == []
    return codes.count(4)


CARDS = pytest.mark.parametrize("card", [False, True], ids=["tag", "card"])


@CARDS
def test_clones_race_for_a_version_and_a_stage(
    two_clones: Clones, servers: Servers, tmp_path: Path, card: bool
) -> None:
    """Of four clones that release the same commit one wins, and the losers are as before; so for promotes."""
    assert release_rounds(two_clones, servers, tmp_path, 4, 3, card) >= 9


@pytest.mark.long
@CARDS
def test_many_clones_race_many_rounds(two_clones: Clones, servers: Servers, tmp_path: Path, card: bool) -> None:
    """The same for RACE_CLONES clones in RACE_ROUNDS rounds (8 and 25)."""
    assert release_rounds(two_clones, servers, tmp_path, CLONES, ROUNDS, card) >= ROUNDS * (CLONES - 1)


def test_the_same_event_twice_is_one_event(two_clones: Clones, server: Server) -> None:
    """One person in one second in two clones makes the same tag object: both have what they asked for."""
    bao = Git(two_clones.bao.path, two_clones.ada.git.home, two_clones.ada.git.clock)
    push = f"git -C {two_clones.ada.path} push -q origin refs/tags/churn@v0.1.0"
    server(two_clones.ada.git, "release", "churn")
    hook(bao.path / ".git", "pre-push", f"unset GIT_DIR; {push}")
    server(bao, "release", "churn", "--push")
    assert tags_of(bao) == tags_of(two_clones.ada.git) == tags_of(two_clones.hub)


def test_the_first_version_of_all_has_one_winner(two_clones: Clones, servers: Servers, tmp_path: Path) -> None:
    """Who comes late to a model without any version is told that the clone lacks tags, and makes none."""
    repos = clones_of(two_clones, 4, tmp_path)
    before = [snapshot(repo.git) for repo in repos]
    answers = race(servers(4), [(repo.git, ["release", "churn", "--push"]) for repo in repos])
    codes = sorted(answer.code for answer in answers)
    assert codes[0] == 0
    assert set(codes[1:]) <= {4, 6}, "\n".join(map(str, answers))
    assert list(tags_of(two_clones.hub)) == ["churn@v0.1.0"]
    for repo, old, answer in zip(repos, before, answers, strict=True):
        assert answer.code == 0 or snapshot(repo.git) == old


@pytest.mark.parametrize("more", [("--no-card",), (), ("--rev", "HEAD")], ids=["tag", "card", "--rev"])
def test_a_loser_that_tries_again_is_sent_to_fetch(two_clones: Clones, server: Server, more: tuple[str, ...]) -> None:
    """The loser's second try makes no second version of the same commit; after a fetch the asked state holds."""
    ada, bao = two_clones.ada, two_clones.bao
    server(ada.git, "release", "churn", "--push")
    bao.git("fetch", "-q", "--tags")
    catch_up([ada, bao], 12)
    server(ada.git, "release", "churn", "--push", *more)
    before = snapshot(bao.git)
    answer = server(bao.git, "release", "churn", "--push", *more, code=4)
    assert "v0.2.0" in answer.err
    assert "hint: git fetch --tags" in answer.err
    assert snapshot(bao.git) == before
    bao.git("fetch", "-q", "--tags")
    server(bao.git, "release", "churn", "--push", *more)
    assert sorted(tags_of(two_clones.hub)) == ["churn@v0.1.0", "churn@v0.2.0"]
    assert tags_of(bao.git) == tags_of(two_clones.hub)


@pytest.mark.parametrize("more", [("--no-card",), (), ("--rev", "HEAD")], ids=["tag", "card", "--rev"])
def test_a_version_that_only_the_remote_has(two_clones: Clones, server: Server, more: tuple[str, ...]) -> None:
    """Nor is a second version of the same commit made here alone: the remote's is named, and nothing has changed."""
    ada, bao = two_clones.ada, two_clones.bao
    server(ada.git, "release", "churn", "--push")
    bao.git("fetch", "-q", "--tags")
    catch_up([ada, bao], 12)
    server(ada.git, "release", "churn", "--push", *more)
    before = snapshot(bao.git)
    assert "v0.2.0" in server(bao.git, "release", "churn", *more, code=4).err
    assert snapshot(bao.git) == before


def test_processes_in_one_clone_make_one_version(dvc_repo: DvcRepo, servers: Servers) -> None:
    """Six releases at once in one clone: one version, one card's commit; the others find the asked state."""
    head = dvc_repo.git.rev()
    answers = race(servers(6), [(dvc_repo.git, ["release", "churn", "--json"])] * 6)
    assert [answer.code for answer in answers] == [0] * 6, "\n".join(map(str, answers))
    assert sum('"changed": true' in answer.out for answer in answers) == 1
    assert dvc_repo.git.tags() == ["churn@v0.1.0"]
    check_card(dvc_repo.git, "churn@v0.1.0")
    assert dvc_repo.git("rev-list", "--count", f"{head}..HEAD") == "1"
    fsck(dvc_repo.git)


def test_processes_in_one_clone_give_stages_their_own_numbers(dvc_repo: DvcRepo, servers: Servers) -> None:
    """Six promotes to six stages at once in one clone: six counters, none twice, none lost."""
    servers(1)[0](dvc_repo.git, "release", "churn")
    answers = race(servers(6), [(dvc_repo.git, ["promote", "churn", f"s{i}"]) for i in range(6)])
    assert [answer.code for answer in answers] == [0] * 6, "\n".join(map(str, answers))
    counters = sorted(int(name.rpartition("#")[2]) for name in dvc_repo.git.tags() if "#" in name)
    assert counters == [1, 2, 3, 4, 5, 6]


def test_a_withdrawal_races_a_promote(two_clones: Clones, servers: Servers, modelver: Modelver) -> None:
    """At one counter both may land, and a withdrawal that comes late is told so; then the promoted version holds,
    whoever was first, in every clone alike."""
    ada, bao = two_clones.ada, two_clones.bao
    first = servers(1)[0]
    first(ada.git, "release", "churn", "--push")
    bao.git("fetch", "-q", "--tags")
    catch_up([ada, bao], 12)
    first(ada.git, "release", "churn", "--push")
    for turn in range(3):
        first(ada.git, "promote", "churn@v0.1.0", "prod", "--push")
        bao.git("fetch", "-q", "--tags")
        promote = (ada.git, ["promote", "churn@v0.2.0", "prod", "--push"])
        withdraw = (bao.git, ["withdraw", "churn#prod", "--push"])
        answers = race(servers(2), [promote, withdraw])
        assert (answers[0].code, answers[1].code) in ((0, 0), (0, 4)), "\n".join(map(str, answers))
        for repo in (ada, bao):
            repo.git("fetch", "-q", "--tags")
        assert tags_of(ada.git) == tags_of(bao.git) == tags_of(two_clones.hub)
        held = [
            modelver("list", "--json", cwd=repo.git).json["models"][0]["stages"]["prod"]["version"]
            for repo in (ada, bao)
        ]
        assert held == ["v0.2.0", "v0.2.0"], turn


def test_a_colleagues_commit_is_never_erased(two_clones: Clones, server: Server) -> None:
    """A commit that lands between our look and our push with a card stays; we lose, and are as before."""
    ada, bao = two_clones.ada, two_clones.bao
    theirs = bao.git.commit("By Bao", {"notes.txt": "hello\n"})
    hook(ada.path / ".git", "pre-push", f"env -u GIT_DIR git -C {bao.path} push -q origin main")
    before = snapshot(ada.git)
    answer = server(ada.git, "release", "churn", "--push", code=4)
    assert "main" in answer.err
    assert two_clones.hub.rev("main") == theirs
    assert tags_of(two_clones.hub) == {}
    assert snapshot(ada.git) == before


def test_a_colleagues_commit_does_not_hinder_a_tag(two_clones: Clones, server: Server) -> None:
    """Without a card the branch is not pushed at all: a commit that lands meanwhile stays, and so does ours."""
    ada, bao = two_clones.ada, two_clones.bao
    theirs = bao.git.commit("By Bao", {"notes.txt": "hello\n"})
    hook(ada.path / ".git", "pre-push", f"env -u GIT_DIR git -C {bao.path} push -q origin main")
    server(ada.git, "release", "churn", "--push", "--no-card")
    assert two_clones.hub.rev("main") == theirs
    assert tags_of(two_clones.hub) == tags_of(ada.git)


def test_clones_race_with_cards(two_clones: Clones, servers: Servers, tmp_path: Path) -> None:
    """With a card in the commit too: one winner, and the losers' branch, index and files are as before."""
    repos = clones_of(two_clones, 4, tmp_path)
    pushed(repos[0])
    before = [snapshot(repo.git) for repo in repos]
    barrier = threading.Barrier(4)
    answers: dict[int, Answer] = {}

    def one(number: int, server: Server) -> None:
        barrier.wait()
        answers[number] = server(repos[number].git, "release", "churn", "--push", code=None)

    threads = [threading.Thread(target=one, args=pair) for pair in enumerate(servers(4))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    codes = sorted(answer.code for answer in answers.values())
    assert codes.count(0) == 1, "\n".join(map(str, answers.values()))
    assert set(codes) <= {0, 4, 6}
    for number, answer in answers.items():
        if answer.code:
            assert snapshot(repos[number].git) == before[number], answer
        else:
            assert two_clones.hub.rev("main") == repos[number].git.rev()
            assert two_clones.hub.rev("churn@v0.1.0^{commit}") == repos[number].git.rev()
            check_card(repos[number].git, "churn@v0.1.0")


def test_a_commit_in_the_clone_meanwhile_survives(templates: Templates, tmp_path: Path, server: Server) -> None:
    """Other work that is staged while our push runs is still staged after we lost."""
    clones = templates.clones(tmp_path)
    ada = clones.ada
    bao = clones.bao
    bao.git.commit("By Bao", {"notes.txt": "hello\n"})
    ada.git.write("later.txt", "staged meanwhile\n")
    script = f"unset GIT_DIR; git -C {bao.path} push -q origin main; git -C {ada.path} add later.txt"
    hook(ada.path / ".git", "pre-push", script)
    head = ada.git.rev()
    server(ada.git, "release", "churn", "--push", code=4)
    assert ada.git.rev() == head
    assert ada.git("status", "--porcelain") == "A  later.txt"
