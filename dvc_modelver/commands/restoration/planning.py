"""The plan of a rollback, form by form, with the card."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from dvc_modelver.commands.bytes_at_hand import Bytes as AtHand
from dvc_modelver.commands.project import Project
from dvc_modelver.commands.restoration.modelalone import plan_model
from dvc_modelver.commands.restoration.plan import Plan, with_card
from dvc_modelver.commands.restoration.request import RollbackRequest
from dvc_modelver.commands.restoration.side import Side, read_side
from dvc_modelver.commands.restoration.wholeslice import plan_slice
from dvc_modelver.commands.restoration.wholetree import plan_tree
from dvc_modelver.core.declarations import Declared
from dvc_modelver.core.records import Record
from dvc_modelver.core.registry import Model
from dvc_modelver.core.trees import Tree
from dvc_modelver.core.versions import Version
from dvc_modelver.dvcio.linked import Links
from dvc_modelver.dvcio.project import declared_one
from dvc_modelver.errors import BadInput, DataError, Refused
from dvc_modelver.gitio.links import read_links


def read_links_at(project: Project, commit: str | None) -> Links:
    """The links of a commit."""
    return Links(entries=read_links(project.repository.git, commit or ""), blob=lambda oid: project.objects.blob(oid))


def plan_rollback(
    project: Project,
    request: RollbackRequest,
    model: Model,
    version: Version,
    record: Record | None,
    head: Tree,
    target: Tree,
) -> Plan:
    """What applying will do, in the form that was asked for.  Raises as `rollback`."""
    links = read_links_at(project, project.head), read_links_at(project, model.release_ref(version).target)
    if request.form == "detach":  # git itself checks out what a submodule is
        return plan_tree(head, target, (links[0].alone(), links[1].alone()))
    if request.form == "tree":
        return plan_tree(head, target, links)
    then = read_side(target, _declared(target, model.name, record), links=links[1])
    here = declared_one(head, model.name)
    now = read_side(head, here, links=links[0]) if here is not None else replace(then, tree=head, links=links[0])
    like = project.head or ""
    if request.form == "model":
        return plan_model(now, then, like)
    plan = plan_slice(now, then, like, include_shared=request.include_shared)
    return with_card(plan, dict(_card(project, then, plan, version, head, like)))


def _declared(tree: Tree, name: str, record: Record | None) -> Declared:
    found = declared_one(tree, name)
    if found is None and record is not None and record.path is not None:
        return Declared(name=name, file="dvc.yaml", path=record.path)
    if found is None:
        raise DataError(f"the version's commit declares no artifact {name}", hint="modelver doctor")
    return found


def _card(
    project: Project, then: Side, plan: Plan, version: Version, head: Tree, like: str
) -> Iterator[tuple[str, bytes | None]]:
    """The card: people's text as it is now, our blocks as of that version."""
    from dvc_modelver.cards.facts import Named
    from dvc_modelver.cards.generate import named_in
    from dvc_modelver.commands.cards.facts import TreeReader
    from dvc_modelver.commands.cards.text import card_path, has_card, read_card, write_card
    from dvc_modelver.core.overlay import Overlay

    path = card_path(project, then.declared.name)
    old = read_card(then.tree, path)
    card = read_card(head, path) or old
    if card is None or not has_card(then.declared):
        return
    named = named_in(old) if old is not None else Named(version=str(version))
    with AtHand(project) as at_hand:
        source = TreeReader(project, Overlay(head, plan.files, like), at_hand).source(then.declared)
        try:
            files = write_card(source, card, replace(named, version=str(version)), path, head).files
        except (BadInput, Refused) as error:
            project.around.say(f"note: the card stays as it is: {error.message}")
            return
    for file in files:
        if head.read(file.path) != file.data:
            yield file.path, file.data
