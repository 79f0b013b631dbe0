"""Start `modelver` as a user does, in a process of its own, or much faster inside this one."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.git import Git


@dataclass(frozen=True, slots=True)
class Result:
    """What a command answered."""

    args: tuple[str, ...]
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """stdout as JSON; fails with both streams when it is not exactly one value."""
        try:
            return json.loads(self.out)
        except ValueError as problem:
            raise AssertionError(f"not JSON ({problem}): {self}") from None

    def __str__(self) -> str:
        return f"modelver {' '.join(self.args)} -> {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


class Modelver:
    """`modelver(...)` runs in this process (milliseconds), `modelver.process(...)` in a new one (as users do).

    Both take the words after `modelver`, where to run, variables over the repository's environment, and the
    exit code that is expected (None: any); another code fails the test with the command's own words.
    """

    def __init__(self, home: Git) -> None:
        self._home = home

    def __call__(
        self, *args: str | Path, cwd: Git | Path, env: Mapping[str, str] | None = None, code: int | None = 0
    ) -> Result:
        """Run in this process, with its directory, environment and streams replaced meanwhile."""
        from dvc_modelver.cli.main import main

        words, where, variables = self._prepare(args, cwd, env)
        out, err = io.BytesIO(), io.BytesIO()
        with (
            inside(where, variables),
            contextlib.redirect_stdout(io.TextIOWrapper(out, encoding="utf-8", write_through=True)),
            contextlib.redirect_stderr(io.TextIOWrapper(err, encoding="utf-8", write_through=True)),
        ):
            status = main(words)
            # Read before the wrappers go: they close what they wrap.
            texts = [stream.getvalue().decode("utf-8", "replace") for stream in (out, err)]
        return _checked(Result(words, int(status or 0), texts[0], texts[1]), code)

    def process(
        self,
        *args: str | Path,
        cwd: Git | Path,
        env: Mapping[str, str] | None = None,
        code: int | None = 0,
        timeout: float = 120,
    ) -> Result:
        """Run `python -m dvc_modelver` to its end."""
        words, where, variables = self._prepare(args, cwd, env)
        done = subprocess.run(
            self.argv(*words), cwd=where, env=variables, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout
        )
        out, err = (stream.decode("utf-8", "replace") for stream in (done.stdout, done.stderr))
        return _checked(Result(words, done.returncode, out, err), code)

    def start(
        self, *args: str | Path, cwd: Git | Path, env: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a process and return at once, for races and kills."""
        words, where, variables = self._prepare(args, cwd, env)
        return subprocess.Popen(
            self.argv(*words),
            cwd=where,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    @staticmethod
    def argv(*args: str | Path) -> list[str]:
        """The argument list of a new process."""
        return [sys.executable, "-m", "dvc_modelver", *map(str, args)]

    def _prepare(
        self, args: tuple[str | Path, ...], cwd: Git | Path, env: Mapping[str, str] | None
    ) -> tuple[tuple[str, ...], Path, dict[str, str]]:
        repo = cwd if isinstance(cwd, Git) else self._home.at(cwd.resolve())
        return tuple(map(str, args)), repo.path, repo.env | dict(env or {})


@contextlib.contextmanager
def inside(where: Path, env: Mapping[str, str]) -> Iterator[None]:
    """Meanwhile this process has that directory and environment, and an empty stdin."""
    before_dir, before_env, before_stdin = Path.cwd(), dict(os.environ), sys.stdin
    try:
        os.chdir(where)
        _replace_environment(env)
        sys.stdin = io.StringIO()
        yield
    finally:
        sys.stdin = before_stdin
        _replace_environment(before_env)
        os.chdir(before_dir)


def _replace_environment(env: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(env)


def _checked(result: Result, code: int | None) -> Result:
    assert code is None or result.code == code, f"expected exit code {code}: {result}"
    return result
