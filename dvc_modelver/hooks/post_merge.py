"""post-merge: which version a merge or a pull has led to, and whether its data is here; else silent.

DVC has no hook for merges: the data that a pull brings has to be asked for.
"""

from __future__ import annotations

from dvc_modelver.gitio.objects import Objects
from dvc_modelver.hooks.arrival import Arrival, tell
from dvc_modelver.hooks.call import Call

_SQUASH = "1"


def run(call: Call) -> int:
    """Always 0.  The argument is `1` for a squash, which moves no branch."""
    return 0 if call.args[:1] == (_SQUASH,) else tell(call, _arrival)


def _arrival(objects: Objects) -> Arrival | None:
    """git keeps where the branch was before a merge as ORIG_HEAD."""
    old, new = objects.commit("ORIG_HEAD"), objects.commit("HEAD")
    return Arrival(old, new) if old is not None and new is not None else None
