"""The shapes of JSON answers as the contract gives them, and a checker that names what is off."""

from __future__ import annotations

import re
from typing import Any

Shape = Any
"""A type, a compiled pattern, a dict of required keys, a one-item list, `Map(shape)`, or a tuple of alternatives."""

V = re.compile(r"v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?").fullmatch
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ").fullmatch
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z").fullmatch
"""Of files: with fractions of a second."""
COMMIT = re.compile(r"[0-9a-f]{40}").fullmatch
MD5 = re.compile(r"md5:[0-9a-f]{32}(\.dir)?").fullmatch
SHA256 = re.compile(r"[0-9a-f]{64}").fullmatch


class Map:
    """An object with any keys, whose values have one shape."""

    def __init__(self, values: Shape) -> None:
        self.values = values


def one_of(*words: str) -> Any:
    """One of these strings."""
    return re.compile("|".join(map(re.escape, words))).fullmatch


AUTHOR = {"name": str, "email": str}
SCALAR = (str, int, float, bool, None)
HELD = {"version": (V, None), "commit": COMMIT, "tag": str, "at": TIME}
PROBLEM = {"ref": str, "problem": str, "remedy": str}
LIST = {
    "schema": int,
    "models": [
        {
            "name": str,
            "type": (str, None),
            "path": (str, None),
            "latest": (V, None),
            "versions": int,
            "stages": Map(HELD),
            "retired": bool,
            "declared": bool,
        }
    ],
    "problems": [PROBLEM],
}
ARTIFACT = {
    "path": (str, None),
    "type": (str, None),
    "kind": (one_of("file", "directory"), None),
    "digest": (MD5, None),
    "sha256": (SHA256, None),
    "size": (int, None),
    "files": (int, None),
    "source": one_of("stage", "dvc", "git", "url", "missing"),
}
VERSION = {
    "version": V,
    "tag": str,
    "commit": COMMIT,
    "created_at": TIME,
    "author": AUTHOR,
    "message": str,
    "prerelease": bool,
    "stages": [str],
    "withdrawn": bool,
    "signed": bool,
    "record": (dict, None),
    "published": (bool, None),
    "previous": (V, None),
    "artifact": ARTIFACT,
}
SHOW = {"schema": int, "name": str, "versions": [VERSION]}
SHOW_VERSION = {
    "schema": int,
    **VERSION,
    "params": Map(Map(SCALAR)),
    "metrics": Map(Map(SCALAR)),
    "data": [{"path": str, "digest": (MD5, None), "size": (int, None)}],
    "environment": (dict, None),
    "card": (str, None),
    "notes": [{"at": TIME, "kind": str, "by": (AUTHOR, None)}],
}
EVENTS = one_of("release", "withdraw-version", "promote", "withdraw-stage", "retire")
HISTORY = {
    "schema": int,
    "events": [
        {
            "at": TIME,
            "model": str,
            "event": EVENTS,
            "version": (V, None),
            "stage": (str, None),
            "counter": (int, None),
            "tag": str,
            "commit": COMMIT,
            "author": AUTHOR,
            "message": str,
            "record": (dict, None),
            "ends": [str],
        }
    ],
}
AT = {
    "schema": int,
    "at": TIME,
    "models": [
        {"name": str, "latest": (V, None), "stages": Map({"version": (V, None), "since": TIME, "tag": str})},
    ],
}
WRITING = {
    "schema": int,
    "action": str,
    "dry_run": bool,
    "changed": bool,
    "models": [
        {
            "name": str,
            "version": (V, None),
            "stage": (str, None),
            "tag": (str, None),
            "commit": (COMMIT, None),
            "published": (bool, None),
        }
    ],
    "steps": [{"do": str, "target": str}],
}
RELEASED = {**WRITING, "models": [{**WRITING["models"][0], "bump": ({"level": (str, None), "reasons": [str]}, None)}]}
ROLLED_BACK = {
    **WRITING,
    "steps": [{"do": str, "target": str}],
    "from": (V, None),
    "holds": Map((V, None)),
    "out_of_date": [str],
    "stale": [str],
    "notes": [str],
}
VERIFY = {
    "schema": int,
    "ok": bool,
    "versions": [
        {
            "name": str,
            "version": V,
            "tag": str,
            "commit": (COMMIT, None),
            "withdrawn": bool,
            "stages": [str],
            "ok": bool,
            "checks": [
                {
                    "check": one_of(
                        "ref", "object", "name", "signature", "commit", "record", "files", "cache", "remote", "card"
                    ),
                    "ok": bool,
                    "detail": str,
                    "remedy": str,
                }
            ],
        }
    ],
}
MEASURED = {"version": V, "value": (int, float, one_of("NaN", "Infinity", "-Infinity"))}
BISECT = {
    "schema": int,
    "name": str,
    "metric": {"file": str, "key": str},
    "better": (one_of("up", "down"), None),
    "good": MEASURED,
    "bad": MEASURED,
    "versions": [{"version": V, "commit": COMMIT, "value": SCALAR, "state": one_of("good", "bad", "unknown")}],
    "step": {"from": V, "to": V},
    "commits": [{"commit": COMMIT, "author": AUTHOR, "at": TIME, "subject": str, "value": SCALAR, "state": str}],
    "culprit": {"commit": (COMMIT, None), "range": ([COMMIT], None)},
    "attribution": [{"kind": str, "names": [str]}],
    "unmeasured": [COMMIT],
    "notes": [str],
}
NUMBER = (int, float, one_of("NaN", "Infinity", "-Infinity"), None)
GATE = {
    "schema": int,
    "ok": bool,
    "name": str,
    "judged": str,
    "against": (str, None),
    "reference": ({"version": (V, None), "commit": (COMMIT, None)}, None),
    "rules": [
        {
            "metric": str,
            "file": (str, None),
            "slice": (str, None),
            "rule": one_of("min", "max", "max_drop", "max_rise", "not_worse", "measured", "slice"),
            "limit": (int, float, str, None),
            "value": SCALAR,
            "reference": SCALAR,
            "delta": NUMBER,
            "significance": ({"low": float, "high": float, "level": float, "method": str}, None),
            "ok": bool,
            "reason": str,
        }
    ],
    "notes": [str],
}
GUARDED = {
    "schema": int,
    "action": one_of("guard"),
    "ok": bool,
    "name": str,
    "stage": str,
    "version": V,
    "against": str,
    "rules": GATE["rules"],
    "reports": [
        {"file": str, "digest": re.compile("sha256:[0-9a-f]{64}").fullmatch, "samples": (int, None), "ok": bool}
    ],
    "decision": one_of("keep", "roll-back", "wait", "refused"),
    "to": (V, None),
    "reason": str,
    "dry_run": bool,
    "changed": bool,
    "tag": (str, None),
    "published": (bool, None),
    "steps": [{"do": str, "target": str}],
    "notes": [str],
}
VALIDATE = {
    "schema": int,
    "ok": bool,
    "file": (str, None),
    "against": (str, None),
    "rows": (int, None),
    "findings": [
        {
            "column": (str, None),
            "rule": str,
            "level": one_of("refuse", "note"),
            "expected": str,
            "seen": str,
            "count": int,
        }
    ],
    "notes": [str],
}
PIPELINE = {**WRITING, "text": str, "next": [str]}
LINES = {"added": int, "removed": int}
BYTES = {"digest": (str, None), "size": (int, None), "files": (int, None)}
CHANGE = one_of("added", "removed", "changed", "unchanged")
KEYED = {"key": str, "values": [SCALAR]}
COMPARE = {
    "schema": int,
    "base": str,
    "versions": [{"ref": str, "name": str, "version": (V, None), "commit": (COMMIT, None)}],
    "metrics": [
        {
            "file": str,
            **KEYED,
            "deltas": [(int, float, one_of("NaN", "Infinity", "-Infinity"), None)],
            "better": (one_of("up", "down"), None),
        }
    ],
    "params": [{"file": str, **KEYED}],
    "data": [{"path": str, "values": [(BYTES, None)]}],
    "code": [{"path": str, "change": CHANGE, "values": [(str, None)]}],
    "pipeline": [{"stage": str, "change": CHANGE}],
    "environment": [KEYED],
    "artifact": [KEYED],
    "other_files": [(int, None)],
    "bump": {"level": (one_of("major", "minor", "patch"), None), "reasons": [str]},
}
KINDS = (
    *("data", "code", "params", "environment", "pipeline-stage"),
    *("artifact", "version", "stage", "import", "experiment"),
)
LINEAGE = {
    "schema": int,
    "root": str,
    "nodes": [
        {
            "id": re.compile(rf"({'|'.join(KINDS)}):.*@.*", re.DOTALL).fullmatch,
            "kind": one_of(*KINDS),
            "label": str,
            "path": (str, None),
            "digest": (str, None),
            "size": (int, None),
            "origin": ({"commit": COMMIT, "author": AUTHOR, "at": TIME, "path": str}, None),
            "returned": [COMMIT],
            "details": Map(str),
        }
    ],
    "edges": [{"from": str, "to": str, "kind": one_of("used", "produced", "released", "promoted", "previous")}],
    "complete": bool,
    "notes": [str],
}
AFFECTED = {"name": str, "version": V, "stages": [str], "path": [str], "withdrawn": bool}
IMPACT = {
    "schema": int,
    "query": str,
    "at": (TIME, None),
    "matches": [{"path": str, "digest": (str, None)}],
    "versions": [AFFECTED],
    "measured": [AFFECTED],
    "complete": bool,
    "unknown": [
        {"name": (str, None), "version": (V, None), "path": (str, None), "digest": (str, None), "reason": str},
    ],
    "unrecorded": [{"name": str, "version": V}],
}
METRIC = {
    "schema": int,
    "name": str,
    "file": str,
    "key": str,
    "better": (one_of("up", "down"), None),
    "versions": [
        {
            "version": V,
            "commit": COMMIT,
            "created_at": TIME,
            "value": SCALAR,
            "delta": (int, float, str, None),
            "withdrawn": bool,
        }
    ],
}
FINDING = {"line": (int, None), "block": (str, None), "problem": str, "remedy": str}
CARD_CHECK = {
    "schema": int,
    "ok": bool,
    "cards": [
        {"name": str, "path": str, "version": (V, None), "ok": bool, "problems": [FINDING], "notes": [FINDING]},
    ],
}
CARD_SHOW = {"schema": int, "name": str, "version": (V, None), "path": str, "text": str}
GOT = {
    "schema": int,
    "action": one_of("get"),
    "dry_run": bool,
    "changed": bool,
    "name": str,
    "version": V,
    "commit": COMMIT,
    "path": str,
    "size": (int, None),
    "files": int,
    "sha256": (SHA256, None),
    "digest": (MD5, None),
}
REPRODUCE = {
    "schema": int,
    "name": str,
    "version": V,
    "commit": COMMIT,
    "dry_run": bool,
    "verdict": (one_of("identical", "equivalent", "different", "failed"), None),
    "tolerance": float,
    "digest": {"recorded": (MD5, None), "rebuilt": (MD5, None)},
    "steps": [{"stage": str, "command": str, "frozen": bool}],
    "inputs": [{"path": str, "digest": (MD5, None), "at_hand": bool}],
    "stages": [
        {
            "stage": str,
            "state": one_of("identical", "different", "failed", "not run", "frozen"),
            "outputs": [{"path": str, "recorded": (str, None), "rebuilt": (str, None), "same": bool}],
        }
    ],
    "metrics": [
        {
            "file": str,
            "key": str,
            "recorded": SCALAR,
            "rebuilt": SCALAR,
            "match": one_of("equal", "within", "different"),
        }
    ],
    "environment": {"compared": bool, "differences": [{"key": str, "recorded": SCALAR, "present": SCALAR}]},
    "failure": ({"stage": str, "lines": [str]}, None),
    "seconds": (int, float),
    "kept": (str, None),
    "noted": bool,
}
LEFT = {
    "action": (str, None),
    "since": MOMENT,
    "model": (str, None),
    "version": (V, None),
    "refs": [str],
    "files": [str],
    "outputs": [str],
}
GUARDS = [{"name": str, "state": one_of("live", "absent", "shadowed", "broken"), "detail": str, "remedy": str}]
HOOKED = {**WRITING, "guards": GUARDS, "advice": [str]}
HOOKS_STATUS = {"schema": int, "ok": bool, "guards": GUARDS}
DOCTOR = {
    "guards": GUARDS,
    "schema": int,
    "ok": bool,
    "problems": [PROBLEM],
    "notes": [str],
    "recovery": {"left": (LEFT, None), "will": (str, None), "done": (str, None), "dry_run": bool},
    "locks": [{"path": str, "age_seconds": int}],
}
GC = {
    "schema": int,
    "ok": bool,
    "keep": str,
    "commands": [str],
    "lines": [
        {
            "command": re.compile("dvc gc --.*").fullmatch,
            "safe": bool,
            "loses": [{"name": str, "version": V, "objects": int, "size": int, "places": [str]}],
        }
    ],
    "unknown": [{"name": str, "version": V, "problem": str, "remedy": str}],
}
DEMO = {
    "schema": int,
    "action": one_of("demo"),
    "directory": str,
    "project": str,
    "seconds": (int, float),
    "steps": [{"command": str, "seconds": (int, float), "output": str}],
    "setup": [str],
    "next": [str],
}
ERROR = {"schema": int, "error": {"code": int, "kind": str, "message": str, "hint": str}}


def faults(value: object, shape: Shape, at: str = "$") -> list[str]:
    """Where `value` is not of `shape`, in words; more keys than the shape has are fine."""
    if isinstance(shape, tuple):
        every = [faults(value, alternative, at) for alternative in shape]
        return [] if any(not found for found in every) else [f"{at}: {value!r} is none of {len(shape)} alternatives"]
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return [f"{at}: {value!r} is no object"]
        missing = [f"{at}.{key} is missing" for key in shape if key not in value]
        return missing + [f for key in shape if key in value for f in faults(value[key], shape[key], f"{at}.{key}")]
    if isinstance(shape, list):
        if not isinstance(value, list):
            return [f"{at}: {value!r} is no array"]
        return [f for n, item in enumerate(value) for f in faults(item, shape[0], f"{at}[{n}]")]
    if isinstance(shape, Map):
        if not isinstance(value, dict):
            return [f"{at}: {value!r} is no object"]
        return [f for key, item in value.items() for f in faults(item, shape.values, f"{at}.{key}")]
    return [] if _is_scalar(value, shape) else [f"{at}: {value!r} is not what it should be"]


def _is_scalar(value: object, shape: Shape) -> bool:
    if shape is None:
        return value is None
    if isinstance(shape, type):
        # In Python a bool is an int, in JSON it is not.
        return isinstance(value, shape) and not (shape is not bool and isinstance(value, bool))
    return isinstance(value, str) and shape(value) is not None
