"""Commits that take files away, taken back to the last byte; and the work tree as the commit that it would be."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from dvc_modelver.core.overlay import Files
from dvc_modelver.errors import Refused
from dvc_modelver.gitio.commits import Before, CardCommit, child_commit, commit_only, look_before, undo_commit
from dvc_modelver.gitio.objects import CommitTree, Objects
from dvc_modelver.gitio.repository import Repository, open_repository
from dvc_modelver.gitio.worktree import Uncommitted
from tests.reliability.tools import changed, fsck, hook, litter, state
from tests.support import Git, snapshot

ROOT = Path(__file__).parents[2]
OLD, KEPT, NEW, CARD = "cards/old.svg", "cards/kept.svg", "cards/new/new.svg", "cards/churn.md"
FILES: Files = {CARD: b"# Now\n", NEW: b"<svg>new</svg>", OLD: None}
"""A card that is replaced, a picture that comes and one that goes."""


@pytest.fixture
def repo(git: Git) -> Git:
    """A card with two pictures, one of them in a mode of its own, and other work under way."""
    git.write(OLD, "<svg>old</svg>").chmod(0o755)
    git.commit("A card", {CARD: "# Then\n", KEPT: "<svg/>", "other.txt": "x\n", "gone.txt": "x\n"})
    git.write("other.txt", "staged\n")
    git("add", "other.txt")
    git.write("other.txt", "staged, then changed\n")
    (git.path / "gone.txt").unlink()
    git.write("untracked.txt", "mine\n")
    return git


def opened(repo: Git) -> Repository:
    return open_repository(repo.path, repo.env)


def made(repo: Git, files: Files = FILES) -> CardCommit:
    """A commit of ours."""
    repository = opened(repo)
    return commit_only(repository, look_before(repository, files), files, "Card\n")


def names_of(repo: Git, *revisions: str) -> dict[str, str]:
    """Path -> what happened to it between two commits."""
    lines = repo("diff", "--no-renames", "--name-status", *revisions).splitlines()
    return {path: word for word, path in (line.split("\t") for line in lines)}


# Committed --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (FILES, {CARD: "M", NEW: "A", OLD: "D"}),
        ({OLD: None}, {OLD: "D"}),
        ({OLD: None, KEPT: None, CARD: None}, {OLD: "D", KEPT: "D", CARD: "D"}),
        ({CARD: b"x", OLD: None}, {CARD: "M", OLD: "D"}),
    ],
)
def test_a_commit_takes_files_away(repo: Git, files: Files, expected: Mapping[str, str]) -> None:
    """The commit differs in exactly these files, index and work tree agree, and nobody else's work is touched."""
    before, status = snapshot(repo), repo("status", "--porcelain")
    done = made(repo, files)
    assert names_of(repo, "HEAD^", "HEAD") == expected
    assert repo.rev() == done.commit
    assert repo("status", "--porcelain") == status
    touched = changed(before, snapshot(repo)) - {".git/index", "ref refs/heads/main", "ref refs/heads/master"}
    assert {name for name in touched if not name.endswith("/")} == {f"file {path}" for path in files}
    assert all((repo.path / path).exists() == (data is not None) for path, data in files.items())
    assert litter(repo) == []
    fsck(repo)


@pytest.mark.parametrize("files", [FILES, {OLD: None}, {KEPT: None, OLD: None, CARD: None}, {NEW: b"x"}])
def test_it_is_taken_back_to_the_last_byte(repo: Git, files: Files) -> None:
    """Branch, index, contents, modes and folders are as before, and so is other work, also when asked twice."""
    before = snapshot(repo)
    done = made(repo, files)
    for _ in range(2):
        done.undo()
        assert snapshot(repo) == before
    assert repo("reflog", "-1", "--format=%gs").endswith("modelver: put back")


def test_what_was_staged_meanwhile_stays(repo: Git) -> None:
    """Who stages something after our commit finds it staged after the undo; our files are as before."""
    before = state(repo)
    done = made(repo)
    repo("add", "untracked.txt")
    done.undo()
    after = state(repo)
    assert changed(before, after) == {"index"}
    assert set(after["index"].splitlines()) - set(before["index"].splitlines()) == {
        line for line in after["index"].splitlines() if line.endswith("untracked.txt")
    }


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo no pictures are dropped here; exit 1", "no pictures are dropped here"),
        (f"git reset -q HEAD -- {OLD}", "altered"),
        (f"echo again >{OLD}; git add {OLD}", "altered"),
        (f"git rm -q --cached {KEPT}", KEPT),
        ("git rm -q --cached gone.txt", "gone.txt"),
    ],
)
def test_a_hook_that_minds(repo: Git, script: str, words: str) -> None:
    """Refused with the hook's words or the file's name, and everything is there as it was, the removed file too."""
    hook(repo.path / ".git", "pre-commit", script)
    before = snapshot(repo)
    with pytest.raises(Refused) as error:
        made(repo)
    assert words in error.value.message
    assert snapshot(repo) == before
    assert litter(repo) == []
    fsck(repo)


# Looked at before -------------------------------------------------------------------------------------------------


def test_what_a_removal_changes_is_noted(repo: Git) -> None:
    """A file that goes has no blob, and needs no folder."""
    before = look_before(opened(repo), {"nowhere/at/all.svg": None, OLD: None, NEW: b"x"})
    assert dict(before.files) == {"nowhere/at/all.svg": "", OLD: "", NEW: repo("hash-object", "--stdin", input="x")}
    assert before.folders == ("cards/new",)


@pytest.mark.parametrize("ignored", [False, True])
def test_a_file_that_git_does_not_keep_is_not_taken_away(repo: Git, ignored: bool) -> None:
    """Somebody's only copy: refused before anything is written."""
    if ignored:
        repo.write(".git/info/exclude", "untracked.txt\n")
    before = snapshot(repo)
    with pytest.raises(Refused, match=r"untracked\.txt is there, and Git does not keep it"):
        made(repo, {"untracked.txt": None, OLD: None})
    assert snapshot(repo) == before


def test_nothing_is_taken_away_behind_a_link(repo: Git, tmp_path: Path) -> None:
    """A folder that is a symbolic link is not followed to the file that it would take away."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "old.svg").write_text("mine")
    (repo.path / "linked").symlink_to(outside)
    with pytest.raises(Refused, match="symbolic link"):
        made(repo, {"linked/old.svg": None})
    assert (outside / "old.svg").read_text() == "mine"


# Killed -----------------------------------------------------------------------------------------------------------


def stop_after(repo: Git, step: int) -> Before:
    """Our commit, left by a kill after so many of its steps."""
    before = look_before(opened(repo), FILES)
    steps = (
        lambda: (repo.path / OLD).unlink(),
        lambda: repo.write(NEW, FILES[NEW] or b""),
        lambda: repo.write(CARD, FILES[CARD] or b""),
        lambda: repo.write("cards/.churn.md.modelver-tmp", "half"),
        lambda: repo("add", "--intent-to-add", "--", NEW),
        lambda: repo("commit", "-q", "--only", "-m", "Card", "--", *FILES),
    )
    for run in steps[:step]:
        run()
    return before


@pytest.mark.parametrize("step", range(7))
def test_a_kill_at_any_step_is_undone(repo: Git, step: int) -> None:
    """Whatever had happened: branch, index entries, contents and folders are as before, and so is other work."""
    first = state(repo)
    before = stop_after(repo, step)
    for _ in range(2):
        assert undo_commit(opened(repo), before)
        assert state(repo) == first
    assert litter(repo) == []
    fsck(repo)


def test_a_removal_that_was_staged_is_undone(repo: Git) -> None:
    """A kill inside of Git's own commit may leave the removal staged."""
    first = state(repo)
    before = look_before(opened(repo), FILES)
    repo("rm", "-q", OLD)
    assert undo_commit(opened(repo), before)
    assert state(repo) == first


KILLED = """\
import os, sys
from pathlib import Path
from dvc_modelver.gitio.commits import commit_only, look_before
from dvc_modelver.gitio.repository import open_repository
repository = open_repository(Path.cwd(), os.environ)
files = {"cards/churn.md": b"# Now\\n", "cards/new/new.svg": b"<svg>new</svg>", "cards/old.svg": None}
commit_only(repository, look_before(repository, files), files, "Card\\n")
"""


@pytest.mark.parametrize(("name", "end"), [("pre-commit", "exit 1"), ("post-commit", "exit 0")])
def test_a_real_kill_is_undone(repo: Git, name: str, end: str) -> None:
    """Killed while its commit is checked, and right behind it: another process puts everything back."""
    git_dir = repo.path / ".git"
    script = hook(git_dir, name, f"kill -9 $(ps -o ppid= -p $PPID)\ntouch {git_dir}/done\n{end}")
    first = state(repo)
    before = look_before(opened(repo), FILES)
    env = repo.env | {"PYTHONPATH": str(ROOT)}
    nobody = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    done = subprocess.run([sys.executable, "-c", KILLED], cwd=repo.path, env=env, **nobody)  # type: ignore[call-overload]
    assert done.returncode == -9
    _wait_for(git_dir)
    assert (repo.rev() != before.head) == (name == "post-commit")
    assert not (repo.path / OLD).exists()
    assert undo_commit(opened(repo), before)
    script.unlink()
    assert state(repo) == {key: value for key, value in first.items() if not key.startswith(f"hook {name}")}
    assert litter(repo) == []


def _wait_for(git_dir: Path) -> None:
    """Until the git that the killed process had started is at its end."""
    for _ in range(200):
        if (git_dir / "done").exists() and not [*git_dir.glob("*.lock")]:
            return
        time.sleep(0.05)
    raise AssertionError("git goes on")


def test_what_people_put_in_its_place_stays(repo: Git) -> None:
    """After a kill a picture that somebody wrote anew, and a card that somebody edited, are kept; nothing is staged."""
    first = state(repo)["index"]
    before = stop_after(repo, 6)
    repo.write(OLD, "<svg>mine</svg>")
    repo.write(CARD, "my words\n")
    assert undo_commit(opened(repo), before)
    assert repo.rev() == before.head
    assert ((repo.path / OLD).read_text(), (repo.path / CARD).read_text()) == ("<svg>mine</svg>", "my words\n")
    assert not (repo.path / NEW).exists()
    assert state(repo)["index"] == first


@pytest.mark.parametrize("theirs", ["above", "instead", "more removed"])
def test_a_persons_commit_is_not_undone(repo: Git, theirs: str) -> None:
    """A commit above ours, one that is not ours, and one that takes more away: nothing is touched."""
    before = stop_after(repo, 6 if theirs == "above" else 3)
    (repo.path / "cards/.churn.md.modelver-tmp").unlink(missing_ok=True)
    repo("add", "cards", *(["untracked.txt"] if theirs == "instead" else []))
    if theirs == "more removed":
        repo("rm", "-q", "--cached", KEPT)
    repo("commit", "-q", "--allow-empty", "-m", "Theirs")
    now = state(repo)
    assert not undo_commit(opened(repo), before)
    assert state(repo) == now


@pytest.mark.parametrize("form", ["sha1", "sha256"])
def test_either_object_format(tmp_path: Path, home: Path, form: str) -> None:
    """Commits, undo and undo after a kill work with both of Git's object formats."""
    repo = Git(tmp_path / form, home).init(f"--object-format={form}")
    repo.commit("A card", {CARD: "# Then\n", OLD: "<svg/>", "other.txt": "x\n"})
    first = state(repo)
    made(repo).undo()
    assert state(repo) == first
    before = look_before(opened(repo), FILES)
    made(repo)
    assert undo_commit(opened(repo), before)
    assert state(repo) == first


# On no branch -----------------------------------------------------------------------------------------------------


def test_a_child_without_a_file(repo: Git) -> None:
    """The child differs in exactly these files; no branch, index or file of the work tree moves."""
    head, before = repo.rev(), snapshot(repo)
    child = child_commit(opened(repo), head, FILES, "Card\n")
    assert snapshot(repo) == before
    assert repo("rev-list", "--parents", "-n1", child) == f"{child} {head}"
    assert names_of(repo, head, child) == {CARD: "M", NEW: "A", OLD: "D"}
    assert repo("cat-file", "blob", f"{child}:{NEW}") == "<svg>new</svg>"
    assert repo("log", "-1", "--format=%B", child).strip() == "Card"
    fsck(repo)


def test_a_child_of_another_commit(repo: Git) -> None:
    """What goes is looked for in the parent's tree, also when the work tree and HEAD have it no longer."""
    head = repo.rev()
    repo.commit("Without", {})
    repo("rm", "-q", OLD)
    repo("commit", "-q", "-m", "Removed")
    child = child_commit(opened(repo), head, {OLD: None}, "Card\n")
    assert names_of(repo, head, child) == {OLD: "D"}
    assert names_of(repo, child, child_commit(opened(repo), child, {OLD: None}, "Again\n")) == {}


def test_a_child_from_below_the_root(repo: Git) -> None:
    """Paths are from the root, wherever the command was started."""
    head = repo.rev()
    child = child_commit(open_repository(repo.path / "cards", repo.env), head, FILES, "Card\n")
    assert names_of(repo, head, child) == {CARD: "M", NEW: "A", OLD: "D"}


# The work tree as a commit ----------------------------------------------------------------------------------------


@contextmanager
def trees(repo: Git) -> Iterator[tuple[Uncommitted, CommitTree]]:
    """The work tree as it is, and the tree of a commit of all of it."""
    git = opened(repo).git
    commit = repo.commit("All")
    with Objects(git) as objects:
        yield Uncommitted(repo.path, git), CommitTree(objects, commit, git)


@pytest.fixture
def varied(repo: Git, tmp_path: Path, home: Path) -> Git:
    """Ignored, untracked and linked files, empty folders, a repository inside, names that need quotes."""
    (repo.path / "gone.txt").write_text("back\n")
    ignored = "ignored/\n*.pyc\nempty/\n"
    for name in (".gitignore", "ignored/x.txt", "ignored/deep/dvc.yaml", "a.pyc", "data/.gitignore", "data/new.csv"):
        repo.write(name, ignored if name == ".gitignore" else "/kept.csv\n" if name.endswith("ignore") else "x\n")
    for name in ("data/kept.csv", "d\u00e9j\u00e0 vu/a b.txt", "tab\there.txt", "deep/er/est/dvc.yaml", "run.sh"):
        repo.write(name, "x\n")
    (repo.path / "run.sh").chmod(0o755)
    (repo.path / "empty").mkdir()
    (repo.path / "bare").mkdir()
    (repo.path / "link").symlink_to("data/new.csv")
    (repo.path / "linked").symlink_to("ignored")
    (repo.path / "out").symlink_to(tmp_path)
    repo("add", "--force", "ignored/x.txt")
    return repo


PATHS = (
    *("", ".gitignore", "a.pyc", "bare", "card", "cards", CARD, f"{CARD}/x", OLD, KEPT, "data", "data/"),
    *("data/.gitignore", "data/kept.csv", "data/new.csv", "data/none", "deep", "deep/er", "deep/er/est"),
    *("deep/er/est/dvc.yaml", "dee", "d\u00e9j\u00e0 vu", "d\u00e9j\u00e0 vu/a b.txt", "empty", "gone.txt", "ignored"),
    *("ignored/deep", "ignored/x.txt", "ignored/deep/dvc.yaml", "link", "link/x", "linked", "linked/x.txt", "out"),
    *("out/x", "run.sh", "tab\there.txt", "untracked.txt", "../repo", "..", ".", "/etc/passwd", "./data"),
    *(".git", ".git/config", ".git/HEAD"),
)


def test_the_work_tree_is_the_commit_that_it_would_be(varied: Git) -> None:
    """Every path has the kind, mode and bytes that a commit of all of it has; nothing else is there."""
    with trees(varied) as (ours, theirs):
        for path in PATHS:
            mine, its = ours.entry(path), theirs.entry(path)
            assert (mine and mine.mode.lstrip("0")) == (its and its.mode.lstrip("0")), path
            assert ours.read(path) == theirs.read(path), path
        for names in (("*",), ("dvc.yaml",), ("*.csv", ".gitignore"), ("none",)):
            assert [path for path in ours.files(*names) if ours.read(path) is not None] == list(theirs.files(*names))


def test_a_file_that_was_deleted_is_not_there(repo: Git) -> None:
    """A tracked file that the work tree has no longer is neither an entry nor bytes."""
    with trees(repo) as (ours, theirs):
        assert ours.entry("gone.txt") is None is theirs.entry("gone.txt")
        assert ours.read("gone.txt") is None is theirs.read("gone.txt")


@pytest.mark.parametrize("what", ["deleted", "linked"])
def test_the_files_are_those_of_the_commit(plain_repo: Git, what: str) -> None:
    """Regular files alone, and those alone that are there."""
    if what == "deleted":
        (plain_repo.path / "README.md").unlink()
    else:
        (plain_repo.path / "link.md").symlink_to("README.md")
    with trees(plain_repo) as (ours, theirs):
        assert list(ours.files("*")) == list(theirs.files("*"))
