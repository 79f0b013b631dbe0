"""Every way in which a rollback could lose what nobody has saved, where a path changes sides: refused."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.bad_input.support import well_said
from tests.commands.rollback_states import Case, State
from tests.commands.test_rollback_kinds import PAIRS, linked, put
from tests.support import Git, Modelver, snapshot


@pytest.fixture
def case(git: Git, modelver: Modelver) -> Case:
    """An empty repository to put states into."""
    return Case(git, modelver)


def modes(top: Path) -> dict[str, int]:
    """Of everything in the work tree."""
    places = (place for place in top.rglob("*") if ".git" not in place.relative_to(top).parts[:1])
    return {str(place): os.lstat(place).st_mode for place in places if ".dvc" not in place.relative_to(top).parts}


def all_of(case: Case) -> tuple[dict[str, str], dict[str, int]]:
    """Refs, HEAD, index, configuration, hooks, cache, every byte and every mode."""
    found = {key: value for key, value in snapshot(case.git).items() if "modelver/" not in key}
    return found, modes(case.path)


def at(case: Case, kind: str, to: str) -> None:
    """HEAD at the other side of one of the pairs."""
    put(case, *PAIRS[kind])
    if to == "v0.2.0":
        case.back()


def overwrite(path: str) -> Callable[[Case], object]:
    """Somebody's own bytes at a path that HEAD names."""
    return lambda case: (case.path / path).write_text("mine\n")


def create(path: str) -> Callable[[Case], object]:
    """A file that no commit names."""

    def act(case: Case) -> None:
        (case.path / path).parent.mkdir(parents=True, exist_ok=True)
        (case.path / path).write_text("mine\n")

    return act


def ignored(path: str) -> Callable[[Case], object]:
    """The same, of which Git says nothing."""

    def act(case: Case) -> None:
        exclude = case.path / ".git/info/exclude"
        exclude.parent.mkdir(exist_ok=True)
        exclude.write_text(f"/{path}\n")
        create(path)(case)

    return act


def staged(path: str) -> Callable[[Case], object]:
    """Added, and changed back in the work tree."""

    def act(case: Case) -> None:
        before = (case.path / path).read_bytes() if (case.path / path).is_file() else None
        create(path)(case)
        case.git("add", "-f", "--", path)
        if before is not None:
            (case.path / path).write_bytes(before)

    return act


def replaced(path: str, make: Callable[[Path], object]) -> Callable[[Case], object]:
    """Something else than a file at the path, or where nothing was."""

    def act(case: Case) -> None:
        place = case.path / path
        if place.is_file():
            place.unlink()
        place.parent.mkdir(parents=True, exist_ok=True)
        make(place)

    return act


def folder_with_mine(place: Path) -> None:
    """A directory with somebody's file in it."""
    place.mkdir()
    (place / "mine").write_text("mine\n")


def listening(place: Path) -> None:
    """A socket."""
    with socket.socket(socket.AF_UNIX) as one:
        here = os.getcwd()
        os.chdir(place.parent)  # its path may not be long
        try:
            one.bind(place.name)
        finally:
            os.chdir(here)


@dataclass(frozen=True, slots=True)
class Dirt:
    """One state that must be refused."""

    kind: str
    to: str
    act: Callable[[Case], object]
    names: str
    """What the error says."""


MODEL, FOLDER, UP, DOWN = "a model", "a directory", "v0.2.0", "v0.1.0"
TO_FILE, FROM_FILE = "a directory of Git and a file of DVC", "a file of Git and a directory of DVC"
DVC_FOLDER = "a file and a directory of DVC"
GIT_FOLDER = "a file and a directory of Git"
DIRT = {
    "Git's file changed, DVC's comes": Dirt(MODEL, UP, overwrite("model.bin"), "model.bin"),
    "Git's file staged, DVC's comes": Dirt(MODEL, UP, staged("model.bin"), "model.bin"),
    "DVC's output unsaved, Git's comes": Dirt(MODEL, DOWN, overwrite("model.bin"), "model.bin"),
    "DVC's output staged, Git's comes": Dirt(MODEL, DOWN, staged("model.bin"), "model.bin"),
    "a folder where Git's file comes": Dirt(MODEL, DOWN, replaced("model.bin", folder_with_mine), "model.bin"),
    "a folder where DVC's file comes": Dirt(MODEL, UP, replaced("model.bin", folder_with_mine), "model.bin"),
    "a link where DVC's file comes": Dirt(MODEL, UP, replaced("model.bin", lambda p: p.symlink_to("x")), "model.bin"),
    "a link where Git's file comes": Dirt(MODEL, DOWN, replaced("model.bin", lambda p: p.symlink_to("x")), "model.bin"),
    "a pipe where Git's file comes": Dirt(MODEL, DOWN, replaced("model.bin", os.mkfifo), "model.bin"),
    "a socket where DVC's file comes": Dirt(MODEL, UP, replaced("model.bin", listening), "model.bin"),
    "metrics of Git changed": Dirt("metrics", UP, overwrite("m.json"), "m.json"),
    "metrics of DVC unsaved": Dirt("metrics", DOWN, overwrite("m.json"), "m.json"),
    "untracked where DVC's file comes": Dirt(FOLDER, UP, create("plots/new/c.txt"), "plots/new/c.txt"),
    "ignored where DVC's file comes": Dirt(FOLDER, UP, ignored("plots/new/c.txt"), "plots/new/c.txt"),
    "untracked where Git's file comes": Dirt(FOLDER, DOWN, create("plots/deep/b.txt"), "plots/deep/b.txt"),
    "ignored where Git's file comes": Dirt(FOLDER, DOWN, ignored("plots/deep/b.txt"), "plots/deep/b.txt"),
    "untracked where DVC's folder comes": Dirt(FOLDER, UP, create("plots/new"), "plots/new"),
    "a link where DVC's folder comes": Dirt(FOLDER, UP, replaced("plots/new", lambda p: p.symlink_to("..")), "plots"),
    "untracked in a folder that becomes DVC's": Dirt(FOLDER, UP, create("plots/deep/mine"), "plots/deep/mine"),
    "an editor's swap file in it": Dirt(FOLDER, UP, create("plots/.a.txt.swp"), "plots/.a.txt.swp"),
    "an editor's backup in it": Dirt(FOLDER, DOWN, create("plots/a.txt~"), "plots/a.txt~"),
    "untracked in a folder that becomes a file": Dirt(TO_FILE, UP, create("plots/mine"), "plots/mine"),
    "ignored in a folder that becomes a file": Dirt(TO_FILE, UP, ignored("plots/mine"), "plots/mine"),
    "deep in a folder that becomes a file": Dirt(TO_FILE, UP, ignored("plots/x/y/z"), "plots"),
    "a swap file in a folder that becomes a file": Dirt(TO_FILE, UP, ignored("plots/.a.txt.swp"), "plots/.a.txt.swp"),
    "changed in a folder that becomes a file": Dirt(TO_FILE, UP, overwrite("plots/a.txt"), "plots/a.txt"),
    "a file that becomes a folder unsaved": Dirt(TO_FILE, DOWN, overwrite("plots"), "plots"),
    "a file of Git that becomes a folder": Dirt(FROM_FILE, UP, overwrite("plots"), "plots"),
    "untracked in DVC's folder that becomes Git's file": Dirt(FROM_FILE, DOWN, create("plots/mine"), "plots/mine"),
    "ignored in DVC's folder that becomes Git's file": Dirt(FROM_FILE, DOWN, ignored("plots/mine"), "plots/mine"),
    "unsaved in DVC's folder that becomes Git's file": Dirt(
        FROM_FILE, DOWN, overwrite("plots/new/c.txt"), "plots/new/c.txt"
    ),
    "ignored in Git's folder that becomes Git's file": Dirt(GIT_FOLDER, DOWN, ignored("plots/mine"), "plots/mine"),
    "changed in Git's folder that becomes Git's file": Dirt(GIT_FOLDER, DOWN, overwrite("plots/a.txt"), "plots/a.txt"),
    "untracked in DVC's folder that becomes DVC's file": Dirt(DVC_FOLDER, DOWN, create("plots/mine"), "plots/mine"),
    "unsaved in DVC's folder that becomes DVC's file": Dirt(DVC_FOLDER, DOWN, overwrite("plots/a.txt"), "plots/a.txt"),
    "DVC's file that becomes DVC's folder unsaved": Dirt(DVC_FOLDER, UP, overwrite("plots"), "plots"),
}
FORMS = {"slice": (), "tree": ("--tree",), "detach": ("--detach",)}
FAST = ("slice",)


@pytest.mark.parametrize(
    "form", [pytest.param(name, marks=() if name in FAST else pytest.mark.long) for name in FORMS], ids=list(FORMS)
)
@pytest.mark.parametrize("what", DIRT)
def test_what_nobody_saved_is_never_lost(case: Case, what: str, form: str) -> None:
    """Refused with 3, the file named, and not a byte, mode, ref or index entry is another; planning says the same."""
    dirt = DIRT[what]
    at(case, dirt.kind, dirt.to)
    dirt.act(case)
    before = all_of(case)
    said = well_said(case.run("churn", dirt.to, *FORMS[form], code=3))
    assert dirt.names in said.err, said
    assert all_of(case) == before
    well_said(case.run("churn", dirt.to, *FORMS[form], "--dry-run", code=3))
    assert all_of(case) == before


@pytest.mark.parametrize("what", ["came", "turned", "was a file", "was a directory"])
def test_dirt_where_links_come_and_go(case: Case, what: str) -> None:
    """A link that somebody pointed elsewhere, or put where a file comes, stays."""
    then, now = LINKED[what]
    put(case, then, now)
    place = case.path / "src/l.py"
    if os.path.lexists(place):
        place.unlink()
    place.symlink_to("mine")
    before = all_of(case)
    well_said(case.run("churn", "v0.1.0", code=3))
    assert all_of(case) == before


LINKED: dict[str, tuple[State, State]] = {
    "came": (linked({}, {}, cmd="one"), linked({"src/l.py": "a.py"}, {}, cmd="two")),
    "turned": (linked({"src/l.py": "a.py"}, {}, cmd="one"), linked({"src/l.py": "b.py"}, {}, cmd="two")),
    "was a file": (linked({}, {"src/l.py": "x"}, cmd="one"), linked({"src/l.py": "a.py"}, {}, cmd="two")),
    "was a directory": (linked({}, {"src/l.py/x": "x"}, cmd="one"), linked({}, {}, cmd="two")),
}


@pytest.mark.parametrize("name", [".a.txt.swp", "4913", "a.txt~", ".#a.txt", "#a.txt#"])
def test_an_open_editor_keeps_its_files(case: Case, name: str) -> None:
    """Beside files of Git's that change, what an editor has put there stays, byte for byte."""
    at(case, FOLDER, UP)
    (case.path / name).write_text("an editor's\n")
    case.run("churn", UP)
    assert (case.path / name).read_text() == "an editor's\n"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize(("kind", "to", "folder"), [(FOLDER, UP, "plots"), (FOLDER, DOWN, "plots"), (MODEL, DOWN, ".")])
def test_a_folder_that_is_read_only(case: Case, kind: str, to: str, folder: str) -> None:
    """The environment does not allow it (6), and everything is put back."""
    at(case, kind, to)
    place = case.path / folder
    place.chmod(0o555)
    try:
        before = all_of(case)
        well_said(case.run("churn", to, code=6))
        assert all_of(case) == before
    finally:
        place.chmod(0o755)
