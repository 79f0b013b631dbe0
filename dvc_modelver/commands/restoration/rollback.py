"""`rollback`: what a version was made of comes back as one new commit, with its bytes; history is never rewritten."""

from __future__ import annotations

from dvc_modelver.commands.project import Project
from dvc_modelver.commands.publishing import exclusive, refuse_under_way
from dvc_modelver.commands.restoration.applying import run
from dvc_modelver.commands.restoration.planning import plan_rollback
from dvc_modelver.commands.restoration.request import RollbackRequest, RolledBack, Target
from dvc_modelver.commands.restoration.stage import rollback_stage
from dvc_modelver.commands.restoration.target import made_aside, made_before, version_at, version_before
from dvc_modelver.commands.restoration.undo import undo
from dvc_modelver.core.versions import Version
from dvc_modelver.errors import EnvironmentProblem, Refused

__all__ = ["RollbackRequest", "RolledBack", "rollback", "rollback_stage", "undo"]


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
            raise EnvironmentProblem("there is no commit yet to roll back from", hint="git commit")
        model = project.model_of(project.resolve(request.name).name)
        now = version_at(project, model, head)
        made = made_before(project, left, model.name)
        # The same command again, after a kill at its very end, means the version that it meant then.
        version = request.version or (Version.parse(made.version) if made is not None else version_before(model, now))
        ref = model.release_ref(version)
        if model.is_withdrawn(version):
            raise Refused(f"{model.name}@{version} was withdrawn", hint=f"modelver show {model.name} lists the others")
        record = project.sound_tag(model, ref).record
        target = project.tree(ref.target or "")
        plan = plan_rollback(project, request, model, version, record, project.tree(head), target)
        found = Target(version=version, ref=ref, tree=target, left=now, made=made_aside(left, made, request))
        return run(project, request, model, found, plan)
