"""`verify`: every link of a version, from its ref over tag object, signature, commit and record to its bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import groupby

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
from dvc_modelver.core.tagobjects import TagObject, TagRef, parse_tag_object
from dvc_modelver.core.verification import Check, Fault, Link, Verified, fault
from dvc_modelver.errors import ModelverError

_TOGETHER = 250
"""Versions that are read ahead together."""
_FRESH = 2000
"""Versions after which what was read makes room."""


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
    """Hash again what was hashed before and has not changed since; with `remote`, download to hash."""
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
        begun = run.begin_all(subjects)
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
        self.places = Places(project, download=options.force)
        memory = HashMemory(project.state_dir / "cache" / "verify-1")
        self.hasher = Hasher(memory, force=options.force, threads=options.jobs, progress=project.around.progress)
        self._since_fresh = 0

    # Before the bytes -------------------------------------------------------------------------------------------

    def begin_all(self, subjects: Sequence[Subject]) -> list[_Begun]:
        """All links but the bytes, of neighbours together: what they need of Git is read ahead."""
        begun: list[_Begun] = []
        try:
            for name, own in groupby(subjects, key=lambda subject: subject.name):
                rows = list(own)
                for start in range(0, len(rows), _TOGETHER):
                    some = rows[start : start + _TOGETHER]
                    self._read_ahead(name, [s.ref for s in some if s.ref is not None])
                    begun += map(self.begin, some)
        finally:
            self.chain.close()
        return begun

    def _read_ahead(self, name: str, refs: Sequence[TagRef]) -> None:
        """Trees and files of long before make room (45 MB of 10,000 versions)."""
        self._since_fresh += len(refs)
        if self._since_fresh > _FRESH:
            self._since_fresh = 0
            self.project.forget_objects()
        commits = [ref.target or "" for ref in refs]
        with suppress(ModelverError, ValueError):  # objects that cannot be read are met again where they can be named
            read_ahead(self.project, name, commits)
        self.chain.ahead([ref.oid for ref in refs], commits, lambda commit, raw: self._paths(name, commit, raw))

    def _paths(self, name: str, commit: str, raw: bytes) -> Iterator[str]:
        """Which files of a version will be looked at, as far as its tag and what is remembered tell."""
        folder = name.rpartition(":")[0]
        yield from (f"{folder}/{file}" if folder else file for file in ("dvc.yaml", "dvc.lock"))
        known = self.project.facts_cache.get(name, commit)
        if known is not None:
            yield from known.files_read
        tag = parse_tag_object("", raw) if raw else None
        if tag is not None and tag.record is not None:
            yield from (line.path for line in (*tag.record.blobs, tag.record.card) if line is not None)

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
        except ValueError:
            # Trees and commits made by hand need not be what git makes: that costs their version alone.
            found = Fault("an object of Git that it stands on is not as git makes them", "git fsck --full")
            checks.append(fault(_next(checks), found))
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
        facts = artifact_at(self.project, subject.name, commit, self.at_hand, tag.record)
        check = words.check_record(tag, raw.decode("utf-8", "replace"), subject.name, subject.version, facts)
        yield check
        record = tag.record if check.ok else None
        yield self._files(facts, tag, commit)
        begun.card = self._card(tag, commit, subject)
        if facts.path is not None:
            begun.where = "the DVC cache" if facts.in_cache else "Git"
            begun.here = self.places.here(commit, facts, record)
            begun.there = self.places.there(facts, record) if self.options.remote else None

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
        data = self.chain.text_at(commit, path)
        if data is None:
            return fault(Link.CARD, Fault(f"{path} is not there", "withdraw the version"))
        try:
            named = named_in(parse_card(data)).version
            return words.check_card(path, named, subject.version, tag.record.renumbered_from)
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
            remote, far = None, None
            if begun.there is not None:
                far = self.places.answer(begun.there, self.hasher)
                push = "dvc push from a clone that has them (remove altered ones there first)"
                remote = words.check_bytes(Link.REMOTE, "the DVC remote", far, push)
            remedy = removal(look, reference) if look.bad else bring_back(reference)
            cache = words.check_bytes(Link.CACHE, begun.where, look, remedy)
            more = [words.cache_verdict(cache, look, far), *([remote] if remote is not None else [])]
        if begun.card is not None:
            more.append(begun.card)
        return replace(verified, checks=(*verified.checks, *more))


def _next(checks: Sequence[Check]) -> Link:
    """The link at which something unforeseen stopped us."""
    order = list(Link)
    return order[min(order.index(checks[-1].link) + 1, len(order) - 1)] if checks else Link.REF
