"""Values from the repository made literal for their place in a card, without secrets.  Pure.

Each takes any text.  What a CommonMark parser shows is the text on one line (`fence`: its lines), control and hidden
characters as visible escapes, secrets as `***`.
"""

from __future__ import annotations

from dvc_modelver.cards.yamltext import yaml_scalar
from dvc_modelver.core.markdown import code_span, escape_at_line_start, escape_markdown, fenced
from dvc_modelver.core.secrets import redact_text
from dvc_modelver.core.text import one_line

__all__ = ["cell", "code", "code_cell", "fence", "html", "inline", "yaml_scalar"]


def cell(text: str) -> str:
    """For a table's cell."""
    return escape_markdown(redact_text(text))


def inline(text: str) -> str:
    """For running text, also at the beginning of a line or a list item."""
    return escape_at_line_start(redact_text(text))


def code(text: str) -> str:
    """As a code span, outside tables."""
    return code_span(redact_text(text))


def code_cell(text: str) -> str:
    """As a code span in a table's cell, where GitHub's tables split at each bare `|`, also inside code."""
    return code(text).replace("|", "\\|")


def fence(text: str, language: str = "") -> str:
    """As a fenced block."""
    return fenced(redact_text(text), language)


def html(text: str) -> str:
    """For the text or a quoted attribute of an HTML or SVG element."""
    from html import escape

    return escape(one_line(redact_text(text)), quote=True)
