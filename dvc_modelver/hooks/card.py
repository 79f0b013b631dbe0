"""`modelver-card`: the staged cards say what the staged files say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dvc_modelver.gitio.process import scrubbed
from dvc_modelver.hooks.call import Call
from dvc_modelver.hooks.cards import concerns_cards, rows, run_card
from dvc_modelver.hooks.precommit import Finding, report
from dvc_modelver.hooks.staged import Staged


def run(call: Call) -> int:
    """0 when nothing is wrong with the cards (of the models named, else of all), 1 when something is."""
    with Staged(call) as staged:
        if not concerns_cards(staged):
            return 0
        from dvc_modelver.hooks.snapshot import checked_out

        with checked_out(staged) as root:
            answer = run_card("check", call.args, root, scrubbed(call.env))
    return report(call, _findings(answer))


def _findings(answer: Mapping[str, object]) -> Iterator[Finding]:
    for card in rows(answer.get("cards")):
        for key in ("problems", "notes"):
            for row in rows(card.get(key)):
                line = row.get("line")
                yield Finding(
                    path=f"{card.get('path')}:{line}" if line is not None else str(card.get("path")),
                    problem=str(row.get("problem")),
                    remedy=f"{row.get('remedy') or 'look at it'}, then git add {card.get('path')}",
                    note=key == "notes",
                )
