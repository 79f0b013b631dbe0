"""`run`: start a training, and write down the environment that it had.

Needs no repository, and calls nothing that DVC locks: it works inside a pipeline stage.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dvc_modelver.commands.child import Ended, run_child
from dvc_modelver.commands.interpreter import ask, find_interpreter, find_program
from dvc_modelver.commands.project import Surroundings
from dvc_modelver.core import environment as env_doc
from dvc_modelver.core.environment import Environment, LockFile
from dvc_modelver.core.lockfiles import LOCK_FILES
from dvc_modelver.errors import BadInput, EnvironmentProblem
from dvc_modelver.gitio.process import find_program as find_tool

_SMI = ("--query-gpu=name,memory.total,driver_version", "--format=csv,noheader")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What to start, and where to write what."""

    words: tuple[str, ...]
    environment: Path
    runtime: Path
    python: str | None = None
    """The interpreter to ask, when the command's words do not tell it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """How the command ended and what was written."""

    ended: Ended
    environment: Environment
    written: bool
    """Whether the environment was written: only after a success."""


def run(around: Surroundings, request: RunRequest) -> Ran:
    """Ask the interpreter, run the command, write the environment when it succeeded, the runtime in any case.

    The environment is that before the command starts.  When the command fails, a file of an earlier success stays.

    Raises:
        BadInput: no command, one that cannot be started, or a file that could not be written.
        EnvironmentProblem: the command succeeded, and its environment could not be written.
    """
    directory = around.directory.absolute()
    targets = [directory / path for path in (request.environment, request.runtime)]
    _check(request, directory, targets, around.env)
    environment = read_environment(request, directory, around)
    ended = run_child(request.words, directory, around.env)
    try:
        write(targets[1], _runtime(ended))
    except OSError as error:
        around.say(f"warning: {request.runtime} was not written: {error.strerror or error}")
    if ended.code == 0:
        _write_environment(targets[0], environment)
    return Ran(ended=ended, environment=environment, written=ended.code == 0)


def _check(request: RunRequest, directory: Path, targets: Sequence[Path], env: Mapping[str, str]) -> None:
    """Find out before hours of training what would fail after them."""
    if not directory.is_dir():
        raise BadInput(f"{directory} is not a directory")
    if not request.words:
        raise BadInput("no command is named", hint="modelver run -- python train.py")
    if os.path.normpath(targets[0]) == os.path.normpath(targets[1]):
        raise BadInput("--environment and --runtime name the same file")
    for path in targets:
        if path.is_dir() or not path.parent.is_dir():
            raise BadInput(
                f"cannot write {path}: {'it is a directory' if path.is_dir() else 'its directory is not there'}"
            )
        if not os.access(path.parent, os.W_OK):
            raise BadInput(f"cannot write {path}: its directory is read-only")
    if find_program(request.words[0], directory, env) is None:
        raise BadInput(f"there is no program {request.words[0]}", hint="check the command after --")


def read_environment(request: RunRequest, directory: Path, around: Surroundings) -> Environment:
    """The environment of the Python that the command starts; says so when that cannot be told."""
    env = around.env
    named = request.python
    found = (_named(named, directory, env),) if named is not None else find_interpreter(request.words, directory, env)
    said = ask(found, directory, env) if found is not None else None
    if said is None and named is not None:
        raise BadInput(f"{named} does not answer as a Python does", hint="--python names an interpreter of Python 3.8+")
    if said is None:
        around.say(f"note: which Python {request.words[0]} starts is not known: --python names it")
    answer = said or {}
    return Environment(
        python=env_doc.facts(answer.get("python"), ("version", "implementation")) if said is not None else None,
        packages=env_doc.packages(answer.get("packages")),
        os=env_doc.facts(answer.get("os"), ("system", "machine", "distribution", "libc")),
        cpu=env_doc.cpu(answer.get("cpu")),
        gpus=_gpus(env),
        lock=find_lock(directory),
        variables=env_doc.variables(env),
    )


def _named(word: str, directory: Path, env: Mapping[str, str]) -> str:
    found = find_program(word, directory, env)
    if found is None:
        raise BadInput(f"there is no program {word}", hint="--python names an interpreter")
    return found


def _gpus(env: Mapping[str, str]) -> tuple[env_doc.Gpu, ...]:
    """NVIDIA's devices and driver, as its own tool names them; nothing where it is not installed or fails."""
    tool = find_tool("nvidia-smi", env)
    if tool is None:
        return ()
    try:
        done = subprocess.run(
            [tool, *_SMI], env=dict(env), stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    return env_doc.gpus(done.stdout.decode("utf-8", "replace")) if done.returncode == 0 else ()


def find_lock(directory: Path) -> LockFile | None:
    """The file that pins packages: here, else above within the repository."""
    for place in (directory, *_above(directory)):
        for name in LOCK_FILES:
            path = place / name
            if path.is_file():
                relative = os.path.relpath(path, directory).replace(os.sep, "/")
                return LockFile(path=relative, sha256=_sha256(path))
    return None


def _above(directory: Path) -> tuple[Path, ...]:
    """The directories above, up to the repository's top; none outside any repository."""
    places = [directory, *directory.parents]
    top = next((i for i, place in enumerate(places) if (place / ".git").exists()), 0)
    return tuple(places[1 : top + 1])


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1024 * 1024):
            digest.update(piece)
    return digest.hexdigest()


def _runtime(ended: Ended) -> str:
    document = {
        "schema": 1,
        "exit_code": ended.code,
        "duration_seconds": round(ended.seconds, 3),
        "peak_memory_bytes": ended.peak_memory,
    }
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def _write_environment(path: Path, environment: Environment) -> None:
    try:
        write(path, env_doc.render(environment))
    except OSError as error:
        raise EnvironmentProblem(f"{path} was not written: {error.strerror or error}") from error


def write(path: Path, text: str) -> None:
    """Put a file in place in one step, readable as other files are; left as it is when it says the same."""
    data = text.encode("ascii")
    if path.is_file() and not path.is_symlink() and path.read_bytes() == data:
        return
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with open(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
