"""`release`: the next version of one or more models, all of them or none.

Read what HEAD (or another commit) says, decide the numbers, then apply: the card's commit when there is one to
make, the tags, and the remote when asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from dvc_modelver.commands.candidates import ReadModel, ReleaseRequest, read_model, read_names, read_target
from dvc_modelver.commands.project import Project
from dvc_modelver.commands.publishing import (
    Outcome,
    Publication,
    Step,
    Written,
    exclusive,
    publish,
    refuse_released_elsewhere,
    unpublished,
)
from dvc_modelver.core.facts import Output
from dvc_modelver.core.records import BlobLine
from dvc_modelver.core.releases import (
    NewTag,
    PlannedVersion,
    plan_version,
)
from dvc_modelver.core.tagobjects import TagRef
from dvc_modelver.core.tags import Event, TagName
from dvc_modelver.errors import ModelverError, Refused
from dvc_modelver.gitio.commits import child_commit, commit_only, look_before, write_file
from dvc_modelver.gitio.journal import Journal, recover, write_journal
from dvc_modelver.gitio.objects import CommitTree
from dvc_modelver.gitio.worktree import changes_in, read_changes


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


def release(project: Project, request: ReleaseRequest, cards: Cards = no_cards) -> Outcome:
    """Release the models, or say that they are released already.

    Args:
        cards: what to put into the commit that is tagged (see `Cards`).

    Raises: as DESIGN's exit codes say: `NotFound` for an unknown model, `Refused` to protect work, `Conflict`
        when a number is taken, `DataError` when bytes are missing or corrupt, `EnvironmentProblem` otherwise.
    """
    with exclusive(project, request.dry_run):
        commit = read_target(project, request)
        tree = project.tree(commit)
        models = [read_model(project, request, tree, name) for name in read_names(project, request)]
        options = replace(request.options, scheme=project.config.scheme)
        plans = [plan_version(m.candidate, options, project.around.now()) for m in models]
        for m, plan in zip(models, plans, strict=True):
            if plan.new and not options.same_commit:
                refuse_released_elsewhere(m.model, m.numbers, plan.commit)
        written = _card_files(project, request, tree, plans, cards)
        if request.prepare:
            return _prepare(project, request, plans, written)
        return _apply(project, request, models, plans, written)


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
    models: Sequence[ReadModel],
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
    project: Project, request: ReleaseRequest, models: Sequence[ReadModel], plans: Sequence[PlannedVersion]
) -> Publication:
    tags = tuple(tag for plan in plans for tag in plan.tags)
    existing: list[TagRef] = []
    outputs: dict[Output, None] = {}
    if request.push:
        for read, plan in zip(models, plans, strict=True):
            if not plan.new:
                existing += unpublished(read.model.release_ref(plan.version), read.numbers, plan.model)
            outputs |= dict.fromkeys(read.slice.outputs)
    return Publication(action="release", tags=tags, existing=tuple(existing), push=request.push, outputs=tuple(outputs))


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
