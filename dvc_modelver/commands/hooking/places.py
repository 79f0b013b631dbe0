"""Where git looks for this repository's hooks, and whether that is a place to write to."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from dvc_modelver.commands.project import Project
from dvc_modelver.errors import EnvironmentProblem

LINKED = "the link .git/hooks"
"""What stands for the file of `HookPlace.origin` where no setting leads away, but a link."""


class Owner(Enum):
    """Who writes into a directory of hooks."""

    CLONE = "this clone"
    TEAM = "the repository: its files are tracked"
    MACHINE = "the machine: it lies outside of the repository"


@dataclass(frozen=True, slots=True, kw_only=True)
class HookPlace:
    """The directory whose hooks git runs."""

    directory: Path
    """Where the hook files are; for a tracked one, those that people write."""
    owner: Owner
    setting: str = ""
    """What `core.hooksPath`, or the link in its place, says; empty where neither is."""
    origin: str = ""
    """The file that says so."""

    @property
    def editable(self) -> bool:
        return self.owner is Owner.CLONE


def hook_place(project: Project) -> HookPlace:
    """Where git looks for hooks.  Raises `EnvironmentProblem` in a bare repository."""
    repository = project.repository
    if repository.root is None:
        raise EnvironmentProblem("a bare repository is pushed to, not worked in", hint="run this in a clone")
    done = repository.git.complete("config", "--null", "--show-origin", "--get", "core.hooksPath")
    if done.status != 0:
        directory, owner = _owned(project, repository.common_dir / "hooks")
        setting = "" if owner is Owner.CLONE else os.path.realpath(directory)
        return HookPlace(directory=directory, owner=owner, setting=setting, origin=LINKED if setting else "")
    origin, _, setting = done.stdout.decode("utf-8", "surrogateescape").rstrip("\0").partition("\0")
    # Not `rev-parse --git-path`, which fails where a linked worktree has no such directory; ~ is git's to expand.
    found = repository.git.text("config", "--null", "--type=path", "--get", "core.hooksPath").rstrip("\0")
    # An empty setting makes git look for `/pre-push`.
    directory, owner = _owned(project, Path(os.path.normpath(os.path.join(repository.root, found or "/"))))
    return HookPlace(directory=directory, owner=owner, setting=setting, origin=origin.removeprefix("file:"))


def is_own(project: Project, directory: Path) -> bool:
    """Whether a directory of hooks is this clone's alone, and no link leads away from it."""
    return _owned(project, directory)[1] is Owner.CLONE


def _owned(project: Project, directory: Path) -> tuple[Path, Owner]:
    real = Path(os.path.realpath(directory))
    if real.is_relative_to(os.path.realpath(project.repository.common_dir)):
        return directory, Owner.CLONE
    root = Path(os.path.realpath(project.root))
    if not real.is_relative_to(root):
        return directory, Owner.MACHINE
    # husky writes `.husky/_` anew at each `npm install`; what people write, and commit, lies beside it.
    if real.name == "_" and real.parent.name == ".husky":
        return real.parent, Owner.TEAM
    below = real.relative_to(root).as_posix()
    tracked = below == "." or project.repository.git.run("ls-files", "-z", "--", below)
    return directory, Owner.TEAM if tracked else Owner.CLONE
