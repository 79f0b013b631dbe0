"""`verify`: every link of a version, from its ref over tag object, signature, commit and record to its bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from dvc_modelver.commands.bytes_at_hand import Bytes
from dvc_modelver.commands.commitfacts import artifact_at, read_ahead
from dvc_modelver.commands.project import Project
from dvc_modelver.commands.verification.objects import Chain
from dvc_modelver.commands.verification.places import Found, Places, bring_back, removal
from dvc_modelver.commands.verification.scope import Subject, read_scope
from dvc_modelver.commands.verification.signature import Signers
from dvc_modelver.core import verification as words
from dvc_modelver.core.facts import ArtifactFacts
from dvc_modelver.core.signatures import Signature, Trust, check_signature
from dvc_modelver.core.tagobjects import TagObject, parse_tag_object
from dvc_modelver.core.verification import Check, Fault, Link, Verified, fault
from dvc_modelver.errors import ModelverError
from dvc_modelver.gitio.objects import Objects


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What was found of every version in the scope."""

    versions: tuple[Verified, ...]
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return all(version.ok for version in self.versions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How deep to look."""

    remote: bool = False
    signed: bool = False
    force: bool = False
    """Hash again what was hashed before and has not changed since."""
    jobs: int | None = None
    """Files hashed at a time; None: one per core."""


@dataclass(slots=True, kw_only=True)
class _Begun:
    """A version whose bytes are still to be looked at."""

    verified: Verified
    here: Found | None = None
    there: Found | None = None
    card: Check | None = None
    where: str = "the DVC cache"


def verify(project: Project, text: str | None, options: Options, *, every: bool = False) -> Verification:
    """Check every link of the versions that `text` names; without it, of those in a stage and the latest.

    Args:
        text: a model (all its versions), a version, or a stage.
        every: all versions of all models.

    Raises `NotFound` for an unknown model, version or empty stage, `BadInput` for a name that cannot be one.
    """
    subjects = read_scope(project, text, every=every)
    with Bytes(project) as at_hand:
        run = _Run(project, options, at_hand, subjects)
        begun = [run.begin(subject) for subject in subjects]
        run.hash(begun)
        return Verification(versions=tuple(run.finish(one) for one in begun), notes=_notes(project, subjects))


def _notes(project: Project, subjects: Sequence[Subject]) -> tuple[str, ...]:
    notes = [] if subjects else ["note: there is no version to verify"]
    if project.repository.shallow:
        notes.append("note: this clone is shallow: versions may be missing; git fetch --unshallow --tags")
    return tuple(notes)


class _Run:
    """What the versions of one run share."""

    def __init__(self, project: Project, options: Options, at_hand: Bytes, subjects: Sequence[Subject]) -> None:
        from dvc_modelver.commands.verification.bytes import Hasher
        from dvc_modelver.dvcio.hashmemory import HashMemory

        self.project = project
        self.options = options
        self.at_hand = at_hand
        self.chain = Chain(project, [s.ref.target for s in subjects if s.ref is not None and s.ref.target])
        self.signers = Signers(project)
        self.places = Places(project)
        memory = HashMemory(project.state_dir / "cache" / "verify-1")
        self.hasher = Hasher(memory, force=options.force, threads=options.jobs, progress=project.around.progress)
        self._is_large = len(subjects) > 500
        self._commits: dict[str, list[str]] = {}
        for subject in subjects:
            if subject.ref is not None and subject.ref.target is not None:
                self._commits.setdefault(subject.name, []).append(subject.ref.target)

    # Before the bytes -------------------------------------------------------------------------------------------

    def begin(self, subject: Subject) -> _Begun:
        """All links but the bytes."""
        verified = Verified(
            name=subject.name,
            version=subject.version,
            tag=subject.tag,
            withdrawn=subject.withdrawn,
            stages=subject.stages,
        )
        if subject.ref is None:
            gone = fault(Link.REF, words.vanished(subject.tag, subject.first or ""))
            return _Begun(verified=replace(verified, checks=(gone,)))
        begun = _Begun(verified=verified)
        checks: list[Check] = []
        try:
            for check in self._links(subject, begun):
                checks.append(check)
        except ModelverError as error:
            checks.append(fault(_next(checks), Fault(error.message, error.hint)))
        begun.verified = replace(begun.verified, checks=tuple(checks))
        return begun

    def _links(self, subject: Subject, begun: _Begun) -> Iterator[Check]:
        ref = subject.ref
        assert ref is not None
        yield words.check_ref(ref, subject.holders, self.project.seen.oids)
        found = self.chain.object(ref.oid)
        tag = parse_tag_object(ref.oid, found.data) if found is not None and found.kind == "tag" else None
        kind = found.kind if found is not None else None
        check = words.check_object(ref, kind, found is not None and found.intact, tag)
        yield check
        if not check.ok or tag is None or found is None:
            return
        yield words.check_name(ref, tag)
        yield self._signature(subject, tag, found.data)
        commit = tag.target if tag.target_type == "commit" else ref.target or ""
        begun.verified = replace(begun.verified, commit=commit)
        check = self._commit(subject, commit, ref.target or "")
        yield check
        if check.ok:
            yield from self._content(subject, tag, found.data, commit, begun)

    def _signature(self, subject: Subject, tag: TagObject, raw: bytes) -> Check:
        demanded = self.options.signed or self.signers.required
        if not demanded:
            trust = Trust.UNCHECKED if tag.signed else Trust.UNSIGNED
            return check_signature(subject.tag, Signature(trust=trust), demanded=False)
        check = check_signature(subject.tag, self.signers.look(tag, raw), demanded=True)
        for holder in subject.holders if check.ok else ():
            found = self.chain.object(holder.oid)
            event = parse_tag_object(holder.oid, found.data) if found is not None and found.kind == "tag" else None
            if found is not None and event is not None:
                held = check_signature(holder.name, self.signers.look(event, found.data), demanded=True)
                if not held.ok:
                    return replace(held, detail=f"{holder.name}, which puts it into a stage: {held.detail}")
        return check

    def _commit(self, subject: Subject, commit: str, peeled: str) -> Check:
        if peeled != commit:
            return fault(
                Link.COMMIT,
                Fault(
                    f"the tag object names {commit[:12]}, git's list of packed refs {peeled[:12]}",
                    "git pack-refs --all",
                ),
            )
        found = self.chain.object(commit)
        if found is None or found.kind != "commit":
            return fault(Link.COMMIT, words.no_commit(commit, shallow=self.project.repository.shallow))
        if not found.intact:
            return fault(Link.COMMIT, words.altered("the commit", commit))
        return words.check_commit(commit, self.chain.is_alone(commit))

    def _content(self, subject: Subject, tag: TagObject, raw: bytes, commit: str, begun: _Begun) -> Iterator[Check]:
        """Record, DVC files and card; and where the bytes are."""
        if (commits := self._commits.pop(subject.name, None)) is not None:
            self._next_model(subject.name, commits)
        facts = artifact_at(self.project, subject.name, commit, self.at_hand, tag.record)
        check = words.check_record(tag, raw.decode("utf-8", "replace"), subject.name, subject.version, facts)
        yield check
        record = tag.record if check.ok else None
        yield self._files(facts, tag, commit)
        begun.card = self._card(tag, commit, subject)
        if facts.path is not None:
            begun.where = "the DVC cache" if facts.in_cache else "Git"
            begun.here = self.places.here(self.project.tree(commit), facts, record)
            begun.there = self.places.there(facts, record) if self.options.remote else None

    def _next_model(self, name: str, commits: Sequence[str]) -> None:
        """Read ahead what its versions need; the trees and files of the model before make room (45 MB of 10,000)."""
        if self._is_large:
            self.project.objects.close()
            self.project.objects = Objects(self.project.repository.git)
        with suppress(ModelverError):  # objects that cannot be read are met again where they can be named
            read_ahead(self.project, name, commits)

    def _files(self, facts: ArtifactFacts, tag: TagObject, commit: str) -> Check:
        record = tag.record
        named = [] if record is None else [line.path for line in (*record.blobs, record.card) if line is not None]
        found: dict[str, str | None] = {}
        for path in dict.fromkeys((*named, *facts.files_read)):
            oid, broken = self.chain.blob_at(commit, path)
            if broken is not None:
                return fault(Link.FILES, broken)
            found[path] = oid
        return words.check_files(facts, record, found)

    def _card(self, tag: TagObject, commit: str, subject: Subject) -> Check:
        if tag.record is None or tag.record.card is None:
            return words.check_card(None, None, subject.version)
        from dvc_modelver.cards.document import parse_card
        from dvc_modelver.cards.generate import named_in

        path = tag.record.card.path
        data = self.project.tree(commit).read(path)
        if data is None:
            return fault(Link.CARD, Fault(f"{path} is not there", "withdraw the version"))
        try:
            return words.check_card(path, named_in(parse_card(data)).version, subject.version)
        except ModelverError as error:
            return fault(Link.CARD, Fault(f"{path}: {error.message}", "withdraw the version"))

    # The bytes --------------------------------------------------------------------------------------------------

    def hash(self, begun: Sequence[_Begun]) -> None:
        """Hash the files of all versions, each once."""
        from dvc_modelver.commands.verification.bytes import Target

        targets = [found for one in begun for found in (one.here, one.there) if isinstance(found, Target)]
        self.hasher.run(job for target in targets for job in target.jobs())

    def finish(self, begun: _Begun) -> Verified:
        """The version with what its bytes are."""
        verified = begun.verified
        reference = f"{verified.name}@{verified.version}"
        more: list[Check] = []
        if begun.here is not None:
            look = self.places.answer(begun.here, self.hasher)
            remote = None
            if begun.there is not None:
                far = self.places.answer(begun.there, self.hasher)
                push = "dvc push from a clone that has them (remove altered ones there first)"
                remote = words.check_bytes(Link.REMOTE, "the DVC remote", far, push)
            remedy = removal(look, reference) if look.bad else bring_back(reference)
            cache = words.check_bytes(Link.CACHE, begun.where, look, remedy)
            more = [words.cache_verdict(cache, remote, look), *([remote] if remote is not None else [])]
        if begun.card is not None:
            more.append(begun.card)
        return replace(verified, checks=(*verified.checks, *more))


def _next(checks: Sequence[Check]) -> Link:
    """The link at which something unforeseen stopped us."""
    order = list(Link)
    return order[min(order.index(checks[-1].link) + 1, len(order) - 1)] if checks else Link.REF
