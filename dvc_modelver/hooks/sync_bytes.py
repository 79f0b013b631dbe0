"""Do the bytes that staged DVC files newly name lie in the cache or in the DVC remote?"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from dvc_modelver.core.facts import Output
from dvc_modelver.dvcio import paths
from dvc_modelver.dvcio.cache import Cache
from dvc_modelver.dvcio.config import DvcConfig, Remote, read_dvc_config
from dvc_modelver.dvcio.dvcfile import parse_dvc_file
from dvc_modelver.dvcio.listing import ObjectId, object_id
from dvc_modelver.dvcio.locate import Commit, lock_of
from dvc_modelver.dvcio.lock import parse_lock
from dvc_modelver.errors import BadInput, DataError, EnvironmentProblem
from dvc_modelver.hooks.precommit import Finding, word
from dvc_modelver.hooks.staged import Staged


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """An output of a staged file whose bytes HEAD did not name."""

    output: Output
    file: str
    """`dvc.lock` or the `.dvc` file."""

    @property
    def oid(self) -> ObjectId:
        """Where its bytes are kept."""
        return object_id(self.output.digest or "", self.output.hash_name)


def new_outputs(staged: Staged, commit: Commit, files: Iterable[str]) -> Iterator[Named]:
    """What the changed ones among `files` (`dvc.yaml`s and `.dvc` files) keep in DVC's cache, and HEAD did not.

    An import's bytes are in the repository or at the URL that they came from, so they are left out.
    """
    for file in files:
        try:
            yield from _new_of(staged, commit, file)
        except BadInput:  # said already, with its line
            continue


def _new_of(staged: Staged, commit: Commit, file: str) -> Iterator[Named]:
    where = lock_of(file) if file.endswith("dvc.yaml") else file
    before = next((change.old for change in staged.changes if change.path == where and change.status != "D"), None)
    if before is None:
        return
    if where != file:
        pipeline = commit.pipeline(file)
        outputs = [located.output for located in commit.stage_outputs(pipeline)] if pipeline is not None else []
    else:
        found = commit.dvc_file(file)
        outputs = [] if found is None or found.imports else [located.output for located in commit.dvc_outputs(file)]
    old = _old_digests(staged, where, before.oid) if outputs else frozenset()
    for output in outputs:
        kept = output.cached and output.digest is not None and output.digest.startswith("md5:")
        if kept and output.digest not in old and not paths.is_url(output.path):
            yield Named(output=output, file=where)


def _old_digests(staged: Staged, where: str, oid: str) -> frozenset[str | None]:
    """What HEAD named, and in a merge what the other sides did."""
    sides = [side[where].old.oid if where in side else staged.tree.entries[where].oid for side in staged.merged]
    return frozenset(digest for one in (oid, *sides) for digest in _digests(staged.tree.blob(one), where))


def _digests(data: bytes, name: str) -> frozenset[str | None]:
    """What the file named, wherever it was to lie: those bytes are no affair of this commit."""
    if not data:
        return frozenset()
    try:
        if name.endswith(".lock"):
            return frozenset(item.digest for _, item in parse_lock(data, name).all_outputs())
        return frozenset(out.item.digest for out in parse_dvc_file(data, name).outs)
    except BadInput:
        return frozenset()


def check_bytes(staged: Staged, commit: Commit, files: Sequence[str], *, ask: bool) -> Iterator[Finding]:
    """Every output that is new is whole in the cache or in the remote; the work tree is compared by size alone.

    Args:
        ask: also ask a remote that is not a directory of this machine: DVC is imported for it.
    """
    configs: dict[str, DvcConfig] = {}
    for named in new_outputs(staged, commit, files):
        root = named.output.root
        if root not in configs:
            configs[root] = read_dvc_config(staged.root / root / ".dvc", env=staged.env)
        yield from _check(named, configs[root], ask)
        yield from _work_tree(staged, named)


def _check(named: Named, config: DvcConfig, ask: bool) -> Iterator[Finding]:
    remote = _remote(named.output, config)
    directory = remote.directory if remote is not None else None
    cache = Cache(config.cache_dir, also=(directory,) if directory is not None else ())
    path = paths.shown(named.output.path)
    try:
        lacking = [oid for oid in cache.objects(named.oid) if not cache.exists(oid)]
    except (DataError, BadInput) as error:
        if cache.exists(named.oid):
            yield Finding(
                path=named.file, problem=f"{path}: {error.message}", remedy=error.hint or f"dvc commit {word(path)}"
            )
            return
        lacking = [named.oid]
    if lacking and remote is not None and directory is None:
        yield from _elsewhere(named, remote, lacking, ask)
    elif lacking:
        part = f"{len(lacking)} of the files of {path} are" if lacking[0] != named.oid else f"the bytes of {path} are"
        yield Finding(
            path=named.file,
            problem=f"{part} neither in the cache nor in a DVC remote",
            remedy=f"dvc commit {word(path)}, or dvc fetch; then git add {word(named.file)}",
        )


def _remote(output: Output, config: DvcConfig) -> Remote | None:
    try:
        return config.remote(output.remote)
    except EnvironmentProblem:
        return None


def _elsewhere(named: Named, remote: Remote, lacking: Sequence[ObjectId], ask: bool) -> Iterator[Finding]:
    path = paths.shown(named.output.path)
    if ask:
        from dvc_modelver.dvcio import act

        if set(lacking) <= act.present(remote, lacking):
            return
    look = f"dvc data status --not-in-remote says whether {remote.name} has it"
    yield Finding(
        path=named.file,
        problem=f"{path} is not in the cache{f', nor in the DVC remote {remote.name}' if ask else ''}",
        remedy=f"dvc commit {word(path)}" if ask else look,
        note=not ask,
    )


def _work_tree(staged: Staged, named: Named) -> Iterator[Finding]:
    """A note: pre-commit puts unstaged changes of DVC's files aside, so the data may rightly be those of tomorrow."""
    output = named.output
    try:
        state = os.lstat(staged.root / output.path)
    except (OSError, ValueError):
        return
    if stat.S_ISREG(state.st_mode) and output.size is not None and state.st_size != output.size:
        path = paths.shown(output.path)
        how = "dvc repro" if named.file.endswith("dvc.lock") else f"dvc add {word(path)}"
        yield Finding(
            path=named.file,
            problem=f"{path} has {state.st_size} bytes in the work tree, and {output.size} here",
            remedy=f"{how}, then git add {word(named.file)}; or dvc checkout {word(path)}",
            note=True,
        )
