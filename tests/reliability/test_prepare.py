"""Branches that take only pull requests: the card is prepared, reviewed and merged; then a release only tags."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.reliability.tools import (
    CARD,
    MODEL_CARD,
    changed,
    check_blocks,
    check_card,
    hook,
    pictures,
    record_of,
    tags_of,
    with_plots,
)
from tests.support import Clones, DvcRepo, Git, Modelver, Result, snapshot

V0, V1 = "churn@v0.1.0", "churn@v0.2.0"
WORDS = "For the *retention* team — and nobody else."
_TODO = "[More Information Needed]"


def prepare(modelver: Modelver, repo: Git, *more: str) -> Result:
    """`release churn --prepare`, which changes nothing but the card's file."""
    before = snapshot(repo)
    result = modelver("release", "churn", "--prepare", *more, "--json", cwd=repo)
    assert changed(before, snapshot(repo)) <= {f"file {MODEL_CARD}"}, result
    return result


def card_of(repo: Git) -> str:
    """The card in the work tree."""
    return (repo.path / MODEL_CARD).read_text()


@pytest.fixture
def trained(two_clones: Clones, modelver: Modelver) -> Clones:
    """Everybody has churn@v0.1.0; Ada has trained another model on a branch of her own."""
    ada, bao = two_clones.ada, two_clones.bao
    modelver("release", "churn", "--push", cwd=ada.git)
    bao.git("pull", "-q", "--ff-only", "--tags")
    ada.git("switch", "-q", "-c", "proposal")
    ada.fake_train(9)
    return two_clones


@pytest.fixture
def proposed(trained: Clones, modelver: Modelver) -> Clones:
    """Ada has published her branch with the card prepared for v0.2.0; `main` has moved on meanwhile."""
    ada, bao = trained.ada.git, trained.bao.git
    prepare(modelver, ada, "--bump", "minor")
    ada.commit("The card of the next version")
    ada("push", "-q", "origin", "proposal")
    bao.commit("Meanwhile", {"notes.txt": "by Bao\n"})
    bao("push", "-q", "origin", "main")
    bao("fetch", "-q")
    return trained


# Preparing -----------------------------------------------------------------------------------------------------------


def test_prepare_writes_the_card_and_nothing_else(trained: Clones, modelver: Modelver) -> None:
    """The card names the planned number and what it is compared with; no commit, no tag, nothing staged or pushed."""
    ada, hub = trained.ada.git, trained.hub.refs()
    before = snapshot(ada)
    modelver("release", "churn", "--prepare", "--bump", "minor", "--dry-run", cwd=ada)
    assert snapshot(ada) == before
    answer = prepare(modelver, ada, "--bump", "minor").json
    assert (answer["action"], answer["changed"]) == ("prepare", True)
    assert [(m["version"], m["published"]) for m in answer["models"]] == [("v0.2.0", None)]
    assert answer["steps"] == [{"do": "write", "target": MODEL_CARD}]
    assert ada("status", "--porcelain") == f" M {MODEL_CARD}"
    check_blocks(card_of(ada), "churn", "v0.2.0")
    assert f"base=v0.1.0 base-commit={ada.rev(f'{V0}^{{commit}}')}" in card_of(ada)
    assert trained.hub.refs() == hub


def test_prepare_of_the_first_version(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """A card that is not there yet begins as the template; the file is left to the person to add."""
    prepare(modelver, dvc_repo.git)
    assert dvc_repo.git("status", "--porcelain", "-uall") == f"?? {MODEL_CARD}"
    check_blocks(card_of(dvc_repo.git), "churn", "v0.1.0")
    head = dvc_repo.git.commit("The card")
    modelver("release", "churn", cwd=dvc_repo.git)
    assert dvc_repo.git.rev(f"{V0}^{{commit}}") == head == dvc_repo.git.rev()
    check_card(dvc_repo.git, V0)
    assert record_of(dvc_repo.git, V0).previous is None


@pytest.mark.parametrize("committed", [False, True], ids=["work tree", "committed"])
@pytest.mark.parametrize(
    ("more", "version"),
    [((), "v0.2.0"), (("--bump", "major"), "v1.0.0"), (("--version", "v0.4.0"), "v0.4.0")],
    ids=["default", "bump", "version"],
)
def test_prepare_twice_is_prepare_once(
    trained: Clones, modelver: Modelver, committed: bool, more: tuple[str, ...], version: str
) -> None:
    """The second time finds the card as it is to be, in the work tree or in a commit, as a CI job does at each push."""
    ada = trained.ada.git
    prepare(modelver, ada, *more)
    first = card_of(ada)
    if committed:
        ada.commit("The card")
    ada.clock.tick(86_400)
    again = prepare(modelver, ada, *more).json
    assert (again["changed"], again["steps"], again["models"][0]["version"]) == (False, [], version)
    assert card_of(ada) == first


def test_prepare_of_a_timestamp_version(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """The number is that of the day when the card was prepared, not of the merge."""
    repo = dvc_repo.git
    repo.commit("Configure", {".modelver.yaml": "scheme: timestamp\n"})
    version = prepare(modelver, repo).json["models"][0]["version"]
    head = repo.commit("The card")
    repo.clock.tick(86_400)
    modelver("release", "churn", cwd=repo)
    assert repo.tags() == [f"churn@{version}"]
    assert repo.rev(f"churn@{version}^{{commit}}") == head == repo.rev()


def test_prepare_with_pictures(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """Plots are written beside the card, and those that they replace go; the release finds them current."""
    repo = dvc_repo.git
    with_plots(dvc_repo)
    modelver("release", "churn", cwd=repo)
    old = pictures(repo)
    dvc_repo.fake_train(9)
    with_plots(dvc_repo, "1,2\n2,9\n")
    modelver("release", "churn", "--prepare", cwd=repo)
    status = dict(reversed(line.strip().split(" ", 1)) for line in repo("status", "--porcelain", "-uall").splitlines())
    (new,) = set(status) - old - {MODEL_CARD}
    assert status == {MODEL_CARD: "M", new: "??"} | dict.fromkeys(old, "D")
    head = repo.commit("The card")
    modelver("release", "churn", cwd=repo)
    assert repo.rev("churn@v0.2.0^{commit}") == head == repo.rev()
    check_card(repo, "churn@v0.2.0")
    assert pictures(repo) == {new}


def test_prepare_without_a_change_writes_nothing(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """What is released already needs no pull request: the version is named, and the card stays."""
    modelver("release", "churn", cwd=dvc_repo.git)
    answer = prepare(modelver, dvc_repo.git, "--bump", "minor").json
    assert (answer["changed"], answer["models"][0]["version"]) == (False, "v0.1.0")
    assert dvc_repo.git("status", "--porcelain") == ""


def test_uncommitted_words_survive(trained: Clones, modelver: Modelver) -> None:
    """What a person has just written into the card stands in the prepared one, and in the released one."""
    ada = trained.ada.git
    ada.write(MODEL_CARD, card_of(ada).replace(_TODO, WORDS, 1) + "\n\n## My own section\n\nwithout an end")
    prepare(modelver, ada)
    prepared = card_of(ada)
    check_blocks(prepared, "churn", "v0.2.0")
    assert WORDS in prepared
    assert prepared.endswith("\n## My own section\n\nwithout an end")
    ada.commit("The card")
    modelver("release", "churn", cwd=ada)
    assert check_card(ada, "churn@v0.2.0") == prepared


def test_staged_and_untracked_words_survive(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """So do words in a first card that was begun by `card update` and is not, or only half, added."""
    repo = dvc_repo.git
    modelver("card", "update", "churn", cwd=repo)
    repo.write(MODEL_CARD, card_of(repo).replace(_TODO, WORDS, 1))
    prepare(modelver, repo)
    assert WORDS in card_of(repo)
    repo("add", MODEL_CARD)
    repo.write(MODEL_CARD, card_of(repo).replace(_TODO, "Later: the limits.", 1))
    prepare(modelver, repo)
    assert WORDS in card_of(repo)
    assert "Later: the limits." in card_of(repo)
    check_blocks(card_of(repo), "churn", "v0.1.0")


def test_an_edited_block_is_not_overwritten(trained: Clones, modelver: Modelver) -> None:
    """A number that a person has corrected within a block: 3, and the card keeps it."""
    ada = trained.ada.git
    ada.write(MODEL_CARD, card_of(ada).replace("| auc | 0.8 |", "| auc | 0.81 |"))
    before = snapshot(ada)
    assert MODEL_CARD in modelver("release", "churn", "--prepare", cwd=ada, code=3).err
    assert snapshot(ada) == before


def test_prepare_on_a_detached_head(trained: Clones, modelver: Modelver) -> None:
    """A CI job, which is on no branch, prepares as well."""
    ada = trained.ada.git
    ada("switch", "-q", "--detach")
    prepare(modelver, ada)
    check_blocks(card_of(ada), "churn", "v0.2.0")


# Merging and releasing -----------------------------------------------------------------------------------------------


def _merge_commit(repo: Git) -> None:
    repo("merge", "-q", "--no-ff", "-m", "Merge the proposal", "origin/proposal")


def _squash(repo: Git) -> None:
    repo("merge", "-q", "--squash", "origin/proposal")
    repo("commit", "-q", "-m", "The proposal (#1)")


def _rebase(repo: Git) -> None:
    repo("switch", "-q", "--detach", "origin/proposal")
    repo("rebase", "-q", "main")
    rebased = repo.rev()
    repo("switch", "-q", "main")
    repo("merge", "-q", "--ff-only", rebased)


def _fast_forward(repo: Git) -> None:
    repo("reset", "-q", "--hard", "origin/proposal")


MERGES = pytest.mark.parametrize(
    "merge", [_merge_commit, _squash, _rebase, _fast_forward], ids=lambda merge: merge.__name__[1:]
)


def merged(clones: Clones, merge: Callable[[Git], None], *, detached: bool = False) -> Git:
    """The hub has merged the proposal; Ada's clone at what `main` is now."""
    bao, ada = clones.bao.git, clones.ada.git
    merge(bao)
    bao("push", "-q", "--force", "origin", "main")
    ada("fetch", "-q", "--no-tags")
    ada("switch", "-q", "--detach", "origin/main") if detached else ada("switch", "-q", "-C", "main", "origin/main")
    return ada


def check_released(clones: Clones, repo: Git, head: str, before: dict[str, str]) -> None:
    """v0.2.0 is `head` itself, and the tag is all that is new, here and on the hub."""
    assert repo.rev() == head == repo.rev(f"{V1}^{{commit}}")
    assert changed(before, snapshot(repo)) == {f"ref refs/tags/{V1}"}
    assert tags_of(clones.hub) == tags_of(repo)
    assert sorted(tags_of(repo)) == [V0, V1]
    text = check_card(repo, V1, committed=False)
    assert f"base=v0.1.0 base-commit={repo.rev(f'{V0}^{{commit}}')}" in text
    record = record_of(repo, V1)
    assert (record.version, record.previous) == ("v0.2.0", "v0.1.0")


@MERGES
@pytest.mark.parametrize("detached", [False, True], ids=["branch", "detached"])
def test_after_the_merge_a_release_only_tags(
    proposed: Clones, modelver: Modelver, merge: Callable[[Git], None], detached: bool
) -> None:
    """However it was merged: the card is current, no commit is made, and the number is the card's."""
    repo = merged(proposed, merge, detached=detached)
    head, main, before = repo.rev(), proposed.hub.rev("main"), snapshot(repo)
    plan = modelver("release", "churn", "--push", "--dry-run", "--json", cwd=repo).json
    assert [step["do"] for step in plan["steps"]] == ["dvc push", "git push", "git tag"]
    answer = modelver("release", "churn", "--push", "--json", cwd=repo).json
    assert [(m["version"], m["commit"]) for m in answer["models"]] == [("v0.2.0", head)]
    check_released(proposed, repo, head, before)
    assert proposed.hub.rev("main") == main
    # And once more: the asked state holds.
    assert modelver("release", "churn", "--push", "--json", cwd=repo).json["changed"] is False
    modelver("card", "check", cwd=repo)


def test_a_protected_branch(proposed: Clones, modelver: Modelver) -> None:
    """On a server that takes no direct push to `main` a release of a merged card goes through, with `--push`."""
    repo = merged(proposed, _squash)
    hook(proposed.hub.path, "update", 'case "$1" in refs/heads/main) echo "pull requests only"; exit 1;; esac')
    head, before = repo.rev(), snapshot(repo)
    modelver("release", "churn", "--push", cwd=repo)
    check_released(proposed, repo, head, before)
    # The next version needs a card again, and that is refused as a whole.
    proposed.ada.fake_train(10)
    before = snapshot(repo)
    assert "pull requests only" in modelver("release", "churn", "--push", cwd=repo, code=6).err
    assert snapshot(repo) == before


def test_the_version_after_a_prepared_one(proposed: Clones, modelver: Modelver) -> None:
    """Once it is released the card's number is used up: the next model gets the next one, by the default bump."""
    repo = merged(proposed, _squash)
    modelver("release", "churn", cwd=repo)
    proposed.ada.fake_train(10)
    modelver("release", "churn", cwd=repo)
    assert repo.tags() == [V0, V1, "churn@v0.3.0"]
    check_card(repo, "churn@v0.3.0")
    assert record_of(repo, "churn@v0.3.0").previous == "v0.2.0"


def test_a_prepared_card_that_went_out_of_date(proposed: Clones, modelver: Modelver) -> None:
    """Trained again after the card was prepared: it keeps its number, and needs a commit on a branch again."""
    repo = merged(proposed, _squash)
    proposed.ada.fake_train(10)
    head = repo.rev()
    repo("switch", "-q", "--detach")
    before = snapshot(repo)
    modelver("release", "churn", cwd=repo, code=3)
    assert snapshot(repo) == before
    repo("switch", "-q", "main")
    modelver("release", "churn", cwd=repo)
    assert repo.rev(f"{V1}^{{commit}}^") == head
    check_card(repo, V1)


def test_two_models_are_prepared_together(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """Both cards are written, and after one commit both versions are tagged on it."""
    repo = dvc_repo.git
    text = (repo.path / "dvc.yaml").read_text()
    repo.commit("Two models", {"dvc.yaml": text + "  scores:\n    path: metrics.json\n    type: model\n"})
    modelver("release", "churn", "scores", "--prepare", "--version", "v1.0.0", cwd=repo)
    head = repo.commit("The cards")
    modelver("release", "churn", "scores", cwd=repo)
    assert repo.rev() == head
    for name in ("churn", "scores"):
        assert repo.rev(f"{name}@v1.0.0^{{commit}}") == head
        card = record_of(repo, f"{name}@v1.0.0").card
        assert card is not None
        assert card.oid == repo.rev(f"HEAD:{CARD.format(name=name)}")


# When the number is gone ---------------------------------------------------------------------------------------------


def _without_a_card(clones: Clones, modelver: Modelver, version: str) -> None:
    modelver("release", "churn", "--version", version, "--no-card", "--push", cwd=clones.bao.git)


def _with_a_card(clones: Clones, modelver: Modelver, version: str) -> None:
    modelver("release", "churn", "--version", version, "--push", cwd=clones.bao.git)


def _by_hand(clones: Clones, modelver: Modelver, version: str) -> None:
    clones.bao.git.tag(f"churn@{version}")
    clones.bao.git("push", "-q", "origin", f"refs/tags/churn@{version}")


@pytest.mark.parametrize("take", [_without_a_card, _with_a_card, _by_hand], ids=lambda take: take.__name__[1:])
@pytest.mark.parametrize("where", ["here", "on the remote"])
@pytest.mark.parametrize("version", ["v0.2.0", "v0.3.0"], ids=["taken", "higher"])
def test_a_number_that_was_taken_meanwhile(
    proposed: Clones, modelver: Modelver, take: Callable[[Clones, Modelver, str], None], where: str, version: str
) -> None:
    """Another commit is that version by now, or a higher one: 4, both are named, and nothing has changed."""
    somebody_else(proposed, modelver, take, version)
    repo = merged(proposed, _squash)
    if where == "here":
        repo("fetch", "-q", "--tags")
    hub, before = proposed.hub.refs(), snapshot(repo)
    for more in ((), ("--push",), ("--dry-run",)):
        error = modelver("release", "churn", *more, cwd=repo, code=4).err
        assert "v0.2.0" in error
        assert version in error
        assert "hint: " in error
        assert snapshot(repo) == before
        assert proposed.hub.refs() == hub


def somebody_else(
    clones: Clones, modelver: Modelver, take: Callable[[Clones, Modelver, str], None], version: str
) -> None:
    """Bao has trained on a branch of his own, and publishes that as `version`."""
    bao = clones.bao
    bao.git("switch", "-q", "-c", "other")
    bao.fake_train(12)
    take(clones, modelver, version)
    bao.git("switch", "-q", "main")


def test_the_way_on_after_a_number_was_taken(proposed: Clones, modelver: Modelver) -> None:
    """What the hint says works: fetch, prepare again, and the card has a number that is free."""
    somebody_else(proposed, modelver, _without_a_card, "v0.2.0")
    repo = merged(proposed, _squash)
    assert "--prepare again" in modelver("release", "churn", cwd=repo, code=4).err
    repo("fetch", "-q", "--tags")
    prepare(modelver, repo)
    check_blocks(card_of(repo), "churn", "v0.3.0")
    head = repo.commit("The card, again")
    modelver("release", "churn", cwd=repo)
    assert repo.rev("churn@v0.3.0^{commit}") == head == repo.rev()
    check_card(repo, "churn@v0.3.0")


@pytest.mark.parametrize("taken", [False, True], ids=["free", "taken"])
@pytest.mark.parametrize(
    ("more", "version"),
    [(("--version", "v0.5.0"), "v0.5.0"), (("--bump", "major"), "v1.0.0")],
    ids=["version", "bump"],
)
def test_a_number_that_is_named_counts(
    proposed: Clones, modelver: Modelver, taken: bool, more: tuple[str, ...], version: str
) -> None:
    """Who names a number or a bump gets it, whatever the card was prepared for: with a commit of the card."""
    if taken:
        somebody_else(proposed, modelver, _without_a_card, "v0.2.0")
    repo = merged(proposed, _squash)
    if taken:
        repo("fetch", "-q", "--tags")
    head = repo.rev()
    modelver("release", "churn", *more, cwd=repo)
    assert repo.rev("HEAD^") == head
    assert repo.rev(f"churn@{version}^{{commit}}") == repo.rev()
    check_card(repo, f"churn@{version}")


def test_the_remote_is_out_of_reach(proposed: Clones, modelver: Modelver) -> None:
    """With earlier versions here a prepared number is taken, with a warning; in a clone without any it is 6."""
    repo = merged(proposed, _squash)
    proposed.hub.path.rename(proposed.hub.path.with_name("gone.git"))
    assert "warning: cannot ask the remote" in modelver("release", "churn", cwd=repo).err
    assert sorted(tags_of(repo)) == [V0, V1]
    for tag in (V0, V1):
        repo("tag", "-d", tag)
    shutil.rmtree(repo.path / ".git" / "modelver")
    before = snapshot(repo)
    assert "--offline" in modelver("release", "churn", cwd=repo, code=6).err
    assert snapshot(repo) == before


# Checking ------------------------------------------------------------------------------------------------------------


def edited(repo: Git, name: str) -> None:
    """Another value in one of the files that the card is made from."""
    path = repo.path / name
    old, new = {
        "params.yaml": ("depth: 9", "depth: 10"),
        "metrics.json": ("0.95", "0.96"),
        "dvc.lock": ("depth: 9", "depth: 10"),
    }[name]
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


SOURCES = ["params.yaml", "metrics.json", "dvc.lock"]


@pytest.mark.parametrize("file", SOURCES)
@pytest.mark.parametrize("where", ["here", "bare clone"])
def test_card_check_after_a_release(trained: Clones, modelver: Modelver, tmp_path: Path, where: str, file: str) -> None:
    """0 right after a release, also where there is neither tag, history nor data; 1 when a source changes."""
    repo = trained.ada.git
    modelver("release", "churn", "--bump", "minor", cwd=repo)
    assert f"base=v0.1.0 base-commit={repo.rev(f'{V0}^{{commit}}')}" in card_of(repo)
    if where != "here":
        repo("clone", "-q", "--no-tags", "--depth", "1", repo.path.as_uri(), tmp_path / "clone")
        repo = repo.at(tmp_path / "clone")
        assert (repo.tags(), repo("rev-list", "--count", "HEAD")) == ([], "1")
        assert not (repo.path / ".dvc" / "cache").exists()
        assert not (repo.path / DvcRepo.MODEL).exists()
    before = snapshot(repo)
    report = modelver("card", "check", "--json", cwd=repo).json
    assert (report["ok"], report["cards"][0]["version"], report["cards"][0]["problems"]) == (True, "v0.2.0", [])
    modelver("card", "check", "churn", cwd=repo)
    assert snapshot(repo) == before
    edited(repo, file)
    before = snapshot(repo)
    report = modelver("card", "check", "--json", cwd=repo, code=1).json
    assert report["ok"] is False
    assert any("out of date" in found["problem"] for found in report["cards"][0]["problems"]), json.dumps(report)
    assert snapshot(repo) == before


def test_card_check_after_prepare(trained: Clones, modelver: Modelver) -> None:
    """1 after a training, 0 with the card that was prepared, before and after its commit."""
    repo = trained.ada.git
    modelver("card", "check", cwd=repo, code=1)
    prepare(modelver, repo)
    modelver("card", "check", cwd=repo)
    repo.commit("The card")
    modelver("card", "check", cwd=repo)
