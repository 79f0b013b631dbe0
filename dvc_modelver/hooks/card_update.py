"""`modelver-card-update`: brings the cards of the work tree up to date, and stops the commit when one was not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from dvc_modelver.hooks.call import Call
from dvc_modelver.hooks.cards import concerns_cards
from dvc_modelver.hooks.precommit import Finding, report, word
from dvc_modelver.hooks.staged import Staged

if TYPE_CHECKING:
    from dvc_modelver.hooks.cardcommands import CardUpdate


def run(call: Call) -> int:
    """0 when every card was up to date and is staged so, 1 when one was rewritten or is not staged."""
    with Staged(call) as staged:
        if not concerns_cards(staged):
            return 0
        return report(call, _findings(staged, call.cards().update(call, staged)))


def _findings(staged: Staged, updated: CardUpdate) -> Iterator[Finding]:
    for do, path in updated.steps:
        done = "was brought up to date" if do == "write" else "is not shown any more and was removed"
        yield Finding(path=path, problem=done, remedy=f"look at it, then git add {word(path)}, and commit again")
    told = {path for _, path in updated.steps}
    for path in _unstaged(staged, [path for path in updated.cards if path not in told]):
        yield Finding(path=path, problem="is up to date, but not as it is staged", remedy=f"git add {word(path)}")


def _unstaged(staged: Staged, places: Sequence[str]) -> Iterator[str]:
    """The cards of the work tree that the index does not have as they are."""
    if not places:
        return
    differing = staged.git.run("diff-files", "--name-only", "-z", "--no-relative", "--", *places)
    changed = {path.decode("utf-8", "surrogateescape") for path in differing.split(b"\0")}
    yield from (path for path in places if path in changed or staged.tree.entry(path) is None)
