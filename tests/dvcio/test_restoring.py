"""The files with parts of a slice as another commit has them, and the trees that they make."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvc_modelver.core.overlay import Overlay
from dvc_modelver.dvcio import restoring
from dvc_modelver.dvcio.locate import Commit
from dvc_modelver.dvcio.splice import CannotSplice, splice
from dvc_modelver.gitio.objects import CommitTree, Objects
from dvc_modelver.gitio.repository import open_repository
from tests.dvcio.trees import MemoryTree
from tests.support import Git

# Trees ------------------------------------------------------------------------------------------------------------

NAMES = ["a", "a.b", "a-b/c", "d/e/f", "d/e/g", "d/h", "d.txt"]


@contextmanager
def commit_tree(git: Git) -> Iterator[CommitTree]:
    """HEAD's files."""
    repository = open_repository(git.path, git.env)
    with Objects(repository.git) as objects:
        yield CommitTree(objects, git.rev(), repository.git)


@pytest.mark.parametrize(
    "changes",
    [
        {"d/e/f": b"new\n"},
        {"d/e/new": b"x", "d/e/f": None, "d/e/g": None},
        {"a-b/c": None, "d/h": b"run\n"},
        {"new/deep/er": b"x"},
        {"d/h": b"h\n"},
    ],
)
def test_directories_have_the_ids_of_git(git: Git, changes: Mapping[str, bytes | None]) -> None:
    """The id of every directory of an overlay is the one that `git write-tree` gives it."""
    git.commit("Begin", {name: f"{name[-1]}\n" for name in NAMES})
    modes = {"d/h": "100755"}
    for path, data in changes.items():
        (git.path / path).unlink() if data is None else git.write(path, data).chmod(0o755 if path in modes else 0o644)
    git("add", "-A")
    rows = git("ls-tree", "-r", "-t", git("write-tree")).splitlines()
    wanted = {row.split("\t")[1]: (row.split()[0], row.split()[2]) for row in rows}
    gone = [path for path, data in changes.items() if data is None]
    with commit_tree(git) as head:
        planned = Overlay(head, changes, git.rev(), modes)
        found = {path: entry for path in wanted if (entry := planned.entry(path)) is not None}
        assert [planned.entry(path) for path in gone] == [None] * len(gone)
    assert {path: (entry.mode.zfill(6), entry.oid) for path, entry in found.items()} == wanted


def test_a_directory_with_a_link_is_no_other(git: Git) -> None:
    """What the overlay cannot know of is not claimed: such a directory equals none."""
    git.write("d/f", "x\n")
    (git.path / "d/link").symlink_to("f")
    git.commit("Begin")
    with commit_tree(git) as head:
        found = Overlay(head, {"d/f": b"y\n"}, git.rev()).entry("d")
    assert found is not None
    for link in (True, False):
        git.write("d/f", "y\n")
        if not link:
            (git.path / "d/link").unlink()
        git.commit("Change")
        assert git.rev("HEAD:d") != found.oid


# Entries ----------------------------------------------------------------------------------------------------------


@given(data=st.data())
def test_what_is_taken_out_and_put_in_again(data: st.DataObject) -> None:
    """Any entry but the first, with its comment and blank lines, comes back to the very byte where it stood."""
    names = data.draw(st.lists(st.sampled_from("abcdefg"), min_size=2, max_size=6, unique=True))
    indent = data.draw(st.sampled_from(["", "  ", "    "]))
    lines = "top:\n" if indent else ""
    for at, name in enumerate(names):
        if at:
            lines += "\n" * data.draw(st.integers(0, 2))
            lines += f"{indent}# {name}\n" * data.draw(st.integers(0, 2))
        values = [" 1\n", f"\n{indent}- x\n{indent}- y\n", " |\n     text\n"]
        values = [" 1\n", f"\n{indent}- x\n{indent}- y\n", " |\n     text\n"]
        lines += f"{indent}{name}:" + data.draw(st.sampled_from(values))
    ending = data.draw(st.sampled_from(["\n", "\r\n"]))
    text = lines.replace("\n", ending).encode()
    name = data.draw(st.sampled_from(names[1:]))
    key = ("top", name) if indent else (name,)
    without = splice(text, None, [key], name="x.yaml")
    assert f"{name}:".encode() not in without
    assert splice(without, text, [key], name="x.yaml") == text


def test_the_last_entry_takes_its_mapping_along() -> None:
    """An empty mapping is no `stages:` that dvc takes."""
    assert splice(b"a: 1\nt:\n  u:\n    v: 1\n", b"a: 1\n", [("t", "u", "v")], name="x.yaml") == b"a: 1\n"


def test_numbers_of_another_kind_differ() -> None:
    """1, 1.0 and true are three values."""
    assert splice(b"a: 1\n", b"a: 1.0\n", [("a",)], name="x.yaml") == b"a: 1.0\n"
    assert splice(b"a: 1\n", b"a: true\n", [("a",)], name="x.yaml") == b"a: true\n"


def test_the_same_value_keeps_its_spelling() -> None:
    """An entry that means the same is not touched, however it is written."""
    text = b"a:   [1, 2]   # mine\n"
    assert splice(text, b"a:\n- 1\n- 2\n", [("a",)], name="x.yaml") == text


def test_an_alias_without_its_anchor() -> None:
    """Such an entry cannot be copied alone."""
    with pytest.raises(CannotSplice):
        splice(b"a: 1\n", b"x: &x 2\na: *x\n", [("a",)], name="x.yaml")


def test_files_that_one_side_lacks() -> None:
    """A file that loses its last entry goes; one that only the target has comes whole; a params file stays."""
    lock = "schema: '2.0'\nstages:\n  a:\n    cmd: x\n"
    head = MemoryTree({"dvc.lock": lock, "dvc.yaml": "stages:\n  a:\n    cmd: x\n", "p.json": "{}"})
    target = MemoryTree({"q.json": "{}"})
    parts = [("lock", "dvc.lock:a"), ("definition", "dvc.yaml:a"), ("params", "q.json:x"), ("params", "p.json:x")]
    found = restoring.restore_parts(head, target, parts)
    assert found.files == {"dvc.lock": None, "dvc.yaml": None, "q.json": b"{}"}
    assert found.whole == []


def test_what_stays_in_a_file_that_the_target_lacks() -> None:
    """Entries of others keep the file."""
    lock = "schema: '2.0'\nstages:\n  a:\n    cmd: x\n  b:\n    cmd: y\n"
    found = restoring.restore_parts(MemoryTree({"dvc.lock": lock}), MemoryTree({}), [("lock", "dvc.lock:a")])
    assert found.files == {"dvc.lock": lock.replace("  a:\n    cmd: x\n", "").encode()}


# Templates --------------------------------------------------------------------------------------------------------


def test_unresolved_templates() -> None:
    """Names come from `params.yaml`, from `vars` of the file and of the stage; `item` and `key` are DVC's."""
    yaml = (
        "vars:\n- size: 1\n- v.yaml:depth,net.x\nstages:\n  a:\n    cmd: x ${size} ${depth} ${net.y} ${other} ${lr}\n"
        "  b:\n    foreach: ${list}\n    do:\n      vars:\n      - own: 1\n"
        "      cmd: x ${item} ${key} ${own} ${gone[0]}\n"
    )
    files = {"dvc.yaml": yaml, "v.yaml": "depth: 1\nnet: {x: 1}\nother: 1\n", "params.yaml": "lr: 1\nlist: [1]\n"}
    commit = Commit(MemoryTree(files))
    assert restoring.unresolved(commit) == {("dvc.yaml:a", "other"), ("dvc.yaml:b", "gone")}
    assert set(restoring.used_vars(commit, ["dvc.yaml:a"])) == {
        ("params", "dvc.yaml:vars"),
        ("params", "v.yaml:depth"),
        ("params", "v.yaml:net"),
        ("params", "params.yaml:lr"),
    }


@pytest.mark.parametrize("written", ["{dvc", "\xff"])
def test_broken_files_are_told(written: str) -> None:
    """A planned file that cannot be read is named."""
    commit = Commit(MemoryTree({"dvc.yaml": written.encode("latin-1")}))
    assert "dvc.yaml" in (restoring.broken(commit, ["dvc.yaml"]) or "")
