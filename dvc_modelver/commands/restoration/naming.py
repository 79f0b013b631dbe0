"""Names and reasons in the words of a plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from dvc_modelver.commands.restoration.side import Side
from dvc_modelver.core.rollback import (
    Shared,
)
from dvc_modelver.dvcio import restoring

_NAMED = 5
USE_TREE = "--tree restores the whole commit"


def whole_notes(whole: Iterable[str]) -> Iterator[str]:
    """Of files that could not be changed in part."""
    names = list(whole)
    if names:
        yield f"restored as a whole, since parts of it cannot be changed by themselves: {some_of(names)}"


def helper_notes(head: Side, target: Side, files: Mapping[str, object]) -> Iterator[str]:
    """Of files beside the code that differ and stay."""
    sources = [found.output.path for side in (head, target) for found in side.recipe.code]
    gates = [step for side in (head, target) for step in side.recipe.evaluation if step.judges]
    judged = [path for gate in gates for path in (*(i.output.path for i in gate.inputs), *(o.path for o in gate.outs))]
    known = {*files, *sources, *judged, *head.measured.files, *target.measured.files}
    beside = restoring.helpers(head.tree, target.tree, sources, known)
    if beside:
        yield f"{some_of(beside)} differ too, and no pipeline stage names them: they stay as they are"


def shared_words(shared: Iterable[Shared]) -> str:
    """Which parts other models are made with."""
    parts = list(shared)
    words = [f"{part.path} (also of {some_of(part.models)})" for part in parts[:_NAMED]]
    more = f" and {len(parts) - _NAMED} more" if len(parts) > _NAMED else ""
    return f"other models are made with what would change: {', '.join(words)}{more}"


def some_of(names: Iterable[str]) -> str:
    """The first few names."""
    found = list(names)
    return ", ".join(found[:_NAMED]) + (f" and {len(found) - _NAMED} more" if len(found) > _NAMED else "")
