"""The commands for cards as their hooks see them; whoever starts a hook hands them in, since no hook may import them.

Imported for its types alone, or with the commands: most commits need neither, and a class costs half a millisecond.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from dvc_modelver.core.config import Config
from dvc_modelver.hooks.call import Call
from dvc_modelver.hooks.precommit import Finding
from dvc_modelver.hooks.staged import Staged


@dataclass(frozen=True, slots=True, kw_only=True)
class CardUpdate:
    """What an update of cards came to."""

    cards: tuple[str, ...]
    """The paths of all cards that were asked for."""
    steps: tuple[tuple[str, str], ...]
    """(`write` or `remove`, path) of what it changed in the work tree."""


class CardCommands(Protocol):
    """Both raise what the commands raise."""

    def check(self, call: Call, staged: Staged, config: Config) -> Iterable[Finding]:
        """What is wrong with the cards of the index, of the models that the call names or of all."""

    def update(self, call: Call, staged: Staged) -> CardUpdate:
        """Bring the cards of the work tree up to date."""
