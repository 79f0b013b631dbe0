"""What must not reach a card, a log or an error: passwords, keys and tokens, known by their names or shapes.  Pure.

Shapes are those that their issuers document; names are what people call such settings.  What language models call a
token (`pad_token`, `max_tokens: 512`) stays readable.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from dvc_modelver.core.text import redact

HIDDEN = "***"

_SHAPES = {
    "private key or certificate": r"-----BEGIN [A-Z0-9 ]{1,60}-----"
    r"(?:(?:(?!-----BEGIN )[\s\S]){0,20000}?-----END [A-Z0-9 ]{1,60}-----)?",
    "JSON web token": r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?",
    "AWS access key": r"\b(?:AKIA|ASIA|AGPA|AIDA|AROA|ANPA)[A-Z0-9]{16}\b",
    "GitHub token": r"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{22,})",
    "GitLab token": r"\bgl(?:pat|dt|rt|cbt|ptt|ft|soat)-[A-Za-z0-9_-]{20,}",
    "Hugging Face token": r"\b(?:hf|api_org)_[A-Za-z0-9]{30,}",
    "Slack token": r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}",
    "Google key": r"\bAIza[A-Za-z0-9_-]{35}",
    "Google OAuth token": r"\bya29\.[A-Za-z0-9_-]{20,}",
    "API key": r"\b(?:sk-(?=[A-Za-z_-]{0,40}[0-9])[A-Za-z0-9_-]{20,}|[spr]k_(?:live|test)_[A-Za-z0-9]{16,})",
    "PyPI token": r"\bpypi-[A-Za-z0-9_-]{32,}",
    "npm token": r"\bnpm_[A-Za-z0-9]{36}",
    "Databricks token": r"\bdapi[0-9a-f]{32}",
    "SendGrid key": r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
    "Azure account key": r"\b(?:AccountKey|SharedAccessKey|SharedAccessSignature)=[^;\s\"']{10,}",
}
_BEGINNINGS = (
    *("-----BEGIN ", "eyJ", "AKIA", "ASIA", "AGPA", "AIDA", "AROA", "ANPA", "ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
    *("github_pat_", "glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "glft-", "glsoat-", "hf_", "api_org_", "xox"),
    *("AIza", "ya29.", "sk-", "k_live_", "k_test_", "pypi-", "npm_", "dapi", "SG.", "AccountKey=", "SharedAccess"),
)
"""One of these stands in whatever has one of the shapes: looking for them first is 30 times faster."""
_shape = re.compile("|".join(f"(?P<s{n}>{pattern})" for n, pattern in enumerate(_SHAPES.values())))
_NAMES = (
    r"(?:pass(?:word|wd|phrase|code)s?|pwd|secrets?|credentials?|(?:api|access|secret|private|signing|encryption|account"
    r"|session|auth|ssh|deploy|license)[-_.]?keys?|token|auth|authorization|bearer|cookie|connection[-_.]?string|dsn|jwt|pat)"
)
_command_flag = re.compile(
    rf"(--?(?:[a-z0-9]{{1,40}}[-_]){{0,8}}{_NAMES}[= ]\s*)(\"[^\"]*\"|'[^']*'|[^\s-][^\s]*)", re.IGNORECASE
)
_assigned = re.compile(
    rf"((?<![A-Za-z0-9])(?:[A-Za-z0-9]{{1,40}}[-_.]){{0,8}}{_NAMES}=)(\"[^\"]*\"|'[^']*'|[^\s\"'&;|]+)", re.IGNORECASE
)
_word = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_name = re.compile(
    r"\b(?:pass(?:words?|wd|code| ?phrase)|pass word|pwd|secrets?|credentials?|authorization|bearer|dsn|jwt"
    r"|(?:api|access|secret|private|account|session|signing|encryption|ssh|deploy|license) ?keys?"
    r"|(?:db|database|user|smtp|mail|admin|root) pass|connection string)\b"
)
_perhaps = re.compile(r"\b(?:token|auth|cookie|pat)\b")
"""Names of secrets unless the value is a number."""
_model_token = re.compile(
    r"\b(?:pad|[be]os|unk|sep|cls|mask|special|stop|start|end|begin|decoder|image|audio|max|min|n|num|next|per) token"
    r"|token (?:ids?|types?|counts?|length|limit|size|index|embedding|weight|level)\b"
)
"""What language models call a token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretFinding:
    """Something that looks like a secret; never the secret itself."""

    line: int
    """From 1."""
    kind: str


def is_secret_name(key: str) -> bool:
    """Whether a setting of this name is expected to hold a secret (`db.password`, `apiKey`, `HF_TOKEN`)."""
    return _secret_name(key, number=False)


def _secret_name(key: str, number: bool) -> bool:
    words = " ".join(word.lower() for word in _word.findall(key))
    return bool(_name.search(words) or (not number and _perhaps.search(_model_token.sub("", words))))


def redact_value(key: str, value: object) -> str:
    """A setting's value as text, hidden when its name or its shape says that it is a secret."""
    text = str(value)
    if value is not None and text and _secret_name(key, number=isinstance(value, (bool, int, float))):
        return HIDDEN
    return redact_text(text)


def redact_text(text: str) -> str:
    """`text` without what looks like a secret: URLs' user-info and signed queries, tokens, keys, `--password X`."""
    text = redact(text)
    if _may_hold_shape(text):
        text = _shape.sub(HIDDEN, text)
    if "=" in text or "-" in text:
        text = _assigned.sub(rf"\1{HIDDEN}", _command_flag.sub(rf"\1{HIDDEN}", text))
    return text


def _may_hold_shape(text: str) -> bool:
    return any(beginning in text for beginning in _BEGINNINGS)


def scan(text: str) -> tuple[SecretFinding, ...]:
    """Where a finished Markdown text still holds something that looks like a secret, in the order of lines."""
    import html

    bare = html.unescape(re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", text))
    return tuple(sorted(set(_found(bare)), key=lambda finding: (finding.line, finding.kind)))


def _found(text: str) -> Iterator[SecretFinding]:
    kinds = tuple(_SHAPES)
    at, counted = 1, 0
    for match in _shape.finditer(text) if _may_hold_shape(text) else ():
        kind = kinds[int(str(match.lastgroup)[1:])]
        at, counted = at + text.count("\n", counted, match.start()), match.start()
        yield SecretFinding(line=at, kind=kind)
    for number, line in enumerate(text.split("\n"), 1) if redact(text) != text else ():
        if redact(line) != line:
            yield SecretFinding(line=number, kind="URL with a password or signature")
