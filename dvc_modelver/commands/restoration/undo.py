"""`rollback --undo`: back to where the last one started, as one new commit."""

from __future__ import annotations

from dvc_modelver.commands.project import Project
from dvc_modelver.commands.publishing import Written, exclusive, refuse_under_way
from dvc_modelver.commands.restoration.applying import publish_branch, run
from dvc_modelver.commands.restoration.bytes import Rest
from dvc_modelver.commands.restoration.memory import Last, read_last
from dvc_modelver.commands.restoration.planning import read_links_at
from dvc_modelver.commands.restoration.request import RollbackRequest, RolledBack, Target
from dvc_modelver.commands.restoration.target import made_before, version_at
from dvc_modelver.commands.restoration.wholetree import plan_tree
from dvc_modelver.core.tagobjects import TagRef
from dvc_modelver.core.versions import Version
from dvc_modelver.errors import NotFound, Refused
from dvc_modelver.gitio.refs import read_ref


def undo(project: Project, *, reason: str = "", push: bool = False, dry_run: bool = False) -> RolledBack:
    """Go back to where the last one started, as one new commit; after `--detach`, to the branch: nothing to publish.

    Raises:
        NotFound: there was no rollback in this clone.
        Refused: something has moved since, or would be lost.
        Conflict: the remote's branch has moved; the commit stays.
    """
    with exclusive(project, dry_run) as left:
        refuse_under_way(project)
        last = read_last(project.state_dir)
        made = made_before(project, left, last.name) if last is not None else None
        if last is not None and made is not None and made.undo:
            return _undone(project, last, made, push=push)  # the same command again, after a kill at its very end
        if last is None:
            raise NotFound("there was no rollback in this clone", hint="git log; git revert takes back any commit")
        back = _branch_left(project, last)
        if project.head != last.after or (last.branch is not None and project.branch != last.branch and not back):
            raise Refused(
                "something has moved since the last rollback", hint=f"git diff {last.after[:9]} {last.before[:9]}"
            )
        head, target = project.tree(last.after), project.tree(last.before)
        plan = plan_tree(head, target, (read_links_at(project, last.after), read_links_at(project, last.before)))
        model = project.model_of(last.name)
        version = version_at(project, model, last.before)
        form = "slice" if back is None else "detach"
        request = RollbackRequest(
            name=last.name,
            form=form,
            dry_run=dry_run,
            reason=f"Undoes the rollback.\n\n{reason}",
            push=push and back is None,
        )
        ref = TagRef("", "", last.before)
        found = Target(
            version=version or Version.parse("v0.0.0"),
            ref=ref,
            tree=target,
            left=version_at(project, model, last.after),
            undo=True,
            branch=back,
        )
        return run(project, request, model, found, plan)


def _branch_left(project: Project, last: Last) -> str | None:
    """The branch that `--detach` has left, while it is where it was; None after any other rollback."""
    if project.branch is not None or last.branch is None:
        return None
    return last.branch if read_ref(project.repository.git, last.branch) == last.before else None


def _undone(project: Project, last: Last, made: Rest, *, push: bool) -> RolledBack:
    if push and project.branch is not None:
        publish_branch(project, project.branch, last.after)
    model = project.model_of(last.name)
    written = Written(
        name=last.name, version=Version.parse(made.version), stage=None, tag=None, commit=last.after, published=None
    )
    holds = {stage: event.version for stage, event in model.stages().items()}
    return RolledBack(action="rollback", dry_run=False, changed=False, models=(written,), steps=(), holds=holds)
