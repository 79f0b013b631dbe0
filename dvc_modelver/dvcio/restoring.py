"""The files of a commit with some parts of a slice as another commit has them.  Pure: two trees in, files out."""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from dvc_modelver.core.facts import Output
from dvc_modelver.core.overlay import Files
from dvc_modelver.core.trees import Entry, Tree
from dvc_modelver.dvcio import paths
from dvc_modelver.dvcio.dvcyaml import Definition
from dvc_modelver.dvcio.items import Item
from dvc_modelver.dvcio.linked import NO_LINKS, SUBMODULE, Links
from dvc_modelver.dvcio.locate import Commit, Located, Pipeline
from dvc_modelver.dvcio.lock import LockedStage, digest_of
from dvc_modelver.dvcio.measures import PARAMS_YAML
from dvc_modelver.dvcio.splice import CannotSplice, Key, splice
from dvc_modelver.dvcio.values import read_values
from dvc_modelver.dvcio.yaml12 import load_yaml
from dvc_modelver.errors import BadInput

PartKey = tuple[str, str]
"""(kind, path) of a `core.facts.Part`."""
_YAML = (".yaml", ".yml", ".lock")
_WHOLE = ("code", "output", "dvc")
_BUILT_IN = frozenset(("item", "key"))
_USED = re.compile(r"\$\{\s*([A-Za-z_][A-Za-z0-9_-]*)")


@dataclass(slots=True)
class Restored:
    """What the files must become."""

    files: dict[str, bytes | None] = field(default_factory=dict)
    """Only those that change."""
    whole: list[str] = field(default_factory=list)
    """Files that were taken as a whole, since the part could not be changed by itself."""
    submodules: list[str] = field(default_factory=list)
    """Paths that are submodules at one of the two, whose commits are not ours to check out."""


def restore_parts(
    head: Tree, target: Tree, parts: Iterable[PartKey], links: tuple[Links, Links] = (NO_LINKS, NO_LINKS)
) -> Restored:
    """`head` with each of `parts` as `target` has it; what `target` lacks goes.

    Entries of YAML files are changed as text, all else as whole files; a symbolic link is one, its bytes are where it
    points to.

    Args:
        links: of `head` and of `target`.

    Raises `BadInput` when a file of the two is broken.
    """
    found = Restored()
    entries: dict[str, dict[Key, None]] = {}
    for kind, path in parts:
        if kind in _WHOLE:
            _restore_files(found, (head, target), links, path)
            continue
        file, _, name = path.rpartition(":") if kind != "params" else path.partition(":")
        entries.setdefault(file, {})[_key(target, kind, file, name)] = None
    for file, keys in entries.items():
        if file not in found.files:
            _restore_entries(found, head, target, file, tuple(keys))
    return found


def _key(target: Tree, kind: str, file: str, name: str) -> Key:
    """Where an entry stands in its file."""
    if kind == "params":
        return _param_key(target, file, name)
    if kind == "artifact":
        return (name,) if file.endswith("artifacts.yaml") else ("artifacts", name)
    return ("stages", name)


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
    if old is None or not file.endswith(_YAML):
        _take(found, file, old, new)
        return
    lock = file.endswith("dvc.lock")
    wanted = (*([("schema",)] if lock and new is not None else []), *keys)
    try:
        spliced: bytes | None = splice(old, new, wanted, name=file)
    except CannotSplice:
        if new is not None:
            found.whole.append(file)
        spliced = new if new is not None else old
    if new is None and spliced is not None and _is_empty(spliced, file):
        spliced = None
    if spliced != old:
        found.files[file] = spliced


def _is_empty(data: bytes, file: str) -> bool:
    """Whether nothing is left that somebody wrote; of a `dvc.lock`, no stage."""
    values = load_yaml(data, name=file)
    return not values or (isinstance(values, dict) and set(values) <= {"schema"} and file.endswith("dvc.lock"))


def _take(found: Restored, file: str, old: bytes | None, new: bytes | None) -> None:
    if new is not None and old is not None:
        found.whole.append(file)
    if new is not None:
        found.files[file] = new


def _restore_files(found: Restored, trees: tuple[Tree, Tree], links: tuple[Links, Links], path: str) -> None:
    """A file, a link, or every file and link of a directory."""
    before, after = (dict(_below(tree, path, some)) for tree, some in zip(trees, links, strict=True))
    for name in sorted({**before, **after}):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        if SUBMODULE in (old and old.mode, new and new.mode):
            found.submodules.append(name)
        elif new is None or not new.is_symlink:
            found.files[name] = trees[1].read(name)
        else:
            found.files[name] = links[1].read(name)


def _below(tree: Tree, path: str, links: Links) -> Iterator[tuple[str, Entry]]:
    entry = tree.entry(path)
    if entry is None:
        return
    if not entry.is_directory:
        yield path, entry
        return
    for name in (*tree.files("*"), *links.below(path)):
        inner = tree.entry(name) if name.startswith(f"{path}/") else None
        if inner is not None:
            yield name, inner


# Kept by Git at one side, by DVC at the other ---------------------------------------------------------------------


def kept(outputs: Iterable[Located]) -> dict[str, Output]:
    """Those whose bytes DVC keeps, by path."""
    return {located.output.path: located.output for located in outputs if located.output.cached}


def given_up(head: Tree, target: Tree, links: Links, outputs: Collection[str]) -> dict[str, None]:
    """Git's files of `head` that must go, since outputs of DVC come to lie there: not those that `target` has too.

    Args:
        links: of `head`.
    """
    wanted = frozenset(outputs)
    above = {up for path in wanted for up in paths.parents(path)}
    names = [*head.files("*"), *links.entries] if wanted else []
    clash = (name for name in names if name in above or not wanted.isdisjoint((name, *paths.parents(name))))
    return {name: None for name in clash if (entry := target.entry(name)) is None or entry.is_directory}


def kept_twice(commit: Commit) -> set[str]:
    """Outputs of DVC at, or below, which Git has files too: dvc refuses to run such pipeline stages."""
    return {
        path for path in kept(all_outputs(commit)) if not paths.is_url(path) and commit.tree.entry(path) is not None
    }


def executables(commit: Commit) -> frozenset[str]:
    """The outputs that can be run, as `isexec: true` says; files that are broken are passed over."""
    found: set[str] = set()
    for file in commit.tree.files("dvc.lock", "*.dvc"):
        data = commit.tree.read(file) or b""
        if b"isexec" in data:
            try:
                found.update(_executables(commit, file, load_yaml(data, name=file)))
            except BadInput:
                continue
    return frozenset(found)


def _executables(commit: Commit, file: str, values: object) -> Iterator[str]:
    loaded = values if isinstance(values, Mapping) else {}
    if file.endswith(".dvc"):
        named = set(_executable_outs(loaded))
        yield from (found.output.path for found in commit.dvc_outputs(file) if found.item.path in named)
        return
    pipeline = commit.pipeline(posixpath.join(paths.directory(file), "dvc.yaml"))
    stages = loaded.get("stages")
    for name, stage in stages.items() if pipeline is not None and isinstance(stages, Mapping) else ():
        for written in _executable_outs(stage):
            full = pipeline.full(str(name), written) if pipeline is not None else None
            if full is not None:
                yield full


def _executable_outs(stage: object) -> Iterator[str]:
    outs = stage.get("outs") if isinstance(stage, Mapping) else None
    for out in outs if isinstance(outs, list) else ():
        if isinstance(out, Mapping) and out.get("isexec") is True and isinstance(out.get("path"), str):
            yield str(out["path"])


# What only the whole commit tells ---------------------------------------------------------------------------------


def whole_params(commit: Commit, then: Commit, definitions: Iterable[str]) -> Iterator[PartKey]:
    """Keys that `commit` has since in params files which definitions of `then` read as a whole: they must go.

    Args:
        definitions: `dvc.yaml:STAGE`, as the parts are called.
    """
    for path in definitions:
        file, _, name = path.rpartition(":")
        pipeline = then.pipeline(file)
        definition = pipeline.project.stages.get(name) if pipeline is not None else None
        if pipeline is None or definition is None or definition.group:
            continue
        for written in _read_whole(definition.body.get("params")):
            full = pipeline.full(name, written)
            now, old = (_top_keys(side.tree, full) for side in (commit, then))
            yield from (("params", f"{full}:{key}") for key in now if key not in old)


def _read_whole(params: object) -> Iterator[str]:
    for entry in params if isinstance(params, list) else ():
        if isinstance(entry, Mapping):
            yield from (str(file) for file, keys in entry.items() if not keys)


def _top_keys(tree: Tree, file: str | None) -> tuple[str, ...]:
    data = tree.read(file) if file is not None and not paths.is_url(file) else None
    try:
        values = read_values(data, path=file or "") if data is not None else None
    except BadInput:
        values = None
    return tuple(str(key) for key in values) if isinstance(values, Mapping) else ()


def readers_elsewhere(commit: Commit, path: str, gone: Collection[PartKey]) -> tuple[str, ...]:
    """Pipeline stages that read `path` and whose definitions are not among `gone`: `dvc.yaml:STAGE`, sorted."""
    found = set()
    for file in commit.tree.files("dvc.yaml"):
        for stage in commit.readers(file, path):
            pipeline = commit.pipeline(file)
            definition = pipeline.project.definition(stage) if pipeline is not None else None
            name = definition.name if definition is not None else stage
            if ("definition", f"{file}:{name}") not in gone:
                found.add(f"{file}:{name}")
    return tuple(sorted(found))


def unresolved(commit: Commit) -> frozenset[tuple[str, str]]:
    """(`dvc.yaml:STAGE`, name) of templates that no `vars` and no `params.yaml` gives a value: dvc refuses them all."""
    found = set()
    for file in commit.tree.files("dvc.yaml"):
        pipeline = commit.pipeline(file)
        for definition in pipeline.project.stages.values() if pipeline is not None else ():
            names = _templates(definition)
            if pipeline is not None and names:
                known = _var_names(commit.tree, pipeline.directory, pipeline.project.vars)
                base = paths.folder(pipeline.directory, definition.wdir or ".")
                own = _var_names(commit.tree, base, definition.body.get("vars")) if base is not None else set()
                found |= {(f"{file}:{definition.name}", name) for name in names - known - own}
    return frozenset(found)


def used_vars(commit: Commit, definitions: Iterable[str]) -> Iterator[PartKey]:
    """The entries of params files, and the lists of `vars:`, that templates of the definitions take values from.

    Args:
        definitions: `dvc.yaml:STAGE`, as the parts are called.
    """
    for path in definitions:
        file, _, stage = path.rpartition(":")
        pipeline = commit.pipeline(file)
        definition = pipeline.project.stages.get(stage) if pipeline is not None else None
        names = _templates(definition) if definition is not None else set()
        for source, known in _sources(commit.tree, pipeline) if pipeline is not None else ():
            for name in sorted(names & known):
                if source is not None:
                    yield "params", f"{source}:{name}"
                if source != _default(file):
                    yield "params", f"{file}:vars"


def _default(file: str) -> str:
    return posixpath.join(paths.directory(file), PARAMS_YAML)


def _sources(tree: Tree, pipeline: Pipeline) -> Iterator[tuple[str | None, set[str]]]:
    """(file or None, names) of `params.yaml` and each entry of `vars:`."""
    default = _default(pipeline.file)
    yield default, set(_top_keys(tree, default))
    for entry in pipeline.project.vars:
        file = paths.resolve(pipeline.directory, entry.partition(":")[0])[0] if isinstance(entry, str) else None
        yield file, _var_names(tree, pipeline.directory, [entry], default=False)


def _templates(definition: Definition) -> set[str]:
    text = json.dumps(definition.raw, default=str, ensure_ascii=False)
    return set(_USED.findall(text)) - _BUILT_IN if "${" in text else set()


def _var_names(tree: Tree, base: str, entries: object, *, default: bool = True) -> set[str]:
    """The names that `params.yaml` and the entries of a list of `vars:` bring in; paths are from `base`."""
    found = set(_top_keys(tree, paths.join(base, PARAMS_YAML))) if default else set()
    for entry in entries if isinstance(entries, (list, tuple)) else ():
        if isinstance(entry, Mapping):
            found |= {str(key) for key in entry}
        elif isinstance(entry, str):
            file, _, keys = entry.partition(":")
            names = set(_top_keys(tree, paths.resolve(base, file)[0]))
            found |= names & {key.partition(".")[0] for key in keys.split(",")} if keys else names
    return found


# What DVC ignores -------------------------------------------------------------------------------------------------


def ignore_lines(
    head: Tree, target: Tree, files: Files, added: Iterable[str], gone: Iterable[str]
) -> dict[str, bytes | None]:
    """The `.gitignore` files that must name outputs that come (as `target` does), and no longer those that go.

    One that loses its last line goes, as DVC lets it, unless `target` has it.
    """
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
    # The same lines in the order that they had: the file is the one that was.
    found = {file: _same_lines(data, target.read(file)) or data for file, data in found.items()}
    changed = {file: data for file, data in found.items() if data != head.read(file)}
    return {file: data or target.read(file) for file, data in changed.items()}


def _same_lines(data: bytes, theirs: bytes | None) -> bytes | None:
    return theirs if theirs is not None and sorted(theirs.splitlines()) == sorted(data.splitlines()) else None


def helpers(head: Tree, target: Tree, sources: Iterable[str], known: Iterable[str]) -> tuple[str, ...]:
    """Files beside the pipeline's sources that differ and that no pipeline stage names: sorted."""
    folders = {paths.directory(path) for path in sources} - {""}
    skip = set(known)
    names = {name for tree in (head, target) for name in tree.files("*") if paths.directory(name) in folders}
    return tuple(sorted(name for name in names - skip if _oid(head, name) != _oid(target, name)))


def _oid(tree: Tree, path: str) -> str | None:
    entry = tree.entry(path)
    return entry.oid if entry is not None else None


def all_outputs(commit: Commit) -> Iterator[Located]:
    """Every output that the tree names, one that stands twice twice; files that are broken are passed over."""
    for file in commit.tree.files("dvc.yaml"):
        try:
            pipeline = commit.pipeline(file)
            yield from commit.stage_outputs(pipeline) if pipeline is not None else ()
        except BadInput:
            continue
    for file in commit.tree.files("*.dvc"):
        try:
            yield from commit.dvc_outputs(file)
        except BadInput:
            continue


def stale_stages(commit: Commit, changed: Collection[str]) -> frozenset[str]:
    """Pipeline stages that ran with something else than what the commit has now at the paths `changed`.

    `dvc.yaml:STAGE`.  Directories in Git are not looked into.
    """
    found = set()
    for file in commit.tree.files("dvc.yaml"):
        pipeline = commit.pipeline(file)
        names = {name for path in changed for name in commit.readers(file, path)}
        for stage in pipeline.lock.stages() if pipeline is not None else ():
            if pipeline is None or pipeline.project.definition(stage.name) is None:
                continue
            deps = ((pipeline.full(stage.name, item.path), item) for item in stage.deps) if stage.name in names else ()
            other = any(path in changed and _other_bytes(commit, path or "", item, file) for path, item in deps)
            if other or _other_params(commit.tree, pipeline, stage, changed):
                found.add(f"{file}:{stage.name}")
    return frozenset(found)


def _other_bytes(commit: Commit, path: str, item: Item, near: str) -> bool:
    located = commit.find(path, near)
    if located is not None and located.output.path == path:
        return located.output.digest != item.digest
    data = commit.tree.read(path)
    if data is None:
        return commit.tree.entry(path) is None and located is None
    return item.hash_name == "md5" and item.digest != f"md5:{hashlib.md5(data, usedforsecurity=False).hexdigest()}"


def _other_params(tree: Tree, pipeline: Pipeline, stage: LockedStage, changed: Collection[str]) -> bool:
    for file, values in stage.values.items():
        full = pipeline.full(stage.name, file)
        data = tree.read(full) if full is not None and full in changed else None
        if full is not None and data is not None:
            now = read_values(data, path=full)
            if any(digest_of(_value(now, str(key))) != digest_of(value) for key, value in values.items()):
                return True
    return False


def _value(values: object, key: str) -> object:
    """What a dotted key names; None when nothing."""
    if isinstance(values, Mapping) and key in values:
        return values[key]
    for part in key.split("."):
        values = values.get(part) if isinstance(values, Mapping) else None
    return values


def entries_of(commit: Commit, files: Iterable[str]) -> dict[PartKey, str]:
    """Every definition and lock entry of the `dvc.yaml` and `dvc.lock` files among `files`, with a digest of each."""
    found: dict[PartKey, str] = {}
    for file in files:
        folder, _, name = file.rpartition("/")
        pipeline = commit.pipeline(posixpath.join(folder, "dvc.yaml")) if name in ("dvc.yaml", "dvc.lock") else None
        if pipeline is not None and name == "dvc.yaml":
            stages = pipeline.project.stages
            found |= {("definition", f"{file}:{stage}"): digest_of(stages[stage].raw) for stage in stages}
        elif pipeline is not None:
            found |= {("lock", f"{file}:{stage.name}"): stage.digest for stage in pipeline.lock.stages()}
    return found


def broken(commit: Commit, files: Iterable[str]) -> str | None:
    """Why a planned `dvc.yaml`, `dvc.lock` or `.dvc` file cannot be read; None when all can."""
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
