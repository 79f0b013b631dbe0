"""Data that is missing, altered, or named in a way that cannot be meant: found before the first change."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.bad_input.support import alter, edit, model_digest, refused, uncached, well_said
from tests.support import DvcRepo, Modelver, snapshot
from tests.support.repos import md5, put_object


def objects(folder: Path) -> dict[str, bytes]:
    """Every object below a cache or remote with its bytes."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def stored(repo: DvcRepo) -> Path:
    """Where the DVC remote keeps the model of HEAD."""
    digest = model_digest(repo)
    return repo.store / "files" / "md5" / digest[:2] / digest[2:]


def cached(repo: DvcRepo) -> Path:
    """Where the cache keeps the model of HEAD."""
    return repo.object_path(model_digest(repo))


def no_leftovers(repo: DvcRepo) -> None:
    """No temporary file of ours lies anywhere."""
    everything = [*repo.path.parent.rglob("*")]
    assert [p for p in everything if "modelver-tmp" in p.name or p.name.startswith("modelver-")] == []


HURT = {
    "altered": alter,
    "truncated": lambda place: (place.chmod(0o644), place.write_bytes(place.read_bytes()[:3]), place.chmod(0o444)),
    "emptied": lambda place: (place.chmod(0o644), place.write_bytes(b""), place.chmod(0o444)),
    "lengthened": lambda place: (place.chmod(0o644), place.write_bytes(place.read_bytes() + b"\0"), place.chmod(0o444)),
}


@pytest.mark.parametrize("how", HURT)
def test_a_corrupt_cache_is_found_before_any_change(modelver: Modelver, released: DvcRepo, how: str) -> None:
    """`release` and `get` hash what the cache has, and make nothing of wrong bytes: 5."""
    released.fake_train(9)
    HURT[how](cached(released))
    said = refused(modelver, released.git, "release", "churn", code=5).err
    assert released.MODEL in said
    modelver("get", "churn@v0.2.0", "-o", str(released.store.parent / "sound.bin"), cwd=released.git)


@pytest.mark.parametrize("how", HURT)
def test_corrupt_bytes_are_never_given_out(modelver: Modelver, released: DvcRepo, how: str) -> None:
    """`get` leaves nothing at the destination when the cache is wrong: 5."""
    HURT[how](cached(released))
    target = released.store.parent / "new" / "folder" / "model.bin"
    refused(modelver, released.git, "get", "churn", "-o", str(target), code=5)
    assert not (released.store.parent / "new").exists()
    no_leftovers(released)


def test_a_model_that_is_nowhere_cannot_be_released_or_fetched(modelver: Modelver, released: DvcRepo) -> None:
    """Missing in the cache and in the remote: 5, and no tag."""
    released.fake_train(9)
    cached(released).unlink()
    stored(released).unlink()
    refused(modelver, released.git, "release", "churn", code=5)
    shutil.rmtree(released.cache)
    shutil.rmtree(released.store)
    refused(modelver, released.git, "get", "churn@v0.2.0", "-o", "../m.bin", code=5)
    assert not (released.store.parent / "m.bin").exists()
    modelver("show", "churn@v0.2.0", cwd=released.git)


def test_without_a_dvc_remote_missing_bytes_are_missing(modelver: Modelver, released: DvcRepo) -> None:
    """No remote to ask: 5 with the command that adds one."""
    (released.path / ".dvc" / "config").write_text("")
    cached(released).unlink()
    said = refused(modelver, released.git, "get", "churn", "-o", "../m.bin", code=5).err
    assert "dvc remote add" in said


def test_what_only_the_remote_has_is_fetched(modelver: Modelver, released: DvcRepo) -> None:
    """An empty cache is filled with verified bytes, for a release as for a `get`."""
    released.fake_train(9)
    shutil.rmtree(released.cache)
    modelver("release", "churn", cwd=released.git)
    assert cached(released).read_bytes() == released.model.read_bytes()
    modelver("get", "churn@v0.1.0", "-o", "../old.bin", cwd=released.git)
    assert (released.store.parent / "old.bin").read_text().split()[1] == "6"
    no_leftovers(released)


@pytest.mark.parametrize("how", HURT)
@pytest.mark.parametrize("command", ["release", "get"])
def test_corrupt_bytes_in_the_remote_get_no_place(
    modelver: Modelver, released: DvcRepo, how: str, command: str
) -> None:
    """5; nothing bad in cache or work tree, and the remote's object is left as evidence."""
    if command == "release":
        released.fake_train(9)
    HURT[how](stored(released))
    cached(released).unlink()
    before = objects(released.store)
    words = ("release", "churn") if command == "release" else ("get", "churn", "-o", "../m.bin")
    refused(modelver, released.git, *words, code=5)
    assert objects(released.store) == before
    assert not cached(released).exists()
    assert not (released.store.parent / "m.bin").exists()
    no_leftovers(released)


def test_get_never_overwrites_other_content(modelver: Modelver, released: DvcRepo) -> None:
    """Something else at the destination is a conflict, the same bytes are success."""
    taken = released.store.parent / "m.bin"
    taken.write_text("precious")
    refused(modelver, released.git, "get", "churn", "-o", str(taken), code=4)
    assert taken.read_text() == "precious"
    taken.unlink()
    taken.mkdir()
    refused(modelver, released.git, "get", "churn", "-o", str(taken), code=4)
    taken.rmdir()
    taken.symlink_to(released.store.parent / "elsewhere")
    refused(modelver, released.git, "get", "churn", "-o", str(taken), code=4)
    taken.unlink()
    modelver("get", "churn", "-o", str(taken), cwd=released.git)
    assert modelver("get", "churn", "-o", str(taken), "--json", cwd=released.git).json["changed"] is False


@pytest.mark.parametrize("place", ["README.md/m.bin", "x" * 300, "/dev/null/m", "/proc/nowhere/m.bin"])
def test_a_destination_that_cannot_be_is_refused(modelver: Modelver, released: DvcRepo, place: str) -> None:
    """Below a file, too long, on a device: an error in two lines, nothing left."""
    before = snapshot(released.git)
    result = well_said(modelver("get", "churn", "-o", place, cwd=released.git, code=None))
    assert result.code in (2, 4, 6), result
    assert snapshot(released.git) == before


def with_directory(repo: DvcRepo, count: int) -> dict[str, bytes]:
    """Track `words/` of so many files with a `.dvc` file, and declare it as the model `words`."""
    files = {f"{n % 7}/{n:05}.txt": f"word {n}\n".encode() for n in range(count)}
    rows = [{"md5": md5(data).strip("'"), "relpath": path} for path, data in sorted(files.items())]
    listing = json.dumps(rows).encode()
    digest = md5(listing).strip("'")
    for folder in (repo.cache, repo.store / "files" / "md5"):
        for data in files.values():
            put_object(folder, data)
        put_object(folder, listing).rename(folder / digest[:2] / f"{digest[2:]}.dir")
    size = sum(map(len, files.values()))
    repo.git.write(
        "words.dvc",
        f"outs:\n- md5: {digest}.dir\n  size: {size}\n  nfiles: {count}\n  hash: md5\n  path: words\n",
    )
    edit(repo.path / "dvc.yaml", "artifacts:\n", "artifacts:\n  words:\n    path: words\n    type: model\n")
    repo.git.write(".gitignore", "__pycache__/\n/words\n")
    repo.git.commit("Track a directory")
    return files


@pytest.mark.parametrize("count", [40, pytest.param(10_000, marks=pytest.mark.long)])
@pytest.mark.parametrize("how", ["altered", "truncated"])
def test_one_altered_file_among_many_is_named(modelver: Modelver, dvc_repo: DvcRepo, how: str, count: int) -> None:
    """A directory with one wrong file is not released, and the file is named."""
    files = with_directory(dvc_repo, count)
    victim = sorted(files)[count // 2]
    digest = md5(files[victim]).strip("'")
    HURT[how](dvc_repo.object_path(digest))
    said = refused(modelver, dvc_repo.git, "release", "words", code=5).err
    assert victim in said
    HURT[how](dvc_repo.store / "files" / "md5" / digest[:2] / digest[2:])
    dvc_repo.object_path(digest).unlink()
    assert victim in refused(modelver, dvc_repo.git, "release", "words", code=5).err
    assert not dvc_repo.object_path(digest).exists()
    put_object(dvc_repo.cache, files[victim])
    modelver("release", "words", cwd=dvc_repo.git)
    modelver("get", "words", "-o", "../words", cwd=dvc_repo.git)
    got = dvc_repo.store.parent / "words"
    assert {p.relative_to(got).as_posix(): p.read_bytes() for p in got.rglob("*") if p.is_file()} == files


def test_an_altered_file_in_the_work_tree_is_named(modelver: Modelver, dvc_repo: DvcRepo) -> None:
    """The work tree's copy of a directory is compared file by file: 3."""
    files = with_directory(dvc_repo, 30)
    for path, data in files.items():
        dvc_repo.git.write(f"words/{path}", data)
    victim = sorted(files)[3]
    dvc_repo.git.write(f"words/{victim}", "another word")
    assert f"words/{victim}" in refused(modelver, dvc_repo.git, "release", "words", code=3).err


def test_an_altered_listing_is_corrupt(modelver: Modelver, dvc_repo: DvcRepo) -> None:
    """A `.dir` object that is not what its name says is never followed."""
    with_directory(dvc_repo, 5)
    (listing,) = dvc_repo.cache.rglob("*.dir")
    listing.chmod(0o644)
    listing.write_text(listing.read_text().replace("relpath", "relpath ", 1))
    refused(modelver, dvc_repo.git, "release", "words", code=5)


BAD_DIGESTS = ["../../../../etc/passwd", "zz" * 16, "ab", "A/" * 16, "0" * 31, "0" * 33, "x.dir", "/etc/passwd", "~"]


@pytest.mark.parametrize("digest", BAD_DIGESTS)
@pytest.mark.parametrize("file", ["dvc.lock", "churn.dvc"])
def test_a_digest_that_is_not_hex_is_bad_input(modelver: Modelver, dvc_repo: DvcRepo, digest: str, file: str) -> None:
    """Paths in the cache are made of digests: 2, and no path is made."""
    if file == "dvc.lock":
        lock = dvc_repo.path / "dvc.lock"
        lock.write_text(lock.read_text().replace(f"md5: {md5(dvc_repo.model.read_bytes())}", f"md5: '{digest}'"))
    else:
        dvc_repo.git.write("models/new.bin.dvc", f"outs:\n- md5: '{digest}'\n  hash: md5\n  path: new.bin\n")
        edit(dvc_repo.path / "dvc.yaml", "path: models/churn.bin", "path: models/new.bin")
    dvc_repo.git.commit("Break it")
    assert "digest" in refused(modelver, dvc_repo.git, "release", "churn", code=2).err
    dvc_repo.git.tag("churn@v0.1.0")
    refused(modelver, dvc_repo.git, "get", "churn", "-o", "../m.bin", code=2)
    modelver("list", cwd=dvc_repo.git)
    (row,) = modelver("show", "churn", "--json", cwd=dvc_repo.git).json["versions"]
    assert "digest" in row["problem"]
    modelver("doctor", cwd=dvc_repo.git, code=1)


BROKEN_LOCKS = {
    "conflict markers": (lambda text: conflicted(text), r"dvc\.lock: line \d+: conflict markers"),
    "a schema to come": (lambda text: text.replace("schema: '2.0'", "schema: '9.0'"), "9.0"),
    "a schema that is a number": (lambda text: text.replace("schema: '2.0'", "schema: 17"), "schema"),
    "a schema that is a list": (lambda text: text.replace("schema: '2.0'", "schema: ['2.0']"), "schema"),
    "half a file": (lambda text: text[: text.index("md5:") + 2], r"dvc\.lock"),
    "a list": (lambda text: "- a\n- b\n", r"dvc\.lock"),
    "stages as a list": (lambda text: "schema: '2.0'\nstages: []\n", r"dvc\.lock|has not run"),
    "not UTF-8": (lambda text: text + "# \udcff\n", "not UTF-8"),
    "a NUL": (lambda text: text + "x: \0\n", r"dvc\.lock"),
    "a stage twice": (lambda text: text + text[text.index("  train:") :], r"dvc\.lock"),
}


def conflicted(text: str) -> str:
    """The lock as a merge leaves it that nobody has resolved."""
    line = next(line for line in text.splitlines() if "depth:" in line)
    return text.replace(f"{line}\n", f"<<<<<<< HEAD\n{line}\n=======\n{line}1\n>>>>>>> theirs\n")


@pytest.mark.parametrize("what", BROKEN_LOCKS)
def test_a_broken_lock_is_bad_input(modelver: Modelver, released: DvcRepo, what: str) -> None:
    """A dvc.lock that cannot be read is named, with its line where there is one; older versions stay readable."""
    breaks, said = BROKEN_LOCKS[what]
    lock = released.path / "dvc.lock"
    lock.write_bytes(breaks(lock.read_text()).encode("utf-8", "surrogateescape"))
    released.git.commit("Break the lock")
    code = 3 if what == "stages as a list" else 2
    assert re.search(said, refused(modelver, released.git, "release", "churn", code=code).err)
    modelver("list", cwd=released.git)
    modelver("show", "churn@v0.2.0", cwd=released.git)
    modelver("get", "churn@v0.2.0", "-o", "../m.bin", cwd=released.git)


@pytest.mark.parametrize("what", ["conflict markers", "a schema to come", "half a file"])
def test_a_version_on_a_broken_lock_costs_only_itself(modelver: Modelver, released: DvcRepo, what: str) -> None:
    """A tag of somebody else's on a broken commit is shown with its problem beside the sound ones."""
    lock = released.path / "dvc.lock"
    lock.write_text(BROKEN_LOCKS[what][0](lock.read_text()))
    released.git.commit("Break the lock")
    released.git.tag("churn@v0.3.0")
    rows = modelver("show", "churn", "--json", cwd=released.git).json["versions"]
    assert [(row["version"], bool(row["problem"])) for row in rows] == [
        ("v0.3.0", True),
        ("v0.2.0", False),
        ("v0.1.0", False),
    ]
    refused(modelver, released.git, "get", "churn", "-o", "../m.bin", code=2)
    problems = modelver("doctor", "--json", cwd=released.git, code=1).json["problems"]
    assert [p["ref"] for p in problems] == ["refs/tags/churn@v0.3.0"]


BROKEN_PIPELINES = {
    "no YAML": "stages: [\n",
    "text": "hello\n",
    "artifacts as a list": "artifacts: [churn]\n",
    "an artifact as text": "artifacts: {churn: models/churn.bin}\n",
    "no path": "artifacts: {churn: {type: model}}\n",
    "a path that is a number": "artifacts: {churn: {path: 3}}\n",
    "an unknown key": "artifacts: {churn: {path: README.md, pth: x}}\n",
    "labels as a mapping": "artifacts: {churn: {path: README.md, labels: {a: b}}}\n",
    "a Python object": "artifacts: !!python/object/apply:os.system ['touch canary']\n",
}


@pytest.mark.parametrize("what", BROKEN_PIPELINES)
def test_a_broken_declaration_is_listed_and_not_released(modelver: Modelver, released: DvcRepo, what: str) -> None:
    """The list names what is wrong and shows the versions all the same."""
    released.git.commit("Break it", {"dvc.yaml": BROKEN_PIPELINES[what]})
    answer = modelver("list", "--json", cwd=released.git).json
    assert [(m["name"], m["latest"]) for m in answer["models"]] == [("churn", "v0.2.0")]
    assert len(answer["problems"]) == 1
    result = well_said(modelver("release", "churn", cwd=released.git, code=None))
    assert result.code in (2, 3), result
    assert released.git.tags() == ["churn#prod#1", "churn@v0.1.0", "churn@v0.2.0"]
    modelver("get", "churn@v0.2.0", "-o", "../m.bin", cwd=released.git)


NOT_VERIFIABLE = {
    "a cloud output": ("s3://bucket/model.bin", "  cloud:\n    s:\n      etag: abc\n      version_id: v\n", None),
    "an external output": ("s3://bucket/model.bin", "  etag: '9d2f'\n  size: 3\n", "etag:9d2f"),
    "a checksum": ("hdfs://host/model.bin", "  checksum: 00ff\n  size: 3\n", "checksum:00ff"),
}


@pytest.mark.parametrize("what", NOT_VERIFIABLE)
def test_what_dvc_keeps_no_md5_of_is_shown_as_not_verifiable(modelver: Modelver, dvc_repo: DvcRepo, what: str) -> None:
    """Its version can be shown; its bytes cannot be promised: 5 to release and to fetch."""
    path, rest, digest = NOT_VERIFIABLE[what]
    dvc_repo.git.write("model.dvc", f"outs:\n- path: {path}\n{rest}")
    edit(dvc_repo.path / "dvc.yaml", "    path: models/churn.bin", f"    path: {path}")
    dvc_repo.git.commit("External")
    dvc_repo.git.tag("churn@v0.1.0")
    artifact = modelver("show", "churn@v0.1.0", "--json", cwd=dvc_repo.git).json["artifact"]
    assert artifact["path"] == path
    assert digest is None or artifact["digest"] == digest
    assert "cannot be verified" in refused(modelver, dvc_repo.git, "get", "churn", "-o", "../m.bin", code=5).err


def test_a_model_at_a_url_is_shown_and_not_fetched(modelver: Modelver, dvc_repo: DvcRepo) -> None:
    """A URL that DVC does not track can be released as a fact, never verified."""
    edit(dvc_repo.path / "dvc.yaml", "    path: models/churn.bin", "    path: s3://bucket/model.bin")
    dvc_repo.git.commit("At a URL")
    modelver("release", "churn", cwd=dvc_repo.git)
    shown = modelver("show", "churn@v0.1.0", "--json", cwd=dvc_repo.git).json
    assert (shown["artifact"]["source"], shown["artifact"]["sha256"]) == ("url", None)
    assert "cannot be verified" in refused(modelver, dvc_repo.git, "get", "churn", "-o", "../m.bin", code=5).err


def test_an_output_without_cache_is_verified_from_git(modelver: Modelver, dvc_repo: DvcRepo) -> None:
    """`cache: false` bytes in Git are hashed there; ones that nobody keeps are not promised."""
    uncached(dvc_repo)
    dvc_repo.git.commit("Nobody keeps it")
    refused(modelver, dvc_repo.git, "release", "churn", code=5)
    dvc_repo.git("add", "-f", "models/churn.bin")
    dvc_repo.git("commit", "-q", "-m", "Git keeps it")
    modelver("release", "churn", cwd=dvc_repo.git)
    modelver("get", "churn", "-o", "../m.bin", cwd=dvc_repo.git)
    assert (dvc_repo.store.parent / "m.bin").read_bytes() == dvc_repo.model.read_bytes()
    dvc_repo.model.unlink()
    dvc_repo.model.write_text("not what the lock says")
    dvc_repo.git("add", "-f", "models/churn.bin")
    dvc_repo.git("commit", "-q", "-m", "Git has something else")
    refused(modelver, dvc_repo.git, "release", "churn", code=5)
