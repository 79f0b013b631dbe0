"""System calls that kill or fail, in our process and in git's: nothing is lost, and the same command again converges.

strace injects a signal or an error at the Nth call of its kind in each process.  The first run counts them.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pytest

from tests.reliability.test_kills_reading import Stopper
from tests.reliability.test_kills_reading import state as files_of
from tests.reliability.tools import KILLED, changed, fsck, journal, litter
from tests.support import Git, Modelver, Templates, isolated_env

STEP = int(os.environ.get("KILL_STEP", "1"))
"""Every how many places the full matrix tries; 1 is all of them, but for writes."""
WRITES = 12
"""At how many writes of a process: most of them are of a pipe."""
CALLS = {
    "rename": "rename,renameat,renameat2",
    "link": "link,linkat",
    "unlink": "unlink,unlinkat",
    "mkdir": "mkdir,mkdirat",
    "write": "write,pwrite64",
}
FAULTS = {
    "KILL": "signal=KILL",
    "ENOSPC": "error=ENOSPC",
    "EIO": "error=EIO",
    "EACCES": "error=EACCES",
}
FITTING = {"KILL": tuple(CALLS), "ENOSPC": ("link", "mkdir", "rename", "write"), "EIO": ("unlink", "write")}
FITTING["EACCES"] = ("link", "mkdir", "rename", "unlink")
PLAYS = {
    "release": ("release", "churn", "--bump", "minor"),
    "promote": ("promote", "churn@v0.1.0", "prod"),
    "rollback": ("rollback", "churn", "v0.1.0"),
    "get": ("get", "churn@v0.1.0", "-o", "got/model.bin"),
    "card update": ("card", "update", "churn"),
}
_TOLD = re.compile(r"write\([12], .*\(INJECTED\)")
"""What was to be told could not be; then the exit code is all that there is."""
_CALL = re.compile(r"^(\d*) *(\w+)\(", re.MULTILINE)


@lru_cache(maxsize=1)
def hindrance() -> str:
    """Why strace cannot be used here; empty when it can."""
    if shutil.which("strace") is None:
        return "there is no strace"
    words = ("strace", "-f", "-qq", "-o", os.devnull, "-e", "trace=mkdir", "-e", "inject=mkdir:error=EIO", "true")
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return f"strace is not permitted: {done.stderr.strip()[:200]}" if done.returncode else ""


@pytest.fixture(autouse=True)
def _strace_is_there() -> None:
    if why := hindrance():
        pytest.skip(why)


@pytest.fixture(scope="module")
def stopper(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Iterator[Stopper]:
    """A server for the commands that nothing is injected into."""
    found = Stopper(isolated_env(home), tmp_path_factory.mktemp("temporary"))
    yield found
    found.close()


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory, templates: Templates, stopper: Stopper) -> Path:
    """churn v0.1.0 and v0.2.0, then a training that was not released; other work in the index and the files."""
    top = tmp_path_factory.mktemp("strace")
    repo = templates.dvc(top)
    stopper(repo.git, "release", "churn")
    repo.fake_train(8)
    stopper(repo.git, "release", "churn")
    repo.fake_train(10)
    repo.git.write("README.md", "changed, not staged\n")
    repo.git.write("staged.txt", "staged\n")
    repo.git("add", "staged.txt")
    repo.git.write("untracked.txt", "mine\n")
    return top


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What is injected, and where."""

    call: str
    fault: str
    follow: bool = True
    """Into git's processes too, not only into ours."""


class Scene:
    """Where a command is played, again and again from the same start."""

    def __init__(self, words: tuple[str, ...], start: Path, home: Path, folder: Path, server: Stopper) -> None:
        self.words, self.server = words, server
        self._start, self._top, self._log = start, folder / "play", folder / "strace.log"
        self._temporary = folder / "temporary"
        self._temporary.mkdir()
        self.git = Git(self._top / "repo", home)
        self.git.clock.tick(3600 * 24)
        self._rewind()
        self.old = state(self.git)
        server(self.git, *words)
        self.keys = changed(self.old, state(self.git))
        assert self.keys
        self._rewind()

    def _rewind(self) -> None:
        shutil.rmtree(self._top, ignore_errors=True)
        subprocess.run(["cp", "-a", self._start, self._top], check=True)
        self.git("update-index", "-q", "--refresh")

    def counts(self, follow: bool) -> Mapping[str, int]:
        """For each kind of call how often the process makes it that makes it most."""
        names = {name: kind for kind, found in CALLS.items() for name in found.split(",")}
        assert self._trace(follow, f"trace={','.join(names)}") == 0
        seen = Counter(_CALL.findall(self._log.read_text()))
        self._rewind()
        # strace counts each kind of call in each process by itself.
        most = Counter[str]()
        for (_, name), number in seen.items():
            if name in names:
                most[names[name]] = max(most[names[name]], number)
        return most

    def _trace(self, follow: bool, *expressions: str) -> int:
        # Without `--seccomp-bpf`: strace 6.1 injects no signals with it.
        words = ["strace", *(["-f"] if follow else []), "-q", "-o", str(self._log)]
        words += [word for expression in expressions for word in ("-e", expression)]
        env = self.git.env | {"TMPDIR": str(self._temporary)}
        done = subprocess.run(
            [*words, *Modelver.argv(*self.words)],
            cwd=self.git.path,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        self.said = done.stderr
        return done.returncode

    def inject(self, fault: Fault, at: int) -> int:
        """Run with the fault at the call number `at`; what must hold then, and after the same command again."""
        calls = CALLS[fault.call]
        code = self._trace(fault.follow, f"trace={calls}", f"inject={calls}:{FAULTS[fault.fault]}:when={at}")
        where = f"{self.words}: {fault.fault} at {fault.call} {at}, exit code {code}: {self.said}"
        told = self._log.read_text()
        if "(INJECTED)" not in told and "killed by SIGKILL" not in told:
            self._rewind()
            return 0
        if not _TOLD.search(told):
            assert code in (0, 3, 4, 5, 6, KILLED), where
            assert code != KILLED or fault.fault == "KILL", where
            assert "Traceback" not in self.said, where
        self._is_whole(code, where)
        self._again(where)
        self._rewind()
        return 1

    def _is_whole(self, code: int, where: str) -> None:
        """Old or new or in the journal; what a person did is there, and so is every object of the cache."""
        fsck(self.git)
        left = state(self.git)
        lost = {key for key in self.old.keys() - self.keys if left.get(key) != self.old[key]}
        assert not lost, f"{where}: {lost}"
        differing = {key for key in changed(self.old, left) if not is_private(key)}
        assert differing <= self.keys, f"{where}: {differing - self.keys}"
        assert journal(self.git) or differing in (set(), self.keys), f"{where}: {differing}"
        assert code != 0 or differing == self.keys, where

    def _again(self, where: str) -> None:
        """A git that died leaves its locks, which are named and never removed by us; a person does."""
        locks = [self.git.path / name for name in litter(self.git) if name.endswith(".lock")]
        if locks and (self.git.path / ".git/index.lock").exists() and self.words[0] in ("release", "rollback"):
            refused = self.server(self.git, *self.words, code=None)
            assert refused.code == 0 or (refused.code == 6 and ".lock" in refused.err), f"{where}: {refused}"
        for lock in locks:
            lock.unlink(missing_ok=True)
        again = self.server(self.git, *self.words, code=None)
        assert again.code == 0, f"{where}: {again}"
        now = state(self.git)
        assert changed(self.old, now) == self.keys, f"{where}: {changed(self.old, now) ^ self.keys}"
        assert not journal(self.git), where
        # Half an object of git's stays until `git gc`.
        assert not [name for name in litter(self.git) if "tmp_obj_" not in name], f"{where}: {litter(self.git)}"
        fsck(self.git)


def state(repo: Git) -> dict[str, str]:
    """Without what a git that died leaves."""
    return {key: value for key, value in files_of(repo).items() if not key.endswith(".lock")}


def is_private(key: str) -> bool:
    """Whether it is in a private folder or a half-written file, which the same command again removes."""
    return ".modelver-" in key


@pytest.fixture
def scene(request: pytest.FixtureRequest, start: Path, home: Path, tmp_path: Path, stopper: Stopper) -> Scene:
    """The command of the parameter, ready to be played."""
    return Scene(PLAYS[request.param], start, home, tmp_path, stopper)


@pytest.mark.long
@pytest.mark.parametrize("follow", [True, False], ids=["all", "own"])
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("scene", PLAYS, indirect=True)
def test_every_call(scene: Scene, fault: str, follow: bool) -> None:
    """The fault at every such call, in all processes or in ours alone."""
    tried = 0
    for call, number in scene.counts(follow).items():
        if call in FITTING[fault]:
            for at in range(1, number + 1, STEP * max(1, number // WRITES if call == "write" else 1)):
                tried += scene.inject(Fault(call=call, fault=fault, follow=follow), at)
    print(f"{scene.words}: {tried} times {fault}")


@pytest.mark.parametrize(
    ("scene", "call", "fault", "at"),
    [
        ("release", "rename", "KILL", 1),
        ("rollback", "unlink", "KILL", 2),
        ("promote", "write", "ENOSPC", 3),
        ("get", "link", "EACCES", 1),
        ("card update", "rename", "EIO", 1),
    ],
    indirect=["scene"],
)
def test_some_calls(scene: Scene, call: str, fault: str, at: int) -> None:
    """As `test_every_call`, once for each command."""
    assert scene.inject(Fault(call=call, fault=fault), at)
