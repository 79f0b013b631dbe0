"""Write entries into `artifacts:` of a `dvc.yaml` as text: every other byte of the file stays.  Pure.

DVC's own helper loads and dumps the whole file, which keeps comments but rewrites quotes, indents and long lines.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from dvc_modelver.dvcio.yaml12 import load_yaml
from dvc_modelver.errors import BadInput

if TYPE_CHECKING:
    import yaml

Entries = Mapping[str, Mapping[str, object]]
_BARE = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./\-]*(?: [A-Za-z0-9_./\-]+)*\Z", re.ASCII)


def add_artifacts(data: bytes, name: str, entries: Entries) -> bytes:
    """The file with these entries (artifact name -> its keys) after those that it has.

    Raises:
        BadInput: it is no YAML, or written in a way that lines cannot be added to.
    """
    before = load_yaml(data, name=name)
    try:
        after = _insert(data.decode("utf-8"), entries).encode("utf-8")
        added = load_yaml(after, name=name)
    except BadInput:
        added = None
    # The file itself is the judge, so that no layout has to be foreseen.
    if added is None or added != _expected(before, entries, name):
        raise BadInput(
            f"{name}: 'artifacts' is not written so that entries can be added",
            hint="write 'artifacts:' as indented lines at the end of the file, and try again",
        )
    return after


def render_entries(entries: Entries, indent: str = "  ", newline: str = "\n") -> str:
    """The entries as YAML, two spaces a level."""
    lines = []
    for name, entry in entries.items():
        lines.append(f"{indent}{_scalar(name)}:")
        lines += [f"{indent}  {key}: {_scalar(value)}" for key, value in entry.items()]
    return "".join(f"{line}{newline}" for line in lines)


def _scalar(value: object) -> str:
    if isinstance(value, str) and _BARE.match(value) and load_yaml(value.encode(), name="value") == value:
        return value
    # JSON is YAML 1.2, so lists and mappings go on one line too.
    return json.dumps(value, ensure_ascii=False, default=str)


def _expected(before: object, entries: Entries, name: str) -> object:
    whole = {} if before is None else before
    declared = whole.get("artifacts") if isinstance(whole, dict) else 0
    declared = {} if declared is None else declared
    if not isinstance(whole, dict) or not isinstance(declared, dict):
        raise BadInput(f"{name}: {'not a mapping' if declared == 0 else 'artifacts is not a mapping of names'}")
    return {**whole, "artifacts": {**declared, **{key: dict(entry) for key, entry in entries.items()}}}


def _insert(text: str, entries: Entries) -> str:
    import yaml

    newline = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines(keepends=True) if text else []
    root = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    found = next(((key, value) for key, value in pairs if key.value == "artifacts"), None)
    if found is None:
        outer = " " * (pairs[0][0].start_mark.column if pairs else 0)
        at, head, indent = len(lines), f"{outer}artifacts:{newline}", f"{outer}  "
    else:
        key, value = found
        head, at = "", key.end_mark.line + 1
        indent = " " * (key.start_mark.column + 2)
        if isinstance(value, yaml.MappingNode) and value.value:
            indent = " " * value.start_mark.column
            at = _below_comments(lines, _end(value), value.start_mark.column)
        elif value.start_mark.index != value.end_mark.index:
            lines[value.start_mark.line] = _without(lines[value.start_mark.line], value)
    if at and not lines[at - 1].endswith("\n"):
        lines[at - 1] += newline
    lines[at:at] = [head + render_entries(entries, indent, newline)]
    return "".join(lines)


def _end(node: yaml.Node) -> int:
    """The line after the last one that `node` takes, without the comments and empty lines that follow it."""
    import yaml

    if isinstance(node, yaml.CollectionNode) and node.value and not node.flow_style:
        last = node.value[-1]
        return max(_end(part) for part in last) if isinstance(last, tuple) else _end(last)
    mark: yaml.Mark = node.end_mark
    return mark.line if mark.column == 0 and mark.line > node.start_mark.line else mark.line + 1


def _below_comments(lines: list[str], at: int, column: int) -> int:
    """Past the comments that are indented deeper than the entries: they belong to the one above."""
    while at < len(lines):
        line = lines[at]
        indent = len(line) - len(line.lstrip(" "))
        if not line.lstrip(" ").startswith("#") or indent <= column:
            break
        at += 1
    return at


def _without(line: str, value: yaml.Node) -> str:
    """The line without an empty value (`{}`, `null`) that stands on it."""
    return line[: value.start_mark.column].rstrip() + line[value.end_mark.column :]
