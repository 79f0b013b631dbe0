"""`modelver-card`: the staged cards say what the staged files say."""

from __future__ import annotations

from dvc_modelver.hooks.call import Call
from dvc_modelver.hooks.cards import concerns_cards
from dvc_modelver.hooks.precommit import report
from dvc_modelver.hooks.staged import Staged


def run(call: Call) -> int:
    """0 when nothing is wrong with the cards (of the models named, else of all), 1 when something is."""
    with Staged(call) as staged:
        if not concerns_cards(staged):
            return 0
        return report(call, call.cards().check(call, staged, staged.config()))
