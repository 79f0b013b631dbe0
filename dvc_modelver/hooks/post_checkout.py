"""post-checkout: which version is checked out now, and whether its data is; silent when nothing of ours changed."""

from __future__ import annotations

from dvc_modelver.gitio.objects import Objects
from dvc_modelver.hooks.arrival import Arrival, tell
from dvc_modelver.hooks.call import Call

_WHOLE_TREE = "1"


def run(call: Call) -> int:
    """Always 0.  The arguments are the old HEAD, the new one, and `1` for a branch or `0` for single files."""
    if len(call.args) != 3 or call.args[2] != _WHOLE_TREE or call.args[0] == call.args[1]:
        return 0
    return tell(call, lambda objects: _arrival(call.args, objects), dvc_hook="post-checkout")


def _arrival(args: tuple[str, ...], objects: Objects) -> Arrival | None:
    """None after a clone or in a new worktree, where there was no commit before."""
    old, new = objects.commit(args[0]), objects.commit(args[1])
    return Arrival(old, new) if old is not None and new is not None else None
