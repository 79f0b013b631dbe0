"""`push`: publish the versions and stages that were made here without `--push`, and exchange notes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from dvc_modelver.commands.notes import exchange_notes
from dvc_modelver.commands.project import Project
from dvc_modelver.commands.promote import slice_outputs
from dvc_modelver.commands.publishing import Outcome, Publication, Written, clash, exclusive, publish
from dvc_modelver.commands.unseen import decided_unseen
from dvc_modelver.core.facts import Output
from dvc_modelver.core.notes import NOTES_REF
from dvc_modelver.core.registry import Model
from dvc_modelver.core.releases import NewTag
from dvc_modelver.core.renumbering import Moves, Unpublished, plan_moves
from dvc_modelver.core.tagobjects import TagObject, TagRef
from dvc_modelver.core.tags import Event, TagName, parse_tag_name
from dvc_modelver.errors import Conflict, DataError, EnvironmentProblem
from dvc_modelver.gitio.remotes import read_remote_tags_and

Tagged = tuple[TagName, TagRef]


def push_tags(project: Project, name: str | None = None, *, renumber: bool = False, dry_run: bool = False) -> Outcome:
    """Publish every event that the remote lacks, of one model or of all, with the bytes that they need.

    Notes go both ways, those of all models: afterwards both sides have every line of either.

    Args:
        renumber: where the remote has another tag under a name of ours, ours moves to the next free number.

    Raises:
        Conflict: the remote has another object under one of the names (and `renumber` is off).
        DataError: a tag of the model `name` is not what its name says; of all models' tags a bad one is left out.
        EnvironmentProblem: there is no remote, or it does not answer.
    """
    with exclusive(project, dry_run):
        models = [project.model(name)] if name is not None else list(project.registry.models.values())
        remote = project.remote
        if remote is None:
            raise EnvironmentProblem("there is no Git remote to push to", hint="git remote add origin URL")
        tags, notes = read_remote_tags_and(project.repository.git, remote, NOTES_REF)
        there = {tag.name: tag for tag in tags}
        ours = [item for model in models for item in model.tag_refs()]
        project.published.note((ref for _, ref in ours if there.get(ref.name) == ref), published=True)
        missing = [item for item in ours if item[1].name not in there]
        clashing = [item for item in ours if item[1].name in there and there[item[1].name].oid != item[1].oid]
        if clashing and not renumber:
            raise _clash(clashing, there)
        moved, drops = _renumbered(project, missing, clashing, there) if clashing else ([], [])
        for words in _overruled(project, moved, there):
            project.around.say(f"warning: {words}")
        wanted = [item for item in missing if item not in drops]
        missing = [item for item in wanted if _is_fit(project, item, strict=name is not None)]
        publication = Publication(
            action="push",
            tags=tuple(moved),
            existing=tuple(ref for _, ref in missing),
            push=True,
            outputs=_outputs(project, [*missing, *drops]),
            drops=tuple(ref for _, ref in drops),
        )
        work = bool(missing or moved)
        steps = publication.steps(remote) if work else []
        if work and not dry_run:
            publish(project, publication)
            project.seen.forget(ref.name for _, ref in drops)
        exchanged = exchange_notes(project, remote, notes, dry_run=dry_run)
        steps += exchanged
        return Outcome(
            action="push",
            dry_run=dry_run,
            changed=work or bool(exchanged),
            models=tuple(_written(name, ref.name, ref.target, not dry_run) for name, ref in missing)
            + tuple(_written(tag.tag, tag.name, tag.commit, not dry_run) for tag in moved),
            steps=tuple(steps),
            left_out=tuple(item[1].name for item in wanted if item not in missing),
        )


def _clash(clashing: Sequence[Tagged], there: Mapping[str, TagRef]) -> Conflict:
    name, ref = clashing[0]
    more = f" and {len(clashing) - 1} more" if len(clashing) > 1 else ""
    return clash(there[ref.name], name.name, more)


def _is_fit(project: Project, item: Tagged, *, strict: bool) -> bool:
    """Whether a tag is what its name says, and its version's bytes are known: what is published is there for good.

    Raises `DataError` with `strict`; else one bad tag costs only itself.
    """
    name, ref = item
    model = project.model_of(name.name)
    try:
        model.refuse_unsound(ref)
        if name.event is Event.RELEASE:
            slice_outputs(project, model, ref)
    except DataError as error:
        if strict:
            raise
        project.around.say(f"warning: not published: {ref.name}: {error.message.removeprefix(f'{ref.name}: ')}")
        return False
    return True


def _outputs(project: Project, items: Iterable[Tagged]) -> tuple[Output, ...]:
    found: dict[Output, None] = {}
    for name, ref in items:
        if name.event is Event.RELEASE:
            found |= dict.fromkeys(slice_outputs(project, project.model_of(name.name), ref))
    return tuple(found)


def _renumbered(
    project: Project, missing: Sequence[Tagged], clashing: Sequence[Tagged], there: Mapping[str, TagRef]
) -> tuple[list[NewTag], list[Tagged]]:
    """Our tags under names that nobody has, and the tags that they stand for."""
    taken = [name for other in there if (name := parse_tag_name(other)) is not None]
    moved: list[NewTag] = []
    drops: list[Tagged] = []
    for artifact in dict.fromkeys(name.name for name, _ in clashing):
        model = project.model_of(artifact)
        refs = {name: ref for name, ref in (*missing, *clashing) if name.name == artifact}
        tags = {name: model.tag(ref) for name, ref in refs.items()}
        clash = {name for name, _ in clashing}
        ours = [
            Unpublished(name=name, clashes=name in clash, record=tag.record if tag is not None else None)
            for name, tag in tags.items()
        ]
        remote = [name for name in taken if name.name == artifact]
        moves = plan_moves(ours, remote, [name for name, _ in model.tag_refs()])
        moved += [_moved(model, moves, name, refs[name], tags[name]) for name in moves.names]
        drops += [(name, refs[name]) for name in moves.names]
    return moved, drops


def _overruled(project: Project, moved: Sequence[NewTag], there: Mapping[str, TagRef]) -> Iterator[str]:
    """Of the stages that ours decide anew: by what they were decided there, which nobody had seen here."""
    last = {(tag.tag.name, tag.tag.stage): tag.name for tag in moved}
    for (name, stage), ours in last.items():
        theirs = decided_unseen(project.model_of(name), stage, there) if stage is not None else None
        if theirs is not None:
            yield f"{stage} of {name} was decided by {theirs} meanwhile; {ours} comes after it, and overrules it"


def _moved(model: Model, moves: Moves, name: TagName, ref: TagRef, tag: TagObject | None) -> NewTag:
    """The tag that stands for `ref` from now on.  Raises `Conflict` for one that is not ours."""
    if tag is None or tag.record is None:
        raise Conflict(f"{ref.name} has no record of ours, so it is not moved", hint=f"git tag -d '{ref.name}'")
    record = moves.record(tag.record)
    return NewTag(
        tag=moves.names[name],
        commit=ref.target or "",
        subject=_subject(model, moves.names[name], record.version),
        body="\n".join(tag.message.split("\n")[2:]),
        record=record,
    )


def _subject(model: Model, name: TagName, version: str | None) -> str:
    words = {Event.RELEASE: "Release", Event.PROMOTE: "Promote", Event.RETIRE: "Retire"}
    to = f" to {name.stage}" if name.event is Event.PROMOTE else f" from {name.stage}" if name.stage else ""
    return f"{words.get(name.event, 'Withdraw')} {model.name} {version or ''}{to}".replace("  ", " ").rstrip()


def _written(name: TagName, tag: str, commit: str | None, published: bool) -> Written:
    return Written(
        name=name.name,
        version=name.version,
        stage=name.stage,
        tag=tag,
        commit=commit,
        published=published,
        event=name.event,
    )
