"""Link types: as DVC's `cache.type` says, the next one when one does not work, never over a file."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from dvc_modelver.dvcio import links
from dvc_modelver.dvcio.links import Linker, copy_file, reflink
from dvc_modelver.errors import BadInput, EnvironmentProblem


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """An object of the cache, not yet read-only."""
    place = tmp_path / "object"
    place.write_bytes(b"data" * 1000)
    return place


def failing(code: int) -> Callable[[Path, Path], None]:
    def fail(source: Path, target: Path) -> None:
        raise OSError(code, os.strerror(code))

    return fail


def can_reflink(source: Path) -> bool:
    """Whether this file system has reflinks at all."""
    try:
        reflink(source, source.with_name("probe"))
    except OSError:
        return False
    source.with_name("probe").unlink()
    return True


def test_each_type_does_what_it_says(source: Path, tmp_path: Path) -> None:
    """A hard link is the object, a symbolic link leads to it; both make it read-only, copies are left to the caller."""
    target = tmp_path / "target"
    assert Linker(["hardlink"]).link(source, target)
    assert target.samefile(source)
    assert not target.is_symlink()
    assert stat.S_IMODE(source.stat().st_mode) == 0o444
    target.unlink()
    assert Linker(["symlink"]).link(source, target)
    assert os.readlink(target) == str(source)
    target.unlink()
    assert not Linker(["copy"]).link(source, target)
    assert Linker().link(source, target) is can_reflink(source)


def test_an_empty_file_is_not_hard_linked(tmp_path: Path) -> None:
    """All empty files of all directories would be links of one object, and their number is limited."""
    (tmp_path / "object").touch()
    assert Linker(["hardlink"]).link(tmp_path / "object", tmp_path / "target")
    assert not (tmp_path / "target").samefile(tmp_path / "object")


@pytest.mark.parametrize("code", [errno.EPERM, errno.EXDEV, errno.ENOTSUP, errno.ENOSYS])
def test_the_next_type_is_tried(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """What does not work here is not tried again; when nothing is left, the user is told."""
    monkeypatch.setitem(links._WAYS, "hardlink", failing(code))
    linker = Linker(["hardlink", "symlink"])
    assert linker.shares
    assert linker.link(source, tmp_path / "target")
    assert (tmp_path / "target").is_symlink()
    assert not Linker(["hardlink", "copy"]).link(source, tmp_path / "other")
    with pytest.raises(EnvironmentProblem, match=r"cache\.type") as problem:
        Linker(["hardlink"]).link(source, tmp_path / "other")
    assert problem.value.hint


def test_too_many_links_of_one_file(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That file is copied; the type stays in use for others."""
    monkeypatch.setitem(links._WAYS, "hardlink", failing(errno.EMLINK))
    linker = Linker(["hardlink"])
    assert not linker.link(source, tmp_path / "target")
    monkeypatch.undo()
    assert linker.link(source, tmp_path / "target")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EEXIST, errno.EACCES])
def test_other_failures_are_not_hidden(source: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """A full disk does not make another type the right one."""
    monkeypatch.setitem(links._WAYS, "hardlink", failing(code))
    with pytest.raises(OSError, match=os.strerror(code)):
        Linker(["hardlink", "copy"]).link(source, source.with_name("target"))


def test_an_unknown_type_is_bad_input() -> None:
    """As for DVC, before anything is done."""
    with pytest.raises(BadInput, match="reflnk"):
        Linker(["reflnk", "copy"])


@pytest.mark.parametrize("make", [*links._WAYS.values(), copy_file])
def test_nothing_is_overwritten(source: Path, make: Callable[[Path, Path], None]) -> None:
    """A target that exists is a failure, and stays."""
    target = source.with_name("target")
    target.write_bytes(b"mine")
    with pytest.raises(OSError):  # noqa: PT011
        make(source, target)
    assert target.read_bytes() == b"mine"


@pytest.mark.parametrize("size", [0, 1, (1 << 20) + 1, 5 << 20])
@pytest.mark.parametrize("kernel", [True, False])
def test_a_copy_is_the_same(tmp_path: Path, size: int, kernel: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the kernel or block by block: the same bytes, a new file's mode."""
    if not kernel:
        monkeypatch.setattr(links, "_copied_by_kernel", lambda source, target: False)
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(size))
    source.chmod(0o444)
    copy_file(source, target)
    assert target.read_bytes() == source.read_bytes()
    (tmp_path / "plain").touch()
    assert target.stat().st_mode == (tmp_path / "plain").stat().st_mode
