"""Wrong command lines: the fact names what was written, the hint can be typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import Git, Modelver


@pytest.mark.parametrize(
    ("words", "fact", "hint"),
    [
        ("card chek", "there is no command card chek", "did you mean check?"),
        ("pipeline frobnicate", "there is no command pipeline frobnicate", "modelver pipeline --help lists them"),
        ("pipeline add", "Missing argument 'KIND'", "modelver pipeline add --help"),
        ("-q hooks install --foo", "No such option: --foo", "modelver hooks install --help"),
        ("-C list show --foo", "No such option: --foo", "modelver show --help"),
    ],
)
def test_wrong_subcommands(plain_repo: Git, modelver: Modelver, words: str, fact: str, hint: str) -> None:
    """A command of two words is named, and helped with, by both of them."""
    said = modelver(*words.split(), cwd=plain_repo, code=2)
    assert said.err.splitlines() == [f"error: {fact}", f"hint: {hint}"]
    assert said.out == ""


@pytest.mark.parametrize(
    "words", ["-C {} hooks status --json", "hooks -C {} --json status", "hooks --json status -C {}"]
)
def test_common_options_stand_anywhere(plain_repo: Git, modelver: Modelver, words: str) -> None:
    """`-C` and the others may stand before, between and behind the two words of a command."""
    args = words.format(plain_repo.path).split()
    assert modelver(*args, cwd=plain_repo.path.parent).json["schema"] == 1


def test_the_words_of_another_command_are_its_own(plain_repo: Git, modelver: Modelver) -> None:
    """`--json` behind `--` does not ask modelver for JSON."""
    assert modelver("run", "--", "no-such-program", "--json", cwd=plain_repo, code=2).out == ""


def test_where_there_is_nothing_yet(git: Git, modelver: Modelver, tmp_path: Path) -> None:
    """Outside of a repository the directory is named in full; without a commit the next step is one."""
    where = tmp_path / "nowhere"
    where.mkdir()
    assert f"error: {where} is in no Git repository" in modelver("list", cwd=where, code=6).err
    git.path = tmp_path / "empty"
    git.init()
    assert "hint: git commit\n" in modelver("rollback", "churn", cwd=git, code=6).err
