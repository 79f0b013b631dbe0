"""What the cache lacks comes from the remote, verified, or not at all."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dvc_modelver.dvcio.cache import Cache
from dvc_modelver.dvcio.content import verify_output
from dvc_modelver.dvcio.fetch import ensure_in_cache
from dvc_modelver.errors import BadInput, DataError, EnvironmentProblem
from tests.dvcio.bytes_support import BIG, Repo, corrupt, dvc, md5, run, snapshot

EVERY = ["model.bin", "words", "old.csv", "olddir"]


def left_over(repo: Repo) -> list[str]:
    """Temporary files below `.dvc`."""
    return [name for name in os.listdir(repo.root / ".dvc" / "tmp") if name.endswith(".modelver-tmp")]


def all_whole(cache: Cache) -> bool:
    """True when each object of today's layout has the md5 that its name says."""
    files = snapshot(cache.directory / "files" / "md5") if cache.directory.exists() else {}
    return all(name.replace("/", "").removesuffix(".dir") == digest for name, digest in files.items())


@pytest.mark.parametrize("path", EVERY)
def test_fetches_what_is_missing(bytes_repo: Repo, path: str) -> None:
    """From an empty cache the artifact verifies afterwards, and once more there is nothing to do."""
    facts = bytes_repo.facts(path)
    bytes_repo.without_cache()
    fetched = ensure_in_cache(bytes_repo.root, [bytes_repo.output(path)])
    assert fetched.objects == {"words": 31, "olddir": 3}.get(path, 1)
    verify_output(facts, bytes_repo.cache)
    assert ensure_in_cache(bytes_repo.root, [bytes_repo.output(path)]).objects == 0
    assert left_over(bytes_repo) == []


def test_dvc_is_content_with_it(bytes_repo: Repo) -> None:
    """After our fetch the real dvc finds nothing missing, and its checkout restores every file."""
    before = {path: snapshot(bytes_repo.root / path) for path in ("words", "olddir")}
    bytes_repo.without_cache()
    fetched = ensure_in_cache(bytes_repo.root, [bytes_repo.output(path) for path in EVERY])
    assert fetched.size > BIG
    assert "in sync" in dvc("status", "-c", cwd=bytes_repo.root)
    for path in before:
        shutil.rmtree(bytes_repo.root / path)
    dvc("checkout", "-q", cwd=bytes_repo.root)
    assert {path: snapshot(bytes_repo.root / path) for path in before} == before


def test_cache_files_are_read_only(bytes_repo: Repo) -> None:
    """Objects have the mode that DVC gives them."""
    bytes_repo.without_cache()
    ensure_in_cache(bytes_repo.root, [bytes_repo.output("model.bin")])
    assert bytes_repo.cache.path(bytes_repo.oid("model.bin")).stat().st_mode & 0o777 == 0o444


def test_only_what_is_needed(bytes_repo: Repo) -> None:
    """Of an artifact that is one file inside a directory only the listing and that file are fetched."""
    facts = bytes_repo.facts("words", "en/07.txt")
    bytes_repo.without_cache()
    fetched = ensure_in_cache(bytes_repo.root, [bytes_repo.output("words")], inside="en/07.txt")
    assert fetched.objects == 2
    assert verify_output(facts, bytes_repo.cache).entries[0].path == "07.txt"


@pytest.mark.parametrize("how", ["altered", "truncated"])
@pytest.mark.parametrize("path", EVERY)
def test_corrupt_in_the_remote(bytes_repo: Repo, path: str, how: str) -> None:
    """Bad bytes of the remote never reach the cache; the remote and the work tree stay as they are."""
    bytes_repo.without_cache()
    corrupt(bytes_repo.remote.path(bytes_repo.oid(path)), how)
    remote, tree = snapshot(bytes_repo.remote.directory), snapshot(bytes_repo.root / "words")
    with pytest.raises(DataError, match=f"altered or truncated in the DVC remote 'storage' .*{path}"):
        ensure_in_cache(bytes_repo.root, [bytes_repo.output(path)])
    assert not bytes_repo.cache.exists(bytes_repo.oid(path))
    assert (snapshot(bytes_repo.remote.directory), snapshot(bytes_repo.root / "words")) == (remote, tree)
    assert left_over(bytes_repo) == []


def test_one_corrupt_file_among_many(bytes_repo: Repo) -> None:
    """The bad file is named; the good ones may stay, but the listing that names all of them does not."""
    bad = bytes_repo.listed("words", "en/07.txt")
    bytes_repo.without_cache()
    corrupt(bytes_repo.remote.path(bad), "altered")
    with pytest.raises(DataError, match=r"words/en/07\.txt$"):
        ensure_in_cache(bytes_repo.root, [bytes_repo.output("words")])
    assert not bytes_repo.cache.exists(bad)
    assert not bytes_repo.cache.exists(bytes_repo.oid("words"))
    assert all_whole(bytes_repo.cache)


def test_missing_everywhere(bytes_repo: Repo) -> None:
    """Bytes that neither the cache nor the remote has are named with the remote."""
    bytes_repo.without_cache()
    corrupt(bytes_repo.remote.path(bytes_repo.oid("model.bin")), "missing")
    with pytest.raises(DataError, match=r"missing from the DVC remote 'storage' .*model\.bin"):
        ensure_in_cache(bytes_repo.root, [bytes_repo.output("model.bin")])


def test_no_remote(bytes_repo: Repo) -> None:
    """Missing bytes without any remote are missing bytes, with the way to add a remote as hint."""
    bytes_repo.without_cache()
    dvc("remote", "remove", "storage", cwd=bytes_repo.root)
    with pytest.raises(DataError, match=r"model\.bin.*no default DVC remote") as caught:
        ensure_in_cache(bytes_repo.root, [bytes_repo.output("model.bin")])
    assert "dvc remote add -d" in caught.value.hint


def test_no_remote_needed(bytes_repo: Repo) -> None:
    """What the cache has needs no remote."""
    dvc("remote", "remove", "storage", cwd=bytes_repo.root)
    assert ensure_in_cache(bytes_repo.root, [bytes_repo.output(path) for path in EVERY]).objects == 0


def test_output_with_its_own_remote(bytes_repo: Repo) -> None:
    """The remote that an output names for itself is asked, not the default one."""
    other = bytes_repo.base / "other"
    bytes_repo.remote.directory.rename(other)
    bytes_repo.without_cache()
    dvc("remote", "add", "second", str(other), cwd=bytes_repo.root)
    output = bytes_repo.output("model.bin")
    with pytest.raises(DataError, match="storage"):
        ensure_in_cache(bytes_repo.root, [output])
    assert ensure_in_cache(bytes_repo.root, [dataclasses.replace(output, remote="second")]).objects == 1


def test_subrepo(bytes_repo: Repo, tmp_path: Path) -> None:
    """An output of a DVC repository below the Git root is fetched with that repository's configuration."""
    outer = tmp_path / "outer"
    outer.mkdir()
    bytes_repo.without_cache()
    bytes_repo.base.rename(outer / "sub")
    output = dataclasses.replace(Repo(outer / "sub").output("model.bin"), path="sub/repo/model.bin", root="sub/repo")
    assert ensure_in_cache(outer, [output]).objects == 1
    assert Repo(outer / "sub").cache.exists(Repo(outer / "sub").oid("model.bin"))


def test_cache_on_another_file_system(bytes_repo: Repo, tmp_path: Path) -> None:
    """With `cache.dir` elsewhere the private directory is there too, and is gone afterwards."""
    elsewhere = tmp_path / "elsewhere"
    bytes_repo.without_cache()
    dvc("config", "cache.dir", str(elsewhere), cwd=bytes_repo.root)
    ensure_in_cache(bytes_repo.root, [bytes_repo.output("model.bin")])
    assert os.listdir(elsewhere) == ["files"]
    assert Cache(elsewhere).exists(bytes_repo.oid("model.bin"))


def test_foreign_cache_is_not_written(bytes_repo: Repo, tmp_path: Path) -> None:
    """For a foreign repository the bytes come into a cache of ours, and `cache.dir` is not believed."""
    bytes_repo.without_cache()
    (bytes_repo.root / ".dvc" / "config.local").write_text(f"[cache]\ndir = {tmp_path / 'trap'}\n")
    before = snapshot(bytes_repo.base)
    mine = Cache(tmp_path / "mine", also=(bytes_repo.cache.directory,))
    ensure_in_cache(bytes_repo.root, [bytes_repo.output("words")], cache=mine, foreign=True)
    assert verify_output(bytes_repo.facts("model.bin"), Cache(tmp_path / "mine", also=(bytes_repo.remote.directory,)))
    assert mine.exists(bytes_repo.oid("words"))
    assert snapshot(bytes_repo.base) == before
    assert not (tmp_path / "trap").exists()


def test_hostile_listing_of_the_remote(bytes_repo: Repo) -> None:
    """A listing with a path that leads out, released as such, brings nothing into the cache."""
    raw = b'[{"md5": "%s", "relpath": "../../.git/hooks/x"}]' % (b"0" * 32)
    place = bytes_repo.remote.directory / "files" / "md5" / md5(raw)[:2] / f"{md5(raw)[2:]}.dir"
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(raw)
    output = dataclasses.replace(bytes_repo.output("words"), digest=f"md5:{md5(raw)}.dir")
    before = snapshot(bytes_repo.cache.directory)
    with pytest.raises(BadInput, match="not a path below"):
        ensure_in_cache(bytes_repo.root, [output])
    assert snapshot(bytes_repo.cache.directory) == before


def test_disk_full(bytes_repo: Repo, tmp_path: Path) -> None:
    """A full disk is an error of the environment, and leaves neither object nor temporary."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("mounting needs root")
    try:
        with pytest.raises(EnvironmentProblem, match="no space left"):
            ensure_in_cache(bytes_repo.root, [bytes_repo.output("model.bin")], cache=Cache(disk))
        assert os.listdir(disk) == []
    finally:
        subprocess.run(["umount", disk], check=True)


FETCH = """
import os, pathlib, signal, sys
from dvc_modelver.core.facts import Output
from dvc_modelver.dvcio.fetch import ensure_in_cache
left = int(sys.argv[2])
def killer(event, args):
    global left
    changes = ("os.rename", "os.chmod", "os.mkdir", "os.rmdir", "os.remove")
    if event in changes or (event == "open" and "tmp" in str(args[0])):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(killer)
outputs = [Output(path=p, digest=d) for p, d in (row.split("=") for row in sys.argv[3:])]
ensure_in_cache(pathlib.Path(sys.argv[1]), outputs)
print(left)
"""


def test_killed_anywhere(bytes_repo: Repo) -> None:
    """Killed at its Nth change, a fetch leaves whole objects only, and the next one finishes and cleans up."""
    outputs = [bytes_repo.output(path) for path in ("model.bin", "words")]
    names = [f"{output.path}={output.digest}" for output in outputs]
    root = Path(__file__).parents[2]

    def fetch(left: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", FETCH, str(bytes_repo.root), str(left), *names]
        return subprocess.run(command, capture_output=True, text=True, cwd=root)

    bytes_repo.without_cache()
    whole = fetch(10**6)
    steps = 10**6 - int(whole.stdout)
    complete = snapshot(bytes_repo.cache.directory)
    assert steps > 60, whole.stderr
    for left in range(1, steps + 1, max(1, steps // 12)):
        bytes_repo.without_cache()
        assert fetch(left).returncode == -signal.SIGKILL
        assert all_whole(bytes_repo.cache)
        ensure_in_cache(bytes_repo.root, outputs)
        assert snapshot(bytes_repo.cache.directory) == complete
        assert left_over(bytes_repo) == []


def test_two_at_once(bytes_repo: Repo) -> None:
    """Two processes that fetch the same at the same time both succeed."""
    outputs = [bytes_repo.output(path) for path in ("model.bin", "words")]
    bytes_repo.without_cache()
    command = [sys.executable, "-c", FETCH, str(bytes_repo.root), str(10**6)]
    command += [f"{output.path}={output.digest}" for output in outputs]
    root = Path(__file__).parents[2]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=root) for _ in range(2)]
    errors = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], errors
    verify_output(bytes_repo.facts("words"), bytes_repo.cache)
    assert left_over(bytes_repo) == []


def test_linked_worktree(bytes_repo: Repo) -> None:
    """A linked worktree has its own `.dvc`, whose relative remote counts from there."""
    run("git", "add", "-A", cwd=bytes_repo.root)
    run("git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "all", cwd=bytes_repo.root)
    run("git", "worktree", "add", "-q", "../tree", cwd=bytes_repo.root)
    tree = bytes_repo.base / "tree"
    assert ensure_in_cache(tree, [bytes_repo.output("model.bin")]).objects == 1
    assert Cache(tree / ".dvc" / "cache").exists(bytes_repo.oid("model.bin"))
