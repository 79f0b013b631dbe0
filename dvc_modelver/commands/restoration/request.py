"""What a rollback is asked for, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dvc_modelver.commands.publishing import Outcome
from dvc_modelver.core.tagobjects import TagRef
from dvc_modelver.core.trees import Tree
from dvc_modelver.core.versions import Version


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackRequest:
    """What was asked for."""

    name: str
    version: Version | None = None
    form: str = "slice"
    """`slice`, `tree`, `model`, or `detach`."""
    reason: str = ""
    branch: str | None = None
    """Make the commit on a new branch of this name instead; the work tree stays as it is."""
    include_shared: bool = False
    push: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RolledBack(Outcome):
    """What a rollback did, or would do."""

    left: Version | None = None
    """The version whose bytes HEAD named before; None when they were of none."""
    holds: Mapping[str, Version | None] = field(default_factory=dict)
    """What each stage still holds."""
    out_of_date: tuple[str, ...] = ()
    """Other models that the restored parts make too."""
    stale: tuple[str, ...] = ()
    """What `dvc status` will still show."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a rollback goes."""

    version: Version
    ref: TagRef
    tree: Tree
    left: Version | None
    made: str | None = None
    """The commit on the branch that was asked for, when a killed command had made it."""
    undo: bool = False
    branch: str | None = None
    """The full name of the branch to check out again, when the rollback that is undone had left it."""
