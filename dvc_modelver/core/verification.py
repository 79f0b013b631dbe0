"""Verifying: every link from a version's ref to its bytes, each fault in words with its remedy.  Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from dvc_modelver.core.facts import ArtifactFacts, Source
from dvc_modelver.core.records import Record, manifest_digest
from dvc_modelver.core.tagobjects import TagObject, TagRef
from dvc_modelver.core.text import quoted
from dvc_modelver.core.versions import Version


class Link(str, Enum):
    """One link of the chain, in the order in which they are checked."""

    REF = "ref"
    OBJECT = "object"
    NAME = "name"
    SIGNATURE = "signature"
    COMMIT = "commit"
    RECORD = "record"
    FILES = "files"
    CACHE = "cache"
    REMOTE = "remote"
    CARD = "card"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What was found at one link."""

    link: Link
    ok: bool
    detail: str
    remedy: str = ""
    """The next step when it is not well; a note may have one too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """All that was checked of one version; links that cannot be reached past a broken one are absent."""

    name: str
    version: Version
    tag: str
    commit: str | None = None
    withdrawn: bool = False
    stages: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()

    @property
    def ok(self) -> bool:
        return all(check.ok for check in self.checks)

    @property
    def failed(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if not check.ok)


class Fault(NamedTuple):
    """What is wrong, and the next step."""

    problem: str
    remedy: str


def fault(link: Link, found: Fault) -> Check:
    """A link that is broken."""
    return Check(link=link, ok=False, detail=found.problem, remedy=found.remedy)


def fine(link: Link, detail: str, remedy: str = "") -> Check:
    """A link that holds."""
    return Check(link=link, ok=True, detail=detail, remedy=remedy)


# Ref ------------------------------------------------------------------------------------------------------------


def moved(first: str) -> Fault:
    """The ref names another object than the one that was seen first."""
    return Fault(f"it was moved: this clone first saw it as {first[:12]}", "ask who moved it; git fetch --tags --force")


def vanished(name: str, oid: str) -> Fault:
    """A tag that was seen and is gone."""
    return Fault(
        "this clone has seen it, and it is gone",
        f"git fetch --tags; or, while the object is here, git tag -- {quoted(name)} {oid}",
    )


def check_ref(ref: TagRef, holders: Sequence[TagRef], seen: Mapping[str, str]) -> Check:
    """Whether the version's tag, and the tags that put it into stages, are where this clone first saw them."""
    first = seen.get(ref.name)
    if first is not None and first != ref.oid:
        return fault(Link.REF, moved(first))
    for holder in holders:
        first = seen.get(holder.name)
        if first is not None and first != holder.oid:
            found = moved(first)
            return fault(Link.REF, Fault(f"{holder.name}, which puts it into a stage: {found.problem}", found.remedy))
    return fine(Link.REF, f"names {ref.oid[:12]}, as this clone first saw it")


# Objects --------------------------------------------------------------------------------------------------------


def object_id(kind: str, data: bytes, like: str) -> str:
    """The id that Git gives an object; of SHA-256 when `like` is such an id, else of SHA-1."""
    algorithm = hashlib.sha256 if len(like) == 64 else hashlib.sha1
    return algorithm(b"%s %d\0" % (kind.encode("ascii"), len(data)) + data, usedforsecurity=False).hexdigest()


def altered(what: str, oid: str) -> Fault:
    """A Git object whose bytes are not those that its id stands for."""
    return Fault(f"{what} {oid[:12]} in Git's object database is altered", "git fsck --full; fetch into a new clone")


def check_object(ref: TagRef, kind: str | None, intact: bool, tag: TagObject | None) -> Check:
    """Whether the ref names an annotated tag on a commit, readable and unaltered."""
    if kind is None:
        return fault(
            Link.OBJECT,
            Fault(f"the object {ref.oid[:12]} is missing or cannot be read", "git fsck --full; git fetch --tags"),
        )
    if not intact:
        return fault(Link.OBJECT, altered("the tag object", ref.oid))
    if kind != "tag":
        what = "a lightweight tag: it says neither who made it nor what was released"
        if kind != "commit":
            what = f"it names a {kind}, not a commit"
        return fault(Link.OBJECT, Fault(what, f"git tag -d -- {quoted(ref.name)}, then release again"))
    if tag is None:
        return fault(Link.OBJECT, Fault("the tag object cannot be read", "git fsck --full; git fetch --tags --force"))
    if tag.target_type not in ("commit", "tag"):
        remedy = f"git tag -d -- {quoted(ref.name)}, then fetch or make it again"
        return fault(Link.OBJECT, Fault(f"it names a {tag.target_type}, not a commit", remedy))
    who = f" by {tag.tagger.name} <{tag.tagger.email}>" if tag.tagger is not None else ""
    return fine(Link.OBJECT, f"annotated tag{who}")


def check_name(ref: TagRef, tag: TagObject) -> Check:
    """Whether the object was made under this very name."""
    if tag.name == ref.name:
        return fine(Link.NAME, "made under this name")
    return fault(
        Link.NAME,
        Fault(
            f"the tag object was made as {tag.name}: somebody put it under another name",
            f"do not use it; git tag -d -- {quoted(ref.name)}, then git fetch --tags, and ask who made it",
        ),
    )


# Commit, record, files ------------------------------------------------------------------------------------------


def no_commit(commit: str, *, shallow: bool = False) -> Fault:
    """The commit is not in this clone."""
    if shallow:
        return Fault(f"its commit {commit[:12]} is not in this shallow clone", "git fetch --unshallow --tags")
    return Fault(f"its commit {commit[:12]} is not here", "git fetch --tags")


def check_commit(commit: str, alone: bool | None) -> Check:
    """A commit that is here; `alone` when no branch leads to it (None: not known)."""
    if alone is None:
        return fine(Link.COMMIT, f"{commit[:12]} is here; whether a branch leads to it cannot be told")
    if alone:
        return fine(Link.COMMIT, f"{commit[:12]} is here; no branch leads to it, only the tag keeps it")
    return fine(Link.COMMIT, f"{commit[:12]} is here, and a branch leads to it")


def no_bytes_named(problem: str | None) -> Fault:
    """The commit does not say which bytes the artifact is."""
    return Fault(f"its commit does not say which bytes it is: {problem}", "release a sound version; withdraw this one")


def record_differs(record: Record, facts: ArtifactFacts) -> Fault | None:
    """Where the record says other than the files of the commit; None when they agree."""
    pairs = (("", record.digest, facts.digest), ("path ", record.path, facts.path))
    for what, said, found in pairs:
        if said is not None and found not in (None, said):
            return Fault(f"its record says {what}{said}, its commit {what}{found}", "do not use it; withdraw it")
    return None


def _contradiction(record: Record) -> Fault | None:
    """Where the lines of the files are not those that the record's own digest, size and count stand for."""
    if not record.files or record.sha256 is None:
        return None
    rows = [(line.path, line.size, line.sha256) for line in record.files]
    found = manifest_digest(rows) if record.count is not None else record.files[0].sha256
    said = (record.sha256, record.size, record.count or 1)
    if said == (found, sum(line.size for line in record.files), len(rows)):
        return None
    return Fault("its record contradicts itself: its files are not of its digest, size and count", "do not use it")


def check_record(tag: TagObject, raw: str, name: str, version: Version, facts: ArtifactFacts) -> Check:
    """Whether the record is whole, of this model and version, and of the bytes that the commit names."""
    record = tag.record
    if record is None:
        if "\nModelver-Format:" in raw:
            return fault(Link.RECORD, Fault("its record cannot be read", "do not use it; git fetch --tags --force"))
        return fine(Link.RECORD, "none (not made by modelver): its commit alone says what it is")
    for what, said, wanted in (
        ("event", record.event, "release"),
        ("model", record.model, name),
        ("version", record.version, str(version)),
    ):
        if said != wanted:
            found = Fault(f"its record is of {what} {said}, not {wanted}", "do not use it; ask who made it")
            return fault(Link.RECORD, found)
    differing = record_differs(record, facts) or _contradiction(record)
    if differing is not None:
        return fault(Link.RECORD, differing)
    return fine(Link.RECORD, f"names {name}@{version}, and the bytes that its commit names")


def check_files(facts: ArtifactFacts, record: Record | None, found: Mapping[str, str | None]) -> Check:
    """Whether the DVC files and the card are those that the record names.

    Args:
        found: path -> Git object id at the version's commit; None where there is no file.
    """
    if facts.source is Source.MISSING:
        return fault(Link.FILES, no_bytes_named(facts.problem))
    lines = [] if record is None else [*record.blobs, *([record.card] if record.card is not None else [])]
    for line in lines:
        oid = found.get(line.path)
        if oid != line.oid:
            there = f"it has {oid[:12]}" if oid else "there is none"
            words = f"the record names {line.path} as {line.oid[:12]}, and at its commit {there}"
            return fault(Link.FILES, Fault(words, "do not use it; withdraw it"))
    names = ", ".join(line.path for line in lines) or ", ".join(facts.files_read)
    return fine(Link.FILES, f"{names or 'none'}: as {'the record' if lines else 'the commit'} has them")


def check_card(path: str | None, named: str | None, version: Version, before: str | None = None) -> Check:
    """Whether the card at the version's commit names this version, or what it was `before` it was renumbered."""
    if path is None:
        return fine(Link.CARD, "released without a card")
    if named is None:
        return fine(Link.CARD, f"{path} names no version")
    if named == before:
        return fine(Link.CARD, f"{path} is of {before}, as {version} was called before it was published")
    if named != str(version):
        found = Fault(f"{path} is the card of {named}", "do not trust the card; withdraw the version")
        return fault(Link.CARD, found)
    return fine(Link.CARD, f"{path} is of {version}")


# Bytes ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was found of a version's bytes in one place; nothing else is known when `note` says why."""

    files: int = 0
    size: int = 0
    """Bytes of the files that are there."""
    missing: tuple[str, ...] = ()
    bad: tuple[str, ...] = ()
    """Altered, truncated or unreadable, each with how."""
    places: tuple[str, ...] = field(default=(), repr=False)
    """Where the bad ones lie."""
    hashed: bool = True
    """False where only presence could be asked for."""
    note: str = ""
    """Why there is nothing to check here."""
    problem: Fault | None = None
    """What kept us from looking."""

    @property
    def ok(self) -> bool:
        return not (self.missing or self.bad or self.problem)


def some_of(names: Sequence[str]) -> str:
    """The first three, and how many more."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def check_bytes(link: Link, where: str, look: Look, remedy: str) -> Check:
    """The words for what was found of the bytes in `where`."""
    if look.problem is not None:
        return fault(link, look.problem)
    if look.note:
        return fine(link, look.note)
    if look.bad:
        return fault(link, Fault(f"altered in {where}: {some_of(look.bad)}", remedy))
    if look.missing:
        return fault(link, Fault(f"missing from {where}: {some_of(look.missing)}", remedy))
    count = f"{look.files} file{'s' if look.files != 1 else ''}"
    done = "are as released" if look.files != 1 else "is as released"
    if look.hashed:
        return fine(link, f"{count} in {where} {done}")
    verb = "are" if look.files != 1 else "is"
    asked = "presence alone was asked; verify --remote --force downloads and hashes"
    return fine(link, f"{count} {verb} in {where}, not hashed: {asked}")


def cache_verdict(cache: Check, look: Look, far: Look | None) -> Check:
    """Bytes that the cache lacks are no fault when the remote was asked (`far`) and has them."""
    if far is None or not far.ok or far.note or look.bad or look.problem or not look.missing:
        return cache
    return fine(Link.CACHE, f"{cache.detail}; the DVC remote has it", cache.remedy)
