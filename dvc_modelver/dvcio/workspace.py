"""Does the work tree hold the bytes that the commit names?"""

from __future__ import annotations

import hashlib
import os
import shlex
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from dvc_modelver.core.facts import ArtifactFacts
from dvc_modelver.core.progress import Progress, no_progress
from dvc_modelver.dvcio.cache import Cache, output_id
from dvc_modelver.dvcio.content import DIRECTORY, FILE, select
from dvc_modelver.dvcio.hashing import hash_source
from dvc_modelver.dvcio.listing import ObjectId, check_relpath, format_listing, object_id
from dvc_modelver.dvcio.paths import parents
from dvc_modelver.dvcio.progress import Meter
from dvc_modelver.errors import DataError

_NEVER_TRACKED = frozenset({".git", ".hg", ".dvc"})
_BATCH = 512
"""Files hashed before the answer is looked at: a difference found early saves the rest."""


class Saved(str, Enum):
    """How a copy in the work tree stands to the committed bytes."""

    ABSENT = "absent"
    SAME = "same"
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True)
class WorkCopy:
    """The answer of `hash_workspace`."""

    state: Saved
    first: str | None = None
    """The first path (from the root) that differs, is missing or is extra."""


@dataclass(frozen=True, slots=True)
class _Expected:
    kind: str
    files: Mapping[str, ObjectId] | None
    """By path below the artifact, empty for a file; None when the directory's listing cannot be had."""
    whole: ObjectId


def hash_workspace(
    root: Path, facts: ArtifactFacts, cache: Cache | None = None, *, progress: Progress = no_progress
) -> WorkCopy:
    """Hash the work tree's copy of an artifact and compare it with the digest in `facts`.

    Symbolic links are followed only into `root` or into the cache (DVC's `cache.type symlink`); any other makes
    the copy `different`.  The file is named when the cache has the directory's listing, else the directory.

    Raises:
        DataError: the commit names no md5 to compare with.
        BadInput: the digest is not hexadecimal, the path leads out.
    """
    expected = _read_expected(facts, cache)
    path = check_relpath(facts.path or "")
    place, allowed = root / path, _allowed(root, cache)
    if not place.exists():
        return WorkCopy(Saved.ABSENT)
    if not _leads_into(place, allowed) or place.is_dir() != (expected.kind == DIRECTORY):
        return WorkCopy(Saved.DIFFERENT, path)
    if expected.kind == FILE:
        first = _first_different(place, expected.files or {}, progress)
    else:
        first = _compare_directory(root, place, expected, allowed, progress)
    return WorkCopy(Saved.SAME) if first is None else WorkCopy(Saved.DIFFERENT, f"{path}/{first}" if first else path)


def _read_expected(facts: ArtifactFacts, cache: Cache | None) -> _Expected:
    if facts.path is None or facts.output is None:
        raise DataError(facts.problem or "the commit names no bytes that DVC keeps of this artifact")
    whole = output_id(facts.output)
    if not whole.directory:
        return _Expected(FILE, {"": whole}, whole)
    if cache is not None and cache.exists(whole):
        kind, files = select(cache.read_listing(whole), facts.inside)
        return _Expected(kind, {"" if kind == FILE else file.relpath: file.oid for file in files}, whole)
    if not facts.inside:
        return _Expected(DIRECTORY, None, whole)
    if facts.kind == FILE and facts.digest:
        return _Expected(FILE, {"": object_id(facts.digest, whole.hash_name)}, whole)
    tracked = facts.output.path
    raise DataError(f"the listing of {tracked} is not in the DVC cache", hint=f"dvc fetch {shlex.quote(tracked)}")


def _allowed(root: Path, cache: Cache | None) -> tuple[Path, ...]:
    places = [root, *((cache.directory, *cache.also) if cache else ())]
    return tuple(Path(os.path.realpath(place)) for place in places)


def _leads_into(place: Path, allowed: tuple[Path, ...]) -> bool:
    """True when the real file is in the root (not in its `.git`) or in the cache."""
    real = Path(os.path.realpath(place))
    if any(real.is_relative_to(directory) for directory in allowed[1:]):
        return True
    return real.is_relative_to(allowed[0]) and ".git" not in real.relative_to(allowed[0]).parts


def _compare_directory(
    root: Path, place: Path, expected: _Expected, allowed: tuple[Path, ...], progress: Progress
) -> str | None:
    """The first path below the directory that differs; `""` for the directory itself, None when it is the same."""
    found = dict(_walk(place))
    led_out = [name for name, file in found.items() if file.is_symlink() and not _leads_into(file, allowed)]
    if led_out:
        return min(led_out)
    ignored = ignored_names(root, place, found.keys() - (expected.files or {}).keys())
    if expected.files is None:
        kept = {name: file for name, file in found.items() if name not in ignored}
        return None if _tree_md5(kept, expected.whole.hash_name, progress) == expected.whole.hex else ""
    unlike = (found.keys() - ignored) ^ expected.files.keys()
    return min(unlike) if unlike else _first_different(place, expected.files, progress)


def _walk(place: Path) -> Iterator[tuple[str, Path]]:
    for directory, below, names in os.walk(place):
        below[:] = [name for name in below if name not in _NEVER_TRACKED]
        for name in names:
            file = Path(directory, name)
            if name != ".git":
                yield file.relative_to(place).as_posix(), file


def _first_different(place: Path, files: Mapping[str, ObjectId], progress: Progress) -> str | None:
    meter = Meter(0, progress)

    def is_same(name: str) -> bool:
        digest, _ = hash_source(place / name, (files[name].hash_name,), meter.told(name or place.name))
        return digest[files[name].hash_name] == files[name].hex

    names = sorted(files)
    for start in range(0, len(names), _BATCH):
        batch = names[start : start + _BATCH]
        same = meter.map(is_same, batch)
        if not all(same):
            return batch[same.index(False)]
    return None


def _tree_md5(files: Mapping[str, Path], hash_name: str, progress: Progress) -> str:
    """The digest that DVC would give a directory of these files."""
    names, meter = sorted(files), Meter(0, progress)
    digests = meter.map(lambda name: hash_source(files[name], (hash_name,), meter.told(name))[0][hash_name], names)
    return hashlib.md5(format_listing(zip(names, digests, strict=True)), usedforsecurity=False).hexdigest()


def ignored_names(root: Path, place: Path, names: set[str]) -> set[str]:
    """Those of `names` that a `.dvcignore` between the root and the file keeps out of DVC's sight."""
    ignored: set[str] = set()
    for directory, rules in _ignore_files(root, place) if names else ():
        import pathspec

        spec = pathspec.GitIgnoreSpec.from_lines(rules.read_text(errors="replace").splitlines())
        below = [name for name in names if (place / name).is_relative_to(directory)]
        ignored.update(name for name in below if spec.match_file((place / name).relative_to(directory).as_posix()))
    return ignored


def hidden_files(root: Path, files: Collection[str]) -> set[str]:
    """Those of `files` (POSIX paths from `root`) that a `.dvcignore` of a folder above them hides from DVC."""
    folders = {parent for file in files for parent in (*parents(file), "")}
    hidden: set[str] = set()
    for folder in folders:
        rules = root / folder / ".dvcignore"
        if rules.is_file():
            import pathspec

            spec = pathspec.GitIgnoreSpec.from_lines(rules.read_text(errors="replace").splitlines())
            start = f"{folder}/" if folder else ""
            below = (file for file in files if file.startswith(start))
            hidden.update(file for file in below if spec.match_file(file.removeprefix(start)))
    return hidden


def _ignore_files(root: Path, place: Path) -> Iterator[tuple[Path, Path]]:
    above = [directory for directory in (place, *place.parents) if directory.is_relative_to(root)]
    for directory in (*above, *(file.parent for _, file in _walk(place) if file.name == ".dvcignore")):
        rules = directory / ".dvcignore"
        if rules.is_file() and not rules.is_symlink():
            yield directory, rules
