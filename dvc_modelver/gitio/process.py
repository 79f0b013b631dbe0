"""Running git: one scrubbed environment, one place where its failures become ours.

Calls are named by the shape of the answer: `run` (bytes), `text`, `line`, `ok` (yes or no).
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from dvc_modelver.core.text import one_line, redact
from dvc_modelver.errors import EnvironmentProblem, ModelverError

# `git rev-parse --local-env-vars` of git 2.39: what a surrounding git (a hook) exports and what would make
# `git -C elsewhere` answer for the wrong repository.  Settings in GIT_CONFIG_COUNT and GIT_CONFIG_PARAMETERS are the
# user's own (an identity, a credential, a safe.directory) and stay, as git hands them on to submodules.
LOCAL_ENV_VARS = frozenset(
    {
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_CONFIG",
        "GIT_DIR",
        "GIT_GRAFT_FILE",
        "GIT_IMPLICIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_INTERNAL_SUPER_PREFIX",
        "GIT_NO_REPLACE_OBJECTS",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_REPLACE_REF_BASE",
        "GIT_SHALLOW_FILE",
        "GIT_WORK_TREE",
        "GIT_EXTERNAL_DIFF",
        "GIT_TRACE",
        "GIT_NAMESPACE",
        # How the user's own paths are to be read; ours are literal.
        "GIT_LITERAL_PATHSPECS",
        "GIT_GLOB_PATHSPECS",
        "GIT_NOGLOB_PATHSPECS",
        "GIT_ICASE_PATHSPECS",
    }
)
# A repository's own configuration could start programs at a mere look: none of these is needed for ours.  Our messages
# are UTF-8, and commits have to say so.
_SAFE_CONFIG = (
    "core.fsmonitor=false",
    "core.pager=cat",
    "protocol.ext.allow=never",
    "gc.auto=0",
    "i18n.commitEncoding=UTF-8",
)


def scrubbed(env: Mapping[str, str]) -> dict[str, str]:
    """`env` as git should see it: English messages, the user's encoding, no variables of a surrounding git."""
    kept = {key: value for key, value in env.items() if key not in LOCAL_ENV_VARS}
    encoding = kept.pop("LC_ALL", "") or kept.get("LC_CTYPE", "") or kept.get("LANG", "")
    if encoding:
        kept["LC_CTYPE"] = encoding
    return kept | {"LC_MESSAGES": "C", "LANGUAGE": "C", "GIT_NO_REPLACE_OBJECTS": "1", "GIT_OPTIONAL_LOCKS": "0"}


def find_program(name: str, env: Mapping[str, str]) -> str | None:
    """The absolute path of `name` on PATH; relative entries do not count, since a repository could fill them."""
    path = env.get("PATH", os.defpath)
    entries = [entry for entry in path.split(os.pathsep) if os.path.isabs(entry)]
    return shutil.which(name, path=os.pathsep.join(entries))


class GitFailed(EnvironmentProblem):
    """git said no; its words are in `message`."""

    def __init__(self, message: str, *, hint: str = "", status: int = 128, stderr: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.stderr = stderr


@dataclass(frozen=True, slots=True)
class Completed:
    """A finished git: exit status and what it printed."""

    status: int
    stdout: bytes
    stderr: str


@dataclass(frozen=True)
class GitProcess:
    """Starts git in `directory` with `env`, which must be scrubbed."""

    directory: Path
    env: Mapping[str, str]

    @cached_property
    def program(self) -> str:
        found = find_program("git", self.env)
        if found is None:
            raise EnvironmentProblem("there is no git on PATH", hint="install Git 2.34 or later")
        return found

    @cached_property
    def config(self) -> Mapping[str, str]:
        """Every effective setting, keys as `git config --list` writes them; the last value of a key counts."""
        return parse_config_list(self.text("config", "--null", "--includes", "--list"))

    def argv(self, args: Sequence[str], config: Sequence[str] = (), literal: bool = True) -> list[str]:
        settings = [part for item in (*_SAFE_CONFIG, *config) for part in ("-c", item)]
        pathspecs = ["--literal-pathspecs"] if literal else []
        return [self.program, "--no-pager", *pathspecs, *settings, *args]

    def complete(
        self,
        *args: str,
        stdin: bytes | None = None,
        env: Mapping[str, str] | None = None,
        config: Sequence[str] = (),
        literal: bool = True,
    ) -> Completed:
        """Run git to its end, whatever its exit status.

        Without `literal` the user's hooks, which inherit it, may use pathspecs with wildcards.
        """
        try:
            done = subprocess.run(
                self.argv(args, config, literal),
                cwd=self.directory,
                env={**self.env, **(env or {})},
                stdin=subprocess.DEVNULL if stdin is None else None,
                input=stdin,
                capture_output=True,
                check=False,
            )
        except OSError as error:
            raise EnvironmentProblem(f"cannot run git in {self.directory}: {error.strerror}") from error
        return Completed(done.returncode, done.stdout, done.stderr.decode("utf-8", "replace"))

    def run(
        self,
        *args: str,
        stdin: bytes | None = None,
        env: Mapping[str, str] | None = None,
        config: Sequence[str] = (),
        literal: bool = True,
    ) -> bytes:
        """What git printed.  Raises `GitFailed` unless it ended with 0."""
        done = self.complete(*args, stdin=stdin, env=env, config=config, literal=literal)
        if done.status != 0:
            raise failure(done, args[0])
        return done.stdout

    def text(self, *args: str, stdin: bytes | None = None) -> str:
        return self.run(*args, stdin=stdin).decode("utf-8", "surrogateescape")

    def line(self, *args: str) -> str:
        return self.text(*args).rstrip("\n")

    def ok(self, *args: str) -> bool:
        """Whether git answers yes (0) rather than no (1).  Raises on any other status."""
        done = self.complete(*args)
        if done.status not in (0, 1):
            raise failure(done, args[0])
        return done.status == 0


def parse_config_list(raw: str) -> dict[str, str]:
    """`git config --null --list`; a key without `=` means true."""
    pairs = (item.partition("\n") for item in raw.split("\0") if item)
    return {key: value if separator else "true" for key, separator, value in pairs}


def is_true(value: str | None) -> bool:
    """Git's own words for yes."""
    return (value or "").lower() in ("true", "yes", "on", "1")


def failure(done: Completed, what: str) -> ModelverError:
    """The error that git's words amount to."""
    words = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    if done.status < 0:
        return GitFailed(f"git {what} was killed by signal {-done.status}", status=done.status, stderr=done.stderr)
    said = next((line for line in words if line.startswith(("fatal:", "error:"))), words[0] if words else "")
    said = redact(one_line(said.removeprefix("fatal:").removeprefix("error:").strip()))
    return GitFailed(
        f"git {what}: {said or f'exit status {done.status}'}",
        hint=_hint(done.stderr),
        status=done.status,
        stderr=done.stderr,
    )


def _hint(stderr: str) -> str:
    lowered = stderr.lower()
    if ".lock': file exists" in lowered:
        return "another git may be running; if none is, remove that file"
    if "dubious ownership" in lowered:
        return _trust_hint(stderr)
    if "no space left" in lowered:
        return "free some disk space and run it again"
    if "permission denied" in lowered or "read-only file system" in lowered:
        return "check who may write there"
    if "unable to auto-detect email" in lowered or "tell me who you are" in lowered or "empty ident" in lowered:
        return "git config user.name NAME && git config user.email ADDRESS"
    return ""


def _trust_hint(stderr: str) -> str:
    """Git proposes the very line, with the path quoted for a shell."""
    lines = [line.strip() for line in stderr.splitlines()]
    proposed = next((line for line in lines if line.startswith("git config --global --add safe.directory ")), "")
    return f"if you trust it: {proposed or 'git config --global --add safe.directory PATH'}"
