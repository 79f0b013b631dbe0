"""`modelver-model-format`: no staged model is of a format that runs code when it is loaded, but where policy allows it.

What is found is what was looked for: a file that passes was not shown to be harmless.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from dvc_modelver.errors import BadInput, DataError
from dvc_modelver.hooks.call import Call
from dvc_modelver.hooks.names import may_be_model
from dvc_modelver.hooks.precommit import Finding, is_dvc_name, report
from dvc_modelver.hooks.staged import Change, Staged

if TYPE_CHECKING:
    from dvc_modelver.core.descriptions import ModelDescription
    from dvc_modelver.dvcio.config import DvcConfig
    from dvc_modelver.hooks.sync_bytes import Named

_MAX_FILES = 2000
"""Files of one tracked directory that are looked at."""
_PICKLE_NAMES = (".pkl", ".pickle", ".joblib", ".pt", ".pth", ".ckpt", ".sav", ".dill", ".p", ".model", ".jl")


def run(call: Call) -> int:
    """0 when no such model is staged, 1 when one is."""
    with Staged(call) as staged:
        files = [change for change in staged.changes if change.is_file and may_be_model(change.name)]
        named = [change for change in staged.changes if change.is_file and is_dvc_name(change.name)]
        if not files and not named:
            return 0
        return report(call, _findings(staged, files, named))


def _findings(staged: Staged, files: list[Change], named: list[Change]) -> Iterator[Finding]:
    allowed = staged.config("models").models.get("allow_code", False)
    if allowed is True:
        return
    for path, found in (*_in_git(staged, files), *_in_dvc(staged, named)):
        if found is not None and found.status.value == "code-capable" and not _is_allowed(path, allowed):
            yield _finding(path, found)


def _finding(path: str, found: ModelDescription) -> Finding:
    from dvc_modelver.dvcio.paths import shown

    imports = f", imports {', '.join(found.imports[:3])}" if found.imports else ""
    return Finding(
        path=shown(path),
        problem=f"loading it can run code ({found.format}{imports})",
        remedy="save it in a format without code, such as safetensors, ONNX or skops; or models.allow_code in "
        ".modelver.yaml",
    )


def _is_allowed(path: str, allowed: object) -> bool:
    from fnmatch import fnmatchcase

    return any(fnmatchcase(path, str(pattern)) for pattern in allowed) if isinstance(allowed, (list, tuple)) else False


def _in_git(staged: Staged, files: list[Change]) -> Iterator[tuple[str, ModelDescription | None]]:
    from dvc_modelver.hooks.blobs import opened, read_sizes

    sizes = read_sizes(staged, files)
    for change in files:
        size = sizes[change.new.oid]
        if size:
            with opened(staged, change.new.oid, size) as source:
                yield change.path, _look(_smudged(staged, source), change.name)


def _smudged(staged: Staged, source: bytes | Path) -> bytes | Path:
    """The file itself where Git LFS keeps it and this clone has it; else what Git has."""
    if isinstance(source, bytes) and source.startswith(b"version https://git-lfs"):
        from dvc_modelver.dvcio.facts import LFS_POINTER

        found = LFS_POINTER.match(source)
        if found is not None:
            digest = found[1].decode("ascii")
            common = Path(staged.git.line("rev-parse", "--path-format=absolute", "--git-common-dir"))
            place = common / "lfs" / "objects" / digest[:2] / digest[2:4] / digest
            return place if place.is_file() else source
    return source


def _look(source: bytes | Path, name: str) -> ModelDescription | None:
    """What it is; None for text that only happens to be an old pickle that imports nothing."""
    from dvc_modelver.dvcio.formats.describe import describe

    found = describe(source, name=name)
    if found.imports or found.format not in ("pickle", "joblib") or name.lower().endswith(_PICKLE_NAMES):
        return found
    head = source[:1] if isinstance(source, bytes) else _first(source)
    return None if head.isascii() else found


def _first(place: Path) -> bytes:
    with open(place, "rb") as stream:
        return stream.read(1)


def _in_dvc(staged: Staged, named: list[Change]) -> Iterator[tuple[str, ModelDescription | None]]:
    """What staged DVC files newly name, as far as its bytes are in the cache."""
    if not named:
        return
    from dvc_modelver.dvcio.config import read_dvc_config
    from dvc_modelver.dvcio.locate import Commit
    from dvc_modelver.hooks.sync_bytes import new_outputs

    files = dict.fromkeys(
        change.path if change.name.endswith(".dvc") else f"{change.path[: -len(change.name)]}dvc.yaml"
        for change in named
    )
    configs: dict[str, DvcConfig] = {}
    for output in new_outputs(staged, Commit(staged.tree), files):
        root = output.output.root
        if root not in configs:
            configs[root] = read_dvc_config(staged.root / root / ".dvc", env=staged.env)
        for path, place in _pieces(output, configs[root]):
            yield path, _look(place, path.rpartition("/")[2])


def _pieces(named: Named, config: DvcConfig) -> Iterator[tuple[str, Path]]:
    """(path, file in the cache) of an output, or of the files of a directory."""
    from dvc_modelver.dvcio.cache import Cache

    cache = Cache(config.cache_dir)
    rows = [(named.output.path, named.oid)]
    if named.oid.directory:
        try:
            listed = cache.read_listing(named.oid)
        except (DataError, BadInput):
            return
        rows = [(f"{named.output.path}/{file.relpath}", file.oid) for file in listed]
    for path, oid in [row for row in rows if may_be_model(row[0])][:_MAX_FILES]:
        place = cache.find(oid)
        if place is not None:
            yield path, place
