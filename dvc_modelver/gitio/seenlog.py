"""What this clone remembers of tags: every one it ever saw, and which of its own were published.

Two append-only files under the Git common directory, like `known_hosts`.  They make a moved or vanished tag
visible and keep a number from being used twice.  They never change what is shown of a version otherwise, and
losing them loses only warnings.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from dvc_modelver.core.tagobjects import TagRef

_FORGOTTEN = "-"


class SeenLog:
    """Tag name -> the object id under which it was first seen.  A line is `OID NAME`."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / "seen"
        self.oids: dict[str, str] = {}
        for line in _read(self._path):
            oid, space, name = line.partition(" ")
            if space and oid == _FORGOTTEN:
                self.oids.pop(name, None)
            elif space:
                self.oids.setdefault(name, oid)

    def note(self, refs: Iterable[TagRef]) -> None:
        """Append what is new; silently nothing where the directory cannot be written."""
        new = {ref.name: ref.oid for ref in refs if ref.name not in self.oids}
        self.oids |= new
        _append(self._path, (f"{oid} {name}" for name, oid in new.items()))

    def forget(self, names: Iterable[str]) -> None:
        """What this clone itself gave up (a renumbered tag) is not missed."""
        gone = [name for name in names if self.oids.pop(name, None) is not None]
        _append(self._path, (f"{_FORGOTTEN} {name}" for name in gone))


class Published:
    """Which tags were made here without `--push`, and which the remote was seen to have."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / "published"
        self._known: dict[tuple[str, str], bool] = {}
        for line in _read(self._path):
            what, _, rest = line.partition(" ")
            oid, space, name = rest.partition(" ")
            if space and what in ("made", "published"):
                self._learn(name, oid, what == "published")

    def state(self, ref: TagRef) -> bool | None:
        """True when the remote was seen to have this very object, False when it was made here only; else None."""
        return self._known.get((ref.name, ref.oid))

    def note(self, refs: Iterable[TagRef], *, published: bool) -> None:
        """Append what is new; silently nothing where the directory cannot be written."""
        new = [ref for ref in refs if self._learn(ref.name, ref.oid, published)]
        word = "published" if published else "made"
        _append(self._path, (f"{word} {ref.oid} {ref.name}" for ref in new))

    def _learn(self, name: str, oid: str, published: bool) -> bool:
        """Whether it was news: a tag is published once and for all."""
        known = self._known.get((name, oid))
        if known is True or known is published:
            return False
        self._known[name, oid] = published
        return True


def seen_names(state_dir: Path, starts: Sequence[str]) -> list[str]:
    """The names in the seen-log that begin with one of `starts`, found without parsing the others."""
    try:
        raw = (state_dir / "seen").read_bytes()
    except OSError:
        return []
    names: dict[bytes, None] = {}
    for start in starts:
        mark = b" " + start.encode("utf-8", "surrogateescape")
        at = raw.find(mark)
        while at >= 0:
            end = raw.find(b"\n", at)
            name = raw[at + 1 : end if end >= 0 else len(raw)]
            if raw[at - 1 : at] == _FORGOTTEN.encode():
                names.pop(name, None)
            else:
                names[name] = None
            at = raw.find(mark, at + 1)
    return [name.decode("utf-8", "surrogateescape") for name in names]


def append_seen(state_dir: Path, refs: Iterable[TagRef]) -> None:
    """Note tags that have just come into being, without reading what is known (a line twice does no harm)."""
    _append(state_dir / "seen", (f"{ref.oid} {ref.name}" for ref in refs))


def is_remembered(state_dir: Path, fingerprint: str) -> bool:
    """Whether the seen-log was brought up to date with exactly these refs."""
    return _read(state_dir / "seen.mark") == [fingerprint]


def remember(state_dir: Path, refs: Iterable[TagRef], fingerprint: str) -> None:
    """Bring the seen-log up to date with `refs`."""
    SeenLog(state_dir).note(refs)
    try:
        (state_dir / "seen.mark").write_text(fingerprint)
    except OSError:
        return


def _read(path: Path) -> list[str]:
    try:
        return path.read_bytes().decode("utf-8", "surrogateescape").splitlines()
    except OSError:
        return []


def _append(path: Path, lines: Iterable[str]) -> None:
    text = "".join(f"{line}\n" for line in lines)
    if not text:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(text.encode("utf-8", "surrogateescape"))
    except OSError:
        return
