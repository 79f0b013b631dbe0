"""The block `summary`: which model this is, what it is for, where its bytes are and how good it is.  Pure."""

from __future__ import annotations

from dvc_modelver.cards.escape import inline
from dvc_modelver.cards.facts import CardFacts
from dvc_modelver.cards.tables import clip, digest_of, short_digest, span, value_cell
from dvc_modelver.core.facts import ArtifactFacts, Source
from dvc_modelver.core.metrics import label, leading
from dvc_modelver.core.sizes import size

MAX_METRICS = 4
MAX_LABELS = 20
MAX_TEXT = 600
"""Characters of the description."""


def render(facts: CardFacts) -> str:
    """Name and version, the description, then a short list."""
    items = (_kind(facts), _bytes(facts.artifact), _metrics(facts))
    listed = "\n".join(f"- {item[0].upper()}{item[1:]}" for item in items if item)
    return "\n\n".join(
        part for part in (_title(facts), inline(clip(facts.declared.desc or "", MAX_TEXT)), listed) if part
    )


def _title(facts: CardFacts) -> str:
    name = inline(clip(facts.name))
    version = facts.named.version
    return (
        f"{f'**{name}**' if name else 'A model'} {'(not released yet)' if version is None else inline(clip(version))}"
    )


def _kind(facts: CardFacts) -> str:
    declared = facts.declared
    names = [name for text in declared.labels if (name := inline(clip(text)))]
    more = f" and {len(names) - MAX_LABELS} more" if len(names) > MAX_LABELS else ""
    kind = inline(clip(declared.type or ""))
    labels = f"labels: {', '.join(names[:MAX_LABELS])}{more}" if names else ""
    return "; ".join(part for part in (f"type: {kind}" if kind else "", labels) if part)


def _bytes(artifact: ArtifactFacts) -> str:
    title = {"file": "file", "directory": "directory"}.get(artifact.kind or "", "path")
    path = span(artifact.path or "", MAX_TEXT) or "not known"
    if artifact.source is Source.MISSING:
        problem = inline(clip(artifact.problem or "", MAX_TEXT))
        return f"{title}: {path}, whose bytes were not found{f': {problem}' if problem else ''}"
    digest = digest_of(artifact)
    files = "" if artifact.files is None else f"{artifact.files:,} file{'' if artifact.files == 1 else 's'}"
    known = (files, "" if artifact.size is None else size(artifact.size), span(short_digest(digest or "")))
    return ", ".join((f"{title}: {path}", *(part for part in known if part)))


def _metrics(facts: CardFacts) -> str:
    several = len(facts.metrics) > 1
    found = leading(facts.metrics, facts.directions, MAX_METRICS)
    names = [span(label(key, file if several or not key else "")) for file, key in found]
    numbers = [value_cell(key, facts.metrics[file][key]) for file, key in found]
    return f"metrics: {', '.join(map(' '.join, zip(names, numbers, strict=True)))}" if found else ""
