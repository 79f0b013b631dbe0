"""Lines added to `artifacts:`: everything else of the file stays, byte for byte."""

from __future__ import annotations

import pytest

from dvc_modelver.dvcio.declare import add_artifacts
from dvc_modelver.dvcio.yaml12 import load_yaml
from dvc_modelver.errors import BadInput

CHURN = {"churn": {"path": "models/churn.pkl", "type": "model"}}
LINES = "churn:\n    path: models/churn.pkl\n    type: model\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "artifacts:\n  " + LINES),
        ("# only a comment", "# only a comment\nartifacts:\n  " + LINES),
        ("stages: {}\n", "stages: {}\nartifacts:\n  " + LINES),
        ("artifacts:\n", "artifacts:\n  " + LINES),
        ("artifacts:  # ours\nstages: {}\n", "artifacts:  # ours\n  " + LINES + "stages: {}\n"),
        ("artifacts: {}  # none\n", "artifacts:  # none\n  " + LINES),
        ("artifacts: null\n", "artifacts:\n  " + LINES),
        ("artifacts:\n  a:\n    path: x\n\n# end\n", "artifacts:\n  a:\n    path: x\n  " + LINES + "\n# end\n"),
        ("artifacts:\n  a:\n    path: x", "artifacts:\n  a:\n    path: x\n  " + LINES),
        (
            "artifacts:\n  a:\n    path: x\n    # type: model\nstages: {}\n",
            "artifacts:\n  a:\n    path: x\n    # type: model\n  " + LINES + "stages: {}\n",
        ),
        (
            "artifacts:\n  a:\n    desc: |\n      two\n      lines\n    path: x\n\nparams: [p]\n",
            "artifacts:\n  a:\n    desc: |\n      two\n      lines\n    path: x\n  " + LINES + "\nparams: [p]\n",
        ),
        (
            "artifacts:\n    a: {path: x, labels: [p,\n      q]}\n",
            "artifacts:\n    a: {path: x, labels: [p,\n      q]}\n    " + LINES.replace("\n    ", "\n      "),
        ),
        (
            "artifacts:\n  a:\n    path: x\n    desc: |\n      last\n",
            "artifacts:\n  a:\n    path: x\n    desc: |\n      last\n  " + LINES,
        ),
    ],
)
def test_lines_are_added_in_place(before: str, after: str) -> None:
    """The entries follow those that are there, in their indentation; comments, quotes and blank lines stay."""
    assert add_artifacts(before.encode(), "dvc.yaml", CHURN).decode() == after


def test_windows_lines_stay_windows_lines() -> None:
    """A file with CRLF gets lines with CRLF."""
    added = add_artifacts(b"stages: {}\r\n", "dvc.yaml", CHURN)
    assert added.startswith(b"stages: {}\r\nartifacts:\r\n")
    assert added.count(b"\n") == added.count(b"\r\n")


@pytest.mark.parametrize(
    "before",
    ["artifacts: {a: {path: x}}\n", "{stages: {}}\n", "stages: {}\n...\n", "artifacts: [a]\n", "- a\n", "a: [\n"],
)
def test_what_lines_cannot_be_added_to_is_refused(before: str) -> None:
    """A file written in another style, or broken, is never guessed at."""
    with pytest.raises(BadInput):
        add_artifacts(before.encode(), "dvc.yaml", CHURN)


def test_values_read_back_as_they_were() -> None:
    """Names and values that YAML would read as something else are quoted."""
    entries = {
        "123": {"path": "a: b #c.pkl", "type": "null"},
        "on": {
            "path": "é 'x' \"y\".pkl",
            "desc": "two\nlines",
            "labels": ["1e5", "x"],
            "meta": {"k": [1e-05, None, "🙂"]},
        },
    }
    assert load_yaml(add_artifacts(b"", "dvc.yaml", entries), name="dvc.yaml") == {"artifacts": entries}
