"""The registry's state: what all tags of a repository together say.  Pure: a function of the set of refs.

Names decide almost everything; a tag's object is read (through `read`) only where a name cannot tell: for the
latest version (a bad tag must not pass for it), for the last events of a stage, for a retired artifact, and by
those who ask for a version's own facts.

Where GTO goes wrong, this module does not: events of a stage are ordered by counter and never by clock alone, a
withdrawal names what it ends and puts nobody back, withdrawn versions hold nothing, a bad tag costs only itself.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from dvc_modelver.core.names import name_problem, near
from dvc_modelver.core.stages import StageEvent, holder
from dvc_modelver.core.tagobjects import NOWHERE, ReadTags, TagObject, TagRef, tag_problem
from dvc_modelver.core.tags import Event, TagName, looks_meant, parse_tag_name
from dvc_modelver.core.text import quoted
from dvc_modelver.core.versions import Key, Version
from dvc_modelver.errors import DataError, NotFound


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something wrong with one ref or file, and what to do about it."""

    ref: str
    problem: str
    remedy: str


class Model:
    """All events of one artifact.  Made by `Registry`; nothing here changes once the refs are read."""

    def __init__(self, name: str, read: ReadTags) -> None:
        self.name = name
        self._read = read
        self._releases: dict[Key, TagRef] = {}
        self._twins: list[tuple[Key, TagRef]] = []
        """More tags of a version that has one (`v1.0.0#3` beside `v1.0.0`)."""
        self._withdrawals: dict[Key, list[TagRef]] = {}
        self._stage_tags: dict[str, list[tuple[TagName, TagRef]]] = {}
        self._retirements: list[TagRef] = []
        self._versions: dict[Key, Version] = {}
        self.highest_counter = 0

    # What names alone tell ------------------------------------------------------------------------------------

    @cached_property
    def versions(self) -> tuple[Version, ...]:
        """Every version that has its tag, withdrawn ones too, lowest first."""
        return tuple(self._version(key) for key in sorted(self._releases))

    @cached_property
    def _withdrawn(self) -> frozenset[Key]:
        """The versions that a sound tag withdraws: another tag's object under such a name withdraws nothing."""
        self._read([ref.oid for refs in self._withdrawals.values() for ref in refs])
        return frozenset(
            key for key, refs in self._withdrawals.items() if any(self.tag(ref) is not None for ref in refs)
        )

    @cached_property
    def _usable(self) -> tuple[list[Key], list[Key]]:
        """The keys of versions that are not withdrawn, lowest first: all of them, and the final ones."""
        usable = sorted(key for key in self._releases if key not in self._withdrawn)
        return usable, [key for key in usable if key[3]]

    @property
    def version_count(self) -> int:
        return len(self._releases)

    @property
    def stage_names(self) -> tuple[str, ...]:
        """Every stage that this artifact was ever promoted to, sorted."""
        return tuple(sorted(self._stage_tags))

    @cached_property
    def withdrawn(self) -> frozenset[Version]:
        return frozenset(self._version(key) for key in self._withdrawn)

    @cached_property
    def taken(self) -> frozenset[Version]:
        """Every number that a tag here uses or used."""
        return frozenset(self.versions) | {self._version(key) for key in self._withdrawals}

    @property
    def latest(self) -> Version | None:
        """The highest final version that is not withdrawn; a pre-release only when there is no final one."""
        usable, final = self._usable
        return self._highest(final) or self._highest(usable)

    @property
    def highest_usable(self) -> Version | None:
        """The highest version that is not withdrawn, pre-release or not."""
        usable, _ = self._usable
        return self._highest(usable)

    def _highest(self, keys: Sequence[Key]) -> Version | None:
        """The last of `keys` whose tag is sound: one object is read, unless somebody made a bad tag."""
        return next((self._version(key) for key in reversed(keys) if self.tag(self._releases[key]) is not None), None)

    def previous(self, version: Version) -> Version | None:
        """The version before `version`: the highest lower one in use, a pre-release only when none is final."""
        usable, final = self._usable
        lower = final[: bisect_left(final, version.key)], usable[: bisect_left(usable, version.key)]
        return self._highest(lower[0]) or self._highest(lower[1])

    def release_ref(self, version: Version) -> TagRef:
        """The tag of `version`.  Raises `NotFound` with the nearest numbers."""
        ref = self._releases.get(version.key)
        if ref is None:
            known = {str(v): v for v in self.versions}
            raise NotFound(f"{self.name} has no version {version}", hint=near(str(version), known) or self._hint())
        return ref

    def has(self, version: Version) -> bool:
        return version.key in self._releases

    def is_withdrawn(self, version: Version) -> bool:
        return version.key in self._withdrawn

    def tag_refs(self) -> Iterator[tuple[TagName, TagRef]]:
        """Every sound tag of this artifact with its parsed name."""
        for tags in self._stage_tags.values():
            yield from tags
        withdrawals = (ref for refs in self._withdrawals.values() for ref in refs)
        for ref in (*self._releases.values(), *(twin for _, twin in self._twins), *withdrawals, *self._retirements):
            name = parse_tag_name(ref.name)
            if name is not None:
                yield name, ref

    def _version(self, key: Key) -> Version:
        version = self._versions.get(key)
        if version is None:
            version = self._versions[key] = Version(key[0], key[1], key[2])
        return version

    def _hint(self) -> str:
        return f"modelver show {self.name}" if self._releases else f"{self.name} has no version yet"

    # What needs the tags' objects -----------------------------------------------------------------------------

    def tag(self, ref: TagRef) -> TagObject | None:
        """The object of `ref`; None when it is unreadable, belongs to another name, or is on a tree or blob."""
        found = self._read([ref.oid]).get(ref.oid)
        sound = found is not None and found.name == ref.name and found.target_type in ("commit", "tag")
        return found if sound else None

    def refuse_unsound(self, ref: TagRef) -> TagObject:
        """The object of `ref`.  Raises `DataError` when it is not what its name says: nobody shall use that version."""
        found = self._read([ref.oid]).get(ref.oid)
        problem = tag_problem(found, ref.name, self.name)
        if found is None or problem is not None:
            raise DataError(f"{ref.name}: {problem}", hint="modelver doctor")
        return found

    def read_tags(self, oids: Iterable[str]) -> Mapping[str, TagObject]:
        """The objects of many tags at once."""
        return self._read(list(oids))

    def stage_events(self, stage: str) -> tuple[StageEvent, ...]:
        """Every sound event of `stage`, in order."""
        tags = self._stage_tags.get(stage, [])
        self._read([ref.oid for _, ref in tags])
        events = [event for name, ref in tags if (event := self._stage_event(name, ref)) is not None]
        return tuple(sorted(events, key=lambda e: e.order))

    def only(self, tags: Collection[str]) -> Model:
        """This artifact as if only the tags of these names existed."""
        registry = Registry((ref for _, ref in self.tag_refs() if ref.name in tags), self._read)
        return registry.model(self.name)

    def holder(self, stage: str) -> StageEvent | None:
        """The promote that `stage` holds today; None when the stage is empty.

        Only the tags that decide are read: the promotes of the highest counter and what came after.
        """
        tags = self._stage_tags.get(stage, [])
        pending = sorted(tags, key=lambda item: item[0].counter or 0, reverse=True)
        decided: list[StageEvent] = []
        at = 0
        while at < len(pending):
            counter = pending[at][0].counter or 0
            while at < len(pending) and (pending[at][0].counter or 0) == counter:
                event = self._stage_event(*pending[at])
                if event is not None:
                    decided.append(event)
                at += 1
            if any(event.event is Event.PROMOTE for event in decided):
                break
        return holder(sorted(decided, key=lambda e: e.order), self.withdrawn)

    def stages(self) -> dict[str, StageEvent]:
        """Every stage that is held today, sorted by name."""
        held = {stage: self.holder(stage) for stage in self.stage_names}
        return {stage: event for stage, event in held.items() if event is not None}

    @cached_property
    def retired_by(self) -> TagRef | None:
        """The tag that retires this artifact now; None when none does or a later release reopened it."""
        retirements = [ref for ref in self._retirements if self.tag(ref) is not None]
        if not retirements:
            return None
        refs = [*retirements, *self._releases.values()]
        objects = self._read([ref.oid for ref in refs])
        ended = {tag for o in objects.values() if o.record for tag in o.record.ends}
        by_gto = [objects[r.oid].at for r in self._releases.values() if r.oid in objects and not objects[r.oid].record]
        last = max(by_gto, default=None)
        for ref in sorted(retirements, reverse=True):
            at = objects[ref.oid].at if ref.oid in objects else None
            if ref.name not in ended and not (at is not None and last is not None and last > at):
                return ref
        return None

    def version_on(self, commit: str | None, at: datetime) -> Version | None:
        """The highest version on `commit` that was not made after `at`."""
        keys = sorted((key for key in self._by_commit.get(commit or "", ())), reverse=True)
        for key in keys:
            tag = self.tag(self._releases[key])
            if tag is not None and tag.at <= at:
                return self._version(key)
        return None

    @cached_property
    def _by_commit(self) -> Mapping[str, list[Key]]:
        found: dict[str, list[Key]] = {}
        for key, ref in self._releases.items():
            found.setdefault(ref.target or "", []).append(key)
        return found

    def versions_on(self, commit: str) -> tuple[Version, ...]:
        """Every version whose tag names `commit`, lowest first."""
        return tuple(self._version(key) for key in sorted(self._by_commit.get(commit, ())))

    def _stage_event(self, name: TagName, ref: TagRef) -> StageEvent | None:
        tag = self.tag(ref)
        if tag is None or name.stage is None:
            return None
        record = tag.record if tag.record is not None and tag.record.model == self.name else None
        version = _version_of(record.version) if record is not None else None
        return StageEvent(
            ref=ref,
            event=name.event,
            stage=name.stage,
            counter=name.counter or 0,
            version=version or self.version_on(ref.target, tag.at),
            ends=record.ends if record is not None else (),
            at=tag.at,
            tag=tag,
        )


def _version_of(text: str | None) -> Version | None:
    name = parse_tag_name(f"x@{text}") if text else None
    return name.version if name is not None else None


_is_number = re.compile(r"0|[1-9][0-9]{0,14}", re.ASCII).fullmatch


_NO_COMMIT = {None, *NOWHERE}
_FETCH_AGAIN = "git fsck --full; git fetch --tags, or fetch into a new clone: never release that number again"


class Registry:
    """Every artifact that tags speak of, and every tag that is wrong.

    Args:
        refs: all refs under `refs/tags/`.
        read: answers object ids with parsed tags; called only where names do not tell.
    """

    def __init__(self, refs: Iterable[TagRef], read: ReadTags) -> None:
        self._read = read
        self._models: dict[str, Model] = {}
        self._by_head: dict[str, Model] = {}
        self._problems: list[Problem] = []
        self._add_all(refs)

    @property
    def models(self) -> Mapping[str, Model]:
        return self._models

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What names and kinds of refs reveal, sorted by ref; deeper faults need the objects."""
        twins = (problem for model in self._models.values() for problem in _twin_problems(model))
        return tuple(sorted((*self._problems, *twins), key=lambda p: p.ref))

    def model(self, name: str) -> Model:
        """The artifact `name`, without any event when no tag speaks of it."""
        return self._models.get(name) or Model(name, self._read)

    def _add_all(self, refs: Iterable[TagRef]) -> None:
        # Nearly all tags are plain releases (`churn@v1.2.3`) or promotes (`churn#prod#4`) of what was seen before:
        # 1 and 2 us each here, 9 in `_add`.
        numbers: dict[str, int] = {}
        for ref in refs:
            head, _, rest = ref[0].partition("@v")
            model = self._by_head.get(head)
            if model is not None and ref[2] not in _NO_COMMIT:
                parts = rest.split(".")
                if len(parts) == 3:
                    try:
                        key = (numbers[parts[0]], numbers[parts[1]], numbers[parts[2]], 1, (), "")
                    except KeyError:
                        numbers.update((part, int(part)) for part in parts if _is_number(part))
                    else:
                        if key not in model._releases:
                            model._releases[key] = ref
                            continue
            elif not rest and self._add_promote(ref):
                continue
            self._add(ref)

    def _add_promote(self, ref: TagRef) -> bool:
        """Take a plain promote to a stage that was seen before; False for anything else."""
        head, _, rest = ref[0].partition("#")
        stage, _, counter = rest.partition("#")
        model = self._by_head.get(head)
        known = model._stage_tags.get(stage) if model is not None else None
        if model is None or known is None or ref[2] in _NO_COMMIT or not _is_number(counter):
            return False
        name = TagName(Event.PROMOTE, model.name, stage=stage, counter=int(counter))
        known.append((name, ref))
        model.highest_counter = max(model.highest_counter, name.counter or 0)
        return True

    def _add(self, ref: TagRef) -> None:
        name = parse_tag_name(ref.name)
        if name is None:
            if looks_meant(ref.name):
                self._complain(ref, "its name is not one of a version or stage", f"git tag -d -- {quoted(ref.name)}")
            return
        problem = name_problem(name.name)
        if problem:
            self._complain(ref, f"its name cannot be a model's: {problem}", f"git tag -d -- {quoted(ref.name)}")
        elif ref.target is None:
            self._complain(
                ref,
                "a lightweight tag says neither who made it nor what was released",
                f"git tag -d -- {quoted(ref.name)}, then release or promote again",
            )
        elif name.event is not Event.CREATED:
            if ref.target in NOWHERE:
                self._complain(ref, f"its tag object {ref.oid[:12]} is missing or cannot be read", _FETCH_AGAIN)
            self._add_event(name, ref)

    def _add_event(self, name: TagName, ref: TagRef) -> None:
        model = self._models.get(name.name)
        if model is None:
            model = self._models[name.name] = Model(name.name, self._read)
            self._by_head[name.name.replace(":", "=")] = model
        model.highest_counter = max(model.highest_counter, name.counter or 0)
        if name.version is not None:
            model._versions[name.version.key] = name.version
        if name.event is Event.RELEASE and name.version is not None:
            self._add_release(model, name.version.key, ref)
        elif name.event is Event.WITHDRAW_VERSION and name.version is not None:
            model._withdrawals.setdefault(name.version.key, []).append(ref)
        elif name.stage is not None:
            model._stage_tags.setdefault(name.stage, []).append((name, ref))
        elif name.event is Event.RETIRE:
            model._retirements.append(ref)

    def _add_release(self, model: Model, key: Key, ref: TagRef) -> None:
        other = model._releases.setdefault(key, ref)
        if other is ref:
            return
        first, second = sorted((other, ref), key=lambda r: (len(r.name), r.name))
        model._releases[key] = first
        model._twins.append((key, second))

    def _complain(self, ref: TagRef, problem: str, remedy: str) -> None:
        self._problems.append(_problem(ref, problem, remedy))


def _problem(ref: TagRef, problem: str, remedy: str) -> Problem:
    return Problem(ref=f"refs/tags/{ref.name}", problem=problem, remedy=remedy)


def _twin_problems(model: Model) -> Iterator[Problem]:
    # Asked when all refs are known: which of several tags is the version's own must not depend on their order.
    for key, twin in model._twins:
        own = model._releases[key]
        if own.target != twin.target:
            yield _problem(twin, f"names another commit than {own.name}", f"git tag -d -- {quoted(twin.name)}")
