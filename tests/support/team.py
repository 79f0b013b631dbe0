"""People and a CI server at work on one model: every step is a command that they would type, started by real tools.

`Team.at` gives each member a clone; between them are a bare Git repository and a folder that is the DVC remote.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from tests.support.git import Git
from tests.support.repos import Clones, DvcRepo
from tests.support.runner import Modelver, Result

_HOOK = f"{sys.executable} -m dvc_modelver git-hook"
PRE_COMMIT = (
    "repos:\n- repo: local\n  hooks:\n"
    + "".join(
        f"  - {{id: {name}, name: {name}, entry: {_HOOK} {name}, language: system, always_run: true, "
        "pass_filenames: false, stages: [pre-commit]}\n"
        for name in ("card", "dvc-sync")
    )
    # Somebody's own guard of pushes, which has to run beside those of DVC and ours.
    + "  - {id: sure, name: sure, entry: git diff --check HEAD, language: system, always_run: true, "
    "pass_filenames: false, stages: [pre-push]}\n"
)
SETTINGS = """\
stages: [staging, prod]
metrics: {auc: up, loss.val: down}
gate: {against: prod, metrics: {auc: {min: 0.7, max_drop: 0.02}}}
"""
"""The team's rules: what is in production may be beaten, and not be worse by more than a little."""


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody with a clone of their own."""

    repo: DvcRepo
    modelver: Modelver
    real: bool
    """Whether our commands run in processes of their own, as people start them."""

    @property
    def git(self) -> Git:
        """Their clone."""
        return self.repo.git

    def run(self, *args: str, code: int = 0) -> Result:
        """One command of ours, a minute after the last."""
        self.git.clock.tick()
        run = self.modelver.process if self.real else self.modelver
        return run(*args, cwd=self.git, code=code)

    def answer(self, *args: str, code: int = 0) -> Any:
        """The same, as JSON."""
        return self.run(*args, "--json", code=code).json

    def tool(self, *args: str) -> str:
        """`python -m ARGS` in the clone; what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", *args], cwd=self.git.path, env=self.git.env, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    # A day's work -----------------------------------------------------------------------------------------------

    def install_hooks(self, *, ours_last: bool) -> None:
        """Everybody's hooks in one clone: DVC's, pre-commit's, and ours before or after pre-commit's."""
        self.repo.dvc(["install"])  # it refuses where a hook is already
        if not ours_last:
            self.run("hooks", "install")
        self.tool("pre_commit", "install", "-t", "pre-commit", "-t", "pre-push")
        if ours_last:
            self.run("hooks", "install")

    def commit(self, message: str) -> tuple[int, str]:
        """`git commit -a`, through the hooks; its exit code and what they said."""
        self.git.clock.tick()
        done = self.git.run("commit", "-a", "-m", message, check=False)
        return done.returncode, (done.stdout + done.stderr).decode()

    def push(self, *words: str) -> tuple[int, str]:
        """`git push`, through the hooks."""
        done = self.git.run("push", "origin", *words, check=False)
        return done.returncode, (done.stdout + done.stderr).decode()

    def fake_train(self, branch: str, depth: int) -> None:
        """As `train`, in a tenth of the time: no DVC, and a commit that no hook sees."""
        self.git("checkout", "-q", "-b", branch, "origin/main")
        self.repo.fake_train(depth)
        self.run("card", "update")
        self.git.commit(f"Describe depth {depth}")
        code, said = self.push(branch)
        assert code == 0, said

    def train(self, branch: str, depth: int) -> None:
        """A branch with another model, made by the real pipeline, committed and pushed through all hooks."""
        self.git("checkout", "-q", "-b", branch, "origin/main")
        params = self.repo.path / "params.yaml"
        lines = [f"  depth: {depth}" if "depth:" in line else line for line in params.read_text().splitlines()]
        params.write_text("\n".join(lines) + "\n")
        code, said = self.commit("Only the parameter")
        assert (code, "train has another value" in said) == (1, True), said
        self.repo.dvc(["repro", "-q"])
        self.run("card", "update")
        code, said = self.commit(f"Train with depth {depth}")
        assert code == 0, said
        code, said = self.push(branch)
        # DVC's hook, pre-commit's, then git's own words.
        assert (code, "pushed" in said, "sure" in said) == (0, True, True), said

    def update(self) -> str:
        """Everything that is on the server, and its main branch checked out; what git and the hooks said."""
        self.git("fetch", "-q", "--tags", "origin")
        self.git("checkout", "-q", "main")
        said = self.git.run("merge", "--ff-only", "origin/main").stderr.decode()
        if self.real:  # else DVC's hook fails at the next checkout: it looks only into the cache
            self.repo.dvc(["pull", "-q"])
        return said


@dataclass(frozen=True, slots=True)
class Server:
    """What a CI job does, each in a fresh clone; its clone has no hooks, no cache and nobody's work tree."""

    hub: Git
    repo: DvcRepo
    modelver: Modelver
    real: bool

    def job(self, name: str, ref: str) -> Member:
        """A clone with all tags and `ref` checked out; the model's bytes are only in the DVC remote."""
        place = self.hub.path.parent / name
        who = {"GIT_AUTHOR_NAME": "CI", "GIT_AUTHOR_EMAIL": "ci@example.com"}
        who |= {key.replace("AUTHOR", "COMMITTER"): value for key, value in who.items()}
        git = self.hub.clone(place, "--branch", ref, **who, CI="true")
        return Member(DvcRepo(git, self.repo.store), self.modelver, self.real)

    def merge(self, branch: str) -> str:
        """The pull request's button: a merge commit on the server's main branch; its id."""
        job = self.job(f"merge-{branch}", "main")
        job.git.clock.tick()
        job.git("merge", "-q", "--no-ff", "-m", f"Merge {branch}", f"origin/{branch}")
        job.git("push", "-q", "origin", "main")
        return job.git.rev()


@dataclass(frozen=True, slots=True)
class Team:
    """Ada, Bao and a server."""

    ada: Member
    bao: Member
    server: Server

    @classmethod
    def of(cls, clones: Clones, modelver: Modelver, *, real: bool) -> Team:
        """The team of two clones that share a DVC remote; see `Member.real`."""
        server = Server(clones.hub, clones.ada, modelver, real)
        return cls(Member(clones.ada, modelver, real), Member(clones.bao, modelver, real), server)

    def agree(self) -> None:
        """Ada commits the team's rules, and everybody installs the hooks: ours, and in a real team those of all.

        Ada installs ours last, Bao before pre-commit's.
        """
        self.ada.git.write(".pre-commit-config.yaml", PRE_COMMIT)
        self.ada.git.write(".modelver.yaml", SETTINGS)
        self.ada.run("card", "update")
        self.ada.git.commit("How we work")
        self.ada.git("push", "-q", "origin", "main")
        self.bao.update()
        if self.ada.real:
            self.ada.install_hooks(ours_last=True)
            self.bao.install_hooks(ours_last=False)
        else:
            self.ada.run("hooks", "install")
            self.bao.run("hooks", "install")


def report(member: Member, **metrics: float) -> str:
    """What production measures, as a file outside of the repository; its path."""
    path = member.git.path.parent / "live.json"
    path.write_text(json.dumps(metrics))
    return str(path)
