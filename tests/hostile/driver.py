"""Runs many `modelver` commands in one process of its own and reports what that process did.

    python driver.py REPORT < COMMANDS.json          each [words, stdin]

Started by `support.attack`.  Python's audit hooks see every file that is opened for writing, every program that is
started and every pickle that is loaded; what children of children start, the caller sees through strace.
"""

from __future__ import annotations

import io
import json
import os
import sys
import time

WRITING = {"os.mkdir", "os.rename", "os.link", "os.symlink", "os.remove", "os.rmdir", "os.truncate", "os.chmod"}
STARTING = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "pty.spawn"}

written: set[str] = set()
started: list[str] = []
unpickled: list[str] = []


def watch(event: str, args: tuple[object, ...]) -> None:
    """Note what matters; called by the interpreter for everything."""
    if event == "open":
        flags = args[2] if isinstance(args[2], int) else 0
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and isinstance(args[0], (str, bytes)):
            written.add(os.path.abspath(os.fsdecode(args[0])))
    elif event in WRITING:
        base = _directory(args[-1])
        if event == "os.symlink":
            args = args[1:]  # what it points to is only text
        written.update(os.path.abspath(os.path.join(base, os.fsdecode(a))) for a in args if isinstance(a, (str, bytes)))
    elif event in STARTING:
        started.append(str(args[0]))
    elif event == "pickle.find_class":
        unpickled.append(str(args))


def _directory(descriptor: object) -> str:
    """The directory that relative names are relative to: the last argument of these events is its descriptor."""
    inside = isinstance(descriptor, int) and descriptor > 2 and os.path.isdir(f"/proc/self/fd/{descriptor}")
    return os.readlink(f"/proc/self/fd/{descriptor}") if inside else os.getcwd()


FOR_GIT = ("git-hook", "merge-driver")


def run(words: list[str], stdin: str) -> dict[str, object]:
    """One command: its exit code, its streams and its time."""
    from dvc_modelver.__main__ import for_git
    from dvc_modelver.cli.main import main

    out, err = io.BytesIO(), io.BytesIO()
    sys.stdout, sys.stderr = (io.TextIOWrapper(s, "utf-8", write_through=True) for s in (out, err))
    sys.stdin = io.TextIOWrapper(io.BytesIO(stdin.encode("utf-8", "surrogateescape")))
    begin = time.monotonic()
    try:
        code = int(for_git(words) if words[0] in FOR_GIT else main(words))
    finally:
        seconds = time.monotonic() - begin
        texts = [stream.getvalue().decode("utf-8", "replace") for stream in (out, err)]
        sys.stdout, sys.stderr, sys.stdin = sys.__stdout__, sys.__stderr__, sys.__stdin__
    return {"args": words, "code": code, "out": texts[0], "err": texts[1], "seconds": seconds}


def everything(commands: list[tuple[list[str], str]], report: str) -> None:
    """Run the commands and write what happened to the file `report`."""
    import dvc_modelver.cli.main
    import dvc_modelver.hooks.main  # noqa: F401  (imported before the clock starts)

    sys.addaudithook(watch)
    results = [run(words, stdin) for words, stdin in commands]
    here = os.getcwd() + os.sep
    files = [str(getattr(module, "__file__", "") or "") for module in list(sys.modules.values())]
    found = {
        "results": results,
        "written": sorted(written),
        "started": started,
        "unpickled": unpickled,
        "imported": [file for file in files if file.startswith(here)],
    }
    with open(report, "w", encoding="utf-8") as file:
        json.dump(found, file)


if __name__ == "__main__":
    everything(json.load(sys.stdin), sys.argv[1])
