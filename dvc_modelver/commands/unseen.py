"""What the remote knows and this clone does not: a decision that missed it would be about a state that is gone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from dvc_modelver.commands.project import Project
from dvc_modelver.commands.publishing import Numbers, clash
from dvc_modelver.core.registry import Model
from dvc_modelver.core.releases import tag_patterns
from dvc_modelver.core.tagobjects import TagRef
from dvc_modelver.core.tags import Event, TagName, parse_tag_name
from dvc_modelver.core.text import redact
from dvc_modelver.core.versions import Version
from dvc_modelver.errors import Conflict, EnvironmentProblem
from dvc_modelver.gitio.remotes import read_remote_tags

Concerns = Callable[[TagName], bool]
"""Whether a decision would look at events such as this one."""


def refuse_unseen(model: Model, numbers: Numbers, concerns: Concerns) -> None:
    """Raises `Conflict` when the remote was asked and has a tag that `concerns`, or another one, than this clone."""
    here = {ref.name for _, ref in model.tag_refs()}
    for _, ref in _unseen(model, numbers.remote or {}, concerns):
        if ref.name in here:
            raise clash(ref, model.name)
        raise Conflict(f"the remote has a tag {ref.name}, which this clone lacks", hint="git fetch --tags")


def decided_unseen(model: Model, stage: str, remote: Mapping[str, TagRef]) -> str | None:
    """The last event of `stage` that the remote has and this clone lacks, and the version of its commit, in words."""
    events = list(_unseen(model, remote, changes(stage)))
    if not events:
        return None
    last, ref = max(events, key=lambda event: event[0].counter or 0)
    named = (parse_tag_name(tag) for tag, other in sorted(remote.items()) if other.target == ref.target)
    known = (name for name in named if name is not None and name.name == model.name and name.event is Event.RELEASE)
    return f"{last}{next((f', {name.version}' for name in known), '')}"


def _unseen(model: Model, remote: Mapping[str, TagRef], concerns: Concerns) -> Iterator[tuple[TagName, TagRef]]:
    """The model's tags of the remote that this clone lacks, or has another object of, by name."""
    here = {ref.name: ref.oid for _, ref in model.tag_refs()}
    for tag, ref in sorted(remote.items()):
        name = parse_tag_name(tag)
        # A lightweight tag says nothing, there as here.
        if name is None or name.name != model.name or ref.target is None or here.get(tag) == ref.oid:
            continue
        if concerns(name):
            yield name, ref


def ends(version: Version | None) -> Concerns:
    """The withdrawal of `version`, and whatever closes the model."""
    return lambda name: name.event is Event.RETIRE or (name.event is Event.WITHDRAW_VERSION and name.version == version)


def changes(stage: str) -> Concerns:
    """Every event of `stage`."""
    return lambda name: name.stage == stage


def refuse_shallow(project: Project) -> None:
    """Raises `EnvironmentProblem` in a shallow clone."""
    if project.repository.shallow:
        raise EnvironmentProblem(
            "this clone is shallow: it cannot tell which versions there are", hint="git fetch --unshallow --tags"
        )


def refuse_lacking(project: Project, model: Model, *, ask: bool = True) -> None:
    """Whoever finds no version must not take a clone without history or tags for a young project.

    A remote that does not answer is only told of: a job that checks a first version may have no right to ask.

    Args:
        ask: whether the remote is asked, when no tag of the model is here.

    Raises `EnvironmentProblem` in a shallow clone, and where the remote has versions of the model and this clone none.
    """
    refuse_shallow(project)
    if not ask or project.remote is None or any(model.tag_refs()):
        return
    try:
        tags = read_remote_tags(project.repository.git, project.remote, tag_patterns(model.name))
    except EnvironmentProblem as error:
        project.around.say(f"warning: {error.message}; {model.name} is taken for one without versions")
        return
    names = (parse_tag_name(tag.name) for tag in tags)
    if any(name is not None and name.name == model.name and name.event is Event.RELEASE for name in names):
        raise EnvironmentProblem(
            f"the remote {redact(project.remote)} has versions of {model.name} that this clone lacks",
            hint="git fetch --tags",
        )
