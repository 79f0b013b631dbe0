"""`push`: publish the versions and stages that were made here without `--push`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from dvc_modelver.commands.project import Project
from dvc_modelver.commands.promote import slice_outputs
from dvc_modelver.commands.publishing import Outcome, Publication, Written, exclusive, publish
from dvc_modelver.core.facts import Output
from dvc_modelver.core.registry import Model
from dvc_modelver.core.releases import NewTag
from dvc_modelver.core.tagobjects import TagRef
from dvc_modelver.core.tags import Event, TagName, parse_tag_name
from dvc_modelver.core.versions import Bump, Version, next_version
from dvc_modelver.errors import Conflict, EnvironmentProblem
from dvc_modelver.gitio.remotes import read_remote_tags

Tagged = tuple[TagName, TagRef]


def push_tags(project: Project, name: str | None = None, *, renumber: bool = False, dry_run: bool = False) -> Outcome:
    """Publish every event that the remote lacks, of one model or of all, with the bytes that they need.

    Args:
        renumber: where the remote has another tag under a name of ours, ours moves to the next free number.

    Raises:
        Conflict: the remote has another object under one of the names (and `renumber` is off).
        EnvironmentProblem: there is no remote, or it does not answer.
    """
    with exclusive(project, dry_run):
        models = [project.model(name)] if name is not None else list(project.registry.models.values())
        remote = project.remote
        if remote is None:
            raise EnvironmentProblem("there is no Git remote to push to", hint="git remote add origin URL")
        there = {tag.name: tag for tag in read_remote_tags(project.repository.git, remote)}
        ours = [item for model in models for item in model.tag_refs()]
        project.published.note((ref for _, ref in ours if there.get(ref.name) == ref), published=True)
        missing = [item for item in ours if item[1].name not in there]
        clashing = [item for item in ours if item[1].name in there and there[item[1].name].oid != item[1].oid]
        if clashing and not renumber:
            raise _clash(clashing, there)
        moved = _renumbered(project, clashing, there)
        publication = Publication(
            action="push",
            tags=tuple(moved),
            existing=tuple(ref for _, ref in missing),
            push=True,
            outputs=_outputs(project, [*missing, *clashing]),
            drops=tuple(ref for _, ref in clashing),
        )
        work = bool(missing or moved)
        steps = publication.steps(remote) if work else []
        if work and not dry_run:
            publish(project, publication)
            project.seen.forget(ref.name for _, ref in clashing)
        return Outcome(
            action="push",
            dry_run=dry_run,
            changed=work,
            models=tuple(_written(name, ref.name, ref.target, not dry_run) for name, ref in missing)
            + tuple(_written(tag.tag, tag.name, tag.commit, not dry_run) for tag in moved),
            steps=tuple(steps),
        )


def _clash(clashing: Sequence[Tagged], there: Mapping[str, TagRef]) -> Conflict:
    name, ref = clashing[0]
    other = there[ref.name]
    more = f" and {len(clashing) - 1} more" if len(clashing) > 1 else ""
    return Conflict(
        f"the remote has another {ref.name}{more}, on commit {(other.target or other.oid)[:12]}",
        hint=f"modelver push {name.name} --renumber gives yours the next free number",
    )


def _outputs(project: Project, items: Iterable[Tagged]) -> tuple[Output, ...]:
    found: dict[Output, None] = {}
    for name, ref in items:
        if name.event is Event.RELEASE:
            found |= dict.fromkeys(slice_outputs(project, project.model_of(name.name), ref))
    return tuple(found)


def _renumbered(project: Project, clashing: Sequence[Tagged], there: Mapping[str, TagRef]) -> list[NewTag]:
    """Our tags under names that nobody has; versions first, since stages speak of them."""
    moved: list[NewTag] = []
    versions: dict[tuple[str, Version], Version] = {}
    for name, ref in sorted(clashing, key=lambda item: item[0].version is None):
        model = project.model_of(name.name)
        tag = model.tag(ref)
        if tag is None or tag.record is None:
            raise Conflict(f"{ref.name} has no record of ours, so it is not moved", hint=f"git tag -d '{ref.name}'")
        known = [
            parsed for other in there if (parsed := parse_tag_name(other)) is not None and parsed.name == name.name
        ]
        known += [parsed for parsed, _ in model.tag_refs()] + [m.tag for m in moved if m.tag.name == name.name]
        new = _free(name, known)
        if name.version is not None and new.version is not None:
            versions[name.name, name.version] = new.version
        record = tag.record
        old = Version.parse(record.version) if record.version is not None else None
        version = versions.get((name.name, old), old) if old is not None else None
        moved.append(
            NewTag(
                tag=new,
                commit=ref.target or "",
                subject=_subject(model, new, version),
                body="\n".join(tag.message.split("\n")[2:]),
                record=replace(record, version=str(version) if version is not None else None),
            )
        )
    return moved


def _free(name: TagName, known: Sequence[TagName]) -> TagName:
    if name.event is Event.RELEASE and name.version is not None:
        taken = {other.version for other in known if other.version is not None}
        return replace(name, version=next_version(taken, Bump.PATCH))
    return replace(name, counter=1 + max((other.counter or 0 for other in known), default=0))


def _subject(model: Model, name: TagName, version: Version | None) -> str:
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
