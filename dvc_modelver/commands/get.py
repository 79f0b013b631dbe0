"""`get`: a version's bytes, verified, put where the user wants them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dvc_modelver.commands.bytes_at_hand import Bytes
from dvc_modelver.commands.evidence import find_bytes
from dvc_modelver.commands.project import Project
from dvc_modelver.core.declarations import Declared
from dvc_modelver.core.facts import ArtifactFacts, Source
from dvc_modelver.core.records import Record
from dvc_modelver.core.references import Reference, resolve_version
from dvc_modelver.core.registry import Model
from dvc_modelver.core.versions import Version
from dvc_modelver.dvcio import facts as dvc_facts
from dvc_modelver.dvcio.place import Expected, Placed, place
from dvc_modelver.dvcio.project import declared_one
from dvc_modelver.errors import DataError, Refused
from dvc_modelver.gitio.objects import CommitTree


@dataclass(frozen=True, slots=True, kw_only=True)
class Got:
    """What was fetched, and to where."""

    name: str
    version: Version
    commit: str
    path: Path
    changed: bool
    """False when the very bytes were there already."""
    size: int
    files: int
    sha256: str | None
    digest: str | None
    dry_run: bool


def get(
    project: Project,
    text: str,
    destination: Path | None = None,
    *,
    here: Path = Path("."),
    withdrawn: bool = False,
    dry_run: bool = False,
) -> Got:
    """Put the bytes of the version that `text` names at `destination` (default: its own name, in `here`).

    Raises:
        NotFound: no such model, version or stage, or the stage is empty.
        Refused: the version was withdrawn, or the model retired and no version was named.
        DataError: bytes are missing or corrupt; nothing is left at `destination`.
        Conflict: something else lies at `destination`.
    """
    reference = project.resolve(text)
    model = project.model_of(reference.name)
    version = resolve_version(model, reference)
    _honour(project, model, reference, version, withdrawn)
    ref = model.release_ref(version)
    held = model.holder(reference.stage) if reference.stage is not None else None
    if held is not None:
        project.sound_tag(model, held.ref)
    record = project.sound_tag(model, ref).record
    tree = project.tree(ref.target or "")
    project.data_commit = tree.commit
    facts = _facts(project, tree, model, record)
    target = destination or here / _own_name(facts)
    if dry_run:
        size = facts.size or 0
        placed = Placed(path=target, changed=True, files=facts.files or 1, size=size, sha256=None)
    else:
        pieces = find_bytes(project, tree, facts)
        placed = place(pieces, target, expect=_expected(record), progress=project.around.progress)
    return Got(
        name=model.name,
        version=version,
        commit=tree.commit,
        path=placed.path,
        changed=placed.changed,
        size=placed.size,
        files=placed.files,
        sha256=placed.sha256,
        digest=facts.digest,
        dry_run=dry_run,
    )


def _honour(project: Project, model: Model, reference: Reference, version: Version, withdrawn: bool) -> None:
    if model.is_withdrawn(version) and not withdrawn:
        raise Refused(f"{model.name}@{version} was withdrawn", hint="--withdrawn fetches it all the same")
    if model.retired_by is None:
        return
    if reference.version is None and reference.stage is None:
        raise Refused(f"{model.name} is retired", hint=f"name the version: modelver get {model.name}@{version}")
    project.around.say(f"warning: {model.name} is retired")


def _facts(project: Project, tree: CommitTree, model: Model, record: Record | None) -> ArtifactFacts:
    declared = declared_one(tree, model.name)
    if declared is None and record is not None and record.path is not None:
        declared = Declared(name=model.name, file="dvc.yaml", path=record.path)
    if declared is None:
        raise DataError(f"commit {tree.commit[:12]} declares no artifact {model.name}", hint="modelver doctor")
    with Bytes(project) as at_hand:
        facts = dvc_facts.artifact_facts(tree, declared, listing=at_hand.listing)
    if facts.source is Source.MISSING:
        raise DataError(f"{model.name}: {facts.problem}", hint="modelver doctor")
    if facts.source is Source.URL:
        raise DataError(
            f"{model.name} is kept at a URL, which DVC does not track: its bytes cannot be verified",
            hint="dvc get-url fetches it as it is now; dvc import-url would track it",
        )
    if record is not None and record.digest is not None and facts.digest not in (None, record.digest):
        raise DataError(
            f"{model.name}: the tag says {record.digest}, its commit says {facts.digest}", hint="modelver doctor"
        )
    return facts


def _own_name(facts: ArtifactFacts) -> str:
    return PurePosixPath(facts.path or "artifact").name


def _expected(record: Record | None) -> Expected:
    if record is None or record.sha256 is None:
        return Expected()
    return Expected(manifest=record.sha256)
