"""Names of artifacts and stages, as GTO's grammar has them.  Pure.

`churn` at the repository's root, `path/to/dir:churn` below it; in a tag the colon is written `=`.
Source of the grammar: `gto.constants` of GTO 1.10 (ASCII letters, digits, `-`, `_`, `/`; directories also dots).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from dvc_modelver.errors import BadInput

_NAME = r"[a-zA-Z0-9](?:[a-zA-Z0-9\-/_]*[a-zA-Z0-9])?"
_DIRECTORY = r"[a-zA-Z0-9\-_./]+"
NAME_PATTERN = rf"(?:{_DIRECTORY}=)?{_NAME}"
"""An artifact's name as tags write it."""
STAGE_PATTERN = _NAME

_is_name = re.compile(rf"(?:({_DIRECTORY}):)?({_NAME})").fullmatch
_is_stage = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9\-_]*[a-zA-Z0-9])?").fullmatch
_is_hex = re.compile(r"[0-9a-fA-F]{7,64}").fullmatch
_not_in_refs = re.compile(r"(^|/)\.|\.\.|//|\.lock(/|=|$)|/$|^/|/=|\.$|\.=|^-")


def name_problem(name: str) -> str | None:
    """Why `name` cannot be an artifact's name; None when it can."""
    if not name:
        return "a name cannot be empty"
    if not _is_name(name):
        return "only ASCII letters, digits, '-', '_' and '/' are allowed, and a letter or digit at both ends"
    if _not_in_refs.search(name.replace(":", "=")) or "//" in name:
        return "Git does not allow it in a tag"
    return None


def reads_as_revision(name: str) -> bool:
    """Whether people (and Git) would take `name` for a reference or an object id."""
    return name in ("HEAD", "FETCH_HEAD", "ORIG_HEAD") or name.startswith("refs/") or _is_hex(name) is not None


def stage_problem(stage: str) -> str | None:
    """Why `stage` cannot be written as a stage's name; None when it can."""
    if not stage:
        return "a stage cannot be empty"
    if not _is_stage(stage):
        return "only ASCII letters, digits, '-' and '_' are allowed, and a letter or digit at both ends"
    return None


def check_name(name: str) -> str:
    """`name` itself.  Raises `BadInput` with a near valid name when it cannot be tagged."""
    problem = name_problem(name)
    if problem is None and (name == "HEAD" or name.startswith("refs/") or (len(name) in (40, 64) and _is_hex(name))):
        raise BadInput(f"{name} is not a name for a model: it reads as a Git revision", hint="name the model itself")
    if problem:
        raise BadInput(f"{name!a} is not a name for a model: {problem}", hint=_name_hint(name))
    return name


def _name_hint(name: str) -> str:
    """A version or stage behind a good name is left out; anything else is made a name that can be tagged."""
    alone = re.split("[@#]", name, maxsplit=1)[0]
    if alone != name and not name_problem(alone):
        return f"name the model alone: {alone}"
    near = nearest_valid(name)
    return f"try {near}" if near else ""


def check_stage(stage: str, allowed: Iterable[str] = ()) -> str:
    """`stage` itself.  Raises `BadInput` when it cannot be tagged or is not among `allowed` (empty: any)."""
    problem = stage_problem(stage)
    if problem:
        near = nearest_valid(stage).replace("/", "-")
        raise BadInput(f"{stage!a} is not a name for a stage: {problem}", hint=f"try {near}" if near else "")
    stages = tuple(allowed)
    if stages and stage not in stages:
        raise BadInput(f"stage {stage} is not configured", hint=f"one of: {', '.join(stages)}")
    return stage


def nearest_valid(name: str) -> str:
    """A name that can be tagged and looks like `name`; empty when nothing is left of it."""
    directory, colon, last = name.rpartition(":")
    clean = re.sub(r"[^a-zA-Z0-9\-_/]+", "-", last)
    clean = re.sub(r"/+", "/", clean).strip("-_/")
    where = re.sub(r"[^a-zA-Z0-9\-_./]+", "-", directory).strip("./-")
    result = f"{where}{colon}{clean}" if where and clean else clean
    return result if result and not name_problem(result) else ""


def near(word: str, known: Iterable[str]) -> str:
    """A hint that names what `word` may have meant; empty when nothing is near."""
    from difflib import get_close_matches

    options = sorted(known)
    lowered = {option.lower(): option for option in options}
    matches = [lowered[m] for m in get_close_matches(word.lower(), lowered, n=3, cutoff=0.5)]
    return f"did you mean {' or '.join(matches)}?" if matches else ""


def to_tag(name: str) -> str:
    """`path/to/dir:churn` as tags write it: `path/to/dir=churn`."""
    return name.replace(":", "=")


def from_tag(name: str) -> str:
    """The inverse of `to_tag`."""
    return name.replace("=", ":")
