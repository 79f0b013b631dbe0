"""The bytes of staged files that may be large: sizes first, and what is large through a file, not through memory."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from dvc_modelver.errors import DataError
from dvc_modelver.hooks.staged import MAX_BLOB, Change, Staged


def read_sizes(staged: Staged, changes: Sequence[Change]) -> Mapping[str, int]:
    """Object id -> bytes, of all these files, in one process.  Raises `DataError` for a blob that is missing."""
    oids = list(dict.fromkeys(change.new.oid for change in changes))
    if not oids:
        return {}
    answer = staged.git.run("cat-file", "--batch-check", stdin="".join(f"{oid}\n" for oid in oids).encode())
    found: dict[str, int] = {}
    for line in answer.decode("ascii", "replace").splitlines():
        oid, kind, *size = line.split(" ")
        if kind != "blob" or len(size) != 1:
            raise DataError(f"Git object {oid} is missing", hint="git fsck; git fetch")
        found[oid] = int(size[0])
    return found


@contextmanager
def opened(staged: Staged, oid: str, size: int) -> Iterator[bytes | Path]:
    """The bytes of a blob, or a private file with them where they are many."""
    if size <= MAX_BLOB:
        yield staged.tree.blob(oid)
        return
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="modelver-") as folder:
        place = Path(folder) / "blob"
        with open(place, "wb") as target:
            done = subprocess.run(
                staged.git.argv(["cat-file", "blob", oid]),
                cwd=staged.git.directory,
                env=dict(staged.git.env),
                stdin=subprocess.DEVNULL,
                stdout=target,
                stderr=subprocess.DEVNULL,
                check=False,
            )
        if done.returncode:
            raise DataError(f"Git object {oid} cannot be read", hint="git fsck; free some disk space")
        yield place
