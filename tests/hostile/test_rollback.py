"""`rollback` to a hostile version: trees that no git would write, links, and what happens between plan and act."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dvc_modelver.errors import EnvironmentProblem, Refused
from dvc_modelver.gitio.placing import is_inside, put_file, remove_file
from tests.commands.rollback_states import Case
from tests.commands.test_rollback_kinds import linked
from tests.hostile.support import Box, attack, few, write_object
from tests.support import DvcRepo, Git, Modelver, snapshot

FORMS: dict[str, list[str]] = {"slice": [], "tree": ["--tree"], "detach": ["--detach"], "model": ["--model-only"]}


@pytest.fixture
def case(tmp_path: Path, home: Path, modelver: Modelver) -> Case:
    """A sound model at v0.2.0, whose code is the directory `src`; v0.1.0 is still to be made."""
    (tmp_path / "box").mkdir()
    found = Case(Git(tmp_path / "box" / "repo", home).init(), modelver)
    found.save(linked({}, {}, cmd="two"), "churn@v0.2.0")
    (tmp_path / "box" / "outside").mkdir()
    (tmp_path / "box" / "outside" / "precious").write_text("the user's own")
    return found


def box_of(case: Case) -> Box:
    """The same repository as the attacks see it."""
    return Box(DvcRepo(case.git, case.path.parent / "store"))


# Trees as no git writes them ----------------------------------------------------------------------------------------

Entries = list[tuple[str, str, str]]
"""(mode, name, object id), in the order in which they are written."""


def write_tree(git: Git, entries: Entries) -> str:
    """A tree object with exactly these entries."""
    rows = (f"{mode} {name}".encode() + b"\0" + bytes.fromhex(oid) for mode, name, oid in entries)
    return write_object(git, "tree", b"".join(rows))


def entries_of(git: Git, tree: str) -> Entries:
    """Those of a sound tree."""
    rows = (row.split(None, 3) for row in git("ls-tree", tree).splitlines())
    return [(mode.lstrip("0") if mode == "040000" else mode, name, oid) for mode, _, oid, name in rows]


def release_tree(case: Case, root: Entries, src: Entries) -> None:
    """v0.1.0: HEAD's tree with more entries at the root and in `src`, and other code, so that there is a difference."""
    git = case.git
    code = write_object(git, "blob", b"other\n")
    old = [row for row in entries_of(git, "HEAD:src") if row[1] != "a.py"]
    inner = write_tree(git, [("100644", "a.py", code), *old, *src])
    rows = [("40000", "src", inner) if row[1] == "src" else row for row in entries_of(git, "HEAD^{tree}")]
    who = "Mallory <m@example.com> 1735700000 +0000"
    body = f"tree {write_tree(git, [*rows, *root])}\nauthor {who}\ncommitter {who}\n\nx\n"
    commit = write_object(git, "commit", body.encode())
    git.tag("churn@v0.1.0", rev=commit)


DOT_GITS = [
    ".git", ".GIT", ".Git", ".git ", ".git.", ".git . .", "git~1", "GIT~2", ".git::$INDEX_ALLOCATION", ".git:x",
    ".g\u200cit", ".\u200dgit", ".git\ufeff", "\u206a.GIT", ".\u202egit", "x\\.git", "..",
]  # fmt: skip


@pytest.mark.parametrize("where", few(["root", "src"], "src"))
@pytest.mark.parametrize("name", few(DOT_GITS, ".GIT", ".git ", ".g\u200cit"))
def test_no_name_leads_into_git(case: Case, name: str, where: str) -> None:
    """A directory that some file system takes for `.git`, at the root or among the model's code: never written."""
    script = write_object(case.git, "blob", f"#!/bin/sh\n{box_of(case).touch}\n".encode())
    hooks = write_tree(case.git, [("100755", "post-checkout", script), ("100755", "pre-commit", script)])
    inner = write_tree(case.git, [("100755", "config", script), ("40000", "hooks", hooks)])
    evil: Entries = [("40000", name, inner)]
    release_tree(case, evil if where == "root" else [], evil if where == "src" else [])
    before = snapshot(case.git)
    report = attack(box_of(case), dict(every_form()), alone=True, may_write=["src/", ".git/", ".dvc/"])
    kept = {key for key, value in before.items() if snapshot(case.git).get(key) != value}
    assert not [key for key in kept if key.startswith("hook")]
    assert not (case.path / ".git/hooks/post-checkout").exists()
    assert not (case.path / name / "config").is_file() or name in (".git", "..")
    assert not (case.path / "src" / name / "config").is_file()
    if where == "root":
        assert report.results["tree"].code != 0, report.results["tree"]
    else:
        assert report.results["slice"].code != 0, report.results["slice"]


def every_form() -> Iterator[tuple[str, list[str]]]:
    """All ways back to v0.1.0, each planned and done."""
    for name, words in FORMS.items():
        yield f"{name} planned", ["rollback", "churn", "v0.1.0", *words, "--dry-run", "--json"]
        yield name, ["rollback", "churn", "v0.1.0", *words]
    yield "branch", ["rollback", "churn", "v0.1.0", "--branch", "back"]


def twins(case: Case) -> tuple[Entries, Entries]:
    """One name twice: a link that leads out, and a directory with a file in it."""
    link = write_object(case.git, "blob", b"../../outside")
    file = write_object(case.git, "blob", b"overwritten\n")
    folder = write_tree(case.git, [("100644", "precious", file)])
    return [], [("120000", "d", link), ("40000", "d", folder)]


def _link(to: bytes) -> Callable[[Case], tuple[Entries, Entries]]:
    return lambda case: ([], [("120000", "l", write_object(case.git, "blob", to))])


TREES: dict[str, Callable[[Case], tuple[Entries, Entries]]] = {
    "a link and a directory": twins,
    "a link to hooks": _link(b"../.git/hooks"),
    "a link out": _link(b"../../outside/precious"),
    "an absolute link": _link(b"/etc/passwd"),
    "an empty link": _link(b""),
    "a link with NUL": _link(b"a\0b"),
    "an endless link": _link(b"x" * 5000),
    "a link with escapes": _link(b"\x1b[2J\xe2\x80\xae\xff"),
    "an endless name": lambda case: ([], [("100644", "x" * 300, case.git.rev("HEAD:src/a.py"))]),
    "escapes": lambda case: ([], [("100644", "\x1b[2J\n\u202e", case.git.rev("HEAD:src/a.py"))]),
    "an option": lambda case: ([], [("100644", "--output=CANARY", case.git.rev("HEAD:src/a.py"))]),
    "a pathspec": lambda case: ([], [("100644", ":(top,glob)**", case.git.rev("HEAD:src/a.py"))]),
    "a submodule": lambda case: ([], [("160000", "sub", "1" * 40)]),
    "a missing blob": lambda case: ([], [("100644", "gone.py", "1" * 40)]),
    "a strange mode": lambda case: ([], [("104755", "suid.py", case.git.rev("HEAD:src/a.py"))]),
    "a dot": lambda case: ([], [("40000", ".", case.git.rev("HEAD:src"))]),
    "two dots": lambda case: ([], [("40000", "..", case.git.rev("HEAD:src"))]),
    "a slash": lambda case: ([], [("100644", "../../../outside/precious", case.git.rev("HEAD:src/a.py"))]),
    "modules": lambda case: (
        [("100644", ".gitmodules", write_object(case.git, "blob", b'[submodule "../../x"]\n path = -u\n url = -x\n'))],
        [],
    ),
}


@pytest.mark.parametrize("words", few(FORMS, "slice"))
@pytest.mark.parametrize(
    "what", few(TREES, "a link and a directory", "a link to hooks", "an empty link", "escapes", "a slash")
)
def test_hostile_trees_write_nothing_elsewhere(case: Case, what: str, words: str) -> None:
    """Whatever a version's tree says: restored inside the work tree, or refused with everything as before."""
    release_tree(case, *TREES[what](case))
    before, staged = snapshot(case.git), case.git("ls-files", "--stage")
    report = attack(
        box_of(case),
        {"back": ["rollback", "churn", "v0.1.0", *FORMS[words]]},
        alone=True,
        may_write=["src/", ".gitmodules", ".git/", "./.dvc/"],
    )
    code = report.results["back"].code
    assert code in (0, 2, 3, 5, 6), report.results["back"]
    after = snapshot(case.git)
    if code:
        # What git finds out only at the commit is undone: the index has the same entries, its file other times.
        assert {**after, ".git/index": ""} == {**before, ".git/index": ""}, report.results["back"]
        assert case.git("ls-files", "--stage") == staged
        assert case.git("status", "--porcelain") == ""
    else:
        changed = {key for key in {*before, *after} if before.get(key) != after.get(key)}
        assert not [key for key in changed if key.startswith("hook")]


def test_names_that_stay_inside() -> None:
    """What only looks like `.git` is a name as any other."""
    for path in ("x", "a/b", ".gitignore", ".github/x", "x.git/y", ".gitx", "...", "a b", ".dvc/config", "git", "x:y"):
        assert is_inside(path), path
    for path in (*DOT_GITS, "a/.git/b", "a//b", "a/./b", "../x", "/x", ""):
        assert not is_inside(path), ascii(path)


# Between plan and act -----------------------------------------------------------------------------------------------


def test_a_folder_that_becomes_a_link_is_not_followed(tmp_path: Path) -> None:
    """The very last look: neither a file that comes nor one that goes is followed out of the work tree."""
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "a").mkdir(parents=True)
    outside.mkdir()
    (outside / "f").write_text("the user's own")
    (root / "a" / "b").symlink_to(outside)
    for act in (lambda: put_file(root, "a/b/f", b"x", None), lambda: remove_file(root, "a/b/f")):
        with pytest.raises(Refused, match="a/b is a symbolic link"):
            act()
    with pytest.raises((Refused, EnvironmentProblem)):
        put_file(root, "a/b/new/g", b"x", "120000")
    assert sorted(os.listdir(outside)) == ["f"]
    assert (outside / "f").read_text() == "the user's own"


SWAPS = {
    "Git's file that changes": ({"src/d/x.py": "1"}, {"src/d/x.py": "2"}),
    "Git's file that goes": ({}, {"src/d/x.py": "2"}),
    "Git's file that comes": ({"src/d/x.py": "1", "src/d/y.py": "1"}, {"src/d/y.py": "1"}),
}


@pytest.mark.parametrize("what", SWAPS)
def test_a_folder_that_is_moved_away_meanwhile(
    tmp_path: Path, home: Path, modelver: Modelver, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody moves a directory out and puts a link there once all is planned: nothing is changed behind the link."""
    import dvc_modelver.gitio.commits as commits

    then, now = SWAPS[what]
    case = Case(Git(tmp_path / "repo", home).init(), modelver)
    case.save(linked({}, then, cmd="one"), "churn@v0.1.0")
    case.save(linked({}, now, cmd="two"), "churn@v0.2.0")
    elsewhere = tmp_path / "elsewhere"
    write = commits._write

    def swap(root: Path, *rest: object) -> None:
        shutil.move(root / "src/d", elsewhere)
        (root / "src/d").symlink_to(elsewhere)
        write(root, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(commits, "_write", swap)
    head = case.git.rev()
    case.run("churn", "v0.1.0", code=3)
    assert {path.name: path.read_text() for path in elsewhere.iterdir()} == {
        Path(path).name: text for path, text in now.items()
    }
    assert case.git.rev() == head
