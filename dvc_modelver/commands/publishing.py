"""Making tags exist: here, and on the remote when asked; all of them or none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from dvc_modelver.commands.project import Project
from dvc_modelver.core.facts import Output
from dvc_modelver.core.names import to_tag
from dvc_modelver.core.registry import Model
from dvc_modelver.core.releases import NewTag, tag_patterns
from dvc_modelver.core.tagobjects import TagRef
from dvc_modelver.core.tags import PREFIX, Event, TagName, parse_tag_name
from dvc_modelver.core.versions import Version
from dvc_modelver.errors import Conflict, EnvironmentProblem, ModelverError, Refused
from dvc_modelver.gitio.commits import undo_commit
from dvc_modelver.gitio.journal import Journal, clear_journal, recover, write_journal
from dvc_modelver.gitio.lock import writing
from dvc_modelver.gitio.refs import RefUpdate, read_ref, update_refs
from dvc_modelver.gitio.remotes import PushRef, push, read_remote_tags
from dvc_modelver.gitio.repository import operation_under_way
from dvc_modelver.gitio.tagging import committer, create_tag_object


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a plan: what is done, and to what."""

    do: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One model after a writing command."""

    name: str
    version: Version | None
    stage: str | None
    tag: str | None
    commit: str | None
    published: bool | None
    event: Event | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a writing command did, or would do."""

    action: str
    dry_run: bool
    changed: bool
    models: tuple[Written, ...]
    steps: tuple[Step, ...]


@contextmanager
def exclusive(project: Project, dry_run: bool) -> Iterator[None]:
    """Hold the clone's lock and settle what a killed command left; a dry run does neither."""
    if dry_run:
        yield
        return
    refuse_inside_dvc(project)
    with writing(project.repository.state_dir):
        said = recover(project.repository)
        if said is not None:
            project.around.say(f"note: {said}")
        yield


def refuse_inside_dvc(project: Project) -> None:
    """A running pipeline stage holds DVC's lock, and its outputs are not final.  Raises `Refused`."""
    if project.around.env.get("DVC_STAGE"):
        raise Refused(
            f"this runs inside the pipeline stage {project.around.env['DVC_STAGE']}",
            hint="release after dvc repro has ended",
        )


def refuse_under_way(project: Project) -> None:
    """Raises `Refused` while a merge, rebase or bisect is unfinished."""
    operation = operation_under_way(project.repository)
    if operation is not None:
        raise Refused(f"a {operation} is under way", hint=f"finish it, or git {operation} --abort")


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """Which numbers of one artifact are in use, as far as can be known."""

    taken: frozenset[Version]
    counter: int
    remote: Mapping[str, TagRef] | None
    """The remote's tags of the artifact by name; None when it was not asked."""


def read_numbers(project: Project, model: Model, *, offline: bool, push: bool) -> Numbers:
    """Numbers in tags here, in the seen-log, and (unless `offline`) in the remote's tags.

    With `push` the remote must answer.

    Raises `EnvironmentProblem` when this clone lacks the model's tags, or cannot know whether it does.
    """
    if push and project.remote is None:
        raise EnvironmentProblem("there is no Git remote to push to", hint="git remote add origin URL")
    remote = None if offline else _ask_remote(project, model, push)
    names = [parsed for parsed, _ in model.tag_refs()]
    names += _parsed(project.seen.oids, model.name)
    names += _parsed(remote or (), model.name)
    if remote and not any(model.tag_refs()):
        raise EnvironmentProblem(
            f"the remote {project.remote} has versions of {model.name} that this clone lacks", hint="git fetch --tags"
        )
    if remote is not None:
        project.published.note(remote.values(), published=True)
    return Numbers(
        taken=model.taken | {name.version for name in names if name.version is not None},
        counter=max((name.counter or 0 for name in names), default=0),
        remote=remote,
    )


def _parsed(names: Iterable[str], model: str) -> list[TagName]:
    """The parsed names of one artifact's events."""
    starts = (f"{to_tag(model)}@", f"{to_tag(model)}#")
    found = (parse_tag_name(name) for name in names if name.startswith(starts))
    return [name for name in found if name is not None and name.name == model and name.event is not Event.CREATED]


def _ask_remote(project: Project, model: Model, push: bool) -> Mapping[str, TagRef] | None:
    if project.remote is None:
        return None
    try:
        tags = read_remote_tags(project.repository.git, project.remote, tag_patterns(model.name))
    except EnvironmentProblem as error:
        if push or not any(model.tag_refs()):
            raise
        project.around.say(f"warning: {error.message}; going on with the numbers known here")
        return None
    return {tag.name: tag for tag in tags if _parsed([tag.name], model.name)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What shall come to exist."""

    action: str
    tags: tuple[NewTag, ...] = ()
    existing: tuple[TagRef, ...] = ()
    """Tags that are here already and go to the remote as they are."""
    push: bool = False
    outputs: tuple[Output, ...] = ()
    """What DVC's remote must hold before a tag is published."""
    branch: tuple[str, str] | None = None
    """(ref, commit) of a branch to publish together with the tags."""
    head: str | None = None
    """The commit that HEAD named before a card was committed; with `files`, what an undo puts back."""
    files: tuple[str, ...] = ()

    def steps(self, remote: str | None) -> list[Step]:
        """The plan, in the order in which it is applied."""
        steps = []
        if self.push and self.outputs:
            steps.append(Step("dvc push", ", ".join(sorted({output.path for output in self.outputs}))))
        refs = [*(tag.name for tag in self.tags), *(ref.name for ref in self.existing)]
        if self.push:
            branch = [self.branch[0].removeprefix("refs/heads/")] if self.branch is not None else []
            steps.append(Step("git push", f"{remote}: {', '.join((*refs, *branch))}"))
        return steps + [Step("git tag", tag.name) for tag in self.tags]


def publish(project: Project, publication: Publication) -> Mapping[str, str]:
    """Make the tags, and push them when asked; tag name -> object id.

    The tags' objects come first, then the remote, then the refs here: whoever loses a race is left as before.
    """
    git, remote = project.repository.git, project.remote
    if publication.push and publication.outputs:
        _push_data(project, publication.outputs)
    ident = committer(git) if publication.tags else ""
    made = {
        tag.name: create_tag_object(project.repository, tag.name, tag.commit, tag.message, ident=ident)
        for tag in publication.tags
    }
    refs = tuple((PREFIX + name, oid) for name, oid in made.items())
    journal = Journal(
        action=publication.action,
        refs=refs,
        remote=remote if publication.push else None,
        head=publication.head,
        files=publication.files,
    )
    write_journal(project.repository.state_dir, journal)
    if publication.push and remote is not None:
        _push_refs(project, publication, made, remote)
    try:
        update_refs(git, [RefUpdate(*ref) for ref in refs if read_ref(git, ref[0]) != ref[1]], publication.action)
    except ModelverError:
        if not publication.push:
            _put_back(project, publication)
        raise
    new = [TagRef(tag.name, made[tag.name], tag.commit) for tag in publication.tags]
    project.published.note([*new, *publication.existing], published=publication.push)
    project.seen.note(new)
    clear_journal(project.repository.state_dir)
    return made


def _push_refs(project: Project, publication: Publication, made: Mapping[str, str], remote: str) -> None:
    refs = [PushRef(oid, PREFIX + name) for name, oid in made.items()]
    refs += [PushRef(ref.oid, PREFIX + ref.name) for ref in publication.existing]
    if publication.branch is not None:
        refs.append(PushRef(publication.branch[1], publication.branch[0], new=False))
    try:
        push(project.repository.git, remote, refs)
    except Conflict:
        _put_back(project, publication)
        raise
    except EnvironmentProblem:
        # The line may have broken after the server had taken them: it knows, and the journal says what to ask.
        recover(project.repository)
        if not _is_published(project, made):
            raise


def _is_published(project: Project, made: Mapping[str, str]) -> bool:
    return bool(made) and all(read_ref(project.repository.git, PREFIX + name) == oid for name, oid in made.items())


def _put_back(project: Project, publication: Publication) -> None:
    """Nothing came to exist: the clone becomes what it was."""
    if publication.head is not None:
        undo_commit(project.repository, publication.head, publication.files)
    clear_journal(project.repository.state_dir)


def _push_data(project: Project, outputs: Sequence[Output]) -> None:
    from dvc_modelver.dvcio.push import push as push_data

    push_data(project.root, outputs, env=project.around.env, progress=project.around.progress)
