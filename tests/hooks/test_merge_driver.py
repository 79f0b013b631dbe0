"""The merge driver as git starts it: in merges, rebases, picks and reverts, in worktrees, and when it cannot run."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dvc_modelver.commands.hooking.driver import ATTRIBUTES, driver_line, driver_state, install_driver, remove_driver
from dvc_modelver.commands.project import Project, Surroundings
from dvc_modelver.dvcio.lock import parse_lock
from tests.dvcio.test_merging import digest, entry, lock
from tests.support import DvcRepo, Git, Modelver

LOCK = "dvc.lock"
BASE = {"prepare": 1, "train": 1, "evaluate": 1}
OURS = {"prepare": 2, "train": 1, "evaluate": 1}
THEIRS = {"prepare": 1, "train": 1, "evaluate": 1, "score": 1} | {"train": 3}
BOTH = {"prepare": 2, "train": 3, "evaluate": 1, "score": 1}


def project_of(git: Git) -> Project:
    """The repository as a command sees it."""
    return Project(Surroundings(directory=git.path, env=git.env))


@pytest.fixture
def repo(git: Git) -> Git:
    """Two branches, `main` and `theirs`, that changed different stages, and a clone with the driver."""
    git.commit("Base", {LOCK: lock(BASE), "data.csv.dvc": "outs:\n- md5: a\n  path: data.csv\n"})
    git("switch", "-q", "-c", "theirs")
    git.commit("Theirs", {LOCK: lock(THEIRS)})
    git("switch", "-q", "main")
    git.commit("Ours", {LOCK: lock(OURS)})
    install_driver(project_of(git), dry_run=False)
    return git


def read(git: Git, path: str = LOCK) -> bytes:
    return (git.path / path).read_bytes()


def is_clean(git: Git) -> bool:
    """Nothing unmerged, nothing changed, no file left behind."""
    return git("status", "--porcelain", "-uall") == ""


# What git does with it -----------------------------------------------------------------------------------------------


def _merge(git: Git) -> None:
    git("merge", "-q", "-m", "Merge", "theirs")


def _rebase(git: Git) -> None:
    git("rebase", "-q", "theirs")


def _pick(git: Git) -> None:
    git("cherry-pick", "theirs")


def _revert(git: Git) -> None:
    """Theirs was merged and taken back before ours; taking back the taking back brings it again."""
    ours = git.rev()
    git("reset", "-q", "--hard", "theirs")
    git("revert", "--no-edit", "HEAD")
    git("cherry-pick", ours)
    git("revert", "--no-edit", "HEAD^")


def _criss_cross(git: Git) -> None:
    """Both have merged the other's first commit, so that git merges the two bases first."""
    git("branch", "ours")
    git("merge", "-q", "-m", "Left", "theirs")
    git("switch", "-q", "theirs")
    git("merge", "-q", "-m", "Right", "ours")
    git.commit("More of theirs", {LOCK: lock(BOTH | {"extra": 1})})
    git("switch", "-q", "main")
    git.commit("More of ours", {LOCK: lock(BOTH | {"evaluate": 7})})
    git("merge", "-q", "-m", "Cross", "theirs")
    assert parse_lock(read(git), LOCK).names == ("prepare", "train", "evaluate", "score", "extra")
    git.commit("Back", {LOCK: lock(BOTH)})


def _worktree(git: Git) -> None:
    """In a linked worktree, from a directory below its top."""
    git("worktree", "add", "-q", "--detach", git.path.with_name("linked"), "main")
    linked = git.at(git.path.with_name("linked"))
    (linked.path / "below").mkdir()
    linked.at("below")("merge", "-q", "-m", "Merge", "theirs")
    git("merge", "-q", "--ff-only", linked.rev())


@pytest.mark.parametrize(
    "way", [_merge, _rebase, _pick, _revert, _criss_cross, _worktree], ids=lambda way: way.__name__[1:]
)
def test_both_sides_entries_are_kept(repo: Git, way: Callable[[Git], None]) -> None:
    """However git brings the two together: every entry of both is there, and nothing else has changed."""
    way(repo)
    assert read(repo) == lock(BOTH)
    assert is_clean(repo)


def test_an_octopus_merge_asks_no_driver(repo: Git) -> None:
    """Git merges three heads by lines, whatever attributes say: it stops at a conflict and loses nothing."""
    repo("switch", "-q", "-c", "third", "main^")
    repo.commit("Third", {LOCK: lock(BASE | {"evaluate": 9})})
    repo("switch", "-q", "main")
    done = repo.run("merge", "-m", "Octopus", "theirs", "third", check=False)
    assert (done.returncode != 0, repo.rev()) == (True, repo.rev("main"))
    text = read(repo).decode()
    assert "<<<<<<<" in text
    assert "  score:\n" in text
    assert text.count("cmd: python evaluate.py 9\n") == 1


def test_lines_alone_would_have_conflicted(repo: Git) -> None:
    """Two stages added at one place: git by itself stops, the driver takes both."""
    repo("reset", "-q", "--hard", "main^")
    repo.commit("Ours", {LOCK: lock(BASE | {"mine": 1})})
    before = repo.rev()
    _merge(repo)
    assert parse_lock(read(repo), LOCK).names == ("prepare", "train", "evaluate", "mine", "score")
    repo("reset", "-q", "--hard", before)
    assert repo.run("-c", "merge.modelver.driver=", "merge", "-q", "theirs", check=False).returncode != 0


def test_a_path_with_quotes_and_spaces(repo: Git) -> None:
    """A `dvc.lock` below any directory; its name reaches the driver as it is, and the terminal escaped."""
    path = "a b/it's $(touch canary) \x1b[31m/dvc.lock"
    for branch, state in (("main^", BASE), ("theirs", THEIRS), ("main", OURS)):
        repo("switch", "-q", "--detach", branch)
        if branch == "main^":
            base = repo.commit("Deep", {path: lock(state)})
            continue
        repo("switch", "-q", "-C", f"deep-{branch}", base)
        repo.commit("Changed", {path: lock(state)})
    done = repo.run("merge", "-m", "Merge", "deep-theirs")
    assert read(repo, path) == lock(BOTH)
    assert rb"\x1b[31m" in done.stderr
    assert b"\x1b" not in done.stderr
    assert is_clean(repo)


def test_a_conflict_stops_the_merge(repo: Git, modelver: Modelver) -> None:
    """Only the stage that both changed is marked; git knows of the conflict, and we refuse to read the file."""
    repo.commit("Ours too", {LOCK: lock(OURS | {"train": 8})})
    done = repo.run("merge", "theirs", check=False)
    assert done.returncode == 1
    whole = lock(BOTH).decode()
    marked = f"<<<<<<< ours\n{entry('train', 8)}=======\n{entry('train', 3)}>>>>>>> theirs\n"
    assert read(repo).decode() == whole.replace(entry("train", 3), marked)
    assert repo("ls-files", "--unmerged", "--", LOCK).count("\n") == 2
    said = done.stderr.decode()
    for line in ("dvc.lock: this merge is a proposal", "ours: prepare", "theirs: score", "conflict: train"):
        assert line in said
    assert "dvc status names what must run again" in said
    # Settled by hand it goes on as any merge.
    repo.write(LOCK, lock(BOTH))
    repo("add", LOCK)
    repo("commit", "-q", "-m", "Merged")
    assert is_clean(repo)


def test_the_users_conflict_style(repo: Git) -> None:
    """`merge.conflictStyle=diff3` shows the common entry too; `conflict-marker-size` counts."""
    repo("config", "merge.conflictStyle", "diff3")
    repo.write(".git/info/attributes", read(repo, ".git/info/attributes") + b"dvc.lock conflict-marker-size=12\n")
    repo.commit("Ours too", {LOCK: lock(OURS | {"train": 8})})
    assert repo.run("merge", "theirs", check=False).returncode == 1
    assert f"{'|' * 12} base\n{entry('train', 1)}{'=' * 12}\n" in read(repo).decode()


def test_a_dvc_file_that_both_changed(repo: Git) -> None:
    """Far-apart lines would merge into a file that neither had: the whole of both stands between markers."""
    text = "md5: {}\ndesc: |\n  one\n  two\n  three\n  four\n  five\nouts:\n- md5: {}\n  path: data.csv\n"
    path = "data.csv.dvc"
    repo.commit("Base", {path: text.format("a", "a")})
    repo("switch", "-q", "-c", "other")
    repo.commit("Other", {path: text.format("b", "a")})
    repo("switch", "-q", "main")
    repo.commit("Ours", {path: text.format("a", "c")})
    assert repo.run("merge", "other", check=False).returncode == 1
    ours, theirs = text.format("a", "c"), text.format("b", "a")
    assert read(repo, path).decode() == f"<<<<<<< ours\n{ours}=======\n{theirs}>>>>>>> theirs\n"


def test_other_files_are_merged_by_lines(repo: Git) -> None:
    """Attributes that send other files to the driver get git's own merge."""
    repo.write(".git/info/attributes", read(repo, ".git/info/attributes") + b"*.txt merge=modelver\n")
    repo.commit("Base", {"notes.txt": "1\n2\n3\n4\n5\n"})
    repo("switch", "-q", "-c", "other")
    repo.commit("Other", {"notes.txt": "1\n2\n3\n4\nfive\n"})
    repo("switch", "-q", "main")
    repo.commit("Ours", {"notes.txt": "one\n2\n3\n4\n5\n"})
    repo("merge", "-q", "-m", "Merge", "other")
    assert read(repo, "notes.txt") == b"one\n2\n3\n4\nfive\n"


def test_a_stage_that_ran_on_other_bytes_is_named(repo: Git) -> None:
    """Theirs added a stage that read what ours has made anew since: both digests are said."""
    reads = entry("score", 1).replace("in/score.csv", "out/prepare.bin").replace(digest("a", 1), digest("b", 1))
    repo("switch", "-q", "theirs")
    repo.commit("Reads", {LOCK: lock(THEIRS).decode().replace(entry("score", 1), reads)})
    repo("switch", "-q", "main")
    said = repo.run("merge", "-m", "Merge", "theirs").stderr.decode()
    fact = "score (theirs) read out/prepare.bin as md5 b10000000000, but prepare (ours) made md5 b20000000000"
    assert f"  inconsistent: {fact}\n" in said


def test_dvc_agrees_with_the_merge(dvc_repo: DvcRepo) -> None:
    """Two people added a pipeline stage each: with real DVC all is up to date, and it would change no byte."""
    repo = dvc_repo.git
    install_driver(project_of(repo), dry_run=False)
    stage = "  {0}:\n    cmd: cp params.yaml {0}.txt\n    deps:\n    - params.yaml\n    outs:\n"
    stage += "    - {0}.txt:\n        cache: false\n"
    text = (repo.path / "dvc.yaml").read_text()
    for name, before in (("theirs", "  prepare:\n"), ("ours", "artifacts:\n")):
        repo("switch", "-q", "-c", name, "main")
        repo.write("dvc.yaml", text.replace(before, stage.format(name) + before))
        dvc_repo.dvc(["repro", "-q", name])
        repo.commit(name)
    repo("merge", "-q", "-m", "Merge", "theirs")
    merged = read(repo)
    assert parse_lock(merged, LOCK).names[-2:] == ("ours", "theirs")
    assert "up to date" in dvc_repo.dvc(["status"])
    dvc_repo.dvc(["commit", "-q", "-f"])
    assert read(repo) == merged


# When it cannot run --------------------------------------------------------------------------------------------------


def _gone(_: Path) -> str:
    return "/nowhere/bin/python"


def _script(text: str) -> Callable[[Path], str]:
    def make(folder: Path) -> str:
        place = folder / "100% python"
        place.write_text(f"#!/bin/sh\n{text}\n")
        place.chmod(0o755)
        return str(place)

    return make


BROKEN = {
    "gone": _gone,
    "no library": _script("exit 127"),
    "uninstalled": _script("exit 97"),
    "fails": _script("exit 1"),
    "killed": _script("kill -9 $$"),
    "another Python": _script(f'exec {sys.executable} -S "$@"'),
}


@pytest.mark.parametrize("python", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("conflict", [False, True], ids=["clean", "conflict"])
def test_git_merges_by_lines_when_the_driver_cannot(
    repo: Git, tmp_path: Path, python: Callable[[Path], str], conflict: bool
) -> None:
    """Interpreter or package gone, broken or killed: the same file as without a driver, and no entry is dropped."""
    if conflict:
        repo.commit("Ours too", {LOCK: lock(OURS | {"train": 8})})
    before = repo.rev()
    repo("config", "merge.modelver.driver", driver_line(python(tmp_path)))
    found = repo.run("merge", "-m", "Merge", "theirs", check=False)
    ours, untouched = read(repo), repo("ls-files", "--stage")
    repo("reset", "-q", "--hard", before)
    repo("config", "--remove-section", "merge.modelver")
    plain = repo.run("merge", "-m", "Merge", "theirs", check=False)
    assert (found.returncode, untouched) == (plain.returncode, repo("ls-files", "--stage"))
    labelled = ours.replace(b"<<<<<<< ours", b"<<<<<<< HEAD")
    assert labelled == read(repo)
    assert b"score" in ours


def test_what_is_no_lock_is_merged_by_lines(repo: Git) -> None:
    """A `dvc.lock` of another kind, or with markers in it, is git's: in conflict with both sides' lines, or clean."""
    repo.commit("Ours too", {LOCK: b"<<<<<<< HEAD\n" + lock(OURS)})
    repo("merge", "-q", "-m", "Merge", "theirs")
    assert read(repo) == b"<<<<<<< HEAD\n" + lock(BOTH)
    repo.commit("Binary", {LOCK: b"\0\1\2"})
    repo("switch", "-q", "theirs")
    repo.commit("Binary too", {LOCK: b"\0\3\4"})
    repo("switch", "-q", "main")
    assert repo.run("merge", "theirs", check=False).returncode != 0
    assert read(repo) == b"\0\1\2"
    assert repo("ls-files", "--unmerged", "--", LOCK)


def test_nothing_of_the_repository_is_run(repo: Git) -> None:
    """Modules of ours, of PyYAML and of Python that lie in the work tree are not the ones that are imported."""
    canary = repo.path.with_name("canary")
    evil = f"open({str(canary)!r}, 'w').close()\n"
    names = ("dvc_modelver/__init__.py", "yaml.py", "json.py", "sitecustomize.py", "dvc_modelver/hooks/main.py")
    repo.commit("Modules", dict.fromkeys(names, evil))
    repo.run("merge", "-m", "Merge", "theirs")
    assert read(repo) == lock(BOTH)
    assert not canary.exists()


def test_a_wrong_call_changes_nothing(repo: Git, modelver: Modelver) -> None:
    """Called by hand with too few words, or no number: 2, with the next step."""
    before = read(repo)
    for words in ((LOCK, LOCK), (LOCK, LOCK, LOCK, "-7", LOCK), (LOCK, LOCK, LOCK, "9" * 30, LOCK)):
        assert "hint: " in modelver.process("merge-driver", *words, cwd=repo, code=2).err
    assert read(repo) == before
    assert is_clean(repo)


def test_called_as_a_command(repo: Git, modelver: Modelver, tmp_path: Path) -> None:
    """`modelver merge-driver %O %A %B %L %P` writes %A alone, and ends with 1 when it holds a conflict."""
    folder = tmp_path / "files"
    folder.mkdir()
    places = [folder / name for name in "oab"]
    for place, state in zip(places, (BASE, OURS, THEIRS), strict=True):
        place.write_bytes(lock(state))
    modelver.process("merge-driver", *places, "7", LOCK, cwd=repo)
    assert [place.read_bytes() for place in places] == [lock(BASE), lock(BOTH), lock(THEIRS)]
    places[1].write_bytes(lock(OURS | {"train": 5}))
    modelver.process("merge-driver", *places, "7", LOCK, cwd=repo, code=1)
    assert places[1].read_bytes().count(b"<<<<<<< ours\n") == 1
    assert sorted(os.listdir(folder)) == ["a", "b", "o"]


# Setting it up -------------------------------------------------------------------------------------------------------

MINE = b"*.png binary"


def files_of(git: Git) -> dict[str, bytes | None]:
    """The two files that the installation is about."""
    places = (git.path / ".git/config", git.path / ".git/info/attributes")
    return {place.name: place.read_bytes() if place.exists() else None for place in places}


@pytest.mark.parametrize("attributes", [None, b"", MINE, MINE + b"\n", MINE + b"\n\n"])
def test_removing_gives_the_first_bytes_back(plain_repo: Git, attributes: bytes | None) -> None:
    """Put there twice it is there once; taken away, both files are as they were, byte for byte."""
    place = plain_repo.path / ".git/info/attributes"
    place.unlink(missing_ok=True)
    if attributes is not None:
        plain_repo.write(".git/info/attributes", attributes)
    before = files_of(plain_repo)
    planned = install_driver(project_of(plain_repo), dry_run=True)
    assert files_of(plain_repo) == before
    assert install_driver(project_of(plain_repo), dry_run=False) == planned
    installed = files_of(plain_repo)
    assert installed["attributes"] is not None
    assert installed["attributes"].startswith(attributes or b"")
    assert install_driver(project_of(plain_repo), dry_run=False) == ()
    assert files_of(plain_repo) == installed
    planned = remove_driver(project_of(plain_repo), dry_run=True)
    assert files_of(plain_repo) == installed
    assert remove_driver(project_of(plain_repo), dry_run=False) == planned
    assert files_of(plain_repo) == before
    assert remove_driver(project_of(plain_repo), dry_run=False) == ()


def test_what_others_added_stays(repo: Git) -> None:
    """Lines that somebody wrote behind ours, and other keys of the section, outlive the driver."""
    place = repo.path / ".git/info/attributes"
    place.write_bytes(place.read_bytes() + MINE)
    repo("config", "merge.modelver.recursive", "binary")
    remove_driver(project_of(repo), dry_run=False)
    assert place.read_bytes() == MINE
    assert repo("config", "--get-regexp", "^merge[.]modelver") == "merge.modelver.recursive binary"


def states(git: Git) -> Iterator[tuple[str, str]]:
    """The driver's state through its life: what it is, and what it should be."""
    yield driver_state(project_of(git)).state, "absent"
    git.commit("Attributes", {".gitattributes": ATTRIBUTES})
    yield driver_state(project_of(git)).state, "absent"
    install_driver(project_of(git), dry_run=False)
    yield driver_state(project_of(git)).state, "live"
    git("config", "merge.modelver.driver", driver_line("/nowhere/100% python"))
    yield driver_state(project_of(git)).state, "broken"
    git("config", "merge.modelver.driver", "modelver merge-driver %O %A %B %L %P")
    yield driver_state(project_of(git)).state, "broken"
    git("config", "--unset", "merge.modelver.driver")
    yield driver_state(project_of(git)).state, "broken"
    install_driver(project_of(git), dry_run=False)
    yield driver_state(project_of(git)).state, "live"
    place = git.path / ".git/info/attributes"
    place.write_bytes(place.read_bytes() + b"dvc.lock merge=union\n")
    yield driver_state(project_of(git)).state, "shadowed"


def test_the_state_is_what_git_would_do(plain_repo: Git) -> None:
    """Absent, live, broken, shadowed: as git's own `check-attr` and the configuration say at that moment."""
    found = list(states(plain_repo))
    assert [is_now for is_now, _ in found] == [should_be for _, should_be in found]


def test_a_clone_without_the_driver_merges_as_ever(repo: Git, tmp_path: Path) -> None:
    """The attributes in a `.gitattributes` that everybody has do no harm where the driver is not set up."""
    repo.commit("Shared", {".gitattributes": ATTRIBUTES})
    clone = repo.clone(tmp_path / "clone")
    clone("merge", "-q", "-m", "Merge", "origin/theirs")
    assert read(clone) == lock(BOTH)
