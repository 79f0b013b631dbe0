"""Making tags exist: here, and on the remote when asked; all of them or none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from dvc_modelver.commands.project import Project
from dvc_modelver.core.facts import Output
from dvc_modelver.core.names import to_tag
from dvc_modelver.core.registry import Model
from dvc_modelver.core.releases import NewTag, tag_patterns
from dvc_modelver.core.tagobjects import TagRef
from dvc_modelver.core.tags import PREFIX, Event, TagName, parse_tag_name
from dvc_modelver.core.text import redact
from dvc_modelver.core.versions import Version
from dvc_modelver.errors import Conflict, EnvironmentProblem, ModelverError, Refused
from dvc_modelver.gitio.commits import CardCommit
from dvc_modelver.gitio.journal import (
    Journal,
    clear_journal,
    finish,
    read_journal,
    recover,
    remote_state,
    write_journal,
)
from dvc_modelver.gitio.lock import writing
from dvc_modelver.gitio.refs import read_ref
from dvc_modelver.gitio.remotes import PushRef, fetch_objects, push, read_remote_tags
from dvc_modelver.gitio.repository import operation_under_way
from dvc_modelver.gitio.seenlog import seen_names
from dvc_modelver.gitio.tagging import committer, create_tag_object

MAX_FETCHED_TAGS = 20
"""Of those that only the remote has, the highest: whoever lacks more should fetch."""
FIRST = Version.parse("v0.0.0")


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
    left_out: tuple[str, ...] = ()
    """Tags that were not published although they were to be; why was said."""


@contextmanager
def exclusive(project: Project, dry_run: bool, *, inside_dvc: bool = False) -> Iterator[Journal | None]:
    """Hold the clone's lock and settle what a killed command left; a dry run does neither.

    Gives the journal that was settled, None when there was none.  `inside_dvc`: also within a running pipeline stage.
    """
    if dry_run:
        yield None
        return
    if not inside_dvc:
        refuse_inside_dvc(project)
    with writing(project.repository.state_dir):
        left = read_journal(project.repository.state_dir)
        said = settle_left(project)
        if said is not None:
            project.around.say(f"note: {said}")
        yield left


def settle_left(project: Project) -> str | None:
    """Finish or undo what the journal says, bytes included; what was done, in words.  The caller holds the lock."""
    journal = read_journal(project.repository.state_dir)
    if journal is None:
        return recover(project.repository)
    project.forget()
    try:
        with at_place(project, journal) as there:
            if there is None:  # the work tree is gone, and what was half done in it
                there = project
                write_journal(project.repository.state_dir, replace(journal, before=None, goal=None, rest=""))
            said = recover(there.repository, lambda rest: _settle_bytes(there, rest))
        return said if there is project or said is None else f"{there.root}: {said}"
    finally:
        project.forget()


@contextmanager
def at_place(project: Project, journal: Journal) -> Iterator[Project | None]:
    """The project in the work tree that the journal is about, which may be another one; None when that is gone."""
    place = Path(journal.place) if journal.place is not None else None
    if place is None or place == project.repository.root:
        yield project
        return
    try:
        there = Project(replace(project.around, directory=place))
    except ModelverError:
        yield None
        return
    try:
        yield there if there.repository.common_dir == project.repository.common_dir else None
    finally:
        there.objects.close()


def _settle_bytes(project: Project, rest: str) -> None:
    from dvc_modelver.commands.restoration.bytes import settle

    project.forget()
    settle(project, rest)


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
    only_seen: frozenset[Version]
    """Those that this clone once saw, and that neither it nor the remote has any more."""
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
    there = [*(parsed for parsed, _ in model.tag_refs()), *_parsed(remote or (), model.name)]
    names = [*there, *_parsed(seen_names(project.state_dir, _starts(model.name)), model.name)]
    if remote and not any(model.tag_refs()):
        raise EnvironmentProblem(
            f"the remote {project.remote} has versions of {model.name} that this clone lacks", hint="git fetch --tags"
        )
    if remote is not None:
        project.published.note(remote.values(), published=True)
    return Numbers(
        taken=model.taken | _versions(names),
        only_seen=_versions(names) - _versions(there) - model.taken,
        counter=max((name.counter or 0 for name in names), default=0),
        remote=remote,
    )


def _versions(names: Iterable[TagName]) -> frozenset[Version]:
    return frozenset(name.version for name in names if name.version is not None)


def refuse_released_elsewhere(project: Project, model: Model, numbers: Numbers, commit: str, slice_digest: str) -> None:
    """What only the remote has as a version already is no reason for a second one.  Raises `Conflict`.

    A version with a card is on a commit of its own, so the tags that this clone lacks are brought as objects that no
    ref names: their records say what they are of.
    """
    here = {ref.name for _, ref in model.tag_refs()}
    there = numbers.remote or {}
    missing = [(tag, ref) for name, ref in there.items() if name not in here and (tag := parse_tag_name(name))]
    released = [
        (tag, ref)
        for tag, ref in missing
        if tag.event is Event.RELEASE and str(replace(tag, event=Event.WITHDRAW_VERSION)) not in there
    ]
    latest = sorted(released, key=lambda pair: pair[0].version or FIRST)[-MAX_FETCHED_TAGS:]
    if latest and project.remote is not None:
        fetch_objects(project.repository.git, project.remote, [PREFIX + ref.name for _, ref in latest])
    tags = project.objects.tags([ref.oid for _, ref in latest])
    for _, ref in released:
        found = tags.get(ref.oid)
        record = found.record if found is not None else None
        if ref.target == commit or (record is not None and record.slice_digest == slice_digest):
            raise Conflict(f"the remote has {ref.name}, made from the very same", hint="git fetch --tags")


def unpublished(ref: TagRef, numbers: Numbers, model: str) -> list[TagRef]:
    """`ref` when the remote was asked and lacks it.  Raises `Conflict` when it has another object under that name."""
    there = (numbers.remote or {}).get(ref.name)
    if there is not None and there.oid != ref.oid:
        raise clash(there, model)
    return [] if there is not None or numbers.remote is None else [ref]


def clash(there: TagRef, model: str, more: str = "") -> Conflict:
    """The remote has another object than this clone under a name."""
    return Conflict(
        f"the remote has another {there.name}{more}, on commit {(there.target or there.oid)[:12]}",
        hint=f"modelver push {model} --renumber gives yours the next free number",
    )


def _starts(model: str) -> tuple[str, str]:
    """How the tags of one artifact's events begin."""
    return f"{to_tag(model)}@", f"{to_tag(model)}#"


def _parsed(names: Iterable[str], model: str) -> list[TagName]:
    """The parsed names of one artifact's events."""
    found = (parse_tag_name(name) for name in names if name.startswith(_starts(model)))
    return [name for name in found if name is not None and name.name == model and name.event is not Event.CREATED]


def _ask_remote(project: Project, model: Model, push: bool) -> Mapping[str, TagRef] | None:
    if project.remote is None:
        return None
    try:
        tags = read_remote_tags(project.repository.git, project.remote, tag_patterns(model.name))
    except EnvironmentProblem as error:
        if push:
            # --offline contradicts --push.
            hint = "check the network, or leave it unpublished: --no-push"
            raise EnvironmentProblem(error.message, hint=hint) from error
        if not any(model.tag_refs()):
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
    card: CardCommit | None = None
    """The commit that was made for the tags, to be taken back when they do not come to exist."""
    drops: tuple[TagRef, ...] = ()
    """Tags here that go when the new ones come."""

    def steps(self, remote: str | None, branch: str | None = None) -> list[Step]:
        """The plan, in the order in which it is applied; `branch`: the ref that goes along, still without a commit."""
        steps = []
        if self.push and self.outputs:
            steps.append(Step("dvc push", ", ".join(sorted({output.path for output in self.outputs}))))
        refs = [*(tag.name for tag in self.tags), *(ref.name for ref in self.existing)]
        if self.push:
            along = [branch.removeprefix("refs/heads/")] if branch is not None else []
            steps.append(Step("git push", f"{redact(remote or '')}: {', '.join((*refs, *along))}"))
        steps += [Step("git tag -d", ref.name) for ref in self.drops]
        return steps + [Step("git tag", tag.name) for tag in self.tags]


def publish(project: Project, publication: Publication) -> Mapping[str, str]:
    """Make the tags, and push them when asked; tag name -> object id.

    The tags' objects come first, then the remote, then the refs here: whoever loses a race is left as before.
    """
    state_dir, remote = project.repository.state_dir, project.remote if publication.push else None
    try:
        made = _make_objects(project, publication)
        journal = Journal(
            action=publication.action,
            refs=tuple((PREFIX + name, oid) for name, oid in made.items()),
            drops=tuple((PREFIX + ref.name, ref.oid) for ref in publication.drops),
            remote=remote,
            before=publication.card.before if publication.card is not None else None,
            place=str(project.root) if publication.card is not None else None,
        )
        if remote is not None:
            _refuse_taken(project, journal)
        write_journal(state_dir, journal)
    except BaseException:
        _put_back(project, publication)
        raise
    if remote is not None:
        _push_refs(project, publication, journal, remote)
    if publication.drops:
        # Now, since at the end of the command it would note them as seen again.
        project.remember_tags()
    try:
        finish(project.repository, journal, fresh=remote is None)
    except ModelverError:
        if remote is None:
            _put_back(project, publication)
        raise
    project.published.note(publication.existing, published=remote is not None)
    clear_journal(state_dir)
    return made


def _make_objects(project: Project, publication: Publication) -> Mapping[str, str]:
    """The data on its remote, and the tags as objects that no ref names; tag name -> object id."""
    if publication.push and publication.outputs:
        _push_data(project, publication.outputs)
    ident = committer(project.repository.git) if publication.tags else ""
    return {
        tag.name: create_tag_object(project.repository, tag.name, tag.commit, tag.message, ident=ident)
        for tag in publication.tags
    }


def _refuse_taken(project: Project, journal: Journal) -> None:
    """Before anybody sees anything: a tag that was made here meanwhile, by hand, would leave us half done."""
    taken = [ref for ref, _ in journal.refs if read_ref(project.repository.git, ref) is not None]
    if taken:
        raise Conflict(f"{taken[0].removeprefix(PREFIX)} came into being meanwhile", hint="run it again")


def _push_refs(project: Project, publication: Publication, journal: Journal, remote: str) -> None:
    refs = [PushRef(oid, ref) for ref, oid in journal.refs]
    refs += [PushRef(ref.oid, PREFIX + ref.name) for ref in publication.existing]
    if publication.branch is not None:
        refs.append(PushRef(publication.branch[1], publication.branch[0], new=False))
    new = [(ref.ref, ref.oid) for ref in refs if ref.new]
    try:
        push(project.repository.git, remote, refs)
    except (Conflict, EnvironmentProblem) as error:
        # The line may have broken after the server had taken them: it knows.  While it does not answer, the
        # journal says what to ask.  And one person in two clones in one second makes the very same object.
        there = _ask_after(project, error, remote, new)
        if there is True:
            return
        _put_back(project, publication)
        if there is False and not isinstance(error, Conflict):
            raise Conflict(
                f"{redact(remote)} has moved on: {error.message}", hint="git fetch --tags, then run it again"
            ) from error
        raise


def _ask_after(project: Project, error: ModelverError, remote: str, refs: Sequence[tuple[str, str]]) -> bool | None:
    try:
        return remote_state(project.repository.git, remote, refs)
    except EnvironmentProblem as silent:
        if isinstance(error, Conflict):
            return False
        raise EnvironmentProblem(f"{error.message}; and then: {silent.message}", hint=silent.hint) from error


def _put_back(project: Project, publication: Publication) -> None:
    """Nothing came to exist: the clone becomes what it was."""
    if publication.card is not None:
        publication.card.undo()
    clear_journal(project.repository.state_dir)


def _push_data(project: Project, outputs: Sequence[Output]) -> None:
    from dvc_modelver.dvcio.push import push as push_data

    push_data(project.root, outputs, env=project.around.env, progress=project.around.progress)
