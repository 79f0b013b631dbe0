"""Read what a rollback would change: the files, the bytes, and which other models it concerns."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
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
from dvc_modelver.dvcio.slices import slice_of, slice_with
from dvc_modelver.errors import BadInput, Refused

if TYPE_CHECKING:
    from dvc_modelver.core.recipe import Recipe

_NAMED = 5
_TREE = "--tree restores the whole commit"


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


@dataclass(frozen=True, kw_only=True)  # not slotted: what it computes once is kept in it
class Side:
    """One model at one of the two commits."""

    tree: Tree
    commit: Commit
    declared: Declared
    slice: Slice
    """Upstream alone."""
    measured: Slice
    """With the pipeline stages that measure it."""
    recipe: Recipe

    @cached_property
    def outputs(self) -> tuple[Located, ...]:
        """Every output of the commit."""
        return tuple(restoring.all_outputs(self.commit))

    @cached_property
    def artifacts(self) -> tuple[Declared, ...]:
        """Every artifact of the commit."""
        return declared_in(self.tree).artifacts

    @cached_property
    def others(self) -> Mapping[str, Mapping[PartKey, str]]:
        """The parts of every other model; one whose files are broken is left out."""
        return dict(_others(self.tree, self.artifacts, self.declared.name))


def read_side(tree: Tree, declared: Declared, groups: Iterable[tuple[str, str]] = ()) -> Side:
    """One model at a commit.

    Args:
        groups: pipeline stages (`dvc.yaml`, name) that belong to the slice too.

    Raises:
        BadInput: a DVC file of the commit is broken.
    """
    commit = Commit(tree)
    recipe = recipe_of(commit, declared)
    stages = [_stage(declared, step.name) for step in recipe.evaluation]
    more = list(groups)
    return Side(
        tree=tree,
        commit=commit,
        declared=declared,
        slice=slice_with(tree, declared, more) if more else slice_of(tree, declared),
        measured=slice_with(tree, declared, [*more, *stages]),
        recipe=recipe,
    )


def _stage(declared: Declared, name: str) -> tuple[str, str]:
    """A step's name as (`dvc.yaml`, pipeline stage)."""
    file, colon, stage = name.rpartition(":")
    return (file, stage) if colon else (declared.file, stage)


def _others(tree: Tree, artifacts: Iterable[Declared], name: str) -> Iterator[tuple[str, Mapping[PartKey, str]]]:
    for one in artifacts:
        if one.name != name:
            with suppress(BadInput):
                yield one.name, keys(slice_of(tree, one))


# The slice --------------------------------------------------------------------------------------------------------


def plan_slice(head: Side, target: Side, like: str, *, include_shared: bool) -> Plan:
    """The model's slice as the target has it.

    Args:
        like: any object id of the repository.

    Raises:
        Refused: a part is shared and `include_shared` was not said, or the result would not be the target's slice.
        BadInput: a DVC file of one of the commits is broken.
    """
    if head.measured is target.measured and head.tree is not target.tree:  # HEAD does not declare it
        head = read_side(head.tree, target.declared)
    head, target, moved, groups = _with_groups(head, target)
    measuring = set(keys(target.measured)) - set(keys(target.slice))
    shared = shared_parts(moved, {name: _parts_of(name, head, target) for name in {*head.others, *target.others}})
    left = {part for part in shared if (part.kind, part.path) in measuring}
    if left:
        moved = _without(moved, measuring)
    shared = tuple(part for part in shared if part not in left)
    restored = _restore(head, target, moved)
    files = restored.files
    planned = _planned(Overlay(head.tree, files, like, _modes(target, files)), target, groups)
    shared = (*shared, *_also_changed(head, planned, shared))
    if shared and not include_shared:
        raise Refused(_shared_words(shared), hint="--include-shared restores it for all of them; or --model-only")
    _check(planned, target, files, measured=not left)
    _check_beside(head, planned, moved, files)
    outputs = tuple(_outputs(head, target, planned, left_out=bool(left)))
    stale = _stale(head, planned, [*files, *(change.path for change in outputs)])
    return Plan(
        files=files,
        outputs=outputs,
        shared=shared,
        out_of_date=tuple(sorted({name for part in shared for name in part.models})),
        stale=tuple(sorted(stale)),
        notes=(*_whole_notes(restored.whole), *_helper_notes(head, target, files)),
    )


def _parts_of(name: str, *sides: Side) -> set[PartKey]:
    """A model's parts, at any of the commits."""
    return {key for side in sides for key in side.others.get(name, ())}


def _moved(head: Side, target: Side) -> Moved:
    now, then = keys(head.measured), keys(target.measured)
    now = {key: digest for key, digest in now.items() if key[0] != "artifact" or _has(head, key)}
    there = {key for key in now if key not in then and _has(target, key)}
    moved = moved_parts(now, then, there)
    return Moved(restored=moved.restored, dropped=tuple(key for key in moved.dropped if not _kept(head, key, moved)))


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


def _kept(head: Side, key: PartKey, moved: Moved) -> bool:
    """Whether a file that the target lacks stays, since a pipeline stage that stays reads it."""
    kind, path = key
    if kind not in ("code", "dvc"):
        return False
    read = [path] if kind == "code" else [out.output.path for out in head.commit.dvc_outputs(path)]
    changed = {*moved.restored, *moved.dropped}
    return any(restoring.readers_elsewhere(head.commit, one, changed) for one in read)


def _with_groups(head: Side, target: Side) -> tuple[Side, Side, Moved, frozenset[str]]:
    """What moves, where a `foreach` or `matrix` group whose definition or vars move is one unit: all its stages."""
    groups: frozenset[str] = frozenset()
    while True:
        moved = _moved(head, target)
        found = groups | {
            path
            for kind, path in (*moved.restored, *moved.dropped)
            if kind == "definition" and (_is_group(head, path) or _is_group(target, path))
        }
        if found == groups:
            return head, target, moved, groups
        groups = found
        head, target = (read_side(side.tree, side.declared, _members(side.commit, groups)) for side in (head, target))


def _is_group(side: Side, path: str) -> bool:
    file, _, name = path.rpartition(":")
    pipeline = side.commit.pipeline(file)
    definition = pipeline.project.stages.get(name) if pipeline is not None else None
    return definition is not None and definition.group


def _members(commit: Commit, groups: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The pipeline stages of groups, which are called as the parts of their definitions are."""
    for path in sorted(groups):
        file, _, name = path.rpartition(":")
        pipeline = commit.pipeline(file)
        names = pipeline.lock.names if pipeline is not None else ()
        yield from ((file, stage) for stage in names if stage == name or stage.startswith(f"{name}@"))


def _without(moved: Moved, measuring: set[PartKey]) -> Moved:
    """Stages that measure several models stay as they are, with everything that is theirs alone."""
    return Moved(
        restored=tuple(key for key in moved.restored if key not in measuring),
        dropped=tuple(key for key in moved.dropped if key not in measuring),
    )


def _restore(head: Side, target: Side, moved: Moved) -> restoring.Restored:
    """The files with what moves as the target has it.  Raises `Refused` for symbolic links."""
    definitions = [path for kind, path in moved.restored if kind == "definition"]
    more = [
        *restoring.whole_params(head.commit, target.commit, _definitions(target)),
        *restoring.used_vars(target.commit, definitions),
    ]
    restored = restoring.restore_parts(head.tree, target.tree, [*moved.restored, *moved.dropped, *more])
    if restored.links:
        raise Refused(f"{_some(restored.links)} is a symbolic link", hint="restore it by hand, then run it again")
    planned = Commit(Overlay(head.tree, restored.files, "0" * 40))
    named = {located.output.path for located in restoring.all_outputs(planned)}
    known = {located.output.path for located in head.outputs}
    come = [output.path for output in target.measured.outputs if output.path in named - known]
    gone = [output.path for output in head.measured.outputs if output.path not in named]
    restored.files |= restoring.ignore_lines(head.tree, target.tree, restored.files, come, gone)
    return restored


def _definitions(side: Side) -> list[str]:
    return [part.path for part in side.measured.parts if part.kind == "definition"]


def _modes(target: Side, files: Iterable[str]) -> dict[str, str]:
    return {path: entry.mode for path in files if (entry := target.tree.entry(path)) is not None}


def _planned(tree: Tree, target: Side, groups: Iterable[str]) -> Side:
    """What the commit will be.  Raises `Refused` when dvc could not read it."""
    try:
        return read_side(tree, target.declared, _members(Commit(tree), groups))
    except BadInput as error:
        raise Refused(f"the result could not be read: {error.message}", hint=_TREE) from None


def _also_changed(head: Side, planned: Side, known: Iterable[Shared]) -> Iterator[Shared]:
    """What changes in another model's slice without being a part of this one: by a file that is restored whole."""
    named = {(part.kind, part.path) for part in known}
    for name, before in head.others.items():
        after = planned.others.get(name, {})
        for key in sorted(before.keys() | after.keys()):
            if before.get(key) != after.get(key) and key not in named:
                yield Shared(kind=key[0], path=key[1], models=(name,))


def _check(planned: Side, target: Side, files: Iterable[str], *, measured: bool) -> None:
    """The result must be the target's slice, part for part, and such that dvc takes it."""
    broken = restoring.broken(planned.commit, files)
    if broken is not None:
        raise Refused(f"the result could not be read: {broken}", hint=_TREE)
    wanted, found = keys(target.slice), keys(planned.slice)
    if measured:
        wanted, found = wanted | keys(target.measured), found | keys(planned.measured)
    wrong = sorted({path for kind, path in wanted.keys() | found.keys() if _other(wanted, found, (kind, path))})
    links = [path for path in wrong if (entry := target.tree.entry(path)) is not None and entry.is_directory]
    if links:
        raise Refused(f"{_some(links)} holds a symbolic link or a submodule, which stays as it is", hint=_TREE)
    if wrong:
        raise Refused(f"{_some(wrong)} cannot be restored apart from the rest of its file", hint=_TREE)


def _other(wanted: Mapping[PartKey, str], found: Mapping[PartKey, str], key: PartKey) -> bool:
    return wanted.get(key) != found.get(key)


def _check_beside(head: Side, planned: Side, moved: Moved, files: Iterable[str]) -> None:
    """Pipeline stages beside the slice must stay, and dvc must take them: one fault fails all its commands."""
    mine = {*moved.restored, *moved.dropped}
    names = list(files)
    after = restoring.entries_of(planned.commit, names)
    before = restoring.entries_of(head.commit, names)
    other = sorted(key[1] for key, digest in before.items() if key not in mine and after.get(key) != digest)
    if other:
        raise Refused(f"{_some(other)} would change with it, and is no part of the model", hint=_TREE)
    twice = overlapping([located.output.path for located in planned.outputs])
    if twice is not None and overlapping([located.output.path for located in head.outputs]) is None:
        raise Refused(f"the outputs {twice[0]} and {twice[1]} would overlap", hint=_TREE)
    lost = sorted(restoring.unresolved(planned.commit) - restoring.unresolved(head.commit))
    if lost:
        stage, name = lost[0]
        raise Refused(f"{stage} uses ${{{name}}}, which would be gone from vars", hint=_TREE)


def _outputs(head: Side, target: Side, planned: Side, *, left_out: bool) -> Iterator[OutputChange]:
    wanted = {o.path: o for o in (target.slice if left_out else target.measured).outputs}
    now = {located.output.path: located.output for located in head.outputs}
    named = {located.output.path for located in planned.outputs}
    gone = [output.path for output in head.measured.outputs if output.path not in named]
    yield from output_changes(now, wanted, gone)


def _stale(head: Side, planned: Side, changed: Iterable[str]) -> set[str]:
    """Pipeline stages beside the slice that ran with what changes now."""
    paths = frozenset(changed)
    found = restoring.stale_stages(planned.commit, paths) - restoring.stale_stages(head.commit, paths)
    own = f"{planned.declared.file}:"
    return {name.removeprefix(own) for name in found}


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
    now = {one.output.path: one.output for one in restoring.all_outputs(Commit(head.tree))}
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
    """Every file and every output as the target's commit has them; links and submodules are not looked at."""
    names = sorted({*head.files("*"), *target.files("*")})
    files = {name: target.read(name) for name in names if _oid(head, name) != _oid(target, name)}
    now = {located.output.path: located.output for located in restoring.all_outputs(Commit(head))}
    then = {located.output.path: located.output for located in restoring.all_outputs(Commit(target))}
    kept = {path: output for path, output in then.items() if output.cached and output.digest is not None}
    gone = [path for path, output in now.items() if path not in then and output.cached]
    return Plan(files=files, outputs=tuple(output_changes(now, kept, gone)))


def _oid(tree: Tree, path: str) -> tuple[str, str] | None:
    entry = tree.entry(path)
    return (entry.mode, entry.oid) if entry is not None else None


# Words ------------------------------------------------------------------------------------------------------------


def _whole_notes(whole: Iterable[str]) -> Iterator[str]:
    names = list(whole)
    if names:
        yield f"restored as a whole, since parts of it cannot be changed by themselves: {_some(names)}"


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
