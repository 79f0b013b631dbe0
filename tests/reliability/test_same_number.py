"""Two people who want the same next number: told who has it, and given the next free one when they ask."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from tests.reliability.test_prepare import card_of, prepare
from tests.reliability.tools import MODEL_CARD, check_blocks, check_card, record_of, tags_of
from tests.support import Clones, DvcRepo, Git, Modelver, snapshot

V0, V1, V2 = "churn@v0.1.0", "churn@v0.2.0", "churn@v0.3.0"


@pytest.fixture
def rivals(two_clones: Clones, modelver: Modelver) -> Clones:
    """Both have prepared v0.2.0 on branches from one commit; Bao's is merged, released and published."""
    ada, bao = two_clones.ada, two_clones.bao
    modelver("release", "churn", "--push", cwd=ada.git)
    bao.git("pull", "-q", "--ff-only", "--tags")
    for who, depth in ((ada, 9), (bao, 12)):
        who.git("switch", "-q", "-c", "proposal")
        who.fake_train(depth)
        prepare(modelver, who.git, "--version", "v0.2.0")
        who.git.commit("The card of the next version")
        who.git("switch", "-q", "main")
    bao.git("merge", "-q", "--no-ff", "-m", "Bao's proposal", "proposal")
    bao.git("push", "-q", "origin", "main")
    modelver("release", "churn", "--push", cwd=bao.git)
    return two_clones


def on_her_own(clones: Clones) -> Git:
    """Ada has merged her proposal only."""
    ada = clones.ada.git
    ada("merge", "-q", "--ff-only", "proposal")
    return ada


def after_his(clones: Clones) -> Git:
    """Ada has merged the `main` that has Bao's, and then her proposal, whose files she chose."""
    ada = clones.ada.git
    ada("pull", "-q", "--ff-only", "--tags")
    ada("merge", "-q", "-X", "theirs", "-m", "Ada's proposal", "proposal")
    assert ada("diff", "--stat", "proposal", "HEAD") == ""
    return ada


WAYS = pytest.mark.parametrize("way", [on_her_own, after_his], ids=lambda way: way.__name__)


@WAYS
def test_the_second_is_told_who_was_first(rivals: Clones, modelver: Modelver, way: Callable[[Clones], Git]) -> None:
    """4 with the number, the commit and the person that have it, and the option that goes on; nothing has changed."""
    theirs = rivals.hub.rev(f"{V1}^{{commit}}")
    ada = way(rivals)
    before, hub = snapshot(ada), rivals.hub.refs()
    for more in ((), ("--push",), ("--dry-run",)):
        error = modelver("release", "churn", *more, cwd=ada, code=4).err
        assert f"prepared for v0.2.0, and that number is taken by now, commit {theirs[:12]} by Bao Nguyen\n" in error
        assert "hint: modelver release churn --renumber" in error
        assert (snapshot(ada), rivals.hub.refs()) == (before, hub)


@WAYS
def test_the_second_takes_the_next_number(rivals: Clones, modelver: Modelver, way: Callable[[Clones], Git]) -> None:
    """`--renumber`: the next free number, its card in a commit of its own, the reason in the record; once."""
    ada = way(rivals)
    head = ada.rev()
    plan = modelver("release", "churn", "--renumber", "--dry-run", "--json", cwd=ada).json
    assert ada.rev() == head
    answer = modelver("release", "churn", "--renumber", "--json", cwd=ada)
    (model,) = answer.json["models"]
    tag = model["tag"]
    assert tag not in (V0, V1)
    assert tag in rivals.ada.git.tags()
    assert plan["models"][0]["version"] == model["version"]
    assert (ada.rev("HEAD^"), ada.rev(f"{tag}^{{commit}}")) == (head, ada.rev())
    assert ada("diff", "--name-only", "HEAD^", "HEAD") == MODEL_CARD
    check_blocks(card_of(ada), "churn", model["version"])
    check_card(ada, tag)
    reason = record_of(ada, tag).reason or ""
    assert reason.startswith("renumbered: prepared as v0.2.0, and that number is taken by now, commit ")
    assert "by Bao Nguyen" in reason
    assert "note: churn: " in answer.err
    assert modelver("release", "churn", "--renumber", "--json", cwd=ada).json["changed"] is False


def test_renumbered_and_published(rivals: Clones, modelver: Modelver) -> None:
    """With `--push` the version and the card's commit are on the hub, beside Bao's untouched one."""
    ada, theirs = after_his(rivals), rivals.hub.rev(f"refs/tags/{V1}")
    modelver("release", "churn", "--renumber", "--push", cwd=ada)
    assert tags_of(ada) == tags_of(rivals.hub)
    assert len(tags_of(ada)) == 3
    assert rivals.hub.rev("main") == ada.rev()
    assert rivals.hub.rev(f"refs/tags/{V1}") == theirs
    rivals.bao.git("pull", "-q", "--ff-only", "--tags")
    modelver("card", "check", cwd=rivals.bao.git)
    assert modelver("doctor", cwd=rivals.bao.git, code=None).code == 0


def test_a_higher_number_came_meanwhile(rivals: Clones, modelver: Modelver) -> None:
    """A free number below one that was released since is told of as well, with whose the higher one is."""
    bao, ada = rivals.bao, rivals.ada
    ada.git("switch", "-q", "proposal")
    prepare(modelver, ada.git, "--version", "v0.2.5")
    ada.git.commit("Another number")
    bao.fake_train(13)
    modelver("release", "churn", "--version", "v0.3.0", "--push", cwd=bao.git)
    error = modelver("release", "churn", cwd=ada.git, code=4).err
    assert f"v0.3.0 came meanwhile, commit {bao.git.rev()[:12]} by Bao Nguyen" in error
    version = modelver("release", "churn", "--renumber", "--json", cwd=ada.git).json["models"][0]["version"]
    assert version > "v0.3.0"


def test_renumber_where_the_number_is_free(rivals: Clones, modelver: Modelver) -> None:
    """It asks for nothing then: the prepared number stays, and the release only tags."""
    ada = rivals.ada.git
    ada("switch", "-q", "proposal")
    prepare(modelver, ada, "--version", "v0.4.0")
    head = ada.commit("A free number")
    modelver("release", "churn", "--renumber", cwd=ada)
    assert ada.rev("churn@v0.4.0^{commit}") == head == ada.rev()


def test_a_card_that_was_updated_after_its_release_was_not_prepared(rivals: Clones, modelver: Modelver) -> None:
    """A card with newer facts still names its last version: the next release just goes on from it."""
    bao = rivals.bao
    bao.fake_train(13)
    modelver("card", "update", "churn", cwd=bao.git)
    bao.git.commit("The card follows")
    bao.git("switch", "-q", "-c", "words")
    bao.git.commit("Words", {MODEL_CARD: card_of(bao.git) + "\nMore words.\n"})
    bao.git("switch", "-q", "main")
    bao.git.commit("Meanwhile", {"notes.txt": "x\n"})
    bao.git("merge", "-q", "-m", "Merge", "words")
    assert modelver("release", "churn", "--json", cwd=bao.git).json["models"][0]["version"] not in ("v0.1.0", "v0.2.0")


@pytest.mark.parametrize("other", [("--bump", "minor"), ("--version", "v9.0.0"), ("--prepare",)], ids=lambda o: o[0])
def test_renumber_excludes_what_names_a_number(rivals: Clones, modelver: Modelver, other: tuple[str, ...]) -> None:
    """Two wishes at once: 2, nothing has changed."""
    before = snapshot(rivals.ada.git)
    modelver("release", "churn", "--renumber", *other, cwd=rivals.ada.git, code=2)
    assert snapshot(rivals.ada.git) == before


# Versions that were released in secret -------------------------------------------------------------------------------


def publish_first(bao: DvcRepo, modelver: Modelver, *more: str) -> str:
    """Bao publishes a v0.1.0 of his own; its object."""
    bao.fake_train(12)
    bao.git("push", "-q", "origin", "main")
    modelver("release", "churn", "--push", *more, cwd=bao.git)
    return bao.git.rev(f"refs/tags/{V0}")


def history(repo: Git, modelver: Modelver) -> list[tuple[str, str | None]]:
    """(event, version) of all events, oldest first."""
    events = modelver("history", "churn", "--json", cwd=repo).json["events"]
    return [(event["event"], event["version"]) for event in events]


def bytes_of(repo: Git, modelver: Modelver, ref: str) -> str:
    """The digest of what a reference names."""
    return str(modelver("show", ref, "--json", cwd=repo).json["artifact"]["sha256"])


def test_a_withdrawal_never_hits_somebody_elses_version(two_clones: Clones, modelver: Modelver) -> None:
    """Ours was withdrawn before it was published: under its old name that would withdraw theirs."""
    ada, bao = two_clones.ada, two_clones.bao
    modelver("release", "churn", cwd=ada.git)
    modelver("withdraw", V0, "-m", "bad", "--yes", cwd=ada.git)
    publish_first(bao, modelver)
    modelver("push", "--renumber", cwd=ada.git)
    assert sorted(tags_of(two_clones.hub)) == [V0, "churn@v0.1.1", "churn@v0.1.1!"]
    bao.git("fetch", "-q", "--tags")
    shown = modelver("show", "churn", "--json", cwd=bao.git).json["versions"]
    assert {v["version"]: v["withdrawn"] for v in shown} == {"v0.1.0": False, "v0.1.1": True}
    assert record_of(ada.git, "churn@v0.1.1!").ends == ("churn@v0.1.1",)


def test_stage_events_follow_the_version_that_they_name(two_clones: Clones, modelver: Modelver) -> None:
    """An event whose own name is free names the moved version too; and the order of all events stays."""
    ada, bao = two_clones.ada, two_clones.bao
    modelver("release", "churn", "--stage", "dev", cwd=ada.git)
    modelver("promote", V0, "prod", cwd=ada.git)
    modelver("withdraw", "churn#dev", cwd=ada.git)
    digest = bytes_of(ada.git, modelver, "churn#prod")
    publish_first(bao, modelver)
    plan = modelver("push", "--renumber", "--dry-run", "--json", cwd=ada.git).json
    modelver("push", "--renumber", cwd=ada.git)
    assert {m["tag"] for m in plan["models"]} == set(ada.git.tags())
    assert ada.git.tags() == ["churn#dev!#6", "churn#dev#4", "churn#prod#5", "churn@v0.1.1"]
    assert record_of(ada.git, "churn#dev!#6").ends == ("churn#dev#4",)
    for who in (ada.git, bao.git):
        who("fetch", "-q", "--tags")
        stages = modelver("list", "--json", cwd=who).json["models"][0]["stages"]
        assert (stages["prod"]["version"], stages["dev"]["version"] if "dev" in stages else None) == ("v0.1.1", None)
        assert bytes_of(who, modelver, "churn#prod") == digest
    assert record_of(ada.git, "churn@v0.1.1").reason is not None
    assert modelver("doctor", cwd=ada.git, code=None).code == 0


def test_several_versions_keep_their_order(two_clones: Clones, modelver: Modelver) -> None:
    """Only the first clashes; what came after it stays above it, and *latest* and the stage name the same bytes."""
    ada, bao = two_clones.ada, two_clones.bao
    modelver("release", "churn", "--stage", "prod", cwd=ada.git)
    for depth, version in ((8, "v0.1.1"), (9, "v1.0.0")):
        ada.fake_train(depth)
        modelver("release", "churn", "--version", version, "--stage", "prod", cwd=ada.git)
    digest = bytes_of(ada.git, modelver, "churn@latest")
    order = [bytes_of(ada.git, modelver, f"churn@{v}") for v in ("v0.1.0", "v0.1.1", "v1.0.0")]
    publish_first(bao, modelver, "--stage", "prod")
    modelver("push", "--renumber", cwd=ada.git)
    for who in (ada.git, bao.git):
        who("fetch", "-q", "--tags")
        assert bytes_of(who, modelver, "churn@latest") == bytes_of(who, modelver, "churn#prod") == digest
        shown = modelver("show", "churn", "--json", cwd=who).json["versions"]
        assert [v["artifact"]["sha256"] for v in reversed(shown)][1:] == order
    assert tags_of(ada.git) == tags_of(two_clones.hub)
    versions = [v["version"] for v in modelver("show", "churn", "--json", cwd=ada.git).json["versions"]]
    assert versions[0] == "v1.0.1"
    for newer, older in pairwise(versions[:-1]):
        assert record_of(ada.git, f"churn@{newer}").previous == older


def test_a_stage_that_somebody_else_decided_meanwhile(two_clones: Clones, modelver: Modelver) -> None:
    """Ours comes after theirs, which nobody had seen here: that is said, by the plan too, and only once it is so."""
    ada = two_clones.ada.git
    modelver("release", "churn", "--stage", "prod", cwd=ada)
    publish_first(two_clones.bao, modelver, "--stage", "prod")
    words = "warning: prod of churn was decided by churn#prod#1, v0.1.0 meanwhile; churn#prod#2 comes after it"
    for more in (("--dry-run",), ()):
        assert words in modelver("push", "--renumber", *more, cwd=ada).err
    assert "decided" not in modelver("push", "--renumber", cwd=ada).err


def test_a_branch_that_is_behind(two_clones: Clones, modelver: Modelver) -> None:
    """The card's commit is on a branch that the hub has left behind: the tags go out alone, no branch is forced."""
    ada, bao = two_clones.ada, two_clones.bao
    modelver("release", "churn", cwd=ada.git)
    publish_first(bao, modelver)
    main, head = two_clones.hub.rev("main"), ada.git.rev()
    modelver("push", "--renumber", cwd=ada.git)
    assert (two_clones.hub.rev("main"), ada.git.rev()) == (main, head)
    assert two_clones.hub.rev("churn@v0.1.1^{commit}") == head
    assert modelver("push", cwd=ada.git).out == "Everything is published.\n"


def test_a_renumbered_version_is_whole(two_clones: Clones, modelver: Modelver) -> None:
    """Its card names the first number, and the record says so: it verifies, and the next release just goes on."""
    ada, bao = two_clones.ada, two_clones.bao
    modelver("release", "churn", cwd=ada.git)
    publish_first(bao, modelver)
    modelver("push", "--renumber", cwd=ada.git)
    assert record_of(ada.git, "churn@v0.1.1").renumbered_from == "v0.1.0"
    for fetched in (False, True):
        modelver("verify", "churn@v0.1.1", cwd=ada.git)
        ada.fake_train(10 + fetched)
        plan = modelver("release", "churn", "--dry-run", "--json", cwd=ada.git).json
        assert plan["models"][0]["version"] == "v0.2.0"
        ada.git("fetch", "-q", "--tags")
