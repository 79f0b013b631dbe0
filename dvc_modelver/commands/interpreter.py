"""Which Python a command starts, and what that Python says of itself and of the machine.

The words of the command are looked at, not run: a first word `python...`, a script's `#!` line, or a launcher such as
`uv run`.  The interpreter found is asked by a probe that uses the standard library only and reads packages' metadata,
so that no installed package is imported.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

_PYTHON = re.compile(r"(?:python|pypy)(?:\d+(?:\.\d+)*)?t?w?(?:\.exe)?\Z", re.IGNORECASE)
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_LAUNCHERS = ("uv", "poetry", "pdm", "pipenv", "rye", "pixi", "hatch")
"""`LAUNCHER run CMD` starts CMD with a Python of the launcher's choice."""
_WRAPPERS = ("nice", "nohup", "time", "exec")
_TIMEOUT = 60.0
_MARK = "modelver-probe:"

PROBE = r"""
import json, os, platform, site, sys
asked = json.loads(sys.argv[1])
path = list(asked["path"]) + sys.path
if asked["user"]:
    config = os.path.join(sys.prefix, "pyvenv.cfg")
    shared = sys.prefix == sys.base_prefix
    if not shared:
        try:
            with open(config, encoding="utf-8", errors="replace") as lines:
                shared = any(line.replace(" ", "").lower().startswith("include-system-site-packages=true")
                             for line in lines)
        except OSError:
            pass
    if shared:
        path.append(site.getusersitepackages())
from importlib import metadata
rows = []
for found in metadata.distributions(path=path):
    try:
        rows.append([found.metadata["Name"], found.version, found.read_text("direct_url.json")])
    except Exception:
        continue
release = {}
for name in ("/etc/os-release", "/usr/lib/os-release"):
    try:
        with open(name, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                key, _, value = line.strip().partition("=")
                release.setdefault(key, value.strip("\"'"))
        break
    except OSError:
        continue
distribution = " ".join(filter(None, [release.get("ID"), release.get("VERSION_ID")]))
if not distribution and platform.mac_ver()[0]:
    distribution = "macos " + platform.mac_ver()[0]
model = ""
try:
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
        for line in lines:
            key, _, value = line.partition(":")
            if key.strip().lower() in ("model name", "hardware", "cpu model"):
                model = value.strip()
                break
except OSError:
    pass
answer = {
    "python": {"version": platform.python_version(), "implementation": platform.python_implementation()},
    "packages": rows,
    "os": {"system": platform.system(), "machine": platform.machine(), "distribution": distribution,
           "libc": " ".join(filter(None, platform.libc_ver()))},
    "cpu": {"model": model or platform.processor(), "count": os.cpu_count()},
}
sys.stdout.write("\n" + asked["mark"] + json.dumps(answer) + "\n")
"""


def find_interpreter(words: Sequence[str], directory: Path, env: Mapping[str, str]) -> tuple[str, ...] | None:
    """The words that start the Python which the command starts; None when that cannot be told."""
    words = _without_wrappers(words)
    if not words:
        return None
    name = os.path.basename(words[0])
    if name in _LAUNCHERS and len(words) > 2 and words[1] == "run" and not words[2].startswith("-"):
        program = words[2] if _PYTHON.match(os.path.basename(words[2])) else "python"
        return (*words[:2], program)
    place = find_program(words[0], directory, env)
    if place is None:
        return None
    return (place,) if _PYTHON.match(name) else _of_script(Path(place), directory, env)


def _without_wrappers(words: Sequence[str]) -> list[str]:
    """The command behind `env NAME=VALUE` and words like `nice`; what has options of its own is left as it is."""
    rest = list(words)
    while rest:
        name = os.path.basename(rest[0])
        if name == "env":
            after = next((i for i, word in enumerate(rest[1:], 1) if not _ASSIGNMENT.match(word)), len(rest))
        elif name in _WRAPPERS:
            after = 1
        else:
            break
        if after >= len(rest) or rest[after].startswith("-"):
            break
        rest = rest[after:]
    return rest


def find_program(word: str, directory: Path, env: Mapping[str, str]) -> str | None:
    """The program that `word` starts in `directory`, as the system finds it."""
    if os.sep in word:
        place = os.path.join(directory, word)
        return place if os.path.isfile(place) and os.access(place, os.X_OK) else None
    entries = env.get("PATH", os.defpath).split(os.pathsep)
    return shutil.which(word, path=os.pathsep.join(os.path.join(directory, entry) for entry in entries))


def _of_script(script: Path, directory: Path, env: Mapping[str, str]) -> tuple[str, ...] | None:
    """The Python that a script's first line names, also as pip writes it for long paths."""
    try:
        with open(script, "rb") as file:
            lines = file.read(4096).split(b"\n")
    except OSError:
        return None
    if not lines[0].startswith(b"#!"):
        return None
    words = lines[0][2:].decode("utf-8", "surrogateescape").split()
    if words and os.path.basename(words[0]) == "env":
        words = [word for word in words[1:] if not word.startswith("-")]
    elif len(lines) > 1 and lines[1].startswith(b"'''exec' "):
        words = _split(lines[1].decode("utf-8", "surrogateescape").removeprefix("'''exec' "))
    if not words or not _PYTHON.match(os.path.basename(words[0])):
        return None
    place = find_program(words[0], directory, env)
    return None if place is None else (place,)


def _split(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:
        return []


def ask(interpreter: Sequence[str], directory: Path, env: Mapping[str, str]) -> Mapping[str, object] | None:
    """What an interpreter says of itself; None when it does not answer."""
    asked = {
        "mark": _MARK,
        "path": [os.path.join(directory, p) for p in env.get("PYTHONPATH", "").split(os.pathsep) if p],
        "user": not env.get("PYTHONNOUSERSITE"),
    }
    try:
        done = subprocess.run(
            [*interpreter, "-I", "-c", PROBE, json.dumps(asked)],
            cwd=directory,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return _answer(done.stdout) if done.returncode == 0 else None


def _answer(output: bytes) -> Mapping[str, object] | None:
    """The probe's line; what a start-up file of the environment prints around it is passed."""
    for line in output.decode("utf-8", "replace").splitlines():
        if line.startswith(_MARK):
            try:
                found = json.loads(line.removeprefix(_MARK))
            except ValueError:
                return None
            return found if isinstance(found, dict) else None
    return None
