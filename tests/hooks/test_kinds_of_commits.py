"""The hooks for pre-commit in commits that are no plain additions: amended, reworded, merged, renamed, filtered."""

from __future__ import annotations

import pytest

from tests.hooks.precommit_support import commit, hook, install_native
from tests.support import DvcRepo


def take_data_away(repo: DvcRepo) -> None:
    """As in a clone that has fetched no data, with the DVC remote's disk not mounted."""
    for folder in (repo.cache, repo.store):
        folder.rename(folder.with_name("away"))


@pytest.mark.parametrize("words", [("--amend",), ("--allow-empty",)])
def test_a_commit_without_a_change(dvc_repo: DvcRepo, words: tuple[str, ...]) -> None:
    """Another message, or an empty commit, holds nothing new: what the repository holds already does not stop it."""
    take_data_away(dvc_repo)
    assert hook(dvc_repo.git, "dvc-sync")[0] == 1  # as in pre-commit run --all-files
    install_native(dvc_repo.git, "pre-commit", "dvc-sync")
    assert commit(dvc_repo.git, *words)[0] == 0


def test_a_reworded_commit(dvc_repo: DvcRepo) -> None:
    """`git rebase -i` gives an older commit other words, through the hook, in a clone without data."""
    dvc_repo.fake_train(9)
    dvc_repo.git.commit("Last", {"notes.txt": "x\n"})
    take_data_away(dvc_repo)
    install_native(dvc_repo.git, "pre-commit", "dvc-sync")
    editors = {"GIT_SEQUENCE_EDITOR": "sed -i s/^pick/reword/", "GIT_EDITOR": "sed -i s/^/Re:/"}
    dvc_repo.git("rebase", "-q", "-i", "HEAD~2", env=editors)
    assert [line[:3] for line in dvc_repo.git("log", "-2", "--format=%s").splitlines()] == ["Re:", "Re:"]
