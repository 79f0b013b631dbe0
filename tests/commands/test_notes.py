"""Notes on tag objects: real git is the oracle of what is written, and writes what is read."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import pytest

from dvc_modelver.commands.notes import read_notes, write_note
from dvc_modelver.commands.project import Project, Surroundings
from dvc_modelver.core.notes import MAX_NOTES
from dvc_modelver.errors import EnvironmentProblem
from dvc_modelver.gitio import notes as gitio_notes
from tests.support import Clones, DvcRepo, Git, Modelver, snapshot

AT = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)


@pytest.fixture
def tagged(plain_repo: Git) -> Git:
    """A repository with one version."""
    plain_repo.tag("churn@v0.1.0")
    return plain_repo


def project(git: Git) -> Project:
    return Project(Surroundings(directory=git.path, env=git.env, now=lambda: AT))


def kinds(git: Git, oid: str) -> list[str]:
    with project(git) as one:
        return [note.kind for note in read_notes(one, oid).notes]


def test_git_reads_what_we_write(tagged: Git) -> None:
    """The note is on the tag object, one JSON line each; nothing but the notes' ref changes."""
    oid = tagged.rev("refs/tags/churn@v0.1.0")
    before = snapshot(tagged)
    with project(tagged) as one:
        assert read_notes(one, oid).notes == ()
        write_note(one, oid, "approval", {"verdict": "yes"})
        write_note(one, oid, "reproduction", {"verdict": "identical"})
        assert [note.kind for note in read_notes(one, oid).notes] == ["approval", "reproduction"]
    after = snapshot(tagged)
    assert {key for key in {*before, *after} if before.get(key) != after.get(key)} == {"ref refs/notes/modelver"}
    lines = [line for line in tagged("notes", "--ref=modelver", "show", oid).splitlines() if line]
    by = {"name": "Ada Byron", "email": "ada@example.com"}
    assert [json.loads(line) for line in lines] == [
        {"at": "2026-01-31T12:00:00Z", "by": by, "kind": "approval", "verdict": "yes"},
        {"at": "2026-01-31T12:00:00Z", "by": by, "kind": "reproduction", "verdict": "identical"},
    ]
    assert tagged("fsck", "--strict", "--no-dangling") == ""


def test_git_merges_what_two_people_write(two_clones: Clones) -> None:
    """`cat_sort_uniq` makes one note of both, and both are read."""
    ada, bao = two_clones.ada.git, two_clones.bao.git
    oid = ada.tag("churn@v0.1.0")
    ada("push", "-q", "origin", "churn@v0.1.0")
    bao("fetch", "-q", "--tags")
    for git, kind in ((ada, "one"), (bao, "two")):
        with project(git) as own:
            write_note(own, oid, kind, {})
            write_note(own, oid, "both", {"by whom": "x"})
    ada("push", "-q", "origin", "refs/notes/modelver")
    bao("fetch", "-q", "origin", "refs/notes/modelver:refs/notes/theirs")
    bao("notes", "--ref=modelver", "merge", "-q", "-s", "cat_sort_uniq", "refs/notes/theirs")
    assert sorted(kinds(bao, oid)) == ["both", "both", "one", "two"]


def test_many_notes_are_found_wherever_git_puts_them(tagged: Git) -> None:
    """Git spreads many notes over directories: each is found, as `git notes` finds it."""
    oid = tagged.rev("refs/tags/churn@v0.1.0")
    with project(tagged) as one:
        write_note(one, oid, "approval", {})
    stream = "".join(f"blob\nmark :{n}\ndata {len(str(n))}\n{n}\n" for n in range(1, 700))
    marks = tagged.path.parent / "marks"
    tagged("fast-import", "--quiet", f"--export-marks={marks}", input=stream)
    others = [line.split()[1] for line in marks.read_text().splitlines()]
    tagged("notes", "--ref=modelver", "copy", "--stdin", input="".join(f"{oid} {other}\n" for other in others))
    assert "040000 tree" in tagged("ls-tree", "refs/notes/modelver")
    with project(tagged) as one:
        assert all(len(read_notes(one, other).notes) == 1 for other in (oid, *others[:50]))
        write_note(one, oid, "again", {})
        assert [note.kind for note in read_notes(one, oid).notes] == ["again", "approval"]
        assert read_notes(one, "0" * 40).notes == ()
    assert len(tagged("notes", "--ref=modelver", "list").splitlines()) == 700


WRITER = """
import os, sys
from pathlib import Path
from dvc_modelver.commands.notes import write_note
from dvc_modelver.commands.project import Project, Surroundings
with Project(Surroundings(directory=Path.cwd(), env=dict(os.environ))) as project:
    for n in range(5):
        write_note(project, sys.argv[1], f"{sys.argv[2]}-{n}", {})
"""


def test_processes_at_once_lose_nothing(tagged: Git) -> None:
    """Four processes write five notes each; all twenty are there."""
    oid = tagged.rev("refs/tags/churn@v0.1.0")
    processes = [
        subprocess.Popen([sys.executable, "-c", WRITER, oid, name], cwd=tagged.path, env=tagged.env) for name in "abcd"
    ]
    assert [process.wait(120) for process in processes] == [0] * 4
    assert sorted(kinds(tagged, oid)) == sorted(f"{name}-{n}" for name in "abcd" for n in range(5))


@pytest.mark.parametrize("step", ["_appended", "update_refs", "read_ref"])
def test_broken_off_leaves_the_old_notes(tagged: Git, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """Before the one step that moves the ref, nothing is there to see, and nothing is left in temporary places."""
    oid = tagged.rev("refs/tags/churn@v0.1.0")
    place = tagged.path.parent / "scratch"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    with project(tagged) as one:
        write_note(one, oid, "approval", {})
        before = snapshot(tagged)

        def interrupt(*args: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(gitio_notes, step, interrupt)
        with pytest.raises(KeyboardInterrupt):
            write_note(one, oid, "second", {})
    assert snapshot(tagged) == before
    assert list(place.iterdir()) == []
    assert kinds(tagged, oid) == ["approval"]


def test_a_lock_that_stays_is_named(tagged: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is waited for, then told with its path; never removed."""
    oid = tagged.rev("refs/tags/churn@v0.1.0")
    monkeypatch.setattr(gitio_notes, "_TRIES", 2)
    lock = tagged.write(".git/refs/notes/modelver.lock", "")
    with project(tagged) as one, pytest.raises(EnvironmentProblem, match=r"modelver\.lock"):
        write_note(one, oid, "approval", {})
    assert lock.exists()


def test_nobody_to_write_in_the_name_of(tagged: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an identity it says what to configure."""
    oid = tagged.rev("refs/tags/churn@v0.1.0")
    tagged("config", "user.useConfigOnly", "true")
    tagged("config", "user.name", "")
    with project(tagged) as one, pytest.raises(EnvironmentProblem, match="who you are"):
        write_note(one, oid, "approval", {})


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"looks good to me\n", "its notes hold 1 line that"),
        (bytes(range(256)), "cannot be read"),
        (b"[" * 3000 + b"\n" + b'{"a":' * 700, "2 lines"),
        (b"x" * (MAX_NOTES + 1), "larger than 4 MiB"),
    ],
    ids=["text", "binary", "deep", "huge"],
)
def test_hostile_notes(dvc_repo: DvcRepo, modelver: Modelver, raw: bytes, said: str) -> None:
    """`show` names the problem and goes on; a note of ours beside it is read, and theirs is kept byte for byte."""
    git = dvc_repo.git
    oid = git.tag("churn@v0.1.0")
    blob = git("hash-object", "-w", "--stdin", input=raw)
    git("notes", "--ref=modelver", "add", "-C", blob, oid)
    shown = modelver("show", "churn@v0.1.0", "--json", cwd=git)
    assert said in shown.err
    assert shown.json["notes"] == []
    with project(git) as one:
        write_note(one, oid, "approval", {})
    found = modelver("show", "churn@v0.1.0", "--json", cwd=git).json["notes"]
    assert [note["kind"] for note in found] == ([] if len(raw) > MAX_NOTES else ["approval"])
    kept = git.run("cat-file", "blob", git("notes", "--ref=modelver", "list", oid)).stdout
    assert kept.startswith(raw)


@pytest.mark.parametrize("target", ["blob", "commit", "missing"])
def test_a_notes_ref_that_is_none(dvc_repo: DvcRepo, modelver: Modelver, target: str) -> None:
    """A ref that names something else, or a note that is a directory, is as good as no note."""
    git = dvc_repo.git
    oid = git.tag("churn@v0.1.0")
    if target == "blob":
        git("update-ref", "refs/notes/modelver", git("hash-object", "-w", "--stdin", input="x"))
    elif target == "commit":
        tree = git("mktree", input=f"040000 tree {git.rev('HEAD^{tree}')}\t{oid}\n")
        git("update-ref", "refs/notes/modelver", git("commit-tree", "-m", "x", tree))
    else:
        Path(git.write(".git/refs/notes/modelver", "f" * 40 + "\n"))
    assert modelver("show", "churn@v0.1.0", "--json", cwd=git).json["notes"] == []
