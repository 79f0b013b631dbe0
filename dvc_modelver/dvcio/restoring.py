"""The files of a commit with some parts of a slice as another commit has them.  Pure: two trees in, files out."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from dvc_modelver.core.overlay import Files
from dvc_modelver.core.trees import Tree
from dvc_modelver.dvcio import paths
from dvc_modelver.dvcio.locate import Commit, Located
from dvc_modelver.dvcio.splice import CannotSplice, Key, splice
from dvc_modelver.dvcio.values import read_values
from dvc_modelver.errors import BadInput

PartKey = tuple[str, str]
"""(kind, path) of a `core.facts.Part`."""
_YAML = (".yaml", ".yml", ".lock")
_WHOLE = ("code", "output", "dvc")


@dataclass(slots=True)
class Restored:
    """What the files must become."""

    files: dict[str, bytes | None] = field(default_factory=dict)
    """Only those that change."""
    whole: list[str] = field(default_factory=list)
    """Files that were taken as a whole, since the part could not be changed by itself."""
    links: list[str] = field(default_factory=list)
    """Paths that are symbolic links at one of the two, which are not followed and not written."""


def restore_parts(head: Tree, target: Tree, parts: Iterable[PartKey]) -> Restored:
    """`head` with each of `parts` as `target` has it; what `target` lacks goes.

    Entries of YAML files are changed as text, all else as whole files.
    Raises `BadInput` when a file of the two is broken.
    """
    found = Restored()
    entries: dict[str, dict[Key, None]] = {}
    for kind, path in parts:
        if kind in _WHOLE:
            _restore_files(found, head, target, path)
            continue
        file, _, name = path.rpartition(":") if kind != "params" else path.partition(":")
        keys = entries.setdefault(file, {})
        for key in _keys(head, target, kind, file, name):
            keys[key] = None
    for file, keys in entries.items():
        _restore_entries(found, head, target, file, tuple(keys))
    return found


def _keys(head: Tree, target: Tree, kind: str, file: str, name: str) -> Iterator[Key]:
    """Where an entry stands in its file."""
    if kind == "params":
        yield _param_key(target, file, name)
    elif kind == "vars":
        yield (name,)
    elif kind == "artifact":
        yield (name,) if file.endswith("artifacts.yaml") else ("artifacts", name)
    elif kind == "lock":
        yield ("schema",)
        yield ("stages", name)
    else:
        yield ("stages", name)


def _param_key(target: Tree, file: str, name: str) -> Key:
    """A dotted param; a key that holds the dot itself comes first, as it does for DVC's values."""
    data = target.read(file)
    values = read_values(data, path=file) if data is not None else None
    if isinstance(values, Mapping) and name in values:
        return (name,)
    return tuple(name.split("."))


def _restore_entries(found: Restored, head: Tree, target: Tree, file: str, keys: Sequence[Key]) -> None:
    old, new = head.read(file), target.read(file)
    if old == new:
        return
    if old is None or new is None or not file.endswith(_YAML):
        _take(found, file, old, new)
        return
    try:
        spliced = splice(old, new, keys, name=file)
    except CannotSplice:
        found.whole.append(file)
        spliced = new
    if spliced != old:
        found.files[file] = spliced


def _take(found: Restored, file: str, old: bytes | None, new: bytes | None) -> None:
    if new is not None and old is not None:
        found.whole.append(file)
    if new is not None:
        found.files[file] = new


def _restore_files(found: Restored, head: Tree, target: Tree, path: str) -> None:
    """A file, or every file of a directory."""
    sides = [dict(_below(tree, path)) for tree in (head, target)]
    for tree in (head, target):
        entry = tree.entry(path)
        if entry is not None and entry.is_symlink:
            found.links.append(path)
            return
    for name in sorted({**sides[0], **sides[1]}):
        if sides[0].get(name) != sides[1].get(name):
            found.files[name] = target.read(name)


def _below(tree: Tree, path: str) -> Iterator[tuple[str, str]]:
    entry = tree.entry(path)
    if entry is None:
        return
    if not entry.is_directory:
        yield path, entry.oid
        return
    for name in tree.files("*"):
        inner = tree.entry(name) if name.startswith(f"{path}/") else None
        if inner is not None:
            yield name, inner.oid


# What DVC ignores -------------------------------------------------------------------------------------------------


def ignore_lines(head: Tree, target: Tree, files: Files, added: Iterable[str], gone: Iterable[str]) -> dict[str, bytes]:
    """The `.gitignore` files that must name outputs that come (as `target` does), and no longer those that go."""
    found: dict[str, bytes] = {}
    for path, comes in (*((path, True) for path in added), *((path, False) for path in gone)):
        folder, _, name = path.rpartition("/")
        file = posixpath.join(folder, ".gitignore")
        line = f"/{name}".encode("utf-8", "surrogateescape")
        if file in files:
            continue
        text = found.get(file, head.read(file) or b"")
        lines = text.splitlines()
        theirs = (target.read(file) or b"").splitlines()
        if comes and line in theirs and line not in lines:
            found[file] = text + (b"" if not text or text.endswith(b"\n") else b"\n") + line + b"\n"
        elif not comes and line in lines and line not in theirs:
            found[file] = b"".join(kept for kept in text.splitlines(keepends=True) if kept.rstrip(b"\r\n") != line)
    return {file: data for file, data in found.items() if data != head.read(file)}


def helpers(head: Tree, target: Tree, sources: Iterable[str], known: Iterable[str]) -> tuple[str, ...]:
    """Files beside the pipeline's sources that differ and that no pipeline stage names: sorted."""
    folders = {paths.directory(path) for path in sources} - {""}
    skip = set(known)
    names = {name for tree in (head, target) for name in tree.files("*") if paths.directory(name) in folders}
    return tuple(sorted(name for name in names - skip if _oid(head, name) != _oid(target, name)))


def _oid(tree: Tree, path: str) -> str | None:
    entry = tree.entry(path)
    return entry.oid if entry is not None else None


def all_outputs(tree: Tree) -> Iterator[Located]:
    """Every output that the tree names, one that stands twice twice; files that are broken are passed over."""
    commit = Commit(tree)
    for file in tree.files("dvc.yaml"):
        try:
            pipeline = commit.pipeline(file)
            yield from commit.stage_outputs(pipeline) if pipeline is not None else ()
        except BadInput:
            continue
    for file in tree.files("*.dvc"):
        try:
            yield from commit.dvc_outputs(file)
        except BadInput:
            continue


def broken(tree: Tree, files: Iterable[str]) -> str | None:
    """Why a planned `dvc.yaml`, `dvc.lock` or `.dvc` file cannot be read; None when all can."""
    commit = Commit(tree)
    for file in files:
        try:
            if file.endswith("dvc.yaml"):
                commit.pipeline(file)
            elif file.endswith("dvc.lock"):
                commit.pipeline(posixpath.join(paths.directory(file), "dvc.yaml"))
            elif file.endswith(".dvc"):
                commit.dvc_file(file)
        except BadInput as error:
            return error.message
    return None
