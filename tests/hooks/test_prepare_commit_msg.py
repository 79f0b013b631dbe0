"""prepare-commit-msg through real git: comments where a person writes the message, and nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvc_modelver.hooks.prepare_commit_msg import _insert
from tests.support import DvcRepo, Modelver

ROWS = [
    "#   metric metrics.json auc: 0.8 -> 0.95",
    "#   param params.yaml train.depth: 6 -> 9",
]


@pytest.fixture
def repo(dvc_repo: DvcRepo, modelver: Modelver) -> DvcRepo:
    """The hook installed and asked for, a new training staged, and an editor that keeps what it was shown."""
    dvc_repo.git.commit("Ask", {".modelver.yaml": "hooks: {messages: true}\n"})
    modelver("hooks", "install", cwd=dvc_repo.git)
    dvc_repo.fake_train(9)
    dvc_repo.git("reset", "-q", "--soft", "HEAD~1")
    editor = dvc_repo.git.write(
        "../editor", '#!/bin/sh\ncp "$1" "$1.shown"\nprintf "%s\\n" "Words" "$(cat "$1")" >"$1"\n'
    )
    editor.chmod(0o755)
    dvc_repo.git.extra_env |= {"GIT_EDITOR": str(editor)}
    return dvc_repo


def shown(repo: DvcRepo, *words: str) -> list[str]:
    """The lines that the editor was shown at `git commit WORDS`; the commit goes through."""
    path = repo.path / ".git/COMMIT_EDITMSG.shown"
    path.unlink(missing_ok=True)
    repo.git.clock.tick()
    repo.git("commit", "-q", *words)
    return path.read_text().splitlines() if path.exists() else []


def test_changes_are_shown_and_left_out(repo: DvcRepo) -> None:
    """The editor shows what is staged against HEAD, and the message has none of it."""
    lines = shown(repo)
    start = lines.index("# This commit changes:")
    assert [line for line in lines[start:] if "auc" in line or "depth" in line] == ROWS
    assert repo.git("log", "-1", "--format=%B").strip() == "Words"


@pytest.mark.parametrize("words", [("-m", "Mine"), ("-F", "../message"), ("-C", "HEAD"), ("--amend", "--no-edit")])
def test_messages_of_others_stay(repo: DvcRepo, words: tuple[str, ...]) -> None:
    """A message that is given is not touched."""
    repo.git.write("../message", "# Mine\n")
    repo.git("config", "commit.cleanup", "default")
    shown(repo, *words)
    assert "This commit changes" not in (repo.path / ".git/COMMIT_EDITMSG").read_text()
    assert "auc" not in repo.git("log", "-1", "--format=%B")


def test_edited_messages_of_others_stay(repo: DvcRepo) -> None:
    """Nor is one that is given and then edited, or that of an amended commit, a squash or a merge."""
    assert not any("This commit changes" in line for line in shown(repo, "-e", "-m", "Mine"))
    assert not any("This commit changes" in line for line in shown(repo, "--amend"))
    repo.git("checkout", "-q", "-b", "side", "HEAD~1")
    repo.git.commit("Aside", {"aside.txt": "x"})
    repo.git("merge", "-q", "--squash", "main")
    assert not any("This commit changes" in line for line in shown(repo))
    repo.git("reset", "-q", "--hard", "HEAD~1")
    repo.git("merge", "-q", "--no-commit", "--no-ff", "main")
    assert not any("This commit changes" in line for line in shown(repo))


def test_comment_characters(repo: DvcRepo) -> None:
    """`core.commentChar` is honoured, also when git chooses it."""
    repo.git("config", "core.commentChar", ";")
    assert "; This commit changes:" in shown(repo)
    repo.git("reset", "-q", "--soft", "HEAD~1")
    repo.git("config", "core.commentChar", "auto")
    assert "# This commit changes:" in shown(repo)
    assert repo.git("log", "-1", "--format=%B").strip() == "Words"


@pytest.mark.parametrize("words", [("-v",), ("--cleanup=scissors",), ("-v", "--cleanup=scissors")])
def test_below_the_scissors(repo: DvcRepo, words: tuple[str, ...]) -> None:
    """Where git drops all below a line, the comments are below it, and the diff stays whole."""
    lines = shown(repo, *words)
    cut = next(n for n, line in enumerate(lines) if ">8" in line)
    assert lines.index("# This commit changes:") > cut
    assert any(line.startswith("diff --git") for line in lines) == ("-v" in words)
    assert repo.git("log", "-1", "--format=%B").strip().splitlines()[0] == "Words"
    assert "auc" not in repo.git("log", "-1", "--format=%B")


@pytest.mark.parametrize("cleanup", ["verbatim", "whitespace"])
def test_where_comments_are_kept(repo: DvcRepo, cleanup: str) -> None:
    """With a cleanup that keeps comments nothing is written."""
    repo.git("config", "commit.cleanup", cleanup)
    assert not any("This commit changes" in line for line in shown(repo))


def test_part_of_the_work_tree(repo: DvcRepo) -> None:
    """What counts is what this commit holds: `git commit PATH` has an index of its own."""
    repo.git("reset", "-q")
    lines = shown(repo, "params.yaml")
    assert [line for line in lines if "auc" in line or "depth:" in line] == ROWS[1:]
    lines = shown(repo, "-a")
    assert [line for line in lines if "auc" in line or "depth:" in line] == ROWS[:1]


def test_not_asked_for(repo: DvcRepo) -> None:
    """Without `hooks.messages` the hook does nothing, and neither does a broken configuration or repository."""
    for config in ("", "hooks: {messages: false}\n", "hooks: [", "hooks: {messages: 7}\n"):
        repo.git.write(".modelver.yaml", config)
        assert not any("This commit changes" in line for line in shown(repo))
        repo.git("reset", "-q", "--soft", "HEAD~1")
    repo.git.write(".modelver.yaml", "hooks: {messages: true}\n")
    repo.git.write("dvc.yaml", "a: [")
    repo.git("add", "-A")
    assert shown(repo)


@given(st.lists(st.sampled_from(["", "words", "# note", "# ------------------------ >8 ------------------------"])))
def test_nothing_else_changes(lines: list[str]) -> None:
    """All lines stay, in order, and ours stand together."""
    text = "\n".join(lines).encode()
    found = _insert(text, b"#", b"# A\n# B\n").split(b"\n")
    at = found.index(b"# A")
    rest = found[:at] + found[at + 2 :]
    assert found[at + 1] == b"# B"
    assert b"\n".join(rest).rstrip(b"\n") == text.rstrip(b"\n")
