"""Values that a hostile repository may hold, and a parser nobody here wrote to read what became of them."""

from __future__ import annotations

from markdown_it import MarkdownIt
from markdown_it.token import Token

HOSTILE = (
    "{{7*7}}",
    "${x}",
    "$x^2$",
    "<script>alert(1)</script>",
    "</script>",
    "<!-- modelver:end metrics -->",
    "-->",
    "a|b",
    "a\\|b",
    "\\",
    "a\nb",
    "a\r\nb",
    "`",
    "``` `` `",
    "`a`",
    "```\n# x\n```",
    "[a](javascript:x)",
    "![a](x.png)",
    "[a]: http://x",
    "<http://x>",
    "http://host/a_b_c",
    "www.example.com",
    "@team",
    "---",
    "===",
    "***",
    "# x",
    "- x",
    "+ x",
    "1. x",
    "1) x",
    "> x",
    "    x",
    "|-|",
    ":-:",
    "~~x~~",
    "~~~",
    "*x*",
    "__x__",
    "&amp;",
    "&#35;",
    "&copy",
    "\x1b[31mred",
    "\u202eevil",
    "a\u200bb",
    "\ud800",
    "null",
    "",
    " ",
    "a  ",
    "ü\U0001f600",
)


def parse(text: str) -> list[Token]:
    """CommonMark with GitHub's tables and struck-out text."""
    return MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(text)


def literal(token: Token) -> str:
    """What an inline token shows, provided that it holds nothing but plain text."""
    parts = []
    for child in token.children or []:
        assert child.type in ("text", "text_special"), (child.type, token.content)
        parts.append(child.content)
    return "".join(parts)
