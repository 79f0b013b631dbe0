"""Completion as real shells ask for it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support import DvcRepo, Modelver

bash = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")


def ask_bash(repo: DvcRepo, modelver: Modelver, folder: Path, words: str) -> list[str]:
    """What bash is offered for words that are separated by spaces, the last being the current one."""
    tool = folder / "modelver"
    tool.write_text("#!/bin/sh\nexec " + " ".join(modelver.argv()) + ' "$@"\n')
    tool.chmod(0o755)
    source = subprocess.check_output(
        [tool], env=repo.git.env | {"_MODELVER_COMPLETE": "source_bash"}, cwd=repo.path, text=True
    )
    array = " ".join(f"'{word}'" for word in words.split(" "))
    script = f"{source}\nCOMP_WORDS=({array}); COMP_CWORD={words.count(' ')}\n"
    script += '_modelver_completion "$0"; printf "%s\\n" "${COMPREPLY[@]}"\n'
    done = subprocess.run(
        ["bash", "--norc", "-c", script, tool], env=repo.git.env, cwd=repo.path, capture_output=True, text=True
    )
    assert done.stderr == ""
    return done.stdout.split()


@bash
def test_versions_and_stages_in_bash(dvc_repo: DvcRepo, modelver: Modelver, tmp_path: Path) -> None:
    """Bash splits at `@`: the version behind it is completed all the same, and so is the stage behind that."""
    modelver("release", "churn", "--stage", "prod", cwd=dvc_repo.git)
    for words, answers in {
        "modelver promote ch": ["churn"],
        "modelver promote churn @": ["v0.1.0", "latest"],
        "modelver promote churn @ v0": ["v0.1.0"],
        "modelver promote churn @ v0.1.0 p": ["prod"],
        "modelver promote churn @ v0.1.0 ": ["prod"],
        "modelver show churn#p": ["churn#prod"],
        "modelver show churn@v": ["churn@v0.1.0"],
    }.items():
        assert ask_bash(dvc_repo, modelver, tmp_path, words) == answers, words
