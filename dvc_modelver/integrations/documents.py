"""What all exported documents share: a lineage without secrets and control characters, ids, times, JSON.  Pure."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from urllib.parse import quote

from dvc_modelver._version import __version__
from dvc_modelver.core.lineage import Edge, Lineage, Node, NodeKind, Origin
from dvc_modelver.core.secrets import HIDDEN, redact_text, redact_value
from dvc_modelver.core.tagobjects import Identity
from dvc_modelver.core.text import one_line, safe

TOOL = "modelver"
PACKAGE = "pkg:pypi/dvc-modelver"
PRODUCER = f"{PACKAGE}@{quote(__version__)}"
"""This program, as a package URL."""
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, PACKAGE)
INCOMPLETE = "The history at hand does not say all of where this version comes from."
_URI_MARKS = ":/?#[]@!$&'()*+,;=%~-._"
_is_url = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://").match


def clean(lineage: Lineage) -> Lineage:
    """The same graph with every text on safe ground: secrets hidden, control characters escaped, ids still unique."""
    ids = _ids(node.id for node in lineage.nodes)
    notes = tuple(line(note) for note in lineage.notes)
    return Lineage(
        root=ids[lineage.root],
        nodes=tuple(_node(node, ids[node.id]) for node in lineage.nodes),
        edges=tuple(replace(edge, source=ids[edge.source], target=ids[edge.target]) for edge in lineage.edges),
        complete=lineage.complete,
        notes=notes if lineage.complete else notes or (INCOMPLETE,),
    )


def line(text: str) -> str:
    """Any text on one line: without secrets and control characters."""
    return one_line(redact_text(text))


def _ids(raw: Iterable[str]) -> Mapping[str, str]:
    """What differed only in what is hidden now is told apart by a number."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    uses: dict[str, int] = {}
    for id in raw:
        name = base = line(id)
        uses[base] = uses.get(base, 0) + 1
        while name in taken:
            name = f"{base}~{uses[base]}"
            uses[base] += 1
        found[id] = name
        taken.add(name)
    return found


def _node(node: Node, id: str) -> Node:
    return replace(
        node,
        id=id,
        label=line(node.label),
        path=None if node.path is None else line(node.path),
        digest=None if node.digest is None else line(node.digest),
        origin=node.origin and _origin(node.origin),
        returned=tuple(line(commit) for commit in node.returned),
        details={line(key): _detail(node, key, value) for key, value in node.details.items()},
    )


def _origin(origin: Origin) -> Origin:
    author = Identity(line(origin.author.name), line(origin.author.email))
    return replace(origin, commit=line(origin.commit), author=author, path=line(origin.path))


def _detail(node: Node, key: str, value: str) -> str:
    names = [key]
    if node.kind is NodeKind.PARAMS:
        names += [(node.path or "").rpartition(":")[2], node.label]
    number: object = float(value) if re.fullmatch(r"-?\d{1,300}(?:\.\d{1,300})?", value) else value
    hidden = any(redact_value(name, number) == HIDDEN for name in names)
    return HIDDEN if hidden else safe(redact_text(value))


def caption(node: Node) -> str:
    """What a picture says of a clean node below its label: its kind, and the commit and date of its origin."""
    known = (node.origin.commit[:8], stamp(node.origin.at)[:10]) if node.origin else ()
    return " ".join((node.kind.value, *known))


def by_id(lineage: Lineage) -> Mapping[str, Node]:
    """Node's id -> node."""
    return {node.id: node for node in lineage.nodes}


def touches(edge: Edge, nodes: Mapping[str, Node]) -> tuple[bool, bool]:
    """Whether the cause, and whether the effect, is a pipeline stage."""
    source, target = nodes[edge.source].kind, nodes[edge.target].kind
    return source is NodeKind.PIPELINE_STAGE, target is NodeKind.PIPELINE_STAGE


def stable_uuid(*parts: str) -> str:
    """The same for the same clean texts, everywhere."""
    return str(uuid.uuid5(NAMESPACE, "\0".join(parts)))


def stamp(at: datetime) -> str:
    """ISO 8601 in UTC, with a `Z`."""
    return at.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")


def is_url(text: str) -> bool:
    """Whether it begins with a scheme and `://`."""
    return _is_url(text) is not None


def uri(text: str) -> str:
    """A clean URL as standards take it: without what is left of user-info, other characters percent-encoded."""
    return quote(text.replace(f"://{HIDDEN}@", "://"), safe=_URI_MARKS)


def encoded(text: str) -> str:
    """Any clean text as a part of a URI: everything but letters, digits and `/ @ . _ -` percent-encoded."""
    return quote(text, safe="/@._-")


def dumps(document: object, indent: int | None = 2) -> str:
    """ASCII JSON with sorted keys, without a line end."""
    return json.dumps(document, allow_nan=False, ensure_ascii=True, indent=indent, sort_keys=True)
