"""Compare the environment that a training recorded with what its pipeline would find today."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dvc_modelver.commands.cards.facts import CardSource
from dvc_modelver.commands.interpreter import find_interpreter
from dvc_modelver.commands.project import Project
from dvc_modelver.commands.run import RunRequest, read_environment
from dvc_modelver.core.environment import Environment
from dvc_modelver.core.points import flat_environment
from dvc_modelver.core.reproduction import Difference, environment_differences
from dvc_modelver.errors import ModelverError


@dataclass(frozen=True, slots=True, kw_only=True)
class Environments:
    """How the present environment stands to the recorded one."""

    differences: tuple[Difference, ...] = ()
    compared: bool = False
    """Whether one was recorded, and the present one is known."""
    python: str | None = None
    """The version of the Python that the pipeline starts."""
    notes: tuple[str, ...] = ()


def compare_environment(project: Project, source: CardSource) -> Environments:
    """What differs today from what the training recorded; nothing of the repository is run to learn it."""
    found, _, absent = source.environment
    if absent:
        return Environments(notes=(f"the recorded environment {absent[0]} is not at hand: dvc fetch",))
    if found is None or found.recorded is None:
        return Environments(notes=("no environment was recorded: modelver run records the next one",))
    present = _present(project, _words(source.recipe.steps[-1].cmd or ""))
    if present is None:
        return Environments(notes=("which Python the pipeline starts is not known, so no environment was compared",))
    before, after = (flat_environment(one, "", "") for one in (found.recorded, present))
    version = (present.python or {}).get("version")
    return Environments(differences=environment_differences(before, after), compared=True, python=version)


def _words(cmd: str) -> list[str]:
    """The words of the stage's last command, behind `modelver run --`."""
    try:
        words = shlex.split(cmd.strip().split("\n")[-1])
    except ValueError:
        return []
    is_ours = "run" in words[:4] and "--" in words and "modelver" in " ".join(words[:3])
    return words[words.index("--") + 1 :] if is_ours else words


def _present(project: Project, words: Sequence[str]) -> Environment | None:
    """What the pipeline would find now.  Nobody has said yes yet: no launcher and no file of the repository is run."""
    env: Mapping[str, str] = project.around.env
    found = find_interpreter(words, project.root, env)
    if found is None or len(found) != 1 or not _may_be_started(project, found[0]):
        return None
    request = RunRequest(words=tuple(words), environment=Path(), runtime=Path(), python=found[0])
    try:
        return read_environment(request, project.root, replace(project.around, say=lambda text: None))
    except ModelverError:
        return None


def _may_be_started(project: Project, program: str) -> bool:
    """Whether it is the user's own: outside of the work tree, or in what Git ignores there (a `.venv`)."""
    root = project.root
    places = (
        os.path.relpath(os.path.abspath(program), root),
        os.path.relpath(os.path.realpath(program), root.resolve()),
    )
    inside = [place.replace(os.sep, "/") for place in places if not place.startswith("..")]
    git = project.repository.git
    # What is tracked is not ignored; what lies in a submodule, or behind a link, is an error: 128.
    return all(git.complete("check-ignore", "--quiet", "--", f"./{p}", literal=False).status == 0 for p in inside)
