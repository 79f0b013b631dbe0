"""Which version a rollback leaves, and which one it goes to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from dvc_modelver.commands.bytes_at_hand import Bytes as AtHand
from dvc_modelver.commands.project import Project
from dvc_modelver.commands.restoration.bytes import Rest, parse_rest
from dvc_modelver.commands.restoration.request import RollbackRequest
from dvc_modelver.core.registry import Model
from dvc_modelver.core.releases import slice_digest
from dvc_modelver.core.tagobjects import TagRef
from dvc_modelver.core.versions import Version
from dvc_modelver.dvcio.facts import artifact_facts, slice_of
from dvc_modelver.dvcio.project import declared_one
from dvc_modelver.errors import ModelverError, NotFound
from dvc_modelver.gitio.journal import Journal
from dvc_modelver.gitio.refs import read_ref


def version_at(project: Project, model: Model, head: str) -> Version | None:
    """The version whose bytes HEAD names; of several the highest that was made of the same too, else the highest."""
    tree = project.tree(head)
    declared = declared_one(tree, model.name)
    if declared is None:
        return None
    with AtHand(project) as at_hand:
        digest = artifact_facts(tree, declared, listing=at_hand.listing).digest
        found = tuple(_of_digest(project, model, digest, at_hand)) if digest is not None else ()
    if len(found) < 2:
        return found[0] if found else None
    made_of = None
    with suppress(ModelverError):
        made_of = slice_digest(slice_of(tree, declared))
    return next((version for version in found if _made_of(model, version) == made_of), found[0])


def _of_digest(project: Project, model: Model, digest: str, at_hand: AtHand) -> Iterator[Version]:
    """The versions with these bytes, the highest first."""
    for version in reversed(model.versions):
        ref = model.release_ref(version)
        tag = model.tag(ref)
        if tag is None:
            continue
        recorded = tag.record.digest if tag.record is not None else None
        if (recorded or _digest_at(project, model, ref, at_hand)) == digest:
            yield version


def _made_of(model: Model, version: Version) -> str:
    """The digest of its slice, as recorded; empty when nobody did."""
    tag = model.tag(model.release_ref(version))
    return (tag.record.slice_digest if tag is not None and tag.record is not None else None) or ""


def _digest_at(project: Project, model: Model, ref: TagRef, at_hand: AtHand) -> str | None:
    with suppress(ModelverError):
        tree = project.tree(ref.target or "")
        declared = declared_one(tree, model.name)
        return artifact_facts(tree, declared, listing=at_hand.listing).digest if declared is not None else None
    return None


def version_before(model: Model, now: Version | None) -> Version:
    """The default; from bytes that are no version, the latest version."""
    found = model.previous(now) if now is not None else model.latest
    if found is None:
        where = f" before {now}" if now is not None else ""
        raise NotFound(f"{model.name} has no version{where} to go back to", hint=f"modelver show {model.name}")
    return found


def made_before(project: Project, left: Journal | None, name: str) -> Rest | None:
    """What an interrupted rollback of the model had made, all but the last of it, when it was killed."""
    rest = parse_rest(left.rest) if left is not None and left.action == "rollback" else None
    if left is None or left.goal is None or rest is None or rest.name != name:
        return None
    return rest if read_ref(project.repository.git, left.goal[0]) == left.goal[1] else None


def made_aside(left: Journal | None, made: Rest | None, request: RollbackRequest) -> str | None:
    if left is None or left.goal is None or made is None or left.goal[0] != f"refs/heads/{request.branch}":
        return None
    return left.goal[1]
