"""Find pipeline stages in a `dvc.lock` that ran on other bytes than the lock says were made for them.  Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dvc_modelver.dvcio.lock import LockedStage, parse_lock
from dvc_modelver.errors import BadInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Stale:
    """`stage` read `path` as `read`, `producer` wrote it as `made`; digests as `md5:HEX`."""

    stage: str
    path: str
    read: str
    producer: str
    made: str


def mismatches(data: bytes, name: str) -> tuple[Stale, ...]:
    """Every one that the file shows by itself, in its order; none for a file that cannot be read.

    A file within an output directory is not compared: the lock does not name its digest.
    """
    try:
        return tuple(_found(list(parse_lock(data, name).stages()))) if data.strip() else ()
    except BadInput:
        return ()


def _found(stages: list[LockedStage]) -> Iterator[Stale]:
    made = {out.path: (stage.name, out.digest) for stage in stages for out in stage.outs}
    for stage in stages:
        for dep in stage.deps:
            producer, digest = made.get(dep.path, (stage.name, None))
            if producer != stage.name and digest is not None and dep.digest not in (None, digest):
                yield Stale(stage=stage.name, path=dep.path, read=dep.digest or "", producer=producer, made=digest)


def new_mismatches(merged: bytes, ours: bytes, theirs: bytes, name: str) -> tuple[Stale, ...]:
    """Those of `merged` that neither side has by itself.

    Paths are relative to a stage's working directory, which a lock does not name: two stages of the same path in
    different directories look mismatched on both sides, and are left out by this.
    """
    old = {(one.stage, one.path, one.producer) for side in (ours, theirs) for one in mismatches(side, name)}
    return tuple(one for one in mismatches(merged, name) if (one.stage, one.path, one.producer) not in old)
