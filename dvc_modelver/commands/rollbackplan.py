"""Read what a rollback would change: the files, the bytes, and which other models it concerns."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from dvc_modelver.core.declarations import Declared
from dvc_modelver.core.facts import Output, Slice
from dvc_modelver.core.overlay import Overlay
from dvc_modelver.core.rollback import (
    Moved,
    OutputChange,
    PartKey,
    Shared,
    keys,
    moved_parts,
    output_changes,
    overlapping,
    shared_parts,
)
from dvc_modelver.core.trees import Tree
from dvc_modelver.dvcio import restoring
from dvc_modelver.dvcio.locate import Commit, Located
from dvc_modelver.dvcio.project import declared as declared_in
from dvc_modelver.dvcio.recipe import recipe_of
from dvc_modelver.dvcio.slices import slice_of, slice_with, used_vars
from dvc_modelver.errors import BadInput, Refused

if TYPE_CHECKING:
    from dvc_modelver.core.recipe import Recipe

_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What applying will do to the work tree."""

    files: Mapping[str, bytes | None]
    """Git's files and their new bytes."""
    outputs: tuple[OutputChange, ...]
    """DVC's, in the order of their paths."""
    shared: tuple[Shared, ...] = ()
    """Restored although other models are made with it."""
    out_of_date: tuple[str, ...] = ()
    """Models that what is shared concerns."""
    stale: tuple[str, ...] = ()
    """Pipeline stages that `dvc status` will call changed."""
    notes: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One model at one of the two commits."""

    tree: Tree
    declared: Declared
    slice: Slice
    """Upstream alone."""
    measured: Slice
    """With the pipeline stages that measure it."""
    recipe: Recipe


def read_side(tree: Tree, declared: Declared) -> Side:
    """Raises `BadInput` when a DVC file of the commit is broken."""
    recipe = recipe_of(Commit(tree), declared)
    stages = [_stage(declared, step.name) for step in recipe.evaluation]
    return Side(
        tree=tree,
        declared=declared,
        slice=slice_of(tree, declared),
        measured=slice_with(tree, declared, stages),
        recipe=recipe,
    )


def _stage(declared: Declared, name: str) -> tuple[str, str]:
    """A step's name as (`dvc.yaml`, pipeline stage)."""
    file, colon, stage = name.rpartition(":")
    return (file, stage) if colon else (declared.file, stage)


# The slice --------------------------------------------------------------------------------------------------------


def plan_slice(head: Side, target: Side, like: str, *, include_shared: bool) -> Plan:
    """The model's slice as the target has it.

    Args:
        like: any object id of the repository.

    Raises:
        Refused: a part is shared and `include_shared` was not said, or the result would not be the target's slice.
    """
    others = _others(head, target)
    moved = _moved(head, target)
    measuring = set(keys(target.measured)) - set(keys(target.slice))
    shared = shared_parts(moved, {name: one.keys() for name, one in others.items()})
    left = {part for part in shared if (part.kind, part.path) in measuring}
    stale = tuple(sorted({part.path.rpartition(":")[2] for part in left if part.kind in ("lock", "definition")}))
    if left:
        moved = _without(moved, left, measuring)
    shared = tuple(part for part in shared if part not in left)
    files = _files(head, target, moved)
    planned = Overlay(head.tree, files, like)
    shared = (*shared, *_also_changed(head, planned, shared, others))
    if shared and not include_shared:
        raise Refused(_shared_words(shared), hint="--include-shared restores it for all of them; or --model-only")
    _check(planned, target, files, measured=not left)
    concerned = tuple(sorted({name for part in shared for name in part.models}))
    return Plan(
        files=files,
        outputs=tuple(_outputs(head, target, planned, left_out=bool(left))),
        shared=shared,
        out_of_date=concerned,
        stale=stale,
        notes=tuple(_helper_notes(head, target, files)),
    )


def _others(head: Side, target: Side) -> dict[str, dict[PartKey, str]]:
    """Every other model's parts, of both commits."""
    found: dict[str, dict[PartKey, str]] = {}
    for tree in (target.tree, head.tree):
        for one in declared_in(tree).artifacts:
            if one.name != head.declared.name:
                try:
                    found.setdefault(one.name, {}).update(keys(slice_of(tree, one)))
                except BadInput:
                    continue
    return found


def _moved(head: Side, target: Side) -> Moved:
    now, then = keys(head.measured), keys(target.measured)
    there = {key for key in now if key not in then and _has(target.tree, key)}
    return moved_parts(now, then, there)


def _has(tree: Tree, key: PartKey) -> bool:
    """Whether the commit has that thing at all."""
    kind, path = key
    if kind in ("code", "output", "dvc"):
        return tree.entry(path) is not None
    file, _, name = path.rpartition(":")
    commit = Commit(tree)
    if kind == "artifact":
        return any(one.name.rpartition(":")[2] == name for one in declared_in(tree).artifacts if one.file == file)
    yaml = file if kind == "definition" else posixpath.join(posixpath.dirname(file), "dvc.yaml")
    pipeline = commit.pipeline(yaml)
    if pipeline is None:
        return False
    return name in pipeline.project.stages if kind == "definition" else pipeline.lock.stage(name) is not None


def _without(moved: Moved, left: Iterable[Shared], measuring: set[PartKey]) -> Moved:
    """Stages that measure several models stay as they are, with everything that is theirs alone."""
    return Moved(
        restored=tuple(key for key in moved.restored if key not in measuring),
        dropped=tuple(key for key in moved.dropped if key not in measuring),
    )


def _files(head: Side, target: Side, moved: Moved) -> dict[str, bytes | None]:
    parts = [*_with_groups(head, target, moved.restored), *moved.dropped]
    restored = restoring.restore_parts(head.tree, target.tree, parts)
    if restored.links:
        raise Refused(f"{_some(restored.links)} is a symbolic link", hint="restore it by hand, then run it again")
    files = restored.files
    more = [("vars", f"{file}:{'vars' if file.endswith('dvc.yaml') else name}") for file, name in _used(target)]
    if more and any(kind == "definition" for kind, _ in moved.restored):
        overlay = Overlay(head.tree, files, "0" * 40)
        files = {**files, **restoring.restore_parts(overlay, target.tree, _as_params(more)).files}
    come = [o.path for o in target.measured.outputs if o.path not in {h.path for h in head.measured.outputs}]
    gone = _gone(head, target)
    return {**files, **restoring.ignore_lines(head.tree, target.tree, files, come, gone)}


def _as_params(parts: Iterable[PartKey]) -> list[PartKey]:
    return [("params", path) for _, path in parts]


def _used(target: Side) -> Iterator[tuple[str, str]]:
    yield from sorted(used_vars(target.tree, target.declared))


def _with_groups(head: Side, target: Side, restored: Iterable[PartKey]) -> list[PartKey]:
    """A `foreach` or `matrix` group is one unit: all of its lock entries follow its definition."""
    found = dict.fromkeys(restored)
    for kind, path in tuple(found):
        file, _, name = path.rpartition(":")
        if kind == "definition":
            lock = posixpath.join(posixpath.dirname(file), "dvc.lock")
            for side in (head, target):
                pipeline = Commit(side.tree).pipeline(file)
                stages = pipeline.lock.names if pipeline is not None else ()
                found.update({("lock", f"{lock}:{stage}"): None for stage in stages if stage.startswith(f"{name}@")})
    return list(found)


def _also_changed(
    head: Side, planned: Tree, known: Iterable[Shared], others: Mapping[str, Mapping[PartKey, str]]
) -> Iterator[Shared]:
    """What changes in another model's slice without being a part of this one: by a file that is restored whole."""
    named = {(part.kind, part.path) for part in known}
    for one in declared_in(head.tree).artifacts:
        if one.name == head.declared.name:
            continue
        try:
            before, after = keys(slice_of(head.tree, one)), keys(slice_of(planned, one))
        except BadInput:
            continue
        for key in sorted(before.keys() | after.keys()):
            if before.get(key) != after.get(key) and key not in named and key in others.get(one.name, {}):
                yield Shared(kind=key[0], path=key[1], models=(one.name,))


def _check(planned: Tree, target: Side, files: Iterable[str], *, measured: bool) -> None:
    """The result must be the target's slice, part for part, and readable by DVC."""
    broken = restoring.broken(planned, files)
    if broken is not None:
        raise Refused(f"the result could not be read: {broken}", hint="--tree restores the whole commit")
    wanted = keys(target.measured if measured else target.slice)
    side = read_side(planned, target.declared)
    found = keys(side.measured)
    wrong = [
        path
        for (kind, path), digest in wanted.items()
        if found.get((kind, path)) != digest and not _folder(target, path)
    ]
    if wrong:
        raise Refused(
            f"{_some(wrong)} cannot be restored apart from the rest of its file",
            hint="--tree restores the whole commit",
        )
    twice = overlapping([located.output.path for located in _all_outputs(planned)])
    if twice is not None:
        raise Refused(f"the outputs {twice[0]} and {twice[1]} would overlap", hint="--tree restores the whole commit")


def _folder(target: Side, path: str) -> bool:
    """A directory's id is Git's: its files were compared one by one."""
    entry = target.tree.entry(path)
    return entry is not None and entry.is_directory


def _all_outputs(tree: Tree) -> Iterator[Located]:
    yield from restoring.all_outputs(tree)


def _gone(head: Side, target: Side) -> list[str]:
    """Outputs of the slice now that the target's commit does not have at all."""
    there = {located.output.path for located in restoring.all_outputs(target.tree)}
    return [output.path for output in head.measured.outputs if output.path not in there]


def _outputs(head: Side, target: Side, planned: Tree, *, left_out: bool) -> Iterator[OutputChange]:
    commit = Commit(planned)
    wanted = {o.path: o for o in (target.slice if left_out else target.measured).outputs}
    now = {located.output.path: located.output for located in restoring.all_outputs(head.tree)}
    gone = [path for path in _gone(head, target) if commit.find(path, target.declared.file) is None]
    yield from output_changes(now, wanted, gone)


# The model alone --------------------------------------------------------------------------------------------------


def plan_model(head: Side, target: Side, like: str) -> Plan:
    """The model's outputs with their lock entry or `.dvc` file, and the metrics that measured it.

    Raises `Refused` when the model was not made by DVC, or another pipeline stage makes it now.
    """
    located = _located(target)
    parts: list[PartKey] = []
    if located.stage is None:
        parts.append(("dvc", located.file))
    else:
        lock = posixpath.join(posixpath.dirname(located.file), "dvc.lock")
        parts.append(("lock", f"{lock}:{located.stage}"))
    made = _made(target, located)
    measured = [out for step in target.recipe.evaluation for out in step.outs]
    in_git = {out.path for out in (*made, *measured) if target.tree.entry(out.path) is not None}
    parts += [("output", path) for path in sorted(in_git)]
    restored = restoring.restore_parts(head.tree, target.tree, parts)
    planned = Overlay(head.tree, restored.files, like)
    wanted = {output.path: output for output in made if output.path not in in_git}
    found = Commit(planned).find(located.output.path, target.declared.file)
    if found is None or found.output.digest != located.output.digest:
        raise Refused(f"HEAD makes {located.output.path} in another way", hint="leave --model-only out, or use --tree")
    now = {one.output.path: one.output for one in restoring.all_outputs(head.tree)}
    after, before = keys(slice_of(planned, target.declared)), keys(target.slice)
    stale = sorted({path for (kind, path), digest in before.items() if after.get((kind, path)) != digest})
    return Plan(
        files=restored.files,
        outputs=tuple(output_changes(now, wanted, ())),
        stale=tuple(stale),
        notes=tuple(f"dvc status will show it: {path} is not as it was" for path in stale),
    )


def _located(side: Side) -> Located:
    path = side.declared.path
    full = posixpath.normpath(posixpath.join(posixpath.dirname(side.declared.file), path)) if path else None
    located = Commit(side.tree).find(full, side.declared.file) if full is not None else None
    if located is None:
        raise Refused(f"DVC does not keep {side.declared.name}", hint="leave --model-only out")
    return located


def _made(side: Side, located: Located) -> tuple[Output, ...]:
    """Everything that the model's own pipeline stage wrote."""
    if located.stage is None or not side.recipe.steps:
        return (located.output,)
    return side.recipe.steps[-1].outs


# The whole tree ---------------------------------------------------------------------------------------------------


def plan_tree(head: Tree, target: Tree) -> Plan:
    """Every file and every output as the target's commit has them.  Raises `Refused` when a link would change."""
    names = sorted({*head.files("*"), *target.files("*")})
    files = {name: target.read(name) for name in names if _oid(head, name) != _oid(target, name)}
    now = {located.output.path: located.output for located in restoring.all_outputs(head)}
    then = {located.output.path: located.output for located in restoring.all_outputs(target)}
    kept = {path: output for path, output in then.items() if output.cached and output.digest is not None}
    gone = [path for path, output in now.items() if path not in then and output.cached]
    return Plan(files=files, outputs=tuple(output_changes(now, kept, gone)))


def _oid(tree: Tree, path: str) -> tuple[str, str] | None:
    entry = tree.entry(path)
    return (entry.mode, entry.oid) if entry is not None else None


# Words ------------------------------------------------------------------------------------------------------------


def _helper_notes(head: Side, target: Side, files: Mapping[str, object]) -> Iterator[str]:
    sources = [found.output.path for side in (head, target) for found in side.recipe.code]
    known = {*files, *sources, *head.measured.files, *target.measured.files}
    beside = restoring.helpers(head.tree, target.tree, sources, known)
    if beside:
        yield f"{_some(beside)} differ too, and no pipeline stage names them: they stay as they are"


def _shared_words(shared: Iterable[Shared]) -> str:
    parts = list(shared)
    words = [f"{part.path} (also of {_some(part.models)})" for part in parts[:_NAMED]]
    more = f" and {len(parts) - _NAMED} more" if len(parts) > _NAMED else ""
    return f"other models are made with what would change: {', '.join(words)}{more}"


def _some(names: Iterable[str]) -> str:
    found = list(names)
    return ", ".join(found[:_NAMED]) + (f" and {len(found) - _NAMED} more" if len(found) > _NAMED else "")


def with_card(plan: Plan, card: Mapping[str, bytes | None]) -> Plan:
    """The plan with the card's files."""
    return replace(plan, files={**plan.files, **card})
