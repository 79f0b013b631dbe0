"""The seen-log: every version and stage tag that this clone ever saw, with its object id.  Append-only.

It lies under the Git common directory, like `known_hosts`: it makes a moved or vanished tag visible, keeps a
number from being used twice, and knows which tags of ours were published.  It never changes what is shown of a
version otherwise, and losing it loses only warnings.  A line is `WHAT OID NAME`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from dvc_modelver.core.tagobjects import TagRef

SEEN, MADE, PUBLISHED = "seen", "made", "published"


@dataclass
class SeenLog:
    """What the log says."""

    path: Path
    oids: dict[str, str] = field(default_factory=dict)
    """Tag name -> the object id under which it was first seen."""
    unpublished: set[tuple[str, str]] = field(default_factory=set)
    published: set[tuple[str, str]] = field(default_factory=set)

    def is_published(self, ref: TagRef) -> bool | None:
        """True when the remote was seen to have this very object, False when it was made here only; else None."""
        if (ref.name, ref.oid) in self.published:
            return True
        return False if (ref.name, ref.oid) in self.unpublished else None

    def note(self, what: str, refs: Iterable[TagRef]) -> None:
        """Append what is new; silently nothing where the directory cannot be written."""
        lines = [f"{what} {ref.oid} {ref.name}\n" for ref in refs if self._take(what, ref.oid, ref.name)]
        if not lines:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                file.write("".join(lines).encode("utf-8", "surrogateescape"))
        except OSError:
            return

    def _take(self, what: str, oid: str, name: str) -> bool:
        """Learn one line; whether it says anything new."""
        known = name in self.oids
        self.oids.setdefault(name, oid)
        if what == SEEN:
            return not known
        chosen = self.published if what == PUBLISHED else self.unpublished
        new = (name, oid) not in chosen
        chosen.add((name, oid))
        return new


def read_seen_log(state_dir: Path) -> SeenLog:
    """The log of this clone; empty when there is none or it cannot be read."""
    log = SeenLog(state_dir / "seen")
    try:
        raw = log.path.read_bytes()
    except OSError:
        return log
    for line in raw.decode("utf-8", "surrogateescape").split("\n"):
        what, _, rest = line.partition(" ")
        oid, space, name = rest.partition(" ")
        if space and what in (SEEN, MADE, PUBLISHED):
            log._take(what, oid, name)
    return log
