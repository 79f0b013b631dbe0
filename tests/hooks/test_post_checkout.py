"""post-checkout and post-merge through real git: at most two lines, and never in the way."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support import Clock, DvcRepo, Git, Modelver, Templates

NEEDS = "modelver: dvc.lock names other data than before: dvc checkout brings it"


@pytest.fixture(scope="module")
def built(templates: Templates, tmp_path_factory: pytest.TempPathFactory, modelver: Modelver) -> DvcRepo:
    """Built once, for `repo` to copy."""
    made = templates.dvc(tmp_path_factory.mktemp("built"))
    modelver("hooks", "install", cwd=made.git)
    modelver("release", "churn", "--no-card", cwd=made.git)
    made.fake_train(9)
    modelver("release", "churn", "--no-card", cwd=made.git)
    made.git.commit("Words", {"README.md": "# More words\n"})
    return made


@pytest.fixture
def repo(built: DvcRepo, tmp_path: Path) -> DvcRepo:
    """Two versions of churn, the hooks installed, and a commit after the second that changes nothing of it."""
    shutil.copytree(built.path.parent, tmp_path, symlinks=True, dirs_exist_ok=True)
    git = Git(tmp_path / built.path.name, built.git.home, Clock(built.git.clock.seconds))
    git("update-index", "-q", "--refresh")
    return DvcRepo(git, tmp_path / built.store.name)


def said(repo: Git, *words: str, code: int = 0) -> list[str]:
    """What our hooks say while git does that."""
    done = repo.run(*words, check=False)
    assert done.returncode == code, done.stderr.decode()
    return [line for line in done.stderr.decode().splitlines() if "modelver" in line or "error" in line]


def test_a_version_is_named(repo: DvcRepo) -> None:
    """Checking out a version's tag names it, and says that its data is not here yet; going back says so too."""
    assert said(repo.git, "checkout", "churn@v0.1.0") == ["modelver: this is churn@v0.1.0", NEEDS]
    assert said(repo.git, "checkout", "main") == ["modelver: this is churn@v0.2.0", NEEDS]


def test_a_commit_with_the_same_slice(repo: DvcRepo) -> None:
    """HEAD need not be a version's own commit: one whose slice equals a version's is that version."""
    repo.git("checkout", "-q", "--detach", "churn@v0.1.0")
    repo.git.commit("Beside", {"notes.txt": "x"})
    beside = repo.git.rev()
    repo.git("checkout", "-q", "main")
    assert said(repo.git, "checkout", beside) == ["modelver: this is churn@v0.1.0", NEEDS]


def test_silence(repo: DvcRepo) -> None:
    """Nothing is said of a new branch, of single files, or of commits between which nothing of ours changed."""
    assert said(repo.git, "checkout", "-b", "side") == []
    assert said(repo.git, "checkout", "HEAD~1", "--", "README.md") == []
    assert said(repo.git, "checkout", "HEAD~2", "--", "dvc.lock") == []
    repo.git("checkout", "-q", "HEAD", "--", ".")
    repo.git.commit("More words", {"README.md": "x"})
    assert said(repo.git, "checkout", "HEAD~1") == []
    assert said(repo.git, "checkout", "--orphan", "new") == []


def test_one_line_when_the_data_is_the_same(repo: DvcRepo) -> None:
    """A version's commit with the data that is here is named, and no checkout of data is asked for."""
    assert said(repo.git, "checkout", "churn@v0.2.0") == ["modelver: this is churn@v0.2.0"]


def test_several_models_and_a_withdrawn_one(repo: DvcRepo, modelver: Modelver) -> None:
    """All versions of the commit stand in one line, a withdrawn one as such; many are counted."""
    for name in ("a", "b", "c"):
        repo.git.tag(f"{name}@v1.0.0", rev="churn@v0.1.0^{commit}")
    repo.git.tag("a@v1.0.0!", rev="churn@v0.1.0^{commit}")
    first, _ = said(repo.git, "checkout", "churn@v0.1.0")
    assert first == "modelver: this is a@v1.0.0 (withdrawn), b@v1.0.0, c@v1.0.0 and 1 more"


def test_merge_and_pull(repo: DvcRepo) -> None:
    """A merge that brings a version is told as a checkout is; a squash and a merge of words are not."""
    repo.git("checkout", "-q", "-b", "old", "churn@v0.1.0")
    assert said(repo.git, "merge", "--squash", "main") == []
    repo.git("reset", "-q", "--hard")
    assert said(repo.git, "merge", "--ff-only", "main") == ["modelver: this is churn@v0.2.0", NEEDS]
    repo.git("checkout", "-q", "-b", "words", "main")
    repo.git.commit("Words again", {"other.txt": "x"})
    repo.git("checkout", "-q", "main")
    assert said(repo.git, "merge", "words") == []


def test_rebase_and_bisect(repo: DvcRepo) -> None:
    """While git walks through history by itself nothing is said."""
    repo.git("checkout", "-q", "-b", "side", "churn@v0.1.0")
    repo.git.commit("Aside", {"aside.txt": "x"})
    assert said(repo.git, "rebase", "main") == []
    repo.git("bisect", "start")
    repo.git("bisect", "bad", "main")
    assert said(repo.git, "bisect", "good", "churn@v0.1.0~1") == []
    assert said(repo.git, "bisect", "reset") in ([], ["modelver: this is churn@v0.2.0", NEEDS])


def test_a_linked_worktree(repo: DvcRepo, tmp_path: Path) -> None:
    """A new worktree says nothing; a checkout inside it names that worktree's version."""
    assert said(repo.git, "worktree", "add", "--detach", str(tmp_path / "side"), "main") == []
    assert said(repo.git.at(tmp_path / "side"), "checkout", "churn@v0.1.0") == ["modelver: this is churn@v0.1.0", NEEDS]


def test_never_fails(repo: DvcRepo) -> None:
    """Broken DVC files, a missing interpreter or odd arguments are no reason for a checkout to fail or to complain."""
    repo.git.commit("Broken", {"dvc.yaml": "a: [", "dvc.lock": "<<<<<<< ours\n"})
    assert said(repo.git, "checkout", "HEAD~1")[-1] == NEEDS
    assert said(repo.git, "checkout", "main") == [NEEDS]
    script = repo.path / ".git/hooks/post-checkout"
    script.write_text(script.read_text().replace("\npython=", "\npython=/gone"))
    assert said(repo.git, "checkout", "churn@v0.1.0") == []


def test_names_are_made_safe(repo: DvcRepo) -> None:
    """The name of a `.dvc` file cannot write escapes to a terminal."""
    lock = "outs:\n- md5: 0123456789abcdef0123456789abcdef\n  path: x\n"
    repo.git.commit("Hostile", {"\x1b[31mred.dvc": lock})
    repo.git("checkout", "-q", "HEAD~1")
    *_, line = said(repo.git, "checkout", "main")
    assert "\\x1b[31mred.dvc names other data" in line


def test_a_hook_that_fails_keeps_its_status(repo: DvcRepo) -> None:
    """When somebody's own post-checkout hook fails git says so as ever, and ours still speaks."""
    kept = repo.path / ".git/hooks/post-checkout.before-modelver"
    kept.write_text("#!/bin/sh\nexit 3\n")
    kept.chmod(0o755)
    assert said(repo.git, "checkout", "churn@v0.1.0", code=1) == ["modelver: this is churn@v0.1.0", NEEDS]


def test_beside_dvcs_own_hook(repo: DvcRepo) -> None:
    """DVC's hook brings the data at a checkout and not at a merge, nor where git does not start it: that is told."""
    kept = repo.path / ".git/hooks/post-checkout.before-modelver"
    kept.write_text("#!/bin/sh\n: exec dvc git-hook post-checkout $@\n")
    kept.chmod(0o755)
    assert said(repo.git, "checkout", "-b", "old", "churn@v0.1.0") == ["modelver: this is churn@v0.1.0"]
    assert said(repo.git, "merge", "--ff-only", "main") == ["modelver: this is churn@v0.2.0", NEEDS]
    shutil.copytree(repo.path / ".git/hooks", repo.path / ".git/mine")
    (repo.path / ".git/mine" / kept.name).unlink()
    repo.git("config", "core.hooksPath", ".git/mine")
    assert said(repo.git, "checkout", "churn@v0.1.0")[-1] == NEEDS


def test_beside_dvcs_hook_for_pre_commit(repo: DvcRepo) -> None:
    """A configuration that names DVC's hook brings no data before pre-commit is installed for checkouts."""
    repo.git.write(".pre-commit-config.yaml", "repos: [{repo: dvc, hooks: [{id: dvc-post-checkout}]}]\n")
    assert said(repo.git, "checkout", "churn@v0.1.0")[-1] == NEEDS
    kept = repo.path / ".git/hooks/post-checkout.before-modelver"
    kept.write_text("#!/bin/sh\n# pre-commit's\n")
    kept.chmod(0o755)
    assert NEEDS not in said(repo.git, "checkout", "main")
