"""What a rollback says of itself: steps, subject and message; and which files differ at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from dvc_modelver.commands.publishing import Step, Written
from dvc_modelver.commands.restoration.request import RollbackRequest, Target
from dvc_modelver.core.registry import Model
from dvc_modelver.core.rollback import OutputChange
from dvc_modelver.core.trees import Tree


def differs(head: Tree, target: Tree, path: str, data: bytes | None) -> bool:
    """By its bytes, or as code by its mode alone."""
    before, then = head.entry(path), target.entry(path)
    if data is None or before is None:
        return (data is None) != (before is None)
    if before.is_symlink or (then is not None and then.is_symlink):
        return before != then
    return head.read(path) != data or (then is not None and before.mode != then.mode)


def written(request: RollbackRequest, model: Model, target: Target, commit: str | None) -> Written:
    """The model, as the answer has it."""
    published = True if request.push and not request.dry_run else None
    return Written(
        name=model.name,
        version=target.version,
        stage=None,
        tag=target.ref.name,
        commit=commit,
        published=published,
    )


def steps_of(
    request: RollbackRequest,
    model: Model,
    target: Target,
    files: Sequence[str] | Mapping[str, object],
    moves: Sequence[str],
    outputs: Iterable[OutputChange],
) -> Iterator[Step]:
    """What is done, in order."""
    come = [change.path for change in outputs if change.after is not None]
    if request.push and come:
        yield Step("dvc push", ", ".join(come))
    if request.form == "detach":
        if target.branch is None:
            yield Step("git checkout --detach", target.ref.name)
        else:
            yield Step("git checkout", target.branch.removeprefix("refs/heads/"))
    else:
        yield from (Step("restore file", path) for path in files)
    yield from (Step("restore bytes", path) for path in moves)
    if files and request.form != "detach":
        yield Step(
            "git commit", f"{request.branch + ': ' if request.branch else ''}{subject_of(request, model, target)}"
        )
    if request.push:
        yield Step("git push", request.branch or "the current branch")


def subject_of(request: RollbackRequest, model: Model, target: Target) -> str:
    """The first line of the commit's message."""
    what = {"tree": " (whole tree)", "model": " (the model alone)"}.get(request.form, "")
    return f"Roll {model.name} back to {target.version}{what}"


def message_of(request: RollbackRequest, model: Model, target: Target) -> str:
    """The commit's message."""
    left = f"from {target.left}" if target.left is not None else "from what was never released"
    reason = f"\n{request.reason.strip()}\n" if request.reason.strip() else ""
    return f"{subject_of(request, model, target)}\n{reason}\n{left.capitalize()}, by modelver rollback.\n"
