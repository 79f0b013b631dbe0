"""`rollback` across changes of kind: Git or DVC, file or directory or symbolic link, executable or not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dvc_modelver.gitio.journal import Journal, write_journal
from dvc_modelver.gitio.leftovers import OLD_SECONDS
from dvc_modelver.gitio.lock import writing
from tests.commands.rollback_states import Case, Run, State
from tests.commands.test_rollback_cases import CODE, stages
from tests.reliability.tools import KILLED, Server, fsck, journal, litter, state
from tests.support import Git, Modelver, isolated_env
from tests.support.repos import run_dvc

STEP = int(os.environ.get("KILL_STEP", "1"))


@pytest.fixture
def case(git: Git, modelver: Modelver) -> Case:
    """An empty repository to put states into."""
    return Case(git, modelver)


def made(dvc: dict[str, str], git: dict[str, str], *, cmd: str, at_dvc: tuple[str, ...] = (), **more: str) -> State:
    """One stage that writes what DVC keeps, and what Git keeps; of both, whole directories by their names."""
    tops = tuple(dict.fromkeys(path.split("/")[0] for path in git))
    run = Run(name="train", deps=("train.py",), outs=dvc, folders=at_dvc, in_git=tops, cmd=cmd)
    return stages(run, files={**CODE, **git, **more})


def plain(text: str) -> State:
    """A model that nobody makes, a file of Git."""
    return State(files={"dvc.yaml": "artifacts:\n  churn:\n    path: model.bin\n    type: model\n", "model.bin": text})


def added(text: str) -> State:
    """The same as a `.dvc` file tracks it."""
    return replace(State(files={"dvc.yaml": plain("").files["dvc.yaml"]}), added={"model.bin": text})


FOLDER = {"plots/a.txt": "a", "plots/deep/b.txt": "b"}
PAIRS: dict[str, tuple[State, State]] = {
    "a model": (
        made({}, {"model.bin": "1"}, cmd="one"),
        made({"model.bin": "2"}, {}, cmd="two"),
    ),
    "a model with the same bytes": (
        made({}, {"model.bin": "1"}, cmd="one"),
        made({"model.bin": "1"}, {}, cmd="two"),
    ),
    "a plain file": (plain("1"), added("2")),
    "metrics": (
        made({"model.bin": "1"}, {"m.json": "1\n"}, cmd="one"),
        made({"model.bin": "2", "m.json": "2\n"}, {}, cmd="two"),
    ),
    "both at once": (
        made({"m.json": "1\n"}, {"model.bin": "1"}, cmd="one"),
        made({"model.bin": "2"}, {"m.json": "2\n"}, cmd="two"),
    ),
    "a directory": (
        made({"model.bin": "1"}, FOLDER, cmd="one"),
        made({"model.bin": "2", "plots/a.txt": "A", "plots/new/c.txt": "c"}, {}, cmd="two", at_dvc=("plots",)),
    ),
    "a directory of Git and a file of DVC": (
        made({"model.bin": "1"}, FOLDER, cmd="one"),
        made({"model.bin": "2", "plots": "one file"}, {}, cmd="two"),
    ),
    "a file of Git and a directory of DVC": (
        made({"model.bin": "1"}, {"plots": "one file"}, cmd="one"),
        made({"model.bin": "2", "plots/a.txt": "A", "plots/new/c.txt": "c"}, {}, cmd="two", at_dvc=("plots",)),
    ),
    "a file and a directory of Git": (
        made({"model.bin": "1"}, {"plots": "one file"}, cmd="one"),
        made({"model.bin": "2"}, FOLDER, cmd="two"),
    ),
    "a file and a directory of DVC": (
        made({"model.bin": "1", "plots": "one file"}, {}, cmd="one"),
        made({"model.bin": "2", "plots/a.txt": "A", "plots/new/c.txt": "c"}, {}, cmd="two", at_dvc=("plots",)),
    ),
}
"""The state of v0.1.0, and of v0.2.0."""


def put(case: Case, then: State, now: State) -> Case:
    """v0.1.0 and v0.2.0."""
    case.save(then, "churn@v0.1.0")
    case.save(now, "churn@v0.2.0")
    return case


def whole(case: Case) -> dict[str, str]:
    """Every file of the work tree, but for what is in `.git` and `.dvc`."""
    found = {}
    for place in sorted(case.path.rglob("*")):
        path = place.relative_to(case.path)
        if path.parts[0] not in (".git", ".dvc") and (place.is_symlink() or place.is_file()):
            found[str(path)] = f"-> {os.readlink(place)}" if place.is_symlink() else place.read_text()
        elif path.parts[0] not in (".git", ".dvc"):
            found[str(path)] = "/"
    return found


# Git at one side, DVC at the other --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", PAIRS)
def test_back_and_forth(case: Case, kind: str) -> None:
    """The same commits and the same work tree each time: bytes, `.gitignore`, and no empty directory left."""
    then, now = PAIRS[kind]
    case.save(then, "churn@v0.1.0")
    first = whole(case), case.git("rev-parse", "HEAD^{tree}")
    case.save(now, "churn@v0.2.0")
    second = whole(case), case.git("rev-parse", "HEAD^{tree}")
    for version, seen in (("v0.1.0", first), ("v0.2.0", second), ("v0.1.0", first)):
        case.back("churn", version)
        assert (whole(case), case.git("rev-parse", "HEAD^{tree}")) == seen


def test_dvc_status_is_clean(tmp_path: Path, home: Path, modelver: Modelver) -> None:
    """Real dvc finds nothing changed at either side of any of these, and checks out nothing either."""
    cases = [put(Case(Git(tmp_path / str(at), home).init(), modelver), *pair) for at, pair in enumerate(PAIRS.values())]
    for version in ("v0.1.0", "v0.2.0"):
        for case in cases:
            case.back("churn", version)
        asked = [["--cd", str(case.path), "status", "--json"] for case in cases]
        assert run_dvc(cases[0].git, *asked).split() == ["{}"] * len(cases)


@pytest.mark.parametrize("kind", ["a model", "a directory", "a file of Git and a directory of DVC", "both at once"])
@pytest.mark.parametrize("words", [("--tree",), ("--detach",)])
def test_the_other_forms(case: Case, kind: str, words: tuple[str, ...]) -> None:
    """The whole tree, and the tag itself."""
    then, now = PAIRS[kind]
    case.save(then, "churn@v0.1.0")
    first = whole(case)
    case.save(now, "churn@v0.2.0")
    second = whole(case)
    case.back("churn", "v0.1.0", *words)
    assert whole(case) == first
    if words == ("--tree",):
        case.run("--undo")
    else:
        case.back("churn", "v0.2.0", *words)
    assert whole(case) == second


def test_on_a_branch(case: Case) -> None:
    """The work tree stays; the commit is what it would have been."""
    put(case, *PAIRS["a directory"])
    before = whole(case)
    case.run("churn", "v0.1.0", "--branch", "back")
    assert whole(case) == before
    case.back()
    assert case.git("rev-parse", "HEAD^{tree}") == case.git("rev-parse", "back^{tree}")


def test_the_model_alone(case: Case) -> None:
    """A `.dvc` file that comes takes the path from Git; what a pipeline stage's definition decides is refused."""
    put(case, added("1"), plain("2"))
    case.back("churn", "v0.1.0", "--model-only")
    assert case.git("ls-files") == ".dvc/.gitignore\n.dvc/config\n.gitignore\ndvc.yaml\nmodel.bin.dvc"
    assert (case.path / "model.bin").read_text() == "1"


def test_the_definition_decides(case: Case) -> None:
    """The lock entry alone cannot take a path from DVC to Git."""
    put(case, *PAIRS["a model"])
    assert "by Git and by DVC" in case.refused("churn", "v0.1.0", "--model-only")


@pytest.mark.parametrize(
    ("kind", "to", "path"),
    [
        ("a model", "v0.1.0", "model.bin"),
        ("a model", "v0.2.0", "model.bin"),
        ("a directory", "v0.1.0", "plots/a.txt"),
        ("a directory", "v0.1.0", "plots/mine.txt"),
        ("a directory", "v0.2.0", "plots/a.txt"),
        ("a directory", "v0.2.0", "plots/mine.txt"),
        ("a directory of Git and a file of DVC", "v0.2.0", "plots/mine.txt"),
        ("a file and a directory of Git", "v0.1.0", "plots/mine.txt"),
    ],
)
def test_nothing_unsaved_is_lost(case: Case, kind: str, to: str, path: str) -> None:
    """Changed, or untracked, at a path that changes sides: refused, and not a byte is touched."""
    put(case, *PAIRS[kind])
    if to == "v0.2.0":
        case.back()
    (case.path / path).write_text("mine\n")
    before = whole(case)
    case.refused("churn", to)
    assert whole(case) == before


def test_a_path_that_the_rest_of_the_project_needs(case: Case) -> None:
    """Git's file at the path goes though no pipeline stage of the model names it; another model's is refused."""
    then = made({"model.bin": "1", "report.txt": "r"}, {}, cmd="one")
    now = made({"model.bin": "2"}, {}, cmd="two", **{"report.txt": "by hand\n"})
    put(case, then, now)
    case.back()
    assert (case.path / "report.txt").read_text() == "r"


# Symbolic links ---------------------------------------------------------------------------------------------------


def linked(links: dict[str, str], files: dict[str, str], *, cmd: str) -> State:
    """A model whose code is the directory `src`, with links in it."""
    run = Run(name="train", deps=("src",), outs={"model.bin": cmd}, cmd=cmd)
    state = stages(run, files={"src/a.py": "a\n", **files})
    return replace(state, links=links)


LINKS: dict[str, tuple[State, State]] = {
    "came": (linked({}, {}, cmd="one"), linked({"src/l.py": "a.py"}, {}, cmd="two")),
    "turned": (
        linked({"src/l.py": "a.py"}, {"src/b.py": "1"}, cmd="one"),
        linked({"src/l.py": "b.py"}, {"src/b.py": "2"}, cmd="two"),
    ),
    "was a file": (linked({}, {"src/l.py": "a.py"}, cmd="one"), linked({"src/l.py": "a.py"}, {}, cmd="two")),
    "was a directory": (linked({}, {"src/d/x.py": "x"}, cmd="one"), linked({"src/d": ".."}, {}, cmd="two")),
    "leads out": (linked({}, {}, cmd="one"), linked({"src/l.py": "../../outside"}, {}, cmd="two")),
    "leads nowhere": (linked({"src/l.py": "nowhere"}, {}, cmd="one"), linked({}, {}, cmd="two")),
    "stays": (
        linked({"src/l.py": "a.py", "src/deep/m": "../.."}, {"src/b.py": "1"}, cmd="one"),
        linked({"src/l.py": "a.py", "src/deep/m": "../.."}, {"src/b.py": "2"}, cmd="two"),
    ),
}


@pytest.mark.parametrize("words", [(), ("--tree",)])
@pytest.mark.parametrize("kind", LINKS)
def test_links(case: Case, kind: str, words: tuple[str, ...]) -> None:
    """Links among the code are what Git has, back and forth; what they point to is never touched."""
    outside = case.path.parent / "outside"
    outside.write_text("not ours\n")
    then, now = LINKS[kind]
    case.save(then, "churn@v0.1.0")
    first = whole(case)
    case.save(now, "churn@v0.2.0")
    second = whole(case), case.git("rev-parse", "HEAD^{tree}")
    case.back("churn", "v0.1.0", *words)
    assert whole(case) == first
    assert case.git("rev-parse", "HEAD^{tree}") == case.git("rev-parse", "churn@v0.1.0^{tree}")
    case.back("churn", "v0.2.0", *words)
    assert (whole(case), case.git("rev-parse", "HEAD^{tree}")) == second
    assert outside.read_text() == "not ours\n"


@pytest.mark.parametrize("words", [(), ("--tree",), ("--detach",)])
def test_untracked_content_where_a_link_comes(case: Case, words: tuple[str, ...]) -> None:
    """Neither a file nor a directory with something in it gives way to a link."""
    put(case, LINKS["leads nowhere"][0], LINKS["leads nowhere"][1])
    (case.path / "src/l.py").write_text("mine\n")
    assert "src/l.py" in case.refused("churn", "v0.1.0", *words)
    (case.path / "src/l.py").unlink()
    (case.path / "src/l.py").mkdir()
    (case.path / "src/l.py/mine").write_text("mine\n")
    assert "src/l.py" in case.refused("churn", "v0.1.0", *words)


def test_nothing_is_written_through_a_link(case: Case, tmp_path: Path) -> None:
    """A directory that somebody has made a link since: refused, and what it points to is as it was."""
    then = linked({}, {"src/d/x.py": "1"}, cmd="one")
    put(case, then, linked({}, {}, cmd="two"))
    (tmp_path / "elsewhere").mkdir()
    (case.path / "src/d").symlink_to(tmp_path / "elsewhere")
    assert "src/d" in case.refused("churn", "v0.1.0")
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_submodule_is_refused(case: Case) -> None:
    """Its commit is not ours to check out."""
    case.save(linked({}, {}, cmd="one"), "churn@v0.1.0")
    case.save(linked({}, {}, cmd="two"))
    case.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},src/sub")
    case.git("commit", "-q", "-m", "Submodule")
    case.git.tag("churn@v0.2.0")
    (case.path / "src/sub").mkdir()
    assert "submodule" in case.refused("churn", "v0.1.0", "--tree")


# What can be run, and what is left empty --------------------------------------------------------------------------


def runnable(case: Case, text: str, *, runs: bool) -> None:
    """A model that a `.dvc` file tracks, with what DVC writes of its mode."""
    case.save(added(text))
    file = case.path / "model.bin.dvc"
    if runs:
        file.write_text(file.read_text().replace("  hash: md5\n", "  isexec: true\n  hash: md5\n"))
    case.git.commit("Mode")


def is_executable(case: Case) -> bool:
    """The model in the work tree."""
    return os.access(case.path / "model.bin", os.X_OK)


@pytest.mark.parametrize("text", ["2", "1"])
def test_an_output_that_can_be_run(case: Case, text: str) -> None:
    """DVC's `isexec` comes and goes with the version, also when the bytes are the same; the cache keeps its mode."""
    runnable(case, "1", runs=True)
    case.git.tag("churn@v0.1.0")
    runnable(case, text, runs=False)
    case.git.tag("churn@v0.2.0")
    modes = {path: path.stat().st_mode for path in case.cache.rglob("*")}
    case.back()
    assert is_executable(case)
    case.back("churn", "v0.2.0")
    assert is_executable(case) == (text == "1")
    assert {path: path.stat().st_mode for path in case.cache.rglob("*")} == modes


@pytest.mark.parametrize("kind", ["hardlink", "symlink"])
def test_the_mode_of_a_shared_object_stays(case: Case, kind: str) -> None:
    """Where the work tree shares the cache's file, `isexec` does not change it."""
    runnable(case, "1", runs=True)
    case.git.tag("churn@v0.1.0")
    runnable(case, "2", runs=False)
    case.git.tag("churn@v0.2.0")
    (case.path / ".dvc/config.local").write_text(f"[cache]\n    type = {kind}\n")
    case.back()
    assert not is_executable(case)
    assert not [path for path in case.cache.rglob("*") if path.is_file() and path.stat().st_mode & 0o111]


def test_dvc_says_the_same_of_modes(tmp_path: Path, home: Path, modelver: Modelver) -> None:
    """What real `dvc add` notes of an executable file is what comes back."""
    case = Case(Git(tmp_path / "repo", home).init(), modelver)
    case.save(plain("x"))
    case.git("rm", "-q", "--cached", "model.bin")
    for version, mode in (("v0.1.0", 0o755), ("v0.2.0", 0o644)):
        (case.path / "model.bin").unlink(missing_ok=True)
        (case.path / "model.bin").write_text(version)
        (case.path / "model.bin").chmod(mode)
        run_dvc(case.git, ["add", "-q", "model.bin"])
        case.git.commit("Model")
        case.git.tag(f"churn@{version}")
    assert "isexec: true" in case.show("model.bin.dvc", "churn@v0.1.0")
    case.back()
    assert is_executable(case)
    case.back("churn", "v0.2.0")
    assert not is_executable(case)


@pytest.mark.parametrize("form", [(), ("--tree",)])
def test_empty_directories_go(case: Case, form: tuple[str, ...]) -> None:
    """A directory that a rollback empties goes with it; one that holds anything else stays."""
    then = made({"model.bin": "1"}, {}, cmd="one")
    run = Run(name="train", deps=("new/deep/x.py", "kept/y.py"), outs={"new/out/m": "m", "model.bin": "2"}, cmd="two")
    now = stages(run, files={"new/deep/x.py": "x", "kept/y.py": "y", **CODE})
    put(case, then, now)
    (case.path / "kept/notes.txt").write_text("mine\n")
    case.run("churn", "v0.1.0", *form)
    assert not (case.path / "new").exists()
    assert os.listdir(case.path / "kept") == ["notes.txt"]


# Kills ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[Server]:
    """A process that forks a command."""
    one = Server(isolated_env(home))
    yield one
    one.close()


class Killed:
    """A rollback that is killed, again and again, from the same start."""

    def __init__(self, case: Case, server: Server, folder: Path, version: str, *words: str) -> None:
        self._case, self._server, self._folder = case, server, folder
        self._argv = ("rollback", "churn", version, *words)
        subprocess.run(["cp", "-a", case.path, folder], check=True)
        self.old = self._now()
        answer = server(case.git, *self._argv, kill=0)
        self.places = int(answer.count)
        self.new = self._now()
        assert self.old != self.new
        self.rewind()

    def _now(self) -> dict[str, str]:
        return state(self._case.git)

    def rewind(self) -> None:
        """From the start again."""
        shutil.rmtree(self._case.path)
        subprocess.run(["cp", "-a", self._folder / self._case.path.name, self._case.path.parent], check=True)

    def at(self, place: int) -> None:
        """What must hold after a kill there."""
        git, where = self._case.git, f"killed at change {place} of {self.places}"
        code = self._server(git, *self._argv, kill=place, code=None).code
        if code == 0:  # what a cache remembers need not be written again, so fewer changes are made: it ended first
            assert place > self.places // 2, where
            assert self._now() == self.new, f"{where}: {differs(self.new, self._now())}"
            self.rewind()
            return
        assert code == KILLED, where
        if place % 2:
            assert self._server(git, "doctor", "--recover", code=None).code in (0, 1), where
            assert self._now() in (self.old, self.new), f"{where}: {differs(self.old, self._now())}"
        again = self._server(git, *self._argv, code=None)
        assert again.code == 0, f"{where}: {again}"
        assert self._now() == self.new, f"{where}: {differs(self.new, self._now())}"
        assert (litter(git), journal(git), list(self._case.path.rglob("*.modelver-put"))) == ([], False, []), where
        fsck(git)
        self.rewind()


def differs(one: dict[str, str], other: dict[str, str]) -> dict[str, tuple[str | None, str | None]]:
    """For the words of a failure."""
    return {key: (one.get(key), other.get(key)) for key in {*one, *other} if one.get(key) != other.get(key)}


def killed(case: Case, server: Server, folder: Path, kind: str, to: str, *words: str) -> Killed:
    """The rollback of one of the pairs, in one of its directions."""
    put(case, *PAIRS[kind])
    if to == "v0.2.0":
        case.back()
    return Killed(case, server, folder, to, *words)


@pytest.mark.long
@pytest.mark.parametrize("words", [(), ("--tree",), ("--detach",)])
@pytest.mark.parametrize("to", ["v0.1.0", "v0.2.0"])
@pytest.mark.parametrize("kind", PAIRS)
def test_killed_anywhere(
    case: Case, server: Server, tmp_path: Path, kind: str, to: str, words: tuple[str, ...]
) -> None:
    """At every change by Python: the old state or the new one, and the same command again converges.

    With KILL_STEP=N at every N-th, which differ from kind to kind.
    """
    (tmp_path / "start").mkdir()
    play = killed(case, server, tmp_path / "start", kind, to, *words)
    first = zlib.crc32(repr((kind, to, words)).encode()) % STEP + 1
    for place in range(first, play.places + 1, STEP):
        play.at(place)


@pytest.mark.parametrize(("kind", "to"), [("both at once", "v0.1.0"), ("a directory", "v0.2.0")])
def test_killed_at_some_places(case: Case, server: Server, tmp_path: Path, kind: str, to: str) -> None:
    """As `test_killed_anywhere`, from the middle on at every fifth place."""
    (tmp_path / "start").mkdir()
    play = killed(case, server, tmp_path / "start", kind, to)
    for place in range(play.places // 2, play.places + 1, 5):
        play.at(place)


# What a kill leaves elsewhere ---------------------------------------------------------------------------------------


def gone_process() -> int:
    """The id of a process that has ended."""
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


def test_leftovers_are_swept(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next command that writes removes what processes that are gone have left, and nothing else."""
    put(case, *PAIRS["a plain file"])
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    process = gone_process()
    old, young = time.time() - 2 * OLD_SECONDS, time.time()
    rows = {
        f"modelver-paths-{process}-abcdefgh": old,
        f"modelver-note-{process}-abcdefgh": old,
        f"modelver-index-{process}-abcdefgh": old,
        "modelver-paths-abcdefgh": old,
        f"modelver-paths-{process}-stillnew": young,
        f"modelver-index-{os.getpid()}-abcdefgh": old,
        "modelver-datasets": old,
        f"modelver-paths-{process}-abcdefgh.txt": old,
    }
    for name, at in rows.items():
        (tmp_path / "tmp" / name).mkdir(parents=True)
        (tmp_path / "tmp" / name / "new").write_text("x")
        os.utime(tmp_path / "tmp" / name, (at, at))
    (tmp_path / "tmp" / f"modelver-paths-{process}-linklink").symlink_to(case.path)
    state_dir = case.path / ".git/modelver"
    for name in (f"rollback.json.{process}", f"rollback.json.{os.getppid()}", "rollback.json.old"):
        state_dir.mkdir(exist_ok=True)
        (state_dir / name).write_text("{")
    case.back()
    left = sorted(place.name for place in (tmp_path / "tmp").iterdir())
    assert left == sorted([*list(rows)[4:], f"modelver-paths-{process}-linklink"])
    names = {place.name for place in state_dir.glob("rollback.json*")}
    assert names == {"rollback.json", f"rollback.json.{os.getppid()}", "rollback.json.old"}


def test_recovery_sweeps_too(case: Case, modelver: Modelver) -> None:
    """`doctor --recover` does, when there is nothing else to do."""
    put(case, *PAIRS["a plain file"])
    case.back()
    left = case.path / f".git/modelver/rollback.json.{gone_process()}"
    left.write_text("{")
    modelver("doctor", "--recover", "--dry-run", cwd=case.git, code=None)
    assert left.exists()
    modelver("doctor", "--recover", cwd=case.git, code=None)
    assert not left.exists()


def test_a_command_at_work_is_no_interrupted_one(case: Case, modelver: Modelver) -> None:
    """Whoever reads meanwhile is told that one is at work; without it, that one was interrupted."""
    put(case, *PAIRS["a plain file"])
    case.back()
    state_dir = case.path / ".git/modelver"
    write_journal(state_dir, Journal(action="rollback"))
    said = modelver("list", cwd=case.git).err
    assert "interrupted" in said
    with writing(state_dir):
        said = modelver("list", cwd=case.git).err
    assert "interrupted" not in said
    assert "at work" in said
