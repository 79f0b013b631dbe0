"""Passwords, keys and tokens are known by their names and shapes; what only looks a little like one stays."""

from __future__ import annotations

import pytest

from dvc_modelver.core.markdown import escape_markdown
from dvc_modelver.core.secrets import HIDDEN, is_secret_name, redact_text, redact_value, scan

# Put together here, so that no scanner takes this file for a leak.
TOKENS = {
    "private key or certificate": "-----BEGIN RSA PRIVATE " + "KEY-----\nMIIEabc\n-----END RSA PRIVATE " + "KEY-----",
    "JSON web token": "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
    "AWS access key": "AKIA" + "IOSFODNN7EXAMPLE",
    "GitHub token": "ghp_" + "a1B2" * 9,
    "GitLab token": "glpat-" + "a1B2c3D4e5" * 2,
    "Hugging Face token": "hf_" + "aBcDeFgHiJ" * 4,
    "Slack token": "xoxb-" + "1234567890-abcdef",
    "API key": "sk-" + "proj-a1b2c3d4e5f6g7h8i9j0",
    "URL with a password or signature": "https://user:" + "hunter2@host/x",
}


@pytest.mark.parametrize("key", ["password", "DB_PASSWORD", "db.passwd", "apiKey", "api_key", "AWS_SECRET_ACCESS_KEY",
                                 "HF_TOKEN", "token", "client-secret", "smtp.pass", "auth", "connectionString",
                                 "private_key", "wandb.api-key", "credentials"])  # fmt: skip
def test_secret_names(key: str) -> None:
    """Settings of these names are hidden, whatever their value looks like."""
    assert is_secret_name(key)
    assert redact_value(key, "abc") == HIDDEN


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("max_tokens", 512, "512"),
        ("pad_token", "<pad>", "<pad>"),
        ("tokenizer", "bpe", "bpe"),
        ("token_count", 3, "3"),
        ("n_token", 5, "5"),
        ("token", 5, "5"),
        ("password", 12345, HIDDEN),
        ("password", None, "None"),
        ("password", "", ""),
        ("author", "Ada", "Ada"),
        ("key", "age", "age"),
        ("sort_key", "age", "age"),
        ("passes", 3, "3"),
        ("bypass", "x", "x"),
        ("learning_rate", 0.1, "0.1"),
        ("url", "https://u:p@host/x", "https://***@host/x"),
        ("cmd", "train --password hunter2 --lr 1", "train --password *** --lr 1"),
        ("cmd", "HF_TOKEN=abc123 python train.py", "HF_TOKEN=*** python train.py"),
    ],
)
def test_values(key: str, value: object, shown: str) -> None:
    """A value is hidden for its name or its shape, and shown as it is otherwise."""
    assert redact_value(key, value) == shown


@pytest.mark.parametrize(("kind", "token"), TOKENS.items(), ids=list(TOKENS))
def test_shapes(kind: str, token: str) -> None:
    """Each is taken out of text, and found in a finished card with its line, also where Markdown escaped it."""
    assert token not in redact_text(f"a {token} b")
    assert redact_text(f"a {token} b").startswith("a ")
    assert [(found.line, found.kind) for found in scan(f"one\ntwo {token}\n")] == [(2, kind)]
    assert scan(redact_text(f"one\ntwo {token}\n")) == ()
    if "\n" not in token and "://" not in token:
        escaped = token.replace("_", "\\_").replace("-", "\\-")
        assert [found.kind for found in scan(escaped)] == [kind]


def test_ordinary_text_stays() -> None:
    """Digests, versions, plain URLs and words are no secrets."""
    text = (
        f"sha256:{'ab12' * 16} v1.2.0 https://host/x?page=2 sklearn.ensemble sk-learn pypi.org AKIA me@example.com a=b"
    )
    assert redact_text(text) == text
    assert scan(text) == scan(escape_markdown(text)) == ()


def test_long_text_is_read_in_linear_time() -> None:
    """A long text of half a secret does not hold a command up."""
    for piece in ("-----BEGIN A-----", "--a-a-", "eyJaaaaaaaa.", "a_b.c-", "password", "sk-", "https://a:"):
        redact_text(piece * (500_000 // len(piece)))
