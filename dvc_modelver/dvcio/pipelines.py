"""Write a pipeline stage into a `dvc.yaml` as text: every other byte of the file stays.  Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from dvc_modelver.dvcio.splice import CannotSplice, splice
from dvc_modelver.dvcio.yaml12 import compose_yaml, load_yaml
from dvc_modelver.errors import BadInput

_BARE = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./@=-]*(?: [A-Za-z0-9_./@=-]+)*\Z", re.ASCII)
NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_-]*\Z", re.ASCII)
"""A pipeline stage's name; DVC allows more."""
_SHELL = frozenset("|&;<>()`\\\"'*?[]#~!\n")
"""What a shell would take for more than a word."""


def find_stage(data: bytes, stage: str, *, name: str) -> object:
    """What `stages:` says of a pipeline stage; None when there is none.  Raises `BadInput` on a broken file."""
    whole = load_yaml(data, name=name)
    if whole is not None and not isinstance(whole, dict):
        raise BadInput(f"{name}: not a mapping")
    stages = (whole or {}).get("stages")
    if stages is not None and not isinstance(stages, dict):
        raise BadInput(f"{name}: 'stages' is not a mapping")
    return (stages or {}).get(stage)


def add_stage(data: bytes, stage: str, body: Mapping[str, object], *, name: str) -> bytes:
    """The file with a pipeline stage after those that it has; its other bytes stay.

    Raises `BadInput` when the file is no YAML, or written in a way that lines cannot be added to.
    """
    find_stage(data, stage, name=name)
    whole = load_yaml(data, name=name)
    # An entry without a value is none that another could be put into.
    key = ("stages",) if isinstance(whole, dict) and not whole.get("stages", True) else ("stages", stage)
    source = f"stages:\n{render_stage(stage, body)}".encode()
    try:
        return splice(data, source, [key], name=name)
    except CannotSplice as error:
        raise BadInput(
            f"{name}: no line can be added to 'stages' ({error.message})",
            hint="write 'stages:' as indented lines, or add what --dry-run prints by hand",
        ) from None


def render_stage(stage: str, body: Mapping[str, object], indent: str = "  ") -> str:
    """A pipeline stage as YAML, as DVC itself would write it."""
    lines = [f"{indent}{stage}:"]
    for key, value in body.items():
        if isinstance(value, str):
            lines.append(f"{indent}  {key}: {_scalar(value)}")
            continue
        assert isinstance(value, Sequence)
        lines.append(f"{indent}  {key}:")
        for item in value:
            lines += _item(item, f"{indent}  ")
    return "".join(f"{line}\n" for line in lines)


def _item(item: object, indent: str) -> list[str]:
    if isinstance(item, str):
        return [f"{indent}- {_scalar(item)}"]
    assert isinstance(item, Mapping)
    lines = []
    for path, flags in item.items():
        lines.append(f"{indent}- {_scalar(str(path))}:")
        lines += [f"{indent}    {flag}: {json.dumps(value)}" for flag, value in flags.items()]
    return lines


def _scalar(text: str) -> str:
    if _BARE.match(text) and load_yaml(text.encode(), name="value") == text:
        return text
    return json.dumps(text, ensure_ascii=False)


# A training's own command ---------------------------------------------------------------------------------------


def is_plain_command(cmd: object) -> bool:
    """Whether a command is one program with its words, so that another can be written before it."""
    return isinstance(cmd, str) and bool(cmd.strip()) and not _SHELL & set(cmd) and "=" not in cmd.split()[0]


def wrap_stage(data: bytes, stage: str, before: str, out: object, *, name: str) -> bytes:
    """The file with `before` written before the command of a pipeline stage, and one more output.

    Raises `BadInput` when the stage is none that can be changed so by lines.
    """
    old = find_stage(data, stage, name=name)
    problem = BadInput(
        f"{name}: the pipeline stage {stage} cannot be changed by lines",
        hint=f"write '{before}' before its command and {json.dumps(out)} under outs by hand",
    )
    if not isinstance(old, dict) or not is_plain_command(old.get("cmd")) or not isinstance(old.get("outs", []), list):
        raise problem
    outs = [*(old.get("outs") or []), out]
    try:
        changed = _wrapped(data, stage, before, out, name).encode()
        found = find_stage(changed, stage, name=name)
        others = [_without(load_yaml(text, name=name), stage) for text in (data, changed)]
    except (BadInput, IndexError, KeyError, StopIteration):
        raise problem from None
    # The file itself is the judge, so that no layout has to be foreseen.
    if found != {**old, "cmd": before + str(old["cmd"]), "outs": outs} or others[0] != others[1]:
        raise problem
    return changed


def _without(whole: Any, stage: str) -> object:
    return {**whole, "stages": {key: value for key, value in whole["stages"].items() if key != stage}}


def _wrapped(data: bytes, stage: str, before: str, out: object, name: str) -> str:
    text = data.decode("utf-8")
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines(keepends=True)
    entry = _child(_child(compose_yaml(data, name=name), "stages")[1], stage)[1]
    key, cmd = _child(entry, "cmd")
    column = key.start_mark.column
    outs = next(((k, v) for k, v in entry.value if k.value == "outs"), None)
    items = outs[1].value if outs is not None else []
    indent = items[0].start_mark.column - 2 if items else column
    added = [f"{line}{newline}" for line in _item(out, " " * indent)]
    if outs is None or not items:
        added = [f"{' ' * column}outs:{newline}", *added]
    # The lower of the two places first, so that the other's line stays where it is.
    at = _below(items[-1]) if items else _below(cmd)
    if not lines[at - 1].endswith("\n"):
        lines[at - 1] += newline
    lines[at:at] = added
    line, start = cmd.start_mark.line, cmd.start_mark.column
    lines[line] = f"{lines[line][:start]}{before}{lines[line][start:]}"
    return "".join(lines)


def _child(node: Any, name: str) -> tuple[Any, Any]:
    return next((key, value) for key, value in node.value if key.value == name)


def _below(node: Any) -> int:
    """The line after the last one of a node."""
    if node.id != "scalar" and node.value and not node.flow_style:
        last = node.value[-1]
        return max(map(_below, last)) if isinstance(last, tuple) else _below(last)
    mark = node.end_mark
    return int(mark.line if mark.column == 0 and mark.line > node.start_mark.line else mark.line + 1)
