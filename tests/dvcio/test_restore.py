"""Restoring bytes: nothing is lost, everything is verified first, a kill or a failure anywhere is harmless."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvc_modelver.core.facts import Output
from dvc_modelver.dvcio import digests, filling
from dvc_modelver.dvcio.cache import output_id
from dvc_modelver.dvcio.config import read_dvc_config
from dvc_modelver.dvcio.listing import ObjectId
from dvc_modelver.dvcio.present import clean, leftovers, temporary_name
from dvc_modelver.dvcio.restore import Restore, Row
from dvc_modelver.errors import BadInput, DataError, EnvironmentProblem, Refused
from tests.dvcio.bytes_support import corrupt, md5
from tests.dvcio.restore_support import Content, Place, tree

LINKS = [("reflink", "copy"), ("copy",), ("hardlink",), ("symlink",), ("reflink", "hardlink")]
OLD: dict[str, Content] = {"m": b"old", "d": {"a": b"1", "s/b": b"2", "s/c": b"3", "e": b""}, "gone/x": b"x"}
NEW: dict[str, Content] = {"m": b"new", "d": {"a": b"1", "s/b": b"22", "t/c": b"3", "e": b""}, "come/y": b"y"}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """An empty work tree and an empty cache."""
    (tmp_path / "tree").mkdir()
    return Place(tmp_path)


def rows(place: Place, old: dict[str, Content], new: dict[str, Content]) -> list[tuple[Output | None, Output | None]]:
    return [place.row(path, old.get(path), new.get(path)) for path in sorted({*old, *new})]


def from_old_to_new(place: Place) -> list[tuple[Output | None, Output | None]]:
    """OLD lies in the work tree and is what HEAD names; NEW is wanted."""
    for path, content in OLD.items():
        place.write(path, content)
    return rows(place, OLD, NEW)


def test_config_names_the_link_types(tmp_path: Path) -> None:
    """`cache.type` is a word, words with commas, or a list, the last file wins; DVC's own reading agrees."""
    directory = tmp_path / ".dvc"
    directory.mkdir()
    (directory / "config").write_text("[cache]\n    type = hardlink,symlink, copy\n")
    assert read_dvc_config(directory, env={}).cache_types == ("hardlink", "symlink", "copy")
    (directory / "config.local").write_text("[cache]\n    type = copy\n    protected = true\n")
    assert read_dvc_config(directory, env={}).cache_types == ("copy",)


@pytest.mark.parametrize("links", LINKS)
def test_files_become_what_is_wanted_and_go_back(place: Place, links: tuple[str, ...]) -> None:
    """Forth, again (nothing happens), and back by `undo`: the same files, and the same directories."""
    restore = place.plan(*from_old_to_new(place), links=links)
    folders = place.folders()
    assert place.files() == tree(**OLD)
    assert restore.puts == ("come/y", "d/s/b", "d/t/c", "m")
    assert restore.removals == ("d/s/c", "gone/x")
    assert restore.changed == ("come/y", "d", "gone/x", "m")
    assert restore.plan.size == 1 + 2 + 1 + 3
    restore.apply()
    assert place.files() == tree(**NEW)
    assert place.folders() == {"d", "d/s", "d/t", "come"}
    restore.apply()
    assert place.files() == tree(**NEW)
    restore.undo()
    assert place.files() == tree(**OLD)
    assert place.folders() == folders


@pytest.mark.parametrize("links", LINKS)
def test_only_files_that_differ_are_touched(place: Place, links: tuple[str, ...]) -> None:
    """What is right already stays the same file; planned again, nothing is left to do."""
    wanted = from_old_to_new(place)
    before = os.lstat(place.root / "d" / "a")
    place.plan(*wanted, links=links).apply()
    assert os.lstat(place.root / "d" / "a") == before
    states = {path: os.lstat(place.root / path) for path in place.files()}
    again = place.plan(*wanted, links=links)
    assert again.plan.changes == ()
    again.apply()
    assert {path: os.lstat(place.root / path) for path in place.files()} == states


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"file", {"a": b"1", "b/c": b"2"}),
        ({"a": b"1", "b/c": b"2"}, b"file"),
        ({"a": b"1"}, {"a/b": b"2"}),
        ({"a/b": b"2", "a/c/d": b"3"}, {"a": b"1"}),
        (None, {"a": b"1"}),
        ({"a/b": b"1"}, None),
        (b"x", None),
        ({}, {"a": b"1"}),
        ({"a": b"1"}, {}),
    ],
)
@pytest.mark.parametrize("links", [("copy",), ("hardlink",), ("symlink",)])
def test_files_become_directories_and_the_reverse(
    place: Place, old: Content, new: Content, links: tuple[str, ...]
) -> None:
    """Whatever a path was, it becomes what is wanted, and `undo` brings back what it was."""
    place.write("deep/m", old)
    if old == {}:
        (place.root / "deep" / "m").mkdir(parents=True)
    before = place.files(), place.folders()
    restore = place.plan(place.row("deep/m", old, new), links=links)
    restore.apply()
    assert place.files() == tree(**{"deep/m": new})
    assert (place.root / "deep" / "m").is_dir() is isinstance(new, dict)
    restore.undo()
    assert (place.files(), place.folders()) == before


def test_one_directory_becomes_outputs_and_the_reverse(place: Place) -> None:
    """A tracked directory may become several tracked files below it: files decide, not outputs."""
    data = {"a": b"1", "b": b"2"}
    place.write("d", data)
    split = [place.row("d", data, None), place.row("d/a", None, b"1"), place.row("d/b", None, b"new")]
    before = os.lstat(place.root / "d" / "a")
    place.plan(*split).apply()
    assert place.files() == {"d/a": b"1", "d/b": b"new"}
    assert os.lstat(place.root / "d" / "a") == before
    place.plan(*((new, old) for old, new in split)).apply()
    assert place.files() == tree(d=data)


def overwritten(place: Place) -> str:
    place.write("m", b"mine")
    return "m"


def same_size(place: Place) -> str:
    place.write("d/s/b", b"9")
    return "d/s/b"


def extra(place: Place) -> str:
    place.write("d/s/mine", b"9")
    return "d/s/mine"


def in_the_way(place: Place) -> str:
    place.write("come/y", b"mine")
    return "come/y"


def parent_is_a_file(place: Place) -> str:
    place.write("come", b"mine")
    return "come"


def directory_in_the_way(place: Place) -> str:
    place.write("come/y/mine", b"mine")
    return "come/y/mine"


def link_in_the_way(place: Place) -> str:
    (place.root / "m").unlink()
    (place.root / "m").symlink_to(place.root / "d" / "a")
    return "m"


def dangling_link(place: Place) -> str:
    (place.root / "come").mkdir()
    (place.root / "come" / "y").symlink_to("nowhere")
    return "come/y"


def linked_folder(place: Place) -> str:
    shutil.move(place.root / "d" / "s", place.base / "elsewhere")
    (place.root / "d" / "s").symlink_to(place.base / "elsewhere")
    return "d/s"


def pipe(place: Place) -> str:
    (place.root / "m").unlink()
    os.mkfifo(place.root / "m")
    return "m"


def linked_parent(place: Place) -> str:
    (place.base / "elsewhere").mkdir()
    (place.root / "come").symlink_to(place.base / "elsewhere")
    return "come"


def not_in_cache(place: Place) -> str:
    place.cache.path(object_of(b"old")).unlink()
    return "m"


def copy_is_bad(place: Place) -> str:
    corrupt(place.cache.path(object_of(b"old")), "altered")
    return "m"


def listing_is_missing(place: Place) -> str:
    listing_of(place, OLD["d"]).unlink()
    return "d/s/c"


def object_of(data: bytes) -> ObjectId:
    return ObjectId(md5(data))


def listing_of(place: Place, content: Content) -> Path:
    output = place.output("d", content)
    assert output is not None
    return place.cache.path(output_id(output))


DIRT = [overwritten, same_size, extra, in_the_way, parent_is_a_file, directory_in_the_way, link_in_the_way]
DIRT += [dangling_link, linked_folder, pipe, linked_parent, not_in_cache, copy_is_bad, listing_is_missing]


def picture(root: Path) -> dict[str, tuple[int, int]]:
    """Every entry with its mode and inode: what a refusal must leave as it is."""
    found = {place.relative_to(root).as_posix(): place.lstat() for place in root.rglob("*")}
    return {path: (state.st_mode, state.st_ino) for path, state in found.items()}


@pytest.mark.parametrize("links", [("copy",), ("hardlink",)])
@pytest.mark.parametrize("dirt", DIRT)
def test_what_would_lose_bytes_is_refused(place: Place, dirt: Callable[[Place], str], links: tuple[str, ...]) -> None:
    """Bytes that nobody has saved, or links, stand in the way: refused, named, nothing changed."""
    wanted = from_old_to_new(place)
    name = dirt(place)
    before = picture(place.base)
    with pytest.raises(Refused, match=name) as refused:
        place.plan(*wanted, links=links)
    assert refused.value.hint
    assert {path: state for path, state in picture(place.base).items() if path != "memory"} == before


@pytest.mark.parametrize("path", ["../m", "/tmp/m", ".git/hooks/m", "a/../../m", ".GIT/m", "x/.dvc/config", "s3://b/m"])
def test_paths_that_lead_elsewhere_are_refused(place: Place, path: str) -> None:
    """Outside the root, or into the files of Git and DVC: never written to."""
    with pytest.raises(Refused):
        place.plan((None, Output(path=path, digest=place.store(b"x") and f"md5:{md5(b'x')}")))


@pytest.mark.parametrize("how", ["missing", "altered", "truncated"])
@pytest.mark.parametrize("links", [("copy",), ("hardlink",), ("symlink",), ("reflink", "copy")])
def test_bad_objects_are_found_before_the_first_change(place: Place, how: str, links: tuple[str, ...]) -> None:
    """Planned or staged, the corrupt file is named, and the work tree is as before."""
    wanted = from_old_to_new(place)
    corrupt(place.cache.path(object_of(b"22")), how)
    before = picture(place.root)
    for act in (Restore.verify, Restore.stage, Restore.apply):
        with pytest.raises(DataError, match="d/s/b"):
            act(place.plan(*wanted, links=links))
        assert picture(place.root) == before


@pytest.mark.parametrize("how", ["altered", "truncated"])
def test_a_large_object_is_hashed_while_it_is_copied(place: Place, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than one block, no core to spare: the copy is right, and a bad object is found before anything changes."""
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    old, new = os.urandom((3 << 20) + 1), os.urandom((2 << 20) + 7)
    place.write("m", old)
    row = place.row("m", old, new)
    restore = place.plan(row, links=("copy",))
    assert restore.plan.unverified == {object_of(new)}
    restore.apply()
    assert place.files() == {"m": new}
    corrupt(place.cache.path(object_of(old)), how)
    with pytest.raises(DataError, match="m"):
        place.plan((row[1], row[0]), links=("copy",)).apply()
    assert place.files() == {"m": new}


@pytest.mark.parametrize("at", [0, 1 << 20, (3 << 20) - 1])
def test_a_large_file_that_differs_in_one_byte_is_refused(place: Place, at: int) -> None:
    """Same size as the saved object, other bytes; or equal to an object that is bad itself."""
    old = os.urandom(3 << 20)
    mine = old[:at] + bytes([old[at] ^ 1]) + old[at + 1 :]
    place.write("m", mine)
    row = place.row("m", old, b"new")
    with pytest.raises(Refused, match="not saved: m"):
        place.plan(row)
    saved = place.cache.path(object_of(old))
    saved.chmod(0o644)
    saved.write_bytes(mine)
    (place.base / "memory").unlink()
    with pytest.raises(Refused, match="no good copy of m"):
        place.plan(row)
    assert place.files() == {"m": mine}


def test_an_interrupt_while_copying(place: Place) -> None:
    """Ctrl-C in a progress report: nothing has changed, nothing is left."""
    row = place.row("m", None, os.urandom(3 << 20))

    def stop(done: int, total: int, what: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        place.plan(row, links=("copy",)).apply(progress=stop)
    assert place.files() == {}


def test_progress_tells_all_bytes(place: Place) -> None:
    """Done never goes back, and ends at the total."""
    row, seen = place.row("m", None, {"a": b"1" * 10, "b": os.urandom(2 << 20)}), []
    place.plan(row, links=("copy",)).apply(progress=lambda done, total, what: seen.append((done, total)))
    assert seen == sorted(seen)
    assert seen[-1] == (10 + (2 << 20), 10 + (2 << 20))


def test_a_corrupt_listing_is_found(place: Place) -> None:
    """The list of a directory's files is hashed like any object."""
    row = place.row("d", None, {"a": b"1"})
    corrupt(listing_of(place, {"a": b"1"}), "altered")
    with pytest.raises(DataError):
        place.plan(row)


def test_a_file_edited_through_its_hard_link_is_not_lost(place: Place) -> None:
    """The object has the user's bytes then: refused, though the inode says it is what HEAD names."""
    wanted = rows(place, {"m": b"old"}, {"m": b"new"})
    object_place = place.cache.path(object_of(b"old"))
    os.link(object_place, place.root / "m")
    object_place.chmod(0o644)
    (place.root / "m").write_bytes(b"mine")
    with pytest.raises(Refused, match="no good copy of m"):
        place.plan(*wanted, links=("hardlink",))


def test_files_that_dvc_ignores_stay(place: Place) -> None:
    """What `.dvcignore` names is not in the way, unless something is put there."""
    wanted = from_old_to_new(place)
    (place.root / ".dvcignore").write_text("*.swp\n")
    place.write("d/s/x.swp", b"mine")
    place.plan(*wanted, links=("copy",)).apply()
    assert (place.root / "d" / "s" / "x.swp").read_bytes() == b"mine"
    with pytest.raises(Refused, match=r"x\.swp"):
        place.plan(place.row("d", NEW["d"], {"s/x.swp": b"theirs"}))
    with pytest.raises(Refused, match=r"x\.swp"):
        place.plan(place.row("d", NEW["d"], {"s": b"theirs"}))


def test_wanted_bytes_need_no_cache_of_the_old(place: Place) -> None:
    """A file that is right already is neither refused nor touched, whatever HEAD names."""
    place.write("m", b"new")
    restore = place.plan(place.row("m", b"old", b"new"), place.row("n", None, None))
    assert restore.plan.changes == ()


def test_overlapping_outputs_are_bad_input(place: Place) -> None:
    """A file below a file cannot be."""
    with pytest.raises(BadInput):
        place.plan(place.row("m", None, b"1"), place.row("m/a", None, b"2"))


def test_changed_between_plan_and_apply(place: Place) -> None:
    """A file that somebody writes meanwhile is not overwritten, and nothing else changes."""
    restore = place.plan(*from_old_to_new(place), links=("copy",))
    place.write("m", b"mine!")
    before = picture(place.root)
    with pytest.raises(Refused, match="m"):
        restore.apply()
    assert picture(place.root) == before


def test_undo_leaves_what_was_changed_since(place: Place) -> None:
    """Bytes that came after `apply` stay; everything else goes back."""
    restore = place.plan(*from_old_to_new(place), links=("copy",))
    restore.apply()
    place.write("m", b"mine!")
    with pytest.raises(Refused, match="m"):
        restore.undo()
    assert place.files() == tree(**OLD) | {"m": b"mine!"}


# Modes and links ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("links", "mode"), [(("copy",), 0o644), (("hardlink",), 0o444), (("reflink", "copy"), 0o644)])
def test_modes_are_those_of_dvc(place: Place, links: tuple[str, ...], mode: int) -> None:
    """Copies are new files for the user's umask, links share the cache's read-only file."""
    place.plan(place.row("m", None, b"new"), links=links).apply()
    state = os.lstat(place.root / "m")
    (place.root / "plain").touch()
    assert stat.S_IMODE(state.st_mode) == (
        stat.S_IMODE(os.lstat(place.root / "plain").st_mode) if mode == 0o644 else mode
    )
    assert (state.st_ino == os.stat(place.cache.path(object_of(b"new"))).st_ino) is (links == ("hardlink",))


def test_a_program_stays_executable(place: Place) -> None:
    """DVC keeps the bit beside the digest; the file that is replaced has it."""
    place.write("m", b"old")
    (place.root / "m").chmod(0o755)
    restore = place.plan(place.row("m", b"old", b"new"), links=("copy",))
    restore.apply()
    assert os.access(place.root / "m", os.X_OK)
    restore.undo()
    assert os.access(place.root / "m", os.X_OK)


# Failures and kills ---------------------------------------------------------------------------------------------


def everything_but_memory(base: Path) -> dict[str, bytes]:
    return {place.relative_to(base).as_posix(): place.read_bytes() for place in base.rglob("*") if place.is_file()}


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt()])
@pytest.mark.parametrize("call", ["replace", "unlink", "mkdir", "rmdir"])
def test_a_failure_in_the_middle_puts_everything_back(
    place: Place, monkeypatch: pytest.MonkeyPatch, call: str, error: BaseException
) -> None:
    """Whichever change fails, all files and directories are as before, and nothing is left behind."""
    wanted = from_old_to_new(place)
    before, folders = place.files(), place.folders()
    real, calls = getattr(os, call), 0
    for fatal in range(1, 20):
        restore = place.plan(*wanted, links=("copy",))
        restore.stage()
        calls = 0

        def failing(*args: object, **options: object) -> object:
            nonlocal calls
            calls += 1
            if calls == fatal:  # noqa: B023
                raise error
            return real(*args, **options)

        with monkeypatch.context() as patch:
            patch.setattr(os, call, failing)
            with suppress(EnvironmentProblem if isinstance(error, OSError) else KeyboardInterrupt):
                restore.apply()
        if calls < fatal:
            break
        if place.files() == tree(**NEW):
            restore.undo()
        assert (place.files(), place.folders()) == (before, folders)
    assert fatal > 1


def test_no_space_is_known_before_the_first_byte(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies that do not fit are refused; links need no space."""
    wanted = from_old_to_new(place)
    before = picture(place.root)
    monkeypatch.setattr(filling.shutil, "disk_usage", lambda place: shutil._ntuple_diskusage(10, 9, 1))
    with pytest.raises(EnvironmentProblem, match="no space left"):
        place.plan(*wanted, links=("copy",)).apply()
    assert picture(place.root) == before
    place.plan(*wanted, links=("hardlink",)).apply()
    assert place.files() == tree(**NEW)


def test_a_full_disk_while_copying(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else fills the disk meanwhile: nothing has changed, nothing is left."""
    wanted = from_old_to_new(place)
    before = picture(place.root)

    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(filling, "write_all", full)
    with pytest.raises(EnvironmentProblem, match="no space left"):
        place.plan(*wanted, links=("copy",)).apply()
    assert picture(place.root) == before


CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.chmod"}


def dies_at(place: Place, wanted: list[Row], links: str, fatal: int) -> bool:
    """Restore in a process that dies before its `fatal`-th change of the work tree; whether it died."""
    child = os.fork()
    if child == 0:
        count = 0

        def die(event: str, args: tuple[object, ...]) -> None:
            nonlocal count
            writes = event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR)
            if writes or event in CHANGES:
                count += any(str(place.root) in str(arg) for arg in args)
                if count == fatal:
                    os._exit(9)

        sys.addaudithook(die)
        try:
            place.plan(*wanted, links=(links,)).apply()
        finally:
            os._exit(0 if place.files() == tree(**NEW) else 1)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, 9)
    return code == 9


@pytest.mark.parametrize("links", ["copy", "hardlink", "symlink"])
def test_killed_at_every_change(place: Place, links: str) -> None:
    """Each file is old or new, what was prepared is found and goes, the same again converges, as does the reverse."""
    source = rows(place, OLD, NEW)
    old, new = tree(**OLD), tree(**NEW)
    for fatal in range(1, 99):
        shutil.rmtree(place.root)
        place.root.mkdir()
        from_old_to_new(place)
        died = dies_at(place, source, links, fatal)
        waiting = {left.relative_to(place.root).as_posix() for left in leftovers(place.root)}
        for path in old.keys() | new.keys():
            assert place.files().get(path) in {old.get(path), new.get(path)}
        assert place.files().keys() - waiting <= old.keys() | new.keys()
        goal, wanted = (new, source) if fatal % 2 else (old, [(after, before) for before, after in source])
        place.plan(*wanted, links=(links,)).apply()
        assert clean(place.root) in (0, len(waiting), len(waiting) - 1)
        assert place.files() == goal
        assert not list(leftovers(place.root))
        if not died:
            assert fatal > 16
            return
    raise AssertionError("it never came to the end")


def test_leftovers_are_only_ours(place: Place) -> None:
    """A user's file of a similar name stays."""
    names = (temporary_name("m"), ".0123.modelver-put", temporary_name("m") + "x")
    for name in names:
        place.write(name, b"x")
    assert [left.name for left in leftovers(place.root)] == [names[0]]
    assert clean(place.root) == 1
    assert set(place.files()) == set(names[1:])


# What is not hashed ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("links", [("copy",), ("hardlink",), ("symlink",)])
def test_nothing_is_hashed_twice(place: Place, links: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Back and forth again reads no file's bytes but to copy them."""
    wanted = from_old_to_new(place)
    back = [(new, old) for old, new in wanted]
    for rows_ in (wanted, back):
        place.plan(*rows_, links=links).apply()
    hashed: list[str] = []
    real = digests._hash
    monkeypatch.setattr(digests, "_hash", lambda job, *rest: hashed.append(job.shown) or real(job, *rest))
    for rows_ in (wanted, back, wanted):
        place.plan(*rows_, links=links).apply()
    assert hashed == []
    assert place.files() == tree(**NEW)


names = st.sampled_from(["a", "b", "a/a", "a/b", "b/a", "b/b/c"])
contents = (
    st.none() | st.binary(max_size=2) | st.dictionaries(st.sampled_from("xyz"), st.binary(max_size=2), max_size=3)
)


@given(data=st.data())
def test_any_state_becomes_any_other(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Whatever HEAD names and whatever is wanted, files are exactly what is wanted, and `undo` is exact."""
    place = Place(tmp_path_factory.mktemp("any"))
    place.root.mkdir()
    sides = []
    for _ in range(2):
        side: dict[str, Content] = {}
        for path in data.draw(st.lists(names, unique=True, max_size=4)):
            if not any(path.startswith(f"{other}/") or other.startswith(f"{path}/") for other in side):
                side[path] = data.draw(contents)
        sides.append(side)
    old, new = sides
    for path, content in old.items():
        place.write(path, content)
    links = data.draw(st.sampled_from(LINKS))
    restore = place.plan(*rows(place, old, new), links=links)
    restore.apply()
    assert place.files() == tree(**new)
    restore.undo()
    assert place.files() == tree(**old)
    place.plan(*rows(place, old, new), links=links).apply()
    place.plan(*rows(place, new, old), links=links).apply()
    assert place.files() == tree(**old)
