"""The tree that a command works on when it names no commit."""

from __future__ import annotations

from dvc_modelver.commands.project import Project
from dvc_modelver.core.trees import Tree
from dvc_modelver.errors import NotFound
from dvc_modelver.gitio.worktree import Uncommitted, read_ignored, read_known, read_left_out


def work_tree(project: Project) -> Tree:
    """The files as a commit of all of them would be; in a bare repository HEAD's."""
    if project.repository.root is None:
        if project.head is None:
            raise NotFound("there is no commit to look at", hint="git commit")
        return project.tree(project.head)
    return Uncommitted(project.repository.root, project.repository.git)


def work_tree_of_dvc(project: Project) -> Tree:
    """The files of the work tree without the `dvc.yaml` and `.dvc` files that DVC passes over there.

    What a `.dvcignore` hides it does not see, nor what `.gitignore` names, tracked or not, nor what a sparse checkout
    leaves out; in a commit it sees all of them.
    """
    from dvc_modelver.dvcio.workspace import hidden_files

    root, git = project.repository.root, project.repository.git
    if root is None:
        return work_tree(project)
    named = [path for path in read_known(git) if path.endswith(".dvc") or path.rpartition("/")[2] == "dvc.yaml"]
    left_out = (path for path, _ in read_left_out(git))
    return Uncommitted(root, git, without={*read_ignored(git, named), *hidden_files(root, named), *left_out})
