"""Text from a repository made safe to show: no terminal control, no hidden direction, no secrets.  Pure."""

from __future__ import annotations

import json
import re

_unsafe = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 (but tab and newline), DEL, C1
    "\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"  # bidi, hidden
    "\ud800-\udfff]"
)
_HIDDEN = r"(?!(?:\\?\*){3})"
"""What is hidden already stays as it is, also with Markdown's escapes."""
_user_info = re.compile(rf"(?<=://){_HIDDEN}[^/@\s]+(?:@[^/@\s]+)*@")
_signed_query = re.compile(
    r"([?&](?:(?:[a-z]+[-_])*(?:signature|token|secret|password|passwd)|sig|auth|key|api[-_]?key|access[-_]key"
    r"|X-(?:Amz|Goog)-[a-z-]+)=)"
    rf"{_HIDDEN}[^&\s'\"`]+",
    re.IGNORECASE,
)


def safe(text: str) -> str:
    """`text` with control, bidirectional and invisible characters written as escapes (`\\x1b`, `\\u202e`)."""
    return _unsafe.sub(lambda m: m[0].encode("unicode_escape", "surrogatepass").decode("ascii"), text)


def safe_json(text: str) -> str:
    """JSON text in which such characters are escaped as JSON does it (`\\u202e`); it means the same."""
    return _unsafe.sub(lambda m: json.dumps(m[0])[1:-1], text)


def quoted(word: str) -> str:
    """`word` between single quotes, so that a command which we show means the same when it is pasted into a shell."""
    return "'" + word.replace("'", "'\\''") + "'"


def one_line(text: str, limit: int = 0) -> str:
    """`text` safe and on one line; with `limit`, cut to so many characters with an ellipsis."""
    line = " ".join(safe(text).split())
    return f"{line[: limit - 1]}…" if limit and len(line) > limit else line


def redact(text: str) -> str:
    """`text` with the user-info of URLs and the values of signing query keys left out."""
    if "=" not in text and "://" not in text:
        return text
    return _signed_query.sub(r"\1***", _user_info.sub("***@", text))
