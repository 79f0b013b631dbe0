"""`modelver-card` and `modelver-card-update`: the staged card against the staged files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hooks.precommit_support import hook
from tests.support import DvcRepo, Modelver, Templates

CARD = "model_cards/churn.md"


@pytest.fixture(scope="module")
def with_card(templates: Templates, modelver: Modelver, tmp_path_factory: pytest.TempPathFactory) -> DvcRepo:
    """A repository whose card is committed and up to date; each test leaves it so."""
    repo = templates.dvc(tmp_path_factory.mktemp("carded"))
    modelver("card", "update", cwd=repo.git)
    repo.git.commit("The card")
    return repo


@pytest.fixture
def carded(with_card: DvcRepo) -> DvcRepo:
    """The same, put back."""
    with_card.git("reset", "-q", "--hard")
    with_card.git("clean", "-q", "-f", "-d")
    return with_card


def set_depth(repo: DvcRepo, depth: int) -> str:
    """Change the work tree's params; their text before."""
    path = repo.path / "params.yaml"
    before = path.read_text()
    path.write_text(before.replace("depth: 6", f"depth: {depth}"))
    return before


def test_a_card_that_says_what_is_staged(carded: DvcRepo) -> None:
    """With nothing staged all cards are checked; an unwritten section is a note and stops nothing."""
    code, said = hook(carded.git, "card")
    assert code == 0
    assert all(line.startswith(("note: ", "    ")) for line in said.splitlines())


def test_a_stale_card_stops_the_commit(carded: DvcRepo) -> None:
    """Staged params that the staged card does not show are refused with the command that helps."""
    set_depth(carded, 9)
    carded.git("add", "params.yaml")
    code, said = hook(carded.git, "card")
    assert (code, "block params is out of date" in said) == (1, True)
    assert "modelver card update churn, then git add model_cards/churn.md" in said


def test_the_work_tree_does_not_count(carded: DvcRepo, modelver: Modelver) -> None:
    """Params and a card that are not staged neither break nor mend what is."""
    set_depth(carded, 9)
    carded.git.write("dvc.yaml", (carded.path / "dvc.yaml").read_text() + "# A comment\n")
    carded.git("add", "dvc.yaml")
    assert hook(carded.git, "card")[0] == 0
    carded.git("add", "params.yaml")
    modelver("card", "update", cwd=carded.git)
    assert hook(carded.git, "card")[0] == 1
    carded.git("add", CARD)
    assert hook(carded.git, "card")[0] == 0


def test_a_commit_of_something_else_starts_nothing(carded: DvcRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that no card is made from is not held up: the command is not even started."""

    def never(*_: object) -> None:
        raise AssertionError("started")

    monkeypatch.setattr("dvc_modelver.hooks.card.run_card", never)
    monkeypatch.setattr("dvc_modelver.hooks.card_update.run_card", never)
    carded.git.write("src/unrelated_helper.c", "int x;\n")
    carded.git("add", "-A")
    for name in ("card", "card-update"):
        assert hook(carded.git, name) == (0, "")


def test_checking_leaves_no_trace(carded: DvcRepo) -> None:
    """Index, worktrees and work tree are as before a check: the private copy is gone and no list names it."""
    set_depth(carded, 9)
    carded.git("add", "params.yaml")
    before = ((carded.path / ".git" / "index").read_bytes(), carded.git("worktree", "list"), carded.git("status"))
    hook(carded.git, "card")
    after = ((carded.path / ".git" / "index").read_bytes(), carded.git("worktree", "list"), carded.git("status"))
    assert after == before


def test_a_check_in_a_linked_worktree(carded: DvcRepo, tmp_path: Path) -> None:
    """In a linked worktree the card of that worktree's index is checked, also with GIT_DIR as git exports it."""
    linked = carded.git.at(tmp_path / "linked")
    carded.git("worktree", "add", "-q", "--detach", linked.path)
    path = linked.path / "params.yaml"
    path.write_text(path.read_text().replace("depth: 6", "depth: 9"))
    linked("add", "params.yaml")
    exported = {"GIT_DIR": linked("rev-parse", "--absolute-git-dir")}
    assert hook(linked, "card", env=exported)[0] == 1
    assert hook(carded.git, "card")[0] == 0
    carded.git("worktree", "remove", "--force", linked.path)


def test_an_update_stops_the_commit_once(carded: DvcRepo) -> None:
    """The card is rewritten and the commit stopped; after `git add` it goes through, and before it does not."""
    set_depth(carded, 9)
    carded.git("add", "params.yaml")
    code, said = hook(carded.git, "card-update")
    assert (code, f"{CARD}: was brought up to date" in said) == (1, True)
    code, said = hook(carded.git, "card-update")
    assert (code, f"{CARD}: is up to date, but not as it is staged" in said) == (1, True)
    carded.git("add", CARD)
    assert hook(carded.git, "card-update") == (0, "")
    assert hook(carded.git, "card")[0] == 0


def test_an_edited_block_is_the_commands_own_answer(carded: DvcRepo) -> None:
    """What `card update` refuses, the hook refuses in the same words and with the same exit code."""
    path = carded.path / CARD
    path.write_text(path.read_text().replace("depth", "deepness"))
    set_depth(carded, 9)
    carded.git("add", "-A")
    code, said = hook(carded.git, "card-update")
    assert (code, "edited by hand: params" in said) == (3, True)
