"""CatBoost's `.cbm`: a magic word and a flatbuffer (catboost/libs/model/flatbuffers/model.fbs)."""

from __future__ import annotations

import re
import struct

from dvc_modelver.dvcio.formats import jsontext
from dvc_modelver.dvcio.formats.description import (
    MAX_FEATURES,
    Feature,
    ModelDescription,
    Scalar,
    Status,
    clip,
    names,
    scalar,
    signature,
)
from dvc_modelver.dvcio.formats.jsontext import mapping, sequence
from dvc_modelver.dvcio.formats.source import Malformed, Source

_RELEASE = re.compile(r"Branch: tags/v(\d[\w.]{0,30})")
_MAX_TEXT = 256 * 1024
_WANTED = ("iterations", "learning_rate", "depth", "l2_leaf_reg", "random_seed", "loss_function", "border_count")


def describe(source: Source) -> ModelDescription:
    """What the model's tables say.  Raises `Malformed` when they are broken."""
    root = _Table(source, 8 + _number(source, 8))
    trees, info = root.table(1), _info(root)
    parameters = _json(info.get("params"))
    details: dict[str, Scalar] = {"format": clip(root.text(0) or "?", 60)}
    loss = mapping(parameters, "loss_function").get("type") if parameters else None
    if isinstance(loss, str):
        details["loss"] = clip(loss)
    inputs: list[tuple[int, Feature]] = []
    if trees is not None:
        details["trees"] = trees.length(2)
        inputs = [*_features(trees, 5, "float"), *_features(trees, 4, "categorical")]
        details["features"] = trees.length(5) + trees.length(4)
    classes = sequence(mapping(_json(info.get("class_params"))).get("class_names"))
    version = info.get("catboost_version_info", "")
    return ModelDescription(
        format="catboost",
        status=Status.NO_CODE_FORMAT,
        library="catboost",
        library_version=_version(version),
        details=details,
        hyperparameters=_hyperparameters(parameters),
        signature=signature(
            inputs=tuple(feature for _, feature in sorted(inputs, key=lambda pair: pair[0])), classes=names(classes)
        ),
    )


def _version(text: str) -> str | None:
    """The release in the build's words: `Branch: tags/v1.2.10`."""
    match = _RELEASE.search(text[:4096])
    return None if match is None else match[1]


def _json(text: str | None) -> object:
    try:
        return jsontext.load(text.encode()) if text else {}
    except Malformed:
        return {}


def _hyperparameters(parameters: object) -> dict[str, Scalar]:
    flat = dict(mapping(parameters, "flat_params"))
    found: dict[str, Scalar] = {}
    for key in [*(key for key in _WANTED if key in flat), *(key for key in flat if key not in _WANTED)][:50]:
        value = scalar(flat[key])
        if value is not None:
            found[clip(key, 60)] = value
    return found


def _info(root: _Table) -> dict[str, str]:
    return {pair.text(0) or "": pair.text(1) or "" for pair in root.tables(2, 100)}


def _features(trees: _Table, slot: int, kind: str) -> list[tuple[int, Feature]]:
    """(place among all features, feature) of one kind."""
    name_slot = 4 if kind == "float" else 2
    index_slot = 2 if kind == "float" else 1
    found = []
    for table in trees.tables(slot, MAX_FEATURES):
        index = table.integer(index_slot)
        found.append((index, Feature(name=clip(table.text(name_slot) or str(index)), type=kind)))
    return found


def _number(source: Source, at: int) -> int:
    return int(struct.unpack("<I", source.exactly(at, 4))[0])


class _Table:
    """A flatbuffer's table: its fields' offsets lie in a vtable before or behind it."""

    def __init__(self, source: Source, at: int) -> None:
        self.source = source
        self.at = at
        vtable = at - struct.unpack("<i", source.exactly(at, 4))[0]
        length = struct.unpack("<H", source.exactly(vtable, 2))[0]
        if length < 4 or length % 2:
            raise Malformed("a table without fields")
        self.slots = struct.unpack(f"<{length // 2 - 2}H", source.exactly(vtable + 4, length - 4))

    def place(self, slot: int) -> int | None:
        """Where a field lies, None when it is absent."""
        offset = self.slots[slot] if slot < len(self.slots) else 0
        return self.at + offset if offset else None

    def target(self, slot: int) -> int | None:
        """Where the table, text or vector that a field names begins."""
        place = self.place(slot)
        return None if place is None else place + _number(self.source, place)

    def integer(self, slot: int) -> int:
        place = self.place(slot)
        return 0 if place is None else int(struct.unpack("<i", self.source.exactly(place, 4))[0])

    def text(self, slot: int) -> str | None:
        target = self.target(slot)
        if target is None:
            return None
        length = _number(self.source, target)
        return self.source.at(target + 4, min(length, _MAX_TEXT)).decode("utf-8", "replace")

    def length(self, slot: int) -> int:
        target = self.target(slot)
        return 0 if target is None else _number(self.source, target)

    def table(self, slot: int) -> _Table | None:
        target = self.target(slot)
        return None if target is None else _Table(self.source, target)

    def tables(self, slot: int, limit: int) -> list[_Table]:
        """The tables of a vector, the first ones."""
        target = self.target(slot)
        if target is None:
            return []
        count = min(_number(self.source, target), limit)
        places = [target + 4 + 4 * i for i in range(count)]
        return [_Table(self.source, place + _number(self.source, place)) for place in places]
