"""One clone as it stands: refs, index and every file, and what a command may not have lost since."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from tests.reliability.stateful.project import object_in
from tests.support import Git

OUTPUTS = ("data/raw.csv", "data/prepared.csv", "models/churn.bin", "models/reach.bin")
"""DVC's files: lost only when neither the work tree nor the cache has their bytes."""
_PRIVATE = (".git", ".dvc/cache", ".dvc/tmp")


@dataclass(frozen=True, slots=True)
class Ref:
    """A ref: its object, the commit behind it, and for a tag its time."""

    oid: str
    commit: str
    at: int


@dataclass(frozen=True, slots=True)
class Look:
    """All that counts of a clone."""

    refs: dict[str, Ref]
    head: str
    """What HEAD says: a branch's ref or a commit."""
    index: dict[str, str]
    committed: dict[str, str]
    """Path -> blob of HEAD."""
    files: dict[str, bytes]

    @property
    def tags(self) -> dict[str, Ref]:
        """By their short names."""
        return {
            name.removeprefix("refs/tags/"): ref for name, ref in self.refs.items() if name.startswith("refs/tags/")
        }

    def dirty(self, cache: Path) -> dict[str, bytes]:
        """What only the work tree has: neither HEAD at this path, nor, for DVC's files, a sound object of the cache."""
        found = {}
        for path, data in self.files.items():
            kept = object_in(cache, data)
            saved = path in OUTPUTS and kept.is_file() and kept.read_bytes() == data
            if not saved and self.committed.get(path) != blob(data):
                found[path] = data
        return found

    def staged(self) -> dict[str, str]:
        """What only the index has."""
        return {path: entry for path, entry in self.index.items() if self.committed.get(path) != entry}


def blob(data: bytes) -> str:
    """Git's name of these bytes."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def read_refs(git: Git) -> dict[str, Ref]:
    """Every tag, branch and note, read from Git's files: thousands of questions to git would take most of the time."""
    top = git.path / ".git" if (git.path / ".git").is_dir() else git.path
    packed = top / "packed-refs"
    lines = packed.read_text().splitlines() if packed.exists() else []
    found = {name: oid for oid, _, name in (line.partition(" ") for line in lines if line[0] not in "#^")}
    for kind in ("tags", "heads", "notes"):
        places = (top / "refs" / kind).rglob("*")
        found |= {path.relative_to(top).as_posix(): path.read_text().strip() for path in places if path.is_file()}
    refs = {name: oid for name, oid in found.items() if not name.startswith("refs/remotes/")}
    if not _objects.keys() >= set(refs.values()):
        wanted = "%(objectname) %(*objectname) %(taggerdate:unix)"
        for line in git("for-each-ref", f"--format={wanted}", "refs/tags", "refs/heads", "refs/notes").splitlines():
            oid, target, at = line.split(" ")
            _objects[oid] = Ref(oid, target or oid, int(at or 0))
    return {name: _objects[oid] for name, oid in sorted(refs.items())}


def head_of(git: Git) -> str:
    """The commit that HEAD names."""
    said = (git.path / ".git/HEAD").read_text().strip()
    return read_refs(git)[said.removeprefix("ref: ")].oid if said.startswith("ref: ") else said


def look(git: Git) -> Look:
    """Read it all, and change nothing: no lock, no refreshed index."""
    return Look(
        refs=read_refs(git),
        head=(git.path / ".git/HEAD").read_text().strip(),
        index=_index(git),
        committed=_tree(git, head_of(git)),
        files=_files(git.path),
    )


def traces(git: Git) -> tuple[object, ...]:
    """All that a question may not change, to the last byte: what `look` sees, Git's own files, what DVC keeps."""
    top = git.path / ".git"
    own = {path.name: path.read_bytes() for path in top.iterdir() if path.is_file()}
    kept = sorted(str(path) for path in (git.path / ".dvc").rglob("*") if "tmp" not in path.parts)
    return look(git), own, kept


_objects: dict[str, Ref] = {}
_trees: dict[str, dict[str, str]] = {}
_indexes: dict[bytes, dict[str, str]] = {}


def _tree(git: Git, commit: str) -> dict[str, str]:
    """Path -> blob."""
    if commit not in _trees:
        rows = (line.split(None, 3) for line in git("ls-tree", "-r", commit).splitlines())
        _trees[commit] = {row[3]: row[2] for row in rows}
    return _trees[commit]


def _index(git: Git) -> dict[str, str]:
    """Path -> blob."""
    raw = (git.path / ".git/index").read_bytes()
    if raw not in _indexes:
        rows = (line.split(None, 3) for line in git("ls-files", "--stage").splitlines())
        _indexes[raw] = {row[3]: row[1] for row in rows}
    return _indexes[raw]


def _files(top: Path) -> dict[str, bytes]:
    found = {}
    for folder, folders, names in os.walk(top):
        here = Path(folder).relative_to(top)
        folders[:] = [name for name in folders if (here / name).as_posix() not in _PRIVATE]
        found |= {(here / name).as_posix(): Path(folder, name).read_bytes() for name in names}
    return found
