"""The reference files that a model's gate reads as a pipeline stage, found in the work tree's `dvc.yaml` files."""

from __future__ import annotations

import os
import shlex
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath

from dvc_modelver.commands.project import Project
from dvc_modelver.commands.worktrees import work_tree
from dvc_modelver.core.references import canonical_name
from dvc_modelver.dvcio.dvcyaml import Definition
from dvc_modelver.dvcio.locate import Commit, Pipeline
from dvc_modelver.dvcio.project import declared
from dvc_modelver.errors import BadInput, NotFound

_PROGRAMS = ("modelver", "dvc_modelver")
_WITH_VALUE = ("--rev", "--exp", "--against", "--policy", "--out", "--reference")


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
            for words in _simple_commands(cmd):
                model, path = _gate(words, known, folder) if folder is not None else (None, "")
                full = pipeline.full(stage, path) if model is not None and path else None
                if model is not None and full is not None:
                    yield model, full


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


def _simple_commands(cmd: str) -> Iterator[list[str]]:
    """The words of each command on a line of shell; what cannot be read as words is passed over."""
    for line in cmd.split("\n"):
        reader = shlex.shlex(line, posix=True, punctuation_chars=";&|")
        reader.whitespace_split, reader.commenters = True, ""
        with suppress(ValueError):
            words: list[str] = []
            for word in reader:
                if set(word) <= set(";&|"):
                    yield words
                    words = []
                else:
                    words.append(word)
            yield words


def _gate(words: Sequence[str], known: Collection[str], folder: str) -> tuple[str | None, str]:
    """The model that a command judges, and the file that it compares it with; none for any other command.

    Args:
        folder: the directory that it runs in.
    """
    at = next((at for at, word in enumerate(words) if PurePosixPath(word).name in _PROGRAMS), len(words))
    if "gate" not in words[at:] or "-C" in words:
        return None, ""
    given, options = _parsed(words[words.index("gate", at) + 1 :])
    with suppress(BadInput, NotFound):
        return canonical_name(given[0] if given else "", folder, known), options.get("--reference", "")
    return None, ""


def _parsed(words: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """What stands alone, and the options that have a value."""
    given: list[str] = []
    options: dict[str, str] = {}
    left = iter(words)
    for word in left:
        option, equals, value = word.partition("=")
        if option in _WITH_VALUE:
            options[option] = value if equals else next(left, "")
        elif not word.startswith("-"):
            given.append(word)
    return given, options
