"""`modelver merge-driver %O %A %B %L %P`: what git starts to merge a `dvc.lock` or `.dvc` file.

Git takes what lies at %A afterwards; 0 says merged, 1 that it holds conflicts.  Whatever is not certain is merged by
`git merge-file`, as git itself would have done: a driver that fails would keep our side and drop the other's.
"""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dvc_modelver.core.text import one_line
from dvc_modelver.errors import BadInput
from dvc_modelver.gitio.placing import is_inside, parents_of, write_file
from dvc_modelver.gitio.process import GitProcess, scrubbed
from dvc_modelver.hooks.call import Call

if TYPE_CHECKING:
    from dvc_modelver.dvcio.merging import Merged

MERGED, IN_CONFLICT = 0, 1
_MAX_NAMED = 20
_MAX_MARKER = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """The places that git names; relative ones are of the directory in which it starts the driver."""

    base: Path
    ours: Path
    theirs: Path
    marker: int
    path: str

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


def run(call: Call) -> int:
    """Merge into %A and say what was decided; 0 or 1 for git.  Nothing else is written."""
    job = _parse(call)
    merged = None
    # The environment's own faults too: a library that is gone must not cost the other side's entries.
    with suppress(Exception):
        merged = _by_entries(call, job)
    if merged is None:
        return _by_lines(call, job)
    write_file(job.ours, merged.data)
    with suppress(OSError):  # nobody may be listening
        for line in _report(job, merged):
            call.say(line)
    return IN_CONFLICT if merged.conflicts else MERGED


def _parse(call: Call) -> _Job:
    if len(call.args) != 5:
        raise BadInput("merge-driver takes %O %A %B %L %P", hint="modelver hooks install --merge-driver sets it up")
    base, ours, theirs, marker, path = call.args
    if not (marker.isascii() and marker.isdigit() and 0 < int(marker[:9]) <= _MAX_MARKER):
        raise BadInput(f"{marker[:20]!a} is no marker length", hint="git passes it as %L")
    at = call.directory
    _refuse_other(at, ours)
    for name in (base, ours, theirs):
        _refuse_no_file(at / name)
    return _Job(base=at / base, ours=at / ours, theirs=at / theirs, marker=int(marker), path=path)


def _refuse_other(top: Path, ours: str) -> None:
    """What git names lies where it starts the driver; what a person names by an absolute path lies out of `.git`."""
    plain = posixpath.normpath(ours)
    own = posixpath.isabs(plain)
    linked = not own and any((top / parent).is_symlink() for parent in parents_of(plain))
    if linked or not is_inside(plain.lstrip("/")):
        raise BadInput(f"{ours[:200]!a} is no file of a merge", hint="git passes it as %A")


def _refuse_no_file(place: Path) -> None:
    """A pipe or a device may never end."""
    try:
        is_file = stat.S_ISREG(os.lstat(place).st_mode)
    except (OSError, ValueError):
        is_file = False
    if not is_file:
        raise BadInput(f"{place.name[:200]!a} is no file of a merge", hint="git passes them as %O %A %B")


# By entries -------------------------------------------------------------------------------------------------------


def _by_entries(call: Call, job: _Job) -> Merged | None:
    """None when the file is not one that we merge, or cannot."""
    if job.name != "dvc.lock" and not job.name.endswith(".dvc"):
        return None
    from dvc_modelver.dvcio.merging import MAX_BYTES, Markers, merge

    places = (job.base, job.ours, job.theirs)
    if any(place.stat().st_size > MAX_BYTES for place in places):
        return None
    base, ours, theirs = (place.read_bytes() for place in places)
    markers = Markers(length=job.marker, with_base=_wants_base(call))
    return merge(base, ours, theirs, name=job.name, markers=markers)


def _wants_base(call: Call) -> bool:
    done = _git(call).complete("config", "--get", "merge.conflictStyle")
    return done.status == 0 and done.stdout.strip() in (b"diff3", b"zdiff3")


def _report(job: _Job, merged: Merged) -> Iterator[str]:
    yield f"{one_line(job.path)}: this merge is a proposal"
    for title, names in (("ours", merged.ours), ("theirs", merged.theirs), ("conflict", merged.conflicts)):
        if names:
            more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
            yield f"  {title}: {', '.join(one_line(name, 80) for name in names[:_MAX_NAMED])}{more}"
    for one in merged.stale[:_MAX_NAMED]:
        reader, maker = (_side(stage, merged) for stage in (one.stage, one.producer))
        yield (
            f"  inconsistent: {reader} read {one_line(one.path, 200)} as {_short(one.read)}, "
            f"but {maker} made {_short(one.made)}"
        )
    yield "  dvc status names what must run again"


def _side(stage: str, merged: Merged) -> str:
    side = " (ours)" if stage in merged.ours else " (theirs)" if stage in merged.theirs else ""
    return f"{one_line(stage, 80)}{side}"


def _short(digest: str) -> str:
    kind, _, value = digest.partition(":")
    return f"{kind} {one_line(value)[:12]}"


# By lines ---------------------------------------------------------------------------------------------------------


def _by_lines(call: Call, job: _Job) -> int:
    """What git does without a driver."""
    labels = [word for label in ("ours", "base", "theirs") for word in ("-L", label)]
    places = map(str, (job.ours, job.base, job.theirs))
    done = _git(call).complete("merge-file", "-p", f"--marker-size={job.marker}", *labels, "--", *places)
    if 0 <= done.status < 128:
        write_file(job.ours, done.stdout)
        return MERGED if done.status == 0 else IN_CONFLICT
    # Binary, or too large for git: our side stays, in conflict, as git leaves it.
    call.say(f"{one_line(job.path)}: {one_line(done.stderr, 200)}")
    return IN_CONFLICT


def _git(call: Call) -> GitProcess:
    return GitProcess(call.directory, scrubbed(call.env))
