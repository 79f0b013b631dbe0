"""How a step back is told: in the event's message and record, and in the note on the version that was left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from dvc_modelver.core.gate import Ruling
from dvc_modelver.core.guard import EVIDENCE, Decision, Report
from dvc_modelver.core.metrics import label
from dvc_modelver.core.registry import Model
from dvc_modelver.core.releases import NewTag, plan_promote
from dvc_modelver.core.secrets import redact_text
from dvc_modelver.core.stages import StageEvent
from dvc_modelver.core.text import one_line
from dvc_modelver.core.versions import Version

_MAX_RULES = 5
_MAX_TEXT = 200
"""Characters of a name or reason that others wrote."""


def rollback_event(model: Model, held: StageEvent, decision: Decision, to: Version, counter: int) -> NewTag:
    """The promote that puts `to` back; `counter` is the highest that is known of the artifact."""
    commit = model.release_ref(to).target or ""
    body = "\n".join(_lines(model.name, held, decision))
    tag = plan_promote(model, to, held.stage, commit, counter, body)
    record = replace(
        tag.record,
        rolled_back_from=str(held.version),
        reason=_text(f"guard: {decision.reason}"),
        extra=tuple((EVIDENCE, report.digest) for report in decision.evidence) + tuple(_facts(decision.evidence[-1])),
    )
    return replace(tag, record=record)


def _lines(name: str, held: StageEvent, decision: Decision) -> list[str]:
    """The reason in words."""
    last = decision.evidence[-1]
    count = f" of {last.samples:,} samples" if last.samples is not None else ""
    first = f"guard: {held.stage} leaves {name}@{held.version}; production reports{count}:"
    rules = [f"- {_text(label(r.metric))}: {_text(r.reason)} ({r.rule} {r.limit})" for r in _broken(last)]
    return [_text(first), *rules, f"evidence: {', '.join(report.digest for report in decision.evidence)}"]


def _facts(last: Report) -> list[tuple[str, str]]:
    """The first broken rule, for programs."""
    ruling = _broken(last)[0]
    facts = {
        "Metric": ruling.metric,
        "Rule": ruling.rule,
        "Limit": ruling.limit,
        "Value": ruling.value,
        "Reference": ruling.reference,
        "Samples": last.samples,
    }
    return [(f"Guard-{key}", _text(str(value))) for key, value in facts.items() if value is not None]


def _broken(report: Report) -> list[Ruling]:
    return list(report.breaches[:_MAX_RULES])


def _text(text: str) -> str:
    return one_line(redact_text(text), _MAX_TEXT)


def note_facts(stage: str, decision: Decision, tag: str) -> Mapping[str, object]:
    """What the note on the version that was left says."""
    facts: dict[str, object] = {"event": tag, "stage": stage}
    done = decision.done
    if done is not None and done.tag.record is not None:
        digests = [value for key, value in done.tag.record.extra if key == EVIDENCE]
        return {**facts, "to": str(done.version), "reason": done.tag.record.reason or "", "evidence": digests}
    last = decision.evidence[-1]
    return {
        **facts,
        "to": str(decision.to),
        "reason": _text(f"guard: {decision.reason}"),
        "samples": last.samples,
        "evidence": [report.digest for report in decision.evidence],
        "rules": [_rule(ruling) for ruling in _broken(last)],
    }


def _rule(ruling: Ruling) -> Mapping[str, object]:
    return {
        "metric": _text(ruling.metric),
        "rule": ruling.rule,
        "limit": ruling.limit,
        "value": ruling.value,
        "reference": ruling.reference,
    }
