"""GTO's own opinion: its command line, run inside this process (it takes 0.4 s to start as a process)."""

from __future__ import annotations

import contextlib
import io
import json
from typing import Any
from unittest import mock

from tests.support.git import Git
from tests.support.runner import inside


class GtoFailed(Exception):
    """GTO ended with an error; its own words."""


class GtoOracle:
    """GTO on one repository, at the repository's clock.

    `oracle("register", "churn", "--bump-minor")` runs `gto register churn --bump-minor`.
    """

    def __init__(self, git: Git) -> None:
        self._git = git

    def __call__(self, *args: str) -> str:
        """Run one GTO command and return its stdout; what GTO raises comes out, an exit code raises `GtoFailed`."""
        from gto.cli import app

        self._git.clock.tick()
        out, err = io.StringIO(), io.StringIO()
        with (
            inside(self._git.path, self._git.env),
            # GTO writes tags through dulwich, which reads the clock and not GIT_COMMITTER_DATE.
            mock.patch("time.time", return_value=float(self._git.clock.seconds)),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            status = app([*args], standalone_mode=False)
        if status:
            raise GtoFailed(err.getvalue() or out.getvalue())
        return out.getvalue()

    def json(self, *args: str) -> Any:
        """Run a GTO command that prints JSON."""
        return json.loads(self(*args, "--json"))

    def register(self, name: str, *args: str) -> None:
        """`gto register NAME ARGS`."""
        self("register", name, *args)

    def assign(self, name: str, *, version: str, stage: str) -> None:
        """`gto assign NAME --version VERSION --stage STAGE`."""
        self("assign", name, "--version", version, "--stage", stage)

    def show(self) -> dict[str, Any]:
        """`gto show --json`: {NAME: {"version": V, "stage": {STAGE: V}, ...}}."""
        shown = self.json("show")
        assert isinstance(shown, dict)
        return shown

    def versions(self, name: str) -> list[dict[str, Any]]:
        """`gto show NAME --json`: every version with its commit and stages."""
        shown = self.json("show", name)
        assert isinstance(shown, list)
        return shown

    def history(self) -> list[dict[str, Any]]:
        """`gto history --json`: every event that GTO knows."""
        shown = self.json("history")
        assert isinstance(shown, list)
        return shown
