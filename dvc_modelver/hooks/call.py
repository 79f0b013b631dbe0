"""One start of a hook: what it may know of the world."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dvc_modelver.errors import ModelverError

if TYPE_CHECKING:
    from dvc_modelver.hooks.cardcommands import CardCommands


def no_cards() -> CardCommands:
    """Where nobody handed in the commands."""
    raise ModelverError("this start of the hook does not know the commands", hint="start it with modelver git-hook")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Nothing else reaches for the working directory, the environment or the standard streams."""

    args: tuple[str, ...]
    """What git or pre-commit passed after the hook's name."""
    directory: Path
    """Where git starts hooks: the root of the work tree, or the Git directory of a bare repository."""
    env: Mapping[str, str]
    """As git exported it; `gitio` scrubs it."""
    read: Callable[[], bytes]
    """All of stdin; asked only by hooks that git feeds."""
    say: Callable[[str], None]
    """A line for people on stderr, made safe for a terminal."""
    cards: Callable[[], CardCommands] = no_cards
    """Imports the commands for cards: called once a commit is known to concern one."""
