"""A process that has everything imported and forks a child for each command: hundreds of kills and races a minute.

Started as a script.  It reads one JSON object a line from stdin, forks, and answers with the child's exit status and
output; `kill` asks for an audit hook that kills the child.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from importlib import import_module
from typing import Any


def _writes(event: str, args: tuple[Any, ...]) -> bool:
    if event == "open":
        path, mode, flags = args
        if not isinstance(path, (str, bytes)) or os.fsdecode(path) == os.devnull:
            return False
        return bool(mode and set(str(mode)) & set("wax+")) or bool(
            isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        )
    return event in ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "subprocess.Popen")


def kill_at(number: int) -> list[int]:
    """Die at the `number`th change that Python makes itself; the count so far, as the only item."""
    seen = [0]

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if not _writes(event, args):
            return
        seen[0] += 1
        if seen[0] == number:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    return seen


def child(order: dict[str, Any]) -> None:
    """Never returns."""
    from dvc_modelver.cli.main import main

    os.setpgid(0, 0)
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    for number, name in ((1, "out"), (2, "err")):
        handle = os.open(order[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(handle, number)
        os.close(handle)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.stdin, sys.stdout, sys.stderr = (open(n, m) for n, m in ((0, "r"), (1, "w"), (2, "w")))  # noqa: SIM115
    code, seen = 70, [0]
    try:
        if order.get("kill") is not None:
            seen = kill_at(order["kill"])
        code = main(order["argv"])
        sys.stdout.flush()
        sys.stderr.flush()
        number = seen[0]
        with open(order["count"], "w") as file:
            file.write(str(number))
    finally:
        os._exit(code)


def serve() -> None:
    """Answer orders until stdin ends."""
    import dvc_modelver.cli.main as main
    import dvc_modelver.commands.bytes_at_hand
    import dvc_modelver.dvcio.push
    import dvc_modelver.dvcio.yaml12  # noqa: F401
    from dvc_modelver.cards.generate import BLOCKS

    for block in BLOCKS:
        import_module(f"dvc_modelver.cards.blocks.{block}")
    main.build_app(["release", "promote", "withdraw", "retire", "push", "rollback", "doctor", "list", "card"])
    with tempfile.TemporaryDirectory() as folder:
        for line in sys.stdin:
            order = json.loads(line)
            order |= {"out": f"{folder}/out", "err": f"{folder}/err", "count": f"{folder}/count"}
            pid = os.fork()
            if pid == 0:
                child(order)
            _, status = os.waitpid(pid, 0)
            answer = {"code": os.waitstatus_to_exitcode(status), "pid": pid}
            for name in ("out", "err", "count"):
                path = order[name]
                answer[name] = open(path, errors="replace").read() if os.path.exists(path) else ""  # noqa: SIM115
                if os.path.exists(path):
                    os.unlink(path)
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    serve()
