"""Decide which versions were made from a thing, and which cannot be ruled out.  Pure: no git, no files.

A `Making` is what one commit says of one model.  `judge` looks for the wanted thing among all that leads to the model.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from dvc_modelver.core.facts import Scalar
from dvc_modelver.core.text import redact
from dvc_modelver.errors import BadInput

MIN_PREFIX = 8
"""Hex digits of a digest that are taken for one."""
_HEX = re.compile(r"(?:md5:)?([0-9a-fA-F]{8,32})(\.dir)?")
_OTHER = re.compile(r"(?:etag|checksum):.+")


class Thing(NamedTuple):
    """Bytes on the way to a model, under the path that its commit knows them by."""

    kind: str
    """`data`, `code` or `artifact`, as in the ids of the lineage."""
    path: str
    digest: str | None
    """`md5:HEX`, `md5:HEX.dir`, `etag:...`; None when the commit gives none."""
    in_git: bool = False
    """Whether the bytes are Git's: then its tree says what a directory holds."""
    above: str | None = None
    """The tracked directory of which this is a part."""
    above_digest: str | None = None
    origin: str | None = None
    """`URL:PATH` of an import from another repository, or the URL of the data; without user-info."""
    origin_rev: str | None = None
    """The commit that the import is from."""
    root: str = ""
    """Directory of the DVC repository, as in `Output`."""
    remote: str | None = None
    hash_name: str = "md5"

    @property
    def id(self) -> str:
        return f"{self.kind}:{redact(self.path)}@{self.digest or '-'}"

    @property
    def is_directory(self) -> bool:
        return self.digest is not None and self.digest.endswith(".dir")

    @property
    def needs_look(self) -> bool:
        """Whether its digest alone does not tell what it holds."""
        return self.is_directory or (self.digest is None and (self.above is not None or self.in_git))


class Action(NamedTuple):
    """A pipeline stage as it last ran."""

    id: str
    inputs: tuple[Thing, ...]
    outs: tuple[Thing, ...]
    params: tuple[tuple[str, str, Scalar], ...]
    """(file, key, value)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """What one commit says of how one model was made."""

    artifact: Thing | None
    actions: tuple[Action, ...] = ()
    """The pipeline stages up to the artifact."""
    measuring: tuple[Action, ...] = ()
    """Those that read it."""
    doubts: tuple[str, ...] = ()
    """What keeps the commit from telling everything."""
    recorded: bool = True
    """False when it says nothing of where the bytes came from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """A param, and its value where one was asked for."""

    file: str
    key: str
    value: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is looked for; any of it is enough."""

    digests: frozenset[str] = frozenset()
    path: str | None = None
    """A file, or a directory with all that is below it."""
    origin: str | None = None
    """As `Thing.origin`, or its repository alone."""
    rev: str | None = None
    """Only imports from commits that begin so."""
    param: Param | None = None

    @property
    def bytes_wanted(self) -> bool:
        """Whether the contents of directories matter."""
        return bool(self.digests) or self.path is not None


class Found(NamedTuple):
    """A wanted thing on the way to a version."""

    path: str
    digest: str | None
    value: Scalar = None
    """Of a param."""


class Doubt(NamedTuple):
    """Why a version cannot be ruled out."""

    path: str | None
    digest: str | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is known of one version."""

    found: tuple[Found, ...] = ()
    way: tuple[str, ...] = ()
    """Ids from the nearest wanted thing to the version; empty when it was not made from any."""
    measured_with: tuple[str, ...] = ()
    """The same when a wanted thing only served to measure it."""
    doubts: tuple[Doubt, ...] = field(default=())
    """Empty when `way` is not."""


Look = Callable[[Thing], Sequence[tuple[str, str]] | None]
"""Wanted files inside a thing that `needs_look`: (path below it, md5); None when that cannot be known."""


def judge(making: Making, version: str, wanted: Wanted, look: Look) -> Verdict:
    """Whether the version of that id was made from what is wanted, through what, and what is not known."""
    after, things = _ways(making, version)
    doubts = [Doubt(None, None, reason) for reason in making.doubts]
    found: dict[Found, tuple[str, ...]] = {}
    for thing in things.values():
        some = _in_thing(thing, wanted, look)
        if some is None:
            doubts.append(Doubt(redact(thing.path), thing.digest, _why(thing)))
        for one in some or ():
            found.setdefault(one, _start(one, thing, wanted))
    for action in making.actions:
        for param in _params(action, wanted.param) if action.id in after else ():
            found.setdefault(param, (f"params:{param.path}@{param.value}", action.id))
    if not found:
        return Verdict(measured_with=_measured(making, version, wanted, look), doubts=tuple(doubts))
    ways = (_way(start, after) for start in found.values())
    return Verdict(found=tuple(sorted(found, key=_order)), way=min(ways, key=lambda way: (len(way), way)))


def _ways(making: Making, version: str) -> tuple[dict[str, str], dict[str, Thing]]:
    """Node -> the next one on the shortest way to the version, and the things among them by id."""
    if making.artifact is None:
        return {}, {}
    writers: dict[str, list[tuple[Action, Thing]]] = {}
    for action in making.actions:
        for out in action.outs:
            writers.setdefault(out.path, []).append((action, out))
    after = {making.artifact.id: version}
    things = {making.artifact.id: making.artifact}
    pending = deque([making.artifact])
    while pending:
        thing = pending.popleft()
        for action, out in (pair for path in (thing.path, *_parents(thing.path)) for pair in writers.get(path, ())):
            if out.path != thing.path and out.id not in after:
                after[out.id], things[out.id] = thing.id, out
            if action.id in after:
                continue
            after[action.id] = thing.id
            for found in action.inputs:
                if found.id not in after:
                    after[found.id], things[found.id] = action.id, found
                    pending.append(found)
    return after, things


def _parents(path: str) -> Iterator[str]:
    at = path.rfind("/")
    while at > 0 and "://" not in path:
        yield path[:at]
        at = path.rfind("/", 0, at)


def _in_thing(thing: Thing, wanted: Wanted, look: Look) -> tuple[Found, ...] | None:
    """What of the wanted a thing is or holds; None when that cannot be known."""
    if is_wanted(thing, wanted):
        return (Found(redact(thing.path), thing.digest),)
    if not wanted.bytes_wanted:
        return ()
    if thing.needs_look:
        inside = look(thing)
        base = redact(thing.path)
        return None if inside is None else tuple(Found(f"{base}/{name}" if name else base, md5) for name, md5 in inside)
    known = thing.digest is not None and thing.digest.startswith("md5:")
    comparable = known or not any(digest.startswith("md5:") for digest in wanted.digests)
    return () if comparable else None


def is_wanted(thing: Thing, wanted: Wanted) -> bool:
    if thing.digest is not None and thing.digest in wanted.digests:
        return True
    if wanted.path is not None and (thing.path == wanted.path or thing.path.startswith(f"{wanted.path}/")):
        return True
    if wanted.origin is None:
        return False
    origins = [text for text in (thing.origin, thing.path if "://" in thing.path else None) if text]
    if not origins:
        return False
    asked, origins = plain_url(wanted.origin), [plain_url(text) for text in origins]
    same = any(origin == asked or origin.startswith((f"{asked}:", f"{asked}/")) for origin in origins)
    return same and (wanted.rev is None or (thing.origin_rev or "").startswith(wanted.rev))


def plain_url(url: str) -> str:
    """A repository's address as people mean it: no user-info, no `.git`, no last slash; also before `:PATH`."""
    text = re.sub(r"(?<=://)[^/@\s]+@", "", url.strip())
    return re.sub(r"(?:\.git)?/*(?=:(?!//)[^:]*$|$)", "", text, count=1)


def _why(thing: Thing) -> str:
    if thing.in_git:
        return "the pipeline stage read other files there than Git has: compare the folder by hand"
    if thing.is_directory or thing.above is not None:
        return "its listing is neither in the DVC cache nor in the remote: dvc fetch, or dvc push from where it is"
    return "its commit names no md5 of it: compare the bytes by hand"


def _start(one: Found, thing: Thing, wanted: Wanted) -> tuple[str, ...]:
    """The first nodes of the way: what was found, and the thing that it is in or became."""
    if one != (redact(thing.path), thing.digest, None):
        return f"{thing.kind}:{one.path}@{one.digest or '-'}", thing.id
    if wanted.origin is not None and thing.origin is not None:
        return f"import:{redact(thing.origin)}@{thing.origin_rev or '-'}", thing.id
    return (thing.id,)


def _way(start: tuple[str, ...], after: Mapping[str, str]) -> tuple[str, ...]:
    way = [*start]
    while (following := after.get(way[-1])) is not None:
        way.append(following)
    return tuple(way)


def _params(action: Action, param: Param | None) -> Iterator[Found]:
    if param is None:
        return
    for file, key, value in action.params:
        named = file == param.file and (key == param.key or key.startswith(f"{param.key}."))
        if named and (param.value is None or same_value(value, param.value)):
            yield Found(f"{file}:{key}", None, value)


def same_value(value: Scalar, text: str) -> bool:
    """Whether `text` is how people write `value`: numbers by value, words as YAML has them."""
    text = text.strip()
    if value is None:
        return text.lower() in ("null", "none", "~", "")
    if isinstance(value, bool):
        return text.lower() == str(value).lower()
    if isinstance(value, str):
        return text == value or text in (f'"{value}"', f"'{value}'")
    try:
        return str(value) == text or float(text) == value
    except (ValueError, OverflowError):
        return False


def _measured(making: Making, version: str, wanted: Wanted, look: Look) -> tuple[str, ...]:
    for action in making.measuring:
        for thing in action.inputs:
            if found := _in_thing(thing, wanted, look):
                return (*_start(found[0], thing, wanted), action.id, version)
        for param in _params(action, wanted.param):
            return (f"params:{param.path}@{param.value}", action.id, version)
    return ()


def _order(one: Found) -> tuple[str, str, str]:
    return one.path, one.digest or "", str(one.value)


# Digests ---------------------------------------------------------------------------------------------------------


def digest_query(text: str) -> tuple[str, str] | None:
    """(lower-case hex, `.dir` or empty) of a digest or the beginning of one; None when `text` is none."""
    found = _HEX.fullmatch(text)
    if found is None or (found[2] and len(found[1]) < 32):
        return None
    return found[1].lower(), found[2] or ""


def is_other_digest(text: str) -> bool:
    """Whether `text` is a digest that is no md5: `etag:...`, `checksum:...`."""
    return _OTHER.fullmatch(text) is not None


def resolve_digest(hexadecimal: str, suffix: str, known: Iterable[str]) -> frozenset[str]:
    """The digests that a query means: whole ones as they stand, of a prefix the one known that begins so.

    Raises `BadInput` with the candidates when several do.
    """
    start = f"md5:{hexadecimal}"
    if len(hexadecimal) == 32:
        return frozenset({start + suffix} if suffix else {start, f"{start}.dir"})
    found = sorted({digest for digest in known if digest.startswith(start)})
    if len(found) > 1:
        some = ", ".join(found[:5]) + (f" and {len(found) - 5} more" if len(found) > 5 else "")
        raise BadInput(f"{hexadecimal} is the beginning of {len(found)} digests: {some}", hint="give more digits")
    return frozenset(found)


# Rows: what a cache keeps ----------------------------------------------------------------------------------------


def to_rows(makings: Mapping[str, Making]) -> dict[str, Any]:
    """Makings by commit as JSON can hold them, what they share written once.  Law: `from_rows(to_rows(m)) == m`."""
    things: dict[Thing, int] = {}
    actions: dict[tuple[Any, ...], int] = {}

    def thing(one: Thing) -> int:
        return things.setdefault(one, len(things))

    def action(one: Action) -> int:
        # `1`, `1.0` and `true` are equal to Python and different params.
        params = tuple((file, key, type(value).__name__, value) for file, key, value in one.params)
        row = (one.id, tuple(map(thing, one.inputs)), tuple(map(thing, one.outs)), params)
        return actions.setdefault(row, len(actions))

    commits = {
        commit: [
            None if m.artifact is None else thing(m.artifact),
            [action(one) for one in m.actions],
            [action(one) for one in m.measuring],
            list(m.doubts),
            m.recorded,
        ]
        for commit, m in makings.items()
    }
    rows = [[i, ins, outs, [[file, key, value] for file, key, _, value in params]] for i, ins, outs, params in actions]
    return {"things": [list(one) for one in things], "actions": rows, "commits": commits}


def from_rows(raw: Mapping[str, Any]) -> dict[str, Making]:
    """The inverse of `to_rows`.  Raises `ValueError`, `TypeError`, `KeyError` or `IndexError` for anything else."""
    things = [Thing(*row) for row in raw["things"]]
    actions = [
        Action(i, tuple(things[n] for n in ins), tuple(things[n] for n in outs), tuple((f, k, v) for f, k, v in params))
        for i, ins, outs, params in raw["actions"]
    ]
    return {
        commit: Making(
            artifact=None if artifact is None else things[artifact],
            actions=tuple(actions[n] for n in steps),
            measuring=tuple(actions[n] for n in measuring),
            doubts=tuple(doubts),
            recorded=recorded,
        )
        for commit, (artifact, steps, measuring, doubts, recorded) in raw["commits"].items()
    }
