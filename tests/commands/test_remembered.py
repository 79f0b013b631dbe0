"""Files that may be deleted at any time: what is read is what was written, or nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dvc_modelver.commands.remembered import (
    forget_oldest,
    read_bytes,
    read_remembered,
    read_sealed,
    write_bytes,
    write_remembered,
    write_sealed,
)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """In folders that are made for it, and in place of what was there before."""
    place = tmp_path / "a" / "b"
    for value in ({"a": [1, None]}, {"b": "\udce4"}):
        write_remembered(place, value)
        assert read_remembered(place) == value
    assert [file.name for file in place.parent.iterdir()] == ["b"]


@pytest.mark.parametrize("data", [b"", b"[1]", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_object_is_nothing(tmp_path: Path, data: bytes) -> None:
    """Whatever lies there."""
    write_bytes(tmp_path / "a", data)
    assert read_remembered(tmp_path / "a") is None
    assert read_remembered(tmp_path) is None


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    """Neither an error nor half a file."""
    (tmp_path / "a").mkdir()
    write_bytes(tmp_path / "a", b"x")
    write_bytes(tmp_path / "a" / "b" / "c", b"x")
    write_bytes(tmp_path / "a" / "b" / "c" / "d", b"x")
    write_remembered(tmp_path / "e", {"a": {1}})
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == ["a", "a/b", "a/b/c"]


def test_a_seal_breaks_with_every_byte(tmp_path: Path) -> None:
    """One other byte, one less or one more."""
    place = tmp_path / "a"
    seal = write_sealed(place, b"some content")
    found = read_sealed(place)
    assert found is not None
    assert (found[0], bytes(found[1])) == (seal, b"some content")
    data = read_bytes(place) or b""
    spoilt = [data[:n] + bytes([data[n] ^ 4]) + data[n + 1 :] for n in range(len(data))]
    for other in (*spoilt, data[:-1], data + b"x", b""):
        place.write_bytes(other)
        assert read_sealed(place) is None


def test_the_oldest_are_forgotten_first(tmp_path: Path) -> None:
    """Until what is left fits; a folder that is not there is none."""
    for n in range(5):
        (tmp_path / str(n)).write_bytes(b"x" * 10)
        os.utime(tmp_path / str(n), (1000 - n, 1000 - n))
    forget_oldest(tmp_path, 25)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["0", "1"]
    forget_oldest(tmp_path / "none", 0)
