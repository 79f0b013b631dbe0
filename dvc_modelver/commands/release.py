"""`release`: the next version of one or more models, all of them or none.

Read what HEAD (or another commit) says, decide the numbers, then apply: the card's commit when there is one to
make, the tags, and the remote when asked.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from dvc_modelver.commands.candidates import (
    ReadModel,
    ReleaseRequest,
    changed_files,
    read_model,
    read_names,
    read_target,
)
from dvc_modelver.commands.cards.released import release_cards
from dvc_modelver.commands.cards.sections import refuse_missing, refuse_unwritten
from dvc_modelver.commands.cards.text import CardFile, refuse_in_the_way, write_card_files
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
from dvc_modelver.commands.unseen import changes, ends, refuse_unseen
from dvc_modelver.core.facts import Output
from dvc_modelver.core.numbers import Chosen
from dvc_modelver.core.overlay import blob_id
from dvc_modelver.core.records import BlobLine
from dvc_modelver.core.releases import (
    NewTag,
    PlannedVersion,
    plan_version,
)
from dvc_modelver.core.tagobjects import TagRef
from dvc_modelver.core.tags import Event, TagName
from dvc_modelver.core.trees import Tree
from dvc_modelver.errors import ModelverError, Refused
from dvc_modelver.gitio.commits import child_commit, commit_only, look_before, refuse_unwatched
from dvc_modelver.gitio.journal import Journal, recover, write_journal
from dvc_modelver.gitio.refs import branch_ref
from dvc_modelver.gitio.remotes import push_branch
from dvc_modelver.gitio.worktree import Uncommitted, read_changes


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasedModel(Written):
    """One model after a release."""

    chosen: Chosen | None = None
    """Of a new version: its number, and why it goes that far."""


New = Sequence[tuple[ReadModel, PlannedVersion]]
"""The models that get a new version."""
Cards = Callable[[Project, Tree, Tree, New], Sequence[CardFile]]
"""Gives the card files of new versions: facts from the first tree, what people wrote from the second.

Those that differ from the commit's own are committed before tagging.
"""


def release(project: Project, request: ReleaseRequest, cards: Cards = release_cards) -> Outcome:
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
            refuse_unseen(m.model, m.numbers, ends(None if plan.new else plan.version))
            if plan.new and not options.same_commit:
                refuse_released_elsewhere(project, m.model, m.numbers, plan.commit, m.candidate.slice_digest)
        if not request.dry_run:
            _say_why(project, plans)
        new = [(m, plan) for m, plan in zip(models, plans, strict=True) if plan.new and request.cards]
        # What people wrote into a card since the last commit goes into the pull request as well.
        texts = Uncommitted(project.root, project.repository.git) if request.prepare else tree
        files = tuple(cards(project, tree, texts, new)) if new else ()
        _refuse_unwritten(project, request, models, plans, files)
        written = tuple(file for file in files if texts.read(file.path) != file.data)
        if request.prepare:
            return _prepare(project, request, plans, written, texts)
        return _apply(project, request, models, plans, written, files)


def _say_why(project: Project, plans: Sequence[PlannedVersion]) -> None:
    """How far each number goes, and why, where nobody asked for just that."""
    for plan in plans:
        chosen = plan.chosen
        if chosen is not None and chosen.reasons and not chosen.given:
            project.around.say(f"note: {plan.model}: {chosen.how}: {'; '.join(chosen.reasons)}")


def _refuse_unwritten(
    project: Project,
    request: ReleaseRequest,
    models: Sequence[ReadModel],
    plans: Sequence[PlannedVersion],
    cards: Sequence[CardFile],
) -> None:
    """What `--stage` needs written must be, as for a promote."""
    stage = request.options.stage
    if stage is None:
        return
    from dvc_modelver.cards.document import parse_card

    written = {card.model: card for card in cards if not card.picture}
    for read, plan in zip(models, plans, strict=True):
        card = written.get(plan.model)
        if card is not None and card.data is not None:
            refuse_missing(project.config, parse_card(card.data), card.path, f"{plan.model}@{plan.version}", stage)
        elif plan.new and project.config.cards.required.get(stage):
            raise Refused(
                f"{stage} needs a card, and {plan.model}@{plan.version} would have none", hint="drop --no-card"
            )
        elif not plan.new and plan.tags:
            refuse_unwritten(project, read.model, plan.version, stage)


def _prepare(
    project: Project, request: ReleaseRequest, plans: Sequence[PlannedVersion], cards: Sequence[CardFile], texts: Tree
) -> Outcome:
    if not request.dry_run:
        for card in cards:
            refuse_in_the_way(project, texts, card)
        write_card_files(project, cards)
    return Outcome(
        action="prepare",
        dry_run=request.dry_run,
        changed=bool(cards),
        models=tuple(_written(plan, None, None) for plan in plans),
        steps=tuple(Step("write" if card.data is not None else "remove", card.path) for card in cards),
    )


def _apply(
    project: Project,
    request: ReleaseRequest,
    models: Sequence[ReadModel],
    plans: Sequence[PlannedVersion],
    cards: Sequence[CardFile],
    all_cards: Sequence[CardFile],
) -> Outcome:
    _check_commit_possible(project, request, cards)
    publication = _publication(project, request, models, plans)
    publication = replace(publication, tags=_with_cards(project, publication.tags, all_cards))
    work = bool(publication.tags or publication.existing)
    steps = [Step("git commit", ", ".join(card.path for card in cards))] if cards else []
    named = _published_branch(project, request)
    branch = named if cards else None
    steps += publication.steps(project.remote, branch) if work else []
    if work and not request.dry_run:
        publication = _with_commit(project, request, publication, cards, branch)
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
                existing += _unpublished_stage(read, plan, request.options.stage)
            outputs |= dict.fromkeys(read.slice.outputs)
    return Publication(action="release", tags=tags, existing=tuple(existing), push=request.push, outputs=tuple(outputs))


def _unpublished_stage(read: ReadModel, plan: PlannedVersion, stage: str | None) -> list[TagRef]:
    """The promote that makes `stage` hold the version here already, when the remote lacks it."""
    held = read.model.holder(stage) if stage is not None and not plan.tags else None
    if held is None or stage is None:
        return []
    refuse_unseen(read.model, read.numbers, changes(stage))
    return unpublished(held.ref, read.numbers, plan.model)


def _published(project: Project, request: ReleaseRequest, plan: PlannedVersion) -> bool | None:
    if plan.new or plan.tags:
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
    paths = [card.path for card in cards]
    # What a sparse checkout leaves out is not there to be lost.
    refuse_unwatched(project.repository.git, [path for path in paths if os.path.lexists(project.root / path)])
    dirty = changed_files(project, read_changes(project.repository.git), paths)
    if dirty:
        raise Refused(f"{dirty[0].path} is not as committed", hint=f"git add {dirty[0].path} && git commit")


def _published_branch(project: Project, request: ReleaseRequest) -> str | None:
    """The remote's branch that gets the card's commit: the one asked for, else the one that is checked out."""
    git = project.repository.git
    if not request.push or project.remote is None:
        return None
    if request.push_to is not None:
        return branch_ref(git, request.push_to, "--push-to main")
    own = request.rev is None and request.exp is None
    return push_branch(git, project.branch, project.remote) if own and project.branch is not None else None


def _with_commit(
    project: Project,
    request: ReleaseRequest,
    publication: Publication,
    cards: Sequence[CardFile],
    branch: str | None,
) -> Publication:
    """Make the card's commit, and let the tags name it; with them it goes to the remote's `branch`."""
    if not cards:
        return publication
    files = {card.path: card.data for card in cards}
    message = "; ".join(tag.subject for tag in publication.tags if tag.tag.event is Event.RELEASE) + ": card\n"
    base = publication.tags[0].commit
    if request.rev is not None or request.exp is not None or project.branch is None:
        commit = child_commit(project.repository, base, files, message)
        along = (branch, commit) if branch is not None else None
        return replace(publication, tags=_on_commit(publication.tags, commit), branch=along)
    before = look_before(project.repository, files)
    journal = Journal(action="release", before=before, place=str(project.root))
    write_journal(project.repository.state_dir, journal)
    try:
        card = commit_only(project.repository, before, files, message)
    except BaseException:
        # All is put back by now, or the journal stays for the next command to try.
        with suppress(ModelverError):
            recover(project.repository)
        raise
    along = (branch, card.commit) if branch is not None else None
    return replace(publication, tags=_on_commit(publication.tags, card.commit), branch=along, card=card)


def _on_commit(tags: Sequence[NewTag], commit: str) -> tuple[NewTag, ...]:
    return tuple(replace(tag, commit=commit) for tag in tags)


def _with_cards(project: Project, tags: Sequence[NewTag], cards: Sequence[CardFile]) -> tuple[NewTag, ...]:
    """The tags, each release's record with its own card, whether that is to be committed or is there already."""
    lines = {
        card.model: BlobLine(blob_id(card.data, project.head or ""), card.path)
        for card in cards
        if card.data is not None and not card.picture
    }
    return tuple(
        replace(tag, record=replace(tag.record, card=lines[tag.tag.name]))
        if tag.tag.event is Event.RELEASE and tag.tag.name in lines
        else tag
        for tag in tags
    )


def _written(plan: PlannedVersion, commits: Mapping[str, str] | None, published: bool | None) -> ReleasedModel:
    tag = TagName(Event.RELEASE, plan.model, version=plan.version)
    stage = next((tag.tag.stage for tag in plan.tags if tag.tag.stage is not None), None)
    return ReleasedModel(
        name=plan.model,
        version=plan.version,
        stage=stage,
        tag=str(tag),
        commit=(commits or {}).get(str(tag), plan.commit),
        published=published,
        event=Event.RELEASE,
        chosen=plan.chosen,
    )
