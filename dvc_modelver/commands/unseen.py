"""What the remote knows and this clone does not: a decision that missed it would be about a state that is gone."""

from __future__ import annotations

from collections.abc import Callable

from dvc_modelver.commands.publishing import Numbers, clash
from dvc_modelver.core.registry import Model
from dvc_modelver.core.tags import Event, TagName, parse_tag_name
from dvc_modelver.core.versions import Version
from dvc_modelver.errors import Conflict

Concerns = Callable[[TagName], bool]
"""Whether a decision would look at events such as this one."""


def refuse_unseen(model: Model, numbers: Numbers, concerns: Concerns) -> None:
    """Raises `Conflict` when the remote was asked and has a tag that `concerns`, or another one, than this clone."""
    here = {ref.name: ref.oid for _, ref in model.tag_refs()}
    for name, ref in sorted((numbers.remote or {}).items()):
        parsed = parse_tag_name(name)
        # A lightweight tag says nothing, there as here.
        if parsed is None or ref.target is None or here.get(name) == ref.oid or not concerns(parsed):
            continue
        if name in here:
            raise clash(ref, model.name)
        raise Conflict(f"the remote has a tag {name}, which this clone lacks", hint="git fetch --tags")


def ends(version: Version | None) -> Concerns:
    """The withdrawal of `version`, and whatever closes the model."""
    return lambda name: name.event is Event.RETIRE or (name.event is Event.WITHDRAW_VERSION and name.version == version)


def changes(stage: str) -> Concerns:
    """Every event of `stage`."""
    return lambda name: name.stage == stage
