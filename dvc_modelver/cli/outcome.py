"""How the result of a writing command is told."""

from __future__ import annotations

from dvc_modelver.cli.answer import Answer
from dvc_modelver.commands.publishing import Outcome, Written
from dvc_modelver.core.tags import Event


def answer(outcome: Outcome, remote: str | None) -> Answer:
    """The outcome in every form: JSON with the contract's keys, one line a model for people."""
    return Answer(
        data={
            "action": outcome.action,
            "dry_run": outcome.dry_run,
            "changed": outcome.changed,
            "models": [
                {
                    "name": w.name,
                    "version": w.version,
                    "stage": w.stage,
                    "tag": w.tag,
                    "commit": w.commit,
                    "published": w.published,
                }
                for w in outcome.models
            ],
            "steps": [{"do": step.do, "target": step.target} for step in outcome.steps],
        },
        lines=tuple(_plan(outcome)) if outcome.dry_run else tuple(_line(outcome, w) for w in outcome.models),
        notes=_notes(outcome) if remote is not None else (),
    )


def _plan(outcome: Outcome) -> list[str]:
    if not outcome.steps:
        return ["Nothing to do.", *(_line(outcome, w) for w in outcome.models)]
    return ["This would be done:", *(f"  {step.do}  {step.target}" for step in outcome.steps)]


def _line(outcome: Outcome, written: Written) -> str:
    what = f"{written.name}@{written.version}" if written.version is not None else written.name
    if outcome.action == "prepare":
        return f"{what} is prepared: commit the card, and release after the merge"
    if not outcome.changed:
        return _already(written, what)
    words = {
        Event.RELEASE: f"released {what}",
        Event.PROMOTE: f"{written.stage} of {written.name} now holds {written.version}",
        Event.WITHDRAW_STAGE: f"{written.stage} of {written.name} is empty now",
        Event.WITHDRAW_VERSION: f"withdrew {what}",
        Event.RETIRE: f"retired {written.name}",
    }
    said = words.get(written.event, what) if written.event is not None else what
    if outcome.action == "push":
        return f"published {written.tag}"
    stage = f", and {written.stage} holds it" if written.event is Event.RELEASE and written.stage else ""
    return f"{said}{stage}  (tag {written.tag}{', pushed' if written.published else ''})"


def _already(written: Written, what: str) -> str:
    if written.event is Event.PROMOTE:
        return f"{written.stage} of {written.name} holds {written.version} already"
    if written.event is Event.RELEASE:
        return f"{what} is released already: nothing that makes it has changed"
    return f"{what}: nothing to do ({written.tag})"


def _notes(outcome: Outcome) -> tuple[str, ...]:
    unpublished = outcome.changed and not outcome.dry_run and any(w.published is False for w in outcome.models)
    if outcome.action in ("push", "prepare") or not unpublished:
        return ()
    return ("note: not published yet: modelver push, or --push next time",)
