"""Linked worktrees, submodules, inherited variables, unfinished operations, locks, read-only and full disks."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.reliability.tools import MODEL_CARD, Server, check_card, fsck, hook, journal, litter, tags_of, without
from tests.support import Clones, DvcRepo, Git, Modelver, snapshot

TAG = "churn@v0.1.0"


def linked_to(repo: DvcRepo, path: Path) -> Git:
    """A linked worktree on a branch of its own, with the data."""
    repo.git("worktree", "add", "-q", "-b", "linked", path)
    for part in (".dvc/cache", "data", "models"):
        shutil.copytree(repo.path / part, path / part, dirs_exist_ok=True)
    return repo.git.at(path)


def test_a_linked_worktree(dvc_repo: DvcRepo, modelver: Modelver, tmp_path: Path) -> None:
    """A release from a linked worktree is one of the repository, and is seen from all its worktrees."""
    linked = linked_to(dvc_repo, tmp_path / "linked")
    linked("commit", "-q", "--allow-empty", "-m", "Here")
    modelver("release", "churn", cwd=linked)
    assert dvc_repo.git.rev(f"{TAG}^{{commit}}") == linked.rev() != dvc_repo.git.rev()
    for repo in (linked, dvc_repo.git):
        assert modelver("list", "--json", cwd=repo).json["models"][0]["latest"] == "v0.1.0"
    modelver("promote", "churn", "prod", cwd=dvc_repo.git)
    assert dvc_repo.git.rev("churn#prod#1^{commit}") == linked.rev()


def test_a_card_in_a_linked_worktree(dvc_repo: DvcRepo, server: Server, tmp_path: Path) -> None:
    """The card is committed on the linked worktree's branch; the main one's branch, index and files stay."""
    linked = linked_to(dvc_repo, tmp_path / "linked")
    main, before = dvc_repo.git.rev(), dvc_repo.git("status", "--porcelain")
    server(linked, "release", "churn")
    assert dvc_repo.git.rev("linked^") == main == dvc_repo.git.rev("main")
    assert dvc_repo.git("status", "--porcelain") == before == linked("status", "--porcelain")
    assert not (dvc_repo.path / MODEL_CARD).exists()
    check_card(linked, TAG)


def test_a_refused_card_in_a_linked_worktree(dvc_repo: DvcRepo, server: Server, tmp_path: Path) -> None:
    """Put back there, to the byte, where the worktree has an index of its own."""
    linked = linked_to(dvc_repo, tmp_path / "linked")
    hook(dvc_repo.path / ".git", "pre-commit", "exit 1")
    before = snapshot(linked), snapshot(dvc_repo.git)
    server(linked, "release", "churn", code=3)
    assert (snapshot(linked), snapshot(dvc_repo.git)) == before


@pytest.mark.parametrize("card", [False, True], ids=["tag", "card"])
def test_a_submodule(dvc_repo: DvcRepo, modelver: Modelver, git: Git, tmp_path: Path, card: bool) -> None:
    """Inside a submodule its own repository is released, and not the one around it, which sees only that it moved."""
    git.path = tmp_path / "outer"
    git.init()
    git.commit("Begin", {"README.md": "outer\n"})
    git("-c", "protocol.file.allow=always", "submodule", "add", "-q", dvc_repo.path, "inner")
    git.commit("A submodule")
    inner = git.at("inner")
    shutil.copytree(dvc_repo.path / ".dvc" / "cache", inner.path / ".dvc" / "cache")
    outer = git.refs()
    modelver("release", "churn", "--offline", *without(card), cwd=inner)
    assert inner.tags() == [TAG]
    assert git.refs() == outer
    assert git("status", "--porcelain") == (" M inner" if card else "")
    assert inner("status", "--porcelain") == ""
    assert not card or check_card(inner, TAG)


INHERITED: dict[str, Callable[[Git], dict[str, str]]] = {
    "GIT_DIR": lambda other: {"GIT_DIR": str(other.path / ".git")},
    "GIT_INDEX_FILE": lambda other: {"GIT_INDEX_FILE": str(other.path / ".git" / "index")},
    "GIT_WORK_TREE": lambda other: {"GIT_WORK_TREE": str(other.path)},
    "all": lambda other: {
        "GIT_DIR": str(other.path / ".git"),
        "GIT_INDEX_FILE": str(other.path / ".git" / "index"),
        "GIT_WORK_TREE": str(other.path),
        "GIT_OBJECT_DIRECTORY": str(other.path / ".git" / "objects"),
        "GIT_PREFIX": "x/",
    },
}


@pytest.mark.parametrize("which", INHERITED)
@pytest.mark.parametrize("card", [False, True], ids=["tag", "card"])
def test_inherited_variables(two_clones: Clones, server: Server, which: str, card: bool) -> None:
    """What a Git hook of another repository exports does not lead there."""
    ada, other = two_clones.ada.git, two_clones.bao.git
    before, clean = snapshot(other), ada("status", "--porcelain")
    server(ada, "release", "churn", "--push", *without(card), env=INHERITED[which](other))
    assert ada.tags() == [TAG]
    assert not card or check_card(ada, TAG)
    assert snapshot(other) == before
    assert ada("status", "--porcelain") == clean
    fsck(ada)


def _merge(repo: Git) -> None:
    repo("merge", "--no-ff", "--no-commit", "side")


def _rebase(repo: Git) -> None:
    repo.run("rebase", "--exec", "false", "HEAD^", check=False)


def _cherry_pick(repo: Git) -> None:
    repo("cherry-pick", "--no-commit", "side")
    (repo.path / ".git" / "CHERRY_PICK_HEAD").write_text(repo.rev("side") + "\n")


def _bisect(repo: Git) -> None:
    repo("bisect", "start")


@pytest.mark.parametrize("begin", [_merge, _rebase, _cherry_pick, _bisect], ids=lambda begin: begin.__name__[1:])
def test_an_operation_under_way(dvc_repo: DvcRepo, modelver: Modelver, begin: Callable[[Git], None]) -> None:
    """While a merge, rebase, cherry-pick or bisect is unfinished a release is refused, and changes nothing."""
    repo = dvc_repo.git
    repo("branch", "side")
    repo.commit("Here", {"a.txt": "a"})
    repo("switch", "-q", "side")
    repo.commit("There", {"b.txt": "b"})
    repo("switch", "-q", "main")
    begin(repo)
    before = snapshot(repo)
    result = modelver("release", "churn", cwd=repo, code=3)
    assert "is under way" in result.err
    assert snapshot(repo) == before
    modelver("list", cwd=repo)


def stale(repo: Git, name: str) -> Path:
    lock = repo.path / ".git" / name
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.write_text("somebody's")
    return lock


@pytest.mark.parametrize(
    ("name", "card"), [(f"refs/tags/{TAG}.lock", False), (f"refs/tags/{TAG}.lock", True), ("index.lock", True)]
)
def test_a_stale_lock(dvc_repo: DvcRepo, server: Server, name: str, card: bool) -> None:
    """6, the file is named and not touched, all is as before to the byte; without the lock it works."""
    repo = dvc_repo.git
    lock = stale(repo, name)
    before = snapshot(repo)
    answer = server(repo, "release", "churn", *without(card), code=6)
    assert lock.name in answer.err
    assert "remove that file" in answer.err
    assert lock.read_text() == "somebody's"
    lock.unlink()
    now = snapshot(repo) | ({".git/index.lock": "lock"} if name == "index.lock" else {})
    assert now == before
    server(repo, "release", "churn", *without(card))
    assert repo.tags() == [TAG]
    assert not card or check_card(repo, TAG)


@pytest.mark.parametrize("card", [False, True], ids=["no card", "current card"])
def test_a_stale_lock_that_hinders_nobody(dvc_repo: DvcRepo, modelver: Modelver, card: bool) -> None:
    """Locks of files that a release without a commit does not write (index, HEAD) stop nothing and are left alone."""
    if card:
        modelver("release", "churn", "--prepare", cwd=dvc_repo.git)
        dvc_repo.git.commit("The card")
    locks = [stale(dvc_repo.git, name) for name in ("index.lock", "packed-refs.lock", "HEAD.lock")]
    modelver("release", "churn", *without(card), cwd=dvc_repo.git)
    assert [lock.read_text() for lock in locks] == ["somebody's"] * 3
    assert dvc_repo.git.tags() == [TAG]


def test_a_stale_lock_after_the_push(two_clones: Clones, modelver: Modelver) -> None:
    """The remote has it, and the lock is here: 6 and a journal; when the lock is gone the same command finishes."""
    ada = two_clones.ada.git
    lock = stale(ada, f"refs/tags/{TAG}.lock")
    assert lock.name in modelver("release", "churn", "--push", cwd=ada, code=6).err
    assert journal(ada)
    assert list(tags_of(two_clones.hub)) == [TAG]
    modelver("release", "churn", "--push", cwd=ada, code=6)
    lock.unlink()
    modelver("release", "churn", "--push", cwd=ada)
    assert tags_of(ada) == tags_of(two_clones.hub)
    assert list(tags_of(ada)) == [TAG]
    assert not journal(ada)


def test_our_own_lock_is_waited_for_and_named(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """A second modelver waits for the first, and says so with 6 when that takes too long."""
    import fcntl

    from dvc_modelver.errors import EnvironmentProblem
    from dvc_modelver.gitio.lock import writing

    state_dir = dvc_repo.path / ".git" / "modelver"
    state_dir.mkdir(exist_ok=True)
    with (state_dir / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(EnvironmentProblem, match="another modelver"), writing(state_dir, wait=0.1):
            pass
    modelver("release", "churn", cwd=dvc_repo.git)


@contextmanager
def mounted(*argv: str | Path) -> Iterator[None]:
    """A mount for the time of a test; skips where this user may not mount."""
    target = argv[-1]
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting needs root")
    done = subprocess.run(["mount", *argv], capture_output=True)
    if done.returncode:
        pytest.skip(f"cannot mount here: {done.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", target], check=True)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nothing below `folder` can be written, not even by root."""
    with mounted("--bind", folder, folder):
        subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)
        yield


def test_a_read_only_repository(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """Reading works; every command that writes says 6 and why."""
    modelver("release", "churn", cwd=dvc_repo.git)
    before = snapshot(dvc_repo.git)
    with read_only(dvc_repo.path / ".git"):
        for argv in (("list",), ("show", "churn"), ("history",), ("release", "churn", "--dry-run")):
            modelver(*argv, cwd=dvc_repo.git)
        for argv in (("release", "churn"), ("promote", "churn", "prod"), ("retire", "churn")):
            result = modelver(*argv, cwd=dvc_repo.git, code=6)
            assert "Read-only file system" in result.err
            assert "hint: " in result.err
    assert snapshot(dvc_repo.git) == before


def fill(folder: Path, leave: int) -> Path:
    """A file that takes all space of a file system but `leave` bytes."""
    ballast = folder / "ballast"
    room = os.statvfs(folder)
    size = room.f_bavail * room.f_frsize - leave
    with ballast.open("wb") as file:
        file.write(b"x" * max(size, 0))
    return ballast


@pytest.mark.parametrize("card", [False, True], ids=["tag", "card"])
@pytest.mark.parametrize("leave", [4096 * n for n in (*range(8), 10, 12, 16, 20)])
def test_a_full_disk(dvc_repo: DvcRepo, server: Server, tmp_path: Path, leave: int, card: bool) -> None:
    """However little room is left: 6 and the old state, or it fits; with room again the command works once."""
    disk = tmp_path / "disk"
    disk.mkdir()
    with mounted("-t", "tmpfs", "-o", "size=8m", "tmpfs", disk):
        shutil.copytree(dvc_repo.path, disk / "repo", symlinks=True)
        repo = dvc_repo.git.at(disk / "repo")
        repo("update-index", "-q", "--refresh")
        before = snapshot(repo)
        ballast = fill(disk, leave)
        answer = server(repo, "release", "churn", *without(card), code=None)
        assert answer.code in (0, 6), answer
        ballast.unlink()
        if answer.code:
            assert "hint: " in answer.err
            assert "internal error" not in answer.err
            assert journal(repo) or snapshot(repo) == before, answer
        server(repo, "release", "churn", *without(card))
        assert repo.tags() == [TAG]
        assert not card or check_card(repo, TAG)
        assert not journal(repo)
        # git itself leaves the object that it could not write; its gc removes that.
        assert [name for name in litter(repo) if "tmp_obj" not in name] == []
        assert repo("status", "--porcelain") == ""
        fsck(repo)


def test_a_full_disk_has_nothing_left(dvc_repo: DvcRepo, server: Server, tmp_path: Path) -> None:
    """With no byte left the release fails with 6; this shows that the others are really about a full disk."""
    disk = tmp_path / "disk"
    disk.mkdir()
    with mounted("-t", "tmpfs", "-o", "size=8m", "tmpfs", disk):
        shutil.copytree(dvc_repo.path, disk / "repo", symlinks=True)
        fill(disk, 0)
        answer = server(dvc_repo.git.at(disk / "repo"), "release", "churn", code=6)
        assert "No space left" in answer.err


def test_another_encoding_of_file_names(dvc_repo: DvcRepo, modelver: Modelver, tmp_path: Path) -> None:
    """Where Python would write file names in ASCII, paths beyond it are read and written all the same."""
    place = tmp_path / "größe"
    dvc_repo.path.rename(place)
    repo = dvc_repo.git.at(place)
    env = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    modelver.process("release", "churn", "-m", "größer", cwd=repo, env=env)
    assert modelver.process("list", "--json", cwd=repo, env=env).json["models"][0]["latest"] == "v0.1.0"
    out = tmp_path / "öffnen.bin"
    modelver.process("get", "churn", "-o", out, cwd=repo, env=env)
    assert out.read_bytes() == (place / dvc_repo.MODEL).read_bytes()
    modelver("hooks", "install", cwd=repo)
    repo("checkout", "-q", "--detach", "HEAD~1")
    assert f"this is {TAG}" in repo.run("checkout", "-q", TAG, env=env).stderr.decode()
    assert "größer" in repo("for-each-ref", "--format=%(contents)", "refs/tags/")
