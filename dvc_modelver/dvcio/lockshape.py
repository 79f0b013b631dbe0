"""The shape in which DVC writes a stage of `dvc.lock`, as one expression.  Pure.

What matches has one reading only, the one that the full YAML parser gives; `tests` compare the two.
So it admits plain scalars without `: `, ` #`, quotes or indicators, each entry's keys in DVC's order, and nothing else.
A stage of 600 bytes takes 1 us where libyaml takes 60.
"""

from __future__ import annotations

import re

from dvc_modelver.dvcio.scalars import plain

# Plain scalars that stay text: they begin like a name, and are not one of YAML's words.
_NOT_A_WORD = rb"(?!(?:[Tt]rue|TRUE|[Ff]alse|FALSE|[Nn]ull|NULL)\n)"
_PATH = _NOT_A_WORD + rb"(?:\.\./)*[A-Za-z_][A-Za-z0-9_./@+=-]*"
_STAGE = rb"(?!(?:[Tt]rue|TRUE|[Ff]alse|FALSE|[Nn]ull|NULL):)[A-Za-z_][A-Za-z0-9_@.-]*"
# Any text on one line, and lines folded below it; without ':' and '#' nothing in it can end the scalar.
_CMD = _NOT_A_WORD + rb"[A-Za-z_./][ !-\"$-9;-~]*(?:\n      [!-\"$-9;-~][ !-\"$-9;-~]*)*"
# A digest that reads as a number (`123e45...`) is not text unless it is quoted.
_HEX = rb"(?:(?![0-9]+(?:e[0-9]+)?\n)[0-9a-f]{32}(?:\.dir)?|'[0-9a-f]{32}(?:\.dir)?')"
_COUNT = rb"(?:0|[1-9][0-9]{0,17})"
_ENTRY = (
    rb"    - path: " + _PATH + rb"\n(?:      hash: md5\n)?      md5: " + _HEX + rb"\n      size: " + _COUNT + rb"\n"
    rb"(?:      nfiles: " + _COUNT + rb"\n)?(?:      isexec: true\n)?"
)
_VALUE = rb"(?:-?[0-9.]{1,40}(?:e[-+]?[0-9]{1,9})?|[A-Za-z_][A-Za-z0-9_./-]*|'[A-Za-z0-9_./ +-]*')"
_KEY = rb"[A-Za-z_][A-Za-z0-9_.-]*"
_PARAMS = (
    rb"    params:\n(?:      " + _PATH + rb":\n(?:        " + _KEY + rb":(?: " + _VALUE + rb"|(?:\n        - "
    rb"" + _VALUE + rb")+)\n)+)+"
)

STAGE = re.compile(
    rb"  (?P<name>" + _STAGE + rb"):\n    cmd: (?P<cmd>" + _CMD + rb")\n"
    rb"(?:    deps:\n(?P<deps>(?:" + _ENTRY + rb")+))?"
    rb"(?P<params>" + _PARAMS + rb")?"
    rb"(?:    outs:\n(?P<outs>(?:" + _ENTRY + rb")+))?"
    rb"(?=  [^\s#]|\Z)"
)
"""One whole stage, with its last newline."""

ENTRY = re.compile(
    rb"    - path: (?P<path>[^\n]+)\n(?P<hash>      hash: md5\n)?      md5: '?(?P<md5>[0-9a-f.dir]+)'?\n"
    rb"      size: (?P<size>[0-9]+)\n(?:      nfiles: (?P<files>[0-9]+)\n)?"
    rb"(?P<exec>      isexec: true\n)?"
)
"""One entry of what `STAGE` matched."""

_FOLD = re.compile(rb" *\n +")


def read_shape(shape: re.Match[bytes]) -> dict[str, object]:
    """What the YAML parser gives for a stage that `STAGE` matched and that `repeats_a_key` is false for."""
    cmd = shape["cmd"].rstrip(b" ")
    found: dict[str, object] = {"cmd": plain(cmd.decode()) if b"\n" not in cmd else _FOLD.sub(b" ", cmd).decode()}
    if shape["deps"] is not None:
        found["deps"] = [_entry(entry) for entry in ENTRY.finditer(shape["deps"])]
    if shape["params"] is not None:
        found["params"] = _read_params(shape["params"].decode())
    if shape["outs"] is not None:
        found["outs"] = [_entry(entry) for entry in ENTRY.finditer(shape["outs"])]
    return found


def _entry(found: re.Match[bytes]) -> dict[str, object]:
    entry: dict[str, object] = {"path": found["path"].decode()}
    if found["hash"] is not None:
        entry["hash"] = "md5"
    entry |= {"md5": found["md5"].decode(), "size": int(found["size"])}
    if found["files"] is not None:
        entry["nfiles"] = int(found["files"])
    return entry if found["exec"] is None else {**entry, "isexec": True}


def _read_params(text: str) -> dict[object, object]:
    files: dict[object, object] = {}
    keys: dict[object, object] = {}
    items: list[object] = []
    for line in text.splitlines()[1:]:
        if line.startswith("        - "):
            items.append(_value(line[10:]))
        elif line.startswith("        "):
            key, _, value = line[8:].partition(":")
            items = []
            keys[plain(key)] = _value(value[1:]) if value else items
        else:
            keys = {}
            files[plain(line[6:-1])] = keys
    return files


def _value(text: str) -> object:
    return text[1:-1] if text.startswith("'") else plain(text)


HEAD = b"schema: '2.0'\nstages:\n"
_HARMLESS = bytes(range(0x20, 0x7F)).translate(None, b"\"#&*<>?@[]`{|}!%'")


def is_plain(data: bytes) -> bool:
    """Whether a whole `dvc.lock` holds nothing but indented plain scalars below `HEAD`.

    Then no scalar, collection, comment or anchor can hide where a stage begins: a line with two spaces and a name
    is a stage.  30 us for 40 stages, where matching `STAGE` to each takes 180.
    """
    if not data.startswith(HEAD) or not data.endswith(b"\n"):
        return False
    rest = data.translate(None, _HARMLESS)  # the quotes of "schema: '2.0'" and the line ends
    lines = rest.count(b"\n")
    return rest.startswith(b"''") and len(rest) == lines + 2 and data.count(b"\n  ") == lines - 2


NEXT = re.compile(rb"\n(?=  [^ \n])")
"""Where the next stage begins, whatever the shape."""


BEGIN = re.compile(rb"  [^\s#]")
"""The first line of a stage: after a comment or a blank line the lines could belong to the stage before."""


def repeats_a_key(params: bytes) -> bool:
    """Whether a `params` section may hold a key twice; also true for one key in two files: those are parsed in full."""
    keys = [line.partition(b":")[0] for line in params.split(b"\n") if not line.startswith(b"        - ")]
    return len(set(keys)) != len(keys)
