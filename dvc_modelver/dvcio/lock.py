"""Parse `dvc.lock`: which bytes each pipeline stage read and wrote.  Pure: bytes to types.

DVC writes the file by machine, so it is cut at its stages and only what is asked for is looked into: one
output among 40 stages in 50 us, where libyaml with our constructor takes 2.4 ms and DVC's own parser 82.  A stage of
another shape goes through the YAML parser by itself; a file of another shape goes through it as a whole.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from dvc_modelver.dvcio.items import Item, parse_item
from dvc_modelver.dvcio.lockshape import BEGIN, ENTRY, HEAD, NEXT, STAGE, is_plain, read_shape, repeats_a_key
from dvc_modelver.dvcio.yaml12 import bad_line, conflict, load_yaml
from dvc_modelver.errors import BadInput

MAX_BYTES = 8 * 1024 * 1024
"""13,000 pipeline stages; walking upstream through them takes 2 seconds."""
# An anchor or alias would tie stages together: such a file is read as a whole.
_ANCHOR = re.compile(rb"(?:^|[ \[{,])[&*][^ \n]", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedStage:
    """One pipeline stage as it last ran."""

    name: str
    deps: tuple[Item, ...]
    outs: tuple[Item, ...]
    params: Mapping[str, tuple[str, ...]]
    """FILE -> the keys that the stage read from it."""
    digest: str
    """sha256 of the entry's values: equal for equal entries, however they are written."""
    values: Mapping[str, Mapping[object, object]]
    """FILE -> the values that the stage read from it, as they stand."""
    cmd: str | None
    """What ran; several commands on a line each."""


@dataclass(frozen=True, slots=True)
class _Raw:
    """A stage in machine shape, not looked into: the places of its text, its dependencies and its outputs."""

    name: str
    start: int
    end: int
    deps: tuple[int, int]
    outs: tuple[int, int]


_Mapping = Mapping[str, object]


class Lock:
    """The stages of one `dvc.lock`.  Immutable to its users; parts are parsed when asked for.

    Of a file in plain machine shape only what is asked for is checked: a fault in another stage is not seen.
    """

    def __init__(self, name: str, data: bytes, stages: Mapping[str, _Raw | _Mapping] | None = None) -> None:
        self._name = name
        self._data = data
        self._known = stages
        self._by_path: dict[str, list[tuple[str, Item]]] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The stages in the order of the file; of a `foreach` or `matrix` group each, as `name@item`."""
        return tuple(self._stages)

    def stage(self, name: str) -> LockedStage | None:
        """One stage, parsed; None when the file does not hold it.  Raises `BadInput` for digests that are not hex."""
        raw = self._find(name)
        return None if raw is None else _stage(name, self._mapping(raw), f"{self._name}: stage {name}")

    def stages(self) -> Iterator[LockedStage]:
        """Every stage, parsed."""
        for name in self._stages:
            yield _stage(name, self._mapping(self._stages[name]), f"{self._name}: stage {name}")

    def outputs(self, path: str) -> Iterator[tuple[str, Item]]:
        """(stage, entry) of every output written exactly as `path`."""
        if self._known is None:
            found = self._search(path)
            if found is not None:
                return iter(found)
        if self._by_path is None:
            self._by_path = {}
            for name, item in self.all_outputs():
                self._by_path.setdefault(item.path, []).append((name, item))
        return iter(self._by_path.get(path, ()))

    def all_outputs(self) -> Iterator[tuple[str, Item]]:
        """(stage, entry) of every output, in the order of the file."""
        for name, raw in self._stages.items():
            for item in self._entries(name, raw, "outs"):
                yield name, item

    def all_inputs(self) -> Iterator[tuple[str, str]]:
        """(stage, path as written) of every dependency, in the order of the file."""
        for name, raw in self._stages.items():
            for item in self._entries(name, raw, "deps"):
                yield name, item.path

    @property
    def _stages(self) -> Mapping[str, _Raw | _Mapping]:
        if self._known is None:
            self._known = _cut(self._data, self._name)
        return self._known

    def _find(self, name: str) -> _Raw | _Mapping | None:
        line = b"\n  " + name.encode("utf-8", "replace") + b":\n"
        if self._known is None and "\n" not in name and self._data.count(line) == 1:
            raw = _shape(self._data, self._data.find(line) + 1)
            if raw is not None:
                return raw
        return self._stages.get(name)

    def _search(self, path: str) -> list[tuple[str, Item]] | None:
        """The outputs called `path`, found as text; None when a stage that holds one is of another shape."""
        needle = b"\n    - path: " + path.encode("utf-8", "replace") + b"\n"
        found: list[tuple[str, Item]] = []
        at = self._data.find(needle) + 1
        while at > 0:
            raw = self._around(at)
            if raw is None:
                return None
            entry = ENTRY.match(self._data, at)
            if entry is not None and raw.outs[0] <= at < raw.outs[1]:
                found.append((raw.name, _item(entry)))
            at = self._data.find(needle, at) + 1
        return found

    def _around(self, at: int) -> _Raw | None:
        """The one stage that holds position `at`."""
        command = self._data.rfind(b"\n    cmd: ", 0, at)
        start = self._data.rfind(b"\n", 0, command) + 1
        raw = _shape(self._data, start) if command > 0 else None
        if raw is None or raw.end <= at or self._data.count(f"\n  {raw.name}:\n".encode()) != 1:
            return None
        return raw

    def _entries(self, name: str, raw: _Raw | _Mapping, key: str) -> Iterator[Item]:
        """`deps` or `outs` of a stage."""
        if isinstance(raw, _Raw):
            span = raw.outs if key == "outs" else raw.deps
            return map(_item, ENTRY.finditer(self._data, *span)) if span[0] >= 0 else iter(())
        return _items(raw, key, f"{self._name}: stage {name}")

    def _mapping(self, raw: _Raw | _Mapping) -> _Mapping:
        if not isinstance(raw, _Raw):
            return raw
        shape = STAGE.match(self._data, raw.start)
        if shape is None:
            raise BadInput(f"{self._name}: stage {raw.name}: not the lines of one stage")
        try:
            return read_shape(shape)
        except ValueError:  # what looks like a number and is none: YAML's own parser says what is wrong with it
            (entry,) = _block(self._data[raw.start : raw.end], self._name).values()
            return entry


def parse_lock(data: bytes, name: str) -> Lock:
    """The stages of a `dvc.lock`, schema 2.0 or that of DVC 1.

    Raises:
        BadInput: not YAML, conflict markers, an unknown schema, entries of a wrong shape, too large.
    """
    if len(data) > MAX_BYTES:
        raise BadInput(f"{name}: larger than {MAX_BYTES // 2**20} MiB")
    return Lock(name, data, None if is_plain(data) else _cut(data, name))


def parse_lock_fully(data: bytes, name: str) -> Lock:
    """The same by the YAML parser alone: the reference for `parse_lock`."""
    return Lock(name, data, _whole(data, name))


def _cut(data: bytes, name: str) -> Mapping[str, _Raw | _Mapping]:
    """Every stage, each checked."""
    stages = _by_stage(data, name)
    return _whole(data, name) if stages is None else stages


def _shape(data: bytes, at: int) -> _Raw | None:
    """The stage in machine shape that begins at `at`; None when it is of another shape."""
    shape = STAGE.match(data, at)
    if shape is None or (shape.start("params") >= 0 and repeats_a_key(shape["params"])):
        return None
    return _Raw(shape["name"].decode("ascii"), at, shape.end(), shape.span("deps"), shape.span("outs"))


def _by_stage(data: bytes, name: str) -> dict[str, _Raw | _Mapping] | None:
    """The stages, cut at their first lines; None when the file as a whole has to be parsed."""
    if not data.startswith(HEAD) or not data.endswith(b"\n"):
        return None
    found: dict[str, _Raw | _Mapping] = {}
    entry: _Raw | _Mapping
    at = len(HEAD)
    while at < len(data):
        start = at
        raw = _shape(data, at)
        if raw is not None:
            stage, at, entry = raw.name, raw.end, raw
        else:
            at = _end_of_block(data, at)
            try:
                ((stage, entry),) = _block(data[start:at], name).items()
            except (BadInput, ValueError):
                return None
        if stage in found:
            raise bad_line(name, data.count(b"\n", 0, start) + 1, f"key {stage[:60]!r} twice")
        found[stage] = entry
    return found


def _end_of_block(data: bytes, at: int) -> int:
    following = NEXT.search(data, at)
    return len(data) if following is None else following.end()


@lru_cache(maxsize=4096)
def _block(text: bytes, name: str) -> Mapping[str, _Mapping]:
    """The stage that stands in these lines alone.  Remembered: of 40 stages a commit changes a few."""
    if _ANCHOR.search(text) or not BEGIN.match(text):
        raise BadInput(f"{name}: not the lines of one stage")
    return _checked(load_yaml(text, name=name), name)


def _whole(data: bytes, name: str) -> Mapping[str, _Mapping]:
    raw = load_yaml(data, name=name)
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise conflict(data, name) or BadInput(f"{name}: not a mapping")
    return _checked(_stages_of(raw, name), name)


def _stages_of(raw: Mapping[object, object], name: str) -> object:
    """`stages:` of schema 2.0; DVC 1 wrote the stages at the top, without a schema."""
    if "schema" in raw:
        if raw["schema"] != "2.0":
            raise BadInput(f"{name}: unknown schema {str(raw['schema'])[:40]!a}", hint="written by a newer DVC?")
        return raw.get("stages") or {}
    if raw and all(isinstance(entry, dict) and "cmd" in entry for entry in raw.values()):
        return raw
    if not raw:
        return {}
    raise BadInput(f"{name}: no schema", hint="restore the file from Git history, or run dvc repro")


def _checked(raw: object, name: str) -> Mapping[str, _Mapping]:
    if not isinstance(raw, dict) or not all(isinstance(stage, str) for stage in raw):
        raise BadInput(f"{name}: 'stages' is not a mapping of names")
    for stage, entry in raw.items():
        if not isinstance(entry, dict):
            raise BadInput(f"{name}: stage {stage[:60]!a} is not a mapping")
    return raw


def _item(found: re.Match[bytes]) -> Item:
    return Item(
        path=found["path"].decode("ascii"),
        digest="md5:" + found["md5"].decode("ascii"),
        size=int(found["size"]),
        files=None if found["files"] is None else int(found["files"]),
        hash_name="md5-dos2unix" if found["hash"] is None else "md5",
    )


def _stage(name: str, raw: _Mapping, where: str) -> LockedStage:
    return LockedStage(
        name=name,
        deps=tuple(_items(raw, "deps", where)),
        outs=tuple(_items(raw, "outs", where)),
        params=_params(raw, where),
        digest=digest_of(raw),
        values={str(file): v for file, v in _params_of(raw, where).items() if isinstance(v, dict)},
        cmd=_cmd(raw.get("cmd")),
    )


def _items(raw: _Mapping, key: str, where: str) -> Iterator[Item]:
    entries = raw.get(key)
    if entries is None:
        return
    if not isinstance(entries, list):
        raise BadInput(f"{where}: {key!r} is not a list")
    for entry in entries:
        yield parse_item(entry, where)


def _params(raw: _Mapping, where: str) -> Mapping[str, tuple[str, ...]]:
    return {
        str(file): tuple(map(str, keys)) if isinstance(keys, dict) else ()
        for file, keys in _params_of(raw, where).items()
    }


def _params_of(raw: _Mapping, where: str) -> Mapping[object, object]:
    params = raw.get("params")
    if params is None:
        return {}
    if not isinstance(params, dict):
        raise BadInput(f"{where}: 'params' is not a mapping")
    return params


def _cmd(raw: object) -> str | None:
    """DVC takes a command or a list of them."""
    if isinstance(raw, list):
        return "\n".join(item for item in raw if isinstance(item, str)) or None
    return raw if isinstance(raw, str) else None


_LONG = 14_000
"""Bits of an integer of nearly 4,300 decimals."""


def digest_of(value: object) -> str:
    """sha256 of a value's canonical JSON; equal for equal values, whatever order their keys came in."""
    text = json.dumps(_canonical(value), sort_keys=True, ensure_ascii=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _canonical(value: object) -> object:
    """The same with keys as texts that keep their type: JSON would write 1 and "1" alike, and cannot sort both."""
    if isinstance(value, dict):
        return {(k if isinstance(k, str) else f"\0{k!r}"): _canonical(v) for k, v in value.items()}
    if isinstance(value, int) and value.bit_length() > _LONG:
        return f"\0{value:x}"  # Python refuses to write it in decimals
    return [_canonical(item) for item in value] if isinstance(value, list) else value
