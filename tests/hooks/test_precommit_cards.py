"""`modelver-card` and `modelver-card-update`: the staged card against the staged files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
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

    monkeypatch.setattr("dvc_modelver.cli.cardhooks.check", never)
    monkeypatch.setattr("dvc_modelver.cli.cardhooks.update", never)
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


def no_update(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on an update that is begun is a failure."""

    def never(*_: object, **__: object) -> None:
        raise AssertionError("begun")

    monkeypatch.setattr("dvc_modelver.commands.cards.update.update_cards", never)


def age(repo: DvcRepo) -> None:
    """Let the directories of DVC's cache be of yesterday."""
    for folder, _, _ in os.walk(repo.path / ".dvc" / "cache"):
        os.utime(folder, (1_700_000_000, 1_700_000_000))


def test_an_update_that_had_nothing_to_do_is_not_begun_again(carded: DvcRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second commit of the same files looks and goes on; one of other params begins anew."""
    age(carded)
    assert hook(carded.git, "card-update") == (0, "")
    with monkeypatch.context() as patched:
        no_update(patched)
        assert hook(carded.git, "card-update") == (0, "")
    set_depth(carded, 9)
    carded.git("add", "params.yaml")
    assert hook(carded.git, "card-update")[0] == 1


def bytes_come(repo: DvcRepo) -> None:
    (repo.path / ".dvc" / "cache" / "files" / "md5" / "0a").mkdir(parents=True)
    age(repo)


def a_picture_comes(repo: DvcRepo) -> None:
    repo.git.write("model_cards/churn-plot.svg", "<svg/>")


def the_card_changes(repo: DvcRepo) -> None:
    place = repo.path / CARD
    place.write_text(place.read_text() + "\nA word of ours.\n")


def the_cache_moves(repo: DvcRepo) -> None:
    repo.git.write(".dvc/config.local", f"[cache]\n    dir = {repo.path}/elsewhere\n")


def deeper(repo: DvcRepo) -> None:
    set_depth(repo, 9)


@pytest.mark.parametrize("change", [bytes_come, a_picture_comes, the_card_changes, the_cache_moves, deeper])
def test_whatever_an_update_looks_at_begins_it_again(
    carded: DvcRepo, modelver: Modelver, monkeypatch: pytest.MonkeyPatch, change: Callable[[DvcRepo], None]
) -> None:
    """Bytes, pictures, words, settings and files may each give an update work, also when a check has seen them."""
    age(carded)
    hook(carded.git, "card-update")
    no_update(monkeypatch)
    assert hook(carded.git, "card-update") == (0, "")
    change(carded)
    modelver("card", "check", cwd=carded.git, code=None)
    with pytest.raises(AssertionError, match="begun"):
        hook(carded.git, "card-update")
    (carded.path / ".dvc" / "config.local").unlink(missing_ok=True)


def test_a_cache_that_changed_a_moment_ago_is_not_believed(carded: DvcRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two changes within one tick of the clock look like one: nothing is remembered then."""
    (carded.path / ".dvc" / "cache" / "files" / "md5" / "0b").mkdir(parents=True)
    hook(carded.git, "card-update")
    no_update(monkeypatch)
    with pytest.raises(AssertionError, match="begun"):
        hook(carded.git, "card-update")


def edited(repo: DvcRepo) -> None:
    place = repo.path / CARD
    place.write_text(place.read_text().replace("depth", "deepness"))


def removed(repo: DvcRepo) -> None:
    (repo.path / CARD).unlink()


def linked(repo: DvcRepo) -> None:
    (repo.path / CARD).unlink()
    (repo.path / CARD).symlink_to("../README.md")


def configured(repo: DvcRepo) -> None:
    repo.git.write(".modelver.yaml", 'cards: {path: "cards/{name}.md"}\n')


@pytest.mark.parametrize("change", [deeper, edited, removed, linked, configured])
def test_the_index_is_judged_as_its_commit_would_be(
    carded: DvcRepo, modelver: Modelver, change: Callable[[DvcRepo], None]
) -> None:
    """Checked before the commit and by `card check` after it, the same is wrong in the same words."""
    change(carded)
    carded.git("add", "-A")
    memory = carded.path / ".git" / "modelver" / "cache" / "checks"
    shutil.rmtree(memory, ignore_errors=True)
    code, said = hook(carded.git, "card")
    shutil.rmtree(memory)  # neither is to believe the other
    answer = modelver("card", "check", "--json", cwd=carded.git, code=None)
    (card,) = answer.json["cards"]
    found = [(row, "") for row in card["problems"]] + [(row, "note: ") for row in card["notes"]]
    places = [f"{card['path']}:{row['line']}" if row["line"] is not None else card["path"] for row, _ in found]
    expected = [f"{note}{place}: {row['problem']}" for place, (row, note) in zip(places, found, strict=True)]
    assert (code, said.splitlines()[::2]) == (answer.code, expected)


def test_no_second_python_and_no_command_line(carded: DvcRepo) -> None:
    """Both hooks start git alone, and load neither typer nor what only other commands need."""
    set_depth(carded, 9)
    carded.git("add", "params.yaml")
    script = (
        "import sys\n"
        "sys.addaudithook(lambda event, args: event == 'subprocess.Popen' and print('started', args[0]))\n"
        "from dvc_modelver.__main__ import for_git\n"
        "for_git(['git-hook', sys.argv[1]])\n"
        "print('loaded', *sorted({'typer', 'dvc', 'pandas', 'numpy', 'rich'} & set(sys.modules)))\n"
    )
    for name in ("card", "card-update"):
        done = subprocess.run(
            [sys.executable, "-c", script, name], cwd=carded.path, env=carded.git.env, capture_output=True, text=True
        )
        lines = done.stdout.splitlines()
        started = {Path(line.removeprefix("started ")).name for line in lines if line.startswith("started ")}
        assert (started, lines[-1], "block params" in done.stderr or "brought" in done.stderr) == (
            {"git"},
            "loaded",
            True,
        ), done.stderr
