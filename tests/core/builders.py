"""Versions, tags and whole registries made up in memory: no repository is needed to try the laws."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta, timezone

from hypothesis import strategies as st

from dvc_modelver.core.records import Record
from dvc_modelver.core.registry import Registry
from dvc_modelver.core.tagobjects import Identity, TagObject, TagRef
from dvc_modelver.core.versions import Version

ADA = Identity("Ada Byron", "ada@example.com")
NOON = datetime(2025, 1, 1, 12, 0, tzinfo=timezone.utc)


def v(text: str) -> Version:
    """The version that `text` names."""
    return Version.parse(text)


def commit(letter: str) -> str:
    """A full commit id that is easy to tell from others."""
    return letter * 40


_numeric = st.integers(0, 10**6).map(str)
_word = st.from_regex(r"[0-9]{0,3}[a-zA-Z-][0-9a-zA-Z-]{0,5}", fullmatch=True)
_prerelease = st.lists(st.one_of(_numeric, _word, st.sampled_from(["rc", "alpha", "1"])), min_size=1, max_size=4)
_build = st.lists(st.from_regex(r"[0-9a-zA-Z-]{1,6}", fullmatch=True), min_size=1, max_size=3)
_small = st.one_of(st.integers(0, 3), st.integers(0, 10**12))


@st.composite
def versions(draw: st.DrawFn) -> Version:
    """Any version, close ones often: small numbers, pre-releases, build metadata."""
    prerelease = ".".join(draw(_prerelease)) if draw(st.booleans()) else ""
    build = ".".join(draw(_build)) if draw(st.integers(0, 3)) == 0 else ""
    return Version(draw(_small), draw(_small), draw(_small), prerelease, build)


class Tags:
    """Tags that exist nowhere but here; made in order, a minute apart unless `at` or `minutes` says otherwise."""

    def __init__(self) -> None:
        self.refs: list[TagRef] = []
        self.objects: dict[str, TagObject] = {}
        self.reads: list[str] = []
        self._minute = 0

    def __call__(
        self,
        name: str,
        target: str = "a",
        *,
        minutes: int | None = None,
        record: Record | None = None,
        inner: str | None = None,
        target_type: str = "commit",
    ) -> TagRef:
        """Make the annotated tag `name` on commit `target`, with what its object says."""
        self._minute += 1
        at = NOON + timedelta(minutes=self._minute if minutes is None else minutes)
        oid = hashlib.sha1(f"{name} {target} {at} {record}".encode()).hexdigest()
        ref = TagRef(name, oid, commit(target))
        self.refs.append(ref)
        self.objects[oid] = TagObject(
            oid=oid,
            target=commit(target),
            target_type=target_type,
            name=inner or name,
            tagger=ADA,
            at=at,
            message=name,
            record=record,
            signed=False,
        )
        return ref

    def lightweight(self, name: str, target: str = "a") -> TagRef:
        """Make the lightweight tag `name`."""
        ref = TagRef(name, commit(target), None)
        self.refs.append(ref)
        return ref

    def unreadable(self, name: str, target: str = "a") -> TagRef:
        """Make the tag `name`, whose object cannot be read."""
        ref = TagRef(name, hashlib.sha1(name.encode()).hexdigest(), commit(target))
        self.refs.append(ref)
        return ref

    def read(self, oids: Sequence[str]) -> Mapping[str, TagObject]:
        """What `Registry` asks for objects."""
        self.reads += oids
        return {oid: self.objects[oid] for oid in oids if oid in self.objects}

    def registry(self, refs: Iterable[TagRef] | None = None) -> Registry:
        """The registry of these refs (default: all), in this order."""
        return Registry(self.refs if refs is None else refs, self.read)
