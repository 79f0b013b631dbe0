"""How the tests of the hooks start them: through real git and pre-commit, or alone."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

from dvc_modelver.cli import cardhooks
from dvc_modelver.errors import ModelverError
from dvc_modelver.hooks.call import Call
from dvc_modelver.hooks.main import HOOKS
from tests.support import Git

ENTRY = f"{sys.executable} -m dvc_modelver git-hook"


def hook(repo: Git, name: str, *args: str, env: Mapping[str, str] | None = None) -> tuple[int, str]:
    """One hook as git would start it in the work tree's top, in this process; its exit code and what it said."""
    said: list[str] = []
    variables = repo.env | dict(env or {})
    call = Call(
        args=args, directory=repo.path, env=variables, read=lambda: b"", say=said.append, cards=lambda: cardhooks
    )
    try:
        code = import_module(f"dvc_modelver.hooks.{HOOKS[name]}").run(call)
    except ModelverError as error:
        code, said = int(error.code), [*said, f"error: {error.message}", f"hint: {error.hint}"]
    return code, "".join(f"{line}\n" for line in said)


def install_native(repo: Git, git_hook: str, name: str) -> Path:
    """Let git itself start a hook of ours, without pre-commit."""
    place = Path(repo("rev-parse", "--path-format=absolute", "--git-common-dir")) / "hooks" / git_hook
    place.parent.mkdir(exist_ok=True)
    place.write_text(f'#!/bin/sh\nexec {ENTRY} {name} "$@"\n')
    place.chmod(0o755)
    return place


def commit(repo: Git, *args: str | Path) -> tuple[int, str]:
    """`git commit` through the hooks; its exit code and all that was said."""
    done = repo.run("commit", "-m", "A change", *args, check=False)
    return done.returncode, (done.stdout + done.stderr).decode("utf-8", "surrogateescape")


def pre_commit_config(hooks: Mapping[str, str], *, stage: str = "pre-commit") -> str:
    """A `repo: local` set-up: hook id -> its arguments after `git-hook`."""
    rows = "".join(
        f"      - id: {id}\n        name: {id}\n        entry: {ENTRY} {words}\n        language: system\n"
        f"        pass_filenames: {'true' if stage == 'commit-msg' else 'false'}\n        always_run: true\n"
        f"        stages: [{stage}]\n"
        for id, words in hooks.items()
    )
    return f"repos:\n  - repo: local\n    hooks:\n{rows}"
