"""Where the peers go wrong: each case is played for real, modelver keeps its promise, and docs/peers.md says so."""

from __future__ import annotations

import itertools
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from tests.reliability import peers
from tests.reliability.peers import CASES, ROOT, Row, Scene, Side, play, render_markdown, render_text, side
from tests.support import Modelver, Templates, isolated_env

PAGE = (ROOT / "docs" / "peers.md").read_text()


def _versions() -> str:
    """As the page names those that it was made with."""
    gto, dvc, dulwich = (f"{name} {version(name)}" for name in ("gto", "dvc", "dulwich"))
    git = subprocess.run(["git", "--version"], capture_output=True, text=True, check=True).stdout.split()[2]
    return f"{gto}, {dvc}, {dulwich} and git {git}"


SAME = _versions() in " ".join(PAGE.split())
"""Other versions of the peers may have learned something: then what they do is not held against the page."""
_MARKS = {True: (pytest.mark.long,), False: ()}


@pytest.mark.parametrize("name", [pytest.param(name, marks=_MARKS[one.slow]) for name, one in CASES.items()])
def test_modelver_beside_the_peer(name: str, templates: Templates, modelver: Modelver, tmp_path: Path) -> None:
    """modelver does what it promises; the documented versions of the peer do not, and both did what the page says."""
    row = play(name, templates, tmp_path / name, modelver)
    assert row.ours.ok, row
    if SAME:
        assert not row.peer.ok, f"the peer has learned it, the row can go: {row}"
        assert render_markdown([row]).splitlines()[-1] in PAGE.splitlines(), row


def test_the_page_has_every_case() -> None:
    """The documented table has the cases of the command, in its order, and each row has its three cells."""
    tokens = MarkdownIt("commonmark").enable("table").parse(PAGE)
    cells = [after.content for before, after in itertools.pairwise(tokens) if before.type == "td_open"]
    assert all(cells)
    assert len(cells) == 3 * len(CASES)
    assert cells[::3] == [one.text for one in CASES.values()]


def test_what_is_seen_decides() -> None:
    """One bad observation makes a side bad, and its words are chosen fact by fact."""
    good, bad = (True, "kept", "lost"), (False, "told", "silent")
    assert side("git push", good) == Side(True, "`git push`: kept")
    assert side("gto, dvc", good, bad) == Side(False, "`gto`, `dvc`: kept; silent")


def test_the_tables_of_a_row() -> None:
    """A bar in a word does not break the Markdown table; for a terminal it stays as it is."""
    row = Row("a|b", Side(False, "broken"), Side(True, "whole"))
    assert render_markdown([row]).splitlines()[2:] == ["| a\\|b | broken | whole |"]
    assert render_text([row]) == "a|b\n  peer      broken\n  modelver  whole\n"


def test_the_command(home: Path) -> None:
    """As a script it plays the cases that are asked for, prints the documented row, and leaves nothing behind."""
    script = str(ROOT / "tests" / "reliability" / "peers.py")
    temporary = home / "peers"
    temporary.mkdir()
    done = subprocess.run(
        [sys.executable, script, "--markdown", "half-push"],
        env=isolated_env(home) | {"TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    head, rule, *rows = done.stdout.splitlines()
    assert (head, rule) == ("| case | the peer did | modelver did |", "|---|---|---|")
    assert len(rows) == 1
    assert rows[0] in PAGE.splitlines() or not SAME
    assert list(temporary.iterdir()) == []


def test_a_broken_promise_fails_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code is 1 when modelver was seen to break its promise, whatever the peer did."""

    def broken(_: Scene) -> tuple[Side, Side]:
        return side("gto", (True, "fine", "")), side("list", (False, "", "wrong"))

    monkeypatch.setitem(peers.CASES, "broken", peers.Case("a case", False, broken))
    assert peers.main(["broken"]) == 1
    assert "modelver  `list`: wrong" in capsys.readouterr().out


def test_an_unknown_case(capsys: pytest.CaptureFixture[str]) -> None:
    """A case that does not exist is named, and nothing is played."""
    with pytest.raises(SystemExit, match="2"):
        peers.main(["nosuch"])
    assert "no such case: nosuch" in capsys.readouterr().err
