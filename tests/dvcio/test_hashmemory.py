"""The memory of digests: believed only while a file is as it was, harmless whatever happens to its own file."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvc_modelver.dvcio.hashmemory import HashMemory

SOON = time.time_ns() + 3600 * 10**9
"""A clock of an hour from now: nothing that a test has just written is too young."""


def digest(place: Path) -> dict[str, str]:
    """What a file hashes to."""
    return {"md5": hashlib.md5(place.read_bytes(), usedforsecurity=False).hexdigest()}


def memory(file: Path) -> HashMemory:
    """The memory in `file`, for which every file is old enough."""
    return HashMemory(file, clock=lambda: SOON)


def learn(file: Path, *places: Path) -> None:
    """Another process, so to say, hashes files and saves."""
    writer = memory(file)
    for place in places:
        assert writer.keep(place, os.stat(place), digest(place))
    writer.save()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A file."""
    file = tmp_path / "a file\twith\nodd name"
    file.write_bytes(b"data")
    return file


def test_it_remembers_over_processes(tmp_path: Path, place: Path) -> None:
    """What was kept and saved is known to the next, under any path to the same name."""
    learn(tmp_path / "memory", place)
    reader = memory(tmp_path / "memory")
    (tmp_path / "x").mkdir()
    assert reader.known(place) == digest(place)
    assert reader.known(tmp_path / "x" / ".." / place.name) == digest(place)
    assert reader.known(tmp_path / "other") is None


def touched(place: Path) -> None:
    os.utime(place, ns=(0, 10**18))


def rewritten(place: Path) -> None:
    state = place.stat()
    place.write_bytes(b"DATA")
    os.utime(place, ns=(state.st_atime_ns, state.st_mtime_ns))


def replaced(place: Path) -> None:
    state = place.stat()
    other = place.with_name("other")
    other.write_bytes(b"DATA")
    os.utime(other, ns=(state.st_atime_ns, state.st_mtime_ns))
    os.replace(other, place)


def grown(place: Path) -> None:
    with place.open("ab") as stream:
        stream.write(b"more")


def removed(place: Path) -> None:
    place.unlink()


@pytest.mark.parametrize("change", [touched, rewritten, replaced, grown, removed])
def test_a_changed_file_is_not_known(tmp_path: Path, place: Path, change: Callable[[Path], None]) -> None:
    """Any change, also one with the same size and mtime, makes it forget."""
    learn(tmp_path / "memory", place)
    time.sleep(0.02)  # a tick of the file system's clock
    change(place)
    assert memory(tmp_path / "memory").known(place) is None


def test_a_file_changed_while_hashed_is_not_kept(tmp_path: Path, place: Path) -> None:
    """The state before hashing must be the state after it."""
    before = place.stat()
    grown(place)
    mine = memory(tmp_path / "memory")
    assert not mine.keep(place, before, digest(place))
    assert mine.known(place) is None


@pytest.mark.parametrize(("age", "kept"), [(0, False), (1_900, False), (-5_000, False), (2_100, True)])
def test_a_young_file_is_not_kept(tmp_path: Path, place: Path, age: int, kept: bool) -> None:
    """A file of the last two seconds (or of the future) might change within one tick of its clock."""
    newest = max(place.stat().st_mtime_ns, place.stat().st_ctime_ns)
    mine = HashMemory(tmp_path / "memory", clock=lambda: newest + age * 10**6)
    assert mine.keep(place, place.stat(), digest(place)) is kept
    assert (mine.known(place) is not None) is kept


def test_digests_of_two_algorithms_add_up(tmp_path: Path, place: Path) -> None:
    """md5 today and sha256 tomorrow are both known, as long as the file is the same."""
    learn(tmp_path / "memory", place)
    second = memory(tmp_path / "memory")
    second.keep(place, place.stat(), {"sha256": "ab"})
    second.save()
    assert memory(tmp_path / "memory").known(place) == {**digest(place), "sha256": "ab"}


def test_a_hard_link_does_not_make_it_forget(tmp_path: Path, place: Path) -> None:
    """Linking changes ctime alone: the entry is carried over, but not over a change of the bytes."""
    learn(tmp_path / "memory", place)
    mine, before = memory(tmp_path / "memory"), place.stat()
    time.sleep(0.02)
    os.link(place, tmp_path / "link")
    assert mine.known(place) is None
    assert mine.relinked(place, before)
    assert mine.known(place) == digest(place)
    before = place.stat()
    grown(place)
    assert not mine.relinked(place, before)


def test_what_we_wrote_ourselves_is_known_at_once(tmp_path: Path, place: Path) -> None:
    """A file of this moment is remembered after one tick of its clock; a change after that makes it forget."""
    mine = HashMemory(tmp_path / "memory")
    assert not mine.keep(place, place.stat(), digest(place))
    start = time.perf_counter()
    state = place.stat()
    mine.keep_written([(place, state, digest(place)), (tmp_path / "gone", state, digest(place))])
    assert time.perf_counter() - start < 0.5
    fine = place.stat().st_mtime_ns % 10**7 and place.stat().st_ctime_ns % 10**7
    assert mine.known(place) == (digest(place) if fine else None)
    rewritten(place)
    assert mine.known(place) is None


def test_of_a_coarse_clock_nothing_young_is_kept(tmp_path: Path, place: Path) -> None:
    """Where stamps are whole seconds, a second change would leave no trace."""
    os.utime(place, ns=(0, 10**9 * int(time.time())))
    mine = HashMemory(tmp_path / "memory")
    mine.keep_written([(place, place.stat(), digest(place))])
    assert mine.known(place) is None


def test_what_others_wrote_over_ours_is_not_known(tmp_path: Path, place: Path) -> None:
    """The digest belongs to the file as it was written, not to what has come since."""
    mine, state, wrong = HashMemory(tmp_path / "memory"), place.stat(), digest(place)
    time.sleep(0.02)
    place.write_bytes(b"DATA")
    mine.keep_written([(place, state, wrong)])
    assert mine.known(place) is None


def test_two_processes_add_up(tmp_path: Path) -> None:
    """Each saves what it has learnt beside what the other has saved meanwhile."""
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"1")
    two.write_bytes(b"2")
    first, second = memory(tmp_path / "memory"), memory(tmp_path / "memory")
    assert [reader.known(one) for reader in (first, second)] == [None, None]
    first.keep(one, one.stat(), digest(one))
    second.keep(two, two.stat(), digest(two))
    first.save()
    second.save()
    reader = memory(tmp_path / "memory")
    assert (reader.known(one), reader.known(two)) == (digest(one), digest(two))


def cut(good: bytes, at: int) -> bytes:
    return good[:at]


def altered(good: bytes, at: int) -> bytes:
    return good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :]


def extended(good: bytes, at: int) -> bytes:
    return good + good[at:]


@given(share=st.floats(0, 0.999), damage=st.sampled_from([cut, altered, extended]) | st.binary(max_size=200))
def test_garbage_is_an_empty_memory(
    tmp_path_factory: pytest.TempPathFactory, share: float, damage: Callable[[bytes, int], bytes] | bytes
) -> None:
    """Cut, altered or foreign bytes never give an answer, and the next save repairs the file."""
    folder = tmp_path_factory.mktemp("garbage")
    place, file = folder / "f", folder / "memory"
    place.write_bytes(b"data")
    learn(file, place)
    good = file.read_bytes()
    file.write_bytes(damage if isinstance(damage, bytes) else damage(good, int(share * len(good))))
    mine = memory(file)
    assert mine.known(place) is None
    mine.keep(place, place.stat(), digest(place))
    mine.save()
    assert memory(file).known(place) == digest(place)


def test_where_it_cannot_be_written_nothing_happens(tmp_path: Path, place: Path) -> None:
    """A directory in the way, or a file as parent: it is known for this process only."""
    (tmp_path / "memory").mkdir()
    for file in (tmp_path / "memory", place / "memory"):
        mine = memory(file)
        mine.keep(place, place.stat(), digest(place))
        mine.save()
        assert mine.known(place) == digest(place)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([place.name, "memory"])


KILLED = """
import os, sys
from pathlib import Path
from dvc_modelver.dvcio.hashmemory import HashMemory
folder = Path(sys.argv[1])
mine = HashMemory(folder / "memory", clock=lambda: 10**19)
mine.keep(folder / "new", os.stat(folder / "new"), {"md5": "aa"})
def die(event, args):
    if event == sys.argv[2]:
        os._exit(9)
sys.addaudithook(die)
mine.save()
"""


@pytest.mark.parametrize("event", ["open", "os.rename"])
def test_killed_while_saving(tmp_path: Path, place: Path, event: str) -> None:
    """A writer that dies half way leaves what was there before, and its leavings go with time."""
    (tmp_path / "new").write_bytes(b"new")
    learn(tmp_path / "memory", place)
    code = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), event], check=False).returncode
    assert code == 9
    reader = memory(tmp_path / "memory")
    assert (reader.known(place), reader.known(tmp_path / "new")) == (digest(place), None)
    for left in tmp_path.glob("memory.*"):
        os.utime(left, (0, 0))
    learn(tmp_path / "memory", place)
    assert not list(tmp_path.glob("memory.*"))


def test_it_is_bounded(tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest entries go first."""
    monkeypatch.setattr("dvc_modelver.dvcio.hashmemory._MAX_ENTRIES", 2)
    files = [tmp_path / name for name in "abc"]
    for file in files:
        file.write_bytes(b"x")
        learn(tmp_path / "memory", file)
    reader = memory(tmp_path / "memory")
    assert [reader.known(file) is not None for file in files] == [False, True, True]


def test_ten_thousand_entries_are_read_quickly(tmp_path: Path, place: Path) -> None:
    """Opening a large memory is no delay that a person notices."""
    writer, state = memory(tmp_path / "memory"), place.stat()
    for number in range(10_000):
        writer._put(tmp_path / f"some/long/path/to/the/cache/files/md5/{number:032x}", state, {"md5": f"{number:032x}"})
    writer.save()
    fastest = 1.0
    for _ in range(5):
        start = time.perf_counter()
        memory(tmp_path / "memory").known(place)
        fastest = min(fastest, time.perf_counter() - start)
    assert fastest < 0.03
