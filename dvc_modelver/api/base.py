"""What every part of the API stands on: a directory, an environment, and a project for each call."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dvc_modelver.commands.project import Project, Surroundings

if TYPE_CHECKING:
    import git


class Base:
    """One repository, opened anew by each method."""

    def __init__(self, path: Path, env: Mapping[str, str]) -> None:
        self._around = Surroundings(directory=path, env=env)
        with self._project() as project:
            self.root: Path = project.repository.root or project.repository.git_dir

    def _project(self) -> Project:
        return Project(self._around)

    @property
    def git(self) -> git.Repo:
        """The repository as GitPython sees it, for configuration and remotes."""
        import git

        return git.Repo(self._around.directory, search_parent_directories=True)
