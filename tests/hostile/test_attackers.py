"""The attackers by name: rollback, mix and match, rename, move, swap."""

from __future__ import annotations

from tests.bad_input.support import model_digest
from tests.hostile.support import Box, attack, tag_body, write_object, write_ref


def seen(box: Box) -> None:
    """Let this clone see the tags as they are."""
    assert attack(box).results["list"].code == 0


def body(box: Box, tag: str) -> str:
    """The raw bytes of a tag object, as text."""
    return box.git("cat-file", "tag", f"refs/tags/{tag}")


def test_rollback_a_shorter_list_of_versions_is_noticed(box: Box) -> None:
    """A server that hides the newest version: doctor names what this clone has seen, and its number stays taken."""
    seen(box)
    for tag in ("churn@v0.2.0", "churn#prod#1"):
        box.git("tag", "-d", tag)
    # The release that goes on with the next number brings a card.
    again = {"again": ["release", "churn", "--version", "v0.2.0"]}
    report = attack(box, again, may_write=["model_cards/churn.md"])
    assert report.results["doctor"].code == 1
    for tag in ("churn@v0.2.0", "churn#prod#1"):
        assert f"refs/tags/{tag}: " in report.results["doctor"].out
    assert report.results["again"].code == 4


def test_move_a_version_on_another_commit_is_noticed(box: Box) -> None:
    """A force-pushed tag with a sound object: doctor says that it was moved, and from where."""
    seen(box)
    before = box.git.rev("refs/tags/churn@v0.1.0")
    evil = box.repo.fake_train(66)
    write_ref(box.git, "refs/tags/churn@v0.1.0", write_object(box.git, "tag", tag_body(evil, "churn@v0.1.0")))
    report = attack(box)
    assert report.results["doctor"].code == 1
    assert "moved" in report.results["doctor"].out
    assert before[:12] in report.results["doctor"].out


def test_move_with_the_old_record_is_refused(box: Box) -> None:
    """The record of the old bytes on a commit with other bytes: nothing is given out."""
    evil = box.repo.fake_train(66)
    old = box.git.rev("churn@v0.1.0^{commit}")
    moved = body(box, "churn@v0.1.0").replace(old, evil) + "\n"
    write_ref(box.git, "refs/tags/churn@v0.1.0", write_object(box.git, "tag", moved.encode()))
    report = attack(box, {"promote": ["promote", "churn@v0.1.0", "dev"]})
    assert report.results["get old"].code == 5
    assert report.results["doctor"].code == 1


def test_rename_a_good_tag_object_under_another_name_is_refused(box: Box) -> None:
    """An object made as v0.1.0 (signed or not) is no v9.0.0, nor another model's, nor a stage's."""
    oid = box.git.rev("refs/tags/churn@v0.1.0")
    names = ("churn@v9.0.0", "ranker@v0.1.0", "churn#dev#7")
    for name in names:
        write_ref(box.git, f"refs/tags/{name}", oid)
    got = str(box.top / "got" / "x")
    report = attack(
        box,
        {
            "get it": ["get", "churn@v9.0.0", "-o", got],
            "promote it": ["promote", "churn@v9.0.0", "prod"],
            "get the stage": ["get", "churn#dev", "-o", got],
        },
    )
    for name in ("get it", "promote it", "get the stage"):
        assert report.results[name].code in (5, 7), report.results[name]
    problems = report.results["doctor"].out
    for name in names:
        assert f"refs/tags/{name}: " in problems, name
    stages = report.results["list json"].json["models"][0]["stages"]
    assert {stage: held["version"] for stage, held in stages.items()} == {"prod": "v0.1.0"}


def test_rename_to_a_withdrawal_is_named(box: Box) -> None:
    """A release's object under the name of a withdrawal or a retirement is a fault that doctor names."""
    oid = box.git.rev("refs/tags/churn@v0.1.0")
    for name in ("churn@v0.2.0!", "churn@deprecated", "churn#prod!#2"):
        write_ref(box.git, f"refs/tags/{name}", oid)
    report = attack(box)
    for name in ("churn@v0.2.0!", "churn@deprecated", "churn#prod!#2"):
        assert f"refs/tags/{name}: " in report.results["doctor"].out, name
    assert report.results["show stage"].code == 0


def test_rename_of_a_stage_event_promotes_nothing(box: Box) -> None:
    """The promote of v0.1.0 to prod, put under a higher counter or another stage, holds nothing there."""
    box.git("tag", "-f", "-a", "-m", "Promote churn v0.2.0 to prod", "churn#prod#2", "churn@v0.2.0^{}")
    oid = box.git.rev("refs/tags/churn#prod#1")
    for name in ("churn#prod#9", "churn#staging#9"):
        write_ref(box.git, f"refs/tags/{name}", oid)
    report = attack(box)
    stages = report.results["list json"].json["models"][0]["stages"]
    assert {stage: held["version"] for stage, held in stages.items()} == {"prod": "v0.2.0"}
    assert report.results["doctor"].code == 1


def test_mix_and_match_a_record_on_another_versions_commit_is_refused(box: Box) -> None:
    """The record of v0.1.0's bytes in a new tag on v0.2.0's commit: 5, and doctor names the disagreement."""
    old, new = box.git.rev("churn@v0.1.0^{commit}"), box.git.rev("churn@v0.2.0^{commit}")
    mixed = body(box, "churn@v0.1.0").replace(old, new).replace("v0.1.0", "v0.3.0") + "\n"
    write_ref(box.git, "refs/tags/churn@v0.3.0", write_object(box.git, "tag", mixed.encode()))
    report = attack(box)
    assert report.results["get"].code == 5, report.results["get"]
    assert report.results["get elsewhere"].code == 5
    assert "churn@v0.3.0: its record says" in report.results["doctor"].out


def test_swap_of_sha256_alone_is_found(box: Box) -> None:
    """Bytes with the right md5 but not the record's sha256 (a collision) are not given out."""
    text = body(box, "churn@v0.2.0")
    sha = next(line for line in text.splitlines() if line.lower().startswith("modelver-sha256: "))
    forged = text.replace(sha.split()[-1], "0" * 64) + "\n"
    write_ref(box.git, "refs/tags/churn@v0.2.0", write_object(box.git, "tag", forged.encode()))
    report = attack(box)
    assert report.results["get"].code == 5, report.results["get"]
    assert not (box.top / "got" / "latest").exists()


def test_swap_of_bytes_in_cache_and_remote_is_found(box: Box) -> None:
    """The same wrong bytes in both places, of the same length: 5 for every way to fetch."""
    digest = model_digest(box.repo)
    for place in (box.repo.object_path(digest), box.repo.store / "files/md5" / digest[:2] / digest[2:]):
        place.chmod(0o644)
        place.write_bytes(place.read_bytes().replace(b"7", b"8"))
        place.chmod(0o444)
    report = attack(box)
    for name in ("get", "get elsewhere", "get by URL"):
        assert report.results[name].code == 5, report.results[name]
    assert sorted(p.name for p in (box.top / "got").iterdir()) == ["old"]
