"""The checks themselves: a sound repository passes them, and each kind of harm is seen."""

from __future__ import annotations

import pytest

from tests.bad_input.support import edit
from tests.hostile.support import Box, attack, check_answer
from tests.support import Result


def test_a_sound_repository_passes(box: Box) -> None:
    """Without an attack every command does what it says, so that a failure elsewhere is the attack's."""
    edit(box.repo.path / ".dvc" / "config", "../../store", str(box.repo.store))
    box.git.commit("A remote that is found from everywhere")
    report = attack(box)
    codes = {name: result.code for name, result in report.results.items() if result.code}
    assert codes == {}
    assert (box.top / "got" / "by-url").read_bytes() == box.repo.model.read_bytes()
    assert "git" in report.started


def test_an_executed_hook_is_seen(box: Box) -> None:
    """What runs through git's children is seen, by its canary and by its name."""
    box.program(box.repo.path / ".git" / "hooks" / "reference-transaction")
    box.repo.fake_train(9)
    with pytest.raises(AssertionError, match="executed"):
        attack(box)


@pytest.mark.parametrize(
    "result",
    [
        Result(("list",), 70, "", "error: x\nhint: y\n"),
        Result(("list",), 2, "", "error: x\n"),
        Result(("list",), 0, "\x1b[2J", ""),
        Result(("list",), 0, "a\u202eb", ""),
        Result(("list",), 0, "", "Traceback (most recent call last):\n"),
        Result(("list",), 0, "hunter2swordfish", ""),
        Result(("list", "--json"), 0, "{", ""),
    ],
    ids=["bug", "no hint", "escape", "bidi", "traceback", "secret", "no JSON"],
)
def test_a_bad_answer_is_seen(result: Result) -> None:
    """Every rule for answers can fail."""
    with pytest.raises(AssertionError):
        check_answer(result)
