"""`rollback`: what a version was made of comes back as one new commit, with its bytes; history is never rewritten."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

from dvc_modelver.commands.bytes_at_hand import Bytes as AtHand
from dvc_modelver.commands.project import Project
from dvc_modelver.commands.promote import promote
from dvc_modelver.commands.publishing import Outcome, Step, Written, exclusive, refuse_under_way, settle_left
from dvc_modelver.commands.restoration.bytes import Bytes, Rest, format_rest, parse_rest, read_bytes
from dvc_modelver.commands.restoration.memory import Last, read_last, write_last
from dvc_modelver.commands.restoration.plan import Plan, Side, plan_model, plan_slice, plan_tree, read_side, with_card
from dvc_modelver.core.declarations import Declared
from dvc_modelver.core.names import check_stage
from dvc_modelver.core.records import Record
from dvc_modelver.core.registry import Model
from dvc_modelver.core.rollback import previous_holder
from dvc_modelver.core.tagobjects import TagRef
from dvc_modelver.core.tags import PREFIX
from dvc_modelver.core.trees import Tree
from dvc_modelver.core.versions import Version
from dvc_modelver.dvcio.facts import artifact_facts
from dvc_modelver.dvcio.project import declared_one
from dvc_modelver.errors import BadInput, DataError, EnvironmentProblem, ModelverError, NotFound, Refused
from dvc_modelver.gitio.commits import Before, child_commit, commit_only, look_before, uninterrupted
from dvc_modelver.gitio.diffs import links_between
from dvc_modelver.gitio.journal import Journal, clear_journal, read_journal, write_journal
from dvc_modelver.gitio.refs import RefUpdate, read_ref, update_refs
from dvc_modelver.gitio.remotes import PushRef, push
from dvc_modelver.gitio.worktree import changes_in, read_changes

_SHOWN = 5
# DVC's post-checkout hook restores whatever its cache holds.
_NO_HOOKS = (f"core.hooksPath={os.devnull}",)


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackRequest:
    """What was asked for."""

    name: str
    version: Version | None = None
    form: str = "slice"
    """`slice`, `tree`, `model`, or `detach`."""
    reason: str = ""
    branch: str | None = None
    """Make the commit on a new branch of this name instead; the work tree stays as it is."""
    include_shared: bool = False
    push: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RolledBack(Outcome):
    """What a rollback did, or would do."""

    left: Version | None = None
    """The version whose bytes HEAD named before; None when they were of none."""
    holds: Mapping[str, Version | None] = field(default_factory=dict)
    """What each stage still holds."""
    out_of_date: tuple[str, ...] = ()
    """Other models that the restored parts make too."""
    stale: tuple[str, ...] = ()
    """What `dvc status` will still show."""
    notes: tuple[str, ...] = ()


def rollback(project: Project, request: RollbackRequest) -> RolledBack:
    """Bring back what `request.version` was made of (default: the version before the one whose bytes HEAD names).

    Raises:
        NotFound: no such model or version, or none before.
        Refused: something would be lost, other models are made with what would change, the version was withdrawn, a
            merge is under way, or this runs inside a pipeline stage.
        DataError: bytes of the version are missing or corrupt.
        EnvironmentProblem: no work tree, an unborn or detached HEAD, the remote cannot be reached.
    """
    with exclusive(project, request.dry_run) as left:
        refuse_under_way(project)
        head = project.head
        if head is None:
            raise EnvironmentProblem("there is no commit yet to roll back from", hint="git log")
        model = project.model_of(project.resolve(request.name).name)
        now = _now(project, model, head)
        made = _made(project, left, model.name)
        # The same command again, after a kill at its very end, means the version that it meant then.
        version = request.version or (Version.parse(made.version) if made is not None else _before(model, now))
        ref = model.release_ref(version)
        if model.is_withdrawn(version):
            raise Refused(f"{model.name}@{version} was withdrawn", hint=f"modelver show {model.name} lists the others")
        record = model.refuse_unsound(ref).record
        target = project.tree(ref.target or "")
        plan = _plan(project, request, model, version, record, project.tree(head), target)
        found = _Target(version=version, ref=ref, tree=target, left=now, made=_made_aside(left, made, request))
        return _run(project, request, model, found, plan)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    version: Version
    ref: TagRef
    tree: Tree
    left: Version | None
    made: str | None = None
    """The commit on the branch that was asked for, when a killed command had made it."""
    undo: bool = False


def _made(project: Project, left: Journal | None, name: str) -> Rest | None:
    """What an interrupted rollback of the model had made, all but the last of it, when it was killed."""
    rest = parse_rest(left.rest) if left is not None and left.action == "rollback" else None
    if left is None or left.goal is None or rest is None or rest.name != name:
        return None
    return rest if read_ref(project.repository.git, left.goal[0]) == left.goal[1] else None


def _made_aside(left: Journal | None, made: Rest | None, request: RollbackRequest) -> str | None:
    if left is None or left.goal is None or made is None or left.goal[0] != f"refs/heads/{request.branch}":
        return None
    return left.goal[1]


# Which version ------------------------------------------------------------------------------------------------------


def _now(project: Project, model: Model, head: str) -> Version | None:
    """The version whose bytes HEAD names; the highest of several."""
    tree = project.tree(head)
    declared = declared_one(tree, model.name)
    with AtHand(project) as at_hand:
        facts = artifact_facts(tree, declared, listing=at_hand.listing) if declared is not None else None
        digest = facts.digest if facts is not None else None
        for version in reversed(model.versions) if digest is not None else ():
            ref = model.release_ref(version)
            tag = model.tag(ref)
            if tag is None:
                continue
            if tag.record is not None and tag.record.digest is not None:
                found: str | None = tag.record.digest
            else:
                found = _digest_at(project, model, ref, at_hand)
            if found == digest:
                return version
    return None


def _digest_at(project: Project, model: Model, ref: TagRef, at_hand: AtHand) -> str | None:
    with suppress(ModelverError):
        tree = project.tree(ref.target or "")
        declared = declared_one(tree, model.name)
        return artifact_facts(tree, declared, listing=at_hand.listing).digest if declared is not None else None
    return None


def _before(model: Model, now: Version | None) -> Version:
    """The default; from bytes that are no version, the latest version."""
    found = model.previous(now) if now is not None else model.latest
    if found is None:
        where = f"before {now}" if now is not None else "of it"
        raise NotFound(f"{model.name} has no version {where} to go back to", hint=f"modelver show {model.name}")
    return found


# The plan -----------------------------------------------------------------------------------------------------------


def _plan(
    project: Project,
    request: RollbackRequest,
    model: Model,
    version: Version,
    record: Record | None,
    head: Tree,
    target: Tree,
) -> Plan:
    if request.form in ("tree", "detach"):
        if request.form == "tree":
            _refuse_links(project, model.release_ref(version).target or "")
        return plan_tree(head, target)
    then = read_side(target, _declared(target, model.name, record))
    here = declared_one(head, model.name)
    now = read_side(head, here) if here is not None else replace(then, tree=head)
    like = project.head or ""
    if request.form == "model":
        return plan_model(now, then, like)
    plan = plan_slice(now, then, like, include_shared=request.include_shared)
    return with_card(plan, dict(_card(project, then, plan, version, head, like)))


def _refuse_links(project: Project, target: str) -> None:
    links = links_between(project.repository.git, project.head or "", target)
    if links:
        raise Refused(
            f"{links[0]} is a symbolic link or submodule that differs, which is not restored",
            hint=f"git checkout {target[:9]} -- {links[0]}, and commit it",
        )


def _declared(tree: Tree, name: str, record: Record | None) -> Declared:
    found = declared_one(tree, name)
    if found is None and record is not None and record.path is not None:
        return Declared(name=name, file="dvc.yaml", path=record.path)
    if found is None:
        raise DataError(f"the version's commit declares no artifact {name}", hint="modelver doctor")
    return found


def _card(
    project: Project, then: Side, plan: Plan, version: Version, head: Tree, like: str
) -> Iterator[tuple[str, bytes | None]]:
    """The card: people's text as it is now, our blocks as of that version."""
    from dvc_modelver.cards.facts import Named
    from dvc_modelver.cards.generate import named_in
    from dvc_modelver.commands.cards.facts import TreeReader
    from dvc_modelver.commands.cards.text import card_path, has_card, read_card, write_card
    from dvc_modelver.core.overlay import Overlay

    path = card_path(project, then.declared.name)
    old = read_card(then.tree, path)
    card = read_card(head, path) or old
    if card is None or not has_card(then.declared):
        return
    named = named_in(old) if old is not None else Named(version=str(version))
    with AtHand(project) as at_hand:
        source = TreeReader(project, Overlay(head, plan.files, like), at_hand).source(then.declared)
        try:
            files = write_card(source, card, replace(named, version=str(version)), path, head).files
        except (BadInput, Refused) as error:
            project.around.say(f"note: the card stays as it is: {error.message}")
            return
    for file in files:
        if head.read(file.path) != file.data:
            yield file.path, file.data


# Doing it -----------------------------------------------------------------------------------------------------------


def _run(project: Project, request: RollbackRequest, model: Model, target: _Target, plan: Plan) -> RolledBack:
    aside = request.branch is not None
    head = project.tree(project.head or "")
    whole = request.form in ("tree", "detach") or target.undo  # there a file may differ in its mode alone
    files = {path: data for path, data in plan.files.items() if whole or _differs(head, target.tree, path, data)}
    _refuse_dirty(project, request, list(files))
    _check_branch(project, request, target)
    bytes_ = read_bytes(project, plan.outputs) if not aside else None
    if bytes_ is not None and request.dry_run:
        bytes_.verify(project)
    moves = bytes_.changed if bytes_ is not None else ()
    detached = request.form == "detach" and project.head != target.ref.target
    changed = bool(files or moves or detached)
    commit = project.head
    if changed and not request.dry_run:
        commit = _apply(project, request, model, target, files, bytes_)
    elif request.push and not request.dry_run and project.branch is not None and not aside:
        # An earlier one may have ended before it was published.
        _push(project, project.branch, project.head or "")
    return RolledBack(
        action="rollback",
        dry_run=request.dry_run,
        changed=changed,
        models=(_written(request, model, target, commit),),
        steps=tuple(_steps(request, model, target, files, moves)) if changed else (),
        left=target.left,
        holds={stage: event.version for stage, event in model.stages().items()},
        out_of_date=plan.out_of_date,
        stale=plan.stale,
        notes=plan.notes,
    )


def _differs(head: Tree, target: Tree, path: str, data: bytes | None) -> bool:
    """By its bytes, or as code by its mode alone."""
    before, then = head.entry(path), target.entry(path)
    return head.read(path) != data or (before is not None and then is not None and before.mode != then.mode)


def _written(request: RollbackRequest, model: Model, target: _Target, commit: str | None) -> Written:
    published = True if request.push and not request.dry_run else None
    return Written(
        name=model.name,
        version=target.version,
        stage=None,
        tag=target.ref.name,
        commit=commit,
        published=published,
    )


def _steps(
    request: RollbackRequest,
    model: Model,
    target: _Target,
    files: Sequence[str] | Mapping[str, object],
    moves: Sequence[str],
) -> Iterator[Step]:
    if request.form == "detach":
        yield Step("git checkout --detach", target.ref.name)
    else:
        yield from (Step("restore file", path) for path in files)
    yield from (Step("restore bytes", path) for path in moves)
    if files and request.form != "detach":
        yield Step("git commit", f"{request.branch + ': ' if request.branch else ''}{_subject(request, model, target)}")
    if request.push:
        yield Step("git push", request.branch or "the current branch")


def _subject(request: RollbackRequest, model: Model, target: _Target) -> str:
    what = {"tree": " (whole tree)", "model": " (the model alone)"}.get(request.form, "")
    return f"Roll {model.name} back to {target.version}{what}"


def _message(request: RollbackRequest, model: Model, target: _Target) -> str:
    left = f"from {target.left}" if target.left is not None else "from what was never released"
    reason = f"\n{request.reason.strip()}\n" if request.reason.strip() else ""
    return f"{_subject(request, model, target)}\n{reason}\n{left.capitalize()}, by modelver rollback.\n"


def _refuse_dirty(project: Project, request: RollbackRequest, files: Sequence[str]) -> None:
    """Whatever is not as committed, of what would be written, would be lost."""
    if request.branch is not None:
        return
    changes = read_changes(project.repository.git)
    dirty = [c for c in changes if not c.untracked] if request.form == "detach" else changes_in(changes, files)
    if dirty:
        shown = ", ".join(change.path for change in dirty[:_SHOWN])
        more = f" and {len(dirty) - _SHOWN} more" if len(dirty) > _SHOWN else ""
        raise Refused(
            f"{shown}{more} {'is' if len(dirty) == 1 else 'are'} not as committed, and would be overwritten",
            hint="git stash, or git commit, and run it again",
        )
    others = [change.path for change in changes if not change.untracked]
    if others:
        project.around.say(f"note: left alone: {', '.join(others[:_SHOWN])}{' ...' if len(others) > _SHOWN else ''}")


def _check_branch(project: Project, request: RollbackRequest, target: _Target) -> None:
    if request.branch is not None:
        ref = f"refs/heads/{request.branch}"
        if not project.repository.git.complete("check-ref-format", ref).status == 0:
            raise BadInput(f"{request.branch!a} is no name for a branch", hint="--branch rollback-churn")
        if target.made is None and read_ref(project.repository.git, ref) is not None:
            raise Refused(f"there is a branch {request.branch} already", hint="choose another name")
    elif project.branch is None and request.form != "detach":
        raise Refused(
            "HEAD is detached: a new commit would belong to no branch", hint="git switch BRANCH, or --branch NAME"
        )
    if request.push and project.remote is None:
        raise EnvironmentProblem("there is no Git remote to push to", hint="git remote add origin URL")


def _apply(
    project: Project,
    request: RollbackRequest,
    model: Model,
    target: _Target,
    files: Mapping[str, bytes | None],
    bytes_: Bytes | None,
) -> str:
    """Bytes first, then one commit; all of it or nothing.  Gives the commit that HEAD, or the new branch, names."""
    message = _message(request, model, target)
    rest = Rest(name=model.name, version=str(target.version), undo=target.undo, push=request.push)
    if bytes_ is None:
        return _aside(project, request, target, files, message, rest)
    head, state_dir = project.head or "", project.repository.state_dir
    look = look_before(project.repository, files) if files else None
    goal = ("HEAD", target.ref.target or "") if request.form == "detach" else None
    journal = Journal(action="rollback", before=look, goal=goal, rest=format_rest(replace(rest, rows=bytes_.rows)))
    try:
        write_journal(state_dir, journal)
        bytes_.apply(project)
        try:
            commit = _move(project, request, target, files, look, message)
        except BaseException:
            bytes_.undo()
            raise
        last = Last(before=head, after=commit, branch=project.branch, name=model.name)
        rest = replace(rest, rows=bytes_.rows, last=last)
        write_journal(state_dir, replace(journal, goal=("HEAD", commit), rest=format_rest(rest)))
    except BaseException:
        # All is put back by now, or the journal stays for the next command to try.
        with suppress(ModelverError):
            settle_left(project)
        raise
    with _published(project, f"{model.name} {target.version}"):
        write_last(project.state_dir, last)
        if request.push and request.form != "detach" and project.branch is not None:
            _push(project, project.branch, commit)
    return commit


def _move(
    project: Project,
    request: RollbackRequest,
    target: _Target,
    files: Mapping[str, bytes | None],
    look: Before | None,
    message: str,
) -> str:
    """Let HEAD and Git's files follow; the commit that HEAD names then."""
    if request.form == "detach":
        commit = target.ref.target or ""
        words = ("checkout", "--quiet", "--detach", "--no-overwrite-ignore", commit, "--")
        with uninterrupted():
            project.repository.git.run(*words, config=_NO_HOOKS)
        return commit
    if look is None:
        return project.head or ""
    return commit_only(project.repository, look, files, message, modes=_modes(target, files)).commit


def _modes(target: _Target, files: Mapping[str, bytes | None]) -> dict[str, str]:
    return {path: entry.mode for path in files if (entry := target.tree.entry(path)) is not None}


def _aside(
    project: Project,
    request: RollbackRequest,
    target: _Target,
    files: Mapping[str, bytes | None],
    message: str,
    rest: Rest,
) -> str:
    """A commit on a branch of its own: nothing that is checked out changes."""
    head, git, ref = project.head or "", project.repository.git, f"refs/heads/{request.branch}"
    commit = target.made
    if commit is None:
        commit = child_commit(project.repository, head, files, message, modes=_modes(target, files))
    journal = Journal(action="rollback", goal=(ref, commit), rest=format_rest(rest))
    with _published(project, f"the branch {request.branch}"):
        write_journal(project.repository.state_dir, journal)
        if target.made is None:
            update_refs(git, [RefUpdate(ref, commit)], "modelver: rollback")
        if request.push:
            _push(project, ref, commit)
    return commit


@contextmanager
def _published(project: Project, what: str) -> Iterator[None]:
    """Here all is made: whatever becomes of the push, nothing is taken back, and nothing is left to finish."""
    try:
        yield
    except ModelverError as error:
        if not error.hint:
            error.hint = f"{what} is there; only the push is missing: git push"
        raise
    finally:
        clear_journal(project.repository.state_dir)


def _push(project: Project, ref: str, commit: str) -> None:
    push(project.repository.git, project.remote or "", [PushRef(commit, ref, new=False)])


# A stage ------------------------------------------------------------------------------------------------------------


def rollback_stage(
    project: Project,
    name: str,
    stage: str,
    version: Version | None,
    *,
    reason: str = "",
    push: bool = False,
    offline: bool = False,
    dry_run: bool = False,
) -> Outcome:
    """Let `stage` hold `version` again (default: the version it held before), as a new promote.

    Raises:
        NotFound: no such model or version, or the stage held nothing before.
        Refused: the version was withdrawn, or the model retired.
        Conflict: someone else promoted at the same time.
    """
    made = None if dry_run else _made_promote(project)
    model = project.model_of(project.resolve(name).name)
    check_stage(stage, project.config.stages)
    held = model.holder(stage)
    now = held.version if held is not None else None
    if version is None and held is not None and made == PREFIX + held.ref.name and _went_back(model, held.ref):
        version = now  # the same command again, after a kill at its very end
    to = version or previous_holder(model.stage_events(stage), model.withdrawn, now)
    if to is None:
        raise NotFound(
            f"{stage} of {model.name} held nothing else before",
            hint=f"modelver history {model.name} shows what it held",
        )
    outcome = promote(
        project,
        f"{model.name}@{to}",
        stage,
        message=reason,
        push=push,
        offline=offline,
        dry_run=dry_run,
        back_from=now,
    )
    return replace(outcome, action="rollback")


def _made_promote(project: Project) -> str | None:
    """The ref of a stage's event that a killed command had not finished."""
    if read_journal(project.repository.state_dir) is None:
        return None
    with exclusive(project, dry_run=False) as left:
        return left.refs[0][0] if left is not None and len(left.refs) == 1 else None


def _went_back(model: Model, ref: TagRef) -> bool:
    tag = model.tag(ref)
    return tag is not None and tag.record is not None and tag.record.rolled_back_from is not None


# Undo ---------------------------------------------------------------------------------------------------------------


def undo(project: Project, *, dry_run: bool = False) -> RolledBack:
    """Go back to where the last rollback started, as one new commit.

    Raises:
        NotFound: there was no rollback in this clone.
        Refused: something has moved since, or would be lost.
    """
    with exclusive(project, dry_run) as left:
        refuse_under_way(project)
        last = read_last(project.state_dir)
        made = _made(project, left, last.name) if last is not None else None
        if last is not None and made is not None and made.undo:
            return _undone(project, last, made)  # the same command again, after a kill at its very end
        if last is None:
            raise NotFound("there was no rollback in this clone", hint="git log; git revert takes back any commit")
        if project.head != last.after or (last.branch is not None and project.branch != last.branch):
            raise Refused(
                "something has moved since the last rollback", hint=f"git diff {last.after[:9]} {last.before[:9]}"
            )
        head, target = project.tree(last.after), project.tree(last.before)
        plan = plan_tree(head, target)
        model = project.model_of(last.name)
        version = _now(project, model, last.before)
        request = RollbackRequest(name=last.name, form="slice", dry_run=dry_run, reason="Undoes the rollback.")
        ref = TagRef("", "", last.before)
        found = _Target(
            version=version or Version.parse("v0.0.0"),
            ref=ref,
            tree=target,
            left=_now(project, model, last.after),
            undo=True,
        )
        return _run(project, request, model, found, plan)


def _undone(project: Project, last: Last, made: Rest) -> RolledBack:
    model = project.model_of(last.name)
    written = Written(
        name=last.name, version=Version.parse(made.version), stage=None, tag=None, commit=last.after, published=None
    )
    holds = {stage: event.version for stage, event in model.stages().items()}
    return RolledBack(action="rollback", dry_run=False, changed=False, models=(written,), steps=(), holds=holds)
