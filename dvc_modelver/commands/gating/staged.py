"""The reference files that a model's gate reads as a pipeline stage, found in the work tree's `dvc.yaml` files."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

from dvc_modelver.commands.project import Project
from dvc_modelver.commands.worktrees import work_tree
from dvc_modelver.core.gatecommand import gate_calls
from dvc_modelver.core.references import canonical_name
from dvc_modelver.dvcio.dvcyaml import Definition
from dvc_modelver.dvcio.locate import Commit, Pipeline
from dvc_modelver.dvcio.project import declared
from dvc_modelver.errors import BadInput, NotFound


def staged_references(project: Project, name: str) -> tuple[str, ...]:
    """The files that pipeline stages compare the model of that canonical name with, as seen from this directory.

    What a template of `dvc.yaml` stands for is known once the stage has run.  Files outside of the repository, and
    `dvc.yaml` files that are broken, are passed over.
    """
    if project.repository.root is None:
        return ()
    root, here = os.path.realpath(project.root), os.path.realpath(project.around.directory)
    commit = Commit(work_tree(project))
    known = {one.name for one in declared(commit.tree).artifacts} | {name}
    found = {
        path
        for file in commit.tree.files("dvc.yaml")
        for model, path in _references(commit, file, known)
        if model == name
    }
    return tuple(sorted(Path(os.path.relpath(os.path.join(root, path), here)).as_posix() for path in found))


def _references(commit: Commit, file: str, known: Collection[str]) -> Iterator[tuple[str, str]]:
    """(Canonical name of a model, file from the root)."""
    with suppress(BadInput):
        pipeline = commit.pipeline(file)
        for stage, cmd in _commands(pipeline) if pipeline is not None else ():
            assert pipeline is not None
            folder = pipeline.workdir(stage)
            for call in gate_calls(cmd) if folder is not None else ():
                path = call.options.get("--reference", "")
                full = pipeline.full(stage, path) if path and "-C" not in call.options else None
                model = _named(call.model, folder or "", known) if full is not None else None
                if model is not None and full is not None:
                    yield model, full


def _named(text: str, folder: str, known: Collection[str]) -> str | None:
    """The canonical name of the model that a command in `folder` means."""
    with suppress(BadInput, NotFound):
        return canonical_name(text, folder, known)
    return None


def _commands(pipeline: Pipeline) -> Iterator[tuple[str, str]]:
    """Each stage's command; of groups and templates those that ran last."""
    for name, definition in pipeline.project.stages.items():
        if not _templated(definition):
            cmd = definition.body.get("cmd")
            yield name, "\n".join(map(str, cmd)) if isinstance(cmd, list) else str(cmd or "")
    for stage in pipeline.lock.stages():
        known = pipeline.project.definition(stage.name)
        if known is not None and _templated(known):
            yield stage.name, stage.cmd or ""


def _templated(definition: Definition) -> bool:
    return definition.group or "${" in repr(definition.body.get("cmd"))
