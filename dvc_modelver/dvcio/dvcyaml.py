"""Parse `dvc.yaml`: pipeline-stage definitions, top-level files, artifacts.  Pure: bytes to types.

Templates (`${...}`) are not evaluated: what they resolve to stands in `dvc.lock`.  A templated path is a pattern.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from dvc_modelver.dvcio.blocks import split_sections
from dvc_modelver.dvcio.yaml12 import load_yaml
from dvc_modelver.errors import BadInput

_TEMPLATE = re.compile(r"(?<!\\)\$\{.*?\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinedOutput:
    """One output as a stage's definition writes it."""

    path: str
    """Relative to the stage's working directory; may hold templates."""
    kind: str
    """`outs`, `metrics` or `plots`."""
    cached: bool = True
    remote: str | None = None
    pushed: bool = True

    def matches(self, path: str) -> bool:
        """Whether `path`, from the lock file, can be this output."""
        return self.path == path or ("${" in self.path and _pattern(self.path).fullmatch(path) is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A pipeline stage, or a group of them (`foreach`, `matrix`)."""

    name: str
    raw: Mapping[str, object]
    """The entry as it stands, with `foreach`, `matrix` and `do`."""
    body: Mapping[str, object]
    """What one stage of it does: `raw` itself, or what stands under `do`."""
    group: bool
    outs: tuple[DefinedOutput, ...]
    wdir: str | None

    def output(self, path: str) -> DefinedOutput | None:
        """The definition of the output that the lock file calls `path`."""
        exact = (out for out in self.outs if out.path == path)
        loose = (out for out in self.outs if out.matches(path))
        return next(exact, None) or next(loose, None)

    def working_directory(self, stage: str) -> str | None:
        """`wdir` of the stage called `stage`; None when a template in it cannot be followed."""
        if self.wdir is None or "${" not in self.wdir:
            return self.wdir or "."
        item = stage.partition("@")[2]
        simple = isinstance(self.raw.get("foreach"), list)
        known = re.sub(r"\$\{\s*item\s*\}", item.replace("\\", r"\\"), self.wdir) if simple and item else self.wdir
        return None if "${" in known else known


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectFile:
    """One `dvc.yaml`."""

    name: str
    stages: Mapping[str, Definition]
    metrics: tuple[str, ...]
    params: tuple[str, ...]
    vars: tuple[object, ...]
    artifacts: object
    """As it stands; `project` says what is wrong with it."""
    plots: object = None
    """As it stands."""
    problems: tuple[str, ...] = field(default=())
    wdirs: tuple[str, ...] = (".",)
    """The working directories of all stages, each once."""

    def definition(self, stage: str) -> Definition | None:
        """The definition of a stage of the lock file: its own, or its group's for `name@item`."""
        own = self.stages.get(stage)
        if own is not None:
            return None if own.group else own
        group = self.stages.get(stage.rpartition("@")[0])
        return group if group is not None and group.group else None


@lru_cache(maxsize=64)
def parse_dvc_yaml(data: bytes, name: str) -> ProjectFile:
    """The contents of a `dvc.yaml`.  Remembered by content: versions share most of them.

    Raises:
        BadInput: it is no YAML, or no mapping.  Parts of a wrong type are left out and named in `problems`.
    """
    raw: object = _read_entries(data)
    if raw is None:
        raw = load_yaml(data, name=name)
    if raw is None:
        raw = {}
    if not isinstance(raw, dict):
        raise BadInput(f"{name}: not a mapping")
    problems: list[str] = []
    stages = dict(_stages(raw.get("stages"), problems))
    return ProjectFile(
        name=name,
        stages=stages,
        metrics=_strings(raw, "metrics", problems),
        params=_strings(raw, "params", problems),
        vars=tuple(_items(raw.get("vars"))),
        artifacts=raw.get("artifacts"),
        plots=raw.get("plots"),
        problems=tuple(problems),
        wdirs=tuple(dict.fromkeys(stage.wdir or "." for stage in stages.values())) or (".",),
    )


def _read_entries(data: bytes) -> dict[str, object] | None:
    """The whole file put together from its entries; None when it has to be parsed as one."""
    sections = split_sections(data)
    if sections is None:
        return None
    whole: dict[str, object] = {}
    try:
        for key, entries in sections.items():
            parsed = [_read_entry(entry) for entry in entries]
            own = len(parsed) == 1 and list(parsed[0]) == [key] and entries[0].startswith(key.encode())
            whole[key] = parsed[0][key] if own else {name: value for entry in parsed for name, value in entry.items()}
            if not own and sum(map(len, parsed)) != len(whole[key]):  # type: ignore[arg-type]
                return None
    except BadInput:
        return None
    return whole


@lru_cache(maxsize=8192)
def _read_entry(text: bytes) -> dict[str, object]:
    found = load_yaml(text, name="")
    if not isinstance(found, dict) or not all(isinstance(key, str) for key in found):
        raise BadInput("no entry")
    return found


def has_template(text: str) -> bool:
    """Whether DVC would put a value into `text`."""
    return _TEMPLATE.search(text) is not None


@lru_cache(maxsize=1024)
def _pattern(path: str) -> re.Pattern[str]:
    """What a templated path can resolve to; neighbouring templates count as one, so matching stays linear."""
    parts = [re.escape(part) for part in _TEMPLATE.split(path)[:9]]
    merged = [part for at, part in enumerate(parts) if part or at in (0, len(parts) - 1)]
    return re.compile(".*".join(merged), re.DOTALL)


def _stages(raw: object, problems: list[str]) -> Iterator[tuple[str, Definition]]:
    if raw is None:
        return
    if not isinstance(raw, dict):
        problems.append("'stages' is not a mapping")
        return
    for name, entry in raw.items():
        if isinstance(name, str) and isinstance(entry, dict):
            yield name, _definition(name, entry)
        else:
            problems.append(f"stage {str(name)[:60]!a} is not a mapping")


_definitions: dict[int, Definition] = {}


def _definition(name: str, raw: dict[str, object]) -> Definition:
    """Remembered by the identity of `raw`, which the definition keeps alive: entries are shared by many files."""
    known = _definitions.get(id(raw))
    if known is None or known.raw is not raw:
        if len(_definitions) > 20_000:
            _definitions.clear()
        known = _definitions[id(raw)] = _define(name, raw)
    return known


def _define(name: str, raw: dict[str, object]) -> Definition:
    inner = raw.get("do")
    body = inner if isinstance(inner, dict) else raw
    wdir = body.get("wdir")
    return Definition(
        name=name,
        raw=raw,
        body=body,
        group="foreach" in raw or "matrix" in raw,
        outs=tuple(_outs(body)),
        wdir=wdir if isinstance(wdir, str) else None,
    )


def _outs(body: Mapping[str, object]) -> Iterator[DefinedOutput]:
    for kind in ("outs", "metrics", "plots"):
        for item in _items(body.get(kind)):
            if isinstance(item, str):
                yield DefinedOutput(path=item, kind=kind)
            elif isinstance(item, dict):
                yield from (_out(path, flags, kind) for path, flags in item.items() if isinstance(path, str))


def _out(path: str, flags: object, kind: str) -> DefinedOutput:
    known = flags if isinstance(flags, dict) else {}
    remote = known.get("remote")
    return DefinedOutput(
        path=path,
        kind=kind,
        cached=known.get("cache") is not False,
        remote=remote if isinstance(remote, str) else None,
        pushed=known.get("push") is not False,
    )


def _items(raw: object) -> list[object]:
    return raw if isinstance(raw, list) else []


def _strings(raw: Mapping[str, object], key: str, problems: list[str]) -> tuple[str, ...]:
    items = raw.get(key)
    if items is None:
        return ()
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        problems.append(f"{key!r} is not a list of paths")
    return tuple(item for item in _items(items) if isinstance(item, str))
