"""Do `dvc.yaml`, `dvc.lock` and the params agree, as they are staged?  Pure over the index."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping

from dvc_modelver.dvcio import paths
from dvc_modelver.dvcio.dvcyaml import Definition
from dvc_modelver.dvcio.hashing import new_hasher
from dvc_modelver.dvcio.items import Item
from dvc_modelver.dvcio.locate import Commit, Pipeline, lock_of
from dvc_modelver.dvcio.lock import LockedStage, digest_of
from dvc_modelver.dvcio.yaml12 import conflict
from dvc_modelver.errors import BadInput
from dvc_modelver.hooks.precommit import Finding, word
from dvc_modelver.hooks.staged import Staged

_TEMPLATE = re.compile(r"\$\{.*?\}", re.DOTALL)
_ABSENT = object()
_FILTERS = ("filter", "ident", "working-tree-encoding")
"""Attributes by which the work tree has other bytes than Git, beside line ends."""


def check_dvc_file(commit: Commit, file: str) -> Iterator[Finding]:
    """A staged `.dvc` file can be read."""
    data = commit.tree.read(file) or b""
    problem = conflict(data, file)
    try:
        if problem is None:
            commit.dvc_file(file)
            return
    except BadInput as error:
        problem = error
    yield _broken(file, problem)


def check_pipeline(staged: Staged, commit: Commit, file: str) -> Iterator[Finding]:
    """The stages of one `dvc.yaml`, staged or not, against its lock file and its inputs in Git."""
    lock = lock_of(file)
    for name in (file, lock):
        problem = conflict(commit.tree.read(name) or b"", name)
        if problem is not None:
            yield _broken(name, problem)
            return
    try:
        pipeline = commit.pipeline(file)
        if pipeline is None:
            if commit.tree.entry(lock) is not None:
                remedy = f"git add {word(file)}, or git rm {word(lock)}"
                yield Finding(path=lock, problem=f"there is no {file} beside it", remedy=remedy)
            return
        yield from _Check(staged, commit, pipeline).findings()
    except BadInput as error:
        yield _broken(lock if error.message.startswith(lock) else file, error)


def _broken(file: str, error: BadInput) -> Finding:
    said = error.message.removeprefix(f"{file}: ")
    return Finding(path=file, problem=said, remedy=error.hint or f"correct it, then git add {word(file)}")


class _Check:
    """One pipeline."""

    def __init__(self, staged: Staged, commit: Commit, pipeline: Pipeline) -> None:
        self.staged = staged
        self.commit = commit
        self.pipeline = pipeline
        self.lock = lock_of(pipeline.file)
        self.values: dict[str, object] = {}

    def findings(self) -> Iterator[Finding]:
        for text in self.pipeline.project.problems:
            yield self.finding(text, f"correct it, then git add {word(self.pipeline.file)}", path=self.pipeline.file)
        for name in self.never_run():
            yield self.finding(f"stage {name} is in {self.pipeline.file} and has no entry here", self.repro(name))
        for name in self.pipeline.lock.names:
            definition = self.pipeline.project.definition(name)
            if definition is None or name in self.gone(definition):
                yield self.finding(
                    f"stage {name} is not in {self.pipeline.file}",
                    f"take its entry out of {self.lock}, or put the stage back",
                )
                continue
            stage = self.pipeline.lock.stage(name)
            if stage is not None:
                yield from self.stage(stage, definition)

    def finding(self, problem: str, remedy: str, *, path: str = "") -> Finding:
        return Finding(path=path or self.lock, problem=problem, remedy=remedy)

    def repro(self, stage: str) -> str:
        where = self.pipeline.directory
        target = f"{self.pipeline.file}:{stage}" if where else stage
        return f"dvc repro {word(target)}, then git add {word(self.lock)}"

    def never_run(self) -> Iterator[str]:
        names = self.pipeline.lock.names
        for name, definition in self.pipeline.project.stages.items():
            if not definition.group:
                if name not in names and definition.body.get("frozen") is not True:
                    yield name
                continue
            items = _items(definition)
            if items is None and not any(locked.startswith(f"{name}@") for locked in names):
                yield name
            yield from (f"{name}@{item}" for item in items or () if f"{name}@{item}" not in names)

    def gone(self, definition: Definition) -> Iterable[str]:
        """The entries of a group whose items are written out, and no longer have them."""
        items = _items(definition) if definition.group else None
        if items is None:
            return ()
        wanted = {f"{definition.name}@{item}" for item in items}
        start = f"{definition.name}@"
        return [name for name in self.pipeline.lock.names if name.startswith(start) and name not in wanted]

    def stage(self, stage: LockedStage, definition: Definition) -> Iterator[Finding]:
        if not _same_command(_command(definition.body.get("cmd")), stage.cmd or ""):
            yield self.finding(
                f"stage {stage.name} ran another cmd than {self.pipeline.file} has", self.repro(stage.name)
            )
        for kind, written, locked in (
            ("deps", _paths_of(definition.body.get("deps")), stage.deps),
            ("outs", [out.path for out in definition.outs], stage.outs),
        ):
            if not _same_paths(written, [item.path for item in locked]):
                yield self.finding(
                    f"stage {stage.name} ran with other {kind} than {self.pipeline.file} has", self.repro(stage.name)
                )
        yield from self.params(stage, definition)
        if self.staged.changed(self.lock) or self.staged.everything:
            yield from self.in_git(stage)

    # Params -----------------------------------------------------------------------------------------------------

    def params(self, stage: LockedStage, definition: Definition) -> Iterator[Finding]:
        for file, key in _written_params(definition):
            if key not in stage.values.get(file, {}) and not any(mark in key for mark in "*["):
                yield self.finding(f"stage {stage.name} has not run with {file}: {key}", self.repro(stage.name))
        whole = _whole_params(definition)
        for file in sorted(whole - set(stage.values)):
            yield self.finding(f"stage {stage.name} has not run with {file}", self.repro(stage.name))
        for file, locked in stage.values.items():
            full = self.pipeline.full(stage.name, file)
            if full is None or paths.is_url(full):
                continue
            staged = self.read(full)
            if staged is _ABSENT:
                if any(change.path == full and change.status == "D" for change in self.staged.changes):
                    remedy = f"git restore --staged {word(full)}"
                    yield self.finding(f"stage {stage.name} reads {full}, which goes", remedy)
                continue
            new = staged if file in whole and isinstance(staged, Mapping) else ()
            for key in (str(key) for key in new if key not in locked):
                yield self.finding(f"stage {stage.name} has not run with {file}: {key}", self.repro(stage.name))
            for name, value in locked.items():
                now = _lookup(staged, str(name))
                if not _same(value, now):
                    what = "is not there" if now is _ABSENT else "has another value"
                    yield self.finding(
                        f"stage {stage.name} ran when {full} was another: {name} {what}", self.repro(stage.name)
                    )

    def read(self, full: str) -> object:
        """The values of a params file; `_ABSENT` when Git does not have it."""
        if full not in self.values:
            from dvc_modelver.dvcio.values import read_values

            data = self.commit.tree.read(full)
            if data is not None and (problem := conflict(data, full)) is not None:
                raise problem
            self.values[full] = _ABSENT if data is None else read_values(data, path=full)
        return self.values[full]

    # Files in Git -----------------------------------------------------------------------------------------------

    def in_git(self, stage: LockedStage) -> Iterator[Finding]:
        """The inputs and outputs that Git holds are those that the stage read and wrote."""
        for item, verb in (*((dep, "read") for dep in stage.deps), *((out, "wrote") for out in stage.outs)):
            full = self.pipeline.full(stage.name, item.path)
            data = self.commit.tree.read(full) if full is not None and not paths.is_url(full) else None
            if full is not None and data is not None and not _holds(item, data) and not self.is_filtered(full):
                yield self.finding(
                    f"stage {stage.name} {verb} another {full} than the one that is staged",
                    f"git add {word(full)}, or {self.repro(stage.name)}",
                )

    def is_filtered(self, path: str) -> bool:
        """Whether Git keeps a file in another form (nbstripout, an encoding): DVC hashed what the work tree has."""
        asked = ("check-attr", "--cached", "-z", *_FILTERS, "--", path)
        values = self.staged.git.run(*asked).split(b"\0")[2::3]
        return any(value not in (b"unspecified", b"unset") for value in values)


def _holds(item: Item, data: bytes) -> bool:
    """Whether a blob has an entry's digest: as it is, or with the line ends of a Windows checkout."""
    if item.digest is None or not item.digest.startswith("md5:") or item.digest.endswith(".dir"):
        return True
    if data.startswith(b"version https://git-lfs.github.com/"):
        return True
    return any(_md5(text, item.hash_name) == item.digest for text in (data, data.replace(b"\n", b"\r\n")))


def _md5(data: bytes, name: str) -> str:
    hasher = new_hasher(name)
    hasher.update(data)
    return f"md5:{hasher.hexdigest()}"


def _items(definition: Definition) -> list[str] | None:
    """The items of a `foreach` group that are written out; None when templates or a matrix make them."""
    raw = definition.raw.get("foreach")
    if isinstance(raw, dict):
        raw = list(raw)
    if not isinstance(raw, list) or not all(isinstance(item, (str, int)) and "${" not in str(item) for item in raw):
        return None
    return None if any(isinstance(item, bool) for item in raw) else [str(item) for item in raw]


def _command(raw: object) -> str:
    return "\n".join(str(line) for line in raw) if isinstance(raw, list) else str(raw or "")


def _same_command(written: str, locked: str) -> bool:
    """Whether `written` can have become `locked`: what its templates give is not known here."""
    if "${" not in written:
        return written.strip() == locked.strip()
    at = 0
    for part in _TEMPLATE.split(written):
        plain = part.replace("\\", "")
        found = locked.replace("\\", "").find(plain, at)
        if found < 0:
            return False
        at = found + len(plain)
    return True


def _paths_of(raw: object) -> list[str]:
    found: list[str] = []
    for item in raw if isinstance(raw, list) else ():
        found += [item] if isinstance(item, str) else [str(path) for path in item] if isinstance(item, dict) else []
    return found


def _same_paths(written: Iterable[str], locked: Iterable[str]) -> bool:
    rows = list(written)
    if any("${" in path for path in rows):
        return True
    return {posixpath.normpath(path) for path in rows} == {posixpath.normpath(path) for path in locked}


def _written_params(definition: Definition) -> Iterator[tuple[str, str]]:
    """(file, key) of each parameter that a stage names; files that are named as a whole have no keys."""
    raw = definition.body.get("params")
    for entry in raw if isinstance(raw, list) else ():
        rows = {"params.yaml": [entry]} if isinstance(entry, str) else entry if isinstance(entry, dict) else {}
        for file, keys in rows.items():
            for key in keys if isinstance(keys, list) else ():
                if "${" not in f"{file}{key}":
                    yield str(file), str(key)


def _whole_params(definition: Definition) -> set[str]:
    """The params files that a stage names without keys."""
    raw = definition.body.get("params")
    rows = (entry for entry in (raw if isinstance(raw, list) else ()) if isinstance(entry, dict))
    return {str(file) for entry in rows for file, keys in entry.items() if not keys and "${" not in str(file)}


def _lookup(values: object, key: str) -> object:
    """The value at a dotted key, where DVC finds it; `_ABSENT` when nothing is there."""
    if isinstance(values, Mapping) and key in values:
        return values[key]
    at = values
    for part in re.findall(r"[^.\[\]]+", key):
        if isinstance(at, Mapping) and part in at:
            at = at[part]
        elif isinstance(at, (list, tuple)) and part.isdigit() and int(part) < len(at):
            at = at[int(part)]
        else:
            return _ABSENT
    return at


def _same(locked: object, staged: object) -> bool:
    """Whether two values are one to DVC; a tuple of Python is a list in the lock file."""
    if staged is _ABSENT:
        return False
    return bool(locked == staged) or digest_of(locked) == digest_of(staged)
