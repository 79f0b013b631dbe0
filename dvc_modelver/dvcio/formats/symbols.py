"""What a pickle would make, as plain data: names instead of what they name.  Nothing here is imported or called."""

from __future__ import annotations

from dataclasses import dataclass, field

COMPUTED = "(computed)"
"""The name of what is imported under a name that only loading makes."""


@dataclass(slots=True)
class Global:
    """A name that loading would import."""

    name: str
    """`module.qualified_name`."""


@dataclass(slots=True)
class Blob:
    """Bytes, text or a number too long to keep."""

    length: int


@dataclass(slots=True)
class Made:
    """What a call of `name` with `args` would make, and what would be put into it."""

    name: str
    args: object = ()
    state: object = None
    items: list[object] = field(default_factory=list)
    pairs: dict[object, object] = field(default_factory=dict)

    @property
    def attributes(self) -> dict[object, object]:
        """The state as attributes by name: also of a `(dict, slots)` pair."""
        if isinstance(self.state, dict):
            return self.state
        if isinstance(self.state, tuple) and self.state and isinstance(self.state[0], dict):
            return self.state[0]
        return {}

    @property
    def short(self) -> str:
        """The name without its module."""
        return self.name.rpartition(".")[2]


Key = str | int | float | bool | None


def key_of(value: object) -> tuple[bool, Key]:
    """(whether a dict keeps it, the key): tuples do not count, hashing a nested one takes exponential time."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return True, value
    return False, None
