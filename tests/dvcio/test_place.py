"""Bytes at a place: all or nothing, and never over other content."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dvc_modelver.dvcio.content import Piece, Pieces, find_pieces, verify_output
from dvc_modelver.dvcio.listing import ObjectId
from dvc_modelver.dvcio.place import Expected, place
from dvc_modelver.errors import BadInput, Conflict, DataError, EnvironmentProblem
from tests.dvcio.bytes_support import Repo, corrupt, md5, snapshot


def one(data: bytes | Path, digest: str | None = None) -> Pieces:
    """An artifact of one file."""
    return Pieces(kind="file", files=(Piece(path="m", source=data, oid=ObjectId(digest) if digest else None),))


def many(**files: bytes) -> Pieces:
    """A directory artifact; `__` in a name is a slash."""
    rows = [Piece(path=name.replace("__", "/"), source=data, oid=ObjectId(md5(data))) for name, data in files.items()]
    return Pieces(kind="directory", files=tuple(rows))


@pytest.mark.parametrize("path", ["model.bin", "words", "old.csv", "olddir"])
@pytest.mark.parametrize("by", ["md5", "sha256"])
def test_same_bytes_as_the_work_tree(bytes_repo: Repo, tmp_path: Path, path: str, by: str) -> None:
    """What is placed is the work tree's copy, and the second time it is unchanged."""
    facts = bytes_repo.facts(path)
    manifest = verify_output(facts, bytes_repo.cache)
    expect = Expected(manifest=manifest.sha256) if by == "sha256" else None
    target = tmp_path / "new" / "deep" / "out"
    first = place(find_pieces(facts, bytes_repo.cache), target, expect=expect)
    again = place(find_pieces(facts, bytes_repo.cache), target, expect=expect)
    source = bytes_repo.root / path
    assert snapshot(target) == snapshot(source) if source.is_dir() else target.read_bytes() == source.read_bytes()
    assert (first.changed, again.changed) == (True, False)
    assert first.size == again.size == manifest.size
    assert first.sha256 == (manifest.sha256 if by == "sha256" else None)
    assert os.listdir(target.parent) == ["out"]


def test_mode_is_that_of_a_new_file(bytes_repo: Repo, tmp_path: Path) -> None:
    """The read-only mode of the cache does not come along."""
    place(find_pieces(bytes_repo.facts("model.bin"), bytes_repo.cache), tmp_path / "m")
    (tmp_path / "plain").write_text("")
    assert (tmp_path / "m").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("there", ["file", "directory", "dangling link"])
def test_other_content_is_a_conflict(tmp_path: Path, there: str) -> None:
    """Whatever else lies at the destination stays as it is."""
    target = tmp_path / "m"
    if there == "file":
        target.write_bytes(b"mine")
    elif there == "directory":
        target.mkdir()
        (target / "m").write_bytes(b"data")
    else:
        target.symlink_to("nowhere")
    before = target.lstat()
    with pytest.raises(Conflict):
        place(one(b"data", md5(b"data")), target)
    assert target.lstat() == before
    assert os.listdir(tmp_path) == ["m"]


@pytest.mark.parametrize("change", ["other", "extra", "fewer", "link"])
def test_other_directory_is_a_conflict(tmp_path: Path, change: str) -> None:
    """A directory with a changed, extra, missing or linked file is other content."""
    pieces = many(a=b"1", d__b=b"2")
    place(pieces, tmp_path / "m")
    file = tmp_path / "m" / "d" / "b"
    if change in ("fewer", "link"):
        file.unlink()
    if change == "link":
        file.symlink_to(tmp_path / "two")
        (tmp_path / "two").write_bytes(b"2")
    if change in ("other", "extra"):
        (file if change == "other" else file.with_name("c")).write_bytes(b"3")
    before = snapshot(tmp_path)
    with pytest.raises(Conflict):
        place(pieces, tmp_path / "m")
    assert snapshot(tmp_path) == before


def test_empty_directory_is_no_content(tmp_path: Path) -> None:
    """A directory artifact may take the place of an empty directory."""
    (tmp_path / "m").mkdir()
    assert place(many(a=b"1"), tmp_path / "m").changed
    assert (tmp_path / "m" / "a").read_bytes() == b"1"


def test_appeared_meanwhile(tmp_path: Path) -> None:
    """A file that somebody puts there while we copy is not replaced."""
    target = tmp_path / "m"

    def appear(done: int, total: int, what: str) -> None:
        target.write_bytes(b"theirs")

    with pytest.raises(Conflict, match="meanwhile"):
        place(one(b"data", md5(b"data")), target, progress=appear)
    assert target.read_bytes() == b"theirs"
    assert os.listdir(tmp_path) == ["m"]


@pytest.mark.parametrize("how", ["altered", "truncated"])
@pytest.mark.parametrize("path", ["model.bin", "words"])
@pytest.mark.parametrize("by", ["md5", "sha256"])
def test_bad_source_leaves_nothing(bytes_repo: Repo, tmp_path: Path, path: str, how: str, by: str) -> None:
    """Bytes that are not what the digest says do not appear, nor do the parents that were made for them."""
    facts = bytes_repo.facts(path)
    sha256 = verify_output(facts, bytes_repo.cache).sha256
    oid = bytes_repo.oid(path) if path == "model.bin" else bytes_repo.listed("words", "en/07.txt")
    corrupt(bytes_repo.cache.path(oid), how)
    expect = Expected(manifest=sha256) if by == "sha256" else None
    with pytest.raises(DataError, match=path if path == "model.bin" else r"en/07\.txt"):
        place(find_pieces(facts, bytes_repo.cache), tmp_path / "new" / "out", expect=expect)
    assert not (tmp_path / "new").exists()


def test_record_and_dvc_disagree(tmp_path: Path) -> None:
    """Bytes with DVC's md5 but another sha256 than the record's are refused."""
    with pytest.raises(DataError, match="record"):
        place(one(b"data", md5(b"data")), tmp_path / "m", expect=Expected(manifest="0" * 64))
    assert os.listdir(tmp_path) == []


def test_record_names_files(tmp_path: Path) -> None:
    """A file whose sha256 the record names is compared with that, the others with DVC's md5."""
    pieces = many(a=b"1", b=b"2")
    good = {"a": hashlib.sha256(b"1").hexdigest()}
    assert place(pieces, tmp_path / "good", expect=Expected(files=good)).changed
    with pytest.raises(DataError, match="a "):
        place(pieces, tmp_path / "bad", expect=Expected(files={"a": "0" * 64}))


@pytest.mark.parametrize("path", ["../out", "/abs", "a/../../out", ".git/hooks/x"])
def test_hostile_path_writes_nothing(tmp_path: Path, path: str) -> None:
    """A piece that leads out of the destination is refused before anything is written."""
    pieces = Pieces(kind="directory", files=(Piece(path=path, source=b"x", oid=ObjectId(md5(b"x"))),))
    with pytest.raises(BadInput):
        place(pieces, tmp_path / "in" / "m")
    assert os.listdir(tmp_path) == []


def test_parent_is_a_file(tmp_path: Path) -> None:
    """A destination below a file is bad input, said in one line."""
    (tmp_path / "f").write_text("x")
    with pytest.raises(BadInput, match="cannot be written"):
        place(one(b"data", md5(b"data")), tmp_path / "f" / "m")


@pytest.mark.parametrize("kind", ["file", "directory"])
def test_disk_full(tmp_path: Path, kind: str) -> None:
    """A full disk is an error of the environment, and leaves nothing behind."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("mounting needs root")
    try:
        data = b"x" * (3 << 20)
        pieces = one(data, md5(data)) if kind == "file" else many(a=b"1", b=data, c=data[1:])
        with pytest.raises(EnvironmentProblem, match="no space left"):
            place(pieces, disk / "sub" / "m")
        assert os.listdir(disk) == []
    finally:
        subprocess.run(["umount", disk], check=True)


def test_interrupt_leaves_nothing(tmp_path: Path) -> None:
    """Ctrl-C in the middle removes the temporary."""

    def interrupt(done: int, total: int, what: str) -> None:
        raise KeyboardInterrupt

    data = b"x" * (3 << 20)
    with pytest.raises(KeyboardInterrupt):
        place(one(data, md5(data)), tmp_path / "m", progress=interrupt)
    assert os.listdir(tmp_path) == []


KILLED = """
import hashlib, pathlib, sys, time
from dvc_modelver.dvcio.content import Piece, Pieces
from dvc_modelver.dvcio.listing import ObjectId
from dvc_modelver.dvcio.place import place
data = b"x" * (3 << 20)
piece = Piece(path="m", source=data, oid=ObjectId(hashlib.md5(data).hexdigest()))
def slow(*_): print("copying", flush=True); time.sleep(60)
place(Pieces(kind="file", files=(piece,)), pathlib.Path(sys.argv[1]), progress=slow)
"""


def test_killed_and_run_again(tmp_path: Path) -> None:
    """After a SIGKILL nothing lies at the destination, and the next run takes the rest away."""
    target = tmp_path / "m"
    root = Path(__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", KILLED, target], stdout=subprocess.PIPE, cwd=root) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert not target.exists()
        busy = os.listdir(tmp_path)
        place(one(b"y", md5(b"y")), tmp_path / "other")
        place(one(b"y", md5(b"y")), tmp_path / "m")
        assert set(busy) < set(os.listdir(tmp_path)), "a living process keeps its temporary"
        target.unlink()
        process.send_signal(signal.SIGKILL)
    place(one(b"y", md5(b"y")), target)
    assert sorted(os.listdir(tmp_path)) == ["m", "other"]


def test_progress_counts_bytes(tmp_path: Path) -> None:
    """Progress ends at the size of the artifact."""
    told: list[tuple[int, int]] = []
    data = b"x" * ((2 << 20) + 3)
    place(one(data, md5(data)), tmp_path / "m", progress=lambda done, total, _: told.append((done, total)))
    assert told[-1] == (len(data), len(data))
    assert len(told) == 3
