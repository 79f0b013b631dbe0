"""The tree that a command works on when it names no commit."""

from __future__ import annotations

from dvc_modelver.commands.project import Project
from dvc_modelver.core.trees import Tree
from dvc_modelver.errors import NotFound
from dvc_modelver.gitio.worktree import Uncommitted


def work_tree(project: Project) -> Tree:
    """The files as a commit of all of them would be; in a bare repository HEAD's."""
    if project.repository.root is None:
        if project.head is None:
            raise NotFound("there is no commit to look at", hint="git commit")
        return project.tree(project.head)
    return Uncommitted(project.repository.root, project.repository.git)
