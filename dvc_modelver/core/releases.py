"""Decide what a release would do.  Pure: no git, no files, no clock."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from dvc_modelver.core.facts import Slice
from dvc_modelver.core.names import to_tag
from dvc_modelver.core.numbers import Chosen, choose_number
from dvc_modelver.core.records import BlobLine, FileLine, Record, compose_message
from dvc_modelver.core.registry import Model
from dvc_modelver.core.tags import Event, TagName
from dvc_modelver.core.versions import Bump, Version
from dvc_modelver.errors import Conflict, Refused

if TYPE_CHECKING:
    from dvc_modelver.core.bumps import Suggestion


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseOptions:
    """What was asked for."""

    bump: Bump | None = None
    """None: what changed since the last version decides."""
    force_bump: bool = False
    """`bump` even where what changed asks for more."""
    version: Version | None = None
    message: str = ""
    stage: str | None = None
    scheme: str = "semver"
    force: bool = False
    """A number below the highest, or a name that differs from another only in case."""
    allow_unchanged: bool = False
    same_commit: bool = False
    unretire: bool = False
    renumber: bool = False
    """The next free number where the one that the card was prepared for is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """The bytes of a release: what the record says of them."""

    path: str | None = None
    digest: str | None = None
    sha256: str | None = None
    size: int | None = None
    count: int | None = None
    files: tuple[FileLine, ...] = ()
    blobs: tuple[BlobLine, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """The number that the model's card was prepared for; it may be taken by now."""

    version: Version | None = None
    """None: the card names no version, or one that was released with it."""
    binding: bool = False
    """Whether the release must have this number, unless another is asked for: it was reviewed with the card."""
    holder: str = ""
    """Who has that number, or a higher one, where it is gone; empty where nobody can say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One model as it stands at the commit to be released."""

    model: Model
    commit: str
    taken: frozenset[Version]
    """Every number known: tags, the remote's tags, the seen-log."""
    counter: int
    """The highest event counter known."""
    slice_digest: str
    last: Version | None
    """The highest version in use."""
    last_slice_digest: str | None
    content: Callable[[], Released]
    """Finds and hashes the bytes; asked only when there is a new version to make."""
    suggested: Callable[[], Suggestion]
    """Compares with the last version; asked only when there is one and the number depends on it."""
    retired_tag: str | None = None
    prepared: Prepared = field(default_factory=Prepared)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTag:
    """A tag to be made; `commit` is empty until a card's commit exists."""

    tag: TagName
    commit: str
    subject: str
    body: str
    record: Record

    @property
    def name(self) -> str:
        return str(self.tag)

    @property
    def message(self) -> str:
        return compose_message(self.subject, self.body, self.record)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedVersion:
    """What a release does for one model: a new version, or nothing because `version` is it already."""

    model: str
    version: Version
    commit: str
    new: bool
    previous: Version | None = None
    tags: tuple[NewTag, ...] = ()
    chosen: Chosen | None = None
    """Of a new version."""


def slice_digest(parts: Slice) -> str:
    """sha256 over the sorted lines `kind path digest`: equal exactly when two slices are the same."""
    lines = sorted(f"{part.kind} {part.path} {part.digest}\n" for part in parts.parts)
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def plan_version(candidate: Candidate, options: ReleaseOptions, now: datetime) -> PlannedVersion:
    """The version that the candidate becomes.

    Raises:
        Refused: retired, withdrawn as it stands, unchanged under another number, a second version on one commit,
            a bump that is lower than what changed asks for.
        Conflict: the asked number is taken by something else, or was withdrawn.
        BadInput: the options contradict each other.
    """
    already = _already(candidate, options)
    if already is not None:
        commit = candidate.model.release_ref(already).target or ""
        tags = _promote_existing(candidate, options, already, commit)
        return PlannedVersion(model=candidate.model.name, version=already, commit=commit, new=False, tags=tags)
    _refuse_retired(candidate, options)
    _refuse_unchanged(candidate, options)
    chosen = choose_number(candidate, options, now)
    previous = candidate.model.previous(chosen.version)
    return PlannedVersion(
        model=candidate.model.name,
        version=chosen.version,
        commit=candidate.commit,
        new=True,
        previous=previous,
        tags=_tags(candidate, options, chosen, previous),
        chosen=chosen,
    )


def _promote_existing(
    candidate: Candidate, options: ReleaseOptions, version: Version, commit: str
) -> tuple[NewTag, ...]:
    """What `--stage` asks for a version that is there already: its promote, unless it holds the stage."""
    if options.stage is None:
        return ()
    held = candidate.model.holder(options.stage)
    if held is not None and held.version == version:
        return ()
    return (plan_promote(candidate.model, version, options.stage, commit, candidate.counter, options.message),)


def _already(candidate: Candidate, options: ReleaseOptions) -> Version | None:
    """The version that the asked state is already, if it is one."""
    model = candidate.model
    if options.version is not None:
        return _already_as(candidate, options.version)
    if options.same_commit:
        return None
    here = [v for v in model.versions_on(candidate.commit) if not model.is_withdrawn(v)]
    if here:
        return here[-1]
    unchanged = candidate.last is not None and candidate.last_slice_digest == candidate.slice_digest
    return candidate.last if unchanged and not options.allow_unchanged else None


def _already_as(candidate: Candidate, version: Version) -> Version | None:
    model = candidate.model
    if model.is_withdrawn(version):
        raise Conflict(
            f"{model.name}@{version} was withdrawn, and its number is never used again",
            hint=f"leave --version out, or name a number above {max(candidate.taken)}",
        )
    if model.has(version):
        if model.release_ref(version).target == candidate.commit:
            return version
        raise Conflict(
            f"{model.name}@{version} is already there, on commit {(model.release_ref(version).target or '')[:12]}",
            hint=f"modelver show {model.name}@{version}",
        )
    if version in candidate.taken:
        raise Conflict(
            f"the number {version} of {model.name} is taken elsewhere",
            hint="git fetch --tags brings what the remote has; or name another number",
        )
    return None


def _refuse_retired(candidate: Candidate, options: ReleaseOptions) -> None:
    if candidate.retired_tag is not None and not options.unretire:
        raise Refused(f"{candidate.model.name} is retired", hint="--unretire reopens it, and records that")


def _refuse_unchanged(candidate: Candidate, options: ReleaseOptions) -> None:
    model, here = candidate.model, candidate.model.versions_on(candidate.commit)
    gone = [v for v in here if model.is_withdrawn(v)]
    if here and not options.same_commit:
        if gone == list(here):
            raise Refused(
                f"this commit was released as {model.name}@{gone[-1]}, which was withdrawn",
                hint="commit what is better; or --same-commit, if the withdrawal was the mistake",
            )
        raise Refused(
            f"this commit is {model.name}@{here[-1]} already",
            hint="--same-commit gives it a second number all the same",
        )
    unchanged = candidate.last is not None and candidate.last_slice_digest == candidate.slice_digest
    if unchanged and not (options.allow_unchanged or options.same_commit):
        raise Refused(
            f"nothing that makes {model.name} changed since {candidate.last}",
            hint="--allow-unchanged releases it under a new number all the same",
        )


def _tags(
    candidate: Candidate, options: ReleaseOptions, chosen: Chosen, previous: Version | None
) -> tuple[NewTag, ...]:
    model, version, content = candidate.model, chosen.version, candidate.content()
    ends = (candidate.retired_tag,) if candidate.retired_tag is not None else ()
    record = Record(
        event=Event.RELEASE.value,
        model=model.name,
        version=str(version),
        path=content.path,
        digest=content.digest,
        sha256=content.sha256,
        size=content.size,
        count=content.count,
        files=content.files,
        blobs=content.blobs,
        slice_digest=candidate.slice_digest,
        previous=str(previous) if previous is not None else None,
        bump=chosen.how,
        reason=chosen.recorded,
        ends=ends,
    )
    release = NewTag(
        tag=TagName(Event.RELEASE, model.name, version=version),
        commit=candidate.commit,
        subject=f"Release {model.name} {version}",
        body=options.message,
        record=record,
    )
    if options.stage is None:
        return (release,)
    return (release, plan_promote(model, version, options.stage, candidate.commit, candidate.counter, options.message))


def plan_promote(model: Model, version: Version, stage: str, commit: str, counter: int, message: str) -> NewTag:
    """The tag that puts `version` into `stage`; `counter` is the highest that is known of the artifact."""
    held = model.holder(stage)
    previous = str(held.version) if held is not None and held.version is not None else None
    return NewTag(
        tag=TagName(Event.PROMOTE, model.name, stage=stage, counter=counter + 1),
        commit=commit,
        subject=f"Promote {model.name} {version} to {stage}",
        body=message,
        record=Record(
            event=Event.PROMOTE.value, model=model.name, version=str(version), stage=stage, previous=previous
        ),
    )


def refuse_case_twin(name: str, known: Sequence[str], force: bool) -> None:
    """Refuse a first tag whose name differs from another artifact's in case alone: file systems mix them up."""
    twins = [other for other in known if other.lower() == name.lower()]
    if twins and name not in twins and not force:
        raise Refused(
            f"{name} differs from {twins[0]} only in upper and lower case",
            hint="--force, if both are meant; on macOS and Windows their tags get in each other's way",
        )


def tag_patterns(name: str) -> tuple[str, str]:
    """What to ask a remote for: all tags of one artifact."""
    return f"refs/tags/{to_tag(name)}@*", f"refs/tags/{to_tag(name)}#*"
