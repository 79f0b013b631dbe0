"""Which versions a `verify` is about: named ones, those in use, and those that are gone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dvc_modelver.commands.project import Project
from dvc_modelver.commands.verification.objects import read_tags_apart
from dvc_modelver.core.names import to_tag
from dvc_modelver.core.references import Reference, resolve_version
from dvc_modelver.core.registry import Model, Registry
from dvc_modelver.core.tagobjects import TagRef
from dvc_modelver.core.tags import Event, parse_tag_name
from dvc_modelver.core.versions import Version
from dvc_modelver.errors import BadInput, NotFound


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One version to verify."""

    name: str
    version: Version
    tag: str
    ref: TagRef | None
    """None when the tag was seen here and is gone."""
    first: str | None = None
    """The object under which a tag that is gone was first seen."""
    holders: tuple[TagRef, ...] = ()
    """The tags that put it into the stages that it holds."""
    stages: tuple[str, ...] = ()
    withdrawn: bool = False


def read_scope(project: Project, text: str | None, *, every: bool) -> tuple[Subject, ...]:
    """The versions, by name, the newest first.

    Raises `NotFound` for an unknown model, version or empty stage, `BadInput` for a name together with `every`.
    """
    if text is not None and every:
        raise BadInput("--all means every model", hint=f"modelver verify {text} verifies all versions of one")
    registry = Registry(project.tags.all(), lambda oids: read_tags_apart(project, oids))
    if text is not None:
        found = list(_named(project, registry, project_reference(project, text)))
    else:
        names = {*registry.models, *(name for name, _, _, _ in _unlisted(project, registry))}
        found = [s for name in sorted(names) for s in _of_model(project, registry, name, every=every)]
    return tuple(found)


def project_reference(project: Project, text: str) -> Reference:
    """`text` with its canonical name; a version that is gone, of a model without tags, is still a name."""
    try:
        return project.resolve(text)
    except NotFound:
        from dvc_modelver.core.references import parse_reference

        reference = parse_reference(text)
        start = f"{to_tag(reference.name)}@"
        if not any(name.startswith(start) for name in project.seen.oids):
            raise
        return reference


def _named(project: Project, registry: Registry, reference: Reference) -> Iterator[Subject]:
    model = registry.model(reference.name)
    if reference.version is None and reference.stage is None and not reference.latest:
        yield from _of_model(project, registry, reference.name, every=True)
        return
    held = _holders(model)
    odd = [s for s in _odd(project, registry, reference.name) if s.version == reference.version]
    if odd and reference.version is not None and not model.has(reference.version):
        yield from odd
        return
    yield _subject(model, resolve_version(model, reference), held)


def _of_model(project: Project, registry: Registry, name: str, *, every: bool) -> list[Subject]:
    """All versions, or those in a stage, the latest, and what stands above it without being sound."""
    model = registry.model(name)
    held = _holders(model)
    if every:
        chosen = list(model.versions)
    else:
        latest = model.latest
        above = (v for v in model.versions if not model.is_withdrawn(v) and (latest is None or v >= latest))
        chosen = list({*above, *(version for version in held if model.has(version))})
    subjects = [_subject(model, version, held) for version in chosen]
    odd = [s for s in _odd(project, registry, name) if every or s.ref is None]
    return sorted([*subjects, *odd], key=lambda s: (s.version, s.tag), reverse=True)


def _subject(model: Model, version: Version, held: dict[Version, list[tuple[str, TagRef]]]) -> Subject:
    ref = model.release_ref(version)
    stages = held.get(version, [])
    return Subject(
        name=model.name,
        version=version,
        tag=ref.name,
        ref=ref,
        holders=tuple(holder for _, holder in stages),
        stages=tuple(stage for stage, _ in stages),
        withdrawn=model.is_withdrawn(version),
    )


def _holders(model: Model) -> dict[Version, list[tuple[str, TagRef]]]:
    """Version -> the stages that it holds, each with the tag that says so."""
    held: dict[Version, list[tuple[str, TagRef]]] = {}
    for stage, event in model.stages().items():
        if event.version is not None:
            held.setdefault(event.version, []).append((stage, event.ref))
    return held


def _odd(project: Project, registry: Registry, name: str) -> Iterator[Subject]:
    """Versions whose tag is lightweight or gone."""
    for found, version, ref, oid in _unlisted(project, registry):
        if found == name:
            tag = ref.name if ref is not None else f"{to_tag(name)}@{version}"
            yield Subject(name=name, version=version, tag=tag, ref=ref, first=oid)


def _unlisted(project: Project, registry: Registry) -> Iterable[tuple[str, Version, TagRef | None, str | None]]:
    here = {ref.name: ref for ref in project.tags.all()}
    candidates = {name: ref for name, ref in here.items() if ref.target is None}
    gone = {name: oid for name, oid in project.seen.oids.items() if name not in here}
    for name in sorted({*candidates, *gone}):
        parsed = parse_tag_name(name) if "@v" in name else None
        if parsed is None or parsed.event is not Event.RELEASE or parsed.version is None:
            continue
        if registry.model(parsed.name).has(parsed.version):
            continue
        yield parsed.name, parsed.version, candidates.get(name), gone.get(name)
