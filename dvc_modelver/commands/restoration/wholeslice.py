"""Plan the rollback of a model's slice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dvc_modelver.commands.restoration.changing import executable_of, overlay_of
from dvc_modelver.commands.restoration.checking import also_changed, check_beside, check_slice, planned_side
from dvc_modelver.commands.restoration.moving import restore_moved, with_groups, without
from dvc_modelver.commands.restoration.naming import helper_notes, shared_words, whole_notes
from dvc_modelver.commands.restoration.plan import Plan
from dvc_modelver.commands.restoration.side import Side, read_side
from dvc_modelver.core.rollback import (
    OutputChange,
    PartKey,
    keys,
    output_changes,
    shared_parts,
)
from dvc_modelver.dvcio import restoring
from dvc_modelver.errors import Refused


def plan_slice(head: Side, target: Side, like: str, *, include_shared: bool) -> Plan:
    """The model's slice as the target has it.

    Args:
        like: any object id of the repository.

    Raises:
        Refused: a part is shared and `include_shared` was not said, or the result would not be the target's slice.
        BadInput: a DVC file of one of the commits is broken.
    """
    if head.measured is target.measured and head.tree is not target.tree:  # HEAD does not declare it
        head = read_side(head.tree, target.declared, links=head.links)
    head, target, moved, groups = with_groups(head, target)
    measuring = set(keys(target.measured)) - set(keys(target.slice))
    shared = shared_parts(moved, {name: _parts_of(name, head, target) for name in {*head.others, *target.others}})
    left = {part for part in shared if (part.kind, part.path) in measuring}
    if left:
        moved = without(moved, measuring)
    shared = tuple(part for part in shared if part not in left)
    restored = restore_moved(head, target, moved)
    files = restored.files
    planned = planned_side(overlay_of(head, target, files, like), target, groups)
    shared = (*shared, *also_changed(head, planned, shared))
    if shared and not include_shared:
        raise Refused(shared_words(shared), hint="--include-shared restores it for all of them; or --model-only")
    check_slice(planned, target, files, measured=not left)
    check_beside(head, planned, moved, files)
    outputs = tuple(_outputs(head, target, planned, left_out=bool(left)))
    stale = _stale(head, planned, [*files, *(change.path for change in outputs)])
    return Plan(
        files=files,
        outputs=outputs,
        shared=shared,
        out_of_date=tuple(sorted({name for part in shared for name in part.models})),
        executable=executable_of(head, target),
        stale=tuple(sorted(stale)),
        notes=(*whole_notes(restored.whole), *helper_notes(head, target, files)),
    )


def _parts_of(name: str, *sides: Side) -> set[PartKey]:
    """A model's parts, at any of the commits."""
    return {key for side in sides for key in side.others.get(name, ())}


def _outputs(head: Side, target: Side, planned: Side, *, left_out: bool) -> Iterator[OutputChange]:
    wanted = {o.path: o for o in (target.slice if left_out else target.measured).outputs}
    now, named = restoring.kept(head.outputs), restoring.kept(planned.outputs)
    gone = [output.path for output in head.measured.outputs if output.path not in named]
    yield from output_changes(now, wanted, gone)


def _stale(head: Side, planned: Side, changed: Iterable[str]) -> set[str]:
    """Pipeline stages beside the slice that ran with what changes now."""
    paths = frozenset(changed)
    found = restoring.stale_stages(planned.commit, paths) - restoring.stale_stages(head.commit, paths)
    own = f"{planned.declared.file}:"
    return {name.removeprefix(own) for name in found}
