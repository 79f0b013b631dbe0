"""The per-sample predictions that this machine has of a model at one point of history."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from io import BufferedReader
from typing import TYPE_CHECKING

from dvc_modelver.commands.bytes_at_hand import Bytes
from dvc_modelver.core.facts import Output
from dvc_modelver.core.trees import Tree
from dvc_modelver.errors import ModelverError

if TYPE_CHECKING:
    from dvc_modelver.commands.cards.facts import CardSource
    from dvc_modelver.core.predictions import Predictions

MAX_FILES = 8
"""Of one point; more are not read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What one point has of predictions."""

    predictions: Mapping[str, Predictions] = field(default_factory=dict)
    """By path."""
    notes: tuple[str, ...] = ()
    """Of files that are not at hand, or no predictions."""


def predictions_of(source: CardSource, at_hand: Bytes, tree: Tree) -> Found:
    """The model's own predictions files at one point, as far as Git and DVC's cache have them.

    Raises `BadInput` when a `dvc.yaml` or `dvc.lock` is broken.
    """
    from dvc_modelver.dvcio.predictions import read_predictions

    found: dict[str, Predictions] = {}
    notes: list[str] = []
    wanted = paths_of_predictions(source, at_hand)
    for path in wanted[:MAX_FILES]:
        data, note = _bytes(source, at_hand, tree, path)
        if data is not None:
            read = read_predictions(data, path)
            note = read.note
            if read.predictions is not None:
                found[path] = read.predictions
        notes += [note] if note is not None else []
    notes += _left_out(wanted)
    return Found(predictions=found, notes=tuple(notes))


def paths_of_predictions(source: CardSource, at_hand: Bytes) -> tuple[str, ...]:
    """Where the model's own predictions files are, as far as listings are at hand.  Raises `BadInput` as above."""
    from dvc_modelver.dvcio.predictionfiles import predictions_paths

    listing = partial(_listing, at_hand)
    return predictions_paths(source.commit, source.declared, source.recipe, listing=listing)


def _listing(at_hand: Bytes, output: Output) -> Mapping[str, str] | None:
    """An altered listing is as good as none here: other commands look for damage."""
    with suppress(ModelverError):
        return at_hand.listing(output)
    return None


def _left_out(wanted: tuple[str, ...]) -> Iterator[str]:
    if len(wanted) > MAX_FILES:
        yield f"{len(wanted) - MAX_FILES} more files of predictions are not read"


def _bytes(source: CardSource, at_hand: Bytes, tree: Tree, path: str) -> tuple[bytes | None, str | None]:
    """The bytes, or why there are none."""
    from dvc_modelver.dvcio.paths import shown

    entry = tree.entry(path)
    if entry is not None:
        data = tree.read(path)
        return data, None if data is not None else f"{shown(path)} is no regular file"
    located = source.commit.find(path, source.declared.file)
    try:
        output = _file(located.output, path, at_hand) if located is not None else None
        return _cached(at_hand, output) if output is not None else (None, None)
    except (ModelverError, OSError):
        return None, f"{shown(path)} cannot be read from DVC's cache"


def _file(output: Output, path: str, at_hand: Bytes) -> Output | None:
    """The cached file at `path`, which is the output or lies in it; None when there is none."""
    from dvc_modelver.dvcio.locate import is_directory

    if not output.cached or output.digest is None:
        return None
    if not is_directory(output):
        return output if output.path == path else None
    md5 = (_listing(at_hand, output) or {}).get(path[len(output.path) + 1 :])
    return None if md5 is None else replace(output, path=path, digest=f"md5:{md5}", size=None, files=None)


def _cached(at_hand: Bytes, output: Output) -> tuple[bytes | None, str | None]:
    from dvc_modelver.dvcio.cache import output_id
    from dvc_modelver.dvcio.hashing import hash_source, open_regular
    from dvc_modelver.dvcio.paths import shown
    from dvc_modelver.dvcio.predictions import MAX_BYTES

    name, oid = shown(output.path), output_id(output)
    cache = at_hand.cache_of(output.root)
    place = cache.find(oid) if cache is not None else None
    if place is None:
        return None, f"{name} is in DVC's cache, and not at hand"
    if place.stat().st_size > MAX_BYTES:
        return None, f"{name} is larger than {MAX_BYTES >> 20} MiB"
    with BufferedReader(open_regular(place)) as file:
        data = file.read(MAX_BYTES + 1)
    if hash_source(data, (oid.hash_name,))[0][oid.hash_name] != oid.hex:
        return None, f"the copy of {name} in DVC's cache is altered"
    return data, None
