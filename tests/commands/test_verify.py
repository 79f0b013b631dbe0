"""`verify`: each link from a version's ref to its bytes, broken one at a time."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.support import Clock, Clones, DvcRepo, Git, Modelver, Result, Templates, snapshot
from tests.support.repos import put_object, run_dvc

LINKS = ["ref", "object", "name", "signature", "commit", "record", "files", "cache", "remote", "card"]


@pytest.fixture(scope="module")
def three_template(templates: Templates, tmp_path_factory: pytest.TempPathFactory, modelver: Modelver) -> DvcRepo:
    """v0.1.0 in prod, v0.2.0, v0.3.0 the latest."""
    repo = templates.dvc(tmp_path_factory.mktemp("three"))
    modelver("release", "churn", "--stage", "prod", cwd=repo.git)
    for depth in (8, 9):
        repo.fake_train(depth)
        modelver("release", "churn", cwd=repo.git)
    return repo


@pytest.fixture
def three(three_template: DvcRepo, tmp_path: Path) -> DvcRepo:
    """A copy of it."""
    return copied(three_template, tmp_path)


def copied(template: DvcRepo, dest: Path) -> DvcRepo:
    """A fresh copy of a repository and its DVC remote."""
    shutil.copytree(template.path.parent, dest, symlinks=True, dirs_exist_ok=True)
    git = Git(dest / template.path.name, template.git.home, Clock(template.git.clock.seconds))
    git("update-index", "-q", "--refresh")
    return DvcRepo(git, dest / template.store.name)


def checks(answer: Result, version: str) -> Mapping[str, Any]:
    """Link -> what was said of it, for one version."""
    (found,) = [one for one in answer.json["versions"] if one["version"] == version]
    return {check["check"]: check for check in found["checks"]}


def broken(answer: Result) -> set[tuple[str, str]]:
    """(version, link) of all that failed."""
    return {
        (one["version"], check["check"])
        for one in answer.json["versions"]
        for check in one["checks"]
        if not check["ok"]
    }


def md5_of(repo: DvcRepo, version: str) -> str:
    record = repo.git("cat-file", "tag", f"refs/tags/churn@{version}")
    return next(line.split("md5:")[1] for line in record.splitlines() if line.startswith("Modelver-Digest"))


def spoil(place: Path, data: bytes | None) -> None:
    """Replace an object's bytes, or take it away."""
    place.chmod(0o644)
    if data is None:
        place.unlink()
    else:
        place.write_bytes(data)
        place.chmod(0o444)


# What is sound, and which versions --------------------------------------------------------------------------------


def test_everything_is_well(three: DvcRepo, modelver: Modelver) -> None:
    """A sound repository: 0, every link in its order, and nothing but the memory is written."""
    before = snapshot(three.git)
    answer = modelver("verify", "churn", "--remote", "--json", cwd=three.git)
    assert answer.json["ok"]
    assert [one["version"] for one in answer.json["versions"]] == ["v0.3.0", "v0.2.0", "v0.1.0"]
    for one in answer.json["versions"]:
        assert [check["check"] for check in one["checks"]] == LINKS
        assert all(check["ok"] for check in one["checks"])
    assert snapshot(three.git) == before


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), ["v0.3.0", "v0.1.0"]),
        (("--all",), ["v0.3.0", "v0.2.0", "v0.1.0"]),
        (("churn",), ["v0.3.0", "v0.2.0", "v0.1.0"]),
        (("churn@v0.2.0",), ["v0.2.0"]),
        (("churn@latest",), ["v0.3.0"]),
        (("churn#prod",), ["v0.1.0"]),
    ],
)
def test_scope(three: DvcRepo, modelver: Modelver, words: tuple[str, ...], expected: list[str]) -> None:
    """Alone it means what is in use; a model all its versions; a reference one; --all everything."""
    answer = modelver("verify", *words, "--json", cwd=three.git).json
    assert [one["version"] for one in answer["versions"]] == expected


@pytest.mark.parametrize(
    ("words", "code"),
    [(("nobody",), 7), (("churn@v9.0.0",), 7), (("churn#dev",), 7), (("a b",), 2), (("churn", "--all"), 2)],
)
def test_what_is_not_there(three: DvcRepo, modelver: Modelver, words: tuple[str, ...], code: int) -> None:
    """Unknown models, versions and stages are 7, names that cannot be one 2."""
    modelver("verify", *words, cwd=three.git, code=code)


def test_nothing_released(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """Without versions there is nothing wrong; a note says so."""
    answer = modelver("verify", cwd=dvc_repo.git)
    assert (answer.out, "no version" in answer.err) == ("", True)


def test_a_withdrawn_version_is_marked_and_still_verified(three: DvcRepo, modelver: Modelver) -> None:
    """Withdrawn bytes may still be needed: they are checked like all others."""
    modelver("withdraw", "churn@v0.2.0", "-m", "bad", "--yes", cwd=three.git)
    spoil(three.object_path(md5_of(three, "v0.2.0")), b"other")
    answer = modelver("verify", "churn", "--json", cwd=three.git, code=1)
    assert {one["version"]: one["withdrawn"] for one in answer.json["versions"]}["v0.2.0"]
    assert broken(answer) == {("v0.2.0", "cache")}


# Ref, object, name ------------------------------------------------------------------------------------------------


def test_moved(three: DvcRepo, modelver: Modelver) -> None:
    """A tag on another object than the one first seen."""
    modelver("list", cwd=three.git)
    first = three.git.rev("refs/tags/churn@v0.3.0")
    three.git("tag", "-f", "-a", "-m", "moved", "churn@v0.3.0", "HEAD~1")
    answer = modelver("verify", "--json", cwd=three.git, code=1)
    assert ("v0.3.0", "ref") in broken(answer)
    assert first[:12] in checks(answer, "v0.3.0")["ref"]["detail"]


def test_a_moved_stage_tag(three: DvcRepo, modelver: Modelver) -> None:
    """Production put on another version by moving its tag is seen at the version that it now names."""
    modelver("list", cwd=three.git)
    three.git("tag", "-f", "-a", "-m", "moved", "churn#prod#1", "churn@v0.2.0^{}")
    answer = modelver("verify", "--json", cwd=three.git, code=1)
    assert broken(answer) == {("v0.2.0", "ref")}
    assert "churn#prod#1" in checks(answer, "v0.2.0")["ref"]["detail"]


def test_a_moved_tag_is_not_used_without_a_word(three: DvcRepo, modelver: Modelver, tmp_path: Path) -> None:
    """Whoever fetches, promotes or shows what a moved tag names is warned, also of the tag that a stage stands on."""
    modelver("list", cwd=three.git)
    three.git("tag", "-f", "-a", "-m", "moved", "churn@v0.3.0", "churn@v0.2.0^{}")
    three.git("tag", "-f", "-a", "-m", "moved", "churn#prod#1", "churn@v0.2.0^{}")
    warned = "warning: churn@v0.3.0: it was moved: this clone first saw it as"
    assert warned in modelver("get", "churn@v0.3.0", "-o", tmp_path / "got", cwd=three.git).err
    assert (
        "warning: churn#prod#1: it was moved"
        in modelver("get", "churn#prod", "-o", tmp_path / "held", cwd=three.git).err
    )
    assert warned in modelver("promote", "churn@v0.3.0", "staging", cwd=three.git).err
    assert warned in modelver("rollback", "churn", "v0.3.0", "--dry-run", cwd=three.git).err
    assert "it was moved" in modelver("show", "churn", cwd=three.git).out
    assert "moved" not in modelver("get", "churn@v0.2.0", "-o", tmp_path / "other", cwd=three.git).err


def test_vanished(three: DvcRepo, modelver: Modelver) -> None:
    """A tag that was seen and is gone is named without --all, and by its own name, with the way back."""
    modelver("list", cwd=three.git)
    oid = three.git.rev("refs/tags/churn@v0.2.0")
    three.git("tag", "-d", "churn@v0.2.0")
    for words in ((), ("churn@v0.2.0",), ("churn",)):
        answer = modelver("verify", *words, "--json", cwd=three.git, code=1)
        assert broken(answer) == {("v0.2.0", "ref")}
        assert oid in checks(answer, "v0.2.0")["ref"]["remedy"]
    three.git("update-ref", "refs/tags/churn@v0.2.0", oid)
    modelver("verify", cwd=three.git)


def test_all_tags_of_a_model_vanished(three: DvcRepo, modelver: Modelver) -> None:
    """A server that hides a whole model is noticed too."""
    modelver("list", cwd=three.git)
    for tag in three.git.tags():
        three.git("tag", "-d", tag)
    assert len(broken(modelver("verify", "--json", cwd=three.git, code=1))) == 3
    assert broken(modelver("verify", "churn@v0.1.0", "--json", cwd=three.git, code=1)) == {("v0.1.0", "ref")}


def test_lightweight(three: DvcRepo, modelver: Modelver) -> None:
    """A lightweight tag says nothing of who made it: named with the model's versions."""
    three.git.tag("churn@v0.4.0", message=None)
    for words in (("churn",), ("--all",), ("churn@v0.4.0",)):
        answer = modelver("verify", *words, "--json", cwd=three.git, code=1)
        assert broken(answer) == {("v0.4.0", "object")}
        assert "lightweight" in checks(answer, "v0.4.0")["object"]["detail"]


@pytest.mark.parametrize("kind", ["tree", "blob"])
def test_a_tag_on_no_commit(three: DvcRepo, modelver: Modelver, kind: str) -> None:
    """An annotated tag on a tree or a blob is no version."""
    three.git.tag("churn@v0.4.0", rev={"tree": "HEAD^{tree}", "blob": "HEAD:params.yaml"}[kind])
    answer = modelver("verify", "--json", cwd=three.git, code=1)
    assert broken(answer) == {("v0.4.0", "object")}
    assert f"names a {kind}" in checks(answer, "v0.4.0")["object"]["detail"]


def test_a_good_object_under_another_name(three: DvcRepo, modelver: Modelver) -> None:
    """The object of v0.1.0 put under a higher number (git verify-tag would call it good) is named as such."""
    (three.path / ".git/refs/tags/churn@v9.0.0").write_text(three.git.rev("refs/tags/churn@v0.1.0") + "\n")
    answer = modelver("verify", "--json", cwd=three.git, code=1)
    assert {("v9.0.0", "name"), ("v9.0.0", "record")} <= broken(answer)
    assert "churn@v0.1.0" in checks(answer, "v9.0.0")["name"]["detail"]


def loose(repo: DvcRepo, oid: str) -> Path:
    """The file of a loose object, unpacked when it has to be."""
    path = repo.path / ".git" / "objects" / oid[:2] / oid[2:]
    if not path.exists():
        for pack in list((repo.path / ".git/objects/pack").glob("*.pack")):
            moved = pack.rename(repo.path / ".git" / pack.name)
            with moved.open("rb") as stream:
                subprocess.run(
                    ["git", "unpack-objects", "-q"], cwd=repo.path, env=repo.git.env, stdin=stream, check=True
                )
    return path


def replace_object(repo: DvcRepo, oid: str, other: str) -> None:
    """Under the id of one object lie the bytes of another, soundly compressed."""
    target = loose(repo, oid)
    target.chmod(0o644)
    target.write_bytes(loose(repo, other).read_bytes())


OBJECTS = {
    "tag": ("refs/tags/churn@v0.3.0", "refs/tags/churn@v0.2.0", "object"),
    "commit": ("churn@v0.3.0^{commit}", "churn@v0.2.0^{commit}", "commit"),
    "tree": ("churn@v0.3.0^{tree}", "churn@v0.2.0^{tree}", "files"),
    "dvc.lock": ("churn@v0.3.0:dvc.lock", "churn@v0.2.0:dvc.lock", "files"),
    "card": ("churn@v0.3.0:model_cards/churn.md", "churn@v0.2.0:model_cards/churn.md", "files"),
}


@pytest.mark.parametrize("what", OBJECTS)
def test_an_object_with_other_bytes(three: DvcRepo, modelver: Modelver, what: str) -> None:
    """An object of Git's whose bytes are not those of its id is named, although git reads it without a word."""
    spec, other, link = OBJECTS[what]
    replace_object(three, three.git.rev(spec), three.git.rev(other))
    answer = modelver("verify", "churn", "--json", cwd=three.git, code=1)
    assert ("v0.3.0", link) in broken(answer)
    assert {version for version, _ in broken(answer)} == {"v0.3.0"}


@pytest.mark.parametrize("what", OBJECTS)
@pytest.mark.parametrize("how", ["garbage", "missing", "empty"])
def test_an_object_that_cannot_be_read(three: DvcRepo, modelver: Modelver, what: str, how: str) -> None:
    """A damaged or missing object costs its own version only, and never ends the command."""
    spec, _, _ = OBJECTS[what]
    place = loose(three, three.git.rev(spec))
    if how == "missing":
        place.unlink()
    else:
        spoil(place, b"garbage" if how == "garbage" else b"")
    answer = modelver("verify", "churn", "--json", cwd=three.git, code=1)
    assert {version for version, _ in broken(answer)} == {"v0.3.0"}
    assert "internal error" not in answer.err


# Commit, record, files, card --------------------------------------------------------------------------------------


def remake(repo: DvcRepo, version: str, *changes: tuple[str, str], name: str | None = None) -> None:
    """The tag of a version made again with other words."""
    raw = repo.git("cat-file", "tag", f"refs/tags/churn@{version}") + "\n"
    for old, new in changes:
        assert old in raw
        raw = raw.replace(old, new)
    oid = repo.git("hash-object", "-t", "tag", "-w", "--literally", "--stdin", input=raw)
    place = repo.path / ".git/refs/tags" / (name or f"churn@{version}")
    place.write_text(oid + "\n")
    (repo.path / ".git/modelver/seen").unlink(missing_ok=True)
    (repo.path / ".git/modelver/seen.mark").unlink(missing_ok=True)


def test_a_version_that_only_its_tag_keeps(three: DvcRepo, modelver: Modelver) -> None:
    """No branch leads to its commit: said, and no fault."""
    repo = three.git
    repo("reset", "-q", "--hard", "HEAD~2")
    answer = modelver("verify", "churn", "--json", cwd=repo)
    assert "only the tag" in checks(answer, "v0.3.0")["commit"]["detail"]
    assert "a branch leads" in checks(answer, "v0.1.0")["commit"]["detail"]


def test_a_commit_that_is_not_here(three: DvcRepo, modelver: Modelver) -> None:
    """A tag whose commit nobody has."""
    remake(three, "v0.3.0", (three.git.rev("churn@v0.3.0^{commit}"), "1" * 40))
    assert ("v0.3.0", "commit") in broken(modelver("verify", "--json", cwd=three.git, code=1))


def test_a_shallow_clone(three: DvcRepo, modelver: Modelver, tmp_path: Path) -> None:
    """A clone of depth 1 verifies what it has, and says that there may be more."""
    clone = Git(tmp_path / "shallow", three.git.home)
    three.git("clone", "-q", "--depth", "1", three.path.as_uri(), clone.path)
    answer = modelver("verify", cwd=clone, code=None)
    assert "shallow" in answer.err
    assert answer.code in (0, 1)


def test_a_record_with_other_sizes(three: DvcRepo, modelver: Modelver) -> None:
    """Sizes, counts and lines of files in a record are held against each other, and against the bytes."""
    message = three.git("cat-file", "tag", "churn@v0.3.0")
    size = next(line for line in message.splitlines() if line.startswith("Modelver-Size: "))
    line = next(line for line in message.splitlines() if line.startswith("Modelver-File: "))
    remake(three, "v0.3.0", (size, "Modelver-Size: 7"))
    assert broken(modelver("verify", "churn@v0.3.0", "--json", cwd=three.git, code=1)) == {("v0.3.0", "record")}
    remake(three, "v0.3.0", (f"{line}\n", ""))
    answer = modelver("verify", "churn@v0.3.0", "--json", cwd=three.git, code=1)
    assert broken(answer) == {("v0.3.0", "cache")}
    assert "not 7 as the record says" in checks(answer, "v0.3.0")["cache"]["detail"]


@pytest.mark.parametrize(
    ("old", "new", "link"),
    [
        ("Modelver-Version: v0.3.0", "Modelver-Version: v0.2.0", "record"),
        ("Modelver-Model: churn", "Modelver-Model: other", "record"),
        ("Modelver-Event: release", "Modelver-Event: promote", "record"),
        ("Modelver-Path: models/churn.bin", "Modelver-Path: models/other.bin", "record"),
        ("Modelver-Event: release\n", "no record at all\n", "record"),
    ],
)
def test_a_record_of_something_else(three: DvcRepo, modelver: Modelver, old: str, new: str, link: str) -> None:
    """A record of another version, model, event or path, or one that cannot be read."""
    remake(three, "v0.3.0", (old, new))
    assert ("v0.3.0", link) in broken(modelver("verify", "--json", cwd=three.git, code=1))


def test_a_record_on_other_bytes(three: DvcRepo, modelver: Modelver) -> None:
    """The digest of the record is not that of the commit's dvc.lock; the bytes are not asked by that record."""
    remake(three, "v0.3.0", (md5_of(three, "v0.3.0"), md5_of(three, "v0.2.0")))
    answer = modelver("verify", "--json", cwd=three.git, code=1)
    assert broken(answer) == {("v0.3.0", "record")}


def test_a_record_with_another_sha256(three: DvcRepo, modelver: Modelver) -> None:
    """Bytes with DVC's md5 but not the record's sha256 are not what was released."""
    line = next(x for x in three.git("cat-file", "tag", "churn@v0.3.0").splitlines() if x.startswith("Modelver-Sha256"))
    remake(three, "v0.3.0", (line.split()[1], "0" * 64))
    answer = modelver("verify", "--json", cwd=three.git, code=1)
    assert broken(answer) == {("v0.3.0", "cache")}
    assert "not as the record's sha256 says" in checks(answer, "v0.3.0")["cache"]["detail"]


def test_mix_and_match(three: DvcRepo, modelver: Modelver) -> None:
    """A new tag with v0.2.0's commit, card and bytes: the card is named as another version's."""
    remake(three, "v0.2.0", ("v0.2.0", "v0.4.0"), name="churn@v0.4.0")
    answer = modelver("verify", "--json", cwd=three.git, code=1)
    assert broken(answer) == {("v0.4.0", "card")}
    assert "card of v0.2.0" in checks(answer, "v0.4.0")["card"]["detail"]


def test_the_record_of_other_files(three: DvcRepo, modelver: Modelver) -> None:
    """The record names another dvc.lock, or another card, than the commit has."""
    for path, version in (("dvc.lock", "v0.3.0"), ("model_cards/churn.md", "v0.2.0")):
        remake(three, version, (three.git.rev(f"churn@{version}:{path}"), three.git.rev("churn@v0.1.0:" + path)))
    answer = modelver("verify", "churn", "--json", cwd=three.git, code=1)
    assert {("v0.3.0", "files"), ("v0.2.0", "files")} == broken(answer)
    assert "dvc.lock" in checks(answer, "v0.3.0")["files"]["detail"]


def test_versions_of_gto(three: DvcRepo, modelver: Modelver) -> None:
    """A version without a record is verified by what its commit says: DVC's md5."""
    three.fake_train(12)
    three.git.tag("churn@v1.0.0")
    answer = modelver("verify", "churn@v1.0.0", "--json", cwd=three.git)
    assert "not made by modelver" in checks(answer, "v1.0.0")["record"]["detail"]
    lock = three.git("show", "churn@v1.0.0:dvc.lock")
    digest = lock.partition("- path: models/churn.bin")[2].partition("md5: ")[2].split()[0].strip("'")
    # The dependency of the evaluation is the first in the file; the model's own entry is the same object.
    for found in {digest, md5_in_cache(three)}:
        if three.object_path(found).exists():
            spoil(three.object_path(found), b"other")
    answer = modelver("verify", "churn@v1.0.0", "--json", cwd=three.git, code=1)
    assert broken(answer) == {("v1.0.0", "cache")}
    assert "altered, md5" in checks(answer, "v1.0.0")["cache"]["detail"]


def md5_in_cache(repo: DvcRepo) -> str:
    """The digest of the model in the work tree."""
    return hashlib.md5(repo.model.read_bytes()).hexdigest()


def test_a_version_that_declares_nothing(three: DvcRepo, modelver: Modelver) -> None:
    """Nobody can say which bytes it is."""
    three.git.tag("ranker@v1.0.0")
    answer = modelver("verify", "ranker", "--json", cwd=three.git, code=1)
    assert broken(answer) == {("v1.0.0", "files")}


# Bytes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["altered", "truncated", "empty", "missing"])
def test_bytes_in_the_cache(three: DvcRepo, modelver: Modelver, how: str) -> None:
    """Altered, truncated or missing bytes in the cache: named, with what brings them back; and that does."""
    place = three.object_path(md5_of(three, "v0.1.0"))
    whole = place.read_bytes()
    spoil(place, {"altered": b"x" + whole[1:], "truncated": whole[:4], "empty": b"", "missing": None}[how])
    answer = modelver("verify", "--json", cwd=three.git, code=1)
    assert broken(answer) == {("v0.1.0", "cache")}
    check = checks(answer, "v0.1.0")["cache"]
    assert {"altered": "altered", "truncated": "truncated, 4 of", "empty": "truncated", "missing": "missing"}[how] in (
        check["detail"]
    )
    assert "models/churn.bin" in check["detail"]
    if how != "missing":
        assert str(place) in check["remedy"]
        place.unlink()
    modelver("get", "churn@v0.1.0", "-o", three.path.parent / "got", cwd=three.git)
    modelver("verify", cwd=three.git)


def test_missing_here_and_in_the_remote(three: DvcRepo, modelver: Modelver) -> None:
    """The remote's copy makes a hole in the cache no fault, as long as it is whole."""
    digest = md5_of(three, "v0.1.0")
    spoil(three.object_path(digest), None)
    answer = modelver("verify", "--remote", "--json", cwd=three.git)
    assert "the DVC remote has it" in checks(answer, "v0.1.0")["cache"]["detail"]
    there = three.store / "files/md5" / digest[:2] / digest[2:]
    spoil(there, b"other")
    answer = modelver("verify", "--remote", "--json", cwd=three.git, code=1)
    assert broken(answer) == {("v0.1.0", "cache"), ("v0.1.0", "remote")}
    spoil(there, None)
    answer = modelver("verify", "--remote", "--json", cwd=three.git, code=1)
    assert broken(answer) == {("v0.1.0", "cache"), ("v0.1.0", "remote")}
    assert "missing" in checks(answer, "v0.1.0")["remote"]["detail"]


def test_every_version_that_can_no_longer_be_fetched(three: DvcRepo, modelver: Modelver) -> None:
    """`--all --remote` lists exactly the versions whose bytes the remote lacks."""
    for version in ("v0.1.0", "v0.2.0"):
        digest = md5_of(three, version)
        spoil(three.store / "files/md5" / digest[:2] / digest[2:], None)
    answer = modelver("verify", "--all", "--remote", "--json", cwd=three.git, code=1)
    assert broken(answer) == {("v0.1.0", "remote"), ("v0.2.0", "remote")}


def test_no_remote_configured(three: DvcRepo, modelver: Modelver) -> None:
    """Without a DVC remote nothing can be fetched: said with what configures one."""
    config = three.path / ".dvc" / "config"
    config.write_text("")
    answer = modelver("verify", "--remote", "--json", cwd=three.git, code=1)
    assert "dvc remote add" in checks(answer, "v0.3.0")["remote"]["remedy"]


def test_a_hashed_file_is_not_read_again(three: DvcRepo, modelver: Modelver) -> None:
    """While a file is as it was its bytes are believed, and --force looks again; a change of the file is seen."""
    place = three.object_path(md5_of(three, "v0.1.0"))
    for path in three.cache.rglob("*"):
        os.utime(path, (1_600_000_000, 1_600_000_000))
    time.sleep(2.1)  # what changed just now is not remembered, and utime changes ctime
    modelver("verify", cwd=three.git)
    memory = three.path / ".git/modelver/cache/verify-1"
    assert str(place).encode() in memory.read_bytes()
    before = memory.stat().st_mtime_ns
    modelver("verify", cwd=three.git)
    assert memory.stat().st_mtime_ns == before
    modelver("verify", "--force", cwd=three.git)
    assert memory.stat().st_mtime_ns > before
    spoil(place, place.read_bytes().replace(b"6", b"5"))
    modelver("verify", cwd=three.git, code=1)


def test_a_memory_full_of_nonsense(three: DvcRepo, modelver: Modelver) -> None:
    """A damaged memory is as good as none."""
    memory = three.path / ".git/modelver/cache/verify-1"
    memory.parent.mkdir(parents=True, exist_ok=True)
    memory.write_bytes(b"\x00nonsense\xff" * 100)
    modelver("verify", cwd=three.git)


def test_jobs(three: DvcRepo, modelver: Modelver) -> None:
    """Any number of files at a time gives the same answer; nonsense is bad input."""
    answers = {
        modelver("verify", "--all", "--force", "--jobs", n, "--json", cwd=three.git).out for n in ("1", "2", "7")
    }
    assert len(answers) == 1
    for words in ("0", "-1", "many", "1.5", "\u0661"):
        modelver("verify", "--jobs", words, cwd=three.git, code=2)


def test_a_bare_repository(two_clones: Clones, modelver: Modelver) -> None:
    """Without a cache and a work tree all links but the bytes are checked."""
    modelver("release", "churn", "--push", cwd=two_clones.ada.git)
    answer = modelver("verify", "--json", cwd=two_clones.hub)
    assert "bare repository" in checks(answer, "v0.1.0")["cache"]["detail"]


# Directories ------------------------------------------------------------------------------------------------------

FILES = 10_000


@pytest.fixture(scope="module")
def large_template(templates: Templates, tmp_path_factory: pytest.TempPathFactory, modelver: Modelver) -> DvcRepo:
    """A released directory of 10,000 files."""
    repo = templates.dvc(tmp_path_factory.mktemp("large"))
    pages = repo.path / "pages"
    for number in range(FILES):
        place = pages / f"{number % 10}" / f"{number:05}.txt"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"page {number}\n")
    run_dvc(repo.git, ["add", "-q", "pages"])
    repo.git.write("dvc.yaml", (repo.path / "dvc.yaml").read_text() + "  pages:\n    path: pages\n    type: dataset\n")
    repo.git.commit("Pages")
    modelver("release", "pages", cwd=repo.git)
    return repo


def test_one_altered_file_among_ten_thousand(large_template: DvcRepo, modelver: Modelver) -> None:
    """Whoever altered one file of a directory finds it named; the others are not."""
    repo = large_template
    modelver("verify", "pages", cwd=repo.git)
    data = b"page 4711\n"
    place = put_object(repo.cache, data)
    spoil(place, b"page 4712\n")
    answer = modelver("verify", "pages", "--json", cwd=repo.git, code=1)
    check = checks(answer, "v0.1.0")["cache"]
    assert "pages/1/04711.txt" in check["detail"]
    assert check["detail"].count("pages/") == 1
    spoil(place, None)
    answer = modelver("verify", "pages", "--json", cwd=repo.git, code=1)
    assert "missing from the DVC cache: pages/1/04711.txt" in checks(answer, "v0.1.0")["cache"]["detail"]
    put_object(repo.cache, data)
    listing = next(p for p in repo.cache.rglob("*.dir"))
    whole = listing.read_bytes()
    spoil(listing, whole[:-10] + b"}]")
    assert "listing" in checks(modelver("verify", "pages", "--json", cwd=repo.git, code=1), "v0.1.0")["cache"]["detail"]
    spoil(listing, None)
    assert "listing" in checks(modelver("verify", "pages", "--json", cwd=repo.git, code=1), "v0.1.0")["cache"]["detail"]
    listing.write_bytes(whole)
    modelver("verify", "pages", cwd=repo.git)


def test_a_file_in_git(three: DvcRepo, modelver: Modelver) -> None:
    """An artifact that Git keeps is verified against its record without any cache."""
    three.git.write("rules.txt", "if x: leave\n")
    three.git.write(
        "dvc.yaml", (three.path / "dvc.yaml").read_text() + "  rules:\n    path: rules.txt\n    type: data\n"
    )
    three.git.commit("Rules")
    modelver("release", "rules", cwd=three.git)
    answer = modelver("verify", "rules", "--remote", "--json", cwd=three.git)
    assert "in Git" in checks(answer, "v0.1.0")["cache"]["detail"]


def test_a_url_cannot_be_verified(three: DvcRepo, modelver: Modelver) -> None:
    """What DVC does not track is said not to be verifiable, and is no fault."""
    text = "  far:\n    path: https://example.com/model.bin\n    type: data\n"
    three.git.write("dvc.yaml", (three.path / "dvc.yaml").read_text() + text)
    three.git.commit("Far")
    three.git.tag("far@v1.0.0")
    answer = modelver("verify", "far", "--json", cwd=three.git)
    assert "cannot be verified" in checks(answer, "v1.0.0")["cache"]["detail"]


# A remote that is no directory ------------------------------------------------------------------------------------


@pytest.fixture
def over_http(three: DvcRepo) -> Iterator[DvcRepo]:
    """The DVC remote of `three` behind a server that only answers."""
    handler = partial(_Quiet, directory=str(three.store))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        (three.path / ".dvc" / "config").write_text(f"[core]\n    remote = far\n['remote \"far\"']\n    url = {url}\n")
        yield three
        server.shutdown()
        thread.join()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def test_a_remote_over_http(over_http: DvcRepo, modelver: Modelver) -> None:
    """Any other remote is asked, through DVC, what it has; it is not said to be hashed."""
    digest = md5_of(over_http, "v0.1.0")
    answer = modelver.process("verify", "--all", "--remote", "--json", cwd=over_http.git)
    assert "not hashed" in checks(answer, "v0.1.0")["remote"]["detail"]
    spoil(over_http.store / "files/md5" / digest[:2] / digest[2:], None)
    answer = modelver.process("verify", "--all", "--remote", "--json", cwd=over_http.git, code=1)
    assert broken(answer) == {("v0.1.0", "remote")}
    spoil(over_http.object_path(digest), None)
    answer = modelver.process("verify", "--all", "--remote", "--json", cwd=over_http.git, code=1)
    assert broken(answer) == {("v0.1.0", "remote"), ("v0.1.0", "cache")}


def test_a_remote_over_http_is_hashed_when_asked(over_http: DvcRepo, modelver: Modelver) -> None:
    """`--remote --force` downloads and hashes: bytes that are altered there are named, and nothing of them stays."""
    answer = modelver.process("verify", "--all", "--remote", "--force", "--json", cwd=over_http.git)
    assert checks(answer, "v0.1.0")["remote"]["detail"] == "1 file in the DVC remote is as released"
    digest = md5_of(over_http, "v0.1.0")
    kept = {path: path.read_bytes() for path in over_http.cache.rglob("*") if path.is_file()}
    spoil(over_http.store / "files/md5" / digest[:2] / digest[2:], b"other bytes")
    answer = modelver.process("verify", "--all", "--remote", "--json", cwd=over_http.git)
    assert "presence alone was asked" in checks(answer, "v0.1.0")["remote"]["detail"]
    answer = modelver.process("verify", "--all", "--remote", "--force", "--json", cwd=over_http.git, code=1)
    assert broken(answer) == {("v0.1.0", "remote")}
    assert hashlib.md5(b"other bytes").hexdigest() in checks(answer, "v0.1.0")["remote"]["detail"]
    assert {path: path.read_bytes() for path in over_http.cache.rglob("*") if path.is_file()} == kept


def test_a_listing_that_only_a_server_has(over_http: DvcRepo, modelver: Modelver) -> None:
    """A directory whose listing the cache lacks is looked up in the remote, file by file."""
    repo = over_http
    for name in ("a", "b"):
        repo.git.write(f"folder/{name}.txt", f"{name}\n")
    repo.dvc(["add", "-q", "folder"])
    repo.git.write("dvc.yaml", (repo.path / "dvc.yaml").read_text() + "  folder:\n    path: folder\n    type: data\n")
    repo.git.commit("Folder")
    modelver("release", "folder", cwd=repo.git)
    shutil.copytree(repo.cache, repo.store / "files/md5", dirs_exist_ok=True)
    spoil(next(repo.cache.rglob("*.dir")), None)
    answer = modelver.process("verify", "folder", "--remote", "--json", cwd=repo.git)
    assert "2 files" in checks(answer, "v0.1.0")["remote"]["detail"]
    digest = hashlib.md5(b"b\n").hexdigest()
    spoil(repo.store / "files/md5" / digest[:2] / digest[2:], None)
    answer = modelver.process("verify", "folder", "--remote", "--json", cwd=repo.git, code=1)
    assert "folder/b.txt" in checks(answer, "v0.1.0")["remote"]["detail"]
    spoil(next((repo.store / "files/md5").rglob("*.dir")), b"[]")
    answer = modelver.process("verify", "folder", "--remote", "--json", cwd=repo.git, code=1)
    assert broken(answer) == {("v0.1.0", "cache"), ("v0.1.0", "remote")}
    assert "altered" in checks(answer, "v0.1.0")["remote"]["detail"]


def test_bytes_that_shall_stay_here(three: DvcRepo, modelver: Modelver, tmp_path: Path) -> None:
    """What says `push: false` is never uploaded, as with `dvc push`; its remote is no place to look, nor an excuse."""
    git = three.git
    git("init", "-q", "--bare", tmp_path / "there.git")
    git("remote", "add", "there", tmp_path / "there.git")
    git.write("secret.txt", "who lives where\n")
    git.write("pack/dvc.yaml", "stages:\n  s:\n    cmd: cp ../secret.txt kept\n    outs:\n    - kept: {push: false}\n")
    three.dvc(["add", "-q", "secret.txt"], ["repro", "-q", "pack/dvc.yaml"])
    git.write("secret.txt.dvc", (three.path / "secret.txt.dvc").read_text() + "  push: false\n")
    text = "artifacts:\n  secret:\n    path: secret.txt\n    type: data\n"
    git.write("own/dvc.yaml", text.replace("secret.txt", "../secret.txt"))
    git.write("pack/dvc.yaml", (three.path / "pack/dvc.yaml").read_text() + text.replace("secret.txt", "kept"))
    git.commit("Secret")
    modelver("hooks", "install", cwd=git)
    before = set(three.store.rglob("*"))
    for name in ("own:secret", "pack:secret"):
        modelver("release", name, "--push", "--no-card", cwd=git)
        answer = modelver("verify", name, "--remote", "--json", cwd=git)
        assert "push: false" in checks(answer, "v0.1.0")["remote"]["detail"]
    assert set(three.store.rglob("*")) == before
    digest = hashlib.md5(b"who lives where\n").hexdigest()
    spoil(three.object_path(digest), None)
    answer = modelver("verify", "own:secret", "--remote", "--json", cwd=git, code=1)
    assert broken(answer) == {("v0.1.0", "cache")}
    assert "marked push: false" in modelver("get", "own:secret", "-o", tmp_path / "out", cwd=git, code=5).err


def test_a_tag_whose_object_is_gone(three: DvcRepo, modelver: Modelver) -> None:
    """It is still a version, and named for what it is: nobody is told to delete the tag, or that its bytes stay."""
    loose(three, three.git.rev("refs/tags/churn@v0.3.0")).unlink()
    commit = three.git.rev("churn@v0.2.0^{commit}")
    loose(three, commit).rename(three.path / "commit")
    listed = modelver("list", "--json", cwd=three.git).json
    (model,) = (one for one in listed["models"] if one["name"] == "churn")
    assert (model["latest"], model["versions"]) == ("v0.2.0", 3)
    (problem,) = listed["problems"]
    assert "is missing or cannot be read" in problem["problem"]
    assert "tag -d" not in problem["remedy"]
    said = modelver("doctor", cwd=three.git, code=1).out
    assert said.count("churn@v0.3.0:") == 1
    assert "lightweight" not in said
    assert "tag -d" not in said
    assert f"commit {commit[:12]}" in said
    assert "v0.3.0" in modelver("show", "churn", cwd=three.git).out
    modelver("get", "churn@v0.3.0", cwd=three.git, code=5)
    gc = modelver("verify", "--gc", "--json", cwd=three.git, code=1).json
    assert {one["version"] for one in gc["unknown"]} == {"v0.2.0", "v0.3.0"}
