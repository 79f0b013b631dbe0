"""Carry a rollback's plan out: bytes, files and one commit, all of it or nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace

from dvc_modelver.commands.project import Project
from dvc_modelver.commands.publishing import settle_left
from dvc_modelver.commands.restoration.bytes import Bytes, Rest, check_bytes, format_rest, push_bytes, read_bytes
from dvc_modelver.commands.restoration.memory import Last, write_last
from dvc_modelver.commands.restoration.plan import Plan
from dvc_modelver.commands.restoration.request import RollbackRequest, RolledBack, Target
from dvc_modelver.commands.restoration.words import differs, message_of, steps_of, written
from dvc_modelver.core.registry import Model
from dvc_modelver.core.text import redact
from dvc_modelver.errors import Conflict, EnvironmentProblem, ModelverError, Refused
from dvc_modelver.gitio.commits import (
    Before,
    child_commit,
    commit_only,
    look_before,
    refuse_unwatched,
    uninterrupted,
)
from dvc_modelver.gitio.journal import Journal, clear_journal, write_journal
from dvc_modelver.gitio.placing import parents_of
from dvc_modelver.gitio.process import GitFailed
from dvc_modelver.gitio.refs import RefUpdate, branch_ref, read_ref, update_refs
from dvc_modelver.gitio.remotes import PushRef, push, push_branch
from dvc_modelver.gitio.worktree import changes_in, read_changes

_SHOWN = 5
# DVC's post-checkout hook restores whatever its cache holds.
_NO_HOOKS = (f"core.hooksPath={os.devnull}",)


def run(project: Project, request: RollbackRequest, model: Model, target: Target, plan: Plan) -> RolledBack:
    """Carry the plan out, or say what that would do.  Raises as `rollback`."""
    aside = request.branch is not None
    head = project.tree(project.head or "")
    whole = request.form in ("tree", "detach") or target.undo  # there a file may differ in its mode alone
    files = {path: data for path, data in plan.files.items() if whole or differs(head, target.tree, path, data)}
    _refuse_dirty(project, request, list(files))
    _check_branch(project, request, target)
    going = [path for path, data in files.items() if data is None and head.entry(path) is not None]
    bytes_ = read_bytes(project, plan.outputs, going, plan.executable) if not aside else None
    if aside:
        check_bytes(project, plan.outputs)
    if bytes_ is not None and request.dry_run:
        bytes_.verify(project)
        if files:
            look_before(project.repository, files, bytes_.gone)  # the plan is refused as the act would be
    moves = bytes_.changed if bytes_ is not None else ()
    leaves = project.head != target.ref.target or target.branch is not None
    detached = request.form == "detach" and leaves
    changed = bool(files or moves or detached)
    commit = project.head
    if request.push and not request.dry_run:
        push_bytes(project, plan.outputs)  # first: nobody shall get a commit whose bytes are nowhere
    if changed and not request.dry_run:
        commit = _apply(project, request, model, target, files, bytes_)
    elif request.push and not request.dry_run and project.branch is not None and not aside:
        # An earlier one may have ended before it was published.
        publish_branch(project, project.branch, project.head or "")
    return RolledBack(
        action="rollback",
        dry_run=request.dry_run,
        changed=changed,
        models=(written(request, model, target, commit),),
        steps=tuple(steps_of(request, model, target, files, moves, plan.outputs)) if changed else (),
        left=target.left,
        holds={stage: event.version for stage, event in model.stages().items()},
        out_of_date=plan.out_of_date,
        stale=plan.stale,
        notes=plan.notes,
    )


def _refuse_dirty(project: Project, request: RollbackRequest, files: Sequence[str]) -> None:
    """Whatever is not as committed, of what would be written, would be lost."""
    if request.branch is not None:
        return
    git = project.repository.git
    if request.form != "detach":  # there git itself looks
        refuse_unwatched(git, files)
    changes = read_changes(git)
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


def _check_branch(project: Project, request: RollbackRequest, target: Target) -> None:
    if request.branch is not None:
        ref = branch_ref(project.repository.git, request.branch, "--branch rollback-churn")
        if target.made is None and read_ref(project.repository.git, ref) is not None:
            raise Refused(f"there is a branch {request.branch} already", hint="choose another name")
        beside = _beside(project, request.branch)
        if target.made is None and beside:
            raise Refused(f"git keeps no branch {request.branch} beside {beside}", hint="choose another name")
    elif project.branch is None and request.form != "detach":
        raise Refused(
            "HEAD is detached: a new commit would belong to no branch", hint="git switch BRANCH, or --branch NAME"
        )
    if request.push and project.remote is None:
        raise EnvironmentProblem("there is no Git remote to push to", hint="git remote add origin URL")


def _beside(project: Project, branch: str) -> str:
    """A branch that is a folder to git when `branch` is one, or the reverse; empty when there is none."""
    above = [f"refs/heads/{name}" for name in parents_of(branch)]
    below = f"refs/heads/{branch}/"
    found = project.repository.git.text("for-each-ref", "--format=%(refname)", *above, below).splitlines()
    return next((ref.removeprefix("refs/heads/") for ref in found if ref in above or ref.startswith(below)), "")


def _apply(
    project: Project,
    request: RollbackRequest,
    model: Model,
    target: Target,
    files: Mapping[str, bytes | None],
    bytes_: Bytes | None,
) -> str:
    """Bytes first, then one commit; all of it or nothing.  Gives the commit that HEAD, or the new branch, names."""
    message = message_of(request, model, target)
    rest = Rest(name=model.name, version=str(target.version), undo=target.undo, push=request.push)
    if bytes_ is None:
        return _aside(project, request, target, files, message, rest)
    head, state_dir = project.head or "", project.repository.state_dir
    look = look_before(project.repository, files, bytes_.gone) if files else None
    goal = ("HEAD", target.ref.target or "") if request.form == "detach" else None
    full = format_rest(replace(rest, rows=bytes_.rows))
    journal = Journal(action="rollback", before=look, goal=goal, place=str(project.root), rest=full)
    try:
        write_journal(state_dir, journal)
        bytes_.apply(project)
        with ExitStack() as undo:
            undo.callback(bytes_.undo)
            commit = _move(project, request, target, files, look, message, undo)
            if bytes_.waits:
                write_journal(state_dir, replace(journal, goal=("HEAD", commit)))
                undo.callback(write_journal, state_dir, journal)
                bytes_.finish(project)
                undo.callback(bytes_.undo_late)
            undo.pop_all()
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
        if request.push and project.branch is not None:
            publish_branch(project, project.branch, commit)
    return commit


def _move(
    project: Project,
    request: RollbackRequest,
    target: Target,
    files: Mapping[str, bytes | None],
    look: Before | None,
    message: str,
    undo: ExitStack,
) -> str:
    """Let HEAD and Git's files follow; the commit that HEAD names then."""
    if request.form == "detach":
        commit = target.ref.target or ""
        where = ("--detach", commit) if target.branch is None else (target.branch.removeprefix("refs/heads/"),)
        words = ("checkout", "--quiet", "--no-overwrite-ignore", *where, "--")
        try:
            with uninterrupted():
                project.repository.git.run(*words, config=_NO_HOOKS)
        except GitFailed as error:
            if error.status != 1:
                raise
            raise Refused(error.message, hint=error.hint or "git status; move away what is in the way") from error
        return commit
    if look is None:
        return project.head or ""
    made = commit_only(project.repository, look, files, message, modes=_modes(target, files))
    undo.callback(made.undo)
    return made.commit


def _modes(target: Target, files: Mapping[str, bytes | None]) -> dict[str, str]:
    return {path: entry.mode for path in files if (entry := target.tree.entry(path)) is not None}


def _aside(
    project: Project,
    request: RollbackRequest,
    target: Target,
    files: Mapping[str, bytes | None],
    message: str,
    rest: Rest,
) -> str:
    """A commit on a branch of its own: nothing that is checked out changes."""
    head, git = project.head or "", project.repository.git
    ref = branch_ref(git, request.branch or "", "--branch rollback-churn")
    commit = target.made
    if commit is None:
        commit = child_commit(project.repository, head, files, message, modes=_modes(target, files))
    journal = Journal(action="rollback", goal=(ref, commit), rest=format_rest(rest))
    with _published(project, f"the branch {request.branch}"):
        write_journal(project.repository.state_dir, journal)
        if target.made is None:
            update_refs(git, [RefUpdate(ref, commit)], "modelver: rollback")
        if request.push:
            publish_branch(project, ref, commit)
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


def publish_branch(project: Project, ref: str, commit: str) -> None:
    """Publish a branch.  Raises `Conflict` when the remote's has moved, and says that the commit stays."""
    git, remote = project.repository.git, project.remote or ""
    there = push_branch(git, ref, remote)
    try:
        push(git, remote, [PushRef(commit, there, new=False)])
    except Conflict as error:
        where, name = redact(remote), there.removeprefix("refs/heads/")
        way = f"git push {where} {ref.removeprefix('refs/heads/')}:NAME"
        if ref == project.branch:
            own = name if there == ref else f"HEAD:{name}"
            way = f"git pull --no-rebase {where} {name} && git push {where} {own}"
        error.hint = f"the rollback is made here, and stays: {way}"
        raise
