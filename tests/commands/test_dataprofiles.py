"""Profiles of what DVC and Git track: whose bytes are looked at, and what is remembered of them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dvc_modelver.commands.bytes_at_hand import Bytes
from dvc_modelver.commands.comparison import profiles as dataprofiles
from dvc_modelver.commands.comparison.profiles import profile_output
from dvc_modelver.commands.project import Project, Surroundings
from dvc_modelver.core.facts import Output
from dvc_modelver.core.tables import TableProfile
from dvc_modelver.dvcio.profiles import profile_table
from tests.support import DvcRepo
from tests.support.repos import put_object

PATH = "data/table.csv"
TABLE = b"id,name,score,when\n1,x,0.5,2026-01-31\n2,y,inf,2026-02-01\n3,,NaN,2026-02-02\n"
OTHER = b"id,name\n1,x\n"


class Case:
    """A repository's project, opened anew for each question, as each command opens it."""

    def __init__(self, repo: DvcRepo) -> None:
        self.repo = repo
        self.told: list[tuple[int, int, str]] = []

    def ask(self, output: Output | str, commit: str | None = None) -> TableProfile | None:
        around = Surroundings(
            directory=self.repo.path,
            env=self.repo.git.env,
            progress=lambda *args: self.told.append(args),
        )
        with Project(around) as project, Bytes(project) as at_hand:
            return profile_output(project, at_hand, output, project.tree(commit) if commit else None)

    @property
    def memory(self) -> list[Path]:
        return sorted((self.repo.path / ".git").rglob("tables-*/*"))

    def cached(self, data: bytes = TABLE, path: str = PATH) -> Output:
        put_object(self.repo.cache, data)
        return named(data, path)


def named(data: bytes = TABLE, path: str = PATH) -> Output:
    return Output(path=path, digest=f"md5:{hashlib.md5(data).hexdigest()}", size=len(data))


def altered(place: Path, data: bytes) -> None:
    place.chmod(0o644)
    place.write_bytes(data)


@pytest.fixture
def case(dvc_repo: DvcRepo) -> Case:
    return Case(dvc_repo)


@pytest.fixture
def never_read(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whoever reads a table fails."""

    def refuse(*args: object, **options: object) -> None:
        raise AssertionError("a table was read")

    with monkeypatch.context() as patch:
        patch.setattr(dataprofiles, "profile_table", refuse)
        yield


def test_what_dvc_itself_tracks(case: Case) -> None:
    """The bytes that real DVC put into its cache, also when the work tree lacks them; progress is told."""
    raw = (case.repo.path / "data/raw.csv").read_bytes()
    (case.repo.path / "data/raw.csv").unlink()
    found = case.ask(named(raw, "data/raw.csv"))
    assert found is not None
    assert found == profile_table(raw, "raw.csv")
    assert (found.rows, len(found.columns)) == (39, 3)
    assert case.told[-1] == (len(raw), len(raw), "data/raw.csv")


def test_the_work_tree_has_what_the_cache_lacks(case: Case) -> None:
    """Only while its bytes are those of the digest."""
    case.repo.git.write(PATH, TABLE.decode())
    assert case.ask(named()) == profile_table(TABLE, PATH)
    assert case.ask(named(OTHER)) is None


def test_git_has_what_dvc_only_hashed(case: Case) -> None:
    """An input that lies in Git at that commit, whatever the work tree has; and one that has no digest at all."""
    commit = case.repo.git.commit("A table in Git", {PATH: TABLE.decode()})
    case.repo.git.write(PATH, OTHER.decode())
    expected = profile_table(TABLE, PATH)
    assert case.ask(named(), commit) == expected
    assert case.ask(PATH, commit) == expected
    assert case.ask(Output(path=PATH, digest=None), commit) == expected
    assert case.ask(PATH) == profile_table(OTHER, PATH)
    assert case.ask(named(b"something else"), commit) is None


@pytest.mark.parametrize("data", [TABLE[:-1], TABLE.replace(b"0.5", b"0.6"), b"", OTHER])
def test_corrupt_bytes_are_not_profiled(case: Case, data: bytes) -> None:
    """Truncated, altered, emptied or exchanged, and nothing is remembered of them; sound bytes then are."""
    output = case.cached()
    place = case.repo.object_path(hashlib.md5(TABLE).hexdigest())
    altered(place, data)
    assert case.ask(output) is None
    assert case.memory == []
    altered(place, TABLE)
    assert case.ask(output) == profile_table(TABLE, PATH)


def test_legacy_digests(case: Case) -> None:
    """DVC 2 hashed text with its line ends as LF, and kept it elsewhere."""
    data = TABLE.replace(b"\n", b"\r\n")
    put_object(case.repo.path / ".dvc" / "cache", data)
    digest = hashlib.md5(TABLE).hexdigest()
    place = case.repo.path / ".dvc" / "cache" / digest[:2] / digest[2:]
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    assert case.ask(replace(named(), hash_name="md5-dos2unix")) == profile_table(data, PATH)


def test_remembered_by_digest(case: Case, never_read: None) -> None:
    """Once known, it needs neither the file nor another look; other bytes, or the same as another format, do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataprofiles, "profile_table", profile_table)
        output = case.cached()
        first = case.ask(output)
    case.repo.object_path(hashlib.md5(TABLE).hexdigest()).unlink()
    assert first is not None
    assert case.ask(output) == first
    assert case.ask(replace(output, path="elsewhere/b.csv")) == first
    with pytest.raises(AssertionError, match="a table was read"):
        case.ask(case.cached(OTHER))
    case.cached()
    with pytest.raises(AssertionError, match="a table was read"):
        case.ask(replace(output, path="data/table.tsv"))


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"\xff\x00",
        b"[" * 100_000,
        b"{}",
        b"null",
        {"table": None},
        {"table": {"rows": 1, "columns": None, "ragged": 0}},
        {"table": {"rows": "many", "columns": [], "ragged": 0}},
        {"table": {"rows": 1, "columns": [{"name": 1}], "ragged": 0}},
        {"table": {"rows": 1, "columns": [7], "ragged": 0}},
        {"for": "another digest"},
    ],
    ids=lambda damage: repr(damage)[:40],
)
def test_garbage_in_the_memory(case: Case, damage: bytes | dict[str, object]) -> None:
    """It is as good as none, and is put right."""
    output = case.cached()
    expected = case.ask(output)
    (memory,) = case.memory
    sound = json.loads(memory.read_bytes())
    memory.write_bytes(damage if isinstance(damage, bytes) else json.dumps({**sound, **damage}).encode())
    assert case.ask(output) == expected == profile_table(TABLE, PATH)
    assert json.loads(memory.read_bytes()) == sound


def test_a_memory_that_cannot_be_written(case: Case) -> None:
    """The answer is the same."""
    case.repo.git.commit("Nothing", {"x": "y"})
    state = case.repo.path / ".git" / "modelver"
    before = case.ask(case.cached())
    folder = case.memory[0].parent
    assert folder.is_relative_to(state)
    case.memory[0].unlink()
    folder.rmdir()
    folder.write_text("in the way")
    assert case.ask(case.cached()) == before


def test_what_is_too_large(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither read nor hashed, whatever its record says of its size."""
    output = case.cached()
    monkeypatch.setattr(dataprofiles, "MAX_SIZE", len(TABLE) - 1)
    assert case.ask(output) is None
    assert case.ask(replace(output, size=None)) is None
    monkeypatch.setattr(dataprofiles, "MAX_SIZE", len(TABLE))
    assert case.ask(output) is not None


@pytest.mark.parametrize(
    "output",
    [
        Output(path="data", digest="md5:00000000000000000000000000000000.dir"),
        Output(path="data.csv", digest="md5:00000000000000000000000000000000.dir"),
        Output(path="s3://bucket/x.csv", digest="etag:abc"),
        Output(path="x.csv", digest="etag:abc"),
        Output(path="x.csv", digest="md5:../../../../etc/passwd"),
        Output(path="x.csv", digest="md5:00000000000000000000000000000000"),
        Output(path="x.csv", digest=None),
        Output(path="x.csv", digest="md5:00000000000000000000000000000000", root="no/such"),
        "x.csv",
        "../x.csv",
        "models/churn.bin",
    ],
    ids=str,
)
def test_what_is_no_table_at_hand(case: Case, output: Output | str) -> None:
    """Directories, URLs, other digests, absent bytes and names that lead elsewhere: None."""
    assert case.ask(output) is None


def test_nothing_outside_the_repository_is_read(case: Case, never_read: None, tmp_path: Path) -> None:
    """Neither by `..` nor through a link in the work tree, though the digest is right."""
    (tmp_path / "table.csv").write_bytes(TABLE)
    os.symlink(tmp_path, case.repo.path / "link")
    os.symlink(tmp_path / "table.csv", case.repo.path / "file.csv")
    for path in ("link/table.csv", "file.csv", "../table.csv", str(tmp_path / "table.csv"), ".git/table.csv"):
        assert case.ask(named(path=path)) is None
        assert case.ask(path) is None


def test_a_pipe_is_not_waited_for(case: Case) -> None:
    """What is no file in the work tree is not opened."""
    os.mkfifo(case.repo.path / "x.csv")
    assert case.ask(named(path="x.csv")) is None


def test_nothing_else_is_written(case: Case) -> None:
    """A question leaves the work tree as it was, and one file of memory."""
    output = case.cached()
    before = case.repo.git("status", "--porcelain")
    case.ask(output)
    assert case.repo.git("status", "--porcelain") == before
    assert len(case.memory) == 1
