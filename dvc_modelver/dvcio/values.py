"""Read a file of params or metrics, and flatten it to keys and scalars as DVC shows them.  Pure: bytes to values."""

from __future__ import annotations

import json
import math
import posixpath
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping

from dvc_modelver.core.facts import Scalar
from dvc_modelver.dvcio.pyparams import read_constants
from dvc_modelver.dvcio.yaml12 import MAX_DEPTH, load_yaml
from dvc_modelver.errors import BadInput

MAX_BYTES = 16 * 1024 * 1024
MAX_TOML = 2 * 1024 * 1024
_TOML_BREAK = re.compile(rb"[,=\n\[\]{}]")


def read_values(data: bytes, *, path: str, strict: bool = False) -> object:
    """The contents of a params or metrics file, by its suffix: JSON, TOML, Python, and YAML for anything else.

    Mostly a mapping; a metrics file may also hold one number.  An empty file is an empty mapping.

    Args:
        strict: whether a key that stands twice in JSON is refused, as it is in the other formats; else the last one
            counts, as for DVC.

    Raises:
        BadInput: it cannot be read as what its name says; the message names file and line.
    """
    if len(data) > MAX_BYTES:
        raise BadInput(f"{path}: larger than {MAX_BYTES // 2**20} MiB")
    suffix = posixpath.splitext(path)[1].lower()
    if strict and suffix == ".json":
        value = _read_json(data, path, pairs=_once)
    else:
        value = _READERS.get(suffix, _read_yaml)(data, path)
    _check_nesting(value, path)
    return {} if value is None or value == "" or value == [] else value


def flatten(value: object) -> dict[str, Scalar]:
    """Every leaf by its dotted key; a dot inside a key is written `\\.`.

    A list becomes its compact JSON; DVC prints Python's form of it.  Dates become ISO texts, empty mappings vanish.
    A value that is no mapping stands under the empty key, as in `dvc params diff`.
    """
    if not isinstance(value, Mapping):
        return {"": scalar(value)}
    return {".".join(keys): scalar(leaf) for keys, leaf in _leaves(value, ())}


def flatten_metrics(value: object) -> dict[str, Scalar]:
    """The numbers and texts that `dvc metrics show` keeps: no lists, no nulls, no dates."""
    if not isinstance(value, Mapping):
        return {"": value} if isinstance(value, (int, float, str)) else {}
    leaves = _leaves(value, ())
    return {".".join(keys): leaf for keys, leaf in leaves if isinstance(leaf, (int, float, str))}


def select(value: object, keys: tuple[str, ...]) -> object:
    """Only what the dotted `keys` of a `params:` list name; `*` stands for any name between dots."""
    if not keys:
        return value
    chosen: dict[object, object] = {}
    for key in keys:
        _copy(value, key.split("."), chosen)
    return chosen


def scalar(value: object) -> Scalar:
    """The value itself when it is one, else its compact JSON."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple, set, frozenset, Mapping)):
        return json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":"), default=_text)
    return _text(value)


def _leaves(value: Mapping[object, object], above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], object]]:
    for key, inner in value.items():
        keys = (*above, str(key).replace(".", "\\."))
        if isinstance(inner, Mapping):
            yield from _leaves(inner, keys)
        else:
            yield keys, inner


def _copy(value: object, parts: list[str], into: dict[object, object]) -> None:
    """Copies what the dotted path names into `into`; nothing where it leads nowhere."""
    for key, inner in value.items() if isinstance(value, Mapping) else ():
        if parts[0] not in (str(key), "*"):
            continue
        if len(parts) == 1:
            into[key] = inner
            continue
        known = into.get(key)
        below = dict(known) if isinstance(known, Mapping) else {}
        _copy(inner, parts[1:], below)
        if below:
            into[key] = below


def _plain(value: object) -> object:
    """Lists for tuples and sets; numbers that JSON has no word for become the texts that the CLI prints."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted((_plain(item) for item in value), key=repr)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def _text(value: object) -> str:
    isoformat = getattr(value, "isoformat", None)
    return str(isoformat()) if callable(isoformat) else str(value)


def _decode(data: bytes, path: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadInput(f"{path}: line {line}: not UTF-8 text") from None


_Pairs = list[tuple[str, object]]


class _Twice(Exception):
    """A key of a JSON object that stands there twice."""


def _once(pairs: _Pairs) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise _Twice(key)
        found[key] = value
    return found


def _read_json(data: bytes, path: str, pairs: Callable[[_Pairs], object] | None = None) -> object:
    try:
        return json.loads(_decode(data, path), object_pairs_hook=pairs)
    except _Twice as error:
        raise BadInput(f"{path}: key {str(error)[:60]!r} twice") from None
    except json.JSONDecodeError as error:
        raise BadInput(f"{path}: line {error.lineno}: not JSON: {error.msg}") from None
    except (ValueError, RecursionError):
        raise BadInput(f"{path}: a number is too long, or values are nested too deep") from None


def _read_toml(data: bytes, path: str) -> object:
    # Both parsers take quadratic time over a dotted key: 12 s for 20,000 names.
    if len(data) > MAX_TOML or any(part.count(b".") > MAX_DEPTH for part in _TOML_BREAK.split(data)):
        raise BadInput(f"{path}: larger than {MAX_TOML // 2**20} MiB, or nested deeper than {MAX_DEPTH} levels")
    text = _decode(data, path)
    try:
        return _toml_loads()(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path}: not TOML: {str(error)[:200]}") from None


def _toml_loads() -> Callable[[str], object]:
    """The standard library's parser; on Python 3.10 the one that dvc depends on."""
    if sys.version_info >= (3, 11):
        import tomllib

        return tomllib.loads
    import tomlkit

    return lambda text: tomlkit.loads(text).unwrap()


def _check_nesting(value: object, path: str) -> None:
    """Refuses what is nested deeper than the YAML reader allows: all that follows may recurse."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [inner for outer in level for inner in _inner(outer)]
        if not level:
            return
    raise BadInput(f"{path}: nested deeper than {MAX_DEPTH} levels")


def _inner(value: object) -> Iterable[object]:
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, (list, tuple)) else ()


def _read_yaml(data: bytes, path: str) -> object:
    return load_yaml(data, name=path)


def _read_python(data: bytes, path: str) -> object:
    return read_constants(data, name=path)


_READERS: Mapping[str, Callable[[bytes, str], object]] = {
    ".json": _read_json,
    ".toml": _read_toml,
    ".py": _read_python,
}
