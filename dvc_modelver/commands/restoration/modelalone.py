"""Plan the rollback of a model's outputs alone, with their lock entry or `.dvc` file."""

from __future__ import annotations

import posixpath

from dvc_modelver.commands.restoration.changing import change_sides, executable_of, overlay_of
from dvc_modelver.commands.restoration.naming import some_of
from dvc_modelver.commands.restoration.plan import Plan
from dvc_modelver.commands.restoration.side import Side
from dvc_modelver.core.facts import Output
from dvc_modelver.core.rollback import (
    PartKey,
    keys,
    output_changes,
)
from dvc_modelver.dvcio import restoring
from dvc_modelver.dvcio.locate import Commit, Located
from dvc_modelver.dvcio.slices import slice_of
from dvc_modelver.errors import Refused


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
    measured = [out for step in target.recipe.measuring for out in step.outs]
    in_git = {out.path for out in (*made, *measured) if target.tree.entry(out.path) is not None}
    parts += [("output", path) for path in sorted(in_git)]
    restored = restoring.restore_parts(head.tree, target.tree, parts, (head.links, target.links))
    change_sides(head, target, restored, alone=True)
    planned = overlay_of(head, target, restored.files, like)
    wanted = {output.path: output for output in made if output.cached and output.path not in in_git}
    found = Commit(planned).find(located.output.path, target.declared.file)
    if found is None or found.output.digest != located.output.digest:
        raise Refused(f"HEAD makes {located.output.path} in another way", hint="leave --model-only out, or use --tree")
    both = sorted(restoring.kept_twice(Commit(planned)) - restoring.kept_twice(head.commit))
    if both:
        raise Refused(f"{some_of(both)} would be kept by Git and by DVC", hint="leave --model-only out")
    now, named = restoring.kept(head.outputs), restoring.kept(restoring.all_outputs(Commit(planned)))
    gone = [path for path in now if path not in named and planned.entry(path) is not None]
    after, before = keys(slice_of(planned, target.declared)), keys(target.slice)
    stale = sorted({path for (kind, path), digest in before.items() if after.get((kind, path)) != digest})
    return Plan(
        files=restored.files,
        outputs=tuple(output_changes(now, wanted, gone)),
        executable=executable_of(head, target),
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
