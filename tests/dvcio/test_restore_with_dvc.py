"""After a restore real DVC agrees: its status is clean, and its checkout has nothing to do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dvc_modelver.core.facts import Output
from dvc_modelver.dvcio.config import read_dvc_config
from dvc_modelver.dvcio.hashmemory import HashMemory
from dvc_modelver.dvcio.restore import Restore, Row, plan_restore
from dvc_modelver.errors import Refused
from tests.dvcio.bytes_support import Repo, dvc, snapshot

PATHS = ("model.bin", "words", "old.csv", "olddir")
TYPES = ("copy", "hardlink", "symlink", "reflink,copy")


def second_version(repo: Repo) -> dict[str, tuple[str, Output]]:
    """Change a file, one file in a directory, add and remove others; what the `.dvc` files said before."""
    first = {path: ((repo.root / f"{path}.dvc").read_text(), repo.output(path)) for path in PATHS}
    (repo.root / "model.bin").write_bytes(b"second")
    words = repo.root / "words"
    (words / "en" / "01.txt").write_text("another word\n")
    (words / "de" / "00.txt").unlink()
    (words / "fr").mkdir()
    (words / "fr" / "01.txt").write_text("mot\n")
    dvc("add", "-q", "model.bin", "words", cwd=repo.root)
    return first


def swap(repo: Repo, texts: dict[str, tuple[str, Output]]) -> tuple[list[Row], dict[str, tuple[str, Output]]]:
    """Put other `.dvc` files; the rows of a restore to them, and what they said before."""
    now = {path: ((repo.root / f"{path}.dvc").read_text(), repo.output(path)) for path in PATHS}
    rows: list[Row] = [(now[path][1], texts[path][1]) for path in PATHS]
    for path in PATHS:
        (repo.root / f"{path}.dvc").write_text(texts[path][0])
    return rows, now


def planned(repo: Repo, rows: list[Row]) -> Restore:
    config = read_dvc_config(repo.root / ".dvc", env=os.environ)
    return plan_restore(repo.root, repo.cache, rows, HashMemory(repo.base / "memory"), config=config)


def assert_dvc_agrees(repo: Repo) -> None:
    assert "up to date" in dvc("status", cwd=repo.root)
    before = pictures(repo.root)
    assert not [line for line in dvc("checkout", cwd=repo.root).splitlines() if line[:2] in ("M\t", "A\t", "D\t")]
    assert pictures(repo.root) == before


def pictures(root: Path) -> dict[str, tuple[int, int]]:
    """Every file of the outputs with inode and mtime."""
    files = [root / "model.bin", *(file for file in (root / "words").rglob("*") if not file.is_dir())]
    return {file.relative_to(root).as_posix(): (file.lstat().st_ino, file.lstat().st_mtime_ns) for file in files}


@pytest.mark.parametrize("kind", TYPES)
def test_dvc_has_nothing_to_do(bytes_repo: Repo, kind: str) -> None:
    """Back to the first version and forth to the second, by each link type."""
    (bytes_repo.root / ".dvc" / "config.local").write_text(f"[cache]\n    type = {kind}\n")
    before = {path: snapshot(bytes_repo.root / path) for path in ("words", "olddir")}
    first = second_version(bytes_repo)
    after = snapshot(bytes_repo.root / "words")
    rows, second = swap(bytes_repo, first)
    restore = planned(bytes_repo, rows)
    assert restore.puts == ("model.bin", "words/de/00.txt", "words/en/01.txt")
    assert restore.removals == ("words/fr/01.txt",)
    restore.apply()
    assert_dvc_agrees(bytes_repo)
    assert {path: snapshot(bytes_repo.root / path) for path in ("words", "olddir")} == before
    assert (bytes_repo.root / "model.bin").is_symlink() is (kind == "symlink")
    assert ((bytes_repo.root / "model.bin").lstat().st_nlink > 1) is (kind == "hardlink")
    rows, _ = swap(bytes_repo, second)
    planned(bytes_repo, rows).apply()
    assert_dvc_agrees(bytes_repo)
    assert snapshot(bytes_repo.root / "words") == after
    assert (bytes_repo.root / "model.bin").read_bytes() == b"second"


@pytest.mark.parametrize("kind", ["hardlink", "symlink"])
def test_what_dvc_has_linked_is_known_as_saved(bytes_repo: Repo, kind: str) -> None:
    """A work tree that DVC's own checkout made goes to another version and comes back by `dvc checkout`."""
    (bytes_repo.root / ".dvc" / "config.local").write_text(f"[cache]\n    type = {kind}\n")
    first = second_version(bytes_repo)
    dvc("checkout", "--relink", "-q", cwd=bytes_repo.root)
    rows, _ = swap(bytes_repo, first)
    planned(bytes_repo, rows).apply()
    assert_dvc_agrees(bytes_repo)


def test_unsaved_bytes_are_saved_by_the_hint(bytes_repo: Repo) -> None:
    """The hint's command is real: after it, the same restore goes."""
    wanted = bytes_repo.output("words")
    second_version(bytes_repo)
    (bytes_repo.root / "words" / "en" / "03.txt").write_text("mine\n")
    with pytest.raises(Refused, match=r"words/en/03\.txt") as refused:
        planned(bytes_repo, [(bytes_repo.output("words"), wanted)])
    command = refused.value.hint.split(",")[0]
    assert command == "dvc commit words"
    dvc(*command.split()[1:], "-f", "-q", cwd=bytes_repo.root)
    planned(bytes_repo, [(bytes_repo.output("words"), wanted)]).apply()
    assert (bytes_repo.root / "words" / "en" / "03.txt").read_text() == "word 3\n"
