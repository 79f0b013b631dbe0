"""`compare` counts the lines that changed: of the pipeline's own sources, and of the rest of the repository."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dvc_modelver.gitio.diffs import lines_between, lines_of, parse_numstat
from dvc_modelver.gitio.process import GitProcess, scrubbed
from tests.support import DvcRepo, Git, Modelver


def md5(path: Path) -> str:
    """As DVC writes it."""
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def rewrite(repo: DvcRepo, path: str, text: str) -> None:
    """Change a source, and say in `dvc.lock` that the pipeline ran with it."""
    file, lock = repo.path / path, repo.path / "dvc.lock"
    old = md5(file)
    file.write_text(text)
    locked = lock.read_text()
    assert old in locked
    size = f"path: {path}\n      hash: md5\n      md5: {md5(file)}"
    lock.write_text(locked.replace(f"path: {path}\n      hash: md5\n      md5: {old}", size))


def numstat(git: Git, *words: str) -> dict[str, dict[str, int]]:
    """What git itself counts."""
    rows = (line.split("\t") for line in git("diff", "--numstat", *words).splitlines())
    return {path: {"added": int(added), "removed": int(removed)} for added, removed, path in rows}


def code(answer: dict[str, Any]) -> dict[str, list[dict[str, int] | None]]:
    """path -> lines, of the rows that changed."""
    return {row["path"]: row["lines"] for row in answer["code"] if row["change"] != "unchanged"}


def test_lines_of_sources_and_of_the_rest(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """The sources' lines and those of all other files are what `git diff --numstat` counts, remembered or not."""
    git = dvc_repo.git
    git.tag("churn@v0.1.0")
    rewrite(dvc_repo, "src/train.py", (dvc_repo.path / "src/train.py").read_text() + "# more\n# and more\n")
    git.commit("Train otherwise", {"docs/why.md": "a\nb\nc\n", "logo.png": "\0\1\2"})
    counted = numstat(git, "churn@v0.1.0", "HEAD", "--", "src", "docs")
    for _ in range(2):
        answer = modelver("compare", "churn@v0.1.0", "HEAD", "--json", cwd=git).json
        assert code(answer) == {"src/train.py": [None, counted["src/train.py"]]}
        assert answer["other_files"] == [None, 2]
        assert answer["other_lines"] == [None, counted["docs/why.md"]]
    text = modelver("compare", "churn@v0.1.0", "HEAD", cwd=git).out
    assert "src/train.py" in text
    assert "+2 -0" in text
    assert "2 other files of the repository changed (+3 -0 lines)." in text


def test_lines_of_the_work_tree(dvc_repo: DvcRepo, modelver: Modelver) -> None:
    """What is not committed is counted against the version, whatever attributes and diff programs are configured."""
    git = dvc_repo.git
    git.tag("churn@v0.1.0")
    canary = dvc_repo.path.parent / "canary"
    git("config", "diff.evil.textconv", f"touch {canary}; cat")
    git("config", "filter.evil.clean", f"touch {canary}; cat")
    git("config", "diff.external", f"touch {canary};")
    (dvc_repo.path / ".git/info/attributes").write_text("*.py diff=evil filter=evil\n")
    text = (dvc_repo.path / "src/prepare.py").read_text()
    rewrite(dvc_repo, "src/prepare.py", "\n".join(["# first", *text.splitlines()[1:]]) + "\n")
    answer = modelver("compare", "churn@v0.1.0", "--json", cwd=git).json
    assert code(answer) == {"src/prepare.py": [None, {"added": 1, "removed": 1}]}
    assert answer["other_lines"] == [None, None]
    assert not canary.exists()


_texts = st.dictionaries(
    st.sampled_from(["a.py", "b\tc.py", "ä.py", "d e"]), st.lists(st.sampled_from("abc\0"), max_size=5).map("\n".join)
)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Git:
    """An empty repository that examples share."""
    return Git(tmp_path_factory.mktemp("lines") / "repo", home).init()


@settings(max_examples=15, deadline=None)
@given(old=_texts, new=_texts)
@example(old={"a.py": "a"}, new={"b\tc.py": "a\nb"})
@example(old={"a.py": "a\0"}, new={})
def test_files_and_commits_are_counted_alike(scratch: Git, old: dict[str, str], new: dict[str, str]) -> None:
    """Counted from their bytes, the lines are those that git counts between two commits with the same files."""
    commits = []
    for files in (old, new):
        scratch("read-tree", "--empty")
        for name, text in files.items():
            oid = scratch("hash-object", "-w", "--stdin", input=text).strip()
            scratch("update-index", "--add", "--cacheinfo", f"100644,{oid},{name}")
        commits.append(scratch("commit-tree", "-m", "x", scratch("write-tree").strip()).strip())
    process = GitProcess(scratch.path, scrubbed(scratch.env))
    names = sorted({*old, *new})
    between = lines_between(process, commits[0], commits[1], names)
    sides = [{name: text.encode() for name, text in files.items()} for files in (old, new)]
    assert between == lines_of(process, sides[0], sides[1])
    assert between.keys() <= {name for name in names if old.get(name) != new.get(name)}


def test_numstat_of_odd_names() -> None:
    """Names with tabs and line ends are one field; binary files are left out."""
    assert parse_numstat(b"1\t2\ta\tb\n\0-\t-\tc\x000\t3\t\0old/0\0/dev/null\0") == {"a\tb\n": (1, 2), "old/0": (0, 3)}
