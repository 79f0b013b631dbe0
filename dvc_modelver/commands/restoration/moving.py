"""Which parts of a slice move, where groups are one unit, and the files with them as the target has them."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator

from dvc_modelver.commands.restoration.changing import change_sides
from dvc_modelver.commands.restoration.naming import some_of
from dvc_modelver.commands.restoration.side import Side, read_side
from dvc_modelver.core.rollback import (
    Moved,
    PartKey,
    keys,
    moved_parts,
)
from dvc_modelver.dvcio import restoring
from dvc_modelver.dvcio.locate import Commit
from dvc_modelver.errors import Refused


def moved_between(head: Side, target: Side) -> Moved:
    """What a rollback from one to the other touches."""
    now, then = keys(head.measured), keys(target.measured)
    now = {key: digest for key, digest in now.items() if key[0] != "artifact" or _has(head, key)}
    there = {key for key in now if key not in then and _has(target, key)}
    moved = moved_parts(now, then, there)
    return Moved(restored=moved.restored, dropped=tuple(key for key in moved.dropped if not _stays(head, key, moved)))


def _has(side: Side, key: PartKey) -> bool:
    """Whether the commit has that thing at all."""
    kind, path = key
    if kind in ("code", "output", "dvc"):
        return side.tree.entry(path) is not None
    file, _, name = path.rpartition(":")
    if kind == "artifact":
        return any(one.file == file and one.name.rpartition(":")[2] == name for one in side.artifacts)
    yaml = file if kind == "definition" else posixpath.join(posixpath.dirname(file), "dvc.yaml")
    pipeline = side.commit.pipeline(yaml)
    if pipeline is None:
        return False
    return name in pipeline.project.stages if kind == "definition" else pipeline.lock.stage(name) is not None


def _stays(head: Side, key: PartKey, moved: Moved) -> bool:
    """Whether a file that the target lacks stays, since a pipeline stage that stays reads it."""
    kind, path = key
    if kind not in ("code", "dvc"):
        return False
    read = [path] if kind == "code" else [out.output.path for out in head.commit.dvc_outputs(path)]
    changed = {*moved.restored, *moved.dropped}
    return any(restoring.readers_elsewhere(head.commit, one, changed) for one in read)


def with_groups(head: Side, target: Side) -> tuple[Side, Side, Moved, frozenset[str]]:
    """What moves, where a `foreach` or `matrix` group whose definition or vars move is one unit: all its stages."""
    groups: frozenset[str] = frozenset()
    while True:
        moved = moved_between(head, target)
        found = groups | {
            path
            for kind, path in (*moved.restored, *moved.dropped)
            if kind == "definition" and (_is_group(head, path) or _is_group(target, path))
        }
        if found == groups:
            return head, target, moved, groups
        groups = found
        head, target = (
            read_side(side.tree, side.declared, members_of(side.commit, groups), links=side.links)
            for side in (head, target)
        )


def _is_group(side: Side, path: str) -> bool:
    file, _, name = path.rpartition(":")
    pipeline = side.commit.pipeline(file)
    definition = pipeline.project.stages.get(name) if pipeline is not None else None
    return definition is not None and definition.group


def members_of(commit: Commit, groups: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The pipeline stages of groups, which are called as the parts of their definitions are."""
    for path in sorted(groups):
        file, _, name = path.rpartition(":")
        pipeline = commit.pipeline(file)
        names = pipeline.lock.names if pipeline is not None else ()
        yield from ((file, stage) for stage in names if stage == name or stage.startswith(f"{name}@"))


def without(moved: Moved, measuring: set[PartKey]) -> Moved:
    """Stages that measure several models stay as they are, with everything that is theirs alone."""
    return Moved(
        restored=tuple(key for key in moved.restored if key not in measuring),
        dropped=tuple(key for key in moved.dropped if key not in measuring),
    )


def restore_moved(head: Side, target: Side, moved: Moved) -> restoring.Restored:
    """The files with what moves as the target has it.  Raises `Refused` for submodules."""
    definitions = [path for kind, path in moved.restored if kind == "definition"]
    more = [
        *restoring.whole_params(head.commit, target.commit, _definitions(target)),
        *restoring.used_vars(target.commit, definitions),
    ]
    parts = [*moved.restored, *moved.dropped, *more]
    restored = restoring.restore_parts(head.tree, target.tree, parts, (head.links, target.links))
    if restored.submodules:
        raise Refused(f"{some_of(restored.submodules)} is a submodule", hint="restore it by hand, then run it again")
    change_sides(head, target, restored)
    return restored


def _definitions(side: Side) -> list[str]:
    return [part.path for part in side.measured.parts if part.kind == "definition"]
