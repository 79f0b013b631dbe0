"""Write a pipeline stage into a `dvc.yaml` as text: every other byte of the file stays.  Pure."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dvc_modelver.dvcio.splice import CannotSplice, splice
from dvc_modelver.dvcio.yaml12 import compose_yaml, load_yaml
from dvc_modelver.errors import BadInput

_BARE = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./@=-]*(?: [A-Za-z0-9_./@=-]+)*\Z", re.ASCII)
NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_-]*\Z", re.ASCII)
"""A pipeline stage's name; DVC allows more."""
_Addition = tuple[int, int, str]
"""Line and column, from 0, and what is put in there."""
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
    return (
        isinstance(cmd, str) and bool(cmd.strip()) and not _SHELL & set(cmd.rstrip("\n")) and "=" not in cmd.split()[0]
    )


def wrap_stage(data: bytes, stage: str, before: str, out: object, *, name: str) -> bytes:
    """The file with `before` written before the command of a pipeline stage, and one more output.

    In block and in flow style; every other byte stays.  Raises `BadInput` where that cannot be, and says why.
    """
    old = find_stage(data, stage, name=name)
    hint = f"write '{before.strip()}' before its command and {json.dumps(out)} under outs by hand"
    if not isinstance(old, dict) or not is_plain_command(old.get("cmd")) or not isinstance(old.get("outs") or [], list):
        raise BadInput(f"{name}: the pipeline stage {stage} has no plain command, or no list of outs", hint=hint)
    outs = [*(old.get("outs") or []), out]
    root = compose_yaml(data, name=name)
    try:
        changed = _wrapped(data.decode("utf-8"), root, stage, before, out).encode()
        found = find_stage(changed, stage, name=name)
        others = [_without(load_yaml(text, name=name), stage) for text in (data, changed)]
        # The file itself is the judge, so that no layout has to be foreseen.
        if found == {**old, "cmd": before + str(old["cmd"]), "outs": outs} and others[0] == others[1]:
            return changed
    except (BadInput, IndexError, KeyError, StopIteration):
        pass
    why = _shared(root, stage) or "a line more would mean something else there"
    raise BadInput(f"{name}: the pipeline stage {stage} cannot be changed by itself: {why}", hint=hint)


def _without(whole: Any, stage: str) -> object:
    return {**whole, "stages": {key: value for key, value in whole["stages"].items() if key != stage}}


def _wrapped(text: str, root: Any, stage: str, before: str, out: object) -> str:
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines(keepends=True)
    entry = _child(_child(root, "stages")[1], stage)[1]
    # The lower of the two places first, so that the other's stays where it is.
    for line, column, words in sorted((_command(entry, lines, before), _output(entry, newline, out)), reverse=True):
        if line == len(lines) and not lines[-1].endswith("\n"):
            lines[-1] += newline
        at = [*lines, ""][line]
        lines[line : line + 1] = [f"{at[:column]}{words}{at[column:]}"]
    return "".join(lines)


def _command(entry: Any, lines: Sequence[str], before: str) -> _Addition:
    cmd = _child(entry, "cmd")[1]
    line, column = cmd.start_mark.line, cmd.start_mark.column
    if cmd.style in ("|", ">"):
        line = next(at for at in range(line + 1, len(lines)) if lines[at].strip())
        column = len(lines[line]) - len(lines[line].lstrip())
    return line, column + (cmd.style in ("'", '"')), before


def _output(entry: Any, newline: str, out: object) -> _Addition:
    """One more output, written as those that are there."""
    last_key, last = entry.value[-1]
    key, outs = next(((k, v) for k, v in entry.value if k.value == "outs"), (None, None))
    if outs is not None and outs.id == "sequence" and outs.flow_style:
        item = _flow_item(out, (outs.value or [key])[-1])
        mark = outs.value[-1].end_mark if outs.value else outs.start_mark
        return (mark.line, mark.column, f", {item}") if outs.value else (mark.line, mark.column + 1, item)
    if entry.flow_style:
        name = json.dumps("outs") if _is_quoted(last_key) else "outs"
        return last.end_mark.line, last.end_mark.column, f", {name}: [{_flow_item(out, last_key)}]"
    items = outs.value if outs is not None and outs.id == "sequence" else []
    column = _child(entry, "cmd")[0].start_mark.column
    indent = items[0].start_mark.column - 2 if items else column
    head = [f"{' ' * column}outs:"] if outs is None else []
    added = "".join(f"{line}{newline}" for line in [*head, *_item(out, " " * indent)])
    line = _below(items[-1]) if items else _below(_child(entry, "cmd")[1]) if key is None else key.end_mark.line + 1
    return line, 0, added


def _flow_item(out: object, beside: Any) -> str:
    """As an element of `[...]`, quoted where what stands beside it is."""
    if _is_quoted(beside):
        return json.dumps(out, ensure_ascii=False)
    if isinstance(out, str):
        return _scalar(out)
    assert isinstance(out, Mapping)
    flags = ((path, ", ".join(f"{flag}: {json.dumps(on)}" for flag, on in said.items())) for path, said in out.items())
    return "{" + ", ".join(f"{_scalar(str(path))}: {{{said}}}" for path, said in flags) + "}"


def _is_quoted(node: Any) -> bool:
    """Whether its first word is written as JSON has it."""
    while node.id != "scalar" and node.value:
        first = node.value[0]
        node = first[0] if isinstance(first, tuple) else first
    return bool(node.id == "scalar" and node.style == '"')


def _shared(root: Any, stage: str) -> str | None:
    """Whether a part of the stage's text is also that of another place, in words."""
    merged = "a part of it comes from elsewhere ('<<')"
    try:
        entry = _child(_child(root, "stages")[1], stage)[1]
        _child(entry, "cmd")
    except StopIteration:
        return merged
    if any(key.value == "<<" for key, _ in entry.value):
        return merged
    counts = Counter(id(node) for node in _nodes(root))
    if any(counts[id(node)] > 1 for node in _nodes(entry)):
        return "it shares text with another place ('&' and '*')"
    return None


def _nodes(node: Any) -> Iterator[Any]:
    """A node and all below it; one that is named again comes once more, what is below it does not."""
    pending, known = [node], set[int]()
    while pending:
        one = pending.pop()
        yield one
        if one.id == "scalar" or id(one) in known:
            continue
        known.add(id(one))
        for inner in one.value:
            pending.extend(inner if isinstance(inner, tuple) else (inner,))


def _child(node: Any, name: str) -> tuple[Any, Any]:
    return next((key, value) for key, value in node.value if key.value == name)


def _below(node: Any) -> int:
    """The line after the last one of a node."""
    if node.id != "scalar" and node.value and not node.flow_style:
        last = node.value[-1]
        return max(map(_below, last)) if isinstance(last, tuple) else _below(last)
    mark = node.end_mark
    return int(mark.line if mark.column == 0 and mark.line > node.start_mark.line else mark.line + 1)
