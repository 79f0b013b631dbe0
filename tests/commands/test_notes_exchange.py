"""`modelver push` exchanges notes: both sides end with every line of either, through real git and real remotes."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvc_modelver.commands.notes import read_notes, write_note
from dvc_modelver.commands.project import Project, Surroundings
from dvc_modelver.core.notes import NOTES_REF, lines_of, merge_lines
from dvc_modelver.gitio import notesync
from tests.support import Clones, Git, Modelver, snapshot

TEXTS = st.lists(st.sampled_from([b"", b"a", b"b\n", b"a\x00b\n", b"\xff\n\n", b"b\na", b"c\r\n"]), max_size=6).map(
    b"".join
)


@given(TEXTS, TEXTS, TEXTS)
def test_merging_loses_no_line(one: bytes, two: bytes, three: bytes) -> None:
    """In any order and as often as one likes: the same text, with the lines of all and no others."""
    both = merge_lines(one, two)
    assert both == merge_lines(two, one) == merge_lines(both, two, one, both)
    assert merge_lines(both, three) == merge_lines(one, merge_lines(two, three))
    assert {*both.split(b"\n")} - {b""} == {*one.split(b"\n"), *two.split(b"\n")} - {b""}
    assert lines_of(both) == sorted(lines_of(both))


def project(git: Git) -> Project:
    return Project(Surroundings(directory=git.path, env=git.env))


def write(git: Git, oid: str, *kinds: str) -> None:
    with project(git) as one:
        for kind in kinds:
            write_note(one, oid, kind, {})


def kinds(git: Git, oid: str) -> list[str]:
    with project(git) as one:
        return sorted(note.kind for note in read_notes(one, oid).notes)


def lines(git: Git | Path, oid: str, env: dict[str, str] | None = None) -> set[bytes]:
    """The lines as git itself shows them."""
    path = git.path if isinstance(git, Git) else git
    done = subprocess.run(
        ["git", "-C", str(path), "notes", "--ref=modelver", "show", oid], capture_output=True, check=True, env=env
    )
    return {line for line in done.stdout.split(b"\n") if line}


@pytest.fixture
def pair(two_clones: Clones, modelver: Modelver) -> tuple[Git, Git, str]:
    """Two clones that have churn@v0.1.0, and its tag object."""
    ada, bao = two_clones.ada.git, two_clones.bao.git
    oid = ada.tag("churn@v0.1.0")
    ada("push", "-q", "origin", "churn@v0.1.0")
    bao("fetch", "-q", "--tags")
    return ada, bao, oid


def test_two_people_annotate_one_version(pair: tuple[Git, Git, str], modelver: Modelver) -> None:
    """Both push, and both see both; nobody's configuration is touched, and `show` has them all."""
    ada, bao, oid = pair
    write(ada, oid, "from ada", "both")
    write(bao, oid, "from bao", "both")
    before = [git.path.joinpath(".git/config").read_bytes() for git in (ada, bao)]
    first = modelver("push", "--json", cwd=ada).json
    assert (first["changed"], first["models"]) == (True, [])
    assert first["steps"] == [{"do": "git push", "target": "origin: refs/notes/modelver"}]
    plan = modelver("push", "--dry-run", "--json", cwd=bao).json
    done = modelver("push", "--json", cwd=bao).json
    assert [step["do"] for step in done["steps"]] == ["git fetch", "git push"]
    assert plan["steps"] == done["steps"]
    assert [step["do"] for step in modelver("push", "--json", cwd=ada).json["steps"]] == ["git fetch"]
    expected = ["both", "both", "from ada", "from bao"]
    assert kinds(ada, oid) == kinds(bao, oid) == expected
    assert ada.rev(NOTES_REF) == bao.rev(NOTES_REF) == ada("ls-remote", "origin", NOTES_REF).split()[0]
    for git, config in zip((ada, bao), before, strict=True):
        again = modelver("push", "--json", cwd=git).json
        assert (again["changed"], again["steps"]) == (False, [])
        assert git.path.joinpath(".git/config").read_bytes() == config
        assert git("fsck", "--strict", "--no-dangling") == ""
        found = modelver("show", "churn@v0.1.0", "--json", cwd=git).json["notes"]
        assert sorted(note["kind"] for note in found) == expected
    assert {*ada("rev-list", NOTES_REF).split()} > {*ada("rev-list", f"{NOTES_REF}^1", f"{NOTES_REF}^2").split()}


def test_gits_own_merge_is_the_oracle(pair: tuple[Git, Git, str], modelver: Modelver) -> None:
    """Of notes on several versions, some on one side only: the texts are those of git's `cat_sort_uniq`."""
    ada, bao, oid = pair
    other = ada.tag("churn@v0.2.0")
    ada("push", "-q", "origin", "churn@v0.2.0")
    bao("fetch", "-q", "--tags")
    commit = ada.rev("HEAD")
    for git, name in ((ada, "ada"), (bao, "bao")):
        git("notes", "--ref=modelver", "add", "-F", "-", oid, input=f"z {name}\nsame\n\na {name}\n")
        git("notes", "--ref=modelver", "add", "-m", name, other if name == "ada" else commit)
    ada("push", "-q", "origin", NOTES_REF)
    bao("fetch", "-q", "origin", f"{NOTES_REF}:refs/notes/theirs")
    bao("update-ref", "refs/notes/oracle", NOTES_REF)
    bao("notes", "--ref=oracle", "merge", "-q", "-s", "cat_sort_uniq", "refs/notes/theirs")
    modelver("push", cwd=bao)
    for object_id in (oid, other, commit):
        assert bao("notes", "--ref=modelver", "show", object_id) == bao("notes", "--ref=oracle", "show", object_id)
    assert len(bao("notes", "--ref=modelver", "list").splitlines()) == 3


def test_a_plan_moves_nothing(pair: tuple[Git, Git, str], modelver: Modelver) -> None:
    """`--dry-run` says what would go and come, and leaves both sides' refs."""
    ada, bao, oid = pair
    write(ada, oid, "one")
    modelver("push", cwd=ada)
    before = snapshot(bao)
    plan = modelver("push", "--dry-run", "--json", cwd=bao).json
    assert plan["steps"] == [{"do": "git fetch", "target": "origin: refs/notes/modelver"}]
    assert {key: value for key, value in snapshot(bao).items() if key.startswith("ref ")} == {
        key: value for key, value in before.items() if key.startswith("ref ")
    }
    modelver("push", cwd=bao)
    assert kinds(bao, oid) == ["one"]


def test_what_was_removed_comes_back(pair: tuple[Git, Git, str], modelver: Modelver) -> None:
    """Whoever pushes a removal, or other lines over ours, takes nothing from who has them."""
    ada, bao, oid = pair
    write(ada, oid, "one", "two")
    modelver("push", cwd=ada)
    modelver("push", cwd=bao)
    bao("notes", "--ref=modelver", "remove", oid)
    bao("push", "-q", "origin", NOTES_REF)
    write(ada, oid, "three")
    modelver("push", cwd=ada)
    modelver("push", cwd=bao)
    assert kinds(ada, oid) == kinds(bao, oid) == ["one", "three", "two"]


@pytest.mark.parametrize("raw", [b"\x1b[31mgarbage\x00more\n\xff", b"[" * 5000 + b"\n", b"x\n" * 3_000_000])
def test_hostile_lines_cost_only_themselves(pair: tuple[Git, Git, str], modelver: Modelver, raw: bytes) -> None:
    """Binary, deep or huge: their lines travel, ours too, and `show` says what it passed over."""
    ada, bao, oid = pair
    blob = bao("hash-object", "-w", "--stdin", input=raw)
    bao("notes", "--ref=modelver", "add", "-C", blob, oid)
    bao("notes", "--ref=modelver", "add", "-C", blob, bao.rev("HEAD"))
    bao("push", "-q", "origin", NOTES_REF)
    write(ada, oid, "ours")
    modelver("push", cwd=ada)
    assert {*raw.split(b"\n")} - {b""} < lines(ada, oid, ada.env)
    shown = modelver("show", "churn@v0.1.0", "--json", cwd=ada)
    assert "\x1b" not in shown.err
    assert [note["kind"] for note in shown.json["notes"]] == ["ours"]
    assert modelver("push", "--json", cwd=ada).json["changed"] is False


@pytest.mark.parametrize("target", ["blob", "tree"])
def test_a_remote_ref_that_is_none(pair: tuple[Git, Git, str], modelver: Modelver, target: str) -> None:
    """It is named in a warning; versions are published all the same, and our notes stay as they are."""
    ada, bao, oid = pair
    thing = bao.rev("HEAD^{tree}") if target == "tree" else bao("hash-object", "-w", "--stdin", input="x")
    bao("push", "-q", "origin", f"{thing}:{NOTES_REF}")
    write(ada, oid, "ours")
    ada.tag("churn@v0.2.0")
    done = modelver("push", "--json", cwd=ada)
    assert "names no notes" in done.err
    assert [model["tag"] for model in done.json["models"]] == ["churn@v0.2.0"]
    assert kinds(ada, oid) == ["ours"]


def test_a_ref_of_ours_that_is_none(pair: tuple[Git, Git, str], modelver: Modelver) -> None:
    """What is no note is not published, and theirs is not put in its place unasked."""
    ada, bao, oid = pair
    garbage = ada("hash-object", "-w", "--stdin", input="x")
    ada("update-ref", NOTES_REF, garbage)
    assert "names no notes" in modelver("push", cwd=ada).err
    write(bao, oid, "theirs")
    modelver("push", cwd=bao)
    assert "names no notes" in modelver("push", cwd=ada).err
    assert (ada.rev(NOTES_REF), kinds(bao, oid)) == (garbage, ["theirs"])


def test_entries_that_are_no_notes(pair: tuple[Git, Git, str], modelver: Modelver) -> None:
    """Files, directories and modules in a hand-made tree of notes are passed over, and stay where they were."""
    ada, bao, oid = pair
    blob = bao("hash-object", "-w", "--stdin", input="theirs\n")
    rows = (
        f"100644 blob {blob}\tREADME\n040000 tree {bao.rev('HEAD^{tree}')}\t{'0' * 40}\n100644 blob {blob}\t{oid[:2]}\n"
    )
    bao("update-ref", NOTES_REF, bao("commit-tree", "-m", "x", bao("mktree", input=rows)))
    bao("push", "-q", "origin", NOTES_REF)
    write(ada, oid, "ours")
    modelver("push", cwd=ada)
    assert kinds(ada, oid) == ["ours"]
    assert ada("show", f"{NOTES_REF}:README") == "theirs"
    assert ada("fsck", "--strict", "--no-dangling") == ""


def test_a_server_that_refuses(pair: tuple[Git, Git, str], modelver: Modelver) -> None:
    """Its words are shown, exit 6; our notes stay, and what it has it keeps."""
    ada, _, oid = pair
    hook = Path(ada("remote", "get-url", "origin")) / "hooks" / "update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text('#!/bin/sh\ncase "$1" in refs/notes/*) echo "no notes here" >&2; exit 1;; esac\n')
    hook.chmod(hook.stat().st_mode | stat.S_IXUSR)
    ada.tag("churn@v0.2.0")
    write(ada, oid, "ours")
    done = modelver("push", "--json", cwd=ada, code=6)
    assert "no notes here" in done.json["error"]["message"]
    assert "churn@v0.2.0" in ada("ls-remote", "--tags", "origin")
    assert kinds(ada, oid) == ["ours"]


def test_others_push_between_our_look_and_our_push(
    pair: tuple[Git, Git, str], modelver: Modelver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server says no, we look again, merge again, and nobody's line is lost."""
    ada, bao, oid = pair
    write(ada, oid, "from ada")
    write(bao, oid, "first of bao")
    real, left = notesync.push, [0, 1]

    def late(*args: object, **options: object) -> object:
        if left:
            write(bao, oid, f"bao while ada looked away {left.pop()}")
            subprocess.run([sys.executable, "-m", "dvc_modelver", "push"], cwd=bao.path, env=bao.env, check=True)
        return real(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(notesync, "push", late)
    monkeypatch.setattr(notesync, "_PAUSE", 0.0)
    modelver("push", cwd=ada)
    assert left == []
    modelver("push", cwd=bao)
    assert kinds(ada, oid) == kinds(bao, oid)
    assert len(kinds(ada, oid)) == 4


WRITER = """
import os, sys
from pathlib import Path
from dvc_modelver.commands.notes import write_note
from dvc_modelver.commands.project import Project, Surroundings
from dvc_modelver.commands.push import push_tags
sys.stdin.readline()
for n in range(int(sys.argv[3])):
    with Project(Surroundings(directory=Path.cwd(), env=dict(os.environ))) as project:
        write_note(project, sys.argv[1], f"{sys.argv[2]}-{n}", {})
        push_tags(project)
"""


def race(pair: tuple[Git, Git, str], rounds: int) -> None:
    ada, bao, oid = pair
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, oid, name, str(rounds)], cwd=git.path, env=git.env, stdin=subprocess.PIPE
        )
        for git, name in ((ada, "ada"), (bao, "bao"))
    ]
    for one in runs:
        assert one.stdin is not None
        one.stdin.write(b"go\n")
        one.stdin.flush()
    assert [one.wait(300) for one in runs] == [0, 0]
    remote = Path(ada("remote", "get-url", "origin"))
    assert len(lines(remote, oid, {**os.environ, **ada.env})) == 2 * rounds


def test_two_pushers_at_once_lose_nothing(pair: tuple[Git, Git, str]) -> None:
    """Each writes and pushes three times while the other does: the remote has all six."""
    race(pair, 3)


@pytest.mark.long
def test_two_pushers_at_once_for_long_lose_nothing(pair: tuple[Git, Git, str]) -> None:
    """The same thirty times."""
    race(pair, 30)
