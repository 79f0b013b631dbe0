"""`card show`: a card as it stands, or as a version was released with it."""

from __future__ import annotations

from dataclasses import dataclass

from dvc_modelver.commands.cards.text import (
    card_path,
)
from dvc_modelver.commands.cards.update import read_declared
from dvc_modelver.commands.project import Project
from dvc_modelver.commands.worktrees import work_tree
from dvc_modelver.core.references import Reference, resolve_version
from dvc_modelver.core.trees import Tree
from dvc_modelver.errors import BadInput, NotFound


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownCard:
    """A card's text, from the work tree or from a version's commit."""

    name: str
    version: str | None
    path: str
    text: str


def show_card(project: Project, text: str | None) -> ShownCard:
    """The card of a version as its commit has it, or the work tree's when no version is named.

    Raises `NotFound` when there is no such model, version or card; `BadInput` when several models could be meant.
    """
    if text is None:
        return _shown(project, _only_model(project), None, work_tree(project))
    from dvc_modelver.core.references import parse_reference

    reference = parse_reference(text)
    if reference.version is None and reference.stage is None and not reference.latest:
        tree = work_tree(project)
        try:
            name = read_declared(project, tree, [text])[0].name
        except NotFound:
            name = project.resolve(text).name
        return _shown(project, name, None, tree)
    return _of_version(project, project.resolve(text))


def _of_version(project: Project, reference: Reference) -> ShownCard:
    model = project.model_of(reference.name)
    version = resolve_version(model, reference)
    ref = model.release_ref(version)
    tag = project.objects.tags([ref.oid]).get(ref.oid)
    record = tag.record if tag is not None else None
    path = record.card.path if record is not None and record.card is not None else None
    return _shown(project, model.name, str(version), project.tree(ref.target or ""), path)


def _only_model(project: Project) -> str:
    found = read_declared(project, work_tree(project), ())
    if len(found) != 1:
        names = ", ".join(one.name for one in found[:5])
        raise (
            BadInput(f"which model? there are {len(found)}: {names}", hint="modelver card show NAME")
            if found
            else NotFound("no dvc.yaml here declares a model", hint="modelver init declares models")
        )
    return found[0].name


def _shown(project: Project, name: str, version: str | None, tree: Tree, path: str | None = None) -> ShownCard:
    path = path or card_path(project, name)
    data = tree.read(path)
    if data is None:
        of = f"{name}@{version}" if version is not None else name
        raise NotFound(f"{of} has no card: {path} is not there", hint=f"modelver card update {name}")
    return ShownCard(name=name, version=version, path=path, text=data.decode("utf-8", "replace"))
