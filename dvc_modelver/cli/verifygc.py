"""The answer of `modelver verify --gc`."""

from __future__ import annotations

from collections.abc import Iterator

from dvc_modelver.cli.answer import Answer, Json
from dvc_modelver.commands.verification.gc import GcPlan, RootPlan
from dvc_modelver.core.garbage import Judged, Loss, sizes
from dvc_modelver.core.sizes import size
from dvc_modelver.core.text import one_line
from dvc_modelver.errors import ExitCode

_SHOWN = 10


def answer(plan: GcPlan) -> Answer:
    """What a `dvc gc` would take, in every form."""
    return Answer(
        data={
            "ok": plan.ok,
            "keep": plan.keep,
            "commands": [root.chosen.line.command(root.root) for root in plan.roots if root.chosen is not None],
            "lines": [_line_json(plan, root, one) for root in plan.roots for one in root.lines],
            "unknown": [
                {"name": u.name, "version": u.version, "problem": u.problem, "remedy": u.remedy} for u in plan.unknown
            ],
        },
        lines=tuple(_lines(plan)),
        notes=plan.notes,
        code=ExitCode.OK if plan.ok else ExitCode.CHECK_FAILED,
    )


def _line_json(plan: GcPlan, root: RootPlan, one: Judged) -> Json:
    return {
        "command": one.line.command(root.root),
        "safe": not one.losses,
        "loses": [
            {
                "name": loss.need.name,
                "version": loss.need.version,
                "objects": len(loss.objects),
                "size": sizes([loss], plan.sizes),
                "places": sorted({where for where, _ in loss.objects}),
            }
            for loss in one.losses
        ],
    }


def _lines(plan: GcPlan) -> Iterator[str]:
    for one in plan.unknown:
        yield one_line(f"unknown: {one.name}@{one.version}: {one.problem}")
        yield f"    {one_line(one.remedy)}"
    for root in plan.roots:
        for judged in root.lines:
            yield from _judged(plan, root, judged)
    for root in plan.roots:
        if root.chosen is None:
            yield "No single dvc gc keeps what is wanted."
        elif not plan.unknown:
            kept = {"all": "every version", "staged": "every version that holds or held a stage"}
            what = kept.get(plan.keep, f"every version {plan.keep.replace(':', ' ')}")
            yield f"This keeps {what}:"
            yield f"    {root.chosen.line.command(root.root)}"


def _judged(plan: GcPlan, root: RootPlan, judged: Judged) -> Iterator[str]:
    command = judged.line.command(root.root)
    if not judged.losses:
        yield f"safe    {command}"
        return
    count = len(judged.losses)
    total = size(sizes(judged.losses, plan.sizes))
    yield f"LOSES   {command}  (bytes of {count} version{'s' if count != 1 else ''}, {total})"
    names = sorted(judged.losses, key=lambda loss: (loss.need.name, loss.need.version))
    for loss in names[:_SHOWN]:
        yield f"    {_lost(loss)}"
    if count > _SHOWN:
        yield f"    and {count - _SHOWN} more"


def _lost(loss: Loss) -> str:
    where = " and ".join(sorted({place if place == "cache" else f"DVC {place}" for place, _ in loss.objects}))
    objects = f"{len(loss.objects)} object{'s' if len(loss.objects) != 1 else ''}"
    return one_line(f"{loss.need.name}@{loss.need.version}: {objects} in the {where}")
