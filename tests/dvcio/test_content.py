"""Verified bytes, and the work tree's copy of them."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from pathlib import Path

import pytest

from dvc_modelver.core.facts import ArtifactFacts
from dvc_modelver.core.records import manifest_digest
from dvc_modelver.dvcio.cache import Cache
from dvc_modelver.dvcio.content import find_pieces, verify_output
from dvc_modelver.dvcio.workspace import Saved, WorkCopy, hash_workspace
from dvc_modelver.errors import BadInput, DataError
from tests.dvcio.bytes_support import Repo, corrupt, dvc, md5

EVERY = ["model.bin", "words", "old.csv", "olddir"]


@pytest.mark.parametrize("path", EVERY)
def test_good_bytes(bytes_repo: Repo, path: str) -> None:
    """What dvc wrote verifies, and the manifest has the digests and sizes of the work tree's files."""
    manifest = verify_output(bytes_repo.facts(path), bytes_repo.cache)
    place = bytes_repo.root / path
    files = {"": place} if place.is_file() else {f.relative_to(place).as_posix(): f for f in place.rglob("*.*")}
    expected = [
        (name or path, f.stat().st_size, hashlib.sha256(f.read_bytes()).hexdigest()) for name, f in files.items()
    ]
    assert [(row.path, row.size, row.sha256) for row in manifest.entries] == sorted(expected)
    assert manifest.size == sum(size for _, size, _ in expected)


def test_manifest_digest_is_the_documented_one(bytes_repo: Repo) -> None:
    """A directory's digest is sha256 over its sorted `sha256 size path` lines; a file's is its sha256."""
    words = verify_output(bytes_repo.facts("words"), bytes_repo.cache)
    lines = "".join(f"{row.sha256} {row.size} {row.path}\n" for row in words.entries)
    assert words.sha256 == hashlib.sha256(lines.encode()).hexdigest()
    model = verify_output(bytes_repo.facts("model.bin"), bytes_repo.cache)
    assert model.sha256 == hashlib.sha256((bytes_repo.root / "model.bin").read_bytes()).hexdigest()


def test_manifest_digest_does_not_depend_on_order() -> None:
    """The rows are sorted before they are hashed."""
    rows = [("b", 1, "x"), ("a", 2, "y")]
    assert manifest_digest(rows) == manifest_digest(rows[::-1])


@pytest.mark.parametrize("how", ["altered", "truncated", "missing"])
@pytest.mark.parametrize("path", ["model.bin", "old.csv"])
def test_bad_file(bytes_repo: Repo, path: str, how: str) -> None:
    """A file that is altered, truncated or missing in the cache is named with what happened, mode 0444 or not."""
    corrupt(bytes_repo.cache.path(bytes_repo.oid(path)), how)
    facts = dataclasses.replace(bytes_repo.facts(path), size=(bytes_repo.root / path).stat().st_size)
    with pytest.raises(DataError, match=how) as caught:
        verify_output(facts, bytes_repo.cache)
    assert path in caught.value.message
    assert f"dvc fetch {path}" in caught.value.hint


@pytest.mark.parametrize("how", ["altered", "truncated", "missing"])
def test_one_bad_file_among_many(bytes_repo: Repo, how: str) -> None:
    """The one bad file of a directory is named, and no other."""
    corrupt(bytes_repo.cache.path(bytes_repo.listed("words", "en/07.txt")), how)
    with pytest.raises(DataError) as caught:
        verify_output(bytes_repo.facts("words"), bytes_repo.cache)
    assert "words/en/07.txt" in caught.value.message
    assert caught.value.message.count(".txt") == 1


def test_many_bad_files_are_counted(bytes_repo: Repo) -> None:
    """Of many bad files three are named and the rest counted."""
    for number in range(0, 10, 2):
        corrupt(bytes_repo.cache.path(bytes_repo.listed("words", f"de/{number:02}.txt")), "altered")
    with pytest.raises(DataError, match="and 2 more"):
        verify_output(bytes_repo.facts("words"), bytes_repo.cache)


def test_hint_repairs(bytes_repo: Repo) -> None:
    """Doing what the hint says, the bytes verify again."""
    corrupt(bytes_repo.cache.path(bytes_repo.oid("model.bin")), "altered")
    with pytest.raises(DataError) as caught:
        verify_output(bytes_repo.facts("model.bin"), bytes_repo.cache)
    removal, fetch = caught.value.hint.split(" && ")
    os.remove(removal.removeprefix("rm -f "))
    dvc(*fetch.split()[1:], cwd=bytes_repo.root)
    assert verify_output(bytes_repo.facts("model.bin"), bytes_repo.cache).entries


@pytest.mark.parametrize("where", ["altered", "truncated", "missing"])
def test_bad_listing(bytes_repo: Repo, where: str) -> None:
    """A directory whose listing is bad is bad."""
    corrupt(bytes_repo.cache.path(bytes_repo.oid("words")), where)
    with pytest.raises(DataError, match="listing"):
        verify_output(ArtifactFacts(path="words", output=bytes_repo.output("words")), bytes_repo.cache)


def test_wrong_digest(bytes_repo: Repo) -> None:
    """A digest that no object has is missing; one that is not hexadecimal is bad input."""
    output = bytes_repo.output("model.bin")
    for digest, error in ((f"md5:{'0' * 32}", DataError), ("md5:../../../etc/passwd", BadInput)):
        with pytest.raises(error):
            verify_output(
                ArtifactFacts(path="model.bin", output=dataclasses.replace(output, digest=digest)), bytes_repo.cache
            )


@pytest.mark.parametrize(("inside", "kind", "count"), [("en/07.txt", "file", 1), ("de", "directory", 15)])
def test_inside_a_directory(bytes_repo: Repo, inside: str, kind: str, count: int) -> None:
    """An artifact that is one file or folder of a tracked directory is just that."""
    pieces = find_pieces(bytes_repo.facts("words", inside), bytes_repo.cache)
    assert (pieces.kind, len(pieces.files)) == (kind, count)
    assert all("/" not in piece.path for piece in pieces.files)


def test_inside_needs_no_other_file(bytes_repo: Repo) -> None:
    """Other files of the directory may be missing."""
    facts = bytes_repo.facts("words", "en/07.txt")
    corrupt(bytes_repo.cache.path(bytes_repo.listed("words", "en/09.txt")), "missing")
    assert verify_output(facts, bytes_repo.cache).entries[0].path == "07.txt"


def test_not_inside(bytes_repo: Repo) -> None:
    """A path that the directory does not hold is an error that names both."""
    facts = dataclasses.replace(bytes_repo.facts("words"), inside="fr")
    with pytest.raises(DataError, match="'fr' is not in the tracked directory words"):
        find_pieces(facts, bytes_repo.cache)


def test_progress_ends_at_the_total(bytes_repo: Repo) -> None:
    """Progress counts bytes up to the sum of all files."""
    told: list[tuple[int, int]] = []
    manifest = verify_output(bytes_repo.facts("words"), bytes_repo.cache, progress=lambda *row: told.append(row[:2]))
    assert told[-1] == (manifest.size, manifest.size)
    assert told == sorted(told)


def check(repo: Repo, path: str, cache: Cache | None = None, inside: str | None = None) -> WorkCopy:
    """Ask about the work tree's copy."""
    return hash_workspace(repo.root, repo.facts(path, inside), cache)


@pytest.mark.parametrize("with_cache", [True, False])
@pytest.mark.parametrize("path", EVERY)
def test_workspace_same(bytes_repo: Repo, path: str, with_cache: bool) -> None:
    """A copy as committed is the same, whether the cache is at hand or not."""
    assert check(bytes_repo, path, bytes_repo.cache if with_cache else None) == WorkCopy(Saved.SAME)


@pytest.mark.parametrize("path", EVERY)
def test_workspace_absent(bytes_repo: Repo, path: str) -> None:
    """Nothing there is absent."""
    (bytes_repo.root / path).rename(bytes_repo.root / "away")
    assert check(bytes_repo, path) == WorkCopy(Saved.ABSENT)


@pytest.mark.parametrize("what", ["changed", "extra", "removed"])
def test_workspace_directory_names_the_file(bytes_repo: Repo, what: str) -> None:
    """The file that is changed, extra or gone is named; without the listing, only the directory."""
    file = bytes_repo.root / "words" / "en" / "07.txt"
    if what == "removed":
        file.unlink()
    else:
        file = file if what == "changed" else file.with_name("077.txt")
        file.write_text("new")
    assert check(bytes_repo, "words", bytes_repo.cache) == WorkCopy(Saved.DIFFERENT, f"words/en/{file.name}")
    assert check(bytes_repo, "words") == WorkCopy(Saved.DIFFERENT, "words")


def test_workspace_file_changed(bytes_repo: Repo) -> None:
    """A changed file is different; a folder in its place too."""
    (bytes_repo.root / "model.bin").write_bytes(b"x")
    assert check(bytes_repo, "model.bin") == WorkCopy(Saved.DIFFERENT, "model.bin")
    (bytes_repo.root / "model.bin").unlink()
    (bytes_repo.root / "model.bin").mkdir()
    assert check(bytes_repo, "model.bin") == WorkCopy(Saved.DIFFERENT, "model.bin")


def test_workspace_inside(bytes_repo: Repo) -> None:
    """Of an artifact inside a directory only that part counts."""
    (bytes_repo.root / "words" / "en" / "07.txt").write_text("new")
    assert check(bytes_repo, "words", bytes_repo.cache, "de").state is Saved.SAME
    assert check(bytes_repo, "words", bytes_repo.cache, "en/09.txt").state is Saved.SAME
    assert check(bytes_repo, "words", bytes_repo.cache, "en") == WorkCopy(Saved.DIFFERENT, "words/en/07.txt")


def test_workspace_cache_links_are_followed(bytes_repo: Repo) -> None:
    """With `cache.type symlink` the work tree holds links into the cache, wherever that is."""
    outside = bytes_repo.base / "elsewhere"
    dvc("config", "cache.type", "symlink", cwd=bytes_repo.root)
    dvc("config", "cache.dir", str(outside), cwd=bytes_repo.root)
    bytes_repo.cache.directory.rename(outside)
    dvc("checkout", "-q", "--relink", "model.bin.dvc", "words.dvc", cwd=bytes_repo.root)
    assert (bytes_repo.root / "model.bin").is_symlink()
    elsewhere = Cache(outside)
    for path in ("model.bin", "words"):
        facts = ArtifactFacts(path=path, output=bytes_repo.output(path))
        assert hash_workspace(bytes_repo.root, facts, elsewhere).state is Saved.SAME
        assert hash_workspace(bytes_repo.root, facts).state is Saved.DIFFERENT


def test_workspace_links_that_lead_out_are_different(bytes_repo: Repo, tmp_path: Path) -> None:
    """The right bytes behind a link out of the repository, or into `.git`, are not the repository's."""
    for away in (tmp_path / "away", bytes_repo.root / ".git" / "away"):
        model = bytes_repo.root / "model.bin"
        model.rename(away)
        model.symlink_to(away)
        assert check(bytes_repo, "model.bin", bytes_repo.cache) == WorkCopy(Saved.DIFFERENT, "model.bin")
        model.unlink()
        away.rename(model)


def test_workspace_ignores_what_dvc_ignores(bytes_repo: Repo) -> None:
    """A file that `.dvcignore` hides from DVC does not make the copy different, as `dvc status` agrees."""
    (bytes_repo.root / ".dvcignore").write_text("*.tmp\n")
    (bytes_repo.root / "words" / "en" / "x.tmp").write_text("scratch")
    assert check(bytes_repo, "words", bytes_repo.cache).state is Saved.SAME
    assert check(bytes_repo, "words").state is Saved.SAME
    assert "up to date" in dvc("status", "words.dvc", cwd=bytes_repo.root)


def test_legacy_text_is_compared_as_dvc_2_did(bytes_repo: Repo) -> None:
    """A legacy text file with other line ends is the same to DVC 2's md5, and so to us."""
    file = bytes_repo.root / "old.csv"
    assert md5(file.read_bytes()) != bytes_repo.oid("old.csv").hex
    file.write_bytes(file.read_bytes().replace(b"\r\n", b"\n"))
    assert check(bytes_repo, "old.csv").state is Saved.SAME
