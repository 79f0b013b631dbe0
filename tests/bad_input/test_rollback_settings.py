"""`rollback` under Git's less common settings: what Git does not look at, and what it converts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.commands.rollback_states import Case
from tests.commands.test_rollback_kinds import made
from tests.support import DvcRepo, Git, Modelver


@pytest.fixture
def case(git: Git, modelver: Modelver) -> Case:
    """A model of one pipeline stage: v0.1.0, and v0.2.0 at HEAD."""
    case = Case(git, modelver)
    case.save(made({"model.bin": "1"}, {}, cmd="one"), "churn@v0.1.0")
    second = made({"model.bin": "2"}, {}, cmd="two")
    case.save(replace(second, files={**second.files, "train.py": "second = 2\n"}), "churn@v0.2.0")
    return case


@pytest.mark.parametrize("mark", ["assume-unchanged", "skip-worktree"])
@pytest.mark.parametrize("form", [(), ("--tree",), ("--detach",)], ids=["slice", "tree", "detach"])
def test_changes_that_git_does_not_look_at(case: Case, mark: str, form: tuple[str, ...]) -> None:
    """A file marked for Git to overlook keeps what its owner wrote: refused, and named."""
    case.git("update-index", f"--{mark}", "--", "train.py")
    case.git.write("train.py", "mine = True\n")
    assert case.git("status", "--porcelain") == ""
    said = case.refused("churn", "v0.1.0", *form)
    assert "train.py" in said or form == ("--detach",)
    assert (case.path / "train.py").read_text() == "mine = True\n"
    case.run("churn", "v0.1.0", "--branch", "back")


def test_a_sparse_checkout(case: Case) -> None:
    """What is not checked out is named, by the plan too; and --branch, which needs no work tree, works."""
    case.git("sparse-checkout", "set", "--no-cone", "/*", "!/train.py")
    for more in (), ("--dry-run",):
        assert "train.py is not in the sparse checkout" in case.refused("churn", *more)
    case.run("churn", "--branch", "back")
    case.run("churn", "--detach")
    assert (case.path / "model.bin").read_text() == "1"


@pytest.mark.parametrize("mark", ["assume-unchanged", "skip-worktree"])
def test_a_card_that_git_does_not_look_at(dvc_repo: DvcRepo, modelver: Modelver, mark: str) -> None:
    """`release` does not write over what its owner added to such a card."""
    modelver("release", "churn", "--offline", cwd=dvc_repo.git)
    dvc_repo.fake_train(8)
    card = dvc_repo.path / "model_cards/churn.md"
    dvc_repo.git("update-index", f"--{mark}", "--", "model_cards/churn.md")
    card.write_text(card.read_text() + "\nMine.\n")
    assert "model_cards/churn.md" in modelver("release", "churn", "--offline", cwd=dvc_repo.git, code=3).err
    assert card.read_text().endswith("\nMine.\n")


CONVERSIONS = {
    "core.autocrlf": ("", b"first = 1\r\n", {"core.autocrlf": "true"}),
    "eol": ("*.py text eol=crlf\n", b"first = 1\r\n", {}),
    "an encoding": ("*.py text working-tree-encoding=UTF-16LE\n", "first = 1\n".encode("utf-16-le"), {}),
    "a filter": (
        "*.py filter=big\n",
        b"FIRST = 1\n",
        {"filter.big.smudge": "tr a-z A-Z", "filter.big.clean": "tr A-Z a-z"},
    ),
}


@pytest.mark.parametrize("form", [(), ("--tree",)], ids=["slice", "tree"])
@pytest.mark.parametrize("how", CONVERSIONS)
def test_files_that_git_converts(git: Git, modelver: Modelver, how: str, form: tuple[str, ...]) -> None:
    """What comes back is what `git checkout` writes (line ends, encodings, filters as LFS's), and clean to Git."""
    attributes, wanted, settings = CONVERSIONS[how]
    case = Case(git, modelver)
    first, second = (made({"model.bin": number}, {}, cmd=number) for number in "12")
    files = {**first.files, ".gitattributes": attributes}
    coding = "utf-16-le" if how == "an encoding" else "ascii"
    case.save(replace(first, files={**files, "train.py": "first = 1\n".encode(coding)}), "churn@v0.1.0")
    files |= {"dvc.yaml": second.files["dvc.yaml"], "train.py": "second = 2\n".encode(coding)}
    case.save(replace(second, files=files), "churn@v0.2.0")
    for key, value in settings.items():
        git("config", key, value)
    (case.path / "train.py").unlink()
    git("checkout", "--", "train.py")
    case.run("churn", *form)
    assert (case.path / "train.py").read_bytes() == wanted
    assert git("show", "HEAD:train.py") == "first = 1"
    assert git("status", "--porcelain") == ""
    case.run("--undo")
    assert git("status", "--porcelain") == ""
