"""A real Git repository, driven by the real `git`, under a clock that ticks per commit and tag."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from tests.support.environment import isolated_env

EPOCH = 1_735_732_800
"""2025-01-01T12:00:00Z: when every test's clock starts."""


@dataclass(slots=True)
class Clock:
    """The time that Git is told: it stands still but for `tick`."""

    seconds: int = EPOCH

    def tick(self, seconds: int = 60) -> None:
        """Move on; a negative number moves back, as a skewed machine does."""
        self.seconds += seconds

    @property
    def now(self) -> datetime:
        """The present, aware, in UTC."""
        return datetime.fromtimestamp(self.seconds, timezone.utc)


@dataclass(slots=True)
class Git:
    """A work tree (or a bare repository) and how the tests act on it.

    Args:
        path: the repository's top.
        home: the isolated home directory, see `isolated_env`.
        clock: shared by all clones of one test, so that their events have an order.
        extra_env: goes over the isolated environment, for example another identity.
    """

    path: Path
    home: Path
    clock: Clock = field(default_factory=Clock)
    extra_env: dict[str, str] = field(default_factory=dict)

    @property
    def env(self) -> dict[str, str]:
        """The environment of a command started now: isolated, and dated by the clock."""
        stamp = f"{self.clock.seconds} +0000"
        return isolated_env(self.home) | {"GIT_AUTHOR_DATE": stamp, "GIT_COMMITTER_DATE": stamp} | self.extra_env

    def run(
        self,
        *args: str | Path,
        input: str | bytes | None = None,
        env: Mapping[str, str] | None = None,
        check: bool = True,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run `git ARGS` here; with `check` a failure raises with Git's own words."""
        done = subprocess.run(
            ["git", *map(str, args)],
            cwd=self.path,
            env=self.env | dict(env or {}),
            input=input.encode() if isinstance(input, str) else input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
        )
        if check and done.returncode:
            words = done.stderr.decode(errors="replace") or done.stdout.decode(errors="replace")
            raise AssertionError(f"git {' '.join(map(str, args))} failed with {done.returncode}: {words}")
        return done

    def __call__(
        self, *args: str | Path, input: str | bytes | None = None, env: Mapping[str, str] | None = None
    ) -> str:
        """Run `git ARGS` and return its output without the last line's end."""
        return self.run(*args, input=input, env=env).stdout.decode("utf-8", "surrogateescape").rstrip("\n")

    def init(self, *args: str) -> Git:
        """Create the repository at `path`."""
        self.path.mkdir(parents=True, exist_ok=True)
        self("init", "-q", *args)
        return self

    def clone(self, dest: Path, *args: str, **extra_env: str) -> Git:
        """Clone this repository to `dest`; the clone shares the clock."""
        self("clone", "-q", *args, "--", self.path, dest)
        return Git(dest, self.home, self.clock, self.extra_env | extra_env)

    def at(self, path: str | Path, **extra_env: str) -> Git:
        """The same clock and home in another directory (below `path`, or absolute), or as another person."""
        return Git(self.path / path, self.home, self.clock, self.extra_env | extra_env)

    def write(self, name: str | Path, content: str | bytes) -> Path:
        """Write a file below the top, with the folders that it needs."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def commit(self, message: str = "A commit", files: Mapping[str, str | bytes] | None = None) -> str:
        """Tick, write `files`, commit everything (also when nothing changed) and return the commit's id."""
        self.clock.tick()
        for name, content in (files or {}).items():
            self.write(name, content)
        self("add", "-A")
        self("commit", "-q", "--allow-empty", "--no-verify", "-m", message)
        return self.rev()

    def tag(self, name: str, message: str | None = "A tag", rev: str = "HEAD") -> str:
        """Tick, and write an annotated tag, or a lightweight one when `message` is None; return the ref's object id."""
        self.clock.tick()
        annotation = ("-a", "--cleanup=verbatim", "-F", "-") if message is not None else ()
        self("tag", *annotation, "--", name, rev, input=message)
        return self.rev(f"refs/tags/{name}")

    def rev(self, spec: str = "HEAD") -> str:
        """The object id that `spec` names."""
        return self("rev-parse", "--verify", "-q", "--end-of-options", spec)

    def refs(self, prefix: str = "refs/") -> dict[str, str]:
        """Every ref below `prefix` with its object id."""
        lines = self("for-each-ref", "--format=%(objectname) %(refname)", prefix).splitlines()
        return {name: oid for oid, name in (line.split(" ", 1) for line in lines)}

    def tags(self) -> list[str]:
        """The names of all tags, sorted as Git sorts them."""
        return [name.removeprefix("refs/tags/") for name in self.refs("refs/tags/")]
