"""Profiles of tables of data whose bytes are on this machine, remembered by the digest of their bytes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from io import BufferedReader, RawIOBase
from pathlib import Path
from types import NoneType
from typing import Any

from dvc_modelver.commands.bytes_at_hand import Bytes
from dvc_modelver.commands.project import Project
from dvc_modelver.commands.remembered import read_remembered, write_remembered
from dvc_modelver.core.facts import Output
from dvc_modelver.core.tables import ColumnProfile, TableProfile
from dvc_modelver.core.trees import Tree
from dvc_modelver.dvcio.cache import output_id
from dvc_modelver.dvcio.hashing import MD5, new_hasher, open_regular, open_source, pump
from dvc_modelver.dvcio.paths import is_url, path_problem
from dvc_modelver.dvcio.profiles import profile_table, table_format
from dvc_modelver.errors import ModelverError

MAX_SIZE = 256 << 20
"""Bytes of the largest file that is looked into."""
_CACHE = "tables-2"
"""Bump it when the meaning of a profile changes, or what takes which text for what."""
_NUMBER = (int, float, NoneType)
_FIELDS: Mapping[str, tuple[type, ...]] = {
    "name": (str,),
    "type": (str,),
    "nulls": (int,),
    "distinct": (int, NoneType),
    "minimum": (*_NUMBER, str),
    "maximum": (*_NUMBER, str),
    "mean": _NUMBER,
    "std": _NUMBER,
    "categories": (list, NoneType),
}


def profile_output(
    project: Project, at_hand: Bytes, output: Output | str, tree: Tree | None = None
) -> TableProfile | None:
    """The table that an output names; None where it is none, or its bytes are not on this machine as they were.

    Looked for in DVC's cache, in the work tree and in `tree`, always compared with the digest; only what DVC has no
    digest of is taken as Git has it.  Nothing is fetched.

    Args:
        output: of one file; or a path from the repository's root, of which only Git knows the bytes.
        tree: of the commit that names it, for bytes that are in Git; without it a path is one of the work tree.
    """
    path = output if isinstance(output, str) else output.path
    kind = table_format(path)
    if kind is None or is_url(path) or path_problem(path):
        return None
    if isinstance(output, str) or output.digest is None:
        return _of_git(project, path, kind, tree)
    with suppress(ModelverError, OSError):
        return _of_output(project, at_hand, output, kind, tree)
    return None


def _of_output(project: Project, at_hand: Bytes, output: Output, kind: str, tree: Tree | None) -> TableProfile | None:
    digest = (output.digest or "").lower()
    if not digest.startswith(f"{MD5}:") or digest.endswith(".dir") or (output.size or 0) > MAX_SIZE:
        return None
    md5, key = digest.removeprefix(f"{MD5}:"), f"{output.hash_name}:{digest}:{kind}"
    known = _remembered(project, key)
    if known is not None:
        return known
    for place in _places(project, at_hand, output):
        found = _of_file(project, place, output, md5)
        if found is not None:
            return _remember(project, key, found)
    raw = tree.read(output.path) if tree is not None else None
    if raw is None or len(raw) > MAX_SIZE or not _is(open_source(raw), output.hash_name, md5):
        return None
    return _remember(project, key, profile_table(raw, output.path, progress=project.around.progress))


def _places(project: Project, at_hand: Bytes, output: Output) -> Iterator[Path]:
    """Where the bytes may lie."""
    cache = at_hand.cache_of(output.root) if output.cached else None
    found = cache.find(output_id(output)) if cache is not None else None
    if found is not None:
        yield found
    top = project.repository.root
    if top is not None:
        place = Path(os.path.realpath(top / output.path))
        # A link may lead to DVC's cache, which was looked at, or out of the repository.
        if place.is_relative_to(os.path.realpath(top)) and place.is_file():
            yield place


def _of_file(project: Project, place: Path, output: Output, md5: str) -> TableProfile | None:
    """Of the very file that was hashed, as long as nobody writes into it meanwhile."""
    with open_regular(place) as raw:
        before = os.fstat(raw.fileno())
        if before.st_size > MAX_SIZE or not _is(raw, output.hash_name, md5):
            return None
        file = BufferedReader(raw)
        file.seek(0)
        found = profile_table(file, output.path, progress=project.around.progress)
        after = os.fstat(raw.fileno())
        return found if (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns) else None


def _is(source: RawIOBase, hash_name: str, md5: str) -> bool:
    hasher = new_hasher(hash_name)
    pump(source, [hasher.update])
    return hasher.hexdigest() == md5


def _of_git(project: Project, path: str, kind: str, tree: Tree | None) -> TableProfile | None:
    from dvc_modelver.commands.worktrees import work_tree

    with suppress(ModelverError, OSError):
        raw = (tree if tree is not None else work_tree(project)).read(path)
        if raw is None or len(raw) > MAX_SIZE:
            return None
        key = f"sha256:{hashlib.sha256(raw).hexdigest()}:{kind}"
        known = _remembered(project, key)
        if known is not None:
            return known
        return _remember(project, key, profile_table(raw, path, progress=project.around.progress))
    return None


# What is remembered ---------------------------------------------------------------------------------------------


def _memory(project: Project, key: str) -> Path:
    return project.state_dir / "cache" / _CACHE / f"{hashlib.sha256(key.encode()).hexdigest()[:40]}.json"


def _remember(project: Project, key: str, table: TableProfile | None) -> TableProfile | None:
    """Not that something is no table: a file that could not be read today, or a library that is absent, may come."""
    if table is not None:
        write_remembered(_memory(project, key), {"for": key, "table": asdict(table)})
    return table


def _remembered(project: Project, key: str) -> TableProfile | None:
    row = read_remembered(_memory(project, key))
    return _table(row.get("table")) if row is not None and row.get("for") == key else None


def _table(row: Any) -> TableProfile | None:
    """The inverse of `asdict`; None for what is none."""
    try:
        columns = tuple(map(_column, row["columns"]))
        table = TableProfile(rows=row["rows"], columns=columns, ragged=row["ragged"])
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    return table if isinstance(table.rows, int) and isinstance(table.ragged, int) else None


def _column(row: Mapping[str, Any]) -> ColumnProfile:
    """Raises `KeyError`, `TypeError` or `ValueError` for what is none."""
    values = {name: row[name] for name in _FIELDS}
    if not all(isinstance(values[name], kinds) for name, kinds in _FIELDS.items()):
        raise ValueError("not a column")
    if values["categories"] is not None:
        values["categories"] = tuple(map(str, values["categories"]))
    return ColumnProfile(**values)
