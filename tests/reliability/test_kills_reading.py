"""`get`, `verify`, `reproduce` and the writing of notes, killed or interrupted at any point.

The repository is as it was but for whole and verified files, a later run answers as if nothing had been, and after an
interrupt nothing half done lies about, neither in the repository nor among the temporary files.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.reliability.test_rollback_kills import BUNDLES, differs, put_bundle
from tests.reliability.tools import KILLED, Answer, Server, fsck, kill_env, killing_git, litter
from tests.reliability.tools import state as whole_state
from tests.support import DvcRepo, Git, Templates, isolated_env

STEP = int(os.environ.get("KILL_STEP", "1"))
"""Every how many places the full matrix kills; 1 is all of them."""
STOPPED = {signal.SIGINT: (130,), signal.SIGTERM: (130, -signal.SIGTERM)}
"""The exit codes of a command that was told to end; without a handler SIGTERM ends a process as such."""

_SERVE = """\
import os, signal, sys
from tests.reliability import server

def kill_at(number):
    seen, at = [0], int(os.environ.get("KILL_SIGNAL", signal.SIGKILL))
    def hook(event, args):
        if server._writes(event, args):
            seen[0] += 1
            if seen[0] == number:
                os.write(2, f"at {event} {args[0]} {args[1]}\\n".encode())
                os.kill(os.getpid(), at)
    sys.addaudithook(hook)
    return seen

def note(oid, verdict):
    from pathlib import Path
    from dvc_modelver.commands.notes import write_note
    from dvc_modelver.commands.project import Project, Surroundings
    try:
        with Project(Surroundings(directory=Path("."), env=dict(os.environ))) as project:
            write_note(project, oid, "approval", {"verdict": verdict})
        return 0
    except KeyboardInterrupt:
        return 130

import dvc_modelver.cli.main as cli
import dvc_modelver.commands.notes, dvc_modelver.dvcio.fetch, dvc_modelver.dvcio.place
real = cli.main
def main(argv):
    return note(*argv[1:]) if argv[0] == "note" else real(argv)
cli.main = main
cli.build_app(["get", "verify", "reproduce"])
server.kill_at = kill_at
server.serve()
"""


class Stopper(Server):
    """A forking server with temporary files of its own, that can send any signal, and write a note (`note OID WORD`).

    Its `KILL_SIGNAL` names the signal of an order's `kill`; SIGKILL when there is none.
    """

    def __init__(self, env: Mapping[str, str], temporary: Path) -> None:
        self.temporary = temporary
        self._process = subprocess.Popen(
            [sys.executable, "-c", _SERVE, "server.py"],
            env={**env, "TMPDIR": str(temporary)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(
        self, repo: Git, *argv: str, code: int | None = 0, env: Mapping[str, str] | None = None, **order: object
    ) -> Answer:
        """As `Server`, with the temporary files of the pipeline in the same place."""
        more = {"TMPDIR": str(self.temporary), **(env or {})}
        return super().__call__(repo, *argv, code=code, env=more, **order)

    def left(self) -> list[str]:
        """Temporary files and folders of ours."""
        return sorted(path.name for path in self.temporary.iterdir() if "modelver-" in path.name)

    def sweep(self) -> None:
        """Remove them."""
        for name in self.left():
            shutil.rmtree(self.temporary / name)


@pytest.fixture(scope="module")
def stopper(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Iterator[Stopper]:
    """The server of these tests."""
    found = Stopper(isolated_env(home), tmp_path_factory.mktemp("temporary"))
    yield found
    found.close()


@dataclass(frozen=True)
class Case:
    """A command that is killed."""

    argv: tuple[str, ...]
    new: tuple[str, ...] = ()
    """What comes into being, files and folders in the work tree."""
    fetched: bool = False
    """Whether the cache lacks the bytes, which come from the DVC remote."""


FILE, FOLDER = ("get", "churn@v0.1.0"), ("get", "bundle@v0.1.0")
CASES = {
    "get": Case(FILE, ("churn.bin",)),
    "get -o": Case((*FILE, "-o", "new/place/model.bin"), ("new",)),
    "get a directory": Case(FOLDER, ("bundle",)),
    "get -o, fetched": Case((*FILE, "-o", "new/place/model.bin"), ("new",), fetched=True),
    "get a directory, fetched": Case(FOLDER, ("bundle",), fetched=True),
    "verify": Case(("verify", "--json")),
    "verify --remote": Case(("verify", "churn@v0.1.0", "--remote", "--json")),
    "verify, fetched": Case(("verify", "--remote", "--json"), fetched=True),
}
QUICK = ("get", "get -o, fetched", "get a directory, fetched", "verify")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, templates: Templates, stopper: Stopper) -> Path:
    """churn v0.1.0 and bundle v0.1.0, with a later state of both that was not released."""
    top = tmp_path_factory.mktemp("reading")
    repo = templates.dvc(top)
    put_bundle(repo, BUNDLES[0])
    stopper(repo.git, "release", "churn", "--no-card")
    stopper(repo.git, "release", "bundle", "--no-card")
    repo.git.clock.tick()
    repo.fake_train(8)
    put_bundle(repo, BUNDLES[1])
    return top


class Scene:
    """Where a case is played, again and again from the same start."""

    def __init__(self, case: Case, built: Path, home: Path, folder: Path, server: Stopper) -> None:
        self.case, self.server, self._top = case, server, folder / "play"
        self._start, self._log = folder / "start", folder / "calls"
        shutil.copytree(built, self._start, symlinks=True)
        self.repo = DvcRepo(Git(self._start / "repo", home), self._start / "store")
        if case.fetched:
            shutil.rmtree(self.repo.cache)
        self.git.write("README.md", "changed, not staged\n")
        self.git.write("staged.txt", "staged\n")
        self.git("add", "staged.txt")
        self.git.write("untracked.txt", "mine\n")
        self.repo = DvcRepo(Git(self._top / "repo", home), self._top / "store")
        self.rewind()
        self._wrapper = killing_git(folder / "wrapper", self.git.env)
        self.old = state(self.git)
        self.new: dict[str, str] = {}
        self.told = ""
        self.tried = 0

    @property
    def git(self) -> Git:
        return self.repo.git

    def rewind(self) -> None:
        shutil.rmtree(self._top, ignore_errors=True)
        subprocess.run(["cp", "-a", self._start, self._top], check=True)
        self.server.sweep()

    def play(self) -> int:
        """The command without any kill; how many times it calls git."""
        env = kill_env(self._wrapper, self.git, self._log, 0, "after")
        self.told = self.server(self.git, *self.case.argv, env=env).out
        self.new = state(self.git)
        added = {key for key in self.new if key not in self.old}
        assert {key: self.new.get(key) for key in self.old} == self.old
        assert {key.removeprefix("file ").split("/")[0] for key in added} - {".dvc"} == set(self.case.new)
        assert any(key.startswith("file .dvc/cache") for key in added) == (self.case.fetched and bool(self.case.new))
        assert (litter(self.git), self.server.left()) == ([], [])
        self.rewind()
        return len(self._log.read_text().splitlines())

    def changes(self) -> int:
        """How many changes Python makes itself, and starts of processes."""
        count = self.server(self.git, *self.case.argv, kill=0).count
        self.rewind()
        return int(count)

    def kill_git(self, at: int, when: str) -> None:
        env = kill_env(self._wrapper, self.git, self._log, at, when)
        answer = self.server(self.git, *self.case.argv, env=env, code=None)
        assert answer.code == KILLED, f"{when} git call {at}: {answer}"
        self._after(f"{when} git call {at}")

    def kill_python(self, at: int) -> None:
        answer = self.server(self.git, *self.case.argv, kill=at, code=None)
        assert answer.code == KILLED, f"at change {at}: {answer}"
        self._after(f"at change {at}")

    def interrupt(self, at: int, number: signal.Signals) -> None:
        """Tell it to end at a change; an interrupt leaves nothing half done, SIGTERM as little as SIGKILL."""
        answer = self.server(self.git, *self.case.argv, kill=at, env={"KILL_SIGNAL": str(int(number))}, code=None)
        assert answer.code in (0, *STOPPED[number]), f"{number.name} at change {at}: {answer}"
        assert "Traceback" not in answer.err, answer.err
        if answer.code == 130 and not clearing(answer):
            words = f"{number.name} at change {at}: {answer}"
            assert (litter(self.git), self.server.left(), scraps(self.git)) == ([], [], []), words
        self._after(f"{number.name} at change {at}")

    def _after(self, where: str) -> None:
        """What must hold after a kill; and then the same command again."""
        self.tried += 1
        fsck(self.git)
        self._whole(state(self.git), where)
        again = self.server(self.git, *self.case.argv, code=None)
        assert again.code == 0, f"{where}: {again}"
        assert state(self.git) == self.new, f"{where}: {differs(self.new, state(self.git))}"
        assert litter(self.git) == [], where
        if self.case.argv[0] == "verify":
            assert again.out == self.told, where
        self.rewind()

    def _whole(self, left: Mapping[str, str], where: str) -> None:
        """All that was there is there; what is new is one of the new files, whole, or in a private folder."""
        assert {key: left.get(key) for key in self.old} == self.old, f"{where}: {differs(self.old, left)}"
        for key in left.keys() - self.old.keys():
            private = ".modelver-tmp/" in key
            assert private or left[key] == self.new.get(key), f"{where}: {key}"


def state(repo: Git) -> dict[str, str]:
    """As that of the tools, without empty folders."""
    return {key: value for key, value in whole_state(repo).items() if value != "empty"}


def clearing(answer: Answer) -> bool:
    """Whether it came while a private folder or worktree was being removed: the rest the next command removes."""
    told = [line for line in answer.err.splitlines() if line.startswith("at ")]
    return any(line.startswith(("at os.remove ", "at os.rmdir ")) or "'remove'" in line for line in told)


def scraps(repo: Git) -> list[str]:
    """Half-written files where only DVC, or only we, look."""
    places = (repo.path / ".dvc/tmp", repo.path / ".git/modelver")
    return sorted(str(path) for place in places for path in place.rglob("*tmp") if path != place)


@pytest.fixture
def scene(request: pytest.FixtureRequest, built: Path, home: Path, tmp_path: Path, stopper: Stopper) -> Scene:
    """The case of the parameter, ready to be played."""
    return Scene(CASES[request.param], built, home, tmp_path, stopper)


def spread(number: int, some: int) -> Sequence[int]:
    """That many of the places 1 to `number`, the last among them."""
    return sorted({number - at * number // some for at in range(some)} - {0})


@pytest.mark.long
@pytest.mark.parametrize("scene", CASES, indirect=True)
def test_every_git_call(scene: Scene) -> None:
    """Killed before and after every call of git: nothing is lost, and the same command again does all of it."""
    number = scene.play()
    for at, when in itertools.product(range(1, number + 1, STEP), ("before", "after")):
        scene.kill_git(at, when)
    print(f"{scene.case.argv}: {scene.tried} kills")


@pytest.mark.long
@pytest.mark.parametrize("scene", CASES, indirect=True)
def test_every_change_by_python(scene: Scene) -> None:
    """Killed at every file that Python opens for writing, renames or removes, and every process it starts."""
    scene.play()
    for at in range(1, scene.changes() + 1, STEP):
        scene.kill_python(at)
    print(f"{scene.case.argv}: {scene.tried} kills")


@pytest.mark.long
@pytest.mark.parametrize("number", STOPPED)
@pytest.mark.parametrize("scene", CASES, indirect=True)
def test_every_interrupt(scene: Scene, number: signal.Signals) -> None:
    """Told to end at every such change: 130, and nothing half done anywhere."""
    scene.play()
    for at in range(1, scene.changes() + 1, STEP):
        scene.interrupt(at, number)
    print(f"{scene.case.argv}: {scene.tried} times {number.name}")


@pytest.mark.parametrize("scene", QUICK, indirect=True)
def test_some_places(scene: Scene) -> None:
    """As the three before, at a few places of some commands."""
    calls = scene.play()
    number = scene.changes()
    for at in spread(number, 4):
        scene.kill_python(at)
        scene.interrupt(at, signal.SIGINT)
    scene.interrupt(number // 2, signal.SIGTERM)
    scene.kill_git(calls, "after")


@pytest.mark.parametrize("scene", ["get"], indirect=True)
def test_a_fetch_that_was_killed_at_its_end(scene: Scene) -> None:
    """Its private folder goes with the next command that needs those bytes, though nothing is left to be fetched."""
    left = scene.git.path / ".dvc/tmp/.fetch.killed.modelver-tmp"
    left.mkdir(parents=True)
    (left / "object").write_bytes(b"half")
    os.utime(left, (0, 0))
    scene.server(scene.git, *scene.case.argv)
    assert not left.exists()


# Rebuilds -------------------------------------------------------------------------------------------------------

PREPARE = """\
import os, time

with open("data/raw.csv") as rows, open("data/prepared.csv", "w") as out:
    out.writelines(list(rows)[:30])
if "STOP" in os.environ:
    pid = os.getpid()
    while b"server.py" not in open(f"/proc/{pid}/cmdline", "rb").read():
        pid = int(open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[1])
    os.kill(pid, int(os.environ["STOP"]))
    time.sleep(0.5 if os.environ["STOP"] == "9" else 60)
"""
"""A pipeline stage that, when told to, stops whoever rebuilds it."""
REPRODUCE = ("reproduce", "churn@v0.1.0", "--yes", "--json")


@pytest.fixture(scope="module")
def one_stage(tmp_path_factory: pytest.TempPathFactory, templates: Templates, stopper: Stopper) -> Path:
    """A version of a pipeline of one stage, with a note on it."""
    top = tmp_path_factory.mktemp("one-stage")
    git = templates.dvc(top).git
    pipeline, lock = ((git.path / name).read_text() for name in ("dvc.yaml", "dvc.lock"))
    pipeline = pipeline.partition("  train:")[0] + "artifacts:\n  churn:\n    path: data/prepared.csv\n"
    git.commit(
        "One stage", {"dvc.yaml": pipeline, "dvc.lock": lock.partition("  train:")[0], "src/prepare.py": PREPARE}
    )
    stopper(git, "release", "churn", "--no-card")
    stopper(git, "note", git.rev("refs/tags/churn@v0.1.0"), "first")
    return top


class Rebuilds:
    """Where a rebuild is stopped, again and again from the same start."""

    def __init__(self, built: Path, home: Path, folder: Path, server: Stopper) -> None:
        self._top, self._start, self._log, self.server = folder / "play", folder / "start", folder / "calls", server
        shutil.copytree(built, self._start, symlinks=True)
        git = Git(self._start / "repo", home)
        git.write("src/prepare.py", "half done\n")
        git.write("staged.txt", "staged\n")
        git("add", "staged.txt")
        self.git = Git(self._top / "repo", home)
        self.rewind()
        self._wrapper = killing_git(folder / "wrapper", self.git.env)
        self.old = self.state()

    def rewind(self) -> None:
        shutil.rmtree(self._top, ignore_errors=True)
        subprocess.run(["cp", "-a", self._start, self._top], check=True)
        self.server.sweep()

    def state(self) -> dict[str, str]:
        """All but the notes."""
        return {key: value for key, value in whole_state(self.git).items() if key != "ref refs/notes/modelver"}

    def said(self) -> list[str]:
        """The verdicts of the notes, each of which is whole."""
        lines = self.git("notes", "--ref=modelver", "show", "refs/tags/churn@v0.1.0").splitlines()
        return [json.loads(line)["verdict"] for line in lines if line]

    def play(self, *words: str) -> tuple[int, int]:
        """How many changes Python makes, and how many times git is called."""
        env = kill_env(self._wrapper, self.git, self._log, 0, "after")
        changes = int(self.server(self.git, *words, kill=0, env=env).count)
        calls = len(self._log.read_text().splitlines())
        self.whole(*words)
        assert self.said() == ["first", *self.last(words)]
        assert self.server.left() == []
        self.rewind()
        return changes, calls

    @staticmethod
    def last(words: Sequence[str]) -> list[str]:
        return [words[-1]] if words[0] == "note" else ["identical"]

    def whole(self, *words: str) -> None:
        """The user's files, index, branches and settings are as before, and no worktree is left."""
        fsck(self.git)
        assert self.state() == self.old, differs(self.old, self.state())
        if words:
            assert self.git("worktree", "list", "--porcelain").count("worktree ") == 1
            assert litter(self.git) == []
            assert not [name for name in self.server.left() if "reproduce" in name]

    def kill_git(self, at: int, when: str, *words: str) -> None:
        self._killed(f"{when} call {at}", *words, env=kill_env(self._wrapper, self.git, self._log, at, when))

    def kill_python(self, at: int, *words: str) -> None:
        self._killed(f"at change {at}", *words, kill=at)

    def _killed(self, where: str, *words: str, **order: object) -> None:
        """The notes are old or new, and whole; the same command again adds one, and clears what the kill has left."""
        answer = self.server(self.git, *words, code=None, **order)
        assert answer.code == KILLED, f"{where}: {answer}"
        self.whole()
        found = self.said()
        assert found in (["first"], ["first", *self.last(words)]), where
        again = self.server(self.git, *words, code=None)
        assert again.code == 0, f"{where}: {again}"
        assert self.said() == [*found, *self.last(words)], where
        self.whole(*words)
        self.rewind()

    def stop(self, number: int, *words: str, **order: object) -> None:
        """Told to end, it ends with 130, with all that it has started and made, or it was done already."""
        order["env"] = {"KILL_SIGNAL": str(int(number)), **order.get("env", {})}  # type: ignore[dict-item]
        answer = self.server(self.git, *words, code=None, **order)
        assert answer.code in (0, *STOPPED[signal.Signals(number)]), answer
        assert "Traceback" not in answer.err, answer
        assert self.said() in (["first"], ["first", *self.last(words)])
        self.whole()
        if answer.code != -number and not clearing(answer):
            self.whole(*words)
            assert self.server.left() == [], answer
            assert running_in(self.server.temporary, self._top) == []
        assert self.server(self.git, *words, code=None).code == 0
        self.whole(*words)
        self.rewind()


def running_in(*places: Path) -> list[str]:
    """The commands of processes that work in these folders."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            where, command = os.readlink(process / "cwd"), (process / "cmdline").read_bytes().decode("utf-8", "replace")
        except OSError:
            continue
        if any(str(place) in where or str(place) in command for place in places):
            found.append(command)
    return found


@pytest.fixture
def rebuilds(one_stage: Path, home: Path, tmp_path: Path, stopper: Stopper) -> Rebuilds:
    """One version that can be rebuilt, with work that nobody has committed."""
    return Rebuilds(one_stage, home, tmp_path, stopper)


def test_a_rebuild_stopped_at_some_places(rebuilds: Rebuilds) -> None:
    """Killed or interrupted early, and at its end: nothing of the user's has changed, and the next one clears up."""
    changes, calls = rebuilds.play(*REPRODUCE)
    rebuilds.kill_python(changes // 3, *REPRODUCE)
    rebuilds.stop(signal.SIGINT, *REPRODUCE, kill=changes // 3)
    rebuilds.kill_git(calls - 1, "after", *REPRODUCE)


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.long)])
def test_a_rebuild_stopped_while_its_pipeline_runs(rebuilds: Rebuilds, number: signal.Signals) -> None:
    """Told to end by the very stage that it runs: 130, neither DVC nor the stage lives on, nothing is left."""
    begun = time.monotonic()
    rebuilds.stop(number, *REPRODUCE, env={"STOP": str(int(number))})
    assert time.monotonic() - begun < 50


@pytest.mark.long
def test_a_rebuild_killed_while_its_pipeline_runs(rebuilds: Rebuilds) -> None:
    """DVC goes on for a moment where nobody looks; the next rebuild clears that up and is right."""
    rebuilds._killed("in the stage", *REPRODUCE, env={"STOP": str(int(signal.SIGKILL))})


@pytest.mark.long
@pytest.mark.parametrize("how", ["kill", "interrupt", "terminate", "git"])
def test_a_rebuild_stopped_anywhere(rebuilds: Rebuilds, how: str) -> None:
    """At every change by Python and every call of git."""
    changes, calls = rebuilds.play(*REPRODUCE)
    if how == "git":
        for at, when in itertools.product(range(1, calls + 1, STEP), ("before", "after")):
            rebuilds.kill_git(at, when, *REPRODUCE)
        return
    for at in range(1, changes + 1, STEP):
        if how == "kill":
            rebuilds.kill_python(at, *REPRODUCE)
        else:
            rebuilds.stop(signal.SIGINT if how == "interrupt" else signal.SIGTERM, *REPRODUCE, kill=at)


# Notes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [3, pytest.param(STEP, marks=pytest.mark.long)])
def test_a_note_killed_anywhere(rebuilds: Rebuilds, step: int) -> None:
    """It is there wholly or not at all, those before it stay, and the next one is written."""
    words = ("note", rebuilds.git.rev("refs/tags/churn@v0.1.0"), "second")
    changes, calls = rebuilds.play(*words)
    for at in range(1, changes + 1, step):
        rebuilds.kill_python(at, *words)
        rebuilds.stop(signal.SIGINT, *words, kill=at)
    for at in range(1, calls + 1, step):
        rebuilds.kill_git(at, "before" if at % 2 and step > 1 else "after", *words)
