"""Tables, names, numbers and digests as they stand in a card: cut to what a reader takes in.  Pure."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from dvc_modelver.cards.escape import cell, code
from dvc_modelver.core.facts import ArtifactFacts, Scalar
from dvc_modelver.core.metrics import is_number
from dvc_modelver.core.secrets import HIDDEN, redact_text, redact_value
from dvc_modelver.core.text import one_line

MAX_ROWS = 100
"""Of one table; what is more is counted below it."""
MAX_CELL = 120
"""Characters of a name or value in a cell."""
MAX_NAME = 300
"""Characters of a path, name or URL elsewhere."""
TIMES = "\N{MULTIPLICATION SIGN}"
_DIGITS = 12
"""Of a digest: enough to tell one from another."""


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, right: Collection[int] = ()) -> str:
    """A Markdown table of cells that are escaped already; empty without rows.

    Args:
        right: indices of the columns of numbers.
    """
    if not rows:
        return ""
    rule = ["---:" if n in right else "---" for n in range(len(head))]
    lines = [_line(row) for row in (head, rule, *rows[:MAX_ROWS])]
    more = len(rows) - MAX_ROWS
    return "\n".join(lines) + (f"\n\n*and {more} more*" if more > 0 else "")


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def clip(text: str, limit: int = MAX_NAME) -> str:
    """Any text on one line, cut; not escaped.  Secrets are hidden before the cut: half a token has no shape."""
    return one_line(redact_text(text), limit)


def text_cell(text: str) -> str:
    """Any text in a cell: escaped, without secrets, on one line, cut."""
    return cell(clip(text, MAX_CELL))


def span(text: str, limit: int = MAX_NAME) -> str:
    """Any text as a code span outside tables, cut."""
    return code(clip(text, limit))


def value_cell(key: str, value: Scalar) -> str:
    """A metric's value in a cell: numbers rounded for people, texts as they are."""
    if is_number(value) and redact_value(key, value) == HIDDEN:
        return text_cell(HIDDEN)
    if isinstance(value, float):
        return number(value)
    return text_cell(exact(value)) if is_number(value) else param_cell(key, value)


def digest_of(artifact: ArtifactFacts) -> str | None:
    """What names the artifact's bytes: DVC's digest, or Git LFS's, or Git's own."""
    if artifact.digest is not None:
        return artifact.digest
    if artifact.lfs is not None:
        return f"sha256:{artifact.lfs}"
    return f"git:{artifact.blob}" if artifact.blob is not None else None


def short_digest(digest: str) -> str:
    """A digest's first digits, with its kind in front; not escaped."""
    kind, colon, value = clip(digest).partition(":")
    directory = ".dir" if value.endswith(".dir") else ""
    return f"{kind}{colon}{value.removesuffix('.dir')[:_DIGITS]}{directory}"


def param_cell(key: str, value: object) -> str:
    """The value of the param `key` in a cell, hidden when it looks like a secret."""
    if isinstance(value, int) and value.bit_length() >= 14_000:
        return text_cell(hex(value))  # Python refuses to write it in decimal
    hidden = redact_value(key, value)  # asked with the value's own type: `max_token: 512` is no secret
    known = isinstance(value, (bool, int, float)) or value is None
    return text_cell(exact(value) if known and hidden == str(value) else hidden)  # type: ignore[arg-type]


def exact(value: Scalar) -> str:
    """A scalar as its file would have it: `true`, `null`, `1e-05`."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return str(value) if value.bit_length() < 14_000 else hex(value)
    return number(value, digits=17) if isinstance(value, float) else value


def number(value: float, digits: int = 6) -> str:
    """A measured number for people: at most `digits` significant digits; `NaN`, `Infinity`."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return repr(value) if digits >= 17 else f"{value:.{digits}g}"
