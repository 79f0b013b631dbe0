"""Objects by digest, listings, and hashing."""

from __future__ import annotations

import hashlib
import json
import os
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvc_modelver.core.facts import Output
from dvc_modelver.dvcio.cache import Cache, output_id
from dvc_modelver.dvcio.hashing import CHUNK, LEGACY_MD5, hash_file, hash_source
from dvc_modelver.dvcio.listing import ObjectId, check_relpath, format_listing, object_id, parse_listing
from dvc_modelver.errors import BadInput, DataError
from tests.dvcio.bytes_support import Repo, corrupt, md5

HEX = "0123456789abcdef" * 2


@pytest.mark.parametrize(
    ("oid", "place"),
    [
        (ObjectId(HEX), f"files/md5/01/{HEX[2:]}"),
        (ObjectId(HEX, directory=True), f"files/md5/01/{HEX[2:]}.dir"),
        (ObjectId(HEX, legacy=True), f"01/{HEX[2:]}"),
        (ObjectId(HEX, directory=True, legacy=True), f"01/{HEX[2:]}.dir"),
    ],
)
def test_object_place(oid: ObjectId, place: str) -> None:
    """An object lies where DVC of its generation puts it."""
    assert Cache(Path("/c")).path(oid) == Path("/c") / place


@pytest.mark.parametrize("path", ["model.bin", "words", "old.csv", "olddir"])
def test_finds_what_dvc_wrote(bytes_repo: Repo, path: str) -> None:
    """Objects that the real dvc wrote and pushed are found in the cache and in the remote."""
    assert bytes_repo.cache.exists(bytes_repo.oid(path))
    assert bytes_repo.remote.exists(bytes_repo.oid(path))


def test_looks_elsewhere_second(tmp_path: Path, bytes_repo: Repo) -> None:
    """A second directory is read when the first lacks an object."""
    both = Cache(tmp_path / "none", also=(bytes_repo.cache.directory,))
    assert both.find(bytes_repo.oid("model.bin")) == bytes_repo.cache.path(bytes_repo.oid("model.bin"))


@pytest.mark.parametrize(
    "digest", ["md5:../../etc/passwd", "md5:" + "g" * 32, HEX.upper(), HEX[:-1], "", f"{HEX}.dir.dir"]
)
def test_digest_must_be_hex(digest: str) -> None:
    """A digest that is not 32 hexadecimal digits is refused, since paths are made of it."""
    with pytest.raises(BadInput):
        object_id(digest)


@pytest.mark.parametrize(
    "output",
    [
        Output(path="x", digest=None),
        Output(path="x", digest="etag:1"),
        Output(path="x", digest=f"md5:{HEX}", cached=False),
    ],
)
def test_output_without_md5_is_not_verifiable(output: Output) -> None:
    """What DVC keeps no md5-named bytes of cannot be verified, and that is said."""
    with pytest.raises(DataError, match="cannot be verified"):
        output_id(output)


@pytest.mark.parametrize(
    "relpath",
    [
        "../x",
        "/x",
        "a/../b",
        ".git/config",
        "a/.GIT/hooks",
        ".git. /x",
        "git~1/x",
        "a\\b",
        "C:x",
        "",
        "a//b",
        "./a",
        "a\0b",
    ],
)
def test_hostile_relpaths_are_refused(relpath: str) -> None:
    """A listing entry that could mean anything but a file below the directory is refused."""
    with pytest.raises(BadInput):
        check_relpath(relpath)


@given(st.text(max_size=40))
def test_accepted_relpaths_stay_below(relpath: str) -> None:
    """Every accepted path, joined, stays below its directory and out of `.git`."""
    try:
        check_relpath(relpath)
    except BadInput:
        return
    joined = os.path.normpath(os.path.join("/base", relpath))
    assert joined.startswith("/base/")
    assert ".git" not in joined.lower().split("/")


@pytest.mark.parametrize(
    "rows",
    [
        {"a": 1},
        [1],
        [{"relpath": "a"}],
        [{"relpath": "a", "md5": 7}],
        [{"relpath": "a", "md5": "zz"}],
        [{"relpath": "a", "md5": f"{HEX}.dir"}],
        [{"relpath": "a", "md5": HEX}, {"relpath": "a", "md5": HEX}],
        [{"relpath": "a", "md5": HEX}, {"relpath": "a/b", "md5": HEX}],
        [{"relpath": "../a", "md5": HEX}],
    ],
)
def test_hostile_listings_are_refused(rows: object) -> None:
    """Anything but a list of distinct files with digests is refused."""
    with pytest.raises(BadInput):
        parse_listing(json.dumps(rows).encode(), ObjectId(HEX, directory=True))


@pytest.mark.parametrize("raw", [b"", b"{", b"[" * 100_000, b"\xff"])
def test_listing_that_is_not_json_is_refused(raw: bytes) -> None:
    """Bytes that are no JSON, or nested without end, are bad input and not a crash."""
    with pytest.raises(BadInput):
        parse_listing(raw, ObjectId(HEX, directory=True))


def test_listing_is_compared_with_its_digest(bytes_repo: Repo) -> None:
    """A listing altered in the cache is bad data even when it is well formed."""
    oid = bytes_repo.oid("words")
    place = bytes_repo.cache.path(oid)
    rows = json.loads(place.read_bytes())
    place.chmod(0o644)
    place.write_text(json.dumps(rows[1:]))
    with pytest.raises(DataError, match="altered"):
        bytes_repo.cache.read_listing(oid)


def test_listing_round_trip(bytes_repo: Repo) -> None:
    """Written again, a listing has the very digest that DVC gave it."""
    oid = bytes_repo.oid("words")
    files = bytes_repo.cache.read_listing(oid)
    assert len(files) == 30
    assert md5(format_listing((file.relpath, file.oid.hex) for file in files)) == oid.hex


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 7])
def test_hash_file_equals_hashlib(tmp_path: Path, size: int) -> None:
    """One pass gives the md5, the sha256 and the size of a file of any size."""
    data = random.Random(size).randbytes(size)
    (tmp_path / "f").write_bytes(data)
    found = hash_file(tmp_path / "f")
    assert (found.md5, found.sha256, found.size) == (md5(data), hashlib.sha256(data).hexdigest(), size)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"a\r\nb\r\n",
        b"\x00\r\n",
        b"\x80" * 300 + b"\r\n" * 100,
        b"\x80" * 100 + b"\r\n" * 400,
        b"x" * (CHUNK - 1) + b"\r\n" * 9,
        b"text\r\n" * 300_000,
        b"\r\n" * CHUNK + b"\x00\r\n",
    ],
)
def test_legacy_md5_equals_dvc(tmp_path: Path, data: bytes) -> None:
    """The md5 of DVC 2 is what DVC's own code computes, at block boundaries too."""
    from dvc_data.hashfile.hash import file_md5

    (tmp_path / "f").write_bytes(data)
    digests, _ = hash_source(tmp_path / "f", (LEGACY_MD5,))
    assert digests[LEGACY_MD5] == file_md5(str(tmp_path / "f"), name="md5-dos2unix")


def test_pipe_is_refused(tmp_path: Path) -> None:
    """A named pipe in place of an object is refused instead of read for ever."""
    os.mkfifo(tmp_path / "p")
    with pytest.raises(DataError, match="not a regular file"):
        hash_file(tmp_path / "p")


def test_pipe_in_the_cache_is_missing(bytes_repo: Repo) -> None:
    """An object's name that is a pipe counts as no object."""
    place = bytes_repo.cache.path(bytes_repo.oid("model.bin"))
    corrupt(place, "missing")
    os.mkfifo(place)
    assert not bytes_repo.cache.exists(bytes_repo.oid("model.bin"))
