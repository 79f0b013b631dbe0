"""Text from anywhere as Markdown that reads literally: one home for what must be escaped.  Pure."""

from __future__ import annotations

import re

from dvc_modelver.core.text import one_line, redact, safe

# What inline Markdown, GitHub's autolinks (`://`, `www.`) and mentions (`@name`), or HTML could read as markup.
_special = re.compile(r"([\\`*_\[\]<>|~&$]|:(?=//)|(?<=www)\.|(?<!\w)@)")
_entities = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
_number = re.compile(r"(\d{1,9})(?=[.)](?: |$))")


def escape_markdown(text: str) -> str:
    """`text` on one line, every character that Markdown or HTML could read as markup made literal."""
    return _special.sub(lambda match: _entities.get(match[1], f"\\{match[1]}"), one_line(redact(text)))


def escape_at_line_start(text: str) -> str:
    """As `escape_markdown`, also where a line, a list item or a table's paragraph begins with it."""
    escaped = escape_markdown(text)
    if escaped.startswith(("-", "+", "#", "=", ":")):
        return f"\\{escaped}"
    return _number.sub(r"\1\\", escaped, count=1) if _number.match(escaped) else escaped


def code_span(text: str) -> str:
    """`text` on one line as a code span, in as many backticks as it takes; empty for an empty text."""
    line = one_line(redact(text))
    if not line:
        return ""
    runs = {len(run) for run in re.findall("`+", line)}
    ticks = "`" * next(n for n in range(1, len(runs) + 2) if n not in runs)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{ticks}{pad}{line}{pad}{ticks}"


def fenced(text: str, language: str = "") -> str:
    """`text` with its lines as a fenced block, in a fence that nothing inside it closes."""
    lines = safe(redact(text).replace("\r\n", "\n")).rstrip("\n")
    longest = max((len(run) for run in re.findall("`+", lines)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{lines}\n{fence}" if lines else f"{fence}{language}\n{fence}"
