"""What the reliability tests share: the forking server, the git that kills, and what must hold afterwards."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support import DvcRepo, Git, snapshot

KILLED = -9


@dataclass(frozen=True, slots=True)
class Answer:
    """What a forked command answered; `code` is -9 when it was killed."""

    code: int
    out: str
    err: str
    count: str

    def __str__(self) -> str:
        return f"-> {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


class Server:
    """One forking server; a command at a time runs in it, servers run side by side."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("server.py"))],
            env=dict(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def send(self, repo: Git, *argv: str, env: Mapping[str, str] | None = None, **order: Any) -> None:
        """Start a command; it runs at once."""
        assert self._process.stdin is not None
        line = json.dumps({"argv": list(argv), "cwd": str(repo.path), "env": {**repo.env, **(env or {})}, **order})
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def answer(self) -> Answer:
        """Wait for the end of what was sent."""
        assert self._process.stdout is not None
        raw = json.loads(self._process.stdout.readline())
        return Answer(raw["code"], raw["out"], raw["err"], raw["count"])

    def __call__(
        self, repo: Git, *argv: str, code: int | None = 0, env: Mapping[str, str] | None = None, **order: Any
    ) -> Answer:
        """Run a command to its end; another exit code than `code` fails the test (None: any)."""
        self.send(repo, *argv, env=env, **order)
        answer = self.answer()
        assert code is None or answer.code == code, f"modelver {' '.join(argv)} {answer}"
        return answer

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process.wait()


_WRAPPER = """\
#!/bin/sh
# Runs the real git; kills the process that called it before or after the call number $KILL_AT.
if ! [ -r "/proc/$PPID/cmdline" ] || ! tr '\\0' ' ' <"/proc/$PPID/cmdline" | grep -q server.py; then
    exec {git} "$@"
fi
echo "$*" >>"$KILL_LOG"
number=$(wc -l <"$KILL_LOG")
if [ "$number" -eq "$KILL_AT" ] && [ "$KILL_WHEN" = before ]; then
    kill -9 $PPID
    exit 1
fi
if [ "$number" -eq "$KILL_AT" ]; then
    parent=$PPID
    trap '' PIPE
    {git} "$@"
    status=$?
    kill -9 "$parent"
    exit $status
fi
exec {git} "$@"
"""


def killing_git(folder: Path, env: Mapping[str, str]) -> Path:
    """A directory for PATH with a `git` that kills its caller at a certain call."""
    import shutil

    real = shutil.which("git", path=env["PATH"])
    folder.mkdir()
    (folder / "git").write_text(_WRAPPER.format(git=real))
    (folder / "git").chmod(0o755)
    return folder


def kill_env(wrapper: Path, repo: Git, log: Path, at: int, when: str) -> dict[str, str]:
    """Variables under which the call number `at` of git kills (0: none, they are only counted in `log`)."""
    log.write_text("")
    path = f"{wrapper}:{repo.env['PATH']}"
    return {"PATH": path, "KILL_AT": str(at), "KILL_LOG": str(log), "KILL_WHEN": when}


def fsck(repo: Git) -> None:
    """No error in the object database (dangling objects are fine)."""
    done = repo.run("fsck", "--strict", "--no-progress", check=False)
    assert done.returncode == 0, done.stderr.decode() + done.stdout.decode()


def litter(repo: Git) -> list[str]:
    """Locks and half-written files of ours, in Git's directory and in the work tree."""
    names = [*repo.path.rglob("*.lock"), *repo.path.rglob("*modelver-tmp*"), *repo.path.rglob("*.new")]
    names += repo.path.rglob("tmp_obj_*")
    return sorted(
        str(path.relative_to(repo.path))
        for path in names
        if path.name not in ("dvc.lock",) and ".dvc/tmp" not in str(path)
    )


def state(repo: Git) -> dict[str, str]:
    """A snapshot in which the index counts by what it holds, not by its bytes."""
    found = {key: value for key, value in snapshot(repo).items() if not key.endswith("/index")}
    return found | {"index": repo("ls-files", "--stage")}


def worktree(seen: Mapping[str, str]) -> dict[str, str]:
    """Of a snapshot or state: all but the refs."""
    return {key: value for key, value in seen.items() if not key.startswith("ref ")}


def journal(repo: Git) -> bool:
    return (repo.path / ".git" / "modelver" / "journal").exists()


def tags_of(repo: Git) -> dict[str, str]:
    """Tag name -> object id."""
    return {name.removeprefix("refs/tags/"): oid for name, oid in repo.refs("refs/tags/").items()}


def hook(git_dir: Path, name: str, script: str) -> Path:
    """Install a hook."""
    path = git_dir / "hooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def pushed(repo: DvcRepo) -> None:
    """Publish the branch, so that only tags are left to push."""
    repo.git("push", "-q", "origin", "HEAD")
