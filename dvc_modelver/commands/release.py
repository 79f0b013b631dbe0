"""`release`: the next version of one or more models, all of them or none.

Read what HEAD (or another commit) says, decide the numbers, then apply: the card's commit when there is one to
make, the tags, and the remote when asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from dvc_modelver.commands.evidence import in_cache, local_cache, released
from dvc_modelver.commands.project import Project
from dvc_modelver.commands.publishing import (
    Numbers,
    Outcome,
    Publication,
    Step,
    Written,
    exclusive,
    publish,
    read_numbers,
    refuse_inside_dvc,
    refuse_released_elsewhere,
    refuse_under_way,
)
from dvc_modelver.core.declarations import Declared
from dvc_modelver.core.facts import ArtifactFacts, Output, Slice, Source
from dvc_modelver.core.names import check_name, check_stage
from dvc_modelver.core.records import BlobLine
from dvc_modelver.core.registry import Model
from dvc_modelver.core.releases import (
    Candidate,
    NewTag,
    PlannedVersion,
    ReleaseOptions,
    plan_version,
    refuse_case_twin,
    slice_digest,
)
from dvc_modelver.core.tagobjects import TagRef
from dvc_modelver.core.tags import Event, TagName
from dvc_modelver.core.versions import Version
from dvc_modelver.dvcio import facts as dvc_facts
from dvc_modelver.dvcio.project import declared_one
from dvc_modelver.dvcio.workspace import Saved, hash_workspace
from dvc_modelver.errors import Conflict, EnvironmentProblem, ModelverError, NotFound, Refused
from dvc_modelver.gitio.commits import child_commit, commit_only, look_before, write_file
from dvc_modelver.gitio.journal import Journal, recover, write_journal
from dvc_modelver.gitio.objects import CommitTree
from dvc_modelver.gitio.worktree import Change, WorkTree, changes_in, read_changes, read_known


@dataclass(frozen=True, slots=True, kw_only=True)
class CardFile:
    """One file that a version needs in its commit."""

    model: str
    path: str
    """From the root."""
    data: bytes


Cards = Callable[[Project, CommitTree, Sequence[PlannedVersion]], Sequence[CardFile]]
"""Says which card files new versions need; those that differ from the commit's own are committed before tagging."""


def no_cards(project: Project, tree: CommitTree, versions: Sequence[PlannedVersion]) -> Sequence[CardFile]:
    """Release without cards."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRequest:
    """What the user asked for."""

    models: tuple[str, ...]
    options: ReleaseOptions = field(default_factory=ReleaseOptions)
    rev: str | None = None
    exp: str | None = None
    prepare: bool = False
    push: bool = False
    push_to: str | None = None
    offline: bool = False
    dry_run: bool = False
    cards: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Model:
    """One model, read."""

    model: Model
    declared: Declared
    facts: ArtifactFacts
    slice: Slice
    numbers: Numbers
    candidate: Candidate


def release(project: Project, request: ReleaseRequest, cards: Cards = no_cards) -> Outcome:
    """Release the models, or say that they are released already.

    Args:
        cards: what to put into the commit that is tagged (see `Cards`).

    Raises: as DESIGN's exit codes say: `NotFound` for an unknown model, `Refused` to protect work, `Conflict`
        when a number is taken, `DataError` when bytes are missing or corrupt, `EnvironmentProblem` otherwise.
    """
    with exclusive(project, request.dry_run):
        commit = _target(project, request)
        tree = project.tree(commit)
        models = [_read(project, request, tree, name) for name in _names(project, request)]
        options = replace(request.options, scheme=project.config.scheme)
        plans = [plan_version(m.candidate, options, project.around.now()) for m in models]
        for m, plan in zip(models, plans, strict=True):
            if plan.new and not options.same_commit:
                refuse_released_elsewhere(m.model, m.numbers, plan.commit)
        written = _card_files(project, request, tree, plans, cards)
        if request.prepare:
            return _prepare(project, request, plans, written)
        return _apply(project, request, models, plans, written)


# Read -------------------------------------------------------------------------------------------------------------


def _target(project: Project, request: ReleaseRequest) -> str:
    """The commit to release.  Raises when the repository is in no state to release from."""
    repository = project.repository
    refuse_inside_dvc(project)
    if repository.shallow:
        raise EnvironmentProblem(
            "this clone is shallow: it cannot tell which versions there are", hint="git fetch --unshallow --tags"
        )
    refuse_under_way(project)
    if project.head is None:
        raise EnvironmentProblem("there is no commit to release yet", hint="git commit")
    if request.exp is not None:
        return _experiment(project, request.exp)
    if request.rev is not None:
        commit = project.objects.commit(request.rev)
        if commit is None:
            raise NotFound(f"there is no commit {request.rev}", hint="git log")
        return commit
    if project.repository.root is None:
        raise EnvironmentProblem("a bare repository has no work tree to release from", hint="name a commit with --rev")
    return project.head


def _experiment(project: Project, name: str) -> str:
    """The commit of a DVC experiment (`refs/exps/AB/CDEF.../NAME`)."""
    listing = project.repository.git.text("for-each-ref", "--format=%(objectname) %(refname)", "refs/exps")
    rows = [line.split(" ", 1) for line in listing.splitlines()]
    named = {
        ref.rpartition("/")[2]: oid for oid, ref in rows if not ref.startswith(("refs/exps/exec", "refs/exps/temp"))
    }
    if name not in named:
        from dvc_modelver.core.names import near

        raise NotFound(f"there is no DVC experiment {name}", hint=near(name, named) or "dvc exp list")
    return named[name]


def _names(project: Project, request: ReleaseRequest) -> list[str]:
    """Canonical names, each once, in the order given."""
    if request.options.stage is not None:
        check_stage(request.options.stage, project.config.stages)
    names: dict[str, None] = {}
    for text in request.models:
        try:
            names[project.resolve(check_name(text)).name] = None
        except NotFound:
            _refuse_uncommitted_declaration(project, text)
            raise
    for name in names:
        together = [other for other in names if other != name]
        refuse_case_twin(name, [*project.registry.models, *together], request.options.force)
    return list(names)


def _refuse_uncommitted_declaration(project: Project, text: str) -> None:
    if project.repository.root is None:
        return
    from dvc_modelver.dvcio.project import declared

    for artifact in declared(WorkTree(project.repository.root, read_known(project.repository.git))).artifacts:
        if artifact.name in (text, f"{project.repository.prefix}:{text}"):
            raise Refused(
                f"{artifact.file} declares {text}, but that is not committed",
                hint=f"git add {artifact.file} && git commit",
            )


def _read(project: Project, request: ReleaseRequest, tree: CommitTree, name: str) -> _Model:
    model = project.model_of(name)
    declared = declared_one(tree, name)
    if declared is None:
        _refuse_uncommitted_declaration(project, name)
        raise NotFound(
            f"commit {tree.commit[:12]} declares no artifact {name}",
            hint="add it under artifacts: in dvc.yaml, or modelver init",
        )
    if declared.problem is not None:
        check_name(name)
        raise Refused(f"{declared.file}: {name}: {declared.problem}", hint=f"correct it in {declared.file}")
    at_head = request.rev is None and request.exp is None
    changes = read_changes(project.repository.git) if at_head else ()
    if at_head:
        _refuse_dirty(project, changes_in(changes, _own_files(declared)), name)
    from dvc_modelver.commands.bytes_at_hand import Bytes

    with Bytes(project) as at_hand:
        facts = dvc_facts.artifact_facts(tree, declared, listing=at_hand.listing)
    if facts.source is Source.MISSING:
        raise Refused(f"{name}: {facts.problem}", hint="run dvc repro or dvc add, then git commit")
    parts = dvc_facts.slice_of(tree, declared)
    if at_head:
        _check_work_tree(project, changes, parts, facts, name)
    numbers = read_numbers(project, model, offline=request.offline, push=request.push)
    candidate = _candidate(project, tree, model, declared, facts, parts, numbers)
    return _Model(model=model, declared=declared, facts=facts, slice=parts, numbers=numbers, candidate=candidate)


def _own_files(declared: Declared) -> list[str]:
    folder = declared.file.rpartition("/")[0]
    lock = f"{folder}/dvc.lock" if folder else "dvc.lock"
    paths = [declared.file, lock]
    if declared.path is not None and "://" not in declared.path:
        paths.append(f"{folder}/{declared.path}.dvc" if folder else f"{declared.path}.dvc")
    return paths


def _refuse_dirty(project: Project, dirty: Sequence[Change], name: str) -> None:
    if not dirty:
        return
    paths = [change.path for change in dirty]
    shown = ", ".join(paths[:5]) + (f" and {len(paths) - 5} more" if len(paths) > 5 else "")
    verb = "is" if len(paths) == 1 else "are"
    raise Refused(
        f"{name} cannot be released: {shown} {verb} not as committed",
        hint=f"git add {' '.join(paths[:5])} && git commit; or release what is committed with --rev HEAD",
    )


def _check_work_tree(
    project: Project, changes: Sequence[Change], parts: Slice, facts: ArtifactFacts, name: str
) -> None:
    """The model's slice and bytes in the work tree are HEAD's; other changes are named and left alone."""
    paths = [*parts.files, *((facts.path,) if facts.source is Source.GIT and facts.path else ())]
    dirty = changes_in(changes, paths)
    _refuse_dirty(project, dirty, name)
    others = [change.path for change in changes if not change.untracked]
    if others:
        project.around.say(f"note: left alone: {', '.join(others[:5])}{' ...' if len(others) > 5 else ''}")
    if not in_cache(facts):
        return
    copy = hash_workspace(project.root, facts, local_cache(project, facts), progress=project.around.progress)
    if copy.state is Saved.DIFFERENT:
        raise Refused(
            f"{copy.first or facts.path} is not the file that {', '.join(facts.files_read[1:]) or 'HEAD'} names",
            hint="dvc repro or dvc commit, then git commit; or dvc checkout to get the committed one back",
        )


def _candidate(
    project: Project,
    tree: CommitTree,
    model: Model,
    declared: Declared,
    facts: ArtifactFacts,
    parts: Slice,
    numbers: Numbers,
) -> Candidate:
    last = model.highest_usable
    retired = model.retired_by
    return Candidate(
        model=model,
        commit=tree.commit,
        taken=numbers.taken,
        counter=numbers.counter,
        slice_digest=slice_digest(parts),
        last=last,
        last_slice_digest=_slice_digest_of(project, model, last),
        content=lambda: released(project, tree, declared, facts),
        retired_tag=retired.name if retired is not None else None,
    )


def _slice_digest_of(project: Project, model: Model, version: Version | None) -> str | None:
    """Of an earlier version, from its own commit; None when that commit cannot be read as a DVC project."""
    if version is None:
        return None
    commit = model.release_ref(version).target or ""
    try:
        tree = project.tree(commit)
        declared = declared_one(tree, model.name)
        return slice_digest(dvc_facts.slice_of(tree, declared)) if declared is not None else None
    except ModelverError:
        return None


# Decide and apply -------------------------------------------------------------------------------------------------


def _card_files(
    project: Project, request: ReleaseRequest, tree: CommitTree, plans: Sequence[PlannedVersion], cards: Cards
) -> tuple[CardFile, ...]:
    """The card files that differ from the commit's own."""
    new = [plan for plan in plans if plan.new]
    if not new or not request.cards:
        return ()
    return tuple(card for card in cards(project, tree, new) if tree.read(card.path) != card.data)


def _prepare(
    project: Project, request: ReleaseRequest, plans: Sequence[PlannedVersion], cards: Sequence[CardFile]
) -> Outcome:
    if not request.dry_run:
        for card in cards:
            write_file(project.root / card.path, card.data)
    return Outcome(
        action="prepare",
        dry_run=request.dry_run,
        changed=bool(cards),
        models=tuple(_written(plan, None, None) for plan in plans),
        steps=tuple(Step("write", card.path) for card in cards),
    )


def _apply(
    project: Project,
    request: ReleaseRequest,
    models: Sequence[_Model],
    plans: Sequence[PlannedVersion],
    cards: Sequence[CardFile],
) -> Outcome:
    _check_commit_possible(project, request, cards)
    publication = _publication(project, request, models, plans)
    work = bool(publication.tags or publication.existing)
    steps = [Step("git commit", ", ".join(card.path for card in cards))] if cards else []
    steps += publication.steps(project.remote) if work else []
    if work and not request.dry_run:
        publication = _with_commit(project, request, publication, cards)
        publish(project, publication)
    commits = {tag.name: tag.commit for tag in publication.tags}
    return Outcome(
        action="release",
        dry_run=request.dry_run,
        changed=work,
        models=tuple(_written(plan, commits, _published(project, request, plan)) for plan in plans),
        steps=tuple(steps),
    )


def _publication(
    project: Project, request: ReleaseRequest, models: Sequence[_Model], plans: Sequence[PlannedVersion]
) -> Publication:
    tags = tuple(tag for plan in plans for tag in plan.tags)
    existing: list[TagRef] = []
    outputs: dict[Output, None] = {}
    if request.push:
        for read, plan in zip(models, plans, strict=True):
            existing += _unpublished(read, plan)
            outputs |= dict.fromkeys(read.slice.outputs)
    return Publication(action="release", tags=tags, existing=tuple(existing), push=request.push, outputs=tuple(outputs))


def _unpublished(read: _Model, plan: PlannedVersion) -> list[TagRef]:
    """The tag of a version that is here already, when the remote lacks it.  Raises `Conflict` on another one there."""
    if plan.new or read.numbers.remote is None:
        return []
    ref = read.model.release_ref(plan.version)
    there = read.numbers.remote.get(ref.name)
    if there is not None and there.oid != ref.oid:
        raise Conflict(
            f"the remote has another {ref.name}, on commit {(there.target or there.oid)[:12]}",
            hint=f"modelver push {plan.model} --renumber gives yours the next free number",
        )
    return [] if there is not None else [ref]


def _published(project: Project, request: ReleaseRequest, plan: PlannedVersion) -> bool | None:
    if plan.new:
        return request.push and not request.dry_run
    ref = project.model_of(plan.model).release_ref(plan.version)
    return True if request.push and not request.dry_run else project.published.state(ref)


def _check_commit_possible(project: Project, request: ReleaseRequest, cards: Sequence[CardFile]) -> None:
    if not cards or request.rev is not None or request.exp is not None:
        return
    if project.branch is None and request.push_to is None:
        raise Refused(
            "HEAD is detached, and the card needs a commit on a branch",
            hint="git switch BRANCH; or --push-to BRANCH; or --no-card",
        )
    dirty = changes_in(read_changes(project.repository.git), [card.path for card in cards])
    if dirty:
        raise Refused(f"{dirty[0].path} is not as committed", hint=f"git add {dirty[0].path} && git commit")


def _with_commit(
    project: Project, request: ReleaseRequest, publication: Publication, cards: Sequence[CardFile]
) -> Publication:
    """Make the card's commit, and let the tags name it."""
    if not cards:
        return publication
    files = {card.path: card.data for card in cards}
    message = "; ".join(tag.subject for tag in publication.tags if tag.tag.event is Event.RELEASE) + ": card\n"
    base = publication.tags[0].commit
    if request.rev is not None or request.exp is not None or project.branch is None:
        commit = child_commit(project.repository, base, files, message)
        branch = (f"refs/heads/{request.push_to}", commit) if request.push_to else None
        return replace(publication, tags=_on_commit(project, publication.tags, cards, commit), branch=branch)
    before = look_before(project.repository, files)
    write_journal(project.repository.state_dir, Journal(action="release", before=before))
    try:
        card = commit_only(project.repository, before, files, message)
    except BaseException:
        # All is put back by now, or the journal stays for the next command to try.
        with suppress(ModelverError):
            recover(project.repository)
        raise
    branch = (project.branch, card.commit) if publication.push else None
    tags = _on_commit(project, publication.tags, cards, card.commit)
    return replace(publication, tags=tags, branch=branch, card=card)


def _on_commit(project: Project, tags: Sequence[NewTag], cards: Sequence[CardFile], commit: str) -> tuple[NewTag, ...]:
    """The tags as they name `commit`, each release's record with its own card."""
    tree = project.tree(commit)
    lines = {card.model: BlobLine(e.oid, card.path) for card in cards if (e := tree.entry(card.path)) is not None}
    return tuple(
        replace(tag, commit=commit, record=replace(tag.record, card=lines.get(tag.tag.name)))
        if tag.tag.event is Event.RELEASE
        else replace(tag, commit=commit)
        for tag in tags
    )


def _written(plan: PlannedVersion, commits: Mapping[str, str] | None, published: bool | None) -> Written:
    tag = TagName(Event.RELEASE, plan.model, version=plan.version)
    stage = next((tag.tag.stage for tag in plan.tags if tag.tag.stage is not None), None)
    return Written(
        name=plan.model,
        version=plan.version,
        stage=stage,
        tag=str(tag),
        commit=(commits or {}).get(str(tag), plan.commit),
        published=published,
        event=Event.RELEASE,
    )
