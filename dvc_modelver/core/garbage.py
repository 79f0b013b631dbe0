"""What a `dvc gc` would take from released versions, and which command line takes nothing.  Pure.

What DVC keeps: every object that the work tree names, and every object that a commit names which the options reach
(`dvc/repo/gc.py` and `dvc/scm.py` of DVC 3.67).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from dvc_modelver.core.versions import Version
from dvc_modelver.errors import BadInput

Stored = tuple[str, str]
"""Where (`cache`, or the name of a DVC remote) and which object."""
CACHE = "cache"
LONG = {
    "-w": "--workspace",
    "-a": "--all-branches",
    "-T": "--all-tags",
    "-A": "--all-commits",
    "-c": "--cloud",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """The objects that one version needs and that are there now."""

    name: str
    version: Version
    commit: str
    objects: frozenset[Stored] = field(repr=False)
    wanted: bool = True
    """Whether the policy keeps it."""
    root: str = ""
    """Directory of its DVC repository, from the Git root."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One `dvc gc` command line and what it reaches."""

    options: tuple[str, ...]
    commits: frozenset[str] = field(repr=False)
    """Of the versions' commits, those whose objects it keeps."""
    objects: frozenset[Stored] = field(repr=False)
    """What it keeps besides: of the work tree, of branches."""

    @property
    def cloud(self) -> bool:
        """Whether it also takes from the remotes."""
        return "-c" in self.options

    def command(self, root: str = "") -> str:
        """As it is typed, with long options; DVC asks before it does anything."""
        import shlex

        words = " ".join(["dvc gc", *(LONG.get(option, option) for option in self.options)])
        return f"cd {shlex.quote(root)} && {words}" if root else words


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A version and the objects that it would lose."""

    need: Need
    objects: frozenset[Stored]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A command line with all that it would take."""

    line: Line
    losses: tuple[Loss, ...]

    @property
    def keeps_wanted(self) -> bool:
        return not any(loss.need.wanted for loss in self.losses)


def judge(line: Line, needs: Sequence[Need]) -> Judged:
    """Which versions lose which objects; one whose commit is reached loses nothing."""
    kept = set(line.objects)
    for need in needs:
        if need.commit in line.commits:
            kept |= need.objects
    losses = []
    for need in needs:
        at_risk = {stored for stored in need.objects if line.cloud or stored[0] == CACHE}
        lost = frozenset(at_risk - kept)
        if lost:
            losses.append(Loss(need=need, objects=lost))
    return Judged(line=line, losses=tuple(losses))


def choose(lines: Iterable[Line], needs: Sequence[Need]) -> Judged | None:
    """The line that keeps every wanted version and frees the most, the first of equals; None when there is none."""
    judged = [judge(line, needs) for line in lines]
    fitting = [one for one in judged if one.keeps_wanted]
    return max(fitting, key=_freed, default=None)


def _freed(judged: Judged) -> int:
    return len({stored for loss in judged.losses for stored in loss.objects})


def parse_keep(text: str) -> tuple[str, str]:
    """`all`, `staged` or `since:DATE` as (policy, date).  Raises `BadInput` for anything else."""
    from datetime import date

    policy, colon, day = text.partition(":")
    if policy in ("all", "staged") and not colon:
        return policy, ""
    if policy == "since" and colon:
        try:
            return policy, date.fromisoformat(day).isoformat()
        except ValueError:
            raise BadInput(f"--keep {text[:60]!a}: that is no date", hint="since:2026-01-31") from None
    raise BadInput(f"--keep {text[:60]!a} is no policy", hint="all, staged, or since:DATE")


def sizes(losses: Sequence[Loss], known: Mapping[Stored, int]) -> int:
    """Bytes of all objects that would be lost, each counted once."""
    return sum(known.get(stored, 0) for stored in {s for loss in losses for s in loss.objects})
